/**
 * bpf(2): attaching programs, as links where the kernel has them and without. Source: include/uapi/linux/bpf.h and kernel/bpf/syscall.c of Linux 6.18.
 */
import {
  IterCreateAttr, LinkCreateAttr, LinkDetachAttr, LinkUpdateAttr, ProgAttachAttr, ProgQueryAttr, RawTracepointAttr,
} from '../attr.js';
import { Errno } from '../errno.js';
import { Fd } from '../fd.js';
import { framed, type Arena } from '../memory.js';
import type { Fields, Struct, Values } from '../struct.js';
import { call, raw, refused, simple, u32s } from './call.js';

export interface ProgAttach {
  /** a descriptor (cgroup, sockmap, netns…) or an interface's index */
  readonly target: number;
  readonly progFd: number;
  /** a number of uapi.AttachType */
  readonly attachType: number;
  readonly flags?: number;
  readonly replaceFd?: number;
  readonly relativeFd?: number;
  readonly expectedRevision?: bigint;
  readonly subject?: string;
}

export function progAttach(attach: ProgAttach): void {
  simple('PROG_ATTACH', ProgAttachAttr, attachValues(attach), attach.subject ?? '', ['CAP_BPF', 'CAP_NET_ADMIN']);
}

export function progDetach(attach: ProgAttach): void {
  simple('PROG_DETACH', ProgAttachAttr, attachValues(attach), attach.subject ?? '', ['CAP_BPF', 'CAP_NET_ADMIN']);
}

function attachValues(attach: ProgAttach) {
  return {
    targetFd: attach.target, attachBpfFd: attach.progFd, attachType: attach.attachType, attachFlags: attach.flags,
    replaceBpfFd: attach.replaceFd, relativeFd: attach.relativeFd, expectedRevision: attach.expectedRevision,
  };
}

/** Ids of the programs at an attach point, in order of execution. */
export function progQuery(query: { target: number; attachType: number; flags?: number; subject?: string }): { progIds: number[]; attachFlags: number; revision: bigint } {
  const ask = (ids: Uint32Array) => framed((a) => {
    const at = a.alloc(ProgQueryAttr.size);
    const result = call(a, 'PROG_QUERY', ProgQueryAttr, at, {
      targetFd: query.target, attachType: query.attachType, queryFlags: query.flags, progIds: ids.length ? a.inPlace(raw(ids)) : 0, count: ids.length,
    });
    // ENOSPC: more programs than there was room for, and `count` says how many
    if (result < 0 && !(result === -Errno.ENOSPC)) throw refused('PROG_QUERY', -result, query.subject ?? '', ['CAP_NET_ADMIN']);
    return { ...ProgQueryAttr.read(a.view, at), full: result < 0 };
  });
  let answer = ask(u32s(0));
  for (;;) {
    const ids = u32s(answer.count);
    if (ids.length > 0) answer = ask(ids);
    if (!answer.full && answer.count <= ids.length) {
      return { progIds: [...ids.subarray(0, answer.count)], attachFlags: answer.attachFlags, revision: answer.revision };
    }
  }
}

/** @param name of the raw tracepoint, or undefined for programs that know their target (tp_btf, fentry, LSM…) */
export function rawTracepointOpen(open: { name?: string; progFd: number; cookie?: bigint; subject?: string }): Fd {
  return framed((a) => {
    const result = call(a, 'RAW_TRACEPOINT_OPEN', RawTracepointAttr, a.alloc(RawTracepointAttr.size), {
      name: open.name === undefined ? 0 : a.putString(open.name), progFd: open.progFd, cookie: open.cookie,
    });
    if (result < 0) throw refused('RAW_TRACEPOINT_OPEN', -result, open.subject ?? (open.name === undefined ? '' : `raw tracepoint "${open.name}"`));
    return new Fd(result, 'link');
  });
}

/** What the end of `link_create` says, by kind of link. */
export type LinkDetail =
  | { readonly kind: 'btf'; readonly targetBtfId: number }
  | { readonly kind: 'tracing'; readonly targetBtfId: number; readonly cookie: bigint }
  | { readonly kind: 'iter'; /** union bpf_iter_link_info */ readonly info: Uint8Array }
  | { readonly kind: 'perfEvent'; readonly bpfCookie: bigint }
  | { readonly kind: 'kprobeMulti'; readonly flags?: number; /** one of these two */ readonly syms?: readonly string[]; readonly addrs?: readonly bigint[]; readonly cookies?: readonly bigint[] }
  | { readonly kind: 'uprobeMulti'; readonly flags?: number; readonly path: string; readonly offsets: readonly bigint[]; readonly refCtrOffsets?: readonly bigint[]; readonly cookies?: readonly bigint[]; readonly pid?: number }
  | { readonly kind: 'netfilter'; readonly pf: number; readonly hooknum: number; readonly priority: number; readonly flags?: number }
  /** tcx, netkit, cgroup: where among its neighbours */
  | { readonly kind: 'mprog'; readonly relative?: number; readonly expectedRevision?: bigint };

