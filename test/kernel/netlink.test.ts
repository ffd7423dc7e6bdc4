import { execFileSync } from 'node:child_process';
import * as bpf from '#src/kernel/bpf.js';
import { openFds, type Fd } from '#src/kernel/fd.js';
import { clsactAdd, clsactDelete, interfaceIndex, interfaces, parseAttributes, tcFilterAdd, tcFilterDelete, xdpQuery, xdpSet } from '#src/kernel/netlink.js';
import { ProgType, XdpFlag } from '#src/uapi.js';
import { EXIT, asm, mov } from '../support/bpf-asm.js';
import { descriptors } from '../support/kernel.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };
/** at most 15 bytes */
const NAME = `kt${process.pid}`;
const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });

/** A pair of interfaces that is gone afterwards, whatever happens. */
function withPair(use: (ifindex: number) => void): void {
  ip('link', 'add', `${NAME}a`, 'type', 'veth', 'peer', 'name', `${NAME}b`);
  try {
    use(interfaceIndex(`${NAME}a`));
  } finally {
    ip('link', 'del', `${NAME}a`);
  }
}

function withProgram(type: number, use: (fd: Fd) => void): void {
  const prog = bpf.progLoad({ type, insns: asm(mov(0, 2), EXIT), license: 'GPL', name: 'pass' });
  try {
    use(prog);
  } finally {
    prog.close();
  }
}

suite('kernel/netlink', (test) => {
  test('interfaces agrees with ip', () => {
    const shown = JSON.parse(ip('-j', 'link')) as { ifindex: number; ifname: string }[];
    const ours = interfaces();
    for (const { ifindex, ifname } of shown.filter((each) => each.ifname === 'lo')) assert.is(ours.find((each) => each.index === ifindex)?.name, ifname);
    assert.is(interfaceIndex('lo'), shown.find((each) => each.ifname === 'lo')!.ifindex);
  });
  test('interfaceIndex names what is near', () => {
    throwsCode(() => interfaceIndex('lp'), 'USAGE', 'there is no network interface "lp" (did you mean "lo"?)');
    throwsCode(() => interfaceIndex('nothing-like-it'), 'USAGE', /^there is no network interface "nothing-like-it" \(there are "lo"/);
  });
  test('xdpSet attaches, replaces only what is expected, and takes away', () => withPair((ifindex) => withProgram(ProgType.XDP, (first) => withProgram(ProgType.XDP, (second) => {
    const { SKB_MODE, UPDATE_IF_NOEXIST, REPLACE } = XdpFlag;
    const id = (fd: Fd) => bpf.progInfo(fd.value).id;
    assert.equal(xdpQuery(ifindex), { mode: 0, progId: 0 });
    xdpSet(ifindex, first.value, SKB_MODE | UPDATE_IF_NOEXIST);
    assert.equal(xdpQuery(ifindex), { mode: 2, progId: id(first) });
    throwsCode(() => xdpSet(ifindex, second.value, SKB_MODE | UPDATE_IF_NOEXIST), 'SYSCALL', `RTM_SETLINK for XDP on interface ${ifindex}: EBUSY (the kernel says: XDP program already attached)`);
    throwsCode(() => xdpSet(ifindex, second.value, SKB_MODE | REPLACE, second.value), 'SYSCALL', `RTM_SETLINK for XDP on interface ${ifindex}: EEXIST (the kernel says: Active program does not match expected)`);
    xdpSet(ifindex, second.value, SKB_MODE | REPLACE, first.value);
    assert.is(xdpQuery(ifindex).progId, id(second));
    xdpSet(ifindex, -1, SKB_MODE);
    assert.equal(xdpQuery(ifindex), { mode: 0, progId: 0 });
  }))));
  test('clsact and its filters come and go', () => withPair((ifindex) => withProgram(ProgType.SCHED_CLS, (prog) => {
    const shown = (direction: string) => execFileSync('tc', ['filter', 'show', 'dev', `${NAME}a`, direction], { encoding: 'utf8' });
    assert.is(clsactAdd(ifindex), true);
    assert.is(clsactAdd(ifindex), false);
    for (const direction of ['ingress', 'egress'] as const) {
      const filter = tcFilterAdd(ifindex, direction, prog.value, 'kernel_test');
      assert.ok(filter.handle > 0 && filter.priority > 0, JSON.stringify(filter));
      assert.match(shown(direction), new RegExp(`pref ${filter.priority} bpf .*handle 0x${filter.handle.toString(16)} kernel_test direct-action`));
      tcFilterDelete(ifindex, direction, filter);
      assert.is(shown(direction).trim(), '');
      throwsCode(() => tcFilterDelete(ifindex, direction, filter), 'SYSCALL', /^RTM_DELTFILTER for tc (in|e)gress on interface \d+: ENOENT/);
    }
    assert.equal(tcFilterAdd(ifindex, 'ingress', prog.value, 'chosen', { handle: 7, priority: 11 }), { handle: 7, priority: 11 });
    clsactDelete(ifindex);
    throwsCode(() => clsactDelete(ifindex), 'SYSCALL', /^RTM_DELQDISC for clsact on interface \d+: EINVAL \(the kernel says: /);
  })));
  test.table([
    { name: 'no such interface', run: () => xdpQuery(0x7fff_ffff), message: 'RTM_GETLINK for interface 2147483647: ENODEV' },
    { name: 'no such program', run: () => xdpSet(1, 99_999, XdpFlag.SKB_MODE), message: 'RTM_SETLINK for XDP on interface 1: EBADF' },
  ], ({ name }) => `a refusal names request, subject and errno: ${name}`, ({ run, message }) => {
    throwsCode(run, 'SYSCALL', message);
  });
  test('parseAttributes stops at what does not fit', () => {
    assert.equal([...parseAttributes(Uint8Array.of(5, 0, 1, 0, 9, 0, 0, 0, 8, 0, 2, 0x80, 1, 2, 3, 4))].map(([type, bytes]) => [type, [...bytes]]), [[1, [9]], [2, [1, 2, 3, 4]]]);
    assert.is(parseAttributes(Uint8Array.of(3, 0, 1, 0)).size, 0);
    assert.is(parseAttributes(Uint8Array.of(9, 0, 1, 0, 1)).size, 0);
    assert.is(parseAttributes(Uint8Array.of(1)).size, 0);
  });
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
  });
});
