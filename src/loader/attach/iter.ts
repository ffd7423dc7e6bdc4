/**
 * Attaches iterators: a link that does nothing by itself; `read` runs the program over every object and gives its text.
 * Source: kernel/bpf/bpf_iter.c and `union bpf_iter_link_info`, Linux 6.18.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { SyscallError, UnsupportedError } from '../../errors.js';
import { iterCreate, linkCreate } from '../../kernel/bpf.js';
import { Errno } from '../../kernel/errno.js';
import type { Fd } from '../../kernel/fd.js';
import { didYouMean } from '../../kernel/near.js';
import { AttachType } from '../../uapi.js';
import { resolveCgroup } from './cgroup.js';
import { DescriptorLink, failAttach, needsTarget, type AttachRequest, type Link } from './link.js';

/** Iterators over the elements of one map. */
const OVER_A_MAP = ['bpf_map_elem', 'bpf_sk_storage_map'];
const OVER_TASKS = ['task', 'task_file', 'task_vma'];
/** sizeof(union bpf_iter_link_info) */
const INFO_SIZE = 16;
/** enum bpf_cgroup_iter_order: descendants, parents before children */
const DESCENDANTS_PRE = 2;
const CHUNK = 64 * 1024;

export function attachIter(request: AttachRequest): Link {
  const { section, target, progFd } = request;
  const subject = `iter ${section.argument}${target === undefined ? '' : ` ${target}`}`;
  const { info, done } = linkInfo(request);
  let link: Fd;
  try {
    link = linkCreate({ progFd, attachType: AttachType.TRACE_ITER, detail: info && { kind: 'iter', info }, subject });
  } catch (error) {
    // kernels that know nothing but maps refuse the rest as too long
    if (error instanceof SyscallError && error.errno === Errno.E2BIG) throw new UnsupportedError(`target "${target}" of iterator "${section.argument}"`, '6.1');
    throw error;
  } finally {
    done();
  }
  return new DescriptorLink(subject, [link], [], () => readAll(link.value, subject));
}

/** What the iterator goes over; `done` gives back what was opened to say so. */
function linkInfo(request: AttachRequest): { info: Uint8Array | undefined; done: () => void } {
  const { section, target, maps } = request;
  const info = new Uint8Array(INFO_SIZE);
  const words = new Uint32Array(info.buffer);
  const nothing = () => {};
  if (OVER_A_MAP.includes(section.argument)) {
    if (target === undefined) throw needsTarget(request);
    const map = maps.get(target);
    if (!map) throw failAttach(request, `no map "${target}" in the object`, didYouMean(target, maps.keys()));
    words[0] = map.fd;
    return { info, done: nothing };
  }
  if (target === undefined) return { info: undefined, done: nothing };
  if (OVER_TASKS.includes(section.argument)) {
    const match = /^(pid|tid):(\d{1,9})$/.exec(target);
    if (!match) throw failAttach(request, `"${target}" is no task`, 'needs "pid:N" (a process) or "tid:N" (a thread)');
    // struct { u32 tid, pid, pid_fd }
    words[match[1] === 'tid' ? 0 : 1] = Number(match[2]);
    return { info, done: nothing };
  }
  if (section.argument === 'cgroup') {
    const dir = openSync(resolveCgroup(request, target), 'r');
    // struct { u32 order, cgroup_fd; u64 cgroup_id }
    words[0] = DESCENDANTS_PRE;
    words[1] = dir;
    return { info, done: () => closeSync(dir) };
  }
  throw failAttach(request, `iterator "${section.argument}" takes no target, got "${target}"`);
}

/** One run over everything. */
function readAll(linkFd: number, subject: string): string {
  const iterator = iterCreate(linkFd, subject);
  try {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.alloc(CHUNK);
      const n = readSync(iterator.value, chunk, 0, CHUNK, null);
      if (n === 0) return Buffer.concat(chunks).toString('utf8');
      chunks.push(chunk.subarray(0, n));
    }
  } finally {
    iterator.close();
  }
}
