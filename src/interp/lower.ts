/**
 * Lowers one function from validated bytes to register code (core-table.ts), in one pass and once. The operand stack exists
 * only here: an operand is a slot of its own, or still the local or the constant that it came from, so `local.get` and `const`
 * cost nothing. A comparison whose only use is the next branch becomes part of it. Relies on validation for everything else.
 */
import { ExhaustedError } from '../errors.js';
import type { ModuleCode } from './code.js';
import { coreOp, coreOpOrZero } from './core-table.js';
import { isReference } from './func.js';
import { InstrReader } from './instr.js';
import { ROWS, mnemonicOf } from './opcodes.js';
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, type FuncType, type ValType } from './types.js';

/** Words of a function's header: frame size, first slot to clear, slot after the last to clear. */
export const HEADER = 3;
/** Operands are slots of 16 bits. */
const MAX_FRAME = 0xffff;

/** Where an operand is. */
const OWN = 0, LOCAL = 1, CONST = 2;

/** The register code of function `index`, its header first. @throws ExhaustedError where its frame has more than 65535 slots */
export function lowerFunction(code: ModuleCode, index: number): Int32Array {
  return new Lowering(code, index, undefined).run();
}

/** Pairs of (position, offset in the module), ascending: where each register instruction of the function comes from. */
export function offsetsOf(code: ModuleCode, index: number): Int32Array {
  const pairs: number[] = [];
  new Lowering(code, index, pairs).run();
  return Int32Array.from(pairs);
}

// ---- tables made once ------------------------------------------------------------------------------------------

interface SimpleRow {
  readonly op: number;
  /** with a constant as second operand, or 0 */
  readonly withConstant: number;
  /** that gives the same with its operands exchanged, or 0 */
  readonly swapped: number;
  readonly swappedConstant: number;
  readonly operands: number;
  readonly result: ValType;
  readonly type: ValType;
}

const TYPE: { readonly [letter: string]: ValType } = { i: I32, l: I64, f: F32, d: F64 };
const SWAP: { readonly [op: string]: string } = {
  add: 'add', mul: 'mul', and: 'and', or: 'or', xor: 'xor', eq: 'eq', ne: 'ne',
  lt_s: 'gt_s', gt_s: 'lt_s', le_s: 'ge_s', ge_s: 'le_s', lt_u: 'gt_u', gt_u: 'lt_u', le_u: 'ge_u', ge_u: 'le_u',
};
const NEGATE: { readonly [op: string]: string } = {
  eq: 'ne', ne: 'eq', lt_s: 'ge_s', ge_s: 'lt_s', gt_s: 'le_s', le_s: 'gt_s', lt_u: 'ge_u', ge_u: 'lt_u', gt_u: 'le_u', le_u: 'gt_u',
};

/** index in ROWS -> how a simple instruction is lowered */
const SIMPLE: readonly (SimpleRow | undefined)[] = ROWS.map(([, name, immediates, signature]) => {
  const op = coreOpOrZero(name);
  if (op === 0 || immediates !== '' || signature === '') return undefined;
  const [params, results] = signature.split(':');
  if (params.length === 0) return undefined;
  const [type, short] = name.split('.');
  const swapped = SWAP[short] && type.startsWith('i') ? `${type}.${SWAP[short]}` : '';
  return {
    op, withConstant: coreOpOrZero(`${name}.k`), swapped: coreOpOrZero(swapped), swappedConstant: coreOpOrZero(`${swapped}.k`),
    operands: params.length, result: TYPE[results], type: TYPE[params[0]],
  };
});

/** index in ROWS -> the load or store that moves the same bits, or 0 */
const ACCESS = Int32Array.from(ROWS, ([, name, immediates]) =>
  immediates.startsWith('memarg') ? coreOpOrZero(name.replace(/^f32\.(load|store)$/, 'i32.$1').replace(/^f64\.(load|store)$/, 'i64.$1')) : 0);

