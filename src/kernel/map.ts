/**
 * A BPF map in the kernel: its sizes, asked once, and element access into the caller's buffers. Knows no types of keys and
 * values; those are bytes.
 */
import { SyscallError, UsageError } from '../errors.js';
import { MapCreateFlag, MapType } from '../uapi.js';
import type { MapInfo } from './attr.js';
import {
  mapBatch, mapContains, mapCreate, mapDeleteElem, mapFreeze, mapGetNextKey, mapInfo, mapLookupAndDelete, mapLookupElem, mapSubject,
  mapUpdateElem, type MapCreate,
} from './bpf.js';
import { possibleCpus } from './cpus.js';
import { Errno } from './errno.js';
import type { Fd } from './fd.js';
import { Mapping, Prot } from './memory.js';

const PER_CPU: readonly number[] = [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH, MapType.PERCPU_CGROUP_STORAGE];
/** Their elements are descriptors on the way in and ids on the way out. */
const OF_DESCRIPTORS: readonly number[] = [MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY, MapType.CGROUP_ARRAY, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS];

/** Elements that one batch call asks for at first. */
const CHUNK = 256;
/** Errnos with which kernels and map types say that they have no batch command. */
const NO_BATCH: readonly number[] = [Errno.EINVAL, Errno.ENOTSUPP, Errno.EOPNOTSUPP];

export class BpfMap {
  readonly fd: Fd;
  /** as the kernel has it, at most 15 bytes */
  readonly name: string;
  readonly id: number;
  /** a number of uapi.MapType */
  readonly type: number;
  /** bytes; 0 for maps without keys */
  readonly keySize: number;
  /** bytes of one value, on one CPU */
  readonly valueSize: number;
  /** bytes that a lookup gives and an update takes: for per-CPU maps round_up(valueSize, 8) × possible CPUs */
  readonly elementSize: number;
  readonly maxEntries: number;
  /** MapCreateFlag bits */
  readonly flags: number;
  readonly #subject: string;

  /** Takes over the descriptor. @throws SyscallError (SYSCALL) where it is no map's; the descriptor stays open then */
  constructor(fd: Fd) {
    const info: MapInfo = mapInfo(fd.value);
    this.fd = fd;
    this.name = info.name;
    this.id = info.id;
    this.type = info.type;
    this.keySize = info.keySize;
    this.valueSize = info.valueSize;
    this.elementSize = elementSize(info.type, info.valueSize);
    this.maxEntries = info.maxEntries;
    this.flags = info.mapFlags;
    this.#subject = mapSubject(info);
  }

