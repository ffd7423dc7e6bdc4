/** What parseObject makes of each feature of object files, value by value. */
import { Insns } from '#src/reloc/insn.js';
import { parseObject } from '#src/reloc/object.js';
import type { BtfType } from '#src/reloc/btf.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from '#src/reloc/spec.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { fixture } from './mutate.js';

const spec = (name: string): ObjectSpec => parseObject(fixture(name), { name: `${name}.bpf.o` });
const program = (of: ObjectSpec, name: string): ProgramSpec => {
  const found = of.programs.find((p) => p.name === name);
  if (!found) throw new Error(`no program ${name}`);
  return found;
};
const map = (of: ObjectSpec, name: string): MapSpec => {
  const found = of.maps.find((m) => m.name === name);
  if (!found) throw new Error(`no map ${name}`);
  return found;
};
/** `entry@0 callee@7`: the functions of a program in order */
const order = (p: ProgramSpec) => p.functions.map((fn) => `${fn.name}@${fn.insn}`).join(' ');
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
/** key, value, entries, flags */
const shape = (m: MapSpec) => [m.type, m.keySize, m.valueSize, m.maxEntries, m.mapFlags];

suite('reloc/object: programs', (test) => {
  const calls = spec('calls');
  test('parseObject appends subprograms where they are first called, depth first', () => {
    assert.equal(calls.programs.map((p) => [p.name, p.section, p.autoload, order(p)]), [
      ['main_a', 'tc', true, 'main_a@0 subA@3 subB@7'],
      ['main_b', 'tc', true, 'main_b@0 subC@8 subB@12 unseen@24'],
      ['alone', 'tc', true, 'alone@0'],
      ['walk', '?xdp', false, 'walk@0 each@17 unseen@28 subC@32 subB@36 subA@48'],
    ]);
  });
  test('parseObject resolves calls and function addresses to distances', () => {
    const walk = program(calls, 'walk');
    const insns = new Insns(walk.insns);
    assert.is(insns.length, 52);
    const starts = new Map(walk.functions.map((fn) => [fn.insn, fn.name]));
    const links = Array.from({ length: insns.length }, (_, i) => i).filter((i) => insns.isSubprogCall(i) || insns.isFuncAddress(i));
    assert.equal(links.map((i) => `${i} ${insns.isCall(i) ? 'calls' : 'takes'} ${starts.get(i + 1 + insns.imm(i))}`), [
      '6 takes each', '11 calls subC', '14 calls subA', '23 calls unseen', '33 calls subB', '49 calls subB',
    ]);
    assert.equal(walk.references, [{ kind: 'map', insn: 4, map: 'totals' }, { kind: 'map', insn: 41, map: 'totals' }]);
    assert.equal([insns.src(4), insns.imm(4), insns.imm(5)], [1, 0, 0]);
  });
  test('parseObject moves function and line records along', () => {
    const { btf } = calls;
    const walk = program(calls, 'walk');
    assert.equal(walk.functions.map((fn) => btf!.name(fn.typeId)), walk.functions.map((fn) => fn.name));
    assert.equal(walk.functions.map((fn) => fn.section), ['?xdp', ...Array<string>(5).fill('.text')]);
    assert.equal(walk.lines.map((line) => line.insn), [...walk.lines.map((line) => line.insn)].sort((a, b) => a - b));
    for (const fn of walk.functions) assert.ok(walk.lines.some((line) => line.insn === fn.insn), fn.name);
    const [first] = walk.lines;
    assert.is(btf!.string(first.fileNameOff), './calls.bpf.c');
    assert.is(btf!.string(first.lineOff), 'int walk(struct xdp_md *ctx)');
    assert.is(first.lineCol >> 10, 68);
  });
  test('parseObject makes a hidden subprogram static in the BTF, and leaves others global', () => {
    const linkage = (name: string) => (calls.btf!.type(calls.btf!.find(name, 'func')!) as BtfType & { kind: 'func' }).linkage;
    assert.equal(['unseen', 'subA', 'subC', 'subB', 'walk'].map(linkage), [0, 1, 1, 0, 1]);
  });
  test('parseObject takes subprograms from any section of code', () => {
    assert.equal(spec('sections').programs.map((p) => [p.name, order(p)]), [
      ['first', 'first@0 beside@3'],
      ['second', 'second@0 first@3 beside@6'],
    ]);
  });
  test('parseObject appends the exception callback of a program', () => {
    assert.is(order(program(spec('exception'), 'thrower')), 'thrower@0 on_exception@2 helper@4');
  });
  test('parseObject gives both names of a program the same relocated instructions', () => {
    const alias = spec('alias');
    assert.equal(alias.programs.map((p) => [p.name, order(p)]), [['one', 'one@0 plus@8'], ['other', 'other@0 plus@8']]);
    assert.equal(alias.programs.map((p) => p.references), Array(2).fill([{ kind: 'map_value', insn: 0, map: '.bss', offset: 0 }, { kind: 'map_value', insn: 9, map: '.bss', offset: 0 }]));
    assert.is(hex(alias.programs[0].insns), hex(alias.programs[1].insns));
  });
  test('parseObject refuses recursion with the way round', () => {
    throwsCode(() => spec('recursion'), 'BPF_RELOCATION', 'relocation insn 3 of "odd": recursion, which the kernel does not allow: even -> odd -> even');
  });
});

