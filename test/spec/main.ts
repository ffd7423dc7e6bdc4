/**
 * The official suite as a report: `npm run test:spec [-- --json]`. Per group of features and per tier how many assertions passed,
 * failed and were skipped; V8's own engine beside them, for information: this Node's V8 does not have all of WebAssembly. Status
 * 1 where a tier fails or skips anything, 2 where the suite is not here.
 */
// gives V8 what it has behind flags
import '../fuzz/v8.js';
import { ENGINES, TIER_SUBJECTS } from '../interp/engines.js';
import { counts, groupOf, MISSING, runScript, scripts, TITLES } from './official.js';
import type { Outcome } from './script.js';

/** failures that are spelled out, of each engine */
const MOST_TOLD = 20;
const TOTAL = 'together';

const json = process.argv.includes('--json');
if (MISSING !== undefined) {
  console.error(`the official suite is not here: ${MISSING} (WASM_TESTSUITE names another folder)`);
  process.exit(2);
}

type Tally = Record<Outcome['how'], number>;
const report: Record<string, Record<string, Tally>> = Object.fromEntries([...TITLES, TOTAL].map((title) => [title, {}]));
const troubles: Record<string, string[]> = {};
for (const subject of ENGINES) {
  const { name } = subject.engine;
  if (!json) process.stderr.write(`… ${name}\n`);
  for (const title of Object.keys(report)) report[title][name] = { passed: 0, failed: 0, skipped: 0 };
  troubles[name] = [];
  for (const script of scripts()) {
    for (const result of await runScript(script, subject)) {
      const { index, command, outcome } = result;
      if (!counts(result)) continue;
      for (const title of [groupOf(script, command), TOTAL]) report[title][name][outcome.how]++;
      if (outcome.how === 'failed' || outcome.how === 'skipped' && TIER_SUBJECTS.includes(subject)) troubles[name].push(`${script}, command ${index} (${command.type}) ${outcome.how}: ${outcome.why}`);
    }
  }
}
const good = TIER_SUBJECTS.every(({ engine: { name } }) => report[TOTAL][name].failed + report[TOTAL][name].skipped === 0);

if (json) process.stdout.write(`${JSON.stringify({ good, groups: report, troubles }, null, 1)}\n`);
else {
  const head = ['passed / failed / skipped', ...ENGINES.map(({ engine }) => engine.name)];
  const rows = Object.entries(report).map(([title, tallies]) => [title, ...ENGINES.map(({ engine }) => cell(tallies[engine.name]))]);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  for (const row of [head, ...rows]) console.log(row.map((text, i) => i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])).join('   '));
  for (const [name, lines] of Object.entries(troubles)) {
    for (const line of lines.slice(0, MOST_TOLD)) console.log(`${name}: ${line}`);
    if (lines.length > MOST_TOLD) console.log(`${name}: … and ${lines.length - MOST_TOLD} more`);
  }
  console.log('v8 is for information. The suite has no scripts for threads and for legacy exceptions: test/interp/atomic.test.ts and exceptions.test.ts are their tests.');
}
process.exitCode = good ? 0 : 1;

function cell({ passed, failed, skipped }: Tally): string {
  return `${passed} / ${failed} / ${skipped}`;
}
