/**
 * Guest memory for host functions: every access names a pointer and a length, and every one is checked against the memory's
 * size of that moment. Views are made anew each time, because a call into the guest may have grown the memory.
 */
import type { Memory } from '../interp/engine.js';

/** A pointer, or pointer + length, outside of guest memory. The ABI's wrapper turns it into its own EFAULT. */
export class GuestFault extends Error {
  constructor(readonly pointer: number, readonly length: number, readonly size: number) {
    super(`${length} bytes at ${pointer} are outside of guest memory of ${size} bytes`);
  }
}

/** Bytes that have to be text and are not UTF-8. */
export class GuestTextError extends Error {
  constructor(readonly pointer: number) {
    super(`the text at ${pointer} is not UTF-8`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class GuestMemory {
  readonly #memory: Memory | undefined;

  /** @param memory undefined for a module without memory: then every access is a fault, except of 0 bytes at 0 */
  constructor(memory: Memory | undefined) {
    this.#memory = memory;
  }

  /** bytes */
  get size(): number {
    return this.#memory?.size ?? 0;
  }

  /** @throws GuestFault where the range is not inside the memory; an empty range may lie at its end */
  check(pointer: number, length: number): void {
    if (!(pointer >= 0 && length >= 0 && pointer + length <= this.size)) throw new GuestFault(pointer, length, this.size);
  }

  /** A view, valid until the guest runs again. */
  bytes(pointer: number, length: number): Uint8Array {
    this.check(pointer, length);
    return this.#memory === undefined ? new Uint8Array(0) : this.#memory.bytes.subarray(pointer, pointer + length);
  }

  u8(pointer: number): number { return this.#view(pointer, 1).getUint8(pointer); }
  u16(pointer: number): number { return this.#view(pointer, 2).getUint16(pointer, true); }
  u32(pointer: number): number { return this.#view(pointer, 4).getUint32(pointer, true); }
  u64(pointer: number): bigint { return this.#view(pointer, 8).getBigUint64(pointer, true); }
  setU8(pointer: number, value: number): void { this.#view(pointer, 1).setUint8(pointer, value); }
  setU16(pointer: number, value: number): void { this.#view(pointer, 2).setUint16(pointer, value, true); }
  setU32(pointer: number, value: number): void { this.#view(pointer, 4).setUint32(pointer, value, true); }
  setU64(pointer: number, value: bigint): void { this.#view(pointer, 8).setBigUint64(pointer, value, true); }

  set(pointer: number, bytes: Uint8Array): void {
    this.bytes(pointer, bytes.length).set(bytes);
  }

  /** UTF-8 of a known length. @throws GuestTextError */
  text(pointer: number, length: number): string {
    try {
      return utf8.decode(this.bytes(pointer, length));
    } catch (error) {
      if (error instanceof GuestFault) throw error;
      throw new GuestTextError(pointer);
    }
  }

  /** UTF-8 up to a NUL. @throws GuestFault where the memory ends before it, GuestTextError */
  cString(pointer: number): string {
    this.check(pointer, 1);
    const end = this.#memory?.bytes.indexOf(0, pointer) ?? -1;
    if (end < 0) throw new GuestFault(pointer, this.size - pointer + 1, this.size);
    return this.text(pointer, end - pointer);
  }

  #view(pointer: number, length: number): DataView {
    this.check(pointer, length);
    return (this.#memory as Memory).view;
  }
}
