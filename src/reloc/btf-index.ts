/**
 * The index of a BTF blob: where each type begins, and by what its names are found. Made by one pass over the type section,
 * which checks sizes and offsets of the records, and written down as bytes, since that of a kernel's blob, 130 000 types,
 * takes longer to make than everything that a load asks of it. Decodes no type (btf.ts) and knows no files.
 */
import type { BtfError } from '../errors.js';
import { BTF_KINDS, EACH_WORDS, WORDS, wordsOf, type Sections } from './btf-layout.js';

/**
 * Ids, ascending, and the first four bytes of each one's name: what a native search finds names by. Those of types are read
 * while the types are indexed, when V8 has that loop compiled already; those of functions once someone asks.
 */
export interface Names { readonly ids: Uint32Array; readonly keys: () => Int32Array }

export interface BtfIndex {
  /** byte offset in the blob of each own type */
  readonly offsets: Uint32Array;
  /** own types that have a name; functions, four of five in a kernel, stand apart */
  readonly named: Names;
  readonly funcs: Names;
}

/** What the pass has to know besides the bytes. */
export interface Surroundings {
  /** first own id, and the offset of the first own string */
  readonly startId: number;
  readonly startString: number;
  /** the first four bytes of the string at an offset, wherever it lies; 0 where it lies nowhere */
  key(offset: number): number;
  fault(reason: string, where: { typeId?: number; offset?: number }): BtfError;
}

const FUNC = BTF_KINDS.indexOf('func');

/** @throws BtfError for a record that does not fit */
export function indexTypes(bytes: Uint8Array, { types, typesLength, strings }: Sections, around: Surroundings): BtfIndex {
  const { startId, startString } = around;
  const end = types + typesLength;
  // reading words of an array is cheaper than calls of a DataView while V8 still interprets, which is most of a cold start
  const words = wordsOf(bytes, types, typesLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // no record is shorter than 12 bytes
  const room = Math.floor(typesLength / 12);
  const offsets = new Uint32Array(room);
  // functions from the back, the others from the front
  const ids = new Uint32Array(room);
  const keys = new Int32Array(room);
  const text = strings - startString;
  const lastWord = bytes.length - 4;
  let count = 0;
  let named = 0;
  let funcs = room;
  let at = types;
  for (let i = 0; i + 3 <= words.length;) {
    const info = words[i + 1];
    const kind = (info >>> 24) & 0x1f;
    if (kind === 0 || kind >= WORDS.length) throw around.fault(`unknown kind ${kind}`, { typeId: startId + count, offset: types + i * 4 });
    const name = words[i];
    if (name !== 0) {
      if (kind === FUNC) {
        ids[--funcs] = startId + count;
      } else {
        keys[named] = name >= startString && text + name <= lastWord ? view.getInt32(text + name, true) : around.key(name);
        ids[named++] = startId + count;
      }
    }
    offsets[count++] = types + i * 4;
    i += WORDS[kind] + (info & 0xffff) * EACH_WORDS[kind];
    at = types + i * 4;
  }
  if (at !== end) {
    if (at < end) throw around.fault(`${end - at} bytes are left of the type section, too few for a type`, { offset: at });
    const from = offsets[count - 1];
    throw around.fault(`${BTF_KINDS[(view.getUint32(from + 4, true) >>> 24) & 0x1f]} of ${at - from} bytes ends beyond the type section, ${end - from} left`, { typeId: startId + count - 1, offset: from });
  }
  // copies, not views: most of the room was for the elements' share
  const own = offsets.slice(0, count);
  const functions = ids.slice(funcs).reverse();
  const typeKeys = keys.slice(0, named);
  let functionKeys: Int32Array | undefined;
  return {
    offsets: own,
    named: { ids: ids.slice(0, named), keys: () => typeKeys },
    funcs: { ids: functions, keys: () => functionKeys ??= keysOf(functions, own, view, text, around) },
  };
}

function keysOf(ids: Uint32Array, offsets: Uint32Array, view: DataView, text: number, { startId, startString, key }: Surroundings): Int32Array {
  const keys = new Int32Array(ids.length);
  const lastWord = view.byteLength - 4;
  for (let i = 0; i < ids.length; i++) {
    const name = view.getUint32(offsets[ids[i] - startId], true);
    keys[i] = name >= startString && text + name <= lastWord ? view.getInt32(text + name, true) : key(name);
  }
  return keys;
}

/** Up to four bytes, little-endian. */
export function wordOf(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let i = 0; i < 4 && at + i < bytes.length; i++) word |= bytes[at + i] << (8 * i);
  return word;
}

// ---- as bytes ---------------------------------------------------------------------------------------------------

/** Changes whenever the form does. */
const MARK = 0x3149_5442;
/** mark, byte length of the blob, numbers of types, of those with names, of functions */
const HEAD_WORDS = 5;

/** In the byte order of this machine: it stays here. @param blob what the index is of, not a split BTF */
export function encodeIndex({ offsets, named, funcs }: BtfIndex, blob: Uint8Array): Uint8Array {
  const head = Uint32Array.of(MARK, blob.length, offsets.length, named.ids.length, funcs.ids.length);
  const parts = [head, offsets, named.ids, named.keys(), funcs.ids, funcs.keys()];
  const words = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    words.set(part, at);
    at += part.length;
  }
  return new Uint8Array(words.buffer);
}

/** Views of `bytes`, which begin at a multiple of four in their buffer. @returns undefined for what is no index of that blob */
export function decodeIndex(bytes: Uint8Array, blob: Uint8Array): BtfIndex | undefined {
  if (bytes.byteOffset % 4 !== 0 || bytes.length < HEAD_WORDS * 4) return undefined;
  const [mark, length, types, named, funcs] = new Uint32Array(bytes.buffer, bytes.byteOffset, HEAD_WORDS);
  if (mark !== MARK || length !== blob.length || bytes.length !== (HEAD_WORDS + types + 2 * named + 2 * funcs) * 4) return undefined;
  let at = bytes.byteOffset + HEAD_WORDS * 4;
  const next = (count: number): Uint32Array => {
    const part = new Uint32Array(bytes.buffer, at, count);
    at += count * 4;
    return part;
  };
  const names = (count: number): Names => {
    const ids = next(count);
    const keys = next(count);
    const signed = new Int32Array(keys.buffer, keys.byteOffset, count);
    return { ids, keys: () => signed };
  };
  return { offsets: next(types), named: names(named), funcs: names(funcs) };
}
