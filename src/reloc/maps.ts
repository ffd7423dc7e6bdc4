/**
 * Maps that the program's author declares: BTF-defined ones (`.maps`), with inner maps and initial values, and legacy ones
 * (`maps`, an array of struct bpf_map_def). Global-data maps are globals.ts, struct_ops maps struct-ops.ts.
 * The encoding of BTF-defined maps is that of bpf_helpers.h: __uint(name, N) is a pointer to an array of N elements,
 * __type(name, T) a pointer to T, __array(name, T) an array of pointers, __ulong(name, N) an enum of one value.
 */
import { BtfError, RelocationError } from '../errors.js';
import { MapType, nameOf } from '../uapi.js';
import type { Btf, BtfMember, BtfType } from './btf.js';
import { Binding, SymbolType, type ElfSection } from './elf.js';
import { kernelMapName, VarLinkage } from './globals.js';
import type { ObjectFile } from './sections.js';
import type { MapSpec } from './spec.js';

/** A map with where it lies, for relocations against it. */
export interface PlacedMap {
  readonly section: number;
  readonly offset: number;
  readonly size: number;
  /** where the flexible member `values` of its struct starts, in bytes */
  readonly valuesAt?: number;
  map: MapSpec;
}

type Struct = BtfType & { readonly kind: 'struct' | 'union' };

/** Bytes of a pointer in BPF objects. */
const POINTER = 8;
/** Bytes of `struct bpf_map_def` as libbpf knew it: type, key size, value size, entries, flags. */
const LEGACY_DEF = 20;
/** LIBBPF_PIN_BY_NAME of bpf_helpers.h. */
const PIN_BY_NAME = 1;

const DEFAULTS = {
  type: 0, keySize: 0, valueSize: 0, maxEntries: 0, mapFlags: 0, numaNode: 0, mapExtra: 0n,
  btfKeyTypeId: 0, btfValueTypeId: 0, pinning: 'none', autocreate: true,
} as const satisfies Partial<MapSpec>;

const isMapInMap = (type: number) => type === MapType.ARRAY_OF_MAPS || type === MapType.HASH_OF_MAPS;

// ---- legacy -----------------------------------------------------------------------------------------------------

/**
 * @returns in the order of the symbol table
 * @throws ElfError for symbols that do not share the section evenly, and for definitions with unknown fields set
 */
export function legacyMaps(file: ObjectFile, btf: Btf | undefined): PlacedMap[] {
  const [section] = file.of('legacy-maps');
  if (!section) return [];
  const symbols = [...file.symbols].filter((s) => s.section === section.index && s.type !== SymbolType.SECTION);
  if (symbols.length === 0) return [];
  const size = section.data.length / symbols.length;
  if (size % 4 !== 0 || size === 0) throw file.elf.fault(section, `${symbols.length} maps do not share ${section.data.length} bytes evenly`);
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength);
  const names = new Set<string>();
  return symbols.map((symbol) => {
    const { name, value: offset } = symbol;
    if (names.has(name)) throw file.elf.fault(section, `a second map "${name}"`, offset);
    names.add(name);
    if (symbol.binding === Binding.LOCAL) throw file.elf.fault(section, `map "${name}" is static; maps have to be global`, offset);
    if (offset + size > section.data.length || offset % 4 !== 0) throw file.elf.fault(section, `map "${name}" of ${size} bytes is not inside of ${section.data.length}`, offset);
    for (let at = LEGACY_DEF; at < size; at++) {
      if (section.data[offset + at] !== 0) throw file.elf.fault(section, `map "${name}" sets field at ${at} of its ${size} bytes; only the first ${LEGACY_DEF} are known`, offset + at);
    }
    const word = (index: number) => index * 4 < size ? view.getUint32(offset + index * 4, true) : 0;
    const map: MapSpec = {
      ...DEFAULTS, name, kernelName: kernelMapName(name), section: section.name,
      type: word(0), keySize: word(1), valueSize: word(2), maxEntries: word(3), mapFlags: word(4),
    };
    return { section: section.index, offset, size, map: { ...map, ...legacyTypes(btf, map) } };
  });
}

