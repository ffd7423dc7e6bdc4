/**
 * Attaches to control groups of version 2: a link (Linux 5.7), else BPF_PROG_ATTACH with BPF_F_ALLOW_MULTI.
 * Source: kernel/bpf/cgroup.c, Linux 6.18.
 */
import { closeSync, openSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { SyscallError, UnsupportedError } from '../../errors.js';
import { linkCreate, progAttach, progDetach } from '../../kernel/bpf.js';
import { Errno } from '../../kernel/errno.js';
import { AttachType } from '../../uapi.js';
import { didYouMean } from '../../kernel/near.js';
import { DescriptorLink, failAttach, needsTarget, type AttachRequest, type Link } from './link.js';

/** several programs on one cgroup */
const BPF_F_ALLOW_MULTI = 2;

/** The target is a cgroup's path, absolute or below the mount of the version 2 hierarchy. */
export function attachCgroup(request: AttachRequest): Link {
  if (request.target === undefined) throw needsTarget(request);
  const path = resolveCgroup(request, request.target);
  const { progFd } = request;
  // `cgroup/skb` says no direction: egress is number 1, and 0, ingress, is what the program was loaded with
  const attachType = request.attachType || AttachType.CGROUP_INET_INGRESS;
  const subject = `cgroup "${path}"`;
  const description = `${request.section.prefix} ${path}`;
  const dir = openSync(path, 'r');
  try {
    try {
      return new DescriptorLink(description, [linkCreate({ progFd, target: dir, attachType, subject })]);
    } catch (error) {
      if (!(error instanceof SyscallError) || error.errno !== Errno.EINVAL || attachType === AttachType.LSM_CGROUP) throw error;
    }
    progAttach({ target: dir, progFd, attachType, flags: BPF_F_ALLOW_MULTI, subject });
    return new DescriptorLink(description, [], [() => detach(path, progFd, attachType)]);
  } finally {
    closeSync(dir);
  }
}

function detach(path: string, progFd: number, attachType: number): void {
  const dir = openSync(path, 'r');
  try {
    progDetach({ target: dir, progFd, attachType });
  } finally {
    closeSync(dir);
  }
}

/** Where the version 2 hierarchy is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified beside version 1. */
export function cgroupMount(): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const fields = line.split(' ');
    const dash = fields.indexOf('-');
    if (dash > 0 && fields[dash + 1] === 'cgroup2' && fields[4] !== undefined) return fields[4];
  }
  return undefined;
}

/** The folder of a cgroup. @throws AttachError, UnsupportedError */
export function resolveCgroup(request: AttachRequest, target: string): string {
  const mount = cgroupMount();
  if (mount === undefined) throw new UnsupportedError('attaching to a cgroup', '4.10', 'no version 2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup');
  const path = isAbsolute(target) ? target : join(mount, target);
  let isFolder = false;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    throw failAttach(request, `no cgroup "${path}"`, nearFolders(path) || `the version 2 hierarchy is mounted at ${mount}`);
  }
  if (!isFolder) throw failAttach(request, `"${path}" is not a folder`, `needs the path of a cgroup below ${mount}`);
  if (path !== mount && !path.startsWith(`${mount}/`)) throw failAttach(request, `"${path}" is not in the version 2 hierarchy`, `that is mounted at ${mount}`);
  return path;
}

function nearFolders(path: string): string {
  try {
    return didYouMean(basename(path), readdirSync(dirname(path), { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => e.name));
  } catch {
    return '';
  }
}
