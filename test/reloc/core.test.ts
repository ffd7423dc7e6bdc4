/** core.ts, core-match.ts, core-patch.ts: every kind, found, missing and ambiguous, on types made for each case. */
import { readFileSync } from 'node:fs';
import { ProjectError, type RelocationError } from '#src/errors.js';
import { type Btf, parseBtf } from '#src/reloc/btf.js';
import { explainPoison, explainStory } from '#src/reloc/core-explain.js';
import { type CoreStory, relocateCore } from '#src/reloc/core.js';
import { parseElf } from '#src/reloc/elf.js';
import { parseObject } from '#src/reloc/object.js';
import { CORE_KINDS, type CoreKind, type CoreRelocation, type ObjectSpec } from '#src/reloc/spec.js';
import { BtfBuilder, random } from '../support/btf.js';
import { fixture } from '../support/probe.js';
import { assert, sameBytes, suite, throwsCode } from '../support/suite.js';

/** Basic types in the same order in every blob: their ids are the same too. */
class Types extends BtfBuilder {
  readonly sint = this.int_('int', 4, true);
  readonly uint = this.int_('unsigned int', 4);
  readonly long = this.int_('long unsigned int', 8);
  readonly uchar = this.int_('unsigned char', 1);
  readonly ushort = this.int_('unsigned short', 2);
  int_(name: string, size: number, signed = false): number { return this.int(name, size, { signed }); }
  /** a struct of 4-byte ints one after the other */
  ints(name: string, ...names: string[]): number {
    return this.struct(name, names.length * 4, names.map((member, i) => ({ name: member, type: this.uint, at: i * 32 })));
  }
}
type Make<T = unknown> = (t: Types) => T;

const POISONED = '8500000010' + '23ad0b';
const le = (size: number, value: bigint | number): string => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes.subarray(0, size).toString('hex');
};
/** r1 = imm */
const mov = (imm: number): string => `b7010000${le(4, imm)}`;
/** r1 = *(u32 *)(r2 + off) */
const ldw = (off: number, code = '61'): string => `${code}21${le(2, off)}00000000`;
const ld64 = (imm: bigint | number): string => `18010000${le(4, imm)}00000000${le(4, BigInt(imm) >> 32n)}`;

function makeSpec(btf: Btf, insns: string, coreRelocations: readonly CoreRelocation[], more: { name?: string; autoload?: boolean } = {}): ObjectSpec {
  const { name = 'prog', autoload = true } = more;
  const bytes = new Uint8Array(Buffer.from(insns, 'hex'));
  return {
    name: 'object', license: 'GPL', kernelVersion: 0, btf, maps: [], externs: [],
    programs: [{ name, section: 'raw_tp', autoload, insns: bytes, functions: [{ name, insn: 0, typeId: 0, section: 'raw_tp', sectionInsn: 0 }], lines: [], references: [], coreRelocations }],
  };
}

interface Case { local: Make<number>; target: Make; kind: CoreKind; access?: string; insn: string; modules?: Make[] }
function run({ local, target, kind, access = '0', insn, modules = [] }: Case): CoreStory & { hex: string } {
  const own = new Types();
  const typeId = local(own);
  const kernel = new Types();
  target(kernel);
  const vmlinux = parseBtf(kernel.build(), { source: 'vmlinux' });
  const split = modules.map((make, i) => {
    const b = new SplitTypes(kernel);
    make(b as unknown as Types);
    return parseBtf(b.build(), { source: `module${i}`, base: vmlinux });
  });
  const spec = makeSpec(parseBtf(own.build(), { source: 'object' }), insn, [{ insn: 0, typeId, access, kind }]);
  const before = Buffer.from(spec.programs[0].insns).toString('hex');
  const { spec: relocated, stories } = relocateCore(spec, { vmlinux, modules: () => split });
  assert.is(Buffer.from(spec.programs[0].insns).toString('hex'), before, 'the given spec is untouched');
  const hex = Buffer.from(relocated.programs[0].insns).toString('hex');
  const [story] = stories.get('prog')!;
  assert.is(Buffer.from(story.before).toString('hex'), before);
  assert.is(Buffer.from(story.after).toString('hex'), hex);
  return { ...story, hex };
}
class SplitTypes extends BtfBuilder { readonly int_ = 1; readonly uint = 2; readonly long = 3; readonly uchar = 4; }

/** [what, case, instruction afterwards, path in the target] */
type Found = readonly [string, Case, string, string?];
/** [what, case, reason of the story] */
type Missing = readonly [string, Case, string];

const pair: Make<number> = (t) => t.ints('pair', 'a', 'b');
const swapped: Make = (t) => t.ints('pair', 'b', 'a');
const nothing: Make = () => {};
const bits = (at: number, size: number, signed = false): Make<number> => (t) =>
  t.struct('flags', 8, [{ name: 'head', type: t.uint, at: 0 }, { name: 'bit', type: signed ? t.sint : t.uint, at, bits: size }]);
const color: Make<number> = (t) => t.enum('color', { RED: 0, GREEN: 1, BLUE: 2 });
const wide = (name: string, values: Record<string, bigint>): Make<number> => (t) => t.enum64(name, values);
const anonymous: Make<number> = (t) => {
  const inner = t.struct('', 8, [{ name: 'x', type: t.uint, at: 0 }, { name: 'y', type: t.uint, at: 32 }]);
  const union = t.union('', 8, [{ name: 'whole', type: t.long, at: 0 }, { type: inner, at: 0 }]);
  return t.struct('outer', 16, [{ name: 'first', type: t.long, at: 0 }, { type: union, at: 64 }]);
};
const list = (n: number): Make<number> => (t) => t.struct('list', 4 + 4 * n, [{ name: 'n', type: t.uint, at: 0 }, { name: 'items', type: t.array(t.uint, n), at: 32 }]);
const notLast: Make = (t) => t.struct('list', 4, [{ name: 'items', type: t.array(t.uint, 0), at: 0 }, { name: 'n', type: t.uint, at: 0 }]);
const proto = (params: number, result = 0): Make<number> => (t) => t.typedef('callback', t.ptr(t.funcProto(result, Array(params).fill({ type: t.sint }))));
const field = (kind: CoreKind, local: Make<number>, target: Make, access: string, insn: string, modules?: Make[]): Case => ({ kind, local, target, access, insn, modules });

