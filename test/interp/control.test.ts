/** Executions: counted exactly, stopped exactly where they are told to, looked at, and run on, on every tier. */
import type { Engine, Execution, Func, HostFunc, Instance, Stop, Value } from '#src/interp/engine.js';
import { v8 } from '#src/interp/v8.js';
import { assert, rejectsCode, suite, throwsCode } from '../support/suite.js';
import { assemble, typeOf, type Instruction, type ModuleSpec } from '../support/wasm.js';
import { KERNELS } from '../support/kernels.js';
import { TIERS } from './engines.js';
import { readFileSync } from 'node:fs';
import { imports } from '../support/restoring.js';

function make(engine: Engine, spec: ModuleSpec | Uint8Array, host: HostFunc['run'] = () => undefined): Instance {
  const bytes = spec instanceof Uint8Array ? spec : assemble(spec);
  return engine.instantiate(engine.compile(bytes), { ...imports([]), host: { print: { kind: 'host', name: 'print', type: typeOf('i:'), run: host } } });
}
const begin = (instance: Instance, name: string, ...args: Value[]): Execution => instance.begin(instance.exports.get(name) as Func, args);
const results = (stop: Stop): readonly Value[] => {
  if (stop.reason !== 'done') throw new Error(`stopped for ${stop.reason}`);
  return stop.results;
};

/** 1 + … + n: `block` and `loop`, then twelve instructions a round, three in the last, and one. */
const SUM: readonly Instruction[] = [
  ['block', ''], ['loop', ''], ['local.get', 0], 'i32.eqz', ['br_if', 1], ['local.get', 1], ['local.get', 0], 'i32.add', ['local.set', 1],
  ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.set', 0], ['br', 0], 'end', 'end', ['local.get', 1],
];
const sumSteps = (n: number): number => 2 + 12 * n + 3 + 1;

