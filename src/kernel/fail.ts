/**
 * From an errno to the error a user reads: the call as strace names it, its subject, and a way out only where one is known.
 */
import { SyscallError } from '../errors.js';
import { lacking, type Capability } from './capabilities.js';
import { Errno, errnoName } from './errno.js';

const TRACING: readonly Capability[] = ['CAP_BPF', 'CAP_PERFMON'];

/**
 * @param cmd `BPF_MAP_CREATE`, `perf_event_open`
 * @param errno positive
 * @param needs the capabilities that the call asks for
 */
export function failure(cmd: string, errno: number, subject = '', needs: readonly Capability[] = TRACING): SyscallError {
  return new SyscallError(cmd, errno, errnoName(errno), subject, wayOut(errno, needs));
}

function wayOut(errno: number, needs: readonly Capability[]): string {
  if (errno === Errno.EPERM) {
    const missing = lacking(needs);
    if (missing.length > 0) return `run as root, or grant ${missing.join(' and ')}`;
    return 'not for want of capabilities: this process has all that the call asks for';
  }
  if (errno === Errno.EMFILE) return 'raise the limit of open files: ulimit -n';
  return '';
}