suite('core relocations that find their target', (test) => {
  const rows: Found[] = [
    // fields
    ['field_byte_offset in an immediate', field('field_byte_offset', pair, swapped, '0:0', mov(0)), mov(4), 'struct pair.a'],
    ['field_byte_offset in a load', field('field_byte_offset', pair, swapped, '0:1', ldw(4)), ldw(0), 'struct pair.b'],
    ['field_byte_offset in a store of a register', field('field_byte_offset', pair, swapped, '0:1', ldw(4, '63')), ldw(0, '63')],
    ['field_byte_offset in a store of an immediate', field('field_byte_offset', pair, swapped, '0:1', ldw(4, '62')), ldw(0, '62')],
    ['field_byte_offset in an addition', field('field_byte_offset', pair, swapped, '0:1', `07010000${le(4, 4)}`), `07010000${le(4, 0)}`],
    ['field_byte_offset in a 32-bit addition', field('field_byte_offset', pair, swapped, '0:1', `04010000${le(4, 4)}`), `04010000${le(4, 0)}`],
    ['field_byte_offset in ld_imm64', field('field_byte_offset', pair, swapped, '0:0', ld64(0)), ld64(4)],
    ['field_byte_offset of the type itself', field('field_byte_offset', pair, (t) => t.ints('pair', 'a', 'b', 'c'), '2', mov(16)), mov(24), 'struct pair[2]'],
    ['field_byte_size', field('field_byte_size', pair, (t) => t.struct('pair', 8, [{ name: 'a', type: t.long, at: 0 }]), '0:0', mov(4)), mov(8)],
    ['field_byte_size of an element', field('field_byte_size', list(2), (t) => t.struct('list', 16, [{ name: 'items', type: t.array(t.long, 2), at: 0 }]), '0:1:0', mov(4)), mov(8)],
    ['field_exists', field('field_exists', pair, swapped, '0:1', mov(1)), mov(1)],
    ['field_signed of an int', field('field_signed', pair, (t) => t.struct('pair', 4, [{ name: 'a', type: t.sint, at: 0 }]), '0:0', mov(0)), mov(1)],
    ['field_signed of an enum', field('field_signed', pair, (t) => t.struct('pair', 4, [{ name: 'a', type: t.sint, at: 0 }]), '0:0', mov(0)), mov(1)],
    ['field_lshift_u64', field('field_lshift_u64', pair, (t) => t.struct('pair', 4, [{ name: 'a', type: t.uchar, at: 0 }]), '0:0', mov(32)), mov(56)],
    ['field_rshift_u64', field('field_rshift_u64', pair, (t) => t.struct('pair', 4, [{ name: 'a', type: t.uchar, at: 0 }]), '0:0', mov(32)), mov(56)],
    ['a field within a field', field('field_byte_offset', (t) => t.struct('out', 12, [{ name: 'in', type: t.ints('pair', 'a', 'b'), at: 0 }, { name: 'x', type: t.sint, at: 64 }]),
      (t) => t.struct('out', 12, [{ name: 'x', type: t.sint, at: 0 }, { name: 'in', type: t.ints('other', 'b', 'a'), at: 32 }]), '0:0:0', mov(0)), mov(8), 'struct out.in.a'],
    ['a typedef, const and volatile on the way', field('field_byte_offset', (t) => t.typedef('pair_t', t.const(t.ints('pair', 'a', 'b'))),
      (t) => t.typedef('pair_t', t.volatile(t.ints('pair', 'x', 'a', 'b'))), '0:1', mov(4)), mov(8), 'typedef pair_t.b'],
    // flavours
    ['a local flavour', field('field_byte_offset', (t) => t.ints('pair___old', 'a', 'b'), swapped, '0:0', mov(0)), mov(4)],
    ['a target flavour', field('field_byte_offset', pair, (t) => t.ints('pair___2', 'b', 'a'), '0:0', mov(0)), mov(4)],
    ['a flavour whose rename only one candidate has', field('field_byte_offset', (t) => t.ints('pair___new', 'renamed'),
      (t) => [t.ints('pair', 'a', 'b'), t.ints('pair___x', 'q', 'renamed')], '0:0', mov(0)), mov(4)],
    // anonymous types
    ['through anonymous types', field('field_byte_offset', anonymous, (t) => t.struct('outer', 24, [{ name: 'pad', type: t.long, at: 0 }, {
      type: t.struct('', 16, [{ name: 'z', type: t.long, at: 0 }, { name: 'y', type: t.uint, at: 64 }]), at: 64 }]), '0:1:1:1', mov(12)), mov(16), 'struct outer.y'],
    ['from anonymous types to a plain member', field('field_byte_offset', anonymous, (t) => t.ints('outer', 'a', 'y'), '0:1:1:1', mov(12)), mov(4)],
    // arrays
    ['an element', field('field_byte_offset', list(4), (t) => t.struct('list', 40, [{ name: 'items', type: t.array(t.uint, 8), at: 64 }]), '0:1:3', mov(16)), mov(20), 'struct list.items[3]'],
    ['an element of a flexible array', field('field_byte_offset', list(0), list(0), '0:1:5', mov(24)), mov(24)],
    ['an element of an array that became flexible', field('field_byte_offset', list(4), list(0), '0:1:3', mov(16)), mov(16)],
    ['a whole array of arrays: the load moves one element', field('field_byte_offset',
      (t) => t.struct('grid', 24, [{ name: 'n', type: t.long, at: 0 }, { name: 'g', type: t.array(t.array(t.uint, 2), 2), at: 64 }]),
      (t) => t.struct('grid', 16, [{ name: 'g', type: t.array(t.array(t.uint, 2), 2), at: 0 }]), '0:1', ldw(8)), ldw(0)],
    // bitfields
    ['field_byte_offset of a bitfield', field('field_byte_offset', bits(32, 3), bits(45, 3), '0:1', mov(4)), mov(4)],
    ['field_byte_offset of a bitfield, not compared with the instruction', field('field_byte_offset', bits(32, 3), bits(32, 3), '0:1', mov(99)), mov(4)],
    ['field_byte_size of a bitfield', field('field_byte_size', bits(32, 3), bits(28, 8), '0:1', mov(4)), mov(8)],
    ['field_byte_offset of a bitfield across words', field('field_byte_offset', bits(32, 3), bits(30, 8), '0:1', mov(4)), mov(0)],
    ['field_lshift_u64 of a bitfield', field('field_lshift_u64', bits(32, 3), bits(45, 7), '0:1', mov(61)), mov(44)],
    ['field_rshift_u64 of a bitfield', field('field_rshift_u64', bits(32, 3), bits(45, 7), '0:1', mov(61)), mov(57)],
    ['field_signed of a bitfield', field('field_signed', bits(32, 3), bits(32, 3, true), '0:1', mov(0)), mov(1)],
    ['field_byte_size of a bitfield that became a member', field('field_byte_size', bits(32, 3), (t) => t.struct('flags', 4, [{ name: 'bit', type: t.ushort, at: 0 }]), '0:1', mov(4)), mov(2)],
    // sizes of loads
    ['a load of an unsigned int that grew', field('field_byte_offset', pair, (t) => t.struct('pair', 16, [{ name: 'b', type: t.long, at: 64 }]), '0:1', ldw(4)), ldw(8, '79')],
    ['a load of an unsigned int that shrank', field('field_byte_offset', pair, (t) => t.struct('pair', 16, [{ name: 'b', type: t.uchar, at: 8 }]), '0:1', ldw(4)), ldw(1, '71')],
    ['a store into an unsigned int that shrank', field('field_byte_offset', pair, (t) => t.struct('pair', 16, [{ name: 'b', type: t.ushort, at: 16 }]), '0:1', ldw(4, '63')), ldw(2, '6b')],
    ['an immediate does not care about sizes', field('field_byte_offset', (t) => t.struct('s', 4, [{ name: 'a', type: t.sint, at: 0 }]),
      (t) => t.struct('s', 16, [{ name: 'a', type: t.int_('long', 8, true), at: 64 }]), '0:0', mov(0)), mov(8)],
    // enums
    ['enumval_value', field('enumval_value', color, (t) => t.enum('color', { NONE: 0, RED: 5, BLUE: 7 }), '2', mov(2)), mov(7), 'enum color::BLUE'],
    ['enumval_value of a flavoured enumerator', field('enumval_value', (t) => t.enum('color___v2', { BLUE___v2: 2 }), (t) => t.enum('color', { BLUE: 7 }), '0', mov(2)), mov(7)],
    ['enumval_value from enum to enum64', field('enumval_value', color, wide('color', { BLUE: 0x1_0000_0002n }), '2', ld64(2)), ld64(0x1_0000_0002n)],
    ['enumval_value from enum64 to enum', field('enumval_value', wide('color', { BLUE: 0x1_0000_0002n }), color, '0', ld64(0x1_0000_0002n)), ld64(2)],
    ['enumval_value that is negative', field('enumval_value', wide('color', { BLUE: -1n }), (t) => t.enum('color', { BLUE: -2 }), '0', ld64(-1n)), ld64(-2n)],
    ['enumval_value of an unsigned enum above 2^31 is sign-extended', field('enumval_value', color, (t) => t.enum('color', { BLUE: 0x8000_0000 }, { signed: false }), '2', ld64(2)), ld64(0xffff_ffff_8000_0000n)],
    ['enumval_value through a typedef', field('enumval_value', (t) => t.typedef('color_t', t.enum('', { BLUE: 1 })), (t) => t.typedef('color_t', t.enum('', { X: 1, BLUE: 2 })), '0', mov(1)), mov(2)],
    ['enumval_exists', field('enumval_exists', color, color, '1', mov(1)), mov(1)],
    // types
    ['type_id_local', field('type_id_local', pair, nothing, '0', ld64(123)), ld64(6)],
    ['type_id_target', field('type_id_target', pair, (t) => [t.ints('other', 'x'), t.ints('pair', 'z')], '0', ld64(99)), ld64(7)],
    ['type_exists', field('type_exists', pair, (t) => t.struct('pair', 0, []), '0', mov(1)), mov(1)],
    ['type_exists of a typedef', field('type_exists', proto(1), proto(1), '0', mov(1)), mov(1), 'typedef callback'],
    ['type_size', field('type_size', pair, (t) => t.ints('pair', 'a', 'b', 'c'), '0', mov(8)), mov(12)],
    ['type_matches', field('type_matches', pair, (t) => t.ints('pair', 'c', 'b', 'a'), '0', mov(1)), mov(1)],
    ['type_matches of enums by name', field('type_matches', color, (t) => t.enum('color', { BLUE: 9, GREEN: 8, RED: 7, WHITE: 6 }), '0', mov(1)), mov(1)],
    ['type_matches behind pointers by kind', field('type_matches', (t) => t.struct('p', 8, [{ name: 'next', type: t.ptr(t.ints('pair', 'gone')), at: 0 }]),
      (t) => t.struct('p', 8, [{ name: 'next', type: t.ptr(t.fwd('pair')), at: 0 }]), '0', mov(1)), mov(1)],
    ['type_matches of a forward declaration behind a pointer', field('type_matches', (t) => t.typedef('u', t.ptr(t.fwd('pair', { union: true }))),
      (t) => t.typedef('u', t.ptr(t.union('pair', 0, []))), '0', mov(1)), mov(1)],
    ['type_matches of function pointers', field('type_matches', proto(2), proto(2), '0', mov(1)), mov(1)],
    // where candidates come from
    ['a type that only a module has', { ...field('field_byte_offset', pair, nothing, '0:0', mov(0)), modules: [(t) => t.struct('pair', 8, [{ name: 'a', type: 2, at: 32 }])] }, mov(4)],
    ['two equal candidates', field('field_byte_offset', pair, (t) => [swapped(t), t.ints('pair', 'b', 'a', 'c')], '0:0', mov(0)), mov(4)],
    ['the one of two candidates with a field of the right kind', field('field_byte_offset', pair,
      (t) => [t.struct('pair', 8, [{ name: 'a', type: t.ptr(0), at: 0 }]), swapped(t)], '0:0', mov(0)), mov(4)],
  ];
  test.table(rows, ([what]) => `relocateCore resolves ${what}`, ([, c, after, path]) => {
    const story = run(c);
    assert.is(story.hex, after);
    assert.is(story.poisoned, false);
    assert.is(story.reason, '');
    if (c.kind !== 'type_id_local') assert.ok(story.target !== undefined && story.target.value === story.newValue);
    if (path !== undefined) assert.is(story.target?.path, path);
  });
});

