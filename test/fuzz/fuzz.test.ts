/**
 * A fixed part of what `npm run fuzz` does without end: the same modules and mutants in each run, or FUZZ_SECONDS of them where that
 * is set; and everything that was ever found, once more.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { assert, suite } from '../support/suite.js';
import { WAYS } from './engines.js';
import { compare, generated, newCounts } from './fuzz.js';
import { MUTANT_KINDS, judge, mutant, newVerdicts, readSeeds } from './mutate.js';
import { V8_FEATURES, v8 } from './v8.js';

const FINDS = 'test/fuzz/finds';
const MODULES = 30;
const ROUNDS = 80;
const seconds = process.env['FUZZ_SECONDS'] === undefined ? undefined : Number(process.env['FUZZ_SECONDS']);

/** `rounds` of them, or half of FUZZ_SECONDS. */
async function repeat(rounds: number, round: (seed: number) => Promise<void> | void): Promise<void> {
  const start = performance.now();
  for (let seed = 1; seconds === undefined ? seed <= rounds : performance.now() - start < 500 * seconds; seed++) await round(seed);
}

suite('fuzz', (test) => {
  test('every way to run a generated module gives the same', async () => {
    const counts = newCounts();
    await repeat(MODULES, async (seed) => {
      const find = await generated(seed, WAYS, counts);
      assert.is(find && `seed ${seed}: ${find.what}\n${Buffer.from(find.bytes).toString('hex')}`, undefined);
    });
    assert.ok(counts.calls > 200 && counts.judged * 2 > counts.modules, JSON.stringify(counts));
    for (const trap of ['out of bounds memory access', 'out of bounds table access', 'integer divide by zero', 'unreachable']) assert.ok(counts.traps.has(trap), `no ${trap}`);
  });
  test('the validator and V8 judge mutants alike', async () => {
    const verdicts = newVerdicts(), seeds = readSeeds();
    await repeat(ROUNDS, (round) => {
      for (let i = 0; i < MUTANT_KINDS; i++) {
        const seed = round * MUTANT_KINDS + i;
        const find = mutant(seed, seeds, verdicts);
        assert.is(find && `seed ${seed}: ${find.what}\n${Buffer.from(find.bytes).toString('hex')}`, undefined);
      }
    });
    assert.ok(verdicts.valid > 20 && verdicts.judged - verdicts.valid > 20);
  });
  test('V8 judges the features that it has had for years', () => {
    for (const feature of ['simd', 'bulk-memory', 'reference-types'] as const) assert.ok(V8_FEATURES.has(feature), feature);
  });
  // where nothing has been found there is nothing to replay, and no table may be empty
  const finds = readdirSync(FINDS).filter((file) => file.endsWith('.wasm')).sort();
  if (finds.length > 0) {
    test.table(finds, (file) => `${file} is no difference any more`, async (file) => {
      const bytes = new Uint8Array(readFileSync(`${FINDS}/${file}`));
      assert.is(judge(bytes), undefined);
      if (v8.validate(bytes)) assert.is(await compare(bytes, WAYS), undefined);
    });
  }
});
