/**
 * Drives the interpreter's loop: begins calls, enters host functions and takes their results (values, promises, generators),
 * unwinds, gives way to the event loop. Guest calls host calls guest … is one Wasm stack, whatever its depth: the V8 stack
 * does not grow with it, except where a host function calls `callSync` itself. What one instruction does is in core.ts and cold.ts.
 */
import { ExhaustedError, GuestException, Interrupted, Trap, UsageError, type WasmFrame } from '../errors.js';
import type { Boundary, Fiber, Host, Saved } from './boundary.js';
import { RETURN_BASE, RETURN_CROSS, RETURN_HOST } from './code.js';
import { makeCold } from './cold.js';
import { makeCore } from './core.js';
import type { GuestCall, HostFunc, HostResult, RunOptions, Value } from './engine.js';
import { WasmException } from './exception.js';
import { DONE, FILES, FUEL, MAX_DEPTH, SLOTS, TIER, WAIT } from './files.js';
import type { WasmFunc } from './func.js';
import type { WasmInstance } from './instance.js';
import { arrive } from './jit/arrive.js';
import { callCell, type Cell } from './jit/tier.js';
import { compiledFrames } from './jit/trace.js';
import { FUEL_LEFT, forget, left, stop } from './jit/unwinding.js';
import { HEADER } from './lower.js';
import { ValueMachine } from './machine-values.js';
import { toRaw } from './raw.js';
import { I32, type FuncType } from './types.js';
import { checkArgs, hostValues } from './values.js';
import { ABORTED, FIRST_SLICE, MAX_SLICE, SLICE_MS, adapt, giveWay, interrupted, isGenerator, isLater, isPromise, now, settle, type Settled } from './wait.js';
import { vectorFunctions } from './vector.js';

/** what a call of a host function costs of a slice: it takes as long as about so many back-edges */
const HOST_CALL = 500;
/** the same from compiled code, which is quicker */
const COMPILED_HOST_CALL = 40;
/** `callSync` within a host function within `callSync` …: each level takes room on the V8 stack */
const MAX_NESTED = 100;
/** of a stack trace, each end; the middle of a deep recursion is left out */
const TRACE_FRAMES = 100;
/** Room for compiled functions on the stack of JavaScript, of 984 KB, in units of 128 bytes (emit.ts). */
const ROOM = 3600;
/** what a host function that compiled code calls takes of it */
const HOST_ROOM = 40;
/** slots of frames that one unit of room stands for (emit.ts) */
const ROOM_SLOTS = 16;
/** of the text of an error's stack */
const STACK_LINES = 12;

const { I32: R32, L32, I64: R64, S32, CS } = FILES;

const ONE_NUMBER: FuncType = { params: [], results: [I32] };

export class Runner extends ValueMachine {
  readonly #boundaries: Boundary[] = [];
  /** the call whose frames are on the machine while nothing runs */
  #fiber: Fiber | undefined;
  /** how many times the loop, or a host function, is on the V8 stack */
  #active = 0;
  #inHost = false;
  /** first slot that a call from within the running host function may use */
  #top = 0;
  #wait: Promise<unknown> | undefined;
  #result: Value[] = [];
  readonly #cold = makeCold(this);
  readonly #core = makeCore(FILES, this, this.#cold, vectorFunctions(FILES));
  /** what is left for compiled functions of the stack of JavaScript */
  #room = ROOM;
  /** the stack of JavaScript at an error in compiled code, which is above the machine's frames, and the instance that it entered */
  #above: string | undefined;
  /** to be called once, when a guest has used up its first slice */
  trainer: (() => void) | undefined;
  /** calls and back-edges of a slice at most: a test that wants guests suspended often sets it low */
  maxSlice = MAX_SLICE;
  #slices = 0;