suite('core relocations that find nothing', (test) => {
  const place = "in the running kernel's BTF";
  const long: Make<number> = (t) => t.struct('s', 4, [{ name: 'a', type: t.sint, at: 0 }]);
  const zero: Missing[] = [
    ['field_exists', field('field_exists', pair, (t) => t.ints('pair', 'a'), '0:1', mov(1)), `struct pair has no field "b" ${place}`],
    ['field_exists of another kind', field('field_exists', pair, (t) => t.struct('pair', 8, [{ name: 'b', type: t.ptr(t.sint), at: 0 }]), '0:1', mov(1)),
      `struct pair.b is not the same ${place}: field "b" of struct pair is int *, not unsigned int`],
    ['enumval_exists', field('enumval_exists', color, (t) => t.enum('color', { RED: 0 }), '2', mov(1)), `enum color has no enumerator "BLUE" ${place}`],
    ['type_id_target', field('type_id_target', pair, nothing, '0', ld64(6)), "the running kernel's BTF has no struct pair"],
    ['type_exists', field('type_exists', pair, (t) => t.union('pair', 0, []), '0', mov(1)), "the running kernel's BTF has no struct pair"],
    ['type_exists of a flavour', field('type_exists', (t) => t.ints('pair___x', 'a'), nothing, '0', mov(1)), "the running kernel's BTF has no struct pair"],
    ['type_exists of a typedef of another kind', field('type_exists', proto(1), (t) => t.typedef('callback', t.sint), '0', mov(1)), `typedef callback is another ${place}: int is int, not ptr`],
    ['type_exists of another signature', field('type_exists', proto(1), proto(2), '0', mov(1)), `typedef callback is another ${place}: 2 parameters, not 1`],
    ['type_exists of another result', field('type_exists', proto(1), proto(1, 1), '0', mov(1)), `typedef callback is another ${place}: int is int, not unkn`],
    ['type_size', field('type_size', pair, nothing, '0', mov(8)), "the running kernel's BTF has no struct pair"],
    ['type_matches with a member less', field('type_matches', pair, (t) => t.ints('pair', 'a'), '0', mov(1)), `struct pair is another ${place}: 1 members, fewer than 2`],
    ['type_matches with another member', field('type_matches', pair, (t) => t.ints('pair', 'a', 'c'), '0', mov(1)), `struct pair is another ${place}: member "b" of struct pair: it has none`],
    ['type_matches with another size', field('type_matches', long, (t) => t.struct('s', 8, [{ name: 'a', type: t.int_('int', 8, true), at: 0 }]), '0', mov(1)), `struct s is another ${place}: member "a" of struct s: int has 8 bytes, not 4`],
    ['type_matches with another sign', field('type_matches', long, (t) => t.struct('s', 4, [{ name: 'a', type: t.int_('int', 4), at: 0 }]), '0', mov(1)), `struct s is another ${place}: member "a" of struct s: int is unsigned`],
    ['type_matches with another name', field('type_matches', long, (t) => t.struct('s', 4, [{ name: 'a', type: t.uint, at: 0 }]), '0', mov(1)), `struct s is another ${place}: member "a" of struct s: "unsigned int", not "int"`],
    ['type_matches with another length', field('type_matches', list(2), list(3), '0', mov(1)), `struct list is another ${place}: member "items" of struct list: 3 elements, not 2`],
    ['type_matches with another enumerator', field('type_matches', color, (t) => t.enum('color', { RED: 0, GREEN: 1, PINK: 2 }), '0', mov(1)), `enum color is another ${place}: no enumerator "BLUE"`],
    ['type_matches of enums of other sizes', field('type_matches', color, wide('color', { RED: 0n, GREEN: 1n, BLUE: 2n }), '0', mov(1)), `enum color is another ${place}: enum color has 8 bytes, not 4`],
    ['type_matches with fewer enumerators', field('type_matches', color, (t) => t.enum('color', { RED: 0 }), '0', mov(1)), `enum color is another ${place}: 1 enumerators, fewer than 3`],
    ['type_matches of another signature', field('type_matches', proto(2), proto(1), '0', mov(1)), `typedef callback is another ${place}: 1 parameters, not 2`],
    ['type_matches of a struct that is a union behind a pointer', field('type_matches', (t) => t.typedef('u', t.ptr(t.fwd('pair'))), (t) => t.typedef('u', t.ptr(t.union('pair', 0, []))), '0', mov(1)), `typedef u is another ${place}: union pair is union, not fwd`],
  ];
  test.table(zero, ([what]) => `relocateCore answers 0 for ${what}`, ([, c, reason]) => {
    const story = run(c);
    assert.is(story.hex, c.insn.startsWith('18') ? ld64(0) : mov(0));
    assert.is(story.newValue, 0n);
    assert.equal([story.poisoned, story.reason, story.target], [false, reason, undefined]);
  });

  const poisoned: Missing[] = [
    ['field_byte_offset', field('field_byte_offset', pair, (t) => t.ints('pair', 'a'), '0:1', ldw(4)), `struct pair has no field "b" ${place}`],
    ['field_byte_offset of a flavour', field('field_byte_offset', (t) => t.ints('pair___x', 'q'), (t) => t.ints('pair', 'a'), '0:0', ldw(0)), `struct pair has no field "q" ${place}`],
    ['field_byte_offset in ld_imm64', field('field_byte_offset', pair, nothing, '0:1', ld64(4)), "the running kernel's BTF has no struct pair"],
    ['a field in an anonymous union', field('field_byte_offset', anonymous, (t) => t.struct('outer', 4, [{ type: t.union('', 4, [{ name: 'q', type: t.sint, at: 0 }]), at: 0 }]), '0:1:1:1', mov(12)), `struct outer has no field "y" ${place}`],
    ['field_byte_size', field('field_byte_size', pair, nothing, '0:1', mov(4)), "the running kernel's BTF has no struct pair"],
    ['field_signed', field('field_signed', pair, nothing, '0:1', mov(0)), "the running kernel's BTF has no struct pair"],
    ['field_lshift_u64', field('field_lshift_u64', pair, nothing, '0:1', mov(32)), "the running kernel's BTF has no struct pair"],
    ['field_rshift_u64', field('field_rshift_u64', pair, nothing, '0:1', mov(32)), "the running kernel's BTF has no struct pair"],
    ['enumval_value', field('enumval_value', color, (t) => t.enum('color', { RED: 0 }), '2', ld64(2)), `enum color has no enumerator "BLUE" ${place}`],
    ['an element outside', field('field_byte_offset', list(4), list(2), '0:1:3', mov(16)), `struct list.items[3] is not the same ${place}: index 3 is outside of the 2 elements of .items`],
    ['an element of an array of length 0 inside a struct', field('field_byte_offset', list(4), notLast, '0:1:3', mov(16)), `struct list.items[3] is not the same ${place}: index 3 is outside of the 0 elements of .items`],
    ['an element of what is an array no longer', field('field_byte_offset', (t) => t.struct('list', 8, [{ name: 'items', type: t.array(t.ints('one', 'x'), 2), at: 0 }]),
      (t) => t.struct('list', 8, [{ name: 'items', type: t.ints('one', 'x'), at: 0 }]), '0:0:1', mov(4)), `struct list.items[1] is not the same ${place}: field "items" of struct list is struct one, not struct one [2]`],
    ['a load of a signed int that grew', field('field_byte_offset', long, (t) => t.struct('s', 8, [{ name: 'a', type: t.int_('long', 8, true), at: 0 }]), '0:0', ldw(0)),
      'struct s.a: the field has 8 bytes in the target, 4 in the program, and is neither a pointer nor an unsigned integer in both'],
    ['a load of a member that became a bitfield', field('field_byte_offset', long, (t) => t.struct('s', 4, [{ name: 'a', type: t.sint, at: 0, bits: 5 }]), '0:0', ldw(0)),
      'struct s.a: the field has 0 bytes in the target, 4 in the program, and is neither a pointer nor an unsigned integer in both'],
  ];
  test.table(poisoned, ([what]) => `relocateCore poisons ${what}`, ([, c, reason]) => {
    const story = run(c);
    assert.is(story.hex, c.insn.startsWith('18') ? POISONED + POISONED : POISONED);
    assert.equal([story.poisoned, story.reason, story.newValue], [true, reason, undefined]);
  });

  test('explainPoison says what is missing and the way out', () => {
    const story = run(field('field_byte_offset', pair, (t) => t.ints('pair', 'a'), '0:1', ld64(4)));
    const text = `CO-RE: struct pair has no field "b" in the running kernel's BTF; insn 0 of "prog" is poisoned (guard it with bpf_core_field_exists)`;
    assert.equal([0, 1, 2].map((insn) => explainPoison([story], insn)), [text, text, undefined]);
    assert.is(explainPoison(undefined, 0), undefined);
    const enumerator = run(field('enumval_value', color, nothing, '2', mov(2)));
    assert.is(explainPoison([enumerator], 0), `CO-RE: the running kernel's BTF has no enum color; insn 0 of "prog" is poisoned (guard it with bpf_core_enum_value_exists)`);
    const grown = run(field('field_byte_offset', long, (t) => t.struct('s', 8, [{ name: 'a', type: t.int_('long', 8, true), at: 0 }]), '0:0', ldw(0)));
    assert.match(explainPoison([grown], 0)!, /read it with bpf_core_read or BPF_CORE_READ_INTO a variable of the right size\)$/);
  });

  test('a story shows every candidate with its value or why it was refused', () => {
    const { candidates, target, path, bitOffset, localType, oldValue, newValue } = run(field('field_byte_offset', (t) => t.ints('pair___mine', 'a', 'b'),
      (t) => [t.ints('pair', 'x'), t.ints('pair', 'x', 'y', 'b'), t.struct('pair___p', 8, [{ name: 'b', type: t.ptr(0), at: 0 }])], '0:1', mov(4)));
    assert.equal(candidates, [
      { btf: 'vmlinux', typeId: 6, name: 'struct pair', refused: 'no field "b" in struct pair', path: undefined, bitOffset: undefined, value: undefined },
      { btf: 'vmlinux', typeId: 7, name: 'struct pair', refused: undefined, path: 'struct pair.b', bitOffset: 64, value: 8n },
      { btf: 'vmlinux', typeId: 9, name: 'struct pair___p', refused: 'field "b" of struct pair___p is void *, not unsigned int', path: undefined, bitOffset: undefined, value: undefined },
    ]);
    assert.equal({ target: target === candidates[1], path, bitOffset, localType, oldValue, newValue },
      { target: true, path: 'struct pair___mine.b', bitOffset: 32, localType: { id: 6, kind: 'struct', name: 'struct pair___mine' }, oldValue: 4n, newValue: 8n });
  });
});

