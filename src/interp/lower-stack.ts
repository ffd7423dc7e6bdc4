/**
 * The operand stack of lowering, and the words it has put out so far. An operand is a slot of its own, or still the local or
 * the constant that it came from. Knows no instruction of WebAssembly: lower-control.ts and lower.ts do.
 */
import { ExhaustedError } from '../errors.js';
import type { ModuleCode } from './code.js';
import { C, moveOf } from './lower-table.js';
import { F64, I32, I64, type FuncType, type ValType } from './types.js';

/** Operands are slots of 16 bits. */
export const MAX_FRAME = 0xffff;

/** operands that are looked at one by one; more of them are dealt with at once, so that the work does not grow with their number */
export const FEW = 32;

/** Where an operand is. */
export const OWN = 0, LOCAL = 1, CONST = 2;

/**
 * Is told, while a function is lowered, where its instructions come to stand: before each (in plain code only), at the header of a
 * loop, before and behind a call. `height`: operands that the instruction finds, those of a call among them; behind it they are gone.
 */
export type Observe = (what: 'instruction' | 'loop' | 'call' | 'called', stack: OperandStack, height: number) => void;

export class OperandStack {
  out = new Int32Array(256);
  n = 0;
  readonly type: FuncType;
  readonly locals: ValType[];
  // the operand stack: type, where, and local index or constant bits
  readonly types: ValType[] = [];
  readonly where: number[] = [];
  readonly lo: number[] = [];
  readonly hi: number[] = [];
  height = 0;
  highest = 0;
  /** operands below are in slots of their own, so that nobody looks through them again and again */
  firm = 0;
  /** the last instruction, where it did nothing but write the topmost operand's own slot; else -1 */
  last = -1;
  offset = 0;
  /** of the operand stack before the instruction that is being lowered */
  before = 0;

  /**
   * @param plain every operand is in its own slot between two instructions, and each begins with `step`
   * @param heights of the operand stack at each register instruction: how many operands may still be read from there on, and behind it
   */
  constructor(readonly code: ModuleCode, readonly index: number, readonly pairs: number[] | undefined, readonly plain: boolean, readonly observe: Observe | undefined, readonly heights?: number[]) {
    const { module } = code;
    this.type = module.types[module.funcs[index]];
    this.locals = [...this.type.params];
    for (const { count, type } of module.codes[index - module.imported.func].locals) {
      if (this.locals.length + count > MAX_FRAME) this.tooBig(this.locals.length + count);
      for (let i = 0; i < count; i++) this.locals.push(type);
    }
  }

  tooBig(slots: number): never {
    throw new ExhaustedError('call stack exhausted', `function ${this.index} needs ${slots} slots, a frame has ${MAX_FRAME} at most`);
  }

  // ---- output

  emit(w0: number, w1?: number, w2?: number, w3?: number): number {
    const at = this.n;
    if (at + 4 > this.out.length) this.grow();
    this.pairs?.push(at, this.offset);
    this.heights?.push(Math.max(this.before, this.height), this.height);
    this.out[at] = w0;
    this.n = at + 1;
    if (w1 !== undefined) this.out[this.n++] = w1;
    if (w2 !== undefined) this.out[this.n++] = w2;
    if (w3 !== undefined) this.out[this.n++] = w3;
    this.last = -1;
    return at;
  }

  word(word: number): void {
    if (this.n === this.out.length) this.grow();
    this.out[this.n++] = word;
  }

  grow(): void {
    const grown = new Int32Array(2 * this.out.length);
    grown.set(this.out);
    this.out = grown;
  }

  /** Emits an instruction whose result is a new operand in its own slot. */
  produce(op: number, type: ValType, w1?: number, w2?: number, w3?: number): void {
    const at = this.emit(op | this.slot(this.height) << 12, w1, w2, w3);
    this.push(type, OWN, 0, 0);
    this.last = at;
  }

  // ---- operands

  slot(height: number): number {
    return this.locals.length + height;
  }

  push(type: ValType, where: number, lo: number, hi: number): void {
    const h = this.height++;
    this.types[h] = type;
    this.where[h] = where;
    this.lo[h] = lo;
    this.hi[h] = hi;
    if (h >= this.highest) this.highest = h + 1;
    if (where !== OWN && h < this.firm) this.firm = h;
    this.last = -1;
    if (this.plain) this.settle(h);
  }

