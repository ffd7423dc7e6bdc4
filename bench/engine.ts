/**
 * Every engine against V8's own: the kernels of fixtures/wasm, CoreMark where COREMARK_WASM names a module of it (a WASI command;
 * its sources are never part of this project), calls between guest and host, whole programs and native engines where they are
 * named (programs.ts), snapshots, and the start of a fresh process. Warm but for the last two. Needs nothing else.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { performance } from 'node:perf_hooks';
import { ProcExit } from '#src/errors.js';
import type { Engine, Func, Imports, Instance } from '#src/interp/engine.js';
import { interpreter } from '#src/interp/interpreter.js';
import { compiler, mixed } from '#src/interp/compiler.js';
import { decodeSnapshot, encodeSnapshot } from '#src/interp/snapshot-bytes.js';
import { v8 } from '#src/interp/v8.js';
import { addressOf } from '#src/kernel/ffi/native.js';
import { SYS, syscall } from '#src/kernel/ffi/syscall.js';
import { KERNELS, kernel } from '#test/support/kernels.js';
import { assemble, type Instruction } from '#test/support/wasm.js';
import { type BenchOptions, interleave, type Report, type Row, type Sample } from './harness.js';
import { peers, programs, type Section } from './programs.js';

/** times round each kernel: 2 ms or so with V8 */
const TIMES: Readonly<Record<string, number>> = {
  bytes: 30, 'hash-i64': 500, indirect: 30, mandelbrot: 30, matrix: 30, memory: 300, nbody: 150, quicksort: 30, 'recursion-i32': 300, 'recursion-i64': 500,
  sieve: 50, simd: 1000, vm: 80, 'host-call': 20, 'host-callback': 20,
};
/** kernels that measure the boundary, and how many calls a unit of their work is */
const CALLS: Readonly<Record<string, number>> = { 'host-call': 1000, 'host-callback': 500 };
/** ms, by the clock, for all rounds of a part */
const BUDGET = { kernels: 70_000, coremark: 20_000, snapshot: 5_000, start: 15_000 } as const;
const MAX_ROUNDS = 40, WARM_UP = 10, LEAST = 5;

type Sides = Readonly<Record<string, () => Sample>>;

/** V8 first, as ratios are to it. */
const engines: readonly Engine[] = [v8, mixed, compiler, interpreter];

export async function run(options: BenchOptions): Promise<Report> {
  const coremarkModule = process.env['COREMARK_WASM'];
  const sections = [await kernels(options), await coremark(options), await programs(options, coremarkModule === undefined ? undefined : { module: coremarkModule, check: checkCoreMark }), await snapshots(options), await starts(options)];
  return {
    title: 'The engines',
    sides: [...engines.map(({ name }) => name), ...peers],
    rows: sections.flatMap(({ rows }) => rows),
    notes: sections.flatMap(({ notes }) => notes),
  };
}

/** As many rounds as the budget has room for, a quarter of it for warming up; times are in ms. */
async function measure(sides: Sides, warmUp: number, budget: number, { quick }: BenchOptions): Promise<Row[]> {
  const begin = performance.now();
  let round = 0;
  for (let done = 0; done < (quick ? 2 : warmUp) && (done < 2 || performance.now() + round < begin + budget / 4); done++) {
    const start = performance.now();
    for (const side of Object.values(sides)) side();
    round = performance.now() - start;
  }
  const left = begin + budget - performance.now();
  return interleave(sides, { rounds: quick ? 3 : Math.max(LEAST, Math.min(MAX_ROUNDS, Math.floor(left / round))), warmup: 0, unit: 'ms' });
}

