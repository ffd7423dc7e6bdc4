/** What a user reads when the verifier refuses a program: the same summary, with its place in the source, on every kernel of the lab. */
import { readFileSync } from 'node:fs';
import type { VerifierError } from '#src/errors.js';
import { BpfObject, type LoadOptions } from '#src/loader/load.js';
import { keepsDescriptors } from '../support/kernel.js';
import { fixture, needsRoot } from '../support/probe.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const load = (file: string, program: string, options: LoadOptions = {}) => () =>
  BpfObject.load(readFileSync(fixture(`loader/${file}.bpf.o`)), { ...options, autoload: ({ name }) => name === program });
function refusal(file: string, program: string, options?: LoadOptions): VerifierError {
  let error: VerifierError | undefined;
  keepsDescriptors(() => {
    error = throwsCode<VerifierError>(load(file, program, options), 'BPF_VERIFIER');
  });
  return error!;
}

/** program, errno, and the summary; where kernels have two wordings, the older one first */
const REFUSALS = [
  ['maybe_null', 'EACCES', `R0 invalid mem access 'map_value_or_null' [insn 7: (79) r0 = *(u64 *)(r0 +0) at "return value->words[0]; @ refused.bpf.c:24"]`],
  ['beyond_value', 'EACCES', 'invalid access to map value, value_size=16 off=2040 size=8; R0 max value is outside of the allowed memory range [insn 17: (79) r1 = *(u64 *)(r0 +0) at "return value->words[skb->mark & 0xff]; @ refused.bpf.c:35"]'],
  ['not_released', 'EINVAL', 'Unreleased reference id=2 alloc_insn=5 [insn 12: (95) exit at "} @ refused.bpf.c:46"]',
    'Unreleased reference id=2 alloc_insn=5; BPF_EXIT instruction in main prog would lead to reference leak [insn 12: (95) exit at "} @ refused.bpf.c:46"]'],
  ['wrong_helper', 'EINVAL', 'unknown func bpf_xdp_adjust_head#44 [insn 1: (85) call bpf_xdp_adjust_head#44 at "return bpf_xdp_adjust_head((void *)skb, 4); @ refused.bpf.c:50"]',
    'program of this type cannot use helper bpf_xdp_adjust_head#44 [insn 1: (85) call bpf_xdp_adjust_head#44 at "return bpf_xdp_adjust_head((void *)skb, 4); @ refused.bpf.c:50"]'],
  ['in_subprogram', 'EACCES', 'invalid access to map value, value_size=16 off=56 size=8; R1 max value is outside of the allowed memory range [insn 18: (79) r0 = *(u64 *)(r1 +0) at "return value->words[index & 7]; @ refused.bpf.c:55"]'],
  ['without_end', 'EINVAL', 'unreachable insn 1 [at "return 0; @ refused.bpf.c:70"]'],
  ['uninitialised', 'EACCES', 'R7 !read_ok [insn 0: (bf) r0 = r7 at "asm volatile("%0 = r7" : "=r"(result)); @ refused.bpf.c:77"]'],
  ['spinning', 'EINVAL', 'infinite loop detected at insn 1 [insn 1: (55) if r0 != 0x0 goto pc-1 at "asm volatile("r0 = 1; 1: if r0 != 0 goto 1b" ::: "r0"); @ refused.bpf.c:84"]',
    'infinite loop detected at insn 1 [insn 1: (05) goto pc-1 at "asm volatile("r0 = 1; 1: if r0 != 0 goto 1b" ::: "r0"); @ refused.bpf.c:84"]'],
  ['beyond_stack', 'EACCES', 'invalid write to stack R10 off=-520 size=8 [insn 0: (7b) *(u64 *)(r10 -520) = r1 at "asm volatile("*(u64 *)(r10 - 520) = r1"); @ refused.bpf.c:101"]'],
  ['wrong_answer', 'EINVAL', 'At program exit the register R0 has value (0x7; 0x0) should have been in (0x0; 0x1) [insn 1: (95) exit at "SEC("?cgroup/dev") int wrong_answer(struct bpf_cgroup_dev_ctx *ctx) { return 7; } @ refused.bpf.c:106"]',
    'At program exit the register R0 has smin=7 smax=7 should have been in [0, 1] [insn 1: (95) exit at "SEC("?cgroup/dev") int wrong_answer(struct bpf_cgroup_dev_ctx *ctx) { return 7; } @ refused.bpf.c:106"]'],
] as const;

