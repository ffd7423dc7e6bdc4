/** Fused instructions: when they are made, and that nothing but the speed tells. Every engine test runs with all functions fused, too. */
import { spawnSync } from 'node:child_process';
import type { Trap } from '#src/errors.js';
import type { Engine, Func } from '#src/interp/engine.js';
import type { WasmInstance } from '#src/interp/instance.js';
import { interpreter } from '#src/interp/interpreter.js';
import { runner } from '#src/interp/run.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { assemble, type Instruction } from '../support/wasm.js';
import { fused } from '../support/fused.js';

/** `sum(n)` adds what `at(i)` loads for all i below n; the memory has one page. */
const BODY: readonly Instruction[] = [
  ['loop', ''],
  ['local.get', 2], ['local.get', 1], ['call', 1], 'i32.add', ['local.set', 2],
  ['local.get', 1], ['i32.const', 1], 'i32.add', ['local.tee', 1], ['local.get', 0], 'i32.lt_u', ['br_if', 0],
  'end', ['local.get', 2],
];
const MODULE = assemble({
  memory: { min: 1 },
  data: [{ at: 0, bytes: [1, 2, 3, 4] }],
  funcs: [
    { type: 'i:i', locals: 'ii', export: 'sum', name: 'sum', body: BODY },
    { type: 'i:i', name: 'at', body: [['local.get', 0], ['i32.load8_u', 0]] },
  ],
});
const make = (engine: Engine) => engine.instantiate(engine.compile(MODULE), {}) as WasmInstance;
const sum = (instance: WasmInstance, n: number) => instance.callSync(instance.exports.get('sum') as Func, [n])[0];
const places = (instance: WasmInstance) => throwsCode<Trap>(() => sum(instance, 65_537), 'WASM_TRAP', 'trap: out of bounds memory access (the memory has 65536 bytes)').stackFrames;

suite('fused instructions', (test) => {
  test('a short run makes none, a long one does', () => {
    const instance = make(interpreter);
    assert.is(sum(instance, 1000), 10);
    assert.is(instance.code.fused.length, 0);
    for (let i = 0; i < 10; i++) assert.is(sum(instance, 65_536), 10);
    assert.ok(instance.code.fused.length > 0);
  });
  test('a trap has the same places', () => {
    const expected = places(make(interpreter));
    assert.equal(expected.map(({ name }) => name), ['at', 'sum']);
    assert.equal(places(make(fused)), expected);
  });
  test('a guest that is stopped at every call and back-edge goes on', () => {
    const { maxSlice } = runner;
    runner.maxSlice = 1;
    try {
      assert.is(sum(make(fused), 1000), 10);
    } finally {
      runner.maxSlice = maxSlice;
    }
  });
  test('where code generation is forbidden there are none, and the guest runs', () => {
    const program = `import { interpreter } from '${new URL('../../../dist/es/interp/interpreter.js', import.meta.url).href}';
      const instance = interpreter.instantiate(interpreter.compile(Uint8Array.from(${JSON.stringify([...MODULE])})), {});
      let sum = 0;
      for (let i = 0; i < 10; i++) sum += instance.callSync(instance.exports.get('sum'), [65536])[0];
      console.log(sum, instance.code.fused.length);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', '--input-type=module', '-e', program], { encoding: 'utf8' });
    assert.is(stdout, '100 0\n', stderr);
  });
});