/** BPF_ANNOTATE_KV_PAIR of old headers: struct ____btf_map_NAME { KEY key; VALUE value; }. */
function legacyTypes(btf: Btf | undefined, map: MapSpec): Pick<MapSpec, 'btfKeyTypeId' | 'btfValueTypeId'> {
  const none = { btfKeyTypeId: 0, btfValueTypeId: 0 };
  const id = btf?.find(`____btf_map_${map.name}`, 'struct');
  if (!btf || id === undefined) return none;
  const { members } = btf.type(id) as Struct;
  if (members.length !== 2) return none;
  const [key, value] = members;
  if (btf.sizeOf(key.type) !== map.keySize || btf.sizeOf(value.type) !== map.valueSize) return none;
  return { btfKeyTypeId: key.type, btfValueTypeId: value.type };
}

// ---- BTF-defined ------------------------------------------------------------------------------------------------

type Definition = Pick<MapSpec, keyof typeof DEFAULTS | 'inner'>;

/**
 * @returns in the order of their places in the section
 * @throws BtfError for anything that libbpf does not know
 */
export function btfMaps(file: ObjectFile, btf: Btf | undefined): PlacedMap[] {
  const [section] = file.of('maps');
  if (!section) return [];
  const id = btf?.find('.maps', 'datasec');
  if (!btf || id === undefined) throw new BtfError(btf ? 'no DATASEC ".maps" for the section of this name' : 'the object has section ".maps" and no BTF that describes it (compile with -g)', btf ? { source: btf.source } : {});
  const { vars } = btf.type(id) as BtfType & { readonly kind: 'datasec' };
  // maps made from one typedef share their struct
  const known = new Map<number, Definition>();
  return vars.map(({ type, offset, size }) => placedMap(btf, section, known, type, offset, size));
}

function placedMap(btf: Btf, section: ElfSection, known: Map<number, Definition>, id: number, offset: number, size: number): PlacedMap {
  const { name } = btf.type(id);
  const fault = (reason: string) => mapFault(btf, name, id, reason);
  const variable = btf.type(id);
  if (variable.kind !== 'var') throw fault(`is a ${variable.kind}, not a variable`);
  if (name === '') throw fault('has no name');
  if (offset + size > section.data.length) throw fault(`at ${offset} with ${size} bytes is outside of the section's ${section.data.length}`);
  if (variable.linkage !== VarLinkage.GLOBAL_ALLOCATED) throw fault(`has linkage ${variable.linkage}, not ${VarLinkage.GLOBAL_ALLOCATED} (global); static maps are not known`);
  const structId = btf.skipModifiers(id);
  const struct = btf.type(structId);
  if (struct.kind !== 'struct') throw fault(`is defined by a ${struct.kind}, not a struct`);
  if (struct.size > size) throw fault(`is defined by a struct of ${struct.size} bytes and has ${size}`);
  let definition = known.get(structId);
  if (!definition) known.set(structId, definition = readDefinition(btf, name, struct, false));
  const inner = definition.inner && { ...definition.inner, name: `${name}.inner`, kernelName: kernelMapName(`${name}.inner`), section: section.name };
  const last = struct.members.at(-1);
  const valuesAt = last?.name === 'values' ? { valuesAt: last.bitOffset / 8 } : {};
  return { section: section.index, offset, size, ...valuesAt, map: { name, kernelName: kernelMapName(name), section: section.name, ...definition, ...(inner ? { inner } : {}) } };
}

function mapFault(btf: Btf, map: string, typeId: number, reason: string): BtfError {
  return new BtfError(`map "${map}" ${reason}`, { source: btf.source, typeId });
}

