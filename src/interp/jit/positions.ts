/**
 * Where the interpreter is at the calls and loops of one function: positions in its register code by the byte of the module,
 * so that a frame can go from one tier to the other there.
 */
import type { ModuleCode } from '../code.js';
import { HEADER, offsetsOf } from '../lower.js';

export class Positions {
  /** of the function's header */
  readonly entry: number;
  readonly #pairs: Int32Array;
  /** byte of a `loop` -> position of its header, as far as they have been asked for */
  readonly loops = new Map<number, number>();

  /** @throws ExhaustedError where the interpreter refuses the function */
  constructor(code: ModuleCode, index: number) {
    this.entry = code.entry(index);
    this.#pairs = offsetsOf(code, index);
  }

  /** Where the function begins. */
  get start(): number {
    return this.entry + HEADER;
  }

  /** The instruction that comes from the byte; the last where operands are moved for it first. */
  at(offset: number): number {
    return this.entry + this.#pairs[this.#lastUpTo(offset)];
  }

  /** The first of the instructions that come from the byte. */
  first(offset: number): number {
    const pairs = this.#pairs;
    let at = this.#lastUpTo(offset);
    while (at >= 2 && pairs[at - 1] === pairs[at + 1]) at -= 2;
    return this.entry + pairs[at];
  }

  /** The instruction behind that one. */
  after(offset: number): number {
    return this.entry + this.#pairs[this.#lastUpTo(offset) + 2];
  }

  /** The first instruction of the loop whose `loop` is at the byte. */
  loop(offset: number): number {
    const found = this.after(offset);
    this.loops.set(offset, found);
    return found;
  }

  /** Index of the last pair whose byte is not behind `offset`. */
  #lastUpTo(offset: number): number {
    const pairs = this.#pairs;
    let low = 0, high = pairs.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[2 * middle + 1] <= offset) low = middle + 1;
      else high = middle;
    }
    return 2 * (low - 1);
  }
}