  static create(spec: MapCreate): BpfMap {
    const fd = mapCreate(spec);
    try {
      return new BpfMap(fd);
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  get perCpu(): boolean {
    return PER_CPU.includes(this.type);
  }

  /** `map "counts" (hash, 4 -> 8 bytes)` */
  get subject(): string {
    return this.#subject;
  }

  /** Fills `value` (elementSize bytes); false where there is no such element. No key for queue and stack: that peeks. */
  lookup(key: Uint8Array | undefined, value: Uint8Array, flags = 0): boolean {
    this.#check(key, value);
    return mapLookupElem(this.fd.value, key, value, flags, this.#subject);
  }

  /** For bloom filters: false means surely never added. */
  contains(value: Uint8Array): boolean {
    this.#check(undefined, value);
    return mapContains(this.fd.value, value, this.#subject);
  }

  /** @param flags uapi.ElemFlag. @throws SyscallError (SYSCALL): EEXIST, ENOENT by flags, E2BIG where the map is full */
  update(key: Uint8Array | undefined, value: Uint8Array, flags = 0): void {
    this.#check(key, value);
    mapUpdateElem(this.fd.value, key, value, flags, this.#subject);
  }

  /** False where there was no such element. */
  delete(key: Uint8Array): boolean {
    this.#check(key, undefined);
    return mapDeleteElem(this.fd.value, key, this.#subject);
  }

  /** Takes an element out; for queue and stack without a key. */
  take(key: Uint8Array | undefined, value: Uint8Array): boolean {
    this.#check(key, value);
    return mapLookupAndDelete(this.fd.value, key, value, 0, this.#subject);
  }

  /** The key after `key` into `next`; the first for undefined, and also where `key` is gone meanwhile. False at the end. */
  nextKey(key: Uint8Array | undefined, next: Uint8Array): boolean {
    this.#check(key ?? next, undefined);
    this.#check(next, undefined);
    return mapGetNextKey(this.fd.value, key, next, this.#subject);
  }

  /** Every key, in the kernel's order. The array is reused: copy what is to be kept. */
  *keys(): Generator<Uint8Array> {
    let previous = new Uint8Array(this.keySize);
    let key = new Uint8Array(this.keySize);
    for (let more = this.nextKey(undefined, key); more; more = this.nextKey(previous, key)) {
      yield key;
      previous.set(key);
    }
  }

  /** Every element, with batch lookups where the kernel has them. The arrays are the caller's to keep. */
  *entries(): Generator<{ key: Uint8Array; value: Uint8Array }> {
    if (this.#canBatch) {
      const chunks = this.#batches();
      let chunk: IteratorResult<Chunk> | undefined;
      try {
        chunk = chunks.next();
      } catch (error) {
        if (!(error instanceof SyscallError && NO_BATCH.includes(error.errno))) throw error;
      }
      if (chunk) {
        for (; !chunk.done; chunk = chunks.next()) {
          const { keys, values, count } = chunk.value;
          for (let i = 0; i < count; i++) {
            yield {
              key: keys.subarray(i * this.keySize, (i + 1) * this.keySize),
              value: values.subarray(i * this.elementSize, (i + 1) * this.elementSize),
            };
          }
        }
        return;
      }
    }
    for (const key of this.keys()) {
      const value = new Uint8Array(this.elementSize);
      if (this.lookup(key, value)) yield { key: key.slice(), value };
    }
  }

  get #canBatch(): boolean {
    return this.keySize > 0 && !OF_DESCRIPTORS.includes(this.type);
  }

  *#batches(): Generator<Chunk> {
    let room = Math.min(CHUNK, this.maxEntries);
    // hash maps keep a bucket number in it, the others a key
    let position = new Uint8Array(Math.max(this.keySize, 4));
    let next = new Uint8Array(position.length);
    let started = false;
    for (let end = false; !end;) {
      const keys = new Uint8Array(room * this.keySize);
      const values = new Uint8Array(room * this.elementSize);
      let count: number;
      try {
        ({ count, end } = mapBatch('MAP_LOOKUP_BATCH', {
          fd: this.fd.value, inBatch: started ? position : undefined, outBatch: next, keys, values, count: room, subject: this.#subject,
        }));
      } catch (error) {
        if (!(error instanceof SyscallError && error.errno === Errno.ENOSPC)) throw error;
        // one bucket holds more than there was room for
        room *= 2;
        continue;
      }
      started = true;
      [position, next] = [next, position];
      if (count > 0) yield { keys, values, count };
    }
  }

  /** Adds many elements at once: keys and values one after another. Linux 5.6 for hash maps and arrays. */
  updateBatch(keys: Uint8Array, values: Uint8Array, elemFlags = 0): void {
    const count = keys.length / this.keySize;
    if (!Number.isInteger(count) || values.length !== count * this.elementSize) {
      throw new UsageError(`${this.#subject}: ${keys.length} bytes of keys and ${values.length} bytes of values are not a whole number of elements (${this.keySize} and ${this.elementSize} bytes each)`);
    }
    if (count > 0) mapBatch('MAP_UPDATE_BATCH', { fd: this.fd.value, keys, values, count, elemFlags, subject: this.#subject });
  }

  /** No system call can change the map any more. */
  freeze(): void {
    mapFreeze(this.fd.value, this.#subject);
  }

  /**
   * The values of an array made with BPF_F_MMAPABLE, shared with the kernel: element i at i × round_up(valueSize, 8). Linux 5.5.
   * The caller owns the mapping; it keeps the map alive.
   */
  mmap(prot: number = Prot.READ | Prot.WRITE): Mapping {
    if (!(this.flags & MapCreateFlag.MMAPABLE)) throw new UsageError(`${this.#subject} cannot be mapped: it is made without BPF_F_MMAPABLE`);
    return new Mapping({ length: round8(this.valueSize) * this.maxEntries, fd: this.fd.value, prot, subject: this.#subject });
  }

  close(): void {
    this.fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The kernel trusts the pointers it is given: wrong sizes stop here. */
  #check(key: Uint8Array | undefined, value: Uint8Array | undefined): void {
    const keys = key === undefined ? 0 : key.length;
    // queue, stack and bloom filter are asked without a key
    if (keys !== this.keySize && !(key === undefined && value === undefined)) {
      throw new UsageError(`${this.#subject}: the key has ${keys} bytes, the map's keys have ${this.keySize}`);
    }
    if (value !== undefined && value.length !== this.elementSize) {
      throw new UsageError(`${this.#subject}: the value has ${value.length} bytes, the map moves ${this.elementSize}${this.perCpu ? ` (${round8(this.valueSize)} for each of ${possibleCpus()} CPUs)` : ''}`);
    }
  }
}

interface Chunk { readonly keys: Uint8Array; readonly values: Uint8Array; readonly count: number }

const round8 = (n: number) => Math.ceil(n / 8) * 8;

/** As bpf_map_value_size of kernel/bpf/syscall.c has it. */
function elementSize(type: number, valueSize: number): number {
  if (PER_CPU.includes(type)) return round8(valueSize) * possibleCpus();
  return OF_DESCRIPTORS.includes(type) ? 4 : valueSize;
}