/** f calls itself: four instructions at the end of the recursion, thirteen on the way. */
const FIB: readonly Instruction[] = [
  ['local.get', 0], ['i32.const', 2], 'i32.lt_s', ['if', 'i'], ['local.get', 0], 'else',
  ['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 2], ['local.get', 0], ['i32.const', 2], 'i32.sub', ['call', 2], 'i32.add', 'end',
];
const fibSteps = (n: number): number => (n < 2 ? 5 : 13 + fibSteps(n - 1) + fibSteps(n - 2));

const GUEST: ModuleSpec = {
  imports: [{ module: 'host', name: 'print', type: 'i:' }],
  memory: { min: 1 },
  table: [2],
  funcs: [
    { type: 'i:i', locals: 'i', export: 'sum', body: SUM },
    { type: 'i:i', export: 'fib', body: FIB },
    // prints n, n - 1 … 1
    { type: 'i:', export: 'count', body: [['loop', ''], ['local.get', 0], ['call', 0], ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end'] },
    { type: 'i:i', export: 'endless', locals: 'l', body: [['loop', ''], ['local.get', 1], ['i64.const', 1], 'i64.add', ['local.set', 1], ['i32.const', 8], ['local.get', 1], ['i64.store', 0], ['br', 0], 'end', 'unreachable'] },
    { type: 'ii:i', export: 'divide', body: [['f64.const', 0.5], ['local.get', 0], ['local.get', 1], 'i32.div_s', ['i32.const', 1], 'i32.add', ['local.set', 0], 'drop', ['local.get', 0]] },
    { type: 'i:i', export: 'twice', body: [['local.get', 0], ['i32.const', 0], ['call_indirect', 'i:i', 0], ['local.get', 0], ['call', 2], 'i32.add'] },
    { type: 'i:i', export: 'tail', body: [['local.get', 0], ['return_call', 2]] },
  ],
};
const FIB_INDEX = 2, COUNT = 3;

/** Bytes of the instructions of a function, in their order. */
async function offsets(instance: Instance, name: string, arg: Value, n: number): Promise<number[]> {
  const execution = begin(instance, name, arg);
  const found: number[] = [];
  for (let i = 0; i < n; i++) {
    found.push(execution.frames()[0].offset);
    await execution.step();
  }
  return found;
}

for (const engine of TIERS) {
  suite(`${engine.name} control`, (test) => {
    test('Execution.steps counts what a naive count counts', async () => {
      const instance = make(engine, GUEST);
      for (const [name, n, steps] of [['sum', 10, sumSteps(10)], ['sum', 0, sumSteps(0)], ['fib', 9, fibSteps(9)], ['count', 4, 1 + 4 * 7], ['tail', 6, 2 + fibSteps(6)], ['twice', 5, 6 + 2 * fibSteps(5)]] as const) {
        const whole = begin(instance, name, n);
        await whole.run({ fuel: Infinity });
        assert.is(whole.steps, steps, name);
        const single = begin(instance, name, n);
        let singles = 0;
        while ((await single.step()).reason !== 'done') singles++;
        assert.is(singles + 1, steps, name);
        assert.equal(single.results, whole.results);
      }
    });
    test.table(KERNELS.filter((name) => name !== 'host-callback'), (name) => `Execution.run computes the same for ${name}, counted, at full speed, and going from one to the other`, async (name) => {
      const bytes = readFileSync(`fixtures/wasm/${name}.wasm`);
      const execution = begin(make(engine, bytes), 'run', 1);
      const expected = make(engine, bytes).callSync(make(engine, bytes).exports.get('run') as Func, [1]);
      for (let i = 0; i < 20; i++) await execution.step(61 * i);
      assert.equal(results(await execution.run()), expected);
    });
    test('Execution.run with fuel stops behind exactly so many instructions, and goes on', async () => {
      const instance = make(engine, GUEST);
      const total = fibSteps(7);
      for (const fuel of [0, 1, 2, 17, total - 1]) {
        const execution = begin(instance, 'fib', 7);
        assert.equal(await execution.run({ fuel }), { reason: 'fuel' });
        assert.is(execution.steps, fuel);
        assert.equal(await execution.run({ fuel: total - fuel }), { reason: 'done', results: [13] });
        assert.is(execution.steps, total);
      }
    });
    test('call with fuel is a trap when that is spent, and not before', async () => {
      const instance = make(engine, GUEST);
      const fib = instance.exports.get('fib') as Func;
      assert.equal(await instance.call(fib, [7], { fuel: fibSteps(7) }), [13]);
      const error = await rejectsCode(() => instance.call(fib, [7], { fuel: fibSteps(7) - 1 }), 'WASM_EXHAUSTED');
      assert.is(error.message, `trap: fuel exhausted (${fibSteps(7) - 1} instructions)`);
      assert.equal(instance.callSync(fib, [7]), [13]);
    });
    test('Execution.run stops at breakpoints, as often as they are reached', async () => {
      const instance = make(engine, GUEST);
      const execution = begin(instance, 'fib', 6);
      const ns: Value[] = [];
      while ((await execution.run({ breakpoints: [{ func: FIB_INDEX }] })).reason === 'breakpoint') ns.push(execution.frames()[0].locals[0].value);
      // all calls but the outermost, which begins where it stands
      const calls = (n: number): number[] => (n < 2 ? [n] : [n, ...calls(n - 1), ...calls(n - 2)]);
      assert.equal(ns, calls(6).slice(1));
      assert.equal(execution.results, [8]);
      const at = await offsets(instance, 'sum', 3, 16);
      const sum = begin(instance, 'sum', 3);
      const seen: (number | Value)[][] = [];
      // local.set 1
      while ((await sum.run({ breakpoints: [{ func: 1, offset: at[8] }] })).reason === 'breakpoint') seen.push([sum.steps, sum.frames()[0].operands[0].value]);
      assert.equal(seen, [[8, 3], [20, 5], [32, 6]]);
    });
    test('Execution.run with depth steps over calls, and out of them', async () => {
      const execution = begin(make(engine, GUEST), 'twice', 5);
      await execution.step(2);
      assert.equal(await execution.run({ depth: 0 }), { reason: 'depth' });
      assert.is(execution.frames().length, 1);
      assert.equal(execution.frames()[0].operands.map(({ value }) => value), [5]);
      await execution.step(7);
      assert.is(execution.frames().length, 2);
      assert.equal(await execution.run({ depth: 0 }), { reason: 'depth' });
      assert.is(execution.steps, 5 + 2 * fibSteps(5));
    });
    test('Execution.run stops before calls of host functions', async () => {
      const printed: Value[] = [];
      const execution = begin(make(engine, GUEST, (_, [n]) => { printed.push(n); }), 'count', 3);
      for (const n of [3, 2, 1]) {
        assert.equal(await execution.run({ hostCalls: true }), { reason: 'host call' });
        assert.equal(execution.frames()[0].operands, [{ type: 0x7f, value: n }]);
        assert.is(printed.length, 3 - n);
        assert.is(execution.steps, 2 + 7 * (3 - n));
      }
      assert.equal(await execution.run({ hostCalls: true }), { reason: 'done', results: [] });
      assert.equal(printed, [3, 2, 1]);
    });
    test('Execution.run stops at a trap with all that led to it, and lets it pass', async () => {
      const execution = begin(make(engine, GUEST), 'divide', 6, 0);
      const stop = await execution.run({ traps: true });
      assert.is(stop.reason === 'trap' && stop.error.reason, 'integer divide by zero');
      const [frame] = execution.frames();
      assert.equal([frame.locals, frame.operands].map((slots) => slots.map(({ value }) => value)), [[6, 0], [0.5, 6, 0]]);
      assert.is(execution.steps, 4);
      await rejectsCode(() => execution.run(), 'WASM_TRAP', 'trap: integer divide by zero');
      await rejectsCode(() => execution.step(), 'USAGE', 'the call has ended');
    });
    test('Execution.run at full speed stops for its signal in the middle of a loop', async () => {
      const instance = make(engine, GUEST);
      const execution = begin(instance, 'endless', 0);
      for (let i = 0; i < 3; i++) {
        assert.equal(await execution.run({ signal: AbortSignal.timeout(30) }), { reason: 'signal' });
        const [frame] = execution.frames();
        const rounds = frame.locals[1].value as bigint;
        assert.ok(rounds > 1000n, String(rounds));
        assert.ok(rounds - instance.memory!.view.getBigInt64(8, true) <= 1n);
        await execution.step(8);
        assert.is(execution.frames()[0].locals[1].value, rounds + 1n);
      }
      const snapshot = execution.snapshot();
      assert.is(snapshot.frames.length, 1);
    });
    test('Execution.run waits for host functions, and stops for its signal meanwhile', async () => {
      let settle!: () => void;
      const execution = begin(make(engine, GUEST, () => new Promise<void>((resolve) => { settle = resolve; })), 'count', 2);
      const controller = new AbortController();
      const stopped = execution.run({ signal: controller.signal });
      await undefined;
      controller.abort();
      assert.equal(await stopped, { reason: 'signal' });
      assert.equal(execution.frames()[0].operands, []);
      const rest = execution.step();
      await undefined;
      settle();
      assert.equal(await rest, { reason: 'fuel' });
      const done = execution.run();
      for (let i = 0; i < 3; i++) await undefined;
      settle();
      assert.equal(await done, { reason: 'done', results: [] });
    });
    test('executions, and calls between their steps and within their host functions, do not disturb each other', async () => {
      const instance: Instance = make(engine, GUEST, (caller, [n]) => { within.push(caller.callSync(caller.exports.get('fib') as Func, [n])[0]); });
      const within: Value[] = [];
      const a = begin(instance, 'fib', 8), b = begin(instance, 'sum', 100), c = begin(instance, 'count', 9);
      for (const steps of [1, 5, 40, 3, 17]) {
        await Promise.all([a.step(steps), b.step(steps), c.step(steps)]);
        assert.equal(instance.callSync(instance.exports.get('fib') as Func, [10]), [55]);
        assert.equal(await instance.call(instance.exports.get('sum') as Func, [10]), [55]);
      }
      assert.equal([a.steps, b.steps, c.steps], [66, 66, 64]);
      assert.equal((await Promise.all([a.run(), b.run({ fuel: Infinity })])).map(results), [[21], [5050]]);
      assert.equal(within, [34, 21, 13, 8, 5, 3, 2, 1, 1]);
    });
    test('an execution says what is wrong with how it is used', async () => {
      const instance = make(engine, GUEST);
      const execution = begin(instance, 'sum', 3);
      throwsCode(() => instance.begin(make(engine, GUEST).exports.get('fib') as Func, [1]), 'USAGE', 'function "fib" is not of this instance');
      throwsCode(() => begin(instance, 'sum'), 'USAGE', 'function "sum" takes 1 arguments, 0 given');
      await rejectsCode(() => execution.run({ fuel: -1 }), 'USAGE', 'fuel of -1 instructions');
      await rejectsCode(() => execution.run({ breakpoints: [{ func: 0 }] }), 'USAGE', 'breakpoint in function 0, which the module does not define');
      await rejectsCode(() => execution.run({ breakpoints: [{ func: COUNT, offset: 1 }] }), 'USAGE', 'breakpoint at 1 of function 3, where no instruction begins that can be reached');
      const running = execution.run();
      throwsCode(() => execution.frames(), 'USAGE', 'the call is running');
      await running;
      throwsCode(() => execution.snapshot(), 'USAGE', 'the call has ended');
    });
  });
}

suite('v8 control', (test) => {
  test('begin, fuel and restore are not there', async () => {
    const instance = make(v8, GUEST);
    const fib = instance.exports.get('fib') as Func;
    throwsCode(() => instance.begin(fib, [1]), 'UNSUPPORTED', "stopping a call at an instruction in V8's own engine is not supported here");
    await rejectsCode(() => instance.call(fib, [1], { fuel: 10 }), 'UNSUPPORTED', "fuel in V8's own engine is not supported here");
  });
});
