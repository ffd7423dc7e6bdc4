/**
 * The guest's descriptors: small numbers of its own that stand for standard input and output, granted folders, and what it
 * opened inside them. Every descriptor of the host behind them has this table as its one owner.
 */
import { closeSync, fstatSync, type BigIntStats } from 'node:fs';
import { FileType } from './abi.js';
import { WasiError } from './errors.js';
import type { Input } from './input.js';
import type { Output } from './output.js';
import { openFolder } from './sandbox.js';

export type Descriptor = StdDescriptor | FileDescriptor | FolderDescriptor;
export interface InputDescriptor { readonly kind: 'input'; readonly input: Input; flags: number }
export interface OutputDescriptor { readonly kind: 'output'; readonly output: Output; flags: number }
export type StdDescriptor = InputDescriptor | OutputDescriptor;
export interface FileDescriptor {
  readonly kind: 'file';
  /** of the host */
  readonly fd: number;
  readonly fileType: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** FdFlag bits */
  flags: number;
  /** bytes from the start; node's file functions have no seek of their own, so the position is kept here */
  position: bigint;
}
export interface FolderDescriptor {
  readonly kind: 'folder';
  readonly fd: number;
  /** the name under which it was granted; undefined for one the guest opened */
  readonly grantedAs?: string;
  flags: number;
  /** what fd_readdir began to list, until the guest starts again at cookie 0 */
  listing?: readonly Entry[];
}
export interface Entry { readonly name: Buffer; readonly fileType: number; readonly inode: bigint }

/** A folder of the host the guest may use, and the name it has for the guest. */
export interface Grant { readonly host: string; readonly guest: string }

/** descriptors one guest may have at a time */
const MAX_DESCRIPTORS = 1024;

export class Descriptors {
  readonly #open = new Map<number, Descriptor>();

  /** @throws the error of open(2), with the folder's path in it */
  constructor(stdin: Input, stdout: Output, stderr: Output, grants: readonly Grant[]) {
    this.#open.set(0, { kind: 'input', input: stdin, flags: 0 });
    this.#open.set(1, { kind: 'output', output: stdout, flags: 0 });
    this.#open.set(2, { kind: 'output', output: stderr, flags: 0 });
    try {
      for (const { host, guest } of grants) this.add({ kind: 'folder', fd: openFolder(host), grantedAs: guest, flags: 0 });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** @throws WasiError EBADF */
  get(fd: number): Descriptor {
    const found = this.#open.get(fd);
    if (found === undefined) throw new WasiError('BADF');
    return found;
  }

  /** @throws WasiError EBADF, or ENOTDIR for something else than a folder */
  folder(fd: number): FolderDescriptor {
    const found = this.get(fd);
    if (found.kind !== 'folder') throw new WasiError('NOTDIR');
    return found;
  }

  /** @throws WasiError EBADF; ESPIPE for a stream, EISDIR for a folder */
  file(fd: number): FileDescriptor {
    const found = this.get(fd);
    if (found.kind === 'file') return found;
    throw new WasiError(found.kind === 'folder' ? 'ISDIR' : 'SPIPE');
  }

  /** Takes over the host's descriptor; on a throw it is closed. Returns the lowest free number. @throws WasiError EMFILE */
  add(descriptor: Descriptor): number {
    for (let n = 0; n < MAX_DESCRIPTORS; n++) {
      if (this.#open.has(n)) continue;
      this.#open.set(n, descriptor);
      return n;
    }
    release(descriptor);
    throw new WasiError('MFILE');
  }

  /** @throws WasiError EBADF */
  remove(fd: number): void {
    release(this.get(fd));
    this.#open.delete(fd);
  }

  /** `to` is closed and becomes what `from` was. @throws WasiError EBADF where one of them is not open */
  renumber(from: number, to: number): void {
    const moved = this.get(from), closed = this.get(to);
    if (from === to) return;
    release(closed);
    this.#open.set(to, moved);
    this.#open.delete(from);
  }

  close(): void {
    for (const descriptor of this.#open.values()) release(descriptor);
    this.#open.clear();
  }
}

function release(descriptor: Descriptor): void {
  if (descriptor.kind === 'file' || descriptor.kind === 'folder') closeSync(descriptor.fd);
}

/** The type of an open descriptor of the host. */
export function typeOf(stat: Pick<BigIntStats, 'isFile' | 'isDirectory' | 'isSymbolicLink' | 'isCharacterDevice' | 'isBlockDevice' | 'isSocket'>): number {
  if (stat.isFile()) return FileType.REGULAR_FILE;
  if (stat.isDirectory()) return FileType.DIRECTORY;
  if (stat.isSymbolicLink()) return FileType.SYMBOLIC_LINK;
  if (stat.isCharacterDevice()) return FileType.CHARACTER_DEVICE;
  if (stat.isBlockDevice()) return FileType.BLOCK_DEVICE;
  return stat.isSocket() ? FileType.SOCKET_STREAM : FileType.UNKNOWN;
}

export function fileTypeOfFd(fd: number): number {
  return typeOf(fstatSync(fd, { bigint: true }));
}
