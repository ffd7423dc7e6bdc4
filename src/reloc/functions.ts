/**
 * The functions of an object: one for each function symbol in an executable section, with its instructions and the
 * relocations inside of it, each told what it refers to. Does not join them to programs (link.ts).
 * Relocation types: Documentation/bpf/llvm_reloc.rst, Linux 6.18; as libbpf does, what is relocated is told by the
 * instruction, not by the type.
 */
import { RelocationError, hex } from '../errors.js';
import { Binding, SectionIndex, SymbolType, type ElfRelocation, type ElfSection, type ElfSymbol } from './elf.js';
import { isExtern } from './externs.js';
import { isHidden } from './globals.js';
import { Insns, INSN_SIZE, Pseudo } from './insn.js';
import type { ObjectFile } from './sections.js';
import type { ExternSpec } from './spec.js';

/** What an instruction refers to; `insn` counts from the function's start. */
export type Relocation =
  /** a call, or an ld_imm64 of the address, of what lies `offset` bytes into section `section`, plus the instruction's own share */
  | { readonly kind: 'call' | 'address'; readonly insn: number; readonly section: number; readonly offset: number }
  | { readonly kind: 'map'; readonly insn: number; readonly map: string }
  | { readonly kind: 'map_value'; readonly insn: number; readonly map: string; readonly offset: number }
  | { readonly kind: 'extern'; readonly insn: number; readonly extern: ExternSpec; readonly call: boolean };

export interface BpfFunction {
  readonly name: string;
  readonly section: ElfSection;
  /** first instruction, from the section's start */
  readonly start: number;
  readonly insns: Insns;
  /** global or weak */
  readonly global: boolean;
  readonly hidden: boolean;
  /** a program of its own: global, and not in `.text` */
  readonly entry: boolean;
  /** ascending by insn */
  readonly relocations: Relocation[];
}

/** Where the maps of an object lie, for what refers to them. */
export interface MapPlaces {
  /** `section index:offset` -> name, in sections `.maps` and `maps` */
  readonly declared: ReadonlyMap<string, string>;
  /** section index -> global-data map, the arena for its data */
  readonly bySection: ReadonlyMap<number, { readonly map: string; readonly size: number }>;
}

export class Functions {
  /** by section, then by place */
  readonly all: readonly BpfFunction[];
  readonly #bySection = new Map<number, BpfFunction[]>();

  /** @throws ElfError for symbols that are no whole instructions inside of their section, or that overlap */
  constructor(readonly file: ObjectFile) {
    for (const section of file.of('code')) this.#bySection.set(section.index, []);
    for (const symbol of file.symbols) {
      const list = symbol.type === SymbolType.FUNC ? this.#bySection.get(symbol.section) : undefined;
      list?.push(makeFunction(file, file.elf.sections[symbol.section], symbol));
    }
    for (const [index, list] of this.#bySection) {
      list.sort((a, b) => a.start - b.start || a.insns.length - b.insns.length);
      for (let i = 1; i < list.length; i++) {
        const [before, fn] = [list[i - 1], list[i]];
        const end = before.start + before.insns.length;
        if (fn.start >= end) continue;
        if (fn.start !== before.start || fn.insns.length !== before.insns.length) {
          throw file.elf.fault(file.elf.sections[index], `function "${fn.name}" starts inside of "${before.name}"`, fn.start * INSN_SIZE);
        }
        // two names of the same code
        list[i] = { ...fn, relocations: before.relocations };
      }
    }
    this.all = [...this.#bySection.values()].flat();
  }

  /** The function that holds instruction `insn` of a section. */
  at(section: number, insn: number): BpfFunction | undefined {
    const list = this.#bySection.get(section) ?? [];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle].start <= insn) low = middle + 1;
      else high = middle;
    }
    const fn = list[low - 1];
    return fn && insn < fn.start + fn.insns.length ? fn : undefined;
  }

  isCode(section: number): boolean {
    return this.#bySection.has(section);
  }

  /** Reads the relocation sections of code. @throws ElfError, RelocationError */
  relocate(maps: MapPlaces, externs: ReadonlyMap<number, ExternSpec>): void {
    const touched = new Set<BpfFunction>();
    for (const section of this.file.of('relocations')) {
      const target = this.file.elf.sections[section.info];
      if (!this.isCode(target.index)) continue;
      for (const relocation of this.file.elf.relocations(section)) {
        const fn = this.#relocate(target, relocation, maps, externs);
        if (fn) touched.add(fn);
      }
    }
    for (const fn of touched) {
      fn.relocations.sort((a, b) => a.insn - b.insn);
      const twice = fn.relocations.find((r, i) => r.insn === fn.relocations[i + 1]?.insn);
      if (twice) throw new RelocationError('the instruction is relocated twice', { program: fn.name, insn: twice.insn });
    }
  }

