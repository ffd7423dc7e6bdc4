/**
 * Attaches socket filters to a packet socket of the link's own, which sees the frames of one interface, or of all. The program
 * runs for every frame; what it lets through is dropped when the socket's small buffer is full, since nobody reads it.
 * Source: Documentation/networking/filter.rst, packet(7).
 */
import { failure } from '../../kernel/fail.js';
import { Fd } from '../../kernel/fd.js';
import { SYS, syscall } from '../../kernel/ffi/syscall.js';
import { arena } from '../../kernel/memory.js';
import { findInterface } from './interface.js';
import { DescriptorLink, holding, type AttachRequest, type Link } from './link.js';

const AF_PACKET = 17;
/** SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC */
const SOCK_FLAGS = 3 | 0o4000 | 0o2000000;
/** ETH_P_ALL in network order */
const PROTOCOL_ALL = 0x0300;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_ATTACH_BPF = 50;
/** the smallest the kernel allows, since the frames are never read */
const RECEIVE_BUFFER = 2304;
const SOCKADDR_LL = 20;

/** The target is an interface; without one, every interface of this network namespace. */
export function attachSocket(request: AttachRequest): Link {
  const { target, progFd } = request;
  const ifindex = target === undefined ? 0 : findInterface(request, target);
  const subject = `socket filter ${target ?? 'on every interface'}`;
  const checked = (call: string, result: number): number => {
    if (result < 0) throw failure(call, -result, subject, ['CAP_NET_ADMIN']);
    return result;
  };
  // protocol 0 receives nothing until bind: no frame passes by before the filter is there
  const socket = new Fd(checked('socket', syscall(SYS.socket, AF_PACKET, SOCK_FLAGS, 0)), 'packet socket');
  return holding([socket], () => {
    const a = arena();
    const mark = a.mark();
    try {
      const option = (name: number, value: number, call: string) => {
        const at = a.alloc(4);
        a.view.setInt32(at, value, true);
        checked(call, syscall(SYS.setsockopt, socket.value, SOL_SOCKET, name, a.address + at, 4));
      };
      option(SO_RCVBUF, RECEIVE_BUFFER, 'setsockopt(SO_RCVBUF)');
      option(SO_ATTACH_BPF, progFd, 'setsockopt(SO_ATTACH_BPF)');
      const address = a.alloc(SOCKADDR_LL);
      a.view.setUint16(address, AF_PACKET, true);
      a.view.setUint16(address + 2, PROTOCOL_ALL, true);
      a.view.setInt32(address + 4, ifindex, true);
      checked('bind', syscall(SYS.bind, socket.value, a.address + address, SOCKADDR_LL));
    } finally {
      a.reset(mark);
    }
    return new DescriptorLink(subject, [socket]);
  });
}
