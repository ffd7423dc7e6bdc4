/**
 * Consumer of a BPF_MAP_TYPE_PERF_EVENT_ARRAY: one perf ring per online processor, read over their mappings with one cursor.
 * Order is kept within a processor, not between them. Layout: struct perf_event_mmap_page and `enum perf_event_type` in
 * include/uapi/linux/perf_event.h of Linux 6.18.
 *
 *   page 0: … data_head at 1024 (u64, the kernel's), data_tail at 1032 (u64, ours) …; then the data, wrapping around
 *   record: u32 type, u16 misc, u16 size; SAMPLE: u32 size, bytes; LOST: u64 id, u64 count; aligned to 8
 */
import { UsageError } from '../errors.js';
import { ElemFlag, MapType } from '../uapi.js';
import { onlineCpus } from './cpus.js';
import { Epoll } from './epoll.js';
import type { Fd } from './fd.js';
import { pageSize } from './ffi/native.js';
import type { BpfMap } from './map.js';
import { Mapping } from './memory.js';
import { PERF_SAMPLE_RAW, PerfSoftware, PerfType, perfEnable, perfEventOpen } from './perf-event.js';

const HEAD = 1024;
const TAIL = 1032;
const Record = { LOST: 2, SAMPLE: 9 } as const;
const COMMIT_EVERY = 1024;

interface CpuRing {
  readonly cpu: number;
  readonly event: Fd;
  readonly mapping: Mapping;
  /** low half of data_head */
  readonly head: Int32Array;
  readonly tail: BigInt64Array;
  readonly data: Uint8Array;
  readonly words: Int32Array;
  /** position of the next record, and what of it the kernel knows */
  position: number;
  committed: number;
  /** records between the two */
  uncommitted: number;
  /** bytes known to be there */
  left: number;
}

/**
 * `while (left-- > 0 && perf.next()) use(perf.data, perf.offset, perf.size); perf.release();`
 *
 * A producer can be as fast as the consumer: a caller counts. `size` is what the kernel says, padding to 8 included.
 */
export class PerfBuffer {
  /** for epoll: ready where any processor's ring is */
  readonly fd: Fd;
  /** holds the current record; another array from record to record. Valid until the next call of a method */
  data: Uint8Array = new Uint8Array(0);
  offset = 0;
  /** bytes */
  size = 0;
  /** processor of the current record */
  cpu = -1;
  /** how many records were lost for want of room, by processor; grows as LOST records are met */
  readonly lost: number[] = [];

  readonly #epoll = new Epoll();
  readonly #rings: CpuRing[] = [];
  /** a record that wraps around is put together here; a perf record has at most 64 KiB */
  readonly #scratch = new Uint8Array(1 << 16);
  /** index of the ring that is read, and whether its `left` has been looked up */
  #turn = 0;
  #inside = false;

