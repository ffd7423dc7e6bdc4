/**
 * Where the running kernel's type information is: bytes only, parsing is reloc's. Module BTF is split on vmlinux's.
 */
import { closeSync, existsSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { UnsupportedError } from '../errors.js';
import { btfInfo, fdById, ids } from './bpf.js';
import type { Fd } from './fd.js';
import { Mapping, MapFlag, Prot } from './memory.js';
import { kernelRelease } from './release.js';

const SYSFS = '/sys/kernel/btf';

/** Files that may hold the kernel's ELF with a .BTF section, in libbpf's order. */
const ELF_FILES = [
  '/boot/vmlinux-*', '/lib/modules/*/vmlinux-*', '/lib/modules/*/build/vmlinux', '/usr/lib/modules/*/kernel/vmlinux',
  '/usr/lib/debug/boot/vmlinux-*', '/usr/lib/debug/boot/vmlinux-*.debug', '/usr/lib/debug/lib/modules/*/vmlinux',
] as const;

export interface KernelBtf {
  readonly path: string;
  /** a BTF blob, or an ELF file whose .BTF section is wanted */
  readonly format: 'btf' | 'elf';
  /** may be a read-only mapping: to store into it ends the process */
  readonly bytes: Uint8Array;
  /** Gives the mapping back; `bytes` is not to be used any more. */
  close(): void;
}

/**
 * Files that may hold the running kernel's types: what the kernel shows itself, and only where it shows none those on disk.
 * @param root where the file system begins
 */
export function* vmlinuxFiles(root = ''): Generator<KernelBtf> {
  const shown = `${root}${SYSFS}/vmlinux`;
  if (existsSync(shown)) {
    yield { path: shown, format: 'btf', ...mapped(shown) };
    return;
  }
  for (const path of elfFiles(root)) {
    let file: KernelBtf;
    try {
      file = { path, format: 'elf', ...mapped(path) };
    } catch {
      // the next one may be readable
      continue;
    }
    yield file;
  }
}

function elfFiles(root: string): string[] {
  return ELF_FILES.map((pattern) => `${root}${pattern.replaceAll('*', kernelRelease())}`);
}

/** The first of them, whatever it holds. @throws UnsupportedError (UNSUPPORTED) where there is none */
export function vmlinuxBtf(): KernelBtf {
  for (const file of vmlinuxFiles()) return file;
  throw noKernelBtf();
}

export function noKernelBtf(): UnsupportedError {
  return new UnsupportedError('CO-RE without kernel BTF', '5.2', `${SYSFS}/vmlinux is missing: the kernel needs CONFIG_DEBUG_INFO_BTF, or give its types in a file: --btf, LoadOptions.btf; ${elfFiles('').join(', ')} were looked for, too`);
}

/** Maps the file where the kernel lets it be mapped (6.16), else reads it. */
function mapped(path: string): { bytes: Uint8Array; close(): void } {
  const fd = openSync(path, 'r');
  try {
    const mapping = new Mapping({ length: statSync(path).size, fd, prot: Prot.READ, flags: MapFlag.PRIVATE, subject: path });
    return { bytes: mapping.bytes, close: () => mapping.close() };
  } catch {
    return { bytes: readFileSync(path), close: () => {} };
  } finally {
    closeSync(fd);
  }
}

/** Names of the modules that are loaded and carry BTF. */
export function moduleBtfNames(): string[] {
  return existsSync(SYSFS) ? readdirSync(SYSFS).filter((name) => name !== 'vmlinux').sort() : [];
}

/** The split BTF of a module. */
export function moduleBtf(name: string): Uint8Array {
  return readFileSync(`${SYSFS}/${name}`);
}

/** A descriptor of a module's BTF, for kfuncs and attach targets in modules. The caller owns it. Linux 5.11, CAP_SYS_ADMIN. */
export function moduleBtfFd(name: string): Fd | undefined {
  for (const id of ids('BTF')) {
    const fd = fdById('BTF', id);
    if (!fd) continue;
    const info = btfInfo(fd.value);
    if (info.kernel && info.name === name) return fd;
    fd.close();
  }
  return undefined;
}
