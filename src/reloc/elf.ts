/**
 * Reads ELF64 little-endian files of any machine: header, sections, program headers, symbols with their versions,
 * relocations without addend. Every section is checked to lie inside the file. Knows nothing of BPF (object.ts insists on
 * that), of compressed sections, or of files without section headers (these simply have no sections).
 * Format: System V ABI, chapters 4 and 5; symbol versions: LSB Core, chapter "Symbol Versioning".
 */
import { Reader } from '../bytes.js';
import { ElfError, hex } from '../errors.js';

export const ElfType = { REL: 1, EXEC: 2, DYN: 3, CORE: 4 } as const;
export const Machine = { NONE: 0, X86_64: 62, AARCH64: 183, RISCV: 243, BPF: 247 } as const;
export const SectionType = {
  NULL: 0, PROGBITS: 1, SYMTAB: 2, STRTAB: 3, RELA: 4, NOBITS: 8, REL: 9, DYNSYM: 11,
  LLVM_ADDRSIG: 0x6fff4c03, GNU_VERDEF: 0x6ffffffd, GNU_VERNEED: 0x6ffffffe, GNU_VERSYM: 0x6fffffff,
} as const;
export const SectionFlag = { WRITE: 1, ALLOC: 2, EXECINSTR: 4 } as const;
export const SymbolType = { NOTYPE: 0, OBJECT: 1, FUNC: 2, SECTION: 3, FILE: 4, COMMON: 5, TLS: 6, GNU_IFUNC: 10 } as const;
export const Binding = { LOCAL: 0, GLOBAL: 1, WEAK: 2 } as const;
export const Visibility = { DEFAULT: 0, INTERNAL: 1, HIDDEN: 2, PROTECTED: 3 } as const;
/** Section indices that are none: SHN_UNDEF, and everything from SHN_LORESERVE on. */
export const SectionIndex = { UNDEF: 0, LORESERVE: 0xff00, ABS: 0xfff1, COMMON: 0xfff2, XINDEX: 0xffff } as const;
const PT_LOAD = 1;
/** e_phnum of a file with more program headers than 16 bits can say; section 0 has the number. */
const PN_XNUM = 0xffff;

const HEADER = 64;
const SECTION_HEADER = 64;
const PROGRAM_HEADER = 56;
const SYMBOL = 24;
const RELOCATION = 16;
/** Longest name that is read, in bytes: keeps hostile string tables from costing more than linear time. */
const MAX_NAME = 4096;

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** addresses beyond 2^53 (kernel images) are rounded */
  readonly addr: number;
  /** bytes from the file's start */
  readonly offset: number;
  /** bytes; for NOBITS in memory only */
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entsize: number;
  /** a view on the file; empty for NOBITS */
  readonly data: Uint8Array;
}

export interface ElfSegment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly fileSize: number;
  readonly memSize: number;
}

export interface ElfRelocation {
  readonly offset: number;
  readonly symbol: number;
  readonly type: number;
}

export class ElfFile {
  readonly type: number;
  readonly machine: number;
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ElfSegment[];
  #byName: Map<string, ElfSection> | undefined;

  /** @internal parseElf makes it */
  constructor(readonly bytes: Uint8Array, readonly file: string | undefined) {
    this.#ident();
    const r = this.#reader(bytes.subarray(0, HEADER));
    r.seek(16);
    this.type = r.u16();
    this.machine = r.u16();
    const version = r.u32();
    if (version !== 1) throw this.#fault(`e_version is ${version}, not 1`, 20);
    r.seek(32);
    const phoff = r.size64();
    const shoff = r.size64();
    r.seek(54);
    const phentsize = r.u16();
    const phnum = r.u16();
    const shentsize = r.u16();
    const shnum = r.u16();
    const shstrndx = r.u16();
    this.sections = shoff === 0 ? [] : this.#sections(shoff, shentsize, shnum, shstrndx);
    this.segments = phoff === 0 ? [] : this.#segments(phoff, phentsize, phnum === PN_XNUM && this.sections.length > 0 ? this.sections[0].info : phnum);
  }

