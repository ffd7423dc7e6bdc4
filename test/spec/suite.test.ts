/**
 * The official WebAssembly suite, every command of every script on every tier. Commands that are expected to fail stand in
 * ledger.json, as script -> ranges of command numbers (`0-3,5`): a failure that is not listed fails, and so does a listed command
 * that passes.
 */
import { readFileSync } from 'node:fs';
import { TIER_SUBJECTS } from '../interp/engines.js';
import { assert, suite, type Need } from '../support/suite.js';
import { groupOf, MISSING, runScript, scripts, TITLES } from './official.js';

const OFFICIAL: Need = { name: 'the official suite', missing: MISSING };
const ledger = JSON.parse(readFileSync('test/spec/ledger.json', 'utf8')) as { readonly [script: string]: string };
/** assertions of each kind that the suite has at least */
const LEAST: Readonly<Record<string, number>> = {
  assert_return: 52_000, assert_trap: 4_900, assert_invalid: 2_700, assert_malformed: 700, assert_unlinkable: 200, assert_uninstantiable: 50, assert_exception: 18, assert_exhaustion: 15,
};
const LEAST_TOGETHER = 61_000;

for (const subject of TIER_SUBJECTS) suite(`official suite, ${subject.engine.name}`, (test) => {
  const all = scripts();
  if (all.length === 0) {
    test.needing([OFFICIAL], 'every script', () => assert.unreachable('no scripts'));
    return;
  }
  /** kind -> how many passed */
  const passed = new Map<string, number>(), groups = new Set<string>();
  test.table(all, (name) => name, async (name) => {
    const failed: number[] = [], why: string[] = [];
    for (const { index, command, outcome } of await runScript(name, subject)) {
      groups.add(groupOf(name, command));
      if (outcome.how === 'passed') passed.set(command.type, (passed.get(command.type) ?? 0) + 1);
      else failed.push(index), why.push(`command ${index} (${command.type}): ${outcome.why}`);
    }
    assert.is(ranges(failed), ledger[name] ?? '', why.slice(0, 20).join('\n'));
  });
  test('the ledger names scripts that exist', () => {
    assert.equal(Object.keys(ledger).filter((name) => !all.includes(name)), []);
  });
  test('every group of features has assertions', () => {
    assert.equal(TITLES.filter((title) => !groups.has(title)), []);
  });
  test(`more than ${LEAST_TOGETHER} assertions pass, of every kind`, () => {
    const assertions = [...passed].filter(([kind]) => kind.startsWith('assert_'));
    assert.equal(Object.entries(LEAST).filter(([kind, least]) => (passed.get(kind) ?? 0) < least), []);
    assert.ok(assertions.reduce((sum, [, count]) => sum + count, 0) > LEAST_TOGETHER);
    console.log(`official suite, ${subject.engine.name}: ${assertions.map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  });
});

/** `0-3,5` */
function ranges(indices: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < indices.length;) {
    let j = i;
    while (j + 1 < indices.length && indices[j + 1] === indices[j] + 1) j++;
    parts.push(i === j ? `${indices[i]}` : `${indices[i]}-${indices[j]}`);
    i = j + 1;
  }
  return parts.join();
}
