/**
 * Host functions that interpreted frames call: enters them and takes their results, which are values, promises, or generators
 * that call guest functions in turn. Guest calls host calls guest … is one Wasm stack, whatever its depth: the stack of
 * JavaScript does not grow with it, except where a host function calls `callSync` itself.
 */
import type { Boundary, Host } from './boundary.js';
import { RETURN_CROSS, RETURN_HOST } from './code.js';
import type { GuestCall, HostFunc, HostResult, Value } from './engine.js';
import { BREAK, DONE, FILES, TIER, WAIT } from './files.js';
import type { WasmFunc } from './func.js';
import type { WasmInstance } from './instance.js';
import { FrameMachine } from './machine-frames.js';
import { toRaw } from './raw.js';
import { I32, type FuncType } from './types.js';
import { checkArgs, hostValues } from './values.js';
import { isGenerator, isLater, isPromise } from './wait.js';

/** what a call of a host function costs of a slice: it takes as long as about so many back-edges */
export const HOST_CALL = 500;

const { CS } = FILES;

const ONE_NUMBER: FuncType = { params: [], results: [I32] };

export abstract class HostMachine extends FrameMachine {
  protected inHost = false;
  /** first slot that a call from within the running host function may use */
  protected top = 0;
  protected wait: Promise<unknown> | undefined;
  protected result: Value[] = [];
  /** Whether plain code stops before it calls a host function. */
  protected abstract stopsAtHost(): boolean;

  // ---- for cold.ts

