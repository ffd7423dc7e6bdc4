/**
 * Lowering of structured control: labels, branches with what they carry, conditions that become part of a branch.
 */
import type { Handler } from './handlers.js';
import { OperandStack, CONST, FEW, LOCAL, OWN } from './lower-stack.js';
import { C, fusedOf, moveOf } from './lower-table.js';
import { F64, I64, V128, isRef, type ValType } from './types.js';

export interface Label {
  readonly kind: 'func' | 'block' | 'loop' | 'if' | 'try' | 'try_table';
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
  /** of a `try_table` or `try`: index of its handler, else -1 */
  readonly handler: number;
  /** innermost handler of what stands in the block now, or -1 */
  active: number;
}

/** A condition taken from the stack: the branch word pair, still to be emitted. */
interface Condition { readonly when: number; readonly unless: number; readonly slot: number; readonly operand: number | undefined }

export class ControlStack extends OperandStack {
  readonly labels: Label[] = [];
  /** whether what follows the block that has just ended cannot be reached */
  deadAfterEnd = false;
  readonly handlers: Handler[] = [];
  /** index of the innermost handler, or -1 */
  active = -1;

  // ---- control

  label(depth: number): Label {
    return this.labels[this.labels.length - 1 - depth];
  }

  block(op: number, typeIndex: number, valType: ValType): void {
    const type = typeIndex < 0 ? undefined : this.code.module.types[typeIndex];
    const params = type ? type.params : [];
    const results = type ? type.results : valType === 0 ? [] : [valType];
    const condition = op === 0x04 ? this.condition() : undefined;
    this.settleFrom(0);
    this.last = -1;
    const otherwise = condition && this.emitBranch(condition, false);
    this.open(op === 0x02 ? 'block' : op === 0x03 ? 'loop' : op === 0x04 ? 'if' : 'try', params, results, otherwise);
  }

  open(kind: Label['kind'], params: readonly ValType[], results: readonly ValType[], otherwise?: readonly [number, number]): void {
    const handler = kind === 'try' || kind === 'try_table' ? this.handlers.length : -1;
    if (handler >= 0) {
      this.handlers.push({ start: this.n, end: this.n, clauses: [], next: this.active });
      this.active = handler;
    }
    if (kind === 'loop') this.observe?.('loop', this, this.height);
    const height = this.height - params.length;
    // what a branch brings to a loop may be of a wider type than what is there now
    for (let i = 0; i < params.length; i++) this.types[height + i] = params[i];
    this.labels.push({ kind, height, params, results, start: this.n, patches: [], otherwise, handler, active: this.active });
  }

  else(dead: boolean): void {
    const label = this.label(0);
    if (!dead) {
      this.settleFrom(label.height);
      const at = this.emit(C.br, 0);
      label.patches.push(at, at + 1);
    }
    const [at, word] = label.otherwise!;
    this.out[word] = this.n - at;
    label.otherwise = undefined;
    this.reset(label, label.params);
  }

  /** @param dead whether the end cannot be reached by falling through */
  end(dead: boolean): void {
    const label = this.labels.pop()!;
    if (label.kind === 'func') {
      if (!dead) this.emitReturn();
      return;
    }
    if (label.handler >= 0) this.closeTry(label, dead);
    if (!dead) this.settleFrom(label.height);
    if (label.otherwise) {
      // an `if` without else: its parameters are its results
      const [at, word] = label.otherwise;
      this.out[word] = this.n - at;
    }
    for (let i = 0; i < label.patches.length; i += 2) this.out[label.patches[i + 1]] = this.n - label.patches[i];
    this.deadAfterEnd = dead && label.otherwise === undefined && label.patches.length === 0;
    this.reset(label, label.results);
  }

  /** The handler covers what it has so far, and nothing behind. What a catch has left lies above the exception. */
  closeTry(label: Label, dead: boolean): void {
    const handler = this.handlers[label.handler];
    if (this.active === label.handler) {
      handler.end = this.n;
      this.active = handler.next;
    }
    const n = label.results.length;
    if (!dead && this.height - n !== label.height) {
      this.copyAll(n, this.slot(label.height));
      this.height = label.height;
    }
  }

  /** The operand stack as it is at a label: what stands below, and `types` in their own slots. */
  reset(label: Label, types: readonly ValType[]): void {
    this.height = label.height;
    for (const type of types) this.push(type, OWN, 0, 0);
    this.last = -1;
  }

  arity(label: Label): number {
    return (label.kind === 'loop' ? label.params : label.results).length;
  }

  target(label: Label, at: number, word: number): void {
    if (label.kind === 'loop') this.out[word] = label.start - at;
    else label.patches.push(at, word);
  }

  /** Goes to a label with the topmost operands; leaves the operand stack as it is. */
  branch(label: Label): void {
    if (label.kind === 'func') {
      this.emitReturn();
      return;
    }
    this.copyAll(this.arity(label), this.slot(label.height));
    const at = this.emit(C.br, 0);
    this.target(label, at, at + 1);
  }

  branchIf(label: Label): void {
    this.branchOn(label, this.condition());
  }

