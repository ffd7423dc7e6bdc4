/**
 * Standard output and standard error of a guest. To a terminal or another device every write goes out at once; elsewhere writes are gathered
 * until the guest waits, the event loop turns, or 64 KiB are reached. A pipe is never waited for inside a system call, so a
 * reader that stands still cannot keep Ctrl-C from working. Not for files the guest opens itself.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Errno, FileType } from './abi.js';
import { WasiError, wasiErrno } from './errors.js';
import type { Waiting, Waits } from './waits.js';

/** Where output goes: a descriptor of the process, which stays the caller's, or a function that takes it all at once. */
export type Sink = number | ((bytes: Uint8Array) => void);

/** bytes that are gathered before a write */
const FULL = 65536;
/** ms between attempts at a full pipe */
const RETRY_MS = 2;

export class Output {
  #sink: Sink;
  /** a descriptor that was opened here */
  #own: number | undefined;
  readonly #gather: boolean;
  #pending: Uint8Array[] = [];
  #size = 0;
  #scheduled = false;
  #closed = false;
  #failed: number | undefined;
  /** called once, when the reader has gone (EPIPE) */
  onClosed: () => void = () => {};

  readonly #waits: Waits;

  /** @param gather false for standard error: never hold anything back */
  constructor(sink: Sink, gather: boolean, waits: Waits) {
    this.#waits = waits;
    this.#sink = sink;
    this.#gather = gather && !(typeof sink === 'number' && this.fileType === FileType.CHARACTER_DEVICE);
    if (typeof sink === 'number' && this.fileType === FileType.UNKNOWN) this.#sink = (this.#own = unblocked(sink)) ?? sink;
  }

  /** A number of FileType. */
  get fileType(): number {
    if (typeof this.#sink !== 'number') return FileType.CHARACTER_DEVICE;
    try {
      const stat = fstatSync(this.#sink);
      return stat.isFile() ? FileType.REGULAR_FILE : stat.isCharacterDevice() ? FileType.CHARACTER_DEVICE : FileType.UNKNOWN;
    } catch {
      // closed by whoever started this process: the first write says so
      return FileType.REGULAR_FILE;
    }
  }

  /** Takes over `bytes`. Returns what waits where the reader has to catch up first. @throws WasiError for a failed write */
  write(bytes: Uint8Array): void | Waiting {
    this.#check();
    if (bytes.length > 0) this.#pending.push(bytes);
    this.#size += bytes.length;
    if (this.#gather && this.#size < FULL) return this.#schedule();
    if (!this.#flushOnce()) return this.#drain();
    this.#check();
  }

  *#drain(): Waiting {
    while (!this.#flushOnce()) yield* this.#waits.sleep(RETRY_MS);
    this.#check();
  }

  #check(): void {
    if (this.#failed !== undefined) throw new WasiError(this.#failed);
  }

  /** Writes what can be written without waiting; false where the reader has to catch up. Never throws. */
  #flushOnce(): boolean {
    while (this.#size > 0) {
      const bytes = this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending);
      this.#pending = [bytes];
      try {
        if (typeof this.#sink === 'function') {
          this.#sink(bytes);
          this.#pending = [];
          this.#size = 0;
          break;
        }
        const n = writeSync(this.#sink, bytes);
        this.#pending = n === bytes.length ? [] : [bytes.subarray(n)];
        this.#size -= n;
      } catch (error) {
        const errno = wasiErrno(error);
        if (errno === Errno.AGAIN) return false;
        this.#pending = [];
        this.#size = 0;
        if (errno === undefined) throw error;
        const first = this.#failed === undefined;
        this.#failed = errno;
        if (errno === Errno.PIPE && first) this.onClosed();
      }
    }
    return true;
  }

  /** Writes what the reader takes at once; the rest goes out as scheduled. For before something that takes long. Never throws. */
  offer(): void {
    this.#flushOnce();
  }

  /** Writes everything out, waiting for the reader as long as it takes, or `forMs`. Never throws: see `failed`. */
  async flush(forMs = Infinity): Promise<void> {
    const end = Date.now() + forMs;
    while (!this.#flushOnce() && Date.now() < end) await new Promise((done) => setTimeout(done, RETRY_MS));
  }

  /** errno of the write that failed, if one did */
  get failed(): number | undefined {
    return this.#failed;
  }

  /** Nothing is written any more; what a reader has not taken by now is dropped. */
  close(): void {
    this.#closed = true;
    this.#sink = () => {};
    if (this.#own !== undefined) closeSync(this.#own);
    this.#own = undefined;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const attempt = () => {
      this.#scheduled = !this.#closed && !this.#flushOnce();
      if (this.#scheduled) setTimeout(attempt, RETRY_MS);
    };
    setImmediate(attempt);
  }
}

/**
 * A pipe opened once more, for writes that never block: the flag of the descriptor we were given is also that of other processes,
 * and node's streams, which would set it, take long to load.
 */
function unblocked(fd: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // a socket, another system, or nobody reads: node's getter does it for what is not a file
    void (fd === 1 ? process.stdout : fd === 2 ? process.stderr : undefined);
    return undefined;
  }
}
