/**
 * How BTF lies in memory: the header's sections, checked, the kinds, and the length of each one's record. Knows no type (btf.ts).
 * Format: `struct btf_header` and `struct btf_type`, include/uapi/linux/btf.h, Linux 6.18, and the layout section of later ones.
 */
import type { Fail } from '../bytes.js';

export const BTF_KINDS = [
  'unkn', 'int', 'ptr', 'array', 'struct', 'union', 'enum', 'fwd', 'typedef', 'volatile', 'const', 'restrict', 'func',
  'func_proto', 'var', 'datasec', 'float', 'decl_tag', 'type_tag', 'enum64',
] as const;
export type BtfKind = (typeof BTF_KINDS)[number];

/** Bytes of `struct btf_header` that every version has, and those up to its newest known field (layout_len). */
export const HEADER = 24;
const KNOWN_HEADER = 32;
/** Of BTF, and of .BTF.ext. */
export const MAGIC = 0xeb9f, VERSION = 1;

/**
 * The `info` of a type:
 *
 *   31    30..29  28..24  23..16  15..0
 *   flag          kind            vlen
 */
export function infoOf(kind: BtfKind, vlen: number, flag = false): number {
  return (flag ? 0x8000_0000 : 0) | BTF_KINDS.indexOf(kind) << 24 | vlen;
}

/** Bytes after the 12 of `struct btf_type`: fixed, and for each of `vlen` elements. Index is the kind; kind 0 is no type. */
export const FIXED = new Uint8Array([0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0]);
export const EACH = new Uint8Array([0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12]);
/** The same in words of four bytes, the first three included. */
export const WORDS = FIXED.map((bytes) => 3 + bytes / 4);
export const EACH_WORDS = EACH.map((bytes) => bytes / 4);

/** Where types and strings lie, in bytes from the start of the blob. */
export interface Sections { readonly types: number; readonly typesLength: number; readonly strings: number; readonly stringsLength: number }

/**
 * @param split the strings go on from a base's
 * @throws what `fail` makes of a header that does not fit
 */
export function readHeader(bytes: Uint8Array, split: boolean, fail: Fail): Sections {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u32 = (at: number): number => view.getUint32(at, true);
  if (bytes.length < HEADER) throw fail(`too short for a BTF header: ${bytes.length} of ${HEADER} bytes`, 0);
  const magic = view.getUint16(0, true);
  if (magic === 0x9feb) throw fail('big-endian BTF, only little-endian is supported (compile with -target bpfel)', 0);
  if (magic !== MAGIC) throw fail(`magic is 0x${magic.toString(16)}, not 0x${MAGIC.toString(16)}`, 0);
  const version = view.getUint8(2);
  if (version !== VERSION) throw fail(`version is ${version}, not ${VERSION}`, 2);
  const headerLength = u32(4);
  if (headerLength < HEADER || headerLength > bytes.length) {
    throw fail(`header length is ${headerLength}, outside of ${HEADER} … ${bytes.length}`, 4);
  }
  for (let at = KNOWN_HEADER; at < headerLength; at++) {
    if (bytes[at] !== 0) throw fail(`unknown header field is ${bytes[at]}, not zero`, at);
  }
  const typeOff = u32(8);
  const typeLen = u32(12);
  const strOff = u32(16);
  const strLen = u32(20);
  const left = bytes.length - headerLength;
  if (typeOff % 4 !== 0) throw fail(`type section at ${typeOff} is not aligned to 4 bytes`, 8);
  if (typeOff + typeLen > left) throw fail(`type section ${typeOff} + ${typeLen} is outside of ${left} bytes`, 8);
  if (strOff + strLen > left) throw fail(`string section ${strOff} + ${strLen} is outside of ${left} bytes`, 16);
  if (typeOff + typeLen > strOff) {
    throw fail(`type section ${typeOff} + ${typeLen} overlaps the string section at ${strOff}`, 8);
  }
  if (headerLength >= KNOWN_HEADER) {
    const layoutOff = u32(24);
    const layoutLen = u32(28);
    if (layoutLen !== 0 && (layoutOff < typeOff + typeLen || layoutOff + layoutLen > strOff)) {
      throw fail(`layout section ${layoutOff} + ${layoutLen} is not between the types' end ${typeOff + typeLen} and the strings at ${strOff}`, 24);
    }
  } else if (headerLength > HEADER) {
    for (let at = HEADER; at < headerLength; at++) if (bytes[at] !== 0) throw fail(`unknown header field is ${bytes[at]}, not zero`, at);
  }
  const strings = headerLength + strOff;
  if (strLen === 0) {
    if (!split) throw fail('string section is empty', 20);
  } else {
    if (bytes[strings + strLen - 1] !== 0) throw fail('string section does not end with NUL', strings + strLen - 1);
    if (!split && bytes[strings] !== 0) {
      throw fail('string section does not begin with NUL (a split BTF needs its base)', strings);
    }
  }
  return { types: headerLength + typeOff, typesLength: typeLen, strings, stringsLength: strLen };
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Little-endian words, as many whole ones as there are; a view where the machine and the alignment allow it. */
export function wordsOf(bytes: Uint8Array, at: number, length: number): Uint32Array {
  const count = Math.floor(length / 4);
  if (LITTLE_ENDIAN && (bytes.byteOffset + at) % 4 === 0) return new Uint32Array(bytes.buffer, bytes.byteOffset + at, count);
  const copy = new Uint8Array(count * 4);
  copy.set(bytes.subarray(at, at + count * 4));
  const words = new Uint32Array(copy.buffer);
  if (!LITTLE_ENDIAN) {
    const view = new DataView(copy.buffer);
    for (let i = 0; i < count; i++) words[i] = view.getUint32(i * 4, true);
  }
  return words;
}
