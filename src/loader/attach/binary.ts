/**
 * Finds functions in user-space binaries for uprobes: the path of a program or library by name, and the file offset of a
 * function by symbol, versioned symbol (`memcpy@GLIBC_2.14`) or pattern. Reads section headers and symbol tables only; no
 * DWARF, no debug link. ELF64 little-endian, System V ABI chapters 4 and 5; symbol versions as the LSB core has them.
 */
import { accessSync, closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Reader, cString } from '../../bytes.js';
import { didYouMean } from '../names.js';

/** Makes the caller's error: what is wrong, and the way out. */
export type FailBinary = (reason: string, wayOut?: string) => Error;

/** `sh_type` */
const Sht = { SYMTAB: 2, DYNSYM: 11, NOBITS: 8, GNU_VERDEF: 0x6ffffffd, GNU_VERSYM: 0x6fffffff } as const;
/** low nibble of `st_info` */
const STT_FUNC = 2;
/** high nibble of `st_info` */
const STB_WEAK = 2;
/** `.gnu.version`: the symbol is not the default of its name */
const VERSYM_HIDDEN = 0x8000;
const SHN_LORESERVE = 0xff00;
const SYM_SIZE = 24;
const SHDR_SIZE = 64;
/** larger tables than any real binary has are refused instead of read */
const MAX_TABLE = 512 * 1024 * 1024;

interface Shdr {
  readonly type: number;
  readonly addr: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

interface FunctionSymbol {
  readonly name: string;
  /** '' where the binary has none */
  readonly version: string;
  /** in the file, bytes */
  readonly offset: number;
  /** not the default version, or weak */
  readonly secondary: boolean;
}

/** Where libraries of this machine are beside /usr/lib64 and /usr/lib. */
const TRIPLETS: Readonly<Partial<Record<NodeJS.Architecture, string>>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/**
 * The path of a program or library: as given where it holds a slash, else `LD_LIBRARY_PATH` and the system's library folders for
 * names with `.so`, `PATH` and the system's program folders for others.
 */
export function findBinary(name: string, fail: FailBinary): string {
  if (name.includes('/')) {
    try {
      if (statSync(name).isFile()) return name;
    } catch {
      throw fail(`no file ${name}`);
    }
    throw fail(`${name} is not a file`);
  }
  const library = name.endsWith('.so') || name.includes('.so.');
  const triplet = TRIPLETS[process.arch] ?? '';
  const folders = library
    ? [...split(process.env['LD_LIBRARY_PATH']), '/usr/lib64', '/usr/lib', `/lib/${triplet}`, `/usr/lib/${triplet}`]
    : [...split(process.env['PATH']), '/usr/bin', '/usr/sbin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, library ? constants.R_OK : constants.R_OK | constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      // the next folder may have it
    }
  }
  throw fail(`no ${library ? 'library' : 'program'} "${name}" in ${folders.join(', ')}`, 'give its full path');
}

function split(paths: string | undefined): string[] {
  return (paths ?? '').split(delimiter).filter(Boolean);
}

/** The file offset of one function. `name` may carry a version: `name@VERSION` or `name@@VERSION`. */
export function functionOffset(path: string, name: string, fail: FailBinary): number {
  const at = name.indexOf('@');
  const plain = at < 0 ? name : name.slice(0, at);
  const version = at < 0 ? undefined : name.slice(at).replace(/^@+/, '');
  const binary = new Binary(path, fail);
  try {
    const names = new Set<string>();
    for (const type of [Sht.DYNSYM, Sht.SYMTAB]) {
      const found: FunctionSymbol[] = [];
      for (const symbol of binary.functions(type)) {
        names.add(symbol.name);
        if (symbol.name === plain && (version === undefined || symbol.version === version)) found.push(symbol);
      }
      const primary = found.filter((symbol) => !symbol.secondary);
      const candidates = primary.length > 0 ? primary : found;
      const offsets = new Set(candidates.map(({ offset }) => offset));
      if (offsets.size > 1) {
        const which = candidates.map((symbol) => `${symbol.name}${symbol.version && `@${symbol.version}`} at 0x${symbol.offset.toString(16)}`);
        throw fail(`"${name}" is ambiguous in ${path}: ${which.join(', ')}`, 'name the version, or the offset instead of the function');
      }
      if (offsets.size === 1) return candidates[0].offset;
    }
    if (names.size === 0) throw fail(`${path} has no function symbols`, 'it is stripped; give a file offset instead of a function');
    throw fail(`no function "${name}" in ${path}`, didYouMean(plain, names));
  } finally {
    binary.close();
  }
}

/** File offsets of every function whose name matches a pattern with `*` and `?`, ascending, each once. */
export function matchingOffsets(path: string, pattern: string, fail: FailBinary): number[] {
  const regexp = globToRegExp(pattern);
  const binary = new Binary(path, fail);
  try {
    for (const type of [Sht.SYMTAB, Sht.DYNSYM]) {
      const offsets = new Set<number>();
      for (const symbol of binary.functions(type)) if (regexp.test(symbol.name)) offsets.add(symbol.offset);
      if (offsets.size > 0) return [...offsets].sort((a, b) => a - b);
    }
  } finally {
    binary.close();
  }
  throw fail(`no function in ${path} matches "${pattern}"`);
}

/** `*` any text, `?` one character. */
export function globToRegExp(pattern: string): RegExp {
  const body = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.');
  return new RegExp(`^${body}$`);
}

/** One open ELF file. */
class Binary {
  readonly #path: string;
  readonly #fail: FailBinary;
  readonly #fd: number;
  readonly #fileSize: number;
  readonly #sections: readonly Shdr[];