function readDefinition(btf: Btf, map: string, struct: Struct, isInner: boolean): Definition {
  const def: { -readonly [K in keyof Definition]: Definition[K] } = { ...DEFAULTS };
  const fault = (reason: string) => mapFault(btf, map, struct.id, reason);
  const setSize = (which: 'keySize' | 'valueSize', size: number) => {
    if (def[which] !== 0 && def[which] !== size) throw fault(`says ${def[which]} and ${size} bytes of ${which === 'keySize' ? 'key' : 'value'}`);
    def[which] = size;
  };
  const setType = (which: 'btfKeyTypeId' | 'btfValueTypeId', member: BtfMember) => {
    const pointer = btf.type(member.type);
    if (pointer.kind !== 'ptr') throw fault(`attribute "${member.name}" is a ${pointer.kind}, not a pointer; use __type`);
    setSize(which === 'btfKeyTypeId' ? 'keySize' : 'valueSize', btf.sizeOf(pointer.type));
    def[which] = pointer.type;
  };
  struct.members.forEach((member, index) => {
    switch (member.name) {
      case 'type': def.type = uint(btf, map, member); break;
      case 'max_entries': def.maxEntries = uint(btf, map, member); break;
      case 'map_flags': def.mapFlags = uint(btf, map, member); break;
      case 'numa_node': def.numaNode = uint(btf, map, member); break;
      case 'map_extra': def.mapExtra = ulong(btf, map, member); break;
      case 'key_size': setSize('keySize', uint(btf, map, member)); break;
      case 'value_size': setSize('valueSize', uint(btf, map, member)); break;
      case 'key': setType('btfKeyTypeId', member); break;
      case 'value': setType('btfValueTypeId', member); break;
      case 'pinning': {
        if (isInner) throw fault('is an inner map, which cannot be pinned');
        const how = uint(btf, map, member);
        if (how > PIN_BY_NAME) throw fault(`has pinning ${how}; 0 (none) and 1 (by name) are known`);
        def.pinning = how === PIN_BY_NAME ? 'by-name' : 'none';
        break;
      }
      case 'values': {
        if (isInner) throw fault('is an inner map with inner maps of its own');
        if (index !== struct.members.length - 1) throw fault('has attribute "values" before others; it has to be the last');
        setSize('valueSize', 4);
        const inner = readValues(btf, map, def.type, member);
        if (inner) def.inner = inner;
        break;
      }
      default:
        throw fault(`has an unknown attribute "${member.name}"`);
    }
  });
  if (def.type === MapType.UNSPEC) throw fault('has no type');
  return def;
}

/** The template that `__array(values, struct {…})` gives for a map of maps; undefined for the programs of a prog_array. */
function readValues(btf: Btf, map: string, type: number, member: BtfMember): MapSpec | undefined {
  const fault = (reason: string) => mapFault(btf, map, member.type, reason);
  if (!isMapInMap(type) && type !== MapType.PROG_ARRAY) throw fault(`of type ${nameOf(MapType, type)} has "values"; only maps of maps and prog_array can`);
  const array = btf.type(member.type);
  if (array.kind !== 'array' || array.nelems !== 0) throw fault(`attribute "values" is ${array.kind === 'array' ? `an array of ${array.nelems}` : `a ${array.kind}`}, not an array without size; use __array`);
  const pointer = btf.type(btf.skipModifiers(array.type));
  if (pointer.kind !== 'ptr') throw fault(`attribute "values" has elements of kind ${pointer.kind}, not pointers`);
  const target = btf.type(btf.skipModifiers(pointer.type));
  const wanted = type === MapType.PROG_ARRAY ? 'func_proto' : 'struct';
  if (target.kind !== wanted) throw fault(`attribute "values" points to a ${target.kind}, not a ${wanted}`);
  if (target.kind !== 'struct') return undefined;
  return { name: '', kernelName: '', section: '', ...readDefinition(btf, `${map}.inner`, target, true) };
}

