/**
 * The i64 values of straight-line code: variables q0, q1, … that are written once and read before the next loop, call or join, so
 * that V8 11 keeps them in registers. A bigint that a variable carries over a join or round a loop becomes a heap object, and can
 * abort V8; so what is wanted there goes to its slot of the frame (`save`), and the variables are used again (`forget`).
 */
import { I64 } from '../types.js';
import { NO_LOCALS, type JsStack, type Operand } from './operands.js';

/** Beyond these at once V8's unoptimised frames get large. */
const MAX_TEMPORARIES = 100;

export class Temporaries {
  /** locals whose values are at hand */
  readonly #values = new Map<number, Operand>();
  /** those of them whose slots do not have them yet */
  readonly #unsaved = new Set<number>();
  #next = 0;
  /** as many as are in use at once */
  most = 0;

  constructor(readonly s: JsStack) {}

  /** The operand with its value in a temporary; as it is where it is one, or a constant. */
  hold(operand: Operand): Operand {
    const { constant, depth, temporary } = operand;
    if (constant !== undefined || temporary !== undefined && depth === 0) return operand;
    const index = this.#next++;
    this.most = Math.max(this.most, this.#next);
    this.s.line(`q${index} = ${exact(operand)};`);
    return { type: I64, text: `q${index}`, bits: undefined, condition: undefined, flags: 0, locals: NO_LOCALS, own: false, local: -1, exact: true, constant: undefined, depth: 0, temporary: index };
  }

  get(local: number, slot: Operand): Operand {
    let value = this.#values.get(local);
    if (!value) this.#values.set(local, value = this.hold(slot));
    return value;
  }

  set(local: number, value: Operand): void {
    if (value.text === this.#values.get(local)?.text) return;
    this.#values.set(local, this.hold(value));
    this.#unsaved.add(local);
  }

  /** Puts the locals into their slots. */
  save(): void {
    for (const local of this.#unsaved) this.s.line(this.s.assign(this.#values.get(local)!, this.s.localOf(local)));
    this.#unsaved.clear();
  }

  /** What follows knows the locals from their slots only. */
  forget(): void {
    this.#values.clear();
    this.#unsaved.clear();
    this.#next = 0;
    for (const { temporary } of this.s.stack) if (temporary !== undefined) this.#next = Math.max(this.#next, temporary + 1);
  }

  /** Between two instructions: begins anew where there are too many. */
  limit(): void {
    if (this.#next < MAX_TEMPORARIES) return;
    this.save();
    this.s.settleFrom(0);
    this.forget();
  }
}

/** An i64 that is exactly one, whatever computed it, and that V8 knows to be one. */
export function exact({ exact, text, constant }: Operand): string {
  return exact && constant === undefined ? text : `BigInt.asIntN(64, ${text})`;
}