interface Fused { readonly when: number; readonly unless: number; readonly constant: boolean }
/** register comparison -> the branches that carry it out themselves */
const FUSED = new Map<number, Fused>();
for (const [, name] of ROWS) {
  const [type, short] = name.split('.');
  if (!coreOpOrZero(`br_if.${name}`)) continue;
  const not = NEGATE[short] && type.startsWith('i') ? `br_if.${type}.${NEGATE[short]}` : `br_unless.${name}`;
  FUSED.set(coreOp(name), { when: coreOp(`br_if.${name}`), unless: coreOp(not), constant: false });
  if (coreOpOrZero(`${name}.k`)) FUSED.set(coreOp(`${name}.k`), { when: coreOp(`br_if.${name}.k`), unless: coreOp(`${not}.k`), constant: true });
}

const C = {
  br: coreOp('br'), brIf: coreOp('br_if'), brUnless: coreOp('br_unless'), brTable: coreOp('br_table'),
  eqz32: coreOp('i32.eqz'), eqz64: coreOp('i64.eqz'), eq64: coreOp('br_if.i64.eq.k'), ne64: coreOp('br_if.i64.ne.k'),
  move32: coreOp('move32'), move64: coreOp('move64'), moveRef: coreOp('move.ref'), const32: coreOp('const32'), const64: coreOp('const64'),
  select32: coreOp('select32'), select64: coreOp('select64'), selectRef: coreOp('select.ref'),
  return0: coreOp('return0'), return32: coreOp('return32'), return64: coreOp('return64'),
  callLazy: coreOp('call.lazy'), callImport: coreOp('call.import'), callIndirect: coreOp('call_indirect'), unreachable: coreOp('unreachable'),
  get32: coreOp('global.get32'), get64: coreOp('global.get64'), set32: coreOp('global.set32'), set64: coreOp('global.set64'),
  getCell: coreOp('global.get.cell'), setCell: coreOp('global.set.cell'),
  refNull: coreOp('ref.null'), refIsNull: coreOp('ref.is_null'), refFunc: coreOp('ref.func'),
  tableGet: coreOp('table.get'), tableSet: coreOp('table.set'), tableSize: coreOp('table.size'), tableGrow: coreOp('table.grow'),
  tableFill: coreOp('table.fill'), tableCopy: coreOp('table.copy'), tableInit: coreOp('table.init'), elemDrop: coreOp('elem.drop'),
  memorySize: coreOp('memory.size'), memoryGrow: coreOp('memory.grow'), memoryInit: coreOp('memory.init'), memoryCopy: coreOp('memory.copy'),
  memoryFill: coreOp('memory.fill'), dataDrop: coreOp('data.drop'),
  store: { 0x36: coreOp('i32.store.k'), 0x3a: coreOp('i32.store8.k'), 0x3b: coreOp('i32.store16.k') } as { readonly [op: number]: number },
} as const;

// ---- one function ----------------------------------------------------------------------------------------------

interface Label {
  readonly kind: 'func' | 'block' | 'loop' | 'if';
  /** of the operand stack below the block's parameters */
  readonly height: number;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
  /** position of a loop's first instruction */
  readonly start: number;
  /** pairs of (instruction, word to fill with the distance) that branch to the end */
  readonly patches: number[];
  /** the same pair for the branch of `if` to its else, or to its end */
  otherwise: readonly [number, number] | undefined;
}

/** A condition taken from the stack: the branch word pair, still to be emitted. */
interface Condition { readonly when: number; readonly unless: number; readonly slot: number; readonly operand: number | undefined }

class Lowering {
  #out = new Int32Array(256);
  #n = 0;
  readonly #type: FuncType;
  readonly #locals: ValType[];
  // the operand stack: type, where, and local index or constant bits
  readonly #types: ValType[] = [];
  readonly #where: number[] = [];
  readonly #lo: number[] = [];
  readonly #hi: number[] = [];
  #height = 0;
  #highest = 0;
  readonly #labels: Label[] = [];
  /** the last instruction, where it did nothing but write the topmost operand's own slot; else -1 */
  #last = -1;
  #offset = 0;

