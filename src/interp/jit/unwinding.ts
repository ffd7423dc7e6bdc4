/**
 * What the code of the compiler shares with the machine: the fuel, whose sign says that frames leave the stack of JavaScript,
 * and the frames that have left it so far, innermost first. The machine (run.ts) makes frames of the interpreter of them.
 */
import type { Host } from '../boundary.js';
import type { WasmInstance } from '../instance.js';

/** Calls and back-edges that are left of the slice. Below 0 each frame saves what it has, and returns. */
export const FUEL_LEFT = new Int32Array(1);

/** A frame that goes on at `pc`; one that has not begun, of function `pc`, whose arguments are in its slots; a host function. */
export type Left =
  | { readonly kind: 'frame' | 'begin'; readonly inst: WasmInstance; readonly pc: number; readonly fp: number }
  | { readonly kind: 'host'; readonly host: Omit<Host, 'sp' | 'guest'>; /** called by the frame outside of it */ readonly byGuest: boolean };

export const left = {
  frames: [] as Left[],
  /** fuel, where it is not for want of it that the frames leave; else -1 */
  fuel: -1,
  /** what the innermost host function waits for */
  wait: undefined as Promise<unknown> | undefined,
  /** the innermost host function is a generator that has not begun */
  advance: false,
  /** the interpreter has to carry out the next instruction, wherever it is */
  interpret: false,
};

/** Takes back what was left, when an error has gone through the frames. */
export function forget(): void {
  left.frames.length = 0;
  left.fuel = -1;
  left.wait = undefined;
  left.advance = false;
  left.interpret = false;
}

/** Has the frames leave so that the interpreter carries out the instruction at which they do. */
export function defer(): void {
  stop();
  left.interpret = true;
}

/** Has the frames leave for another reason than fuel. */
export function stop(): void {
  if (FUEL_LEFT[0] < 0) return;
  left.fuel = FUEL_LEFT[0];
  FUEL_LEFT[0] = -1;
}