suite('reloc/object: maps', (test) => {
  const maps = spec('maps');
  test('parseObject reads every attribute of BTF-defined maps', () => {
    assert.equal(maps.maps.map((m) => [m.name, ...shape(m)]), [
      ['inner_two', 2, 4, 16, 2, 0], ['inner_one', 2, 4, 16, 2, 0], ['outer', 12, 4, 4, 8, 0], ['jumps', 3, 4, 4, 4, 0],
      ['bloom', 30, 0, 8, 100, 0], ['bloom_long', 30, 0, 8, 100, 0], ['with_a_very_long_name', 1, 8, 24, 1000, 5], ['perf', 4, 4, 4, 0, 0],
    ]);
    const long = map(maps, 'with_a_very_long_name');
    assert.equal([long.kernelName, long.section, long.pinning, long.numaNode], ['with_a_very_lon', '.maps', 'by-name', 0]);
    assert.equal([long.btfKeyTypeId, long.btfValueTypeId].map((id) => maps.btf!.name(id)), ['key', 'value']);
    assert.equal([map(maps, 'bloom').mapExtra, map(maps, 'bloom_long').mapExtra, map(spec('maps-ulong'), 'bloom_long').mapExtra], [3n, 4n, 1n << 40n]);
  });
  test('parseObject reads inner maps and initial values', () => {
    const outer = map(maps, 'outer');
    assert.equal(outer.values, [{ index: 1, target: 'inner_two' }, { index: 5, target: 'inner_one' }]);
    assert.equal([outer.inner!.name, ...shape(outer.inner!)], ['outer.inner', 2, 4, 16, 2, 0]);
    assert.equal(map(maps, 'jumps').values, [{ index: 3, target: 'tail' }]);
    assert.is(map(maps, 'jumps').inner, undefined);
  });
  test('parseObject reads legacy maps, with and without BTF, and larger definitions with nothing in the rest', () => {
    for (const name of ['legacy', 'legacy-btf', 'legacy-large']) {
      assert.equal(spec(name).maps.slice(0, 2).map((m) => [m.name, m.section, ...shape(m)]), [['second', 'maps', 2, 4, 16, 1, 0], ['first', 'maps', 1, 4, 8, 100, 1]]);
    }
    const typed = spec('legacy-btf');
    assert.equal(typed.maps.map((m) => [m.btfKeyTypeId, m.btfValueTypeId].map((id) => typed.btf!.name(id))), [['', ''], ['int', 'long long'], ['', '.bss']]);
    const bare = spec('legacy');
    assert.equal([bare.btf, bare.programs[0].functions[0].typeId, bare.programs[0].lines, bare.license], [undefined, 0, [], 'GPL']);
    assert.equal(bare.programs[0].references, [{ kind: 'map_value', insn: 0, map: '.bss', offset: 0 }, { kind: 'map', insn: 9, map: 'second' }, { kind: 'map', insn: 15, map: 'first' }]);
  });
  test('parseObject refuses a legacy map that sets a field nobody knows', () => {
    throwsCode(() => spec('legacy-set'), 'BPF_ELF', 'BPF object: section "maps" at 0x34: map "second" sets field at 24 of its 28 bytes; only the first 20 are known');
  });
  test('parseObject gives an arena its contents and its references', () => {
    const arena = spec('arena');
    assert.equal([...shape(arena.maps[0]), arena.maps[0].mapExtra, hex(arena.maps[0].data), arena.maps[0].globals], [33, 0, 0, 10, 1024, 1n << 44n, '0300000004000000', undefined]);
    assert.equal(arena.programs[0].references, [{ kind: 'map_value', insn: 0, map: 'arena', offset: 0 }, { kind: 'map_value', insn: 4, map: 'arena', offset: 4 }]);
  });
  test('parseObject reads struct_ops maps with their programs, linked and switched off', () => {
    const ops = spec('struct-ops');
    assert.equal(ops.maps.map((m) => [m.name, m.section, m.autocreate, m.mapFlags, m.structOps!.link, m.structOps!.functions]), [
      ['plain', '.struct_ops', true, 0, false, [{ offset: 0, program: 'ssthresh' }, { offset: 8, program: 'cong_avoid' }, { offset: 16, program: 'undo_cwnd' }]],
      ['linked', '.struct_ops.link', true, 8192, true, [{ offset: 0, program: 'ssthresh' }, { offset: 16, program: 'undo_cwnd' }]],
      ['later', '?.struct_ops.link', false, 8192, true, [{ offset: 16, program: 'undo_cwnd' }]],
    ]);
    const { structOps, valueSize } = map(ops, 'plain');
    assert.is(ops.btf!.name(structOps!.typeId), 'tcp_congestion_ops');
    assert.is(hex(structOps!.data), `${'00'.repeat(24)}01000000${Buffer.from('plain').toString('hex').padEnd(32, '0')}00000000`);
    assert.is(valueSize, 48);
  });
});

