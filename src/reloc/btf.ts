/**
 * BTF: the type description that the kernel, its modules and BPF objects carry. Parses any valid BTF (all 19 kinds, split
 * BTF on a base), indexes names lazily, and never copies the string section. Little-endian only. Sizes and offsets of the
 * records are checked when a blob is parsed, what a type says (ids, names, sizes) when it is decoded or followed.
 * Reads without bytes.ts' Reader: a record's length is checked once, and a kernel has 130 000 of them.
 * Does not write BTF (btf-sanitize.ts) and does not print it (btf-c.ts). Format: Documentation/bpf/btf.rst, Linux 6.18.
 */
import { BtfError } from '../errors.js';
import { type BtfIndex, indexTypes, type Names, wordOf } from './btf-index.js';
import { BTF_KINDS, type BtfKind, EACH, readHeader } from './btf-layout.js';

export { BTF_KINDS, type BtfKind } from './btf-layout.js';

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
  /** what parsing found, for the next time */
  readonly index: BtfIndex;
  /** number of ids, id 0 (void) and the base's included: valid ids are 0 … length-1 */
  readonly length: number;
  /** @throws BtfError for an id outside */
  type(id: number): BtfType;
  /** kind without decoding the rest */
  kind(id: number): BtfKind;
  name(id: number): string;
  /** one member of a struct or union, without decoding the others; undefined where it has none at that index, or is neither */
  member(id: number, index: number): BtfMember | undefined;
  /** indices of the members with that name or with none, ascending; no name is decoded */
  membersNamed(id: number, name: string): readonly number[];
  /** every id with that exact name, in id order, base included; one scan of the names at the first call for each name */
  idsNamed(name: string): readonly number[];
  /** first id with that name and one of these kinds */
  find(name: string, ...kinds: BtfKind[]): number | undefined;
  /** ids of types, functions left out, whose essential name (without `___flavour`) is `name`: the CO-RE candidates */
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

/**
 * Parses a blob: one pass over the type section notes where each type begins.
 * @param bytes little-endian BTF; kept, not copied, and must not change afterwards
 * @param options.base what the ids and string offsets of a split BTF (a kernel module's) continue
 * @param options.index that of the very same blob, from an earlier time: then there is no pass
 * @throws BtfError for a header, a section or a record that does not fit
 */
export function parseBtf(bytes: Uint8Array, options: { source: string; base?: Btf; index?: BtfIndex }): Btf {
  return new ParsedBtf(bytes, options.source, options.base, options.index);
}

/** The name without its flavour: `task_struct___old` is a `task_struct`; as bpf_core_essential_name_len of libbpf. */
export function essentialName(name: string): string {
  for (let at = name.lastIndexOf('___'); at > 0; at = name.lastIndexOf('___', at - 1)) {
    if (name[at - 1] !== '_' && at + 3 < name.length && name[at + 3] !== '_') return name.slice(0, at);
  }
  return name;
}

/** Decoded types kept: relocations come back to the same few structs, while a walk over all types must not keep them all. */
const CACHED_TYPES = 4096;
/** Longest name, in bytes: keeps hostile blobs, whose names all lie in one long string, from costing more than linear time. */
const MAX_NAME = 4096;
/** Longest chain of typedefs and modifiers; the kernel itself stops at 32 (MAX_RESOLVE_DEPTH). */
const MAX_CHAIN = 256;
/** Array dimensions and modifiers that libbpf follows to a size (MAX_RESOLVE_DEPTH). */
const MAX_RESOLVE = 32;
/** Structs within structs that alignOf follows; C code stays far below. */
const MAX_NESTING = 256;

const LONG_NAMES = new Set([
  'long', 'long int', 'int long', 'unsigned long', 'long unsigned', 'unsigned long int', 'unsigned int long',
  'long unsigned int', 'long int unsigned', 'int unsigned long', 'int long unsigned',
]);

class ParsedBtf implements Btf {
  readonly length: number;
  readonly #view: DataView;
  /** the same bytes: searching and decoding text is native there */
  readonly #text: Buffer;
  readonly index: BtfIndex;
  /** where each own type begins in `bytes` */
  readonly #offsets: Uint32Array;
  /** first own id */
  readonly #startId: number;
  /** string section in `bytes`, and the offset that its first byte has */
  readonly #strings: number;
  readonly #stringsLength: number;
  readonly #startString: number;
  readonly #base: ParsedBtf | undefined;
  readonly #cache = new Map<number, BtfType>();
  #aligns: Map<number, number> | undefined;
  readonly #found = new Map<string, readonly number[]>();
  readonly #foundFuncs = new Map<string, readonly number[]>();
  #pointer: number | undefined;

