/**
 * The way onto a perf event: a link (Linux 5.15), else the ioctl. Also the family that brings its own events, SEC("perf_event").
 * Source: bpf_perf_link_attach in kernel/bpf/syscall.c, perf_event_set_bpf_prog in kernel/events/core.c, Linux 6.18.
 */
import { SyscallError } from '../../errors.js';
import { linkCreate } from '../../kernel/bpf.js';
import { onlineCpus } from '../../kernel/cpus.js';
import { Errno } from '../../kernel/errno.js';
import type { Fd } from '../../kernel/fd.js';
import { PerfFlag, PerfHardware, PerfSoftware, PerfType, perfEnable, perfEventOpen, perfSetBpf } from '../../kernel/perf-event.js';
import { AttachType } from '../../uapi.js';
import { didYouMean } from '../../kernel/near.js';
import { DescriptorLink, failAttach, holding, type AttachRequest, type Link } from './link.js';

/**
 * Lets the program run at every occurrence of the event.
 * @param event owned from here on, also where this throws
 * @returns what has to stay open, in the order of closing
 */
export function runOnEvent(progFd: number, event: Fd, subject: string): Fd[] {
  const fds = [event];
  return holding(fds, () => {
    try {
      fds.unshift(linkCreate({ progFd, target: event.value, attachType: AttachType.PERF_EVENT, subject }));
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== Errno.EINVAL) throw error;
      perfSetBpf(event.value, progFd, subject);
    }
    perfEnable(event.value, subject);
    return fds;
  });
}

/** `CPU_CLOCK` -> `cpu-clock` */
const named = (type: number, table: Readonly<Record<string, number>>): [string, { type: number; config: number }][] =>
  Object.entries(table).map(([name, config]) => [name.toLowerCase().replaceAll('_', '-'), { type, config }]);
const EVENTS: ReadonlyMap<string, { type: number; config: number }> = new Map([...named(PerfType.SOFTWARE, PerfSoftware), ...named(PerfType.HARDWARE, PerfHardware)]);

/** What a profiler takes: 99 and not 100, so that it does not run in step with the timers. */
const DEFAULT_TARGET = 'cpu-clock:99';

/**
 * `event:frequency` (Hz, per CPU) or `event:/period` (every so many occurrences), on every CPU that is online, for all
 * processes. libbpf leaves the events to the caller, who has no way to make them in a guest.
 */
export function attachPerfEvent(request: AttachRequest): Link {
  const target = request.target ?? DEFAULT_TARGET;
  const match = /^([a-z-]+)(?::(\/?)(\d{1,15}))?$/.exec(target);
  const event = match && EVENTS.get(match[1]);
  if (!match || !event) {
    throw failAttach(request, `unknown perf event "${target}"`, didYouMean(target.split(':')[0], EVENTS.keys()) || 'like "cpu-clock:99" (Hz) or "page-faults:/1000" (every 1000th)');
  }
  const [, name, slash, digits] = match;
  const rate = BigInt(digits ?? '99');
  if (rate === 0n) throw failAttach(request, `perf event "${target}" has the rate 0`, 'at least 1');
  const byPeriod = slash === '/';
  const subject = `perf event ${name} ${byPeriod ? `every ${rate}` : `at ${rate} Hz`}`;
  const fds: Fd[] = [];
  return holding(fds, () => {
    for (const cpu of onlineCpus()) {
      const flags = byPeriod ? PerfFlag.DISABLED : PerfFlag.DISABLED | PerfFlag.FREQ;
      const opened = perfEventOpen({ type: event.type, config: BigInt(event.config), samplePeriod: rate, flags }, -1, cpu, -1, undefined, subject);
      fds.push(...runOnEvent(request.progFd, opened, subject));
    }
    return new DescriptorLink(subject, fds);
  });
}