  /** @param raw i32 and f32 as numbers of 32 bits, i64 and f64 as bigints of 64 bits, in and out */
  callSync(caller: WasmInstance, func: WasmFunc, args: readonly Value[], raw = false): Value[] {
    checkArgs(func, args, raw);
    if (this.#active > MAX_NESTED) throw new ExhaustedError('call stack exhausted', `${MAX_NESTED} host functions within each other`);
    const outer = this.#active > 0
      ? { inst: this.inst, pc: this.pc, fp: this.fp, sp: this.sp, spLimit: this.spLimit, fuel: this.fuel, exit: this.exit, top: this.#top, inHost: this.#inHost }
      : undefined;
    if (!outer) this.#occupy(undefined);
    const base = this.#boundaries.length;
    const refs = this.refs.length;
    try {
      this.#begin(caller, func, args, raw, base);
      const tier = func.instance?.tier;
      let slice = tier ? tier.slice : FIRST_SLICE;
      while (this.exit !== DONE) {
        if (this.exit === WAIT) this.#refuseToWait(base);
        else this.#step(slice, base);
        if (slice < MAX_SLICE) slice *= 2;
        if (tier) tier.slice = slice;
      }
      return this.#result;
    } finally {
      this.#boundaries.length = base;
      if (this.refs.length > refs) this.refs.length = refs;
      if (outer) {
        this.pc = outer.pc; this.fp = outer.fp; this.sp = outer.sp; this.spLimit = outer.spLimit; this.fuel = outer.fuel; this.exit = outer.exit;
        this.#top = outer.top; this.#inHost = outer.inHost;
        if (outer.inst) this.enter(outer.inst);
      } else {
        this.#clear();
      }
    }
  }

  async call(caller: WasmInstance, func: WasmFunc, args: readonly Value[], { signal }: RunOptions = {}): Promise<Value[]> {
    checkArgs(func, args, false);
    // a host function that is on the V8 stack has to leave it first
    while (this.#active > 0) await undefined;
    const fiber: Fiber = { saved: undefined };
    this.#occupy(fiber);
    try {
      if (signal?.aborted) throw interrupted(signal);
      this.#begin(caller, func, args, false, 0);
      let slice = FIRST_SLICE;
      let since = now();
      let interruptedWait = false;
      for (;;) {
        if (this.exit === DONE) return this.#result;
        if (this.exit === WAIT) {
          const settled = await settle(this.#wait!, interruptedWait ? undefined : signal);
          this.#occupy(fiber);
          if (settled === ABORTED) {
            interruptedWait = true;
            this.#guard(0, () => { throw interrupted(signal!); });
          } else {
            this.#settled(settled, 0);
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
        if (signal?.aborted) this.#guard(0, () => { throw interrupted(signal); });
      }
    } finally {
      if (this.#fiber === fiber) {
        this.#fiber = undefined;
        this.#clear();
      }
    }
  }

  // ---- for cold.ts

  /** Calls a function that is only known now: arguments and results at `slot` of the caller's frame. */
  callFunc(func: WasmFunc, slot: number, words: number): void {
    if (func.instance !== this.inst) {
      this.callAcross(func, slot, words);
      return;
    }
    this.fuel--;
    this.#push(func, this.pc + words, this.fp + slot);
  }

  /**
   * Calls a function in place of the running one, in whose first slots the arguments are. One of the host is simply called, and
   * the `return` behind the instruction follows.
   */
  callInPlace(func: WasmFunc, words: number): void {
    if (func.host) {
      this.callAcross(func, 0, words);
      return;
    }
    this.fuel--;
    const { sp, inst } = this;
    if (func.instance !== inst && CS[sp - 2] > RETURN_HOST) {
      this.#boundaries.push({ kind: 'cross', sp: sp - 2, inst, pc: CS[sp - 2], fp: CS[sp - 1] });
      CS[sp - 2] = RETURN_CROSS;
    }
    this.#frame(func, this.fp);
  }

  /** Calls an imported function, or one of another instance: arguments and results at `slot` of the caller's frame. */
  callAcross(func: WasmFunc, slot: number, words: number): void {
    const { inst, pc, fp } = this;
    const top = fp + slot;
    const { host, type } = func;
    if (!host) {
      const boundary: Boundary = { kind: 'cross', sp: this.sp, inst, pc: pc + words, fp };
      this.#push(func, RETURN_CROSS, top);
      this.#boundaries.push(boundary);
      return;
    }
    const args = new Array<Value>(type.params.length);
    for (let i = 0; i < args.length; i++) args[i] = this.read(type.params[i], top + i, false);
    const above = top + Math.max(type.params.length, type.results.length);
    const result = this.#enterHost(host, inst, args, above);
    if (!isLater(result)) {
      this.write(type, top, result as Value | void | readonly Value[], host);
      this.pc = pc + words;
      this.enter(inst);
      return;
    }
    this.#later(result, { kind: 'host', sp: this.sp, host, type, guest: { inst, pc: pc + words, fp }, base: top, top: above });
  }

  /** The function that the base, another instance, or a generator called has returned. Its results are where its frame began. */
  returned(kind: 'base' | 'cross' | 'host'): void {
    const boundaries = this.#boundaries;
    const boundary = boundaries[boundaries.length - 1];
    if (boundary.kind === 'base') {
      this.#result = this.readAll(boundary.type.results, boundary.at, boundary.raw);
      boundaries.pop();
      this.exit = DONE;
    } else if (boundary.kind === 'cross') {
      boundaries.pop();
      this.pc = boundary.pc;
      this.fp = boundary.fp;
      this.enter(boundary.inst);
    } else {
      const { callee } = boundary;
      if (!callee) throw new Error(`bug: ${kind} return without a callee`);
      boundary.callee = undefined;
      this.#advance(boundary, 'next', this.readAll(callee.results, boundary.top, false));
    }
  }

  /** Calls a function of the running instance that may be compiled. */
  callOwn(func: WasmFunc, slot: number, words: number): void {
    this.#push(func, this.pc + words, this.fp + slot);
    this.fuel--;
    this.exit = TIER;
  }

  /** Waits for a number, the result of the running instruction, at `slot` of the frame; its operands are there, at most three. */
  waitFor(promise: Promise<number>, name: string, slot: number, words: number): void {
    const { inst, pc, fp } = this;
    const host: HostFunc = { kind: 'host', name, type: ONE_NUMBER, run: () => undefined };
    this.#later(promise, { kind: 'host', sp: this.sp, host, type: host.type, guest: { inst, pc: pc + words, fp }, base: fp + slot, top: fp + slot + 3 });
  }

  // ---- for compiled code

  /** Carries out the register instruction at `pc` on a frame of compiled code. */
  carryOut(inst: WasmInstance, pc: number, fp: number): void {
    const outer = { inst: this.inst, pc: this.pc, fp: this.fp };
    this.enter(inst);
    this.pc = pc;
    this.fp = fp;
    this.#cold(this.code[pc]);
    this.pc = outer.pc;
    this.fp = outer.fp;
    if (outer.inst !== inst) this.enter(outer.inst);
  }

  /**
   * Calls a host function whose arguments are at `top`, and the results go there. A generator's calls of compiled functions
   * run at once; where something has to wait, or the interpreter to run, the frames are told to leave.
   * @param room of the stack of JavaScript
   */
  hostFromCompiled(func: WasmFunc, inst: WasmInstance, top: number, room: number): void {
    const { type } = func;
    const host = func.host!;
    const args = new Array<Value>(type.params.length);
    for (let i = 0; i < args.length; i++) args[i] = this.read(type.params[i], top + i, false);
    const above = top + Math.max(type.params.length, type.results.length);
    const outer = this.#room;
    this.#room = room - HOST_ROOM;
    try {
      const result = this.#hostAbove(host, inst, args, above);
      if (!isLater(result)) this.write(type, top, result as Value | void | readonly Value[], host);
      else if (isGenerator(result)) this.#generatorAbove({ kind: 'host', host, type, generator: result, base: top, top: above, callee: undefined }, inst);
      else this.#waitAbove(result, { kind: 'host', host, type, generator: undefined, base: top, top: above, callee: undefined });
    } finally {
      this.#room = outer;
    }
  }

  /** Runs the host's own code above compiled frames. */
  #hostAbove(host: HostFunc, inst: WasmInstance, args: readonly Value[], top: number): HostResult {
    this.fuel = FUEL_LEFT[0] + HOST_CALL - COMPILED_HOST_CALL;
    try {
      return this.#enterHost(host, inst, args, top);
    } catch (error) {
      this.#traceAbove(error);
      throw error;
    } finally {
      FUEL_LEFT[0] = Math.max(this.fuel, -1);
    }
  }

  #waitAbove(promise: Promise<unknown>, host: Omit<Host, 'sp' | 'guest'>): void {
    left.frames.push({ kind: 'host', host, byGuest: true });
    left.wait = promise;
    stop();
  }

  /** Goes on with a generator whose caller's frames are compiled ones, until it is done, or everything has to leave. */
  #generatorAbove(boundary: Omit<Host, 'sp' | 'guest'>, inst: WasmInstance): void {
    const { top, type, host } = boundary;
    const generator = boundary.generator!;
    let mode: 'next' | 'throw' = 'next';
    let value: unknown = undefined;
    for (;;) {
      const outer = this.#top;
      this.#top = top;
      this.#inHost = true;
      this.fuel = FUEL_LEFT[0];
      let step;
      try {
        step = mode === 'next' ? generator.next(value) : generator.throw(value);
      } catch (error) {
        this.#traceAbove(error);
        throw error;
      } finally {
        FUEL_LEFT[0] = this.fuel;
      }
      this.#inHost = false;
      this.#top = outer;
      mode = 'next';
      if (step.done) {
        this.write(type, boundary.base, step.value as Value | void | readonly Value[], host);
        return;
      }
      const wanted = step.value;
      if (isPromise(wanted)) return this.#waitAbove(wanted, boundary);
      try {
        const func = wanted.func as WasmFunc;
        checkArgs(func, wanted.args, false);
        if (func.host) {
          const result = this.#hostAbove(func.host, inst, wanted.args, top);
          if (isLater(result)) {
            const nested = isGenerator(result) ? result : undefined;
            left.frames.push({ kind: 'host', host: { kind: 'host', host: func.host, type: func.type, generator: nested, base: top, top, callee: undefined }, byGuest: false });
            if (nested) left.advance = true;
            else left.wait = result as Promise<unknown>;
            left.frames.push({ kind: 'host', host: boundary, byGuest: true });
            return stop();
          }
          value = hostValues(func.type, result as Value | void | readonly Value[], func.host);
          continue;
        }
        const { params, results } = func.type;
        for (let i = 0; i < params.length; i++) this.store(params[i], top + i, wanted.args[i], false);
        if (func.cell && FUEL_LEFT[0] >= 0 && this.#room >= 0) callCell(func.cell, top, this.#room);
        else {
          left.frames.push({ kind: 'begin', inst: func.instance!, pc: func.index, fp: top });
          stop();
        }
        if (FUEL_LEFT[0] < 0) {
          left.frames.push({ kind: 'host', host: { ...boundary, callee: func.type }, byGuest: true });
          return;
        }
        value = this.readAll(results, top, false);
      } catch (error) {
        const translated = this.#inHost ? error : translate(error, this);
        this.#inHost = false;
        forget();
        this.#traceAbove(translated, stackOf(error));
        mode = 'throw';
        value = translated;
      }
    }
  }

  /** Puts the Wasm stack on a Trap that passes through compiled frames which are on the stack of JavaScript. */
  #traceAbove(error: unknown, stack?: string): void {
    if (!(error instanceof Trap || error instanceof Interrupted) || error.stackFrames.length > 0) return;
    this.#above = stack ?? stackOf(new Error());
    this.#trace(error);
  }

  // ---- beginning

  #begin(caller: WasmInstance, func: WasmFunc, args: readonly Value[], raw: boolean, base: number): void {
    const top = this.#active > 0 ? this.#top : 0;
    if (this.#active === 0) this.sp = 0;
    this.exit = FUEL;
    this.#boundaries.push({ kind: 'base', sp: this.sp, at: top, type: func.type, raw });
    this.pc = RETURN_BASE;
    const depth = func.instance?.limits.callDepth ?? MAX_DEPTH;
    this.spLimit = Math.min(2 * depth, CS.length - 2);
    if (func.host) {
      const { host, type } = func;
      this.#guard(base, () => this.#callHost(host, type, args, caller, top));
      return;
    }
    this.#guard(base, () => this.#push(func, RETURN_BASE, top, args, raw));
  }

  /** Makes a frame for a guest function; its arguments are `args`, or already at `top`. */
  #push(func: WasmFunc, marker: number, top: number, args?: readonly Value[], raw = false): void {
    if (this.sp >= this.spLimit) throw this.exhausted(this.sp, top);
    const caller = this.fp;
    this.#frame(func, top, args, raw);
    CS[this.sp] = marker;
    CS[this.sp + 1] = caller;
    this.sp += 2;
  }

  #frame(func: WasmFunc, top: number, args?: readonly Value[], raw = false): void {
    const inst = func.instance!;
    const entry = inst.code.entry(func.index);
    const { words } = inst.code;
    if (top + words[entry] > SLOTS) throw this.exhausted(this.sp, top);
    if (args) func.type.params.forEach((type, i) => this.store(type, top + i, args[i], raw));
    const end = top + words[entry + 2];
    R32.fill(0, top + words[entry + 1], end);
    R64.fill(0n, top + words[entry + 1], end);
    this.fp = top;
    this.pc = entry + HEADER;
    this.enter(inst);
  }

  #step(fuel: number, base: number): void {
    if (this.trainer && this.#slices++ > 0) this.#train(this.trainer);
    this.fuel = Math.min(fuel, this.maxSlice);
    this.#guard(base, this.#run);
  }

  /** Runs compiled code where there is some, and the interpreter elsewhere, until the fuel is spent or `exit` is set. */
  readonly #run = (): void => {
    for (;;) {
      const tier = this.#roomAt(this.fp) >= 0 ? this.inst.tier : undefined;
      const cell = left.interpret ? undefined : tier?.entryAt(this.pc);
      left.interpret = false;
      if (cell) {
        this.#enterCompiled(cell);
      } else {
        const total = this.fuel;
        const granted = tier ? Math.min(total, tier.patience(this.pc)) : total;
        this.fuel = granted;
        try {
          this.#core();
        } finally {
          this.fuel += total - granted;
        }
        if (this.exit === TIER) this.exit = FUEL;
      }
      if (this.exit !== FUEL || this.fuel < 0) return;
    }
  };

