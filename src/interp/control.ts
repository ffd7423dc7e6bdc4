/**
 * Executions: calls that stop where they are told to, are looked at, and run on (engine.ts). The machine does the running (run.ts);
 * this keeps what belongs to one call between two stops.
 */
import { UsageError } from '../errors.js';
import type { Fiber } from './boundary.js';
import type { Breakpoint, Execution, ExecutionOptions, Frame, HostReferences, Stop, TypedValue, Value } from './engine.js';
import type { WasmFunc } from './func.js';
import type { WasmInstance } from './instance.js';
import { C } from './lower-table.js';
import type { Place } from './machine-plain.js';
import { plainFunction } from './plain.js';
import { runner, type Drive, type Stopped } from './run.js';
import { Sites, type Site } from './site.js';
import type { Snapshot } from './snapshot.js';
import { take } from './snapshot-take.js';
import type { ValType } from './types.js';

export class WasmExecution implements Execution {
  results: readonly Value[] | undefined;
  #steps: number;
  #state: 'stopped' | 'running' | 'ended' = 'stopped';

  constructor(readonly instance: WasmInstance, readonly fiber: Fiber, steps = 0) {
    this.#steps = steps;
  }

  get steps(): number {
    return this.#steps;
  }

  async run({ fuel, breakpoints = [], depth, hostCalls = false, traps = false, signal }: ExecutionOptions = {}): Promise<Stop> {
    this.#checkStopped();
    const counted = fuel !== undefined || breakpoints.length > 0 || depth !== undefined || hostCalls || traps;
    if (fuel !== undefined && !(fuel >= 0)) throw new UsageError(`fuel of ${fuel} instructions`);
    const budget = counted ? Math.min(fuel ?? Infinity, Number.MAX_SAFE_INTEGER) : undefined;
    // each frame is two words of the call stack
    const drive: Drive = { budget, spStop: depth === undefined ? -1 : 2 * (depth + 1), traps, hosts: hostCalls, signal };
    const marks = breakpoints.map((breakpoint) => this.#position(breakpoint));
    this.#state = 'running';
    let ended = true;
    try {
      for (const pc of marks) mark(this.instance, pc, 1);
      const why = await runner.drive(this.fiber, drive);
      ended = why === 'done';
      return this.#stop(why);
    } finally {
      for (const pc of marks) mark(this.instance, pc, -1);
      this.#state = ended ? 'ended' : 'stopped';
      if (budget !== undefined) this.#steps += budget - drive.budget!;
    }
  }

  step(count = 1): Promise<Stop> {
    return this.run({ fuel: count });
  }

  frames(): readonly Frame[] {
    this.#checkStopped();
    const sites = new Sites();
    return runner.inspect(this.fiber, (places) => places.map((place) => frameOf(place, sites.of(place))));
  }

  snapshot(references?: HostReferences): Snapshot {
    this.#checkStopped();
    return runner.inspect(this.fiber, (places) => {
      // what has been counted already and will be carried out again: a call of a host function, an instruction that traps
      const again = places[0].behind || this.fiber.held !== undefined;
      return take(this.instance, places, Math.max(0, this.#steps - (again ? 1 : 0)), references);
    });
  }

  #stop(why: Stopped): Stop {
    switch (why) {
      case 'done': return { reason: 'done', results: this.results = this.fiber.results! };
      case 'trap': return { reason: 'trap', error: this.fiber.held! };
      case 'budget': return { reason: 'fuel' };
      case 'break': return { reason: 'breakpoint' };
      case 'host': return { reason: 'host call' };
      default: return { reason: why };
    }
  }

  #checkStopped(): void {
    if (this.#state !== 'stopped') throw new UsageError(this.#state === 'running' ? 'the call is running' : 'the call has ended');
  }

  /** Where plain code has the breakpoint. */
  #position({ func, offset }: Breakpoint): number {
    const { code, module } = this.instance;
    if (!(func >= module.imported.func && func < module.funcs.length)) throw new UsageError(`breakpoint in function ${func}, which the module does not define`);
    const plain = plainFunction(code, func);
    const pc = offset === undefined ? plain.first : plain.at(offset);
    if (pc === undefined) throw new UsageError(`breakpoint at ${offset} of function ${func}, where no instruction begins that can be reached`);
    return pc;
  }
}

/** How many calls want to stop at each position of one module's code. */
const marked = new WeakMap<object, Map<number, number>>();

function mark({ code }: WasmInstance, pc: number, by: 1 | -1): void {
  let counts = marked.get(code);
  if (!counts) marked.set(code, counts = new Map());
  const n = (counts.get(pc) ?? 0) + by;
  counts.set(pc, n);
  code.words[pc] = n > 0 ? C.stepBreak : C.step;
}

/** A call of a guest function that stands before its first instruction. */
export function begin(instance: WasmInstance, func: WasmFunc, args: readonly Value[]): WasmExecution {
  if (func.instance !== instance) throw new UsageError(`function "${func.name ?? func.index}" is not of this instance`);
  return new WasmExecution(instance, runner.prepare(func, args));
}

function frameOf({ inst, fp }: Place, { func, offset, slots: { locals, operands } }: Site): Frame {
  const typed = (types: readonly ValType[], at: number): TypedValue[] => types.map((type, i) => ({ type, value: runner.read(type, at + i, false) }));
  return { instance: inst, func, name: inst.nameOf(func), offset, locals: typed(locals, fp), operands: typed(operands, fp + locals.length) };
}
