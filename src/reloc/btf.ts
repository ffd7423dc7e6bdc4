/**
 * BTF: the type description that the kernel, its modules and BPF objects carry. Parses any valid BTF (all 19 kinds, split
 * BTF on a base), indexes names lazily, and never copies the string section. Format: Documentation/bpf/btf.rst, Linux 6.18.
 */

export const BTF_KINDS = [
  'unkn', 'int', 'ptr', 'array', 'struct', 'union', 'enum', 'fwd', 'typedef', 'volatile', 'const', 'restrict', 'func',
  'func_proto', 'var', 'datasec', 'float', 'decl_tag', 'type_tag', 'enum64',
] as const;
export type BtfKind = (typeof BTF_KINDS)[number];

/** One decoded type. `type` is a type id; sizes in bytes, `bitOffset` and `bitSize` in bits. */
export type BtfType = { readonly id: number; readonly name: string } & (
  | { readonly kind: 'unkn' }
  | { readonly kind: 'int'; readonly size: number; readonly signed: boolean; readonly char: boolean; readonly bool: boolean; readonly bitOffset: number; readonly bits: number }
  | { readonly kind: 'ptr' | 'typedef' | 'volatile' | 'const' | 'restrict' | 'type_tag'; readonly type: number }
  | { readonly kind: 'array'; readonly type: number; readonly indexType: number; readonly nelems: number }
  | { readonly kind: 'struct' | 'union'; readonly size: number; readonly members: readonly BtfMember[] }
  | { readonly kind: 'enum' | 'enum64'; readonly size: number; readonly signed: boolean; readonly values: readonly BtfEnumerator[] }
  | { readonly kind: 'fwd'; readonly union: boolean }
  | { readonly kind: 'func'; readonly type: number; readonly linkage: number }
  | { readonly kind: 'func_proto'; readonly type: number; readonly params: readonly { readonly name: string; readonly type: number }[] }
  | { readonly kind: 'var'; readonly type: number; readonly linkage: number }
  | { readonly kind: 'datasec'; readonly size: number; readonly vars: readonly { readonly type: number; readonly offset: number; readonly size: number }[] }
  | { readonly kind: 'float'; readonly size: number }
  | { readonly kind: 'decl_tag'; readonly type: number; readonly componentIdx: number }
);
export interface BtfMember { readonly name: string; readonly type: number; /** from the struct's start, in bits */ readonly bitOffset: number; /** 0 for a plain member */ readonly bitSize: number }
export interface BtfEnumerator { readonly name: string; /** as the C compiler sees it: signed or unsigned by the enum */ readonly value: bigint }

/** A parsed BTF blob. Immutable. */
export interface Btf {
  /** what messages call it: `vmlinux`, the module's or the file's name */
  readonly source: string;
  /** the raw blob as given (for BPF_BTF_LOAD) */
  readonly bytes: Uint8Array;
  readonly base: Btf | undefined;
  /** number of ids, id 0 (void) and the base's included: valid ids are 0 … length-1 */
  readonly length: number;
  /** @throws BtfError for an id outside */
  type(id: number): BtfType;
  /** kind without decoding the rest */
  kind(id: number): BtfKind;
  name(id: number): string;
  /** every id with that exact name, in id order, base included; one pass builds the index on first use */
  idsNamed(name: string): readonly number[];
  /** first id with that name and one of these kinds */
  find(name: string, ...kinds: BtfKind[]): number | undefined;
  /** ids whose essential name (without `___flavour`) is `name`: the CO-RE candidates' index */
  idsWithEssentialName(name: string): readonly number[];
  /** follows typedef, const, volatile, restrict, type_tag (and, at a VAR, its type) */
  skipModifiers(id: number): number;
  /** size in bytes of a value of the type. @throws BtfError where it has none */
  sizeOf(id: number): number;
  /** alignment in bytes */
  alignOf(id: number): number;
  /** the string at an offset of the string section (base included) */
  string(offset: number): string;
}
