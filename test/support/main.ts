/**
 * The test runner: takes every *.test.js below build/test, and in a kernel of the lab (LAB is set) every *.lab.js, which no other
 * machine can be asked to pass; or those of them whose path holds one of the arguments. One after the other it imports them and
 * runs their suites before the next is touched, so that what a file notes while it is imported still holds when its tests run.
 * Ends with `N passed, N failed, N skipped`, and fails when nothing passed or a file brought no suite.
 */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { RESULT, verdict } from '../lab/result.js';

declare global {
  // uvu's own protocol between its runner and its suites (uvu/run/index.js): a suite's run() appends itself to the queue
  var UVU_DEFER: number | boolean | undefined;
  var UVU_QUEUE: SuiteRun[][] | undefined;
}

/** Runs a suite; gives its failures as text, or true where there are none. */
type SuiteRun = () => Promise<[errors: string | true, passed: number, skipped: number, total: number]>;

const root = fileURLToPath(new URL('..', import.meta.url));
const inLab = process.env['LAB'] !== undefined;
const wanted = process.argv.slice(2);
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => (file.endsWith('.test.js') || inLab && file.endsWith('.lab.js')) && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
  .sort();

// uvu looks at UVU_DEFER while it is imported
globalThis.UVU_DEFER = 1;
const { counts, outcomes, slowest } = await import('./suite.js');
for (const file of files) {
  const suites: SuiteRun[] = [];
  globalThis.UVU_QUEUE = [suites];
  console.log(relative(process.cwd(), join(root, file)));
  await import(pathToFileURL(join(root, file)).href);
  if (suites.length === 0) throw new Error(`${file} declares no suite`);
  for (const run of suites) {
    const [errors] = await run();
    if (errors !== true) console.log(`\n${errors}`);
  }
}

if (inLab) for (const outcome of outcomes) console.log(`${RESULT}${outcome.title} => ${verdict(outcome)}`);
// emulated kernels are slow: what to look at when a run takes too long
if (inLab) for (const [ms, test] of slowest.sort(([a], [b]) => b - a).slice(0, 8)) console.log(`${(ms / 1000).toFixed(1)} s: ${test}`);
for (const skip of counts.skipped) console.log(`skipped: ${skip}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped.length} skipped`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
