/**
 * Runs a module on an engine and writes down everything that can be seen: calls of host functions, results, traps by name,
 * and after each call all globals, tables and the memory. Every export is called, with arguments that its type and number determine,
 * so that the bytes alone say what happens. A NaN is any NaN; V8's traps are V8's words, which `coarse` makes ours comparable to.
 */
import { LinkError, ProjectError, Trap } from '#src/errors.js';
import type { Engine, Extern, ExternType, Func, Global, HostFunc, HostReferences, Instance, Memory, Table, Value } from '#src/interp/engine.js';
import { WasmFunc } from '#src/interp/func.js';
import { WasmGlobal } from '#src/interp/global.js';
import { WasmMemory } from '#src/interp/memory.js';
import type { Module } from '#src/interp/module.js';
import { decodeSnapshot, encodeSnapshot } from '#src/interp/snapshot-bytes.js';
import { WasmTable } from '#src/interp/table.js';
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, isRef, type FuncType, type ValType } from '#src/interp/types.js';
import { FUEL_NAME } from './tree.js';
import { v8, type V8Exports } from './v8.js';

/** Functions and guarded loops that one call may enter. */
const FUEL = 80;
/** calls of each export */
const CALLS = 2;

export interface Event { readonly text: string; /** the reason, where it is a trap */ readonly trap?: string }
export type Outcome = readonly Event[];

/** of a call, to other instances */
const MOVES = 3;
const objects = Array.from({ length: 4 }, (_, i) => ({ object: i }));

const REFERENCES: HostReferences = { save: (object) => String(objects.indexOf(object as (typeof objects)[number])), load: (name) => objects[Number(name)] };
/** calls of the host from one that it throws at to the next, where the guest cannot catch it: engines differ in whether `catch_all` does */
const THROWS = 40;

/** @throws once in a while */
function throwSometimes(module: Module, counter: number): void {
  if (module.tags.length === 0 && counter % THROWS === THROWS - 1) throw new Error(`host call ${counter}`);
}

/** What a call gives is what its number, its name and its type determine. */
function resultsOf(type: FuncType, counter: number): Value[] {
  return type.results.map((result, i) => sample(result, counter * 7 + i * 3 + 1));
}

function sample(type: ValType, n: number): Value {
  const numbers = [0, 1, -1, 7, 100, -0x80000000, 0x7fffffff, 0x12345678, 3, 65535, -12345];
  const x = numbers[n % numbers.length];
  switch (type) {
    case I32: return x;
    case I64: return BigInt(x) * (n % 3 === 0 ? 0x1_0000_0001n : n % 3 === 1 ? 1n : -0x7654_3210_fedcn);
    case F32: return n % 13 === 5 ? NaN : Math.fround(x / (n % 4 + 1));
    case F64: return n % 13 === 7 ? NaN : n % 11 === 4 ? -0 : x / 3;
    case V128: return new Uint8Array(16).map((_, i) => x * (i + 1));
    case EXTERNREF: return n % 4 === 0 ? null : objects[n % objects.length];
    default: return null;
  }
}