export interface LinkCreate {
  /** or a struct_ops map's */
  readonly progFd: number;
  /** a descriptor (cgroup, netns, perf event) or an interface's index */
  readonly target?: number;
  /** a number of uapi.AttachType */
  readonly attachType: number;
  readonly flags?: number;
  readonly detail?: LinkDetail;
  readonly subject?: string;
}

export function linkCreate(spec: LinkCreate): Fd {
  const head = { progFd: spec.progFd, targetFd: spec.target, attachType: spec.attachType, flags: spec.flags };
  const { detail } = spec;
  return framed((a) => {
    const u64s = (list: readonly bigint[] | undefined) => list && list.length > 0 ? a.put(raw(BigUint64Array.from(list))) : undefined;
    const send = <F extends Fields>(layout: Struct<F>, values: Partial<Values<F>>) => call(a, 'LINK_CREATE', layout, a.alloc(layout.size), values);
    const create = (): number => {
      switch (detail?.kind) {
        case undefined:
          return send(LinkCreateAttr.plain, head);
        case 'btf':
          return send(LinkCreateAttr.btf, { ...head, targetBtfId: detail.targetBtfId });
        case 'tracing':
          return send(LinkCreateAttr.tracing, { ...head, targetBtfId: detail.targetBtfId, cookie: detail.cookie });
        case 'iter':
          return send(LinkCreateAttr.iter, { ...head, iterInfo: a.put(detail.info), iterInfoLen: detail.info.length });
        case 'perfEvent':
          return send(LinkCreateAttr.perfEvent, { ...head, bpfCookie: detail.bpfCookie });
        case 'kprobeMulti':
          return send(LinkCreateAttr.kprobeMulti, {
            ...head, multiFlags: detail.flags, cnt: detail.syms?.length ?? detail.addrs?.length ?? 0, syms: detail.syms && strings(a, detail.syms),
            addrs: u64s(detail.addrs), cookies: u64s(detail.cookies),
          });
        case 'uprobeMulti':
          return send(LinkCreateAttr.uprobeMulti, {
            ...head, path: a.putString(detail.path), offsets: u64s(detail.offsets), refCtrOffsets: u64s(detail.refCtrOffsets),
            cookies: u64s(detail.cookies), cnt: detail.offsets.length, multiFlags: detail.flags, pid: detail.pid,
          });
        case 'netfilter':
          return send(LinkCreateAttr.netfilter, { ...head, pf: detail.pf, hooknum: detail.hooknum, priority: detail.priority, netfilterFlags: detail.flags });
        case 'mprog':
          return send(LinkCreateAttr.mprog, { ...head, relativeFd: detail.relative, expectedRevision: detail.expectedRevision });
      }
    };
    const result = create();
    if (result < 0) throw refused('LINK_CREATE', -result, spec.subject ?? '');
    return new Fd(result, 'link');
  });
}

/** The address of an array of C strings. */
function strings(a: Arena, list: readonly string[]): number {
  const text = encoder.encode(list.map((s) => `${s}\0`).join(''));
  const base = a.put(text);
  const pointers = new BigUint64Array(list.length);
  let at = 0;
  for (let i = 0; i < list.length; i++) {
    pointers[i] = BigInt(base + at);
    at = text.indexOf(0, at) + 1;
  }
  return a.put(raw(pointers));
}
const encoder = new TextEncoder();

export function linkUpdate(update: { linkFd: number; newProgFd: number; oldProgFd?: number; flags?: number; subject?: string }): void {
  const { subject = '', ...values } = update;
  simple('LINK_UPDATE', LinkUpdateAttr, values, subject);
}

/** Detaches now; the link's descriptor stays, dead. Linux 5.9. */
export function linkDetach(linkFd: number, subject = ''): void {
  simple('LINK_DETACH', LinkDetachAttr, { linkFd }, subject);
}

/** A descriptor to read(2) the iterator's output from. */
export function iterCreate(linkFd: number, subject = ''): Fd {
  return new Fd(simple('ITER_CREATE', IterCreateAttr, { linkFd }, subject), 'iterator');
}
