/**
 * Bytes as a C initializer, by their BTF type: `42`, `"name"`, `{ .pid = 1, .comm = "sh" }`. For people; long arrays and deep
 * nesting are cut with `…`. Little-endian.
 */
import type { Btf, BtfMember } from '../reloc/btf.js';

const MAX_DEPTH = 4;
const MAX_ELEMENTS = 16;
const MAX_TEXT = 64;

/** @param bytes of the value; where they are fewer than the type has, the rest reads as 0. @throws BtfError for broken types */
export function cValue(btf: Btf, typeId: number, bytes: Uint8Array, depth = 0): string {
  const type = btf.type(btf.skipModifiers(typeId));
  switch (type.kind) {
    case 'int': {
      const value = integer(bytes, 0, type.size * 8, type.signed);
      return type.bool ? String(value !== 0n) : String(value);
    }
    case 'enum':
    case 'enum64': {
      const value = integer(bytes, 0, type.size * 8, type.signed);
      return type.values.find((v) => v.value === value)?.name ?? String(value);
    }
    case 'float':
      return type.size === 4 || type.size === 8 ? String(float(bytes, type.size)) : hexBytes(bytes);
    case 'ptr': {
      const value = integer(bytes, 0, 64, false);
      return value === 0n ? 'NULL' : `0x${value.toString(16)}`;
    }
    case 'array': {
      const element = btf.type(btf.skipModifiers(type.type));
      if (element.kind === 'int' && element.size === 1) return text(bytes);
      if (bytes.every((byte) => byte === 0)) return '{}';
      if (depth >= MAX_DEPTH) return '{ … }';
      const size = btf.sizeOf(type.type);
      const shown = Math.min(type.nelems, MAX_ELEMENTS);
      const items = Array.from({ length: shown }, (_, i) => cValue(btf, type.type, bytes.subarray(i * size, (i + 1) * size), depth + 1));
      return `{ ${items.join(', ')}${type.nelems > shown ? ', …' : ''} }`;
    }
    case 'struct':
    case 'union': {
      if (bytes.every((byte) => byte === 0)) return '{}';
      if (depth >= MAX_DEPTH) return '{ … }';
      const shown = type.members.slice(0, type.kind === 'union' ? 1 : MAX_ELEMENTS);
      const members = shown.map((member) => `${member.name && `.${member.name} = `}${memberValue(btf, member, bytes, depth + 1)}`);
      return `{ ${members.join(', ')}${type.kind === 'struct' && type.members.length > shown.length ? ', …' : ''} }`;
    }
    default:
      return hexBytes(bytes);
  }
}

function memberValue(btf: Btf, { type, bitOffset, bitSize }: BtfMember, bytes: Uint8Array, depth: number): string {
  if (bitSize > 0) {
    const t = btf.type(btf.skipModifiers(type));
    return String(integer(bytes, bitOffset, bitSize, t.kind === 'int' && t.signed));
  }
  const at = bitOffset / 8;
  return cValue(btf, type, bytes.subarray(at, at + btf.sizeOf(type)), depth);
}

function integer(bytes: Uint8Array, bitOffset: number, bits: number, signed: boolean): bigint {
  let value = 0n;
  const first = Math.floor(bitOffset / 8), last = Math.ceil((bitOffset + bits) / 8);
  for (let i = last - 1; i >= first; i--) value = value << 8n | BigInt(bytes[i] ?? 0);
  value >>= BigInt(bitOffset % 8);
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
}

function float(bytes: Uint8Array, size: 4 | 8): number {
  const whole = new Uint8Array(size);
  whole.set(bytes.subarray(0, size));
  const view = new DataView(whole.buffer);
  return size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
}

/** A char array: as a string where it is one, else as hexadecimal bytes. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const used = end < 0 ? bytes : bytes.subarray(0, end);
  const printable = used.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x09);
  if (!printable || bytes.subarray(used.length).some((byte) => byte !== 0)) return hexBytes(bytes);
  const all = Buffer.from(used).toString('latin1');
  return JSON.stringify(all.length > MAX_TEXT ? `${all.slice(0, MAX_TEXT)}…` : all);
}

function hexBytes(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, MAX_ELEMENTS)).toString('hex').replace(/../g, '$& ').trimEnd();
  return `${shown}${bytes.length > MAX_ELEMENTS ? ` … (${bytes.length} bytes)` : ''}`;
}
