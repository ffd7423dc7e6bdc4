/**
 * Reading, writing and asking about descriptors. Positions of files are this side's (see FileDescriptor); a write with
 * APPEND goes to the end, which the kernel sees to where the file was opened so.
 */
import { fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, futimesSync, lstatSync, readSync, readdirSync, writeSync, type BigIntStats } from 'node:fs';
import { ALL_RIGHTS, Errno, FdFlag, FileType, Right, Size, TimeFlag, Whence } from './abi.js';
import type { WasiTable } from './context.js';
import { typeOf, type Descriptor, type Entry, type FileDescriptor, type FolderDescriptor } from './descriptors.js';
import { WasiError, wasiErrno } from './errors.js';
import type { Input } from './input.js';
import type { GuestMemory } from './memory.js';
import type { Waiting, Waits } from './waits.js';

/** vectors in one call (IOV_MAX of Linux) */
const MAX_VECTORS = 1024;
/** bytes one read or write moves at most; the guest asks again for the rest */
const MAX_TRANSFER = 1 << 20;
/** ms between attempts at a FIFO or device that has nothing yet */
const RETRY_MS = 5;

export const FD = {
  fd_write: (state, memory, fd: number, vectors: number, count: number, out: number) => {
    const descriptor = state.descriptors.get(fd);
    const bytes = gather(memory, vectors, count);
    memory.check(out, 4);
    if (descriptor.kind === 'output') {
      const wait = descriptor.output.write(bytes);
      memory.setU32(out, bytes.length);
      return wait;
    }
    const file = writableFile(descriptor);
    if (file.flags & FdFlag.APPEND) file.position = fstatSync(file.fd, { bigint: true }).size;
    const n = writeSync(file.fd, bytes, 0, bytes.length, place(file));
    file.position += BigInt(n);
    return memory.setU32(out, n);
  },

  fd_pwrite: (state, memory, fd: number, vectors: number, count: number, offset: bigint, out: number) => {
    const file = seekable(writableFile(state.descriptors.file(fd)));
    const bytes = gather(memory, vectors, count);
    memory.check(out, 4);
    memory.setU32(out, writeSync(file.fd, bytes, 0, bytes.length, offsetOf(offset)));
  },

  fd_read: (state, memory, fd: number, vectors: number, count: number, out: number) => {
    const descriptor = state.descriptors.get(fd);
    const room = targets(memory, vectors, count);
    memory.check(out, 4);
    const deliver = (bytes: Uint8Array) => {
      scatter(memory, room, bytes);
      memory.setU32(out, bytes.length);
    };
    const wanted = total(room);
    if (descriptor.kind === 'input') {
      const { input, flags } = descriptor;
      if (wanted === 0) return deliver(new Uint8Array(0));
      return input.available >= 0 || flags & FdFlag.NONBLOCK ? deliver(input.take(wanted)) : later(input, wanted, deliver);
    }
    const file = readableFile(descriptor);
    const attempt = (): void => {
      const bytes = Buffer.alloc(wanted);
      const n = readSync(file.fd, bytes, 0, wanted, place(file));
      file.position += BigInt(n);
      deliver(bytes.subarray(0, n));
    };
    if (file.fileType === FileType.REGULAR_FILE || file.flags & FdFlag.NONBLOCK) return attempt();
    return patiently(state.waits, attempt);
  },

  fd_pread: (state, memory, fd: number, vectors: number, count: number, offset: bigint, out: number) => {
    const file = seekable(readableFile(state.descriptors.file(fd)));
    const room = targets(memory, vectors, count);
    memory.check(out, 4);
    const bytes = Buffer.alloc(total(room));
    const n = readSync(file.fd, bytes, 0, bytes.length, offsetOf(offset));
    scatter(memory, room, bytes.subarray(0, n));
    memory.setU32(out, n);
  },

  fd_seek: (state, memory, fd: number, offset: bigint, whence: number, out: number) => {
    const file = seekable(state.descriptors.file(fd));
    memory.check(out, 8);
    const from = whence === Whence.SET ? 0n
      : whence === Whence.CUR ? file.position
      : whence === Whence.END ? fstatSync(file.fd, { bigint: true }).size
      : undefined;
    if (from === undefined || from + offset < 0n) throw new WasiError('INVAL');
    if (from + offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new WasiError('OVERFLOW');
    file.position = from + offset;
    memory.setU64(out, file.position);
  },

  fd_tell: (state, memory, fd: number, out: number) => memory.setU64(out, seekable(state.descriptors.file(fd)).position),

  fd_close: (state, _, fd: number) => state.descriptors.remove(fd),
  fd_renumber: (state, _, from: number, to: number) => state.descriptors.renumber(from, to),

  fd_fdstat_get: (state, memory, fd: number, out: number) => {
    const descriptor = state.descriptors.get(fd);
    const type = fileType(descriptor);
    const rights = rightsOf(descriptor, type);
    memory.bytes(out, Size.fdstat).fill(0);
    memory.setU8(out, type);
    memory.setU16(out + 2, descriptor.flags);
    memory.setU64(out + 8, rights);
    memory.setU64(out + 16, descriptor.kind === 'folder' ? ALL_RIGHTS : 0n);
  },

  fd_fdstat_set_flags: (state, _, fd: number, flags: number) => {
    const descriptor = state.descriptors.get(fd);
    if (flags & ~(FdFlag.APPEND | FdFlag.NONBLOCK)) throw new WasiError('NOTSUP');
    descriptor.flags = flags;
  },

  fd_filestat_get: (state, memory, fd: number, out: number) => {
    const descriptor = state.descriptors.get(fd);
    if (descriptor.kind === 'file' || descriptor.kind === 'folder') return putFilestat(memory, out, fstatSync(descriptor.fd, { bigint: true }));
    memory.bytes(out, Size.filestat).fill(0);
    memory.setU8(out + 16, fileType(descriptor));
  },

  fd_filestat_set_size: (state, _, fd: number, size: bigint) => {
    const file = writableFile(state.descriptors.file(fd));
    ftruncateSync(file.fd, offsetOf(size));
  },

  fd_filestat_set_times: (state, _, fd: number, atim: bigint, mtim: bigint, flags: number) => {
    const descriptor = state.descriptors.get(fd);
    if (descriptor.kind !== 'file') throw new WasiError(descriptor.kind === 'folder' ? 'NOTSUP' : 'INVAL');
    const [a, m] = times(fstatSync(descriptor.fd, { bigint: true }), atim, mtim, flags);
    futimesSync(descriptor.fd, a, m);
  },

  fd_prestat_get: (state, memory, fd: number, out: number) => {
    const name = granted(state.descriptors.get(fd));
    memory.setU32(out, 0);
    memory.setU32(out + 4, name.length);
  },

  fd_prestat_dir_name: (state, memory, fd: number, out: number, size: number) => {
    const name = granted(state.descriptors.get(fd));
    if (size < name.length) throw new WasiError('NAMETOOLONG');
    memory.set(out, name);
  },

  fd_readdir: (state, memory, fd: number, out: number, size: number, cookie: bigint, used: number) => {
    const folder = state.descriptors.folder(fd);
    memory.check(out, size);
    memory.check(used, 4);
    if (cookie === 0n || folder.listing === undefined) folder.listing = list(folder);
    let at = 0;
    for (let i = Number(BigInt.asUintN(32, cookie)); i < folder.listing.length && at < size; i++) {
      const { name, fileType, inode } = folder.listing[i];
      const record = Buffer.alloc(Size.dirent + name.length);
      record.writeBigUInt64LE(BigInt(i + 1), 0);
      record.writeBigUInt64LE(inode, 8);
      record.writeUInt32LE(name.length, 16);
      record.writeUInt8(fileType, 20);
      record.set(name, Size.dirent);
      // the last record is cut to the buffer: a full buffer tells the guest to come again
      const part = record.subarray(0, size - at);
      memory.set(out + at, part);
      at += part.length;
    }
    memory.setU32(used, at);
  },

  fd_sync: (state, _, fd: number) => sync(state.descriptors.get(fd), fsyncSync),
  fd_datasync: (state, _, fd: number) => sync(state.descriptors.get(fd), fdatasyncSync),

  fd_advise: (state, _, fd: number, _offset: bigint, _length: bigint, advice: number) => {
    state.descriptors.file(fd);
    if (advice > 5) throw new WasiError('INVAL');
  },

  fd_allocate: (state, _, fd: number, offset: bigint, length: bigint) => {
    const file = writableFile(state.descriptors.file(fd));
    if (offset < 0n || length <= 0n) throw new WasiError('INVAL');
    const end = offsetOf(offset + length);
    if (fstatSync(file.fd).size < end) ftruncateSync(file.fd, end);
  },
} satisfies WasiTable;

// ---- vectors ----------------------------------------------------------------------------------------------------

type Range = readonly [pointer: number, length: number];

function targets(memory: GuestMemory, vectors: number, count: number): Range[] {
  if (count > MAX_VECTORS) throw new WasiError('INVAL');
  const ranges: Range[] = [];
  let left = MAX_TRANSFER;
  for (let i = 0; i < count; i++) {
    const pointer = memory.u32(vectors + Size.iovec * i), length = memory.u32(vectors + Size.iovec * i + 4);
    memory.check(pointer, length);
    ranges.push([pointer, Math.min(length, left)]);
    left -= Math.min(length, left);
  }
  return ranges;
}

function total(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [, length]) => sum + length, 0);
}

