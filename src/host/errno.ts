/**
 * What the guest gets for an error: a negative errno, as the C SDK's callers check it. Numbers are Linux's, and come from the
 * system call that failed where one did.
 */
import { ProjectError, SyscallError, UnsupportedError, VerifierError } from '../errors.js';

export const EPERM = 1, ENOENT = 2, EBADF = 9, EFAULT = 14, EBUSY = 16, EINVAL = 22, EOPNOTSUPP = 95;

/** Positive. Looks through `cause` for the system call; what has none was the guest's mistake: EINVAL. */
export function errnoOf(error: unknown): number {
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    if (e instanceof SyscallError || e instanceof VerifierError) return e.errno;
    if (e instanceof UnsupportedError) return EOPNOTSUPP;
  }
  return EINVAL;
}

/** Runs `f`; an error of this project becomes its negative errno, anything else is a fault of the host and goes on. */
export function refused(f: () => number, report: (error: ProjectError) => void = () => {}): number {
  try {
    return f();
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    report(error);
    return -errnoOf(error);
  }
}
