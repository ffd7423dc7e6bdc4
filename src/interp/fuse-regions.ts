/**
 * Divides a function's register code into regions: stretches of instructions that are fused into one (fuse-text.ts). The loop
 * comes to a region only at its first instruction, and leaves it anywhere: so one begins where a function, a loop, and what
 * follows a call does, and where another region branches to. Knows no texts.
 */
import type { ModuleCode } from './code.js';
import { coreOp } from './core-ops.js';
import { coreOps, type CoreOp } from './core-table.js';
import { boundariesOf } from './lower.js';

/** A register instruction at its place. */
export interface Step {
  readonly at: number;
  /** its first word, which may be a fused instruction's by now */
  readonly w0: number;
  readonly next: number;
  readonly op: CoreOp;
  /** slots below this one may be read from here on, and behind the instruction, but for its result */
  readonly live: number;
  readonly after: number;
  /** where it may go to, besides what follows */
  readonly targets: readonly number[];
}

export interface Region {
  readonly start: number;
  readonly steps: readonly Step[];
  /** position behind its last instruction, and the slots in use there */
  readonly end: number;
  readonly live: number;
}

/** longer regions than so many instructions are divided */
const MAX_STEPS = 400;

/** times that regions are divided where branches cross them */
const MAX_ROUNDS = 20;

const BR_TABLE = coreOp('br_table');

/** Instructions that no region has. */
function isBarrier({ name, format }: CoreOp): boolean {
  return format === 'cold' || name === 'return_call' || name === 'memory.use';
}

/** Whether what follows is not reached from it. */
export function isEnd({ name }: CoreOp): boolean {
  return name === 'br' || name === 'br_table' || name.startsWith('return');
}

/** The instructions of a function that has been lowered, and is not fused yet. */
export function stepsOf(code: ModuleCode, index: number): Step[] {
  const entry = code.entry(index);
  const { words } = code;
  const { at, live, after } = boundariesOf(code, index);
  const end = code.end(index);
  const steps: Step[] = [];
  for (let i = 1; i < at.length; i++) {
    const from = entry + at[i], next = i + 1 < at.length ? entry + at[i + 1] : end;
    const op = coreOps()[words[from] & 0xfff];
    steps.push({ at: from, w0: words[from], next, op, live: live[i], after: after[i], targets: targetsOf(words, from, next, op) });
  }
  return steps;
}

function targetsOf(words: Int32Array, at: number, next: number, { name }: CoreOp): number[] {
  if (!name.startsWith('br')) return [];
  if ((words[at] & 0xfff) === BR_TABLE) return Array.from(words.subarray(at + 2, next), (by) => at + by);
  return [at + words[next - 1]];
}

/** @param catches positions at which the function goes on with what it catches */
export function regionsOf(steps: readonly Step[], catches: readonly number[]): Region[] {
  const starts = new Set(catches);
  let length = 0;
  steps.forEach(({ at, next, op, targets }, i) => {
    if (i === 0 || length >= MAX_STEPS) starts.add(at);
    length = starts.has(at) ? 1 : length + 1;
    if (isBarrier(op) || op.name.startsWith('call')) {
      starts.add(next);
      if (isBarrier(op)) starts.add(at);
    }
    for (const target of targets) if (target <= at) starts.add(target);
  });
  // a branch to where no region begins is right, but slow
  for (let i = 0; i < MAX_ROUNDS && addCrossed(steps, starts); i++);
  const regions: Region[] = [];
  let own: Step[] = [];
  steps.forEach((step, i) => {
    if (isBarrier(step.op)) return;
    own.push(step);
    const following = steps[i + 1];
    if (following && !starts.has(following.at)) return;
    // what does not fit there is the common loop's business, which has to find the instruction as it is
    if (own[0].op.name !== 'call_indirect') regions.push({ start: own[0].at, steps: own, end: step.next, live: following ? following.live : 0 });
    own = [];
  });
  return regions;
}

/** Makes regions begin where branches go from one to the middle of another. @returns whether there were such */
function addCrossed(steps: readonly Step[], starts: Set<number>): boolean {
  const before = starts.size;
  /** position -> its region's start */
  const regionAt = new Map<number, number>();
  let region = 0;
  for (const { at } of steps) regionAt.set(at, region = starts.has(at) ? at : region);
  for (const { at, targets } of steps) for (const target of targets) if (regionAt.get(at) !== regionAt.get(target)) starts.add(target);
  return starts.size > before;
}
