/**
 * WebAssembly types (specification chapter 2.3), as the decoder reads them and every tier keeps them. A value type is one
 * number, so that comparing is `===`: the binary format's code for number, vector and abstract reference types.
 *
 *   bits 0–7    the code of the binary format; 0x63 for a reference to a type of the module
 *   bit 8       set: the reference is never null
 *   bits 9–     the type index, with 0x63 only; divide, do not shift: the index may take 32 bits
 */

export const I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c, V128 = 0x7b, FUNCREF = 0x70, EXTERNREF = 0x6f;
/** A number of this file. */
export type ValType = number;
export type RefType = number;
export interface FuncType { readonly params: readonly ValType[]; readonly results: readonly ValType[] }
export interface LimitsType { readonly min: number; readonly max: number | undefined }
/** limits in pages of 64 KiB */
export interface MemoryType { readonly limits: LimitsType; readonly shared: boolean }
export interface TableType { readonly elem: RefType; readonly limits: LimitsType }
export interface GlobalType { readonly type: ValType; readonly mutable: boolean }

/** Whether values of the type are references. */
export function isRef(type: ValType): boolean {
  const code = type & 0xff;
  return code < V128 && code !== 0;
}

/** The type in the notation of the text format: `i32`, `funcref`. */
export function typeName(type: ValType): string {
  return NAMES.get(type) ?? `type 0x${type.toString(16)}`;
}

const NAMES: ReadonlyMap<ValType, string> = new Map([
  [I32, 'i32'], [I64, 'i64'], [F32, 'f32'], [F64, 'f64'], [V128, 'v128'], [FUNCREF, 'funcref'], [EXTERNREF, 'externref'],
]);
