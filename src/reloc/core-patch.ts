/**
 * CO-RE values: what a relocation's instruction should hold, calculated from the access in the program's types and in the
 * target's, and the instruction patched with it or poisoned. Rules and limits are libbpf's (relo_core.c, version 1.8).
 */
import { hex, RelocationError } from '../errors.js';
import { typeLabel } from './btf-c.js';
import type { Btf } from './btf.js';
import { type CoreSpec, coreFamily, formatSpec, skipModifiers } from './core-match.js';
import type { Insns } from './insn.js';
import type { CoreKind } from './spec.js';

/** What one candidate makes of a relocation. Values are u64. */
export interface CoreValue {
  /** what the compiler put into the instruction */
  readonly old: bigint;
  /** what belongs there; undefined: nothing can, the instruction is to be poisoned */
  readonly value: bigint | undefined;
  /** false where the compiler's value may differ from `old` (bitfields, type ids) */
  readonly validate: boolean;
  /** bytes that a load or store of the field moves, before and after; 0 where that has no meaning */
  readonly oldSize: number;
  readonly newSize: number;
  /** the sizes differ, and neither pointers nor unsigned integers are read: no load of another size is right */
  readonly sizeFault: boolean;
}

interface Aspect { readonly value: bigint; readonly validate: boolean; /** bytes */ readonly size: number; readonly typeId: number }

/** The immediate of a poisoned instruction, 195896080: the verifier says "invalid func unknown#195896080". */
export const POISON = 0xbad2310;

/**
 * @param target undefined where no candidate matched
 * @throws RelocationError (without a place), BtfError where the aspect cannot be told
 */
export function calculate(kind: CoreKind, local: CoreSpec, target: CoreSpec | undefined): CoreValue {
  const plain = { validate: true, oldSize: 0, newSize: 0, sizeFault: false };
  switch (coreFamily[kind]) {
    case 'enumval':
      if (kind === 'enumval_exists') return { ...plain, old: 1n, value: target ? 1n : 0n };
      return { ...plain, old: enumerator(local), value: target && enumerator(target) };
    case 'type':
      return { ...plain, old: typeAspect(kind, local), value: target ? typeAspect(kind, target) : 0n, validate: kind !== 'type_id_target' };
    case 'field': {
      if (kind === 'field_exists') return { ...plain, old: 1n, value: target ? 1n : 0n };
      const old = fieldAspect(kind, local);
      if (target === undefined) return { ...plain, old: old.value, value: undefined, validate: old.validate };
      const next = fieldAspect(kind, target);
      const sizeFault = old.size !== next.size && !mayResize(local.btf, old.typeId, target.btf, next.typeId);
      return { old: old.value, value: next.value, validate: old.validate, oldSize: old.size, newSize: next.size, sizeFault };
    }
  }
}

/** Zero extension keeps the value of a shorter or longer pointer or unsigned integer, of nothing else. */
function mayResize(localBtf: Btf, localId: number, btf: Btf, id: number): boolean {
  const local = localBtf.type(localId);
  const target = btf.type(id);
  if (local.kind === 'ptr' && target.kind === 'ptr') return true;
  if (local.kind !== 'int' || target.kind !== 'int') return false;
  // a signed char or bool passes in libbpf, which compares the whole encoding with "signed"
  return [local, target].every((int) => !int.signed || int.char || int.bool);
}

/** The 32-bit enum's value is a signed number in libbpf whatever the enum says. */
function enumerator(spec: CoreSpec): bigint {
  const { typeId, index } = spec.accessors[0];
  const type = spec.btf.type(typeId);
  if (type.kind !== 'enum' && type.kind !== 'enum64') throw new Error(`bug: an enumerator of a ${type.kind}`);
  const { value } = type.values[index];
  return BigInt.asUintN(64, type.kind === 'enum' ? BigInt.asIntN(32, value) : value);
}

function typeAspect(kind: CoreKind, spec: CoreSpec): bigint {
  switch (kind) {
    case 'type_id_local': case 'type_id_target':
      return BigInt(spec.rootId);
    case 'type_size':
      return BigInt(spec.btf.sizeOf(spec.rootId));
    default:
      return 1n;
  }
}

function fieldAspect(kind: CoreKind, spec: CoreSpec): Aspect {
  const { btf } = spec;
  const last = spec.accessors[spec.accessors.length - 1];
  const none = { validate: true, size: 0, typeId: 0 };
  if (last.name === undefined) {
    if (kind === 'field_byte_offset') {
      return { value: BigInt(Math.floor(spec.bitOffset / 8)), validate: true, size: elementSize(btf, last.typeId), typeId: last.typeId };
    }
    if (kind === 'field_byte_size') return { ...none, value: BigInt(btf.sizeOf(last.typeId)) };
    throw new RelocationError(`${formatSpec(spec)} is an array element, which has no such property`);
  }

  const member = btf.member(last.typeId, last.index);
  if (!member) throw new Error(`bug: a member of ${typeLabel(btf, last.typeId)}`);
  const typeId = skipModifiers(btf, member.type);
  const { byteOffset, byteSize, bits } = member.bitSize > 0
    ? bitfieldWindow(spec, typeId, member.bitSize)
    : wholeWindow(spec, typeId);
  const bitfield = member.bitSize > 0;
  switch (kind) {
    case 'field_byte_offset':
      if (bitfield) return { ...none, value: BigInt(byteOffset), validate: false };
      return { value: BigInt(byteOffset), validate: true, size: elementSize(btf, typeId), typeId };
    case 'field_byte_size':
      return { ...none, value: BigInt(byteSize), validate: !bitfield };
    case 'field_signed': {
      const type = btf.type(typeId);
      const signed = (type.kind === 'int' || type.kind === 'enum' || type.kind === 'enum64') && type.signed;
      return { ...none, value: signed ? 1n : 0n };
    }
    case 'field_lshift_u64':
      // unsigned 32-bit arithmetic: a field beyond 64 bits wraps
      return { ...none, value: BigInt((64 - (spec.bitOffset + bits - byteOffset * 8)) >>> 0), validate: !bitfield };
    case 'field_rshift_u64':
      return { ...none, value: BigInt((64 - bits) >>> 0) };
    default:
      throw new Error(`bug: ${kind} is no aspect of a field`);
  }
}

