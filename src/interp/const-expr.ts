/**
 * Evaluates constant expressions: the initial values of globals, offsets of segments, elements (specification chapter 3.3.7).
 * They are validated already, so this is a short stack machine over their few instructions.
 */
import type { Value } from './engine.js';
import { InstrReader } from './instr.js';
import type { Expr } from './module.js';
import { FEATURES_3_0 } from './opcodes.js';
import type { WasmFunc } from './func.js';
import type { WasmGlobal } from './global.js';

const bits = new DataView(new ArrayBuffer(8));

/** A number comes with its bits, as a JS number does not keep those of an f32 NaN. */
export interface Constant { readonly value: Value; readonly lo: number; readonly hi: number }

export function evaluate(bytes: Uint8Array, expr: Expr, globals: readonly WasmGlobal[], funcs: readonly WasmFunc[]): Constant {
  const instr = new InstrReader(bytes, expr.start, expr.end, FEATURES_3_0);
  let result: Constant = { value: null, lo: 0, hi: 0 };
  for (;;) {
    instr.next();
    const { a, b } = instr;
    switch (instr.op) {
      case 0x0b: return result;
      case 0x23: {
        const { words, at, ref, isReference, value } = globals[a];
        result = { value: isReference ? ref : value, lo: words[at], hi: words[at + 1] };
        break;
      }
      case 0x41: result = { value: a, lo: a, hi: 0 }; break;
      case 0x42: result = { value: BigInt(b) << 32n | BigInt(a >>> 0), lo: a, hi: b }; break;
      case 0x43:
        bits.setInt32(0, a);
        result = { value: bits.getFloat32(0), lo: a, hi: 0 };
        break;
      case 0x44:
        bits.setInt32(0, b);
        bits.setInt32(4, a);
        result = { value: bits.getFloat64(0), lo: a, hi: b };
        break;
      case 0xfd0c: {
        const vector = new Uint8Array(16);
        [a, b, instr.c, instr.d].forEach((word, i) => new DataView(vector.buffer).setInt32(4 * i, word, true));
        result = { value: vector, lo: a, hi: b };
        break;
      }
      case 0xd0: result = { value: null, lo: 0, hi: 0 }; break;
      case 0xd2: result = { value: funcs[a], lo: 0, hi: 0 }; break;
      default: throw new Error(`bug: opcode ${instr.op} in a constant expression`);
    }
  }
}
