/** JavaScript's heap as V8 tells of it, for the engine's bound on structs and arrays (interp/heap.ts). */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { heap } from '../interp/heap.js';

/** of what V8 allows itself: a collection needs room too */
const SHARE = 0.6;

let gc: (() => void) | undefined;

/** Has the engine look at the heap from now on. */
export function boundHeap(): void {
  heap.limit = Math.min(heap.limit, SHARE * getHeapStatistics().heap_size_limit);
  heap.probe = {
    inUse() {
      const { used_heap_size: own, external_memory: outside } = getHeapStatistics();
      return own + outside;
    },
    collect() {
      if (!gc) {
        // a flag may be set at any time, and holds for the contexts made then
        setFlagsFromString('--expose-gc');
        gc = runInNewContext('gc') as () => void;
        setFlagsFromString('--no-expose-gc');
      }
      gc();
    },
  };
}
