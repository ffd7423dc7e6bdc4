/**
 * System calls by number, for x86-64 and arm64. One rule: the result is the kernel's own, that is the value, or −errno.
 * Sources: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux 6.18.
 */
import { errnoView, libcSyscall } from './native.js';

const NUMBERS = { //        x64  arm64
  close:                   [  3,  57],
  mmap:                    [  9, 222],
  munmap:                  [ 11, 215],
  ioctl:                   [ 16,  29],
  socket:                  [ 41, 198],
  sendto:                  [ 44, 206],
  recvfrom:                [ 45, 207],
  bind:                    [ 49, 200],
  setsockopt:              [ 54, 208],
  epoll_pwait:             [281,  22],
  epoll_ctl:               [233,  21],
  epoll_create1:           [291,  20],
  perf_event_open:         [298, 241],
  getrusage:               [ 98, 165],
  exit_group:              [231,  94],
  prlimit64:               [302, 261],
  bpf:                     [321, 280],
  fsopen:                  [430, 430],
  fsconfig:                [431, 431],
  fsmount:                 [432, 432],
} as const satisfies Record<string, readonly [x64: number, arm64: number]>;

export type SyscallName = keyof typeof NUMBERS;

/** The number of every system call used here, on this processor. */
export const SYS: { readonly [K in SyscallName]: number } = Object.fromEntries(
  Object.entries(NUMBERS).map(([name, [x64, arm64]]) => [name, process.arch === 'arm64' ? arm64 : x64]),
) as { [K in SyscallName]: number };

/**
 * Calls the kernel; blocks this thread until it answers.
 * @param args integers and addresses below 2^53, at most six
 * @returns the result, or −errno
 * @throws UnsupportedError (UNSUPPORTED) where there is no Linux
 */
export function syscall(nr: number, ...args: number[]): number {
  const result = libcSyscall(nr, args);
  return result === -1 ? -errnoView()[0] : result;
}
