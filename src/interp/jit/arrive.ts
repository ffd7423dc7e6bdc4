/**
 * Makes frames of the interpreter of the frames that have left the stack of JavaScript (unwinding.ts): positions and frame
 * pointers go onto the call stack, what lay between instances and host functions becomes a boundary.
 */
import type { Boundary, Host } from '../boundary.js';
import { RETURN_CROSS, RETURN_HOST } from '../code.js';
import { FILES, SLOTS, type Machine } from '../files.js';
import type { WasmInstance } from '../instance.js';
import { HEADER } from '../lower.js';
import { left, type Left } from './unwinding.js';

const { I32, I64, CS } = FILES;

/** The machine is where it entered compiled code: the frame of the outermost one is on the call stack already. */
export function arrive(m: Machine, boundaries: Boundary[]): void {
  // the same array again: V8 optimises what adds to it for the kind of array that it has become
  const items = left.frames.slice();
  left.frames.length = 0;
  let last: { inst: WasmInstance; pc: number; fp: number } | undefined;
  let host: Host | undefined;
  for (let i = items.length - 1; i >= 0; i--) {
    const item = items[i];
    if (item.kind === 'host') {
      if (last) [m.inst, m.pc, m.fp] = [last.inst, last.pc, last.fp];
      boundaries.push(host = { ...item.host, sp: m.sp, guest: item.byGuest ? last : undefined });
      continue;
    }
    if (last || host) {
      let marker = RETURN_HOST;
      if (last && !host) {
        marker = last.pc;
        if (item.inst !== last.inst) {
          checkRoom(m, item, last);
          boundaries.push({ kind: 'cross', sp: m.sp, inst: last.inst, pc: last.pc, fp: last.fp });
          marker = RETURN_CROSS;
        }
      }
      checkRoom(m, item, last!);
      CS[m.sp] = marker;
      CS[m.sp + 1] = last!.fp;
      m.sp += 2;
      host = undefined;
    }
    last = item.kind === 'frame' ? item : { inst: item.inst, pc: begin(item), fp: item.fp };
  }
  m.pc = last!.pc;
  m.fp = last!.fp;
  m.enter(last!.inst);
}

/** What the interpreter checks when it calls. */
function checkRoom(m: Machine, item: Left & { readonly kind: 'frame' | 'begin' }, caller: { inst: WasmInstance; pc: number; fp: number }): void {
  if (item.kind !== 'begin') return;
  const { code } = item.inst;
  m.pc = caller.pc - 1;
  m.fp = caller.fp;
  m.enter(caller.inst);
  const entry = code.entry(item.pc);
  if (item.fp + code.words[entry] > SLOTS || m.sp >= m.spLimit) throw m.exhausted(m.sp, item.fp);
}

/** Clears the locals of a function that begins. @returns its first position */
function begin({ inst, pc, fp }: { readonly inst: WasmInstance; readonly pc: number; readonly fp: number }): number {
  const entry = inst.code.entry(pc);
  const { words } = inst.code;
  I32.fill(0, fp + words[entry + 1], fp + words[entry + 2]);
  I64.fill(0n, fp + words[entry + 1], fp + words[entry + 2]);
  return entry + HEADER;
}
