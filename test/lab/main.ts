/**
 * `npm run test:kernels -- [KERNEL…] [--json FILE] [-- COMMAND…]`: boots each kernel (default: all of kernels.ts) and runs the
 * command in it (default: the lab's own tests, every fixture, and the tests that tell most of another kernel), as many at a time
 * as the machine has room for. Prints what the guests print, then a table of what works where and a line a kernel; fails when
 * one of them does. LAB_SECONDS bounds one kernel's run, LAB_JOBS says how many run side by side, LAB_CACHE where kernels are kept.
 */
import { writeFileSync } from 'node:fs';
import { missingTools } from './fetch.js';
import { KERNELS } from './kernels.js';
import { table } from './result.js';
import { runKernels } from './side-by-side.js';
import { takeSnapshots } from './snapshots.js';

/** Two at a time, since an emulated processor is slow. Another processor than the host's shows that the engine is the same there. */
const DEFAULT_COMMAND = `
run() { timeout 800 node build/test/support/main.js "$@"; }
engine=; [ $(uname -m) = aarch64 ] && engine='lab/snapshot interp/kernels'
run fixtures/probes kernel/features kernel/bpf kernel/ring-buffer kernel/perf-buffer $engine > $TMPDIR/second 2>&1 & second=$!
run lab/attach lab/module-types loader/load loader/refused loader/struct-ops; status=$?
wait $second || status=$?
cat $TMPDIR/second
exit $status`;
const SECONDS = Number(process.env['LAB_SECONDS'] ?? 850);

const split = process.argv.indexOf('--', 2);
const words = process.argv.slice(2, split < 0 ? undefined : split);
const command = split < 0 ? DEFAULT_COMMAND : process.argv.slice(split + 1).join(' ');
const jsonAt = words.indexOf('--json');
const [, jsonFile] = jsonAt < 0 ? [] : words.splice(jsonAt, 2);
if (jsonAt >= 0 && jsonFile === undefined) give('lab: --json wants the name of a file');
const unknown = words.filter((word) => !KERNELS.some(({ name }) => name === word));
if (unknown.length) give(`lab: no kernel ${unknown.join(', ')}; there are ${KERNELS.map(({ name }) => name).join(', ')}`);
const kernels = KERNELS.filter(({ name }) => words.length === 0 || words.includes(name));
const missing = missingTools(kernels.map(({ arch }) => arch));
if (missing.length) give(`lab: not installed: ${missing.join(', ')} (apt-get install ${missing.join(' ')})`);

await takeSnapshots();
const outcomes = await runKernels(kernels, command, SECONDS);
const shown = outcomes.filter(({ results }) => results.size > 0);
if (shown.length > 0) console.log(`\n${table(new Map(shown.map(({ kernel, results }) => [kernel.name, results])))}\n`);
for (const { kernel, release, status, seconds, error } of outcomes) {
  console.log(`lab ${kernel.name}${release === undefined ? '' : ` (${release}, ${kernel.arch})`}: ${error ?? `status ${status}, ${seconds!.toFixed(1)} s`}`);
}
if (jsonFile !== undefined) {
  writeFileSync(jsonFile, `${JSON.stringify(outcomes.map(({ kernel: { name, arch }, release, status, seconds, results, error }) => (
    { name, arch, release, status, seconds, error, results: Object.fromEntries(results) })), null, 2)}\n`);
}
if (outcomes.some(({ status }) => status !== 0)) process.exitCode = 1;

function give(up: string): never {
  console.error(up);
  process.exit(2);
}
