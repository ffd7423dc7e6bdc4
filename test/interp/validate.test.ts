import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InvalidError, ProjectError } from '#src/errors.js';
import { decode } from '#src/interp/decode.js';
import { FEATURES_2_0, FEATURES_3_0, OP, type Feature } from '#src/interp/opcodes.js';
import { EXTERNREF, F32, FUNCREF, I32, I64, V128 } from '#src/interp/types.js';
import { decodeAndValidate, validate } from '#src/interp/validate.js';
import { assert, suite, throwsCode, type Need } from '../support/suite.js';
import { body, func, funcType, leb, module, name, section, vec, type Bytes } from './wasm.js';

const NOP = section(1, vec([funcType([], [])]));
const I32_0: Bytes = [OP['i32.const'], 0, OP.end];
const memory = { memory: true };

/** what is wrong, the bytes, and the message behind `invalid module: ` */
const INVALID: readonly (readonly [string, Uint8Array, string])[] = [
  ['an operand of another type', func([I64], [I32], [OP['local.get'], 0, OP['i32.eqz']]),
    'i32.eqz at 0x1b in func 0: type mismatch (expected i32, found i64)'],
  ['a missing operand', func([], [I32], [OP['i32.const'], 1, OP['i32.add']]), 'i32.add at 0x1a in func 0: type mismatch (expected i32, found an empty stack)'],
  ['a missing result', func([], [I32], []), 'end at 0x18 in func 0: type mismatch (expected i32, found an empty stack)'],
  ['a value too many', func([], [], [OP['i32.const'], 0]), 'end at 0x19 in func 0: type mismatch (1 more values on the stack than the block\'s results [])'],
  ['an operand from outside of the block', func([], [], [OP['i32.const'], 0, OP.block, 0x40, OP.drop, OP.end]),
    'drop at 0x1b in func 0: type mismatch (expected a value, found an empty stack)'],
  ['an if without else that has to make a value', func([], [I32], [OP['i32.const'], 0, OP.if, I32, OP['i32.const'], 0, OP.end]),
    'end at 0x1e in func 0: type mismatch (an if without else turns [] into [i32])'],
  ['an unknown local', func([I32], [], [OP['local.get'], 3], { locals: [[2, I64]] }), 'local.get at 0x1a in func 0: unknown local 3 (3 locals)'],
  ['an unknown global', func([], [], [OP['global.get'], 0]), 'global.get at 0x17 in func 0: unknown global 0 (the module has 0)'],
  ['an unknown function', func([], [], [OP.call, 1]), 'call at 0x17 in func 0: unknown function 1 (the module has 1)'],
  ['an unknown label', func([], [], [OP.br, 1]), 'br at 0x17 in func 0: unknown label 1 (1 labels)'],
  ['an unknown table', func([], [], [OP['table.size'] >> 8, OP['table.size'] & 0xff, 0]), 'table.size at 0x17 in func 0: unknown table 0 (the module has 0)'],
  ['an unknown type', func([], [], [OP.block, 1, OP.end]), 'block at 0x17 in func 0: unknown type 1 (the module has 1)'],
  ['an unknown memory', func([], [I32], [OP['memory.size'], 0]), 'memory.size at 0x18 in func 0: unknown memory 0 (the module has 0)'],
  ['an unknown element segment', func([], [], [0xfc, 0x0d, 2]), 'elem.drop at 0x17 in func 0: unknown elem segment 2 (the module has 0)'],
  ['too large an alignment', func([I32], [I32], [OP['local.get'], 0, OP['i32.load'], 3, 0], memory),
    'i32.load at 0x20 in func 0: alignment must not be larger than natural (2^3, natural is 2^2)'],
  ['an offset beyond 32 bits', func([I32], [I32], [OP['local.get'], 0, OP['i32.load'], 0, leb(2 ** 32)], memory),
    'i32.load at 0x20 in func 0: offset out of range (4294967296 in a 32-bit memory)'],
  ['a select of references', func([EXTERNREF], [EXTERNREF], [OP['local.get'], 0, OP['local.get'], 0, OP['i32.const'], 1, OP.select]),
    'select at 0x1f in func 0: type mismatch (select without a type takes no externref)'],
  ['a select between two types', func([], [I32], [OP['i32.const'], 0, OP['i64.const'], 0, OP['i32.const'], 1, OP.select]),
    'select at 0x1e in func 0: type mismatch (select between i32 and i64)'],
  ['a select of two types', func([], [], [OP.select_t, 2, I32, I32]), 'select at 0x17 in func 0: invalid result arity (2 types, expected 1)'],
  ['a null test of a number', func([I32], [I32], [OP['local.get'], 0, OP['ref.is_null']]),
    'ref.is_null at 0x1b in func 0: type mismatch (expected a reference, found i32)'],
  ['a function reference nobody declared', func([], [FUNCREF], [OP['ref.func'], 0]),
    'ref.func at 0x18 in func 0: undeclared function reference (function 0 is in no element segment, export or global)'],
  ['labels of different arity', func([], [], [OP.block, I32, OP['i32.const'], 0, OP['i32.const'], 0, OP.br_table, 1, 0, 1, OP.end, OP.drop]),
    'br_table at 0x1d in func 0: type mismatch (label 0 takes 1 values, the default label 0)'],
  ['a write to an immutable global', module(NOP, section(3, vec([[0]])), section(6, vec([[I32, 0, I32_0]])), section(10, vec([body([OP['i32.const'], 0, OP['global.set'], 0])]))),
    'global.set at 0x21 in func 0: immutable global (global 0)'],
  ['a function of an unknown type', module(section(3, vec([[5]])), section(10, vec([body([])]))), 'unknown type 5 (the module has 0)'],
  ['a type with too many parameters', module(section(1, vec([funcType(new Array<number>(1001).fill(I32), [])]))),
    'too many parameters (type 0 has 1001, this engine takes at most 1000)'],
  ['too many locals', func([], [], [], { locals: [[50_001, I32]] }), 'too many locals (func 0 has 50001, this engine takes at most 50000)'],
  ['a minimum above the maximum', module(section(5, vec([[1, 2, 1]]))), 'size minimum must not be greater than maximum (memory 0: 2 > 1)'],
  ['a memory of more than 4 GiB', module(section(5, vec([[0, leb(65537)]]))), 'memory size must be at most 65536 pages (4GiB) (memory 0 asks for 65537)'],
  ['two memories', module(section(5, vec([[0, 0], [0, 0]]))), 'multiple memories (2, more than one needs the feature multi-memory)'],
  ['an export name twice', module(section(5, vec([[0, 0]])), section(7, vec([[name('a'), 2, 0], [name('a'), 2, 0]]))), 'duplicate export name ("a")'],
  ['an export of nothing', module(section(7, vec([[name('a'), 1, 0]]))), 'unknown table 0 (the module has 0)'],
  ['an initial value that is not constant', module(section(6, vec([[I32, 0, OP['i32.const'], 0, OP['i32.eqz'], OP.end]]))), 'i32.eqz at 0xf: constant expression required'],
  ['an initial value of another type', module(section(6, vec([[I64, 0, I32_0]]))), 'end at 0xf: type mismatch (expected i64, found i32)'],
  ['an initial value from a global of the module', module(section(6, vec([[I32, 0, I32_0], [I32, 0, OP['global.get'], 0, OP.end]]))), 'global.get at 0x12: unknown global 0 (0 can be read here)'],
  ['a data segment without a memory', module(section(11, vec([[0, I32_0, 0]]))), 'unknown memory 0 (the module has 0)'],
  ['an element segment without a table', module(section(9, vec([[0, I32_0, vec([])]]))), 'unknown table 0 (the module has 0)'],
  ['an element segment of another type', module(section(4, vec([[EXTERNREF, 0, 0]])), section(9, vec([[0, I32_0, vec([])]]))),
    'type mismatch (an element segment of funcref for table 0 of externref)'],
  ['an element that does not exist', module(section(4, vec([[FUNCREF, 0, 0]])), section(9, vec([[0, I32_0, vec([[9]])]]))), 'unknown function 9 (the module has 0)'],
  ['a start function with parameters', module(section(1, vec([funcType([I32], [])])), section(3, vec([[0]])), section(8, 0), section(10, vec([body([])]))),
    'in func 0: start function (takes 1 parameters and returns 0 results, expected none)'],
];

