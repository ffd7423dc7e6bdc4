/**
 * How the host functions of one guest wait. On an engine that suspends guests a wait is a promise, the event loop goes on, and
 * no sleep outlives the guest; on one that does not (V8's own) a wait keeps the thread, and whatever needs the event loop,
 * signals too, has to wait with it. A function that may wait is a generator, which yields promises, or nothing.
 */
export type Waiting<T = void> = Generator<Promise<unknown>, T, unknown>;

export class Waits {
  readonly #running = new Map<NodeJS.Timeout, () => void>();

  /**
   * @param blocks waits keep the thread
   * @param before what is called then: gathered output should not have to wait
   */
  constructor(readonly blocks = false, readonly before: () => void = () => {}) {}

  /** Returns after `ms`, or when `cancel` settles, which only the event loop can do. */
  *sleep(ms: number, cancel?: Promise<unknown>): Waiting {
    if (!this.blocks) {
      yield this.#timer(ms, cancel);
      return;
    }
    this.before();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  }

  /** Lets the event loop turn once. */
  *turn(): Waiting {
    if (this.blocks) this.before();
    else yield new Promise<void>((done) => setImmediate(done));
  }

  /** Stops every sleep; the promises stay pending, for a guest that is gone. */
  close(): void {
    for (const stop of this.#running.values()) stop();
    this.#running.clear();
  }

  #timer(ms: number, cancel?: Promise<unknown>): Promise<void> {
    return new Promise((done) => {
      const timer: NodeJS.Timeout = setTimeout(() => stop(), ms);
      const stop = () => {
        clearTimeout(timer);
        this.#running.delete(timer);
        done();
      };
      this.#running.set(timer, () => clearTimeout(timer));
      void cancel?.then(stop, stop);
    });
  }
}
