/** btf.ts, btf-c.ts: every kind, headers that do not fit, split BTF, hostile mutations, and the kernel's own BTF against bpftool. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { ProjectError } from '#src/errors.js';
import { type Btf, essentialName, parseBtf } from '#src/reloc/btf.js';
import { declaration, typeLabel, typeName } from '#src/reloc/btf-c.js';
import { BtfBuilder, random } from '../support/btf.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const VMLINUX = '/sys/kernel/btf/vmlinux';

/** One type of every kind. */
function everything() {
  const b = new BtfBuilder();
  const ids = {
    int: b.int('int', 4, { signed: true }),
    char: b.int('char', 1, { signed: true, char: true }),
    bool: b.int('_Bool', 1, { bool: true }),
    ulong: b.int('long unsigned int', 8),
  };
  const ptr = b.ptr(ids.char);
  const array = b.array(ids.int, 3, ids.ulong);
  const struct = b.struct('point', 12, [{ name: 'x', type: ids.int, at: 0 }, { name: 'flag', type: ids.int, at: 32, bits: 3 }, { name: 'next', type: ids.int, at: 64 }]);
  const union = b.union('either', 8, [{ name: 'p', type: ptr, at: 0 }, { name: 'i', type: ids.int, at: 0 }]);
  const enumId = b.enum('color', { RED: 0, BLUE: 0xffff_ffff });
  const enumSigned = b.enum('errno', { NONE: 0, EPERM: -1 });
  const enum64 = b.enum64('wide', { A: 1n, B: 0xffff_ffff_ffff_ffffn });
  const enum64Signed = b.enum64('deep', { LOW: -2n });
  const fwd = b.fwd('later');
  const fwdUnion = b.fwd('later_union', { union: true });
  const typedef = b.typedef('point_t', struct);
  const volatile = b.volatile(ids.int);
  const constId = b.const(volatile);
  const restrict = b.restrict(ptr);
  const proto = b.funcProto(ids.int, [{ name: 'p', type: ptr }, { type: 0 }]);
  const func = b.func('main', proto, 1);
  const variable = b.var('counter', constId, 1);
  const datasec = b.datasec('.bss', 4, [{ type: variable, offset: 0, size: 4 }]);
  const float = b.float('double', 8);
  const declTag = b.declTag('note', struct, 1);
  const typeTag = b.typeTag('rcu', struct);
  const tagged = b.ptr(typeTag);
  return { b, ids: { ...ids, ptr, array, struct, union, enumId, enumSigned, enum64, enum64Signed, fwd, fwdUnion, typedef, volatile, constId, restrict, proto, func, variable, datasec, float, declTag, typeTag, tagged } };
}