function show(type: ValType, value: unknown): string {
  if (isRef(type)) {
    if (value === null) return 'null';
    if (typeof value === 'function') return `func ${(value as { name: string }).name}`;
    if (value instanceof WasmFunc) return `func ${value.host ? value.host.name : value.index}`;
    return `object ${objects.indexOf(value as (typeof objects)[number])}`;
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (type === V128) return Buffer.from(value as Uint8Array).toString('hex');
  return Object.is(value, -0) ? '-0' : String(value);
}

const showAll = (types: readonly ValType[], values: readonly unknown[]) => values.map((value, i) => show(types[i], value)).join(', ');

/** The state of an instance, the same text for the same state. */
interface View {
  memories: readonly Uint8Array[];
  globals: readonly (readonly [ValType, unknown])[];
  tables: readonly (readonly [ValType, readonly unknown[]])[];
}

function state({ memories, globals, tables }: View): string {
  const parts = memories.map((bytes) => `${bytes.length} bytes ${hash(bytes).toString(16)}`);
  parts.push(globals.map(([type, value]) => show(type, value)).join(' '));
  for (const [type, elems] of tables) parts.push(`[${elems.map((elem) => show(type, elem)).join(' ')}]`);
  return parts.join('; ');
}

/** Of whole words, as all memories are: quicker than what the platform has. */
function hash(bytes: Uint8Array): number {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  let h = 0;
  for (let i = 0; i < words.length; i++) h = Math.imul(h ^ words[i], 0x9e3779b1) + (h >>> 15) | 0;
  return h >>> 0;
}

/** One way to run a module. */
interface Session {
  instantiate(): Promise<void> | void;
  call(name: string, type: FuncType, args: readonly Value[]): Promise<readonly unknown[]> | readonly unknown[];
  setFuel(fuel: number): void;
  view(): View;
  /** undefined where it is no trap but a fault of the engine's */
  trapOf(error: unknown): string | undefined;
}

async function perform(module: Module, session: Session, events: Event[]): Promise<Outcome> {
  const attempt = async (what: string, run: () => Promise<string> | string): Promise<boolean> => {
    try {
      events.push({ text: `${what} gives ${await run()}` });
      return true;
    } catch (error) {
      const trap = session.trapOf(error);
      events.push(trap === undefined ? { text: `${what} fails: ${String(error)}` } : { text: `${what} traps`, trap });
      return false;
    }
  };
  if (!await attempt('instantiate', async () => { await session.instantiate(); return 'an instance'; })) return events;
  events.push({ text: state(session.view()) });
  let counter = 0;
  for (const { name, kind, index } of module.exports) {
    if (kind !== 'func') continue;
    const type = module.types[module.funcs[index]];
    if ([...type.params, ...type.results].includes(V128)) continue;
    for (let i = 0; i < CALLS; i++) {
      session.setFuel(FUEL);
      const args = type.params.map((param) => sample(param, counter++));
      await attempt(`${name}(${showAll(type.params, args)})`, async () => showAll(type.results, await session.call(name, type, args)));
      events.push({ text: state(session.view()) });
    }
  }
  return events;
}

// ---- an engine of this project

export interface OurWay {
  readonly engine: Engine;
  /** host functions give promises, and while they are waited for another guest runs */
  readonly later?: boolean;
  /** a call is stopped after so many instructions, saved as bytes, and goes on in another instance; the same again, `MOVES` times */
  readonly moves?: number;
  /** called before and after each run */
  begin?(): void;
  end?(): void;
}

export async function runOurs(way: OurWay, bytes: Uint8Array): Promise<Outcome> {
  const { begin, end } = way;
  const events: Event[] = [];
  begin?.();
  try {
    return await ours(way, bytes, events);
  } catch (error) {
    events.push({ text: `fails: ${error instanceof Error ? error.stack : String(error)}` });
    return events;
  } finally {
    end?.();
  }
}

async function ours({ engine, later = false, moves }: OurWay, bytes: Uint8Array, events: Event[]): Promise<Outcome> {
  const module = engine.compile(bytes);
  let instance!: Instance;
  let counter = 0;
  /** as V8 calls them: by their order */
  const names = new Map<string, string>();
  const nameOf = (item: string) => {
    const name = names.get(item) ?? String(names.size);
    names.set(item, name);
    return name;
  };
  const provide = (from: string, item: string, type: ExternType): Extern => {
    switch (type.kind) {
      case 'func': return {
        kind: 'host', type: type.type, name: nameOf(`${from}.${item}`),
        run: (_caller, args) => {
          events.push({ text: `host ${item}(${showAll(type.type.params, args)})` });
          const results = resultsOf(type.type, counter);
          if (!later) {
            throwSometimes(module, counter++);
            return results;
          }
          return new Promise((resolve, reject) => {
            interlude();
            try {
              throwSometimes(module, counter++);
              resolve(results);
            } catch (error) {
              reject(error);
            }
          });
        },
      } satisfies HostFunc;
      case 'memory': return new WasmMemory(type.type);
      case 'table': return new WasmTable(type.type);
      case 'global': return new WasmGlobal(type.type, sample(type.type.type, 5));
      case 'tag': throw new Error(`no tag "${from}" "${item}"`);
    }
  };
  const moved = async (name: string, args: readonly Value[], steps: number): Promise<readonly Value[]> => {
    let execution = instance.begin(instance.exports.get(name) as Func, args);
    for (let i = 0; i < MOVES; i++) {
      const { reason } = await execution.run({ fuel: steps });
      if (reason === 'done') return execution.results!;
      const snapshot = decodeSnapshot(encodeSnapshot(execution.snapshot(REFERENCES)));
      execution = engine.restore(module, provide, snapshot, { references: REFERENCES });
      ({ instance } = execution);
    }
    await execution.run();
    return execution.results!;
  };
  return perform(module, {
    async instantiate() {
      instance = engine.instantiate(module, provide);
      if (later) await instance.start();
      else if (module.start !== undefined) await instance.start();
    },
    call: async (name, _type, args) => moves !== undefined ? await moved(name, args, moves) : later ? instance.call(instance.exports.get(name) as Func, args) : instance.callSync(instance.exports.get(name) as Func, args),
    setFuel(fuel) {
      const global = instance.exports.get(FUEL_NAME);
      if (global) (global as Global).value = fuel;
    },
    view: () => viewOf([...instance.exports.values()]),
    trapOf: (error) => error instanceof Trap ? error.reason : error instanceof LinkError ? error.message : undefined,
  }, events);
}

function viewOf(exports: readonly (Func | Memory | Table | Global | object)[]): View {
  const kinds = exports as readonly { readonly kind: string }[];
  return {
    memories: kinds.filter(({ kind }) => kind === 'memory').map((memory) => (memory as Memory).bytes),
    globals: kinds.filter(({ kind }) => kind === 'global').map((global) => [(global as Global).type.type, (global as Global).value]),
    tables: kinds.filter(({ kind }) => kind === 'table').map((one) => {
      const table = one as Table;
      return [table.type.elem, Array.from({ length: table.length }, (_, i) => table.get(i))];
    }),
  };
}

let idle: { readonly instance: Instance; readonly func: Func } | undefined;
/** What the interlude runs: needs the machine's stack, which the waiting guest has to leave. */
export function setInterlude(engine: Engine, bytes: Uint8Array, name: string): void {
  const instance = engine.instantiate(engine.compile(bytes), {});
  idle = { instance, func: instance.exports.get(name) as Func };
}
function interlude(): void {
  void Promise.resolve().then(() => idle?.instance.callSync(idle.func, [5]));
}

// ---- V8

export async function runV8(bytes: Uint8Array, module: Module): Promise<Outcome> {
  const events: Event[] = [];
  let exports!: V8Exports;
  let counter = 0;
  const types: Record<ValType, string> = { [I32]: 'i32', [I64]: 'i64', [F32]: 'f32', [F64]: 'f64', [FUNCREF]: 'anyfunc', [EXTERNREF]: 'externref' };
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: from, name, desc } of module.imports) {
    const items = imports[from] ??= {};
    switch (desc.kind) {
      case 'func': {
        const type = module.types[desc.type];
        items[name] = (...args: unknown[]) => {
          events.push({ text: `host ${name}(${showAll(type.params, args)})` });
          const results = resultsOf(type, counter);
          throwSometimes(module, counter++);
          return results.length === 1 ? results[0] : results;
        };
        break;
      }
      case 'memory': items[name] = new v8.Memory({ initial: desc.type.limits.min, ...desc.type.limits.max === undefined ? {} : { maximum: desc.type.limits.max } }); break;
      case 'table': items[name] = new v8.Table({ element: types[desc.type.elem], initial: desc.type.limits.min, ...desc.type.limits.max === undefined ? {} : { maximum: desc.type.limits.max } }); break;
      case 'global': items[name] = new v8.Global({ value: types[desc.type.type], mutable: desc.type.mutable }, sample(desc.type.type, 5)); break;
    }
  }
  const compiled = new v8.Module(bytes);
  return perform(module, {
    instantiate() { ({ exports } = new v8.Instance(compiled, imports)); },
    call: (name, { results }, args) => {
      const result = (exports[name] as (...args: unknown[]) => unknown)(...args);
      return results.length === 0 ? [] : results.length === 1 ? [result] : result as unknown[];
    },
    setFuel(fuel) {
      const global = exports[FUEL_NAME];
      if (global) (global as { value: unknown }).value = fuel;
    },
    view: () => ({
      memories: module.exports.filter(({ kind }) => kind === 'memory').map(({ name }) => new Uint8Array((exports[name] as { buffer: ArrayBuffer }).buffer)),
      globals: module.exports.filter(({ kind }) => kind === 'global').map(({ name, index }) => [module.globals[index].type.type, (exports[name] as { value: unknown }).value]),
      tables: module.exports.filter(({ kind }) => kind === 'table').map(({ name, index }) => {
        const table = exports[name] as { length: number; get(i: number): unknown };
        return [module.tables[index].type.elem, Array.from({ length: table.length }, (_, i) => table.get(i))];
      }),
    }),
    trapOf: (error) => error instanceof v8.RuntimeError ? error.message : error instanceof v8.Exception ? 'unhandled exception' : error instanceof RangeError ? error.message : undefined,
  }, events);
}