  constructor(readonly bytes: Uint8Array, readonly source: string, base: Btf | undefined, index: BtfIndex | undefined) {
    if (base !== undefined && !(base instanceof ParsedBtf)) throw new Error('bug: the base of a split BTF is none that parseBtf made');
    this.#base = base;
    this.#startId = base?.length ?? 1;
    this.#startString = base === undefined ? 0 : base.#startString + base.#stringsLength;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const layout = readHeader(bytes, base !== undefined, (reason, offset) => this.#fault(reason, { offset }));
    this.#strings = layout.strings;
    this.#stringsLength = layout.stringsLength;
    this.index = index ?? indexTypes(bytes, layout, {
      startId: this.#startId, startString: this.#startString, key: (offset) => this.#key(offset), fault: (reason, where) => this.#fault(reason, where),
    });
    this.#offsets = this.index.offsets;
    this.length = this.#startId + this.#offsets.length;
  }

  get base(): Btf | undefined {
    return this.#base;
  }

  // ---- parsing --------------------------------------------------------------------------------------------------

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  #fault(reason: string, where: { typeId?: number; offset?: number }): BtfError {
    return new BtfError(reason, { source: this.source, ...where });
  }

  /** Byte offset of an own type. */
  #at(id: number): number {
    return this.#offsets[id - this.#startId];
  }

  #check(id: number): void {
    if (!(Number.isInteger(id) && id >= 0 && id < this.length)) throw this.#fault(`no such type id, the last one is ${this.length - 1}`, { typeId: id });
  }

  /** The blob that holds the type. */
  #owner(id: number): ParsedBtf {
    let owner: ParsedBtf = this;
    while (id < owner.#startId && owner.#base !== undefined) owner = owner.#base;
    return owner;
  }

  // ---- reading --------------------------------------------------------------------------------------------------

  type(id: number): BtfType {
    this.#check(id);
    if (id === 0) return VOID;
    const owner = this.#owner(id);
    let type = owner.#cache.get(id);
    if (type === undefined) {
      type = owner.#decode(id);
      if (owner.#cache.size >= CACHED_TYPES) owner.#cache.clear();
      owner.#cache.set(id, type);
    }
    return type;
  }

  kind(id: number): BtfKind {
    this.#check(id);
    return id === 0 ? 'unkn' : BTF_KINDS[this.#owner(id).#kindNumber(id)];
  }

  name(id: number): string {
    this.#check(id);
    if (id === 0) return '';
    const owner = this.#owner(id);
    return owner.#nameAt(id, owner.#u32(owner.#at(id)));
  }

  string(offset: number): string {
    const text = this.#string(offset);
    if (text === undefined) {
      throw this.#fault(`string offset ${offset} is outside of ${this.#startString + this.#stringsLength} bytes of strings`, {});
    }
    return text;
  }

  member(id: number, index: number): BtfMember | undefined {
    if (!this.#isComposite(id)) return undefined;
    const owner = this.#owner(id);
    const at = owner.#at(id);
    const info = owner.#u32(at + 4);
    return index < (info & 0xffff) ? owner.#member(id, at + 12 + index * 12, info >>> 31 !== 0) : undefined;
  }

  membersNamed(id: number, name: string): readonly number[] {
    const found: number[] = [];
    if (!this.#isComposite(id)) return found;
    const owner = this.#owner(id);
    const at = owner.#at(id);
    const count = owner.#u32(at + 4) & 0xffff;
    const wanted = utf8.encode(`${name}\0`);
    const view = owner.#view;
    const text = owner.#strings - owner.#startString;
    for (let index = 0, m = at + 12; index < count; index++, m += 12) {
      const offset = view.getUint32(m, true);
      // a byte tells most of them apart, without a call
      const first = offset < owner.#startString ? undefined : owner.bytes[text + offset];
      if (first !== wanted[0] && first !== 0 && first !== undefined) continue;
      if (offset === 0 || owner.#begins(id, offset, wanted)) found.push(index);
    }
    return found;
  }

  idsNamed(name: string): readonly number[] {
    const types = this.#typesNamed(name);
    const funcs = this.#funcsNamed(name);
    return funcs.length === 0 ? types : [...types, ...funcs].sort((a, b) => a - b);
  }

  idsWithEssentialName(name: string): readonly number[] {
    let ids = this.#found.get(name);
    if (ids === undefined) {
      ids = this.#search(this.index.named, name, (candidate) => essentialName(candidate) === name);
      if (this.#base !== undefined) ids = [...this.#base.idsWithEssentialName(name), ...ids];
      this.#found.set(name, ids);
    }
    return ids;
  }

  find(name: string, ...kinds: BtfKind[]): number | undefined {
    const ids = kinds.length === 0 || kinds.includes('func') ? this.idsNamed(name) : this.#typesNamed(name);
    return ids.find((id) => kinds.length === 0 || kinds.includes(this.kind(id)));
  }

  skipModifiers(id: number): number {
    let at = id;
    for (let steps = 0; steps < MAX_CHAIN; steps++) {
      switch (this.kind(at)) {
        case 'typedef': case 'const': case 'volatile': case 'restrict': case 'type_tag': case 'var': {
          const owner = this.#owner(at);
          at = owner.#u32(owner.#at(at) + 8);
          break;
        }
        default:
          return at;
      }
    }
    throw this.#fault(`more than ${MAX_CHAIN} modifiers in a row: they form a cycle`, { typeId: id });
  }

  sizeOf(id: number): number {
    let elements = 1;
    let at = id;
    for (let steps = 0; steps < MAX_RESOLVE; steps++) {
      if (this.#isComposite(at)) {
        const owner = this.#owner(at);
        return this.#product(id, elements, owner.#u32(owner.#at(at) + 8));
      }
      const type = this.type(at);
      switch (type.kind) {
        case 'int': case 'enum': case 'enum64': case 'datasec': case 'float':
          return this.#product(id, elements, type.size);
        case 'ptr':
          return this.#product(id, elements, this.#pointerSize());
        case 'typedef': case 'volatile': case 'const': case 'restrict': case 'var': case 'decl_tag': case 'type_tag':
          at = type.type;
          break;
        case 'array':
          elements = this.#product(id, elements, type.nelems);
          at = type.type;
          break;
        default:
          throw this.#fault(`${type.kind === 'unkn' ? 'void' : type.kind} has no size`, { typeId: at });
      }
    }
    throw this.#fault(`no size after ${MAX_RESOLVE} arrays and modifiers in a row: they form a cycle`, { typeId: id });
  }

  alignOf(id: number): number {
    return this.#align(id, 0);
  }

  // ---- behind them ----------------------------------------------------------------------------------------------

  #kindNumber(id: number): number {
    return (this.#u32(this.#at(id) + 4) >>> 24) & 0x1f;
  }

  #nameAt(id: number, offset: number): string {
    const text = this.#string(offset, MAX_NAME);
    if (text === undefined) {
      throw this.#fault(`name at string offset ${offset} is outside of ${this.#startString + this.#stringsLength} bytes of strings`, { typeId: id, offset: this.#at(id) });
    }
    if (text.length > MAX_NAME) throw this.#fault(`name at string offset ${offset} is longer than ${MAX_NAME} bytes`, { typeId: id, offset: this.#at(id) });
    return text;
  }

  /** @param limit where to stop reading, in bytes: a string beyond it comes back longer than that, though not whole */
  #string(offset: number, limit = Infinity): string | undefined {
    if (offset < this.#startString) return this.#base!.#string(offset, limit);
    const at = offset - this.#startString;
    if (!(at < this.#stringsLength)) return undefined;
    const from = this.#strings + at;
    const end = limit === Infinity ? this.bytes.indexOf(0, from) : endOf(this.bytes, from, from + limit);
    return this.#text.toString('utf8', from, end);
  }

  #decode(id: number): BtfType {
    const at = this.#at(id);
    const info = this.#u32(at + 4);
    const size = this.#u32(at + 8);
    const vlen = info & 0xffff;
    const flag = info >>> 31 !== 0;
    const kind = BTF_KINDS[(info >>> 24) & 0x1f];
    const head = { id, name: this.#nameAt(id, this.#u32(at)) };
    const rest = at + 12;
    if (vlen !== 0 && EACH[(info >>> 24) & 0x1f] === 0 && kind !== 'func') {
      throw this.#fault(`${kind} has a vlen of ${vlen}, not 0`, { typeId: id, offset: at + 4 });
    }
    switch (kind) {
      case 'int': {
        const data = this.#u32(rest);
        const encoding = (data >>> 24) & 0xf;
        const bitOffset = (data >>> 16) & 0xff;
        const bits = data & 0xff;
        if (![1, 2, 4, 8, 16].includes(size)) throw this.#fault(`int has a size of ${size} bytes`, { typeId: id, offset: at + 8 });
        if (bits === 0 || bits + bitOffset > size * 8) {
          throw this.#fault(`int of ${size} bytes has ${bits} bits from bit ${bitOffset}`, { typeId: id, offset: rest });
        }
        return { ...head, kind, size, signed: (encoding & 1) !== 0, char: (encoding & 2) !== 0, bool: (encoding & 4) !== 0, bitOffset, bits };
      }
      case 'ptr': case 'typedef': case 'volatile': case 'const': case 'restrict': case 'type_tag':
        return { ...head, kind, type: size };
      case 'array':
        return { ...head, kind, type: this.#u32(rest), indexType: this.#u32(rest + 4), nelems: this.#u32(rest + 8) };
      case 'struct': case 'union': {
        const members: BtfMember[] = new Array(vlen);
        for (let i = 0, m = rest; i < vlen; i++, m += 12) members[i] = this.#member(id, m, flag);
        return { ...head, kind, size, members };
      }
      case 'enum': case 'enum64': {
        if (![1, 2, 4, 8].includes(size)) throw this.#fault(`${kind} has a size of ${size} bytes`, { typeId: id, offset: at + 8 });
        const values: BtfEnumerator[] = new Array(vlen);
        for (let i = 0, v = rest; i < vlen; i++, v += kind === 'enum' ? 8 : 12) {
          const low = this.#u32(v + 4);
          const value = kind === 'enum'
            ? BigInt(flag ? low | 0 : low)
            : BigInt.asUintN(64, (BigInt(this.#u32(v + 8)) << 32n) | BigInt(low));
          values[i] = { name: this.#nameAt(id, this.#u32(v)), value: kind === 'enum64' && flag ? BigInt.asIntN(64, value) : value };
        }
        return { ...head, kind, size, signed: flag, values };
      }
      case 'fwd':
        return { ...head, kind, union: flag };
      case 'func':
        return { ...head, kind, type: size, linkage: vlen };
      case 'func_proto': {
        const params: { name: string; type: number }[] = new Array(vlen);
        for (let i = 0, p = rest; i < vlen; i++, p += 8) params[i] = { name: this.#nameAt(id, this.#u32(p)), type: this.#u32(p + 4) };
        return { ...head, kind, type: size, params };
      }
      case 'var':
        return { ...head, kind, type: size, linkage: this.#u32(rest) };
      case 'datasec': {
        const vars: { type: number; offset: number; size: number }[] = new Array(vlen);
        for (let i = 0, v = rest; i < vlen; i++, v += 12) vars[i] = { type: this.#u32(v), offset: this.#u32(v + 4), size: this.#u32(v + 8) };
        return { ...head, kind, size, vars };
      }
      case 'float':
        if (![2, 4, 8, 12, 16].includes(size)) throw this.#fault(`float has a size of ${size} bytes`, { typeId: id, offset: at + 8 });
        return { ...head, kind, size };
      case 'decl_tag':
        return { ...head, kind, type: size, componentIdx: this.#view.getInt32(rest, true) };
      case 'unkn':
        throw new Error('bug: a type of kind 0 was indexed');
    }
  }

  /** @param flag the struct's kind flag: then the top byte of a member's offset is its bit size */
  #member(id: number, at: number, flag: boolean): BtfMember {
    const offset = this.#u32(at + 8);
    return {
      name: this.#nameAt(id, this.#u32(at)), type: this.#u32(at + 4),
      bitOffset: flag ? offset & 0xffffff : offset, bitSize: flag ? offset >>> 24 : 0,
    };
  }

  #isComposite(id: number): boolean {
    const kind = this.kind(id);
    return kind === 'struct' || kind === 'union';
  }

  /** Whether the string is empty, or begins with these bytes. */
  #begins(id: number, offset: number, wanted: Uint8Array): boolean {
    if (offset < this.#startString) return this.#base!.#begins(id, offset, wanted);
    const at = offset - this.#startString;
    // outside: let the name be read, which tells
    if (at >= this.#stringsLength) this.#nameAt(id, offset);
    const { bytes } = this;
    const from = this.#strings + at;
    if (bytes[from] === 0) return true;
    let i = 0;
    while (i < wanted.length && bytes[from + i] === wanted[i]) i++;
    return i === wanted.length;
  }

  #product(id: number, a: number, b: number): number {
    const product = a * b;
    if (product > 0xffff_ffff) throw this.#fault(`size ${a} * ${b} is beyond 2^32 bytes`, { typeId: id });
    return product;
  }

  /** 4 on kernels of 32 bits: the size of `long` tells. */
  #pointerSize(): number {
    if (this.#pointer === undefined) {
      this.#pointer = this.#base === undefined ? 8 : this.#base.#pointerSize();
      for (let id = this.#startId; id < this.length && this.#base === undefined; id++) {
        if (this.#kindNumber(id) !== 1) continue;
        const size = this.#u32(this.#at(id) + 8);
        if ((size === 4 || size === 8) && LONG_NAMES.has(this.name(id))) {
          this.#pointer = size;
          break;
        }
      }
    }
    return this.#pointer;
  }

  #align(id: number, depth: number): number {
    if (depth > MAX_NESTING) throw this.#fault(`no alignment after ${MAX_NESTING} types within each other: they form a cycle`, { typeId: id });
    const type = this.type(id);
    switch (type.kind) {
      case 'int': case 'enum': case 'enum64': case 'float':
        return Math.min(this.#pointerSize(), type.size);
      case 'ptr':
        return this.#pointerSize();
      case 'typedef': case 'volatile': case 'const': case 'restrict': case 'type_tag': case 'array': case 'var':
        return this.#align(type.type, depth + 1);
      case 'struct': case 'union': {
        this.#aligns ??= new Map();
        let align = this.#aligns.get(id);
        if (align === undefined) {
          align = this.#structAlign(type, depth);
          this.#aligns.set(id, align);
        }
        return align;
      }
      default:
        throw this.#fault(`${type.kind === 'unkn' ? 'void' : type.kind} has no alignment`, { typeId: id });
    }
  }

  /** 1 for a packed struct: one with a member, or an end, where its alignment would not put it. */
  #structAlign(type: BtfType & { readonly kind: 'struct' | 'union' }, depth: number): number {
    let largest = 1;
    let packed = false;
    for (const member of type.members) {
      const align = this.#align(member.type, depth + 1);
      largest = Math.max(largest, align);
      if (member.bitSize === 0 && member.bitOffset % (8 * align) !== 0) packed = true;
    }
    return packed || type.size % largest !== 0 ? 1 : largest;
  }

  // ---- names ----------------------------------------------------------------------------------------------------

  #typesNamed(name: string): readonly number[] {
    return this.idsWithEssentialName(essentialName(name)).filter((id) => this.name(id) === name);
  }

  #funcsNamed(name: string): readonly number[] {
    let ids = this.#foundFuncs.get(name);
    if (ids === undefined) {
      ids = this.#search(this.index.funcs, name, (candidate) => candidate === name);
      if (this.#base !== undefined) ids = [...this.#base.#funcsNamed(name), ...ids];
      this.#foundFuncs.set(name, ids);
    }
    return ids;
  }

  /** Ids whose names begin with `name` and please. */
  #search(names: Names, name: string, accept: (name: string) => boolean): number[] {
    const found: number[] = [];
    const bytes = utf8.encode(name);
    const { ids } = names;
    const keys = names.keys();
    const wanted = wordOf(bytes, 0);
    if (bytes.length >= 4) {
      for (let i = keys.indexOf(wanted); i >= 0; i = keys.indexOf(wanted, i + 1)) {
        if (this.#mayBe(ids[i], bytes) && accept(this.name(ids[i]))) found.push(ids[i]);
      }
    } else if (bytes.length > 0) {
      const mask = (1 << (8 * bytes.length)) - 1;
      for (let i = 0; i < keys.length; i++) {
        if ((keys[i] & mask) === wanted && accept(this.name(ids[i]))) found.push(ids[i]);
      }
    }
    return found;
  }

  /** First four bytes of a name that lies in the base, or at the very end; 0 where it lies nowhere. */
  #key(offset: number): number {
    if (offset < this.#startString) return this.#base!.#key(offset);
    const at = offset - this.#startString;
    return at >= this.#stringsLength ? 0 : wordOf(this.bytes, this.#strings + at);
  }

  /** False for most of those whose names go on after `name`, and are thus worth no decoding. */
  #mayBe(id: number, name: Uint8Array): boolean {
    const offset = this.#u32(this.#at(id));
    if (offset < this.#startString) return true;
    const next = this.bytes[this.#strings + offset - this.#startString + name.length];
    return next === 0 || next === UNDERSCORE;
  }
}

const VOID: BtfType = { id: 0, name: '', kind: 'unkn' };
const utf8 = new TextEncoder();
const UNDERSCORE = 0x5f;

/** Where the string that starts at `from` ends, or one byte beyond `last`. */
function endOf(bytes: Uint8Array, from: number, last: number): number {
  let at = from;
  while (bytes[at] !== 0 && at <= last) at++;
  return at;
}
