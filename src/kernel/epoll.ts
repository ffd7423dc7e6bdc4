/**
 * epoll(7), synchronous: the thread sleeps in the kernel. An Epoll's descriptor can itself be waited for.
 * Source: include/uapi/linux/eventpoll.h.
 */
import { Errno } from './errno.js';
import { failure } from './fail.js';
import { Fd } from './fd.js';
import { SYS, syscall } from './ffi/syscall.js';
import { framed } from './memory.js';

const EPOLL_CLOEXEC = 0o2000000;
const EPOLLIN = 1;
const Ctl = { ADD: 1, DEL: 2 } as const;
/** struct epoll_event { u32 events; u64 data }: packed on x86-64 only */
const EVENT = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };
/** Room for ids of one wait; what does not fit is reported by the next. */
const MAX_EVENTS = 64;

export class Epoll {
  readonly fd: Fd;
  /** Ids of the last wait; the first `wait()` of them are valid. */
  readonly ready = new Int32Array(MAX_EVENTS);

  /** @throws SyscallError (SYSCALL) */
  constructor() {
    const result = syscall(SYS.epoll_create1, EPOLL_CLOEXEC);
    if (result < 0) throw failure('epoll_create1', -result);
    this.fd = new Fd(result, 'epoll');
  }

  /** Waits for `fd` from now on; `id` (below 2^31) tells which one it was. */
  add(fd: number, id: number): void {
    this.#control(Ctl.ADD, fd, id);
  }

  remove(fd: number): void {
    this.#control(Ctl.DEL, fd, 0);
  }

  /**
   * Sleeps until something is ready.
   * @param timeoutMs −1: no limit; 0: only looks
   * @returns how many ids of `ready` are valid, 0 at the timeout; 'interrupted' where a signal came: the caller goes back to
   * the event loop, because only there its handler runs. A signal that came just before the wait does not end it: who must
   * answer signals in time waits in slices
   */
  wait(timeoutMs: number): number | 'interrupted' {
    return framed((a) => {
      const at = a.alloc(MAX_EVENTS * EVENT.size);
      const result = syscall(SYS.epoll_pwait, this.fd.value, a.address + at, MAX_EVENTS, timeoutMs, 0, 0);
      if (result === -Errno.EINTR) return 'interrupted';
      if (result < 0) throw failure('epoll_wait', -result);
      for (let i = 0; i < result; i++) this.ready[i] = a.view.getInt32(at + i * EVENT.size + EVENT.data, true);
      return result;
    });
  }

  close(): void {
    this.fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #control(op: number, fd: number, id: number): void {
    framed((a) => {
      const at = a.alloc(EVENT.size);
      a.view.setUint32(at, EPOLLIN, true);
      a.view.setInt32(at + EVENT.data, id, true);
      const result = syscall(SYS.epoll_ctl, this.fd.value, op, fd, a.address + at);
      if (result < 0) throw failure('epoll_ctl', -result, `descriptor ${fd}`);
    });
  }
}
