import { existsSync, readFileSync } from 'node:fs';
import { parseElf, type SymbolTable } from '#src/reloc/elf.js';
import { parseObject } from '#src/reloc/object.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { Draft, fixture } from './mutate.js';

/** fixture, change, message */
const BROKEN: readonly (readonly [what: string, make: () => Uint8Array, message: string])[] = [
  ['nothing', () => new Uint8Array(), 'BPF object: at 0x0: not an ELF file: begins with nothing, not 7f 45 4c 46'],
  ['a Wasm module', () => Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), 'BPF object: at 0x0: not an ELF file: begins with 00 61 73 6d, not 7f 45 4c 46'],
  ['half a header', () => fixture('calls').subarray(0, 40), 'BPF object: at 0x28: file of 40 bytes ends inside the ELF header of 64'],
  ['a 32-bit file', () => new Draft('calls').header('class', 1).bytes, 'BPF object: at 0x4: 32-bit ELF, only ELF64 is read'],
  ['an unknown class', () => new Draft('calls').header('class', 9).bytes, 'BPF object: at 0x4: ELF class is 9, not 2 (ELF64)'],
  ['a big-endian object', () => fixture('calls-eb'), 'BPF object: at 0x5: big-endian object; built with -target bpfeb? (compile with -target bpfel)'],
  ['another big-endian file', () => new Draft('calls').header('data', 2).header('machine', 0x1600).bytes, 'BPF object: at 0x5: big-endian ELF of machine 22, only little-endian is read'],
  ['an unknown byte order', () => new Draft('calls').header('data', 3).bytes, 'BPF object: at 0x5: ELF data encoding is 3, not 1 (little-endian)'],
  ['an unknown format version', () => new Draft('calls').header('identVersion', 2).bytes, 'BPF object: at 0x6: ELF version is 2, not 1'],
  ['an unknown version', () => new Draft('calls').header('version', 2).bytes, 'BPF object: at 0x14: e_version is 2, not 1'],
  ['an executable', () => new Draft('calls').header('type', 2).bytes, 'BPF object: at 0x10: e_type is 2 (executable), not 1: a BPF object is relocatable (clang -c, not linked)'],
  ['another machine', () => new Draft('calls').header('machine', 62).bytes, 'BPF object: at 0x12: e_machine is 62 (x86-64), not 247 (BPF): compile with clang --target=bpf'],
  ['a truncated file', () => fixture('legacy').subarray(0, -1), 'BPF object: at 0x290: 11 section headers end at 0x550, beyond the file of 0x54f bytes (is it truncated?)'],
  ['section headers of another size', () => new Draft('legacy').header('shentsize', 40).bytes, 'BPF object: at 0x290: section headers have 40 bytes each, not 64'],
  ['section headers far away', () => new Draft('legacy').header('shoff', 2 ** 60).bytes, 'BPF object: at 0x28: size 1152921504606846976 is beyond 2^53'],
  ['an absurd number of sections', () => new Draft('legacy').header('shnum', 0xfeff).bytes, 'BPF object: at 0x290: 65279 section headers end at 0x3fc250, beyond the file of 0x550 bytes (is it truncated?)'],
  ['names in no section', () => new Draft('legacy').header('shstrndx', 77).bytes, 'BPF object: at 0x3e: e_shstrndx is 77, and there are 11 sections'],
  ['names in a section that has none', () => new Draft('legacy').header('shstrndx', 2).bytes, 'BPF object: at 0x3e: e_shstrndx is 2, a section of type 1, not a string table'],
  ['program headers of another size', () => new Draft('legacy').header('phoff', 64).header('phnum', 1).bytes, 'BPF object: at 0x40: program headers have 0 bytes each, not 56'],
  ['program headers outside', () => new Draft('legacy').header('phoff', 0x540).header('phnum', 1).header('phentsize', 56).bytes, 'BPF object: at 0x540: 1 program headers end at 0x578, beyond the file of 0x550 bytes (is it truncated?)'],
  ['a section outside of the file', () => new Draft('legacy').section('socket', 'size', 0x10000).bytes, 'BPF object: at 0x350: section #3 at 0x40 with 0x10000 bytes ends beyond the file of 0x550 bytes (is it truncated?)'],
  ['a section name outside', () => new Draft('legacy').section('socket', 'name', 0x7000).bytes, 'BPF object: at 0x215: name of section #3 at 0x7000 is outside of 0x79 bytes of section names'],
  ['sections that overlap', () => new Draft('legacy').section('maps', 'offset', 0x48).bytes, 'BPF object: section "maps": lies at 0x48 in the file, inside of section "socket" at 0x40 with 0xb8 bytes'],
  ['no symbol table', () => new Draft('legacy').section('.symtab', 'type', 1).bytes, 'BPF object: no symbol table; is the object stripped?'],
  ['two symbol tables', () => new Draft('legacy').section('license', 'type', 2).bytes, 'BPF object: section ".symtab": a second symbol table, the first is section #8'],
  ['symbols of another size', () => new Draft('legacy').section('.symtab', 'entsize', 16).bytes, 'BPF object: section ".symtab": sh_entsize is 16, not 24'],
  ['a part of a symbol', () => new Draft('legacy').section('.symtab', 'size', 25).bytes, 'BPF object: section ".symtab": 25 bytes are no multiple of the entry size 24'],
  ['symbols without names', () => new Draft('legacy').section('.symtab', 'link', 99).bytes, 'BPF object: section ".symtab": sh_link is 99, and there are 11 sections'],
  ['symbols whose names are code', () => new Draft('legacy').section('.symtab', 'link', 2).bytes, 'BPF object: section ".symtab": sh_link is 2, a section of type 1, not a string table'],
  ['a symbol name outside', () => new Draft('legacy').symbol('first', 'name', 0x9999).bytes, 'BPF object: section ".symtab" at 0x60: name of symbol #4 at 0x9999 is outside of 0x79 bytes of section ".strtab"'],
  ['relocations of no section', () => new Draft('legacy').section('.relsocket', 'info', 99).bytes, 'BPF object: section ".relsocket": sh_info is 99, and there are 11 sections'],
  ['relocations with other symbols', () => new Draft('legacy').section('.relsocket', 'link', 2).bytes, 'BPF object: section ".relsocket": sh_link is 2, not the symbol table #10'],
  ['relocations of another size', () => new Draft('legacy').section('.relsocket', 'entsize', 24).bytes, 'BPF object: section ".relsocket": sh_entsize is 24, not 16'],
  ['relocations with addends', () => new Draft('legacy').section('.relsocket', 'type', 4).bytes, 'BPF object: section ".relsocket": relocations with addends for section "socket"; BPF objects have them without (SHT_REL)'],
  ['BTF in a section of another type', () => new Draft('calls').section('.BTF', 'type', 7).bytes, 'BPF object: section ".BTF": sh_type is 7, not 1 (PROGBITS)'],
  ['a version that is no word', () => new Draft('globals').section('version', 'size', 2).bytes, 'BPF object: section "version": 2 bytes, not 4'],
  ['a function outside', () => new Draft('legacy').symbol('use', 'size', 0x1000).bytes, 'BPF object: section "socket" at 0x0: function "use" of 0x1000 bytes ends beyond the section\'s 0xb8'],
  ['a function of half an instruction', () => new Draft('legacy').symbol('use', 'size', 12).bytes, 'BPF object: section "socket" at 0x0: function "use" of 12 bytes is not made of whole instructions of 8'],
  ['functions that overlap', () => new Draft('calls').symbol('alone', 'value', 8).bytes, 'BPF object: section "tc" at 0x8: function "alone" starts inside of "main_a"'],
];

