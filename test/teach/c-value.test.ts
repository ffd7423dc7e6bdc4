/** Values by their C types, as inspect shows them. */
import { parseBtf } from '#src/reloc/btf.js';
import { cValue } from '#src/teach/c-value.js';
import { BtfBuilder } from '../support/btf.js';
import { assert, suite } from '../support/suite.js';

const b = new BtfBuilder();
const int = b.int('int', 4, { signed: true }), u64 = b.int('unsigned long long', 8), bool = b.int('_Bool', 1, { bool: true });
const char = b.int('char', 1, { signed: true, char: true }), name = b.array(char, 8), pair = b.array(int, 2), many = b.array(int, 20);
const color = b.enum('color', { RED: 0, BLUE: 5 }), pointer = b.ptr(0), real = b.float('double', 8), single = b.float('float', 4);
const event = b.struct('event', 16, [{ name: 'pid', type: int, at: 0 }, { name: 'comm', type: name, at: 32 }, { name: 'of', type: color, at: 96 }]);
const bits = b.struct('bits', 4, [{ name: 'a', type: int, at: 0, bits: 3 }, { name: 'b', type: int, at: 3, bits: 5 }]);
const either = b.union('either', 4, [{ name: 'i', type: int, at: 0 }, { name: 'c', type: color, at: 0 }]);
const id = b.typedef('id_t', b.const(int));
const btf = parseBtf(b.build(), { source: 'test' });

const le = (...words: number[]) => Uint8Array.from(words.flatMap((w) => [w, w >> 8, w >> 16, w >> 24].map((byte) => byte & 0xff)));
const chars = (s: string) => { const bytes = new Uint8Array(8); bytes.set(Buffer.from(s, 'latin1')); return bytes; };

suite('cValue', (test) => {
  test.table<[type: number, bytes: Uint8Array, shown: string]>([
    [int, le(-1), '-1'],
    [id, le(7), '7'],
    [u64, le(-1, -1), '18446744073709551615'],
    [u64, Uint8Array.of(1, 1), '257'],
    [bool, Uint8Array.of(1), 'true'],
    [color, le(5), 'BLUE'],
    [color, le(6), '6'],
    [pointer, le(0, 0), 'NULL'],
    [pointer, le(16, 1), '0x100000010'],
    [real, new Uint8Array(new Float64Array([1.5]).buffer), '1.5'],
    [single, new Uint8Array(new Float32Array([-0.5]).buffer), '-0.5'],
    [name, chars('bash'), '"bash"'],
    [name, chars(''), '""'],
    [name, chars('a\0b'), '61 00 62 00 00 00 00 00'],
    [name, chars('\xff'), 'ff 00 00 00 00 00 00 00'],
    [pair, le(1, -2), '{ 1, -2 }'],
    [pair, le(0, 0), '{}'],
    [many, le(...Array.from({ length: 20 }, (_, i) => i)), '{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, … }'],
    [event, Uint8Array.from([...le(3), ...chars('sh'), ...le(0)]), '{ .pid = 3, .comm = "sh", .of = RED }'],
    [event, new Uint8Array(16), '{}'],
    [bits, le(0b11111_101), '{ .a = -3, .b = -1 }'],
    [either, le(5), '{ .i = 5 }'],
  ], ([type, , shown]) => `type ${type} as ${shown}`, ([type, bytes, shown]) => assert.is(cValue(btf, type, bytes), shown));
});
