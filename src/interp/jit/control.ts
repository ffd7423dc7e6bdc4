/** Structured control in the source of a function: labelled blocks, loops that look at the fuel, and the results of the function. */
import { I32, V128, type ValType } from '../types.js';
import { JsBody, Refused } from './body.js';
import { closeTry, closeTryTable, opening } from './exceptions.js';
import { TRAPS, condition } from './operands.js';
import { charges } from './shape.js';

const MAX_NESTING = 150;
/** Where a loop that counts the fuel in a variable is left. */
const FLUSH = 'U[0] = n;';

export interface Label {
  readonly kind: 'func' | 'block' | 'loop' | 'if' | 'try' | 'try_table';
  /** not 0 */
  readonly id: number;
  readonly name: string;
  readonly height: number;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
  /** of a loop: the interpreter's position */
  readonly start: number;
  reached: boolean;
  /** of an `if`: whether its else is still to come */
  otherwise: boolean;
  /** it is around the loop at which the function is entered */
  readonly around: boolean;
  /** of an `if` or `try`: what is left of it cannot be reached from the entry, and is not put out */
  silent: boolean;
  /** of a `try_table`: kind, tag and label of each */
  readonly clauses: readonly (readonly [kind: number, tag: number, label: number])[];
  /** of a `try`: what stands in it now is a handler; one is for all; the function is entered in a handler */
  inCatch: boolean;
  all: boolean;
  entered: boolean;
  delegated: boolean;
}

export class JsControl extends JsBody {
  readonly labels: Label[] = [];
  /** values that branches carry, each a statement: text that the number of instructions says nothing of */
  carried = 0;
  /** how many labels are around the outermost loop in which the fuel is in the variable n; -1 where it is in U[0] */
  #counting = -1;
  #labelCount = 0;

  label(depth: number): Label {
    return this.labels[this.labels.length - 1 - depth];
  }

  newLabel(kind: Label['kind'], height: number, params: readonly ValType[], results: readonly ValType[], clauses: Label['clauses'] = []): Label {
    if (this.labels.length > MAX_NESTING) throw new Refused();
    const id = ++this.#labelCount;
    return { kind, id, name: `a${id}`, height, params, results, start: kind === 'loop' ? this.positions.loop(this.offset) : 0, reached: false, otherwise: kind === 'if', around: this.muted && this.offset !== this.loop, silent: false, clauses, inCatch: false, all: false, entered: false, delegated: false };
  }

  block(op: number, typeIndex: number, valType: ValType): void {
    const type = typeIndex < 0 ? undefined : this.code.module.types[typeIndex];
    const params = type ? type.params : [];
    const results = type ? type.results : valType === 0 ? [] : [valType];
    const test = op === 0x04 ? this.pop() : undefined;
    if (test) this.order(test);
    this.settleFrom(0);
    if (op !== 0x02) this.temporaries.save();
    if (op === 0x03) this.temporaries.forget();
    const height = this.height - params.length;
    if (op === 0x03) {
      const label = this.newLabel('loop', height, params, results);
      const { calls, first } = this.shape.loops.get(this.offset)!;
      this.labels.push(label);
      const entered = this.muted && this.offset === this.loop;
      if (entered) this.muted = false;
      if (!this.muted && !calls && this.#counting < 0) {
        this.#counting = this.labels.length - 1;
        this.counts = true;
        this.line('n = U[0];');
      }
      // what is around the entry is there to be broken out of
      if (entered) {
        for (const around of this.labels) {
          around.entered = around.inCatch;
          if (around.kind !== 'func' && around !== label) this.line(opening(around));
        }
      }
      this.line(`${label.name}: for (;;) {`);
      const leave = this.exit(label.start, this.height);
      if (this.#counting >= 0) this.line(`if ((n = n - 1 | 0) < 0) { ${FLUSH} ${leave} }`);
      else if (!charges(this.code.module, first)) this.line(`if ((U[0] = U[0] - 1) < 0) { ${leave} }`);
      return;
    }
    const label = this.newLabel(op === 0x02 ? 'block' : 'if', height, params, results);
    this.labels.push(label);
    this.line(`${label.name}: ${test ? `if (${condition(test)}) ` : ''}{`);
  }

  /** Opens a `try` or `try_table`. */
  open(kind: 'try' | 'try_table', typeIndex: number, valType: ValType, clauses: Label['clauses'] = []): void {
    const type = typeIndex < 0 ? undefined : this.code.module.types[typeIndex];
    const params = type ? type.params : [];
    this.temporaries.save();
    this.settleFrom(0);
    const label = this.newLabel(kind, this.height - params.length, params, type ? type.results : valType === 0 ? [] : [valType], clauses);
    this.labels.push(label);
    this.line(opening(label));
  }

  else(dead: boolean): void {
    const label = this.label(0);
    if (!dead) {
      this.settleFrom(label.height);
      this.temporaries.save();
      label.reached = true;
    }
    this.temporaries.forget();
    label.otherwise = false;
    if (label.around && !this.muted) {
      this.muted = true;
      label.silent = true;
    } else {
      this.line('} else {');
    }
    this.#reset(label, label.params);
  }

  /** @returns whether what follows cannot be reached */
  end(dead: boolean): boolean {
    const label = this.label(0);
    if (label.kind === 'func' && !dead) this.return();
    this.labels.pop();
    if (label.kind === 'func') return true;
    if (!dead) {
      this.temporaries.save();
      if (label.inCatch) this.#fall(label);
      else this.settleFrom(label.height);
      this.temporaries.save();
    }
    if (label.kind === 'try_table') closeTryTable(this, label);
    if (label.kind === 'try') closeTry(this, label);
    if (dead || label.kind !== 'block' || label.reached) this.temporaries.forget();
    if (label.silent) this.muted = false;
    if (label.kind === 'loop' && !label.around && !dead) this.line('break;');
    this.line('}');
    if (this.#counting === this.labels.length) {
      this.#counting = -1;
      if (!dead) this.line(FLUSH);
    }
    this.#reset(label, label.results);
    return dead && !label.reached && !label.otherwise;
  }

  /** From a handler, where the results lie above the exception, to the end of its label. */
  #fall(label: Label): void {
    this.settleFrom(label.height);
    this.line(this.#goTo(label));
  }

  /** The operand stack as it is at a label. */
  #reset(label: Label, types: readonly ValType[]): void {
    this.stack.length = label.height;
    for (const type of types) this.push(this.ownOf(type, this.height));
  }

