/**
 * Structs and arrays of a guest (specification chapter 4.2.13): plain JavaScript objects, which JavaScript's own collector looks
 * after. Numbers in them are kept as in callBits: floats as their bits. An i31 is a number, and no object.
 */
import { ExhaustedError } from '../errors.js';
import type { Value } from './engine.js';
import { made } from './heap.js';
import type { RuntimeType } from './rtt.js';
import { F32, F64, I16, I32, I64, I8, V128, isRef, type ValType } from './types.js';

/** Of an object with its list of values, and of one value in it, which may be a bigint. */
const OBJECT_BYTES = 64, VALUE_BYTES = 16;

export class WasmStruct {
  /** @param fields packed ones sign-extended. @throws ExhaustedError */
  constructor(readonly rtt: RuntimeType, readonly fields: Value[]) {
    made(OBJECT_BYTES + VALUE_BYTES * fields.length);
  }
}

export type Elements = Int8Array | Int16Array | Int32Array | BigInt64Array | Value[];

export class WasmArray {
  constructor(readonly rtt: RuntimeType, readonly elems: Elements) {}
}

/** Bounds of one array: bytes of numbers, and elements where they are references or vectors. */
const MAX_BYTES = 2 ** 30, MAX_ELEMENTS = 2 ** 24;

/** @param type of the elements. @returns with default values. @throws ExhaustedError */
export function newElements(type: ValType, n: number): Elements {
  const width = NUMERIC_BYTES.get(type);
  if (width === undefined ? n > MAX_ELEMENTS : n * width > MAX_BYTES) {
    throw new ExhaustedError('array size', `${n} elements, ${width === undefined ? `${MAX_ELEMENTS} at most` : `${MAX_BYTES} bytes at most`}`);
  }
  made(OBJECT_BYTES + n * (width ?? VALUE_BYTES));
  try {
    switch (type) {
      case I8: return new Int8Array(n);
      case I16: return new Int16Array(n);
      case I32: case F32: return new Int32Array(n);
      case I64: case F64: return new BigInt64Array(n);
      default: return new Array<Value>(n).fill(defaultValue(type));
    }
  } catch (error) {
    throw new ExhaustedError('array size', `${n} elements, which the host cannot allocate`, { cause: error });
  }
}

const NUMERIC_BYTES: ReadonlyMap<ValType, number> = new Map([[I8, 1], [I16, 2], [I32, 4], [F32, 4], [I64, 8], [F64, 8]]);

/** In bytes of a data segment. */
export function widthOf(type: ValType): number {
  return NUMERIC_BYTES.get(type) ?? 16;
}

const ZERO_VECTOR = new Uint8Array(16);

export function defaultValue(type: ValType): Value {
  return isRef(type) ? null : type === V128 ? ZERO_VECTOR : type === I64 || type === F64 ? 0n : 0;
}

/** The type that a field's value has outside of it. */
export function unpacked(type: ValType): ValType {
  return type === I8 || type === I16 ? I32 : type;
}

/** A value as a field of the type keeps it. */
export function packed(type: ValType, value: Value): Value {
  return type === I8 ? (value as number) << 24 >> 24 : type === I16 ? (value as number) << 16 >> 16 : value;
}

export function newStruct(rtt: RuntimeType, values: readonly Value[]): WasmStruct {
  return new WasmStruct(rtt, rtt.def.fields.map(({ type }, i) => packed(type, values[i])));
}

export function defaultStruct(rtt: RuntimeType): WasmStruct {
  return new WasmStruct(rtt, rtt.def.fields.map(({ type }) => defaultValue(type)));
}

/** @param values one for each element */
export function newArray(rtt: RuntimeType, values: readonly Value[]): WasmArray {
  const elems = newElements(rtt.def.fields[0].type, values.length);
  for (let i = 0; i < values.length; i++) elems[i] = values[i];
  return new WasmArray(rtt, elems);
}

export function filledArray(rtt: RuntimeType, n: number, value: Value | undefined): WasmArray {
  const elems = newElements(rtt.def.fields[0].type, n);
  if (value !== undefined) fillElements(elems, value, 0, n);
  return new WasmArray(rtt, elems);
}

export function fillElements(elems: Elements, value: Value, at: number, end: number): void {
  (elems as Value[]).fill(value, at, end);
}

/** Within the bounds; also within one array. */
export function copyWithin(to: Elements, at: number, source: Elements, from: number, n: number): void {
  if (Array.isArray(to)) {
    const values = source as Value[];
    if (from >= at) for (let i = 0; i < n; i++) to[at + i] = values[from + i];
    else for (let i = n - 1; i >= 0; i--) to[at + i] = values[from + i];
  } else {
    (to as Int32Array).set((source as Int32Array).subarray(from, from + n), at);
  }
}

/** Reads `n` elements from bytes, little-endian as the machine is (global.ts). */
export function elementsFromBytes(to: Elements, at: number, n: number, bytes: Uint8Array): void {
  if (Array.isArray(to)) for (let i = 0; i < n; i++) to[at + i] = bytes.slice(16 * i, 16 * i + 16);
  else new Uint8Array(to.buffer).set(bytes, at * to.BYTES_PER_ELEMENT);
}
