/**
 * WebAssembly types (specification chapter 2.3), as the decoder reads them and every tier keeps them. A value type is one
 * number, so that comparing is `===`: the binary format's code for number, vector and abstract reference types.
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
