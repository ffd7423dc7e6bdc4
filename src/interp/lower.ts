/**
 * Lowers one function from validated bytes to register code (core-table.ts), in one pass and once. The operand stack exists
 * only here: an operand is a slot of its own, or still the local or the constant that it came from, so `local.get` and `const`
 * cost nothing. A comparison whose only use is the next branch becomes part of it. Relies on validation for everything else.
 */
import type { ModuleCode } from './code.js';
import { InstrReader } from './instr.js';
import type { Handler } from './handlers.js';
import { lowerAtomic } from './lower-atomic.js';
import { lowerGc, lowerRefEq } from './lower-gc.js';
import { TryStack } from './lower-try.js';
import { CONST, LOCAL, MAX_FRAME, OWN, type Observe } from './lower-stack.js';
import { lowerVector, vectorConstant } from './lower-vector.js';
import { C, accessOf, simpleOf, type SimpleRow } from './lower-table.js';
import { FEATURES_ALL, mnemonicOf } from './opcodes.js';
import { F32, F64, I32, I64, V128, isRef, refTo, type ValType } from './types.js';

/** Words of a function's header: frame size, first slot to clear, slot after the last to clear. */
export const HEADER = 3;
export interface Lowered { readonly words: Int32Array; readonly handlers: readonly Handler[] }

/** The register code of function `index`, its header first. @throws ExhaustedError where its frame has more than 65535 slots */
export function lowerFunction(code: ModuleCode, index: number, plain = false): Lowered {
  return new Lowering(code, index, undefined, plain, undefined).run();
}

/** Lowers the function again, for what there is to be learnt on the way. */
export function observeFunction(code: ModuleCode, index: number, plain: boolean, observe: Observe): void {
  new Lowering(code, index, undefined, plain, observe).run();
}

/** Pairs of (position, offset in the module), ascending: where each register instruction of the function comes from. */
export function offsetsOf(code: ModuleCode, index: number, plain = false): Int32Array {
  const pairs: number[] = [];
  new Lowering(code, index, pairs, plain, undefined).run();
  return Int32Array.from(pairs);
}

/** `else`, `catch`, `delegate`, `catch_all` and `end` are no instructions: nothing stops there. */
const DELIMITERS: ReadonlySet<number> = new Set([0x05, 0x07, 0x18, 0x19, 0x0b]);

/** Where a function's register instructions begin, from its header on, and which slots are in use there. */
export interface Boundaries {
  readonly at: readonly number[];
  /** slots below this one may still be read from there on; behind the instruction, but for its result */
  readonly live: readonly number[];
  readonly after: readonly number[];
}

export function boundariesOf(code: ModuleCode, index: number): Boundaries {
  const pairs: number[] = [], heights: number[] = [];
  const lowering = new Lowering(code, index, pairs, false, undefined, heights);
  lowering.run();
  const every = (values: readonly number[], first: number, add: number) => values.flatMap((value, i) => i % 2 === first ? [value + add] : []);
  const locals = lowering.locals.length;
  // between those of one instruction of WebAssembly there may be something above the operand stack
  const live = every(heights, 0, locals).map((slots, i) => i > 0 && pairs[2 * i + 1] === pairs[2 * i - 1] ? MAX_FRAME : slots);
  return { at: every(pairs, 0, 0), live, after: every(heights, 1, locals) };
}

