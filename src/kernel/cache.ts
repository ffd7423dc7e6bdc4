/**
 * Files that make the next start faster, below XDG_CACHE_HOME, else ~/.cache. They are a help only: what is not there, not
 * whole, not this user's own or cannot be written is as if it had never been. Knows nothing of what is in them.
 */
import { closeSync, existsSync, fdatasyncSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs';

/** Bytes of a file that are still worth reading. */
const MOST = 64 * 1024 * 1024;
/** Type of the note with the build id (NT_GNU_BUILD_ID) and its owner. */
const BUILD_ID = 3, OWNER = 'GNU\0';
/** Writable by others than the owner. */
const FOREIGN = 0o022;

/** The running kernel's build id in hexadecimal digits, from /sys/kernel/notes (elf(5), "Notes"); undefined where there is none. */
export function kernelBuildId(): string | undefined {
  let notes: Buffer;
  try {
    notes = readFileSync('/sys/kernel/notes');
  } catch {
    return undefined;
  }
  const padded = (length: number): number => (length + 3) & ~3;
  for (let at = 0; at + 12 <= notes.length;) {
    const nameLength = notes.readUInt32LE(at), length = notes.readUInt32LE(at + 4), type = notes.readUInt32LE(at + 8);
    const name = at + 12, from = name + padded(nameLength);
    if (type === BUILD_ID && notes.toString('latin1', name, name + nameLength) === OWNER && from + length <= notes.length) {
      return notes.toString('hex', from, from + length);
    }
    at = from + padded(length);
  }
  return undefined;
}

/** The bytes of a file of this name, on a buffer of their own; undefined where there is none to trust. */
export function readCache(name: string): Uint8Array | undefined {
  const folder = cacheFolder();
  if (folder === undefined) return undefined;
  let fd: number | undefined;
  try {
    fd = openSync(`${folder}/${name}`, 'r');
    const { size, uid, mode } = fstatSync(fd);
    if (uid !== process.geteuid?.() || (mode & FOREIGN) !== 0 || size > MOST) return undefined;
    const bytes = new Uint8Array(size);
    return readSync(fd, bytes) === size ? bytes : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Puts a file there, whole or not at all, also for those who read meanwhile. */
export function writeCache(name: string, bytes: Uint8Array): void {
  const folder = cacheFolder();
  if (folder === undefined) return;
  const file = `${folder}/${name}`, fresh = `${file}.${process.pid}`;
  try {
    makeFolder(folder);
    const fd = openSync(fresh, 'wx', 0o600);
    try {
      if (writeSync(fd, bytes) !== bytes.length) throw new Error('no room');
      // a name that outlives a power cut without its bytes would be worse than none
      fdatasyncSync(fd);
      renameSync(fresh, file);
    } catch (error) {
      unlinkSync(fresh);
      throw error;
    } finally {
      closeSync(fd);
    }
  } catch {
    // slower, and as good
  }
}

/** With its parent at most; node's own recursive way never ends below /proc. */
function makeFolder(folder: string): void {
  for (const path of [folder.slice(0, folder.lastIndexOf('/')), folder]) {
    if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
  }
}

function cacheFolder(): string | undefined {
  const { XDG_CACHE_HOME, HOME } = process.env;
  // the specification wants a relative path ignored
  const base = XDG_CACHE_HOME?.startsWith('/') ? XDG_CACHE_HOME : HOME?.startsWith('/') ? `${HOME}/.cache` : undefined;
  return base === undefined ? undefined : `${base}/wasm-bpf-ts`;
}
