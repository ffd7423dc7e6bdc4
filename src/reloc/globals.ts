/**
 * Global variables: what the compiler leaves open in the BTF of their sections is filled in from ELF symbols, and each
 * `.rodata*`, `.data*` and `.bss*` section becomes a map of one element, named as libbpf names it.
 * Externs (`.kconfig`, `.ksyms`) are externs.ts.
 */
import { BtfError } from '../errors.js';
import { MapCreateFlag, MapType } from '../uapi.js';
import type { Btf, BtfType } from './btf.js';
import type { BtfPatch } from './btf-patch.js';
import { Binding, SymbolType, Visibility, type ElfSymbol, type SymbolTable } from './elf.js';
import type { ObjectFile } from './sections.js';
import type { MapSpec } from './spec.js';

/** Linkage of a VAR, include/uapi/linux/btf.h. */
export const VarLinkage = { STATIC: 0, GLOBAL_ALLOCATED: 1, GLOBAL_EXTERN: 2 } as const;
/** Linkage of a FUNC. */
export const FuncLinkage = { STATIC: 0, GLOBAL: 1, EXTERN: 2 } as const;
/** DATASECs of externs. */
export const KCONFIG = '.kconfig';
export const KSYMS = '.ksyms';

/** BPF_OBJ_NAME_LEN without the NUL: what the kernel keeps of a name. */
const NAME_MAX = 15;
/** Largest value of an array map, INT_MAX in kernel/bpf/arraymap.c. */
export const MAX_VALUE = 0x7fff_ffff;
/** Room that libbpf keeps for the section's name at the end of a global-data map's. */
const SUFFIX_MIN = 7;

type Datasec = BtfType & { readonly kind: 'datasec' };

export const isHidden = (symbol: ElfSymbol) => symbol.visibility === Visibility.HIDDEN || symbol.visibility === Visibility.INTERNAL;

/**
 * Sizes of DATASECs and offsets of their variables; hidden variables become static ones, which keeps their map from being
 * mappable. Variables are sorted by offset, as the kernel wants them.
 * @throws BtfError for a DATASEC without section or a variable without symbol
 */
export function fixDatasecs(file: ObjectFile, btf: Btf, patch: BtfPatch): void {
  let symbols: Map<string, ElfSymbol> | undefined;
  for (let id = 1; id < btf.length; id++) {
    if (btf.kind(id) !== 'datasec') continue;
    const sec = btf.type(id) as Datasec;
    if (sec.name === KCONFIG || sec.name === KSYMS) continue;
    fixDatasec(file, btf, patch, sec, symbols ??= globalVariables(file.symbols));
  }
}

function fixDatasec(file: ObjectFile, btf: Btf, patch: BtfPatch, sec: Datasec, symbols: ReadonlyMap<string, ElfSymbol>): void {
  const fault = (reason: string) => new BtfError(`DATASEC "${sec.name}": ${reason}`, { source: btf.source, typeId: sec.id });
  const complete = sec.size !== 0;
  let end = sec.size;
  if (!complete) {
    const size = file.elf.section(sec.name)?.size;
    if (!size) throw fault(size === undefined ? 'the file has no section of this name' : 'the section of this name is empty');
    if (size > MAX_VALUE) throw fault(`the section has ${size} bytes, more than the ${MAX_VALUE} of a map`);
    patch.setDatasecSize(sec.id, size);
    end = size;
  }
  const vars = sec.vars.map((info) => {
    if (btf.kind(info.type) !== 'var') throw fault(`holds type [${info.type}], a ${btf.kind(info.type)}, not a variable`);
    const variable = btf.type(info.type) as BtfType & { readonly kind: 'var' };
    if (variable.linkage === VarLinkage.STATIC || variable.linkage === VarLinkage.GLOBAL_EXTERN) return { ...info };
    const symbol = symbols.get(variable.name);
    if (!symbol) throw fault(`no symbol for variable "${variable.name}"`);
    if (isHidden(symbol)) patch.setVarLinkage(variable.id, VarLinkage.STATIC);
    if (complete) return { ...info };
    if (symbol.value + info.size > end) throw fault(`variable "${variable.name}" at ${symbol.value} with ${info.size} bytes is outside of the section's ${end}`);
    return { ...info, offset: symbol.value };
  });
  patch.setVars(sec.id, vars.sort((a, b) => a.offset - b.offset));
}

