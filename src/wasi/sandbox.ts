/**
 * Paths below a folder that was granted, and only below it. A path is walked one component at a time from an open descriptor
 * of the folder, through /proc/self/fd, so that neither `..`, nor an absolute path, nor a symbolic link (the guest's own or
 * one that appears meanwhile) leads out. Symbolic links are followed here, by the same rule, never by the kernel.
 * Linux only. Opens folders, does not open files.
 */
import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { WasiError } from './errors.js';

/** O_PATH of Linux (include/uapi/asm-generic/fcntl.h): a descriptor that only names */
const O_PATH = 0o10000000;
const OPEN_FOLDER = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** links in one path, as the kernel has it (MAXSYMLINKS) */
const MAX_LINKS = 40;
const MAX_PATH = 4096;
const MAX_NAME = 255;

/** A descriptor for a folder of the host, to start walks from. @throws the error of open(2) */
export function openFolder(path: string): number {
  return openSync(path, O_PATH | constants.O_DIRECTORY);
}

export interface WalkOptions {
  /** whether a symbolic link at the end is followed */
  readonly follow: boolean;
}

/**
 * Finds where `path` lies and calls `use` with a name for it that the host's file functions take and that cannot lead out.
 * The last component may be absent, and is not a symbolic link where `follow` was asked for.
 * @param folder descriptor of openFolder or of an earlier walk
 * @throws WasiError ENOTCAPABLE for a way out, ELOOP, ENAMETOOLONG, ENOENT for ''; errors of the host's file functions
 */
export function within<T>(folder: number, path: string, { follow }: WalkOptions, use: (hostPath: string) => T): T {
  if (path.length === 0) throw new WasiError('NOENT');
  if (path.length > MAX_PATH) throw new WasiError('NAMETOOLONG');
  const todo = components(path);
  /** the folders entered, innermost last */
  const entered: number[] = [];
  const here = () => entered.at(-1) ?? folder;
  let links = 0;
  try {
    for (;;) {
      const name = todo.shift();
      if (name === undefined) return use(`/proc/self/fd/${here()}/.`);
      if (name === '.') continue;
      if (name === '..') {
        const left = entered.pop();
        if (left === undefined) throw new WasiError('NOTCAPABLE');
        closeSync(left);
        continue;
      }
      const hostPath = `/proc/self/fd/${here()}/${name}`;
      const last = todo.length === 0;
      const link = last && !follow ? undefined : linkTarget(hostPath);
      if (link !== undefined) {
        if (++links > MAX_LINKS) throw new WasiError('LOOP');
        todo.unshift(...components(link));
      } else if (last) {
        return use(hostPath);
      } else {
        entered.push(openSync(hostPath, OPEN_FOLDER));
      }
    }
  } finally {
    for (const fd of entered) closeSync(fd);
  }
}

/** A trailing slash says that the last component is a folder, and that a link there is followed: both are what `/.` says. */
function components(path: string): string[] {
  if (path.startsWith('/')) throw new WasiError('NOTCAPABLE');
  if (path.includes('\0')) throw new WasiError('INVAL');
  const names = path.split('/').filter((name) => name !== '');
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME)) throw new WasiError('NAMETOOLONG');
  if (path.endsWith('/')) names.push('.');
  return names;
}

function linkTarget(hostPath: string): string | undefined {
  try {
    return readlinkSync(hostPath);
  } catch (error) {
    // EINVAL: there, and no link; ENOENT: for the caller to create, or to fail over
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EINVAL' || code === 'ENOENT') return undefined;
    throw error;
  }
}
