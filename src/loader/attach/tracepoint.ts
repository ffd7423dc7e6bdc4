/**
 * Attaches to tracepoints by category and name, through a perf event of the id that tracefs tells.
 * Source: Documentation/trace/events.rst, Linux 6.18.
 */
import { UsageError } from '../../errors.js';
import { PerfType, perfEventOpen } from '../../kernel/perf-event.js';
import { Tracefs } from '../../kernel/tracefs.js';
import { DescriptorLink, failAttach, targetOf, type AttachRequest, type Link } from './link.js';
import { runOnEvent } from './perf.js';

/** `tp/sched/sched_switch`; the target is `sched:sched_switch` or `sched/sched_switch`. */
export function attachTracepoint(request: AttachRequest): Link {
  const [category, name, ...rest] = targetOf(request).replace(/^(tp|tracepoint)\//, '').split(/[:/]/);
  if (!category || !name || rest.length > 0) throw failAttach(request, `"${targetOf(request)}" is no tracepoint`, 'needs "category:name" like "sched:sched_process_exec"');
  const subject = `tracepoint ${category}:${name}`;
  const id = tracepointId(request, category, name);
  const event = perfEventOpen({ type: PerfType.TRACEPOINT, config: BigInt(id) }, -1, 0, -1, undefined, subject);
  return new DescriptorLink(subject, runOnEvent(request.progFd, event, subject));
}

function tracepointId(request: AttachRequest, category: string, name: string): number {
  const tracefs = Tracefs.open();
  try {
    return tracefs.tracepointId(category, name);
  } catch (error) {
    if (error instanceof UsageError) throw failAttach(request, error.message, '', error);
    throw error;
  } finally {
    tracefs.close();
  }
}
