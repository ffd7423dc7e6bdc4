/**
 * `npm run test:parity -- [KERNEL…]`: on the running kernel and in each of the lab's with this machine's processor (or those that
 * are named; `running` is the first), every object of Debian's libbpf-tools and of fixtures/ through libbpf and through our loader.
 * One table, a row an object; fails where a program that libbpf loads is refused here or has another tag.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KERNELS } from '../lab/kernels.js';
import { readResults, table, type Results } from '../lab/result.js';
import { runKernels } from '../lab/side-by-side.js';
import { compileLoadTags } from './parity.js';

const SECONDS = Number(process.env['LAB_SECONDS'] ?? 1200);
const here = fileURLToPath(new URL('.', import.meta.url));
const loadTags = join(here, 'load-tags'), script = join(here, 'parity-run.js');

const known = KERNELS.filter(({ arch }) => arch === process.arch);
const words = process.argv.slice(2);
const unknown = words.filter((word) => word !== 'running' && !known.some(({ name }) => name === word));
if (unknown.length) {
  console.error(`parity: no kernel ${unknown.join(', ')}; there are running, ${known.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
compileLoadTags(loadTags);

const results = new Map<string, Results>();
if (words.length === 0 || words.includes('running')) {
  const { stdout, status } = spawnSync(process.execPath, [script, loadTags], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });
  process.stdout.write(stdout);
  results.set('running', readResults(stdout));
  if (status !== 0) process.exitCode = 1;
}
const kernels = known.filter(({ name }) => words.length === 0 || words.includes(name));
for (const { kernel, status, results: found, error } of await runKernels(kernels, `node ${script} ${loadTags}`, SECONDS)) {
  if (error !== undefined) console.error(`lab ${kernel.name}: ${error}`);
  if (found.size > 0) results.set(kernel.name, found);
  if (status !== 0) process.exitCode = 1;
}
console.log(`\n${table(results)}`);
