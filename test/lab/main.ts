/**
 * `npm run lab -- [KERNEL…] [-- COMMAND…]`: boots each kernel (default: all of kernels.ts) and runs the command in it (default:
 * the lab's own tests, and those that tell most of an older kernel). Prints what the guests print, then a table of what works
 * where and a line a kernel; fails when one of them does. LAB_SECONDS bounds one kernel's run, LAB_CACHE says where kernels are kept.
 */
import { fetchKernel, missingTools } from './fetch.js';
import { bootAndRun } from './boot.js';
import { KERNELS } from './kernels.js';
import { readResults, table } from './result.js';

/** Two at a time, since an emulated processor is slow: what other kernels can show. */
const DEFAULT_COMMAND = `
run() { timeout 400 node build/test/support/main.js "$@"; }
run lab/probes kernel/features kernel/bpf kernel/ring-buffer kernel/perf-buffer > $TMPDIR/second 2>&1 & second=$!
run lab/attach loader/load loader/struct-ops; status=$?
wait $second || status=$?
cat $TMPDIR/second
exit $status`;
const SECONDS = Number(process.env['LAB_SECONDS'] ?? 450);

const split = process.argv.indexOf('--', 2);
const names = process.argv.slice(2, split < 0 ? undefined : split);
const command = split < 0 ? DEFAULT_COMMAND : process.argv.slice(split + 1).join(' ');
const unknown = names.filter((name) => !KERNELS.some((kernel) => kernel.name === name));
if (unknown.length) {
  console.error(`lab: no kernel ${unknown.join(', ')}; there are ${KERNELS.map((kernel) => kernel.name).join(', ')}`);
  process.exit(2);
}

const missing = missingTools();
if (missing.length) {
  console.error(`lab: not installed: ${missing.join(', ')} (apt-get install ${missing.join(' ')})`);
  process.exit(2);
}

const closing: string[] = [];
const results = new Map<string, ReadonlyMap<string, string>>();
for (const kernel of KERNELS.filter(({ name }) => names.length === 0 || names.includes(name))) {
  console.log(`# lab ${kernel.name}: fetching`);
  try {
    const image = fetchKernel(kernel);
    console.log(`# lab ${kernel.name}: booting ${image.release}`);
    const run = await bootAndRun(image, command, process.cwd(), SECONDS, (text) => process.stdout.write(text));
    closing.push(`lab ${kernel.name} (${image.release}): status ${run.status}, ${run.seconds.toFixed(1)} s`);
    if (run.status !== 0) process.exitCode = 1;
    const found = readResults(run.output);
    if (found.size > 0) results.set(kernel.name, found);
  } catch (error) {
    closing.push(`lab ${kernel.name}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
if (results.size > 0) console.log(`\n${table(results)}\n`);
console.log(closing.join('\n'));
