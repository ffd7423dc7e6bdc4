/** More than one call at a time: keeps what a call has on the machine while another one uses it. */
import type { Fiber, Saved } from './boundary.js';
import { FILES, FUEL, WAIT } from './files.js';
import { PlainMachine } from './machine-plain.js';

const { I32: R32, L32, S32, CS } = FILES;

export abstract class FiberMachine extends PlainMachine {
  /** the call whose frames are on the machine while nothing runs */
  #fiber: Fiber | undefined;

  /** Puts `fiber` on the machine; what another one has there is kept with it. */
  protected occupy(fiber: Fiber | undefined): void {
    const other = this.#fiber;
    if (other === fiber && fiber) return;
    if (other) other.saved = this.#save();
    this.#fiber = fiber;
    this.clear();
    this.goFast();
    this.plain = fiber?.plain ?? false;
    if (fiber?.saved) this.#restore(fiber.saved);
    if (fiber) fiber.saved = undefined;
  }

  /** What a call is done with is no longer on the machine. */
  protected leave(fiber: Fiber): void {
    if (this.#fiber !== fiber) return;
    this.#fiber = undefined;
    this.clear();
    this.goFast();
  }

  /** Nothing stops in plain code. */
  protected goFast(): void {
    this.plain = false;
    this.budget = 0;
    this.spStop = -1;
  }

  #save(): Saved {
    const boundary = this.boundaries[this.boundaries.length - 1];
    let top = 0;
    if (boundary) {
      top = this.exit === WAIT && boundary.kind === 'host' ? boundary.top
        : this.sp > 0 ? this.fp + this.inst.code.frameSizeAt(this.pc) : 0;
    }
    const { pc, fp, sp, spLimit, exit, inst } = this;
    return {
      low: R32.slice(0, top), wide: L32.slice(0, 2 * top), vectors: S32.slice(0, 4 * top), refs: this.refs.slice(0, top), stack: CS.slice(0, sp), boundaries: [...this.boundaries],
      pc, fp, sp, spLimit, exit, inst, wait: this.wait,
    };
  }

  #restore(saved: Saved): void {
    R32.set(saved.low);
    L32.set(saved.wide);
    S32.set(saved.vectors);
    CS.set(saved.stack);
    for (const ref of saved.refs) this.refs.push(ref);
    this.boundaries.push(...saved.boundaries);
    this.pc = saved.pc; this.fp = saved.fp; this.sp = saved.sp; this.spLimit = saved.spLimit; this.exit = saved.exit; this.wait = saved.wait;
    if (saved.inst) this.enter(saved.inst);
  }

  protected clear(): void {
    this.boundaries.length = 0;
    this.refs.length = 0;
    this.sp = 0;
    this.fp = 0;
    this.exit = FUEL;
    this.top = 0;
    this.inHost = false;
    this.wait = undefined;
  }
}
