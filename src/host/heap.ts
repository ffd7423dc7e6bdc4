/** JavaScript's heap as V8 tells of it, for the engine's bound on structs and arrays (interp/heap.ts). */
import { createRequire } from 'node:module';
import { runInNewContext } from 'node:vm';
import { heap } from '../interp/heap.js';

/** of what V8 allows itself: a collection needs room too */
const SHARE = 0.6;

/** Loaded only for guests with structs and arrays: it takes its time. */
const v8 = () => createRequire(import.meta.url)('node:v8') as typeof import('node:v8');

let gc: (() => void) | undefined;

/** Has the engine look at the heap from now on. */
export function boundHeap(): void {
  heap.probe = {
    inUse() {
      const { used_heap_size: own, external_memory: outside, heap_size_limit: most } = v8().getHeapStatistics();
      heap.limit = Math.min(heap.limit, SHARE * most);
      return own + outside;
    },
    collect() {
      if (!gc) {
        // a flag may be set at any time, and holds for the contexts made then
        v8().setFlagsFromString('--expose-gc');
        gc = runInNewContext('gc') as () => void;
        v8().setFlagsFromString('--no-expose-gc');
      }
      gc();
    },
  };
}
