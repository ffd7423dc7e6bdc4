/**
 * The little of rtnetlink that attaching needs: interfaces by name, XDP without links, and the clsact qdisc with BPF filters.
 * Acts on the network namespace of the calling thread. Needs CAP_NET_ADMIN to change anything.
 * Source: include/uapi/linux/{netlink,rtnetlink,if_link,pkt_sched,pkt_cls}.h of Linux 6.18.
 *
 *   message: u32 length, u16 type, u16 flags, u32 sequence, u32 port; then a struct, then attributes
 *   attribute: u16 length (its header included), u16 type, bytes; aligned to 4
 */
import { SyscallError, UsageError } from '../errors.js';
import { lacking } from './capabilities.js';
import { Errno, errnoName } from './errno.js';
import { failure } from './fail.js';
import { Fd } from './fd.js';
import { SYS, syscall } from './ffi/syscall.js';
import { arena } from './memory.js';
import { didYouMean } from './near.js';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
/** larger than any one message of the kernel (it fills at most 32 KiB) */
const BUFFER = 65536;
const NLMSG = { ERROR: 2, DONE: 3 } as const;
const Flag = { REQUEST: 1, ACK: 4, ECHO: 8, DUMP: 0x300, EXCL: 0x200, CREATE: 0x400, CAPPED: 0x100, ACK_TLVS: 0x200 } as const;
/** NLMSGERR_ATTR_MSG: the kernel's own words */
const ERROR_TEXT = 1;
const NLA_TYPE_MASK = 0x3fff;
const NLA_F_NESTED = 0x8000;

const RTM = { GETLINK: 18, SETLINK: 19, NEWQDISC: 36, DELQDISC: 37, NEWTFILTER: 44, DELTFILTER: 45 } as const;
type Request = keyof typeof RTM;
const IFLA = { IFNAME: 3, XDP: 43 } as const;
const IFLA_XDP = { FD: 1, ATTACHED: 2, FLAGS: 3, PROG_ID: 4, EXPECTED_FD: 8 } as const;
const TCA = { KIND: 1, OPTIONS: 2 } as const;
const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8 } as const;
const TCA_BPF_FLAG_ACT_DIRECT = 1;

const TC_H_CLSACT = 0xffff_fff1;
const CLSACT_MAJOR = 0xffff_0000;
const MINOR = { ingress: 0xfff2, egress: 0xfff3 } as const;
/** ETH_P_ALL in network order */
const PROTOCOL_ALL = 0x0300;

// ---- messages ---------------------------------------------------------------------------------------------------

type Attribute = readonly [type: number, value: Uint8Array];

const number32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
const cString = (text: string) => new TextEncoder().encode(`${text}\0`);
const pad4 = (n: number) => n + 3 & ~3;

function encode(attributes: readonly Attribute[]): Uint8Array {
  const out = new Uint8Array(attributes.reduce((sum, [, value]) => sum + 4 + pad4(value.length), 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [type, value] of attributes) {
    view.setUint16(at, 4 + value.length, true);
    view.setUint16(at + 2, type, true);
    out.set(value, at + 4);
    at += 4 + pad4(value.length);
  }
  return out;
}

/** Type → bytes; stops at the first attribute that does not fit. */
export function parseAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    found.set(view.getUint16(at + 2, true) & NLA_TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += pad4(length);
  }
  return found;
}

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes).replace(/\0[^]*$/, '');
const u32At = (bytes: Uint8Array, at = 0) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

/** struct ifinfomsg */
function linkHead(ifindex: number): Uint8Array {
  const head = new Uint8Array(16);
  new DataView(head.buffer).setInt32(4, ifindex, true);
  return head;
}

/** struct tcmsg */
function trafficHead(ifindex: number, handle: number, parent: number, info: number): Uint8Array {
  const head = new Uint8Array(20);
  new Uint32Array(head.buffer).set([0, ifindex, handle, parent, info]);
  return head;
}

// ---- the conversation -------------------------------------------------------------------------------------------