  /** For the compiled function whose frame begins at `fp`: of the stack of JavaScript, of the call depth, and of the slots. */
  #roomAt(fp: number): number {
    return Math.min(this.#room, (this.spLimit - this.sp) >> 1, Math.floor((SLOTS - fp) / ROOM_SLOTS) - 1);
  }

  /** Runs a compiled function on the frame that is there, to its end or until it leaves. */
  #enterCompiled(cell: Cell): void {
    const { inst } = this;
    const limit = Error.stackTraceLimit;
    FUEL_LEFT[0] = this.fuel;
    Error.stackTraceLimit = Infinity;
    try {
      callCell(cell, this.fp, this.#roomAt(this.fp));
    } catch (error) {
      this.inst = inst;
      forget();
      if (!this.#inHost) this.#above = stackOf(error);
      throw error;
    } finally {
      Error.stackTraceLimit = limit;
      this.fuel = FUEL_LEFT[0];
    }
    if (this.fuel >= 0) {
      this.sp -= 2;
      this.pc = CS[this.sp];
      this.fp = CS[this.sp + 1];
      this.enter(inst);
      return;
    }
    const { wait, advance } = left;
    this.fuel = left.fuel;
    left.fuel = -1;
    left.wait = undefined;
    left.advance = false;
    arrive(this, this.#boundaries);
    if (wait) {
      this.#wait = wait;
      this.exit = WAIT;
    } else if (advance) {
      this.#advance(this.#boundaries[this.#boundaries.length - 1] as Host, 'next', undefined);
    }
  }

  #train(trainer: () => void): void {
    this.trainer = undefined;
    this.#active++;
    const outer = this.#top;
    this.#top = this.fp + this.inst.code.frameSizeAt(this.pc);
    try {
      trainer();
    } finally {
      this.#top = outer;
      this.#active--;
    }
  }

  /** Runs what may throw; unwinds where it does. @throws what no generator on the way to `base` catches */
  #guard(base: number, run: () => void): void {
    this.#active++;
    try {
      run();
    } catch (error) {
      this.#unwind(error, base);
    } finally {
      this.#active--;
    }
  }

