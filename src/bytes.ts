/**
 * A bounds-checked little-endian reader that knows its offset. Every parser of this project reads through it, so a
 * truncated input is always answered with the parser's own error class and an offset, never with a RangeError.
 * Does not decode LEB128 (interp/decode.ts) and does not write.
 */

/** Makes the parser's error for a fault at `offset` (bytes from the start of the reader's range plus its `base`). */
export type Fail = (reason: string, offset: number) => Error;

export class Reader {
  readonly #view: DataView;
  /** position of the next read, in bytes from the start of the range */
  pos = 0;

  /**
   * @param bytes the range to read; not copied
   * @param fail called to make the error of a read past the end
   * @param base added to offsets in errors: where the range starts in the file
   */
  constructor(readonly bytes: Uint8Array, readonly fail: Fail, readonly base = 0) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  get left(): number {
    return this.bytes.length - this.pos;
  }

  /** The offset that errors and traces show. */
  get offset(): number {
    return this.base + this.pos;
  }

  /** Moves to `pos`. @throws the parser's error where it is outside the range */
  seek(pos: number): this {
    if (!(pos >= 0 && pos <= this.bytes.length)) throw this.fail(`offset ${pos} is outside of ${this.bytes.length} bytes`, this.base + pos);
    this.pos = pos;
    return this;
  }

  u8(): number { return this.#view.getUint8(this.#take(1)); }
  u16(): number { return this.#view.getUint16(this.#take(2), true); }
  i16(): number { return this.#view.getInt16(this.#take(2), true); }
  u32(): number { return this.#view.getUint32(this.#take(4), true); }
  i32(): number { return this.#view.getInt32(this.#take(4), true); }
  u64(): bigint { return this.#view.getBigUint64(this.#take(8), true); }
  i64(): bigint { return this.#view.getBigInt64(this.#take(8), true); }

  /** A u64 that has to be a safe JS number: file offsets and sizes. */
  size64(): number {
    const at = this.offset;
    const n = this.u64();
    if (n > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail(`size ${n} is beyond 2^53`, at);
    return Number(n);
  }

  /** The next `n` bytes as a view, not a copy. */
  take(n: number): Uint8Array {
    const at = this.#take(n);
    return this.bytes.subarray(at, at + n);
  }

  #take(n: number): number {
    const at = this.pos;
    if (!(n >= 0) || at + n > this.bytes.length) {
      throw this.fail(`unexpected end: ${n} bytes wanted, ${this.bytes.length - at} left`, this.base + at);
    }
    this.pos = at + n;
    return at;
  }
}

/** The NUL-terminated string at `at`, or undefined where `at` is outside or no NUL follows. */
export function cString(bytes: Uint8Array, at: number): string | undefined {
  if (!(at >= 0 && at < bytes.length)) return undefined;
  const end = bytes.indexOf(0, at);
  return end < 0 ? undefined : utf8.decode(bytes.subarray(at, end));
}

const utf8 = new TextDecoder();
