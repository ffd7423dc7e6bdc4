/** Modules that were stopped on the host are continued on this processor, on every tier, and come to the same end. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from '../support/restoring.js';
import { assert, suite } from '../support/suite.js';
import { TIERS } from '../interp/engines.js';
import { FOLDER, MODULES } from './snapshots.js';

suite('lab: snapshots', (test) => {
  test.table(MODULES, (name) => `${name}, stopped on the host, is continued on ${process.arch}`, (name) => {
    const { count, outcome } = JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8')) as { count: number; outcome: Outcome };
    const restored = execFileSync(process.execPath, ['build/test/interp/restore.js', `fixtures/wasm/${name}.wasm`, join(FOLDER, `${name}.snapshots`), ...TIERS.map((tier) => tier.name)], { encoding: 'utf8', maxBuffer: 1 << 28 });
    assert.equal(JSON.parse(restored), Array.from({ length: count }, () => outcome));
  });
});
