/**
 * Attaches a loaded program: picks the family by its section, checks that a target is there where one is needed, and tells
 * every failure as this program's. What each family takes as target is the table TARGETS of sections.ts.
 */
import { UnsupportedError } from '../../errors.js';
import { TARGETS, type AttachKind } from '../sections.js';
import { attachCgroup } from './cgroup.js';
import { attachIter } from './iter.js';
import { attachKprobe, attachKprobeMulti, attachKsyscall } from './kprobe.js';
import { asAttachError, failAttach, needsTarget, type AttachRequest, type Attacher, type Link } from './link.js';
import { attachLirc } from './lirc.js';
import { attachNetfilter } from './netfilter.js';
import { attachNetns } from './netns.js';
import { attachPerfEvent } from './perf.js';
import { attachSocket } from './socket.js';
import { attachSockmap } from './sockmap.js';
import { attachNetkit, attachTc, attachTcx } from './tc.js';
import { attachTracepoint } from './tracepoint.js';
import { attachFreplace, attachRawTracepoint, attachTrace } from './tracing.js';
import { attachUprobe, attachUprobeMulti } from './uprobe.js';
import { attachXdp } from './xdp.js';

export type { AttachRequest, Link } from './link.js';

const unsupported = (what: string, wayOut: string): Attacher => () => {
  throw new UnsupportedError(what, '', wayOut);
};

const ATTACHERS: { readonly [K in AttachKind]: Attacher } = {
  tracepoint: attachTracepoint,
  raw_tp: attachRawTracepoint,
  trace: attachTrace,
  freplace: attachFreplace,
  iter: attachIter,
  kprobe: attachKprobe,
  ksyscall: attachKsyscall,
  kprobe_multi: attachKprobeMulti,
  uprobe: attachUprobe,
  uprobe_multi: attachUprobeMulti,
  usdt: unsupported('attaching to USDT probes', 'attach a uprobe to the probe\'s address, as readelf -n shows it'),
  perf_event: attachPerfEvent,
  socket: attachSocket,
  reuseport: (request) => {
    throw needsTarget(request);
  },
  xdp: attachXdp,
  tc: attachTc,
  tcx: attachTcx,
  netkit: attachNetkit,
  cgroup: attachCgroup,
  netns: attachNetns,
  sockmap: attachSockmap,
  netfilter: attachNetfilter,
  lirc: attachLirc,
  struct_ops: (request) => {
    throw failAttach(request, 'a program of a struct_ops map is attached with its map', 'BpfObject.attachStructOps, or attachAll');
  },
  none: (request) => {
    throw failAttach(request, `programs of section "${request.section.prefix}" are called by others, not attached`);
  },
};

/**
 * @returns a link that owns what keeps the program attached
 * @throws AttachError (BPF_ATTACH), UnsupportedError (UNSUPPORTED)
 */
export function attachProgram(request: AttachRequest): Link {
  const { kind } = request.section;
  if (TARGETS[kind].target === 'required' && request.target === undefined) throw needsTarget(request);
  try {
    return ATTACHERS[kind](request);
  } catch (error) {
    throw asAttachError(request, error);
  }
}
