/**
 * The official WebAssembly suite, every command of every script. What needs features that the engine does not have stands in
 * ledger.json, script by script and feature by feature, as ranges of command numbers: a failure that is not listed fails, and
 * so does a listed command that passes. UPDATE_GOLDEN=1 writes the ledger anew; failures that no feature explains never get in.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { assert, suite, type Need } from '../support/suite.js';
import { TIERS } from '../interp/engines.js';
import { ScriptRun, type Script } from './script.js';

const DIR = process.env['WASM_TESTSUITE'] ?? '../shared/wasm-testsuite';
const LEDGER = 'test/spec/ledger.json';
const OFFICIAL: Need = { name: 'the official suite', missing: existsSync(DIR) ? undefined : `no ${DIR}` };

type Ledger = { [script: string]: { [feature: string]: string } };
const ledger = JSON.parse(readFileSync(LEDGER, 'utf8')) as Ledger;
const update = process.env['UPDATE_GOLDEN'] !== undefined;

/** kind of command -> [passed, all] */
const totals = new Map<string, [number, number]>();
const rewritten: Ledger = {};

for (const engine of TIERS) suite(`official suite, ${engine.name}`, (test) => {
  const scripts = OFFICIAL.missing === undefined ? readdirSync(DIR).filter((file) => file.endsWith('.json')).sort() : [];
  if (scripts.length === 0) {
    test.needing([OFFICIAL], 'every script', () => assert.unreachable('no scripts'));
    return;
  }
  test.table(scripts, (file) => file.replace('.json', ''), async (file) => {
    const script = JSON.parse(readFileSync(`${DIR}/${file}`, 'utf8')) as Script;
    const run = new ScriptRun(script, engine);
    const byFeature = new Map<string, number[]>();
    const unexplained: string[] = [];
    for (const [index, command] of script.commands.entries()) {
      const outcome = await run.run(command);
      const total = totals.get(command.type) ?? totals.set(command.type, [0, 0]).get(command.type)!;
      total[1]++;
      if (outcome.ok) total[0]++;
      else if (outcome.feature === undefined) unexplained.push(`command ${index} (${command.type}): ${outcome.why}`);
      else byFeature.set(outcome.feature, [...byFeature.get(outcome.feature) ?? [], index]);
    }
    assert.is(unexplained.slice(0, 20).join('\n'), '');
    const found = Object.fromEntries([...byFeature].sort(([a], [b]) => a < b ? -1 : 1).map(([feature, indices]) => [feature, ranges(indices)]));
    if (byFeature.size > 0) rewritten[script.source] = found;
    if (!update) assert.equal(found, ledger[script.source] ?? {});
  });
  test('the ledger names scripts that exist', () => {
    const sources = new Set(scripts.map((file) => file.replace('.json', '.wast')));
    assert.equal(Object.keys(ledger).filter((source) => !sources.has(source)), []);
  });
  test('most of the suite passes', () => {
    if (update) writeFileSync(LEDGER, Object.keys(rewritten).length === 0 ? '{}\n' : `{\n${Object.entries(rewritten).map(([source, features]) => `  ${JSON.stringify(source)}: ${JSON.stringify(features)}`).join(',\n')}\n}\n`);
    console.log(`official suite, ${engine.name}: ${[...totals].map(([kind, [passed, all]]) => `${kind} ${passed} of ${all}`).join(', ')}`);
    assert.ok(totals.get('assert_return')![0] > 20_000);
    totals.clear();
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