suite('btf', (test) => {
  const { b, ids } = everything();
  const btf = parseBtf(b.build(), { source: 'all' });

  const rows: [number, object][] = [
    [0, { id: 0, name: '', kind: 'unkn' }],
    [ids.int, { id: ids.int, name: 'int', kind: 'int', size: 4, signed: true, char: false, bool: false, bitOffset: 0, bits: 32 }],
    [ids.bool, { id: ids.bool, name: '_Bool', kind: 'int', size: 1, signed: false, char: false, bool: true, bitOffset: 0, bits: 8 }],
    [ids.ptr, { id: ids.ptr, name: '', kind: 'ptr', type: ids.char }],
    [ids.array, { id: ids.array, name: '', kind: 'array', type: ids.int, indexType: ids.ulong, nelems: 3 }],
    [ids.struct, { id: ids.struct, name: 'point', kind: 'struct', size: 12, members: [
      { name: 'x', type: ids.int, bitOffset: 0, bitSize: 0 }, { name: 'flag', type: ids.int, bitOffset: 32, bitSize: 3 }, { name: 'next', type: ids.int, bitOffset: 64, bitSize: 0 }] }],
    [ids.union, { id: ids.union, name: 'either', kind: 'union', size: 8, members: [
      { name: 'p', type: ids.ptr, bitOffset: 0, bitSize: 0 }, { name: 'i', type: ids.int, bitOffset: 0, bitSize: 0 }] }],
    [ids.enumId, { id: ids.enumId, name: 'color', kind: 'enum', size: 4, signed: false, values: [{ name: 'RED', value: 0n }, { name: 'BLUE', value: 0xffff_ffffn }] }],
    [ids.enumSigned, { id: ids.enumSigned, name: 'errno', kind: 'enum', size: 4, signed: true, values: [{ name: 'NONE', value: 0n }, { name: 'EPERM', value: -1n }] }],
    [ids.enum64, { id: ids.enum64, name: 'wide', kind: 'enum64', size: 8, signed: false, values: [{ name: 'A', value: 1n }, { name: 'B', value: 0xffff_ffff_ffff_ffffn }] }],
    [ids.enum64Signed, { id: ids.enum64Signed, name: 'deep', kind: 'enum64', size: 8, signed: true, values: [{ name: 'LOW', value: -2n }] }],
    [ids.fwd, { id: ids.fwd, name: 'later', kind: 'fwd', union: false }],
    [ids.fwdUnion, { id: ids.fwdUnion, name: 'later_union', kind: 'fwd', union: true }],
    [ids.typedef, { id: ids.typedef, name: 'point_t', kind: 'typedef', type: ids.struct }],
    [ids.volatile, { id: ids.volatile, name: '', kind: 'volatile', type: ids.int }],
    [ids.constId, { id: ids.constId, name: '', kind: 'const', type: ids.volatile }],
    [ids.restrict, { id: ids.restrict, name: '', kind: 'restrict', type: ids.ptr }],
    [ids.proto, { id: ids.proto, name: '', kind: 'func_proto', type: ids.int, params: [{ name: 'p', type: ids.ptr }, { name: '', type: 0 }] }],
    [ids.func, { id: ids.func, name: 'main', kind: 'func', type: ids.proto, linkage: 1 }],
    [ids.variable, { id: ids.variable, name: 'counter', kind: 'var', type: ids.constId, linkage: 1 }],
    [ids.datasec, { id: ids.datasec, name: '.bss', kind: 'datasec', size: 4, vars: [{ type: ids.variable, offset: 0, size: 4 }] }],
    [ids.float, { id: ids.float, name: 'double', kind: 'float', size: 8 }],
    [ids.declTag, { id: ids.declTag, name: 'note', kind: 'decl_tag', type: ids.struct, componentIdx: 1 }],
    [ids.typeTag, { id: ids.typeTag, name: 'rcu', kind: 'type_tag', type: ids.struct }],
  ];
  test.table(rows, ([id]) => `Btf.type decodes ${btf.kind(id)} [${id}]`, ([id, expected]) => {
    assert.equal(btf.type(id), expected);
    assert.is(btf.kind(id), btf.type(id).kind);
    assert.is(btf.name(id), btf.type(id).name);
  });

  test.table<[number, number, number]>([
    [ids.int, 4, 4], [ids.ptr, 8, 8], [ids.array, 12, 4], [ids.struct, 12, 4], [ids.union, 8, 8], [ids.enum64, 8, 8],
    [ids.typedef, 12, 4], [ids.constId, 4, 4], [ids.variable, 4, 4], [ids.float, 8, 8], [ids.tagged, 8, 8],
  ], ([id]) => `Btf.sizeOf and alignOf of ${typeName(btf, id)}`, ([id, size, align]) => {
    assert.is(btf.sizeOf(id), size);
    assert.is(btf.alignOf(id), align);
  });

  test.table<[number, string]>([
    [ids.fwd, 'all type [13]: fwd has no size'], [ids.func, 'all type [20]: func has no size'], [0, 'all type [0]: void has no size'],
    [99, 'all type [99]: no such type id, the last one is 26'], [-1, 'all type [-1]: no such type id, the last one is 26'],
  ], ([id]) => `Btf.sizeOf refuses [${id}]`, ([id, message]) => { throwsCode(() => btf.sizeOf(id), 'BPF_BTF', message); });

  test('Btf.alignOf refuses a function', () => { throwsCode(() => btf.alignOf(ids.func), 'BPF_BTF', 'all type [20]: func has no alignment'); });

  test('Btf.member and membersNamed decode what they are asked for only', () => {
    const record = btf.type(ids.struct);
    assert.ok(record.kind === 'struct');
    assert.equal([0, 1, 2, 3].map((index) => btf.member(ids.struct, index)), [...record.members, undefined]);
    assert.is(btf.member(ids.int, 0), undefined);
    assert.equal([['x'], ['flag'], ['fla'], ['']].map(([name]) => btf.membersNamed(ids.struct, name)), [[0], [1], [], []]);
    assert.equal(btf.membersNamed(ids.func, 'x'), []);
    const nested = new BtfBuilder();
    const inner = nested.struct('', 4, []);
    const outer = nested.struct('outer', 8, [{ name: '', type: inner, at: 0 }, { name: 'last', type: inner, at: 32 }]);
    assert.equal(parseBtf(nested.build(), { source: 'nested' }).membersNamed(outer, 'last'), [0, 1]);
  });

  test('Btf.alignOf is 1 for packed structs', () => {
    const packed = new BtfBuilder();
    const int = packed.int('int', 4, { signed: true });
    const odd = packed.struct('odd', 5, [{ name: 'c', type: int, at: 8 }]);
    const short = packed.struct('short', 6, [{ name: 'c', type: int, at: 0 }]);
    const parsed = parseBtf(packed.build(), { source: 'packed' });
    assert.equal([odd, short].map((id) => parsed.alignOf(id)), [1, 1]);
  });

  test('Btf.sizeOf takes pointers to be as wide as long', () => {
    const small = new BtfBuilder();
    const long = small.int('long unsigned int', 4);
    const ptr = small.ptr(long);
    assert.is(parseBtf(small.build(), { source: 'arm' }).sizeOf(ptr), 4);
  });

  test('Btf.skipModifiers follows typedef, const, volatile, restrict, type_tag and var', () => {
    assert.equal([ids.variable, ids.typedef, ids.typeTag, ids.restrict, ids.ptr, 0].map((id) => btf.skipModifiers(id)),
      [ids.int, ids.struct, ids.struct, ids.ptr, ids.ptr, 0]);
  });

  test('Btf.string reads at any offset and refuses those outside', () => {
    assert.is(btf.string(1), 'int');
    assert.is(btf.string(2), 'nt');
    assert.is(btf.string(0), '');
    throwsCode(() => btf.string(100_000), 'BPF_BTF', `all: string offset 100000 is outside of ${b.stringBytes} bytes of strings`);
  });

  test('Btf.find takes the first id of one of the kinds', () => {
    const twice = new BtfBuilder();
    const int = twice.int('int', 4);
    const fwd = twice.fwd('s');
    const proto = twice.funcProto(int);
    const func = twice.func('s', proto);
    const struct = twice.struct('s', 0, []);
    const parsed = parseBtf(twice.build(), { source: 'twice' });
    assert.equal(parsed.idsNamed('s'), [fwd, func, struct]);
    assert.equal([parsed.find('s'), parsed.find('s', 'struct'), parsed.find('s', 'func', 'struct'), parsed.find('s', 'union'), parsed.find('')],
      [fwd, struct, func, undefined, undefined]);
    assert.equal(parsed.idsWithEssentialName('s'), [fwd, struct]);
  });

  test('Btf.idsWithEssentialName finds flavours, short names, tails of other names and non-ASCII ones', () => {
    const b = new BtfBuilder();
    const plain = b.struct('sk', 0, []);
    const flavour = b.struct('sk___old', 0, []);
    const twoFlavours = b.struct('sk___a___b', 0, []);
    const longer = b.struct('sk_buff', 0, []);
    const tail = b.raw(b.string('ask') + 1, 4 << 24, 0);
    const accent = b.struct('größe', 0, []);
    const parsed = parseBtf(b.build(), { source: 'names' });
    assert.equal(parsed.idsWithEssentialName('sk'), [plain, flavour, tail]);
    assert.equal(parsed.idsWithEssentialName('sk___a'), [twoFlavours]);
    assert.equal(parsed.idsWithEssentialName('sk_buff'), [longer]);
    assert.equal(parsed.idsNamed('größe'), [accent]);
    assert.equal(parsed.idsNamed('sk___old'), [flavour]);
    assert.equal(parsed.idsNamed('ask'), []);
  });

  test.table<[string, string]>([
    ['task_struct', 'task_struct'], ['task_struct___old', 'task_struct'], ['a___b___c', 'a___b'], ['___a', '___a'], ['a___', 'a___'],
    ['a____b', 'a____b'], ['a___b____c', 'a'], ['', ''], ['a___b', 'a'],
  ], ([name]) => `essentialName of "${name}"`, ([name, essential]) => assert.is(essentialName(name), essential));

  test('a split BTF goes on with ids and strings of its base', () => {
    const base = new BtfBuilder();
    const int = base.int('int', 4, { signed: true });
    base.struct('shared', 4, [{ name: 'a', type: int, at: 0 }]);
    const split = new BtfBuilder(base);
    const own = split.struct('own', 8, [{ name: 'first', type: int, at: 0 }]);
    const shared = split.raw(base.string('shared'), 4 << 24, 0);
    const vmlinux = parseBtf(base.build(), { source: 'vmlinux' });
    const module = parseBtf(split.build(), { source: 'ext4', base: vmlinux });
    assert.equal([module.length, own, shared, module.base === vmlinux], [5, 3, 4, true]);
    assert.is(declaration(module, own), 'struct own {\n\tint first; /* 0 */\n} /* 8 bytes */;');
    assert.equal(module.idsNamed('shared'), [2, 4]);
    assert.equal([module.find('own', 'struct'), vmlinux.find('own')], [3, undefined]);
    assert.is(module.string(module.base!.length), vmlinux.string(3));
    assert.is(module.sizeOf(2), 4);
    throwsCode(() => vmlinux.type(3), 'BPF_BTF', 'vmlinux type [3]: no such type id, the last one is 2');
    throwsCode(() => parseBtf(split.build(), { source: 'ext4' }).type(1), 'BPF_BTF');
  });

  test('cycles of modifiers, arrays and structs are refused', () => {
    const b = new BtfBuilder();
    b.const(2);
    b.const(1);
    const array = b.array(3, 1);
    const struct = b.struct('in_itself', 4, [{ name: 'me', type: 4, at: 0 }]);
    const loop = parseBtf(b.build(), { source: 'loop' });
    throwsCode(() => loop.skipModifiers(1), 'BPF_BTF', 'loop type [1]: more than 256 modifiers in a row: they form a cycle');
    throwsCode(() => loop.sizeOf(1), 'BPF_BTF', 'loop type [1]: no size after 32 arrays and modifiers in a row: they form a cycle');
    throwsCode(() => loop.sizeOf(array), 'BPF_BTF');
    throwsCode(() => loop.alignOf(struct), 'BPF_BTF', /they form a cycle$/);
    assert.ok(typeName(loop, 1).includes('…'));
    assert.ok(declaration(loop, struct).startsWith('struct in_itself {'));
  });

  test('Btf.sizeOf refuses arrays beyond 4 GiB', () => {
    const b = new BtfBuilder();
    const int = b.int('int', 4);
    const inner = b.array(int, 0x10000);
    const outer = b.array(inner, 0x10000);
    throwsCode(() => parseBtf(b.build(), { source: 'big' }).sizeOf(outer), 'BPF_BTF', 'big type [3]: size 65536 * 65536 is beyond 2^32 bytes');
  });
});