  /** The first section of that name. */
  section(name: string): ElfSection | undefined {
    if (!this.#byName) {
      this.#byName = new Map();
      for (const section of this.sections) if (section.index > 0 && !this.#byName.has(section.name)) this.#byName.set(section.name, section);
    }
    return this.#byName.get(name);
  }

  /**
   * The symbols of a SYMTAB or DYNSYM section, read as they are asked for.
   * @throws ElfError BPF_ELF where the section's entry size, length or string table is wrong
   */
  symbols(section: ElfSection): SymbolTable {
    return new SymbolTable(this, section);
  }

  /** The records of a REL section. @throws ElfError BPF_ELF for a wrong entry size or length */
  relocations(section: ElfSection): ElfRelocation[] {
    this.#entries(section, RELOCATION);
    const r = this.reader(section);
    const relocations: ElfRelocation[] = [];
    while (r.left > 0) relocations.push({ offset: this.#u64(r), type: r.u32(), symbol: r.u32() });
    return relocations;
  }

  /** A reader on a section's bytes whose errors name section and offset. */
  reader(section: ElfSection): Reader {
    return new Reader(section.data, (reason, offset) => this.fault(section, reason, offset));
  }

  /**
   * The NUL-terminated string at `offset` of a STRTAB section.
   * @throws ElfError BPF_ELF where it is outside, does not end, or is longer than 4096 bytes
   */
  string(table: ElfSection, offset: number): string {
    const bytes = table.data;
    if (offset >= bytes.length) throw this.fault(table, `string offset is outside of ${bytes.length} bytes`, offset);
    const end = bytes.subarray(offset, offset + MAX_NAME + 1).indexOf(0);
    if (end < 0) throw this.fault(table, bytes.length - offset > MAX_NAME ? `string is longer than ${MAX_NAME} bytes` : 'string does not end', offset);
    return utf8.decode(bytes.subarray(offset, offset + end));
  }

  /**
   * Where in the file the byte at a symbol's address lies (what uprobes want), from the symbol's own section, else from the
   * loaded segments; undefined where the file does not hold it.
   */
  fileOffset(symbol: ElfSymbol): number | undefined {
    if (symbol.section === SectionIndex.UNDEF) return undefined;
    const section = this.sections[symbol.section];
    if (this.type !== ElfType.REL && section && section.index > 0 && section.type !== SectionType.NOBITS) {
      return symbol.value - section.addr + section.offset;
    }
    const segment = this.segments.find((s) => s.type === PT_LOAD && symbol.value >= s.vaddr && symbol.value < s.vaddr + s.fileSize);
    return segment && symbol.value - segment.vaddr + segment.offset;
  }

  /** The error for a fault in a section. */
  fault(section: ElfSection, reason: string, offset?: number): ElfError {
    return new ElfError(reason, { ...(this.file === undefined ? {} : { file: this.file }), section: section.name || `#${section.index}`, ...(offset === undefined ? {} : { offset }) });
  }

  #fault(reason: string, offset: number): ElfError {
    return new ElfError(reason, { ...(this.file === undefined ? {} : { file: this.file }), offset });
  }

  #reader(bytes: Uint8Array, base = 0): Reader {
    return new Reader(bytes, (reason, offset) => this.#fault(reason, offset), base);
  }

  #ident(): void {
    const { bytes } = this;
    if (bytes.length < 4 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
      const start = [...bytes.subarray(0, 4)].map((b) => b.toString(16).padStart(2, '0')).join(' ');
      throw this.#fault(`not an ELF file: begins with ${start || 'nothing'}, not 7f 45 4c 46`, 0);
    }
    if (bytes.length < HEADER) throw this.#fault(`file of ${bytes.length} bytes ends inside the ELF header of ${HEADER}`, bytes.length);
    if (bytes[4] === 1) throw this.#fault('32-bit ELF, only ELF64 is read', 4);
    if (bytes[4] !== 2) throw this.#fault(`ELF class is ${bytes[4]}, not 2 (ELF64)`, 4);
    if (bytes[5] === 2) {
      const machine = bytes[18] << 8 | bytes[19];
      throw this.#fault(machine === Machine.BPF
        ? 'big-endian object; built with -target bpfeb? (compile with -target bpfel)'
        : `big-endian ELF of machine ${machine}, only little-endian is read`, 5);
    }
    if (bytes[5] !== 1) throw this.#fault(`ELF data encoding is ${bytes[5]}, not 1 (little-endian)`, 5);
    if (bytes[6] !== 1) throw this.#fault(`ELF version is ${bytes[6]}, not 1`, 6);
  }

