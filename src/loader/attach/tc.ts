/**
 * Attaches traffic control programs: a tcx or netkit link (Linux 6.6, 6.7), else a filter in direct-action mode on the clsact
 * qdisc. The qdisc stays when the link is closed unless this link made it and no other filter is left.
 * Source: kernel/bpf/tcx.c and net/sched/cls_bpf.c, Linux 6.18.
 */
import { linkCreate } from '../../kernel/bpf.js';
import { feature } from '../../kernel/features.js';
import { clsactAdd, clsactDelete, tcFilterAdd, tcFilterDelete, type Direction } from '../../kernel/netlink.js';
import { AttachType } from '../../uapi.js';
import { findInterface } from './interface.js';
import { DescriptorLink, failAttach, needsTarget, type AttachRequest, type Link } from './link.js';

/** SEC("tc"), SEC("classifier"): a filter, as those sections always were; the target is `eth0:ingress` or `eth0:egress`. */
export function attachTc(request: AttachRequest): Link {
  const [name, direction] = splitDirection(request, 'ingress');
  return filter(request, name, direction);
}

/** SEC("tcx/ingress"), SEC("tc/egress"): a link where the kernel has it; the target is an interface. */
export function attachTcx(request: AttachRequest): Link {
  const direction = request.section.attachType === AttachType.TCX_EGRESS ? 'egress' : 'ingress';
  const [name, wanted] = splitDirection(request, direction);
  if (wanted !== direction) throw failAttach(request, `target "${request.target}" asks for ${wanted}, section "${request.section.prefix}" is for ${direction}`);
  if (!feature('tcx')) return filter(request, name, direction);
  return link(request, name, `tcx ${name}:${direction}`);
}

export function attachNetkit(request: AttachRequest): Link {
  if (request.target === undefined) throw needsTarget(request);
  return link(request, request.target, `${request.section.prefix} ${request.target}`);
}

function link(request: AttachRequest, name: string, subject: string): Link {
  const target = findInterface(request, name);
  const attachType = request.section.attachType ?? request.attachType;
  return new DescriptorLink(subject, [linkCreate({ progFd: request.progFd, target, attachType, detail: { kind: 'mprog' }, subject })]);
}

function splitDirection(request: AttachRequest, otherwise: Direction): [name: string, direction: Direction] {
  if (request.target === undefined) throw needsTarget(request);
  const [name, direction = otherwise, ...rest] = request.target.split(':');
  if ((direction !== 'ingress' && direction !== 'egress') || rest.length > 0) {
    throw failAttach(request, `unknown direction in target "${request.target}"`, '"ingress" or "egress" after the interface, like "eth0:egress"');
  }
  return [name, direction];
}

function filter(request: AttachRequest, name: string, direction: Direction): Link {
  const ifindex = findInterface(request, name);
  const subject = `tc ${name}:${direction}`;
  const made = clsactAdd(ifindex);
  const removeQdisc = () => clsactDelete(ifindex);
  try {
    const added = tcFilterAdd(ifindex, direction, request.progFd, request.program);
    return new DescriptorLink(subject, [], [() => tcFilterDelete(ifindex, direction, added), ...(made ? [removeQdisc] : [])]);
  } catch (error) {
    if (made) removeQdisc();
    throw error;
  }
}
