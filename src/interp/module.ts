/**
 * A decoded module as plain data, in the terms of the specification's chapter 2 (Structure). decode.ts makes it,
 * validate.ts judges it, the tiers run it. Function bodies stay byte ranges until a tier wants them. Only types here.
 */
import type { FuncType, GlobalType, MemoryType, RefType, TableType, TypeDef, ValType } from './types.js';
export type { FieldType, FuncType, GlobalType, LimitsType, MemoryType, RefType, TableType, TypeDef, ValType } from './types.js';

export interface Module {
  /** the whole module; not copied */
  readonly bytes: Uint8Array;
  /** the function type of each type; an empty one where `defs` says it is a struct or an array */
  readonly types: readonly FuncType[];
  /** the whole of each type */
  readonly defs: readonly TypeDef[];
  readonly imports: readonly Import[];
  /** type index of every function, imports first */
  readonly funcs: readonly number[];
  /** imports first in each index space */
  readonly tables: readonly TableDef[];
  readonly memories: readonly MemoryType[];
  readonly globals: readonly GlobalDef[];
  /** type index of every tag, imports first */
  readonly tags: readonly number[];
  readonly exports: readonly Export[];
  readonly start: number | undefined;
  readonly elems: readonly Elem[];
  readonly datas: readonly Data[];
  readonly dataCount: number | undefined;
  /** body of function `importedFuncs + i` */
  readonly codes: readonly Code[];
  /** how many of each index space are imports */
  readonly imported: { readonly func: number; readonly table: number; readonly memory: number; readonly global: number; readonly tag: number };
  readonly customs: readonly { readonly name: string; readonly start: number; readonly end: number }[];
  /** from the name section, read when first asked for; broken name sections give no names, never an error */
  readonly names: Names;
}

export interface Names { readonly module: string | undefined; func(index: number): string | undefined; local(func: number, index: number): string | undefined }

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly desc: { readonly kind: 'func'; readonly type: number } | { readonly kind: 'table'; readonly type: TableType } | { readonly kind: 'memory'; readonly type: MemoryType } | { readonly kind: 'global'; readonly type: GlobalType } | { readonly kind: 'tag'; readonly type: number };
}
export interface Export { readonly name: string; readonly kind: 'func' | 'table' | 'memory' | 'global' | 'tag'; readonly index: number }

/** A constant expression: a byte range of the module, `end` after its 0x0b. */
export interface Expr { readonly start: number; readonly end: number }
export interface TableDef { readonly type: TableType; readonly init: Expr | undefined }
/** `init` is undefined for imports only. */
export interface GlobalDef { readonly type: GlobalType; readonly init: Expr | undefined }
export interface Elem {
  readonly mode: { readonly kind: 'active'; readonly table: number; readonly offset: Expr } | { readonly kind: 'passive' } | { readonly kind: 'declarative' };
  /** of its elements; where they are function indices and the features have typed references, never null */
  readonly type: RefType;
  /** function indices, or expressions */
  readonly init: readonly (number | Expr)[];
}
export interface Data {
  readonly mode: { readonly kind: 'active'; readonly memory: number; readonly offset: Expr } | { readonly kind: 'passive' };
  readonly start: number;
  readonly end: number;
}
export interface Code {
  /** run-length encoded, without the parameters */
  readonly locals: readonly { readonly count: number; readonly type: ValType }[];
  /** bytes of the expression, `end` after its 0x0b; offsets from the module's start */
  readonly start: number;
  readonly end: number;
}
