/**
 * What each simple instruction computes, as JavaScript text, once for all tiers: `$0` and `$1` are the operands, i32 a signed
 * number, i64 a signed bigint, f32 and f64 numbers; the result is taken modulo its type's size where it is stored. `trap(…)`
 * stands for the tier's way to stop. Loads and stores, control and references are each tier's own business.
 * WebAssembly specification, chapter 4.3 (Numerics). Only text and the helpers it calls.
 */
import { Trap } from '../errors.js';
import type { Simple } from './opcodes.js';

/** `nop` computes nothing, `data.drop` and the others with immediates are no expressions. */
export type Computed = Exclude<Simple, 'nop'>;

const U = '>>> 0';
/** unsigned order of two signed bigints, without a bigint beyond 64 bits */
const below = (a: string, b: string) => `(${a} < ${b}) !== ((${a} < 0n) !== (${b} < 0n))`;

export const MEANING: { readonly [K in Computed]: string } = {
  'i32.eqz': '$0 === 0', 'i32.eq': '$0 === $1', 'i32.ne': '$0 !== $1',
  'i32.lt_s': '$0 < $1', 'i32.lt_u': `($0 ${U}) < ($1 ${U})`, 'i32.gt_s': '$0 > $1', 'i32.gt_u': `($0 ${U}) > ($1 ${U})`,
  'i32.le_s': '$0 <= $1', 'i32.le_u': `($0 ${U}) <= ($1 ${U})`, 'i32.ge_s': '$0 >= $1', 'i32.ge_u': `($0 ${U}) >= ($1 ${U})`,
  'i64.eqz': '$0 === 0n', 'i64.eq': '$0 === $1', 'i64.ne': '$0 !== $1',
  'i64.lt_s': '$0 < $1', 'i64.lt_u': below('$0', '$1'), 'i64.gt_s': '$0 > $1', 'i64.gt_u': below('$1', '$0'),
  'i64.le_s': '$0 <= $1', 'i64.le_u': `!(${below('$1', '$0')})`, 'i64.ge_s': '$0 >= $1', 'i64.ge_u': `!(${below('$0', '$1')})`,
  'f32.eq': '$0 === $1', 'f32.ne': '$0 !== $1', 'f32.lt': '$0 < $1', 'f32.gt': '$0 > $1', 'f32.le': '$0 <= $1', 'f32.ge': '$0 >= $1',
  'f64.eq': '$0 === $1', 'f64.ne': '$0 !== $1', 'f64.lt': '$0 < $1', 'f64.gt': '$0 > $1', 'f64.le': '$0 <= $1', 'f64.ge': '$0 >= $1',

  'i32.clz': 'Math.clz32($0)', 'i32.ctz': 'ctz32($0)', 'i32.popcnt': 'popcnt32($0)',
  'i32.add': '($0 + $1) | 0', 'i32.sub': '($0 - $1) | 0', 'i32.mul': 'Math.imul($0, $1)',
  'i32.div_s': 'divS32($0, $1)', 'i32.div_u': 'divU32($0, $1)', 'i32.rem_s': 'remS32($0, $1)', 'i32.rem_u': 'remU32($0, $1)',
  'i32.and': '$0 & $1', 'i32.or': '$0 | $1', 'i32.xor': '$0 ^ $1',
  'i32.shl': '$0 << $1', 'i32.shr_s': '$0 >> $1', 'i32.shr_u': '$0 >>> $1',
  'i32.rotl': '($0 << $1) | ($0 >>> (32 - $1))', 'i32.rotr': '($0 >>> $1) | ($0 << (32 - $1))',

  'i64.clz': 'clz64($0)', 'i64.ctz': 'ctz64($0)', 'i64.popcnt': 'popcnt64($0)',
  'i64.add': '$0 + $1', 'i64.sub': '$0 - $1', 'i64.mul': '$0 * $1',
  'i64.div_s': 'divS64($0, $1)', 'i64.div_u': 'divU64($0, $1)', 'i64.rem_s': 'remS64($0, $1)', 'i64.rem_u': 'remU64($0, $1)',
  'i64.and': '$0 & $1', 'i64.or': '$0 | $1', 'i64.xor': '$0 ^ $1',
  'i64.shl': '$0 << ($1 & 63n)', 'i64.shr_s': '$0 >> ($1 & 63n)', 'i64.shr_u': 'BigInt.asUintN(64, $0) >> ($1 & 63n)',
  'i64.rotl': 'rotl64($0, $1)', 'i64.rotr': 'rotl64($0, -$1)',

  'f32.abs': 'Math.abs($0)', 'f32.neg': '-$0', 'f32.ceil': 'Math.ceil($0)', 'f32.floor': 'Math.floor($0)', 'f32.trunc': 'Math.trunc($0)',
  'f32.nearest': 'nearest($0)', 'f32.sqrt': 'Math.sqrt($0)', 'f32.add': '$0 + $1', 'f32.sub': '$0 - $1', 'f32.mul': '$0 * $1', 'f32.div': '$0 / $1',
  'f32.min': 'Math.min($0, $1)', 'f32.max': 'Math.max($0, $1)', 'f32.copysign': 'copysign($0, $1)',
  'f64.abs': 'Math.abs($0)', 'f64.neg': '-$0', 'f64.ceil': 'Math.ceil($0)', 'f64.floor': 'Math.floor($0)', 'f64.trunc': 'Math.trunc($0)',
  'f64.nearest': 'nearest($0)', 'f64.sqrt': 'Math.sqrt($0)', 'f64.add': '$0 + $1', 'f64.sub': '$0 - $1', 'f64.mul': '$0 * $1', 'f64.div': '$0 / $1',
  'f64.min': 'Math.min($0, $1)', 'f64.max': 'Math.max($0, $1)', 'f64.copysign': 'copysign($0, $1)',

  'i32.wrap_i64': 'Number(BigInt.asIntN(32, $0))',
  'i32.trunc_f32_s': 'truncS32($0)', 'i32.trunc_f32_u': 'truncU32($0)', 'i32.trunc_f64_s': 'truncS32($0)', 'i32.trunc_f64_u': 'truncU32($0)',
  'i64.extend_i32_s': 'BigInt($0)', 'i64.extend_i32_u': `BigInt($0 ${U})`,
  'i64.trunc_f32_s': 'truncS64($0)', 'i64.trunc_f32_u': 'truncU64($0)', 'i64.trunc_f64_s': 'truncS64($0)', 'i64.trunc_f64_u': 'truncU64($0)',
  'f32.convert_i32_s': '$0', 'f32.convert_i32_u': `$0 ${U}`, 'f32.convert_i64_s': 'i64ToF32($0)', 'f32.convert_i64_u': 'i64ToF32(BigInt.asUintN(64, $0))',
  'f32.demote_f64': '$0', 'f64.convert_i32_s': '$0', 'f64.convert_i32_u': `$0 ${U}`,
  'f64.convert_i64_s': 'Number($0)', 'f64.convert_i64_u': 'Number(BigInt.asUintN(64, $0))', 'f64.promote_f32': '$0',
  'i32.reinterpret_f32': 'bits of $0', 'i64.reinterpret_f64': 'bits of $0', 'f32.reinterpret_i32': 'bits of $0', 'f64.reinterpret_i64': 'bits of $0',
  'i32.extend8_s': '$0 << 24 >> 24', 'i32.extend16_s': '$0 << 16 >> 16',
  'i64.extend8_s': 'BigInt.asIntN(8, $0)', 'i64.extend16_s': 'BigInt.asIntN(16, $0)', 'i64.extend32_s': 'BigInt.asIntN(32, $0)',
  'i32.trunc_sat_f32_s': 'satS32($0)', 'i32.trunc_sat_f32_u': 'satU32($0)', 'i32.trunc_sat_f64_s': 'satS32($0)', 'i32.trunc_sat_f64_u': 'satU32($0)',
  'i64.trunc_sat_f32_s': 'satS64($0)', 'i64.trunc_sat_f32_u': 'satU64($0)', 'i64.trunc_sat_f64_s': 'satS64($0)', 'i64.trunc_sat_f64_u': 'satU64($0)',
};

