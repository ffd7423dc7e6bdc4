/** Minimised and written BTF: what is kept, that relocations come to the same, and that broken types are no more than an error. */
import { readFileSync } from 'node:fs';
import { ProjectError } from '#src/errors.js';
import { parseBtf, type Btf } from '#src/reloc/btf.js';
import { declaration } from '#src/reloc/btf-c.js';
import { minimizeBtf } from '#src/reloc/btf-minimize.js';
import { writeBtf } from '#src/reloc/btf-write.js';
import { relocateCore } from '#src/reloc/core.js';
import { INSN_SIZE } from '#src/reloc/insn.js';
import { parseObject } from '#src/reloc/object.js';
import type { CoreKind, ObjectSpec } from '#src/reloc/spec.js';
import { BtfBuilder, random } from '../support/btf.js';
import { fixture } from '../support/probe.js';
import { randomTypes } from '../support/random-types.js';
import { assert, sameBytes, suite } from '../support/suite.js';

const program = parseObject(readFileSync(fixture('reloc/core-program.bpf.o')), { name: 'core' });

/** An object with these relocations and no instructions that take them. */
function asking(btf: Btf, ...relocations: readonly { readonly kind: CoreKind; readonly typeId: number; readonly access?: string }[]): ObjectSpec {
  return {
    name: 'object', license: 'GPL', kernelVersion: 0, btf, maps: [], externs: [],
    programs: [{
      name: 'prog', section: '?raw_tp', autoload: false, insns: new Uint8Array(INSN_SIZE), functions: [], lines: [], references: [],
      coreRelocations: relocations.map(({ kind, typeId, access = '0' }) => ({ insn: 0, kind, typeId, access })),
    }],
  };
}

/** An object and a kernel with the same types; what of the kernel's is left, in C. */
function kept(make: (b: BtfBuilder) => readonly { readonly kind: CoreKind; readonly typeId: number; readonly access?: string }[]): string[] {
  const builder = new BtfBuilder();
  const relocations = make(builder);
  const btf = parseBtf(builder.build(), { source: 'both' });
  const { bytes, types, typesBefore } = minimizeBtf([asking(btf, ...relocations)], btf);
  const few = parseBtf(bytes, { source: 'few' });
  assert.equal([few.length - 1, btf.length - 1], [types, typesBefore]);
  return Array.from({ length: types }, (_, i) => declaration(few, i + 1).replaceAll(/\s+/g, ' '));
}

/** How many types are kept of an object's own. */
function countOf(builder: BtfBuilder, relocations: Parameters<typeof asking>[1][]): number {
  const btf = parseBtf(builder.build(), { source: 'both' });
  try {
    return minimizeBtf([asking(btf, ...relocations)], btf).types;
  } catch (error) {
    // comparing such types gives up at a depth
    if (error instanceof ProjectError) return 1;
    throw error;
  }
}

/** Each program's instructions without the ids of types, or that it is refused. */
function outcomes(vmlinux: Btf): string[] {
  return program.programs.map(({ name }) => {
    try {
      const { spec } = relocateCore({ ...program, programs: program.programs.map((each) => ({ ...each, autoload: each.name === name })) }, { vmlinux });
      const { insns, coreRelocations } = spec.programs.find((each) => each.name === name)!;
      for (const { kind, insn } of coreRelocations) if (kind === 'type_id_target') insns.fill(0, insn * INSN_SIZE, (insn + 2) * INSN_SIZE);
      return `${name} ${Buffer.from(insns).toString('hex')}`;
    } catch (error) {
      if (!(error instanceof ProjectError)) throw error;
      return `${name} refused`;
    }
  });
}

