import { Reader, cString } from '#src/bytes.js';
import { ElfError } from '#src/errors.js';
import { assert, suite, throwsCode } from './support/suite.js';

const fail = (reason: string, offset: number) => new ElfError(reason, { offset });
const reader = (...bytes: number[]) => new Reader(Uint8Array.from(bytes), fail, 0x100);

suite('bytes', (test) => {
  test('Reader reads little-endian and moves on', () => {
    const r = reader(0xff, 0x01, 0x02, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0x80);
    assert.is(r.u8(), 0xff);
    assert.is(r.u16(), 0x0201);
    assert.is(r.i32(), -1);
    assert.is(r.i64(), -0x7fffffffffffffffn);
    assert.is(r.left, 0);
  });
  test('Reader answers a read past the end with the parser’s error and the file offset', () => {
    const r = reader(1, 2, 3);
    r.u8();
    throwsCode(() => r.u32(), 'BPF_ELF', 'BPF object: at 0x101: unexpected end: 4 bytes wanted, 2 left');
    assert.is(r.pos, 1);
  });
  test('Reader.seek refuses an offset outside', () => {
    throwsCode(() => reader(1).seek(2), 'BPF_ELF', 'BPF object: at 0x102: offset 2 is outside of 1 bytes');
    throwsCode(() => reader(1).seek(-1), 'BPF_ELF');
    throwsCode(() => reader(1).seek(NaN), 'BPF_ELF');
  });
  test('Reader.size64 refuses sizes that JS numbers cannot hold', () => {
    throwsCode(() => reader(0, 0, 0, 0, 0, 0, 0, 1).size64(), 'BPF_ELF', 'BPF object: at 0x100: size 72057594037927936 is beyond 2^53');
  });
  test('cString wants a NUL inside the bytes', () => {
    assert.is(cString(Uint8Array.of(104, 105, 0), 0), 'hi');
    assert.is(cString(Uint8Array.of(104, 105), 0), undefined);
    assert.is(cString(Uint8Array.of(0), 1), undefined);
  });
});