suite('core relocations in words', (test) => {
  const place = "in the running kernel's BTF";
  test('explainStory shows both sides of a poisoned instruction, every candidate with its reason', () => {
    assert.equal(explainStory(run(field('field_byte_offset', pair, (t) => [t.ints('pair', 'a'), t.struct('pair___p', 8, [{ name: 'b', type: t.ptr(0), at: 0 }])], '0:1', ldw(4)))), [
      'struct pair.b in the program: type [6] struct pair, access "0:1", at byte 4',
      'candidate [6] struct pair of vmlinux: refused, no field "b" in struct pair',
      'candidate [8] struct pair___p of vmlinux: refused, field "b" of struct pair___p is void *, not unsigned int',
      `field_byte_offset: insn 0 of "prog" is poisoned: struct pair.b is not the same ${place}: no field "b" in struct pair; field "b" of struct pair___p is void *, not unsigned int`,
    ]);
  });
  test.table<[string, Case, string[]]>([
    ['found elsewhere', field('field_byte_offset', pair, swapped, '0:1', ldw(4)), [
      'struct pair.b in the program: type [6] struct pair, access "0:1", at byte 4', 'candidate [6] struct pair of vmlinux: struct pair.b, value 0', 'field_byte_offset: insn 0 of "prog" has 0 instead of 4']],
    ['without a candidate', field('type_size', pair, nothing, '0', mov(8)), [
      'struct pair in the program: type [6] struct pair, access "0"', 'no candidate: no type has that name and kind', `type_size: insn 0 of "prog" has 0 instead of 8: the running kernel's BTF has no struct pair`]],
    ['of the program itself', field('type_id_local', pair, nothing, '0', ld64(6)), [
      'struct pair in the program: type [6] struct pair, access "0"', 'type_id_local: insn 0 of "prog" has 6, as compiled']],
    ['at a bit', field('field_lshift_u64', bits(37, 3), bits(45, 7), '0:1', mov(56)), [
      'struct flags.bit in the program: type [6] struct flags, access "0:1", at bit 37', 'candidate [6] struct flags of vmlinux: struct flags.bit, at bit 45, value 44', 'field_lshift_u64: insn 0 of "prog" has 44 instead of 56']],
  ], ([what]) => `explainStory of a relocation ${what}`, ([, c, lines]) => {
    assert.equal(explainStory(run(c)), lines);
  });
  test('explainStory lists 16 candidates at most', () => {
    const lines = explainStory(run(field('field_exists', pair, (t) => Array.from({ length: 20 }, () => t.ints('pair', 'a')), '0:1', mov(1))));
    assert.equal([lines.length, lines.at(-2)], [19, 'and 4 more']);
  });
  test('an ambiguous relocation is refused with every candidate', () => {
    const { details } = throwsCode<RelocationError>(() => run(field('field_byte_offset', pair, (t) => [pair(t), t.ints('pair', 'b'), swapped(t)], '0:0', mov(0))), 'BPF_RELOCATION');
    assert.equal(details, [
      'struct pair.a in the program: type [6] struct pair, access "0:0"',
      'candidate [6] struct pair of vmlinux: struct pair.a, value 0',
      'candidate [7] struct pair of vmlinux: refused, no field "a" in struct pair',
      'candidate [8] struct pair of vmlinux: struct pair.a, at byte 4, value 4',
    ]);
  });
  test('a relocation whose instruction cannot take the value is refused with both sides', () => {
    const { details } = throwsCode<RelocationError>(() => run(field('field_byte_offset', pair, (t) => t.struct('pair', 40_000, [{ name: 'b', type: t.uint, at: 320_000 }]), '0:1', ldw(4))), 'BPF_RELOCATION');
    assert.equal(details, [
      'struct pair.b in the program: type [6] struct pair, access "0:1", at byte 4',
      'candidate [6] struct pair of vmlinux: struct pair.b, at byte 40000, value 40000',
    ]);
  });
});