/** A copy: the guest may change its memory before the bytes are out. */
function gather(memory: GuestMemory, vectors: number, count: number): Uint8Array {
  return Buffer.concat(targets(memory, vectors, count).map(([pointer, length]) => memory.bytes(pointer, length)));
}

function scatter(memory: GuestMemory, ranges: readonly Range[], bytes: Uint8Array): void {
  let at = 0;
  for (const [pointer, length] of ranges) {
    const part = bytes.subarray(at, at + length);
    memory.set(pointer, part);
    at += part.length;
  }
}

// ---- files ------------------------------------------------------------------------------------------------------

function readableFile(descriptor: Descriptor): FileDescriptor {
  if (descriptor.kind === 'folder') throw new WasiError('ISDIR');
  if (descriptor.kind !== 'file' || !descriptor.readable) throw new WasiError('BADF');
  return descriptor;
}

function writableFile(descriptor: Descriptor): FileDescriptor {
  if (descriptor.kind === 'folder') throw new WasiError('ISDIR');
  if (descriptor.kind !== 'file' || !descriptor.writable) throw new WasiError('BADF');
  return descriptor;
}

function seekable(file: FileDescriptor): FileDescriptor {
  if (!hasPositions(file)) throw new WasiError('SPIPE');
  return file;
}

