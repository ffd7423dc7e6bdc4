/**
 * Runs calls: begins them, lets the interpreter and compiled code take turns, in slices between which the event loop and other
 * calls have theirs. What one instruction does is in core.ts and cold.ts; frames, host functions and errors are in the machine-*.ts.
 */
import { ExhaustedError, UsageError } from '../errors.js';
import type { Fiber } from './boundary.js';
import { RETURN_BASE } from './code.js';
import { makeCold } from './cold.js';
import { makeCore } from './core.js';
import type { RunOptions, Value } from './engine.js';
import { BREAK, DONE, FILES, FUEL, MAX_DEPTH, SLOTS, TIER, WAIT } from './files.js';
import type { WasmFunc } from './func.js';
import { isFused, makeFused } from './fuse-core.js';
import type { WasmInstance } from './instance.js';
import { left } from './jit/unwinding.js';
import { C } from './lower-table.js';
import { FiberMachine } from './machine-fibers.js';
import type { Place } from './machine-plain.js';
import { plainFunction } from './plain.js';
import { checkArgs } from './values.js';
import { vectorFunctions } from './vector.js';
import { ABORTED, FIRST_SLICE, MAX_SLICE, SLICE_MS, adapt, giveWay, interrupted, now, settle } from './wait.js';

/** `callSync` within a host function within `callSync` …: each level takes room on the V8 stack */
const MAX_NESTED = 100;

const { CS } = FILES;

/** instructions at once, so that their number is a small integer for V8 */
const MAX_BUDGET = 2 ** 30 - 1;

/** How a call is run. */
export interface Drive {
  /** instructions that it may still carry out; undefined: as fast as it goes, and without stopping for anything but the signal */
  budget: number | undefined;
  /** it stops before an instruction where the call stack is not higher than so many words */
  readonly spStop: number;
  readonly traps: boolean;
  readonly hosts: boolean;
  signal: AbortSignal | undefined;
}
/** Why it has stopped. */
export type Stopped = 'done' | 'budget' | 'break' | 'host' | 'depth' | 'trap' | 'signal';

export class Runner extends FiberMachine {
  protected readonly cold = makeCold(this);
  readonly #fused = makeFused(this, this.cold);
  readonly #core = makeCore(FILES, this, this.cold, vectorFunctions(FILES));
  /** to be called once, when a guest has used up its first slice */
  trainer: (() => void) | undefined;
  /** calls and back-edges of a slice at most: a test that wants guests suspended often sets it low */
  maxSlice = MAX_SLICE;
  #slices = 0;

  /** @param raw i32 and f32 as numbers of 32 bits, i64 and f64 as bigints of 64 bits, in and out */
  callSync(caller: WasmInstance, func: WasmFunc, args: readonly Value[], raw = false): Value[] {
    checkArgs(func, args, raw);
    if (this.active > MAX_NESTED) throw new ExhaustedError('call stack exhausted', `${MAX_NESTED} host functions within each other`);
    const outer = this.active > 0
      ? { inst: this.inst, pc: this.pc, fp: this.fp, sp: this.sp, spLimit: this.spLimit, fuel: this.fuel, exit: this.exit, top: this.top, inHost: this.inHost, plain: this.plain, budget: this.budget, spStop: this.spStop }
      : undefined;
    if (outer) this.goFast();
    else this.occupy(undefined);
    const base = this.boundaries.length;
    const refs = this.refs.length;
    try {
      this.#begin(caller, func, args, raw, base);
      let slice = FIRST_SLICE;
      while (this.exit !== DONE) {
        if (this.exit === WAIT) this.refuseToWait(base);
        else this.#step(slice, base);
        if (slice < MAX_SLICE) slice *= 2;
      }
      return this.result;
    } finally {
      this.boundaries.length = base;
      if (this.refs.length > refs) this.refs.length = refs;
      if (outer) {
        this.pc = outer.pc; this.fp = outer.fp; this.sp = outer.sp; this.spLimit = outer.spLimit; this.fuel = outer.fuel; this.exit = outer.exit;
        this.top = outer.top; this.inHost = outer.inHost; this.plain = outer.plain; this.budget = outer.budget; this.spStop = outer.spStop;
        if (outer.inst) this.enter(outer.inst);
      } else {
        this.clear();
      }
    }
  }