  // ---- host functions

  /** Runs the host's own code. What it throws passes through unchanged, which `#inHost` tells. */
  #enterHost(host: HostFunc, caller: WasmInstance, args: readonly Value[], top: number): HostResult {
    const outer = this.#top;
    this.#top = top;
    this.#inHost = true;
    this.fuel -= HOST_CALL;
    const result = host.run(caller, args);
    this.#inHost = false;
    this.#top = outer;
    return result;
  }

  /** A host function that the base or a generator calls: nothing of it is in a frame. */
  #callHost(host: HostFunc, type: FuncType, args: readonly Value[], caller: WasmInstance, top: number): void {
    const result = this.#enterHost(host, caller, args, top);
    if (isLater(result)) this.#later(result, { kind: 'host', sp: this.sp, host, type, guest: undefined, base: top, top });
    else this.#deliver(hostValues(type, result as Value | void | readonly Value[], host));
  }

  #later(result: Promise<unknown> | Generator<GuestCall | Promise<unknown>, unknown, unknown>, host: Omit<Host, 'generator' | 'callee'>): void {
    const generator = isGenerator(result) ? result : undefined;
    // no spread: an object made by one is slow to make, and slow to read
    const { kind, sp, type, guest, base, top } = host;
    const boundary: Host = { kind, sp, host: host.host, type, generator, guest, base, top, callee: undefined };
    this.#boundaries.push(boundary);
    if (generator) {
      this.#advance(boundary, 'next', undefined);
    } else {
      this.#wait = result as Promise<unknown>;
      this.exit = WAIT;
    }
  }

  /** Results of a host function that a generator or the base called, to the boundary that is now topmost. */
  #deliver(values: Value[]): void {
    const boundary = this.#boundaries[this.#boundaries.length - 1];
    if (boundary.kind === 'host') {
      this.#advance(boundary, 'next', values);
      return;
    }
    this.#boundaries.pop();
    this.#result = boundary.kind === 'base' && boundary.raw ? values.map((value, i) => toRaw(boundary.type.results[i], value)) : values;
    this.exit = DONE;
  }

  /** Goes on with a generator until it waits, a guest function is to run, or it is done and a guest goes on. */
  #advance(from: Host, how: 'next' | 'throw', what: unknown): void {
    let boundary = from;
    let mode = how;
    let value = what;
    for (;;) {
      const generator = boundary.generator!;
      this.sp = boundary.sp;
      if (boundary.guest) {
        this.fp = boundary.guest.fp;
        // within the call, for a stack trace
        this.pc = boundary.guest.pc - 1;
        this.enter(boundary.guest.inst);
      }
      this.#top = boundary.top;
      this.#inHost = true;
      const step = mode === 'next' ? generator.next(value) : generator.throw(value);
      this.#inHost = false;
      mode = 'next';
      if (step.done) {
        this.#boundaries.pop();
        const result = step.value as Value | void | readonly Value[];
        if (boundary.guest) {
          this.pc = boundary.guest.pc;
          this.write(boundary.type, boundary.base, result, boundary.host);
          return;
        }
        const values = hostValues(boundary.type, result, boundary.host);
        const below = this.#boundaries[this.#boundaries.length - 1];
        if (below.kind !== 'host') {
          this.#deliver(values);
          return;
        }
        boundary = below;
        value = values;
        continue;
      }
      const wanted = step.value;
      if (isPromise(wanted)) {
        this.#wait = wanted;
        this.exit = WAIT;
        return;
      }
      const func = wanted.func as WasmFunc;
      try {
        checkArgs(func, wanted.args, false);
        if (!func.host) {
          boundary.callee = func.type;
          this.#push(func, RETURN_HOST, boundary.top, wanted.args);
          return;
        }
      } catch (error) {
        // what is wrong with the call is the generator's to know first
        this.#trace(error);
        mode = 'throw';
        value = error;
        continue;
      }
      const { host, type } = func;
      const result = this.#enterHost(host, this.inst, wanted.args, boundary.top);
      if (!isLater(result)) {
        value = hostValues(type, result as Value | void | readonly Value[], host);
        continue;
      }
      const nested: Host = { kind: 'host', sp: this.sp, host, type, guest: undefined, base: boundary.top, top: boundary.top, generator: isGenerator(result) ? result : undefined, callee: undefined };
      this.#boundaries.push(nested);
      if (!nested.generator) {
        this.#wait = result as Promise<unknown>;
        this.exit = WAIT;
        return;
      }
      boundary = nested;
      value = undefined;
    }
  }

  /** The promise that the machine waited for is settled. */
  #settled({ ok, value }: Settled, base: number): void {
    this.exit = FUEL;
    this.#wait = undefined;
    const boundary = this.#boundaries[this.#boundaries.length - 1] as Host;
    this.#guard(base, () => {
      if (boundary.generator) {
        this.#advance(boundary, ok ? 'next' : 'throw', value);
        return;
      }
      if (!ok) {
        this.#inHost = true;
        throw value;
      }
      this.#boundaries.pop();
      if (boundary.guest) {
        this.fp = boundary.guest.fp;
        this.pc = boundary.guest.pc;
        this.write(boundary.type, boundary.base, value as Value, boundary.host);
        this.enter(boundary.guest.inst);
      } else {
        this.#deliver(hostValues(boundary.type, value as Value, boundary.host));
      }
    });
  }

  #refuseToWait(base: number): void {
    const boundary = this.#boundaries[this.#boundaries.length - 1] as Host;
    // nobody else looks at this promise, and its failure is not news
    this.#wait!.catch(() => {});
    this.#wait = undefined;
    this.exit = FUEL;
    this.#guard(base, () => {
      throw new UsageError(`host function "${boundary.host.name}" has to wait, which callSync cannot do (use call)`);
    });
  }

  // ---- unwinding

  /**
   * Drops frames and boundaries down to `base`, giving generators their chance to clean up, or to catch.
   * @throws the error, or what a generator threw instead
   */
  #unwind(thrown: unknown, base: number): void {
    let error = this.#inHost ? thrown : translate(thrown, this);
    this.#inHost = false;
    this.#trace(error);
    this.#above = undefined;
    for (;;) {
      if (this.#boundaries.length <= base) throw error;
      if (error instanceof GuestException && error.exception instanceof WasmException && this.#catch(error.exception)) {
        this.exit = FUEL;
        return;
      }
      let boundary = this.#boundaries[this.#boundaries.length - 1];
      while (boundary.kind === 'cross') {
        this.#boundaries.pop();
        boundary = this.#boundaries[this.#boundaries.length - 1];
      }
      this.sp = boundary.sp;
      if (boundary.kind === 'host' && boundary.generator) {
        try {
          this.exit = FUEL;
          boundary.callee = undefined;
          this.#advance(boundary, 'throw', error);
          return;
        } catch (next) {
          error = this.#inHost ? next : translate(next, this);
          this.#inHost = false;
          this.#trace(error);
        }
        // where another generator is on top by now, that one failed, and this one is still to hear of it
        if (this.#boundaries[this.#boundaries.length - 1] !== boundary) continue;
      }
      this.#boundaries.pop();
      if (boundary.kind === 'host' && boundary.guest) {
        // within the call, where the guest may catch
        const { inst, pc, fp } = boundary.guest;
        this.pc = pc - 1;
        this.fp = fp;
        this.enter(inst);
      }
    }
  }

  /** Throws an exception at the running instruction. */
  raise(exception: WasmException): void {
    if (!this.#catch(exception)) throw new GuestException(exception);
  }

  /**
   * Goes on where the exception is caught, in the frames down to the next host function or the base. Changes nothing where it
   * is not. The search is paid for, as it may be long.
   */
  #catch(exception: WasmException): boolean {
    const { tag } = exception;
    let { inst, pc, fp, sp } = this;
    let at = this.#boundaries.length;
    /** the first position is that of an instruction, the others are behind a call */
    let behind = 0;
    for (;;) {
      const boundary = at > 0 ? this.#boundaries[at - 1] : undefined;
      if (!boundary) return false;
      if (sp <= boundary.sp) {
        if (boundary.kind !== 'cross') return false;
        ({ inst, pc, fp } = boundary);
        at--;
        behind = 1;
        continue;
      }
      const found = inst.code.catchAt(pc - behind, tag, inst.tags);
      this.fuel -= 1 + (inst.code.handlersAt(pc - behind) >> 4);
      if (found) {
        const { clause } = found;
        this.#boundaries.length = at;
        this.fp = fp;
        this.sp = sp;
        this.pc = found.pc;
        if (clause.tag >= 0) tag.type.params.forEach((type, i) => this.store(type, fp + clause.slot + i, exception.values[i], true));
        if (clause.exception >= 0) this.setRef(fp + clause.exception, exception);
        this.enter(inst);
        return true;
      }
      sp -= 2;
      pc = CS[sp];
      fp = CS[sp + 1];
      behind = 1;
    }
  }

  /** Puts the Wasm stack on a Trap or Interrupted that has none. */
  #trace(error: unknown): void {
    if (!(error instanceof Trap || error instanceof Interrupted) || error.stackFrames.length > 0) return;
    error.stackFrames = this.#frames();
    this.#above = undefined;
  }

  #frames(): WasmFrame[] {
    const frames: WasmFrame[] = [];
    let { inst, pc, sp } = this;
    let at = this.#boundaries.length;
    /** the first position is that of an instruction, the others are behind a call */
    let behind = 0;
    const last: WasmFrame[] = [];
    if (at === 0 || !inst) return frames;
    const add = (frame: WasmFrame) => {
      if (frames.length < TRACE_FRAMES) {
        frames.push(frame);
        return;
      }
      if (last.length === TRACE_FRAMES) last.shift();
      last.push(frame);
    };
    if (this.#above !== undefined) {
      compiledFrames(this.#above).forEach(add);
      // the frame that compiled code began with is among them
      sp -= 2;
      pc = CS[sp];
      behind = 1;
    }
    for (;;) {
      while (pc <= RETURN_HOST) {
        const boundary = at > 0 ? this.#boundaries[--at] : undefined;
        // one that began above is of a host function, which has no frame
        if (boundary && boundary.sp > sp) continue;
        if (!boundary || boundary.kind === 'base') return [...frames, ...last];
        const caller = boundary.kind === 'cross' ? boundary : boundary.guest;
        if (!caller) continue;
        ({ inst, pc } = caller);
        behind = 1;
      }
      add(describe(inst, pc - behind));
      if (sp < 2) return [...frames, ...last];
      sp -= 2;
      pc = CS[sp];
      behind = 1;
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
    const boundary = this.#boundaries[this.#boundaries.length - 1];
    let top = 0;
    if (boundary) {
      top = this.exit === WAIT && boundary.kind === 'host' ? boundary.top
        : this.sp > 0 ? this.fp + this.inst.code.frameSizeAt(this.pc) : 0;
    }
    const { pc, fp, sp, spLimit, exit, inst } = this;
    return {
      low: R32.slice(0, top), wide: L32.slice(0, 2 * top), vectors: S32.slice(0, 4 * top), refs: this.refs.slice(0, top), stack: CS.slice(0, sp), boundaries: [...this.#boundaries],
      pc, fp, sp, spLimit, exit, inst, wait: this.#wait,
    };
  }

  #restore(saved: Saved): void {
    R32.set(saved.low);
    L32.set(saved.wide);
    S32.set(saved.vectors);
    CS.set(saved.stack);
    for (const ref of saved.refs) this.refs.push(ref);
    this.#boundaries.push(...saved.boundaries);
    this.pc = saved.pc; this.fp = saved.fp; this.sp = saved.sp; this.spLimit = saved.spLimit; this.exit = saved.exit; this.#wait = saved.wait;
    if (saved.inst) this.enter(saved.inst);
  }

  #clear(): void {
    this.#boundaries.length = 0;
    this.refs.length = 0;
    this.sp = 0;
    this.fp = 0;
    this.exit = FUEL;
    this.#top = 0;
    this.#inHost = false;
    this.#wait = undefined;
  }
}

/** Where an error comes from; its own text keeps the usual length. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return '';
  const { stack } = error;
  const lines = stack.split('\n');
  if (lines.length > STACK_LINES) error.stack = lines.slice(0, STACK_LINES).join('\n');
  return stack;
}

function describe(inst: WasmInstance, pc: number): WasmFrame {
  const func = inst.code.functionAt(pc);
  const name = inst.nameOf(func);
  return { func, ...(name === undefined ? {} : { name }), offset: inst.code.offsetAt(pc) };
}

/** V8's own complaints, in the terms of WebAssembly. */
function translate(error: unknown, machine: ValueMachine): unknown {
  if (!(error instanceof RangeError)) return error;
  if (error.message.startsWith('Offset is outside')) return new Trap('out of bounds memory access', `the memory has ${machine.view.byteLength} bytes`);
  if (error.message.startsWith('Maximum call stack')) return new ExhaustedError('call stack exhausted', 'the stack of JavaScript');
  return error;
}

/** The thread's machine: one, because its arrays are constants of the compiled loop (files.ts). */
export const runner = new Runner();
