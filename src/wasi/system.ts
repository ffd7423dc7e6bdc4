/** Arguments, environment, clocks, random numbers, scheduling, the end of the process. */
import { ProcExit } from '../errors.js';
import { ClockId } from './abi.js';
import type { WasiState, WasiTable } from './context.js';
import { WasiError } from './errors.js';
import type { GuestMemory } from './memory.js';

/** bytes that crypto.getRandomValues gives at a time */
const RANDOM_PIECE = 65536;

export const SYSTEM = {
  args_get: (state, memory, pointers: number, text: number) => putStrings(memory, state.args, pointers, text),
  args_sizes_get: (state, memory, count: number, size: number) => putSizes(memory, state.args, count, size),
  environ_get: (state, memory, pointers: number, text: number) => putStrings(memory, state.environ, pointers, text),
  environ_sizes_get: (state, memory, count: number, size: number) => putSizes(memory, state.environ, count, size),

  clock_res_get: (_, memory, id: number, out: number) => {
    clockNow(id);
    memory.setU64(out, id === ClockId.MONOTONIC ? 1n : 1000n);
  },
  clock_time_get: (_, memory, id: number, _precision: bigint, out: number) => memory.setU64(out, clockNow(id)),

  random_get: (_, memory, pointer: number, length: number) => {
    memory.check(pointer, length);
    for (let done = 0; done < length; done += RANDOM_PIECE) {
      const piece = new Uint8Array(Math.min(RANDOM_PIECE, length - done));
      memory.set(pointer + done, crypto.getRandomValues(piece));
    }
  },

  sched_yield: ({ waits }) => waits.turn(),

  proc_exit: (_, __, status: number) => {
    throw new ProcExit(status);
  },
} satisfies WasiTable;

/** ns; realtime since 1970, monotonic since some fixed point, CPU time of this process. @throws WasiError EINVAL */
export function clockNow(id: number): bigint {
  switch (id) {
    case ClockId.REALTIME: {
      const ms = performance.timeOrigin + performance.now();
      const whole = Math.floor(ms);
      return BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1000)) * 1000n;
    }
    case ClockId.MONOTONIC:
      return process.hrtime.bigint();
    case ClockId.PROCESS_CPUTIME:
    case ClockId.THREAD_CPUTIME: {
      const { user, system } = process.cpuUsage();
      return BigInt(user + system) * 1000n;
    }
    default:
      throw new WasiError('INVAL');
  }
}

function putSizes(memory: GuestMemory, strings: WasiState['args'], count: number, size: number): void {
  memory.setU32(count, strings.length);
  memory.setU32(size, strings.reduce((sum, s) => sum + s.length + 1, 0));
}

function putStrings(memory: GuestMemory, strings: WasiState['args'], pointers: number, text: number): void {
  for (const [i, string] of strings.entries()) {
    memory.setU32(pointers + 4 * i, text);
    memory.set(text, string);
    memory.setU8(text + string.length, 0);
    text += string.length + 1;
  }
}