suite('btf header', (test) => {
  const good = (): Uint8Array => {
    const b = new BtfBuilder();
    b.int('int', 4);
    return b.build();
  };
  /** the 24 bytes of header and 16 of one int, then "\0int\0" */
  const changed = (change: (view: DataView, bytes: Uint8Array) => Uint8Array | void): Uint8Array => {
    const bytes = good();
    return change(new DataView(bytes.buffer), bytes) ?? bytes;
  };
  const rows: [string, Uint8Array, string][] = [
    ['nothing', new Uint8Array(0), 'x at 0x0: too short for a BTF header: 0 of 24 bytes'],
    ['no magic', changed((v) => v.setUint16(0, 0x1234, true)), 'x at 0x0: magic is 0x1234, not 0xeb9f'],
    ['big-endian', changed((v) => v.setUint16(0, 0xeb9f, false)), 'x at 0x0: big-endian BTF, only little-endian is supported (compile with -target bpfel)'],
    ['version 2', changed((v) => v.setUint8(2, 2)), 'x at 0x2: version is 2, not 1'],
    ['short header', changed((v) => v.setUint32(4, 20, true)), 'x at 0x4: header length is 20, outside of 24 … 45'],
    ['header beyond the end', changed((v) => v.setUint32(4, 1000, true)), 'x at 0x4: header length is 1000, outside of 24 … 45'],
    ['types unaligned', changed((v) => v.setUint32(8, 2, true)), 'x at 0x8: type section at 2 is not aligned to 4 bytes'],
    ['types outside', changed((v) => v.setUint32(12, 1000, true)), 'x at 0x8: type section 0 + 1000 is outside of 21 bytes'],
    ['strings outside', changed((v) => v.setUint32(20, 6, true)), 'x at 0x10: string section 16 + 6 is outside of 21 bytes'],
    ['overlap', changed((v) => v.setUint32(16, 15, true)), 'x at 0x8: type section 0 + 16 overlaps the string section at 15'],
    ['no strings', changed((v) => v.setUint32(20, 0, true)), 'x at 0x14: string section is empty'],
    ['strings without end', changed((_, b) => { b[44] = 0x41; }), 'x at 0x2c: string section does not end with NUL'],
    ['strings without start', changed((_, b) => { b[40] = 0x41; }), 'x at 0x28: string section does not begin with NUL (a split BTF needs its base)'],
    ['kind 0', changed((v) => v.setUint32(28, 0, true)), 'x type [1] at 0x18: unknown kind 0'],
    ['kind 20', changed((v) => v.setUint32(28, 20 << 24, true)), 'x type [1] at 0x18: unknown kind 20'],
    ['record beyond the end', changed((v) => v.setUint32(28, (4 << 24) | 2, true)), 'x type [1] at 0x18: struct of 36 bytes ends beyond the type section, 16 left'],
    ['rest too short', changed((v) => v.setUint32(28, 2 << 24, true)), 'x at 0x24: 4 bytes are left of the type section, too few for a type'],
  ];
  test.table(rows, ([name]) => `parseBtf refuses ${name}`, ([, bytes, message]) => { throwsCode(() => parseBtf(bytes, { source: 'x' }), 'BPF_BTF', message); });

  const decoded: [string, Uint8Array, string][] = [
    ['a name outside', changed((v) => v.setUint32(24, 5, true)), 'x type [1] at 0x18: name at string offset 5 is outside of 5 bytes of strings'],
    ['an int of 3 bytes', changed((v) => v.setUint32(32, 3, true)), 'x type [1] at 0x20: int has a size of 3 bytes'],
    ['an int of 40 bits', changed((v) => v.setUint32(36, 40, true)), 'x type [1] at 0x24: int of 4 bytes has 40 bits from bit 0'],
    ['an int with a vlen', changed((v) => v.setUint32(28, (1 << 24) | 1, true)), 'x type [1] at 0x1c: int has a vlen of 1, not 0'],
  ];
  test.table(decoded, ([name]) => `Btf.type refuses ${name}`, ([, bytes, message]) => {
    const btf = parseBtf(bytes, { source: 'x' });
    throwsCode(() => btf.type(1), 'BPF_BTF', message);
  });

  test('Btf.type refuses enums and floats of odd sizes', () => {
    const b = new BtfBuilder();
    b.enum('e', {}, { size: 3 });
    b.float('f', 3);
    const btf = parseBtf(b.build(), { source: 'x' });
    throwsCode(() => btf.type(1), 'BPF_BTF', 'x type [1] at 0x20: enum has a size of 3 bytes');
    throwsCode(() => btf.type(2), 'BPF_BTF', 'x type [2] at 0x2c: float has a size of 3 bytes');
  });

  test('parseBtf takes a longer header whose unknown part is zero, and refuses another', () => {
    const longer = (fill: number): Uint8Array => {
      const bytes = good();
      const out = new Uint8Array(bytes.length + 12);
      out.set(bytes.subarray(0, 24));
      out.set(bytes.subarray(24), 36);
      out[4] = 36;
      out[35] = fill;
      return out;
    };
    assert.is(parseBtf(longer(0), { source: 'x' }).name(1), 'int');
    throwsCode(() => parseBtf(longer(7), { source: 'x' }), 'BPF_BTF', 'x at 0x23: unknown header field is 7, not zero');
  });

  test('parseBtf reads at any alignment', () => {
    const bytes = good();
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    assert.is(parseBtf(shifted.subarray(3), { source: 'x' }).type(1).name, 'int');
  });
});