class Lowering extends TryStack {
  run(): Lowered {
    const { module } = this.code;
    const body = module.codes[this.index - module.imported.func];
    const instr = new InstrReader(module.bytes, body.start, body.end, FEATURES_ALL);
    this.offset = body.start;
    this.emit(0, this.type.params.length, this.locals.length);
    this.locals.forEach((type, i) => {
      if (i < this.type.params.length) return;
      if (isRef(type)) this.emit(C.refNull | i << 12);
      if (type === V128) vectorConstant(this, i, 0, 0, 0, 0);
    });
    this.labels.push({ kind: 'func', height: 0, params: [], results: this.type.results, start: 0, patches: [], otherwise: undefined, handler: -1, active: -1 });
    /** blocks opened in code that nobody reaches */
    let skipped = 0;
    let dead = false;
    while (instr.pos < instr.end) {
      instr.next();
      this.offset = instr.offset;
      this.before = this.height;
      const { op } = instr;
      if (dead) {
        if (op >= 0x02 && op <= 0x04 || op === 0x06 || op === 0x1f) skipped++;
        else if (skipped > 0) {
          if (op === 0x0b || op === 0x18) skipped--;
        } else if (op === 0x0b) {
          this.end(true);
          dead = this.labels.length > 0 && this.deadAfterEnd;
        } else if (op === 0x05) {
          this.else(true);
          dead = false;
        } else if (op === 0x07 || op === 0x19) {
          this.legacyCatch(op === 0x07 ? instr.a : -1, true);
          dead = false;
        } else if (op === 0x18) {
          this.delegate(instr.a, true);
          dead = this.deadAfterEnd;
        }
        continue;
      }
      if (this.plain && !DELIMITERS.has(op)) this.step();
      dead = this.instruction(instr);
    }
    const frame = Math.max(this.locals.length + this.highest, this.type.results.length) + 1;
    if (frame > MAX_FRAME) this.tooBig(frame);
    this.out[0] = frame;
    return { words: this.out.slice(0, this.n), handlers: this.handlers };
  }

  step(): void {
    this.observe?.('instruction', this, this.height);
    this.emit(C.step);
  }

  /** @returns whether what follows cannot be reached */
  instruction(instr: InstrReader): boolean {
    const { op, a, b } = instr;
    // labels are opcodes of opcodes.ts: literals make one jump table
    switch (op) {
      case 0x00: this.emit(C.unreachable); return true;
      case 0x01: return false;
      case 0x02: case 0x03: case 0x04: this.block(op, a, b); return false;
      case 0x05: this.else(false); return false;
      case 0x06: this.block(op, a, b); return false;
      case 0x07: this.legacyCatch(a, false); return false;
      case 0x08: this.operands(this.code.module.types[this.code.module.tags[a]].params.length, C.throw, a); return true;
      case 0x09: this.emit(C.throwRef | this.slot(this.label(a).height) << 12); return true;
      case 0x0a: this.operands(1, C.throwRef); return true;
      case 0x18: this.delegate(a, false); return this.deadAfterEnd;
      case 0x19: this.legacyCatch(-1, false); return false;
      case 0x1f: this.tryTable(instr); return false;
      case 0x0b: this.end(false); return this.labels.length > 0 && this.deadAfterEnd;
      case 0x0c: this.branch(this.label(a)); return true;
      case 0x0d: this.branchIf(this.label(a)); return false;
      case 0x0e: this.branchTable(instr.labels, a); return true;
      case 0x0f: this.emitReturn(); return true;
      case 0x10: this.call(a); return false;
      case 0x11: this.callIndirect(a, b); return false;
      case 0x12: this.tailCall(a); return true;
      case 0x13: this.tailIndirect(a, b); return true;
      case 0x14: this.callRef(a); return false;
      case 0x15: this.tailRef(a); return true;
      case 0x1a: this.pop(); return false;
      case 0x1b: this.select(); return false;
      case 0x1c: this.select(); this.types[this.height - 1] = b; return false;
      case 0x20: this.push(this.locals[a], LOCAL, a, 0); return false;
      case 0x21: this.setLocal(a, false); return false;
      case 0x22: this.setLocal(a, true); return false;
      case 0x23: this.getGlobal(a); return false;
      case 0x24: this.setGlobal(a); return false;
      case 0x25: this.produce(C.tableGet, this.tableType(a), this.popSlot(), a); return false;
      case 0x26: this.operands(2, C.tableSet, a); return false;
      case 0x3f: this.produce(C.memorySize, this.memoryIndex(a), a); return false;
      case 0x40: this.produce(C.memoryGrow, this.memoryIndex(a), this.popSlot(), a); return false;
      case 0x41: this.push(I32, CONST, a, 0); return false;
      case 0x42: this.push(I64, CONST, a, b); return false;
      case 0x43: this.push(F32, CONST, a, 0); return false;
      case 0x44: this.push(F64, CONST, a, b); return false;
      case 0xbc: this.types[this.height - 1] = I32; return false;
      case 0xbd: this.types[this.height - 1] = I64; return false;
      case 0xbe: this.types[this.height - 1] = F32; return false;
      case 0xbf: this.types[this.height - 1] = F64; return false;
      case 0xd0: this.produce(C.refNull, a); return false;
      case 0xd1: this.produce(C.refIsNull, I32, this.popSlot()); return false;
      case 0xd2: this.produce(C.refFunc, refTo(this.code.module.funcs[a], false), a); return false;
      case 0xd3: lowerRefEq(this); return false;
      case 0xd4: this.emit(C.refAsNonNull | this.slotOf(this.height - 1) << 12); return false;
      case 0xd5: this.branchOnNull(this.label(a)); return false;
      case 0xd6: this.branchOnNonNull(this.label(a)); return false;
      case 0xfc08: this.operands(3, C.memoryInit, a, b); return false;
      case 0xfc09: this.emit(C.dataDrop, a); return false;
      case 0xfc0a: this.operands(3, C.memoryCopy, a, b); return false;
      case 0xfc0b: this.operands(3, C.memoryFill, a); return false;
      case 0xfc0c: this.operands(3, C.tableInit, b, a); return false;
      case 0xfc0d: this.emit(C.elemDrop, a); return false;
      case 0xfc0e: this.operands(3, C.tableCopy, a, b); return false;
      case 0xfc0f: this.tableGrow(a); return false;
      case 0xfc10: this.produce(C.tableSize, this.tableIndex(a), a); return false;
      case 0xfc11: this.operands(3, C.tableFill, a); return false;
    }
    if (op >= 0xfb00 && op <= 0xfbff) {
      lowerGc(this, instr);
      return false;
    }
    if (op >> 8 === 0xfe) {
      lowerAtomic(this, instr);
      return false;
    }
    const simple = simpleOf(instr.row), access = simple.op === 0 ? accessOf(instr.row) : 0;
    if (simple.op !== 0) this.simple(simple);
    else if (access !== 0) this.access(op, access, a, b);
    else if (!lowerVector(this, instr)) throw new Error(`bug: ${mnemonicOf(op)} passed validation and has no lowering`);
    return false;
  }

