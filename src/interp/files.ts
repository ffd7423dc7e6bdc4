/**
 * The machine's registers and stacks. One set for the thread, never replaced: V8 then compiles the arrays' addresses into the
 * interpreter's loop. They are reserved at their full size at once, which costs address space only, as the operating system
 * gives pages when they are touched. A frame is a window at `fp`: slot s is I32[fp + s] for i32 and f32 (bits), 64 bits at
 * [fp + s] of the second buffer, and 16 bytes at 16 * (fp + s) of the third; references lie in `refs`, the same way. A call's window begins at its arguments in the
 * caller's window, and its results end up there.
 */
import { ExhaustedError, Trap } from '../errors.js';
import type { Value } from './engine.js';
import type { WasmInstance } from './instance.js';

/** slots of all frames together */
export const SLOTS = 1 << 20;
/** frames, two words each: the position to return to, and the caller's fp */
export const MAX_DEPTH = 1 << 17;

const low = new ArrayBuffer(4 * SLOTS);
const wide = new ArrayBuffer(8 * SLOTS);
const vectors = new ArrayBuffer(16 * SLOTS);

export const FILES = {
  I32: new Int32Array(low),
  F32: new Float32Array(low),
  /** halves of the 64-bit slots, the lower first */
  L32: new Int32Array(wide),
  I64: new BigInt64Array(wide),
  F64: new Float64Array(wide),
  /** lanes of the v128 slots, lane 0 first: signed, unsigned, floats */
  S8: new Int8Array(vectors), U8: new Uint8Array(vectors), S16: new Int16Array(vectors), U16: new Uint16Array(vectors),
  S32: new Int32Array(vectors), U32: new Uint32Array(vectors), S64: new BigInt64Array(vectors), U64: new BigUint64Array(vectors),
  VF32: new Float32Array(vectors), VF64: new Float64Array(vectors),
  /** call stack */
  CS: new Int32Array(2 * MAX_DEPTH + 2),
} as const;
export type Files = typeof FILES;

/** Why the loop was left. FUEL: the slice is spent. TIER: a function begins that may be compiled. BREAK: a breakpoint. */
export const FUEL = 0, DONE = 1, WAIT = 2, TIER = 3, BREAK = 4;

/**
 * Carries out a fused instruction, and those that follow it in its function as far as they are fused (fuse.ts).
 * @param number of the instruction
 * @returns the position to go on at; the rest of the state is in STATE
 */
export type Fused = (number: number, fp: number) => number;
/** What goes in and out of fused instructions: fuel, sp, fp, and after a trap the position of the instruction. */
export const STATE = new Int32Array(4);
export const STATE_FUEL = 0, STATE_SP = 1, STATE_FP = 2, STATE_TRAP = 3;

const NO_VIEW = new DataView(new ArrayBuffer(0));
const NO_WORDS = new Int32Array(0);

/** What the loop reads at its start and leaves behind at its end. */
export class Machine {
  /** position in `code` */
  pc = 0;
  fp = 0;
  /** next free word of the call stack */
  sp = 0;
  spLimit = FILES.CS.length - 2;
  /** back-edges and calls that are left of the slice */
  fuel = 0;
  exit: number = FUEL;
  /** functions are begun in plain code, whose every instruction can be stopped at */
  plain = false;
  /** instructions of plain code that may still be carried out; below 0 the loop was left before one */
  budget = 0;
  /** the loop is left before an instruction of plain code where the call stack is not higher */
  spStop = -1;
  /** the instance whose function runs; only read while one does */
  inst!: WasmInstance;
  code: Int32Array = NO_WORDS;
  view: DataView = NO_VIEW;
  g32: Int32Array = NO_WORDS;
  /** constants of the module's code, the same bits in three views */
  k64: BigInt64Array = new BigInt64Array(0);
  kf64: Float64Array = new Float64Array(0);
  k32: Int32Array = NO_WORDS;
  /** of the fused instructions of the module's code, by their numbers */
  fused: readonly Fused[] = [];
  readonly refs: Value[] = [];

  /** Makes `inst` the one whose function runs, or takes notice that its memory or code has moved. */
  enter(inst: WasmInstance): void {
    this.inst = inst;
    const { code } = inst;
    this.code = code.words;
    this.fused = code.fused;
    this.k64 = code.k64;
    this.kf64 = code.kf64;
    this.k32 = code.k32;
    this.view = inst.memory ? inst.memory.view : NO_VIEW;
    this.g32 = inst.globalWords;
  }

  unaligned(): Trap {
    return new Trap('unaligned atomic');
  }

  exhausted(sp: number, top: number): ExhaustedError {
    return new ExhaustedError('call stack exhausted', `${sp >> 1} frames, ${top} slots`);
  }

  getRef(slot: number): Value {
    return this.refs[slot] ?? null;
  }

  setRef(slot: number, value: Value): void {
    const { refs } = this;
    while (refs.length <= slot) refs.push(null);
    refs[slot] = value;
  }
}