suite('btf as C', (test) => {
  const { b, ids } = everything();
  const device = b.ptr(b.funcProto(0, [{ name: 'x', type: ids.tagged }]));
  const table = b.array(b.ptr(ids.int), 4);
  const toArray = b.ptr(ids.array);
  const constPointer = b.const(ids.ptr);
  const anonymous = b.union('', 4, [{ name: 'a', type: ids.int, at: 0 }]);
  const holder = b.struct('holder', 16, [
    { type: anonymous, at: 32 }, { name: 'named', type: anonymous, at: 64 }, { name: 'handler', type: device, at: 96 }, { name: 'tail', type: b.array(ids.int, 0), at: 128 }]);
  const noArgs = b.funcProto(ids.int);
  const btf: Btf = parseBtf(b.build(), { source: 'c' });
  test.table<[number, string]>([
    [0, 'void'], [ids.struct, 'struct point'], [ids.ptr, 'char *'], [ids.array, 'int [3]'], [ids.constId, 'const volatile int'], [ids.restrict, 'char *restrict'],
    [ids.tagged, 'struct point __rcu *'], [ids.fwd, 'struct later'], [ids.fwdUnion, 'union later_union'], [ids.enum64, 'enum wide'], [ids.typedef, 'point_t'],
    [device, 'void (*)(struct point __rcu *x)'], [table, 'int *[4]'], [toArray, 'int (*)[3]'], [constPointer, 'char *const'], [anonymous, 'union {…}'],
    [ids.func, 'int main(char *p, ...)'], [noArgs, 'int (void)'], [ids.variable, 'const volatile int counter'], [ids.datasec, 'section .bss'], [ids.declTag, 'tag "note"'], [ids.float, 'double'],
  ], ([id, text]) => `typeName of [${id}] is ${text}`, ([id, text]) => assert.is(typeName(btf, id), text));

  test.table<[number, string]>([
    [ids.struct, 'struct point {\n\tint x; /* 0 */\n\tint flag : 3; /* 4 */\n\tint next; /* 8 */\n} /* 12 bytes */;'],
    [holder, 'struct holder {\n\tunion {\n\t\tint a; /* 4 */\n\t}; /* 4 */\n\tunion {\n\t\tint a; /* 8 */\n\t} named; /* 8 */\n\tvoid (*handler)(struct point __rcu *x); /* 12 */\n\tint tail[]; /* 16 */\n} /* 16 bytes */;'],
    [ids.enumSigned, 'enum errno {\n\tNONE = 0,\n\tEPERM = -1,\n};'], [ids.enum64, 'enum wide : 64 bits {\n\tA = 1,\n\tB = 18446744073709551615,\n};'],
    [ids.typedef, 'typedef struct point point_t;'], [ids.fwd, 'struct later;'], [ids.func, 'int main(char *p, ...);'], [ids.variable, 'const volatile int counter;'],
    [ids.datasec, 'section .bss {\n\tconst volatile int counter; /* 0 */\n}; /* 4 bytes */'], [ids.declTag, '/* tag "note" of component 1 of struct point */'], [ids.int, 'int;'],
  ], ([id]) => `declaration of ${typeLabel(btf, id)}`, ([id, text]) => assert.is(declaration(btf, id), text));
  test('typeLabel names anonymous types by their id', () => assert.is(typeLabel(btf, anonymous), `anonymous union [${anonymous}]`));
});

