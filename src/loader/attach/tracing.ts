/**
 * Attaches programs that the kernel binds to a function or tracepoint by itself: raw tracepoints, and programs that were
 * loaded with a BTF id (tp_btf, fentry, fexit, fmod_ret, fsession, LSM, freplace).
 * Source: bpf_raw_tracepoint_open and bpf_tracing_prog_attach in kernel/bpf/syscall.c, Linux 6.18.
 */
import { SyscallError } from '../../errors.js';
import { linkCreate, rawTracepointOpen } from '../../kernel/bpf.js';
import { Errno } from '../../kernel/errno.js';
import { AttachType } from '../../uapi.js';
import { vmlinuxBtf } from '../../kernel/vmlinux.js';
import { didYouMean } from '../names.js';
import { DescriptorLink, failAttach, targetOf, type AttachRequest, type Link } from './link.js';

/** `raw_tp/sched_switch`; the target is the tracepoint's name, a category before it is dropped. */
export function attachRawTracepoint(request: AttachRequest): Link {
  const name = targetOf(request).replace(/^.*[:/]/, '');
  const description = `raw tracepoint ${name}`;
  try {
    return new DescriptorLink(description, [rawTracepointOpen({ name, progFd: request.progFd, subject: description })]);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === Errno.ENOENT) throw failAttach(request, `no raw tracepoint "${name}"`, didYouMean(name, rawTracepointNames()), error);
    throw error;
  }
}

const TYPEDEF = 'btf_trace_';

/** Names of the raw tracepoints that the kernel's BTF describes. */
function* rawTracepointNames(): Generator<string> {
  let btf;
  try {
    btf = vmlinuxBtf();
  } catch {
    return;
  }
  for (let id = 1; id < btf.length; id++) {
    if (btf.kind(id) === 'typedef' && btf.name(id).startsWith(TYPEDEF)) yield btf.name(id).slice(TYPEDEF.length);
  }
}

/** The function or tracepoint was fixed when the program was loaded; another target than the section's is refused. */
export function attachTrace(request: AttachRequest): Link {
  const { section, target, progFd } = request;
  if (target !== undefined && target !== section.argument) {
    throw failAttach(request, `target "${target}" is not the section's "${section.argument}"`, 'programs of this section are bound to a function when they are loaded: change the section name');
  }
  const description = `${section.prefix} ${section.argument}`;
  return new DescriptorLink(description, [openTracing(request, description)]);

  function openTracing({ attachType }: AttachRequest, subject: string) {
    // kernels before 5.15 attach these with the older command only, and both give a link
    if (attachType === AttachType.TRACE_FSESSION) return linkCreate({ progFd, attachType, subject });
    return rawTracepointOpen({ progFd, subject });
  }
}
