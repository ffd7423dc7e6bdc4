/**
 * The machine below and above compiled functions (jit/): enters them, carries out for them what they leave to the interpreter, calls
 * host functions for them, and takes over their frames when they leave.
 */
import { GuestException, Interrupted, Trap } from '../errors.js';
import type { Host } from './boundary.js';
import type { HostFunc, HostResult, Value } from './engine.js';
import { WasmException } from './exception.js';
import { FILES, SLOTS, WAIT } from './files.js';
import type { WasmFunc } from './func.js';
import type { WasmInstance } from './instance.js';
import { arrive } from './jit/arrive.js';
import { WARM, callCell, type Cell } from './jit/tier.js';
import { FUEL_LEFT, forget, left, stop } from './jit/unwinding.js';
import { HOST_CALL } from './machine-host.js';
import { UnwindMachine, translate } from './machine-unwind.js';
import { checkArgs, hostValues } from './values.js';
import { isGenerator, isLater, isPromise, now } from './wait.js';

/** the same from compiled code, which is quicker */
const COMPILED_HOST_CALL = 40;
/** Room for compiled functions on the stack of JavaScript, of 984 KB, in units of 128 bytes (emit.ts). */
const ROOM = 3600;
/** what a host function that compiled code calls takes of it */
const HOST_ROOM = 40;
/** slots of frames that one unit of room stands for (emit.ts) */
const ROOM_SLOTS = 16;
/** what catching costs of a slice */
const CATCH = 20;
/** of the text of an error's stack */
const STACK_LINES = 12;

/**
 * While V8 has not optimised a function that was just compiled, it is left and entered again after so many calls and back-edges:
 * V8 would otherwise optimise the loop that it is in, and of that it never makes code as good as of a function that is called.
 */
const WARMING: readonly { readonly ms: number; readonly entries: number; readonly fuel: number }[] = [{ ms: 30, entries: 30, fuel: 2_000 }, { ms: 100, entries: 60, fuel: 20_000 }];

const { CS } = FILES;

export abstract class CompiledMachine extends UnwindMachine {
  /** carries out the instruction at `pc`, whose first word it is given */
  protected abstract readonly cold: (w: number) => void;
  /** what is left for compiled functions of the stack of JavaScript */
  protected room = ROOM;

  // ---- entering

  /** For the compiled function whose frame begins at `fp`: of the stack of JavaScript, of the call depth, and of the slots. */
  protected roomAt(fp: number): number {
    return Math.min(this.room, (this.spLimit - this.sp) >> 1, Math.floor((SLOTS - fp) / ROOM_SLOTS) - 1);
  }

  /** Runs a compiled function on the frame that is there, to its end or until it leaves. */
  protected enterCompiled(cell: Cell): void {
    const { inst } = this;
    const limit = Error.stackTraceLimit;
    const granted = Math.min(this.fuel, fuelOf(cell));
    const held = this.fuel - granted;
    FUEL_LEFT[0] = granted;
    Error.stackTraceLimit = Infinity;
    try {
      callCell(cell, this.fp, this.roomAt(this.fp));
    } catch (error) {
      this.inst = inst;
      this.passed = true;
      forget();
      if (!this.inHost && !(error instanceof WasmException)) this.above = stackOf(error);
      throw asError(error);
    } finally {
      Error.stackTraceLimit = limit;
      this.fuel = FUEL_LEFT[0] + held;
    }
    if (FUEL_LEFT[0] >= 0) {
      this.sp -= 2;
      this.pc = CS[this.sp];
      this.fp = CS[this.sp + 1];
      this.enter(inst);
      return;
    }
    const { wait, advance } = left;
    this.fuel = left.fuel + held;
    left.fuel = -1;
    left.wait = undefined;
    left.advance = false;
    arrive(this, this.boundaries);
    if (wait) {
      this.wait = wait;
      this.exit = WAIT;
    } else if (advance) {
      this.advance(this.boundaries[this.boundaries.length - 1] as Host, 'next', undefined);
    }
  }
  // ---- for compiled code

  /** What a handler of compiled code looks at; undefined for what passes through. */
  caught(error: unknown): WasmException | undefined {
    const exception = error instanceof GuestException ? error.exception : error;
    if (!(exception instanceof WasmException)) return undefined;
    this.inHost = false;
    forget();
    FUEL_LEFT[0] = Math.max(FUEL_LEFT[0] - CATCH, 0);
    return exception;
  }

  /** Carries out the register instruction at `pc` on a frame of compiled code. */
  carryOut(inst: WasmInstance, pc: number, fp: number): void {
    const outer = { inst: this.inst, pc: this.pc, fp: this.fp };
    this.enter(inst);
    this.pc = pc;
    this.fp = fp;
    this.cold(this.code[pc]);
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
    const outer = this.room;
    this.room = room - HOST_ROOM;
    try {
      const result = this.#hostAbove(host, inst, args, above);
      if (!isLater(result)) this.write(type, top, result as Value | void | readonly Value[], host);
      else if (isGenerator(result)) this.#generatorAbove({ kind: 'host', host, type, generator: result, base: top, top: above, callee: undefined }, inst);
      else this.#waitAbove(result, { kind: 'host', host, type, generator: undefined, base: top, top: above, callee: undefined });
    } finally {
      this.room = outer;
    }
  }

  /** Runs the host's own code above compiled frames. */
  #hostAbove(host: HostFunc, inst: WasmInstance, args: readonly Value[], top: number): HostResult {
    this.fuel = FUEL_LEFT[0] + HOST_CALL - COMPILED_HOST_CALL;
    try {
      return this.enterHost(host, inst, args, top);
    } catch (error) {
      this.traceAbove(error);
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
      const outer = this.top;
      this.top = top;
      this.inHost = true;
      this.fuel = FUEL_LEFT[0];
      let step;
      try {
        step = mode === 'next' ? generator.next(value) : generator.throw(value);
      } catch (error) {
        this.traceAbove(error);
        throw error;
      } finally {
        FUEL_LEFT[0] = this.fuel;
      }
      this.inHost = false;
      this.top = outer;
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
        if (func.cell && FUEL_LEFT[0] >= 0 && this.room >= 0) callCell(func.cell, top, this.room);
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
        const translated = this.inHost ? error : translate(asError(error), this);
        this.inHost = false;
        forget();
        this.traceAbove(translated, stackOf(error));
        mode = 'throw';
        value = translated;
      }
    }
  }

  /** Puts the Wasm stack on a Trap that passes through compiled frames which are on the stack of JavaScript. */
  protected traceAbove(error: unknown, stack?: string): void {
    if (!(error instanceof Trap || error instanceof Interrupted) || error.stackFrames.length > 0) return;
    this.above = stack ?? stackOf(new Error());
    this.trace(error);
  }
}

/** What a function may use before it is left: little while it is new. */
function fuelOf(cell: Cell): number {
  const { since } = cell;
  if (since === WARM) return Infinity;
  const time = now();
  if (since === 0) cell.since = time;
  const age = since === 0 ? 0 : time - since;
  const count = ++cell.entries;
  for (const { ms, entries, fuel } of WARMING) if (age < ms || count < entries) return fuel;
  cell.since = WARM;
  return Infinity;
}

/** What compiled code throws without a stack has it from here on. */
function asError(error: unknown): unknown {
  return error instanceof WasmException ? new GuestException(error) : error;
}

/** Where an error comes from; its own text keeps the usual length. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return '';
  const { stack } = error;
  const lines = stack.split('\n');
  if (lines.length > STACK_LINES) error.stack = lines.slice(0, STACK_LINES).join('\n');
  return stack;
}
