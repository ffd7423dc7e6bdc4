/**
 * From an errno to the error a user reads: the call as strace names it, its subject, and a way out only where one is known.
 */
import { SyscallError } from '../errors.js';
import { lacking, type Capability } from './capabilities.js';
import { Errno, errnoName } from './errno.js';
import { kernelAtLeast } from './release.js';

/** Commands whose memory is charged to RLIMIT_MEMLOCK before Linux 5.11. */
const COUNTED: readonly string[] = ['BPF_MAP_CREATE', 'BPF_PROG_LOAD'];
const TRACING: readonly Capability[] = ['CAP_BPF', 'CAP_PERFMON'];

/**
 * @param cmd `BPF_MAP_CREATE`, `perf_event_open`
 * @param errno positive
 * @param needs the capabilities that the call asks for
 */
export function failure(cmd: string, errno: number, subject = '', needs: readonly Capability[] = TRACING): SyscallError {
  return new SyscallError(cmd, errno, errnoName(errno), subject, wayOut(cmd, errno, needs));
}

function wayOut(cmd: string, errno: number, needs: readonly Capability[]): string {
  if (errno === Errno.EPERM) {
    const missing = lacking(needs);
    if (missing.length > 0) return `run as root, or grant ${missing.join(' and ')}`;
    // before memory was accounted by cgroup, running into the limit looked the same
    if (COUNTED.includes(cmd) && !kernelAtLeast('5.11')) return 'RLIMIT_MEMLOCK may be too low: ulimit -l unlimited';
    return 'not for want of capabilities: this process has all that the call asks for';
  }
  if (errno === Errno.EMFILE) return 'raise the limit of open files: ulimit -n';
  return '';
}
