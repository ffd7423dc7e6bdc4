/**
 * Exceptions: the first encoding (`try`, `catch`, `delegate`, `rethrow`), which the official suite no longer has, judged by V8 on
 * random functions; and their way through host functions, generators and other instances.
 */
import { GuestException, UsageError } from '#src/errors.js';
import type { Engine, Extern, Func, HostFunc, Imports, Instance, Value } from '#src/interp/engine.js';
import { guestException, hostTag, WasmException, type WasmTag } from '#src/interp/exception.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { assemble, typeOf, type Instruction, type ModuleSpec } from '../support/wasm.js';
import { TIERS } from './engines.js';

function run(instance: Instance, ...args: Value[]): Value[] {
  return instance.callSync(instance.exports.get('f') as Func, args);
}
function host(type: string, run: HostFunc['run']): HostFunc {
  return { kind: 'host', name: 'h', type: typeOf(type), run };
}
const one = (extern: Extern): Imports => ({ m: { x: extern } });

const LEGACY: readonly (readonly [string, ModuleSpec, Value])[] = [
  ['catch brings what was thrown', { tags: ['ii:'], funcs: [{ type: ':i', export: 'f', body: [['try', 'i'], ['i32.const', 40], ['i32.const', 2], ['throw', 0], ['catch', 0], 'i32.sub', 'end'] }] }, 38],
  ['a catch of another tag lets it pass', { tags: ['i:', 'i:'], funcs: [{ type: ':i', export: 'f', body: [['try', 'i'], ['try', 'i'], ['i32.const', 7], ['throw', 1], ['catch', 0], 'drop', ['i32.const', 1], 'end', ['catch', 1], 'end'] }] }, 7],
  ['catch_all takes any', { tags: [':'], funcs: [{ type: ':i', export: 'f', body: [['try', 'i'], ['throw', 0], 'catch_all', ['i32.const', 5], 'end'] }] }, 5],
  ['nothing thrown leaves the result of the body', { tags: [':'], funcs: [{ type: ':i', export: 'f', body: [['i32.const', 10], ['try', 'i'], ['i32.const', 3], 'catch_all', ['i32.const', 5], 'end', 'i32.add'] }] }, 13],
  ['rethrow throws what an outer catch has', { tags: ['i:', ':'], funcs: [{ type: ':i', export: 'f', body: [
    ['try', 'i'], ['try', 'i'], ['i32.const', 9], ['throw', 0], ['catch', 0], 'drop', ['try', 'i'], ['throw', 1], 'catch_all', ['rethrow', 1], 'end', 'end', ['catch', 0], ['i32.const', 1], 'i32.add', 'end'] }] }, 10],
  ['delegate goes past the handlers between', { tags: ['i:'], funcs: [{ type: ':i', export: 'f', body: [
    ['try', 'i'], ['try', 'i'], ['try', 'i'], ['i32.const', 4], ['throw', 0], ['delegate', 1], 'catch_all', ['i32.const', 1], 'end', ['catch', 0], ['i32.const', 100], 'i32.add', 'end'] }] }, 104],
];

function outcome(f: () => Value): string {
  try {
    return String(f());
  } catch (error) {
    return error instanceof GuestException || (error as Error).constructor.name === 'Exception' ? 'exception' : `${String(error)}`;
  }
}

function v8(bytes: Uint8Array): (n: number) => number {
  const { Instance: Made, Module: Compiled } = (globalThis as unknown as { WebAssembly: { Instance: new (module: object) => { exports: { f(n: number): number } }; Module: new (bytes: Uint8Array) => object } }).WebAssembly;
  return new Made(new Compiled(bytes)).exports.f;
}

