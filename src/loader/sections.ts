/**
 * What an ELF section name says about a program: its type, expected attach type, flags, and how it is attached. One row per
 * prefix, in the order in which they are tried; the names are those of libbpf's SEC() convention. Attaching itself is in
 * attach/, the targets' syntax is the table at the end.
 * Source: Documentation/bpf/libbpf/program_types.rst, Linux 6.18.
 */
import { AttachType, ProgType } from '../uapi.js';

/** The family that attaches a program; each is one entry of attach/index.ts. */
export type AttachKind =
  | 'tracepoint' | 'raw_tp' | 'trace' | 'freplace' | 'iter' | 'kprobe' | 'ksyscall' | 'kprobe_multi' | 'uprobe' | 'uprobe_multi' | 'usdt'
  | 'perf_event' | 'socket' | 'reuseport' | 'xdp' | 'tc' | 'tcx' | 'netkit' | 'cgroup' | 'netns' | 'sockmap' | 'netfilter' | 'lirc'
  | 'struct_ops' | 'none';

/** How much of the section name a row takes. */
type Match =
  /** the whole name */
  | 'exact'
  /** the name itself, or the name, a slash and an argument */
  | 'argument';

/**
 * - `sleepable`: loaded with BPF_F_SLEEPABLE
 * - `btf`: the argument names a kernel function or tracepoint, found by its BTF id before the load
 * - `frags`: loaded with BPF_F_XDP_HAS_FRAGS
 * - `optional`: the expected attach type is left out on kernels older than 4.17, which do not know the field
 * - `return`: runs when the function returns
 * - `legacy`: kept for old objects
 */
type Flag = 'sleepable' | 'btf' | 'frags' | 'optional' | 'return' | 'legacy';

type Row = readonly [prefix: string, match: Match, type: keyof typeof ProgType, attach: keyof typeof AttachType | '', flags: string, kind: AttachKind, since: string];

