/**
 * Attaches to functions of programs and libraries: one place through the uprobe PMU, else through tracefs (before Linux 4.17);
 * many places by pattern through one link (Linux 6.6). Every process that runs the file is traced.
 * Source: kernel/trace/trace_uprobe.c and kernel/trace/bpf_trace.c, Linux 6.18.
 */
import { UnsupportedError } from '../../errors.js';
import { linkCreate } from '../../kernel/bpf.js';
import { perfEventOpen, pmuType, retprobeBit } from '../../kernel/perf-event.js';
import { AttachType, MULTI_RETURN } from '../../uapi.js';
import { findBinary, functionOffset, matchingOffsets } from './binary.js';
import { DescriptorLink, failAttach, targetOf, type AttachRequest, type Link } from './link.js';
import { runOnEvent } from './perf.js';
import { openTraceEvent } from './trace-event.js';

/** `path:function`, `path:function+offset`, `path:0x1234` (an offset in the file) */
export function attachUprobe(request: AttachRequest): Link {
  const target = targetOf(request);
  const { path, place } = splitTarget(request, target);
  const offset = placeOffset(request, path, place);
  const returns = request.section.returns;
  const subject = `${returns ? 'uretprobe' : 'uprobe'} ${path}:${place}`;
  let type: number;
  try {
    type = pmuType('uprobe');
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    const { event, remove } = openTraceEvent('uprobe', returns, `${path}:0x${offset.toString(16)}`, subject, error);
    try {
      return new DescriptorLink(subject, runOnEvent(request.progFd, event, subject), [], undefined, [remove]);
    } catch (failure) {
      remove();
      throw failure;
    }
  }
  const config = returns ? 1n << BigInt(retprobeBit('uprobe')) : 0n;
  const event = perfEventOpen({ type, config, config1: path, config2: BigInt(offset) }, -1, 0, -1, undefined, subject);
  return new DescriptorLink(subject, runOnEvent(request.progFd, event, subject));
}

/** `path:pattern`; every function whose name matches. */
export function attachUprobeMulti(request: AttachRequest): Link {
  const { path, place } = splitTarget(request, targetOf(request));
  const offsets = /[*?]/.test(place)
    ? matchingOffsets(path, place, (reason, wayOut) => failAttach(request, reason, wayOut))
    : [placeOffset(request, path, place)];
  const subject = `${request.section.prefix} ${path}:${place} (${offsets.length} places)`;
  const session = request.attachType === AttachType.TRACE_UPROBE_SESSION;
  const link = linkCreate({
    progFd: request.progFd,
    attachType: request.attachType,
    detail: { kind: 'uprobeMulti', path, offsets: offsets.map(BigInt), flags: request.section.returns && !session ? MULTI_RETURN : 0 },
    subject,
  });
  return new DescriptorLink(subject, [link]);
}

function splitTarget(request: AttachRequest, target: string): { path: string; place: string } {
  const colon = target.indexOf(':');
  const file = target.slice(0, colon);
  const place = target.slice(colon + 1);
  if (colon <= 0 || place === '') throw failAttach(request, `"${target}" names no function`, 'needs "path:function+offset" like "libc.so.6:malloc"');
  return { path: findBinary(file, (reason, wayOut) => failAttach(request, reason, wayOut)), place };
}

const NUMBER = '0x[0-9a-fA-F]{1,12}|[0-9]{1,15}';
const OFFSET_ONLY = new RegExp(`^(${NUMBER})$`);
const WITH_OFFSET = new RegExp(`^(.*)\\+(${NUMBER})$`);

function placeOffset(request: AttachRequest, path: string, place: string): number {
  const only = OFFSET_ONLY.exec(place);
  if (only) return Number(only[1]);
  const plus = WITH_OFFSET.exec(place);
  if (plus && request.section.returns) throw failAttach(request, `"${place}" is not a function's start`, 'a return probe takes no offset');
  const name = plus ? plus[1] : place;
  return functionOffset(path, name, (reason, wayOut) => failAttach(request, reason, wayOut)) + (plus ? Number(plus[2]) : 0);
}
