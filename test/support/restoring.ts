/**
 * Guests that are stopped, saved and restored: what the host gives them, what they leave behind, and files of many snapshots.
 * Uses nothing but the engine, so that it also runs on a machine that has no more than Node.
 */
import type { Engine, Execution, HostFunc, Imports, Instance, Value } from '#src/interp/engine.js';
import { decodeSnapshot } from '#src/interp/snapshot-bytes.js';
import { WasmInstance } from '#src/interp/instance.js';
import { I32 } from '#src/interp/types.js';

/** What a guest has done by its end. */
export interface Outcome {
  readonly results: readonly string[];
  /** numbers that it has given to `host.print`, since it was restored */
  readonly printed: readonly number[];
  /** of memories, globals that are numbers, and lengths of tables */
  readonly state: string;
}

/** `host.print`, and `env.add` of the kernels. */
export function imports(printed: number[]): Imports {
  const print: HostFunc = { kind: 'host', name: 'print', type: { params: [I32], results: [] }, run: (_, [n]) => { printed.push(n as number); } };
  const add: HostFunc = { kind: 'host', name: 'add', type: { params: [I32, I32], results: [I32] }, run: (_, [a, b]) => (a as number) + (b as number) | 0 };
  return { host: { print }, env: { add } };
}

export function stateOf(instance: Instance): string {
  if (!(instance instanceof WasmInstance)) throw new Error('bug: an instance of another engine');
  let hash = 0xcbf29ce484222325n;
  const add = (bytes: Uint8Array) => {
    let word = 0;
    for (const byte of bytes) word = Math.imul(word ^ byte, 0x01000193);
    hash = BigInt.asUintN(64, (hash ^ BigInt(word >>> 0)) * 0x100000001b3n);
  };
  for (const { bytes } of instance.memories) add(bytes);
  add(new Uint8Array(instance.globalWords.buffer));
  return `${instance.memories.map(({ pages }) => pages).join()} ${instance.tables.map(({ length }) => length).join()} ${hash.toString(16)}`;
}

/** Runs a call to its end. */
export async function finish(execution: Execution, printed: readonly number[]): Promise<Outcome> {
  const stop = await execution.run();
  if (stop.reason !== 'done') throw new Error(`stopped for ${stop.reason}`);
  return { results: stop.results.map((value: Value) => String(value)), printed: [...printed], state: stateOf(execution.instance) };
}

/** The same from a snapshot's bytes. */
export function continued(engine: Engine, bytes: Uint8Array, snapshot: Uint8Array): Promise<Outcome> {
  const printed: number[] = [];
  return finish(engine.restore(compiled(engine, bytes), imports(printed), decodeSnapshot(snapshot)), printed);
}

const modules = new WeakMap<Uint8Array, ReturnType<Engine['compile']>>();
export function compiled(engine: Engine, bytes: Uint8Array): ReturnType<Engine['compile']> {
  let module = modules.get(bytes);
  if (!module) modules.set(bytes, module = engine.compile(bytes));
  return module;
}

/** Snapshots in one file: each its size as u32, little-endian, and its bytes. */
export function pack(snapshots: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(snapshots.reduce((sum, { length }) => sum + 4 + length, 0));
  let at = 0;
  for (const one of snapshots) {
    new DataView(all.buffer).setUint32(at, one.length, true);
    all.set(one, at + 4);
    at += 4 + one.length;
  }
  return all;
}

export function unpack(all: Uint8Array): Uint8Array[] {
  const snapshots: Uint8Array[] = [];
  const view = new DataView(all.buffer, all.byteOffset, all.length);
  for (let at = 0; at < all.length; at += 4 + view.getUint32(at, true)) snapshots.push(all.subarray(at + 4, at + 4 + view.getUint32(at, true)));
  return snapshots;
}
