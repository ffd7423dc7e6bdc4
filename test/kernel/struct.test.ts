import { bytes, chars, i32, ptr, struct, u16, u32, u64, u8 } from '#src/kernel/struct.js';
import { assert, sameBytes, suite } from '../support/suite.js';

suite('kernel/struct', (test) => {
  const All = struct('all', { a: u8, b: u16, c: u32, d: i32, e: u64, f: u8, g: ptr, h: chars(4), i: bytes(3) });
  test('struct lays fields out by natural alignment', () => {
    assert.equal(All.offsets, { a: 0, b: 2, c: 4, d: 8, e: 16, f: 24, g: 32, h: 40, i: 44 });
    assert.is(All.size, 48);
    assert.is(struct('tail', { a: u64, b: u8 }).size, 16);
  });
  test('struct reads what it writes', () => {
    const view = new DataView(new ArrayBuffer(64));
    const values = { a: 255, b: 65535, c: 0xffff_ffff, d: -2, e: 0xffff_ffff_ffff_fffen, f: 1, g: 2 ** 47 - 1, h: 'abc', i: Uint8Array.of(1, 2, 3) };
    All.write(view, 8, values);
    const read = All.read(view, 8);
    assert.equal({ ...read, i: [...read.i] }, { ...values, i: [1, 2, 3] });
  });
  test('struct.write is little-endian and leaves other fields alone', () => {
    const view = new DataView(new ArrayBuffer(48));
    All.write(view, 0, { c: 0x01020304, e: -1n });
    All.write(view, 0, { a: undefined, b: 7 });
    sameBytes(new Uint8Array(view.buffer, 0, 24), Uint8Array.from([0, 0, 7, 0, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]));
  });
  test('chars cuts so that a NUL ends the name, never inside a character', () => {
    const Name = struct('name', { name: chars(4) });
    const view = new DataView(new ArrayBuffer(4));
    Name.write(view, 0, { name: 'abcdef' });
    assert.is(Name.read(view, 0).name, 'abc');
    Name.write(view, 0, { name: 'ééé' });
    assert.is(Name.read(view, 0).name, 'é');
  });
});
