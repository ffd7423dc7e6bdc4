/**
 * Attaches to network namespaces: sk_lookup and flow_dissector. A link (Linux 5.8), else, for the flow dissector,
 * BPF_PROG_ATTACH, which acts on the namespace of this process only. Source: kernel/bpf/net_namespace.c, Linux 6.18.
 */
import { closeSync, openSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { SyscallError } from '../../errors.js';
import { linkCreate, progAttach, progDetach } from '../../kernel/bpf.js';
import { Errno } from '../../kernel/errno.js';
import { AttachType } from '../../uapi.js';
import { DescriptorLink, failAttach, type AttachRequest, type Link } from './link.js';

const OWN = '/proc/self/ns/net';

/** The target is a path, or the name of a namespace of `ip netns`; without one, the namespace of this process. */
export function attachNetns(request: AttachRequest): Link {
  const { progFd, attachType, target, section } = request;
  const path = target === undefined ? OWN : isAbsolute(target) ? target : `/run/netns/${target}`;
  const description = `${section.prefix} ${path}`;
  let ns: number;
  try {
    ns = openSync(path, 'r');
  } catch (error) {
    throw failAttach(request, `no network namespace "${path}": ${(error as NodeJS.ErrnoException).code}`, 'ip netns lists those with a name');
  }
  try {
    try {
      return new DescriptorLink(description, [linkCreate({ progFd, target: ns, attachType, subject: `network namespace "${path}"` })]);
    } catch (error) {
      const old = error instanceof SyscallError && error.errno === Errno.EINVAL && attachType === AttachType.FLOW_DISSECTOR && path === OWN;
      if (!old) throw error;
    }
    progAttach({ target: 0, progFd, attachType, subject: 'this network namespace' });
    return new DescriptorLink(description, [], [() => progDetach({ target: 0, progFd, attachType })]);
  } finally {
    closeSync(ns);
  }
}
