/**
 * Bridges: small modules between a host and V8's own engine (v8.ts), for values that JavaScript cannot carry. A bridge is one
 * function that calls another one, and stands for values with words: two i64 for a v128, lane 0 first, and where the bits of
 * NaNs matter an i32 for an f32 and an i64 for an f64. Does not take references but funcref and externref.
 */
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, isRef, type FuncType, type ValType } from './types.js';

/** `bits`: floats as words too. */
export interface Kind { readonly bits: boolean }

/** What stands for a value of the type. */
export function wordsOf(type: ValType, { bits }: Kind): readonly ValType[] {
  return type === V128 ? [I64, I64] : !bits ? [type] : type === F32 ? [I32] : type === F64 ? [I64] : [type];
}

const LOCAL_GET = 0x20, LOCAL_SET = 0x21, CALL = 0x10, END = 0x0b, SIMD = 0xfd, SPLAT = 0x12, EXTRACT = 0x1d, REPLACE = 0x1e;
/** i32.reinterpret_f32 …, by the type that comes out of the words, and by the one that goes into them */
const FROM_WORD: ReadonlyMap<ValType, number> = new Map([[F32, 0xbe], [F64, 0xbf]]), TO_WORD: ReadonlyMap<ValType, number> = new Map([[F32, 0xbc], [F64, 0xbd]]);

/**
 * A module that imports a function and exports one, `f`.
 * @param type of the function that has the values
 * @param inner 'values': that one is imported, and called with words; 'words': the other way around
 * @returns undefined where a reference cannot be named outside of its module
 */
export function bridge(type: FuncType, inner: 'values' | 'words', kind: Kind): Uint8Array<ArrayBuffer> | undefined {
  const { params, results } = type;
  if ([...params, ...results].some((one) => isRef(one) && one !== FUNCREF && one !== EXTERNREF)) return undefined;
  const words = (types: readonly ValType[]) => types.flatMap((one) => wordsOf(one, kind));
  const values = [params, results] as const, wordy = [words(params), words(results)] as const;
  const [imported, exported] = inner === 'values' ? [values, wordy] : [wordy, values];
  const [enter, leave] = inner === 'values' ? [raise, lower] : [lower, raise];
  const stored = imported[1], base = exported[0].length;
  const body = [
    ...stored.length === 0 ? [0] : [...leb(stored.length), ...stored.flatMap((one) => [1, one])],
    ...pass(params, 0, enter, kind), CALL, 0,
    // the last result is on top
    ...stored.flatMap((_, i) => [LOCAL_SET, ...leb(base + stored.length - 1 - i)]),
    ...pass(results, base, leave, kind), END,
  ];
  const signature = ([from, to]: readonly [readonly ValType[], readonly ValType[]]) => [0x60, ...leb(from.length), ...from, ...leb(to.length), ...to];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [2, ...signature(imported), ...signature(exported)]),
    ...section(2, [1, 0, 0, 0, 0]),
    ...section(3, [1, 1]),
    ...section(7, [1, 1, 0x66, 0, 1]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}

type Pass = (type: ValType, local: number, kind: Kind) => readonly [code: readonly number[], locals: number];

/** Code that puts values of these types on the stack, each from the locals after those of the one before. */
function pass(types: readonly ValType[], from: number, one: Pass, kind: Kind): number[] {
  let local = from;
  return types.flatMap((type) => {
    const [code, locals] = one(type, local, kind);
    local += locals;
    return code;
  });
}

/** Words from the local that has the value. */
const lower: Pass = (type, local, { bits }) => {
  const get = [LOCAL_GET, ...leb(local)];
  if (type === V128) return [[...get, SIMD, EXTRACT, 0, ...get, SIMD, EXTRACT, 1], 1];
  return [bits && TO_WORD.has(type) ? [...get, TO_WORD.get(type)!] : get, 1];
};

/** A value from the locals that have its words. */
const raise: Pass = (type, local, { bits }) => {
  const get = [LOCAL_GET, ...leb(local)];
  if (type === V128) return [[...get, SIMD, SPLAT, LOCAL_GET, ...leb(local + 1), SIMD, REPLACE, 1], 2];
  return [bits && FROM_WORD.has(type) ? [...get, FROM_WORD.get(type)!] : get, 1];
};

/** The words of values, in order. */
export function toWords(types: readonly ValType[], values: readonly unknown[]): unknown[] {
  return types.flatMap((type, i) => {
    if (type !== V128) return [values[i]];
    const { buffer, byteOffset } = values[i] as Uint8Array;
    const view = new DataView(buffer, byteOffset);
    return [view.getBigInt64(0, true), view.getBigInt64(8, true)];
  });
}

export function fromWords(types: readonly ValType[], words: readonly unknown[]): unknown[] {
  let at = 0;
  return types.map((type) => {
    if (type !== V128) return words[at++];
    const view = new DataView(new ArrayBuffer(16));
    view.setBigInt64(0, words[at++] as bigint, true);
    view.setBigInt64(8, words[at++] as bigint, true);
    return new Uint8Array(view.buffer);
  });
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function leb(value: number): number[] {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...leb(value >>> 7)];
}
