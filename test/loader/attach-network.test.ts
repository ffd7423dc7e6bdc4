/** Programs attached to interfaces, sockets, control groups and namespaces, seen by what they counted of real packets and calls. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupMount } from '#src/loader/attach/cgroup.js';
import { xdpQuery, interfaceIndex } from '#src/kernel/netlink.js';
import { needsFeature, needsLinux } from '../support/kernel.js';
import { needsCommand, needsRoot, withCable, type Cable } from '../support/probe.js';
import { assert, suite, throwsCode, type Need } from '../support/suite.js';
import { Families, attachFails, withFamilies } from './families.js';

const needs = [needsRoot, needsCommand('ip', 'iproute2')];

/** One UDP packet through the cable, from the other end to ours, or from ours to the other. */
const toUs = ({ within, address }: Cable) => send(address, within);
const toThem = ({ peer }: Cable) => send(peer);
function send(address: string, within: readonly string[] = []): void {
  const [command, ...args] = [...within, 'bash', '-c', `echo x > /dev/udp/${address}/9`];
  execFileSync(command, args, { stdio: 'pipe' });
}

/** A row: program, target (of the cable), slot, who sends; the description to expect; what it needs. */
type Row = readonly [program: string, target: (cable: Cable) => string, slot: string, sends: (cable: Cable) => void, description: (cable: Cable) => string, need?: Need];
/** tcx where the kernel has it, else a filter */
const tcx = needsFeature('tcx').missing === undefined ? 'tcx' : 'tc';
const ROWS: readonly Row[] = [
  ['on_packet', (c) => c.outside, 'SOCKET', toUs, (c) => `socket filter ${c.outside}`],
  ['on_xdp', (c) => c.outside, 'XDP', toUs, (c) => `xdp ${c.outside}`],
  ['on_xdp', (c) => `${c.outside}:native`, 'XDP', toUs, (c) => `xdp ${c.outside} (native)`],
  ['on_xdp', (c) => `${c.outside}:generic`, 'XDP', toUs, (c) => `xdp ${c.outside} (generic)`],
  ['on_xdp_frags', (c) => c.outside, 'XDP_FRAGS', toUs, (c) => `xdp ${c.outside}`, needsLinux('5.18', 'XDP with fragments')],
  ['on_tc', (c) => c.outside, 'TC', toUs, (c) => `tc ${c.outside}:ingress`],
  ['on_tc_egress', (c) => `${c.outside}:egress`, 'TC_EGRESS', toThem, (c) => `tc ${c.outside}:egress`],
  ['on_tcx_ingress', (c) => c.outside, 'TCX_INGRESS', toUs, (c) => `${tcx} ${c.outside}:ingress`],
  ['on_tcx_egress', (c) => c.outside, 'TCX_EGRESS', toThem, (c) => `${tcx} ${c.outside}:egress`],
  ['on_netfilter', () => 'ipv4:input:-100', 'NETFILTER', toUs, () => 'netfilter ipv4:local_in:-100', needsFeature('netfilterLink')],
];

