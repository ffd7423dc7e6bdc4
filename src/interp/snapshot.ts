/**
 * A snapshot: an instance and the call that is stopped in it, as plain data that says the same on every machine. snapshot-take.ts
 * makes one, snapshot-restore.ts an instance of it, snapshot-bytes.ts bytes. Only types here, and what tells modules apart.
 *
 * Values are bits, as they are the same everywhere: of i32 and f32 a number of 32 bits, of i64 and f64 a bigint of 64 bits, of a
 * v128 sixteen bytes. Their types are the module's to know.
 */
import type { Module } from './module.js';

/** Changes whenever what follows does. */
export const SNAPSHOT_VERSION = 1;

export interface Snapshot {
  readonly version: typeof SNAPSHOT_VERSION;
  /** of the module's bytes */
  readonly module: ModuleId;
  /** instructions that the call had carried out (Execution.steps) */
  readonly steps: number;
  /** the outermost first; all but the last have called the next one */
  readonly frames: readonly SavedFrame[];
  readonly memories: readonly SavedMemory[];
  readonly tables: readonly (readonly SavedRef[])[];
  readonly globals: readonly SavedValue[];
  /** what is left of the segments: their elements, and whether it is there; undefined once dropped */
  readonly elems: readonly (readonly SavedRef[] | undefined)[];
  readonly datas: readonly boolean[];
  /** what references point to, in the order in which they were met */
  readonly objects: readonly SavedObject[];
}

export interface ModuleId { readonly size: number; readonly hash: readonly [number, number] }
export interface SavedFrame {
  readonly func: number;
  /** of the next instruction, or of the call, in bytes from the module's start */
  readonly offset: number;
  readonly locals: readonly SavedValue[];
  readonly operands: readonly SavedValue[];
}
/** Bytes that are not zero, in ascending order. */
export interface SavedMemory { readonly pages: number; readonly parts: readonly { readonly at: number; readonly bytes: Uint8Array }[] }

export type SavedValue = number | bigint | Uint8Array | SavedRef;
/** null; a function of the instance by its index; an i31; one of `objects`; what the host has a name for; a number of the host */
export type SavedRef =
  | null
  | { readonly kind: 'func' | 'i31' | 'object'; readonly value: number }
  | { readonly kind: 'host'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number | bigint };
/** A struct or array of a type of the module, or an exception with one of its tags. */
export interface SavedObject {
  readonly kind: 'struct' | 'array' | 'exception';
  /** index of the type, or of the tag */
  readonly type: number;
  /** elements of an array of numbers are their bytes, little-endian */
  readonly values: readonly SavedValue[] | Uint8Array;
}

const ids = new WeakMap<Module, ModuleId>();

/** Tells one module from another that is taken for it by mistake; no protection against one made to have the same. */
export function moduleId(module: Module): ModuleId {
  let id = ids.get(module);
  if (!id) ids.set(module, id = { size: module.bytes.length, hash: hash(module.bytes) });
  return id;
}

/** Two lanes of the multiplications and shifts of MurmurHash3 over the words. */
function hash(bytes: Uint8Array): readonly [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let a = 0x9747b28c | 0, b = 0x5bd1e995 | 0;
  const mix = (word: number) => {
    a = Math.imul(a ^ word, 0xcc9e2d51);
    a = (a << 15 | a >>> 17) + 0xe6546b64 | 0;
    b = Math.imul(b + word | 0, 0x1b873593);
    b = (b << 13 | b >>> 19) ^ a;
  };
  const whole = bytes.length & ~3;
  for (let i = 0; i < whole; i += 4) mix(view.getInt32(i, true));
  for (let i = whole; i < bytes.length; i++) mix(bytes[i]);
  mix(bytes.length);
  const finish = (h: number) => {
    let x = Math.imul(h ^ h >>> 16, 0x85ebca6b);
    x = Math.imul(x ^ x >>> 13, 0xc2b2ae35);
    return (x ^ x >>> 16) >>> 0;
  };
  return [finish(a), finish(b)];
}
