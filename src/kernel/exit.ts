/** The end of the process. Flushing, detaching and the exit status are the caller's business; this is only the last step. */
import { SYS, syscall } from './ffi/syscall.js';

/**
 * Ends the process at once. `process.exit` joins V8's compiler threads, and one that is busy with a large function keeps the
 * process alive for 0.3 to 1 s; the kernel does not wait. Standard output must be written: pipes, files and terminals are
 * synchronous in Node on Linux.
 */
export function exitNow(status: number): never {
  // node writes coverage and profiles on its own way out
  const watched = process.execArgv.length > 0 || process.env['NODE_V8_COVERAGE'] !== undefined || process.env['NODE_OPTIONS'] !== undefined;
  if (!watched) {
    process.emit('exit', status);
    try {
      syscall(SYS.exit_group, status);
    } catch {
      // not Linux: the slow way works everywhere
    }
  }
  process.exit(status);
}
