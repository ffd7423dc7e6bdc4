/** `wasm-bpf inspect`: the report of teach/inspect.ts as text for people, or as JSON. */
import { UsageError } from '../errors.js';
import { readBinary } from '../loader/wasm.js';
import { inspect as report, type EmbeddedObject, type ModuleReport, type ObjectReport, type ProgramReport } from '../teach/inspect.js';
import { painter, parseOptions, print, type Command, type Painter } from './command.js';

const HELP = `usage: wasm-bpf inspect [--json] FILE

Shows what a WebAssembly module or a BPF object holds: imports, exports, memories; of each BPF object, embedded in the
module's data or alone, the programs with their CO-RE relocations, maps, global variables, externs and sections. Runs and
loads nothing, needs no privilege.

  --json       the same as one JSON document; fields are added in later versions, never renamed
  -h, --help   this text

Exit status: 0; 1 for a broken module or object, 2 for a wrong command line.
`;

export const inspect: Command = {
  summary: 'shows what a module or a BPF object holds',
  help: HELP,
  run: async (args) => {
    const { values, operands } = parseOptions('inspect', args, { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } }, 'anywhere');
    if (values.help) {
      await print(HELP);
      return 0;
    }
    if (operands.length !== 1) throw new UsageError(`inspect: one file is wanted, ${operands.length} given (wasm-bpf inspect FILE)`);
    const [path] = operands;
    const found = report(readBinary(path), path);
    await print(values.json ? `${JSON.stringify(found, undefined, 2)}\n` : `${lines(path, found, painter(process.stdout)).join('\n')}\n`);
    return 'error' in found ? 1 : 0;
  },
};

function lines(path: string, found: ModuleReport | ObjectReport, paint: Painter): string[] {
  return found.kind === 'wasm' ? moduleLines(path, found, paint) : [`${paint.bold(path)}: BPF object, ${bytes(found.size)}`, ...objectLines(found, paint)];
}

function moduleLines(path: string, m: ModuleReport, paint: Painter): string[] {
  const objects = m.objects.length === 1 ? '1 BPF object' : `${m.objects.length} BPF objects`;
  return [
    `${paint.bold(path)}: WebAssembly module${m.name === undefined ? '' : ` "${m.name}"`}, ${bytes(m.size)}, ${m.functions.own} functions, ${objects}`,
    ...section(paint, 'imports', m.imports.map((i) => [`${i.module}.${i.name}`, i.type])),
    ...section(paint, 'exports', m.exports.map((e) => [e.name, e.type])),
    ...section(paint, 'memories', m.memories.map(({ min, max, imported }, i) => [`${i}${imported ? ' (imported)' : ''}`, `${min} pages of 64 KiB${max === undefined ? '' : `, at most ${max}`}`])),
    ...section(paint, 'data', m.dataSegments === 0 ? [] : [[`${m.dataSegments} segments`, bytes(m.dataSize)]]),
    ...m.objects.flatMap((object, i) => ['', ...embeddedLines(object, i, paint)]),
  ];
}

function embeddedLines(object: EmbeddedObject, index: number, paint: Painter): string[] {
  const place = object.address === undefined ? `in data segment ${object.segment}` : `at address 0x${object.address.toString(16)}`;
  return [`${paint.bold(`BPF object ${index + 1}`)}, ${bytes(object.size)} ${place}`, ...objectLines(object, paint)];
}

function objectLines(o: ObjectReport, paint: Painter): string[] {
  return [
    ...o.error === undefined ? [] : [`  ${paint.red(o.error)}`],
    ...o.license === undefined ? [] : [`  license ${JSON.stringify(o.license)}`],
    ...section(paint, 'programs', o.programs.map((p) => [p.name, `SEC("${p.section}")`, p.type ?? 'unknown type', `${p.insns} insns`, notes(p)])),
    ...section(paint, 'maps', o.maps.map((m) => [
      m.name, m.type, m.key === undefined && m.value === undefined ? '' : `${m.key ?? bytes(m.keySize)} -> ${m.value ?? bytes(m.valueSize)}`,
      m.keySize === 0 && m.valueSize === 0 ? '' : `${m.keySize} -> ${bytes(m.valueSize)}`,
      m.maxEntries === 0 ? 'size chosen at load' : `max ${m.maxEntries}`,
      [...m.flags, ...m.pinned ? ['pinned by name'] : [], ...m.inner ? [`of ${m.inner}`] : []].join(', '),
    ])),
    ...section(paint, 'globals', o.globals.map((g) => [g.map, `+${g.offset}`, g.type, `${g.name} = ${g.value}`])),
    ...section(paint, 'externs', o.externs.map((e) => [e.name, e.kind, e.weak ? 'weak' : '', e.type ?? ''])),
    ...section(paint, 'CO-RE relocations', relocationRows(o.programs)),
    ...section(paint, 'sections', o.sections.map((s) => [s.name || '(no name)', s.type, bytes(s.size)])),
  ];
}

function notes(p: ProgramReport): string {
  const subprograms = p.functions.slice(1);
  return [
    p.uses.length === 0 ? '' : `uses ${p.uses.join(', ')}`,
    subprograms.length === 0 ? '' : `calls ${subprograms.join(', ')}`,
    p.autoload ? '' : 'not loaded by itself',
  ].filter(Boolean).join('; ');
}

/** Equal ones of a program in one row. */
function relocationRows(programs: readonly ProgramReport[]): string[][] {
  return programs.flatMap((p) => {
    const rows = new Map<string, { kind: string; access: string; insns: number[] }>();
    for (const { kind, access, insn } of p.coreRelocations) {
      const key = `${kind} ${access}`;
      const row = rows.get(key) ?? { kind, access, insns: [] };
      row.insns.push(insn);
      rows.set(key, row);
    }
    return [...rows.values()].map(({ kind, access, insns }) => [p.name, kind, access, `insn ${insns.join(', ')}`]);
  });
}

/** A heading and aligned rows; nothing where there are no rows. */
function section(paint: Painter, title: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, c) => Math.max(...rows.map((row) => (row[c] ?? '').length)));
  return [`  ${paint.bold(title)}`, ...rows.map((row) => `    ${row.map((cell, c) => cell.padEnd(widths[c])).filter((_, c) => widths[c] > 0).join('  ').trimEnd()}`)];
}

function bytes(n: number): string {
  return n === 1 ? '1 byte' : `${n} bytes`;
}
