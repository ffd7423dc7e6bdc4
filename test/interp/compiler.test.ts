/** What only the engines that compile do: what is compiled and what is left, and frames that change tiers in every way there is. */
import { ExhaustedError, Trap } from '#src/errors.js';
import { compiler, compilerWith, mixed } from '#src/interp/compiler.js';
import type { Engine, Extern, Func, GuestCall, HostFunc, HostResult, Imports, Value } from '#src/interp/engine.js';
import type { WasmInstance } from '#src/interp/instance.js';
import { runner } from '#src/interp/run.js';
import { assert, rejectsCode, suite, throwsCode } from '../support/suite.js';
import { assemble, typeOf, type FuncSpec, type Instruction, type ModuleSpec } from '../support/wasm.js';

const make = (spec: ModuleSpec, imports: Imports = {}, engine: Engine = compiler) =>
  engine.instantiate(engine.compile(assemble(spec)), imports) as WasmInstance;
const func = (instance: WasmInstance, name: string) => instance.exports.get(name) as Func;
const host = (type: string, run: (args: readonly Value[]) => HostResult): HostFunc => ({ kind: 'host', type: typeOf(type), name: 'host', run: (_, args) => run(args) });
const env = (h: Extern): Imports => ({ env: { h } });
const times = (n: number, body: readonly Instruction[]): Instruction[] => Array.from({ length: n }, () => body).flat();
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** f(n) = n === 0 ? h(5) : f(n - 1) + n, with a value of each kind on the operand stack and in locals across the call. */
const DEEP: ModuleSpec = {
  imports: [{ module: 'env', name: 'h', type: 'i:i' }],
  funcs: [{
    type: 'i:i', locals: 'ilfd', export: 'f', name: 'f',
    body: [
      ['local.get', 0], 'i64.extend_i32_s', ['local.set', 2], ['local.get', 0], 'f32.convert_i32_s', ['local.set', 3], ['local.get', 0], 'f64.convert_i32_s', ['local.tee', 4],
      ['f64.const', 0.5], 'f64.mul', ['local.get', 2], ['i64.const', 3n], 'i64.mul', ['local.get', 3], ['f32.const', 2], 'f32.div', ['local.get', 0], ['i32.const', 7], 'i32.mul',
      ['local.get', 0], ['if', 'i'], ['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 1], 'else', ['i32.const', 5], ['call', 0], 'end',
      ['local.get', 0], 'i32.add', ['local.set', 1],
      // what was below the call, and the locals, have to be what they were
      ['local.get', 0], ['i32.const', 7], 'i32.mul', 'i32.ne', ['if', ''], 'unreachable', 'end',
      ['local.get', 3], ['f32.const', 2], 'f32.div', 'f32.ne', ['if', ''], 'unreachable', 'end',
      ['local.get', 2], ['i64.const', 3n], 'i64.mul', 'i64.ne', ['if', ''], 'unreachable', 'end',
      ['local.get', 4], ['f64.const', 0.5], 'f64.mul', 'f64.ne', ['if', ''], 'unreachable', 'end',
      ['local.get', 1],
    ],
  }],
};
const sum = (n: number) => n * (n + 1) / 2;

suite('compiler', (test) => {
  test('the limit codeSize leaves what comes later to the interpreter', () => {
    const spec: ModuleSpec = { funcs: [
      { type: 'i:i', export: 'f', body: [['local.get', 0], ['call', 1], ['call', 2]] },
      { type: 'i:i', body: [['local.get', 0], ['i32.const', 3], 'i32.mul'] },
      { type: 'i:i', locals: 'i', body: [['loop', ''], ['local.get', 1], ['local.get', 0], 'i32.add', ['local.set', 1], ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end', ['local.get', 1]] },
    ] };
    const counts = [0, 1, 2 ** 20].map((codeSize) => {
      const i = compiler.instantiate(compiler.compile(assemble(spec)), {}, { limits: { codeSize } }) as WasmInstance;
      for (let round = 0; round < 3; round++) assert.equal(i.callSync(func(i, 'f'), [100]), [sum(300)]);
      return [i.tier!.compiled, i.tier!.refused];
    });
    assert.equal(counts, [[0, 3], [1, 2], [3, 0]]);
  });
  test('another instance of a module has functions of the same source, with a memory and a global of its own', () => {
    const module = compiler.compile(assemble({ memory: { min: 1 }, globals: [{ type: 'i', mutable: true, init: ['i32.const', 5] }], funcs: [{ type: 'i:i', export: 'f', body: [
      ['i32.const', 8], ['i32.const', 8], ['i32.load', 0], ['local.get', 0], 'i32.add', ['i32.store', 0],
      ['global.get', 0], ['local.get', 0], 'i32.add', ['global.set', 0], ['i32.const', 8], ['i32.load', 0], ['global.get', 0], 'i32.add',
    ] }] }));
    const [a, b] = [0, 1].map(() => compiler.instantiate(module, {}) as WasmInstance);
    assert.equal([a.callSync(func(a, 'f'), [1]), a.callSync(func(a, 'f'), [1]), b.callSync(func(b, 'f'), [2])], [[7], [9], [9]]);
    assert.equal([a.tier!.compiled, b.tier!.compiled], [1, 1]);
  });
  test('compiles what is called, and nothing else', () => {
    const i = make({ funcs: [{ type: ':i', export: 'f', body: [['call', 1]] }, { type: ':i', body: [['i32.const', 7]] }, { type: ':', body: [] }] });
    assert.is(i.tier!.compiled, 0);
    assert.equal(i.callSync(func(i, 'f'), []), [7]);
    assert.is(i.tier!.compiled, 2);
    assert.is(i.tier!.refused, 0);
  });
  test('mixed leaves what does not run often to the interpreter', () => {
    const i = make({ funcs: [{ type: ':i', export: 'f', body: [['i32.const', 7]] }] }, {}, mixed);
    for (let round = 0; round < 50; round++) {
      assert.equal(i.callSync(func(i, 'f'), []), [7]);
      assert.is(i.tier!.compiled, 0);
    }
    i.callSync(func(i, 'f'), []);
    assert.is(i.tier!.compiled, 1);
  });
  test('a function with references is compiled like the one that calls it', () => {
    const i = make({ table: [1], funcs: [
      { type: 'i:i', export: 'f', body: [['local.get', 0], ['call', 1], ['local.get', 0], 'i32.add'] },
      { type: 'i:i', body: [['i32.const', 0], ['table.get', 0], 'ref.is_null', ['i32.const', 20], 'i32.add'] },
    ] });
    for (let round = 0; round < 3; round++) assert.equal(i.callSync(func(i, 'f'), [round]), [20 + round]);
    assert.equal([i.tier!.compiled, i.tier!.refused], [2, 0]);
  });
  test.table<readonly [string, FuncSpec['body'], number, number]>([
    ['a function that V8 would not optimise stays with the interpreter', [['local.get', 0], ...times(5000, [['i32.const', 1], 'i32.add'])], 5001, 1],
    ['blocks nested too deep for a parser stay with the interpreter', [...times(2000, [['block', '']]), ...times(2000, ['end']), ['local.get', 0]], 1, 1],
    ['an expression nested deep is taken apart', [...times(200, [['local.get', 0]]), ...times(199, ['i32.add'])], 200, 0],
  ], ([what]) => what, ([, body, result, refused]) => {
    const i = make({ funcs: [{ type: 'i:i', export: 'f', body }] });
    assert.equal(i.callSync(func(i, 'f'), [1]), [result]);
    assert.is(i.tier!.refused, refused);
  });
  test('a trap tells its byte within an expression', () => {
    const i = make({ memory: { min: 1 }, funcs: [{ type: 'ii:i', export: 'f', name: 'f', body: [
      ['local.get', 0], ['i32.load', 0], ['local.get', 1], ['i32.load', 0], 'i32.add', ['local.get', 0], ['local.get', 1], 'i32.div_s', 'i32.add',
    ] }] });
    const at = (args: readonly Value[]) => throwsCode<Trap>(() => i.callSync(func(i, 'f'), args), 'WASM_TRAP').stackFrames.map(({ offset }) => offset - i.module.codes[0].start);
    assert.equal([at([-1, 0]), at([0, -1]), at([0, 0])], [[2], [7], [15]]);
  });
  test('what is evaluated before a store is not evaluated behind it', () => {
    const i = make({ memory: { min: 1 }, funcs: [{ type: 'i:i', export: 'f', body: [
      ['i32.const', 8], ['i32.load', 0], ['i32.const', 8], ['local.get', 0], ['i32.store', 0], ['i32.const', 8], ['i32.load', 0], ['i32.const', 10], 'i32.mul', 'i32.add',
    ] }] });
    assert.equal([i.callSync(func(i, 'f'), [3]), i.callSync(func(i, 'f'), [4])], [[30], [43]]);
  });
  test('memory that grows is seen at once, whoever grows it', () => {
    const i = make({ imports: [{ module: 'env', name: 'h', type: ':' }], memory: { min: 1, export: 'm' } as never, funcs: [
      { type: 'i:i', export: 'f', body: [['i32.const', 1], 'memory.grow', 'drop', ['local.get', 0], ['local.get', 0], ['i32.store', 0], ['call', 0], ['local.get', 0], ['i32.load', 65536]] },
    ] }, env(host(':', () => { i.memory!.grow(1); i.memory!.view.setInt32(65600 + 65536, 77, true); })));
    assert.equal(i.callSync(func(i, 'f'), [65600]), [77]);
    assert.is(i.memory!.size, 3 * 65536);
  });
});

suite('compiler frames', (test) => {
  test('a host function that waits far up the stack has every frame leave, and every frame goes on', async () => {
    const i = make(DEEP, env(host('i:i', async ([n]) => { await pause(1); return n; })));
    for (const depth of [0, 1, 1000]) assert.equal(await i.call(func(i, 'f'), [depth]), [5 + sum(depth)]);
  });
  test('recursion deeper than the stack of JavaScript goes on, up to the depth that the interpreter has', () => {
    const i = make(DEEP, env(host('i:i', ([n]) => n)));
    assert.equal(i.callSync(func(i, 'f'), [30_000]), [5 + sum(30_000)]);
    const error = throwsCode<ExhaustedError>(() => i.callSync(func(i, 'f'), [200_000]), 'WASM_EXHAUSTED');
    assert.is(error.stackFrames.length, 200);
    assert.ok(error.stackFrames.every(({ name }) => name === 'f'));
  });
  test('recursion of a function with many temporaries does not overflow the stack of JavaScript', () => {
    const wide: Instruction[] = [...times(180, [['local.get', 0], ['i32.const', 3], 'i32.xor']), ...times(179, ['i32.add'])];
    const i = make({ funcs: [{ type: 'i:i', locals: 'i'.repeat(100), export: 'f', body: [['local.get', 0], ['if', 'i'], ...wide, ['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 0], 'i32.add', 'else', ['i32.const', 0], 'end'] }] });
    let expected = 0;
    for (let n = 1; n <= 3000; n++) expected = (expected + 180 * (n ^ 3)) | 0;
    assert.equal(i.callSync(func(i, 'f'), [3000]), [expected]);
  });
  test('a generator calls compiled functions above the caller’s frames, and may wait in between', async () => {
    const i: WasmInstance = make({ ...DEEP, funcs: [...DEEP.funcs!, { type: 'i:i', export: 'g', name: 'g', body: [['local.get', 0], ['i32.const', 2], 'i32.mul'] }] }, env(host('i:i', function* ([n]): Generator<GuestCall | Promise<unknown>, number, unknown> {
      const [a] = (yield { func: func(i, 'g'), args: [n] }) as number[];
      yield pause(1);
      const [b] = (yield { func: func(i, 'g'), args: [a] }) as number[];
      return b;
    })));
    assert.equal(await i.call(func(i, 'f'), [50]), [20 + sum(50)]);
  });
  test('a trap above a generator above compiled frames shows all of them', () => {
    const i: WasmInstance = make({ ...DEEP, funcs: [...DEEP.funcs!, { type: 'i:i', export: 't', name: 't', body: ['unreachable'] }] }, env(host('i:i', function* ([n]): Generator<GuestCall, number, unknown> {
      yield { func: func(i, 't'), args: [n] };
      return 0;
    })));
    const { stackFrames } = throwsCode<Trap>(() => i.callSync(func(i, 'f'), [2]), 'WASM_TRAP', 'trap: unreachable');
    assert.equal(stackFrames.map(({ name }) => name), ['t', 'f', 'f', 'f']);
  });
  test('an endless recursion of calls without a loop is interrupted', async () => {
    // 2^40 calls
    const i = make({ funcs: [{ type: 'i:i', export: 'f', name: 'f', body: [['local.get', 0], ['if', 'i'], ...times(2, [['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 0]]), 'i32.add', 'else', ['i32.const', 1], 'end'] }] });
    const abort = new AbortController();
    setTimeout(() => abort.abort('enough'), 30);
    await rejectsCode(() => i.call(func(i, 'f'), [40], { signal: abort.signal }), 'INTERRUPTED', 'interrupted: enough');
  });
  test('loops within loops are taken over at each header', () => {
    const engine = compilerWith('small slices', { calls: 0, loops: 0 });
    const i = make({ funcs: [{ type: 'i:i', locals: 'iil', export: 'f', body: [
      ['loop', ''],
      ['i32.const', 3], ['local.set', 1],
      ['block', ''], ['local.get', 0], ['i32.const', 3], 'i32.and', ['br_if', 0],
      ['loop', ''], ['local.get', 3], ['i64.const', 1n], 'i64.add', ['local.set', 3], ['local.get', 1], ['i32.const', 1], 'i32.sub', ['local.tee', 1], ['br_if', 0], 'end', 'end',
      ['local.get', 2], ['local.get', 0], 'i32.add', ['local.set', 2],
      ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end',
      ['local.get', 2], ['local.get', 3], 'i32.wrap_i64', 'i32.add',
    ] }] }, {}, engine);
    const { maxSlice } = runner;
    try {
      for (const slice of [1, 2, 3, 7]) {
        runner.maxSlice = slice;
        assert.equal(i.callSync(func(i, 'f'), [40]), [sum(40) + 30]);
      }
    } finally {
      runner.maxSlice = maxSlice;
    }
  });
});
