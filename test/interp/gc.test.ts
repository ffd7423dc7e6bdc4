/**
 * Structs, arrays, i31 and casts where the official suite does not look: at the boundary to JavaScript, between modules, and at
 * the bounds of this engine.
 */
import type { Extern, Func, Global, HostFunc, Imports, Instance, Value } from '#src/interp/engine.js';
import { boundHeap } from '#src/host/heap.js';
import { WasmArray, WasmStruct } from '#src/interp/gc.js';
import { WasmGlobal } from '#src/interp/global.js';
import { heap } from '#src/interp/heap.js';
import { interpreter } from '#src/interp/interpreter.js';
import { functionType } from '#src/interp/rtt.js';
import { ANYREF, I31REF, I32, nonNull } from '#src/interp/types.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { assemble, typeOf, type ModuleSpec } from '../support/wasm.js';
import type { Bytes } from './wasm.js';

function make(spec: ModuleSpec, imports: Imports = {}): Instance {
  return interpreter.instantiate(interpreter.compile(assemble(spec)), imports);
}
const call = (instance: Instance, name: string, ...args: Value[]): Value[] => instance.callSync(instance.exports.get(name) as Func, args);
const host = (type: HostFunc['type'], run: HostFunc['run']): HostFunc => ({ kind: 'host', name: 'h', type, run });
const one = (extern: Extern): Imports => ({ m: { x: extern } });

const NULLABLE = 0x63, EXACT = 0x64, I64 = 0x7e, F32 = 0x7d, I8 = 0x78;
/** (struct (field (mut i8) (mut i64) f32)) */
const POINT: Bytes = [0x5f, 3, I8, 1, I64, 1, F32, 0];
const BYTES: Bytes = [0x5e, I8, 1];
const returns = (index: number): Bytes => [0x60, 0, 1, EXACT, index];
const takes = (index: number, result: number): Bytes => [0x60, 1, NULLABLE, index, 1, result];

const STRUCTS: ModuleSpec = {
  rawTypes: [POINT, returns(0), takes(0, 0x7f), takes(0, I64)],
  funcs: [
    { type: '#1', export: 'make', body: [['i32.const', 0x1ff], ['i64.const', -(2n ** 63n)], ['f32.const', 1.5], ['struct.new', 0]] },
    { type: '#2', export: 's', body: [['local.get', 0], ['struct.get_s', 0, 0]] },
    { type: '#2', export: 'u', body: [['local.get', 0], ['struct.get_u', 0, 0]] },
    { type: '#3', export: 'l', body: [['local.get', 0], ['struct.get', 0, 1]] },
  ],
};

/** Makes a list of arrays that all stay alive, or that nobody keeps. */
const LISTS: ModuleSpec = {
  rawTypes: [BYTES, [0x5f, 2, 0x6f, 0, NULLABLE, 0, 0], [0x60, 1, 0x7f, 0]],
  globals: [{ type: 'e', mutable: true, init: ['ref.null', 0x6f] }],
  funcs: [true, false].map((kept) => ({
    type: '#2', export: kept ? 'keep' : 'waste', body: [
      ['loop', ''], ...kept ? [['global.get', 0] as const] : [['ref.null', 0x6f] as const], ['i32.const', 65536], ['array.new_default', 0], ['struct.new', 1],
      ...kept ? ['extern.convert_any', ['global.set', 0] as const] as const : ['drop' as const],
      ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end',
    ],
  })),
};