function wholeWindow(spec: CoreSpec, typeId: number): { byteOffset: number; byteSize: number; bits: number } {
  const byteSize = spec.btf.sizeOf(typeId);
  return { byteOffset: Math.floor(spec.bitOffset / 8), byteSize, bits: byteSize * 8 };
}

/** The smallest aligned load, from the declared type's size upwards, that holds all bits of a bitfield. */
function bitfieldWindow(spec: CoreSpec, typeId: number, bits: number): { byteOffset: number; byteSize: number; bits: number } {
  const type = spec.btf.type(typeId);
  if (type.kind !== 'int' && type.kind !== 'enum' && type.kind !== 'enum64') {
    throw new RelocationError(`${formatSpec(spec)} is a bitfield of ${typeLabel(spec.btf, typeId)}`);
  }
  const start = (size: number): number => Math.floor(Math.floor(spec.bitOffset / 8) / size) * size;
  let byteSize = type.size;
  while (spec.bitOffset + bits - start(byteSize) * 8 > byteSize * 8) {
    if (byteSize >= 8) throw new RelocationError(`${formatSpec(spec)} is a bitfield that no load of 8 bytes holds`);
    byteSize *= 2;
  }
  return { byteOffset: start(byteSize), byteSize, bits };
}

/** Of an array, a load or store moves one element. */
function elementSize(btf: Btf, id: number): number {
  let element = skipModifiers(btf, id);
  for (let depth = 0; depth < 64; depth++) {
    const type = btf.type(element);
    if (type.kind !== 'array') return btf.sizeOf(element);
    element = skipModifiers(btf, type.type);
  }
  throw new RelocationError(`arrays are nested without end in ${typeLabel(btf, id)}`);
}

/**
 * Writes the value into the instruction, or poisons it.
 * @returns why it was poisoned although there is a value, else undefined
 * @throws RelocationError (without a place) for an instruction that cannot take the value
 */
export function patch(insns: Insns, slot: number, result: CoreValue): string | undefined {
  const { value, old } = result;
  if (value === undefined) {
    poison(insns, slot);
    return undefined;
  }
  const code = insns.code(slot);
  switch (INSN_CLASS[code & 7]) {
    case 'alu': {
      if ((code & 8) !== 0) throw unfit(insns, slot, 'has no immediate operand');
      expect(result, BigInt(insns.imm(slot)), 'immediate');
      insns.setImm(slot, Number(BigInt.asIntN(32, value)));
      return undefined;
    }
    case 'memory': {
      expect(result, BigInt(insns.off(slot)), 'offset');
      if (value > 0x7fffn) throw new RelocationError(`offset ${value} does not fit into a load or store, 32767 at most`);
      if (result.sizeFault) {
        poison(insns, slot);
        return `the field has ${result.newSize} bytes in the target, ${result.oldSize} in the program, and is neither a pointer nor an unsigned integer in both`;
      }
      if (result.newSize !== result.oldSize) resize(insns, slot, result);
      insns.setOff(slot, Number(value));
      return undefined;
    }
    case 'ld': {
      if (!insns.isLdImm64(slot) || insns.src(slot) !== 0 || insns.off(slot) !== 0 || insns.code(slot + 1) !== 0
        || insns.bytes[(slot + 1) * 8 + 1] !== 0 || insns.off(slot + 1) !== 0) throw unfit(insns, slot, 'is not a plain ld_imm64');
      expect(result, insns.imm64(slot), 'constant');
      insns.setImm64(slot, value);
      return undefined;
    }
    default:
      throw unfit(insns, slot, 'is neither arithmetic, load, store nor ld_imm64');
  }

  function expect({ validate }: CoreValue, found: bigint, what: string): void {
    if (validate && BigInt.asUintN(64, found) !== old) throw new RelocationError(`${what} of the instruction is ${found}, the program's own types say ${old}`);
  }
}

/** By the low three bits of the code: LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64. */
const INSN_CLASS = ['ld', 'memory', 'memory', 'memory', 'alu', 'jump', 'jump', 'alu'] as const;
/** Bytes moved, by bits 3 and 4 of a load's or store's code: W, H, B, DW. */
const WIDTHS = [4, 2, 1, 8];

function resize(insns: Insns, slot: number, { oldSize, newSize }: CoreValue): void {
  const code = insns.code(slot);
  const width = WIDTHS[(code >> 3) & 3];
  if (width !== oldSize) throw new RelocationError(`the instruction moves ${width} bytes, the field has ${oldSize} in the program's own types`);
  const size = WIDTHS.indexOf(newSize);
  if (size < 0) throw new RelocationError(`the field has ${newSize} bytes in the target, no load or store does`);
  insns.setCode(slot, code & ~0x18 | size << 3);
}

function poison(insns: Insns, slot: number): void {
  if (insns.isLdImm64(slot)) insns.setUnknownCall(slot + 1, POISON);
  insns.setUnknownCall(slot, POISON);
}

function unfit(insns: Insns, slot: number, reason: string): RelocationError {
  return new RelocationError(`the instruction (code ${hex(insns.code(slot))}) ${reason}`);
}