suite('core relocations that are refused', (test) => {
  const at = (kind: CoreKind): string => `relocation ${kind} insn 0 of "prog": `;
  const rows: [string, Case, string][] = [
    ['candidates with different offsets', field('field_byte_offset', pair, (t) => [pair(t), swapped(t)], '0:0', mov(0)),
      'struct pair.a is ambiguous: struct pair [6] of vmlinux says 0, struct pair [7] of vmlinux says 4 (bit offset 32) (give the local type a flavour that only one of them matches)'],
    ['candidates with different values', field('enumval_value', color, (t) => [color(t), t.enum('color', { BLUE: 9 })], '2', mov(2)),
      'enum color::BLUE is ambiguous: enum color [6] of vmlinux says 2, enum color [7] of vmlinux says 9 (give the local type a flavour that only one of them matches)'],
    ['candidates with different sizes', field('type_size', pair, (t) => [pair(t), t.ints('pair', 'a')], '0', mov(8)),
      'struct pair is ambiguous: struct pair [6] of vmlinux says 8, struct pair [7] of vmlinux says 4 (give the local type a flavour that only one of them matches)'],
    ['candidates of different modules', { ...field('type_size', pair, nothing, '0', mov(8)), modules: [(t) => t.struct('pair', 4, []), (t) => t.struct('pair', 12, [])] },
      'struct pair is ambiguous: struct pair [6] of module0 says 4, struct pair [6] of module1 says 12 (give the local type a flavour that only one of them matches)'],
    ['an access that is no list', field('field_byte_offset', pair, pair, '0:x', mov(0)), 'access "0:x" of struct pair: not a list of indices like "0:1:2"'],
    ['an access without end', field('field_byte_offset', pair, pair, Array(65).fill('0').join(':'), mov(0)), `access "${Array(65).fill('0').join(':')}" of struct pair: 65 steps, more than 64`],
    ['a huge index', field('field_byte_offset', pair, pair, '0:4294967296', mov(0)), 'access "0:4294967296" of struct pair: index 4294967296 is beyond 2^31'],
    ['a member that is not there', field('field_byte_offset', pair, pair, '0:2', mov(0)), 'access "0:2" of struct pair: no member 2 of 2 in struct pair'],
    ['an element that is not there', field('field_byte_offset', list(2), list(2), '0:1:2', mov(0)), 'access "0:1:2" of struct list: index 2 is outside of 2 elements'],
    ['a member of an int', field('field_byte_offset', pair, pair, '0:0:0', mov(0)), 'access "0:0:0" of struct pair: int unsigned int has neither members nor elements'],
    ['a type access that is not 0', field('type_exists', pair, pair, '0:0', mov(1)), 'access "0:0" of struct pair: a type relocation has the access "0"'],
    ['an enumerator of a struct', field('enumval_value', pair, pair, '0', mov(1)), 'access "0" of struct pair: struct is not an enum'],
    ['an enumerator of an enumerator', field('enumval_value', color, color, '0:0', mov(1)), 'access "0:0" of enum color: an enumerator has one index'],
    ['an enumerator that is not there', field('enumval_value', color, color, '3', mov(1)), 'access "3" of enum color: no enumerator 3 of 3'],
    ['an anonymous type', field('type_exists', (t) => t.ints('', 'a'), nothing, '0', mov(1)), 'anonymous struct [6] has no name to look for in the target\'s BTF'],
    ['the sign of an array element', field('field_signed', list(2), list(2), '0:1:1', mov(0)), 'struct list.items[1] is an array element, which has no such property'],
    ['an immediate that is not the local value', field('field_byte_offset', pair, pair, '0:1', mov(5)), 'immediate of the instruction is 5, the program\'s own types say 4'],
    ['a load that has not the local offset', field('field_byte_offset', pair, pair, '0:1', ldw(8)), 'offset of the instruction is 8, the program\'s own types say 4'],
    ['a constant that is not the local value', field('enumval_value', color, color, '2', ld64(3)), 'constant of the instruction is 3, the program\'s own types say 2'],
    ['an offset too large for a load', field('field_byte_offset', pair, (t) => t.struct('pair', 40_000, [{ name: 'b', type: t.uint, at: 320_000 }]), '0:1', ldw(4)), 'offset 40000 does not fit into a load or store, 32767 at most'],
    ['a load of another width', field('field_byte_offset', pair, (t) => t.struct('pair', 8, [{ name: 'b', type: t.long, at: 0 }]), '0:1', ldw(4, '69')), 'the instruction moves 2 bytes, the field has 4 in the program\'s own types'],
    ['a width that no load has', field('field_byte_offset', pair, (t) => t.struct('pair', 16, [{ name: 'b', type: t.int_('u128', 16), at: 0 }]), '0:1', ldw(4)), 'the field has 16 bytes in the target, no load or store does'],
    ['arithmetic with a register', field('field_byte_offset', pair, pair, '0:1', '0f21000004000000'), 'the instruction (code 0xf) has no immediate operand'],
    ['a jump', field('field_byte_offset', pair, pair, '0:1', '0500000004000000'), 'the instruction (code 0x5) is neither arithmetic, load, store nor ld_imm64'],
    ['half of an ld_imm64', field('field_byte_offset', pair, pair, '0:1', '1801000004000000'), 'the instruction (code 0x18) is not a plain ld_imm64'],
    ['an ld_imm64 of a map', field('field_byte_offset', pair, pair, '0:1', '18110000040000000000000000000000'), 'the instruction (code 0x18) is not a plain ld_imm64'],
    ['a bitfield over nine bytes', field('field_byte_offset', bits(32, 3), (t) => t.struct('flags', 16, [{ name: 'bit', type: t.long, at: 60, bits: 10 }]), '0:1', mov(4)), 'struct flags.bit is a bitfield that no load of 8 bytes holds'],
    ['a bitfield of a pointer', field('field_byte_offset', (t) => t.struct('flags', 8, [{ name: 'bit', type: t.ptr(0), at: 0, bits: 3 }]), nothing, '0:0', mov(0)), 'struct flags.bit is a bitfield of anonymous ptr [6]'],
    ['a field without a size', field('field_byte_size', (t) => t.struct('s', 4, [{ name: 'f', type: t.fwd('gone'), at: 0 }]), nothing, '0:0', mov(0)), 'object type [6]: fwd has no size'],
  ];
  test.table(rows, ([what]) => `relocateCore refuses ${what}`, ([, c, message]) => { throwsCode(() => run(c), 'BPF_RELOCATION', at(c.kind) + message); });

  const objectBtf = (): { btf: Btf; id: number } => {
    const t = new Types();
    const id = pair(t);
    return { btf: parseBtf(t.build(), { source: 'object' }), id };
  };
  test('relocateCore refuses an instruction beyond the end', () => {
    const { btf, id } = objectBtf();
    throwsCode(() => relocateCore(makeSpec(btf, mov(4), [{ insn: 1, typeId: id, access: '0:1', kind: 'field_byte_offset' }]), { vmlinux: btf }),
      'BPF_RELOCATION', 'relocation field_byte_offset insn 1 of "prog": there is no such instruction, the program has 1');
  });
  test('relocateCore refuses a type that is not there', () => {
    const { btf } = objectBtf();
    throwsCode(() => relocateCore(makeSpec(btf, mov(4), [{ insn: 0, typeId: 77, access: '0:1', kind: 'field_byte_offset' }]), { vmlinux: btf }),
      'BPF_RELOCATION', 'relocation field_byte_offset insn 0 of "prog": object type [77]: no such type id, the last one is 6');
  });
  test('relocateCore without a target resolves type_id_local only', () => {
    const { btf, id } = objectBtf();
    const local = relocateCore(makeSpec(btf, ld64(0), [{ insn: 0, typeId: id, access: '0', kind: 'type_id_local' }]), { vmlinux: undefined });
    sameBytes(local.spec.programs[0].insns, Buffer.from(ld64(id), 'hex'));
    throwsCode(() => relocateCore(makeSpec(btf, mov(1), [{ insn: 0, typeId: id, access: '0', kind: 'type_exists' }]), { vmlinux: undefined }),
      'BPF_RELOCATION', 'relocation type_exists insn 0 of "prog": no target BTF to look for struct pair in (a kernel with CONFIG_DEBUG_INFO_BTF has /sys/kernel/btf/vmlinux)');
  });
});

