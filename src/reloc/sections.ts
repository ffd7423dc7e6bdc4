/**
 * What each section of a BPF object is for, by name, type and flags as libbpf reads them; license and version. Insists on a
 * relocatable object for the BPF machine whose sections do not overlap. Does not look inside programs, maps or BTF.
 */
import { ElfError, hex } from '../errors.js';
import { ElfType, Machine, parseElf, SectionFlag, SectionType, type ElfFile, type ElfSection, type SymbolTable } from './elf.js';

export type Role =
  | 'ignored' | 'license' | 'version' | 'legacy-maps' | 'maps' | 'btf' | 'btf-ext' | 'symbols' | 'code'
  | 'rodata' | 'data' | 'bss' | 'struct-ops' | 'arena' | 'jump-tables' | 'relocations';

/** An object file with its sections told apart. */
export interface ObjectFile {
  readonly name: string;
  readonly elf: ElfFile;
  readonly symbols: SymbolTable;
  /** by section index */
  readonly roles: readonly Role[];
  /** sections of one role, in file order */
  of(role: Role): readonly ElfSection[];
  readonly license: string;
  readonly kernelVersion: number;
}

const MACHINE_NAMES: Readonly<Record<number, string>> = { [Machine.X86_64]: 'x86-64', [Machine.AARCH64]: 'AArch64', [Machine.RISCV]: 'RISC-V' };
const TYPE_NAMES: Readonly<Record<number, string>> = { [ElfType.EXEC]: 'executable', [ElfType.DYN]: 'shared object', [ElfType.CORE]: 'core file' };

/** The kernel keeps no more of a license than this, NUL included; libbpf neither. */
const LICENSE_MAX = 64;
const STRUCT_OPS = ['.struct_ops', '.struct_ops.link', '?.struct_ops', '?.struct_ops.link'];

/**
 * @param bytes the whole file; kept as views
 * @param name the object's name, for messages and global-data maps
 * @throws ElfError BPF_ELF
 */
export function readSections(bytes: Uint8Array, name: string): ObjectFile {
  const elf = parseElf(bytes);
  if (elf.type !== ElfType.REL) {
    throw new ElfError(`e_type is ${elf.type} (${TYPE_NAMES[elf.type] ?? 'unknown'}), not ${ElfType.REL}: a BPF object is relocatable (clang -c, not linked)`, { offset: 16 });
  }
  // LLVM before 4.0 wrote no machine
  if (elf.machine !== Machine.BPF && elf.machine !== Machine.NONE) {
    throw new ElfError(`e_machine is ${elf.machine} (${MACHINE_NAMES[elf.machine] ?? 'unknown'}), not ${Machine.BPF} (BPF): compile with clang --target=bpf`, { offset: 18 });
  }
  refuseOverlaps(elf);
  const tables = elf.sections.filter((section) => section.type === SectionType.SYMTAB);
  if (tables.length === 0) throw new ElfError('no symbol table; is the object stripped?');
  if (tables.length > 1) throw elf.fault(tables[1], `a second symbol table, the first is section #${tables[0].index}`);
  const symbols = elf.symbols(tables[0]);

  const roles = elf.sections.map((section) => roleOf(elf, section));
  const byRole = new Map<Role, ElfSection[]>();
  roles.forEach((role, index) => {
    const list = byRole.get(role);
    if (list) list.push(elf.sections[index]);
    else byRole.set(role, [elf.sections[index]]);
  });
  const of = (role: Role): readonly ElfSection[] => byRole.get(role) ?? [];
  for (const role of ['btf', 'btf-ext', 'maps', 'legacy-maps', 'arena', 'jump-tables'] as const) {
    const [first, second] = of(role);
    if (second) throw elf.fault(second, `a second section of this name, the first is #${first.index}, this is #${second.index}`);
  }
  for (const section of of('relocations')) {
    if (section.link !== symbols.section.index) throw elf.fault(section, `sh_link is ${section.link}, not the symbol table #${symbols.section.index}`);
  }
  return { name, elf, symbols, roles, of, license: license(of('license').at(-1)), kernelVersion: version(elf, of('version').at(-1)) };
}

function roleOf(elf: ElfFile, section: ElfSection): Role {
  const { name, type, flags, size } = section;
  if (section.index === 0 || type === SectionType.STRTAB || type === SectionType.LLVM_ADDRSIG || name.startsWith('.debug_')) return 'ignored';
  switch (name) {
    case 'license': case 'version': case '.maps': case 'maps': case '.BTF': case '.BTF.ext':
      if ((name === '.BTF' || name === '.BTF.ext') && type !== SectionType.PROGBITS) throw elf.fault(section, `sh_type is ${type}, not ${SectionType.PROGBITS} (PROGBITS)`);
      return ({ license: 'license', version: 'version', '.maps': 'maps', maps: 'legacy-maps', '.BTF': 'btf', '.BTF.ext': 'btf-ext' } as const)[name];
  }
  if (type === SectionType.SYMTAB) return 'symbols';
  if (type === SectionType.PROGBITS && size > 0) {
    if (flags & SectionFlag.EXECINSTR) return 'code';
    if (name === '.data' || name.startsWith('.data.')) return 'data';
    if (name === '.rodata' || name.startsWith('.rodata.')) return 'rodata';
    if (STRUCT_OPS.includes(name)) return 'struct-ops';
    if (name === '.addr_space.1') return 'arena';
    if (name === '.jumptables') return 'jump-tables';
    return 'ignored';
  }
  if (type === SectionType.NOBITS && size > 0 && (name === '.bss' || name.startsWith('.bss.'))) return 'bss';
  if (type === SectionType.REL || type === SectionType.RELA) return relocationRole(elf, section);
  return 'ignored';
}

function relocationRole(elf: ElfFile, section: ElfSection): Role {
  const target = elf.sections[section.info];
  if (section.info === 0 || !target) throw elf.fault(section, `sh_info is ${section.info}, and there are ${elf.sections.length} sections`);
  const relocated = (target.flags & SectionFlag.EXECINSTR) !== 0 || target.name === '.maps' || STRUCT_OPS.includes(target.name);
  if (!relocated || target.name.startsWith('.debug_')) return 'ignored';
  if (section.type === SectionType.RELA) throw elf.fault(section, `relocations with addends for section "${target.name}"; BPF objects have them without (SHT_REL)`);
  return 'relocations';
}

function refuseOverlaps(elf: ElfFile): void {
  const inFile = elf.sections.filter((section) => section.data.length > 0).sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < inFile.length; i++) {
    const [before, section] = [inFile[i - 1], inFile[i]];
    if (before.offset + before.size > section.offset) {
      throw elf.fault(section, `lies at ${hex(section.offset)} in the file, inside of section "${before.name}" at ${hex(before.offset)} with ${hex(before.size)} bytes`);
    }
  }
}

function license(section: ElfSection | undefined): string {
  if (!section) return '';
  const text = section.data.subarray(0, LICENSE_MAX - 1);
  const end = text.indexOf(0);
  return new TextDecoder().decode(end < 0 ? text : text.subarray(0, end));
}

function version(elf: ElfFile, section: ElfSection | undefined): number {
  if (!section) return 0;
  if (section.data.length !== 4) throw elf.fault(section, `${section.data.length} bytes, not 4`);
  return elf.reader(section).u32();
}
