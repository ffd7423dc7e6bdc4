/**
 * Types: reading and indexing the running kernel's BTF, looking up eight types, against libbpf in C; and the CO-RE relocation
 * of an object. Both as the first thing in a process and repeated in it. Needs a kernel with BTF, no privilege.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseBtf } from '#src/reloc/btf.js';
import { relocateCore } from '#src/reloc/core.js';
import { parseObject } from '#src/reloc/object.js';
import { type BenchOptions, interleave, median, type Report, type Row, type Sample } from './harness.js';
import { buildNative, libbpfVersion } from './native.js';
import { Worker } from './worker.js';

const SELF = fileURLToPath(import.meta.url);
const OBJECT = fileURLToPath(new URL('../../fixtures/execsnoop.bpf.o', import.meta.url));
const NAMES = ['task_struct', 'file', 'sock', 'inode', 'request', 'trace_event_raw_sched_switch', 'signal_struct', 'mm_struct'];
const [LIBBPF, OURS] = ['libbpf', 'TypeScript'];

export async function run({ quick, note }: BenchOptions): Promise<Report> {
  note('building the native program');
  const native = buildNative();
  const start = { [LIBBPF]: () => new Worker('native', native.btf, []), [OURS]: () => new Worker('typescript', process.execPath, [SELF, '--worker']) };
  const relocations: Record<string, number[]> = { first: [], repeated: [] };
  const ask = async (worker: Worker, what: string): Promise<Sample> => {
    const { parse, find, relocate } = await worker.ask('btf');
    if (relocate !== undefined) relocations[what].push(relocate);
    return { [`parse, ${what}`]: parse, [`find 8 types, ${what}`]: find };
  };
  const rows: Row[] = [];
  note('the first in a process');
  rows.push(...await interleave(Object.fromEntries(Object.entries(start).map(([side, make]): [string, () => Promise<Sample>] => [side, async () => {
    const worker = make();
    try {
      return await ask(worker, 'first');
    } finally {
      await worker.close();
    }
  }])), { rounds: quick ? 3 : 15, warmup: 1, unit: 'ms' }));
  note('repeated');
  const workers = Object.entries(start).map(([side, make]) => ({ side, worker: make() }));
  try {
    rows.push(...await interleave(Object.fromEntries(workers.map(({ side, worker }) => [side, () => ask(worker, 'repeated')])),
      { rounds: quick ? 5 : 30, warmup: 10, unit: 'ms' }));
  } finally {
    for (const { worker } of workers) await worker.close();
  }
  const { programs } = parseObject(readFileSync(OBJECT), { name: 'execsnoop' });
  const count = programs.reduce((sum, { coreRelocations }) => sum + coreRelocations.length, 0);
  return {
    title: 'Types of the kernel',
    sides: [LIBBPF, OURS],
    rows: rows.map((row) => ({ ...row, samples: Object.fromEntries(Object.entries(row.samples).map(([side, list]) => [side, list.map((ns) => ns / 1e6)])) })),
    notes: [
      `libbpf ${libbpfVersion()}, gcc -O2; parsing includes reading /sys/kernel/btf/vmlinux.`,
      `CO-RE relocation of execsnoop.bpf.o (${count} relocations), TypeScript: ${(median(relocations['first']) / 1e6).toFixed(2)} ms the first in a process, ${(median(relocations['repeated'].slice(10)) / 1e6).toFixed(3)} ms repeated, names not looked up before.`,
    ],
  };
}

function measure(): string {
  const times = [process.hrtime.bigint()];
  const mark = (): void => { times.push(process.hrtime.bigint()); };
  const vmlinux = parseBtf(readFileSync('/sys/kernel/btf/vmlinux'), { source: 'vmlinux' });
  mark();
  for (const name of NAMES) vmlinux.find(name, 'struct');
  mark();
  const spec = parseObject(readFileSync(OBJECT), { name: 'execsnoop' });
  const fresh = parseBtf(vmlinux.bytes, { source: 'vmlinux' });
  mark();
  relocateCore(spec, { vmlinux: fresh });
  mark();
  const [parse, find, , relocate] = times.slice(1).map((time, i) => time - times[i]);
  return `parse=1:${parse} find=1:${find} relocate=1:${relocate}`;
}

if (process.argv[2] === '--worker' && process.argv[1] === SELF) {
  for await (const _ of createInterface({ input: process.stdin })) console.log(measure());
}