  /** A table of fixed-size records that has to lie inside the file. */
  #table(what: string, offset: number, entsize: number, wanted: number, count: number): Reader {
    if (entsize !== wanted) throw this.#fault(`${what} headers have ${entsize} bytes each, not ${wanted}`, offset);
    const end = offset + count * wanted;
    if (end > this.bytes.length) {
      throw this.#fault(`${count} ${what} headers end at ${hex(end)}, beyond the file of ${hex(this.bytes.length)} bytes (is it truncated?)`, offset);
    }
    return this.#reader(this.bytes.subarray(offset, end), offset);
  }

  #sections(offset: number, entsize: number, shnum: number, shstrndx: number): ElfSection[] {
    // more sections than 16 bits can say: the number is section 0's size, the index of the names its link
    let count = shnum;
    let names = shstrndx;
    if (shnum === 0 || shstrndx === SectionIndex.XINDEX) {
      const first = this.#table('section', offset, entsize, SECTION_HEADER, 1);
      first.seek(32);
      const size = first.size64();
      const link = first.u32();
      if (shnum === 0) count = size;
      if (shstrndx === SectionIndex.XINDEX) names = link;
    }
    const r = this.#table('section', offset, entsize, SECTION_HEADER, count);
    const nameOffsets: number[] = [];
    const raw: ElfSection[] = [];
    for (let index = 0; index < count; index++) {
      const at = r.offset;
      nameOffsets.push(r.u32());
      const type = r.u32();
      const flags = this.#u64(r);
      const addr = this.#u64(r);
      const start = this.#u64(r);
      const size = this.#u64(r);
      const link = r.u32();
      const info = r.u32();
      const align = this.#u64(r);
      const each = this.#u64(r);
      const inFile = index > 0 && type !== SectionType.NULL && type !== SectionType.NOBITS;
      if (inFile && start + size > this.bytes.length) {
        throw this.#fault(`section #${index} at ${hex(start)} with ${hex(size)} bytes ends beyond the file of ${hex(this.bytes.length)} bytes (is it truncated?)`, at);
      }
      const data = inFile ? this.bytes.subarray(start, start + size) : this.bytes.subarray(0, 0);
      raw.push({ index, name: '', type, flags, addr, offset: start, size, link, info, align, entsize: each, data });
    }
    if (count === 0) return raw;
    if (names === SectionIndex.UNDEF) return raw;
    const table = raw[names];
    if (!table || table.type !== SectionType.STRTAB) {
      throw this.#fault(`e_shstrndx is ${names}, ${table ? `a section of type ${table.type}, not a string table` : `and there are ${count} sections`}`, 62);
    }
    return raw.map((section, index) => index === 0 ? section : { ...section, name: this.#sectionName(table, index, nameOffsets[index]) });
  }

  #sectionName(table: ElfSection, index: number, offset: number): string {
    if (offset >= table.data.length) throw this.#fault(`name of section #${index} at ${hex(offset)} is outside of ${hex(table.data.length)} bytes of section names`, table.offset);
    return this.string(table, offset);
  }

  #segments(offset: number, entsize: number, count: number): ElfSegment[] {
    if (count === 0) return [];
    const r = this.#table('program', offset, entsize, PROGRAM_HEADER, count);
    const segments: ElfSegment[] = [];
    for (let i = 0; i < count; i++) {
      const type = r.u32();
      const flags = r.u32();
      const start = this.#u64(r);
      const vaddr = this.#u64(r);
      this.#u64(r);
      segments.push({ type, flags, offset: start, vaddr, fileSize: this.#u64(r), memSize: this.#u64(r) });
      this.#u64(r);
    }
    return segments;
  }

  /** @internal */
  checkEntries(section: ElfSection, wanted: number): void {
    this.#entries(section, wanted);
  }

  #entries(section: ElfSection, wanted: number): void {
    if (section.entsize !== wanted) throw this.fault(section, `sh_entsize is ${section.entsize}, not ${wanted}`);
    if (section.data.length % wanted !== 0) throw this.fault(section, `${section.data.length} bytes are no multiple of the entry size ${wanted}`);
  }

  /** Exact up to 2^53, rounded beyond: every range check that follows stays right. */
  #u64(r: Reader): number {
    const low = r.u32();
    return r.u32() * 0x1_0000_0000 + low;
  }
}