  #arity(label: Label): number {
    return (label.kind === 'loop' ? label.params : label.results).length;
  }

  /** Statements that go to a label with the topmost operands, and leave the operand stack as it is. */
  #goTo(label: Label): string {
    const flush = this.#counting > this.labels.indexOf(label) ? `${FLUSH} ` : '';
    return flush + (label.kind === 'func' ? this.#returnText() : this.#goToBlock(label));
  }

  #goToBlock(label: Label): string {
    const n = this.#arity(label);
    this.carried += n;
    const lines: string[] = [];
    for (let i = 0; i < n; i++) {
      const from = this.stack[this.height - n + i];
      const to = this.ownOf(from.type, label.height + i);
      if (from.type === V128 ? this.height - n + i !== label.height + i : from.text !== to.text) lines.push(this.assign(from, to));
    }
    if (label.kind === 'loop' && label.around) {
      // the frame goes back to the interpreter at its header, where it is taken over in turn
      const operands = this.stack.slice(0, label.height);
      for (const type of label.params) operands.push(this.ownOf(type, operands.length));
      lines.push(`stop(); ${this.exit(label.start, operands.length, operands)}`);
      return lines.join(' ');
    }
    label.reached = true;
    lines.push(`${label.kind === 'loop' ? 'continue' : 'break'} ${label.name};`);
    return lines.join(' ');
  }

  // what a branch leaves behind may trap, and has to do so first

  branch(label: Label): void {
    const n = this.#arity(label);
    this.flush(TRAPS);
    this.settleFrom(this.height - n);
    this.temporaries.save();
    this.line(this.#goTo(label));
  }

  branchIf(label: Label): void {
    const test = this.pop();
    this.flush(TRAPS);
    this.settleFrom(this.height - this.#arity(label));
    if (label.kind !== 'func') this.temporaries.save();
    this.line(`if (${condition(test)}) { ${this.#goTo(label)} }`);
  }

  /** @param test JavaScript's condition */
  branchWhere(label: Label, test: string): void {
    this.flush(TRAPS);
    this.temporaries.save();
    this.settleFrom(this.height - this.#arity(label));
    this.line(`if (${test}) { ${this.#goTo(label)} }`);
  }

  branchTable(labels: Int32Array, n: number): void {
    const index = this.pop();
    this.flush(TRAPS);
    this.settleFrom(this.height - this.#arity(this.label(labels[n])));
    this.temporaries.save();
    this.line(`switch (${index.text}) {`);
    const cases = new Map<Label, number[]>();
    for (let i = 0; i < n; i++) {
      const label = this.label(labels[i]);
      const list = cases.get(label);
      if (list) list.push(i);
      else cases.set(label, [i]);
    }
    const other = this.label(labels[n]);
    for (const [label, list] of cases) if (label !== other) this.line(`${list.map((i) => `case ${i}:`).join(' ')} ${this.#goTo(label)}`);
    this.line(`default: ${this.#goTo(other)}`);
    this.line('}');
  }

  return(): void {
    const { results } = this.type;
    this.flush(TRAPS, this.height - results.length);
    if (results.length > 1) this.settleFrom(this.height - results.length);
    else if (results.length === 1) this.order(this.stack[this.height - 1]);
    this.line(this.#goTo(this.labels[0]));
  }

  #returnText(): string {
    const { results } = this.type;
    const first = this.height - results.length;
    if (results.length === 1 && results[0] === I32) return `return (${this.stack[first].text});`;
    const lines: string[] = [];
    for (let i = 0; i < results.length; i++) {
      this.show(first + i);
      lines.push(this.toSlot(this.stack[first + i], i));
    }
    lines.push('return 0;');
    return lines.join(' ');
  }
}
