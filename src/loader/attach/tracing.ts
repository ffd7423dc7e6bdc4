/**
 * Attaches programs that the kernel binds to a function or tracepoint by itself: raw tracepoints, and programs that were
 * loaded with a BTF id (tp_btf, fentry, fexit, fmod_ret, fsession, LSM, freplace).
 * Source: bpf_raw_tracepoint_open and bpf_tracing_prog_attach in kernel/bpf/syscall.c, Linux 6.18.
 */
import { SyscallError, UnsupportedError } from '../../errors.js';
import { linkCreate, rawTracepointOpen } from '../../kernel/bpf.js';
import { Errno } from '../../kernel/errno.js';
import { didYouMean } from '../../kernel/near.js';
import { kernelAtLeast } from '../../kernel/release.js';
import { AttachType } from '../../uapi.js';
import { DescriptorLink, failAttach, targetOf, type AttachRequest, type Link } from './link.js';

/** `raw_tp/sched_switch`; the target is the tracepoint's name, a category before it is dropped. */
export function attachRawTracepoint(request: AttachRequest): Link {
  const name = targetOf(request).replace(/^.*[:/]/, '');
  const description = `raw tracepoint ${name}`;
  try {
    return new DescriptorLink(description, [rawTracepointOpen({ name, progFd: request.progFd, subject: description })]);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === Errno.ENOENT) throw failAttach(request, `no raw tracepoint "${name}"`, didYouMean(name, request.rawTracepoints()), error);
    throw error;
  }
}

/** The function or tracepoint was fixed when the program was loaded; another target than the section's is refused. */
export function attachTrace(request: AttachRequest): Link {
  const { section, target, progFd, attachType } = request;
  if (target !== undefined && target !== section.argument) {
    throw failAttach(request, `target "${target}" is not the section's "${section.argument}"`, 'programs of this section are bound to a function when they are loaded: change the section name');
  }
  const subject = `${section.prefix} ${section.argument}`;
  // the older command works on every kernel, and gives a link too; sessions came after it
  try {
    const link = attachType === AttachType.TRACE_FSESSION ? linkCreate({ progFd, attachType, subject }) : rawTracepointOpen({ progFd, subject });
    return new DescriptorLink(subject, [link]);
  } catch (error) {
    // such kernels forget at the first detaching what the program was loaded for
    const forgot = error instanceof SyscallError && error.errno === Errno.ENOENT && !kernelAtLeast('5.13');
    throw forgot ? new UnsupportedError(`attaching ${subject} a second time`, '5.13', 'load the object again') : error;
  }
}

/** The program takes the place of the function that it was loaded for. */
export function attachFreplace(request: AttachRequest): Link {
  const subject = `freplace ${request.section.argument}`;
  return new DescriptorLink(subject, [rawTracepointOpen({ progFd: request.progFd, subject })]);
}