suite('reloc/object: global data', (test) => {
  const globals = spec('globals');
  test('parseObject makes a map of each data section, named and flagged as libbpf does', () => {
    assert.equal(globals.maps.slice(1).map((m) => [m.name, m.kernelName, m.globals, m.valueSize, m.mapFlags]), [
      ['.rodata', 'globals.rodata', 'rodata', 21, 0x480],
      ['.data', 'globals.data', 'data', 16, 0x400],
      ['.data.mine', '.data.mine', 'data', 8, 0x400],
      ['.rodata.tables', '.rodata.tables', 'rodata', 16, 0x480],
      ['.bss', 'globals.bss', 'bss', 24, 0x400],
      ['.bss.unseen', '.bss.unseen', 'bss', 4, 0],
    ]);
    assert.is(hex(map(globals, '.rodata').data), `07000000${Buffer.from('hello\0\0\0limit %d\0').toString('hex')}`);
    assert.is(hex(map(globals, '.data.mine').data), '090000000a000000');
    assert.is(hex(map(globals, '.bss').data), '00'.repeat(24));
  });
  test('parseObject fills DATASECs with sizes and sorted offsets, and makes hidden variables static', () => {
    const { btf } = globals;
    const sec = (name: string) => btf!.type(btf!.find(name, 'datasec')!) as BtfType & { kind: 'datasec' };
    const vars = (name: string) => sec(name).vars.map(({ type, offset, size }) => `${btf!.name(type)} ${offset}+${size}`);
    assert.equal([sec('.bss').size, ...vars('.bss')], [24, 'static_zero 0+12', 'zero 16+8']);
    assert.equal([sec('.data').size, ...vars('.data')], [16, 'counter 0+4', 'hidden_state 8+8']);
    assert.equal([sec('.maps').size, ...vars('.maps')], [16, 'events 0+16']);
    assert.is((btf!.type(btf!.find('invisible', 'var')!) as BtfType & { kind: 'var' }).linkage, 0);
  });
  test('parseObject points references at the variable, with its offset in the instruction', () => {
    const [touch] = globals.programs;
    const insns = new Insns(touch.insns);
    const references = touch.references.map((r) => r.kind === 'map_value' ? `${r.map}+${r.offset}` : r.kind);
    assert.equal([...new Set(references)].sort(), ['.bss+0', '.bss+16', '.bss.unseen+0', '.data+0', '.data+8', '.data.mine+0', '.data.mine+4', '.rodata+0', '.rodata+12', '.rodata+4', '.rodata.tables+0']);
    for (const r of touch.references) if (r.kind === 'map_value') assert.equal([insns.src(r.insn), insns.imm(r.insn), insns.imm(r.insn + 1)], [2, 0, r.offset]);
  });
  test('parseObject takes string literals, which BTF does not know', () => {
    const strings = spec('strings');
    const [literals] = strings.maps;
    assert.equal([literals.kernelName, literals.mapFlags, literals.btfValueTypeId, hex(literals.data)], ['.rodata.str1.1', 0x80, 0, Buffer.from('first\0second\0').toString('hex')]);
    assert.equal(strings.programs[0].references, [{ kind: 'map_value', insn: 0, map: '.rodata.str1.1', offset: 0 }, { kind: 'map_value', insn: 4, map: '.rodata.str1.1', offset: 6 }]);
  });
  test('parseObject reads license and version', () => {
    assert.equal([globals.license, globals.kernelVersion, spec('maps').kernelVersion], ['Dual BSD/GPL', 0x060c01, 0]);
  });
  test.table([
    ['/tmp/my_object_name.bpf.o', 'my_object_name', 'my_objec.rodata', 'my_objec.bss'],
    ['x', 'x', 'x.rodata', 'x.bss'],
    ['a-b.o', 'a-b', 'a_b.rodata', 'a_b.bss'],
    ['abcdefghijklmnopqrstuvwxyz.o', 'abcdefghijklmno', 'abcdefgh.rodata', 'abcdefgh.bss'],
    ['', '', '.rodata', '.bss'],
  ] as const, ([path]) => `parseObject names an object and its maps after "${path}"`, ([path, name, rodata, bss]) => {
    const made = parseObject(fixture('globals'), { name: path });
    assert.equal([made.name, map(made, '.rodata').kernelName, map(made, '.bss').kernelName], [name, rodata, bss]);
  });
});

