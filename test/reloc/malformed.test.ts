/** Objects that are broken below the level of ELF, each with its answer; and a seeded fuzz over whole objects. */
import { readFileSync, readdirSync } from 'node:fs';
import { ProjectError } from '#src/errors.js';
import { parseElf } from '#src/reloc/elf.js';
import { parseObject } from '#src/reloc/object.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { Draft } from './mutate.js';

type Row = readonly [what: string, make: () => Uint8Array, code: string, message: string | RegExp];

const RELOCATIONS: readonly Row[] = [
  ['a relocation outside of its section', () => new Draft('legacy').relocation('.relsocket', 0, 'offset', 0xb8).bytes, 'BPF_RELOCATION', 'relocation of section "socket": at 0xb8, which is no instruction of the section\'s 0xb8 bytes'],
  ['a relocation between instructions', () => new Draft('legacy').relocation('.relsocket', 0, 'offset', 4).bytes, 'BPF_RELOCATION', 'relocation of section "socket": at 0x4, which is no instruction of the section\'s 0xb8 bytes'],
  ['a relocation with a symbol that is not there', () => new Draft('legacy').relocation('.relsocket', 0, 'symbol', 99).bytes, 'BPF_RELOCATION', 'relocation insn 0 of "use": symbol #99, and there are 7'],
  ['a symbol in a section that is not there', () => new Draft('legacy').symbol('total', 'section', 99).bytes, 'BPF_RELOCATION', 'relocation insn 0 of "use": symbol #2 is in section #99, and there are 11'],
  ['a relocation of another instruction', () => new Draft('legacy').relocation('.relsocket', 0, 'offset', 16).bytes, 'BPF_RELOCATION', 'relocation insn 2 of "use": against "total" on an instruction of code 0x61, which is neither a call nor an ld_imm64'],
  ['two relocations of one instruction', () => new Draft('legacy').relocation('.relsocket', 1, 'offset', 0).bytes, 'BPF_RELOCATION', 'relocation insn 0 of "use": the instruction is relocated twice'],
  ['a common symbol', () => new Draft('legacy').symbol('total', 'section', 0xfff2).bytes, 'BPF_RELOCATION', 'relocation insn 0 of "use": "total" is in SHN_COMMON (a global variable without initial value, compiled with -fcommon?)'],
  ['an absolute symbol', () => new Draft('legacy').symbol('total', 'section', 0xfff1).bytes, 'BPF_RELOCATION', 'relocation insn 0 of "use": "total" is in SHN_ABS (a global variable without initial value, compiled with -fcommon?)'],
  ['a variable in a section that is no data', () => new Draft('legacy').symbol('total', 'section', new Draft('legacy').index('license')).bytes, 'BPF_RELOCATION', 'relocation insn 0 of "use": "total" is in section "license", which is neither a map nor global data'],
  ['a variable outside of its map', () => new Draft('legacy').symbol('total', 'value', 4).bytes, 'BPF_RELOCATION', 'relocation insn 0 of "use": "total" at offset 4 is outside of map ".bss" with 4 bytes'],
  ['an undefined symbol without BTF', () => new Draft('legacy').symbol('total', 'section', 0).symbol('total', 'info', 0x10).bytes, 'BPF_RELOCATION', 'relocation: undefined symbol "total" the object has no BTF that says what it is (define it, or compile with -g)'],
  ['an undefined symbol that BTF does not know', () => new Draft('calls').symbol('unused', 'section', 0).symbol('unused', 'info', 0x10).symbol('unused', 'name', 1).bytes, 'BPF_RELOCATION', /^relocation: undefined symbol ".+" is not described in the BTF \(define it, or declare it with __ksym or __kconfig\)$/],
  ['an undefined symbol that BTF calls a global function', () => new Draft('calls').symbol('unused', 'section', 0).symbol('unused', 'info', 0x10).bytes, 'BPF_RELOCATION', 'relocation: undefined symbol "unused" is a func of linkage 1 in the BTF, not an extern (2)'],
  ['a call of data', () => new Draft('calls').symbol('subC', 'section', new Draft('calls').index('license')).bytes, 'BPF_RELOCATION', /^relocation insn \d+ of "main_b": call of "subC" in section "license", which holds no code$/],
  ['a call of a helper with a symbol', () => new Draft('calls').word('tc', 9, 0, 1).bytes, 'BPF_RELOCATION', 'relocation insn 1 of "main_a": call of "subA" has 0 in its src field, not 1 (BPF_PSEUDO_CALL)'],
  ['a callee that is no function', () => new Draft('calls').symbol('subA', 'info', 0x10).bytes, 'BPF_RELOCATION', 'relocation insn 1 of "main_a": no function at instruction 0 of section ".text"'],
  ['a callee in the middle of a function', () => new Draft('calls').symbol('subA', 'value', 8 * 5).symbol('subA', 'info', 0x10).bytes, 'BPF_RELOCATION', /^relocation insn \d+ of "main_a": /],
];