suite('core relocations of whole objects', (test) => {
  const own = new Types();
  const id = pair(own);
  const btf = parseBtf(own.build(), { source: 'object' });
  const kernel = new Types();
  swapped(kernel);
  const vmlinux = parseBtf(kernel.build(), { source: 'vmlinux' });
  const relocation = { insn: 0, typeId: id, access: '0:0', kind: 'field_byte_offset' } as const;

  test('relocateCore leaves programs alone that are not loaded, and objects without relocations', () => {
    const off = makeSpec(btf, mov(0), [relocation], { autoload: false });
    const result = relocateCore(off, { vmlinux });
    assert.is(result.spec.programs[0], off.programs[0]);
    assert.is(result.stories.size, 0);
    const none = makeSpec(btf, mov(0), []);
    assert.is(relocateCore(none, { vmlinux: undefined }).spec, none);
    assert.is(relocateCore({ ...none, btf: undefined }, { vmlinux }).stories.size, 0);
  });

  test('relocateCore asks for modules once, and only when vmlinux lacks a type', () => {
    let asked = 0;
    const modules = (): Btf[] => (asked++, []);
    relocateCore(makeSpec(btf, mov(0), [relocation]), { vmlinux, modules });
    assert.is(asked, 0);
    const empty = parseBtf(new Types().build(), { source: 'vmlinux' });
    relocateCore(makeSpec(btf, mov(0) + mov(4), [relocation, { ...relocation, insn: 1, access: '0:1' }]), { vmlinux: empty, modules });
    assert.is(asked, 1);
  });

  test('a match narrows the candidates of the relocations that follow', () => {
    const t = new Types();
    t.struct('pair', 8, [{ name: 'a', type: t.uint, at: 0 }, { name: 'b', type: t.uint, at: 32 }]);
    t.struct('pair', 12, [{ name: 'b', type: t.uint, at: 64 }]);
    const two = parseBtf(t.build(), { source: 'vmlinux' });
    const second = { ...relocation, insn: 1, access: '0:1' };
    const { spec } = relocateCore(makeSpec(btf, mov(0) + mov(4), [relocation, second]), { vmlinux: two });
    sameBytes(spec.programs[0].insns, Buffer.from(mov(0) + mov(4), 'hex'));
    throwsCode(() => relocateCore(makeSpec(btf, mov(4) + mov(0), [{ ...second, insn: 0 }, { ...relocation, insn: 1 }]), { vmlinux: two }),
      'BPF_RELOCATION', /^relocation field_byte_offset insn 0 of "prog": struct pair\.b is ambiguous/);
  });

  test('relocateCore keeps one story per relocation and program', () => {
    const base = makeSpec(btf, mov(0) + mov(4), [relocation, { ...relocation, insn: 1, access: '0:1' }]);
    const spec = { ...base, programs: [base.programs[0], { ...base.programs[0], name: 'twin' }] };
    const { stories } = relocateCore(spec, { vmlinux });
    assert.equal([...stories].map(([name, list]) => [name, list.map((s) => [s.program, s.relocation.insn, s.newValue])]),
      [['prog', [['prog', 0, 4n], ['prog', 1, 0n]]], ['twin', [['twin', 0, 4n], ['twin', 1, 0n]]]]);
  });
});

