import { InstrReader } from '#src/interp/instr.js';
import { FEATURES_2_0, OP, ROWS, enabledRows, mnemonicOf, rowOf } from '#src/interp/opcodes.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const read = (...bytes: number[]): InstrReader => {
  const r = new InstrReader(Uint8Array.from(bytes));
  r.next();
  return r;
};

/** bytes, code, a, b, c as far as the instruction has them */
const READ: readonly (readonly [number[], number, ...number[]])[] = [
  [[0x6a], 0x6a],
  [[0x20, 0x83, 0x01], 0x20, 131],
  [[0x41, 0x7f], 0x41, -1],
  [[0x41, 0x80, 0x80, 0x80, 0x80, 0x78], 0x41, -0x80000000],
  [[0x41, 0xff, 0xff, 0xff, 0xff, 0x07], 0x41, 0x7fffffff],
  [[0x41, 0x80, 0x7f], 0x41, -128],
  [[0x42, 0x7f], 0x42, -1, -1],
  [[0x42, 0x80, 0x80, 0x80, 0x80, 0x10], 0x42, 0, 1],
  [[0x42, 0x80, 0x80, 0x80, 0x80, 0x70], 0x42, 0, -1],
  [[0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f], 0x42, 0, -0x80000000],
  [[0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00], 0x42, -1, 0x7fffffff],
  [[0x43, 0, 0, 0xa0, 0x7f], 0x43, 0x7fa00000],
  [[0x44, 1, 2, 3, 4, 5, 6, 7, 0xf8], 0x44, 0x04030201, 0xf8070605 | 0],
  [[0x28, 0x02, 0x10], 0x28, 16, 0, 2],
  [[0x02, 0x40], 0x02, -1, 0],
  [[0x03, 0x7e], 0x03, -1, 0x7e],
  [[0x04, 0x05], 0x04, 5, 0],
  [[0x04, 0xc0, 0x00], 0x04, 64, 0],
  [[0x11, 0x01, 0x02], 0x11, 1, 2],
  [[0x1c, 0x01, 0x6f], 0x1c, 1, 0x6f],
  [[0xd0, 0x6f], 0xd0, 0x6f],
  [[0xfc, 0x0a, 0x00, 0x00], 0xfc0a, 0, 0],
  [[0xfc, 0x8c, 0x00, 0x03, 0x04], 0xfc0c, 3, 4],
];

suite('opcodes', (test) => {
  test('ROWS are in order, without a code or a mnemonic twice', () => {
    // the prefix before the sub-opcode, which has two digits or three
    const codes = ROWS.map(([code]) => code > 0xff && code <= 0xffff ? code >> 8 << 12 | code & 0xff : code);
    assert.equal(codes, [...new Set(codes)].sort((a, b) => a - b));
    assert.is(new Set(ROWS.map(([, mnemonic]) => mnemonic)).size, ROWS.length);
  });

  test('rowOf finds every row, and no other code', () => {
    for (const row of ROWS) assert.is(rowOf(row[0]), row);
    for (const code of [0x1d, 0x27, 0xc5, 0xfc, 0xfcff, 0xff, 0xee01]) assert.is(rowOf(code), undefined);
  });

  test('mnemonicOf names codes as the text format does', () => {
    assert.equal([0x6a, 0x1c, 0xfc0a, 0x27].map(mnemonicOf), ['i32.add', 'select', 'memory.copy', '0x27']);
    assert.is(OP['i32.trunc_sat_f32_s'], 0xfc00);
  });

  test('enabledRows leaves out the instructions of missing features', () => {
    const rows = enabledRows(new Set(['mvp']));
    assert.equal(['i32.add', 'i32.extend8_s', 'memory.copy'].map((m) => rows[ROWS.findIndex((row) => row[1] === m)]), [1, 0, 0]);
  });

  test.table(READ, ([bytes]) => `InstrReader.next reads ${Buffer.from(bytes).toString('hex')}`, ([bytes, op, ...fields]) => {
    const r = read(...bytes);
    assert.equal([r.op, ...[r.a, r.b, r.c].slice(0, fields.length)], [op, ...fields]);
    assert.is(r.pos, bytes.length);
    assert.is(r.offset, 0);
  });

  test('InstrReader.next keeps the targets of br_table, the default last', () => {
    const r = read(0x0e, 0x02, 0x00, 0x85, 0x01, 0x07);
    assert.is(r.a, 2);
    assert.equal([...r.labels.subarray(0, 3)], [0, 133, 7]);
  });

  test('InstrReader.next refuses an instruction whose feature is off', () => {
    const r = new InstrReader(Uint8Array.from([0xc0]), 0, 1, new Set(['mvp'] as const));
    throwsCode(() => r.next(), 'WASM_MALFORMED', 'malformed module at 0x0: illegal opcode (i32.extend8_s needs the feature sign-extension)');
  });

  test('InstrReader.next stops at the end of its range', () => {
    const r = new InstrReader(Uint8Array.from([0x41, 0x80, 0x01]), 0, 2, FEATURES_2_0);
    throwsCode(() => r.next(), 'WASM_MALFORMED', 'malformed module at 0x2: unexpected end of section or function');
  });
});