  /**
   * Opens a ring per online processor and puts it into the map, which stays the caller's.
   * @param pages per processor, a power of two. @throws UsageError (USAGE), SyscallError (SYSCALL)
   */
  constructor(map: BpfMap, pages = 64) {
    this.fd = this.#epoll.fd;
    try {
      if (map.type !== MapType.PERF_EVENT_ARRAY) throw new UsageError(`${map.subject} is not a perf event array`);
      if (!(pages > 0) || (pages & (pages - 1)) !== 0) throw new UsageError(`perf buffer: ${pages} pages per processor are not a power of two`);
      // a map made smaller than the machine takes the first processors, as libbpf does
      for (const cpu of onlineCpus().filter((cpu) => cpu < map.maxEntries)) this.#open(map, cpu, pages);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #open(map: BpfMap, cpu: number, pages: number): void {
    const subject = `${map.subject} on CPU ${cpu}`;
    const event = perfEventOpen({
      type: PerfType.SOFTWARE, config: BigInt(PerfSoftware.BPF_OUTPUT), sampleType: BigInt(PERF_SAMPLE_RAW), samplePeriod: 1n, wakeupEvents: 1,
    }, -1, cpu, -1, undefined, subject);
    let mapping: Mapping | undefined;
    try {
      const page = pageSize();
      mapping = new Mapping({ length: page * (1 + pages), fd: event.value, subject });
      const { buffer, byteOffset } = mapping.bytes;
      const tail = new BigInt64Array(buffer, byteOffset + TAIL, 1);
      perfEnable(event.value, subject);
      map.update(Uint8Array.of(cpu, cpu >> 8, 0, 0), Uint8Array.of(event.value, event.value >> 8, event.value >> 16, event.value >> 24), ElemFlag.ANY);
      this.#epoll.add(event.value, cpu);
      this.#rings.push({
        cpu, event, mapping, tail,
        head: new Int32Array(buffer, byteOffset + HEAD, 1),
        data: new Uint8Array(buffer, byteOffset + page, page * pages),
        words: new Int32Array(buffer, byteOffset + page, page * pages / 4),
        position: Number(tail[0]), committed: Number(tail[0]), uncommitted: 0, left: 0,
      });
      this.lost[cpu] = 0;
    } catch (error) {
      mapping?.close();
      event.close();
      throw error;
    }
  }

  /** Goes to the next sample of any processor; false where no ring has one now, and then everything is released. */
  next(): boolean {
    const rings = this.#rings;
    for (let empty = 0; empty < rings.length;) {
      const ring = rings[this.#turn];
      if (!this.#inside) {
        // what comes while this ring is read waits for the next round: no processor starves another
        ring.left = (Atomics.load(ring.head, 0) - (ring.position | 0)) >>> 0;
        this.#inside = true;
        empty = ring.left === 0 ? empty + 1 : 0;
      }
      if (ring.uncommitted >= COMMIT_EVERY) this.#release(ring);
      while (ring.left > 0) {
        if (this.#record(ring)) return true;
      }
      this.#release(ring);
      this.#inside = false;
      this.#turn = (this.#turn + 1) % rings.length;
    }
    return false;
  }

  /** Steps over one record; true where it is a sample, which is then the current one. */
  #record(ring: CpuRing): boolean {
    const size = ring.data.length;
    const at = ring.position % size;
    const type = ring.words[at >>> 2];
    const step = ring.words[(at >>> 2) + 1] >>> 16;
    if (step < 8 || step > ring.left) {
      throw new UsageError(`perf buffer of CPU ${ring.cpu}: the record at position ${ring.position} has ${step} bytes and ${ring.left} are left; somebody else reads the same ring`);
    }
    let data = ring.data;
    let start = at;
    if (at + step > size) {
      data = this.#scratch;
      start = 0;
      data.set(ring.data.subarray(at, size));
      data.set(ring.data.subarray(0, at + step - size), size - at);
    }
    ring.position += step;
    ring.left -= step;
    ring.uncommitted++;
    if (type === Record.SAMPLE) {
      this.data = data;
      this.offset = start + 12;
      this.size = u32(data, start + 8);
      this.cpu = ring.cpu;
      return true;
    }
    if (type === Record.LOST) this.lost[ring.cpu] += u32(data, start + 16) + u32(data, start + 20) * 2 ** 32;
    return false;
  }

  /** Gives everything read so far, the current record included, back to the kernel. */
  release(): void {
    for (const ring of this.#rings) this.#release(ring);
  }

  #release(ring: CpuRing): void {
    if (ring.position === ring.committed) return;
    Atomics.store(ring.tail, 0, BigInt(ring.position));
    ring.committed = ring.position;
    ring.uncommitted = 0;
  }

  /** Closes the events (the kernel takes them out of the map) and unmaps. */
  close(): void {
    for (const ring of this.#rings.splice(0)) {
      this.#release(ring);
      ring.event.close();
      ring.mapping.close();
    }
    this.#epoll.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function u32(data: Uint8Array, at: number): number {
  return (data[at] | data[at + 1] << 8 | data[at + 2] << 16 | data[at + 3] << 24) >>> 0;
}
