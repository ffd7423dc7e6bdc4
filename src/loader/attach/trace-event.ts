/**
 * Probe events written into tracefs: how kprobes and uprobes are made on kernels before 4.17, which have no PMU for them.
 * Source: Documentation/trace/kprobetrace.rst and uprobetracer.rst, Linux 6.18.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { UnsupportedError } from '../../errors.js';
import type { Fd } from '../../kernel/fd.js';
import { PerfType, perfEventOpen } from '../../kernel/perf-event.js';
import { Tracefs } from '../../kernel/tracefs.js';

let made = 0;

/**
 * Makes an event that only this process knows.
 * @param place `do_unlinkat+0x10`, `/bin/bash:0x1234`
 * @param missing thrown where the kernel has no such events either
 * @returns the event, and what takes its definition away again, to be called after the event is closed
 */
export function openTraceEvent(kind: 'kprobe' | 'uprobe', returns: boolean, place: string, subject: string, missing: UnsupportedError): { event: Fd; remove: () => void } {
  const tracefs = Tracefs.open();
  const group = `${kind}s`;
  const name = `wasm_bpf_${process.pid}_${made++}`;
  const file = `${tracefs.root}/${kind}_events`;
  const remove = () => {
    const again = Tracefs.open();
    try {
      appendFileSync(`${again.root}/${kind}_events`, `-:${group}/${name}\n`);
    } finally {
      again.close();
    }
  };
  try {
    if (!existsSync(file)) throw missing;
    appendFileSync(file, `${returns ? 'r' : 'p'}:${group}/${name} ${place}\n`);
    try {
      const id = BigInt(readFileSync(`${tracefs.root}/events/${group}/${name}/id`, 'latin1').trim());
      return { event: perfEventOpen({ type: PerfType.TRACEPOINT, config: id }, -1, 0, -1, undefined, subject), remove };
    } catch (error) {
      remove();
      throw error;
    }
  } finally {
    tracefs.close();
  }
}
