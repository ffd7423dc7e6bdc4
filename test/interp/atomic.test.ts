/** Atomic instructions: each against V8's own on the same memory, their traps, waiting and waking. */
import type { Func, Instance, Value } from '#src/interp/engine.js';
import { ROWS, type Mnemonic } from '#src/interp/opcodes.js';
import { v8 } from '#src/interp/v8.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { assemble, type Instruction, type ModuleSpec } from '../support/wasm.js';
import { TIERS } from './engines.js';

/** natural alignment is part of the instruction, and must be given: log2 of the bytes behind `memarg` */
const aligned = (name: Mnemonic, offset: number): Instruction => [name, offset, 0, Math.log2(Number(ROWS.find((row) => row[1] === name)![2].slice('memarg'.length)))];
const ACCESSES = ROWS.filter(([, name]) => /\.atomic\.(?:load|store|rmw)/.test(name));
const VALUES = [0n, 1n, 0x7fn, 0x80n, -1n, 0x1_8000_8080n, 0x0123_4567_89ab_cdefn, -(2n ** 63n)];

/** `f(address, a, b)`, the operands of its type as i64 */
function accessOf([, name, , signature]: (typeof ACCESSES)[number]): ModuleSpec {
  const [params, result] = signature.split(':');
  const operands = [...params.slice(1)].flatMap((letter, i): Instruction[] => letter === 'i' ? [['local.get', 1 + i], 'i32.wrap_i64'] : [['local.get', 1 + i]]);
  const tail: Instruction[] = result === 'i' ? ['i64.extend_i32_u'] : result === '' ? [['i64.const', 0n]] : [];
  return { memory: { min: 1 }, funcs: [{ type: 'ill:l', export: 'f', body: [['local.get', 0], ...operands, aligned(name, 8), ...tail] }] };
}

for (const engine of TIERS) suite(`atomics: ${engine.name}`, (test) => {
  const make = (spec: ModuleSpec): Instance => engine.instantiate(engine.compile(assemble(spec)), {});
  const run = (instance: Instance, ...args: Value[]): Value[] => instance.callSync(instance.exports.get('f') as Func, args);

  test.table(ACCESSES, ([, name]) => `${name} does what it does in V8`, (row) => {
    const bytes = assemble(accessOf(row));
    const ours = engine.instantiate(engine.compile(bytes), {}), theirs = v8.instantiate(v8.compile(bytes), {});
    for (const [i, a] of VALUES.entries()) {
      for (const b of VALUES) {
        for (const instance of [ours, theirs]) instance.memory!.view.setBigInt64(24, VALUES[(i + 3) % VALUES.length], true);
        assert.equal(run(ours, 16, a, b), run(theirs, 16, a, b));
        assert.equal([...ours.memory!.bytes.subarray(16, 40)], [...theirs.memory!.bytes.subarray(16, 40)]);
      }
      // what is there is what is expected
      for (const instance of [ours, theirs]) instance.memory!.view.setBigInt64(24, a, true);
      assert.equal([run(ours, 16, a, 5n)[0], ours.memory!.view.getBigInt64(24, true)], [run(theirs, 16, a, 5n)[0], theirs.memory!.view.getBigInt64(24, true)]);
    }
    if (row[2] !== 'memarg1') throwsCode(() => run(ours, 17, 0n, 0n), 'WASM_TRAP', 'trap: unaligned atomic');
    throwsCode(() => run(ours, 0x10000, 0n, 0n), 'WASM_TRAP', 'trap: out of bounds memory access (the memory has 65536 bytes)');
  });

  const WAITS = (shared: boolean): ModuleSpec => ({ memory: { min: 1, max: 1, shared }, funcs: [
    { type: 'iil:i', export: 'f', body: [['local.get', 0], ['local.get', 1], ['local.get', 2], aligned('memory.atomic.wait32', 0)] },
    { type: 'ii:i', export: 'wake', body: ['atomic.fence', ['local.get', 0], ['local.get', 1], aligned('memory.atomic.notify', 0)] },
    { type: 'ill:i', export: 'wait64', body: [['local.get', 0], ['local.get', 1], ['local.get', 2], aligned('memory.atomic.wait64', 0)] },
  ] });
  test('wait gives 1 where the value is another one, and 2 when its time is over', async () => {
    const instance = make(WAITS(true));
    assert.equal(run(instance, 8, 5, -1n), [1]);
    assert.equal(await instance.call(instance.exports.get('f') as Func, [8, 0, 1_000_000n]), [2]);
    assert.equal(await instance.call(instance.exports.get('wait64') as Func, [8, 0n, 0n]), [2]);
  });
  test('notify wakes as many as it is told, the longest waiting first', async () => {
    const instance = make(WAITS(true));
    const order: number[] = [];
    const sleepers = [0, 1, 2].map(async (i) => {
      const [result] = await instance.call(instance.exports.get('f') as Func, [8, 0, -1n]);
      order.push(i);
      return result;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const wake = (at: number, n: number) => instance.callSync(instance.exports.get('wake') as Func, [at, n])[0];
    assert.equal([wake(12, 9), wake(8, 2)], [0, 2]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(order, [0, 1]);
    assert.is(wake(8, -1), 1);
    assert.equal(await Promise.all(sleepers), [0, 0, 0]);
  });
  test('wait traps on a memory that is not shared', () => {
    throwsCode(() => run(make(WAITS(false)), 8, 0, 0n), 'WASM_TRAP', 'trap: expected shared memory');
  });
  test('notify traps outside of the memory, and where the address is not aligned', () => {
    const instance = make(WAITS(false));
    const wake = (at: number) => instance.callSync(instance.exports.get('wake') as Func, [at, 0]);
    throwsCode(() => wake(0x10000), 'WASM_TRAP', 'trap: out of bounds memory access (65536, the memory has 65536 bytes)');
    throwsCode(() => wake(2), 'WASM_TRAP', 'trap: unaligned atomic');
  });
  test('what is not aligned naturally is refused', () => {
    const error = throwsCode(() => make({ memory: { min: 1 }, funcs: [{ type: ':', body: [['i32.const', 0], ['i32.atomic.load', 0], 'drop'] }] }), 'WASM_INVALID');
    assert.match(error.message, 'atomic alignment must be natural (2^0, natural is 2^2)');
  });
  test('a shared memory needs a maximum', () => {
    const error = throwsCode(() => make({ memory: { min: 1, shared: true }, funcs: [] }), 'WASM_INVALID');
    assert.match(error.message, 'shared memory must have maximum');
  });
});
