/** Attaches infrared decoders to a /dev/lircN. Source: drivers/media/rc/bpf-lirc.c, Linux 6.18 (BPF_PROG_ATTACH only). */
import { closeSync, openSync } from 'node:fs';
import { progAttach, progDetach } from '../../kernel/bpf.js';
import { DescriptorLink, failAttach, needsTarget, type AttachRequest, type Link } from './link.js';

/** The target is the device's path. */
export function attachLirc(request: AttachRequest): Link {
  const { progFd, attachType, target: path } = request;
  if (path === undefined) throw needsTarget(request);
  const open = () => {
    try {
      return openSync(path, 'r');
    } catch (error) {
      throw failAttach(request, `no device "${path}": ${(error as NodeJS.ErrnoException).code}`);
    }
  };
  const withDevice = (run: (target: number) => void) => {
    const device = open();
    try {
      run(device);
    } finally {
      closeSync(device);
    }
  };
  withDevice((target) => progAttach({ target, progFd, attachType, subject: `device "${path}"` }));
  return new DescriptorLink(`lirc ${path}`, [], [() => withDevice((target) => progDetach({ target, progFd, attachType }))]);
}
