/**
 * Which processors there are. Source: Documentation/admin-guide/cputopology.rst (lists like `0-3,8`).
 */
import { readFileSync } from 'node:fs';
import { UnsupportedError } from '../errors.js';

const FOLDER = '/sys/devices/system/cpu';
const LIST = /^(\d+)(?:-(\d+))?$/;

/** `0-2,5` → [0, 1, 2, 5]; an empty list → []. @throws Error where the text is no such list */
export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.trim().split(',').filter(Boolean)) {
    const match = LIST.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    // 8192 is the most any kernel is built for (CONFIG_NR_CPUS)
    if (!match || last < first || last >= 8192) throw new UnsupportedError(`a processor list that reads "${part}"`, '', 'expected N or N-M');
    for (let cpu = first; cpu <= last; cpu++) cpus.push(cpu);
  }
  return cpus;
}

let possible: number | undefined;

/** How many values a per-CPU map element has: the highest possible processor plus one. It cannot change while the kernel runs. */
export function possibleCpus(): number {
  return possible ??= Math.max(...parseCpuList(readFileSync(`${FOLDER}/possible`, 'latin1'))) + 1;
}

/** The processors that run now. */
export function onlineCpus(): number[] {
  return parseCpuList(readFileSync(`${FOLDER}/online`, 'latin1'));
}
