/**
 * The loop that runs fused instructions (fuse.ts), one function of JavaScript after the other, and what has no case in the common
 * loop anyway. It ends at an instruction that only that one knows.
 */
import { FUSED } from './core.js';
import { COLD } from './core-table.js';
import { STATE, STATE_FP, STATE_FUEL, STATE_SP, STATE_TRAP, type Machine } from './files.js';

const COLD_OPS = COLD.length;

export function isFused(word: number): boolean {
  return (word & 0xfff) === FUSED;
}

export function makeFused(m: Machine, cold: (w: number) => void): () => void {
  return function execute(): void {
    let { pc, fp, sp, fuel, code, fused } = m;
    try {
      for (;;) {
        const w = code[pc];
        if ((w & 0xfff) === FUSED) {
          STATE[STATE_FUEL] = fuel;
          STATE[STATE_SP] = sp;
          pc = fused[w >>> 12](w >>> 12, fp);
          fuel = STATE[STATE_FUEL];
          sp = STATE[STATE_SP];
          fp = STATE[STATE_FP];
          if (fuel < 0) return;
        } else if ((w & 0xfff) < COLD_OPS) {
          m.pc = pc; m.fp = fp; m.sp = sp; m.fuel = fuel;
          cold(w);
          ({ pc, fp, sp, fuel, code, fused } = m);
          if (m.exit !== 0 || fuel < 0) return;
        } else {
          return;
        }
      }
    } catch (error) {
      if (STATE[STATE_TRAP] !== 0) {
        pc = STATE[STATE_TRAP];
        fuel = STATE[STATE_FUEL];
        sp = STATE[STATE_SP];
        fp = STATE[STATE_FP];
        STATE[STATE_TRAP] = 0;
      }
      throw error;
    } finally {
      m.pc = pc; m.fp = fp; m.sp = sp; m.fuel = fuel;
    }
  };
}