const VALID: readonly (readonly [string, Uint8Array])[] = [
  ['no sections', module()],
  ['an empty function', func([], [], [])],
  ['unreachable code with any operands', func([], [I32], [OP.unreachable, OP['i32.add'], OP.select, OP.drop, OP['i64.add'], OP['i32.wrap_i64']])],
  ['br_table in unreachable code with labels of different types', func([], [], [
    OP.block, F32, OP.block, I32, OP.unreachable, OP['i32.const'], 0, OP.br_table, 1, 0, 1, OP.end, OP.drop, OP['f32.const'], 0, 0, 0, 0, OP.end, OP.drop,
  ])],
  ['a loop that branches to its own start', func([I32], [], [OP.loop, 0x40, OP['local.get'], 0, OP.br_if, 0, OP.end])],
  ['a reference to an exported function', module(NOP, section(3, vec([[0]])), section(7, vec([[name('f'), 0, 0]])), section(10, vec([body([OP['ref.func'], 0, OP.drop])])))],
  ['locals beyond the looked-up ones', func([], [I64], [OP['local.get'], leb(40_000)], { locals: [[30_000, I32], [20_000, I64]] })],
];

const STRUCT: Bytes = [0x5f, vec([[I32, 0], [0x78, 1]])]; // (struct (field i32) (field (mut i8)))
const ARRAY: Bytes = [0x5e, I32, 0];
/** One function of type 0 over these types. */
const over = (types: readonly Bytes[], code: Bytes, ...sections: Bytes): Uint8Array =>
  module(section(1, vec([funcType([], []), ...types])), section(3, vec([[0]])), ...sections, section(10, vec([body(code)])));
