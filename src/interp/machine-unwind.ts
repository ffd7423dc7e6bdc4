/**
 * What is thrown, by an instruction or by a host function: passes down the frames and boundaries of a call until one catches it, a
 * generator deals with it, or it is the caller's.
 */
import { ExhaustedError, GuestException, Trap, UsageError } from '../errors.js';
import type { Host } from './boundary.js';
import type { Value } from './engine.js';
import { WasmException } from './exception.js';
import { FILES, FUEL } from './files.js';
import { HostMachine } from './machine-host.js';
import type { ValueMachine } from './machine-values.js';
import { hostValues } from './values.js';
import type { Settled } from './wait.js';

const { CS } = FILES;

export abstract class UnwindMachine extends HostMachine {
  /** how many times the loop, or a host function, is on the V8 stack */
  protected active = 0;

  /** what is thrown has left compiled code, and what began there has not caught it */
  protected passed = false;

  /** Whether the call stops where the error is thrown, before anything is unwound. */
  protected abstract holds(error: unknown): boolean;

  /** Runs what may throw; unwinds where it does. @throws what no generator on the way to `base` catches */
  protected guard(base: number, run: () => void): void {
    this.active++;
    try {
      run();
    } catch (error) {
      if (!this.holds(error)) this.unwind(error, base);
    } finally {
      this.active--;
    }
  }

  /** The promise that the machine waited for is settled. */
  protected settled({ ok, value }: Settled, base: number): void {
    this.exit = FUEL;
    this.wait = undefined;
    const boundary = this.boundaries[this.boundaries.length - 1] as Host;
    this.guard(base, () => {
      if (boundary.generator) {
        this.advance(boundary, ok ? 'next' : 'throw', value);
        return;
      }
      if (!ok) {
        this.inHost = true;
        throw value;
      }
      this.boundaries.pop();
      if (boundary.guest) {
        this.fp = boundary.guest.fp;
        this.pc = boundary.guest.pc;
        this.write(boundary.type, boundary.base, value as Value, boundary.host);
        this.enter(boundary.guest.inst);
      } else {
        this.deliver(hostValues(boundary.type, value as Value, boundary.host));
      }
    });
  }

  protected refuseToWait(base: number): void {
    const boundary = this.boundaries[this.boundaries.length - 1] as Host;
    // nobody else looks at this promise, and its failure is not news
    this.wait!.catch(() => {});
    this.wait = undefined;
    this.exit = FUEL;
    this.guard(base, () => {
      throw new UsageError(`host function "${boundary.host.name}" has to wait, which callSync cannot do (use call)`);
    });
  }

  /**
   * Drops frames and boundaries down to `base`, giving generators their chance to clean up, or to catch.
   * @throws the error, or what a generator threw instead
   */
  protected unwind(thrown: unknown, base: number): void {
    let error = this.inHost ? thrown : translate(thrown, this);
    this.inHost = false;
    this.trace(error);
    this.above = undefined;
    if (this.passed) {
      this.passed = false;
      // within the call of the frame that compiled code began with
      this.sp -= 2;
      this.pc = CS[this.sp] - 1;
      this.fp = CS[this.sp + 1];
    }
    for (;;) {
      if (this.boundaries.length <= base) throw error;
      if (error instanceof GuestException && error.exception instanceof WasmException && this.catch(error.exception)) {
        this.exit = FUEL;
        return;
      }
      let boundary = this.boundaries[this.boundaries.length - 1];
      while (boundary.kind === 'cross') {
        this.boundaries.pop();
        boundary = this.boundaries[this.boundaries.length - 1];
      }
      this.sp = boundary.sp;
      if (boundary.kind === 'host' && boundary.generator) {
        try {
          this.exit = FUEL;
          boundary.callee = undefined;
          this.advance(boundary, 'throw', error);
          return;
        } catch (next) {
          error = this.inHost ? next : translate(next, this);
          this.inHost = false;
          this.trace(error);
        }
        // where another generator is on top by now, that one failed, and this one is still to hear of it
        if (this.boundaries[this.boundaries.length - 1] !== boundary) continue;
      }
      this.boundaries.pop();
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
    if (!this.catch(exception)) throw new GuestException(exception);
  }

  /**
   * Goes on where the exception is caught, in the frames down to the next host function or the base. Changes nothing where it
   * is not. The search is paid for, as it may be long.
   */
  protected catch(exception: WasmException): boolean {
    const { tag } = exception;
    let { inst, pc, fp, sp } = this;
    let at = this.boundaries.length;
    /** the first position is that of an instruction, the others are behind a call */
    let behind = 0;
    for (;;) {
      const boundary = at > 0 ? this.boundaries[at - 1] : undefined;
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
        this.boundaries.length = at;
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
}

/** V8's own complaints, in the terms of WebAssembly. */
export function translate(error: unknown, machine: ValueMachine): unknown {
  if (!(error instanceof RangeError)) return error;
  if (error.message.startsWith('Offset is outside')) return new Trap('out of bounds memory access', `the memory has ${machine.view.byteLength} bytes`);
  if (error.message.startsWith('Maximum call stack')) return new ExhaustedError('call stack exhausted', 'the stack of JavaScript');
  return error;
}
