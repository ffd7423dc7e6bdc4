/** Everything that takes a path: only inside granted folders, see sandbox.ts. */
import { closeSync, constants, linkSync, lstatSync, lutimesSync, mkdirSync, openSync, readlinkSync, renameSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { FdFlag, FileType, LookupFlag, OFlag, Right } from './abi.js';
import type { WasiTable } from './context.js';
import { fileTypeOfFd } from './descriptors.js';
import { WasiError } from './errors.js';
import { putFilestat, times } from './fd.js';
import { within } from './sandbox.js';

const follows = (flags: number) => ({ follow: (flags & LookupFlag.SYMLINK_FOLLOW) !== 0 });
const AS_IS = { follow: false };
/** `mkdir("a/")` means `a`: the slash asks for a folder, and it is about one anyway */
const bare = (path: string) => path.replace(/(?<=[^/])\/+$/, '');

export const PATH = {
  path_open: (state, memory, fd: number, lookup: number, pointer: number, length: number, oflags: number, rights: bigint, _inheriting: bigint, fdflags: number, out: number) => {
    const { fd: folder } = state.descriptors.folder(fd);
    const path = memory.text(pointer, length);
    memory.check(out, 4);
    const writable = (rights & Right.FD_WRITE) !== 0n, readable = (rights & Right.FD_READ) !== 0n || !writable;
    const directory = (oflags & OFlag.DIRECTORY) !== 0;
    if (directory && oflags & (OFlag.CREAT | OFlag.TRUNC | OFlag.EXCL)) throw new WasiError('INVAL');
    // a FIFO must not stop the host; the last component has been followed already where that was asked for
    const flags = (writable && !directory ? (readable ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY)
      | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW
      | (oflags & OFlag.CREAT ? constants.O_CREAT : 0)
      | (directory ? constants.O_DIRECTORY : 0)
      | (oflags & OFlag.EXCL ? constants.O_EXCL : 0)
      | (oflags & OFlag.TRUNC ? constants.O_TRUNC : 0)
      | (fdflags & FdFlag.APPEND ? constants.O_APPEND : 0)
      | (fdflags & FdFlag.DSYNC ? constants.O_DSYNC : 0)
      | (fdflags & (FdFlag.SYNC | FdFlag.RSYNC) ? constants.O_SYNC : 0);
    const opened = within(folder, path, follows(lookup), (hostPath) => openSync(hostPath, flags, 0o666));
    try {
      const fileType = fileTypeOfFd(opened);
      const number = state.descriptors.add(fileType === FileType.DIRECTORY
        ? { kind: 'folder', fd: opened, flags: fdflags }
        : { kind: 'file', fd: opened, fileType, readable, writable, flags: fdflags, position: 0n });
      memory.setU32(out, number);
    } catch (error) {
      if (!(error instanceof WasiError)) closeSync(opened);
      throw error;
    }
  },

  path_filestat_get: (state, memory, fd: number, lookup: number, pointer: number, length: number, out: number) => {
    const { fd: folder } = state.descriptors.folder(fd);
    const stat = within(folder, memory.text(pointer, length), follows(lookup), (hostPath) => lstatSync(hostPath, { bigint: true }));
    putFilestat(memory, out, stat);
  },

  path_filestat_set_times: (state, memory, fd: number, lookup: number, pointer: number, length: number, atim: bigint, mtim: bigint, flags: number) => {
    const { fd: folder } = state.descriptors.folder(fd);
    within(folder, memory.text(pointer, length), follows(lookup), (hostPath) => {
      const [a, m] = times(lstatSync(hostPath, { bigint: true }), atim, mtim, flags);
      lutimesSync(hostPath, a, m);
    });
  },

  path_create_directory: (state, memory, fd: number, pointer: number, length: number) => {
    const { fd: folder } = state.descriptors.folder(fd);
    within(folder, bare(memory.text(pointer, length)), AS_IS, (hostPath) => mkdirSync(hostPath, 0o777));
  },

  path_remove_directory: (state, memory, fd: number, pointer: number, length: number) => {
    const { fd: folder } = state.descriptors.folder(fd);
    within(folder, bare(memory.text(pointer, length)), AS_IS, (hostPath) => rmdirSync(hostPath));
  },

  path_unlink_file: (state, memory, fd: number, pointer: number, length: number) => {
    const { fd: folder } = state.descriptors.folder(fd);
    within(folder, memory.text(pointer, length), AS_IS, (hostPath) => {
      // unlink(2) of Linux says EISDIR or EPERM by file system
      if (lstatSync(hostPath).isDirectory()) throw new WasiError('ISDIR');
      unlinkSync(hostPath);
    });
  },

  path_rename: (state, memory, fd: number, pointer: number, length: number, newFd: number, newPointer: number, newLength: number) => {
    const from = state.descriptors.folder(fd).fd, to = state.descriptors.folder(newFd).fd;
    const target = bare(memory.text(newPointer, newLength));
    within(from, bare(memory.text(pointer, length)), AS_IS, (oldPath) => within(to, target, AS_IS, (newPath) => renameSync(oldPath, newPath)));
  },

  path_link: (state, memory, fd: number, lookup: number, pointer: number, length: number, newFd: number, newPointer: number, newLength: number) => {
    const from = state.descriptors.folder(fd).fd, to = state.descriptors.folder(newFd).fd;
    const target = memory.text(newPointer, newLength);
    within(from, memory.text(pointer, length), follows(lookup), (oldPath) => within(to, target, AS_IS, (newPath) => linkSync(oldPath, newPath)));
  },

  path_readlink: (state, memory, fd: number, pointer: number, length: number, buffer: number, size: number, used: number) => {
    const { fd: folder } = state.descriptors.folder(fd);
    const target = within(folder, memory.text(pointer, length), AS_IS, (hostPath) => readlinkSync(hostPath, { encoding: 'buffer' }));
    memory.check(buffer, size);
    memory.check(used, 4);
    const part = target.subarray(0, size);
    memory.set(buffer, part);
    memory.setU32(used, part.length);
  },

  path_symlink: (state, memory, oldPointer: number, oldLength: number, fd: number, pointer: number, length: number) => {
    const { fd: folder } = state.descriptors.folder(fd);
    const target = memory.text(oldPointer, oldLength);
    // a relative target is harmless here: following it is what the sandbox judges
    if (target.startsWith('/')) throw new WasiError('NOTCAPABLE');
    within(folder, memory.text(pointer, length), AS_IS, (hostPath) => symlinkSync(target, hostPath));
  },
} satisfies WasiTable;