// ---- helpers of the texts above ---------------------------------------------------------------------------------

const DIVIDE_BY_ZERO = 'integer divide by zero', OVERFLOW = 'integer overflow', BAD_CONVERSION = 'invalid conversion to integer';
const MIN64 = -(2n ** 63n);

export function ctz32(x: number): number {
  return x === 0 ? 32 : 31 - Math.clz32(x & -x);
}

export function popcnt32(x: number): number {
  x -= (x >>> 1) & 0x55555555;
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export function divS32(a: number, b: number): number {
  if (b === 0) throw new Trap(DIVIDE_BY_ZERO);
  if (b === -1 && a === -0x80000000) throw new Trap(OVERFLOW);
  return (a / b) | 0;
}

export function divU32(a: number, b: number): number {
  if (b === 0) throw new Trap(DIVIDE_BY_ZERO);
  return ((a >>> 0) / (b >>> 0)) | 0;
}

export function remS32(a: number, b: number): number {
  if (b === 0) throw new Trap(DIVIDE_BY_ZERO);
  return (a % b) | 0;
}

export function remU32(a: number, b: number): number {
  if (b === 0) throw new Trap(DIVIDE_BY_ZERO);
  return ((a >>> 0) % (b >>> 0)) | 0;
}

export function divS64(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new Trap(DIVIDE_BY_ZERO);
  if (b === -1n && a === MIN64) throw new Trap(OVERFLOW);
  return a / b;
}

/** of unsigned operands */
export function divU64(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new Trap(DIVIDE_BY_ZERO);
  return BigInt.asUintN(64, a) / BigInt.asUintN(64, b);
}

export function remS64(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new Trap(DIVIDE_BY_ZERO);
  return a % b;
}

export function remU64(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new Trap(DIVIDE_BY_ZERO);
  return BigInt.asUintN(64, a) % BigInt.asUintN(64, b);
}

export function clz64(x: bigint): bigint {
  const hi = Number(BigInt.asIntN(32, x >> 32n));
  return BigInt(hi !== 0 ? Math.clz32(hi) : 32 + Math.clz32(Number(BigInt.asIntN(32, x))));
}

export function ctz64(x: bigint): bigint {
  const lo = Number(BigInt.asIntN(32, x));
  return BigInt(lo !== 0 ? ctz32(lo) : 32 + ctz32(Number(BigInt.asIntN(32, x >> 32n))));
}

export function popcnt64(x: bigint): bigint {
  return BigInt(popcnt32(Number(BigInt.asIntN(32, x))) + popcnt32(Number(BigInt.asIntN(32, x >> 32n))));
}

export function rotl64(x: bigint, by: bigint): bigint {
  const n = BigInt.asUintN(6, by);
  const u = BigInt.asUintN(64, x);
  return BigInt.asIntN(64, (u << n) | (u >> (64n - n)));
}

/** Rounds to the nearest integer, ties to even; keeps the sign of zero. */
export function nearest(x: number): number {
  // beyond 2^52 every double is an integer; the addition makes a NaN quiet
  if (!(Math.abs(x) < 0x10000000000000)) return x + 0;
  const shift = x < 0 || Object.is(x, -0) ? -0x10000000000000 : 0x10000000000000;
  const rounded = x + shift - shift;
  return rounded === 0 && shift < 0 ? -0 : rounded;
}

/** For numbers that are no NaN: bits of a NaN do not survive here, so tiers work on bits instead. */
export function copysign(x: number, sign: number): number {
  const negative = sign < 0 || Object.is(sign, -0);
  return negative === (x < 0 || Object.is(x, -0)) ? x : -x;
}

export function truncS32(x: number): number {
  if (x > -2147483649 && x < 2147483648) return x | 0;
  throw new Trap(x !== x ? BAD_CONVERSION : OVERFLOW);
}

export function truncU32(x: number): number {
  if (x > -1 && x < 4294967296) return x | 0;
  throw new Trap(x !== x ? BAD_CONVERSION : OVERFLOW);
}

export function truncS64(x: number): bigint {
  if (x >= -0x8000000000000000 && x < 0x8000000000000000) return BigInt(Math.trunc(x));
  throw new Trap(x !== x ? BAD_CONVERSION : OVERFLOW);
}

export function truncU64(x: number): bigint {
  if (x > -1 && x < 0x10000000000000000) return BigInt(Math.trunc(x));
  throw new Trap(x !== x ? BAD_CONVERSION : OVERFLOW);
}

export function satS32(x: number): number {
  return x >= 2147483647 ? 0x7fffffff : x <= -2147483648 ? -0x80000000 : x | 0;
}

export function satU32(x: number): number {
  return x >= 4294967295 ? -1 : x > 0 ? x | 0 : 0;
}

export function satS64(x: number): bigint {
  if (x !== x) return 0n;
  return x >= 0x8000000000000000 ? 0x7fffffffffffffffn : x <= -0x8000000000000000 ? MIN64 : BigInt(Math.trunc(x));
}

export function satU64(x: number): bigint {
  return x >= 0x10000000000000000 ? 0xffffffffffffffffn : x > 0 ? BigInt(Math.trunc(x)) : 0n;
}

/**
 * The nearest f32 of an integer, rounded once. By way of a double it would be rounded twice, so bits that a double cannot
 * hold are folded into one sticky bit, which lies below every bit that decides the rounding to f32.
 */
export function i64ToF32(x: bigint): number {
  const rest = x & 0xfffn;
  const exact = rest === 0n || (x < 0x20000000000000n && x > -0x20000000000000n) ? x : (x - rest) | 0x800n;
  return Math.fround(Number(exact));
}

// ---- helpers of meaning-vector.ts

export function clampS8(x: number): number {
  return x < -0x80 ? -0x80 : x > 0x7f ? 0x7f : x;
}

export function clampU8(x: number): number {
  return x < 0 ? 0 : x > 0xff ? 0xff : x;
}

export function clampS16(x: number): number {
  return x < -0x8000 ? -0x8000 : x > 0x7fff ? 0x7fff : x;
}

export function clampU16(x: number): number {
  return x < 0 ? 0 : x > 0xffff ? 0xffff : x;
}

/** V8's rounding hands on a signalling NaN, and the specification wants a quiet one. */
export function quiet(x: number): number {
  return x === x ? x : NaN;
}