/** Sends one request and collects the answers' payloads (struct and attributes) until the acknowledgement or the dump's end. */
function request(name: Request, flags: number, head: Uint8Array, attributes: readonly Attribute[], subject: string): Uint8Array[] {
  const a = arena();
  const mark = a.mark();
  let socket: Fd | undefined;
  const checked = (call: string, result: number): number => {
    if (result < 0) throw failure(call, -result, `RTM_${name}${subject && ` of ${subject}`}`, ['CAP_NET_ADMIN']);
    return result;
  };
  try {
    socket = new Fd(checked('socket', syscall(SYS.socket, AF_NETLINK, SOCK_RAW_CLOEXEC, 0)), 'netlink socket');
    const one = a.put(number32(1));
    // kernels before 4.12 do not explain their refusals
    syscall(SYS.setsockopt, socket.value, SOL_NETLINK, NETLINK_EXT_ACK, one, 4);
    const body = encode(attributes);
    const message = new Uint8Array(16 + head.length + body.length);
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, RTM[name], true);
    view.setUint16(6, Flag.REQUEST | Flag.ACK | flags, true);
    view.setUint32(8, 1, true);
    message.set(head, 16);
    message.set(body, 16 + head.length);
    checked('sendto', syscall(SYS.sendto, socket.value, a.put(message), message.length, 0, 0, 0));

    const answers: Uint8Array[] = [];
    const buffer = new Uint8Array(BUFFER);
    const address = a.inPlace(buffer);
    for (;;) {
      const length = syscall(SYS.recvfrom, socket.value, address, BUFFER, 0, 0, 0);
      if (length === -Errno.EINTR) continue;
      checked('recvfrom', length);
      const done = collect(buffer.subarray(0, length), answers);
      if (done === undefined) continue;
      if (done.errno === 0) return answers;
      throw refused(name, done.errno, subject, done.words);
    }
  } finally {
    socket?.close();
    a.reset(mark);
  }
}

/** Takes one datagram apart. @returns the outcome where this datagram ends the conversation */
function collect(datagram: Uint8Array, answers: Uint8Array[]): { errno: number; words: string } | undefined {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + 16 <= datagram.length;) {
    const length = view.getUint32(at, true);
    if (length < 16 || at + length > datagram.length) break;
    const type = view.getUint16(at + 4, true);
    const flags = view.getUint16(at + 6, true);
    const payload = datagram.subarray(at + 16, at + length);
    if (type === NLMSG.DONE) return { errno: 0, words: '' };
    if (type === NLMSG.ERROR) {
      const errno = -view.getInt32(at + 16, true);
      // the request comes back whole, or only its header; the words follow
      const echoed = flags & Flag.CAPPED ? 16 : view.getUint32(at + 20, true);
      const words = flags & Flag.ACK_TLVS ? text(parseAttributes(payload.subarray(4 + pad4(echoed))).get(ERROR_TEXT)) : undefined;
      return { errno, words: words ?? '' };
    }
    answers.push(payload.slice());
    at += pad4(length);
  }
  return undefined;
}

function refused(name: Request, errno: number, subject: string, words: string): SyscallError {
  if (errno === Errno.EPERM && lacking(['CAP_NET_ADMIN']).length > 0) return failure(`RTM_${name}`, errno, subject, ['CAP_NET_ADMIN']);
  return new SyscallError(`RTM_${name}`, errno, errnoName(errno), subject, words && `the kernel says: ${words}`);
}

// ---- interfaces -------------------------------------------------------------------------------------------------

export interface Interface { readonly index: number; readonly name: string }

/** Every network interface, up or down. */
export function interfaces(): Interface[] {
  return request('GETLINK', Flag.DUMP, linkHead(0), [], 'every interface').map((answer) => ({
    index: u32At(answer, 4), name: text(parseAttributes(answer.subarray(16)).get(IFLA.IFNAME)) ?? '',
  }));
}

/** The number of an interface. @throws UsageError (USAGE) where there is none of that name, with names that are near */
export function interfaceIndex(name: string): number {
  const all = interfaces();
  const found = all.find((each) => each.name === name);
  if (found) return found.index;
  const names = all.map((each) => each.name);
  throw new UsageError(`there is no network interface "${name}" (${didYouMean(name, names) || `there are ${names.map((each) => `"${each}"`).join(', ')}`})`);
}