/** Where to read or write: null leaves it to the kernel, for what has no positions. */
function place(file: FileDescriptor): number | null {
  return hasPositions(file) ? Number(file.position) : null;
}

function hasPositions(file: FileDescriptor): boolean {
  return file.fileType === FileType.REGULAR_FILE || file.fileType === FileType.BLOCK_DEVICE;
}

function offsetOf(offset: bigint): number {
  if (offset < 0n) throw new WasiError('INVAL');
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new WasiError('FBIG');
  return Number(offset);
}

/** Files are opened non-blocking; what has nothing to read yet is asked again until it has. */
function* patiently(waits: Waits, attempt: () => void): Waiting {
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (wasiErrno(error) !== Errno.AGAIN) throw error;
    }
    yield* waits.sleep(RETRY_MS);
  }
}

function* later(input: Input, wanted: number, deliver: (bytes: Uint8Array) => void): Waiting {
  yield input.ready();
  deliver(input.take(wanted));
}

function sync(descriptor: Descriptor, how: (fd: number) => void): void {
  if (descriptor.kind === 'file') how(descriptor.fd);
  else if (descriptor.kind !== 'folder') throw new WasiError('INVAL');
}

// ---- what a descriptor is ---------------------------------------------------------------------------------------

function fileType(descriptor: Descriptor): number {
  switch (descriptor.kind) {
    case 'input': return descriptor.input.fileType;
    case 'output': return descriptor.output.fileType;
    case 'file': return descriptor.fileType;
    case 'folder': return FileType.DIRECTORY;
  }
}

/** A libc takes a character device without the right to seek for a terminal. */
function rightsOf(descriptor: Descriptor, type: number): bigint {
  let rights = ALL_RIGHTS;
  if (type !== FileType.REGULAR_FILE || descriptor.kind === 'input' || descriptor.kind === 'output') rights &= ~(Right.FD_SEEK | Right.FD_TELL);
  if (descriptor.kind === 'input' || (descriptor.kind === 'file' && !descriptor.writable)) rights &= ~Right.FD_WRITE;
  if (descriptor.kind === 'output' || (descriptor.kind === 'file' && !descriptor.readable)) rights &= ~Right.FD_READ;
  return rights;
}

function granted(descriptor: Descriptor): Buffer {
  if (descriptor.kind !== 'folder' || descriptor.grantedAs === undefined) throw new WasiError('BADF');
  return Buffer.from(descriptor.grantedAs);
}

function list(folder: FolderDescriptor): Entry[] {
  const base = `/proc/self/fd/${folder.fd}`;
  const own = fstatSync(folder.fd, { bigint: true }).ino;
  const entries: Entry[] = ['.', '..'].map((name) => ({ name: Buffer.from(name), fileType: FileType.DIRECTORY, inode: own }));
  for (const name of readdirSync(`${base}/.`, { encoding: 'buffer' })) {
    try {
      const stat = lstatSync(Buffer.concat([Buffer.from(`${base}/`), name]), { bigint: true });
      entries.push({ name, fileType: typeOf(stat), inode: stat.ino });
    } catch (error) {
      // gone since the folder was read
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return entries;
}

export function putFilestat(memory: GuestMemory, out: number, stat: BigIntStats): void {
  memory.bytes(out, Size.filestat).fill(0);
  memory.setU64(out, stat.dev);
  memory.setU64(out + 8, stat.ino);
  memory.setU8(out + 16, typeOf(stat));
  memory.setU64(out + 24, stat.nlink);
  memory.setU64(out + 32, stat.size);
  memory.setU64(out + 40, stat.atimeNs);
  memory.setU64(out + 48, stat.mtimeNs);
  memory.setU64(out + 56, stat.ctimeNs);
}

/** Access and modification time in seconds, as node takes them, from what the flags say. @throws WasiError EINVAL */
export function times(now: BigIntStats, atim: bigint, mtim: bigint, flags: number): [number, number] {
  const one = (set: number, setNow: number, given: bigint, kept: bigint): number => {
    if ((flags & set) && (flags & setNow)) throw new WasiError('INVAL');
    return flags & setNow ? Date.now() / 1000 : Number(flags & set ? given : kept) / 1e9;
  };
  return [one(TimeFlag.ATIM, TimeFlag.ATIM_NOW, atim, now.atimeNs), one(TimeFlag.MTIM, TimeFlag.MTIM_NOW, mtim, now.mtimeNs)];
}
