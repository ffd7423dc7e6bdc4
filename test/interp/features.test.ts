import { missingFeatures } from '#src/interp/features.js';
import { interpreter } from '#src/interp/interpreter.js';
import { FEATURES_2_0, FEATURES_ALL, OP } from '#src/interp/opcodes.js';
import { I32, V128 } from '#src/interp/types.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { func, funcType, module, section, vec } from './wasm.js';

const VECTOR = func([], [V128], [0xfd, 0x0c, ...new Array<number>(16).fill(1)]);
const TAG = module(section(1, vec([funcType([], [])])), section(13, vec([[0, 0]])));
const STRUCT = module(section(1, vec([[0x5f, 0]])));
const TAIL = func([], [], [OP.return_call, 0]);

suite('features', (test) => {
  test.table([
    ['vectors', VECTOR, ['simd']],
    ['tail calls', TAIL, ['tail-call']],
    ['two memories', module(section(5, vec([[0, 0], [0, 0]]))), ['multi-memory']],
    ['a 64-bit memory', module(section(5, vec([[4, 0]]))), ['memory64']],
    ['arithmetic in an initial value', module(section(6, vec([[I32, 0, OP['i32.const'], 1, OP['i32.const'], 2, OP['i32.add'], OP.end]]))), ['extended-const']],
    ['a struct', STRUCT, ['gc']],
    ['a tag', TAG, ['exceptions']],
    ['nothing new', func([], [], []), []],
    ['what is invalid anyway', func([], [], [OP['i32.const'], 0]), []],
  ] as const, ([what]) => `missingFeatures tells what is needed for ${what}`, ([, bytes, features]) => {
    assert.equal(missingFeatures(bytes, FEATURES_2_0), [...features]);
    assert.equal(missingFeatures(bytes, FEATURES_ALL), []);
  });

  test('interpreter.compile names the feature it lacks', () => {
    throwsCode(() => interpreter.compile(STRUCT), 'UNSUPPORTED',
      'the WebAssembly feature gc is not supported here (build the guest without it)');
  });
});
