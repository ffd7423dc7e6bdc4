/** btf-sanitize.ts: what each kind turns into. */
import { type Btf, parseBtf } from '#src/reloc/btf.js';
import { declaration } from '#src/reloc/btf-c.js';
import { BTF_FEATURES, type BtfFeature, sanitizeBtf } from '#src/reloc/btf-sanitize.js';
import { BtfBuilder } from '../support/btf.js';
import { assert, sameBytes, suite } from '../support/suite.js';

const b = new BtfBuilder();
const int = b.int('int', 4, { signed: true });
const proto = b.funcProto(int, [{ name: 'x', type: int }]);
const func = b.func('main', proto, 1);
const counter = b.var('counter', int, 1);
const datasec = b.datasec('.bss.mine', 8, [{ type: counter, offset: 4, size: 4 }]);
const qmark = b.datasec('?.struct_ops', 4, [{ type: counter, offset: 0, size: 4 }]);
const float = b.float('double', 8);
const declTag = b.declTag('note', counter);
const typeTag = b.typeTag('user', int);
const signed = b.enum('errno', { NONE: 0, EPERM: -1 });
const wide = b.enum64('wide', { A: 1n, B: 2n });
const wider = b.enum64('wider', { C: 3n });
const original = parseBtf(b.build(), { source: 'program' });

function without(...features: BtfFeature[]): Btf {
  return parseBtf(sanitizeBtf(original, (feature) => !features.includes(feature)), { source: 'program' });
}

suite('btf-sanitize', (test) => {
  test('sanitizeBtf gives the very bytes where the kernel knows everything', () => {
    assert.is(sanitizeBtf(original, () => true), original.bytes);
  });

  test('sanitizeBtf asks only about what the BTF uses', () => {
    const small = new BtfBuilder();
    small.int('int', 4);
    sanitizeBtf(parseBtf(small.build(), { source: 'x' }), (feature) => { throw new Error(feature); });
    const asked: string[] = [];
    sanitizeBtf(original, (feature) => (asked.push(feature), true));
    assert.equal(asked.sort(), [...BTF_FEATURES].sort());
  });

  const rows: [BtfFeature, number, string][] = [
    ['btfFunc', proto, 'enum {\n\tx = 1,\n};'],
    ['btfFunc', func, 'typedef enum {…} main;'],
    ['btfFuncGlobal', func, 'static int main(int x);'],
    ['btfDatasec', counter, 'counter;'],
    ['btfDatasec', datasec, 'struct _bss_mine {\n\tcounter counter; /* 4 */\n} /* 8 bytes */;'],
    ['btfDatasec', qmark, 'struct __struct_ops {\n\tcounter counter; /* 0 */\n} /* 4 bytes */;'],
    ['btfQmarkDatasec', qmark, 'section _.struct_ops {\n\tint counter; /* 0 */\n}; /* 4 bytes */'],
    ['btfFloat', float, 'struct {\n} /* 8 bytes */;'],
    ['btfDeclTag', declTag, 'note;'],
    ['btfTypeTag', typeTag, 'const int;'],
    ['btfEnum64', signed, 'enum errno {\n\tNONE = 0,\n\tEPERM = 4294967295,\n};'],
    ['btfEnum64', wide, 'union wide {\n\tenum64_placeholder A; /* 0 */\n\tenum64_placeholder B; /* 0 */\n} /* 8 bytes */;'],
    ['btfEnum64', wider, 'union wider {\n\tenum64_placeholder C; /* 0 */\n} /* 8 bytes */;'],
  ];
  test.table(rows, ([feature, id]) => `sanitizeBtf without ${feature} rewrites ${original.kind(id)} ${original.name(id)}`, ([feature, id, text]) => {
    assert.is(declaration(without(feature), id), text);
    assert.not.equal(declaration(original, id), text);
  });

  test.table(BTF_FEATURES, (feature) => `sanitizeBtf without ${feature} keeps ids, and is done after one round`, (feature) => {
    const once = without(feature);
    assert.is(once.length, original.length + (feature === 'btfEnum64' ? 1 : 0));
    sameBytes(sanitizeBtf(once, (other) => other !== feature), once.bytes);
  });

  test('sanitizeBtf leaves a layout section out', () => {
    const bytes = original.bytes;
    const view = new DataView(bytes.buffer);
    const [types, strings] = [view.getUint32(12, true), view.getUint32(20, true)];
    const long = new Uint8Array(32 + types + 4 + strings);
    long.set(bytes.subarray(0, 24));
    long.set(bytes.subarray(24, 24 + types), 32);
    long.set([1, 2, 3, 4], 32 + types);
    long.set(bytes.subarray(24 + types), 36 + types);
    [32, 0, types, types + 4, strings, types, 4].forEach((word, i) => new DataView(long.buffer).setUint32(4 + i * 4, word, true));
    const shorter = parseBtf(sanitizeBtf(parseBtf(long, { source: 'new' }), () => true), { source: 'new' });
    assert.is(shorter.bytes.length, 32 + types + strings);
    assert.is(declaration(shorter, datasec), declaration(original, datasec));
  });

  test('sanitizeBtf takes no split BTF', () => {
    const split = parseBtf(new BtfBuilder(b).build(), { source: 'module', base: original });
    assert.throws(() => sanitizeBtf(split, () => true), /^bug: /);
  });
});
