/** Literals of JavaScript for the constants of WebAssembly. */
import { I64, type ValType } from '../types.js';
import { NO_LOCALS, type Operand } from './operands.js';

export function constantOf(type: ValType, text: string, constant: number | bigint): Operand {
  return { type, text, bits: undefined, condition: undefined, flags: 0, locals: NO_LOCALS, own: false, local: -1, exact: true, constant, depth: 0 };
}

const bits = new DataView(new ArrayBuffer(8));
/** A literal with exactly these bits, or undefined for a NaN. */
export function floatText(lo: number, hi: number, single: boolean): string | undefined {
  let value: number;
  if (single) {
    bits.setInt32(0, lo);
    value = bits.getFloat32(0);
  } else {
    bits.setInt32(0, hi);
    bits.setInt32(4, lo);
    value = bits.getFloat64(0);
  }
  if (value !== value) return undefined;
  return numberText(value);
}

/** As text that can stand anywhere in an expression. */
export function numberText(value: number): string {
  return Object.is(value, -0) ? '(-0)' : value < 0 ? `(${value})` : String(value);
}

export function longConstant(value: bigint): Operand {
  return constantOf(I64, value < 0n ? `(${value}n)` : `${value}n`, value);
}