  constructor(readonly code: ModuleCode, readonly index: number, readonly pairs: number[] | undefined) {
    const { module } = code;
    this.#type = module.types[module.funcs[index]];
    this.#locals = [...this.#type.params];
    for (const { count, type } of module.codes[index - module.imported.func].locals) {
      if (this.#locals.length + count > MAX_FRAME) this.#tooBig(this.#locals.length + count);
      for (let i = 0; i < count; i++) this.#locals.push(type);
    }
  }

  run(): Int32Array {
    const { module } = this.code;
    const body = module.codes[this.index - module.imported.func];
    const instr = new InstrReader(module.bytes, body.start, body.end);
    this.#offset = body.start;
    this.#emit(0, this.#type.params.length, this.#locals.length);
    this.#locals.forEach((type, i) => {
      if (i >= this.#type.params.length && isReference(type)) this.#emit(C.refNull | i << 12);
    });
    this.#labels.push({ kind: 'func', height: 0, params: [], results: this.#type.results, start: 0, patches: [], otherwise: undefined });
    /** blocks opened in code that nobody reaches */
    let skipped = 0;
    let dead = false;
    while (instr.pos < instr.end) {
      instr.next();
      this.#offset = instr.offset;
      const { op } = instr;
      if (dead) {
        if (op >= 0x02 && op <= 0x04) skipped++;
        else if (skipped > 0) {
          if (op === 0x0b) skipped--;
        } else if (op === 0x0b) {
          this.#end(true);
          dead = this.#labels.length > 0 && this.#deadAfterEnd;
        } else if (op === 0x05) {
          this.#else(true);
          dead = false;
        }
        continue;
      }
      dead = this.#instruction(instr);
    }
    const frame = Math.max(this.#locals.length + this.#highest, this.#type.results.length) + 1;
    if (frame > MAX_FRAME) this.#tooBig(frame);
    this.#out[0] = frame;
    return this.#out.slice(0, this.#n);
  }

  #deadAfterEnd = false;

  #tooBig(slots: number): never {
    throw new ExhaustedError('call stack exhausted', `function ${this.index} needs ${slots} slots, a frame has ${MAX_FRAME} at most`);
  }

