/**
 * poll_oneoff: waits for clocks and descriptors. Standard input is watched through its stream, files are always ready, as
 * poll(2) has it. How it waits is waits.ts's business.
 */
import { ABSTIME, ClockId, Errno, EventType, Size } from './abi.js';
import type { WasiState, WasiTable } from './context.js';
import { WasiError, wasiErrno } from './errors.js';
import type { GuestMemory } from './memory.js';
import { clockNow } from './system.js';
import type { Waiting, Waits } from './waits.js';

/** subscriptions of one call */
const MAX_SUBSCRIPTIONS = 4096;
/** ms that setTimeout takes at most */
const MAX_DELAY = 2 ** 31 - 1;

interface Event { readonly userdata: bigint; readonly type: number; readonly errno: number; readonly bytes: bigint }
interface Subscription {
  readonly userdata: bigint;
  readonly type: number;
  /** ns on the clock `clock`, for clocks */
  readonly deadline?: bigint;
  readonly clock?: number;
  /** for descriptors: what there is to say now, or undefined, and a promise for when there is */
  readonly ready?: () => Event | undefined;
  readonly wait?: () => Promise<void>;
}

export const POLL = {
  * poll_oneoff(state, memory, input: number, output: number, count: number, used: number) {
    if (count === 0 || count > MAX_SUBSCRIPTIONS) throw new WasiError('INVAL');
    memory.check(input, count * Size.subscription);
    memory.check(output, count * Size.event);
    memory.check(used, 4);
    const subscriptions = Array.from({ length: count }, (_, i) => subscription(state, memory, input + i * Size.subscription));
    let events = due(subscriptions);
    while (events.length === 0) {
      yield* anyOf(state.waits, subscriptions);
      events = due(subscriptions);
    }
    for (const [i, event] of events.entries()) {
      const at = output + i * Size.event;
      memory.bytes(at, Size.event).fill(0);
      memory.setU64(at, event.userdata);
      memory.setU16(at + 8, event.errno);
      memory.setU8(at + 10, event.type);
      memory.setU64(at + 16, event.bytes);
    }
    memory.setU32(used, events.length);
  },
} satisfies WasiTable;

function subscription(state: WasiState, memory: GuestMemory, at: number): Subscription {
  const userdata = memory.u64(at), type = memory.u8(at + 8);
  const event = (errno: number, bytes = 0n): Event => ({ userdata, type, errno, bytes });
  if (type === EventType.CLOCK) {
    const clock = memory.u32(at + 16), timeout = memory.u64(at + 24), flags = memory.u16(at + 40);
    if (clock !== ClockId.REALTIME && clock !== ClockId.MONOTONIC) {
      const errno = clock > ClockId.THREAD_CPUTIME ? Errno.INVAL : Errno.NOTSUP;
      return { userdata, type, ready: () => event(errno) };
    }
    return { userdata, type, clock, deadline: flags & ABSTIME ? timeout : clockNow(clock) + timeout };
  }
  if (type !== EventType.FD_READ && type !== EventType.FD_WRITE) return { userdata, type, ready: () => event(Errno.INVAL) };
  try {
    const descriptor = state.descriptors.get(memory.u32(at + 16));
    if (descriptor.kind === 'input' && type === EventType.FD_READ) {
      const { input } = descriptor;
      return { userdata, type, ready: () => (input.available < 0 ? undefined : event(0, BigInt(input.available))), wait: () => input.ready() };
    }
    const wrongWay = descriptor.kind === 'input' || (descriptor.kind === 'output' && type === EventType.FD_READ);
    return { userdata, type, ready: () => event(wrongWay ? Errno.BADF : 0) };
  } catch (error) {
    const errno = wasiErrno(error);
    if (errno === undefined) throw error;
    return { userdata, type, ready: () => event(errno) };
  }
}

function due(subscriptions: readonly Subscription[]): Event[] {
  return subscriptions.flatMap(({ userdata, type, clock, deadline, ready }) => {
    const event = ready?.();
    if (event) return [event];
    return deadline !== undefined && clockNow(clock as number) >= deadline ? [{ userdata, type, errno: 0, bytes: 0n }] : [];
  });
}

/** Settles when one of them may be due. */
function* anyOf(waits: Waits, subscriptions: readonly Subscription[]): Waiting {
  const inputs = subscriptions.flatMap(({ wait }) => (wait ? [wait()] : []));
  const delays = subscriptions.flatMap(({ clock, deadline }) => (deadline === undefined ? [] : [Number(deadline - clockNow(clock as number)) / 1e6]));
  if (delays.length === 0) {
    yield Promise.race(inputs);
    return;
  }
  const ms = Math.min(MAX_DELAY, Math.max(0, Math.ceil(Math.min(...delays))));
  yield* waits.sleep(ms, inputs.length === 0 ? undefined : Promise.race(inputs));
}