const TYPES: readonly Row[] = [
  ['an unknown map attribute', () => new Draft('maps').rename('pinning', 'pinnung').bytes, 'BPF_BTF', 'section ".BTF" type [63]: map "with_a_very_long_name" has an unknown attribute "pinnung"'],
  ['a map without type', () => new Draft('maps').rename('map_extra', 'key_sizes').bytes, 'BPF_BTF', 'section ".BTF" type [45]: map "bloom" has an unknown attribute "key_sizes"'],
  ['maps that BTF does not describe', () => new Draft('maps').section('.BTF', 'type', 8).bytes, 'BPF_ELF', 'BPF object: section ".BTF": sh_type is 8, not 1 (PROGBITS)'],
  ['maps in an object without BTF', () => new Draft('maps').section('.BTF', 'name', 0).bytes, 'BPF_BTF', 'BTF: the object has section ".maps" and no BTF that describes it (compile with -g)'],
  ['a DATASEC without section', () => new Draft('maps').rename('.maps', '.mapz').bytes, 'BPF_BTF', 'section ".BTF" type [73]: DATASEC ".mapz": the file has no section of this name'],
  ['a variable without symbol', () => new Draft('globals').rename('counter', 'counteq').bytes, 'BPF_BTF', 'section ".BTF" type [44]: DATASEC ".data": no symbol for variable "counteq"'],
  ['a variable outside of its section', () => new Draft('globals').symbol('counter', 'value', 13).bytes, 'BPF_BTF', 'section ".BTF" type [44]: DATASEC ".data": variable "counter" at 13 with 4 bytes is outside of the section\'s 16'],
  ['values that are no map', () => { const d = new Draft('maps'); return d.relocation('.rel.maps', 0, 'symbol', d.symbolIndex('LICENSE')).bytes; }, 'BPF_RELOCATION', 'relocation at 0x60 of section ".maps": "LICENSE" in the values of map "outer" is no map of section ".maps"'],
  ['values that are no program', () => { const d = new Draft('maps'); return d.relocation('.rel.maps', 2, 'symbol', d.symbolIndex('LICENSE')).bytes; }, 'BPF_RELOCATION', 'relocation at 0xb8 of section ".maps": "LICENSE" in the values of map "jumps" is no entry program'],
  ['values before the values', () => new Draft('maps').relocation('.rel.maps', 0, 'offset', 0x40).bytes, 'BPF_RELOCATION', 'relocation at 0x40 of section ".maps": is none of the values of map "outer"'],
  ['values of another map', () => new Draft('maps').relocation('.rel.maps', 0, 'offset', 0).bytes, 'BPF_RELOCATION', 'relocation at 0x0 of section ".maps": map "inner_two" of type array has no values to fill'],
  ['values outside of all maps', () => new Draft('maps').relocation('.rel.maps', 0, 'offset', 0x10000).bytes, 'BPF_RELOCATION', 'relocation at 0x10000 of section ".maps": no map lies there (for "inner_two")'],
  ['a static legacy map', () => new Draft('legacy').symbol('first', 'info', 0x01).bytes, 'BPF_ELF', 'BPF object: section "maps" at 0x0: map "first" is static; maps have to be global'],
  ['legacy maps that do not fill their section', () => new Draft('legacy').section('maps', 'size', 36).bytes, 'BPF_ELF', 'BPF object: section "maps": 2 maps do not share 36 bytes evenly'],
  ['a legacy map outside', () => new Draft('legacy').symbol('first', 'value', 24).bytes, 'BPF_ELF', 'BPF object: section "maps" at 0x18: map "first" of 20 bytes is not inside of 40'],
  ['an extern in an unknown section', () => new Draft('externs').rename('.kconfig', '.kconfic').bytes, 'BPF_RELOCATION', /^relocation: undefined symbol "\w+" is in section "\.kconfic"; externs are known in \.kconfig and \.ksyms only$/],
  ['a configuration of an unknown type', () => new Draft('externs').rename('libbpf_tristate', 'libbpf_fourstat').bytes, 'BPF_RELOCATION', 'relocation: undefined symbol "CONFIG_IPV6" has a type that .kconfig cannot hold: integers, bool, char, enum libbpf_tristate and char arrays'],
  ['struct_ops without DATASEC', () => new Draft('struct-ops').section('.struct_ops', 'name', 0).bytes, 'BPF_BTF', 'section ".BTF" type [27]: DATASEC ".struct_ops": the file has no section of this name'],
  ['a struct_ops function of another section', () => { const d = new Draft('struct-ops'); return d.relocation('.rel.struct_ops', 0, 'symbol', d.symbolIndex('LICENSE')).bytes; }, 'BPF_RELOCATION', 'relocation at 0x0 of section ".struct_ops": no program for member "ssthresh" at 0x0 of section #12'],
  ['a struct_ops member that is no function', () => new Draft('struct-ops').relocation('.rel.struct_ops', 0, 'offset', 24).bytes, 'BPF_RELOCATION', 'relocation at 0x18 of section ".struct_ops": member "flags" is no function pointer'],
  ['a struct_ops relocation inside a member', () => new Draft('struct-ops').relocation('.rel.struct_ops', 0, 'offset', 4).bytes, 'BPF_RELOCATION', 'relocation at 0x4 of section ".struct_ops": no member of struct tcp_congestion_ops starts at byte 4'],
  ['a struct_ops relocation outside', () => new Draft('struct-ops').relocation('.rel.struct_ops', 0, 'offset', 48).bytes, 'BPF_RELOCATION', 'relocation at 0x30 of section ".struct_ops": no struct_ops variable lies there'],
  ['an exception callback that is not there', () => new Draft('exception').rename('exception_callback:on_exception', 'exception_callback:no_exception').bytes, 'BPF_RELOCATION', 'relocation of "thrower": exception callback "no_exception" is no function of section ".text"; it has to be a global function'],
];