/** V8's words -> ours. Some of V8's stand for two of ours. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^unreachable$/, 'unreachable'],
  [/memory access out of bounds|data segment.*out of bounds/, 'memory'], [/out of bounds memory access/, 'memory'],
  [/divide by zero|remainder by zero/, 'integer divide by zero'],
  [/divide result unrepresentable/, 'integer overflow'],
  [/float unrepresentable|invalid conversion to integer/, 'conversion'],
  [/table index is out of bounds|table access out of bounds|element segment.*out of bounds|table index out of bounds/, 'table'], [/out of bounds table access|undefined element/, 'table'],
  [/null function or function signature mismatch|uninitialized element|indirect call type mismatch/, 'signature'],
  // an access may be both, and which is told first is free
  [/unaligned/, 'memory'],
  [/Maximum call stack|call stack exhausted/, 'exhausted'],
];

export function coarse(trap: string): string {
  return WORDS.find(([words]) => words.test(trap))?.[1] ?? trap;
}

/** The first difference, as text, or undefined. @param name whose trap names are compared, word for word unless `other` is V8's */
export function difference(name: string, one: Outcome, otherName: string, other: Outcome): string | undefined {
  const foreign = [name, otherName].includes('V8');
  const length = Math.max(one.length, other.length);
  for (let i = 0; i < length; i++) {
    const a = one[i], b = other[i];
    const same = a && b && a.text === b.text && (a.trap === b.trap || foreign && a.trap !== undefined && b.trap !== undefined && sameTrap(a.trap, b.trap));
    if (!same) {
      const tell = (event: Event | undefined) => event === undefined ? 'nothing' : `${event.text}${event.trap === undefined ? '' : ` (${event.trap})`}`;
      return `event ${i}\n  ${name}: ${tell(a)}\n  ${otherName}: ${tell(b)}${i > 0 ? `\n  after ${one[i - 1].text}` : ''}`;
    }
  }
  return undefined;
}

/** V8 says "float unrepresentable in integer range" of both faults of a conversion, and "integer overflow" is ours for one of them. */
function sameTrap(a: string, b: string): boolean {
  const [x, y] = [coarse(a), coarse(b)];
  return x === y || [x, y].includes('conversion') && [x, y].includes('integer overflow');
}

export function isRefusal(error: unknown): boolean {
  return error instanceof ProjectError;
}
