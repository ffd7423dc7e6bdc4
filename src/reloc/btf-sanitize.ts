/**
 * Rewrites a program's BTF for kernels that lack some of its kinds: each such type becomes another of the same length, so
 * that ids and string offsets stay, and the kernel still takes func_info, line_info and the maps' types. Does not find out
 * what a kernel supports (kernel/features.ts). The replacements are those of bpf_object__sanitize_btf, libbpf 1.8.
 */
import { EACH, FIXED, infoOf } from './btf-layout.js';
import { BTF_KINDS, type Btf, type BtfKind } from './btf.js';

/** What kernels came to know one after the other, by the names of kernel/features.ts. */
export const BTF_FEATURES = [
  'btfFunc', 'btfFuncGlobal', 'btfDatasec', 'btfQmarkDatasec', 'btfFloat', 'btfDeclTag', 'btfTypeTag', 'btfEnum64',
] as const;
export type BtfFeature = (typeof BTF_FEATURES)[number];

const TYPE_SIZE = 12;
const MEMBER_SIZE = 12;
const ENUM64_SIZE = 12;
const PLACEHOLDER = 'enum64_placeholder';

/**
 * @param btf a whole BTF, not a split one; not changed
 * @param supports asked only about features that the BTF uses
 * @returns the blob to load: `btf.bytes` itself where nothing had to change. A layout section is always left out
 */
export function sanitizeBtf(btf: Btf, supports: (feature: BtfFeature) => boolean): Uint8Array {
  if (btf.base !== undefined) throw new Error('bug: a split BTF is no program\'s');
  return new Sanitizer(btf.bytes, supports).run();
}

class Sanitizer {
  readonly #original: Uint8Array;
  readonly #supports: (feature: BtfFeature) => boolean;
  readonly #answers = new Map<BtfFeature, boolean>();
  readonly #head: Uint8Array;
  readonly #types: Uint8Array;
  readonly #strings: Uint8Array;
  readonly #view: DataView;
  /** by id */
  readonly #offsets: number[] = [0];
  #placeholder = 0;
  #changed: boolean;

  constructor(blob: Uint8Array, supports: (feature: BtfFeature) => boolean) {
    this.#original = blob;
    this.#supports = supports;
    // a Buffer's slice() would share
    const bytes = new Uint8Array(blob.buffer, blob.byteOffset, blob.byteLength);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [headerLength, typeOff, typeLen, strOff, strLen] = [4, 8, 12, 16, 20].map((at) => view.getUint32(at, true));
    this.#head = bytes.slice(0, headerLength);
    this.#types = bytes.slice(headerLength + typeOff, headerLength + typeOff + typeLen);
    this.#strings = bytes.slice(headerLength + strOff, headerLength + strOff + strLen);
    this.#view = new DataView(this.#types.buffer);
    this.#changed = this.#head.subarray(24).some((byte) => byte !== 0);
    for (let at = 0; at < typeLen;) {
      this.#offsets.push(at);
      const info = this.#view.getUint32(at + 4, true);
      at += TYPE_SIZE + FIXED[info >>> 24 & 0x1f] + EACH[info >>> 24 & 0x1f] * (info & 0xffff);
    }
  }

