/**
 * struct_ops maps: each variable of `.struct_ops` and `.struct_ops.link` is a map that holds one kernel structure whose
 * function pointers are programs. Where the members lie in the kernel's own structure is the loader's to find.
 */
import { BtfError, RelocationError, hex } from '../errors.js';
import { MapCreateFlag, MapType } from '../uapi.js';
import type { Btf, BtfMember, BtfType } from './btf.js';
import type { ElfRelocation, ElfSection } from './elf.js';
import type { Functions } from './functions.js';
import { kernelMapName } from './globals.js';
import { INSN_SIZE } from './insn.js';
import type { ObjectFile } from './sections.js';
import type { MapSpec } from './spec.js';

type Struct = BtfType & { readonly kind: 'struct' | 'union' };
interface Placed { readonly offset: number; readonly name: string; readonly struct: Struct; /** by bit offset */ readonly members: ReadonlyMap<number, BtfMember>; readonly functions: Map<number, string> }

/** @throws BtfError, RelocationError, ElfError */
export function structOpsMaps(file: ObjectFile, btf: Btf | undefined, functions: Functions): MapSpec[] {
  return file.of('struct-ops').flatMap((section) => sectionMaps(file, section, btf, functions));
}

function sectionMaps(file: ObjectFile, section: ElfSection, btf: Btf | undefined, functions: Functions): MapSpec[] {
  const id = btf?.find(section.name, 'datasec');
  if (!btf || id === undefined) throw new BtfError(`no DATASEC "${section.name}" for the section of this name (compile with -g)`, btf ? { source: btf.source } : {});
  const { vars } = btf.type(id) as BtfType & { readonly kind: 'datasec' };
  const known = new Map<number, ReadonlyMap<number, BtfMember>>();
  const placed = vars.map(({ type, offset }): Placed => {
    const name = btf.name(type);
    const struct = btf.type(btf.skipModifiers(type));
    const fault = (reason: string) => new BtfError(`struct_ops variable "${name}" ${reason}`, { source: btf.source, typeId: type });
    if (struct.kind !== 'struct') throw fault(`is a ${struct.kind}, not a struct`);
    if (struct.name === '') throw fault('has a struct without a name');
    if (offset + struct.size > section.data.length) throw fault(`at ${offset} with ${struct.size} bytes is outside of the section's ${section.data.length}`);
    let members = known.get(struct.id);
    if (!members) known.set(struct.id, members = new Map(struct.members.map((member) => [member.bitOffset, member])));
    return { offset, name, struct, members, functions: new Map() };
  });
  for (const relocations of file.of('relocations')) {
    if (relocations.info !== section.index) continue;
    for (const relocation of file.elf.relocations(relocations)) point(file, section, btf, functions, placed, relocation);
  }

  const autocreate = !section.name.startsWith('?');
  const link = section.name.endsWith('.link');
  return placed.map(({ offset, name, struct, functions: programs }) => ({
    name,
    kernelName: kernelMapName(name),
    section: section.name,
    type: MapType.STRUCT_OPS,
    keySize: 4,
    valueSize: struct.size,
    maxEntries: 1,
    mapFlags: link ? MapCreateFlag.LINK : 0,
    numaNode: 0,
    mapExtra: 0n,
    btfKeyTypeId: 0,
    btfValueTypeId: struct.id,
    pinning: 'none',
    structOps: {
      typeId: struct.id,
      data: section.data.subarray(offset, offset + struct.size),
      functions: [...programs].map(([at, program]) => ({ offset: at, program })).sort((a, b) => a.offset - b.offset),
      link,
    },
    autocreate,
  }));
}

function point(file: ObjectFile, section: ElfSection, btf: Btf, functions: Functions, placed: readonly Placed[], relocation: ElfRelocation): void {
  const fault = (reason: string) => new RelocationError(reason, { section: section.name, kind: `at ${hex(relocation.offset)}` });
  if (relocation.symbol >= file.symbols.length) throw fault(`symbol #${relocation.symbol}, and there are ${file.symbols.length}`);
  const symbol = file.symbols.at(relocation.symbol);
  const map = mapAt(placed, relocation.offset);
  if (!map) throw fault('no struct_ops variable lies there');
  const offset = relocation.offset - map.offset;
  const member = map.members.get(offset * 8);
  if (!member) throw fault(`no member of struct ${map.struct.name} starts at byte ${offset}`);
  const pointer = btf.type(btf.skipModifiers(member.type));
  if (pointer.kind !== 'ptr' || btf.kind(btf.skipModifiers(pointer.type)) !== 'func_proto') throw fault(`member "${member.name}" is no function pointer`);
  const program = symbol.value % INSN_SIZE === 0 ? functions.at(symbol.section, symbol.value / INSN_SIZE) : undefined;
  if (!program?.entry) throw fault(`no program for member "${member.name}" at ${hex(symbol.value)} of section #${symbol.section}`);
  if (!/^\??struct_ops(?:\.s)?(?:\/|$)/.test(program.section.name)) throw fault(`program "${program.name}" of section "${program.section.name}" for member "${member.name}" is none of section "struct_ops"`);
  map.functions.set(offset, program.name);
}

function mapAt(placed: readonly Placed[], offset: number): Placed | undefined {
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (placed[middle].offset <= offset) low = middle + 1;
    else high = middle;
  }
  const map = placed[low - 1];
  return map && offset < map.offset + map.struct.size ? map : undefined;
}