suite('programs that the verifier refuses', (test) => {
  for (const [program, errno, ...wordings] of REFUSALS) {
    for (const logLevel of [0, 2]) {
      test.needing([needsRoot], `VerifierError sums up ${program}${logLevel === 0 ? '' : ', out of the log of every state too'}`, () => {
        const { message, log } = refusal('refused', program, { logLevel });
        assert.ok(wordings.some((words) => message === `BPF_PROG_LOAD for program "${program}": ${errno}: ${words}`), message);
        assert.match(log, /processed \d+ insns/);
      });
    }
  }

  test.needing([needsRoot], 'VerifierError sums up a fault in a global function, or says that the kernel knows no such argument yet', () => {
    const { message } = refusal('refused', 'in_global_function');
    const words = message.replace('BPF_PROG_LOAD for program "in_global_function": ', '');
    const wordings = ['EINVAL: Arg#0 type PTR in on_its_own() is not supported yet.',
      `EACCES: R1 invalid mem access 'mem_or_null' [insn 13: (79) r0 = *(u64 *)(r1 +8) at "__attribute__((noinline)) int on_its_own(struct value *value) { return value->words[1]; } @ refused.bpf.c:89"]`];
    assert.ok(wordings.includes(words), message);
  });

  test.needing([needsRoot], 'a failed CO-RE relocation is told in full, in the place of the poisoned instruction', () => {
    const { message, details, log } = refusal('broken', 'missing_field');
    const gone = 'struct task_struct has no field "no_such_field" in the running kernel\'s BTF';
    assert.is(message, `BPF_PROG_LOAD for program "missing_field": EINVAL: CO-RE: ${gone}; insn 1 of "missing_field" is poisoned (guard it with bpf_core_field_exists)`);
    assert.is(details.length, 3);
    assert.match(details[0]!, /^struct task_struct\.no_such_field in the program: type \[\d+\] struct task_struct, access "0:0"$/);
    assert.match(details[1]!, /^candidate \[\d+\] struct task_struct of vmlinux: refused, no field "no_such_field" in struct task_struct$/);
    assert.is(details[2], `field_byte_offset: insn 1 of "missing_field" is poisoned: ${gone}`);
    assert.ok(log.includes(`\n1: <failed CO-RE relocation field_byte_offset of struct task_struct.no_such_field>\n${details.join('\n')}\nprocessed `), log);
    assert.not.match(log, /unknown#/);
  });

  test.needing([needsRoot], 'a map that is not created is named in the place of its load', () => {
    const { message, log } = refusal('broken', 'null_pointer', { autocreate: ({ name }) => name !== 'counts' });
    assert.is(message, 'BPF_PROG_LOAD for program "null_pointer": EINVAL: insn 4 uses map "counts", which is not created (create the map, or let nothing reach the instruction)');
    assert.match(log, /; unsigned long long \*value = bpf_map_lookup_elem\(&counts, &key\); @ broken\.bpf\.c:20\n4: <load of map "counts">\nmap "counts" is not created\nprocessed /);
  });

  test.needing([needsRoot], 'a kernel function that is absent is named in the place of its call', () => {
    const { message, log } = refusal('broken', 'absent_function');
    assert.is(message, 'BPF_PROG_LOAD for program "absent_function": EINVAL: calls kernel function "no_such_function_weak", which this kernel lacks (guard the call with bpf_ksym_exists)');
    assert.match(log, /0: <call of kernel function "no_such_function_weak">\nthis kernel has no function "no_such_function_weak"\nprocessed /);
  });

  test.needing([needsRoot], 'logLevel gives the log of a program that loads, with its source', () => keepsDescriptors(() => {
    const object = load('broken', 'good', { logLevel: 2 })();
    const { log } = object.programs.get('good')!;
    object.close();
    assert.match(log, /\n; SEC\("\?socket"\) int good\(struct __sk_buff \*skb\) \{ return 0; \} @ broken\.bpf\.c:32\n0: \(b[47]\) [wr]0 = 0 *(; R0(_w)?=\S+)?\n(1: R0.*\n)?1: \(95\) exit\n/);
    assert.match(log, /processed 2 insns/);
  }));
});
