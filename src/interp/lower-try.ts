/**
 * Lowering of what catches exceptions: `try_table`, and `try`, `catch` and `delegate` of the first encoding. Code that is run
 * when nothing is thrown has no trace of them, but for a branch over the landing pads of a `try_table`.
 */
import type { InstrReader } from './instr.js';
import { ControlStack } from './lower-control.js';
import { OWN } from './lower-stack.js';
import { C } from './lower-table.js';
import { EXNREF, type ValType } from './types.js';

export class TryStack extends ControlStack {
  tryTable({ a: typeIndex, b: valType, c: count, catches }: InstrReader): void {
    const { types } = this.code.module;
    const type = typeIndex < 0 ? undefined : types[typeIndex];
    const params = type ? type.params : [];
    this.settleFrom(0);
    const below = this.height - params.length;
    const over = count > 0 ? this.emit(C.br, 0) : -1;
    const pads = Array.from({ length: count }, (_, i) => {
      const [kind, tag, label] = catches.subarray(3 * i, 3 * i + 3);
      const carried = this.#carried(tag);
      this.#stack(below, kind % 2 === 1 ? [...carried, EXNREF] : carried);
      const target = this.n;
      this.branch(this.label(label));
      return { tag, slot: this.slot(below), exception: kind % 2 === 1 ? this.slot(below + carried.length) : -1, target };
    });
    if (over >= 0) this.out[over + 1] = this.n - over;
    this.#stack(below, params);
    this.open('try_table', params, type ? type.results : valType === 0 ? [] : [valType]);
    this.handlers[this.handlers.length - 1].clauses.push(...pads);
  }

  /** @param tag or -1 for any. @param dead whether the part before cannot be left by falling through */
  legacyCatch(tag: number, dead: boolean): void {
    const label = this.label(0);
    if (!dead) this.branch(label);
    const handler = this.handlers[label.handler];
    if (this.active === label.handler) {
      handler.end = this.n;
      this.active = label.active = handler.next;
    }
    // the exception stays below what it carries, for rethrow
    this.#stack(label.height, [EXNREF, ...this.#carried(tag)]);
    handler.clauses.push({ tag, slot: this.slot(label.height + 1), exception: this.slot(label.height), target: this.n });
  }

  delegate(depth: number, dead: boolean): void {
    const outer = this.label(depth + 1);
    const handler = this.handlers[this.label(0).handler];
    this.end(dead);
    handler.next = outer.active;
  }

  #carried(tag: number): readonly ValType[] {
    const { module } = this.code;
    return tag < 0 ? [] : module.types[module.tags[tag]].params;
  }

  /** Operands in their own slots from `height` on. */
  #stack(height: number, types: readonly ValType[]): void {
    this.height = height;
    for (const type of types) this.push(type, OWN, 0, 0);
  }
}