  /** @returns whether what follows cannot be reached */
  #instruction(instr: InstrReader): boolean {
    const { op, a, b } = instr;
    // labels are opcodes of opcodes.ts: literals make one jump table
    switch (op) {
      case 0x00: this.#emit(C.unreachable); return true;
      case 0x01: return false;
      case 0x02: case 0x03: case 0x04: this.#block(op, a, b); return false;
      case 0x05: this.#else(false); return false;
      case 0x0b: this.#end(false); return this.#labels.length > 0 && this.#deadAfterEnd;
      case 0x0c: this.#branch(this.#label(a)); return true;
      case 0x0d: this.#branchIf(this.#label(a)); return false;
      case 0x0e: this.#branchTable(instr.labels, a); return true;
      case 0x0f: this.#emitReturn(); return true;
      case 0x10: this.#call(a); return false;
      case 0x11: this.#callIndirect(a, b); return false;
      case 0x1a: this.#pop(); return false;
      case 0x1b: case 0x1c: this.#select(); return false;
      case 0x20: this.#push(this.#locals[a], LOCAL, a, 0); return false;
      case 0x21: this.#setLocal(a, false); return false;
      case 0x22: this.#setLocal(a, true); return false;
      case 0x23: this.#getGlobal(a); return false;
      case 0x24: this.#setGlobal(a); return false;
      case 0x25: this.#produce(C.tableGet, this.#tableType(a), this.#popSlot(), a); return false;
      case 0x26: this.#operands(2, C.tableSet, a); return false;
      case 0x3f: this.#produce(C.memorySize, I32); return false;
      case 0x40: this.#produce(C.memoryGrow, I32, this.#popSlot()); return false;
      case 0x41: this.#push(I32, CONST, a, 0); return false;
      case 0x42: this.#push(I64, CONST, a, b); return false;
      case 0x43: this.#push(F32, CONST, a, 0); return false;
      case 0x44: this.#push(F64, CONST, a, b); return false;
      case 0xbc: this.#types[this.#height - 1] = I32; return false;
      case 0xbd: this.#types[this.#height - 1] = I64; return false;
      case 0xbe: this.#types[this.#height - 1] = F32; return false;
      case 0xbf: this.#types[this.#height - 1] = F64; return false;
      case 0xd0: this.#produce(C.refNull, a); return false;
      case 0xd1: this.#produce(C.refIsNull, I32, this.#popSlot()); return false;
      case 0xd2: this.#produce(C.refFunc, FUNCREF, a); return false;
      case 0xfc08: this.#operands(3, C.memoryInit, a); return false;
      case 0xfc09: this.#emit(C.dataDrop, a); return false;
      case 0xfc0a: this.#operands(3, C.memoryCopy); return false;
      case 0xfc0b: this.#operands(3, C.memoryFill); return false;
      case 0xfc0c: this.#operands(3, C.tableInit, b, a); return false;
      case 0xfc0d: this.#emit(C.elemDrop, a); return false;
      case 0xfc0e: this.#operands(3, C.tableCopy, a, b); return false;
      case 0xfc0f: this.#tableGrow(a); return false;
      case 0xfc10: this.#produce(C.tableSize, I32, a); return false;
      case 0xfc11: this.#operands(3, C.tableFill, a); return false;
    }
    const simple = SIMPLE[instr.row];
    if (simple) this.#simple(simple);
    else if (ACCESS[instr.row] !== 0) this.#access(op, ACCESS[instr.row], a);
    else throw new Error(`bug: ${mnemonicOf(op)} passed validation and has no lowering`);
    return false;
  }

  // ---- output

  #emit(w0: number, w1?: number, w2?: number, w3?: number): number {
    const at = this.#n;
    if (at + 4 > this.#out.length) this.#grow();
    this.pairs?.push(at, this.#offset);
    this.#out[at] = w0;
    this.#n = at + 1;
    if (w1 !== undefined) this.#out[this.#n++] = w1;
    if (w2 !== undefined) this.#out[this.#n++] = w2;
    if (w3 !== undefined) this.#out[this.#n++] = w3;
    this.#last = -1;
    return at;
  }

  #word(word: number): void {
    if (this.#n === this.#out.length) this.#grow();
    this.#out[this.#n++] = word;
  }

  #grow(): void {
    const grown = new Int32Array(2 * this.#out.length);
    grown.set(this.#out);
    this.#out = grown;
  }

  /** Emits an instruction whose result is a new operand in its own slot. */
  #produce(op: number, type: ValType, w1?: number, w2?: number): void {
    const at = this.#emit(op | this.#slot(this.#height) << 12, w1, w2);
    this.#push(type, OWN, 0, 0);
    this.#last = at;
  }

  // ---- operands

  #slot(height: number): number {
    return this.#locals.length + height;
  }

  #push(type: ValType, where: number, lo: number, hi: number): void {
    const h = this.#height++;
    this.#types[h] = type;
    this.#where[h] = where;
    this.#lo[h] = lo;
    this.#hi[h] = hi;
    if (h >= this.#highest) this.#highest = h + 1;
    this.#last = -1;
  }

  #pop(): number {
    return --this.#height;
  }

  /** The slot in which operand `h` is; a constant is written to its own first. */
  #slotOf(h: number): number {
    if (this.#where[h] === LOCAL) return this.#lo[h];
    if (this.#where[h] === CONST) this.#settle(h);
    return this.#slot(h);
  }

  #popSlot(): number {
    return this.#slotOf(this.#pop());
  }

  /** Writes operand `h` to `slot`, without changing where it is taken to be. */
  #copy(h: number, slot: number): void {
    const type = this.#types[h];
    const wide = type === I64 || type === F64;
    if (this.#where[h] === CONST) {
      if (wide) this.#emit(C.const64 | slot << 12, this.#lo[h], this.#hi[h]);
      else this.#emit(C.const32 | slot << 12, this.#lo[h]);
      return;
    }
    const from = this.#where[h] === LOCAL ? this.#lo[h] : this.#slot(h);
    if (from !== slot) this.#emit((isReference(type) ? C.moveRef : wide ? C.move64 : C.move32) | slot << 12, from);
  }

  /** Makes operand `h` be in its own slot. */
  #settle(h: number): void {
    if (this.#where[h] === OWN) return;
    this.#copy(h, this.#slot(h));
    this.#where[h] = OWN;
  }

  #settleFrom(height: number): void {
    for (let h = height; h < this.#height; h++) this.#settle(h);
  }

  /** `n` operands in consecutive slots, for an instruction without result. */
  #operands(n: number, op: number, w1?: number, w2?: number): void {
    this.#settleFrom(this.#height - n);
    this.#height -= n;
    this.#emit(op | this.#slot(this.#height) << 12, w1, w2);
  }

  // ---- computing

  #simple(row: SimpleRow): void {
    if (row.operands === 1) {
      this.#produce(row.op, row.result, this.#popSlot());
      return;
    }
    let b = this.#pop(), a = this.#pop();
    let { op, withConstant } = row;
    if (this.#where[a] === CONST && this.#where[b] !== CONST && row.swappedConstant !== 0) {
      [a, b] = [b, a];
      op = row.swapped;
      withConstant = row.swappedConstant;
    }
    if (this.#where[b] === CONST && withConstant !== 0) {
      const slot = this.#slotOf(a);
      this.#produce(withConstant, row.result, slot, row.type === I32 ? this.#lo[b] : this.code.constant(this.#lo[b], this.#hi[b]));
      return;
    }
    const first = this.#slotOf(a), second = this.#slotOf(b);
    this.#produce(op, row.result, first | second << 16);
  }

  #access(op: number, core: number, offset: number): void {
    if (op < 0x36) {
      this.#produce(core, op === 0x28 || (op >= 0x2c && op <= 0x2f) ? I32 : op === 0x2a ? F32 : op === 0x2b ? F64 : I64, this.#popSlot(), offset | 0);
      return;
    }
    const value = this.#pop();
    const address = this.#slotOf(this.#pop());
    if (this.#where[value] === CONST && C.store[op]) this.#emit(C.store[op] | address << 12, offset | 0, this.#lo[value]);
    else this.#emit(core | address << 12, this.#slotOf(value), offset | 0);
  }

  #select(): void {
    const condition = this.#popSlot();
    const b = this.#popSlot();
    const h = this.#pop();
    const type = this.#types[h];
    const a = this.#slotOf(h);
    this.#produce(isReference(type) ? C.selectRef : type === I64 || type === F64 ? C.select64 : C.select32, type, a | b << 16, condition);
  }

  #setLocal(index: number, keep: boolean): void {
    const top = this.#height - 1;
    const last = this.#last;
    let aliased = false;
    for (let h = 0; h < top; h++) {
      if (this.#where[h] === LOCAL && this.#lo[h] === index) {
        this.#settle(h);
        aliased = true;
      }
    }
    if (!aliased && last >= 0 && this.#where[top] === OWN) {
      this.#out[last] = (this.#out[last] & 0xfff) | index << 12;
      this.#last = -1;
      this.#where[top] = LOCAL;
      this.#lo[top] = index;
    } else {
      this.#copy(top, index);
    }
    if (!keep) this.#pop();
  }

  #getGlobal(index: number): void {
    const { module } = this.code;
    const { type } = module.globals[index].type;
    if (index < module.imported.global || isReference(type)) this.#produce(C.getCell, type, index);
    else this.#produce(type === I64 || type === F64 ? C.get64 : C.get32, type, 2 * index);
  }

  #setGlobal(index: number): void {
    const { module } = this.code;
    const { type } = module.globals[index].type;
    const slot = this.#popSlot();
    if (index < module.imported.global || isReference(type)) this.#emit(C.setCell | slot << 12, index);
    else this.#emit((type === I64 || type === F64 ? C.set64 : C.set32) | slot << 12, 2 * index);
  }

  #tableType(index: number): ValType {
    return this.code.module.tables[index].type.elem === EXTERNREF ? EXTERNREF : FUNCREF;
  }

  #tableGrow(table: number): void {
    this.#settleFrom(this.#height - 2);
    this.#height -= 2;
    this.#produce(C.tableGrow, I32, this.#slot(this.#height), table);
  }

  // ---- calls

  #call(index: number): void {
    const { module } = this.code;
    const type = module.types[module.funcs[index]];
    const first = this.#height - type.params.length;
    this.#settleFrom(first);
    this.#height = first;
    this.#emit((index < module.imported.func ? C.callImport : C.callLazy) | this.#slot(first) << 12, index);
    for (const result of type.results) this.#push(result, OWN, 0, 0);
  }

  #callIndirect(typeIndex: number, table: number): void {
    const type = this.code.module.types[typeIndex];
    const element = this.#pop();
    const first = this.#height - type.params.length;
    this.#settleFrom(first);
    const slot = this.#slotOf(element);
    this.#height = first;
    this.#emit(C.callIndirect | this.#slot(first) << 12, slot, this.code.typeIds[typeIndex], table);
    for (const result of type.results) this.#push(result, OWN, 0, 0);
  }

  // ---- control

  #label(depth: number): Label {
    return this.#labels[this.#labels.length - 1 - depth];
  }

  #block(op: number, typeIndex: number, valType: ValType): void {
    const type = typeIndex < 0 ? undefined : this.code.module.types[typeIndex];
    const params = type ? type.params : [];
    const results = type ? type.results : valType === 0 ? [] : [valType];
    const condition = op === 0x04 ? this.#condition() : undefined;
    this.#settleFrom(0);
    this.#last = -1;
    const otherwise = condition && this.#emitBranch(condition, false);
    this.#labels.push({
      kind: op === 0x02 ? 'block' : op === 0x03 ? 'loop' : 'if', height: this.#height - params.length, params, results,
      start: this.#n, patches: [], otherwise,
    });
  }

  #else(dead: boolean): void {
    const label = this.#label(0);
    if (!dead) {
      this.#settleFrom(label.height);
      const at = this.#emit(C.br, 0);
      label.patches.push(at, at + 1);
    }
    const [at, word] = label.otherwise!;
    this.#out[word] = this.#n - at;
    label.otherwise = undefined;
    this.#reset(label, label.params);
  }

  /** @param dead whether the end cannot be reached by falling through */
  #end(dead: boolean): void {
    const label = this.#labels.pop()!;
    if (label.kind === 'func') {
      if (!dead) this.#emitReturn();
      return;
    }
    if (!dead) this.#settleFrom(label.height);
    if (label.otherwise) {
      // an `if` without else: its parameters are its results
      const [at, word] = label.otherwise;
      this.#out[word] = this.#n - at;
    }
    for (let i = 0; i < label.patches.length; i += 2) this.#out[label.patches[i + 1]] = this.#n - label.patches[i];
    this.#deadAfterEnd = dead && label.otherwise === undefined && label.patches.length === 0;
    this.#reset(label, label.results);
  }

  /** The operand stack as it is at a label: what stands below, and `types` in their own slots. */
  #reset(label: Label, types: readonly ValType[]): void {
    this.#height = label.height;
    for (const type of types) this.#push(type, OWN, 0, 0);
    this.#last = -1;
  }

  #arity(label: Label): number {
    return (label.kind === 'loop' ? label.params : label.results).length;
  }

  #target(label: Label, at: number, word: number): void {
    if (label.kind === 'loop') this.#out[word] = label.start - at;
    else label.patches.push(at, word);
  }

  /** Goes to a label with the topmost operands; leaves the operand stack as it is. */
  #branch(label: Label): void {
    if (label.kind === 'func') {
      this.#emitReturn();
      return;
    }
    const n = this.#arity(label);
    for (let i = 0; i < n; i++) this.#copy(this.#height - n + i, this.#slot(label.height + i));
    const at = this.#emit(C.br, 0);
    this.#target(label, at, at + 1);
  }

  #branchIf(label: Label): void {
    const condition = this.#condition();
    const n = this.#arity(label);
    if (label.kind !== 'func' && (n === 0 || this.#height - n === label.height)) {
      this.#settleFrom(this.#height - n);
      this.#target(label, ...this.#emitBranch(condition, true));
    } else {
      const [at, word] = this.#emitBranch(condition, false);
      this.#branch(label);
      this.#out[word] = this.#n - at;
    }
    this.#last = -1;
  }

  #branchTable(labels: Int32Array, n: number): void {
    const slot = this.#popSlot();
    this.#settleFrom(this.#height - this.#arity(this.#label(labels[n])));
    const at = this.#emit(C.brTable | slot << 12, n);
    for (let i = 0; i <= n; i++) this.#word(0);
    const detours = new Map<Label, number>();
    for (let i = 0; i <= n; i++) {
      const label = this.#label(labels[i]);
      const arity = this.#arity(label);
      const word = at + 2 + i;
      if (label.kind !== 'func' && (arity === 0 || this.#height - arity === label.height)) {
        this.#target(label, at, word);
        continue;
      }
      let detour = detours.get(label);
      if (detour === undefined) {
        detours.set(label, detour = this.#n);
        this.#branch(label);
      }
      this.#out[word] = detour - at;
    }
  }

  /** Results go to the frame's first slots. Leaves the operand stack as it is. */
  #emitReturn(): void {
    const { results } = this.#type;
    const n = results.length;
    const first = this.#height - n;
    if (n === 1 && !isReference(results[0])) {
      const slot = this.#where[first] === LOCAL ? this.#lo[first] : this.#slot(first);
      if (this.#where[first] === CONST) this.#copy(first, slot);
      this.#emit((results[0] === I64 || results[0] === F64 ? C.return64 : C.return32) | slot << 12);
      return;
    }
    // first to their own slots, as the frame's first slots may be locals that are among them
    for (let i = 0; i < n; i++) this.#copy(first + i, this.#slot(first + i));
    for (let i = 0; i < n; i++) {
      const type = results[i], from = this.#slot(first + i);
      if (from !== i) this.#emit((isReference(type) ? C.moveRef : type === I64 || type === F64 ? C.move64 : C.move32) | i << 12, from);
    }
    this.#emit(C.return0);
  }

  // ---- conditions

  /** Takes the topmost operand as a condition; a comparison that was just made for it is taken back. */
  #condition(): Condition {
    const last = this.#last;
    const h = this.#pop();
    if (last >= 0 && this.#where[h] === OWN) {
      const op = this.#out[last] & 0xfff;
      const w1 = this.#out[last + 1], w2 = this.#out[last + 2];
      const fused = FUSED.get(op);
      if (fused) {
        this.#takeBack(last);
        return fused.constant
          ? { when: fused.when, unless: fused.unless, slot: w1, operand: w2 }
          : { when: fused.when, unless: fused.unless, slot: w1 & 0xffff, operand: w1 >>> 16 };
      }
      if (op === C.eqz32) {
        this.#takeBack(last);
        return { when: C.brUnless, unless: C.brIf, slot: w1, operand: undefined };
      }
      if (op === C.eqz64) {
        this.#takeBack(last);
        return { when: C.eq64, unless: C.ne64, slot: w1, operand: this.code.constant(0, 0) };
      }
    }
    return { when: C.brIf, unless: C.brUnless, slot: this.#slotOf(h), operand: undefined };
  }

  #takeBack(last: number): void {
    this.#n = last;
    this.#last = -1;
    const { pairs } = this;
    while (pairs && pairs.length > 0 && pairs[pairs.length - 2] >= last) pairs.length -= 2;
  }

  /** @returns the instruction, and its word for the distance */
  #emitBranch(condition: Condition, when: boolean): readonly [number, number] {
    const w0 = (when ? condition.when : condition.unless) | condition.slot << 12;
    const at = condition.operand === undefined ? this.#emit(w0, 0) : this.#emit(w0, condition.operand, 0);
    return [at, this.#n - 1];
  }
}
