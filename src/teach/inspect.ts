/**
 * What a file holds, as plain data: a WebAssembly module with its imports, exports and embedded BPF objects, or one BPF
 * object. Needs no privilege and no kernel, and works on any operating system. The shape is what `wasm-bpf inspect --json`
 * prints: fields are added, never renamed. cli/inspect.ts makes text of it.
 */
import { ProjectError, UsageError } from '../errors.js';
import type { ExternType } from '../interp/engine.js';
import { decode } from '../interp/decode.js';
import { FEATURES_ALL } from '../interp/opcodes.js';
import type { Export, Module } from '../interp/module.js';
import { importType, showExternType } from '../interp/show.js';
import { parseSection } from '../loader/sections.js';
import { kindOf } from '../loader/wasm.js';
import { typeName } from '../reloc/btf-c.js';
import type { Btf } from '../reloc/btf.js';
import { formatSpec, parseSpec } from '../reloc/core-match.js';
import { parseElf, SectionType } from '../reloc/elf.js';
import { parseObject } from '../reloc/object.js';
import type { CoreRelocation, ExternSpec, MapSpec, ObjectSpec, ProgramSpec } from '../reloc/spec.js';
import { MapCreateFlag, MapType, nameOf, ProgType } from '../uapi.js';
import { cValue } from './c-value.js';
import { findObjects } from './find-objects.js';

export type Report = ModuleReport | ObjectReport;

export interface ModuleReport {
  readonly kind: 'wasm';
  /** bytes of the file */
  readonly size: number;
  /** from the name section */
  readonly name?: string;
  readonly imports: readonly { readonly module: string; readonly name: string; readonly kind: ExternType['kind']; readonly type: string }[];
  readonly exports: readonly { readonly name: string; readonly kind: ExternType['kind']; readonly type: string }[];
  /** limits in pages of 64 KiB */
  readonly memories: readonly { readonly min: number; readonly max?: number; readonly imported: boolean }[];
  readonly functions: { readonly imported: number; readonly own: number };
  readonly dataSegments: number;
  /** bytes of all data segments */
  readonly dataSize: number;
  readonly objects: readonly EmbeddedObject[];
}

export interface EmbeddedObject extends ObjectReport {
  /** index of the data segment in which it starts */
  readonly segment: number;
  /** address in guest memory, where it is known */
  readonly address?: number;
}

export interface ObjectReport {
  readonly kind: 'bpf';
  /** bytes */
  readonly size: number;
  /** why it is not a sound BPF object; then only `sections` may say something */
  readonly error?: string;
  readonly license?: string;
  readonly sections: readonly { readonly name: string; readonly size: number; readonly type: string }[];
  readonly programs: readonly ProgramReport[];
  readonly maps: readonly MapReport[];
  readonly globals: readonly GlobalReport[];
  readonly externs: readonly { readonly name: string; readonly kind: ExternSpec['kind']; readonly weak: boolean; readonly type?: string }[];
}

export interface ProgramReport {
  readonly name: string;
  readonly section: string;
  /** as bpftool names it; undefined for a section name nobody knows */
  readonly type?: string;
  /** instructions of 8 bytes, subprograms included */
  readonly insns: number;
  /** functions it is made of, the entry first */
  readonly functions: readonly string[];
  readonly coreRelocations: readonly { readonly insn: number; readonly kind: string; readonly access: string }[];
  /** maps and externs it uses, each once */
  readonly uses: readonly string[];
  /** false where the section's name starts with `?` */
  readonly autoload: boolean;
}

export interface MapReport {
  readonly name: string;
  readonly type: string;
  /** C types, where the object has BTF for them */
  readonly key?: string;
  readonly value?: string;
  /** bytes */
  readonly keySize: number;
  readonly valueSize: number;
  /** 0: chosen when it is loaded */
  readonly maxEntries: number;
  readonly flags: readonly string[];
  readonly pinned: boolean;
  /** kind of the global data it holds: `rodata`, `data`, `bss`, `kconfig` */
  readonly globals?: string;
  /** the template of a map of maps */
  readonly inner?: string;
}

export interface GlobalReport {
  readonly map: string;
  readonly name: string;
  readonly type: string;
  /** bytes, from the start of the map's value */
  readonly offset: number;
  readonly size: number;
  /** what it holds at first, as a C initializer */
  readonly value: string;
}

/**
 * @param bytes a WebAssembly module or a BPF object; not changed, and not kept
 * @param name for messages: the file's name
 * @throws UsageError where it is neither; MalformedError for a broken module. A broken BPF object is reported, in `error`
 * @example
 * const report = inspect(readFileSync('probe.wasm'), 'probe.wasm');
 * if (report.kind === 'wasm') for (const object of report.objects) console.log(object.programs);
 */
export function inspect(bytes: Uint8Array, name: string): Report {
  switch (kindOf(bytes)) {
    case 'wasm': return moduleReport(decode(bytes, FEATURES_ALL), baseName(name));
    case 'elf': return objectReport(bytes, baseName(name));
    case 'other': throw new UsageError(`"${name}" is neither a WebAssembly module nor an ELF file: it starts with ${Buffer.from(bytes.subarray(0, 4)).toString('hex') || 'nothing'}`);
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.(wasm|o|bpf\.o)$/, '');
}

