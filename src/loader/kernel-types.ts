/**
 * The running kernel's types, parsed: vmlinux's BTF and that of its modules, each read on first use. Finds what attach targets
 * and externs name. The descriptors of module BTF that are handed out are owned here and closed with this.
 */
import { ProjectError, UnsupportedError } from '../errors.js';
import { kernelBuildId, readCache, writeCache } from '../kernel/cache.js';
import type { Fd } from '../kernel/fd.js';
import { type KernelBtf, moduleBtf, moduleBtfFd, moduleBtfNames, noKernelBtf, vmlinuxFiles } from '../kernel/vmlinux.js';
import { parseBtf, type Btf, type BtfKind } from '../reloc/btf.js';
import { decodeIndex, encodeIndex } from '../reloc/btf-index.js';
import { btfOf } from './btf-file.js';

/** A type of the kernel. `btfFd` is what bpf(2) takes: 0 for vmlinux, else a module's, lent. */
export interface KernelType {
  readonly btf: Btf;
  readonly id: number;
  readonly module: string | undefined;
}

/**
 * The running kernel's types: of the first file that has them, where libbpf looks and in its order.
 * @param files default: this system's
 * @param parse of what the kernel shows
 * @throws UnsupportedError (UNSUPPORTED) where none has them; BtfError for a broken /sys/kernel/btf/vmlinux
 */
export function findKernelBtf(files: Iterable<KernelBtf> = vmlinuxFiles(), parse = (bytes: Uint8Array): Btf => parseBtf(bytes, { source: 'vmlinux' })): Btf {
  const tried: string[] = [];
  for (const { path, format, bytes, close } of files) {
    try {
      return format === 'btf' ? parse(bytes) : btfOf(bytes, { source: 'vmlinux' });
    } catch (error) {
      close();
      if (format === 'btf' || !(error instanceof ProjectError)) throw error;
      tried.push(`${path}: ${error.message}`);
    }
  }
  throw tried.length === 0 ? noKernelBtf() : new UnsupportedError('CO-RE without kernel BTF', '5.2', `of the files that may hold it none does: ${tried.join('; ')}`);
}

let vmlinux: Btf | undefined;

/** vmlinux's BTF, parsed once: it cannot change while the kernel runs. @throws UnsupportedError (UNSUPPORTED) where there is none */
export function kernelBtf(): Btf {
  return vmlinux ??= findKernelBtf(vmlinuxFiles(), indexed);
}

/** With the index of an earlier run where there is one of this very kernel. */
function indexed(bytes: Uint8Array): Btf {
  const id = kernelBuildId();
  const name = `vmlinux-${id}.btf-index`;
  const kept = id === undefined ? undefined : readCache(name);
  const index = kept && decodeIndex(kept, bytes);
  const btf = parseBtf(bytes, { source: 'vmlinux', index });
  if (id !== undefined && !index) writeCache(name, encodeIndex(btf.index, bytes));
  return btf;
}

export class KernelTypes {
  readonly #custom: Btf | undefined;
  #modules: readonly { name: string; btf: Btf }[] | undefined;
  readonly #fds = new Map<string, Fd>();

  /** @param custom used for CO-RE instead of the running kernel's (LoadOptions.btf) */
  constructor(custom?: Btf) {
    this.#custom = custom;
  }

  /** What CO-RE relocates against. */
  get target(): Btf {
    return this.#custom ?? kernelBtf();
  }

  /** The modules CO-RE may look into: none with a BTF of one's own. */
  get targetModules(): readonly Btf[] {
    return this.#custom ? [] : this.modules.map(({ btf }) => btf);
  }

  get modules(): readonly { readonly name: string; readonly btf: Btf }[] {
    return this.#modules ??= moduleBtfNames().map((name) => ({ name, btf: parseBtf(moduleBtf(name), { source: name, base: kernelBtf() }) }));
  }

  /**
   * The first type with that name and one of these kinds, in vmlinux, then in the modules.
   * @param module looks only there; `vmlinux` for the kernel proper
   */
  find(name: string, kinds: readonly BtfKind[], module?: string): KernelType | undefined {
    if (module === undefined || module === 'vmlinux') {
      const btf = kernelBtf();
      const id = btf.find(name, ...kinds);
      if (id !== undefined) return { btf, id, module: undefined };
    }
    for (const each of this.modules) {
      if (module !== undefined && module !== each.name) continue;
      const id = each.btf.find(name, ...kinds);
      if (id !== undefined) return { btf: each.btf, id, module: each.name };
    }
    return undefined;
  }

  /** Names of the types of one kind in vmlinux that begin with a prefix, without it. For messages: looks at every type. */
  *names(kind: BtfKind, prefix: string): Generator<string> {
    const btf = kernelBtf();
    for (let id = 1; id < btf.length; id++) {
      if (btf.kind(id) !== kind) continue;
      const name = btf.name(id);
      if (name.startsWith(prefix)) yield name.slice(prefix.length);
    }
  }

  /** The descriptor that bpf(2) wants for a type: 0 for vmlinux, a module's otherwise; lent. @throws UnsupportedError */
  btfFd(type: KernelType): number {
    if (type.module === undefined) return 0;
    let fd = this.#fds.get(type.module);
    if (!fd) {
      fd = moduleBtfFd(type.module);
      if (!fd) throw new UnsupportedError(`a descriptor for the BTF of module "${type.module}"`, '5.11');
      this.#fds.set(type.module, fd);
    }
    return fd.value;
  }

  close(): void {
    for (const fd of this.#fds.values()) fd.close();
    this.#fds.clear();
  }
}
