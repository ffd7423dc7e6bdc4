/**
 * Finds functions in user-space binaries for uprobes: the path of a program or library by name, and the file offset of a
 * function by symbol, versioned symbol (`memcpy@GLIBC_2.14`) or pattern. Symbol tables only; no DWARF, no debug link.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ElfError, hex } from '../../errors.js';
import { didYouMean } from '../../kernel/near.js';
import { Binding, SectionIndex, SectionType, SymbolType, parseElf, type ElfFile, type ElfSymbol } from '../../reloc/elf.js';

/** Makes the caller's error: what is wrong, and the way out. */
export type FailBinary = (reason: string, wayOut?: string) => Error;

/** Where libraries of this machine are beside /usr/lib64 and /usr/lib. */
const TRIPLETS: Readonly<Partial<Record<NodeJS.Architecture, string>>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/**
 * The path of a program or library: as given where it holds a slash, else `LD_LIBRARY_PATH` and the system's library folders for
 * names with `.so`, `PATH` and the system's program folders for others.
 */
export function findBinary(name: string, fail: FailBinary): string {
  if (name.includes('/')) {
    if (!isFile(name)) throw fail(`no file ${name}`);
    return name;
  }
  const library = name.endsWith('.so') || name.includes('.so.');
  const triplet = TRIPLETS[process.arch] ?? '';
  const folders = library
    ? [...split(process.env['LD_LIBRARY_PATH']), '/usr/lib64', '/usr/lib', `/usr/lib/${triplet}`, `/lib/${triplet}`]
    : [...split(process.env['PATH']), '/usr/bin', '/usr/sbin'];
  const found = folders.map((folder) => join(folder, name)).find((path) => isFile(path, library ? constants.R_OK : constants.R_OK | constants.X_OK));
  if (found === undefined) throw fail(`no ${library ? 'library' : 'program'} "${name}" in ${[...new Set(folders)].join(', ')}`, 'give its full path');
  return found;
}

function isFile(path: string, mode = constants.F_OK): boolean {
  try {
    accessSync(path, mode);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function split(paths: string | undefined): string[] {
  return (paths ?? '').split(delimiter).filter(Boolean);
}

/** The file offset of one function, in bytes. `name` may carry a version: `name@VERSION` or `name@@VERSION`. */
export function functionOffset(path: string, name: string, fail: FailBinary): number {
  const [plain, version] = splitVersion(name);
  return withBinary(path, fail, (elf) => {
    const names = new Set<string>();
    // dynamic symbols first: a stripped library has no others, a static program no dynamic ones
    for (const table of [SectionType.DYNSYM, SectionType.SYMTAB]) {
      const found: FunctionSymbol[] = [];
      for (const symbol of functions(elf, table)) {
        names.add(symbol.name);
        if (symbol.name === plain && (version === '' || symbol.version === version)) found.push(symbol);
      }
      const primary = found.filter((symbol) => !symbol.secondary);
      const candidates = primary.length > 0 ? primary : found;
      if (new Set(candidates.map(({ offset }) => offset)).size > 1) {
        const which = candidates.map((symbol) => `${symbol.name}${symbol.version && `@${symbol.version}`} at ${hex(symbol.offset)}`);
        throw fail(`"${name}" is ambiguous in ${path}: ${which.join(', ')}`, 'name the version, or the offset instead of the function');
      }
      if (candidates.length > 0) return candidates[0].offset;
    }
    if (names.size === 0) throw fail(`${path} has no function symbols`, 'it is stripped; give a file offset instead of a function');
    throw fail(`no function "${name}" in ${path}`, didYouMean(plain, names));
  });
}

/** File offsets of every function whose name matches a pattern with `*` and `?`, ascending, each once. */
export function matchingOffsets(path: string, pattern: string, fail: FailBinary): number[] {
  const regexp = globToRegExp(pattern);
  return withBinary(path, fail, (elf) => {
    const offsets = new Set<number>();
    for (const table of [SectionType.SYMTAB, SectionType.DYNSYM]) {
      for (const symbol of functions(elf, table)) if (regexp.test(symbol.name)) offsets.add(symbol.offset);
    }
    if (offsets.size === 0) throw fail(`no function in ${path} matches "${pattern}"`);
    return [...offsets].sort((a, b) => a - b);
  });
}

/** `*` any text, `?` one character. */
export function globToRegExp(pattern: string): RegExp {
  const body = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*+/g, '.*').replace(/\?/g, '.');
  return new RegExp(`^${body}$`);
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

/** Every defined function of the tables of that type. */
function* functions(elf: ElfFile, tableType: number): Generator<FunctionSymbol> {
  for (const table of elf.sections.filter(({ type }) => type === tableType)) {
    const symbols = elf.symbols(table);
    for (const symbol of symbols) {
      if (!isDefinedFunction(symbol)) continue;
      const home = elf.sections[symbol.section];
      if (!home) continue;
      // .symtab writes versions into the name itself
      const [name, inName] = splitVersion(symbol.name);
      const version = symbols.version(symbol.index);
      yield {
        name,
        version: version?.name ?? inName,
        offset: symbol.value - home.addr + home.offset,
        secondary: symbol.binding === Binding.WEAK || (version ? version.hidden : inName !== '' && !symbol.name.includes('@@')),
      };
    }
  }
}

function isDefinedFunction({ type, section, value }: ElfSymbol): boolean {
  return type === SymbolType.FUNC && section !== SectionIndex.UNDEF && section < SectionIndex.LORESERVE && value !== 0;
}

/** `memcpy@@GLIBC_2.14` -> `memcpy`, `GLIBC_2.14` */
function splitVersion(name: string): [plain: string, version: string] {
  const at = name.indexOf('@');
  return at < 0 ? [name, ''] : [name.slice(0, at), name.slice(at).replace(/^@+/, '')];
}

function withBinary<T>(path: string, fail: FailBinary, use: (elf: ElfFile) => T): T {
  try {
    return use(parseElf(readFileSync(path), { file: path }));
  } catch (error) {
    if (error instanceof ElfError) throw fail(error.message, 'give a file offset instead of a function');
    if (error instanceof Error && 'syscall' in error) throw fail(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
    throw error;
  }
}
