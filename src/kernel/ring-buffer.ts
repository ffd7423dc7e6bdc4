/**
 * Consumer of a BPF_MAP_TYPE_RINGBUF over its mapping: a cursor, without copies and without a call per record.
 * Waiting for records is epoll.ts's. Layout: kernel/bpf/ringbuf.c of Linux 6.18.
 *
 *   offset 0          consumer position (u64), ours to write
 *   page              producer position (u64), read-only
 *   2 pages           data, size bytes, and the same bytes once more: a record never splits
 *
 *   record: u32 length | BUSY (bit 31) | DISCARD (bit 30), u32 page offset, then the bytes; aligned to 8
 */
import { UsageError } from '../errors.js';
import { MapType } from '../uapi.js';
import type { Fd } from './fd.js';
import { pageSize } from './ffi/native.js';
import type { BpfMap } from './map.js';
import { Mapping, Prot } from './memory.js';

const HEADER = 8;
const DISCARD = 1 << 30;
const LENGTH = DISCARD - 1;
/** Records between two commits: the producer sees room again at least this often. */
const COMMIT_EVERY = 1024;
/** x86-64 keeps loads in order; arm64 needs an acquire before the bytes of a record are read. */
const WEAK_ORDER = process.arch !== 'x64';

/**
 * `while (left-- > 0 && ring.next()) use(ring.data, ring.offset, ring.size); ring.release();`
 *
 * A producer can be as fast as the consumer, and then `next` never says false: a caller counts.
 */
export class RingBuffer {
  /** for epoll; lent by the map */
  readonly fd: Fd;
  /** bytes of the ring */
  readonly capacity: number;
  /** the data pages twice in a row; records are read from here at `offset` */
  readonly data: Uint8Array;
  /** where the current record's bytes start in `data`; valid until the next call of a method */
  offset = 0;
  /** of the current record, in bytes */
  size = 0;

  readonly #consumer: Mapping;
  readonly #producer: Mapping;
  /** consumer position, 64 bits */
  readonly #commit: BigInt64Array;
  /** low half of the producer position: the two differ by at most the capacity, below 2^32 */
  readonly #head: Int32Array;
  readonly #headers: Int32Array;
  readonly #mask: number;
  /** position after the current record, and what of it the kernel knows */
  #position: number;
  #committed: number;
  /** the same within the ring */
  #at: number;
  /** bytes known to be there from #at on */
  #left = 0;
  #uncommitted = 0;
  #closed = false;

  /** The map stays the caller's and must outlive this. @throws UsageError (USAGE) for another type of map; SyscallError (SYSCALL) */
  constructor(map: BpfMap) {
    if (map.type !== MapType.RINGBUF) throw new UsageError(`${map.subject} is not a ring buffer`);
    const page = pageSize();
    const size = map.maxEntries;
    this.fd = map.fd;
    this.capacity = size;
    this.#consumer = new Mapping({ length: page, fd: map.fd.value, subject: map.subject });
    try {
      this.#producer = new Mapping({ length: page + 2 * size, fd: map.fd.value, offset: page, prot: Prot.READ, subject: map.subject });
    } catch (error) {
      this.#consumer.close();
      throw error;
    }
    const { buffer, byteOffset } = this.#producer.bytes;
    this.data = new Uint8Array(buffer, byteOffset + page, 2 * size);
    this.#headers = new Int32Array(buffer, byteOffset + page, size / 4);
    this.#head = new Int32Array(buffer, byteOffset, 1);
    this.#commit = new BigInt64Array(this.#consumer.bytes.buffer, this.#consumer.bytes.byteOffset, 1);
    this.#mask = size - 1;
    this.#position = this.#committed = Number(Atomics.load(this.#commit, 0));
    this.#at = this.#position % size;
  }

  /**
   * Goes to the next submitted record; skips discarded ones. False where there is none now, or where one that is still being
   * written is next, and after close; everything before is then released.
   */
  next(): boolean {
    const headers = this.#headers;
    if (this.#uncommitted >= COMMIT_EVERY) this.release();
    for (;;) {
      if (this.#left === 0) {
        if (this.#closed) return false;
        this.#left = (Atomics.load(this.#head, 0) - (this.#position | 0)) >>> 0;
        if (this.#left === 0) break;
      }
      const index = this.#at >>> 2;
      const header = WEAK_ORDER ? Atomics.load(headers, index) : headers[index];
      if (header < 0) break;
      const start = this.#at + HEADER;
      const length = header & LENGTH;
      const step = (length + HEADER + 7) & ~7;
      if (step > this.#left) this.#stolen(step);
      this.#position += step;
      this.#at = (this.#at + step) & this.#mask;
      this.#left -= step;
      this.#uncommitted++;
      if ((header & DISCARD) === 0) {
        this.offset = start;
        this.size = length;
        return true;
      }
      if (this.#uncommitted >= COMMIT_EVERY) this.release();
    }
    this.release();
    return false;
  }

  /** Gives every record so far, the current one included, back to the producer. */
  release(): void {
    if (this.#position === this.#committed) return;
    Atomics.store(this.#commit, 0, BigInt(this.#position));
    this.#committed = this.#position;
    this.#uncommitted = 0;
  }

  /** Bytes that wait to be read, unfinished and discarded records included. */
  get pending(): number {
    return (Atomics.load(this.#head, 0) - (this.#position | 0)) >>> 0;
  }

  /** Releases what was read and unmaps. The map stays open. */
  close(): void {
    if (this.#closed) return;
    this.release();
    this.#closed = true;
    this.#left = 0;
    this.#consumer.close();
    this.#producer.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #stolen(step: number): never {
    throw new UsageError(`ring buffer: the record at position ${this.#position} has ${step} bytes and ${this.#left} are left; somebody else reads the same ring`);
  }
}
