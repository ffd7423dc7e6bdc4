/**
 * perf_event_open(2) and the ioctls that BPF needs of it. Source: include/uapi/linux/perf_event.h of Linux 6.18.
 */
import { readFileSync } from 'node:fs';
import { UnsupportedError } from '../errors.js';
import { PerfEventAttr, type Read } from './attr.js';
import { failure } from './fail.js';
import { Fd } from './fd.js';
import { SYS, syscall } from './ffi/syscall.js';
import { framed } from './memory.js';

/** PERF_TYPE_* */
export const PerfType = { HARDWARE: 0, SOFTWARE: 1, TRACEPOINT: 2, HW_CACHE: 3, RAW: 4, BREAKPOINT: 5 } as const;
/** PERF_COUNT_SW_* */
export const PerfSoftware = {
  CPU_CLOCK: 0, TASK_CLOCK: 1, PAGE_FAULTS: 2, CONTEXT_SWITCHES: 3, CPU_MIGRATIONS: 4, PAGE_FAULTS_MIN: 5, PAGE_FAULTS_MAJ: 6,
  ALIGNMENT_FAULTS: 7, EMULATION_FAULTS: 8, DUMMY: 9, BPF_OUTPUT: 10, CGROUP_SWITCHES: 11,
} as const;
/** PERF_COUNT_HW_* */
export const PerfHardware = {
  CPU_CYCLES: 0, INSTRUCTIONS: 1, CACHE_REFERENCES: 2, CACHE_MISSES: 3, BRANCH_INSTRUCTIONS: 4, BRANCH_MISSES: 5, BUS_CYCLES: 6,
  STALLED_CYCLES_FRONTEND: 7, STALLED_CYCLES_BACKEND: 8, REF_CPU_CYCLES: 9,
} as const;
export const PERF_SAMPLE_RAW = 1 << 10;
/** Bits of perf_event_attr.flags. */
export const PerfFlag = { DISABLED: 1n << 0n, INHERIT: 1n << 1n, FREQ: 1n << 10n, WATERMARK: 1n << 14n } as const;

/** _IO('$', n), and _IOW('$', 8, __u32) for SET_BPF; the same on x86-64 and arm64 */
const Ioctl = { ENABLE: 0x2400, DISABLE: 0x2401, SET_BPF: 0x40042408 } as const;
const PERF_FLAG_FD_CLOEXEC = 8;

export type PerfEventSpec = Partial<Omit<Read<typeof PerfEventAttr>, 'size' | 'config1'>> & {
  /** a number, or a string whose address is passed (kprobe_func, uprobe_path) */
  readonly config1?: bigint | string;
};

/**
 * @param pid −1: every process. @param cpu −1: every processor; not both
 * @param subject for messages: `kprobe "do_unlinkat"`
 * @throws SyscallError (SYSCALL)
 */
export function perfEventOpen(attr: PerfEventSpec, pid: number, cpu: number, groupFd = -1, flags = PERF_FLAG_FD_CLOEXEC, subject = ''): Fd {
  return framed((a) => {
    const at = a.alloc(PerfEventAttr.size);
    const { config1 } = attr;
    PerfEventAttr.write(a.view, at, {
      ...attr,
      size: PerfEventAttr.size,
      config1: typeof config1 === 'string' ? BigInt(a.putString(config1)) : config1,
    });
    const result = syscall(SYS.perf_event_open, a.address + at, pid, cpu, groupFd, flags);
    if (result < 0) throw failure('perf_event_open', -result, subject, ['CAP_PERFMON']);
    return new Fd(result, `perf event${subject && ` ${subject}`}`);
  });
}

export function perfEnable(fd: number, subject = ''): void {
  control('PERF_EVENT_IOC_ENABLE', Ioctl.ENABLE, fd, 0, subject);
}

export function perfDisable(fd: number, subject = ''): void {
  control('PERF_EVENT_IOC_DISABLE', Ioctl.DISABLE, fd, 0, subject);
}

/** Runs the program at every occurrence; it stays until the event's descriptor is closed. */
export function perfSetBpf(fd: number, progFd: number, subject = ''): void {
  control('PERF_EVENT_IOC_SET_BPF', Ioctl.SET_BPF, fd, progFd, subject);
}

function control(name: string, request: number, fd: number, argument: number, subject: string): void {
  const result = syscall(SYS.ioctl, fd, request, argument);
  if (result < 0) throw failure(name, -result, subject);
}

/** Number of a dynamic PMU: `kprobe`, `uprobe`. @throws UnsupportedError (UNSUPPORTED) where the kernel has none */
export function pmuType(name: string): number {
  return Number(pmuFile(name, 'type').trim());
}

/** The config bit that makes a probe a return probe. @throws UnsupportedError (UNSUPPORTED) */
export function retprobeBit(name: 'kprobe' | 'uprobe'): number {
  const text = pmuFile(name, 'format/retprobe');
  const match = /^config:(\d+)\s*$/.exec(text);
  if (!match) throw new UnsupportedError(`the ${name} PMU's retprobe format "${text.trim()}"`, '', 'expected config:N');
  return Number(match[1]);
}

function pmuFile(name: string, file: string): string {
  try {
    return readFileSync(`/sys/bus/event_source/devices/${name}/${file}`, 'latin1');
  } catch {
    throw new UnsupportedError(`the ${name} PMU`, '4.17', name === 'kprobe' ? 'the kernel needs CONFIG_KPROBES' : name === 'uprobe' ? 'the kernel needs CONFIG_UPROBES' : '');
  }
}