suite('reloc/btf-minimize', (test) => {
  test.table<[string, Parameters<typeof kept>[0], string[]]>([
    ['the members on the way, and of their types what tells the size', (b) => {
      const [int, char] = [b.int('int', 4, { signed: true }), b.int('char', 1)];
      const inner = b.struct('inner', 12, [{ name: 'a', type: int, at: 0 }, { name: 'b', type: b.typedef('int_t', b.const(int)), at: 32 }, { name: 'c', type: char, at: 64 }]);
      const outer = b.struct('outer', 32, [{ name: 'x', type: char, at: 0 }, { name: 'in', type: b.array(inner, 2, int), at: 32 }]);
      return [{ kind: 'field_byte_offset', typeId: outer, access: '0:1:1:1' }];
    }, ['int;', 'const int;', 'typedef const int int_t;', 'struct inner { int_t b; /* 4 */ } /* 12 bytes */;', 'struct inner [2];', 'struct outer { struct inner in[2]; /* 4 */ } /* 32 bytes */;']],
    ['no pointee of a field', (b) => {
      const far = b.struct('far', 8, []);
      return [{ kind: 'field_exists', typeId: b.struct('near', 8, [{ name: 'p', type: b.ptr(far), at: 0 }]), access: '0:0' }];
    }, ['void *;', 'struct near { void *p; /* 0 */ } /* 8 bytes */;']],
    ['all enumerators', (b) => [{ kind: 'enumval_value', typeId: b.typedef('color_t', b.enum('color', { RED: -1, BLUE: 2 })), access: '1' }],
      ['enum color { RED = -1, BLUE = 2, };', 'typedef enum color color_t;']],
    ['the signature of a type that is asked for, no members', (b) => {
      const far = b.struct('far', 8, [{ name: 'a', type: b.int('int', 4), at: 0 }]);
      return [{ kind: 'type_exists', typeId: b.typedef('callback', b.ptr(b.funcProto(0, [{ name: 'p', type: b.ptr(far) }]))) }];
    }, ['struct far { } /* 8 bytes */;', 'struct far *;', 'void (struct far *p);', 'void (*)(struct far *p);', 'typedef void (*callback)(struct far *p);']],
    ['everything that a strict comparison looks at', (b) => {
      const int = b.int('int', 4);
      const far = b.struct('far', 4, [{ name: 'a', type: int, at: 0 }]);
      const near = b.struct('near', 4, [{ name: 'b', type: int, at: 0 }]);
      return [{ kind: 'type_matches', typeId: b.struct('all', 16, [{ name: 'far', type: b.ptr(far), at: 0 }, { name: 'near', type: near, at: 64 }]) }];
    }, ['int;', 'struct far { } /* 4 bytes */;', 'struct near { int b; /* 0 */ } /* 4 bytes */;', 'struct far *;', 'struct all { struct far *far; /* 0 */ struct near near; /* 8 */ } /* 16 bytes */;']],
    ['the last member beside an array of no elements that is not the last', (b) => {
      const int = b.int('int', 4);
      return [{ kind: 'field_exists', typeId: b.struct('s', 8, [{ name: 'none', type: b.array(int, 0, int), at: 0 }, { name: 'x', type: int, at: 0 }, { name: 'y', type: int, at: 32 }]), access: '0:0' }];
    }, ['int;', 'int [];', 'struct s { int none[]; /* 0 */ int y; /* 4 */ } /* 8 bytes */;']],
    ['bitfields as they are', (b) => {
      const int = b.int('int', 4);
      return [{ kind: 'field_lshift_u64', typeId: b.struct('s', 4, [{ name: 'x', type: int, at: 0, bits: 3 }, { name: 'y', type: int, at: 3, bits: 5 }]), access: '0:1' }];
    }, ['int;', 'struct s { int y : 5; /* 0.3 */ } /* 4 bytes */;']],
    ['nothing of types that only the program has a use for', (b) => [{ kind: 'type_id_local', typeId: b.struct('s', 4, []) }], []],
  ], ([what]) => `minimizeBtf keeps ${what}`, ([, make, types]) => {
    assert.equal(kept(make), types);
  });

  test('minimizeBtf keeps every candidate that matches, in order, and counts what nothing matches', () => {
    const own = new BtfBuilder();
    const pair = own.struct('pair', 4, [{ name: 'a', type: own.int('int', 4), at: 0 }]);
    const gone = own.struct('gone', 0, []);
    const kernel = new BtfBuilder();
    const int = kernel.int('int', 4);
    kernel.struct('pair', 8, [{ name: 'a', type: int, at: 32 }]);
    kernel.struct('pair', 4, [{ name: 'b', type: int, at: 0 }]);
    kernel.struct('pair___v2', 4, [{ name: 'a', type: int, at: 0 }]);
    const { bytes, ...counts } = minimizeBtf([asking(parseBtf(own.build(), { source: 'own' }), { kind: 'field_byte_offset', typeId: pair, access: '0:0' }, { kind: 'type_size', typeId: gone })], parseBtf(kernel.build(), { source: 'kernel' }));
    const few = parseBtf(bytes, { source: 'few' });
    assert.equal([1, 2, 3].map((id) => few.name(id)), ['int', 'pair', 'pair___v2']);
    assert.equal(counts, { types: 3, typesBefore: 4, relocations: 2, unmatched: 1 });
  });

  test('minimizeBtf follows chains of any length', () => {
    for (const kind of ['type_exists', 'type_matches', 'field_exists'] as const) {
      const b = new BtfBuilder();
      const int = b.int('int', 4);
      let [pointer, array, index] = [b.ptr(int), b.array(int, 1), b.array(int, 1)];
      for (let i = 0; i < 20_000; i++) [pointer, array, index] = [b.ptr(pointer), b.array(array, 1, int), b.array(int, 1, index)];
      const s = b.struct('s', 8, [{ name: 'p', type: pointer, at: 0 }, { name: 'i', type: index, at: 64 }]);
      assert.ok(countOf(b, [{ kind, typeId: s, access: kind === 'field_exists' ? '0:1' : '0' }]) > 0);
    }
  });

  test('minimizeBtf of a split BTF and its base makes one whole', () => {
    const base = new BtfBuilder();
    const int = base.int('int', 4);
    const module = new BtfBuilder(base);
    const pair = module.struct('pair', 8, [{ name: 'a', type: int, at: 32 }]);
    const vmlinux = parseBtf(base.build(), { source: 'vmlinux' });
    const split = parseBtf(module.build(), { source: 'module', base: vmlinux });
    const { bytes } = minimizeBtf([asking(split, { kind: 'field_byte_offset', typeId: pair, access: '0:0' })], split);
    const few = parseBtf(bytes, { source: 'few' });
    assert.equal([1, 2].map((id) => declaration(few, id)), ['int;', 'struct pair {\n\tint a; /* 4 */\n} /* 8 bytes */;']);
  });

  test('programs become the same from random kernels and from what is kept of them', () => {
    let refused = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const whole = parseBtf(randomTypes(seed), { source: 'whole' });
      const expected = outcomes(whole);
      const few = parseBtf(minimizeBtf([program], whole).bytes, { source: 'few' });
      assert.equal(outcomes(few), expected, `seed ${seed}`);
      refused += expected.filter((outcome) => outcome.endsWith('refused')).length;
    }
    assert.ok(refused > 50 && refused < 2000, String(refused));
  });

  test('minimizeBtf answers broken types with a ProjectError only', () => {
    const next = random(3);
    const tally = { minimized: 0, refused: 0 };
    for (let round = 0; round < 400; round++) {
      const bytes = randomTypes(round);
      for (let n = 1 + next(4); n > 0; n--) bytes[24 + next(bytes.length - 24)] = next(3) === 0 ? next(64) : next(256);
      try {
        parseBtf(minimizeBtf([program], parseBtf(bytes, { source: 'broken' })).bytes, { source: 'few' });
        tally.minimized++;
      } catch (error) {
        if (!(error instanceof ProjectError)) throw error;
        tally.refused++;
      }
    }
    assert.ok(tally.minimized > 50 && tally.refused > 50, JSON.stringify(tally));
  });
});