suite('reloc/object: externs', (test) => {
  const externs = spec('externs');
  test('parseObject lays out .kconfig by alignment, size and name', () => {
    assert.equal(externs.externs.filter((e) => e.kconfig).map(({ name, weak, kconfig: k }) => [name, weak, k!.offset, k!.size, k!.type, k!.signed]), [
      ['CONFIG_HZ', true, 0, 8, 'int', false],
      ['CONFIG_IPV6', true, 8, 4, 'tristate', false],
      ['LINUX_KERNEL_VERSION', false, 12, 4, 'int', true],
      ['CONFIG_SHORT', true, 16, 2, 'int', false],
      ['CONFIG_BPF_SYSCALL', true, 18, 1, 'bool', false],
      ['CONFIG_LETTER', true, 19, 1, 'char', true],
      ['CONFIG_CC_VERSION_TEXT', true, 20, 20, 'char_arr', false],
    ]);
    const kconfig = map(externs, '.kconfig');
    assert.equal([kconfig.kernelName, kconfig.valueSize, kconfig.mapFlags, kconfig.globals, hex(kconfig.data)], ['externs.kconfig', 40, 0x480, 'kconfig', '00'.repeat(40)]);
  });
  test('parseObject tells kernel variables from functions, typed from untyped', () => {
    assert.equal(externs.externs.filter((e) => !e.kconfig).map((e) => [e.name, e.essentialName, e.kind, e.weak, externs.btf!.kind(e.typeId)]), [
      ['bpf_prog_active', 'bpf_prog_active', 'ksym', true, 'int'],
      ['bpf_task_acquire___flavour', 'bpf_task_acquire', 'kfunc', true, 'func_proto'],
      ['bpf_task_release', 'bpf_task_release', 'kfunc', false, 'func_proto'],
      ['no_such_kfunc', 'no_such_kfunc', 'kfunc', true, 'func_proto'],
      ['no_such_symbol', 'no_such_symbol', 'ksym', true, 'unkn'],
      ['schedule', 'schedule', 'ksym', false, 'unkn'],
    ]);
  });
  test('parseObject leaves references to externs open', () => {
    const [newtask] = externs.programs;
    const insns = new Insns(newtask.insns);
    const kfunc = newtask.references.filter((r) => r.kind === 'kfunc');
    assert.equal(kfunc.map((r) => [r.extern, insns.code(r.insn), insns.src(r.insn), insns.imm(r.insn)]), [['bpf_task_acquire___flavour', 0x85, 2, 0], ['bpf_task_release', 0x85, 2, 0], ['no_such_kfunc', 0x85, 2, 0]]);
    const ksym = newtask.references.filter((r) => r.kind === 'ksym');
    assert.equal(ksym.map((r) => [r.extern, r.func ?? false]), [['no_such_symbol', false], ['schedule', false], ['bpf_prog_active', false], ['bpf_task_acquire___flavour', true], ['no_such_kfunc', true]]);
    assert.ok(newtask.references.some((r) => r.kind === 'map_value' && r.map === '.kconfig' && r.offset === 12));
  });
  test('parseObject rewrites .ksyms into ints and one dummy variable, which the kernel accepts', () => {
    const btf = externs.btf!;
    const sec = btf.type(btf.find('.ksyms', 'datasec')!) as BtfType & { kind: 'datasec' };
    const names = sec.vars.map(({ type, offset, size }) => `${btf.name(type)} ${offset}+${size}`);
    assert.is(sec.size, sec.vars.length * 4);
    assert.equal(names.map((name, i) => name.endsWith(` ${i * 4}+4`)), names.map(() => true));
    assert.is(names.filter((name) => name.startsWith('dummy_ksym ')).length, 3);
    for (const { type } of sec.vars) {
      const variable = btf.type(type) as BtfType & { kind: 'var' };
      assert.equal([variable.kind, variable.linkage, btf.type(variable.type).name], ['var', 1, 'int']);
    }
    const release = btf.type(btf.find('bpf_task_release', 'func')!) as BtfType & { kind: 'func' };
    assert.is(release.linkage, 1);
    const proto = btf.type((btf.type(btf.find('no_such_kfunc', 'func')!) as BtfType & { kind: 'func' }).type) as BtfType & { kind: 'func_proto' };
    assert.equal(proto.params.map((p) => p.name), ['dummy_ksym']);
  });
});