  #relocate(target: ElfSection, { offset, symbol: index }: ElfRelocation, maps: MapPlaces, externs: ReadonlyMap<number, ExternSpec>): BpfFunction | undefined {
    const { elf, symbols } = this.file;
    if (offset % INSN_SIZE !== 0 || offset >= target.data.length) {
      throw new RelocationError(`at ${hex(offset)}, which is no instruction of the section's ${hex(target.data.length)} bytes`, { section: target.name });
    }
    const fn = this.at(target.index, offset / INSN_SIZE);
    const where = fn ? { program: fn.name, insn: offset / INSN_SIZE - fn.start } : { section: target.name, insn: offset / INSN_SIZE };
    if (index >= symbols.length) throw new RelocationError(`symbol #${index}, and there are ${symbols.length}`, where);
    const symbol = symbols.at(index);
    if (symbol.section >= elf.sections.length && symbol.section < SectionIndex.LORESERVE) {
      throw new RelocationError(`symbol #${index} is in section #${symbol.section}, and there are ${elf.sections.length}`, where);
    }
    // code of a weak function that another one replaced has no symbol left
    if (!fn) return undefined;
    fn.relocations.push(describe(this, maps, externs, fn, where.insn, symbol));
    return fn;
  }
}

function makeFunction(file: ObjectFile, section: ElfSection, symbol: ElfSymbol): BpfFunction {
  const { name, value, size } = symbol;
  if (value + size > section.data.length) throw file.elf.fault(section, `function "${name}" of ${hex(size)} bytes ends beyond the section's ${hex(section.data.length)}`, value);
  if (size === 0 || size % INSN_SIZE !== 0 || value % INSN_SIZE !== 0) throw file.elf.fault(section, `function "${name}" of ${size} bytes is not made of whole instructions of ${INSN_SIZE}`, value);
  const global = symbol.binding !== Binding.LOCAL;
  return {
    name, section, start: value / INSN_SIZE, insns: new Insns(section.data.subarray(value, value + size)),
    global, hidden: global && isHidden(symbol), entry: global && section.name !== '.text', relocations: [],
  };
}

function describe(functions: Functions, maps: MapPlaces, externs: ReadonlyMap<number, ExternSpec>, fn: BpfFunction, insn: number, symbol: ElfSymbol): Relocation {
  const { file } = functions;
  const { insns } = fn;
  const sectionName = file.elf.sections[symbol.section]?.name ?? '';
  const name = symbol.type === SymbolType.SECTION && file.symbols.isNameless(symbol.index) ? sectionName : symbol.name;
  const fault = (reason: string) => new RelocationError(reason, { program: fn.name, insn });
  const call = insns.isCall(insn);
  if (!call && !insns.isLdImm64(insn)) throw fault(`against "${name}" on an instruction of code ${hex(insns.code(insn))}, which is neither a call nor an ld_imm64`);

  if (isExtern(symbol)) {
    const extern = externs.get(symbol.index);
    if (!extern) throw fault(`undefined symbol #${symbol.index} without a name`);
    return { kind: 'extern', insn, extern, call };
  }
  if (call) {
    if (insns.src(insn) !== Pseudo.CALL) throw fault(`call of "${name}" has ${insns.src(insn)} in its src field, not ${Pseudo.CALL} (BPF_PSEUDO_CALL)`);
    if (!functions.isCode(symbol.section)) throw fault(`call of "${name}" in section "${sectionName}", which holds no code`);
    if (symbol.value % INSN_SIZE !== 0) throw fault(`call of "${name}" at ${hex(symbol.value)}, which is no instruction`);
    return { kind: 'call', insn, section: symbol.section, offset: symbol.value };
  }
  if (symbol.section === SectionIndex.UNDEF || symbol.section >= SectionIndex.LORESERVE) {
    const special: Readonly<Record<number, string>> = { [SectionIndex.UNDEF]: 'no section', [SectionIndex.ABS]: 'SHN_ABS', [SectionIndex.COMMON]: 'SHN_COMMON' };
    throw fault(`"${name}" is in ${special[symbol.section] ?? `special section ${hex(symbol.section)}`} (a global variable without initial value, compiled with -fcommon?)`);
  }
  if (functions.isCode(symbol.section)) {
    const offset = symbol.value + insns.imm(insn);
    if (symbol.value % INSN_SIZE !== 0 || offset % INSN_SIZE !== 0) throw fault(`address of "${name}" at ${hex(symbol.value)} + ${insns.imm(insn)}, which is no instruction`);
    return { kind: 'address', insn, section: symbol.section, offset: symbol.value };
  }
  const global = maps.bySection.get(symbol.section);
  if (global) {
    const offset = (insns.imm(insn) + symbol.value) >>> 0;
    if (offset >= global.size) throw fault(`"${name}" at offset ${offset} is outside of map "${global.map}" with ${global.size} bytes`);
    return { kind: 'map_value', insn, map: global.map, offset };
  }
  const role = file.roles[symbol.section];
  if (role === 'maps' || role === 'legacy-maps') {
    const map = maps.declared.get(`${symbol.section}:${symbol.value}`);
    if (map === undefined) throw fault(`no map is declared at offset ${symbol.value} of section "${sectionName}"`);
    return { kind: 'map', insn, map };
  }
  if (role === 'arena') throw fault(`"${name}" is in an arena, and no map of type arena is declared`);
  if (role === 'jump-tables') throw fault(`"${name}" is a jump table, which is not supported (compile with -fno-jump-tables)`);
  throw fault(`"${name}" is in section "${sectionName}", which is neither a map nor global data`);
}