/** ms that this process has had of the processors: other processes may take them from it at any moment. */
function used(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function sidesOf(side: (engine: Engine) => () => Sample): Sides {
  return Object.fromEntries(engines.map((engine) => [engine.name, side(engine)]));
}

async function kernels(options: BenchOptions): Promise<Section> {
  options.note(`${KERNELS.length} kernels on ${engines.map(({ name }) => name).join(', ')}`);
  const runs = new Map(engines.map((engine) => [engine, KERNELS.map((name) => kernel(engine, name))]));
  KERNELS.forEach((name, i) => {
    const sums = engines.map((engine) => runs.get(engine)![i](3));
    if (sums.some((sum) => sum !== sums[0])) throw new Error(`${name} gives ${engines.map((engine, j) => `${sums[j]} on ${engine.name}`).join(', ')}`);
  });
  const rows = await measure(sidesOf((engine) => () => {
    const sample: Record<string, number> = {};
    let logs = 0, count = 0;
    KERNELS.forEach((name, i) => {
      const start = used();
      runs.get(engine)![i](TIMES[name]);
      const ms = used() - start;
      sample[name] = ms;
      if (name in CALLS) return;
      logs += Math.log(ms);
      count++;
    });
    return { ...sample, [MEAN]: Math.exp(logs / count) };
  }), WARM_UP, BUDGET.kernels, options);
  return {
    rows: [...rows.filter(({ name }) => !(name in CALLS) && name !== MEAN), ...rows.filter(({ name }) => name === MEAN), ...rows.filter(({ name }) => name in CALLS).map(perCall)],
    notes: [
      `All times are of the processor, with the threads that compile. Kernels: ms for ${KERNELS.filter((name) => !(name in CALLS)).map((name) => `${TIMES[name]} rounds of ${name}`).join(', ')}. ${MEAN}: of these, each round's own.`,
      'Host calls go through each engine\'s HostFunc and include the loop around them; a callback is a host function, a generator, that calls the guest, which is two crossings each way.',
    ],
  };
}

const MEAN = 'geometric mean';

function perCall({ name, samples }: Row): Row {
  const calls = CALLS[name] * TIMES[name];
  return { name: `${name}, each`, unit: 'ns', samples: Object.fromEntries(Object.entries(samples).map(([side, all]) => [side, all.map((ms) => ms * 1e6 / calls)])) };
}

// ---- CoreMark

/** the checksums of a right run with the seeds of a performance run: coremark.h and core_main.c of EEMBC CoreMark 1.0 */
const RIGHT = [/crclist\s*: 0xe714/, /crcmatrix\s*: 0x1fd7/, /crcstate\s*: 0x8e3a/];

async function coremark(options: BenchOptions): Promise<Section> {
  const file = process.env['COREMARK_WASM'];
  if (file === undefined) return { rows: [], notes: ['CoreMark is left out: COREMARK_WASM names no module (build EEMBC\'s sources for wasm32-wasi with a fixed ITERATIONS).'] };
  options.note(`CoreMark from ${file}`);
  const bytes = readFileSync(file);
  const programs = new Map(engines.map((engine) => [engine, new Program(engine, bytes)]));
  let iterations = '';
  const rows = await measure(sidesOf((engine) => () => {
    const { ms, output } = programs.get(engine)!.run();
    iterations = /Iterations\s*: (\d+)/.exec(output)?.[1] ?? '?';
    checkCoreMark(output, engine.name);
    return { CoreMark: ms };
  }), WARM_UP, BUDGET.coremark, options);
  return { rows, notes: [`CoreMark: ${iterations} iterations, again and again in one instance, whose memory is put back before each; its checksums are verified.`] };
}

function checkCoreMark(output: string, on = 'some side'): void {
  for (const right of RIGHT) if (!right.test(output)) throw new Error(`CoreMark on ${on} does not print ${right.source}:\n${output}`);
}

/** A WASI command that asks for the time and prints, and nothing else; it can run more than once. */
class Program {
  readonly #instance: Instance;
  /** the memory before the first run */
  readonly #fresh: Uint8Array;
  #output = '';

  constructor(engine: Engine, bytes: Uint8Array) {
    const functions: Readonly<Record<string, (...args: never[]) => number>> = {
      clock_time_get: (_clock: number, _precision: bigint, at: number) => {
        this.#instance.memory!.view.setBigUint64(at, BigInt(Math.round(performance.now() * 1e6)), true);
        return 0;
      },
      fd_write: (_fd: number, vectors: number, count: number, written: number) => this.#write(vectors, count, written),
      proc_exit: (status: number) => { throw new ProcExit(status); },
    };
    const imports: Imports = (_module, item, type) => type.kind !== 'func' ? undefined : { kind: 'host', name: item, type: type.type, run: (_caller, args) => {
      const result = functions[item]?.(...args as never[]) ?? 0;
      return type.type.results.length > 0 ? result : undefined;
    } };
    this.#instance = engine.instantiate(engine.compile(bytes), imports);
    this.#fresh = this.#instance.memory!.bytes.slice();
  }

  run(): { ms: number; output: string } {
    const { bytes } = this.#instance.memory!;
    bytes.set(this.#fresh);
    bytes.fill(0, this.#fresh.length);
    this.#output = '';
    const start = used();
    this.#instance.callSync(this.#instance.exports.get('_start') as Func, []);
    return { ms: used() - start, output: this.#output };
  }

  #write(vectors: number, count: number, written: number): number {
    const { view, bytes } = this.#instance.memory!;
    let size = 0;
    for (let i = 0; i < count; i++) {
      const at = view.getUint32(vectors + 8 * i, true), length = view.getUint32(vectors + 8 * i + 4, true);
      this.#output += Buffer.from(bytes.subarray(at, at + length)).toString('latin1');
      size += length;
    }
    view.setUint32(written, size, true);
    return 0;
  }
}

// ---- snapshots

const SNAPSHOT = 'snapshot + restore of a 1 MB guest';

/** A guest whose memory has no zero byte, some calls deep: to a snapshot's bytes, and from them to an instance that could go on. */
async function snapshots(options: BenchOptions): Promise<Section> {
  options.note('snapshots');
  const bytes = assemble({ memory: { min: 16 }, funcs: [{ type: 'i:i', export: 'run', body: [['local.get', 0], 'i32.eqz', ['if', 'i'], ['i32.const', 7], 'else', ['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 0], 'end'] }] });
  const sides: Record<string, () => Sample> = {};
  for (const engine of engines) {
    if (engine === v8) continue;
    const module = engine.compile(bytes);
    const instance = engine.instantiate(module, {});
    instance.memory!.bytes.forEach((_, i, memory) => { memory[i] = 1 + i % 255; });
    const execution = instance.begin(instance.exports.get('run') as Func, [100]);
    await execution.step(80);
    sides[engine.name] = () => {
      const start = used();
      engine.restore(module, {}, decodeSnapshot(encodeSnapshot(execution.snapshot()))).frames();
      return { [SNAPSHOT]: used() - start };
    };
  }
  return { rows: await measure(sides, WARM_UP, BUDGET.snapshot, options), notes: [`${SNAPSHOT}: to bytes, and from them an instance with its call, in one process; the module is compiled before.`] };
}

// ---- a fresh process

const START = 'start of a 70 KB module, over an empty node';

async function starts(options: BenchOptions): Promise<Section> {
  options.note('starting processes');
  const folder = mkdtempSync(join(tmpdir(), 'bench-engine-'));
  try {
    const file = join(folder, 'module.wasm'), empty = join(folder, 'empty.cjs');
    writeFileSync(file, moduleOf(70_000));
    writeFileSync(empty, '');
    const time = (...args: readonly string[]) => {
      const before = childrenUsed();
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      if (status !== 0) throw new Error(`${args.join(' ')}: status ${status}\n${stderr}`);
      return childrenUsed() - before;
    };
    const rows = await measure(sidesOf(({ name }) => () => ({ [START]: time(COMMAND, 'run', '--engine', NAMES[name], file) - time(empty) })), 1, BUDGET.start, options);
    return { rows, notes: [`${START}: the whole life of \`wasm-bpf run --engine …\` for a module that calls proc_exit, less that of node with an empty file, measured beside each.`] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** engine -> its name on the command line */
const NAMES: Readonly<Record<string, string>> = { v8: 'v8', mixed: 'mixed', compiler: 'jit', interpreter: 'interp' };

const RUSAGE_CHILDREN = -1;
/** ms that the processes which this one has started, and which are gone, have had of the processors: getrusage(2) */
function childrenUsed(): number {
  const usage = new BigInt64Array(18);
  syscall(SYS.getrusage, RUSAGE_CHILDREN, addressOf(new Uint8Array(usage.buffer)));
  const [userSeconds, userMicros, systemSeconds, systemMicros] = usage;
  return Number(userSeconds + systemSeconds) * 1e3 + Number(userMicros + systemMicros) / 1e3;
}

/** A module of about `size` bytes, which exits at once; the rest is functions that nobody calls. */
function moduleOf(size: number): Uint8Array {
  const piece: Instruction[] = [
    ['block', ''], ['local.get', 0], ['i32.load', 8], ['local.tee', 2], ['i32.const', 1000], 'i32.lt_s', ['br_if', 0], ['local.get', 0], ['local.get', 1], ['call', 1], ['local.set', 2],
    ['local.get', 0], ['local.get', 2], ['i32.const', 16], 'i32.shl', ['i32.store', 12], 'end',
  ];
  const body: Instruction[] = [...Array.from({ length: 8 }, () => piece).flat(), ['local.get', 2]];
  const other = { type: 'ii:i', locals: 'i', body };
  const make = (count: number) => assemble({
    imports: [{ module: 'wasi_snapshot_preview1', name: 'proc_exit', type: 'i:' }], memory: { min: 2 },
    funcs: [...Array.from({ length: count }, () => other), { type: ':', export: '_start', body: [['i32.const', 0], ['call', 0]] }],
  });
  const each = make(2).length - make(1).length;
  return make(Math.floor(size / each));
}