suite('core mutations', (test) => {
  test('relocateCore answers broken types, relocations and instructions with RelocationError only', () => {
    const spec = parseObject(readFileSync(fixture('reloc/core-program.bpf.o')), { name: 'core' });
    const types = parseElf(readFileSync(fixture('reloc/core-target-2.bpf.o'))).section('.BTF')!.data;
    const next = random(7);
    const mutated = (bytes: Uint8Array): Uint8Array => {
      const copy = Uint8Array.from(bytes);
      // the header is btf.test.ts's
      for (let n = next(4); n > 0; n--) copy[24 + next(copy.length - 24)] = next(3) === 0 ? next(64) : next(256);
      return copy;
    };
    const tally = { relocated: 0, refused: 0 };
    for (let round = 0; round < 600; round++) {
      try {
        const btf = parseBtf(mutated(spec.btf!.bytes), { source: 'object' });
        const vmlinux = parseBtf(mutated(types), { source: 'target' });
        const chosen = spec.programs[next(spec.programs.length)];
        const relocations = chosen.coreRelocations.map((relocation) => next(10) > 0 ? relocation : {
          ...relocation, kind: CORE_KINDS[next(CORE_KINDS.length)], typeId: next(btf.length + 2),
          access: Array.from({ length: 1 + next(4) }, () => next(4)).join(':'),
        });
        const program = { ...chosen, insns: next(2) === 0 ? chosen.insns : mutated(chosen.insns), coreRelocations: relocations };
        relocateCore({ ...spec, btf, programs: [program] }, { vmlinux });
        tally.relocated++;
      } catch (error) {
        if (!(error instanceof ProjectError) || !['BPF_RELOCATION', 'BPF_BTF'].includes(error.code)) throw error;
        tally.refused++;
      }
    }
    assert.ok(tally.relocated > 50 && tally.refused > 50, JSON.stringify(tally));
  });
});