const REF = 0x64, NULL_REF = 0x63;

/** Of WebAssembly 3.0. */
const INVALID_3: readonly (readonly [string, Uint8Array, string])[] = [
  ['a tail call with other results', over([funcType([], [I32])], [OP['ref.null'], 1, OP.return_call_ref, 1]),
    'return_call_ref at 0x1d in func 0: type mismatch (the callee returns [i32], the function [])'],
  ['a null where none may be', over([funcType([], [])], [OP['ref.null'], 0, OP.call, 0, OP.block, REF, 1, OP['ref.null'], 1, OP.end, OP.drop, OP.drop]),
    'end at 0x23 in func 0: type mismatch (expected (ref 1), found (ref null 1))'],
  ['a local without a value', module(section(1, vec([funcType([], [])])), section(3, vec([[0]])), section(10, vec([[8, 1, 1, REF, 0x70, OP['local.get'], 0, OP.drop, OP.end]]))),
    'local.get at 0x1a in func 0: uninitialized local 0 ((ref func) has no default value)'],
  ['a local of an unknown type', module(section(1, vec([funcType([], [])])), section(3, vec([[0]])), section(10, vec([[5, 1, 1, NULL_REF, 9, OP.end]]))),
    'at 0x1a in func 0: unknown type 9 (a local\'s type; the module has 1)'],
  ['a throw of an unknown tag', over([], [OP.throw, 2]), 'throw at 0x17 in func 0: unknown tag 2 (the module has 0)'],
  ['a tag with results', module(section(1, vec([funcType([], [I32])])), section(13, vec([[0, 0]]))), 'non-empty tag result type (tag 0 returns [i32])'],
  ['a catch that its label cannot take', over([funcType([I32], [])], [OP.try_table, 0x40, 1, 0, 0, 0, OP.end], section(13, vec([[0, 1]]))),
    'try_table at 0x20 in func 0: type mismatch (the catch brings [i32], label 0 takes [])'],
  ['a lane that is not there', func([V128], [I32], [OP['local.get'], 0, 0xfd, 0x1b, 4]), 'i32x4.extract_lane at 0x1b in func 0: invalid lane index (4 of 4 lanes)'],
  ['a shuffle of a third vector', func([V128], [V128], [OP['local.get'], 0, OP['local.get'], 0, 0xfd, 0x0d, ...new Array<number>(15).fill(31), 32]),
    'i8x16.shuffle at 0x1d in func 0: invalid lane index (32 of 32 lanes)'],
  ['a write to an immutable field', over([STRUCT], [OP['ref.null'], 1, OP['i32.const'], 0, 0xfb, 5, 1, 0]), 'struct.set at 0x21 in func 0: immutable field (field 0 of type 1)'],
  ['an unknown field', over([STRUCT], [OP['ref.null'], 1, 0xfb, 2, 1, 2]), 'struct.get at 0x1f in func 0: unknown field 2 (type 1 has 2)'],
  ['a packed field without a sign', over([STRUCT], [OP['ref.null'], 1, 0xfb, 2, 1, 1, OP.drop]), 'struct.get at 0x1f in func 0: type mismatch (the field is packed: i8)'],
  ['a write to an immutable array', over([ARRAY], [OP['ref.null'], 1, OP['i32.const'], 0, OP['i32.const'], 0, 0xfb, 14, 1]), 'array.set at 0x20 in func 0: immutable array (type 1)'],
  ['a struct type where an array type belongs', over([STRUCT], [OP['i32.const'], 0, 0xfb, 7, 1, OP.drop]),
    'array.new_default at 0x1f in func 0: type mismatch (type 1 is a struct, array wanted)'],
  ['a sub type of a final type', module(section(1, vec([ARRAY, [0x50, 1, 0, ARRAY]]))), 'sub type does not match its super type (type 1 is no sub type of final type 0)'],
  ['a sub type that lacks a field', module(section(1, vec([[0x50, 0, STRUCT], [0x50, 1, 0, 0x5f, vec([[I32, 0]])]]))), 'sub type does not match its super type (type 1 is no sub type of type 0)'],
  ['a type of a later group', module(section(1, vec([[0x5f, vec([[NULL_REF, 1, 0]])], STRUCT]))), 'unknown type 1 (type 0 can name types below 1)'],
  ['a table that needs an initial value', module(section(4, vec([[REF, 0x70, 0, 1]]))), 'type mismatch (table 0 of (ref func) needs an initial value)'],
];