const ROWS = [
  // prefix               match       program type              expected attach type            flags                kind            first kernel
  ['socket',              'exact',    'SOCKET_FILTER',          '',                             '',                  'socket',       '3.19'],
  ['sk_reuseport/migrate', 'exact',   'SK_REUSEPORT',           'SK_REUSEPORT_SELECT_OR_MIGRATE', '',                'reuseport',    '5.14'],
  ['sk_reuseport',        'exact',    'SK_REUSEPORT',           'SK_REUSEPORT_SELECT',          '',                  'reuseport',    '4.19'],
  ['kprobe',              'argument', 'KPROBE',                 '',                             '',                  'kprobe',       '4.1'],
  ['uprobe',              'argument', 'KPROBE',                 '',                             '',                  'uprobe',       '4.1'],
  ['uprobe.s',            'argument', 'KPROBE',                 '',                             'sleepable',         'uprobe',       '6.0'],
  ['kretprobe',           'argument', 'KPROBE',                 '',                             'return',            'kprobe',       '4.1'],
  ['uretprobe',           'argument', 'KPROBE',                 '',                             'return',            'uprobe',       '4.1'],
  ['uretprobe.s',         'argument', 'KPROBE',                 '',                             'return sleepable',  'uprobe',       '6.0'],
  ['kprobe.multi',        'argument', 'KPROBE',                 'TRACE_KPROBE_MULTI',           '',                  'kprobe_multi', '5.18'],
  ['kretprobe.multi',     'argument', 'KPROBE',                 'TRACE_KPROBE_MULTI',           'return',            'kprobe_multi', '5.18'],
  ['kprobe.session',      'argument', 'KPROBE',                 'TRACE_KPROBE_SESSION',         '',                  'kprobe_multi', '6.10'],
  ['uprobe.multi',        'argument', 'KPROBE',                 'TRACE_UPROBE_MULTI',           '',                  'uprobe_multi', '6.6'],
  ['uretprobe.multi',     'argument', 'KPROBE',                 'TRACE_UPROBE_MULTI',           'return',            'uprobe_multi', '6.6'],
  ['uprobe.session',      'argument', 'KPROBE',                 'TRACE_UPROBE_SESSION',         '',                  'uprobe_multi', '6.13'],
  ['uprobe.multi.s',      'argument', 'KPROBE',                 'TRACE_UPROBE_MULTI',           'sleepable',         'uprobe_multi', '6.6'],
  ['uretprobe.multi.s',   'argument', 'KPROBE',                 'TRACE_UPROBE_MULTI',           'return sleepable',  'uprobe_multi', '6.6'],
  ['uprobe.session.s',    'argument', 'KPROBE',                 'TRACE_UPROBE_SESSION',         'sleepable',         'uprobe_multi', '6.13'],
  ['ksyscall',            'argument', 'KPROBE',                 '',                             '',                  'ksyscall',     '4.1'],
  ['kretsyscall',         'argument', 'KPROBE',                 '',                             'return',            'ksyscall',     '4.1'],
  ['usdt',                'argument', 'KPROBE',                 '',                             '',                  'usdt',         '4.1'],
  ['usdt.s',              'argument', 'KPROBE',                 '',                             'sleepable',         'usdt',         '6.0'],
  ['tc/ingress',          'exact',    'SCHED_CLS',              'TCX_INGRESS',                  'optional',          'tcx',          '4.1'],
  ['tc/egress',           'exact',    'SCHED_CLS',              'TCX_EGRESS',                   'optional',          'tcx',          '4.1'],
  ['tcx/ingress',         'exact',    'SCHED_CLS',              'TCX_INGRESS',                  'optional',          'tcx',          '6.6'],
  ['tcx/egress',          'exact',    'SCHED_CLS',              'TCX_EGRESS',                   'optional',          'tcx',          '6.6'],
  ['tc',                  'exact',    'SCHED_CLS',              '',                             'legacy',            'tc',           '4.1'],
  ['classifier',          'exact',    'SCHED_CLS',              '',                             'legacy',            'tc',           '4.1'],
  ['action',              'exact',    'SCHED_ACT',              '',                             'legacy',            'none',         '4.1'],
  ['netkit/primary',      'exact',    'SCHED_CLS',              'NETKIT_PRIMARY',               '',                  'netkit',       '6.7'],
  ['netkit/peer',         'exact',    'SCHED_CLS',              'NETKIT_PEER',                  '',                  'netkit',       '6.7'],
  ['tracepoint',          'argument', 'TRACEPOINT',             '',                             '',                  'tracepoint',   '4.7'],
  ['tp',                  'argument', 'TRACEPOINT',             '',                             '',                  'tracepoint',   '4.7'],
  ['tracepoint.s',        'argument', 'TRACEPOINT',             '',                             'sleepable',         'tracepoint',   '7.1'],
  ['tp.s',                'argument', 'TRACEPOINT',             '',                             'sleepable',         'tracepoint',   '7.1'],
  ['raw_tracepoint',      'argument', 'RAW_TRACEPOINT',         '',                             '',                  'raw_tp',       '4.17'],
  ['raw_tp',              'argument', 'RAW_TRACEPOINT',         '',                             '',                  'raw_tp',       '4.17'],
  ['raw_tracepoint.s',    'argument', 'RAW_TRACEPOINT',         '',                             'sleepable',         'raw_tp',       '7.1'],
  ['raw_tp.s',            'argument', 'RAW_TRACEPOINT',         '',                             'sleepable',         'raw_tp',       '7.1'],
  ['raw_tracepoint.w',    'argument', 'RAW_TRACEPOINT_WRITABLE', '',                            '',                  'raw_tp',       '5.2'],
  ['raw_tp.w',            'argument', 'RAW_TRACEPOINT_WRITABLE', '',                            '',                  'raw_tp',       '5.2'],
  ['tp_btf',              'argument', 'TRACING',                'TRACE_RAW_TP',                 'btf',               'trace',        '5.5'],
  ['tp_btf.s',            'argument', 'TRACING',                'TRACE_RAW_TP',                 'btf sleepable',     'trace',        '7.1'],
  ['fentry',              'argument', 'TRACING',                'TRACE_FENTRY',                 'btf',               'trace',        '5.5'],
  ['fmod_ret',            'argument', 'TRACING',                'MODIFY_RETURN',                'btf',               'trace',        '5.7'],
  ['fexit',               'argument', 'TRACING',                'TRACE_FEXIT',                  'btf return',        'trace',        '5.5'],
  ['fentry.s',            'argument', 'TRACING',                'TRACE_FENTRY',                 'btf sleepable',     'trace',        '5.10'],
  ['fmod_ret.s',          'argument', 'TRACING',                'MODIFY_RETURN',                'btf sleepable',     'trace',        '5.10'],
  ['fexit.s',             'argument', 'TRACING',                'TRACE_FEXIT',                  'btf return sleepable', 'trace',     '5.10'],
  ['fsession',            'argument', 'TRACING',                'TRACE_FSESSION',               'btf',               'trace',        '7.0'],
  ['fsession.s',          'argument', 'TRACING',                'TRACE_FSESSION',               'btf sleepable',     'trace',        '7.0'],
  ['freplace',            'argument', 'EXT',                    '',                             '',                  'freplace',     '5.6'],
  ['lsm',                 'argument', 'LSM',                    'LSM_MAC',                      'btf',               'trace',        '5.7'],
  ['lsm.s',               'argument', 'LSM',                    'LSM_MAC',                      'btf sleepable',     'trace',        '5.10'],
  ['lsm_cgroup',          'argument', 'LSM',                    'LSM_CGROUP',                   'btf',               'cgroup',       '6.0'],
  ['iter',                'argument', 'TRACING',                'TRACE_ITER',                   'btf',               'iter',         '5.8'],
  ['iter.s',              'argument', 'TRACING',                'TRACE_ITER',                   'btf sleepable',     'iter',         '6.0'],
  ['syscall',             'exact',    'SYSCALL',                '',                             'sleepable',         'none',         '5.14'],
  ['xdp.frags/devmap',    'exact',    'XDP',                    'XDP_DEVMAP',                   'frags',             'none',         '5.18'],
  ['xdp/devmap',          'exact',    'XDP',                    'XDP_DEVMAP',                   '',                  'none',         '5.8'],
  ['xdp.frags/cpumap',    'exact',    'XDP',                    'XDP_CPUMAP',                   'frags',             'none',         '5.18'],
  ['xdp/cpumap',          'exact',    'XDP',                    'XDP_CPUMAP',                   '',                  'none',         '5.9'],
  ['xdp.frags',           'exact',    'XDP',                    'XDP',                          'frags',             'xdp',          '5.18'],
  ['xdp',                 'exact',    'XDP',                    'XDP',                          'optional',          'xdp',          '4.8'],
  ['perf_event',          'exact',    'PERF_EVENT',             '',                             '',                  'perf_event',   '4.9'],
  ['lwt_in',              'exact',    'LWT_IN',                 '',                             '',                  'none',         '4.10'],
  ['lwt_out',             'exact',    'LWT_OUT',                '',                             '',                  'none',         '4.10'],
  ['lwt_xmit',            'exact',    'LWT_XMIT',               '',                             '',                  'none',         '4.10'],
  ['lwt_seg6local',       'exact',    'LWT_SEG6LOCAL',          '',                             '',                  'none',         '4.18'],
  ['sockops',             'exact',    'SOCK_OPS',               'CGROUP_SOCK_OPS',              'optional',          'cgroup',       '4.13'],
  ['sk_skb/stream_parser', 'exact',   'SK_SKB',                 'SK_SKB_STREAM_PARSER',         'optional',          'sockmap',      '4.14'],
  ['sk_skb/stream_verdict', 'exact',  'SK_SKB',                 'SK_SKB_STREAM_VERDICT',        'optional',          'sockmap',      '4.14'],
  ['sk_skb/verdict',      'exact',    'SK_SKB',                 'SK_SKB_VERDICT',               'optional',          'sockmap',      '5.13'],
  ['sk_skb',              'exact',    'SK_SKB',                 '',                             '',                  'none',         '4.14'],
  ['sk_msg',              'exact',    'SK_MSG',                 'SK_MSG_VERDICT',               'optional',          'sockmap',      '4.17'],
  ['lirc_mode2',          'exact',    'LIRC_MODE2',             'LIRC_MODE2',                   'optional',          'lirc',         '4.18'],
  ['flow_dissector',      'exact',    'FLOW_DISSECTOR',         'FLOW_DISSECTOR',               'optional',          'netns',        '4.20'],
  ['cgroup_skb/ingress',  'exact',    'CGROUP_SKB',             'CGROUP_INET_INGRESS',          'optional',          'cgroup',       '4.10'],
  ['cgroup_skb/egress',   'exact',    'CGROUP_SKB',             'CGROUP_INET_EGRESS',           'optional',          'cgroup',       '4.10'],
  ['cgroup/skb',          'exact',    'CGROUP_SKB',             '',                             '',                  'cgroup',       '4.10'],
  ['cgroup/sock_create',  'exact',    'CGROUP_SOCK',            'CGROUP_INET_SOCK_CREATE',      '',                  'cgroup',       '4.10'],
  ['cgroup/sock_release', 'exact',    'CGROUP_SOCK',            'CGROUP_INET_SOCK_RELEASE',     '',                  'cgroup',       '5.9'],
  ['cgroup/sock',         'exact',    'CGROUP_SOCK',            'CGROUP_INET_SOCK_CREATE',      'optional',          'cgroup',       '4.10'],
  ['cgroup/post_bind4',   'exact',    'CGROUP_SOCK',            'CGROUP_INET4_POST_BIND',       '',                  'cgroup',       '4.17'],
  ['cgroup/post_bind6',   'exact',    'CGROUP_SOCK',            'CGROUP_INET6_POST_BIND',       '',                  'cgroup',       '4.17'],
  ['cgroup/bind4',        'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_INET4_BIND',            '',                  'cgroup',       '4.17'],
  ['cgroup/bind6',        'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_INET6_BIND',            '',                  'cgroup',       '4.17'],
  ['cgroup/connect4',     'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_INET4_CONNECT',         '',                  'cgroup',       '4.17'],
  ['cgroup/connect6',     'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_INET6_CONNECT',         '',                  'cgroup',       '4.17'],
  ['cgroup/connect_unix', 'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_UNIX_CONNECT',          '',                  'cgroup',       '6.7'],
  ['cgroup/sendmsg4',     'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_UDP4_SENDMSG',          '',                  'cgroup',       '4.18'],
  ['cgroup/sendmsg6',     'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_UDP6_SENDMSG',          '',                  'cgroup',       '4.18'],
  ['cgroup/sendmsg_unix', 'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_UNIX_SENDMSG',          '',                  'cgroup',       '6.7'],
  ['cgroup/recvmsg4',     'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_UDP4_RECVMSG',          '',                  'cgroup',       '5.2'],
  ['cgroup/recvmsg6',     'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_UDP6_RECVMSG',          '',                  'cgroup',       '5.2'],
  ['cgroup/recvmsg_unix', 'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_UNIX_RECVMSG',          '',                  'cgroup',       '6.7'],
  ['cgroup/getpeername4', 'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_INET4_GETPEERNAME',     '',                  'cgroup',       '5.8'],
  ['cgroup/getpeername6', 'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_INET6_GETPEERNAME',     '',                  'cgroup',       '5.8'],
  ['cgroup/getpeername_unix', 'exact', 'CGROUP_SOCK_ADDR',      'CGROUP_UNIX_GETPEERNAME',      '',                  'cgroup',       '6.7'],
  ['cgroup/getsockname4', 'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_INET4_GETSOCKNAME',     '',                  'cgroup',       '5.8'],
  ['cgroup/getsockname6', 'exact',    'CGROUP_SOCK_ADDR',       'CGROUP_INET6_GETSOCKNAME',     '',                  'cgroup',       '5.8'],
  ['cgroup/getsockname_unix', 'exact', 'CGROUP_SOCK_ADDR',      'CGROUP_UNIX_GETSOCKNAME',      '',                  'cgroup',       '6.7'],
  ['cgroup/sysctl',       'exact',    'CGROUP_SYSCTL',          'CGROUP_SYSCTL',                '',                  'cgroup',       '5.2'],
  ['cgroup/getsockopt',   'exact',    'CGROUP_SOCKOPT',         'CGROUP_GETSOCKOPT',            '',                  'cgroup',       '5.3'],
  ['cgroup/setsockopt',   'exact',    'CGROUP_SOCKOPT',         'CGROUP_SETSOCKOPT',            '',                  'cgroup',       '5.3'],
  ['cgroup/dev',          'exact',    'CGROUP_DEVICE',          'CGROUP_DEVICE',                'optional',          'cgroup',       '4.15'],
  ['struct_ops',          'argument', 'STRUCT_OPS',             '',                             '',                  'struct_ops',   '5.6'],
  ['struct_ops.s',        'argument', 'STRUCT_OPS',             '',                             'sleepable',         'struct_ops',   '6.1'],
  ['sk_lookup',           'exact',    'SK_LOOKUP',              'SK_LOOKUP',                    '',                  'netns',        '5.9'],
  ['netfilter',           'exact',    'NETFILTER',              'NETFILTER',                    '',                  'netfilter',    '6.4'],
] as const satisfies readonly Row[];

