/**
 * The fuzzers:
 *
 *   npm run fuzz -- [--seconds N] [--seed S] [--rounds N] [--engine NAME] [--only generate|mutate|ttf] [--keep]
 *
 * Each round makes one module from its own seed, seed S first, and runs or judges it: `--seed S --rounds 1` repeats one. --engine
 * picks the ways to run whose names hold NAME. ttf, which is slow to make modules, runs only when it is asked for. --keep writes what is found to test/fuzz/finds/, where fuzz.test.ts replays it.
 */
import { writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { WAYS } from './engines.js';
import { generated, newCounts, translated, type Find } from './fuzz.js';
import { MUTANT_KINDS, mutant, newVerdicts, readSeeds } from './mutate.js';
import { missingTtf } from './ttf.js';

const usage = (text: string): never => {
  console.error(`${text}\nusage: npm run fuzz -- [--seconds N] [--seed S] [--rounds N] [--engine NAME] [--only generate|mutate|ttf] [--keep]`);
  process.exit(2);
};
const options = { '--seconds': '10', '--seed': '1', '--rounds': '1000000000', '--engine': '', '--only': '', '--keep': '' };
const args = process.argv.slice(2);
for (let i = 0; i < args.length; i++) {
  const name = args[i] as keyof typeof options;
  if (!(name in options)) usage(`no option ${name}`);
  options[name] = name === '--keep' ? 'yes' : args[++i] ?? usage(`${name} wants a value`);
}
const number = (name: keyof typeof options) => Number.isSafeInteger(Number(options[name])) ? Number(options[name]) : usage(`${name} ${options[name]} is no number`);
const seconds = number('--seconds'), first = number('--seed'), rounds = number('--rounds');
const only = options['--only'];
if (!['', 'generate', 'mutate', 'ttf'].includes(only)) usage(`--only ${only}`);
if (only === 'ttf' && missingTtf !== undefined) usage(missingTtf);
const ways = WAYS.filter(({ name }) => name.includes(options['--engine']));
if (ways.length === 0) usage(`no engine ${options['--engine']}; there are ${WAYS.map(({ name }) => name).join('; ')}`);

const counts = newCounts(), verdicts = newVerdicts(), seeds = readSeeds();
const finds: string[] = [];
const start = performance.now();
const elapsed = () => (performance.now() - start) / 1000;
const report = (kind: string, seed: number, find: Find | undefined) => {
  if (!find) return;
  const name = `${kind}-${createHash('md5').update(find.bytes).digest('hex').slice(0, 8)}.wasm`;
  if (options['--keep']) writeFileSync(`test/fuzz/finds/${name}`, find.bytes);
  finds.push(`${kind} seed ${seed}`);
  console.log(`${kind} seed ${seed}: ${find.what}\n  ${find.bytes.length} bytes: ${Buffer.from(find.bytes.subarray(0, 600)).toString('hex')}${options['--keep'] ? `\n  written to test/fuzz/finds/${name}` : ''}`);
};
let seed = first, told = 0;
for (; seed < first + rounds && (elapsed() < seconds || seed === first); seed++) {
  if (only === '' || only === 'generate') report('generate', seed, await generated(seed, ways, counts));
  if (only === 'ttf') report('ttf', seed, await translated(seed, ways, counts));
  if (only === '' || only === 'mutate') for (let i = 0; i < MUTANT_KINDS; i++) report('mutate', seed * MUTANT_KINDS + i, mutant(seed * MUTANT_KINDS + i, seeds, verdicts));
  if (elapsed() - told >= 10) {
    told = elapsed();
    console.log(`${told.toFixed(0)} s: seed ${seed}, ${counts.modules} modules run, ${counts.calls} calls, ${verdicts.judged} mutants judged, ${finds.length} finds`);
  }
}
console.log(`seeds ${first} to ${seed - 1} in ${elapsed().toFixed(1)} s`);
if (counts.modules > 0) {
  console.log(`${counts.modules} modules (${Math.round(counts.bytes / counts.modules)} bytes each, ${counts.judged} judged by V8 too) in ${ways.length} ways: ${counts.calls} calls`);
  console.log([...counts.traps].sort(([, a], [, b]) => b - a).map(([trap, n]) => `  ${n} × ${trap}`).join('\n'));
}
if (verdicts.judged > 0) console.log(`${verdicts.judged} mutants: ${verdicts.valid} valid, ${verdicts.judged - verdicts.valid} not; differences that are known: ${[...verdicts.known].map(([why, n]) => `${n} ${why}`).join(', ') || 'none'}`);
console.log(finds.length === 0 ? 'no difference' : `${finds.length} finds: ${finds.join(', ')}`);
process.exitCode = finds.length === 0 ? 0 : 1;