const VALID_3: readonly (readonly [string, Uint8Array])[] = [
  ['equal types of two groups', over([ARRAY, ARRAY], [OP['ref.null'], 1, OP.block, NULL_REF, 2, OP['ref.null'], 1, OP.end, OP.drop, OP.drop])],
  ['types that name each other in one group', module(section(1, vec([[0x4e, vec([[0x5f, vec([[NULL_REF, 1, 0]])], [0x5f, vec([[NULL_REF, 0, 0]])]])]])))],
  ['a sub type in place of its super type', over([[0x50, 0, STRUCT], [0x50, 1, 1, STRUCT]], [OP.block, NULL_REF, 1, OP['ref.null'], 2, OP.end, OP.drop])],
  ['a local that has a value by then', module(section(1, vec([funcType([], [])])), section(3, vec([[0]])), section(9, vec([[3, 0, vec([[0]])]])),
    section(10, vec([[12, 1, 1, REF, 0x70, OP['ref.func'], 0, OP['local.set'], 0, OP['local.get'], 0, OP.drop, OP.end]])))],
];

suite('validate', (test) => {
  test.table(VALID_3, ([what]) => `validate takes ${what}`, ([, bytes]) => { validate(decode(bytes, FEATURES_3_0), FEATURES_3_0); });
  test.table(INVALID_3, ([what]) => `validate refuses ${what}`, ([, bytes, message]) => {
    throwsCode(() => validate(decode(bytes, FEATURES_3_0), FEATURES_3_0), 'WASM_INVALID', `invalid module: ${message}`);
  });
  test.table(VALID, ([what]) => `validate takes ${what}`, ([, bytes]) => { validate(decode(bytes)); });
  test.table(INVALID, ([what]) => `validate refuses ${what}`, ([, bytes, message]) => {
    throwsCode(() => validate(decode(bytes)), 'WASM_INVALID', `invalid module: ${message}`);
  });

  test('validate names the function from the name section', () => {
    const names = section(0, name('name'), section(1, vec([[0, name('parse')]])));
    const bytes = module(NOP, section(3, vec([[0]])), section(10, vec([body([OP.drop])])), names);
    const error = throwsCode<InvalidError>(() => validate(decode(bytes)), 'WASM_INVALID',
      'invalid module: drop at 0x17 in func 0 "parse": type mismatch (expected a value, found an empty stack)');
    assert.equal([error.reason, error.where], ['type mismatch', { offset: 0x17, op: 'drop', func: 0, funcName: 'parse' }]);
  });

  test('validate takes deep nesting and many labels in linear time', () => {
    const depth = 100_000;
    const code: Bytes = [
      new Array<number>(depth).fill(0).flatMap(() => [OP.block, 0x40]),
      OP['i32.const'], 0, OP.br_table, leb(depth), new Array<number>(depth + 1).fill(0).map((_, i) => leb(i)),
      new Array<number>(depth).fill(OP.end),
    ];
    const start = performance.now();
    validate(decode(func([], [], code)));
    assert.ok(performance.now() - start < 3000);
  });
});

// ---- mutations: whatever the bytes, an answer of the two kinds or none, soon ----------------------------------------------

