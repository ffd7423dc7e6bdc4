/**
 * The register instructions on structs, arrays, i31 and casts (specification chapters 4.6.6 to 4.6.9). Operands are in
 * consecutive slots from that in the first word on, and so is the result; types are indices of the module's types.
 */
import { Trap } from '../errors.js';
import type { Value } from './engine.js';
import { FILES } from './files.js';
import { WasmArray, WasmStruct, copyWithin, defaultStruct, elementsFromBytes, fillElements, filledArray, newArray, newElements, newStruct, packed, unpacked, widthOf, type Elements } from './gc.js';
import { isOf } from './ref-types.js';
import type { Runner } from './run.js';
import { I32 as I32_TYPE, NON_NULL, type ValType } from './types.js';

const { I32 } = FILES;

export function gcInstructions(m: Runner) {
  const type = () => m.inst.code.types[m.code[m.pc + 1]];
  const u32 = (slot: number) => I32[slot] >>> 0;
  const struct = (slot: number): Value[] => {
    const found = m.getRef(slot) as WasmStruct | null;
    if (found === null) throw new Trap('null structure reference');
    return found.fields;
  };
  const array = (slot: number): WasmArray => {
    const found = m.getRef(slot) as WasmArray | null;
    if (found === null) throw new Trap('null array reference');
    return found;
  };
  /** @returns the elements, after a check of the range */
  const range = (slot: number, at: number, n: number): Elements => {
    const { elems } = array(slot);
    if (at + n > elems.length) throw new Trap('out of bounds array access', n === 1 ? `${at}, the array has ${elems.length} elements` : `${n} from ${at} on, the array has ${elems.length} elements`);
    return elems;
  };
  const elementType = (slot: number): ValType => array(slot).rtt.def.fields[0].type;
  /** Bytes of a data segment. */
  const data = (index: number, from: number, size: number): Uint8Array => {
    const { module, datas } = m.inst;
    const segment = datas[index];
    const length = segment ? segment.end - segment.start : 0;
    if (from + size > length) throw new Trap('out of bounds memory access', `${size} bytes from ${from} of a segment with ${length}`);
    return segment ? module.bytes.subarray(segment.start + from, segment.start + from + size) : new Uint8Array(0);
  };
  const segment = (index: number, from: number, n: number): readonly Value[] => {
    const elems = m.inst.elems[index] ?? [];
    if (from + n > elems.length) throw new Trap('out of bounds table access', `${n} elements from ${from} of ${elems.length}`);
    return elems;
  };
  const test = (slot: number, at: number): boolean => {
    const value = m.getRef(slot);
    return value === null ? (m.code[m.pc + at] & NON_NULL) === 0 : isOf(value, m.code[m.pc + at] & 0xff, m.code[m.pc + at + 1]);
  };

  return {
    'struct.new'(w: number) {
      const slot = m.fp + (w >>> 12);
      const rtt = type();
      m.setRef(slot, newStruct(rtt, rtt.def.fields.map((field, i) => m.read(unpacked(field.type), slot + i, true))));
      m.pc += 2;
    },
    'struct.new_default'(w: number) {
      m.setRef(m.fp + (w >>> 12), defaultStruct(type()));
      m.pc += 2;
    },
    // [op | destination, reference, field, type]
    'struct.get'(w: number) {
      const fields = struct(m.fp + m.code[m.pc + 1]);
      m.store(m.code[m.pc + 3], m.fp + (w >>> 12), fields[m.code[m.pc + 2]], true);
      m.pc += 4;
    },
    // [op | destination, reference, field, mask]
    'struct.get_u'(w: number) {
      const fields = struct(m.fp + m.code[m.pc + 1]);
      I32[m.fp + (w >>> 12)] = (fields[m.code[m.pc + 2]] as number) & m.code[m.pc + 3];
      m.pc += 4;
    },
    // [op | reference and value, field, storage type]
    'struct.set'(w: number) {
      const slot = m.fp + (w >>> 12);
      const storage = m.code[m.pc + 2];
      struct(slot)[m.code[m.pc + 1]] = packed(storage, m.read(unpacked(storage), slot + 1, true));
      m.pc += 3;
    },
    'array.new'(w: number) {
      const slot = m.fp + (w >>> 12);
      const rtt = type();
      m.setRef(slot, filledArray(rtt, u32(slot + 1), m.read(unpacked(rtt.def.fields[0].type), slot, true)));
      m.pc += 2;
    },
    'array.new_default'(w: number) {
      const slot = m.fp + (w >>> 12);
      m.setRef(slot, filledArray(type(), u32(slot), undefined));
      m.pc += 2;
    },
    'array.new_fixed'(w: number) {
      const slot = m.fp + (w >>> 12);
      const rtt = type();
      const element = unpacked(rtt.def.fields[0].type);
      m.setRef(slot, newArray(rtt, Array.from({ length: m.code[m.pc + 2] }, (_, i) => m.read(element, slot + i, true))));
      m.pc += 3;
    },
    'array.new_data'(w: number) {
      const slot = m.fp + (w >>> 12);
      const rtt = type();
      const element = rtt.def.fields[0].type;
      const n = u32(slot + 1);
      const bytes = data(m.code[m.pc + 2], u32(slot), n * widthOf(element));
      const elems = newElements(element, n);
      elementsFromBytes(elems, 0, n, bytes);
      m.setRef(slot, new WasmArray(rtt, elems));
      m.pc += 3;
    },
    'array.new_elem'(w: number) {
      const slot = m.fp + (w >>> 12);
      const from = u32(slot), n = u32(slot + 1);
      m.setRef(slot, newArray(type(), segment(m.code[m.pc + 2], from, n).slice(from, from + n)));
      m.pc += 3;
    },
    // [op | reference and index, type]
    'array.get'(w: number) {
      const slot = m.fp + (w >>> 12);
      const at = u32(slot + 1);
      m.store(m.code[m.pc + 1], slot, range(slot, at, 1)[at], true);
      m.pc += 2;
    },
    // [op | reference and index, mask]
    'array.get_u'(w: number) {
      const slot = m.fp + (w >>> 12);
      const at = u32(slot + 1);
      I32[slot] = (range(slot, at, 1)[at] as number) & m.code[m.pc + 1];
      m.pc += 2;
    },
    // [op | reference, index and value, type]
    'array.set'(w: number) {
      const slot = m.fp + (w >>> 12);
      const at = u32(slot + 1);
      range(slot, at, 1)[at] = m.read(m.code[m.pc + 1], slot + 2, true);
      m.pc += 2;
    },
    'array.len'(w: number) {
      const slot = m.fp + (w >>> 12);
      I32[slot] = array(slot).elems.length;
      m.pc += 1;
    },
    'array.fill'(w: number) {
      const slot = m.fp + (w >>> 12);
      const at = u32(slot + 1), n = u32(slot + 3);
      const elems = range(slot, at, n);
      fillElements(elems, m.read(unpacked(elementType(slot)), slot + 2, true), at, at + n);
      m.pc += 1;
    },
    'array.copy'(w: number) {
      const slot = m.fp + (w >>> 12);
      const at = u32(slot + 1), from = u32(slot + 3), n = u32(slot + 4);
      // both references, before both ranges
      array(slot);
      array(slot + 2);
      copyWithin(range(slot, at, n), at, range(slot + 2, from, n), from, n);
      m.pc += 1;
    },
    'array.init_data'(w: number) {
      const slot = m.fp + (w >>> 12);
      const at = u32(slot + 1), n = u32(slot + 3);
      const elems = range(slot, at, n);
      elementsFromBytes(elems, at, n, data(m.code[m.pc + 1], u32(slot + 2), n * widthOf(elementType(slot))));
      m.pc += 2;
    },
    'array.init_elem'(w: number) {
      const slot = m.fp + (w >>> 12);
      const at = u32(slot + 1), from = u32(slot + 2), n = u32(slot + 3);
      const elems = range(slot, at, n);
      copyWithin(elems, at, segment(m.code[m.pc + 1], from, n) as Value[], from, n);
      m.pc += 2;
    },
    // [op | destination, reference, heap type, its number]
    'ref.test'(w: number) {
      I32[m.fp + (w >>> 12)] = test(m.fp + m.code[m.pc + 1], 2) ? 1 : 0;
      m.pc += 4;
    },
    // [op | reference, heap type, its number]
    'ref.cast'(w: number) {
      if (!test(m.fp + (w >>> 12), 1)) throw new Trap('cast failure');
      m.pc += 3;
    },
    'ref.eq'(w: number) {
      const x = m.code[m.pc + 1];
      I32[m.fp + (w >>> 12)] = m.getRef(m.fp + (x & 0xffff)) === m.getRef(m.fp + (x >>> 16)) ? 1 : 0;
      m.pc += 2;
    },
    'ref.i31'(w: number) {
      m.setRef(m.fp + (w >>> 12), I32[m.fp + m.code[m.pc + 1]] << 1 >> 1);
      m.pc += 2;
    },
    // [op | destination, reference, mask]
    'i31.get'(w: number) {
      const value = m.getRef(m.fp + m.code[m.pc + 1]);
      if (value === null) throw new Trap('null i31 reference');
      m.store(I32_TYPE, m.fp + (w >>> 12), (value as number) & m.code[m.pc + 2], true);
      m.pc += 3;
    },
  };
}