function uint(btf: Btf, map: string, member: BtfMember): number {
  const pointer = btf.type(btf.skipModifiers(member.type));
  if (pointer.kind !== 'ptr') throw mapFault(btf, map, member.type, `attribute "${member.name}" is a ${pointer.kind}, not a pointer to an array; use __uint`);
  const array = btf.type(pointer.type);
  if (array.kind !== 'array') throw mapFault(btf, map, pointer.type, `attribute "${member.name}" points to a ${array.kind}, not an array; use __uint`);
  return array.nelems;
}

function ulong(btf: Btf, map: string, member: BtfMember): bigint {
  const type = btf.type(btf.skipModifiers(member.type));
  if (type.kind === 'ptr') return BigInt(uint(btf, map, member));
  if ((type.kind !== 'enum' && type.kind !== 'enum64') || type.values.length !== 1) {
    throw mapFault(btf, map, member.type, `attribute "${member.name}" is a ${type.kind}, not an enum of one value; use __ulong`);
  }
  return BigInt.asUintN(64, type.values[0].value);
}

// ---- initial values ---------------------------------------------------------------------------------------------

/**
 * Fills `values` of maps of maps and prog_arrays from the relocations of `.maps`.
 * @param isEntry whether an entry program of that name starts at that place
 * @throws RelocationError, ElfError
 */
export function fillValues(file: ObjectFile, maps: readonly PlacedMap[], isEntry: (name: string, section: number, offset: number) => boolean): void {
  const [section] = file.of('maps');
  const relocations = section ? file.of('relocations').filter((s) => s.info === section.index) : [];
  if (relocations.length === 0) return;
  const placed = maps.filter((entry) => entry.section === section.index).sort((a, b) => a.offset - b.offset);
  const names = new Set(placed.map((entry) => entry.map.name));
  const values = new Map<PlacedMap, Map<number, string>>();
  for (const relocation of relocations.flatMap((s) => file.elf.relocations(s))) {
    const fault = (reason: string) => new RelocationError(reason, { section: '.maps', kind: `at 0x${relocation.offset.toString(16)}` });
    if (relocation.symbol >= file.symbols.length) throw fault(`symbol #${relocation.symbol} of ${file.symbols.length}`);
    const symbol = file.symbols.at(relocation.symbol);
    const entry = mapAt(placed, relocation.offset);
    if (!entry) throw fault(`no map lies there (for "${symbol.name}")`);
    const { map } = entry;
    const target = symbol.name;
    if (isMapInMap(map.type)) {
      if (symbol.section !== section.index || !names.has(target)) throw fault(`"${target}" in the values of map "${map.name}" is no map of section ".maps"`);
      if (map.type === MapType.HASH_OF_MAPS && map.keySize !== 4) throw fault(`map "${map.name}" has values, and keys of ${map.keySize} bytes, not 4`);
    } else if (map.type === MapType.PROG_ARRAY) {
      if (!isEntry(target, symbol.section, symbol.value)) throw fault(`"${target}" in the values of map "${map.name}" is no entry program`);
    } else {
      throw fault(`map "${map.name}" of type ${nameOf(MapType, map.type)} has no values to fill`);
    }
    if (entry.valuesAt === undefined) throw fault(`map "${map.name}" has no attribute "values"`);
    const index = (relocation.offset - entry.offset - entry.valuesAt) / POINTER;
    if (!Number.isInteger(index) || index < 0) throw fault(`is none of the values of map "${map.name}"`);
    let slots = values.get(entry);
    if (!slots) values.set(entry, slots = new Map());
    slots.set(index, target);
  }
  for (const [entry, slots] of values) {
    entry.map = { ...entry.map, values: [...slots].map(([index, target]) => ({ index, target })).sort((a, b) => a.index - b.index) };
  }
}

function mapAt(placed: readonly PlacedMap[], offset: number): PlacedMap | undefined {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (placed[middle].offset <= offset) low = middle + 1;
    else high = middle;
  }
  const entry = placed[low - 1];
  return entry && offset + POINTER <= entry.offset + entry.size ? entry : undefined;
}
