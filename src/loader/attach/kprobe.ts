/**
 * Attaches to kernel functions: one through the kprobe PMU, else through tracefs (before Linux 4.17); many by pattern through
 * one link (Linux 5.18). System calls by name take the entry function of this processor.
 * Source: Documentation/trace/kprobetrace.rst, kernel/trace/bpf_trace.c, Linux 6.18.
 */
import { readFileSync } from 'node:fs';
import { SyscallError, UnsupportedError } from '../../errors.js';
import { linkCreate } from '../../kernel/bpf.js';
import { Errno } from '../../kernel/errno.js';
import { feature } from '../../kernel/features.js';
import { hasSymbol, symbols } from '../../kernel/kallsyms.js';
import { perfEventOpen, pmuType, retprobeBit } from '../../kernel/perf-event.js';
import { Tracefs } from '../../kernel/tracefs.js';
import { AttachType, MULTI_RETURN } from '../../uapi.js';
import { didYouMean } from '../../kernel/near.js';
import { globToRegExp } from './binary.js';
import { DescriptorLink, failAttach, targetOf, type AttachRequest, type Link } from './link.js';
import { runOnEvent } from './perf.js';
import { openTraceEvent } from './trace-event.js';

/** `name` or `name+offset` */
export function attachKprobe(request: AttachRequest): Link {
  const target = targetOf(request);
  const match = /^([A-Za-z0-9_.$]+)(?:\+(0x[0-9a-fA-F]{1,8}|[0-9]{1,10}))?$/.exec(target);
  if (!match) throw failAttach(request, `"${target}" is no kernel function`, 'needs "name" or "name+offset"');
  const offset = Number(match[2] ?? 0);
  if (offset !== 0 && request.section.returns) throw failAttach(request, `"${target}" is not a function's start`, 'a return probe takes no offset');
  return probe(request, match[1], offset);
}

/** What a system call's entry function is called, by processor; kernels before 4.17 have no such prefix. */
const WRAPPERS: Readonly<Partial<Record<NodeJS.Architecture, string>>> = { x64: '__x64_sys_', arm64: '__arm64_sys_' };

/** `openat` */
export function attachKsyscall(request: AttachRequest): Link {
  const name = targetOf(request);
  if (!/^\w+$/.test(name)) throw failAttach(request, `"${name}" is no system call`, 'needs a name like "openat"');
  const wrapper = WRAPPERS[process.arch];
  const prefix = wrapper !== undefined && feature('syscallWrapper') ? wrapper : '__se_sys_';
  return probe(request, `${prefix}${name}`, 0);
}

function probe(request: AttachRequest, name: string, offset: number): Link {
  const returns = request.section.returns;
  const place = `${name}${offset ? `+0x${offset.toString(16)}` : ''}`;
  const subject = `${returns ? 'kretprobe' : 'kprobe'} ${place}`;
  try {
    let type: number;
    try {
      type = pmuType('kprobe');
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      const { event, remove } = openTraceEvent('kprobe', returns, place, subject, error);
      try {
        return new DescriptorLink(subject, runOnEvent(request.progFd, event, subject), [], undefined, [remove]);
      } catch (failure) {
        remove();
        throw failure;
      }
    }
    const config = returns ? 1n << BigInt(retprobeBit('kprobe')) : 0n;
    const event = perfEventOpen({ type, config, config1: name, config2: BigInt(offset) }, -1, 0, -1, undefined, subject);
    return new DescriptorLink(subject, runOnEvent(request.progFd, event, subject));
  } catch (error) {
    const unknown = error instanceof SyscallError && (error.errno === Errno.ENOENT || error.errno === Errno.EINVAL);
    if (unknown && !hasSymbol(name)) throw failAttach(request, `no kernel function "${name}"`, didYouMean(name, functions()), error);
    throw error;
  }
}

/** A pattern with `*` and `?`, over the functions that the kernel can trace. */
export function attachKprobeMulti(request: AttachRequest): Link {
  const pattern = targetOf(request);
  const { section, progFd, attachType } = request;
  if (!feature('kprobeMulti')) throw new UnsupportedError(`section "${section.prefix}"`, section.since, 'the kernel needs CONFIG_FPROBE');
  const regexp = globToRegExp(pattern);
  const syms = [...new Set(traceable())].filter((name) => regexp.test(name));
  const subject = `${section.prefix} ${pattern} (${syms.length} functions)`;
  if (syms.length === 0) throw failAttach(request, `no traceable kernel function matches "${pattern}"`);
  const session = attachType === AttachType.TRACE_KPROBE_SESSION;
  const link = linkCreate({ progFd, attachType, detail: { kind: 'kprobeMulti', syms, flags: section.returns && !session ? MULTI_RETURN : 0 }, subject });
  return new DescriptorLink(subject, [link]);
}

/** Names of kernel functions, modules included. */
function* functions(): Generator<string> {
  for (const symbol of symbols()) if (symbol.type === 't' || symbol.type === 'T') yield symbol.name;
}

/** Those of them that ftrace has a hook in; all of them where tracefs does not list any. */
function traceable(): Iterable<string> {
  const tracefs = Tracefs.open();
  try {
    const text = readFileSync(`${tracefs.root}/available_filter_functions`, 'latin1');
    return text.split('\n').map((line) => line.split(' ', 1)[0]).filter(Boolean);
  } catch {
    return functions();
  } finally {
    tracefs.close();
  }
}
