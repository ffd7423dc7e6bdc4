/**
 * Frames of guest functions, and what stands between them and their callers: begins frames, and tells the Wasm stack of an error.
 * Leaves host functions (machine-host.ts), and what catches (machine-unwind.ts), to others.
 */
import { Interrupted, Trap, type WasmFrame } from '../errors.js';
import type { Boundary } from './boundary.js';
import { RETURN_HOST } from './code.js';
import type { Value } from './engine.js';
import { FILES, SLOTS } from './files.js';
import type { WasmFunc } from './func.js';
import type { WasmInstance } from './instance.js';
import { compiledFrames } from './jit/trace.js';
import { HEADER } from './lower.js';
import { ValueMachine } from './machine-values.js';

/** of a stack trace, each end; the middle of a deep recursion is left out */
const TRACE_FRAMES = 100;

const { I32: R32, I64: R64, CS } = FILES;

export class FrameMachine extends ValueMachine {
  protected readonly boundaries: Boundary[] = [];
  /** the stack of JavaScript at an error in compiled code, which is above the machine's frames, and the instance that it entered */
  protected above: string | undefined;

  /** Makes a frame for a guest function; its arguments are `args`, or already at `top`. */
  protected push(func: WasmFunc, marker: number, top: number, args?: readonly Value[], raw = false): void {
    if (this.sp >= this.spLimit) throw this.exhausted(this.sp, top);
    const caller = this.fp;
    this.frame(func, top, args, raw);
    CS[this.sp] = marker;
    CS[this.sp + 1] = caller;
    this.sp += 2;
  }

  protected frame(func: WasmFunc, top: number, args?: readonly Value[], raw = false): void {
    const inst = func.instance!;
    const entry = this.plain ? inst.code.plainEntry(func.index) : inst.code.entry(func.index);
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

  // ---- traces

  /** Puts the Wasm stack on a Trap or Interrupted that has none. */
  protected trace(error: unknown): void {
    if (!(error instanceof Trap || error instanceof Interrupted) || error.stackFrames.length > 0) return;
    error.stackFrames = this.frames();
    this.above = undefined;
  }

  protected frames(): WasmFrame[] {
    const frames: WasmFrame[] = [];
    let { inst, pc, sp } = this;
    let at = this.boundaries.length;
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
    if (this.above !== undefined) {
      compiledFrames(this.above).forEach(add);
      // the frame that compiled code began with is among them
      sp -= 2;
      pc = CS[sp];
      behind = 1;
    }
    for (;;) {
      while (pc <= RETURN_HOST) {
        const boundary = at > 0 ? this.boundaries[--at] : undefined;
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
}

function describe(inst: WasmInstance, pc: number): WasmFrame {
  const func = inst.code.functionAt(pc);
  const name = inst.nameOf(func);
  return { func, ...(name === undefined ? {} : { name }), offset: inst.code.offsetAt(pc) };
}
