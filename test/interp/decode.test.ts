import { decode } from '#src/interp/decode.js';
import { OP } from '#src/interp/opcodes.js';
import { F64, FUNCREF, I32, I64 } from '#src/interp/types.js';
import { MalformedError } from '#src/errors.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { HEADER, body, func, funcType, leb, module, name, section, vec, type Bytes } from './wasm.js';

const TYPES = section(1, vec([funcType([], [])]));
const FUNCS = section(3, vec([[0]]));

/** what is wrong, the bytes, and the whole message */
const MALFORMED: readonly (readonly [string, Uint8Array, string])[] = [
  ['no bytes', new Uint8Array(0), 'at 0x0: unexpected end'],
  ['another magic', Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 1, 0, 0, 0]), 'at 0x0: magic header not detected'],
  ['another version', Uint8Array.from([...HEADER.slice(0, 4), 13, 0, 1, 0]), 'at 0x4: unknown binary version (65549, expected 1)'],
  ['an unknown section', module([14, 1, 0]), 'at 0x8: malformed section id (14)'],
  ['a section longer than the module', module([1, 0x7f, 0]), 'at 0xa: length out of bounds (127 bytes wanted, 1 left)'],
  ['a section longer than its content', module(section(1, vec([funcType([], [])]), 0)), 'at 0xe: section size mismatch (section type has 1 more bytes)'],
  ['sections out of order', module(FUNCS, TYPES), 'at 0xc: unexpected content after last section (section type is out of order or repeated)'],
  ['a repeated section', module(TYPES, TYPES), 'at 0xe: unexpected content after last section (section type is out of order or repeated)'],
  ['an overlong integer', module([1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), 'at 0x9: integer representation too long'],
  ['an integer of more than 32 bits', module([1, 0x80, 0x80, 0x80, 0x80, 0x10]), 'at 0x9: integer too large'],
  ['more types than bytes', module(section(1, leb(0xffffffff))), 'at 0xa: unexpected end of section or function (4294967295 types in 0 bytes)'],
  ['an unknown type form', module(section(1, vec([[0x40]]))), 'at 0xb: malformed definition type (0x40)'],
  ['an unknown value type', module(section(1, vec([funcType([0x12], [])]))), 'at 0xd: malformed value type (0x12)'],
  ['a value type that no table holds', module(section(4, vec([[I32, 0, 0]]))), 'at 0xb: malformed reference type (0x7f)'],
  ['unknown limits', module(section(5, vec([[0x10, 0]]))), 'at 0xb: malformed limits flags (0x10)'],
  ['an unknown mutability', module(section(6, vec([[I32, 2, 0x41, 0, 0x0b]]))), 'at 0xc: malformed mutability (0x2)'],
  ['an unknown import kind', module(section(2, vec([[name('m'), name('n'), 9]]))), 'at 0xf: malformed import kind'],
  ['an unknown export kind', module(section(7, vec([[name('m'), 9, 0]]))), 'at 0xd: malformed export kind'],
  ['a name that is not UTF-8', module(section(7, vec([[[2, 0xc0, 0x80], 0, 0]]))), 'at 0xc: malformed UTF-8 encoding'],
  ['a surrogate in a name', module(section(0, [3, 0xed, 0xa0, 0x80])), 'at 0xb: malformed UTF-8 encoding'],
  ['a function without a body', module(TYPES, FUNCS), 'at 0x12: function and code section have inconsistent lengths (1 functions, 0 bodies)'],
  ['data count without data', module(section(12, 3)), 'at 0xb: data count and data section have inconsistent lengths (3 announced, 0 segments)'],
  ['memory.init without data count', func([], [], [0xfc, 0x08, 0, 0], { memory: true }), 'at 0x1c: data count section required (memory.init without it)'],
  ['too many locals', func([], [], [], { locals: [[0xffffffff, I32], [1, I64]] }), 'at 0x1d: too many locals (4294967296)'],
  ['an unknown opcode', func([], [], [0x27]), 'at 0x17: illegal opcode 27'],
  ['an unknown prefixed opcode', func([], [], [0xfc, 0x7f]), 'at 0x17: illegal opcode (0xfc 0x7f)'],
  ['a body without end', module(TYPES, FUNCS, section(10, vec([[2, 0, 0x01]]))), 'at 0x18: unexpected end of section or function (an expression without its end)'],
  ['an else without an if', func([], [], [OP.block, 0x40, OP.else, 0x0b]), 'at 0x19: END opcode expected (an else without an if)'],
  ['a second else', func([], [], [OP['i32.const'], 0, OP.if, 0x40, OP.else, OP.else, 0x0b]), 'at 0x1c: END opcode expected (an else without an if)'],
  ['bytes behind the end of a body', func([], [], [0x0b, 0x01]), 'at 0x18: section size mismatch (the body has 2 bytes behind its end)'],
  ['memory 1 in memory.size', func([], [], [OP['memory.size'], 1], { memory: true }), 'at 0x1d: zero byte expected (memory 1 needs the feature multi-memory)'],
  ['an alignment with unknown bits', func([], [], [OP['i32.load'], 0x80, 0x01, 0], { memory: true }), 'at 0x1c: malformed memop flags (0x80)'],
  ['an unknown block type', func([], [], [OP.block, 0xbf, 0x7f, 0x0b]), 'at 0x18: malformed block type (-65)'],
  ['more labels than bytes', func([], [], [OP.br_table, 0xff, 0xff, 0xff, 0xff, 0x0f]), 'at 0x18: unexpected end of section or function (4294967295 labels in 1 bytes)'],
  ['an unknown element segment', module(section(9, vec([[8]]))), 'at 0xb: malformed elements segment kind (8)'],
  ['an unknown element kind', module(section(9, vec([[1, 1, 0]]))), 'at 0xc: malformed element kind'],
  ['an unknown data segment', module(section(11, vec([[3]]))), 'at 0xb: malformed data segment kind (3)'],
  ['a data segment longer than its section', module(section(11, vec([[1, 2, 0]]))), 'at 0xd: unexpected end of section or function (2 bytes wanted, 1 left)'],
];