suite('loader/attach: network', (test) => {
  for (const [program, target, slot, sends, description, need] of ROWS) {
    const shown = target({ outside: 'OUTSIDE' } as Cable);
    test.needing([...needs, ...(need ? [need] : [])], `${program} on ${shown} counts a packet on a cable, and none once its link is closed`, async () => {
      await withCable(async (cable) => {
        withFamilies([program], (families) => {
          const link = families.object.attach(program, target(cable));
          assert.is(link.description, description(cable));
          sends(cable);
          // the hook sees the whole machine's packets, the socket the answer "port unreachable", too
          if (slot === 'NETFILTER' || slot === 'SOCKET') assert.ok(families.hits(slot) > 0, slot);
          else assert.is(families.hits(slot), 1);
          link.close();
          const then = families.hits(slot);
          sends(cable);
          assert.is(families.hits(slot), then, 'still attached');
        });
        assert.is(xdpQuery(interfaceIndex(cable.outside)).mode, 0);
        assert.not.match(execFileSync('tc', ['qdisc', 'show', 'dev', cable.outside], { encoding: 'utf8' }), /clsact/);
      });
    });
  }

  test.needing(needs, 'a second XDP program on one interface is told which is there', async () => {
    await withCable(async (cable) => {
      withFamilies(['on_xdp'], ({ object }) => {
        object.attach('on_xdp', cable.outside);
        throwsCode(() => object.attach('on_xdp', cable.outside), 'BPF_ATTACH',
          `attach program "on_xdp": interface "${cable.outside}" has an XDP program already (id ${object.programs.get('on_xdp')!.id}) (detach that one first: ip link set dev NAME xdp off, or end the program that holds its link)`);
      });
    });
  });

  test.needing(needs, 'close is harmless when the interface went away first', async () => {
    let families: Families | undefined;
    await withCable(async (cable) => {
      families = new Families(['on_tc', 'on_xdp', 'on_packet']);
      families.object.attach('on_tc', cable.outside);
      families.object.attach('on_xdp', cable.outside);
      families.object.attach('on_packet', cable.outside);
    });
    families!.object.close();
  });

  test.needing(needs, 'sk_lookup and flow_dissector attach to the namespace of the target', async () => {
    await withCable(async (cable) => {
      withFamilies(['on_sk_lookup', 'on_flow'], (families) => {
        const link = families.object.attach('on_sk_lookup', cable.namespace);
        assert.is(link.description, `sk_lookup /run/netns/${cable.namespace}`);
        toThem(cable);
        assert.is(families.hits('SK_LOOKUP'), 1);
        assert.is(families.object.attach('on_flow', `/run/netns/${cable.namespace}`).description, `flow_dissector /run/netns/${cable.namespace}`);
        throwsCode(() => families.object.attach('on_sk_lookup', 'no-such-namespace'), 'BPF_ATTACH',
          'attach program "on_sk_lookup": no network namespace "/run/netns/no-such-namespace": ENOENT (ip netns lists those with a name)');
      });
    });
  });

  test.needing([needsRoot], 'sk_msg, stream parser and verdict attach to a sockhash of the object', () => {
    withFamilies(['on_msg', 'on_parse', 'on_verdict'], ({ object }) => {
      assert.is(object.attach('on_msg', 'sockets').description, 'sk_msg sockets');
      assert.is(object.attach('on_parse', 'sockets').description, 'sk_skb/stream_parser sockets');
      assert.is(object.attach('on_verdict', 'sockets').description, 'sk_skb/stream_verdict sockets');
      throwsCode(() => object.attach('on_msg', 'numbers'), 'BPF_ATTACH', 'attach program "on_msg": map "numbers" is a hash (needs a sockmap or sockhash)');
      throwsCode(() => object.attach('on_msg', 'socket'), 'BPF_ATTACH', 'attach program "on_msg": no map "socket" in the object (did you mean "sockets"?)');
    });
  });

  test.needing([needsRoot, needsFeature('cgroupLink')], 'every cgroup family sees what a process of the group does', () => {
    const name = `wasm-bpf-ts-${process.pid}`;
    const folder = join(cgroupMount()!, name);
    mkdirSync(folder);
    const inside = (script: string) => execFileSync('bash', ['-c', `echo $$ > ${folder}/cgroup.procs; ${script}`], { stdio: 'pipe' });
    const udp = () => inside('echo x > /dev/udp/127.0.0.1/9');
    // one socket S, AF_INET and SOCK_DGRAM
    const perl = (code: string) => () => inside(`perl -MSocket -e 'socket(S, 2, 2, 0) or die; ${code} or die'`);
    const deeds: readonly (readonly [program: string, slot: string, deed: () => void])[] = [
      ['on_cg_ingress', 'CG_INGRESS', perl('bind(S, sockaddr_in(0, INADDR_LOOPBACK)) && send(S, "x", 0, getsockname(S)) && defined(recv(S, $b, 1, 0))')],
      ['on_cg_egress', 'CG_EGRESS', udp],
      ['on_sockops', 'SOCKOPS', () => inside('echo x > /dev/tcp/127.0.0.1/9 || true')],
      ['on_sock_create', 'SOCK_CREATE', udp],
      ['on_sock_release', 'SOCK_RELEASE', udp],
      ['on_connect4', 'CONNECT4', udp],
      ['on_bind4', 'BIND4', perl('bind(S, sockaddr_in(0, INADDR_LOOPBACK))')],
      ['on_post_bind4', 'POST_BIND4', perl('bind(S, sockaddr_in(0, INADDR_LOOPBACK))')],
      ['on_sendmsg4', 'SENDMSG4', perl('send(S, "x", 0, sockaddr_in(9, INADDR_LOOPBACK))')],
      ['on_dev', 'DEV', () => inside('head -c1 /dev/zero')],
      ['on_sysctl', 'SYSCTL', () => inside('cat /proc/sys/kernel/ostype')],
      ['on_getsockopt', 'GETSOCKOPT', perl('getsockopt(S, 1, 3)')],
      ['on_setsockopt', 'SETSOCKOPT', perl('setsockopt(S, 1, 8, 4096)')],
      ['on_cg_skb', 'CG_SKB', perl('bind(S, sockaddr_in(0, INADDR_LOOPBACK)) && send(S, "x", 0, getsockname(S)) && defined(recv(S, $b, 1, 0))')],
    ];
    try {
      withFamilies(deeds.map(([program]) => program), (families) => {
        for (const [program, slot, deed] of deeds) {
          const link = families.object.attach(program, name);
          assert.ok(link.description.endsWith(` ${folder}`), link.description);
          deed();
          assert.ok(families.hits(slot) > 0, `${program} saw nothing`);
          link.close();
          const then = families.hits(slot);
          deed();
          assert.is(families.hits(slot), then, `${program} is still attached`);
        }
      });
    } finally {
      rmdirSync(folder);
    }
  });

  test.needing([needsRoot, needsLinux('6.0', 'lsm_cgroup')], 'lsm_cgroup loads and attaches, or the message says who forbids it', () => {
    let loaded = false;
    try {
      withFamilies(['on_lsm_cgroup'], ({ object }) => {
        loaded = true;
        assert.match(object.attach('on_lsm_cgroup', cgroupMount()!).description, /^lsm_cgroup /);
      });
    } catch (error) {
      if (loaded) throw error;
      throwsCode(() => { throw error; }, 'SYSCALL', /^BPF_PROG_LOAD for program "on_lsm_cgroup" \(section "lsm_cgroup\/socket_bind"\): EPERM \(this kernel refuses such programs even to root/);
    }
  });

  test.table([
    ['on_xdp', undefined, 'section "xdp" needs an interface name, or "name:native", "name:generic"'],
    ['on_xdp', 'nosuchif0', 'there is no network interface "nosuchif0" ('],
    ['on_xdp', 'lo:fast', 'unknown mode "fast" in target "lo:fast" (one of native, generic, offload, or none to let the kernel choose)'],
    ['on_tc', 'lo:sideways', 'unknown direction in target "lo:sideways" ("ingress" or "egress" after the interface, like "eth0:egress")'],
    ['on_tc', undefined, 'section "tc" needs an interface name and a direction, "eth0:ingress" or "eth0:egress" (ingress where none is given)'],
    ['on_tcx_ingress', 'lo:egress', 'target "lo:egress" asks for egress, section "tc/ingress" is for ingress'],
    ['on_packet', 'loo', 'there is no network interface "loo" (did you mean "lo"?)'],
    ['on_netfilter', undefined, 'section "netfilter" needs a protocol family, a hook and a priority, "ipv4:local_in:0" (priority 0 where none is given)'],
    ['on_netfilter', 'ipx:local_in', 'unknown protocol family "ipx" in target "ipx:local_in" (one of ipv4, ipv6)'],
    ['on_netfilter', 'ipv4:local_inn', 'unknown hook "local_inn" in target "ipv4:local_inn" (did you mean "local_in"'],
    ['on_netfilter', 'ipv4:forward:high', '"ipv4:forward:high" does not end in a priority (a whole number of 32 bits, like "ipv4:local_in:-100")'],
    ['on_sockops', undefined, 'section "sockops" needs the path of a version 2 cgroup like "/sys/fs/cgroup/user.slice"'],
    ['on_sockops', 'no-such-group', 'no cgroup "'],
    ['on_sockops', '/etc', '"/etc" is not in the version 2 hierarchy ('],
    ['on_sockops', '/etc/passwd', '"/etc/passwd" is not a folder ('],
    ['on_cpumap', undefined, 'programs of section "xdp/cpumap" are called by others, not attached'],
  ] as const, ([program, target]) => `attach says what is wrong: ${program} on ${target}`, ([program, target, message]) => {
    attachFails(program, target, 'BPF_ATTACH', new RegExp(`^attach program "${program}": ${message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`));
  });

  test('the version 2 hierarchy is found where mountinfo has it', () => {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => line.includes(' - cgroup2 '));
    assert.is(cgroupMount(), mounts[0]?.split(' ')[4]);
  });
});