  run(): Uint8Array {
    for (let id = 1; id < this.#offsets.length; id++) this.#type(this.#offsets[id]);
    return this.#changed ? this.#assemble() : this.#original;
  }

  #type(at: number): void {
    const info = this.#u32(at + 4);
    const vlen = info & 0xffff;
    switch (BTF_KINDS[info >>> 24 & 0x1f]) {
      case 'var':
        if (this.#lacks('btfDatasec')) this.#toInt(at);
        break;
      case 'decl_tag':
        if (this.#lacks('btfDeclTag')) this.#toInt(at);
        break;
      case 'datasec':
        if (this.#lacks('btfDatasec')) this.#datasecToStruct(at, vlen);
        else if (this.#strings[this.#u32(at)] === QUESTION_MARK && this.#lacks('btfQmarkDatasec')) this.#rename(this.#u32(at), [QUESTION_MARK], 1);
        break;
      case 'func_proto':
        // the parameters' names and types become enumerators' names and values
        if (this.#lacks('btfFunc')) this.#become(at, 'enum', vlen, 4);
        break;
      case 'func':
        if (this.#lacks('btfFunc')) this.#become(at, 'typedef', 0);
        else if (vlen !== 0 && this.#lacks('btfFuncGlobal')) this.#become(at, 'func', 0);
        break;
      case 'float':
        // "float" is a name that no struct may have
        if (this.#lacks('btfFloat')) this.#become(this.#anonymous(at), 'struct', 0);
        break;
      case 'type_tag':
        if (this.#lacks('btfTypeTag')) this.#become(this.#anonymous(at), 'const', 0);
        break;
      case 'enum':
        // the flag for signed values came with the 64-bit enums
        if (info >>> 31 !== 0 && this.#lacks('btfEnum64')) this.#become(at, 'enum', vlen);
        break;
      case 'enum64':
        if (this.#lacks('btfEnum64')) this.#enum64ToUnion(at, vlen);
        break;
    }
  }

  /** An int of one byte: a variable's own size may be no less, and is not known here. */
  #toInt(at: number): void {
    this.#become(at, 'int', 0, 1);
    this.#set(at + TYPE_SIZE, 8);
  }

  /** Variables become members of the same names. */
  #datasecToStruct(at: number, vlen: number): void {
    this.#rename(this.#u32(at), [DOT, QUESTION_MARK], Infinity);
    this.#become(at, 'struct', vlen);
    for (let i = 0, m = at + TYPE_SIZE; i < vlen; i++, m += MEMBER_SIZE) {
      const type = this.#u32(m);
      const offset = this.#u32(m + 4);
      this.#set(m, type > 0 && type < this.#offsets.length ? this.#u32(this.#offsets[type]) : 0);
      this.#set(m + 4, type);
      this.#set(m + 8, offset * 8);
    }
  }

  #enum64ToUnion(at: number, vlen: number): void {
    this.#placeholder ||= this.#offsets.length;
    this.#become(at, 'union', vlen);
    for (let i = 0, m = at + TYPE_SIZE; i < vlen; i++, m += ENUM64_SIZE) {
      this.#set(m + 4, this.#placeholder);
      this.#set(m + 8, 0);
    }
  }

  #lacks(feature: BtfFeature): boolean {
    let answer = this.#answers.get(feature);
    if (answer === undefined) {
      answer = this.#supports(feature);
      this.#answers.set(feature, answer);
    }
    return !answer;
  }

  #become(at: number, kind: BtfKind, vlen: number, size?: number): void {
    this.#set(at + 4, infoOf(kind, vlen));
    if (size !== undefined) this.#set(at + 8, size);
  }

  #anonymous(at: number): number {
    this.#set(at, 0);
    return at;
  }

  /** Puts `_` for some characters that no C name has, at most `count` from the string's start. */
  #rename(offset: number, characters: readonly number[], count: number): void {
    for (let i = offset; this.#strings[i] !== 0 && i < offset + count && i < this.#strings.length; i++) {
      if (!characters.includes(this.#strings[i])) continue;
      this.#strings[i] = UNDERSCORE;
      this.#changed = true;
    }
  }

  #assemble(): Uint8Array {
    const text = this.#placeholder === 0 ? new Uint8Array(0) : new TextEncoder().encode(`${PLACEHOLDER}\0`);
    const added = this.#placeholder === 0 ? [] : [this.#strings.length, infoOf('int', 0), 1, 8];
    const typesLength = this.#types.length + added.length * 4;
    const start = this.#head.length;
    const bytes = new Uint8Array(start + typesLength + this.#strings.length + text.length);
    bytes.set(this.#head.subarray(0, 24));
    bytes.set(this.#types, start);
    bytes.set(this.#strings, start + typesLength);
    bytes.set(text, start + typesLength + this.#strings.length);
    const view = new DataView(bytes.buffer);
    added.forEach((word, i) => view.setUint32(start + this.#types.length + i * 4, word, true));
    [0, typesLength, typesLength, this.#strings.length + text.length].forEach((word, i) => view.setUint32(8 + i * 4, word, true));
    return bytes;
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  #set(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
    this.#changed = true;
  }
}

const DOT = 0x2e;
const QUESTION_MARK = 0x3f;
const UNDERSCORE = 0x5f;
