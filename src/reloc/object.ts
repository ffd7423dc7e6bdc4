/**
 * A BPF object file as an ObjectSpec: from bytes to maps, linked programs and externs, as libbpf's open phase understands
 * them. Same bytes, same spec, on every machine. CO-RE (core.ts) and everything that needs the kernel come later.
 * Model: bpf_object__open of libbpf 1.8; what it refuses is refused here, and `maps` sections of older versions are read.
 */
import { ElfError } from '../errors.js';
import { MapType } from '../uapi.js';
import { parseBtf, type Btf } from './btf.js';
import { parseBtfExt } from './btf-ext.js';
import { BtfPatch } from './btf-patch.js';
import { collectExterns } from './externs.js';
import { Functions, type MapPlaces } from './functions.js';
import { fixDatasecs, FuncLinkage, globalMap, globalMaps, KCONFIG } from './globals.js';
import { Linker } from './link.js';
import { btfMaps, fillValues, legacyMaps, type PlacedMap } from './maps.js';
import { readSections, type ObjectFile } from './sections.js';
import type { MapSpec, ObjectSpec } from './spec.js';
import { structOpsMaps } from './struct-ops.js';

/** What libbpf keeps of an object's name. */
const NAME_MAX = 15;

/**
 * @param bytes the file; kept as views by the spec, so it must not change afterwards
 * @param options.name file name or name of the object: `probe.bpf.o`, `probe`; global-data maps are named after it
 * @throws ElfError BPF_ELF, BtfError BPF_BTF, RelocationError BPF_RELOCATION for anything that is no sound BPF object
 */
export function parseObject(bytes: Uint8Array, options: { name?: string } = {}): ObjectSpec {
  const file = readSections(bytes, objectName(options.name ?? 'object'));
  refuseTwins((['data', 'rodata', 'bss'] as const).flatMap((role) => file.of(role)).map(({ name }) => ({ name, section: name })));
  const functions = new Functions(file);

  const [btfSection] = file.of('btf');
  const raw = btfSection && parseBtf(btfSection.data, { source: 'section ".BTF"' });
  const patch = raw && new BtfPatch(raw);
  const externs = collectExterns(file, raw, patch);
  if (raw && patch) {
    fixDatasecs(file, raw, patch);
    hideFunctions(functions, raw, patch);
  }
  const btf = patch?.apply();
  const [extSection] = file.of('btf-ext');
  const ext = extSection && btf && parseBtfExt(extSection.data, btf);

  const declared = [...legacyMaps(file, btf), ...btfMaps(file, btf)];
  const entries = new Set(functions.all.filter((fn) => fn.entry).map((fn) => `${fn.section.index}:${fn.start * 8}:${fn.name}`));
  fillValues(file, declared, (name, section, offset) => entries.has(`${section}:${offset}:${name}`));
  placeArena(file, declared);
  const globals = globalMaps(file, btf);
  const kconfig = externs.kconfigSize > 0 ? [globalMap(file.name, KCONFIG, 'kconfig', externs.kconfigSize, btf)] : [];
  const maps = [...declared.map(({ map }) => map), ...globals.map(({ map }) => map), ...kconfig, ...structOpsMaps(file, btf, functions)];
  refuseTwins(maps);

  functions.relocate(placesOf(file, declared, globals), externs.bySymbol);
  const linker = new Linker(functions, btf, ext);
  return {
    name: file.name,
    license: file.license,
    kernelVersion: file.kernelVersion,
    btf,
    maps,
    programs: functions.all.filter((fn) => fn.entry).map((fn) => linker.program(fn)),
    externs: externs.list,
  };
}

/** The file name without folders, up to its first dot. */
function objectName(name: string): string {
  const base = name.slice(name.lastIndexOf('/') + 1);
  return base.slice(0, NAME_MAX).split('.')[0];
}

/** A global subprogram that is hidden from other objects is verified as a static one, with what its callers know. */
function hideFunctions(functions: Functions, btf: Btf, patch: BtfPatch): void {
  const hidden = new Set(functions.all.filter((fn) => fn.hidden && !fn.entry).map((fn) => fn.name));
  for (let id = 1; id < btf.length && hidden.size > 0; id++) {
    if (btf.kind(id) !== 'func') continue;
    const type = btf.type(id);
    if (type.kind !== 'func' || type.linkage !== FuncLinkage.GLOBAL || !hidden.delete(type.name)) continue;
    patch.setFuncLinkage(id, FuncLinkage.STATIC);
  }
}

/** Gives the contents of `.addr_space.1` to the one map of type arena. */
function placeArena(file: ObjectFile, declared: readonly PlacedMap[]): void {
  const [section] = file.of('arena');
  const [arena, second] = declared.filter(({ map }) => map.type === MapType.ARENA);
  if (second) throw new ElfError(`map "${second.map.name}" is a second arena, the first is "${arena.map.name}"; an object can have one`, { section: '.maps' });
  if (!section) return;
  if (!arena) throw file.elf.fault(section, 'holds variables of an arena, and no map of type arena is declared in section ".maps"');
  arena.map = { ...arena.map, data: section.data };
}

function placesOf(file: ObjectFile, declared: readonly PlacedMap[], globals: readonly { section: number; map: MapSpec }[]): MapPlaces {
  const bySection = new Map(globals.map(({ section, map }) => [section, { map: map.name, size: map.valueSize }]));
  const [arena] = file.of('arena');
  const map = declared.find((entry) => entry.map.type === MapType.ARENA);
  if (arena && map) bySection.set(arena.index, { map: map.map.name, size: arena.data.length });
  return { declared: new Map(declared.map((entry) => [`${entry.section}:${entry.offset}`, entry.map.name])), bySection };
}

/** References are by name. */
function refuseTwins(maps: readonly { readonly name: string; readonly section: string }[]): void {
  const known = new Map<string, { readonly section: string }>();
  for (const map of maps) {
    const other = known.get(map.name);
    if (other) throw new ElfError(`a second map "${map.name}", the first is in section "${other.section}"`, { section: map.section });
    known.set(map.name, map);
  }
}