const EXT: readonly Row[] = [
  ['another magic number', () => new Draft('calls').word('.BTF.ext', 0, 0xeb9e, 2).bytes, 'BPF_BTF', 'section ".BTF.ext" at 0x0: magic is 0xeb9e, not 0xeb9f'],
  ['big-endian records', () => new Draft('calls').word('.BTF.ext', 0, 0x9feb, 2).bytes, 'BPF_BTF', 'section ".BTF.ext" at 0x0: big-endian, only little-endian is read (compile with -target bpfel)'],
  ['another version', () => new Draft('calls').word('.BTF.ext', 2, 7, 1).bytes, 'BPF_BTF', 'section ".BTF.ext" at 0x2: version is 7, not 1'],
  ['a short header', () => new Draft('calls').word('.BTF.ext', 4, 8).bytes, 'BPF_BTF', /^section "\.BTF\.ext" at 0x4: header length is 8, outside of 24 … \d+$/],
  ['records outside', () => new Draft('calls').word('.BTF.ext', 12, 0x10000).bytes, 'BPF_BTF', /^section "\.BTF\.ext" at 0x20: function records at 0 with 65536 bytes end beyond the section of \d+ bytes$/],
  ['records of a wrong size', () => new Draft('calls').word('.BTF.ext', 32, 4).bytes, 'BPF_BTF', 'section ".BTF.ext" at 0x20: function records have 4 bytes each, fewer than 8 or no multiple of 4'],
  ['a section without records', () => new Draft('calls').word('.BTF.ext', 40, 0).bytes, 'BPF_BTF', 'section ".BTF.ext" at 0x28: no function records for section ".text"'],
  ['more records than there is room', () => new Draft('calls').word('.BTF.ext', 40, 9999).bytes, 'BPF_BTF', /^section "\.BTF\.ext" at 0x28: 9999 function records of 8 bytes for section "\.text", \d+ bytes left$/],
  ['an offset between instructions', () => new Draft('calls').word('.BTF.ext', 44, 4).bytes, 'BPF_BTF', 'section ".BTF.ext" at 0x2c: function records for section ".text": offset 0x4 is no multiple of 8'],
  ['a subprogram without record', () => new Draft('calls').word('.BTF.ext', 44, 8).bytes, 'BPF_BTF', 'section ".BTF.ext": no function record for function "subA" at instruction 0 of section ".text", which program "main_a" reaches and which has one itself'],
  ['an unknown CO-RE kind', () => { const d = new Draft('../execsnoop'); return d.word('.BTF.ext', coreKind(d.bytes), 13).bytes; }, 'BPF_BTF', /^section "\.BTF\.ext" at 0x[0-9a-f]+: CO-RE relocation of unknown kind, the last known is 12 \(type_matches\)$/],
];