function globalVariables(table: SymbolTable): Map<string, ElfSymbol> {
  const found = new Map<string, ElfSymbol>();
  for (const symbol of table) {
    if (symbol.type !== SymbolType.OBJECT || (symbol.binding !== Binding.GLOBAL && symbol.binding !== Binding.WEAK)) continue;
    if (!found.has(symbol.name)) found.set(symbol.name, symbol);
  }
  return found;
}

/** The maps of global data, in section order, each with the index of its section. */
export function globalMaps(file: ObjectFile, btf: Btf | undefined): { section: number; map: MapSpec }[] {
  const made: { section: number; map: MapSpec }[] = [];
  file.elf.sections.forEach((section, index) => {
    const role = file.roles[index];
    if (role !== 'data' && role !== 'rodata' && role !== 'bss') return;
    // sections of NOBITS may claim any size without a byte in the file
    if (section.size > MAX_VALUE) throw file.elf.fault(section, `${section.size} bytes are more than the ${MAX_VALUE} of a map`);
    made.push({ section: index, map: globalMap(file.name, section.name, role, role === 'bss' ? section.size : section.data, btf) });
  });
  return made;
}

/**
 * @param content the initial bytes, or how many zeros
 */
export function globalMap(objectName: string, section: string, globals: NonNullable<MapSpec['globals']>, content: Uint8Array | number, btf: Btf | undefined): MapSpec {
  const typeId = btf?.idsNamed(section)[0] ?? 0;
  let data = typeof content === 'number' ? undefined : content;
  const readOnly = globals === 'rodata' || globals === 'kconfig';
  return {
    name: section,
    kernelName: globalMapName(objectName, section),
    section,
    type: MapType.ARRAY,
    keySize: 4,
    valueSize: typeof content === 'number' ? content : content.length,
    maxEntries: 1,
    mapFlags: (readOnly ? MapCreateFlag.RDONLY_PROG : 0) | (btf && isMappable(btf, typeId) ? MapCreateFlag.MMAPABLE : 0),
    numaNode: 0,
    mapExtra: 0n,
    btfKeyTypeId: 0,
    btfValueTypeId: typeId,
    pinning: 'none',
    // zeros are made when asked for: a file of 300 bytes may claim a gigabyte of them
    get data() { return data ??= new Uint8Array(content as number); },
    globals,
    autocreate: true,
  };
}

/** Worth mapping for the one who loads it: at least one variable is visible from outside. */
function isMappable(btf: Btf, typeId: number): boolean {
  const sec = btf.type(typeId);
  return sec.kind === 'datasec' && sec.vars.some(({ type }) => {
    const variable = btf.type(type);
    return variable.kind === 'var' && variable.linkage !== VarLinkage.STATIC;
  });
}

/**
 * `probe.rodata`: as much of the object's name as fits before the section's, for which at least 7 characters are kept; a
 * section with a second dot (`.data.mine`) stands alone. Characters that the kernel refuses become `_`.
 */
export function globalMapName(objectName: string, section: string): string {
  const suffix = Math.min(Math.max(SUFFIX_MIN, section.length), NAME_MAX);
  const prefix = section.includes('.', 1) ? '' : objectName.slice(0, NAME_MAX - suffix);
  return (prefix + section.slice(0, suffix)).replace(/[^A-Za-z0-9_.]/g, '_');
}

/** What the kernel is told of a map's name. */
export function kernelMapName(name: string): string {
  return name.slice(0, NAME_MAX);
}