suite('gc', (test) => {
  test('struct.new and array.new end with a trap where the heap is full of what is kept, and not of what is not', () => {
    const { limit } = heap;
    boundHeap();
    const instance = make(LISTS);
    try {
      heap.limit = heap.probe!.inUse() + (192 << 20);
      call(instance, 'waste', 10_000);
      throwsCode(() => call(instance, 'keep', 10_000), 'WASM_EXHAUSTED', /^trap: heap exhausted \(\d+ MiB of JavaScript's heap are in use, \d+ MiB at most\)$/);
    } finally {
      heap.limit = limit;
    }
    call(instance, 'keep', 1);
  });
  test('a struct goes out to the host and back in', () => {
    const instance = make(STRUCTS);
    const [point] = call(instance, 'make');
    assert.ok(point instanceof WasmStruct);
    assert.equal([call(instance, 's', point)[0], call(instance, 'u', point)[0], call(instance, 'l', point)[0]], [-1, 255, -(2n ** 63n)]);
  });
  test('equal types of two modules are one type', () => {
    const [point] = call(make(STRUCTS), 'make');
    assert.equal(call(make({ rawTypes: [BYTES, POINT, takes(1, I64)], funcs: [{ type: '#2', export: 'l', body: [['local.get', 0], ['struct.get', 1, 1]] }] }), 'l', point), [-(2n ** 63n)]);
  });
  test('the host cannot pass what is of another type', () => {
    const instance = make(STRUCTS);
    const error = throwsCode(() => call(instance, 's', {}), 'USAGE');
    assert.match(error.message, 'argument 0 of function "s": object given, (ref null');
    const [bytes] = call(make({ rawTypes: [BYTES, returns(0)], funcs: [{ type: '#1', export: 'make', body: [['i32.const', 3], ['array.new_default', 0]] }] }), 'make');
    assert.ok(bytes instanceof WasmArray);
    throwsCode(() => call(instance, 's', bytes), 'USAGE');
    throwsCode(() => call(instance, 's', null), 'WASM_TRAP', 'trap: null structure reference');
  });
  test('nor give null, or anything else, where a function returns a reference that is never null', () => {
    const spec: ModuleSpec = { rawTypes: [POINT, returns(0)], imports: [{ module: 'm', name: 'x', type: '#1' }], funcs: [{ type: ':', export: 'f', body: [['call', 0], 'drop'] }] };
    const linked = (value: Value) => make(spec, (_, item, type) => type.kind === 'func' && item === 'x' ? host(type.type, () => value) : undefined);
    throwsCode(() => call(linked(null), 'f'), 'USAGE');
    throwsCode(() => call(linked({}), 'f'), 'USAGE');
    assert.equal(call(linked(call(make(STRUCTS), 'make')[0]), 'f'), []);
  });
  test('an i31 is a number to the host', () => {
    const instance = make({
      rawTypes: [[0x60, 1, 0x7f, 1, I31REF], [0x60, 1, ANYREF, 1, I32]],
      funcs: [
        { type: '#0', export: 'make', body: [['local.get', 0], 'ref.i31'] },
        { type: '#1', export: 'get', body: [['local.get', 0], ['ref.cast', I31REF], 'i31.get_s'] },
        { type: '#1', export: 'is', body: [['local.get', 0], ['ref.test', I31REF]] },
      ],
    });
    assert.equal(call(instance, 'make', 0x7fffffff), [-1]);
    assert.equal(call(instance, 'get', -(2 ** 30)), [-(2 ** 30)]);
    assert.equal([2 ** 30, 1.5, 0, {}].map((value) => call(instance, 'is', value)[0]), [0, 0, 1, 0]);
    throwsCode(() => call(instance, 'get', 1.5), 'WASM_TRAP', 'trap: cast failure');
  });
  test.table([
    ['numbers', BYTES, 'array size (4294967295 elements, 1073741824 bytes at most)'],
    ['references', [0x5e, ANYREF, 1], 'array size (4294967295 elements, 16777216 at most)'],
  ] as readonly (readonly [string, Bytes, string])[], ([what]) => `an array of more ${what} than this engine takes is a trap`, ([, type, text]) => {
    const instance = make({ rawTypes: [type], funcs: [{ type: ':', export: 'f', body: [['i32.const', -1], ['array.new_default', 0], 'drop'] }] });
    throwsCode(() => call(instance, 'f'), 'WASM_EXHAUSTED', `trap: ${text}`);
  });
  test('tables and globals take no reference of another type', () => {
    const instance = make({ table: [null], funcs: [] });
    throwsCode(() => instance.table!.set(0, {}), 'USAGE', 'a table of funcref does not take this object');
    throwsCode(() => instance.table!.grow(1, {}), 'USAGE', 'a table of funcref does not take this object');
    const global: Global = new WasmGlobal({ type: nonNull(I31REF), mutable: true }, 1);
    throwsCode(() => { global.value = null; }, 'USAGE', 'a global of (ref i31) does not take null');
    global.value = 5;
    assert.is(global.value, 5);
  });
  test('functionType is one for one signature', () => {
    assert.is(functionType(typeOf('i:l')), functionType(typeOf('i:l')));
    const { rtt } = make({ funcs: [{ type: 'i:l', export: 'f', body: ['unreachable'] }] }).exports.get('f') as unknown as { rtt: unknown };
    assert.is(rtt, functionType(typeOf('i:l')));
  });
  test('a function that the module calls by a subtype of its own does not link to one of another', () => {
    // (sub (func)) is open, and no host function is of it unless the module asks for one
    const open: Bytes = [0x50, 0, 0x60, 0, 0];
    const provider = make({ rawTypes: [open], funcs: [{ type: '#0', export: 'x', body: [] }] });
    make({ rawTypes: [open], imports: [{ module: 'm', name: 'x', type: '#0' }] }, one(provider.exports.get('x')!));
    const error = throwsCode(() => make({ imports: [{ module: 'm', name: 'x', type: ':' }] }, one(provider.exports.get('x')!)), 'WASM_LINK');
    assert.match(error.message, 'incompatible import type');
    make({ rawTypes: [open], imports: [{ module: 'm', name: 'x', type: '#0' }] }, one(host(typeOf(':'), () => undefined)));
  });
});
