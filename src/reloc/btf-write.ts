/**
 * Writes BTF: a list of types, as btf.ts reads them, to a blob. Equal strings are written once. Does not check that the types make
 * sense, and does not edit a blob in place (btf-patch.ts). Layout: include/uapi/linux/btf.h, Linux 6.18.
 */
import type { BtfType } from './btf.js';
import { HEADER, MAGIC, VERSION, infoOf } from './btf-layout.js';

/** @param types the first gets id 1, and so on, whatever their own `id` says; the ids inside of them are those of the new blob */
export function writeBtf(types: readonly BtfType[]): Uint8Array {
  const strings = new StringTable();
  const words = types.flatMap((type) => record(type, strings));
  const text = strings.bytes();
  const bytes = new Uint8Array(HEADER + words.length * 4 + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, VERSION);
  [HEADER, 0, words.length * 4, words.length * 4, text.length].forEach((word, i) => view.setUint32(4 + i * 4, word, true));
  words.forEach((word, i) => view.setUint32(HEADER + i * 4, word >>> 0, true));
  bytes.set(text, HEADER + words.length * 4);
  return bytes;
}

function record(type: BtfType, strings: StringTable): number[] {
  const head = (sizeOrType: number, vlen = 0, flag = false): number[] => [strings.at(type.name), infoOf(type.kind, vlen, flag), sizeOrType];
  switch (type.kind) {
    case 'int':
      return [...head(type.size), ((type.signed ? 1 : 0) | (type.char ? 2 : 0) | (type.bool ? 4 : 0)) << 24 | type.bitOffset << 16 | type.bits];
    case 'ptr': case 'typedef': case 'volatile': case 'const': case 'restrict': case 'type_tag':
      return head(type.type);
    case 'array':
      return [...head(0), type.type, type.indexType, type.nelems];
    case 'struct': case 'union': {
      const flag = type.members.some(({ bitSize }) => bitSize > 0);
      return [...head(type.size, type.members.length, flag), ...type.members.flatMap((m) => [strings.at(m.name), m.type, flag ? m.bitSize << 24 | m.bitOffset : m.bitOffset])];
    }
    case 'enum':
      return [...head(type.size, type.values.length, type.signed), ...type.values.flatMap(({ name, value }) => [strings.at(name), Number(BigInt.asIntN(32, value))])];
    case 'enum64':
      return [...head(type.size, type.values.length, type.signed), ...type.values.flatMap(({ name, value }) => [strings.at(name), Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))])];
    case 'fwd':
      return head(0, 0, type.union);
    case 'func':
      return head(type.type, type.linkage);
    case 'func_proto':
      return [...head(type.type, type.params.length), ...type.params.flatMap(({ name, type: id }) => [strings.at(name), id])];
    case 'var':
      return [...head(type.type), type.linkage];
    case 'datasec':
      return [...head(type.size, type.vars.length), ...type.vars.flatMap(({ type: id, offset, size }) => [id, offset, size])];
    case 'float':
      return head(type.size);
    case 'decl_tag':
      return [...head(type.type), type.componentIdx];
    case 'unkn':
      throw new Error('bug: void is no type that is written');
  }
}

class StringTable {
  readonly #offsets = new Map<string, number>([['', 0]]);
  readonly #parts: Uint8Array[] = [Uint8Array.of(0)];
  #length = 1;

  at(text: string): number {
    let offset = this.#offsets.get(text);
    if (offset === undefined) {
      offset = this.#length;
      const bytes = new TextEncoder().encode(`${text}\0`);
      this.#offsets.set(text, offset);
      this.#parts.push(bytes);
      this.#length += bytes.length;
    }
    return offset;
  }

  bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}
