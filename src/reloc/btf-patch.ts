/**
 * Changes single fields of a BTF blob, and appends variables: what a loader has to put right in the BTF of an object file
 * before the kernel takes it. Works on a copy; the outcome is parsed again. Knows field positions, not why they change
 * (globals.ts, externs.ts). Layout: include/uapi/linux/btf.h, Linux 6.18.
 */
import { EACH, FIXED } from './btf-layout.js';
import { BTF_KINDS, parseBtf, type Btf } from './btf.js';

/** Bytes of `struct btf_type`, of `struct btf_param`, of `struct btf_var_secinfo`. */
const TYPE = 12;
const PARAM = 8;
const SECINFO = 12;
const KIND_INT = BTF_KINDS.indexOf('int');
const KIND_VAR = BTF_KINDS.indexOf('var');
const INT_SIGNED = 1;

export interface SecInfo { type: number; offset: number; size: number }

export class BtfPatch {
  readonly #source: string;
  readonly #head: Uint8Array;
  readonly #types: Uint8Array;
  readonly #strings: Uint8Array;
  readonly #view: DataView;
  /** byte offset of each type in #types, by id */
  readonly #offsets: number[] = [0];
  readonly #newTypes: Uint8Array[] = [];
  readonly #newStrings: Uint8Array[] = [];
  #newStringsLength = 0;
  #nextId: number;
  #changed = false;

  /** @param btf a whole BTF, not a split one; not changed */
  constructor(readonly btf: Btf) {
    if (btf.base) throw new Error('bug: a split BTF cannot be patched');
    // a Buffer's slice() would not copy
    const bytes = new Uint8Array(btf.bytes.buffer, btf.bytes.byteOffset, btf.bytes.byteLength);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const [headerLength, typeOff, typeLen, strOff, strLen] = [4, 8, 12, 16, 20].map((at) => view.getUint32(at, true));
    this.#source = btf.source;
    this.#head = bytes.slice(0, headerLength);
    this.#types = bytes.slice(headerLength + typeOff, headerLength + typeOff + typeLen);
    this.#strings = bytes.subarray(headerLength + strOff, headerLength + strOff + strLen);
    this.#view = new DataView(this.#types.buffer);
    for (let at = 0; at < typeLen;) {
      this.#offsets.push(at);
      const info = this.#view.getUint32(at + 4, true);
      const kind = info >>> 24 & 0x1f;
      at += TYPE + FIXED[kind] + EACH[kind] * (info & 0xffff);
    }
    this.#nextId = btf.length;
  }

  setDatasecSize(id: number, bytes: number): void { this.#set(this.#offsets[id] + 8, bytes); }
  setVarType(id: number, type: number): void { this.#set(this.#offsets[id] + 8, type); }
  setVarLinkage(id: number, linkage: number): void { this.#set(this.#offsets[id] + TYPE, linkage); }
  /** A FUNC keeps its linkage where other kinds keep the number of their elements. */
  setFuncLinkage(id: number, linkage: number): void {
    const at = this.#offsets[id] + 4;
    this.#set(at, (this.#view.getUint32(at, true) & 0xffff0000 | linkage) >>> 0);
  }
  /** Names those parameters that have a type and no name. @param nameOffset of the string section, as `addString` gives it */
  nameParams(protoId: number, nameOffset: number): void {
    const at = this.#offsets[protoId];
    const count = this.#view.getUint32(at + 4, true) & 0xffff;
    for (let i = 0, p = at + TYPE; i < count; i++, p += PARAM) {
      if (this.#view.getUint32(p, true) === 0 && this.#view.getUint32(p + 4, true) !== 0) this.#set(p, nameOffset);
    }
  }
  /** Replaces the variables of a DATASEC by as many others. */
  setVars(id: number, vars: readonly SecInfo[]): void {
    let at = this.#offsets[id] + TYPE;
    for (const { type, offset, size } of vars) {
      this.#set(at, type);
      this.#set(at + 4, offset);
      this.#set(at + 8, size);
      at += SECINFO;
    }
  }

  /** @returns the offset of the new string in the string section */
  addString(text: string): number {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const offset = this.#strings.length + this.#newStringsLength;
    this.#newStrings.push(bytes);
    this.#newStringsLength += bytes.length;
    this.#changed = true;
    return offset;
  }

  /** Appends a VAR. @returns its id */
  addVar(nameOffset: number, type: number, linkage: number): number {
    return this.#add(nameOffset, KIND_VAR, type, linkage);
  }

  /** Appends a signed INT of 4 bytes. @returns its id */
  addInt(nameOffset: number): number {
    return this.#add(nameOffset, KIND_INT, 4, INT_SIGNED << 24 | 32);
  }

  /** @returns the BTF with every change, or the very one it began with where there was none. @throws BtfError */
  apply(): Btf {
    if (!this.#changed) return this.btf;
    const sum = (parts: readonly Uint8Array[]) => parts.reduce((n, part) => n + part.length, 0);
    const types = [this.#types, ...this.#newTypes];
    const strings = [this.#strings, ...this.#newStrings];
    const bytes = new Uint8Array(sum([this.#head, ...types, ...strings]));
    let at = 0;
    for (const part of [this.#head, ...types, ...strings]) {
      bytes.set(part, at);
      at += part.length;
    }
    // the layout section, if there was one, is left out: its words in the header become zero
    bytes.fill(0, 24, this.#head.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(8, 0, true);
    view.setUint32(12, sum(types), true);
    view.setUint32(16, sum(types), true);
    view.setUint32(20, sum(strings), true);
    return parseBtf(bytes, { source: this.#source });
  }

  /** A type of 16 bytes. */
  #add(...[name, kind, sizeOrType, extra]: [name: number, kind: number, sizeOrType: number, extra: number]): number {
    const record = new Uint8Array(TYPE + 4);
    const view = new DataView(record.buffer);
    [name, kind << 24, sizeOrType, extra].forEach((word, i) => view.setUint32(i * 4, word, true));
    this.#newTypes.push(record);
    this.#changed = true;
    return this.#nextId++;
  }

  #set(at: number, value: number): void {
    if (this.#view.getUint32(at, true) === value >>> 0) return;
    this.#view.setUint32(at, value, true);
    this.#changed = true;
  }
}
