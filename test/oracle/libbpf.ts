/**
 * libbpf as a judge: what it makes of an object (dump-insns.c, compiled here with gcc and Debian's libbpf-dev), and where
 * our own spec of the same object differs. Operands that only the kernel can tell (descriptors, BTF ids, addresses) are
 * taken out of both.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Insns } from '#src/reloc/insn.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from '#src/reloc/spec.js';
import { MapType } from '#src/uapi.js';
import type { Need } from '../support/suite.js';

export interface DumpedMap {
  readonly name: string; readonly fd: number; readonly type: number; readonly keySize: number; readonly valueSize: number; readonly maxEntries: number;
  readonly mapFlags: number; readonly numaNode: number; readonly mapExtra: string; readonly btfKeyTypeId: number; readonly btfValueTypeId: number; readonly pinned: boolean;
}
export interface DumpedProgram {
  /** at most 15 characters */
  readonly name: string;
  /** hexadecimal */
  readonly insns: string;
  /** records of u32 words as the kernel gets them */
  readonly funcs: readonly (readonly number[])[];
  readonly lines: readonly (readonly number[])[];
}
export interface Dump { readonly error: number; readonly btf?: string | null; readonly maps?: readonly DumpedMap[]; readonly programs?: readonly DumpedProgram[]; /** libbpf's own words */ readonly log: string }

const works = (command: string, ...args: string[]) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

export const NEEDS: readonly Need[] = [
  { name: 'gcc', missing: works('gcc', '--version') ? undefined : 'not installed' },
  { name: 'libbpf-dev', missing: existsSync('/usr/include/bpf/libbpf.h') ? undefined : 'not installed' },
  { name: 'bpf(2)', missing: process.getuid?.() === 0 ? undefined : 'not root' },
];

export const VMLINUX: Need = { name: '/sys/kernel/btf/vmlinux', missing: existsSync('/sys/kernel/btf/vmlinux') ? undefined : 'the kernel has no BTF' };

/** The objects inside of Debian's libbpf-tools, by the program that holds them. */
export function toolObjects(): Map<string, Uint8Array> {
  const list = spawnSync('dpkg', ['-L', 'libbpf-tools'], { encoding: 'utf8' });
  const paths = list.status === 0 ? list.stdout.split('\n').filter((path) => path.startsWith('/usr/sbin/') && existsSync(path)) : [];
  const found = new Map<string, Uint8Array>();
  for (const path of new Set(paths.map((path) => realpathSync(path)))) {
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf('\x7fELF', 1, 'latin1'); at >= 0; at = bytes.indexOf('\x7fELF', at + 1, 'latin1')) {
      if (at + 64 > bytes.length || bytes.readUInt16LE(at + 18) !== 247) continue;
      // the section headers are the last thing in a file that LLVM writes
      const end = at + Number(bytes.readBigUInt64LE(at + 40)) + bytes.readUInt16LE(at + 60) * 64;
      found.set(basename(path), new Uint8Array(bytes.subarray(at, end)));
    }
  }
  return found;
}

let shared: Libbpf | undefined;

/** The judge, compiled at its first use and removed when the process ends. */
export function libbpf(): Libbpf {
  if (!shared) {
    const made = shared = new Libbpf();
    process.on('exit', () => made.close());
  }
  return shared;
}

class Libbpf {
  readonly #folder = mkdtempSync(join(tmpdir(), 'dump-insns-'));
  readonly #program = join(this.#folder, 'dump-insns');

