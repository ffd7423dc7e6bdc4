/**
 * The operand stack of the compiler to JavaScript. An operand is an expression that is still to be evaluated, or has a home: a
 * variable for i32 and f64, its slot of the frame for i64 and f32. Keeps the order of effects: what may trap, or reads what a
 * statement writes, gets its home before that statement. Knows no instruction.
 *
 *   type   home of operand h        home of local n
 *   i32    variable s{h}            variable l{n}
 *   f64    variable t{h}            variable l{n}
 *   i64    I64[fp + slot]           I64[fp + n]      and temporaries in straight-line code (temporaries.ts)
 *   f32    F32[fp + slot], bits     F32[fp + n]      a number does not keep the bits of a signalling NaN
 *          I32[fp + slot]
 *   v128   four variables, and what vector-forms.ts tells
 *   refs   variable r{h}           variable l{n}
 */
import { F32, F64, I32, I64, V128, type ValType } from '../types.js';
import { anyForm, assignLanes, detachVector, settleVector, slotLane, vectorHome, vectorLocal, vectorToSlot, type Lanes, type Wishes } from './vector-forms.js';
import { Temporaries } from './temporaries.js';

/** May trap, or reads memory; reads a global. */
export const TRAPS = 1, GLOBAL = 2;
/** Expressions deeper than this get a home: V8 parses by recursion. */
const MAX_DEPTH = 20;
/** Marks in the text where the byte of the module that the next line is for is given. */
export const MARK = '\u0001', MARK_END = '\u0002';

export interface Operand {
  readonly type: ValType;
  /** an i32 in the range of i32; an f32 as a number; an i64 that may be too wide unless `exact` */
  readonly text: string;
  /** of an f32: an i32 expression for its bits; undefined for the result of a computation */
  readonly bits: string | undefined;
  /** of an i32 that is 0 or 1: what JavaScript takes as a condition */
  readonly condition: string | undefined;
  readonly flags: number;
  /** locals that it reads */
  readonly locals: readonly number[];
  /** it is in its home */
  readonly own: boolean;
  /** the local whose value it is, or -1 */
  readonly local: number;
  readonly exact: boolean;
  /** of a constant its value, of a float its bits */
  readonly constant: number | bigint | undefined;
  readonly depth: number;
  /** the highest operand whose home it reads; none where undefined */
  readonly reach?: number | undefined;
  /** of a v128: it has no `text` */
  readonly lanes?: Lanes | undefined;
  /** the highest temporary that it reads; it is that where its depth is 0; none where undefined */
  readonly temporary?: number | undefined;
}

export const NO_LOCALS: readonly number[] = [];

/** An expression made of operands. */
export function combine(type: ValType, text: string, of: readonly Operand[], more: Partial<Operand> = {}): Operand {
  let flags = 0, depth = 0, locals = NO_LOCALS, reach: number | undefined, temporary: number | undefined;
  for (const one of of) {
    flags |= one.flags;
    depth = Math.max(depth, one.depth);
    if (one.reach !== undefined) reach = Math.max(reach ?? 0, one.reach);
    if (one.temporary !== undefined) temporary = Math.max(temporary ?? 0, one.temporary);
    locals = locals.length === 0 ? one.locals : one.locals.length === 0 ? locals : [...locals, ...one.locals];
  }
  return { type, text, bits: undefined, condition: undefined, flags, locals, own: false, local: -1, exact: true, constant: undefined, depth: depth + 1, reach, temporary, ...more };
}

export class JsStack {
  readonly out: string[] = [];
  readonly stack: Operand[] = [];
  /** variables that are used */
  readonly variables = new Set<string>();
  readonly temporaries = new Temporaries(this);
  /** locals in words whose floats are at hand too, until the next label */
  readonly floatsOf = new Map<number, readonly string[]>();

  constructor(readonly locals: readonly ValType[], readonly wishes: Wishes) {}

  get height(): number {
    return this.stack.length;
  }

  slot(h: number): number {
    return this.locals.length + h;
  }

  line(text: string): void {
    this.out.push(text, '\n');
  }

  push(operand: Operand): void {
    this.stack.push(operand);
    const h = this.stack.length - 1;
    // what reads a home above its own place would read what the next operand there writes
    if (operand.depth > MAX_DEPTH || operand.reach !== undefined && operand.reach > h) this.keep(h);
  }

  pop(): Operand {
    return this.stack.pop()!;
  }

  // ---- homes

  /** Operand `h` in its home. */
  ownOf(type: ValType, h: number): Operand {
    const at = `[fp + ${this.slot(h)}]`;
    const base = { type, condition: undefined, flags: 0, locals: NO_LOCALS, own: true, local: -1, exact: true, constant: undefined, depth: 0, reach: h };
    switch (type) {
      case I32: return { ...base, text: this.variable(`s${h}`), bits: undefined };
      case F64: return { ...base, text: this.variable(`t${h}`), bits: undefined };
      case F32: return { ...base, text: `F32${at}`, bits: `I32${at}` };
      case I64: return { ...base, text: `I64${at}`, bits: undefined };
      case V128: return vectorHome(this, h);
      default: return { ...base, text: this.variable(`r${h}`), bits: undefined };
    }
  }

  /** What the local holds now. */
  get(n: number): Operand {
    const slot = this.localOf(n);
    return slot.type === I64 ? this.temporaries.get(n, slot) : slot;
  }