  /** Calls a function that is only known now: arguments and results at `slot` of the caller's frame. */
  callFunc(func: WasmFunc, slot: number, words: number): void {
    if (func.instance !== this.inst) {
      this.callAcross(func, slot, words);
      return;
    }
    this.fuel--;
    this.push(func, this.pc + words, this.fp + slot);
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
      this.boundaries.push({ kind: 'cross', sp: sp - 2, inst, pc: CS[sp - 2], fp: CS[sp - 1] });
      CS[sp - 2] = RETURN_CROSS;
    }
    this.frame(func, this.fp);
    if (this.inst.tier && !this.plain) this.exit = TIER;
  }

  /** Calls an imported function, or one of another instance: arguments and results at `slot` of the caller's frame. */
  callAcross(func: WasmFunc, slot: number, words: number): void {
    const { inst, pc, fp } = this;
    const top = fp + slot;
    const { host, type } = func;
    if (!host) {
      const boundary: Boundary = { kind: 'cross', sp: this.sp, inst, pc: pc + words, fp };
      this.push(func, RETURN_CROSS, top);
      this.boundaries.push(boundary);
      return;
    }
    if (this.plain && this.stopsAtHost()) {
      this.exit = BREAK;
      return;
    }
    const args = new Array<Value>(type.params.length);
    for (let i = 0; i < args.length; i++) args[i] = this.read(type.params[i], top + i, false);
    // with the operand that says which function it is, as the call may have to be made again (snapshot.ts)
    const above = top + Math.max(type.params.length + 1, type.results.length);
    const result = this.enterHost(host, inst, args, above);
    if (!isLater(result)) {
      this.write(type, top, result as Value | void | readonly Value[], host);
      this.pc = pc + words;
      this.enter(inst);
      return;
    }
    this.later(result, { kind: 'host', sp: this.sp, host, type, guest: { inst, pc: pc + words, fp }, base: top, top: above });
  }

  /** The function that the base, another instance, or a generator called has returned. Its results are where its frame began. */
  returned(kind: 'base' | 'cross' | 'host'): void {
    const boundaries = this.boundaries;
    const boundary = boundaries[boundaries.length - 1];
    if (boundary.kind === 'base') {
      this.result = this.readAll(boundary.type.results, boundary.at, boundary.raw);
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
      this.advance(boundary, 'next', this.readAll(callee.results, boundary.top, false));
    }
  }

  /** Calls a function of the running instance that may be compiled. */
  callOwn(func: WasmFunc, slot: number, words: number): void {
    this.push(func, this.pc + words, this.fp + slot);
    this.fuel--;
    this.exit = TIER;
  }

  /** Waits for a number, the result of the running instruction, at `slot` of the frame; its operands are there, at most three. */
  waitFor(promise: Promise<number>, name: string, slot: number, words: number): void {
    const { inst, pc, fp } = this;
    const host: HostFunc = { kind: 'host', name, type: ONE_NUMBER, run: () => undefined };
    this.later(promise, { kind: 'host', sp: this.sp, host, type: host.type, guest: { inst, pc: pc + words, fp }, base: fp + slot, top: fp + slot + 3 });
  }
  // ---- the host's own code

  /** Runs the host's own code. What it throws passes through unchanged, which `#inHost` tells. */
  protected enterHost(host: HostFunc, caller: WasmInstance, args: readonly Value[], top: number): HostResult {
    const outer = this.top;
    this.top = top;
    this.inHost = true;
    this.fuel -= HOST_CALL;
    const result = host.run(caller, args);
    this.inHost = false;
    this.top = outer;
    return result;
  }

  /** A host function that the base or a generator calls: nothing of it is in a frame. */
  protected callHost(host: HostFunc, type: FuncType, args: readonly Value[], caller: WasmInstance, top: number): void {
    const result = this.enterHost(host, caller, args, top);
    if (isLater(result)) this.later(result, { kind: 'host', sp: this.sp, host, type, guest: undefined, base: top, top });
    else this.deliver(hostValues(type, result as Value | void | readonly Value[], host));
  }

  protected later(result: Promise<unknown> | Generator<GuestCall | Promise<unknown>, unknown, unknown>, host: Omit<Host, 'generator' | 'callee'>): void {
    const generator = isGenerator(result) ? result : undefined;
    // no spread: an object made by one is slow to make, and slow to read
    const { kind, sp, type, guest, base, top } = host;
    const boundary: Host = { kind, sp, host: host.host, type, generator, guest, base, top, callee: undefined };
    this.boundaries.push(boundary);
    if (generator) {
      this.advance(boundary, 'next', undefined);
    } else {
      this.wait = result as Promise<unknown>;
      this.exit = WAIT;
    }
  }

  /** Results of a host function that a generator or the base called, to the boundary that is now topmost. */
  protected deliver(values: Value[]): void {
    const boundary = this.boundaries[this.boundaries.length - 1];
    if (boundary.kind === 'host') {
      this.advance(boundary, 'next', values);
      return;
    }
    this.boundaries.pop();
    this.result = boundary.kind === 'base' && boundary.raw ? values.map((value, i) => toRaw(boundary.type.results[i], value)) : values;
    this.exit = DONE;
  }

  /** Goes on with a generator until it waits, a guest function is to run, or it is done and a guest goes on. */
  protected advance(from: Host, how: 'next' | 'throw', what: unknown): void {
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
      this.top = boundary.top;
      this.inHost = true;
      const step = mode === 'next' ? generator.next(value) : generator.throw(value);
      this.inHost = false;
      mode = 'next';
      if (step.done) {
        this.boundaries.pop();
        const result = step.value as Value | void | readonly Value[];
        if (boundary.guest) {
          this.pc = boundary.guest.pc;
          this.write(boundary.type, boundary.base, result, boundary.host);
          return;
        }
        const values = hostValues(boundary.type, result, boundary.host);
        const below = this.boundaries[this.boundaries.length - 1];
        if (below.kind !== 'host') {
          this.deliver(values);
          return;
        }
        boundary = below;
        value = values;
        continue;
      }
      const wanted = step.value;
      if (isPromise(wanted)) {
        this.wait = wanted;
        this.exit = WAIT;
        return;
      }
      const func = wanted.func as WasmFunc;
      try {
        checkArgs(func, wanted.args, false);
        if (!func.host) {
          boundary.callee = func.type;
          this.push(func, RETURN_HOST, boundary.top, wanted.args);
          return;
        }
      } catch (error) {
        // what is wrong with the call is the generator's to know first
        this.trace(error);
        mode = 'throw';
        value = error;
        continue;
      }
      const { host, type } = func;
      const result = this.enterHost(host, this.inst, wanted.args, boundary.top);
      if (!isLater(result)) {
        value = hostValues(type, result as Value | void | readonly Value[], host);
        continue;
      }
      const nested: Host = { kind: 'host', sp: this.sp, host, type, guest: undefined, base: boundary.top, top: boundary.top, generator: isGenerator(result) ? result : undefined, callee: undefined };
      this.boundaries.push(nested);
      if (!nested.generator) {
        this.wait = result as Promise<unknown>;
        this.exit = WAIT;
        return;
      }
      boundary = nested;
      value = undefined;
    }
  }
}
