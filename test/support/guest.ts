/** A guest without an engine: an instance that is only a memory, a table and exports, and a driver for host functions. */
import type { Func, GuestCall, HostFunc, Instance, Memory, Table, Value } from '#src/interp/engine.js';
import type { Module } from '#src/interp/module.js';
import { FUNCREF, I32, I64, type FuncType } from '#src/interp/types.js';

/** What a guest function does. */
type Body = (...args: Value[]) => Value[] | Promise<Value[]>;

export class FakeGuest implements Instance {
  readonly module = {} as Module;
  readonly exports = new Map<string, Func | Memory | Table>();
  memory: Memory;
  table: Table | undefined;
  /** what a function of the guest does: by its identity */
  readonly bodies = new Map<Func, Body>();
  #bytes = new Uint8Array(65536);

  constructor() {
    const bytes = () => this.#bytes;
    this.memory = {
      kind: 'memory',
      type: { limits: { min: 1, max: undefined }, shared: false },
      get size() { return bytes().length; },
      get bytes() { return bytes(); },
      get view() { return new DataView(bytes().buffer); },
      grow: (pages) => {
        const old = this.#bytes;
        this.#bytes = new Uint8Array(old.length + pages * 65536);
        this.#bytes.set(old);
        return old.length / 65536;
      },
    };
  }

  /** A guest function at an index of table 0. */
  func(index: number, body: Body, type: FuncType = { params: [I32, I32, I32], results: [I32] }): Func {
    const func: Func = { kind: 'func', type, name: `f${index}` };
    this.bodies.set(func, body);
    const entries = new Map<number, Value>(this.table ? [...Array(this.table.length).keys()].map((i) => [i, this.table?.get(i) as Value]) : []);
    entries.set(index, func);
    const length = Math.max(...entries.keys()) + 1;
    this.table = {
      kind: 'table', type: { elem: FUNCREF, limits: { min: length, max: undefined } }, length,
      get: (i) => (i < length ? entries.get(i) ?? null : undefined), set: () => {}, grow: () => -1,
    };
    return func;
  }

  begin(): never {
    throw new Error('a guest without an engine has no instructions');
  }

  /** Runs a host function to its end as the engine would. */
  async call(host: HostFunc | Func, args: readonly Value[]): Promise<Value[]> {
    if (host.kind !== 'host') return this.bodies.get(host)?.(...args) ?? [];
    let out: unknown = host.run(this, args);
    if (typeof out === 'object' && out !== null && 'next' in out) out = await this.#drive(out as Generator<GuestCall | Promise<unknown>, unknown, unknown>);
    out = await out;
    return out === undefined ? [] : Array.isArray(out) ? out as Value[] : [out as Value];
  }

  async #drive(generator: Generator<GuestCall | Promise<unknown>, unknown, unknown>): Promise<unknown> {
    let step = generator.next();
    while (!step.done) {
      let value: unknown, failed: { error: unknown } | undefined;
      try {
        value = 'func' in step.value ? await this.call(step.value.func, step.value.args) : await step.value;
      } catch (error) {
        failed = { error };
      }
      step = failed ? generator.throw(failed.error) : generator.next(value);
    }
    return step.value;
  }

  start(): Promise<void> { return Promise.resolve(); }
  callSync(): Value[] { throw new Error('not in a fake'); }

  // ---- memory in words a test reads well
  put(pointer: number, text: string | Uint8Array): number {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    this.memory.bytes.set(bytes, pointer);
    return bytes.length;
  }
  u32(pointer: number): number { return this.memory.view.getUint32(pointer, true); }
  u64(pointer: number): bigint { return this.memory.view.getBigUint64(pointer, true); }
  setU32(pointer: number, ...values: number[]): void { values.forEach((value, i) => this.memory.view.setUint32(pointer + 4 * i, value, true)); }
  text(pointer: number, length: number): string { return new TextDecoder().decode(this.memory.bytes.subarray(pointer, pointer + length)); }
}

/** A function type from letters: `ii:i`, `I` for i64. */
export function funcType(letters: string): FuncType {
  const [params, results = ''] = letters.split(':');
  const types = (s: string) => [...s].map((c) => (c === 'I' ? I64 : I32));
  return { params: types(params), results: types(results) };
}
