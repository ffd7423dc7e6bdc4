/** The telling lines of verifier logs, in the forms of kernels from 5.4 to 6.18; and no log, however strange, is too much. */
import { tellingLines, tellingText } from '#src/loader/verifier-log.js';
import { random } from '../support/btf.js';
import { assert, suite } from '../support/suite.js';

const NULL_POINTER = `0: R1=ctx() R10=fp0
; unsigned int key = 1; @ broken.bpf.c:24
0: (b7) r1 = 1                        ; R1_w=1
1: (63) *(u32 *)(r10 -4) = r1         ; R1_w=1 R10=fp0 fp-8=1???? 
; unsigned long long *value = bpf_map_lookup_elem(&counts, &key); @ broken.bpf.c:25
5: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,map=counts,ks=4,vs=8)
; return *value; @ broken.bpf.c:26
6: (79) r0 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;

const TWO_LINES = `; x = a[i];
12: (71) r3 = *(u8 *)(r2 +0)
 R0=inv0 R1_w=invP4 R2_w=map_value(id=0,off=0,ks=4,vs=16,umax_value=255) R10=fp0
invalid access to map value, value_size=16 off=255 size=1
R2 max value is outside of the allowed memory range
processed 13 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 1
verification time 120 usec
stack depth 8
`;

suite('loader/verifier-log', (test) => {
  test('tellingLines finds complaint, instruction and source', () => {
    assert.equal(tellingLines(NULL_POINTER), {
      complaint: 'R0 invalid mem access \'map_value_or_null\'', instruction: '6: (79) r0 = *(u64 *)(r0 +0)', insn: 6, source: 'return *value; @ broken.bpf.c:26',
    });
    assert.is(tellingText(NULL_POINTER), 'R0 invalid mem access \'map_value_or_null\' [insn 6: (79) r0 = *(u64 *)(r0 +0) at "return *value; @ broken.bpf.c:26"]');
  });
  test('tellingLines keeps complaints of two lines together, past state and statistics', () => {
    const { complaint, insn, source } = tellingLines(TWO_LINES);
    assert.is(complaint, 'invalid access to map value, value_size=16 off=255 size=1; R2 max value is outside of the allowed memory range');
    assert.is(insn, 12);
    assert.is(source, 'x = a[i];');
  });
  test('tellingLines is not misled by what Linux 7.2 says of every instruction before it looks at the first', () => {
    const said = 'func#0 @0\ntopo_order[0] = good\nsubprog#0: analyzing (depth 0)...\nsubprog#0 good:\n  0: (b4) w0 = 0\nstack use/def subprog#0 good (d0,cs0):\n  0: (b4) w0 = 0\nLive regs before insn:\n      0: .......... (b4) w0 = 0\n      1: 0......... (95) exit\n';
    assert.is(tellingText(`${said}processed 2 insns\n`), '');
    assert.is(tellingText(`${said}nothing of the kind\nprocessed 2 insns\n`), 'nothing of the kind');
  });
  test('tellingText asks for the source of an instruction that only the complaint names', () => {
    assert.is(tellingText('unreachable insn 4\nprocessed 0 insns\n', (insn) => `line of ${insn}`), 'unreachable insn 4 [at "line of 4"]');
    assert.is(tellingText('0: (05) goto pc-1\ninfinite loop detected at insn 0\n', () => 'never asked'), 'infinite loop detected at insn 0 [insn 0: (05) goto pc-1]');
  });
  test.table([
    ['', ''],
    ['\n\n', ''],
    ['processed 0 insns (limit 1000000) max_states_per_insn 0\n', ''],
    ['unknown opcode 8d\nprocessed 0 insns (limit 1000000)\n', 'unknown opcode 8d'],
    ['btf_vmlinux is malformed\n', 'btf_vmlinux is malformed'],
    ['0: (95) exit\nR0 !read_ok\n', 'R0 !read_ok [insn 0: (95) exit]'],
    ['func#0 @0\n0: R1=ctx() R10=fp0\n0: (85) call unknown#195896080\ninvalid func unknown#195896080\nprocessed 1 insns\n', 'invalid func unknown#195896080 [insn 0: (85) call unknown#195896080]'],
    ['1: (05) goto pc-1\ninfinite loop detected at insn 1\ncur state: R10=fp0\nold state: R10=fp0\nprocessed 9 insns\n', 'infinite loop detected at insn 1 [insn 1: (05) goto pc-1]'],
    ['9: (85) call pc+3\nFunc#1 (\'f\') is global and assumed valid.\n12: (95) exit\n(0) frame 0 insn 6 +live -8 \n(0) live stack update done in 2 iterations\nprocessed 13 insns\n', ''],
    ['1: (05) goto pc-1\nBPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns\n', 'BPF program is too large. Processed 1000001 insn [insn 1: (05) goto pc-1]'],
  ] as const, ([log]) => `tellingText of ${JSON.stringify(log.slice(0, 40))}`, ([log, text]) => {
    assert.is(tellingText(log), text);
  });
  test('tellingText takes any text, cut and mixed', () => {
    const below = random(7);
    const lines = `${NULL_POINTER}${TWO_LINES}`.split('\n');
    for (let i = 0; i < 2000; i++) {
      const mixed = Array.from({ length: below(12) }, () => lines[below(lines.length)].slice(0, below(60)));
      assert.type(tellingText(mixed.join('\n')), 'string');
    }
  });
});