suite('reloc/elf', (test) => {
  test.table(BROKEN, ([what]) => `parseObject refuses ${what}`, ([, make, message]) => {
    throwsCode(() => parseObject(make()), 'BPF_ELF', message);
  });
  test('parseElf names the file in its errors when it is told the name', () => {
    throwsCode(() => parseElf(Uint8Array.of(1), { file: '/bin/tool' }), 'BPF_ELF', '/bin/tool: at 0x0: not an ELF file: begins with 01, not 7f 45 4c 46');
  });
  test('parseElf takes a Buffer for its bytes without sharing its slice()', () => {
    const pooled = Buffer.from(fixture('calls'));
    assert.equal(parseObject(pooled).programs.map((p) => p.name), ['main_a', 'main_b', 'alone', 'walk']);
  });
  test('parseElf reads more sections than 16 bits can say', () => {
    const draft = new Draft('legacy');
    const view = new DataView(draft.bytes.buffer);
    const table = view.getUint32(40, true);
    view.setUint32(table + 32, view.getUint16(60, true), true);
    view.setUint32(table + 40, view.getUint16(62, true), true);
    draft.header('shnum', 0).header('shstrndx', 0xffff);
    assert.is(parseElf(draft.bytes).section('socket')?.index, 3);
  });
  test('SymbolTable.named finds by exact bytes', () => {
    const elf = parseElf(fixture('calls'));
    const symbols = elf.symbols(elf.section('.symtab')!);
    assert.equal(symbols.named('subA').map(({ type, binding, value, size }) => [type, binding, value, size]), [[2, 1, 0, 32]]);
    assert.equal([symbols.named('sub').length, symbols.named('subAA').length, symbols.named('').length > 0], [0, 0, true]);
  });
  test('parseElf reads executables: program headers, dynamic symbols and their places in the file', () => {
    const elf = parseElf(readFileSync(process.execPath), { file: process.execPath });
    assert.ok(elf.segments.some((s) => s.type === 1));
    const [main] = elf.symbols(elf.section('.dynsym')!).named('uv_run');
    assert.is(main.type, 2);
    const section = elf.sections[main.section];
    assert.is(section.name, '.text');
    assert.is(elf.fileOffset(main), main.value - section.addr + section.offset);
    // the same place, by way of the segment
    assert.is(elf.fileOffset({ ...main, name: 'uv_run', section: 0xfff1 }), main.value - section.addr + section.offset);
    assert.is(elf.fileOffset({ ...main, name: 'uv_run', section: 0 }), undefined);
  });
  test('SymbolTable.version tells the default version from the old ones', () => {
    const libc = ['/lib/x86_64-linux-gnu/libc.so.6', '/lib/aarch64-linux-gnu/libc.so.6'].find(existsSync);
    if (!libc) throw new Error('no libc.so.6 where Debian keeps it');
    const elf = parseElf(readFileSync(libc), { file: libc });
    const symbols: SymbolTable = elf.symbols(elf.section('.dynsym')!);
    const versions = symbols.named('realpath').map((s) => symbols.version(s.index)).sort((a, b) => Number(b?.hidden) - Number(a?.hidden));
    assert.equal(versions.map((v) => v?.hidden), [true, false]);
    assert.ok(versions.every((v) => /^GLIBC_2\.\d+/.test(v!.name)), JSON.stringify(versions));
    assert.is(parseElf(fixture('calls')).symbols(parseElf(fixture('calls')).section('.symtab')!).version(1), undefined);
  });
});