  set(n: number, value: Operand): void {
    this.order(value);
    if (value.type === I64) return this.temporaries.set(n, value);
    this.flushLocal(n);
    if (value.local !== n) this.line(this.assign(value, this.localOf(n)));
  }

  /** Home of a local. */
  localOf(n: number): Operand {
    const type = this.locals[n];
    const at = `[fp + ${n}]`;
    if (type === V128) return vectorLocal(this, n);
    const text = type === I64 ? `I64${at}` : type === F32 ? `F32${at}` : `l${n}`, bits = type === F32 ? `I32${at}` : undefined;
    // spelled out: the emitter is cold code, in which copying an object takes long
    return { type, condition: undefined, flags: 0, locals: [n], own: false, local: type === I64 ? -1 : n, exact: true, constant: undefined, depth: 0, text, bits };
  }

  variable(name: string): string {
    this.variables.add(name);
    return name;
  }

  /** The statement that puts an operand into a home. */
  assign(operand: Operand, home: Operand): string {
    if (operand.lanes) return assignLanes(home.lanes!.words!, operand.lanes.words!);
    return operand.type === F32 && operand.bits !== undefined ? `${home.bits} = ${operand.bits};` : `${home.text} = ${operand.text};`;
  }

  /** The statement that puts an operand into a slot of the frame; nothing where it is there. */
  toSlot(operand: Operand, slot: number): string {
    const { type, text, bits } = operand;
    const at = `[fp + ${slot}]`;
    switch (type) {
      case I32: return `I32${at} = ${text};`;
      case F64: return `F64${at} = ${text};`;
      case I64: return text === `I64${at}` ? '' : `I64${at} = ${text};`;
      case F32: return bits === `I32${at}` ? '' : bits === undefined ? `F32${at} = ${text};` : `I32${at} = ${bits};`;
      case V128: return vectorToSlot(operand, slot);
      default: return `setRef(fp + ${slot}, ${text});`;
    }
  }

  /** The statement that takes a value from a slot of the frame to its home; nothing where it is there. */
  fromSlot(home: Operand, slot: number): string {
    const { type, text, bits } = home;
    const at = `[fp + ${slot}]`;
    switch (type) {
      case I32: return `${text} = I32${at};`;
      case F64: return `${text} = F64${at};`;
      case I64: return text === `I64${at}` ? '' : `${text} = I64${at};`;
      case F32: return bits === `I32${at}` ? '' : `${bits} = I32${at};`;
      case V128: return assignLanes(home.lanes!.words!, [0, 1, 2, 3].map((k) => slotLane('words', slot, k)));
      default: return `${text} = getRef(fp + ${slot});`;
    }
  }

  settle(h: number): void {
    const operand = this.stack[h];
    if (operand.type === V128) return settleVector(this, h);
    if (operand.own) return;
    if (operand.flags & TRAPS) this.flush(TRAPS, h);
    const home = this.ownOf(operand.type, h);
    this.line(this.assign(operand, home));
    this.stack[h] = home;
  }

  /** Operand `h` goes where all its bits can be seen. */
  show(h: number): void {
    if (this.stack[h].lanes) anyForm(this, h);
  }

  /** Operand `h` where nothing changes it: an i64 in a temporary, others at home. */
  keep(h: number): void {
    const operand = this.stack[h];
    if (operand.type !== I64) return this.settle(h);
    if (operand.flags & TRAPS) this.flush(TRAPS, h);
    this.stack[h] = this.temporaries.hold(operand);
  }

  settleFrom(height: number): void {
    for (let h = height; h < this.stack.length; h++) this.settle(h);
  }

  /** Gives a home to the operands below `end` with one of these flags, the deepest first. */
  flush(mask: number, end = this.stack.length): void {
    for (let h = 0; h < end; h++) if (this.stack[h].flags & mask) this.keep(h);
  }

  /** The same to those that read a local which is about to change. */
  flushLocal(n: number): void {
    for (let h = 0; h < this.stack.length; h++) if (this.stack[h].locals.includes(n)) this.stack[h].type === V128 ? detachVector(this, h) : this.keep(h);
  }

  /** Before a statement of an operand that is no longer on the stack: those below come first where order matters. */
  order(operand: Operand): void {
    if (operand.flags & TRAPS) this.flush(TRAPS);
  }

  /** Makes operand `h` one whose text may stand more than once. */
  atom(h: number): void {
    if (!isFixed(this.stack[h])) this.keep(h);
  }

  /** Puts operand `h` where its halves can be read. @returns the slot */
  inSlot(h: number): number {
    this.settle(h);
    return this.slot(h);
  }

  /** The halves of operand `h`, an i64. */
  halves(h: number): readonly [low: string, high: string] {
    const slot = this.inSlot(h);
    return [this.low(slot), this.high(slot)];
  }

  /** Pushes an i64 of two halves. */
  pushHalves(low: string, high: string): void {
    const slot = this.slot(this.height);
    this.line(`${this.low(slot)} = ${low}; ${this.high(slot)} = ${high};`);
    this.push(this.ownOf(I64, this.height));
  }

  low(slot: number): string {
    return `L32[(fp + ${slot}) << 1]`;
  }

  high(slot: number): string {
    return `L32[((fp + ${slot}) << 1) + 1]`;
  }
}

/** Whether its text is short, has no effect, and means the same until a local is set. */
export function isFixed({ own, local, constant, temporary, depth }: Operand): boolean {
  return own || local >= 0 || constant !== undefined || temporary !== undefined && depth === 0;
}

export function condition(operand: Operand): string {
  return operand.condition ?? `${operand.text} !== 0`;
}
