/** V8's own engine where it differs from ours: what it refuses. The rest is in engines.test.ts. */
import type { Func, GuestCall, HostFunc, HostResult } from '#src/interp/engine.js';
import { v8 } from '#src/interp/v8.js';
import { assert, rejectsCode, suite, throwsCode } from '../support/suite.js';
import { assemble, typeOf, type ModuleSpec } from '../support/wasm.js';
import { func, module, section, vec } from './wasm.js';

const IMPORTER: ModuleSpec = { imports: [{ module: 'env', name: 'h', type: ':' }], funcs: [{ type: ':', export: 'f', body: [['call', 0]] }] };

function importing(run: () => HostResult) {
  const h: HostFunc = { kind: 'host', name: 'sleep', type: typeOf(':'), run };
  const instance = v8.instantiate(v8.compile(assemble(IMPORTER)), { env: { h } });
  return { instance, f: instance.exports.get('f') as Func };
}

suite('v8', (test) => {
  test('a host function’s promise is refused by name, in call too', async () => {
    const { instance, f } = importing(() => Promise.reject(new Error('nobody hears this')));
    const message = 'host function "sleep" has to wait, which V8\'s own engine cannot do';
    throwsCode(() => instance.callSync(f, []), 'USAGE', message);
    await rejectsCode(() => instance.call(f, []), 'USAGE', message);
  });
  test('a generator hears that it cannot wait', () => {
    const { instance, f } = importing(function* (): Generator<GuestCall | Promise<unknown>, void, unknown> {
      try {
        yield Promise.resolve(1);
      } catch {
        // goes on without
      }
    });
    assert.equal(instance.callSync(f, []), []);
  });
  test('call begins nothing once its signal is aborted', async () => {
    const { instance, f } = importing(() => { throw new Error('begun'); });
    await rejectsCode(() => instance.call(f, [], { signal: AbortSignal.abort('late') }), 'INTERRUPTED', 'interrupted: late');
  });
  test('a module that this V8 does not take is refused with V8’s reason', () => {
    const twoMemories = module(section(5, vec([[0, 1], [0, 1]])));
    if (Number(process.versions.v8.split('.')[0]) >= 12) return;
    throwsCode(() => v8.compile(twoMemories), 'UNSUPPORTED', /^this module in V8's own engine: .*memor/);
  });
  test('a fault is told by this project’s validator', () => {
    throwsCode(() => v8.compile(func([], [], [0x6a])), 'WASM_INVALID');
  });
});
