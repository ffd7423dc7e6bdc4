/**
 * What the compiler has to know of a function before it puts out its first line: which loops call nothing, so that they can
 * count fuel in a variable, and which need not count it as each of their rounds begins with a call that does.
 */
import { InstrReader } from '../instr.js';
import type { Module } from '../module.js';
import { FEATURES_ALL } from '../opcodes.js';

export interface LoopShape {
  /** it, or a loop in it, has an instruction after which other functions have run: the fuel is in memory then */
  calls: boolean;
  /** the function that each round calls before anything else that decides, or -1 */
  first: number;
}

export interface Shape {
  readonly calls: boolean;
  /** by the byte of the `loop` */
  readonly loops: ReadonlyMap<number, LoopShape>;
}

const known = new WeakMap<Module, Map<number, Shape>>();

/** @param index of a function that the module defines */
export function shapeOf(module: Module, index: number): Shape {
  let shapes = known.get(module);
  if (!shapes) known.set(module, shapes = new Map());
  let shape = shapes.get(index);
  if (!shape) shapes.set(index, shape = scan(module, index));
  return shape;
}

/** Whether a function counts fuel when it begins. Its body may be one that nobody has judged yet. */
export function charges(module: Module, index: number): boolean {
  if (index < module.imported.func) return false;
  try {
    return shapeOf(module, index).calls;
  } catch {
    return false;
  }
}

function scan(module: Module, index: number): Shape {
  const { start, end } = module.codes[index - module.imported.func];
  const instr = new InstrReader(module.bytes, start, end, FEATURES_ALL);
  const loops = new Map<number, LoopShape>();
  // loops that are open, with how deep they are
  const open: { readonly depth: number; readonly shape: LoopShape }[] = [];
  let depth = 0;
  let calls = false;
  /** what stands here is carried out in each round of the innermost loop */
  let certain = false;
  while (instr.pos < end) {
    instr.next();
    const { op } = instr;
    if (op === 0x03) {
      const shape: LoopShape = { calls: false, first: -1 };
      loops.set(instr.offset, shape);
      open.push({ depth: depth++, shape });
      certain = true;
    } else if (opensBlock(op)) {
      depth++;
      if (op !== 0x02) certain = false;
    } else if (op === 0x0b || op === 0x18) {
      depth--;
      if (open.length > 0 && open[open.length - 1].depth === depth) {
        open.pop();
        certain = false;
      }
    } else if (callsOut(op)) {
      calls = true;
      for (const { shape } of open) shape.calls = true;
      if (op === 0x10 && certain) open[open.length - 1].shape.first = instr.a;
      certain = false;
    } else if (decides(op)) {
      certain = false;
    }
  }
  return { calls, loops };
}

/** block, loop, if, try, try_table */
function opensBlock(op: number): boolean {
  return op >= 0x02 && op <= 0x04 || op === 0x06 || op === 0x1f;
}

/** Calls in all their forms, what throws to a handler, and what waits. */
function callsOut(op: number): boolean {
  return op >= 0x08 && op <= 0x0a || op >= 0x10 && op <= 0x15 || op === 0xfe01 || op === 0xfe02;
}

/** Branches, and what begins another part of a block. */
function decides(op: number): boolean {
  return op === 0x00 || op === 0x05 || op === 0x07 || op === 0x19 || op >= 0x0c && op <= 0x0f || op >= 0xd4 && op <= 0xd6 || op === 0xfb18 || op === 0xfb19;
}