suite('decode', (test) => {
  test('decode reads every section', () => {
    const m = decode(module(
      section(0, name('first'), 1, 2, 3),
      section(1, vec([funcType([I32, F64], [I64]), funcType([], [])])),
      section(2, vec([
        [name('env'), name('f'), 0, 1], [name('env'), name('t'), 1, FUNCREF, 1, 1, 2], [name('env'), name('m'), 2, 0, 3], [name('env'), name('g'), 3, I32, 0],
      ])),
      section(3, vec([[0]])),
      section(4, vec([[FUNCREF, 0, 5]])),
      section(6, vec([[I64, 1, OP['i64.const'], 0x7f, OP.end]])),
      section(7, vec([[name('grüße'), 0, 1]])),
      section(8, 0),
      section(9, vec([[0, OP['i32.const'], 1, OP.end, vec([[1]])], [5, FUNCREF, vec([[OP['ref.null'], 0x70, OP.end]])], [3, 0, vec([[0]])]])),
      section(12, 1),
      section(10, vec([body([OP['i64.const'], 7], [[2, I32], [1, F64]])])),
      section(11, vec([[1, name('ab')]])),
    ));
    assert.equal(m.types, [{ params: [I32, F64], results: [I64] }, { params: [], results: [] }]);
    assert.equal(m.imports.map(({ module: from, name: item, desc }) => [from, item, desc]), [
      ['env', 'f', { kind: 'func', type: 1 }],
      ['env', 't', { kind: 'table', type: { elem: FUNCREF, limits: { min: 1, max: 2 } } }],
      ['env', 'm', { kind: 'memory', type: { limits: { min: 3, max: undefined }, shared: false } }],
      ['env', 'g', { kind: 'global', type: { type: I32, mutable: false } }],
    ]);
    assert.equal(m.imported, { func: 1, table: 1, memory: 1, global: 1, tag: 0 });
    assert.equal(m.funcs, [1, 0]);
    assert.equal(m.tables.map(({ type }) => type.limits.min), [1, 5]);
    assert.is(m.memories.length, 1);
    assert.equal(m.globals.map(({ type, init }) => [type.type, type.mutable, init && init.end - init.start]), [[I32, false, undefined], [I64, true, 3]]);
    assert.equal(m.exports, [{ name: 'grüße', kind: 'func', index: 1 }]);
    assert.is(m.start, 0);
    assert.equal(m.elems.map(({ mode, init }) => [mode.kind, typeof init[0]]), [['active', 'number'], ['passive', 'object'], ['declarative', 'number']]);
    assert.is(m.dataCount, 1);
    assert.equal(m.codes.map(({ locals, start, end }) => [locals, end - start]), [[[{ count: 2, type: I32 }, { count: 1, type: F64 }], 3]]);
    assert.equal(m.datas.map(({ mode, start, end }) => [mode.kind, String.fromCharCode(...m.bytes.subarray(start, end))]), [['passive', 'ab']]);
    assert.equal(m.customs.map((c) => [c.name, c.end - c.start]), [['first', 3]]);
  });

  test('decode takes a module without sections', () => {
    assert.is(decode(module()).codes.length, 0);
  });

  test.table(MALFORMED, ([what]) => `decode refuses ${what}`, ([, bytes, message]) => {
    const error = throwsCode<MalformedError>(() => decode(bytes), 'WASM_MALFORMED');
    assert.is(error.message.slice(0, 'malformed module '.length + message.length), `malformed module ${message}`);
  });

  test('decode answers every truncation with WASM_MALFORMED and an offset inside', () => {
    const whole = func([I32], [I32], [OP['local.get'], 0, OP.if, I32, OP['i32.const'], 0xff, 0x01, OP.else, OP['f64.const'], 0, 0, 0, 0, 0, 0, 0, 0, OP['i32.trunc_f64_s'], OP.end], { memory: true });
    // a cut between sections leaves a module that lacks bodies, or the empty one
    const empty = new Set([8, 16]);
    for (let size = 0; size < whole.length; size++) {
      const run = () => decode(whole.subarray(0, size));
      if (empty.has(size)) run();
      else assert.ok(throwsCode<MalformedError>(run, 'WASM_MALFORMED').offset <= size);
    }
  });

  test('decode takes deep nesting without recursion', () => {
    const depth = 200_000;
    const code: Bytes = [new Array<number>(depth).fill(0).flatMap(() => [OP.block, 0x40]), new Array<number>(depth).fill(OP.end)];
    assert.is(decode(func([], [], code)).codes.length, 1);
  });

  test('decode allocates nothing for a count that the bytes do not hold', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const id of [1, 2, 3, 4, 5, 6, 7, 9, 10, 11]) throwsCode(() => decode(module(section(id, leb(0x7fffffff), 0))), 'WASM_MALFORMED');
    assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 20);
  });
});