suite('btf mutations', (test) => {
  test('parseBtf and everything after it answer mutations with BtfError only', () => {
    const seed = everything().b.build();
    const next = random(20_250);
    let refused = 0;
    for (let round = 0; round < 1500; round++) {
      const bytes = seed.slice(0, next(8) === 0 ? next(seed.length) : seed.length);
      for (let n = 1 + next(4); n > 0 && bytes.length > 0; n--) bytes[next(bytes.length)] = next(4) === 0 ? 0xff : next(256);
      try {
        const btf = parseBtf(bytes, { source: 'mutant' });
        for (let id = 0; id < btf.length; id++) {
          for (const run of [
            () => btf.type(id), () => btf.sizeOf(id), () => btf.alignOf(id), () => btf.skipModifiers(id), () => typeName(btf, id),
            () => declaration(btf, id), () => btf.idsNamed('point'), () => btf.idsWithEssentialName('int'), () => btf.find('main', 'func'),
          ]) attempt(run);
        }
      } catch (error) {
        if (!(error instanceof ProjectError) || error.code !== 'BPF_BTF') throw error;
        refused++;
      }
    }
    assert.ok(refused > 200, `${refused} of 1500 refused`);
  });

  function attempt(run: () => unknown): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof ProjectError) || error.code !== 'BPF_BTF') throw error;
    }
  }
});

