/**
 * The one door from the ABI to the kernel: loads objects and opens their buffers. The types say how little the ABI needs;
 * everything else of this folder works without a kernel, and is tested so.
 */
import type { Epoll } from '../kernel/epoll.js';
import type { BpfMap } from '../kernel/map.js';
import type { PerfBuffer } from '../kernel/perf-buffer.js';
import type { RingBuffer } from '../kernel/ring-buffer.js';
import type { LoadOptions } from '../loader/load.js';

/** What a guest has no say in: whose types its objects are relocated against, and what is told of the verifier's work. */
export type KernelOptions = Pick<LoadOptions, 'btf' | 'logLevel' | 'onVerifierLog'>;

export type HostMap = Pick<BpfMap, 'name' | 'type' | 'keySize' | 'valueSize' | 'elementSize' | 'subject' | 'perCpu' | 'lookup' | 'contains' | 'update' | 'delete' | 'nextKey'> & {
  /** needed only to put this map into a map of maps */
  readonly fd: { readonly value: number };
};

export interface HostObject {
  readonly maps: ReadonlyMap<string, HostMap>;
  readonly programs: ReadonlyMap<string, unknown>;
  attach(program: string, target?: string): unknown;
  close(): void;
}

export type HostCursor = Pick<RingBuffer, 'next' | 'data' | 'offset' | 'size' | 'release' | 'close'> & Partial<Pick<PerfBuffer, 'lost'>>;

/** A ring or perf buffer with the means to wait for it. */
export interface HostBuffer {
  readonly cursor: HostCursor;
  readonly epoll: Pick<Epoll, 'wait'>;
  /** releases both; the map stays open */
  close(): void;
}

export interface Backend {
  /**
   * @param warn told what went another way than the object asks, without being an error
   * @throws ProjectError of any kind: broken object, refused by the kernel, not supported
   */
  load(bytes: Uint8Array, name: string, warn: (text: string) => void): HostObject;
  /** @param map of type RINGBUF or PERF_EVENT_ARRAY. @throws SyscallError */
  openBuffer(map: HostMap): HostBuffer;
}
