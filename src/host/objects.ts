/**
 * What one guest owns in the kernel: its BPF objects, their maps under small handle numbers, and the buffers it polls. A guest
 * never sees a descriptor, and a number that it was not given means nothing. Everything is closed with the guest.
 */
import { MapType } from '../uapi.js';
import type { Backend, HostBuffer, HostMap, HostObject } from './backend.js';

/** Bounds for one guest; a load beyond them fails. */
export interface HostLimits {
  /** bytes of one BPF object */
  readonly objectBytes: number;
  /** objects open at a time */
  readonly objects: number;
  /** records that one poll delivers at most, so that a flood of events cannot keep the guest inside one call for ever */
  readonly recordsPerPoll: number;
}
export const HOST_LIMITS: HostLimits = { objectBytes: 64 << 20, objects: 256, recordsPerPoll: 65_536 };

export interface GuestMap {
  readonly map: HostMap;
  readonly name: string;
  readonly owner: GuestObject;
  /** opened by the first poll */
  buffer?: HostBuffer;
  /** a poll is going on: its callback must not poll the same buffer, nor close the object */
  polling: boolean;
}

export interface GuestObject {
  readonly handle: bigint;
  readonly object: HostObject;
  /** by name */
  readonly maps: Map<string, number>;
  attached: number;
}

/** What happened, for --stats and for callers of the API. Counts. */
export interface HostStats {
  objects: number;
  attached: number;
  polls: number;
  records: number;
  /** records cut to the guest's buffer */
  cut: number;
  /** events the kernel dropped because a perf buffer was full */
  lost: number;
}

export class GuestObjects {
  readonly #backend: Backend;
  readonly #objects = new Map<bigint, GuestObject>();
  readonly #maps = new Map<number, GuestMap>();
  #nextObject = 1n;
  /** from 1: guests test map handles with `> 0` as well as with `>= 0` */
  #nextMap = 1;
  readonly stats: HostStats = { objects: 0, attached: 0, polls: 0, records: 0, cut: 0, lost: 0 };

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get count(): number {
    return this.#objects.size;
  }

  /** Loads an object and gives it a handle, never 0. @throws ProjectError */
  load(bytes: Uint8Array, name: string, warn: (text: string) => void): GuestObject {
    const object = this.#backend.load(bytes, name, warn);
    const made = { handle: this.#nextObject++, object, maps: new Map<string, number>(), attached: 0 };
    this.#objects.set(made.handle, made);
    this.stats.objects++;
    return made;
  }

  object(handle: bigint): GuestObject | undefined {
    return this.#objects.get(handle);
  }

  map(handle: number): GuestMap | undefined {
    return this.#maps.get(handle);
  }

  /** The handle of a map, the same one each time; undefined where the object has none of that name. */
  mapHandle(owner: GuestObject, name: string): number | undefined {
    const known = owner.maps.get(name);
    if (known !== undefined) return known;
    const map = owner.object.maps.get(name);
    if (map === undefined) return undefined;
    const handle = this.#nextMap++;
    owner.maps.set(name, handle);
    this.#maps.set(handle, { map, name, owner, polling: false });
    return handle;
  }

  /** The buffer over a map, opened at the first use; undefined for a map of another type. @throws SyscallError */
  buffer(guestMap: GuestMap): HostBuffer | undefined {
    if (guestMap.map.type !== MapType.RINGBUF && guestMap.map.type !== MapType.PERF_EVENT_ARRAY) return undefined;
    return (guestMap.buffer ??= this.#backend.openBuffer(guestMap.map));
  }

  /** Whether a poll of one of the object's buffers is going on. */
  polling(owner: GuestObject): boolean {
    return [...owner.maps.values()].some((handle) => this.#maps.get(handle)?.polling);
  }

  /** Detaches, unloads, unmaps; the handles of the object and of its maps are no longer known. */
  closeObject(owner: GuestObject): void {
    this.#objects.delete(owner.handle);
    for (const handle of owner.maps.values()) {
      const { buffer } = this.#maps.get(handle) as GuestMap;
      this.#maps.delete(handle);
      this.stats.lost += lostBy(buffer);
      buffer?.close();
    }
    owner.object.close();
  }

  /** Closes everything. Twice is once. */
  close(): void {
    for (const owner of [...this.#objects.values()]) this.closeObject(owner);
  }
}

function lostBy(buffer: HostBuffer | undefined): number {
  return (buffer?.cursor.lost ?? []).reduce((sum, n) => sum + (n ?? 0), 0);
}
