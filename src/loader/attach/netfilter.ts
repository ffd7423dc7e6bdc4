/**
 * Attaches netfilter programs: a link (Linux 6.4), no older way. Source: net/netfilter/nf_bpf_link.c and
 * include/uapi/linux/netfilter.h, Linux 6.18.
 */
import { linkCreate } from '../../kernel/bpf.js';
import { AttachType } from '../../uapi.js';
import { didYouMean } from '../../kernel/near.js';
import { DescriptorLink, failAttach, needsTarget, type AttachRequest, type Link } from './link.js';

/** `NFPROTO_*` */
const FAMILIES: Readonly<Record<string, number>> = { ipv4: 2, ipv6: 10 };
/** `enum nf_inet_hooks` */
const HOOKS: Readonly<Record<string, number>> = { pre_routing: 0, local_in: 1, forward: 2, local_out: 3, post_routing: 4 };
/** The names that nftables uses for the same hooks. */
const ALIASES: Readonly<Record<string, string>> = { prerouting: 'pre_routing', input: 'local_in', output: 'local_out', postrouting: 'post_routing' };

/** The target is `family:hook:priority`, `ipv4:local_in:-100`; the priority is 0 where it is left out. */
export function attachNetfilter(request: AttachRequest): Link {
  if (request.target === undefined) throw needsTarget(request);
  const [family = '', hookName = '', priorityText = '0', ...rest] = request.target.split(':');
  const pf = FAMILIES[family];
  if (pf === undefined) throw failAttach(request, `unknown protocol family "${family}" in target "${request.target}"`, `one of ${Object.keys(FAMILIES).join(', ')}`);
  const name = ALIASES[hookName] ?? hookName;
  const hooknum = HOOKS[name];
  if (hooknum === undefined) {
    const names = Object.keys(HOOKS);
    throw failAttach(request, `unknown hook "${hookName}" in target "${request.target}"`, `${didYouMean(name, names)} one of ${names.join(', ')}`.trim());
  }
  const priority = Number(priorityText);
  if (rest.length > 0 || !/^-?\d+$/.test(priorityText) || priority !== (priority | 0)) {
    throw failAttach(request, `"${request.target}" does not end in a priority`, 'a whole number of 32 bits, like "ipv4:local_in:-100"');
  }
  const subject = `netfilter ${family}:${name}:${priority}`;
  const link = linkCreate({ progFd: request.progFd, attachType: AttachType.NETFILTER, detail: { kind: 'netfilter', pf, hooknum, priority }, subject });
  return new DescriptorLink(subject, [link]);
}