// ---- XDP without links ------------------------------------------------------------------------------------------

/**
 * @param progFd −1 takes the program away
 * @param flags uapi.XdpFlag
 * @param expectedFd with XdpFlag.REPLACE: the program that must be there
 */
export function xdpSet(ifindex: number, progFd: number, flags: number, expectedFd?: number): void {
  const attributes: Attribute[] = [[IFLA_XDP.FD, number32(progFd)]];
  if (flags) attributes.push([IFLA_XDP.FLAGS, number32(flags)]);
  if (expectedFd !== undefined) attributes.push([IFLA_XDP.EXPECTED_FD, number32(expectedFd)]);
  request('SETLINK', 0, linkHead(ifindex), [[IFLA.XDP | NLA_F_NESTED, encode(attributes)]], `XDP on interface ${ifindex}`);
}

/** How (0 not, 1 driver, 2 generic, 3 hardware, 4 several) and which program is attached. */
export function xdpQuery(ifindex: number): { mode: number; progId: number } {
  const [answer] = request('GETLINK', 0, linkHead(ifindex), [], `interface ${ifindex}`);
  const xdp = parseAttributes(parseAttributes(answer.subarray(16)).get(IFLA.XDP) ?? new Uint8Array(0));
  const id = xdp.get(IFLA_XDP.PROG_ID);
  return { mode: xdp.get(IFLA_XDP.ATTACHED)?.[0] ?? 0, progId: id ? u32At(id) : 0 };
}

// ---- tc without links -------------------------------------------------------------------------------------------

export type Direction = keyof typeof MINOR;

/** Adds the clsact qdisc. @returns false where the interface has it already */
export function clsactAdd(ifindex: number): boolean {
  try {
    request('NEWQDISC', Flag.CREATE | Flag.EXCL, trafficHead(ifindex, CLSACT_MAJOR, TC_H_CLSACT, 0), [[TCA.KIND, cString('clsact')]], `clsact on interface ${ifindex}`);
    return true;
  } catch (error) {
    if (error instanceof SyscallError && error.errno === Errno.EEXIST) return false;
    throw error;
  }
}

/** Takes the clsact qdisc away, every filter with it. */
export function clsactDelete(ifindex: number): void {
  request('DELQDISC', 0, trafficHead(ifindex, CLSACT_MAJOR, TC_H_CLSACT, 0), [[TCA.KIND, cString('clsact')]], `clsact on interface ${ifindex}`);
}

export interface Filter { readonly handle: number; readonly priority: number }

/** Adds a BPF filter in direct-action mode. @param name shown by tc(8). @returns what tcFilterDelete takes */
export function tcFilterAdd(ifindex: number, direction: Direction, progFd: number, name: string, wanted: Partial<Filter> = {}): Filter {
  const head = trafficHead(ifindex, wanted.handle ?? 0, CLSACT_MAJOR | MINOR[direction], (wanted.priority ?? 0) << 16 | PROTOCOL_ALL);
  const options = encode([[TCA_BPF.FD, number32(progFd)], [TCA_BPF.NAME, cString(name)], [TCA_BPF.FLAGS, number32(TCA_BPF_FLAG_ACT_DIRECT)]]);
  const [answer] = request('NEWTFILTER', Flag.CREATE | Flag.EXCL | Flag.ECHO, head,
    [[TCA.KIND, cString('bpf')], [TCA.OPTIONS | NLA_F_NESTED, options]], `tc ${direction} on interface ${ifindex}`);
  return { handle: u32At(answer, 8), priority: u32At(answer, 16) >>> 16 };
}

export function tcFilterDelete(ifindex: number, direction: Direction, filter: Filter): void {
  const head = trafficHead(ifindex, filter.handle, CLSACT_MAJOR | MINOR[direction], filter.priority << 16 | PROTOCOL_ALL);
  request('DELTFILTER', 0, head, [[TCA.KIND, cString('bpf')]], `tc ${direction} on interface ${ifindex}`);
}
