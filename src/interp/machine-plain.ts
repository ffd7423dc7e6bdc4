/**
 * Frames in plain code, in which a call can be stopped at every instruction (lower.ts): brings the frames of a call there, and lets
 * them go again. Who wants it stopped, and what for, is control.ts's business.
 */
import { Trap } from '../errors.js';
import type { Host } from './boundary.js';
import { RETURN_BASE, RETURN_HOST } from './code.js';
import { FILES, WAIT } from './files.js';
import type { WasmInstance } from './instance.js';
import { left } from './jit/unwinding.js';
import { CompiledMachine } from './machine-compiled.js';
import { translate } from './machine-unwind.js';
import { plainFunction, settle } from './plain.js';

const { CS } = FILES;

/** One guest function of a call. */
export interface Place {
  readonly inst: WasmInstance;
  readonly pc: number;
  readonly fp: number;
  /** it has called something, and `pc` is behind the call */
  readonly behind: boolean;
  /** what it has called, where that is a host function */
  readonly host: Host | undefined;
  /** moves it to another position */
  set(pc: number): void;
}

export abstract class PlainMachine extends CompiledMachine {
  /** a trap stops the call where it comes up, and is kept here */
  protected holdsTraps = false;
  protected held: Trap | undefined;
  /** the call stops before it enters a host function; once let through where `passHost` */
  protected hostStops = false;
  protected passHost = false;

  protected stopsAtHost(): boolean {
    const stops = this.hostStops && !this.passHost;
    this.passHost = false;
    return stops;
  }

  protected holds(thrown: unknown): boolean {
    if (!this.plain || !this.holdsTraps || this.inHost) return false;
    const error = translate(thrown, this);
    if (!(error instanceof Trap)) return false;
    this.trace(error);
    this.held = error;
    return true;
  }

  /** The guest functions of the call on the machine, the innermost first. */
  protected places(): Place[] {
    const places: Place[] = [];
    const { boundaries } = this;
    let at = boundaries.length - 1;
    let { sp } = this;
    let place: Place | undefined = this.exit === WAIT ? undefined
      : { inst: this.inst, pc: this.pc, fp: this.fp, behind: false, host: undefined, set: (pc) => { this.pc = pc; } };
    for (;;) {
      if (!place) {
        // what is on top is a boundary
        const i = at--;
        const boundary = boundaries[i];
        if (!boundary || boundary.kind === 'base') return places;
        ({ sp } = boundary);
        if (boundary.kind === 'cross') {
          const { inst, pc, fp } = boundary;
          place = { inst, pc, fp, behind: true, host: undefined, set: (to) => { boundaries[i] = { ...boundary, pc: to }; } };
        } else if (boundary.guest) {
          const { guest } = boundary;
          place = { ...guest, behind: true, host: boundary, set: (to) => { boundaries[i] = { ...boundary, guest: { ...guest, pc: to } }; } };
        }
        continue;
      }
      places.push(place);
      sp -= 2;
      const marker: number = CS[sp], fp: number = CS[sp + 1];
      if (marker === RETURN_BASE) return places;
      const slot = sp;
      place = marker <= RETURN_HOST ? undefined : { inst: place.inst, pc: marker, fp, behind: true, host: undefined, set: (to) => { CS[slot] = to; } };
    }
  }

  /** Has all frames go on in plain code. @returns false where the innermost one cannot yet: it has to run on for a while */
  protected toPlain(): boolean {
    const places = this.places();
    for (const [i, { inst, pc, fp, behind, set }] of places.entries()) {
      const { code } = inst;
      if (code.isPlain(pc)) continue;
      const target = plainFunction(code, code.functionAt(pc)).toPlain(pc);
      if (!target) {
        if (!behind) return false;
        throw new Error(`bug: position ${pc} of function ${code.functionAt(pc)} is behind no call`);
      }
      settle(this, fp, target.elsewhere);
      if (i === 0 && behind) settle(this, fp, target.ofCall);
      set(target.pc);
    }
    left.interpret = false;
    if (this.inst) this.enter(this.inst);
    return true;
  }

  /** Lets the frame that is before an instruction of plain code go on in fast code, or for this one instruction in plain code. */
  protected leavePlain(): void {
    const { code } = this.inst;
    this.pc = plainFunction(code, code.functionAt(this.pc)).toFast(this.pc) ?? this.pc + 1;
    // code may have been made for it
    this.enter(this.inst);
  }
}