/** `f(n)`: nested try, catch, delegate, rethrow; whether something is thrown hangs on bits of n. Local 1 remembers the way taken. */
function randomModule(seed: number): ModuleSpec {
  let s = seed * 2654435761 | 1;
  const random = (below: number) => {
    s ^= s << 13; s ^= s >>> 17; s ^= s << 5;
    return (s >>> 0) % below;
  };
  const note = (): Instruction[] => [['local.get', 1], ['i32.const', 31], 'i32.mul', ['i32.const', random(100)], 'i32.add', ['local.set', 1]];
  const mix = (): Instruction[] => [['local.get', 1], ['i32.const', 17], 'i32.mul', 'i32.add', ['local.set', 1]];
  const maybe = (): Instruction[] => [['local.get', 0], ['i32.const', random(16)], 'i32.shr_u', ['i32.const', 1], 'i32.and'];
  const statements = (labels: readonly string[], depth: number): Instruction[] => Array.from({ length: 1 + random(3) }, () => statement(labels, depth)).flat();
  const statement = (labels: readonly string[], depth: number): Instruction[] => {
    const caught = labels.flatMap((label, i) => label === 'catch' ? [labels.length - 1 - i] : []);
    switch (depth <= 0 ? random(4) : random(9)) {
      case 0: return note();
      case 1: return [...maybe(), ['if', ''], ['local.get', 1], ['throw', 0], 'end'];
      case 2: return [...maybe(), ['if', ''], ['throw', 1], 'end'];
      case 3: return caught.length > 0 ? [...maybe(), ['if', ''], ['rethrow', 1 + caught[random(caught.length)]], 'end'] : [['local.get', 0], ['i32.const', 3], 'i32.shr_u', ['call', 1], ...mix()];
      case 4: return [['block', ''], ...statements([...labels, 'block'], depth - 1), ...maybe(), ['br_if', 0], ...note(), 'end'];
      case 5: return [['try', ''], ...statements([...labels, 'do'], depth - 1), ['delegate', random(labels.length)]];
      case 6: return [['try', 'i'], ...statements([...labels, 'do'], depth - 1), ['local.get', 0], ['catch', 0], ...statements([...labels, 'catch'], depth - 1), 'end', ...mix()];
      case 7: return [['try', ''], ...statements([...labels, 'do'], depth - 1), ['catch', 0], ...mix(), ...statements([...labels, 'catch'], depth - 1), ['catch', 1], ...note(), 'end'];
      default: return [['try', ''], ...statements([...labels, 'do'], depth - 1), 'catch_all', ...statements([...labels, 'catch'], depth - 1), ...note(), 'end'];
    }
  };
  const body = (depth: number): Instruction[] => [...Array.from({ length: 4 }, () => statement(['func'], depth)).flat(), ['local.get', 1]];
  return {
    tags: ['i:', ':'],
    funcs: [
      { type: 'i:i', locals: 'i', export: 'f', body: body(4) },
      { type: 'i:i', locals: 'i', body: [['local.get', 0], ['i32.const', 64], 'i32.and', ['if', ''], ['local.get', 0], ['throw', 0], 'end', ['local.get', 0]] },
    ],
  };
}