  /** Whether the topmost operand, a reference, is null: in the 32-bit part of its own slot. The operand stays. */
  isNull(): number {
    const h = this.height - 1;
    this.settle(h);
    const slot = this.slot(h);
    this.emit(C.refIsNull | slot << 12, slot);
    return slot;
  }

  branchOnNull(label: Label): void {
    const slot = this.isNull();
    const h = this.pop();
    this.branchOn(label, { when: C.brIf, unless: C.brUnless, slot, operand: undefined });
    this.push(this.types[h], OWN, 0, 0);
  }

  branchOnNonNull(label: Label): void {
    this.branchOn(label, { when: C.brUnless, unless: C.brIf, slot: this.isNull(), operand: undefined });
    this.pop();
  }

  branchOn(label: Label, condition: Condition): void {
    const n = this.arity(label);
    // once for all branches, not in the code of each
    if (n > FEW) this.settleFrom(this.height - n);
    if (label.kind !== 'func' && (n === 0 || this.height - n === label.height)) {
      this.settleFrom(this.height - n);
      this.target(label, ...this.emitBranch(condition, true));
    } else {
      const [at, word] = this.emitBranch(condition, false);
      this.branch(label);
      this.out[word] = this.n - at;
    }
    this.last = -1;
  }

  branchTable(labels: Int32Array, n: number): void {
    const slot = this.popSlot();
    this.settleFrom(this.height - this.arity(this.label(labels[n])));
    const at = this.emit(C.brTable | slot << 12, n);
    for (let i = 0; i <= n; i++) this.word(0);
    const detours = new Map<Label, number>();
    for (let i = 0; i <= n; i++) {
      const label = this.label(labels[i]);
      const arity = this.arity(label);
      const word = at + 2 + i;
      if (label.kind !== 'func' && (arity === 0 || this.height - arity === label.height)) {
        this.target(label, at, word);
        continue;
      }
      let detour = detours.get(label);
      if (detour === undefined) {
        detours.set(label, detour = this.n);
        this.branch(label);
      }
      this.out[word] = detour - at;
    }
  }

  /** Results go to the frame's first slots. Leaves the operand stack as it is. */
  emitReturn(): void {
    const { results } = this.type;
    const n = results.length;
    const first = this.height - n;
    if (n === 1 && !isRef(results[0]) && results[0] !== V128) {
      const slot = this.where[first] === LOCAL ? this.lo[first] : this.slot(first);
      if (this.where[first] === CONST) this.copy(first, slot);
      this.emit((results[0] === I64 || results[0] === F64 ? C.return64 : C.return32) | slot << 12);
      return;
    }
    if (n > FEW) {
      this.copyAll(n, 0);
      this.emit(C.return0);
      return;
    }
    // first to their own slots, as the frame's first slots may be locals that are among them
    for (let i = 0; i < n; i++) this.copy(first + i, this.slot(first + i));
    for (let i = 0; i < n; i++) {
      const type = results[i], from = this.slot(first + i);
      if (from !== i) this.emit(moveOf(type) | i << 12, from);
    }
    this.emit(C.return0);
  }

  // ---- conditions

  /** Takes the topmost operand as a condition; a comparison that was just made for it is taken back. */
  condition(): Condition {
    const last = this.last;
    const h = this.pop();
    if (last >= 0 && this.where[h] === OWN) {
      const op = this.out[last] & 0xfff;
      const w1 = this.out[last + 1], w2 = this.out[last + 2];
      const fused = fusedOf(op);
      if (fused.when !== 0) {
        this.takeBack(last);
        return fused.constant
          ? { when: fused.when, unless: fused.unless, slot: w1, operand: w2 }
          : { when: fused.when, unless: fused.unless, slot: w1 & 0xffff, operand: w1 >>> 16 };
      }
      if (op === C.eqz32) {
        this.takeBack(last);
        return { when: C.brUnless, unless: C.brIf, slot: w1, operand: undefined };
      }
      if (op === C.eqz64) {
        this.takeBack(last);
        return { when: C.eq64, unless: C.ne64, slot: w1, operand: this.code.constant(0, 0) };
      }
    }
    return { when: C.brIf, unless: C.brUnless, slot: this.slotOf(h), operand: undefined };
  }

  takeBack(last: number): void {
    this.n = last;
    this.last = -1;
    const { pairs, heights } = this;
    while (pairs && pairs.length > 0 && pairs[pairs.length - 2] >= last) {
      pairs.length -= 2;
      // what it would have read the branch reads, and what comes before the branch leaves alone
      if (heights) this.before = Math.max(this.before, heights[pairs.length]);
    }
    if (pairs && heights) heights.length = pairs.length;
  }

  /** @returns the instruction, and its word for the distance */
  emitBranch(condition: Condition, when: boolean): readonly [number, number] {
    const w0 = (when ? condition.when : condition.unless) | condition.slot << 12;
    const at = condition.operand === undefined ? this.emit(w0, 0) : this.emit(w0, condition.operand, 0);
    return [at, this.n - 1];
  }
}