/** Numerical Recipes' generator: the same numbers on every machine. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

function mutate(bytes: Uint8Array, next: (below: number) => number): Uint8Array {
  let out = bytes.slice();
  for (let n = 1 + next(3); n > 0; n--) {
    const at = next(out.length);
    switch (next(4)) {
      case 0: out[at] = next(256); break;
      case 1: out[at] ^= 1 << next(8); break;
      case 2: out = Uint8Array.from([...out.subarray(0, at), ...out.subarray(Math.min(out.length, at + 1 + next(4)))]); break;
      case 3: out = Uint8Array.from([...out.subarray(0, at), next(256), ...out.subarray(at)]); break;
    }
    if (out.length === 0) return out;
  }
  return out;
}

/** By the two steps and by the one that joins them: both say the same. */
function judge(bytes: Uint8Array, features: ReadonlySet<Feature> = FEATURES_2_0): ProjectError | undefined {
  const answer = (run: () => void): ProjectError | undefined => {
    try {
      run();
      return undefined;
    } catch (error) {
      if (error instanceof ProjectError) return error;
      throw error;
    }
  };
  const apart = answer(() => { validate(decode(bytes, features), features); });
  const joined = answer(() => { decodeAndValidate(bytes, features); });
  assert.is(joined?.message, apart?.message);
  return apart;
}

const v8 = (globalThis as unknown as { WebAssembly: { validate(bytes: Uint8Array): boolean } }).WebAssembly;

const SUITE = new URL('../../../../shared/wasm-testsuite/', import.meta.url);
const SEEDS = [...VALID, ...INVALID, ...VALID_3, ...INVALID_3].map(([, bytes]) => bytes).filter((bytes) => bytes.length < 200);

suite('validate, fuzzed', (test) => {
  test('decode and validate answer mutated modules with their own errors only', () => {
    const next = random(2);
    const outcomes = { valid: 0, WASM_MALFORMED: 0, WASM_INVALID: 0 };
    const until = performance.now() + 2000;
    for (let i = 0; i < 20_000 && performance.now() < until; i++) {
      const bytes = mutate(SEEDS[next(SEEDS.length)], next);
      const error = judge(bytes, i % 2 ? FEATURES_2_0 : FEATURES_3_0);
      // what WebAssembly 2.0 has, V8 has: the independent judge
      if (i % 2 && !error) assert.ok(v8.validate(bytes), `V8 refuses ${Buffer.from(bytes).toString('hex')}`);
      const code = (error?.code ?? 'valid') as keyof typeof outcomes;
      assert.ok(code in outcomes, `${error?.message}`);
      outcomes[code]++;
    }
    for (const [code, count] of Object.entries(outcomes)) assert.ok(count > 0, `no mutation was ${code}`);
  });
});

// ---- the official suite ------------------------------------------------------------------------------------------------

interface Script { readonly commands: readonly { readonly type: string; readonly text?: string; readonly binary?: number; readonly module?: { readonly binary?: number } }[]; readonly modules: readonly string[] }

const suiteHere: Need = { name: 'the official suite', missing: existsSync(SUITE) ? undefined : `no ${fileURLToPath(SUITE)}` };

suite('validate, official suite', (test) => {
  test.needing([suiteHere], 'decode and validate agree with every module', () => {
    let judged = 0;
    const wrong: string[] = [];
    for (const file of readdirSync(SUITE).filter((name) => name.endsWith('.json')).sort()) {
      const script = JSON.parse(readFileSync(new URL(file, SUITE), 'utf8')) as Script;
      script.commands.forEach((command, index) => {
        const binary = command.binary ?? command.module?.binary;
        if (binary === undefined) return;
        const error = judge(new Uint8Array(Buffer.from(script.modules[binary], 'base64')), FEATURES_3_0);
        const verdict = disagreement(command.type, command.text ?? '', error);
        if (verdict) wrong.push(`${file} ${index}: ${verdict}`);
        judged++;
      });
    }
    assert.ok(judged > 5900, `only ${judged} modules`);
    assert.equal(wrong, []);
  });
});

/** What follows a colon in the suite's text is the detail in the words of another engine. */
function disagreement(type: string, text: string, error: ProjectError | undefined): string | undefined {
  if (type !== 'assert_malformed' && type !== 'assert_invalid') return error && `should be valid: ${error.message}`;
  const code = type === 'assert_malformed' ? 'WASM_MALFORMED' : 'WASM_INVALID';
  const { reason } = (error ?? {}) as { reason?: string };
  return error?.code === code && reason?.startsWith(text.replace(/: .*/, '')) ? undefined : `should be ${code} "${text}": ${error?.message ?? 'taken'}`;
}