function define(engine: Engine): void {
  const make = (spec: ModuleSpec, imports: Imports = {}): Instance => engine.instantiate(engine.compile(assemble(spec)), imports);

  suite(`exceptions, first encoding: ${engine.name}`, (test) => {
    test.table(LEGACY, ([what]) => what, ([, spec, expected]) => {
      assert.equal(run(make(spec)), [expected]);
    });
    test.table([
      ['delegate to the function goes to the caller', [['try', ''], ['try', ''], ['throw', 0], ['delegate', 1], 'catch_all', 'end']],
      ['an exception that nobody catches', [['throw', 0]]],
    ] as readonly (readonly [string, readonly Instruction[]])[], ([what]) => `${what} is a GuestException`, ([, body]) => {
      throwsCode(() => run(make({ tags: [':'], funcs: [{ type: ':', export: 'f', body }] })), 'WASM_EXCEPTION', 'trap: unhandled exception');
    });
    test.table([
      ['rethrow outside of a catch', [['block', ''], ['rethrow', 0], 'end'], 'WASM_INVALID', 'rethrow label'],
      ['a catch without a try', [['block', ''], 'catch_all', 'end'], 'WASM_MALFORMED', 'a catch without a try'],
      ['a catch behind catch_all', [['try', ''], 'catch_all', ['catch', 0], 'end'], 'WASM_MALFORMED', 'a catch without a try'],
      ['a delegate to nowhere', [['try', ''], ['delegate', 1]], 'WASM_INVALID', 'unknown label 2'],
      ['a catch with a value left', [['try', ''], 'catch_all', ['i32.const', 1], 'end'], 'WASM_INVALID', 'type mismatch'],
    ] as readonly (readonly [string, readonly Instruction[], string, string])[], ([what]) => `${what} is refused`, ([, body, code, text]) => {
      const error = throwsCode(() => make({ tags: [':'], funcs: [{ type: ':', body }] }), code);
      assert.match(error.message, text);
    });

    test('random functions do what they do in V8', () => {
      for (let seed = 1; seed <= 150; seed++) {
        const bytes = assemble(randomModule(seed));
        const ours = engine.instantiate(engine.compile(bytes), {});
        const theirs = v8(bytes);
        for (let n = 0; n < 32; n++) assert.is(outcome(() => run(ours, n * 0x9e37)[0]), outcome(() => theirs(n * 0x9e37)), `seed ${seed}, f(${n * 0x9e37})`);
      }
    });
  });

  suite(`exceptions and the host: ${engine.name}`, (test) => {
    const CATCHES: ModuleSpec = {
      imports: [{ module: 'm', name: 'x', type: ':i' }], tags: ['i:'],
      funcs: [
        { type: ':i', export: 'f', body: [['try', 'i'], ['call', 0], ['catch', 0], ['i32.const', 1000], 'i32.add', 'catch_all', ['i32.const', 1], 'end'] },
        { type: 'i:i', export: 'g', body: [['local.get', 0], ['throw', 0]] },
      ],
    };
    const tagOf = (instance: Instance) => instance.exports.get('tag0') as WasmTag;

    test('a guest catches what a host function throws', () => {
      const instance: Instance = make(CATCHES, one(host(':i', () => { throw guestException(tagOf(instance), [7]); })));
      assert.equal(run(instance), [1007]);
    });
    test('catch_all takes exceptions of tags that the guest does not know', () => {
      assert.equal(run(make(CATCHES, one(host(':i', () => { throw guestException(hostTag(typeOf('f:')), [1.5]); })))), [1]);
    });
    test('what else a host function throws is not for guests to catch', () => {
      const error = new UsageError('mine');
      const instance = make(CATCHES, one(host(':i', () => { throw error; })));
      throwsCode(() => run(instance), 'USAGE', 'mine');
    });
    test('traps are not for guests to catch', () => {
      throwsCode(() => run(make({ funcs: [{ type: ':', export: 'f', body: [['try', ''], 'unreachable', 'catch_all', 'end'] }] })), 'WASM_TRAP', 'trap: unreachable');
    });
    test('an exception passes through a host function that calls back', () => {
      const instance: Instance = make(CATCHES, one(host(':i', (caller) => caller.callSync(instance.exports.get('g') as Func, [5])[0])));
      assert.equal(run(instance), [1005]);
    });
    test('and through a generator', () => {
      const instance: Instance = make(CATCHES, one(host(':i', function* () {
        return (yield { func: instance.exports.get('g') as Func, args: [6] }) as Value;
      })));
      assert.equal(run(instance), [1006]);
    });
    test('a generator can catch it, and sees what it carries', () => {
      const instance: Instance = make(CATCHES, one(host(':i', function* () {
        try {
          yield { func: instance.exports.get('g') as Func, args: [6] };
        } catch (error) {
          const { exception } = error as GuestException;
          assert.is((exception as WasmException).tag, tagOf(instance));
          assert.equal((exception as WasmException).values, [6]);
          return 8;
        }
        return 9;
      })));
      assert.equal(run(instance), [8]);
    });
    test('and through a promise', async () => {
      const instance: Instance = make(CATCHES, one(host(':i', async () => {
        await undefined;
        throw guestException(tagOf(instance), [3]);
      })));
      assert.equal(await instance.call(instance.exports.get('f') as Func, []), [1003]);
    });
    test('and through a caller of another instance, with the tag imported', () => {
      const thrower = make({ tags: ['i:'], funcs: [{ type: ':i', export: 'f', body: [['i32.const', 11], ['throw', 0]] }] });
      const between = make({ imports: [{ module: 'm', name: 'x', type: ':i' }], tags: ['i:'], funcs: [{ type: ':i', export: 'f', body: [['try', 'i'], ['call', 0], ['catch', 0], 'end'] }] }, one(thrower.exports.get('f')!));
      const catcher = make({
        imports: [{ module: 'a', name: 'f', type: ':i' }], importedTags: [{ module: 'a', name: 't', type: 'i:' }],
        funcs: [{ type: ':i', export: 'f', locals: 'i', body: [['i32.const', 100], ['local.set', 0], ['try', 'i'], ['call', 0], ['catch', 0], ['local.get', 0], 'i32.add', 'end'] }],
      }, { a: { f: between.exports.get('f')!, t: thrower.exports.get('tag0')! } });
      assert.equal(run(catcher), [111]);
    });
    test('a tag of another type does not link', () => {
      const spec: ModuleSpec = { importedTags: [{ module: 'm', name: 'x', type: 'i:' }] };
      throwsCode(() => make(spec, one(hostTag(typeOf('l:')))), 'WASM_LINK', 'import "m" "x": incompatible import type ((i64) is provided, (i32) wanted)');
      throwsCode(() => make(spec, one(host(':', () => undefined))), 'WASM_LINK', 'import "m" "x": incompatible import type (a host is provided, a tag wanted)');
    });
    test('a million exceptions in a row take no stack', () => {
      const loop: ModuleSpec = { tags: [':'], funcs: [{ type: 'i:i', export: 'f', body: [
        ['loop', ''], ['try', ''], ['throw', 0], 'catch_all', ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 1], 'end', 'end', ['local.get', 0]] }] };
      assert.equal(run(make(loop), 1_000_000), [0]);
    });
  });

  suite(`tail calls: ${engine.name}`, (test) => {
    const N = 300_000;
    const down = (call: readonly Instruction[]): readonly Instruction[] => [['local.get', 0], ['if', ''], ['local.get', 0], ['i32.const', 1], 'i32.sub', ...call, 'end', ['i32.const', 77]];

    test('return_call runs in a constant stack', () => {
      assert.equal(run(make({ funcs: [{ type: 'i:i', export: 'f', body: down([['return_call', 0]]) }] }), N), [77]);
    });
    test('return_call_indirect runs in a constant stack', () => {
      assert.equal(run(make({ table: [0], funcs: [{ type: 'i:i', export: 'f', body: down([['i32.const', 0], ['return_call_indirect', 'i:i']]) }] }), N), [77]);
    });
    test('return_call_ref runs in a constant stack', () => {
      assert.equal(run(make({ table: [0], funcs: [{ type: 'i:i', export: 'f', body: down([['ref.func', 0], ['return_call_ref', 'i:i']]) }] }), N), [77]);
    });
    test('so does a tail call to and fro between instances', () => {
      const first = make({ table: [0, null], funcs: [{ type: 'i:i', export: 'f', body: down([['i32.const', 1], ['return_call_indirect', 'i:i']]) }] });
      const second = make({ imports: [{ module: 'm', name: 'x', type: 'i:i' }], funcs: [{ type: 'i:i', export: 'f', body: down([['return_call', 0]]) }] }, one(first.exports.get('f')!));
      (first.table!).set(1, second.exports.get('f') as Func);
      assert.equal(run(first, N), [77]);
      assert.equal(run(second, N + 1), [77]);
    });
    test('a tail call of a host function gives its result to the caller', () => {
      const spec: ModuleSpec = { imports: [{ module: 'm', name: 'x', type: 'i:i' }], funcs: [
        { type: 'i:i', body: [['i32.const', 5], ['local.get', 0], 'i32.add', ['return_call', 0]] },
        { type: 'i:i', export: 'f', body: [['i32.const', 100], ['local.get', 0], ['call', 1], 'i32.add'] },
      ] };
      assert.equal(run(make(spec, one(host('i:i', (_, [n]) => (n as number) * 2))), 4), [118]);
      assert.equal(run(make(spec, one(host('i:i', function* (_, [n]) { return (n as number) * 3; }))), 4), [127]);
    });
    test('an endless tail call can be interrupted', async () => {
      const instance = make({ table: [0], funcs: [{ type: ':', export: 'f', body: [['ref.func', 0], ['return_call_ref', ':']] }] });
      const error = await instance.call(instance.exports.get('f') as Func, [], { signal: AbortSignal.timeout(50) }).then(() => undefined, (reason: Error) => reason);
      assert.match(error!.message, 'interrupted');
    });
  });
}

TIERS.forEach(define);
