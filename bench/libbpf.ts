/**
 * This project against libbpf in C, on the same objects: load and attach in a fresh process, many loads in a row, process
 * start to first event, drain of a full 16 MiB ring buffer, single map operations. Three sides: the native program
 * (bench/native/), this project's TypeScript API (bench/typescript.ts), and a guest in Wasm (fixtures/bench.wasm). Needs root and
 * a mounted tracefs, which main.ts sees to.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { toolObjects } from '#test/oracle/libbpf.js';
import { interleave, type BenchOptions, type Report, type Row, type Sample } from './harness.js';
import { buildNative, libbpfVersion } from './native.js';
import { Worker } from './worker.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const EXECSNOOP = `${root}fixtures/execsnoop.bpf.o`, BENCH = `${root}fixtures/bench.bpf.o`;
const RUN = `${root}dist/run.js`, TYPESCRIPT = `${root}build/bench/typescript.js`;
const NATIVE_SIDE = 'libbpf', API_SIDE = 'TypeScript', GUEST_SIDE = 'Wasm guest';

export async function run({ quick, note }: BenchOptions): Promise<Report> {
  note('building the native programs');
  const native = buildNative(), rounds = quick ? 3 : 15, rows: Row[] = [];

  note('load and attach');
  rows.push(...await interleave({
    [NATIVE_SIDE]: () => once(new Worker('native', native.worker, []), `load ${EXECSNOOP}`),
    [API_SIDE]: () => once(new Worker('typescript', process.execPath, [TYPESCRIPT]), `load ${EXECSNOOP}`),
  }, { rounds, warmup: 1, unit: 'ms' }));

  rows.push(...await toolSeries(native.worker, rounds, note));

  note('start to first event');
  rows.push(...await interleave({
    [NATIVE_SIDE]: () => firstEvent(native.execsnoop, [EXECSNOOP, '1']),
    [GUEST_SIDE]: () => firstEvent(process.execPath, [RUN, `${root}fixtures/execsnoop.wasm`, '-n', '1']),
  }, { rounds, warmup: 1, unit: 'ms' }));

  const workers = {
    [NATIVE_SIDE]: { worker: new Worker('native', native.worker, []), object: ` ${BENCH}` },
    [API_SIDE]: { worker: new Worker('typescript', process.execPath, [TYPESCRIPT]), object: ` ${BENCH}` },
    [GUEST_SIDE]: { worker: new Worker('guest', process.execPath, [RUN, `${root}fixtures/bench.wasm`]), object: '' },
  };
  const each = (command: (object: string) => string) => Object.fromEntries(
    Object.entries(workers).map(([side, { worker, object }]): [string, () => Promise<Sample>] => [side, () => worker.ask(command(object))]),
  );
  try {
    note('ring buffer');
    for (const { worker, object } of Object.values(workers)) await worker.ask(`open${object}`);
    rows.push(...await interleave(each(() => 'drain'), { rounds, warmup: 3, unit: 'ns' }));
    for (const { worker } of Object.values(workers)) await worker.ask('close');
    note('map operations');
    rows.push(...await interleave(each((object) => `maps${object} ${quick ? 1000 : 10000}`), { rounds, warmup: quick ? 1 : 2, unit: 'ns' }));
  } finally {
    for (const { worker } of Object.values(workers)) await worker.close();
  }
  return {
    title: 'Against libbpf in C',
    sides: [NATIVE_SIDE, API_SIDE, GUEST_SIDE],
    rows: rows.map((row) => ({ ...row, name: NAMES[row.name] ?? row.name, samples: complete(row) })),
    notes: [
      `libbpf ${libbpfVersion()}, gcc -O2. All sides use the same BPF objects; the guest runs in \`node dist/run.js\`.`,
      'Load is measured inside the process, first call in it, modules already imported. Start is from spawn to the first event line of execsnoop; the event is provoked as soon as the probe says that it is attached.',
      'The ring buffer is full (233 016 events of 64 bytes) before the clock starts, and every event is checked for its order. Map operations are one at a time, 4-byte keys and 8-byte values.',
    ],
  };
}

/** The objects of Debian's libbpf-tools that both sides load here, in one process one after the other, the first one cold. None without the package. */
async function toolSeries(native: string, rounds: number, note: BenchOptions['note']): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-series-'));
  const sides: Readonly<Record<string, () => Worker>> = {
    [NATIVE_SIDE]: () => new Worker('native', native, []),
    [API_SIDE]: () => new Worker('typescript', process.execPath, [TYPESCRIPT]),
  };
  const list = join(folder, 'list'), run = async (make: () => Worker): Promise<Record<string, number>> => {
    const worker = make();
    try {
      return await worker.ask(`series ${list}`);
    } finally {
      await worker.close();
    }
  };
  try {
    const files: string[] = [];
    for (const [name, bytes] of toolObjects()) {
      const file = join(folder, `${name}.bpf.o`);
      writeFileSync(file, bytes);
      writeFileSync(list, `${file}\n`);
      const both = [(await run(sides[NATIVE_SIDE]))['loaded'], (await run(sides[API_SIDE]))['loaded']];
      if (both.every((loaded) => loaded === 1)) files.push(file);
      else note(`${name}: loaded by ${both[0]} of ${NATIVE_SIDE}, ${both[1]} of ${API_SIDE}`);
    }
    if (files.length === 0) return [];
    note(`${files.length} objects in a row`);
    writeFileSync(list, files.map((file) => `${file}\n`).join(''));
    const found = await interleave(Object.fromEntries(Object.entries(sides).map(([side, make]) => [side, async (): Promise<Sample> => {
      const { series, loaded, peak } = await run(make) as { series: number; loaded: number; peak: number };
      if (loaded !== files.length) throw new Error(`${side} loads ${loaded} of ${files.length} objects`);
      return { [`load of ${files.length} libbpf-tools objects in a row`]: series / 1e6, 'their peak of resident memory': peak / 1024 };
    }])), { rounds, warmup: 1, unit: 'ms' });
    return found.map((row) => row.name.includes('memory') ? { ...row, unit: 'MiB' } : row);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const NAMES: Readonly<Record<string, string>> = {
  'load': 'load + attach execsnoop.bpf.o, cold, in process',
  'start.attached': 'process start to attached',
  'start.event': 'process start to first event',
  'ring.drain': 'ring buffer, per event',
};

/** Every side has its column, measured or not. */
function complete({ samples }: Row): Row['samples'] {
  return { [NATIVE_SIDE]: [], [API_SIDE]: [], [GUEST_SIDE]: [], ...samples };
}

/** One command in a process of its own, in ms. */
async function once(worker: Worker, command: string): Promise<Sample> {
  try {
    const answer = await worker.ask(command);
    return Object.fromEntries(Object.entries(answer).map(([name, ns]): [string, number] => [name, ns / 1e6]));
  } finally {
    await worker.close();
  }
}

/** Starts an execsnoop, provokes an exec when its heading is out, and takes the time until its first line. In ms. */
async function firstEvent(command: string, args: readonly string[]): Promise<Sample> {
  const poke = spawn('sh', ['-c', 'while read -r line; do /bin/true; done'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const start = performance.now();
  const probe = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '', attached: number | undefined;
  probe.stderr.setEncoding('utf8').on('data', (text: string) => { errors += text; });
  const gone = new Promise<void>((resolve) => probe.once('exit', () => resolve()));
  try {
    for await (const _ of createInterface({ input: probe.stdout })) {
      const now = performance.now() - start;
      if (attached !== undefined) return { 'start.attached': attached, 'start.event': now };
      attached = now;
      poke.stdin.write('\n');
    }
    throw new Error(`${command} ${args.join(' ')} ended without an event: ${errors.trim()}`);
  } finally {
    poke.stdin.end();
    await gone;
  }
}