  // ---- computing

  simple(row: SimpleRow): void {
    if (row.operands === 1) {
      this.produce(row.op, row.result, this.popSlot());
      return;
    }
    if (row.operands === 3) {
      const third = this.popSlot(), second = this.popSlot(), first = this.popSlot();
      this.produce(row.op, row.result, first | second << 16, third);
      return;
    }
    let b = this.pop(), a = this.pop();
    let { op, withConstant } = row;
    if (this.where[a] === CONST && this.where[b] !== CONST && row.swappedConstant !== 0) {
      [a, b] = [b, a];
      op = row.swapped;
      withConstant = row.swappedConstant;
    }
    if (this.where[b] === CONST && withConstant !== 0) {
      const slot = this.slotOf(a);
      this.produce(withConstant, row.result, slot, row.type === I32 ? this.lo[b] : this.code.constant(this.lo[b], this.hi[b]));
      return;
    }
    const first = this.slotOf(a), second = this.slotOf(b);
    this.produce(op, row.result, first | second << 16);
  }

  access(op: number, core: number, offset: number, memory: number): void {
    const is64 = this.useMemory(memory, offset);
    this.accessUsed(op, core, offset, is64);
    this.memoryUsed(memory);
  }

  accessUsed(op: number, core: number, offset: number, is64: boolean): void {
    if (op < 0x36) {
      this.produce(core, op === 0x28 || (op >= 0x2c && op <= 0x2f) ? I32 : op === 0x2a ? F32 : op === 0x2b ? F64 : I64, this.indexSlot(this.pop(), is64), offset | 0);
      return;
    }
    const value = this.pop();
    const address = this.indexSlot(this.pop(), is64);
    if (this.where[value] === CONST && C.store[op]) this.emit(C.store[op] | address << 12, offset | 0, this.lo[value]);
    else this.emit(core | address << 12, this.slotOf(value), offset | 0);
  }

  select(): void {
    const condition = this.popSlot();
    const b = this.popSlot();
    const h = this.pop();
    const type = this.types[h];
    const a = this.slotOf(h);
    this.produce(isRef(type) ? C.selectRef : type === V128 ? C.selectVector : type === I64 || type === F64 ? C.select64 : C.select32, type, a | b << 16, condition);
  }

