/**
 * Attaches sk_skb and sk_msg programs to a sockmap or sockhash of the same object: a link (Linux 6.10), else BPF_PROG_ATTACH.
 * Source: net/core/sock_map.c, Linux 6.18.
 */
import { SyscallError } from '../../errors.js';
import { linkCreate, progAttach, progDetach } from '../../kernel/bpf.js';
import { Errno } from '../../kernel/errno.js';
import { MapType, nameOf } from '../../uapi.js';
import { didYouMean } from '../../kernel/near.js';
import { DescriptorLink, failAttach, needsTarget, type AttachRequest, type Link } from './link.js';

/** The target is the map's name. */
export function attachSockmap(request: AttachRequest): Link {
  const { progFd, attachType, target, section, maps } = request;
  if (target === undefined) throw needsTarget(request);
  const map = maps.get(target);
  if (!map) throw failAttach(request, `no map "${target}" in the object`, didYouMean(target, maps.keys()));
  if (map.type !== MapType.SOCKMAP && map.type !== MapType.SOCKHASH) {
    throw failAttach(request, `map "${target}" is a ${nameOf(MapType, map.type)}`, 'needs a sockmap or sockhash');
  }
  const subject = `map "${target}"`;
  const description = `${section.prefix} ${target}`;
  try {
    return new DescriptorLink(description, [linkCreate({ progFd, target: map.fd, attachType, subject })]);
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== Errno.EINVAL) throw error;
  }
  progAttach({ target: map.fd, progFd, attachType, subject });
  return new DescriptorLink(description, [], [() => progDetach({ target: map.fd, progFd, attachType })]);
}
