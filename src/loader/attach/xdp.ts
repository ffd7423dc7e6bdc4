/**
 * Attaches XDP programs to an interface: a link (Linux 5.9), else netlink. The driver's own mode where it has one, else the
 * generic mode, unless the target says which. Source: net/core/dev.c and include/uapi/linux/if_link.h, Linux 6.18.
 */
import { SyscallError } from '../../errors.js';
import { linkCreate, progInfo } from '../../kernel/bpf.js';
import { Errno } from '../../kernel/errno.js';
import { feature } from '../../kernel/features.js';
import { xdpQuery, xdpSet } from '../../kernel/netlink.js';
import { AttachType, XdpFlag } from '../../uapi.js';
import { findInterface } from './interface.js';
import { DescriptorLink, failAttach, needsTarget, type AttachRequest, type Link } from './link.js';

const MODES: Readonly<Record<string, number>> = { native: XdpFlag.DRV_MODE, generic: XdpFlag.SKB_MODE, offload: XdpFlag.HW_MODE };

/** `eth0`, `eth0:native`, `eth0:generic` */
export function attachXdp(request: AttachRequest): Link {
  if (request.target === undefined) throw needsTarget(request);
  const [name, mode = '', ...rest] = request.target.split(':');
  const flags = mode === '' ? 0 : MODES[mode];
  if (flags === undefined || rest.length > 0) throw failAttach(request, `unknown mode "${mode}" in target "${request.target}"`, `one of ${Object.keys(MODES).join(', ')}, or none to let the kernel choose`);
  const ifindex = findInterface(request, name);
  const { progFd } = request;
  const subject = `xdp ${name}${mode && ` (${mode})`}`;
  try {
    if (feature('xdpLink')) {
      return new DescriptorLink(subject, [linkCreate({ progFd, target: ifindex, attachType: AttachType.XDP, flags, subject })]);
    }
    xdpSet(ifindex, progFd, flags | XdpFlag.UPDATE_IF_NOEXIST);
  } catch (error) {
    if (error instanceof SyscallError && (error.errno === Errno.EBUSY || error.errno === Errno.EEXIST)) {
      throw failAttach(request, `interface "${name}" has an XDP program already (id ${xdpQuery(ifindex).progId})`, 'detach that one first: ip link set dev NAME xdp off, or end the program that holds its link', error);
    }
    throw error;
  }
  const { id } = progInfo(progFd);
  return new DescriptorLink(subject, [], [() => {
    // somebody else's program stays
    if (xdpQuery(ifindex).progId === id) xdpSet(ifindex, -1, flags);
  }]);
}
