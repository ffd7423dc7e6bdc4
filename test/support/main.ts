/**
 * The test runner: imports every *.test.js below build/test (or those whose path holds one of the arguments), lets uvu run
 * them, ends with `N passed, N failed, N skipped`, and fails when nothing passed or a file brought no suite.
 */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

declare global {
  // uvu's own protocol between its runner and its suites (uvu/run/index.js)
  var UVU_DEFER: number | boolean | undefined;
  var UVU_QUEUE: unknown[][] | undefined;
  var UVU_INDEX: number | undefined;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js') && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
  .sort();

globalThis.UVU_DEFER = 1;
globalThis.UVU_QUEUE = [];
// uvu looks at UVU_DEFER while it is imported
const { exec } = await import('uvu');
const { counts } = await import('./suite.js');
for (const [index, file] of files.entries()) {
  const queue: unknown[] = [relative(process.cwd(), join(root, file))];
  globalThis.UVU_INDEX = index;
  globalThis.UVU_QUEUE.push(queue);
  await import(pathToFileURL(join(root, file)).href);
  if (queue.length < 2) throw new Error(`${file} declares no suite`);
}
await exec();

for (const skip of counts.skipped) console.log(`skipped: ${skip}`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped.length} skipped`);
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1;