/** Where in .BTF.ext the first CO-RE relocation has its kind. */
function coreKind(bytes: Uint8Array): number {
  const { data } = parseElf(bytes).section('.BTF.ext')!;
  const view = new DataView(data.buffer, data.byteOffset);
  return view.getUint32(4, true) + view.getUint32(24, true) + 4 + 8 + 12;
}

/** A small generator of the kind that gives the same numbers everywhere. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    yield (state ^ (state >>> 13)) >>> 0;
  }
}

suite('reloc/malformed', (test) => {
  test.table([...RELOCATIONS, ...TYPES, ...EXT], ([what]) => `parseObject refuses ${what}`, ([, make, code, message]) => {
    throwsCode(() => parseObject(make()), code, message);
  });

  const objects = ['fixtures', 'fixtures/reloc'].flatMap((folder) => readdirSync(folder).filter((file) => file.endsWith('.bpf.o')).map((file) => `${folder}/${file}`));
  test('parseObject answers changed and truncated objects with a spec or an error of the project, and soon', () => {
    const random = numbers(7);
    const next = (below: number) => random.next().value % below;
    const end = performance.now() + 2000;
    let refused = 0;
    let rounds = 0;
    for (; performance.now() < end && rounds < 20_000; rounds++) {
      const path = objects[rounds % objects.length];
      let bytes = new Uint8Array(readFileSync(path));
      const changes = 1 + next(4);
      for (let i = 0; i < changes; i++) bytes[next(bytes.length)] = [0, 1, 0x7f, 0xff, next(256)][next(5)];
      if (next(10) === 0) bytes = bytes.subarray(0, next(bytes.length));
      try {
        const spec = parseObject(bytes, { name: path });
        for (const map of spec.maps) if (map.valueSize < 1 << 20) map.data;
      } catch (error) {
        if (!(error instanceof ProjectError)) throw new Error(`round ${rounds}, ${path}: ${String(error)}`, { cause: error });
        refused++;
      }
    }
    assert.ok(rounds > 50, `${rounds} rounds`);
    assert.ok(refused > rounds / 10, `${refused} of ${rounds} refused`);
  });
});
