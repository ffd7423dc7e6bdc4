/**
 * WebAssembly types (specification chapter 2.3), as the decoder reads them and every tier keeps them. A value type is one
 * number, so that comparing is `===`: the binary format's code for number, vector and abstract reference types.
 *
 *   bits 0–7    the code of the binary format; 0x63 for a reference to a type of the module
 *   bit 8       set: the reference is never null
 *   bits 9–     the type index, with 0x63 only; divide, do not shift: the index may take 32 bits
 */

export const I32 = 0x7f, I64 = 0x7e, F32 = 0x7d, F64 = 0x7c, V128 = 0x7b;
/** Nullable references to abstract heap types. */
export const NULLFUNCREF = 0x73, NULLEXTERNREF = 0x72, NULLREF = 0x71, FUNCREF = 0x70, EXTERNREF = 0x6f, ANYREF = 0x6e, EQREF = 0x6d,
  I31REF = 0x6c, STRUCTREF = 0x6b, ARRAYREF = 0x6a, EXNREF = 0x69, NULLEXNREF = 0x74;
/** Storage types of fields, never of values. */
export const I8 = 0x78, I16 = 0x77;
/** Low byte of a reference to a type of the module. */
export const CONCRETE = 0x63;
/** The bit of references that are never null. */
export const NON_NULL = 0x100;
const INDEX_UNIT = 0x200;

/** A number of this file. */
export type ValType = number;
export type RefType = number;
export interface FuncType { readonly params: readonly ValType[]; readonly results: readonly ValType[] }
export interface LimitsType { readonly min: number; readonly max: number | undefined }
/** limits in pages of 64 KiB; `is64`: its addresses are i64 */
export interface MemoryType { readonly limits: LimitsType; readonly shared: boolean; readonly is64?: boolean }
/** `is64`: its indices are i64 */
export interface TableType { readonly elem: RefType; readonly limits: LimitsType; readonly is64?: boolean }
export interface GlobalType { readonly type: ValType; readonly mutable: boolean }

/** `type` may be I8 or I16 too. */
export interface FieldType { readonly type: ValType; readonly mutable: boolean }
/** One entry of the type index space as the type section has it: its composite type, its super type, its recursion group. */
export interface TypeDef {
  readonly form: 'func' | 'struct' | 'array';
  /** empty for other forms than `func` */
  readonly func: FuncType;
  /** of a struct, or the one of an array; none for `func` */
  readonly fields: readonly FieldType[];
  readonly final: boolean;
  readonly supers: readonly number[];
  /** first index of its recursion group, and how many types the group has */
  readonly group: number;
  readonly groupSize: number;
}

/** The reference type that points to type `index` of the module. */
export function refTo(index: number, nullable: boolean): RefType {
  return index * INDEX_UNIT + CONCRETE + (nullable ? 0 : NON_NULL);
}

/** The type index of a reference to a type of the module, else -1. */
export function typeIndexOf(type: ValType): number {
  return (type & 0xff) === CONCRETE ? Math.floor(type / INDEX_UNIT) : -1;
}

export function isNullable(type: RefType): boolean {
  return (type & NON_NULL) === 0;
}

/** The same reference without null, or with it. */
export function nonNull(type: RefType): RefType {
  return isNullable(type) ? type + NON_NULL : type;
}
export function nullable(type: RefType): RefType {
  return isNullable(type) ? type : type - NON_NULL;
}

/** Whether values of the type are references. */
export function isRef(type: ValType): boolean {
  const code = type & 0xff;
  return code >= 0x62 && code <= NULLEXNREF;
}

/** The type in the notation of the text format: `i32`, `funcref`, `(ref null 3)`. */
export function typeName(type: ValType): string {
  const index = typeIndexOf(type);
  const heap = index >= 0 ? String(index) : HEAP_NAMES.get(type & 0xff);
  if (heap === undefined) return NAMES.get(type) ?? `type 0x${type.toString(16)}`;
  if (!isNullable(type)) return `(ref ${heap})`;
  return NULLABLE_NAMES.get(type) ?? (index >= 0 ? `(ref null ${heap})` : `${heap}ref`);
}

const NAMES: ReadonlyMap<ValType, string> = new Map([[I32, 'i32'], [I64, 'i64'], [F32, 'f32'], [F64, 'f64'], [V128, 'v128'], [I8, 'i8'], [I16, 'i16']]);
const HEAP_NAMES: ReadonlyMap<number, string> = new Map([
  [FUNCREF, 'func'], [EXTERNREF, 'extern'], [ANYREF, 'any'], [EQREF, 'eq'], [I31REF, 'i31'], [STRUCTREF, 'struct'], [ARRAYREF, 'array'], [EXNREF, 'exn'],
  [NULLFUNCREF, 'nofunc'], [NULLEXTERNREF, 'noextern'], [NULLREF, 'none'], [NULLEXNREF, 'noexn'],
]);
const NULLABLE_NAMES: ReadonlyMap<RefType, string> = new Map([
  [NULLFUNCREF, 'nullfuncref'], [NULLEXTERNREF, 'nullexternref'], [NULLREF, 'nullref'], [NULLEXNREF, 'nullexnref'],
]);
