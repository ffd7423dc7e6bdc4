/** The table of section names: every form libbpf knows, what each means, and the targets' words. */
import { spawnSync } from 'node:child_process';
import { parseSection, SECTION_PREFIXES, TARGETS } from '#src/loader/sections.js';
import { AttachType, ProgType } from '#src/uapi.js';
import { fixture, needsCommand, needsRoot } from '../support/probe.js';
import { assert, suite } from '../support/suite.js';

suite('loader/sections', (test) => {
  test('every prefix parses to its own row, alone and with an argument where it takes one', () => {
    for (const prefix of SECTION_PREFIXES) {
      assert.is(parseSection(prefix)?.prefix, prefix);
      assert.is(parseSection(`?${prefix}`)?.prefix, prefix);
      const longer = parseSection(`${prefix}/zz/zz`);
      if (longer) {
        assert.is(longer.prefix, prefix);
        assert.is(longer.argument, 'zz/zz');
      }
    }
    assert.is(new Set(SECTION_PREFIXES).size, SECTION_PREFIXES.length);
    assert.ok(SECTION_PREFIXES.length >= 104);
  });

  test.table([
    ['tp/sched/sched_process_exec', 'tp', 'sched/sched_process_exec', ProgType.TRACEPOINT, undefined, 'tracepoint', ''],
    ['raw_tp/sys_enter', 'raw_tp', 'sys_enter', ProgType.RAW_TRACEPOINT, undefined, 'raw_tp', ''],
    ['tp_btf/sched_switch', 'tp_btf', 'sched_switch', ProgType.TRACING, AttachType.TRACE_RAW_TP, 'trace', 'btf'],
    ['fentry.s/do_unlinkat', 'fentry.s', 'do_unlinkat', ProgType.TRACING, AttachType.TRACE_FENTRY, 'trace', 'btf sleepable'],
    ['lsm.s/file_open', 'lsm.s', 'file_open', ProgType.LSM, AttachType.LSM_MAC, 'trace', 'btf sleepable'],
    ['kretprobe/do_unlinkat', 'kretprobe', 'do_unlinkat', ProgType.KPROBE, undefined, 'kprobe', 'returns'],
    ['uprobe//bin/bash:readline', 'uprobe', '/bin/bash:readline', ProgType.KPROBE, undefined, 'uprobe', ''],
    ['uretprobe.s/libc.so.6:read', 'uretprobe.s', 'libc.so.6:read', ProgType.KPROBE, undefined, 'uprobe', 'returns sleepable'],
    ['xdp', 'xdp', '', ProgType.XDP, AttachType.XDP, 'xdp', 'optional'],
    ['xdp.frags', 'xdp.frags', '', ProgType.XDP, AttachType.XDP, 'xdp', 'frags'],
    ['tc', 'tc', '', ProgType.SCHED_CLS, undefined, 'tc', ''],
    ['tc/egress', 'tc/egress', '', ProgType.SCHED_CLS, AttachType.TCX_EGRESS, 'tcx', 'optional'],
    ['cgroup/connect4', 'cgroup/connect4', '', ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT, 'cgroup', ''],
    ['sk_reuseport/migrate', 'sk_reuseport/migrate', '', ProgType.SK_REUSEPORT, AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE, 'reuseport', ''],
    ['iter/bpf_map_elem', 'iter', 'bpf_map_elem', ProgType.TRACING, AttachType.TRACE_ITER, 'iter', 'btf'],
    ['syscall', 'syscall', '', ProgType.SYSCALL, undefined, 'none', 'sleepable'],
  ] as const, ([name]) => `parseSection reads ${name}`, ([name, prefix, argument, type, attachType, kind, flags]) => {
    const section = parseSection(name)!;
    assert.equal([section.prefix, section.argument, section.type, section.attachType, section.kind], [prefix, argument, type, attachType, kind]);
    for (const flag of ['sleepable', 'btf', 'frags', 'optional', 'returns'] as const) assert.is(section[flag], flags.split(' ').includes(flag), flag);
  });

  test.table(['', '?', 'xdp/drop', 'socket1', 'tpx/sched/sched_switch', 'kprobed/x', 'cgroup/', 'license'], (name) => `parseSection does not know "${name}"`, (name) => {
    assert.is(parseSection(name), undefined);
  });

  test.needing([needsRoot, needsCommand('bpftool', 'bpftool')], 'every section name that libbpf lists is known', () => {
    const { stderr } = spawnSync('bpftool', ['prog', 'load', fixture('loader/broken.bpf.o'), '/sys/fs/bpf/wasm-bpf-ts-never'], { encoding: 'utf8' });
    const listed = /supported section\(type\) names are: (.+)/.exec(stderr)?.[1].trim().split(' ') ?? [];
    assert.ok(listed.length > 80, stderr);
    assert.equal(listed.filter((name) => {
      const section = parseSection(name.replace(/\+$/, ''));
      const takesArgument = parseSection(`${name.replace(/\+$/, '')}/x`) !== undefined;
      return section === undefined || takesArgument !== name.endsWith('+');
    }), []);
  });

  test('TARGETS words every family\'s target', () => {
    for (const [kind, { needs, target }] of Object.entries(TARGETS)) {
      assert.ok(needs.length > 10, kind);
      if (target === 'never') assert.match(needs, /^no target: /);
    }
  });
});
