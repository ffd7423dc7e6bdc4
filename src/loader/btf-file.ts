/**
 * BTF from files: raw, as /sys/kernel/btf has it, or in the .BTF section of an ELF file, as a vmlinux with symbols or an object.
 * Needs no kernel: whose the types are is kernel-types.ts' affair.
 */
import { BtfError } from '../errors.js';
import { parseBtf, type Btf } from '../reloc/btf.js';
import { parseElf } from '../reloc/elf.js';
import { kindOf, readBinary } from './wasm.js';

/**
 * The types of a file.
 * @param bytes of the file; kept, and must not change
 * @param options.source what messages call it. options.base: of a split BTF, as modules have it
 * @throws BtfError (BPF_BTF), ElfError (BPF_ELF)
 */
export function btfOf(bytes: Uint8Array, options: { readonly source: string; readonly base?: Btf }): Btf {
  if (kindOf(bytes) !== 'elf') return parseBtf(bytes, options);
  const section = parseElf(bytes, { file: options.source }).section('.BTF');
  if (section === undefined) throw new BtfError('the ELF file has no section ".BTF" (it is of a kernel without CONFIG_DEBUG_INFO_BTF, or stripped of it)', { source: options.source });
  return parseBtf(section.data, options);
}

/**
 * Reads a file with types, for `LoadOptions.btf`: a copy of another kernel's /sys/kernel/btf/vmlinux, what `wasm-bpf btf minimize`
 * wrote, or an ELF file that holds them.
 * @param base what a module's BTF is split from
 * @throws UsageError (USAGE) for a file that cannot be read, BtfError (BPF_BTF), ElfError (BPF_ELF)
 * @example
 * const object = BpfObject.load(bytes, { btf: readBtf('/var/lib/btf/5.4.0-91-generic.btf') });
 */
export function readBtf(path: string, base?: Btf): Btf {
  return btfOf(readBinary(path), { source: path, base });
}