  pop(): number {
    return --this.height;
  }

  /** The slot in which operand `h` is; a constant is written to its own first. */
  slotOf(h: number): number {
    if (this.where[h] === LOCAL) return this.lo[h];
    if (this.where[h] === CONST) this.settle(h);
    return this.slot(h);
  }

  popSlot(): number {
    return this.slotOf(this.pop());
  }

  /** Writes operand `h` to `slot`, without changing where it is taken to be. */
  copy(h: number, slot: number): void {
    const type = this.types[h];
    if (this.where[h] === CONST) {
      if (type === I64 || type === F64) this.emit(C.const64 | slot << 12, this.lo[h], this.hi[h]);
      else this.emit(C.const32 | slot << 12, this.lo[h]);
      return;
    }
    const from = this.where[h] === LOCAL ? this.lo[h] : this.slot(h);
    if (from !== slot) this.emit(moveOf(type) | slot << 12, from);
  }

  /** Makes operand `h` be in its own slot. */
  settle(h: number): void {
    if (this.where[h] === OWN) return;
    this.copy(h, this.slot(h));
    this.where[h] = OWN;
  }

  settleFrom(height: number): void {
    const { firm } = this;
    for (let h = Math.max(height, firm); h < this.height; h++) this.settle(h);
    if (height <= firm) this.firm = this.height;
  }

  /** The arguments of a call get slots of their own; so do the operands below where they are many: plain.ts looks at them. */
  settleCall(first: number): void {
    this.settleFrom(first - this.firm > FEW ? this.firm : first);
  }

  /** Operands that are the local, but for the topmost, get slots of their own: it is about to change. @returns whether there were any */
  settleLocal(index: number): boolean {
    const top = this.height - 1;
    if (top - this.firm > FEW) {
      const last = this.last;
      const { n } = this;
      for (let h = this.firm; h < top; h++) this.settle(h);
      this.firm = top;
      if (this.n === n) this.last = last;
      return this.n !== n;
    }
    let found = false;
    for (let h = this.firm; h < top; h++) {
      if (this.where[h] !== LOCAL || this.lo[h] !== index) continue;
      this.settle(h);
      found = true;
    }
    return found;
  }

  /** Copies the topmost `n` operands to the slots from `slot` on, which are not above theirs. Leaves the operand stack as it is. */
  copyAll(n: number, slot: number): void {
    const first = this.height - n;
    if (n <= FEW) {
      for (let i = 0; i < n; i++) this.copy(first + i, slot + i);
      return;
    }
    this.settleFrom(first);
    if (this.slot(first) !== slot) this.emit(C.moveRange | slot << 12, this.slot(first), n);
  }

  /** `n` operands in consecutive slots, for an instruction without result. */
  operands(n: number, op: number, w1?: number, w2?: number): void {
    this.settleFrom(this.height - n);
    this.height -= n;
    this.emit(op | this.slot(this.height) << 12, w1, w2);
  }

  // ---- indices of memories and tables

  /**
   * Before an access: makes another memory than the first the one that is accessed.
   * @param offset at most 2^32 - 1, but for memories with i64 addresses, which are never so large
   * @returns whether its addresses are i64
   */
  useMemory(memory: number, offset: number): boolean {
    if (memory !== 0) this.emit(C.memoryUse, memory);
    if (offset > 0xffffffff) this.emit(C.memoryOutside);
    return this.memoryIndex(memory) === I64;
  }

  memoryUsed(memory: number): void {
    if (memory !== 0) this.emit(C.memoryUse, 0);
  }

  /** The slot of an index as i32. */
  indexSlot(h: number, is64: boolean): number {
    const slot = this.slotOf(h);
    if (!is64) return slot;
    const own = this.slot(h);
    this.emit(C.index64 | own << 12, slot);
    return own;
  }

  memoryIndex(index: number): ValType {
    return this.code.module.memories[index].is64 ? I64 : I32;
  }

  tableIndex(index: number): ValType {
    return this.code.module.tables[index].type.is64 ? I64 : I32;
  }
}
