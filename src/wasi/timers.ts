/** The sleeps of one guest: while one lasts the event loop goes on, and none outlives the guest. */
export class Timers {
  readonly #running = new Map<NodeJS.Timeout, () => void>();

  /** Settles after `ms`, or when `cancel` settles. */
  sleep(ms: number, cancel?: Promise<unknown>): Promise<void> {
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

  /** Stops every sleep; the promises stay pending, for a guest that is gone. */
  close(): void {
    for (const stop of this.#running.values()) stop();
    this.#running.clear();
  }
}