  async call(caller: WasmInstance, func: WasmFunc, args: readonly Value[], { signal, fuel }: RunOptions = {}): Promise<Value[]> {
    checkArgs(func, args, false);
    // a host function that is on the V8 stack has to leave it first
    while (this.active > 0) await undefined;
    const fiber: Fiber = { saved: undefined, plain: fuel !== undefined, held: undefined };
    this.occupy(fiber);
    try {
      if (signal?.aborted) throw interrupted(signal);
      this.#begin(caller, func, args, false, 0);
      if (fuel !== undefined) return await this.#callWithFuel(fiber, fuel, signal);
      let slice = FIRST_SLICE;
      let since = now();
      let interruptedWait = false;
      for (;;) {
        if (this.exit === DONE) return this.result;
        if (this.exit === WAIT) {
          const settled = await settle(this.wait!, interruptedWait ? undefined : signal);
          this.occupy(fiber);
          if (settled === ABORTED) {
            interruptedWait = true;
            this.guard(0, () => { throw interrupted(signal!); });
          } else {
            this.settled(settled, 0);
          }
          since = now();
          continue;
        }
        const start = now();
        this.#step(slice, 0);
        const end = now();
        if (this.exit !== FUEL) continue;
        slice = adapt(slice, end - start);
        if (end - since >= SLICE_MS / 2) {
          await giveWay();
          this.occupy(fiber);
          since = now();
        }
        if (signal?.aborted) this.guard(0, () => { throw interrupted(signal); });
      }
    } finally {
      this.leave(fiber);
    }
  }

