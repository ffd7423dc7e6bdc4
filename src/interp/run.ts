/**
 * Runs calls: begins them, lets the interpreter and compiled code take turns, in slices between which the event loop and other
 * calls have theirs, and keeps what a call has on the machine while another one uses it. What one instruction does is in core.ts
 * and cold.ts; frames, host functions and errors are in the machine-*.ts.
 */
import { ExhaustedError } from '../errors.js';
import type { Fiber, Saved } from './boundary.js';
import { RETURN_BASE } from './code.js';
import { makeCold } from './cold.js';
import { makeCore } from './core.js';
import type { RunOptions, Value } from './engine.js';
import { DONE, FILES, FUEL, MAX_DEPTH, TIER, WAIT } from './files.js';
import type { WasmFunc } from './func.js';
import type { WasmInstance } from './instance.js';
import { left } from './jit/unwinding.js';
import { CompiledMachine } from './machine-compiled.js';
import { checkArgs } from './values.js';
import { vectorFunctions } from './vector.js';
import { ABORTED, FIRST_SLICE, MAX_SLICE, SLICE_MS, adapt, giveWay, interrupted, now, settle } from './wait.js';

/** `callSync` within a host function within `callSync` …: each level takes room on the V8 stack */
const MAX_NESTED = 100;

const { I32: R32, L32, S32, CS } = FILES;

export class Runner extends CompiledMachine {
  /** the call whose frames are on the machine while nothing runs */
  #fiber: Fiber | undefined;
  protected readonly cold = makeCold(this);
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
      ? { inst: this.inst, pc: this.pc, fp: this.fp, sp: this.sp, spLimit: this.spLimit, fuel: this.fuel, exit: this.exit, top: this.top, inHost: this.inHost }
      : undefined;
    if (!outer) this.#occupy(undefined);
    const base = this.boundaries.length;
    const refs = this.refs.length;
    try {
      this.#begin(caller, func, args, raw, base);
      const tier = func.instance?.tier;
      let slice = tier ? tier.slice : FIRST_SLICE;
      while (this.exit !== DONE) {
        if (this.exit === WAIT) this.refuseToWait(base);
        else this.#step(slice, base);
        if (slice < MAX_SLICE) slice *= 2;
        if (tier) tier.slice = slice;
      }
      return this.result;
    } finally {
      this.boundaries.length = base;
      if (this.refs.length > refs) this.refs.length = refs;
      if (outer) {
        this.pc = outer.pc; this.fp = outer.fp; this.sp = outer.sp; this.spLimit = outer.spLimit; this.fuel = outer.fuel; this.exit = outer.exit;
        this.top = outer.top; this.inHost = outer.inHost;
        if (outer.inst) this.enter(outer.inst);
      } else {
        this.#clear();
      }
    }
  }

  async call(caller: WasmInstance, func: WasmFunc, args: readonly Value[], { signal }: RunOptions = {}): Promise<Value[]> {
    checkArgs(func, args, false);
    // a host function that is on the V8 stack has to leave it first
    while (this.active > 0) await undefined;
    const fiber: Fiber = { saved: undefined };
    this.#occupy(fiber);
    try {
      if (signal?.aborted) throw interrupted(signal);
      this.#begin(caller, func, args, false, 0);
      let slice = FIRST_SLICE;
      let since = now();
      let interruptedWait = false;
      for (;;) {
        if (this.exit === DONE) return this.result;
        if (this.exit === WAIT) {
          const settled = await settle(this.wait!, interruptedWait ? undefined : signal);
          this.#occupy(fiber);
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
          this.#occupy(fiber);
          since = now();
        }
        if (signal?.aborted) this.guard(0, () => { throw interrupted(signal); });
      }
    } finally {
      if (this.#fiber === fiber) {
        this.#fiber = undefined;
        this.#clear();
      }
    }
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
      const tier = this.roomAt(this.fp) >= 0 ? this.inst.tier : undefined;
      const cell = left.interpret ? undefined : tier?.entryAt(this.pc);
      left.interpret = false;
      if (cell) {
        this.enterCompiled(cell);
      } else {
        const total = this.fuel;
        const { pc } = this, granted = tier ? Math.min(total, tier.patience(pc)) : total;
        this.fuel = granted;
        try {
          this.#core();
        } finally {
          tier?.spent(pc, granted - this.fuel);
          this.fuel += total - granted;
        }
        if (this.exit === TIER) this.exit = FUEL;
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
  // ---- more than one call

  /** Puts `fiber` on the machine; what another one has there is kept with it. */
  #occupy(fiber: Fiber | undefined): void {
    const other = this.#fiber;
    if (other === fiber && fiber) return;
    if (other) other.saved = this.#save();
    this.#fiber = fiber;
    this.#clear();
    if (fiber?.saved) this.#restore(fiber.saved);
    if (fiber) fiber.saved = undefined;
  }

  #save(): Saved {
    const boundary = this.boundaries[this.boundaries.length - 1];
    let top = 0;
    if (boundary) {
      top = this.exit === WAIT && boundary.kind === 'host' ? boundary.top
        : this.sp > 0 ? this.fp + this.inst.code.frameSizeAt(this.pc) : 0;
    }
    const { pc, fp, sp, spLimit, exit, inst } = this;
    return {
      low: R32.slice(0, top), wide: L32.slice(0, 2 * top), vectors: S32.slice(0, 4 * top), refs: this.refs.slice(0, top), stack: CS.slice(0, sp), boundaries: [...this.boundaries],
      pc, fp, sp, spLimit, exit, inst, wait: this.wait,
    };
  }

  #restore(saved: Saved): void {
    R32.set(saved.low);
    L32.set(saved.wide);
    S32.set(saved.vectors);
    CS.set(saved.stack);
    for (const ref of saved.refs) this.refs.push(ref);
    this.boundaries.push(...saved.boundaries);
    this.pc = saved.pc; this.fp = saved.fp; this.sp = saved.sp; this.spLimit = saved.spLimit; this.exit = saved.exit; this.wait = saved.wait;
    if (saved.inst) this.enter(saved.inst);
  }

  #clear(): void {
    this.boundaries.length = 0;
    this.refs.length = 0;
    this.sp = 0;
    this.fp = 0;
    this.exit = FUEL;
    this.top = 0;
    this.inHost = false;
    this.wait = undefined;
  }
}

/** The thread's machine: one, because its arrays are constants of the compiled loop (files.ts). */
export const runner = new Runner();
