/** Which references are of which type (specification chapter 4.2.1, "Reference types" of values): casts, and checks at the boundary. */
import type { Value } from './engine.js';
import { WasmException } from './exception.js';
import { WasmArray, WasmStruct } from './gc.js';
import { runtimeType, type RuntimeType } from './rtt.js';
import { ANYREF, ARRAYREF, CONCRETE, EQREF, EXNREF, EXTERNREF, FUNCREF, I31REF, STRUCTREF, isNullable, typeIndexOf, type RefType } from './types.js';

/** @param type process-wide */
export function isInstance(value: Value | void, type: RefType): boolean {
  return value === null ? isNullable(type) : isOf(value, type & 0xff, typeIndexOf(type));
}

/**
 * @param value not null
 * @param code of the heap type (types.ts)
 * @param id the process-wide type where the code is CONCRETE
 */
export function isOf(value: Value | void, code: number, id: number): boolean {
  switch (code) {
    case CONCRETE: return typeOf(value)?.isBelow(runtimeType(id)) ?? false;
    case FUNCREF: return isFunc(value);
    case ANYREF: case EXTERNREF: return value !== undefined;
    case EQREF: return isI31(value) || value instanceof WasmStruct || value instanceof WasmArray;
    case I31REF: return isI31(value);
    case STRUCTREF: return value instanceof WasmStruct;
    case ARRAYREF: return value instanceof WasmArray;
    case EXNREF: return value instanceof WasmException;
    // the types that have no value but null
    default: return false;
  }
}

function typeOf(value: Value | void): RuntimeType | undefined {
  return value instanceof WasmStruct || value instanceof WasmArray || isFunc(value) ? value.rtt : undefined;
}

function isFunc(value: Value | void): value is { readonly kind: 'func'; readonly rtt: RuntimeType } {
  return typeof value === 'object' && value !== null && (value as { readonly kind?: unknown }).kind === 'func';
}

/** A number of the host is an i31 where it is in the range of one, as in the JavaScript API. */
function isI31(value: Value | void): boolean {
  return typeof value === 'number' && value << 1 >> 1 === value;
}
