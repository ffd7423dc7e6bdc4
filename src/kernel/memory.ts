/**
 * Memory that the kernel and JavaScript both see: mappings with one owner, and the arena through which arguments travel.
 * Addresses are JS numbers (below 2^47). Knows nothing of BPF.
 */
import { SyscallError } from '../errors.js';
import { errnoName } from './errno.js';
import { addressOf, pageSize, viewOf } from './ffi/native.js';
import { SYS, syscall } from './ffi/syscall.js';

/** include/uapi/asm-generic/mman-common.h; the same on x86-64 and arm64 */
export const Prot = { NONE: 0, READ: 1, WRITE: 2 } as const;
export const MapFlag = { SHARED: 0x01, PRIVATE: 0x02, FIXED: 0x10, ANONYMOUS: 0x20, NORESERVE: 0x4000 } as const;

export interface MapRequest {
  /** bytes; rounded up to whole pages */
  readonly length: number;
  /** what is mapped; anonymous memory where left out */
  readonly fd?: number;
  /** bytes, a multiple of the page size */
  readonly offset?: number;
  readonly prot?: number;
  readonly flags?: number;
  /** for messages: `ring buffer "events"` */
  readonly subject?: string;
}

/**
 * A range of address space with one owner. `close` lets go of what is mapped at once, and yet a view that somebody still holds
 * stays harmless: the range keeps zero pages until the last view is collected, and only then returns to the system.
 */
export class Mapping {
  readonly address: number;
  /** bytes, as asked for */
  readonly length: number;
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #closed = false;

  /** @throws SyscallError (SYSCALL) where mmap(2) refuses */
  constructor(request: MapRequest) {
    const { length, fd, offset = 0, prot = Prot.READ | Prot.WRITE, subject = `${length} bytes` } = request;
    const flags = request.flags ?? (fd === undefined ? MapFlag.PRIVATE | MapFlag.ANONYMOUS : MapFlag.SHARED);
    const address = syscall(SYS.mmap, 0, length, prot, flags, fd ?? -1, offset);
    if (address < 0) throw new SyscallError('mmap', -address, errnoName(-address), subject);
    this.address = address;
    this.length = length;
  }

  /** The bytes; every call gives the same view. Not to be used after close. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#closed) throw new Error('bug: a mapping is used after close');
    return this.#bytes ??= viewOf(this.address, this.length);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { address } = this;
    const length = Math.ceil(this.length / pageSize()) * pageSize();
    const view = this.#bytes;
    this.#bytes = undefined;
    if (!view) {
      syscall(SYS.munmap, address, length);
      return;
    }
    const { PRIVATE, ANONYMOUS, NORESERVE, FIXED } = MapFlag;
    syscall(SYS.mmap, address, length, Prot.READ | Prot.WRITE, PRIVATE | ANONYMOUS | NORESERVE | FIXED, -1, 0);
    retired.register(view.buffer, { address, length });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const retired = new FinalizationRegistry<{ address: number; length: number }>(({ address, length }) => syscall(SYS.munmap, address, length));

/** Larger than this goes to the kernel in place: finding an address costs about as much as copying so many bytes. */
const IN_PLACE = 16 * 1024;
/** Up to so many bytes a loop copies faster than TypedArray.prototype.set starts. */
const BY_HAND = 32;
const ARENA_SIZE = 256 * 1024;

/**
 * Where arguments of system calls are laid out: a stack. A caller remembers `mark()`, allocates, calls, reads, and gives
 * everything back with `reset(mark)` in a `finally`; a call made in between (from a callback) sits above and is gone before.
 */
export class Arena {
  readonly address: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  #top = 0;
  /** keeps what is used in place reachable until its mark is reset */
  readonly #held: { at: number; bytes: Uint8Array }[] = [];

  constructor() {
    const mapping = new Mapping({ length: ARENA_SIZE, subject: 'the argument arena' });
    this.address = mapping.address;
    this.bytes = mapping.bytes;
    this.view = new DataView(mapping.bytes.buffer, mapping.bytes.byteOffset, ARENA_SIZE);
  }

  /** Copies what the kernel wrote at `at` into an array of any length. */
  take(at: number, into: Uint8Array): void {
    const { length } = into;
    if (length > BY_HAND) into.set(this.bytes.subarray(at, at + length));
    else for (let i = 0; i < length; i++) into[i] = this.bytes[at + i];
  }

  mark(): number {
    return this.#top;
  }

  reset(mark: number): void {
    this.#top = mark;
    while (this.#held.length && this.#held[this.#held.length - 1].at >= mark) this.#held.pop();
  }

  /** Room for `length` zero bytes, aligned to 8. @returns its offset in `bytes`; its address is `address` plus that */
  alloc(length: number): number {
    const at = this.reserve(length);
    this.bytes.fill(0, at, at + length);
    return at;
  }

  /** The same with whatever was there before, for what is written in full. */
  reserve(length: number): number {
    const at = this.#top;
    const end = at + ((length + 7) & ~7);
    if (end > ARENA_SIZE) throw new Error(`bug: ${length} bytes do not fit in the argument arena, ${ARENA_SIZE - at} are left`);
    this.#top = end;
    return at;
  }

  /** The address of bytes the kernel is to read: a copy where that is cheaper, else the caller's own memory. */
  put(bytes: Uint8Array): number {
    const { length } = bytes;
    if (!this.fits(length)) return this.inPlace(bytes);
    const at = this.reserve(length);
    if (length > BY_HAND) this.bytes.set(bytes, at);
    else for (let i = 0; i < length; i++) this.bytes[at + i] = bytes[i];
    return this.address + at;
  }

  /** The address of bytes the kernel is to write into, without a copy. */
  inPlace(bytes: Uint8Array): number {
    this.#held.push({ at: this.#top, bytes });
    return addressOf(bytes);
  }

  /** The address of a NUL-terminated string. */
  putString(text: string): number {
    return this.put(utf8.encode(`${text}\0`));
  }

  /** Whether `length` bytes are worth a copy; where not, use `inPlace`. */
  fits(length: number): boolean {
    return length <= IN_PLACE && this.#top + length + 8 <= ARENA_SIZE;
  }
}

const utf8 = new TextEncoder();
let shared: Arena | undefined;

/** The thread's arena, mapped on first use and kept. */
export function arena(): Arena {
  return shared ??= new Arena();
}

/** Runs `body` within a frame of the thread's arena: what it allocates is gone when it returns or throws. */
export function framed<T>(body: (a: Arena) => T): T {
  const a = arena();
  const mark = a.mark();
  try {
    return body(a);
  } finally {
    a.reset(mark);
  }
}
