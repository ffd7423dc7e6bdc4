/** What the expressions of expressions.ts call, besides the helpers of meaning.ts. */
import { Trap } from '../../errors.js';
import { ctz32 } from '../meaning.js';

const F64 = new Float64Array(1);
const L32 = new Int32Array(F64.buffer);
const F32 = new Float32Array(1);
const I32 = new Int32Array(F32.buffer);

export function bits32(x: number): number {
  F32[0] = x;
  return I32[0];
}

export function float32(bits: number): number {
  I32[0] = bits;
  return F32[0];
}

/** V8 multiplies by -1, which keeps the sign of a NaN. */
export function neg64(x: number): number {
  if (x === x) return -x;
  F64[0] = x;
  L32[1] ^= 0x80000000;
  return F64[0];
}

export function abs64(x: number): number {
  if (x === x) return Math.abs(x);
  F64[0] = x;
  L32[1] &= 0x7fffffff;
  return F64[0];
}

export function copysign64(x: number, sign: number): number {
  F64[0] = sign;
  const s = L32[1] & 0x80000000;
  F64[0] = x;
  L32[1] = (L32[1] & 0x7fffffff) | s;
  return F64[0];
}

/** V8 hands on a signalling NaN when it rounds. */
export function quiet(x: number): number {
  return x === x ? x : NaN;
}

export function clzHalves(hi: number, lo: number): number {
  return hi !== 0 ? Math.clz32(hi) : 32 + Math.clz32(lo);
}

export function ctzHalves(hi: number, lo: number): number {
  return lo !== 0 ? ctz32(lo) : 32 + ctz32(hi);
}

export function unreachable(): never {
  throw new Trap('unreachable');
}
