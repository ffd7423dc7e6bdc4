/** Every engine as the rest of the project meets it: values, traps with stacks, host functions, interruption, limits. */
import { ExhaustedError, Interrupted, Trap } from '#src/errors.js';
import type { Extern, Func, Global, GuestCall, HostFunc, HostResult, Imports, Instance, Limits, Value } from '#src/interp/engine.js';
import type { WasmInstance } from '#src/interp/instance.js';
import { FUNCREF, I32 } from '#src/interp/types.js';
import { assert, rejectsCode, sameBits, suite, throwsCode } from '../support/suite.js';
import { ENGINES, type Subject } from './engines.js';
import { assemble, typeOf, type FuncSpec, type ModuleSpec } from '../support/wasm.js';

const func = (instance: Instance, name: string) => instance.exports.get(name) as Func;
const host = (type: string, run: (args: readonly Value[], caller: Instance) => HostResult, name = 'host'): HostFunc =>
  ({ kind: 'host', type: typeOf(type), name, run: (caller, args) => run(args, caller) });
const env = (items: { readonly [item: string]: Extern }): Imports => ({ env: items });
const one = (type: string, body: FuncSpec['body'], more: ModuleSpec = {}): ModuleSpec => ({ ...more, funcs: [{ type, body, export: 'f' }, ...more.funcs ?? []] });
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** f(n) = n === 0 ? 0 : 1 + f(n - 1) */
const RECURSION: FuncSpec = {
  type: 'i:i', export: 'down', name: 'down',
  body: [['local.get', 0], ['if', 'i'], ['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 0], ['i32.const', 1], 'i32.add', 'else', ['i32.const', 0], 'end'],
};
const ENDLESS: FuncSpec = { type: ':', export: 'endless', name: 'endless', body: [['loop', ''], ['br', 0], 'end'] };

/** Imports `h` (i:i) as function 0; `f` calls it and adds 1; `g` is its own function that doubles; `t` traps. */
const CALLBACK: ModuleSpec = {
  imports: [{ module: 'env', name: 'h', type: 'i:i' }],
  funcs: [
    { type: 'i:i', export: 'f', name: 'f', body: [['local.get', 0], ['call', 0], ['i32.const', 1], 'i32.add'] },
    { type: 'i:i', export: 'g', name: 'g', body: [['local.get', 0], ['i32.const', 2], 'i32.mul'] },
    { type: 'i:i', export: 't', name: 't', body: ['unreachable'] },
    { type: 'i:i', export: 'nest', name: 'nest', body: [['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 0], ['i32.const', 100], 'i32.add'] },
  ],
};

for (const subject of ENGINES) tests(subject);

function tests({ engine, parts, suspends, deepest, boundsDepth, reasonOf }: Subject): void {
  const make = (spec: ModuleSpec, imports: Imports = {}, limits: Partial<Limits> = {}): Instance =>
    engine.instantiate(engine.compile(assemble(spec)), imports, { limits });

  suite(`${engine.name} values`, (test) => {
    test('callSync gives i32 as signed numbers and i64 as signed bigints', () => {
      const i = make({ funcs: [{ type: ':il', export: 'f', body: [['i32.const', -1], ['i64.const', -1n]] }] });
      assert.equal(i.callSync(func(i, 'f'), []), [-1, -1n]);
    });
    test('callBits keeps the bits of a signalling f32 NaN', () => {
      const i = make(one('f:f', [['local.get', 0]])) as WasmInstance;
      assert.equal(i.callBits(func(i, 'f'), [0x7fa00001]), [0x7fa00001]);
      const d = make(one('dfi:idf', [['local.get', 2], ['local.get', 0], ['local.get', 1]])) as WasmInstance;
      assert.equal(d.callBits(func(d, 'f'), [0x7ff4_0000_0000_0001n, 0x7fa00001, -7]), [-7, 0x7ff4_0000_0000_0001n, 0x7fa00001]);
    });
    test('v128 goes in and out as sixteen bytes, beside other values, to host functions too', () => {
      const bytes = (from: number) => Uint8Array.from({ length: 16 }, (_, i) => from + i);
      const seen: Value[][] = [];
      const h = host('vi:iv', (args) => { seen.push([...args]); return [args[1], bytes(100)]; });
      const i = make({ imports: [{ module: 'env', name: 'h', type: 'vi:iv' }], funcs: [{ type: 'iv:iv', export: 'f', body: [['local.get', 1], ['local.get', 0], ['call', 0]] }] }, env({ h }));
      assert.equal(i.callSync(func(i, 'f'), [5, bytes(0)]), [5, bytes(100)]);
      assert.equal(seen, [[bytes(0), 5]]);
    });
    test('f64 zero keeps its sign through select, locals and a call', () => {
      const i = make({ funcs: [
        { type: 'di:d', export: 'f', locals: 'd', body: [['local.get', 0], ['f64.const', 1], ['local.get', 1], 'select', ['local.set', 2], ['local.get', 2], ['call', 1]] },
        { type: 'd:d', body: [['local.get', 0]] },
      ] });
      sameBits(i.callSync(func(i, 'f'), [-0, 1])[0] as number, -0);
    });
    test('call refuses arguments of another number or kind', () => {
      const i = make(one('l:l', [['local.get', 0]]));
      throwsCode(() => i.callSync(func(i, 'f'), []), 'USAGE', 'function "f" takes 1 arguments, 0 given');
      throwsCode(() => i.callSync(func(i, 'f'), [1]), 'USAGE', 'argument 0 of function "f": number given, bigint (i64) wanted');
    });
    test('call refuses a function of another engine', () => {
      const i = make(one(':', []));
      throwsCode(() => i.callSync({ kind: 'func', type: typeOf(':'), name: 'x' }, []), 'USAGE', 'this function belongs to another engine');
    });
    test('a local.set between a local.get and its use does not change what was got', () => {
      const i = make({ funcs: [{ type: 'i:i', export: 'f', body: [['local.get', 0], ['i32.const', 5], ['local.set', 0], ['local.get', 0], ['i32.const', 10], 'i32.mul', 'i32.add'] }] });
      assert.equal(i.callSync(func(i, 'f'), [3]), [53]);
    });
    test('results of a block are where its branches meet, whatever stands below', () => {
      const i = make({ funcs: [{ type: 'i:i', export: 'f', body: [
        ['i32.const', 1000], ['block', 'i'], ['i32.const', 7], ['i32.const', 8], ['local.get', 0], ['br_if', 0], 'drop', ['br', 0], 'end', 'i32.add',
      ] }] });
      assert.equal(i.callSync(func(i, 'f'), [1]), [1008]);
      assert.equal(i.callSync(func(i, 'f'), [0]), [1007]);
    });
    if (boundsDepth) test('a frame of more than 65535 slots is answered with exhaustion', () => {
      const many = Array.from({ length: 70_000 }, (): ['i32.const', number] => ['i32.const', 1]);
      const i = make({ funcs: [{ type: ':', export: 'f', body: [['local.get', 0] as const, ...many].slice(1).concat(many.map(() => 'drop' as never)) }] });
      throwsCode(() => i.callSync(func(i, 'f'), []), 'WASM_EXHAUSTED', 'trap: call stack exhausted (function 0 needs 70001 slots, a frame has 65535 at most)');
    });
  });

  suite(`${engine.name} traps`, (test) => {
    test.table([
      ['integer divide by zero', one('ii:i', [['local.get', 0], ['local.get', 1], 'i32.div_s']), [1, 0]],
      ['integer overflow', one('ii:i', [['local.get', 0], ['local.get', 1], 'i32.div_s']), [-0x80000000, -1]],
      ['integer overflow', one('ll:l', [['local.get', 0], ['local.get', 1], 'i64.div_s']), [-(2n ** 63n), -1n]],
      ['invalid conversion to integer', one('d:i', [['local.get', 0], 'i32.trunc_f64_u']), [NaN]],
      ['integer overflow', one('d:l', [['local.get', 0], 'i64.trunc_f64_s']), [2 ** 63]],
      ['unreachable', one(':', ['unreachable']), []],
      ['out of bounds memory access', one('i:l', [['local.get', 0], ['i64.load', 0]], { memory: { min: 1 } }), [65529]],
      ['out of bounds memory access', one('i:i', [['local.get', 0], ['i32.load', 0xffffffff]], { memory: { min: 1 } }), [-1]],
      ['undefined element', one('i:', [['local.get', 0], ['call_indirect', ':']], { table: [0] }), [1]],
      ['uninitialized element', one('i:', [['local.get', 0], ['call_indirect', ':']], { table: [null] }), [0]],
      ['indirect call type mismatch', one('i:', [['local.get', 0], ['call_indirect', ':']], { table: [0] }), [0]],
      ['out of bounds table access', one('i:i', [['local.get', 0], ['table.get', 0], 'ref.is_null'], { table: [0] }), [-1]],
    ] as const satisfies readonly (readonly [string, ModuleSpec, readonly Value[]])[], ([reason, , args]) => `${reason} (${args.join()})`, ([reason, spec, args]) => {
      const i = make(spec);
      for (let round = 0; round < 2; round++) {
        const error = throwsCode<Trap>(() => i.callSync(func(i, 'f'), args), 'WASM_TRAP');
        assert.is(error.reason, reasonOf(reason));
        assert.is(error.stackFrames.length, 1);
      }
    });
    test('a store that traps has written nothing', () => {
      const i = make(one('il:', [['local.get', 0], ['local.get', 1], ['i64.store', 0]], { memory: { min: 1 } }));
      throwsCode(() => i.callSync(func(i, 'f'), [65532, -1n]), 'WASM_TRAP');
      assert.is(i.memory!.view.getInt32(65532), 0);
    });
    test('Trap.stackFrames names functions and bytes, innermost first', () => {
      const bytes = assemble({ funcs: [
        { type: ':', export: 'outer', body: [['call', 1]] },
        { type: ':', name: 'middle', body: ['nop', ['call', 2]] },
        { type: ':', body: ['nop', 'nop', 'unreachable'] },
      ] });
      const i = engine.instantiate(engine.compile(bytes), {});
      const { stackFrames } = throwsCode<Trap>(() => i.callSync(func(i, 'outer'), []), 'WASM_TRAP');
      const starts = i.module.codes.map(({ start }) => start);
      assert.equal(stackFrames, [{ func: 2, offset: starts[2] + 2 }, { func: 1, name: 'middle', offset: starts[1] + 1 }, { func: 0, name: 'outer', offset: starts[0] }]);
      assert.is(bytes[stackFrames[0].offset], 0x00);
    });
    test('deep recursion ends in exhaustion, with both ends of the stack, and the instance still works', () => {
      const i = make({ funcs: [RECURSION] });
      assert.equal(i.callSync(func(i, 'down'), [deepest]), [deepest]);
      const error = throwsCode<ExhaustedError>(() => i.callSync(func(i, 'down'), [-1]), 'WASM_EXHAUSTED');
      assert.is(error.reason, 'call stack exhausted');
      assert.is(error.stackFrames.length, 200);
      assert.equal(i.callSync(func(i, 'down'), [5]), [5]);
    });
  });

  suite(`${engine.name} limits`, (test) => {
    if (boundsDepth) test('callDepth bounds the frames', () => {
      const i = make({ funcs: [RECURSION] }, {}, { callDepth: 10 });
      assert.equal(i.callSync(func(i, 'down'), [9]), [9]);
      throwsCode(() => i.callSync(func(i, 'down'), [10]), 'WASM_EXHAUSTED', 'trap: call stack exhausted (10 frames, 10 slots)');
    });
    test('memoryPages bounds growth and the size at the start', () => {
      const spec = one('i:i', [['local.get', 0], 'memory.grow'], { memory: { min: 1 } });
      const i = make(spec, {}, { memoryPages: 3 });
      assert.equal(i.callSync(func(i, 'f'), [2]), [1]);
      assert.equal(i.callSync(func(i, 'f'), [1]), [-1]);
      assert.is(i.memory!.size, 3 * 65536);
      throwsCode(() => make({ memory: { min: 4 } }, {}, { memoryPages: 3 }), 'WASM_EXHAUSTED', 'trap: memory size (4 pages, the limit is 3)');
    });
    test('tableElements bounds growth and the size at the start', () => {
      const i = make(one('i:i', [['ref.null', 'r'], ['local.get', 0], ['table.grow', 0]], { table: [null] }), {}, { tableElements: 2 });
      assert.equal(i.callSync(func(i, 'f'), [1]), [1]);
      assert.equal(i.callSync(func(i, 'f'), [1]), [-1]);
      throwsCode(() => make({ table: [null, null, null] }, {}, { tableElements: 2 }), 'WASM_EXHAUSTED', 'trap: table size (3 elements, the limit is 2)');
    });
  });

  suite(`${engine.name} linking`, (test) => {
    const wants: ModuleSpec = { imports: [{ module: 'env', name: 'h', type: 'i:i' }] };
    test('an import that nobody provides is named with its type', () => {
      throwsCode(() => make(wants), 'WASM_LINK', 'import "env" "h": unknown import (nobody provides this func (i32) -> i32)');
      throwsCode(() => make(wants, { env: Object.create({ h: host('i:i', () => 1) }) as { [item: string]: Extern } }), 'WASM_LINK');
    });
    test('an import of another type names both', () => {
      throwsCode(() => make(wants, env({ h: host('l:i', () => 1) })), 'WASM_LINK', 'import "env" "h": incompatible import type ((i64) -> i32 is provided, (i32) -> i32 wanted)');
      throwsCode(() => make(wants, env({ h: new parts.Memory({ limits: { min: 1, max: undefined }, shared: false }) })), 'WASM_LINK', 'import "env" "h": incompatible import type (a memory is provided, a func wanted)');
    });
    test('imports may be a function that is asked with the import’s own type', () => {
      const i = make({ ...wants, funcs: [{ type: ':i', export: 'f', body: [['i32.const', 20], ['call', 0]] }] },
        (module, item, type) => type.kind === 'func' ? { kind: 'host', type: type.type, name: `${module}.${item}`, run: (_, [n]) => (n as number) + 1 } : undefined);
      assert.equal(i.callSync(func(i, 'f'), []), [21]);
    });
    test('a function keeps its identity through export, import and re-export', () => {
      const a = make(one(':i', [['i32.const', 7]], { table: [0] }));
      const exported = func(a, 'f');
      assert.is(a.table!.get(0), exported);
      const spec: ModuleSpec = { imports: [{ module: 'env', name: 'f', type: ':i' }], table: [0], funcs: [{ type: ':i', export: 'f', body: [['call', 0]] }] };
      const b = make(spec, env({ f: exported }));
      assert.is(b.table!.get(0), exported);
      assert.equal(b.callSync(func(b, 'f'), []), [7]);
      assert.equal(b.callSync(exported, []), [7]);
    });
    test('a trap in an imported guest function shows the frames of both instances', () => {
      const a = make(one(':', ['unreachable']));
      const b = make({ imports: [{ module: 'env', name: 'f', type: ':' }], funcs: [{ type: ':', export: 'g', body: [['call', 0]] }] }, env({ f: func(a, 'f') }));
      const { stackFrames } = throwsCode<Trap>(() => b.callSync(func(b, 'g'), []), 'WASM_TRAP');
      assert.equal(stackFrames.map(({ name }) => name), ['f', 'g']);
    });
    test('memory that another instance grows is seen at once', () => {
      const spec = one('i:i', [['local.get', 0], 'memory.grow'], { memory: { min: 1 } });
      const a = make(spec);
      const h = host('i:i', ([n]) => a.callSync(func(a, 'f'), [n]));
      const b = make({ imports: [{ module: 'env', name: 'h', type: 'i:i' }], memory: { min: 1 }, funcs: [{ type: ':i', export: 'f', body: [['i32.const', 1], ['call', 0], 'drop', 'memory.size'] }] }, env({ h }));
      assert.equal(b.callSync(func(b, 'f'), []), [1]);
      assert.is(a.memory!.size, 2 * 65536);
    });
    test('exported mutable globals are live both ways', () => {
      const i = make(one(':l', [['global.get', 0], ['i64.const', 1n], 'i64.add', ['global.set', 0], ['global.get', 0]], { globals: [{ type: 'l', mutable: true, init: ['i64.const', 41n], export: 'g' }] }));
      const g = i.exports.get('g') as Global;
      assert.equal(i.callSync(func(i, 'f'), []), [42n]);
      assert.is(g.value, 42n);
      g.value = -5n;
      assert.equal(i.callSync(func(i, 'f'), []), [-4n]);
    });
    test('start runs once, and not before it is asked to', async () => {
      let n = 0;
      const i = make({ imports: [{ module: 'env', name: 'h', type: ':' }], start: 0 }, env({ h: host(':', () => { n++; }) }));
      assert.is(n, 0);
      await i.start();
      await i.start();
      assert.is(n, 1);
    });
    test('Table.set refuses an index outside', () => {
      const table = new parts.Table({ elem: FUNCREF, limits: { min: 1, max: undefined } });
      assert.throws(() => table.set(1, null), 'table index 1 is outside of 1 elements');
      assert.is(table.get(1), undefined);
    });
    test('Global holds what its type says', () => {
      assert.is(new parts.Global({ type: I32, mutable: false }, 7).value, 7);
    });
  });

  suite(`${engine.name} host functions`, (test) => {
    if (suspends) test('a promise suspends the guest while the event loop runs', async () => {
      let ticks = 0;
      const timer = setInterval(() => ticks++, 1);
      try {
        const i = make(CALLBACK, env({ h: host('i:i', async ([n]) => { await pause(20); return (n as number) * 10; }) }));
        assert.equal(await i.call(func(i, 'f'), [4]), [41]);
        assert.ok(ticks > 0);
      } finally {
        clearInterval(timer);
      }
    });
    if (suspends) test('a promise in callSync is refused by the host function’s name, and the instance stays usable', async () => {
      const i = make(CALLBACK, env({ h: host('i:i', async ([n]) => n, 'sleep') }));
      throwsCode(() => i.callSync(func(i, 'f'), [1]), 'USAGE', 'host function "sleep" has to wait, which callSync cannot do (use call)');
      assert.equal(i.callSync(func(i, 'g'), [4]), [8]);
      assert.equal(await i.call(func(i, 'f'), [1]), [2]);
    });
    if (suspends) test('calls that wait at the same time keep their own frames', async () => {
      const i = make(CALLBACK, env({ h: host('i:i', async ([n]) => { await pause(n as number); return n; }) }));
      const all = await Promise.all([30, 5, 20, 1, 10].map((n) => i.call(func(i, 'f'), [n])));
      assert.equal(all, [[31], [6], [21], [2], [11]]);
    });
    test('a generator calls back into the guest, nested three deep, on one stack', () => {
      const log: string[] = [];
      const i: Instance = make(CALLBACK, env({ h: host('i:i', function* ([n]): Generator<GuestCall, number, unknown> {
        log.push(`h${n as number}`);
        const next = (n as number) > 0 ? func(i, 'nest') : func(i, 'g');
        const [result] = (yield { func: next, args: [n as number] }) as Value[];
        log.push(`-h${n as number}`);
        return (result as number) + 1;
      }) }));
      // f -> h2 -> nest -> h1 -> nest -> h0 -> g
      assert.equal(i.callSync(func(i, 'f'), [2]), [204]);
      assert.equal(log, ['h2', 'h1', 'h0', '-h0', '-h1', '-h2']);
    });
    if (suspends) test('a generator may call host functions, plain and generator, without a guest between', async () => {
      const plain = make({ imports: [{ module: 'env', name: 'h', type: 'i:i' }], table: [0] }, env({ h: host('i:i', ([n]) => (n as number) + 1) })).table!.get(0) as Func;
      const later = make({ imports: [{ module: 'env', name: 'h', type: 'i:i' }], table: [0] }, env({ h: host('i:i', async ([n]) => { await pause(1); return (n as number) * 3; }) })).table!.get(0) as Func;
      const inner = make({ imports: [{ module: 'env', name: 'h', type: 'i:i' }], table: [0] }, env({ h: host('i:i', function* ([n]): Generator<GuestCall, number, unknown> {
        return ((yield { func: plain, args: [n as number] }) as number[])[0] * 2;
      }) })).table!.get(0) as Func;
      const i = make(CALLBACK, env({ h: host('i:i', function* ([n]): Generator<GuestCall, number, unknown> {
        const [a] = (yield { func: inner, args: [n as number] }) as number[];
        const [b] = (yield { func: later, args: [a] }) as number[];
        return b;
      }) }));
      assert.equal(await i.call(func(i, 'f'), [4]), [31]);
      // a host function that a module exports is called like any other
      assert.equal(i.callSync(plain, [1]), [2]);
      assert.equal(i.callSync(inner, [4]), [10]);
      assert.equal(await i.call(later, [4]), [12]);
    });
    if (suspends) test('a generator may wait for promises, and hears of their failure', async () => {
      const i = make(CALLBACK, env({ h: host('i:i', function* (): Generator<Promise<unknown>, number, unknown> {
        const a = (yield pause(1).then(() => 5)) as number;
        try {
          yield Promise.reject(new Error('no'));
        } catch (error) {
          return a + (error as Error).message.length;
        }
        return 0;
      }) }));
      assert.equal(await i.call(func(i, 'f'), [0]), [8]);
    });
    test('a trap in a nested callback runs every finally block on its way out', () => {
      const log: string[] = [];
      const i: Instance = make(CALLBACK, env({ h: host('i:i', function* ([n]): Generator<GuestCall, number, unknown> {
        try {
          yield { func: func(i, (n as number) > 0 ? 'nest' : 't'), args: [n as number] };
          return 0;
        } finally {
          log.push(`finally ${n as number}`);
        }
      }) }));
      const error = throwsCode<Trap>(() => i.callSync(func(i, 'f'), [2]), 'WASM_TRAP');
      assert.equal(log, ['finally 0', 'finally 1', 'finally 2']);
      assert.equal(error.stackFrames.map(({ name }) => name), ['t', 'nest', 'nest', 'f']);
      assert.equal(i.callSync(func(i, 'g'), [3]), [6]);
    });
    test('a generator that catches a trap goes on', () => {
      const i: Instance = make(CALLBACK, env({ h: host('i:i', function* (): Generator<GuestCall, number, unknown> {
        try {
          yield { func: func(i, 't'), args: [0] };
        } catch (error) {
          const [g] = (yield { func: func(i, 'g'), args: [(error as Trap).stackFrames.length] }) as number[];
          return g;
        }
        return -1;
      }) }));
      assert.equal(i.callSync(func(i, 'f'), [0]), [5]);
    });
    test('what a host function throws passes through the guest unchanged', () => {
      const thrown = new RangeError('Offset is outside the bounds of the DataView');
      const i = make(CALLBACK, env({ h: host('i:i', () => { throw thrown; }) }));
      let caught: unknown;
      try {
        i.callSync(func(i, 'f'), [0]);
      } catch (error) {
        caught = error;
      }
      assert.is(caught, thrown);
    });
    test('a Trap that a host function throws gets the stack of its caller', () => {
      const i = make(CALLBACK, env({ h: host('i:i', () => { throw new Trap('host says no'); }) }));
      const { stackFrames } = throwsCode<Trap>(() => i.callSync(func(i, 'f'), [0]), 'WASM_TRAP', 'trap: host says no');
      assert.equal(stackFrames.map(({ name, offset }) => [name, offset]), [['f', i.module.codes[0].start + 2]]);
    });
    if (suspends) test('a rejected promise comes out of call as it is', async () => {
      const thrown = new Error('gone');
      const i = make(CALLBACK, env({ h: host('i:i', async () => { throw thrown; }) }));
      await assert.is(await i.call(func(i, 'f'), [0]).catch((error: unknown) => error), thrown);
    });
    test('callSync from within a host function runs above the caller’s frames', () => {
      const i: Instance = make(CALLBACK, env({ h: host('i:i', ([n], caller) => {
        if (n === 0) return 1000;
        const [a] = caller.callSync(func(i, 'nest'), [n as number]) as number[];
        return a + (caller.callSync(func(i, 'g'), [1]) as number[])[0];
      }) }));
      assert.equal(i.callSync(func(i, 'f'), [3]), [1307]);
    });
    if (suspends) test('call from within a host function waits for its turn', async () => {
      const i: Instance = make(CALLBACK, env({ h: host('i:i', async ([n]): Promise<Value> => (await i.call(func(i, 'g'), [n as number]))[0]) }));
      assert.equal(await i.call(func(i, 'f'), [21]), [43]);
    });
    test('host functions that call each other through callSync without end are stopped', () => {
      const i: Instance = make(CALLBACK, env({ h: host('i:i', ([n]): Value[] => i.callSync(func(i, 'f'), [n as number])) }));
      throwsCode(() => i.callSync(func(i, 'f'), [0]), 'WASM_EXHAUSTED');
      assert.equal(i.callSync(func(i, 'g'), [3]), [6]);
    });
    test.table<readonly [string, () => HostResult, string]>([
      ['of another kind', () => 'x' as unknown as Value, 'host function "host" gives string, its type says number (i32)'],
      ['that is missing', () => undefined, 'host function "host" gives undefined, its type says number (i32)'],
      ['too many', () => [1, 2], 'host function "host" gives 2 results, its type says 1'],
    ], ([what]) => `a result ${what} is refused by name`, ([, run, message]) => {
      const i = make(CALLBACK, env({ h: host('i:i', run) }));
      throwsCode(() => i.callSync(func(i, 'f'), [0]), 'USAGE', message);
    });
    test('several results come back in order', () => {
      const i = make({ imports: [{ module: 'env', name: 'h', type: ':il' }], funcs: [{ type: ':il', export: 'f', body: [['call', 0]] }] }, env({ h: host(':il', () => [1, 2n]) }));
      assert.equal(i.callSync(func(i, 'f'), []), [1, 2n]);
    });
  });

  if (suspends) suite(`${engine.name} interruption`, (test) => {
    test('an endless loop is interrupted within 100 ms, with the Wasm stack', async () => {
      const i = make({ funcs: [ENDLESS, RECURSION] });
      const abort = new AbortController();
      let at = 0;
      setTimeout(() => { at = performance.now(); abort.abort(new Error('timeout')); }, 30);
      const error = await rejectsCode<Interrupted>(() => i.call(func(i, 'endless'), [], { signal: abort.signal }), 'INTERRUPTED', 'interrupted: timeout');
      assert.ok(performance.now() - at < 100, `took ${performance.now() - at} ms`);
      assert.equal(error.stackFrames, [{ func: 0, name: 'endless', offset: i.module.codes[0].start + 2 }]);
      assert.equal(await i.call(func(i, 'endless'), [], { signal: AbortSignal.abort('again') }).catch(({ message }: Error) => message), 'interrupted: again');
    });
    test('a running guest gives way to the event loop at least every 20 ms of its time', async () => {
      const i = make({ funcs: [ENDLESS] });
      const abort = new AbortController();
      // time of the process, as other processes may take the machine from it at any moment
      const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
      const gaps: number[] = [];
      let last = used();
      const turn = () => {
        gaps.push(used() - last);
        last = used();
        if (gaps.length === 20) abort.abort('done');
        if (!abort.signal.aborted) setImmediate(turn);
      };
      setImmediate(turn);
      // however busy the machine is, it is patient
      const late = setTimeout(() => abort.abort('done'), 5000);
      await i.call(func(i, 'endless'), [], { signal: abort.signal }).catch(() => {});
      clearTimeout(late);
      gaps.sort((a, b) => a - b);
      assert.ok(gaps.length > 5 && gaps[gaps.length >> 1] < 20, `median ${gaps[gaps.length >> 1]} ms of ${gaps.length}`);
    });
    test('waiting for a promise is interrupted, and generators clean up', async () => {
      const log: string[] = [];
      const i = make(CALLBACK, env({ h: host('i:i', function* (): Generator<Promise<unknown>, number, unknown> {
        try {
          yield new Promise(() => {});
          return 0;
        } finally {
          log.push('finally');
          yield pause(1);
          log.push('after a wait');
        }
      }) }));
      const abort = new AbortController();
      setTimeout(() => abort.abort('stop'), 10);
      const error = await rejectsCode<Interrupted>(() => i.call(func(i, 'f'), [0], { signal: abort.signal }), 'INTERRUPTED');
      assert.equal(log, ['finally', 'after a wait']);
      assert.equal(error.stackFrames.map(({ name }) => name), ['f']);
    });
    test('callSync in an endless recursion of the guest while another call waits leaves that one alone', async () => {
      const i = make({ ...CALLBACK, funcs: [...CALLBACK.funcs!, { type: ':', export: 'deep', body: [['call', 5]] }] }, env({ h: host('i:i', async ([n]) => { await pause(10); return n; }) }));
      const waiting = i.call(func(i, 'f'), [1]);
      await pause(1);
      throwsCode(() => i.callSync(func(i, 'deep'), []), 'WASM_EXHAUSTED');
      assert.equal(await waiting, [2]);
    });
  });
}