  async #callWithFuel(fiber: Fiber, fuel: number, signal: AbortSignal | undefined): Promise<Value[]> {
    const drive: Drive = { budget: fuel, spStop: -1, traps: false, hosts: false, signal };
    for (;;) {
      const why = await this.drive(fiber, drive);
      if (why === 'done') return [...fiber.results!];
      this.occupy(fiber);
      this.exit = FUEL;
      // a generator of the host may catch it, and go on: with what is left of the fuel, and no signal
      this.guard(0, () => { throw why === 'signal' ? interrupted(signal!) : new ExhaustedError('fuel exhausted', `${fuel} instructions`); });
      drive.signal = undefined;
    }
  }

  // ---- calls that can be stopped

  /** A call that has not begun to run. @throws ExhaustedError where there is no room for its frame */
  prepare(func: WasmFunc, args: readonly Value[]): Fiber {
    checkArgs(func, args, false);
    this.#checkIdle();
    const fiber: Fiber = { saved: undefined, plain: true, held: undefined };
    this.occupy(fiber);
    try {
      this.#begin(func.instance!, func, args, false, 0);
    } catch (error) {
      this.leave(fiber);
      throw error;
    }
    return fiber;
  }

  /**
   * Runs a call until it is done, or what it is to stop for: then it is before an instruction of plain code, or waits for a host
   * function, where it stops for the signal only.
   * @throws what the call throws, which ends it
   */
  async drive(fiber: Fiber, how: Drive): Promise<Stopped> {
    while (this.active > 0) await undefined;
    this.occupy(fiber);
    let ended = true;
    try {
      const why = await this.#drive(fiber, how);
      ended = why === 'done';
      return why;
    } finally {
      if (ended) this.leave(fiber);
    }
  }

  async #drive(fiber: Fiber, how: Drive): Promise<Stopped> {
    const { signal } = how;
    const fast = how.budget === undefined;
    // code may have been made since it stopped
    if (this.sp > 0) this.enter(this.inst);
    fiber.plain = this.plain = !fast;
    this.passHost = fiber.atHost ?? false;
    fiber.atHost = false;
    let first = true;
    let slice = FIRST_SLICE;
    let since = now();
    for (;;) {
      if (this.exit === DONE) {
        fiber.results = this.result;
        return 'done';
      }
      if (this.exit === WAIT) {
        const settled = await settle(this.wait!, signal);
        this.occupy(fiber);
        if (settled === ABORTED) {
          this.toPlain();
          return 'signal';
        }
        this.settled(settled, 0);
        first = false;
        since = now();
        continue;
      }
      if (signal?.aborted) {
        if (fast) this.#stopFast(fiber);
        if (this.exit !== FUEL) continue;
        return 'signal';
      }
      const start = now();
      if (fast) this.#step(slice, 0);
      else {
        const why = this.#stepPlain(fiber, how, slice, first);
        if (why) return why;
        first = false;
      }
      if (this.exit !== FUEL) continue;
      const end = now();
      slice = adapt(slice, end - start);
      if (end - since >= SLICE_MS / 2) {
        await giveWay();
        this.occupy(fiber);
        since = now();
      }
    }
  }

  /** Runs plain code for a slice. @returns why it has stopped; undefined where it is to go on */
  #stepPlain(fiber: Fiber, how: Drive, slice: number, first: boolean): Stopped | undefined {
    const granted = Math.min(how.budget!, MAX_BUDGET);
    this.budget = granted;
    this.spStop = how.spStop;
    this.fuel = Math.min(slice, this.maxSlice);
    this.holdsTraps = how.traps;
    this.hostStops = how.hosts;
    try {
      if (fiber.held) {
        const { held } = fiber;
        fiber.held = undefined;
        this.holdsTraps = false;
        this.guard(0, () => { throw held; });
      } else {
        // it has stopped before this instruction already
        if (first && granted > 0 && this.#atStep()) {
          this.budget--;
          this.pc++;
        }
        this.guard(0, this.#core);
      }
    } finally {
      how.budget! -= granted - Math.max(this.budget, 0);
      this.spStop = -1;
      this.holdsTraps = this.hostStops = false;
    }
    if (this.held) {
      fiber.held = this.held;
      this.held = undefined;
      return 'trap';
    }
    if (this.exit === BREAK) {
      this.exit = FUEL;
      if (this.#atStep()) return 'break';
      // the call of the host function has been counted, and is still to be made
      how.budget!++;
      fiber.atHost = true;
      const { code } = this.inst;
      this.pc = plainFunction(code, code.functionAt(this.pc)).at(code.offsetAt(this.pc))!;
      this.enter(this.inst);
      return 'host';
    }
    if (this.exit !== FUEL) return undefined;
    if (this.budget < 0) return how.budget! > 0 ? undefined : 'budget';
    return this.sp <= how.spStop && this.#atStep() ? 'depth' : undefined;
  }

  /** Whether the machine is before an instruction of plain code. */
  #atStep(): boolean {
    const op = this.code[this.pc] & 0xfff;
    return op === C.step || op === C.stepBreak;
  }

  /** Brings a call that runs in fast code to an instruction of plain code, unless it is done or waits by then. */
  #stopFast(fiber: Fiber): void {
    while (this.exit === FUEL && !this.toPlain()) this.#step(0, 0);
    if (this.exit !== FUEL) return;
    fiber.plain = this.plain = true;
    while (this.exit === FUEL && !this.#atStep()) {
      this.budget = 0;
      this.fuel = MAX_SLICE;
      this.guard(0, this.#core);
      if (this.exit as number === BREAK) this.exit = FUEL;
    }
    fiber.plain = this.plain = false;
  }

  #checkIdle(): void {
    if (this.active > 0) throw new UsageError('only `run` and `step` of an execution wait until the host function that is running has returned');
  }

  /** Looks at a call that has stopped. */
  inspect<T>(fiber: Fiber, look: (places: readonly Place[]) => T): T {
    this.#checkIdle();
    this.occupy(fiber);
    return look(this.places());
  }

  /** Puts a call together whose frames `build` makes, the outermost first, each with `addFrame`. */
  rebuild(inst: WasmInstance, outermost: WasmFunc, build: () => void): Fiber {
    this.#checkIdle();
    const fiber: Fiber = { saved: undefined, plain: true, held: undefined };
    this.occupy(fiber);
    try {
      this.boundaries.push({ kind: 'base', sp: 0, at: 0, type: outermost.type, raw: false });
      this.spLimit = Math.min(2 * inst.limits.callDepth, CS.length - 2);
      build();
      this.enter(inst);
    } catch (error) {
      this.leave(fiber);
      throw error;
    }
    return fiber;
  }

  /** A frame on top of the others. @param at position in its function @param fp its first slot */
  addFrame(inst: WasmInstance, at: number, fp: number): void {
    const { code } = inst;
    if (this.sp >= this.spLimit || fp + code.frameSizeAt(at) > SLOTS) throw this.exhausted(this.sp, fp);
    CS[this.sp] = this.sp === 0 ? RETURN_BASE : this.pc;
    CS[this.sp + 1] = this.fp;
    this.sp += 2;
    this.pc = at;
    this.fp = fp;
  }

  // ---- beginning

  #begin(caller: WasmInstance, func: WasmFunc, args: readonly Value[], raw: boolean, base: number): void {
    const top = this.active > 0 ? this.top : 0;
    if (this.active === 0) this.sp = 0;
    this.exit = FUEL;
    this.boundaries.push({ kind: 'base', sp: this.sp, at: top, type: func.type, raw });
    this.pc = RETURN_BASE;
    const depth = func.instance?.limits.callDepth ?? MAX_DEPTH;
    this.spLimit = Math.min(2 * depth, CS.length - 2);
    if (func.host) {
      const { host, type } = func;
      this.guard(base, () => this.callHost(host, type, args, caller, top));
      return;
    }
    this.guard(base, () => this.push(func, RETURN_BASE, top, args, raw));
  }
  #step(fuel: number, base: number): void {
    if (this.trainer && this.#slices++ > 0) this.#train(this.trainer);
    this.fuel = Math.min(fuel, this.maxSlice);
    this.guard(base, this.#run);
  }

  /** Runs compiled code where there is some, and the interpreter elsewhere, until the fuel is spent or `exit` is set. */
  readonly #run = (): void => {
    for (;;) {
      const tier = !this.plain && this.roomAt(this.fp) >= 0 ? this.inst.tier : undefined;
      const cell = left.interpret ? undefined : tier?.entryAt(this.pc);
      left.interpret = false;
      if (cell) {
        this.enterCompiled(cell);
      } else {
        const total = this.fuel;
        const { pc } = this, watch = this.plain ? undefined : tier ?? this.inst.code.watch, granted = watch ? Math.min(total, watch.patience(pc)) : total;
        this.fuel = granted;
        try {
          if (isFused(this.code[this.pc])) this.#fused();
          else this.#core();
        } finally {
          tier?.spent(pc, granted - this.fuel);
          if (!tier && watch && this.fuel < 0) this.inst.code.watch?.spent(this.pc);
          this.fuel += total - granted;
        }
        if (this.exit === TIER) this.exit = FUEL;
        else if (this.exit === BREAK || this.budget < 0) {
          this.exit = FUEL;
          this.budget = 0;
          this.leavePlain();
        }
      }
      if (this.exit !== FUEL || this.fuel < 0) return;
    }
  };
  #train(trainer: () => void): void {
    this.trainer = undefined;
    this.active++;
    const outer = this.top;
    this.top = this.fp + this.inst.code.frameSizeAt(this.pc);
    try {
      trainer();
    } finally {
      this.top = outer;
      this.active--;
    }
  }
}

/** The thread's machine: one, because its arrays are constants of the compiled loop (files.ts). */
export const runner = new Runner();