  setLocal(index: number, keep: boolean): void {
    const top = this.height - 1;
    const last = this.last;
    const aliased = this.settleLocal(index);
    if (!aliased && last >= 0 && this.where[top] === OWN) {
      this.out[last] = (this.out[last] & 0xfff) | index << 12;
      this.last = -1;
      this.where[top] = LOCAL;
      this.lo[top] = index;
      if (top < this.firm) this.firm = top;
    } else {
      this.copy(top, index);
    }
    if (!keep) this.pop();
  }

  getGlobal(index: number): void {
    const { module } = this.code;
    const { type } = module.globals[index].type;
    if (index < module.imported.global || isRef(type) || type === V128) this.produce(C.getCell, type, index);
    else this.produce(type === I64 || type === F64 ? C.get64 : C.get32, type, 2 * index);
  }

  setGlobal(index: number): void {
    const { module } = this.code;
    const { type } = module.globals[index].type;
    const slot = this.popSlot();
    if (index < module.imported.global || isRef(type) || type === V128) this.emit(C.setCell | slot << 12, index);
    else this.emit((type === I64 || type === F64 ? C.set64 : C.set32) | slot << 12, 2 * index);
  }

  tableType(index: number): ValType {
    return this.code.module.tables[index].type.elem;
  }

  tableGrow(table: number): void {
    this.settleFrom(this.height - 2);
    this.height -= 2;
    this.produce(C.tableGrow, this.tableIndex(table), this.slot(this.height), table);
  }

  // ---- calls

  call(index: number): void {
    const { module } = this.code;
    const type = module.types[module.funcs[index]];
    const first = this.height - type.params.length;
    this.settleCall(first);
    this.observe?.('call', this, this.height);
    this.height = first;
    this.emit((this.plain || index < module.imported.func ? C.callImport : C.callLazy) | this.slot(first) << 12, index);
    this.observe?.('called', this, first);
    for (const result of type.results) this.push(result, OWN, 0, 0);
  }

  callIndirect(typeIndex: number, table: number): void {
    const type = this.code.module.types[typeIndex];
    const element = this.pop();
    const first = this.height - type.params.length;
    this.settleCall(first);
    const slot = this.indexSlot(element, this.tableIndex(table) === I64);
    this.observe?.('call', this, element + 1);
    this.height = first;
    this.emit((this.plain ? C.callIndirectCold : C.callIndirect) | this.slot(first) << 12, slot, this.code.typeIds[typeIndex], table);
    this.observe?.('called', this, first);
    for (const result of type.results) this.push(result, OWN, 0, 0);
  }

  callRef(typeIndex: number): void {
    const { params, results } = this.code.module.types[typeIndex];
    const func = this.pop();
    const first = this.height - params.length;
    this.settleCall(first);
    const slot = this.slotOf(func);
    this.observe?.('call', this, func + 1);
    this.height = first;
    this.emit(C.callRef | this.slot(first) << 12, slot);
    this.observe?.('called', this, first);
    for (const result of results) this.push(result, OWN, 0, 0);
  }

  // ---- tail calls: the return behind them is for host functions

  tailCall(index: number): void {
    const { module } = this.code;
    this.tailArguments(module.types[module.funcs[index]].params.length);
    this.emit(this.plain || index < module.imported.func ? C.tailImport : C.tailLazy, index);
    this.observe?.('called', this, 0);
    this.emit(C.return0);
  }

  tailIndirect(typeIndex: number, table: number): void {
    const element = this.pop();
    this.settle(element);
    const slot = this.indexSlot(element, this.tableIndex(table) === I64);
    this.tailArguments(this.code.module.types[typeIndex].params.length);
    this.emit(C.tailIndirect, slot, this.code.typeIds[typeIndex], table);
    this.observe?.('called', this, 0);
    this.emit(C.return0);
  }

  tailRef(typeIndex: number): void {
    const func = this.pop();
    this.settle(func);
    this.tailArguments(this.code.module.types[typeIndex].params.length);
    this.emit(C.tailRef, this.slot(func));
    this.observe?.('called', this, 0);
    this.emit(C.return0);
  }

  /** Moves the topmost operands to the frame's first slots, which lie below all operands: upwards, so that none is overwritten. */
  tailArguments(n: number): void {
    const first = this.height - n;
    this.settleFrom(first);
    this.copyAll(n, 0);
    this.height = first;
  }
}
