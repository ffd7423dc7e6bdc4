/** The committed loop is what the generator prints, and stays small enough for V8 to optimise it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { coreSource } from '#src/interp/core-gen.js';
import { coreOp } from '#src/interp/core-ops.js';
import { coreOps } from '#src/interp/core-table.js';
import { assert, suite } from '../support/suite.js';

const FILE = 'src/interp/core.ts';

suite('core', (test) => {
  test('core.ts is what core-gen.ts prints (UPDATE_GOLDEN=1 writes it)', () => {
    if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(FILE, coreSource());
    assert.ok(readFileSync(FILE, 'utf8') === coreSource(), `${FILE} is not what the generator prints: run this test with UPDATE_GOLDEN=1, and build`);
  });
  test('coreOp numbers are distinct and fit the 12 bits of an instruction', () => {
    assert.is(new Set(coreOps().map(({ name }) => name)).size, coreOps().length);
    assert.ok(coreOps().length < 1 << 12);
    assert.throws(() => coreOp('i32.nonsense'), 'bug: no register instruction "i32.nonsense"');
  });
});
