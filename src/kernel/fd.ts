/**
 * A descriptor with one owner. Whoever holds an Fd closes it, once; a number taken from it is only lent.
 */
import { SYS, syscall } from './ffi/syscall.js';

let open = 0;

export class Fd {
  #value: number;

  /**
   * Takes ownership of a descriptor.
   * @param what for messages: `map "counts"`
   */
  constructor(value: number, readonly what = 'descriptor') {
    if (!(value >= 0)) throw new Error(`bug: ${what} has the descriptor ${value}`);
    this.#value = value;
    open++;
  }

  /** The number, for a system call; not to be closed or kept by the caller. */
  get value(): number {
    if (this.#value < 0) throw new Error(`bug: ${this.what} is used after close`);
    return this.#value;
  }

  get closed(): boolean {
    return this.#value < 0;
  }

  /** Closes the descriptor; more than once is harmless. */
  close(): void {
    if (this.#value < 0) return;
    syscall(SYS.close, this.#value);
    this.#value = -1;
    open--;
  }

  /** Gives the number away: the caller closes it, this object no longer does. */
  release(): number {
    const value = this.value;
    this.#value = -1;
    open--;
    return value;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** How many Fd objects of this thread are open: 0 after everything is closed. */
export function openFds(): number {
  return open;
}