/**
 * @param bytes the whole file; kept as views
 * @param options.file what messages call it ("BPF object" unless told)
 * @throws ElfError BPF_ELF for anything but a sound ELF64 little-endian file
 */
export function parseElf(bytes: Uint8Array, options: { file?: string } = {}): ElfFile {
  // views of a Buffer would be Buffers, whose slice() does not copy
  return new ElfFile(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), options.file);
}

export interface ElfSymbol {
  readonly index: number;
  /** read when asked for. @throws ElfError BPF_ELF where it is outside of the string table */
  readonly name: string;
  readonly value: number;
  /** bytes */
  readonly size: number;
  readonly type: number;
  readonly binding: number;
  readonly visibility: number;
  /** section index, or one of SectionIndex */
  readonly section: number;
}

/** A symbol's version, `GLIBC_2.34`; `hidden` is written with one `@`, the default one with two. */
export interface SymbolVersion { readonly name: string; readonly hidden: boolean }

export class SymbolTable {
  readonly length: number;
  readonly #view: DataView;
  readonly #strings: ElfSection;
  #versions: { readonly indices: DataView; readonly names: ReadonlyMap<number, string> } | undefined | null = null;

  /** @internal ElfFile.symbols makes it */
  constructor(readonly elf: ElfFile, readonly section: ElfSection) {
    elf.checkEntries(section, SYMBOL);
    const { data, link } = section;
    const strings = elf.sections[link];
    if (!strings || strings.type !== SectionType.STRTAB) {
      throw elf.fault(section, `sh_link is ${link}, ${strings ? `a section of type ${strings.type}, not a string table` : `and there are ${elf.sections.length} sections`}`);
    }
    this.#strings = strings;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.length = data.length / SYMBOL;
  }

  /** @param index below `length` */
  at(index: number): ElfSymbol {
    const at = index * SYMBOL;
    const view = this.#view;
    const info = view.getUint8(at + 4);
    const table = this;
    return {
      index,
      type: info & 0xf,
      binding: info >> 4,
      visibility: view.getUint8(at + 5) & 3,
      section: view.getUint16(at + 6, true),
      value: view.getUint32(at + 12, true) * 0x1_0000_0000 + view.getUint32(at + 8, true),
      size: view.getUint32(at + 20, true) * 0x1_0000_0000 + view.getUint32(at + 16, true),
      get name() { return table.name(index); },
    };
  }

  name(index: number): string {
    const offset = this.#view.getUint32(index * SYMBOL, true);
    if (offset >= this.#strings.data.length) {
      throw this.elf.fault(this.section, `name of symbol #${index} at ${hex(offset)} is outside of ${hex(this.#strings.data.length)} bytes of section "${this.#strings.name}"`, index * SYMBOL);
    }
    return this.elf.string(this.#strings, offset);
  }

  /** True where the symbol has no name of its own (a section's symbol). */
  isNameless(index: number): boolean {
    return this.#view.getUint32(index * SYMBOL, true) === 0;
  }

  *[Symbol.iterator](): Generator<ElfSymbol, void, undefined> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }

