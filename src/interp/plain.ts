/**
 * From the fast code of a function to its plain code and back. In plain code every operand is in its own slot before each
 * instruction, and each begins with `step` (lower.ts); in fast code that is so only at certain positions: at the beginning of a
 * function, at the header of a loop, before and behind a call, but for operands that are still locals or constants there.
 */
import type { ModuleCode } from './code.js';
import { FILES, type Machine } from './files.js';
import { HEADER, observeFunction } from './lower.js';
import { LOCAL, OWN, type Observe, type OperandStack } from './lower-stack.js';
import { F64, I64, V128, isRef, type ValType } from './types.js';

const { I32: R32, L32, S32 } = FILES;

/** An operand of the fast code that is not in its slot: a copy of local `lo`, or a constant of these bits. */
interface Elsewhere { readonly slot: number; readonly type: ValType; readonly isLocal: boolean; readonly lo: number; readonly hi: number }

/** A position in fast code at which a frame can change. */
interface Place {
  readonly pc: number;
  readonly elsewhere: readonly Elsewhere[];
  /** behind a call: operands that the call itself had elsewhere, where it is to be made again */
  readonly ofCall: readonly Elsewhere[];
}
export interface Target extends Omit<Place, 'pc'> { /** position in plain code */ readonly pc: number }

export class PlainFunction {
  readonly #toPlain = new Map<number, Target>();
  readonly #toFast = new Map<number, number>();
  /** byte of an instruction -> position of its `step`; byte of a call -> position behind it */
  readonly #at = new Map<number, number>();
  readonly #behind = new Map<number, number>();
  /** position of the first instruction; undefined where there is none */
  readonly first: number | undefined;

  constructor(code: ModuleCode, index: number) {
    const entry = code.plainEntry(index);
    const plain: number[] = [entry + HEADER];
    let before = 0;
    observeFunction(code, index, true, (what, { n, offset }) => {
      if (what === 'instruction') this.#at.set(offset, before = entry + n);
      else plain.push(what === 'call' ? before : entry + n);
      if (what === 'called') this.#behind.set(offset, entry + n);
    });
    this.first = this.#at.values().next().value;
    this.#link(code, index, plain);
  }

  /** The same places come in the same order in both codes. Where there are several at one position, nothing happens between them. */
  #link(code: ModuleCode, index: number, plain: readonly number[]): void {
    const entry = code.entry(index);
    let next = 0;
    let ofCall: readonly Elsewhere[] = [];
    const add = (pc: number, elsewhere: readonly Elsewhere[], back: boolean): void => {
      const target = { pc: plain[next++], elsewhere, ofCall };
      if (!this.#toPlain.has(pc)) this.#toPlain.set(pc, target);
      if (back && elsewhere.length === 0 && !this.#toFast.has(target.pc)) this.#toFast.set(target.pc, pc);
      ofCall = [];
    };
    add(entry + HEADER, [], true);
    observeFunction(code, index, false, (what, stack, height) => {
      const elsewhere = elsewhereIn(stack, height);
      add(entry + stack.n, elsewhere, what !== 'call');
      if (what === 'call') ofCall = elsewhere;
    });
    if (next !== plain.length) throw new Error(`bug: function ${index} has ${next} places in one code and ${plain.length} in the other`);
  }

  /** Where a frame goes on in plain code that is at `pc` in fast code; undefined where it cannot change. */
  toPlain(pc: number): Target | undefined {
    return this.#toPlain.get(pc);
  }

  /** The other way round. Not where operands may be in other slots, or the position is reached from elsewhere. */
  toFast(pc: number): number | undefined {
    return this.#toFast.get(pc);
  }

  /** Position of the instruction at that byte of the module; undefined where none begins, or none that can be reached. */
  at(offset: number): number | undefined {
    return this.#at.get(offset);
  }

  /** Position behind the call at that byte. */
  behind(offset: number): number | undefined {
    return this.#behind.get(offset);
  }
}

function elsewhereIn(stack: OperandStack, height: number): readonly Elsewhere[] {
  const found: Elsewhere[] = [];
  for (let h = stack.firm; h < height; h++) {
    if (stack.where[h] !== OWN) found.push({ slot: stack.slot(h), type: stack.types[h], isLocal: stack.where[h] === LOCAL, lo: stack.lo[h], hi: stack.hi[h] });
  }
  return found;
}

/** Writes operands to their slots of the frame at `fp`. */
export function settle(m: Machine, fp: number, operands: readonly Elsewhere[]): void {
  for (const { slot, type, isLocal, lo, hi } of operands) {
    const to = fp + slot, from = fp + lo;
    if (!isLocal) {
      R32[to] = lo;
      L32[2 * to] = lo;
      L32[2 * to + 1] = hi;
    } else if (isRef(type)) {
      m.setRef(to, m.getRef(from));
    } else if (type === V128) {
      S32.copyWithin(4 * to, 4 * from, 4 * from + 4);
    } else if (type === I64 || type === F64) {
      L32[2 * to] = L32[2 * from];
      L32[2 * to + 1] = L32[2 * from + 1];
    } else {
      R32[to] = R32[from];
    }
  }
}

const known = new WeakMap<ModuleCode, Map<number, PlainFunction>>();

export function plainFunction(code: ModuleCode, index: number): PlainFunction {
  let functions = known.get(code);
  if (!functions) known.set(code, functions = new Map());
  let found = functions.get(index);
  if (!found) functions.set(index, found = new PlainFunction(code, index));
  return found;
}

/** Types of a function's locals, and of the operands that are on its stack at one place. */
export interface Slots { readonly locals: readonly ValType[]; readonly operands: readonly ValType[] }

/**
 * @param offset byte of an instruction
 * @param behind false: before it, with its operands; true: it is a call that has not returned, and below its arguments
 * @returns undefined where there is no such place
 */
export function slotsAt(code: ModuleCode, index: number, offset: number, behind: boolean): Slots | undefined {
  let found: Slots | undefined;
  const wanted: Parameters<Observe>[0] = behind ? 'called' : 'instruction';
  observeFunction(code, index, true, (what, stack, height) => {
    if (what === wanted && stack.offset === offset) found = { locals: stack.locals, operands: stack.types.slice(0, height) };
  });
  return found;
}
