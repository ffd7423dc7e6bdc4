/** The running kernel behind the ABI. Imported only for modules that ask for it: it brings ffi-rs along. */
import { Epoll } from '../kernel/epoll.js';
import type { BpfMap } from '../kernel/map.js';
import { PerfBuffer } from '../kernel/perf-buffer.js';
import { RingBuffer } from '../kernel/ring-buffer.js';
import { BpfObject } from '../loader/load.js';
import { MapType } from '../uapi.js';
import type { Backend, HostBuffer, KernelOptions } from './backend.js';

/** @param how every object is loaded */
export const kernelBackend = (how: KernelOptions = {}): Backend => ({
  load: (bytes, name, warn) => BpfObject.load(bytes, { ...how, name, onWarning: warn }),

  openBuffer: (map): HostBuffer => {
    // every HostMap that reaches this backend is one that it loaded
    const own = map as BpfMap;
    const cursor = own.type === MapType.RINGBUF ? new RingBuffer(own) : new PerfBuffer(own);
    let epoll: Epoll | undefined;
    try {
      epoll = new Epoll();
      epoll.add(cursor.fd.value, 0);
    } catch (error) {
      epoll?.close();
      cursor.close();
      throw error;
    }
    const waiter = epoll;
    return {
      cursor,
      epoll: waiter,
      close: () => {
        waiter.close();
        cursor.close();
      },
    };
  },
});