function moduleReport(module: Module, name: string): ModuleReport {
  return {
    kind: 'wasm',
    size: module.bytes.length,
    ...module.names.module === undefined ? {} : { name: module.names.module },
    imports: module.imports.map((i) => {
      const type = importType(module, i);
      return { module: i.module, name: i.name, kind: type.kind, type: showExternType(type) };
    }),
    exports: module.exports.map((e) => ({ name: e.name, kind: e.kind, type: exportType(module, e) })),
    memories: module.memories.map(({ limits }, i) => ({ min: limits.min, ...limits.max === undefined ? {} : { max: limits.max }, imported: i < module.imported.memory })),
    functions: { imported: module.imported.func, own: module.codes.length },
    dataSegments: module.datas.length,
    dataSize: module.datas.reduce((sum, { start, end }) => sum + end - start, 0),
    objects: findObjects(module).map(({ bytes, address, segment }) => ({ segment, ...address === undefined ? {} : { address }, ...objectReport(bytes, name) })),
  };
}

/** The module is not validated, so an index may lead nowhere. */
function exportType(module: Module, { kind, index }: Export): string {
  switch (kind) {
    case 'func': return index < module.funcs.length ? showExternType({ kind, type: module.types[module.funcs[index]] }) : 'no such function';
    case 'table': return index < module.tables.length ? showExternType({ kind, type: module.tables[index].type }) : 'no such table';
    case 'memory': return index < module.memories.length ? showExternType({ kind, type: module.memories[index] }) : 'no such memory';
    case 'global': return index < module.globals.length ? showExternType({ kind, type: module.globals[index].type }) : 'no such global';
    default: return kind;
  }
}

function objectReport(bytes: Uint8Array, name: string): ObjectReport {
  const empty = { kind: 'bpf' as const, size: bytes.length, sections: [], programs: [], maps: [], globals: [], externs: [] };
  let sections: ObjectReport['sections'] = [];
  try {
    sections = parseElf(bytes).sections.filter((s) => s.type !== SectionType.NULL).map((s) => ({ name: s.name, size: s.size, type: nameOf(SectionType, s.type) }));
    const spec = parseObject(bytes, { name });
    return {
      ...empty,
      license: spec.license,
      sections,
      programs: spec.programs.map((program) => programReport(program, spec.btf)),
      maps: spec.maps.map((map) => mapReport(map, spec.btf)),
      globals: spec.maps.flatMap((map) => globalsOf(map, spec)),
      externs: spec.externs.map((e) => ({ name: e.name, kind: e.kind, weak: e.weak, ...externType(e, spec.btf) })),
    };
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    return { ...empty, sections, error: error.message };
  }
}

function programReport(program: ProgramSpec, btf: Btf | undefined): ProgramReport {
  const type = parseSection(program.section)?.type;
  const uses = program.references.map((r) => (r.kind === 'map' || r.kind === 'map_value' ? r.map : r.extern));
  return {
    name: program.name,
    section: program.section,
    ...type === undefined ? {} : { type: nameOf(ProgType, type) },
    insns: program.insns.length / 8,
    functions: program.functions.map((f) => f.name),
    coreRelocations: program.coreRelocations.map((r) => ({ insn: r.insn, kind: r.kind, access: accessOf(r, btf) })),
    uses: [...new Set(uses)],
    autoload: program.autoload,
  };
}

/** `struct task_struct.real_parent`, or the bare indices where the types do not carry them. */
function accessOf(relocation: CoreRelocation, btf: Btf | undefined): string {
  try {
    if (btf) return formatSpec(parseSpec(btf, relocation));
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
  }
  return `[${relocation.typeId}] ${relocation.access}`;
}

function mapReport(map: MapSpec, btf: Btf | undefined): MapReport {
  const named = (id: number) => (btf !== undefined && id > 0 && map.globals === undefined ? typeName(btf, id) : undefined);
  const key = named(map.btfKeyTypeId), value = named(map.btfValueTypeId);
  return {
    name: map.name,
    type: nameOf(MapType, map.type),
    ...key === undefined ? {} : { key },
    ...value === undefined ? {} : { value },
    keySize: map.keySize,
    valueSize: map.valueSize,
    maxEntries: map.maxEntries,
    flags: flagNames(map.mapFlags),
    pinned: map.pinning === 'by-name',
    ...map.globals === undefined ? {} : { globals: map.globals },
    ...map.inner === undefined ? {} : { inner: `${nameOf(MapType, map.inner.type)} ${map.inner.keySize} -> ${map.inner.valueSize} bytes, ${map.inner.maxEntries} entries` },
  };
}

function flagNames(flags: number): string[] {
  const names: string[] = [];
  let rest = flags;
  for (const [name, bit] of Object.entries(MapCreateFlag)) {
    if ((rest & bit) === 0) continue;
    names.push(name.toLowerCase());
    rest &= ~bit;
  }
  return rest === 0 ? names : [...names, `0x${(rest >>> 0).toString(16)}`];
}

function globalsOf(map: MapSpec, { btf }: ObjectSpec): GlobalReport[] {
  if (map.globals === undefined || map.data === undefined || btf === undefined || map.btfValueTypeId === 0) return [];
  const section = btf.type(map.btfValueTypeId);
  if (section.kind !== 'datasec') return [];
  const { data } = map;
  return section.vars.map(({ type, offset, size }) => {
    const variable = btf.type(type);
    const valueType = variable.kind === 'var' ? variable.type : type;
    return {
      map: map.name, name: variable.name, type: typeName(btf, valueType), offset, size,
      value: cValue(btf, valueType, data.subarray(offset, offset + size)),
    };
  });
}

function externType(e: ExternSpec, btf: Btf | undefined): { type?: string } {
  if (btf === undefined || e.btfId === 0) return {};
  const declared = btf.type(e.btfId);
  return declared.kind === 'var' || declared.kind === 'func' ? { type: typeName(btf, declared.type) } : {};
}