suite('btf of the running kernel', (test) => {
  const here = { name: 'kernel BTF', missing: existsSync(VMLINUX) ? undefined : `no ${VMLINUX}` };
  const bpftool = { name: 'bpftool', missing: spawnSync('bpftool', ['version']).status === 0 ? undefined : 'not installed' };

  test.needing([here, bpftool], 'parseBtf reads what bpftool reads: kind, name, size and vlen of every type', () => {
    const btf = parseBtf(readFileSync(VMLINUX), { source: 'vmlinux' });
    const dump = spawnSync('bpftool', ['btf', 'dump', 'file', VMLINUX, 'format', 'raw'], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout;
    let count = 0;
    for (const [, id, kind, name, rest] of dump.matchAll(/^\[(\d+)\] (\w+) '(.*?)'(.*)$/gm)) {
      const type = btf.type(Number(id));
      const where = `[${id}] ${kind} '${name}'`;
      assert.is(type.kind.toUpperCase(), kind, where);
      assert.is(type.name, name.replace('(anon)', ''), where);
      const size = / size=(\d+)/.exec(rest)?.[1];
      if (size !== undefined) assert.is('size' in type && type.size, Number(size), where);
      const vlen = / vlen=(\d+)/.exec(rest)?.[1];
      if (vlen !== undefined) assert.is('members' in type ? type.members.length : 'values' in type ? type.values.length : 'params' in type ? type.params.length : 'vars' in type ? type.vars.length : -1, Number(vlen), where);
      const target = / type_id=(\d+)/.exec(rest)?.[1];
      if (target !== undefined && 'type' in type) assert.is(type.type, Number(target), where);
      count++;
    }
    assert.is(count, btf.length - 1);
  });

  test.needing([here], 'Btf.find and sizeOf know the kernel', () => {
    const btf = parseBtf(readFileSync(VMLINUX), { source: 'vmlinux' });
    const task = btf.type(btf.find('task_struct', 'struct')!);
    assert.ok('members' in task && task.members.some(({ name }) => name === 'tgid'));
    assert.is(btf.sizeOf(btf.find('list_head', 'struct')!), 16);
    assert.is(typeName(btf, btf.find('vfs_read', 'func')!), 'ssize_t vfs_read(struct file *file, char *buf, size_t count, loff_t *pos)');
  });
});

suite('btf bombs', (test) => {
  /** every type holds the one before twice */
  const doubled = (make: (b: BtfBuilder, before: number) => number): { btf: Btf; top: number } => {
    const b = new BtfBuilder();
    let top = b.int('int', 4);
    for (let i = 0; i < 60; i++) top = make(b, top);
    return { btf: parseBtf(b.build(), { source: 'bomb' }), top };
  };
  test('declaration and typeName of types that double at each step end', () => {
    const structs = doubled((b, before) => b.struct('', 8, [{ type: before, at: 0 }, { type: before, at: 0 }]));
    assert.ok(declaration(structs.btf, structs.top).includes('…'));
    assert.ok(declaration(structs.btf, structs.top).length < 50_000_000);
    const functions = doubled((b, before) => b.ptr(b.funcProto(before, [{ type: before }])));
    assert.ok(typeName(functions.btf, functions.top).includes('…'));
    assert.is(structs.btf.alignOf(structs.top), 4);
  });
});