/** What the section of one program means. */
export interface Section {
  /** the row's name: `tp`, `fentry.s`, `cgroup/connect4` */
  readonly prefix: string;
  /** after the prefix and its slash: `sched/sched_process_exec`; '' where there is none */
  readonly argument: string;
  /** a number of uapi.ProgType */
  readonly type: number;
  /** a number of uapi.AttachType, undefined where the type has none */
  readonly attachType: number | undefined;
  readonly kind: AttachKind;
  readonly sleepable: boolean;
  readonly btf: boolean;
  readonly frags: boolean;
  readonly optional: boolean;
  readonly returns: boolean;
  /** first kernel version, `6.6` */
  readonly since: string;
}

/** Every prefix that is known, for messages and listings. */
export const SECTION_PREFIXES: readonly string[] = ROWS.map(([prefix]) => prefix);

/**
 * The meaning of an ELF section name; a leading `?` is ignored.
 * @returns undefined for a name of no known form
 */
export function parseSection(name: string): Section | undefined {
  const plain = name.startsWith('?') ? name.slice(1) : name;
  // no row is taken apart before it is the one: taking apart 100 of them is half a millisecond of a cold load
  const row = (ROWS as readonly Row[]).find((each) => plain === each[0] || (each[1] === 'argument' && plain[each[0].length] === '/' && plain.startsWith(each[0])));
  if (!row) return undefined;
  const [prefix, , type, attach, flags, kind, since] = row;
  const has = (flag: Flag) => flags.split(' ').includes(flag);
  return {
    prefix,
    argument: plain.slice(prefix.length + 1),
    type: ProgType[type],
    attachType: attach === '' ? undefined : AttachType[attach],
    kind,
    sleepable: has('sleepable'),
    btf: has('btf'),
    frags: has('frags'),
    optional: has('optional'),
    returns: has('return'),
    since,
  };
}

