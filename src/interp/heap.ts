/**
 * Bounds what the structs and arrays of guests take of JavaScript's heap: V8 ends the process when its heap is full, which a
 * guest must not be able to bring about. Counts what is made; now and then has the host look at how much is in use, and where
 * that is too much, at how much is left after a collection. What is alive is of all guests of the thread together.
 */
import { ExhaustedError } from '../errors.js';

/** What the host knows of JavaScript's heap, in bytes; arrays that lie outside of it count too. */
export interface HeapProbe {
  /** May lower the limit. */
  inUse(): number;
  collect(): void;
}

/** bytes made between two looks */
const STEP = 16 << 20;

export const heap = {
  /** undefined: nobody looks */
  probe: undefined as HeapProbe | undefined,
  /** bytes in use with which no struct or array is made any more */
  limit: 1 << 30,
  /** bytes that may be made before the next look */
  left: STEP,
};

/** Takes notice that an object of so many bytes is being made. @throws ExhaustedError where there is no room for it */
export function made(bytes: number): void {
  if ((heap.left -= bytes) < 0) look(bytes);
}

function look(bytes: number): void {
  const { probe } = heap;
  let used = probe ? probe.inUse() : 0;
  const { limit } = heap;
  if (probe && used + bytes > limit) {
    probe.collect();
    used = probe.inUse();
    if (used + bytes > limit) {
      heap.left = 0;
      throw new ExhaustedError('heap exhausted', `${mib(used)} MiB of JavaScript's heap are in use, ${mib(limit)} MiB at most`);
    }
  }
  // the more room there is, the later the next look
  heap.left = Math.max(STEP, Math.min((limit - used - bytes) / 2, 4 * STEP));
}

const mib = (bytes: number) => Math.round(bytes / (1 << 20));
