/** Bodies that are judged when their function is first called: what is accepted meanwhile, and how a faulty one ends a guest. */
import type { Func, Instance } from '#src/interp/engine.js';
import { assert, rejectsCode, suite, throwsCode } from '../support/suite.js';
import { assemble, typeOf, type FuncSpec, type Instruction } from '../support/wasm.js';
import { TIERS } from './engines.js';

const func = (instance: Instance, name: string) => instance.exports.get(name) as Func;

/** function 0 of each module: i32.add has one operand only */
const FAULTY: FuncSpec = { type: 'i:i', export: 'faulty', name: 'faulty', body: [['local.get', 0], 'i32.add'] };
const MESSAGE = /^invalid module: i32\.add at 0x[0-9a-f]+ in func 0 "faulty": type mismatch \(expected i32, found an empty stack\)$/;
const ARGUMENT: Instruction = ['i32.const', 1];

/** what calls the faulty function, without its `end` */
const WAYS: readonly (readonly [string, readonly Instruction[]])[] = [
  ['call', [ARGUMENT, ['call', 0]]],
  ['call_indirect', [ARGUMENT, ['i32.const', 0], ['call_indirect', 'i:i']]],
  ['return_call', [ARGUMENT, ['return_call', 0]]],
  ['call within a try that catches all', [['try', 'i'], ARGUMENT, ['call', 0], 'catch_all', ['i32.const', 2], 'end']],
];

for (const engine of TIERS) {
  const make = (funcs: readonly FuncSpec[]): Instance => engine.instantiate(engine.compile(assemble({ funcs: [FAULTY, ...funcs], table: [0] }), { validate: 'lazily' }), {});

  suite(`${engine.name} validates lazily`, (test) => {
    test('compile refuses a faulty body at once by default', () => {
      throwsCode(() => engine.compile(assemble({ funcs: [FAULTY] })), 'WASM_INVALID', MESSAGE);
    });
    test('what does not call the faulty function runs', () => {
      const i = make([{ type: 'i:i', export: 'double', body: [['local.get', 0], ['local.get', 0], 'i32.add'] }]);
      assert.equal(i.callSync(func(i, 'double'), [21]), [42]);
    });
    test('each call of a faulty function throws, and others run on', async () => {
      const i = make([{ type: ':i', export: 'good', body: [['i32.const', 7]] }]);
      for (let round = 0; round < 3; round++) {
        throwsCode(() => i.callSync(func(i, 'faulty'), [1]), 'WASM_INVALID', MESSAGE);
        await rejectsCode(() => i.call(func(i, 'faulty'), [1]), 'WASM_INVALID', MESSAGE);
        assert.equal(i.callSync(func(i, 'good'), []), [7]);
      }
    });
    test.table(WAYS, ([way]) => `a faulty function reached by ${way} throws through the guest, however often`, ([, body]) => {
      const i = make([{ type: ':i', export: 'f', body }]);
      for (let round = 0; round < 6; round++) throwsCode(() => i.callSync(func(i, 'f'), []), 'WASM_INVALID', MESSAGE);
    });
    test('a host function that calls it back sees the error in its generator', () => {
      let seen: unknown;
      const bytes = assemble({ imports: [{ module: 'env', name: 'h', type: ':i' }], funcs: [{ type: 'i:i', export: 'faulty', body: ['i32.add'] }, { type: ':i', export: 'f', body: [['call', 0]] }] });
      const i: Instance = engine.instantiate(engine.compile(bytes, { validate: 'lazily' }), { env: { h: { kind: 'host', name: 'h', type: typeOf(':i'), *run() {
        try {
          yield { func: func(i, 'faulty'), args: [1] };
        } catch (error) {
          seen = error;
        }
        return 5;
      } } } });
      assert.equal(i.callSync(func(i, 'f'), []), [5]);
      throwsCode(() => { throw seen as Error; }, 'WASM_INVALID');
    });
    test('a body that cannot be read is malformed when it is called', () => {
      const bytes = assemble({ funcs: [{ type: ':', export: 'f', body: ['nop'] }] });
      bytes[bytes.lastIndexOf(0x01)] = 0xff;
      const i = engine.instantiate(engine.compile(bytes, { validate: 'lazily' }), {});
      throwsCode(() => i.callSync(func(i, 'f'), []), 'WASM_MALFORMED');
    });
    test('too many locals are refused when the function is called', () => {
      const i = make([{ type: ':', export: 'f', locals: 'i'.repeat(50_001), body: [] }]);
      throwsCode(() => i.callSync(func(i, 'f'), []), 'WASM_INVALID', 'invalid module: too many locals (func 1 has 50001, this engine takes at most 50000)');
    });
  });
}
