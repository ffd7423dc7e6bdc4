/**
 * wasm_bpf_buffer_poll: waits for records and hands each to the guest. A generator, so that the guest's callback runs on the
 * guest's own stack, and so that waiting gives way to the event loop: the thread sleeps in the kernel for at most one slice.
 */
import type { Func, GuestCall } from '../interp/engine.js';
import { now } from '../interp/wait.js';
import type { GuestMemory } from '../wasi/memory.js';
import type { Waits } from '../wasi/waits.js';
import type { HostBuffer } from './backend.js';
import type { HostStats } from './objects.js';

/** ms that one wait in the kernel lasts at most; a signal ends it earlier */
const SLICE_MS = 50;
/** ms of delivering after which the event loop gets its turn */
const TURN_MS = 20;
/** records between two looks at the clock */
const LOOK_EVERY = 64;

export interface Poll {
  /** (ctx, data, size) -> i32, or -> nothing */
  readonly callback: Func;
  /** handed through to the callback */
  readonly ctx: number;
  /** where the record goes, and how many bytes of it at most */
  readonly data: number;
  readonly maxSize: number;
  /** ms; negative: no limit; 0: only looks */
  readonly timeoutMs: number;
  /** records to deliver at most; the rest waits for the next poll */
  readonly limit: number;
}

/** Returns the number of records, or the first negative result of the callback. */
export function* poll(memory: GuestMemory, { cursor, epoll }: HostBuffer, p: Poll, stats: HostStats, waits: Waits): Generator<GuestCall | Promise<unknown>, number, unknown> {
  const end = p.timeoutMs < 0 ? Infinity : now() + p.timeoutMs;
  let count = 0, turn = now();
  stats.polls++;
  try {
    for (;;) {
      while (count < p.limit && cursor.next()) {
        const { data, offset, size } = cursor;
        const length = Math.min(size, p.maxSize);
        // a view made now: the callback before may have grown the memory
        memory.set(p.data, data.subarray(offset, offset + length));
        count++;
        stats.records++;
        if (length < size) stats.cut++;
        const results = yield { func: p.callback, args: [p.ctx, p.data, size] };
        const result = Array.isArray(results) ? results[0] as unknown : results;
        if (typeof result === 'number' && result < 0) return result;
        if (count % LOOK_EVERY === 0 && now() - turn > TURN_MS) {
          cursor.release();
          yield* waits.turn();
          turn = now();
        }
      }
      const left = end - now();
      if (count > 0 || left <= 0) return count;
      if (epoll.wait(Math.min(SLICE_MS, Math.ceil(left))) === 0 && now() >= end) return 0;
      yield* waits.turn();
      turn = now();
    }
  } finally {
    cursor.release();
  }
}