  constructor() {
    execFileSync('gcc', ['-O1', '-o', this.#program, 'test/oracle/dump-insns.c', '-lbpf', '-ldl']);
  }

  dump(object: Uint8Array, name: string, env: Readonly<Record<string, string>> = {}): Dump {
    const file = join(this.#folder, 'object.bpf.o');
    writeFileSync(file, object);
    const { stdout, stderr, status } = spawnSync(this.#program, [file, name], { encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 1 << 28 });
    return status === 0 ? { ...JSON.parse(stdout) as Omit<Dump, 'log'>, log: stderr } : { error: status ?? -1, log: stderr };
  }

  close(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** Map types for which libbpf keeps the types of key and value from the kernel. */
const UNTYPED: readonly number[] = [
  MapType.PERF_EVENT_ARRAY, MapType.CGROUP_ARRAY, MapType.STACK_TRACE, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS, MapType.DEVMAP,
  MapType.DEVMAP_HASH, MapType.CPUMAP, MapType.XSKMAP, MapType.SOCKMAP, MapType.SOCKHASH, MapType.QUEUE, MapType.STACK,
];
/** Map types whose size libbpf may choose or round up to what the machine needs. */
const SIZED_BY_MACHINE: readonly number[] = [MapType.PERF_EVENT_ARRAY, MapType.RINGBUF, MapType.USER_RINGBUF];

/**
 * Every difference, in words; empty where both agree.
 * @param options.withCore false leaves out the instructions that CO-RE touches
 */
export function differences(spec: ObjectSpec, dump: Dump, options: { withCore: boolean }): string[] {
  const { maps, programs, btf } = dump;
  if (!maps || !programs) return [`libbpf gives up with ${dump.error}: ${dump.log.trim().split('\n').at(-1)}`];
  const found: string[] = [];
  const ours = spec.btf ? Buffer.from(spec.btf.bytes).toString('hex') : null;
  if (ours !== btf) found.push('BTF');
  if (spec.maps.length !== maps.length) found.push(`${spec.maps.length} maps, libbpf has ${maps.length}: ${maps.map((map) => map.name).join(' ')}`);
  else spec.maps.forEach((map, i) => found.push(...mapDifferences(map, maps[i])));
  if (found.length > 0) return found;

  const fds = new Map(spec.maps.map((map, i) => [map.name, maps[i].fd]));
  if (spec.programs.length !== programs.length) found.push(`${spec.programs.length} programs, libbpf has ${programs.length}`);
  else spec.programs.forEach((program, i) => found.push(...programDifferences(program, programs[i], fds, options.withCore)));
  return found;
}

function mapDifferences(map: MapSpec, theirs: DumpedMap): string[] {
  const custom = map.globals !== undefined && map.section.includes('.', 1);
  const ours: Record<string, unknown> = {
    name: map.globals && !custom ? map.kernelName : map.name, type: map.type, keySize: map.keySize, valueSize: map.valueSize,
    maxEntries: SIZED_BY_MACHINE.includes(map.type) ? theirs.maxEntries : map.maxEntries, mapFlags: map.mapFlags, numaNode: map.numaNode,
    mapExtra: String(map.mapExtra), btfKeyTypeId: UNTYPED.includes(map.type) ? 0 : map.btfKeyTypeId,
    btfValueTypeId: UNTYPED.includes(map.type) ? 0 : map.btfValueTypeId, pinned: map.pinning === 'by-name',
  };
  return Object.entries(ours).filter(([key, value]) => value !== theirs[key as keyof DumpedMap])
    .map(([key, value]) => `map ${map.name}: ${key} is ${String(value)}, libbpf has ${String(theirs[key as keyof DumpedMap])}`);
}

function programDifferences(program: ProgramSpec, theirs: DumpedProgram, fds: ReadonlyMap<string, number>, withCore: boolean): string[] {
  const where = `program ${program.name}`;
  if (program.name.slice(0, 15) !== theirs.name) return [`${where}: libbpf has ${theirs.name} here`];
  const a = new Insns(program.insns.slice());
  const b = new Insns(new Uint8Array(Buffer.from(theirs.insns, 'hex')));
  if (a.length !== b.length) return [`${where}: ${a.length} instructions, libbpf has ${b.length}`];
  for (const reference of program.references) {
    const { insn } = reference;
    if (reference.kind === 'map' || reference.kind === 'map_value') a.setImm(insn, fds.get(reference.map)!);
    else for (const slot of reference.kind === 'kfunc' ? [insn] : [insn, insn + 1]) [a, b].forEach((insns) => forget(insns, slot));
  }
  if (!withCore) for (const { insn } of program.coreRelocations) for (const slot of a.code(insn) === 0x18 ? [insn, insn + 1] : [insn]) [a, b].forEach((insns) => insns.bytes.fill(0, slot * 8, slot * 8 + 8));
  const found: string[] = [];
  for (let slot = 0; slot < a.length; slot++) {
    const [x, y] = [a, b].map((insns) => Buffer.from(insns.bytes.subarray(slot * 8, slot * 8 + 8)).toString('hex'));
    if (x !== y) found.push(`${where}: instruction ${slot} is ${x}, libbpf has ${y}`);
  }
  const funcs = program.functions[0].typeId === 0 ? [] : program.functions.map(({ insn, typeId }) => [insn, typeId]);
  if (JSON.stringify(funcs) !== JSON.stringify(theirs.funcs)) found.push(`${where}: func_info`);
  const lines = program.lines.map(({ insn, fileNameOff, lineOff, lineCol }) => [insn, fileNameOff, lineOff, lineCol]);
  if (JSON.stringify(lines) !== JSON.stringify(theirs.lines)) found.push(`${where}: line_info`);
  return found;
}

/** Keeps the instruction's code and registers only. */
function forget(insns: Insns, slot: number): void {
  insns.setSrc(slot, 0);
  insns.setOff(slot, 0);
  insns.setImm(slot, 0);
}
