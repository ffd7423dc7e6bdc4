/**
 * Standard input of a guest, over a readable stream of Node. Waiting is a promise on the event loop, never a read in another
 * thread: one that waits for a terminal would keep the process from ending. The stream is not touched before the guest reads.
 */
import type { Readable } from 'node:stream';
import { FileType } from './abi.js';
import { WasiError, wasiErrno } from './errors.js';

/** A stream; bytes, which stand for one that ends after them; or a function that waits with the thread for more, none at the end. */
export type Source = Readable | Uint8Array | (() => Uint8Array);

export class Input {
  readonly #open: () => Source;
  #stream: Readable | undefined;
  #read: (() => Uint8Array) | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  #ended = false;
  #error: unknown;

  /** @param open called at the first read */
  constructor(open: () => Source, readonly fileType: number = FileType.UNKNOWN) {
    this.#open = open;
  }

  /** What is there, without waiting. @throws WasiError EAGAIN where a read would have to wait */
  take(max: number): Uint8Array {
    this.#fill();
    if (this.#chunk.length === 0 && this.#error !== undefined) throw new WasiError(wasiErrno(this.#error) ?? 'IO');
    if (this.#chunk.length === 0 && !this.#ended) throw new WasiError('AGAIN');
    const bytes = this.#chunk.subarray(0, max);
    this.#chunk = this.#chunk.subarray(bytes.length);
    return bytes;
  }

  /** Bytes that a read gets at once; -1 where it would have to wait. */
  get available(): number {
    this.#fill();
    return this.#chunk.length > 0 || this.#ended || this.#error !== undefined ? this.#chunk.length : -1;
  }

  /** Settles when a read would not wait. */
  async ready(): Promise<void> {
    while (this.available < 0) {
      const stream = this.#stream as Readable;
      await new Promise<void>((done) => {
        const wake = () => {
          for (const event of EVENTS) stream.off(event, wake);
          done();
        };
        for (const event of EVENTS) stream.on(event, wake);
      });
    }
  }

  /** Lets the event loop end although input may still come. The stream stays its owner's. */
  close(): void {
    this.#stream?.pause();
    (this.#stream as Partial<NodeJS.ReadStream & { unref(): void }> | undefined)?.unref?.();
  }

  #block(read: () => Uint8Array): void {
    try {
      this.#chunk = read();
      this.#ended = this.#chunk.length === 0;
    } catch (error) {
      this.#error = error;
    }
  }

  #fill(): void {
    if (this.#stream === undefined && this.#read === undefined && !this.#ended) {
      const source = this.#open();
      if (source instanceof Uint8Array) {
        this.#chunk = source;
        this.#ended = true;
        return;
      }
      if (typeof source === 'function') this.#read = source;
      else {
        this.#stream = source;
        source.on('end', () => (this.#ended = true));
        source.on('error', (error) => (this.#error = error));
      }
    }
    if (this.#read && this.#chunk.length === 0 && !this.#ended && this.#error === undefined) this.#block(this.#read);
    if (this.#chunk.length > 0 || this.#stream === undefined) return;
    const chunk = this.#stream.read() as Uint8Array | string | null;
    if (chunk !== null) this.#chunk = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (this.#stream.readableEnded || this.#stream.destroyed) this.#ended = true;
  }
}

const EVENTS = ['readable', 'end', 'close', 'error'] as const;
