/**
 * The register instructions on whole memories and tables: sizes, growth, bulk copies, elements one by one. The machine's state
 * is saved when one begins; it either moves `pc` on, or throws and has changed nothing. Specification chapters 4.6.10 to 4.6.12.
 */
import { Trap } from '../errors.js';
import { FILES } from './files.js';
import type { Runner } from './run.js';
import { copyElements, initElements, initMemory } from './segments.js';
import { indexAt } from './machine-values.js';

const { I32, L32 } = FILES;

/** Sizes and indices have the width of the memory's or the table's addresses. */
export function bulkInstructions(m: Runner) {
  const memory = (word: number) => m.inst.memories[m.code[m.pc + word]];
  const table = (word: number) => m.inst.tables[m.code[m.pc + word]];
  /** the operand `i` slots after the one in the first word */
  const index = (w: number, i: number, is64: boolean | undefined) => indexAt(m.fp + (w >>> 12) + i, is64);
  const setIndex = (slot: number, value: number, is64: boolean | undefined) => {
    if (is64) {
      L32[2 * slot] = value;
      L32[2 * slot + 1] = value < 0 ? -1 : 0;
    } else {
      I32[slot] = value;
    }
  };

  return {
    'memory.size'(w: number) {
      const { pages, type } = memory(1);
      setIndex(m.fp + (w >>> 12), pages, type.is64);
      m.pc += 2;
    },
    'memory.grow'(w: number) {
      const grown = memory(2);
      const { is64 } = grown.type;
      setIndex(m.fp + (w >>> 12), grown.grow(indexAt(m.fp + m.code[m.pc + 1], is64)), is64);
      m.enter(m.inst);
      m.pc += 3;
    },
    'memory.init'(w: number) {
      const { inst } = m;
      const to = memory(2);
      initMemory(to, index(w, 0, to.type.is64), inst.module.bytes, inst.datas[m.code[m.pc + 1]], I32[m.fp + (w >>> 12) + 1] >>> 0, I32[m.fp + (w >>> 12) + 2] >>> 0);
      m.pc += 3;
    },
    'memory.copy'(w: number) {
      const target = memory(1), source = memory(2);
      const to = index(w, 0, target.type.is64), from = index(w, 1, source.type.is64), n = index(w, 2, target.type.is64 && source.type.is64);
      if (to + n > target.size || from + n > source.size) {
        throw new Trap('out of bounds memory access', `copy of ${n} bytes from ${from} of ${source.size} to ${to} of ${target.size}`);
      }
      if (target === source) target.bytes.copyWithin(to, from, from + n);
      else target.bytes.set(source.bytes.subarray(from, from + n), to);
      m.pc += 3;
    },
    'memory.fill'(w: number) {
      const { bytes, type } = memory(1);
      const to = index(w, 0, type.is64), n = index(w, 2, type.is64);
      if (to + n > bytes.length) throw new Trap('out of bounds memory access', `fill of ${n} bytes at ${to}, the memory has ${bytes.length}`);
      bytes.fill(I32[m.fp + (w >>> 12) + 1], to, to + n);
      m.pc += 2;
    },
    'memory.outside'() {
      throw new Trap('out of bounds memory access', 'an offset beyond 2^32');
    },
    'data.drop'() {
      m.inst.datas[m.code[m.pc + 1]] = undefined;
      m.pc += 2;
    },
    'table.get'(w: number) {
      const { elems, type } = table(2);
      const at = indexAt(m.fp + m.code[m.pc + 1], type.is64);
      if (at >= elems.length) throw outside(at, elems.length);
      m.setRef(m.fp + (w >>> 12), elems[at]);
      m.pc += 3;
    },
    'table.set'(w: number) {
      const { elems, type } = table(1);
      const at = index(w, 0, type.is64);
      if (at >= elems.length) throw outside(at, elems.length);
      elems[at] = m.getRef(m.fp + (w >>> 12) + 1);
      m.pc += 2;
    },
    'table.size'(w: number) {
      const { length, type } = table(1);
      setIndex(m.fp + (w >>> 12), length, type.is64);
      m.pc += 2;
    },
    'table.grow'(w: number) {
      const grown = table(2);
      const from = m.fp + m.code[m.pc + 1];
      setIndex(m.fp + (w >>> 12), grown.grow(indexAt(from + 1, grown.type.is64), m.getRef(from)), grown.type.is64);
      m.pc += 3;
    },
    'table.fill'(w: number) {
      const { elems, type } = table(1);
      const at = index(w, 0, type.is64), n = index(w, 2, type.is64);
      if (at + n > elems.length) throw outside(at + n, elems.length);
      elems.fill(m.getRef(m.fp + (w >>> 12) + 1), at, at + n);
      m.pc += 2;
    },
    'table.copy'(w: number) {
      const to = table(1), from = table(2);
      copyElements(to.elems, index(w, 0, to.type.is64), from.elems, index(w, 1, from.type.is64), index(w, 2, to.type.is64 && from.type.is64));
      m.pc += 3;
    },
    'table.init'(w: number) {
      const to = table(1);
      initElements(to.elems, index(w, 0, to.type.is64), m.inst.elems[m.code[m.pc + 2]], I32[m.fp + (w >>> 12) + 1] >>> 0, I32[m.fp + (w >>> 12) + 2] >>> 0);
      m.pc += 3;
    },
    'elem.drop'() {
      m.inst.elems[m.code[m.pc + 1]] = undefined;
      m.pc += 2;
    },
  };
}

function outside(index: number, length: number): Trap {
  return new Trap('out of bounds table access', `${index}, the table has ${length} elements`);
}