suite('reloc/btf-write', (test) => {
  test('writeBtf writes every kind as it was read', () => {
    const b = new BtfBuilder();
    const int = b.int('int', 4, { signed: true, bits: 31, offset: 1 });
    b.int('char', 1, { char: true });
    b.int('_Bool', 1, { bool: true });
    const [ptr] = [b.ptr(int), b.array(int, 3), b.typedef('t', int), b.volatile(int), b.const(0), b.restrict(int), b.typeTag('user', int)];
    b.struct('s', 8, [{ name: 'a', type: int, at: 0 }, { type: ptr!, at: 64 }]);
    b.union('u', 8, [{ name: 'a', type: int, at: 3, bits: 7 }, { name: 's', type: int, at: 0 }]);
    b.enum('e', { MINUS: -1, PLUS: 1 });
    b.enum('f', { LARGE: 0xffff_ffff }, { signed: false });
    b.enum64('g', { MINUS: -1n, LARGE: 0x7fff_ffff_0000_0001n });
    b.fwd('declared');
    b.fwd('declared_union', { union: true });
    const proto = b.funcProto(int, [{ name: 'a', type: int }, { type: 0 }]);
    const func = b.func('f', proto, 2);
    const variable = b.var('v', int, 1);
    b.datasec('.data', 4, [{ type: variable, offset: 0, size: 4 }]);
    b.float('double', 8);
    b.declTag('tag', func, 1);
    b.declTag('whole', func);
    const bytes = b.build();
    const types = (from: Uint8Array) => {
      const btf = parseBtf(from, { source: 'all' });
      return Array.from({ length: btf.length - 1 }, (_, i) => btf.type(i + 1));
    };
    const written = writeBtf(types(bytes));
    assert.equal(types(written), types(bytes));
    assert.is(written.length, bytes.length);
    sameBytes(writeBtf(types(written)), written);
  });
  test('writeBtf of nothing is a BTF without types', () => {
    assert.is(parseBtf(writeBtf([]), { source: 'empty' }).length, 1);
  });
});
