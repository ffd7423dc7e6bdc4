/**
 * How a WASI function says no: it throws a WasiError, and the one wrapper around all of them returns its number. Also
 * translates what Node's file functions throw. Never leaves this folder.
 */
import { Errno, type ErrnoName } from './abi.js';

export class WasiError extends Error {
  readonly errno: number;
  constructor(errno: ErrnoName | number) {
    super(`WASI errno ${errno}`);
    this.errno = typeof errno === 'number' ? errno : Errno[errno];
  }
}

/**
 * The errno for anything a function throws, or undefined for what is not an answer to the guest but a fault or a way to end.
 * An errno of the system that WASI has no number for becomes EIO.
 */
export function wasiErrno(error: unknown): number | undefined {
  if (error instanceof WasiError) return error.errno;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || typeof syscall !== 'string') return undefined;
  if (code === 'EOPNOTSUPP') return Errno.NOTSUP;
  const name = code.slice(1);
  return Object.hasOwn(Errno, name) ? Errno[name as ErrnoName] : Errno.IO;
}
