/**
 * Waiting at an address of a shared memory, and waking who waits there. There are no threads: whoever waits is a call that stands
 * still, and another call, or its time, wakes it.
 */
import { Trap } from '../errors.js';
import { FILES } from './files.js';
import { indexAt } from './machine-values.js';
import type { WasmMemory } from './memory.js';
import type { Runner } from './run.js';

const { I32, I64 } = FILES;

/** What the instruction gives. */
const WOKEN = 0, OTHER_VALUE = 1, TIMED_OUT = 2;
const NS_PER_MS = 1_000_000n;
/** setTimeout takes no more ms */
const LONGEST = 0x7fffffff;

/** memory -> address -> who waits there, longest first */
const waiting = new WeakMap<WasmMemory, Map<number, Set<() => void>>>();

export function atomicInstructions(m: Runner) {
  const memory = () => m.inst.memories[m.code[m.pc + 2]];
  const address = (w: number, bytes: number): number => {
    const { size, type } = memory();
    const at = indexAt(m.fp + (w >>> 12), type.is64) + (m.code[m.pc + 1] >>> 0);
    if (at % bytes !== 0) throw m.unaligned();
    if (at + bytes > size) throw new Trap('out of bounds memory access', `${at}, the memory has ${size} bytes`);
    return at;
  };
  return {
    // [op | address and count, offset, memory, –]
    'memory.atomic.notify'(w: number) {
      const slot = m.fp + (w >>> 12);
      const at = address(w, 4);
      const sleepers = waiting.get(memory())?.get(at) ?? [];
      const most = I32[slot + 1] >>> 0;
      let woken = 0;
      for (const wake of sleepers) {
        if (woken === most) break;
        wake();
        woken++;
      }
      I32[slot] = woken;
      m.pc += 4;
    },
    // [op | address, value and timeout, offset, memory, bytes of the value]
    'memory.atomic.wait'(w: number) {
      const slot = m.fp + (w >>> 12);
      const bytes = m.code[m.pc + 3];
      const at = address(w, bytes);
      const where = memory();
      if (!where.type.shared) throw new Trap('expected shared memory');
      const same = bytes === 4 ? where.view.getInt32(at, true) === I32[slot + 1] : where.view.getBigInt64(at, true) === I64[slot + 1];
      if (!same) {
        I32[slot] = OTHER_VALUE;
        m.pc += 4;
        return;
      }
      m.waitFor(sleep(where, at, I64[slot + 2]), `memory.atomic.wait${8 * bytes}`, w >>> 12, 4);
    },
  };
}

/** @param timeout in ns; none where it is negative */
function sleep(memory: WasmMemory, at: number, timeout: bigint): Promise<number> {
  let places = waiting.get(memory);
  if (!places) waiting.set(memory, places = new Map());
  let sleepers = places.get(at);
  if (!sleepers) places.set(at, sleepers = new Set());
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (result: number) => {
      clearTimeout(timer);
      sleepers.delete(wake);
      if (sleepers.size === 0 && places.get(at) === sleepers) places.delete(at);
      resolve(result);
    };
    const wake = () => end(WOKEN);
    sleepers.add(wake);
    if (timeout >= 0n) timer = setTimeout(() => end(TIMED_OUT), Number(timeout / NS_PER_MS > BigInt(LONGEST) ? LONGEST : timeout / NS_PER_MS));
  });
}
