/**
 * RLIMIT_MEMLOCK: kernels before 5.11 charge maps and programs to it. Raised only there.
 */
import { Errno } from './errno.js';
import { failure } from './fail.js';
import { feature } from './features.js';
import { SYS, syscall } from './ffi/syscall.js';
import { framed } from './memory.js';

const RLIMIT_MEMLOCK = 8;
const INFINITY = 0xffff_ffff_ffff_ffffn;

/** `soft` and `hard` in bytes; 2^64 − 1 is no limit. */
export function memlock(next?: { soft: bigint; hard: bigint }): { soft: bigint; hard: bigint } {
  return framed((a) => {
    const old = a.alloc(16);
    let wanted = 0;
    if (next) {
      const at = a.alloc(16);
      a.view.setBigUint64(at, next.soft, true);
      a.view.setBigUint64(at + 8, next.hard, true);
      wanted = a.address + at;
    }
    const result = syscall(SYS.prlimit64, 0, RLIMIT_MEMLOCK, wanted, a.address + old);
    if (result < 0) throw failure('prlimit64', -result, 'RLIMIT_MEMLOCK', ['CAP_SYS_RESOURCE']);
    return { soft: a.view.getBigUint64(old, true), hard: a.view.getBigUint64(old + 8, true) };
  });
}

/**
 * Makes room for maps and programs where the kernel counts them: no limit, or without CAP_SYS_RESOURCE the hard limit.
 * @returns whether the limit had to be raised
 */
export function raiseMemlock(): boolean {
  if (feature('memcgAccounting')) return false;
  const { soft, hard } = memlock();
  if (soft === INFINITY) return false;
  try {
    memlock({ soft: INFINITY, hard: INFINITY });
  } catch (error) {
    if (!(error instanceof Error && 'errno' in error && error.errno === Errno.EPERM)) throw error;
    memlock({ soft: hard, hard });
  }
  return true;
}