/**
 * What each family takes as target. `needs` completes "needs …" in messages; `target` says when one is given:
 * - `section`: the section's argument says it, a target overrides
 * - `optional`: there is a default
 * - `required`, `never`
 */
export const TARGETS: { readonly [K in AttachKind]: { readonly target: 'section' | 'required' | 'optional' | 'never'; readonly needs: string } } = {
  tracepoint:   { target: 'section',  needs: 'a tracepoint, "category:name" like "sched:sched_process_exec"' },
  raw_tp:       { target: 'section',  needs: 'the name of a tracepoint like "sched_switch"' },
  trace:        { target: 'section',  needs: 'no target: the section name fixes it when the program is loaded' },
  freplace:     { target: 'section',  needs: 'no target: the load option "replaces" names the program whose function it takes over' },
  iter:         { target: 'section',  needs: 'the name of a map of the same object for iter/bpf_map_elem and iter/bpf_sk_storage_map, "pid:N" or "tid:N" for task iterators, a cgroup path for iter/cgroup' },
  kprobe:       { target: 'section',  needs: 'a kernel function, "name" or "name+offset"' },
  ksyscall:     { target: 'section',  needs: 'the name of a system call like "openat"' },
  kprobe_multi: { target: 'section',  needs: 'a pattern of kernel functions like "vfs_*"' },
  uprobe:       { target: 'section',  needs: 'a binary and a function or offset, "path:function+offset" like "/bin/bash:readline" or "libc.so.6:malloc"' },
  uprobe_multi: { target: 'section',  needs: 'a binary and a pattern of functions, "path:pattern" like "libc.so.6:mem*"' },
  usdt:         { target: 'section',  needs: 'a binary, a provider and a probe, "path:provider:name"' },
  perf_event:   { target: 'optional', needs: 'a software event and a frequency or period, "cpu-clock:99" (Hz) or "page-faults:/1000" (every 1000th)' },
  socket:       { target: 'optional', needs: 'an interface name; without one the socket sees every interface' },
  reuseport:    { target: 'required', needs: 'a listening socket with SO_REUSEPORT, which only the program that owns it can hand over' },
  xdp:          { target: 'required', needs: 'an interface name, or "name:native", "name:generic"' },
  tc:           { target: 'required', needs: 'an interface name and a direction, "eth0:ingress" or "eth0:egress" (ingress where none is given)' },
  tcx:          { target: 'required', needs: 'an interface name' },
  netkit:       { target: 'required', needs: 'the name of a netkit interface' },
  cgroup:       { target: 'required', needs: 'the path of a version 2 cgroup like "/sys/fs/cgroup/user.slice"' },
  netns:        { target: 'optional', needs: 'a network namespace, a path like "/run/netns/blue"; without one, the namespace of this process' },
  sockmap:      { target: 'required', needs: 'the name of a sockmap or sockhash of the same object' },
  netfilter:    { target: 'required', needs: 'a protocol family, a hook and a priority, "ipv4:local_in:0" (priority 0 where none is given)' },
  lirc:         { target: 'required', needs: 'the path of an infrared device like "/dev/lirc0"' },
  struct_ops:   { target: 'never', needs: 'no target: its map is attached, not the program (BpfObject.attachStructOps)' },
  none:         { target: 'never', needs: 'no target: programs of this section are called by others, not attached' },
};