  constructor(path: string, fail: FailBinary) {
    this.#path = path;
    this.#fail = fail;
    try {
      this.#fd = openSync(path, 'r');
    } catch (error) {
      throw fail(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
    }
    try {
      this.#fileSize = fstatSync(this.#fd).size;
      this.#sections = this.#readSections();
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Every defined function of the first table of the type. */
  * functions(tableType: number): Generator<FunctionSymbol> {
    const table = this.#sections.find(({ type }) => type === tableType);
    if (!table) return;
    const strings = this.#content(this.#section(table.link, 'the string table of the symbols'));
    const symbols = this.#reader(table);
    const versions = tableType === Sht.DYNSYM ? this.#versions() : undefined;
    for (let index = 0; symbols.left >= SYM_SIZE; index++) {
      const nameOff = symbols.u32();
      const info = symbols.u8();
      symbols.u8();
      const sectionIndex = symbols.u16();
      const value = symbols.size64();
      symbols.u64();
      if ((info & 0xf) !== STT_FUNC || sectionIndex === 0 || sectionIndex >= SHN_LORESERVE) continue;
      const section = this.#section(sectionIndex, `symbol ${index}`);
      const full = cString(strings, nameOff) ?? '';
      // .symtab writes versions into the name itself
      const at = full.indexOf('@');
      const versym = versions?.of(index);
      yield {
        name: at < 0 ? full : full.slice(0, at),
        version: at < 0 ? versym?.name ?? '' : full.slice(at).replace(/^@+/, ''),
        offset: value - section.addr + section.offset,
        secondary: info >> 4 === STB_WEAK || versym?.hidden === true || (at >= 0 && full[at + 1] !== '@'),
      };
    }
  }

  #versions(): { of(index: number): { name: string; hidden: boolean } | undefined } | undefined {
    const versym = this.#sections.find(({ type }) => type === Sht.GNU_VERSYM);
    const verdef = this.#sections.find(({ type }) => type === Sht.GNU_VERDEF);
    if (!versym || !verdef) return undefined;
    const names = new Map<number, string>();
    const strings = this.#content(this.#section(verdef.link, 'the string table of the versions'));
    const reader = this.#reader(verdef);
    for (let at = 0; ;) {
      // vd_version, vd_flags, vd_ndx, vd_cnt, vd_hash, vd_aux, vd_next
      reader.seek(at).u16();
      reader.u16();
      const index = reader.u16();
      reader.u16();
      reader.u32();
      const aux = reader.u32();
      const next = reader.u32();
      names.set(index, cString(strings, reader.seek(at + aux).u32()) ?? '');
      if (next === 0) break;
      at += next;
    }
    const numbers = this.#content(versym);
    return {
      of(index) {
        if (index * 2 + 2 > numbers.length) return undefined;
        const raw = numbers[index * 2] | numbers[index * 2 + 1] << 8;
        const name = names.get(raw & ~VERSYM_HIDDEN);
        return { name: name ?? '', hidden: (raw & VERSYM_HIDDEN) !== 0 };
      },
    };
  }

  #readSections(): Shdr[] {
    const head = this.#read(0, Math.min(64, this.#fileSize));
    if (head.length < 64 || head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46) throw this.#fail(`${this.#path} is not an ELF file`);
    if (head[4] !== 2 || head[5] !== 1) throw this.#fail(`${this.#path} is not a 64-bit little-endian ELF file`);
    const header = this.#wrap(head, 0);
    const shoff = header.seek(0x28).size64();
    const shentsize = header.seek(0x3a).u16();
    let count = header.u16();
    if (shoff === 0) throw this.#fail(`${this.#path} has no section headers`, 'give a file offset instead of a function');
    if (shentsize !== SHDR_SIZE) throw this.#fail(`${this.#path}: section headers of ${shentsize} bytes, ${SHDR_SIZE} expected`);
    // more than 65 279 sections: the number is in the first header
    if (count === 0) count = this.#wrap(this.#read(shoff, SHDR_SIZE), shoff).seek(0x20).size64();
    const headers = this.#wrap(this.#read(shoff, count * SHDR_SIZE), shoff);
    return Array.from({ length: count }, (_, i) => {
      headers.seek(i * SHDR_SIZE + 4);
      const type = headers.u32();
      headers.u64();
      return { type, addr: headers.size64(), offset: headers.size64(), size: headers.size64(), link: headers.u32() };
    });
  }

  #section(index: number, what: string): Shdr {
    const section = this.#sections[index];
    if (!section) throw this.#fail(`${this.#path}: ${what} names section ${index} of ${this.#sections.length}`);
    return section;
  }

  #content({ type, offset, size }: Shdr): Uint8Array {
    return type === Sht.NOBITS ? new Uint8Array(0) : this.#read(offset, size);
  }

  #reader(section: Shdr): Reader {
    return this.#wrap(this.#content(section), section.offset);
  }

  #wrap(bytes: Uint8Array, base: number): Reader {
    return new Reader(bytes, (reason, offset) => this.#fail(`${this.#path} at 0x${offset.toString(16)}: ${reason}`), base);
  }

  #read(offset: number, size: number): Uint8Array {
    if (offset + size > this.#fileSize || size > MAX_TABLE) {
      throw this.#fail(`${this.#path}: ${size} bytes wanted at 0x${offset.toString(16)}, the file has ${this.#fileSize}`);
    }
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      const n = readSync(this.#fd, bytes, done, size - done, offset + done);
      if (n === 0) throw this.#fail(`${this.#path} ends at 0x${(offset + done).toString(16)}`);
      done += n;
    }
    return bytes;
  }
}