  /** Every symbol of exactly this name, compared as bytes: no name is decoded. */
  named(name: string): ElfSymbol[] {
    const wanted = new Uint8Array([...new TextEncoder().encode(name), 0]);
    const strings = this.#strings.data;
    const found: ElfSymbol[] = [];
    for (let index = 0; index < this.length; index++) {
      const at = this.#view.getUint32(index * SYMBOL, true);
      let i = 0;
      while (i < wanted.length && strings[at + i] === wanted[i]) i++;
      if (i === wanted.length) found.push(this.at(index));
    }
    return found;
  }

  /** Version of a dynamic symbol, undefined where it has none. @throws ElfError BPF_ELF for broken version sections */
  version(index: number): SymbolVersion | undefined {
    if (this.#versions === null) this.#versions = this.#readVersions();
    if (!this.#versions || (index + 1) * 2 > this.#versions.indices.byteLength) return undefined;
    const raw = this.#versions.indices.getUint16(index * 2, true);
    const name = this.#versions.names.get(raw & 0x7fff);
    return name === undefined ? undefined : { name, hidden: (raw & 0x8000) !== 0 };
  }

  #readVersions(): { indices: DataView; names: Map<number, string> } | undefined {
    const { elf, section } = this;
    const versym = elf.sections.find((s) => s.type === SectionType.GNU_VERSYM && s.link === section.index);
    if (!versym) return undefined;
    const names = new Map<number, string>();
    for (const definitions of elf.sections) {
      if (definitions.type === SectionType.GNU_VERDEF) readChain(elf, definitions, VERDEF, names);
      if (definitions.type === SectionType.GNU_VERNEED) readChain(elf, definitions, VERNEED, names);
    }
    return { indices: new DataView(versym.data.buffer, versym.data.byteOffset, versym.data.byteLength), names };
  }
}

/** Byte positions inside the records of .gnu.version_d and .gnu.version_r, which are chained by relative offsets. */
const VERDEF = { index: 4, count: undefined, aux: 12, next: 16, length: 20, auxName: 0, auxIndex: undefined, auxNext: 4, auxLength: 8 } as const;
const VERNEED = { index: undefined, count: 2, aux: 8, next: 12, length: 16, auxName: 8, auxIndex: 6, auxNext: 12, auxLength: 16 } as const;

/** Index 1 is the file's own name, not a version. */
const VER_NDX_GLOBAL = 1;

function readChain(elf: ElfFile, section: ElfSection, layout: typeof VERDEF | typeof VERNEED, names: Map<number, string>): void {
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength);
  const strings = elf.sections[section.link];
  if (!strings || strings.type !== SectionType.STRTAB) throw elf.fault(section, `sh_link is ${section.link}, not a string table`);
  const room = (at: number, length: number) => {
    if (at + length > section.data.length) throw elf.fault(section, `version record of ${length} bytes is outside of ${section.data.length}`, at);
  };
  const set = (index: number, nameOffset: number) => {
    if (index > VER_NDX_GLOBAL && !names.has(index)) names.set(index, elf.string(strings, nameOffset));
  };
  // records cannot overlap in a sound file: their number is bounded by the section's length
  let budget = section.data.length / layout.auxLength;
  for (let at = 0, left = section.info; left > 0; left--) {
    room(at, layout.length);
    let aux = at + view.getUint32(at + layout.aux, true);
    // a definition's further names are its parents
    const count = layout.count === undefined ? 1 : view.getUint16(at + layout.count, true);
    for (let i = 0; i < count; i++) {
      room(aux, layout.auxLength);
      if (budget-- <= 0) throw elf.fault(section, 'version records overlap', aux);
      const index = layout.auxIndex === undefined ? view.getUint16(at + layout.index, true) : view.getUint16(aux + layout.auxIndex, true);
      set(index & 0x7fff, view.getUint32(aux + layout.auxName, true));
      const next = view.getUint32(aux + layout.auxNext, true);
      if (next === 0) break;
      aux += next;
    }
    const next = view.getUint32(at + layout.next, true);
    if (next === 0) break;
    at += next;
  }
}

const utf8 = new TextDecoder();
