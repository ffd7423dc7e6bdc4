/**
 * The interpreter's loop: printed by core-gen.ts from core-table.ts, not to be edited. Runs the code of lower.ts on the machine's
 * register files until the fuel is spent or the machine's `exit` is set; the whole state is then in the machine.
 */
import { popcnt32, ctz32, divS32, divU32, remS32, remU32, divS64, divU64, remS64, remU64, nearest, truncS32, truncU32, truncS64, truncU64, satS32, satU32, satS64, satU64, i64ToF32 } from './meaning.js';
import type { Format } from './core-table.js';
import { type Machine, type Files, SLOTS } from './files.js';
import type { Vector } from './vector-core.js';

/**
 * @param cold carries out one instruction that has no case here
 * @param vectors the same of the vector instructions, by their numbers
 */
export function makeCore(files: Files, m: Machine, cold: (w: number) => void, vectors: readonly Vector[]): () => void {
  const { I32, F32, L32, I64, F64, CS } = files;
  return function execute(): void {
    let { pc, fp, sp, fuel, code, view, g32, k64, kf64, k32 } = m;
    try {
      run: for (;;) {
        const w = code[pc];
        switch (w & 0xfff) {
        case 64: { /* i32.eqz */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] === 0 ? 1 : 0; pc += 2; break; }
        case 65: { /* i32.eq */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] === I32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 66: { /* i32.eq.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] === code[pc + 2] ? 1 : 0; pc += 3; break; }
        case 67: { /* i32.ne */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] !== I32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 68: { /* i32.ne.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] !== code[pc + 2] ? 1 : 0; pc += 3; break; }
        case 69: { /* i32.lt_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] < I32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 70: { /* i32.lt_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] < code[pc + 2] ? 1 : 0; pc += 3; break; }
        case 71: { /* i32.lt_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] >>> 0) < (I32[fp + (x >>> 16)] >>> 0) ? 1 : 0; pc += 2; break; }
        case 72: { /* i32.lt_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + x] >>> 0) < (code[pc + 2] >>> 0) ? 1 : 0; pc += 3; break; }
        case 73: { /* i32.gt_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] > I32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 74: { /* i32.gt_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] > code[pc + 2] ? 1 : 0; pc += 3; break; }
        case 75: { /* i32.gt_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] >>> 0) > (I32[fp + (x >>> 16)] >>> 0) ? 1 : 0; pc += 2; break; }
        case 76: { /* i32.gt_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + x] >>> 0) > (code[pc + 2] >>> 0) ? 1 : 0; pc += 3; break; }
        case 77: { /* i32.le_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] <= I32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 78: { /* i32.le_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] <= code[pc + 2] ? 1 : 0; pc += 3; break; }
        case 79: { /* i32.le_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] >>> 0) <= (I32[fp + (x >>> 16)] >>> 0) ? 1 : 0; pc += 2; break; }
        case 80: { /* i32.le_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + x] >>> 0) <= (code[pc + 2] >>> 0) ? 1 : 0; pc += 3; break; }
        case 81: { /* i32.ge_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] >= I32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 82: { /* i32.ge_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] >= code[pc + 2] ? 1 : 0; pc += 3; break; }
        case 83: { /* i32.ge_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] >>> 0) >= (I32[fp + (x >>> 16)] >>> 0) ? 1 : 0; pc += 2; break; }
        case 84: { /* i32.ge_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + x] >>> 0) >= (code[pc + 2] >>> 0) ? 1 : 0; pc += 3; break; }
        case 85: { /* i64.eqz */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (L32[((fp + x) << 1)] | L32[((fp + x) << 1) + 1]) === 0 ? 1 : 0; pc += 2; break; }
        case 86: { /* i64.eq */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] === I64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 87: { /* i64.eq.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + x] === k64[code[pc + 2]] ? 1 : 0; pc += 3; break; }
        case 88: { /* i64.ne */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] !== I64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 89: { /* i64.ne.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + x] !== k64[code[pc + 2]] ? 1 : 0; pc += 3; break; }
        case 90: { /* i64.lt_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] < I64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 91: { /* i64.lt_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + x] < k64[code[pc + 2]] ? 1 : 0; pc += 3; break; }
        case 92: { /* i64.lt_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I64[fp + (x & 0xffff)] < I64[fp + (x >>> 16)]) !== ((I64[fp + (x & 0xffff)] < 0n) !== (I64[fp + (x >>> 16)] < 0n)) ? 1 : 0; pc += 2; break; }
        case 93: { /* i64.lt_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I64[fp + x] < k64[code[pc + 2]]) !== ((I64[fp + x] < 0n) !== (k64[code[pc + 2]] < 0n)) ? 1 : 0; pc += 3; break; }
        case 94: { /* i64.gt_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] > I64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 95: { /* i64.gt_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + x] > k64[code[pc + 2]] ? 1 : 0; pc += 3; break; }
        case 96: { /* i64.gt_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I64[fp + (x >>> 16)] < I64[fp + (x & 0xffff)]) !== ((I64[fp + (x >>> 16)] < 0n) !== (I64[fp + (x & 0xffff)] < 0n)) ? 1 : 0; pc += 2; break; }
        case 97: { /* i64.gt_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (k64[code[pc + 2]] < I64[fp + x]) !== ((k64[code[pc + 2]] < 0n) !== (I64[fp + x] < 0n)) ? 1 : 0; pc += 3; break; }
        case 98: { /* i64.le_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] <= I64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 99: { /* i64.le_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + x] <= k64[code[pc + 2]] ? 1 : 0; pc += 3; break; }
        case 100: { /* i64.le_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = !((I64[fp + (x >>> 16)] < I64[fp + (x & 0xffff)]) !== ((I64[fp + (x >>> 16)] < 0n) !== (I64[fp + (x & 0xffff)] < 0n))) ? 1 : 0; pc += 2; break; }
        case 101: { /* i64.le_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = !((k64[code[pc + 2]] < I64[fp + x]) !== ((k64[code[pc + 2]] < 0n) !== (I64[fp + x] < 0n))) ? 1 : 0; pc += 3; break; }
        case 102: { /* i64.ge_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] >= I64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 103: { /* i64.ge_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I64[fp + x] >= k64[code[pc + 2]] ? 1 : 0; pc += 3; break; }
        case 104: { /* i64.ge_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = !((I64[fp + (x & 0xffff)] < I64[fp + (x >>> 16)]) !== ((I64[fp + (x & 0xffff)] < 0n) !== (I64[fp + (x >>> 16)] < 0n))) ? 1 : 0; pc += 2; break; }
        case 105: { /* i64.ge_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = !((I64[fp + x] < k64[code[pc + 2]]) !== ((I64[fp + x] < 0n) !== (k64[code[pc + 2]] < 0n))) ? 1 : 0; pc += 3; break; }
        case 106: { /* f32.eq */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] === F32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 107: { /* f32.ne */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] !== F32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 108: { /* f32.lt */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] < F32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 109: { /* f32.gt */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] > F32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 110: { /* f32.le */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] <= F32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 111: { /* f32.ge */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] >= F32[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 112: { /* f64.eq */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] === F64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 113: { /* f64.ne */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] !== F64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 114: { /* f64.lt */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] < F64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 115: { /* f64.gt */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] > F64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 116: { /* f64.le */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] <= F64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 117: { /* f64.ge */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] >= F64[fp + (x >>> 16)] ? 1 : 0; pc += 2; break; }
        case 118: { /* i32.clz */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = Math.clz32(I32[fp + x]); pc += 2; break; }
        case 119: { /* i32.ctz */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = ctz32(I32[fp + x]); pc += 2; break; }
        case 120: { /* i32.popcnt */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = popcnt32(I32[fp + x]); pc += 2; break; }
        case 121: { /* i32.add */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] + I32[fp + (x >>> 16)]) | 0; pc += 2; break; }
        case 122: { /* i32.add.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + x] + code[pc + 2]) | 0; pc += 3; break; }
        case 123: { /* i32.sub */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] - I32[fp + (x >>> 16)]) | 0; pc += 2; break; }
        case 124: { /* i32.sub.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + x] - code[pc + 2]) | 0; pc += 3; break; }
        case 125: { /* i32.mul */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = Math.imul(I32[fp + (x & 0xffff)], I32[fp + (x >>> 16)]); pc += 2; break; }
        case 126: { /* i32.mul.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = Math.imul(I32[fp + x], code[pc + 2]); pc += 3; break; }
        case 127: { /* i32.div_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = divS32(I32[fp + (x & 0xffff)], I32[fp + (x >>> 16)]); pc += 2; break; }
        case 128: { /* i32.div_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = divS32(I32[fp + x], code[pc + 2]); pc += 3; break; }
        case 129: { /* i32.div_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = divU32(I32[fp + (x & 0xffff)], I32[fp + (x >>> 16)]); pc += 2; break; }
        case 130: { /* i32.div_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = divU32(I32[fp + x], code[pc + 2]); pc += 3; break; }
        case 131: { /* i32.rem_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = remS32(I32[fp + (x & 0xffff)], I32[fp + (x >>> 16)]); pc += 2; break; }
        case 132: { /* i32.rem_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = remS32(I32[fp + x], code[pc + 2]); pc += 3; break; }
        case 133: { /* i32.rem_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = remU32(I32[fp + (x & 0xffff)], I32[fp + (x >>> 16)]); pc += 2; break; }
        case 134: { /* i32.rem_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = remU32(I32[fp + x], code[pc + 2]); pc += 3; break; }
        case 135: { /* i32.and */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] & I32[fp + (x >>> 16)]; pc += 2; break; }
        case 136: { /* i32.and.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] & code[pc + 2]; pc += 3; break; }
        case 137: { /* i32.or */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] | I32[fp + (x >>> 16)]; pc += 2; break; }
        case 138: { /* i32.or.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] | code[pc + 2]; pc += 3; break; }
        case 139: { /* i32.xor */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] ^ I32[fp + (x >>> 16)]; pc += 2; break; }
        case 140: { /* i32.xor.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] ^ code[pc + 2]; pc += 3; break; }
        case 141: { /* i32.shl */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] << I32[fp + (x >>> 16)]; pc += 2; break; }
        case 142: { /* i32.shl.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] << code[pc + 2]; pc += 3; break; }
        case 143: { /* i32.shr_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] >> I32[fp + (x >>> 16)]; pc += 2; break; }
        case 144: { /* i32.shr_s.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] >> code[pc + 2]; pc += 3; break; }
        case 145: { /* i32.shr_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + (x & 0xffff)] >>> I32[fp + (x >>> 16)]; pc += 2; break; }
        case 146: { /* i32.shr_u.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] >>> code[pc + 2]; pc += 3; break; }
        case 147: { /* i32.rotl */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] << I32[fp + (x >>> 16)]) | (I32[fp + (x & 0xffff)] >>> (32 - I32[fp + (x >>> 16)])); pc += 2; break; }
        case 148: { /* i32.rotl.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + x] << code[pc + 2]) | (I32[fp + x] >>> (32 - code[pc + 2])); pc += 3; break; }
        case 149: { /* i32.rotr */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] >>> I32[fp + (x >>> 16)]) | (I32[fp + (x & 0xffff)] << (32 - I32[fp + (x >>> 16)])); pc += 2; break; }
        case 150: { /* i32.rotr.k */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + x] >>> code[pc + 2]) | (I32[fp + x] << (32 - code[pc + 2])); pc += 3; break; }
        case 151: { /* i64.clz */ const x = code[pc + 1]; const h = L32[((fp + x) << 1) + 1]; L32[((fp + (w >>> 12)) << 1)] = h !== 0 ? Math.clz32(h) : 32 + Math.clz32(L32[((fp + x) << 1)]); L32[((fp + (w >>> 12)) << 1) + 1] = 0; pc += 2; break; }
        case 152: { /* i64.ctz */ const x = code[pc + 1]; const l = L32[((fp + x) << 1)]; L32[((fp + (w >>> 12)) << 1)] = l !== 0 ? ctz32(l) : 32 + ctz32(L32[((fp + x) << 1) + 1]); L32[((fp + (w >>> 12)) << 1) + 1] = 0; pc += 2; break; }
        case 153: { /* i64.popcnt */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = popcnt32(L32[((fp + x) << 1)]) + popcnt32(L32[((fp + x) << 1) + 1]); L32[((fp + (w >>> 12)) << 1) + 1] = 0; pc += 2; break; }
        case 154: { /* i64.add */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] + I64[fp + (x >>> 16)]; pc += 2; break; }
        case 155: { /* i64.add.k */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = I64[fp + x] + k64[code[pc + 2]]; pc += 3; break; }
        case 156: { /* i64.sub */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] - I64[fp + (x >>> 16)]; pc += 2; break; }
        case 157: { /* i64.sub.k */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = I64[fp + x] - k64[code[pc + 2]]; pc += 3; break; }
        case 158: { /* i64.mul */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = I64[fp + (x & 0xffff)] * I64[fp + (x >>> 16)]; pc += 2; break; }
        case 159: { /* i64.mul.k */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = I64[fp + x] * k64[code[pc + 2]]; pc += 3; break; }
        case 160: { /* i64.div_s */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = divS64(I64[fp + (x & 0xffff)], I64[fp + (x >>> 16)]); pc += 2; break; }
        case 161: { /* i64.div_u */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = divU64(I64[fp + (x & 0xffff)], I64[fp + (x >>> 16)]); pc += 2; break; }
        case 162: { /* i64.rem_s */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = remS64(I64[fp + (x & 0xffff)], I64[fp + (x >>> 16)]); pc += 2; break; }
        case 163: { /* i64.rem_u */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = remU64(I64[fp + (x & 0xffff)], I64[fp + (x >>> 16)]); pc += 2; break; }
        case 164: { /* i64.and */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = L32[((fp + (x & 0xffff)) << 1)] & L32[((fp + (x >>> 16)) << 1)]; L32[((fp + (w >>> 12)) << 1) + 1] = L32[((fp + (x & 0xffff)) << 1) + 1] & L32[((fp + (x >>> 16)) << 1) + 1]; pc += 2; break; }
        case 165: { /* i64.and.k */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = L32[((fp + x) << 1)] & k32[code[pc + 2] << 1]; L32[((fp + (w >>> 12)) << 1) + 1] = L32[((fp + x) << 1) + 1] & k32[(code[pc + 2] << 1) + 1]; pc += 3; break; }
        case 166: { /* i64.or */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = L32[((fp + (x & 0xffff)) << 1)] | L32[((fp + (x >>> 16)) << 1)]; L32[((fp + (w >>> 12)) << 1) + 1] = L32[((fp + (x & 0xffff)) << 1) + 1] | L32[((fp + (x >>> 16)) << 1) + 1]; pc += 2; break; }
        case 167: { /* i64.or.k */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = L32[((fp + x) << 1)] | k32[code[pc + 2] << 1]; L32[((fp + (w >>> 12)) << 1) + 1] = L32[((fp + x) << 1) + 1] | k32[(code[pc + 2] << 1) + 1]; pc += 3; break; }
        case 168: { /* i64.xor */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = L32[((fp + (x & 0xffff)) << 1)] ^ L32[((fp + (x >>> 16)) << 1)]; L32[((fp + (w >>> 12)) << 1) + 1] = L32[((fp + (x & 0xffff)) << 1) + 1] ^ L32[((fp + (x >>> 16)) << 1) + 1]; pc += 2; break; }
        case 169: { /* i64.xor.k */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = L32[((fp + x) << 1)] ^ k32[code[pc + 2] << 1]; L32[((fp + (w >>> 12)) << 1) + 1] = L32[((fp + x) << 1) + 1] ^ k32[(code[pc + 2] << 1) + 1]; pc += 3; break; }
        case 170: { /* i64.shl */ const x = code[pc + 1]; const n = L32[((fp + (x >>> 16)) << 1)] & 63, l = L32[((fp + (x & 0xffff)) << 1)], h = L32[((fp + (x & 0xffff)) << 1) + 1]; if (n < 32) { L32[((fp + (w >>> 12)) << 1)] = l << n; L32[((fp + (w >>> 12)) << 1) + 1] = (h << n) | ((l >>> 1) >>> (31 - n)); } else { L32[((fp + (w >>> 12)) << 1)] = 0; L32[((fp + (w >>> 12)) << 1) + 1] = l << n; } pc += 2; break; }
        case 171: { /* i64.shl.k */ const x = code[pc + 1]; const n = k32[code[pc + 2] << 1] & 63, l = L32[((fp + x) << 1)], h = L32[((fp + x) << 1) + 1]; if (n < 32) { L32[((fp + (w >>> 12)) << 1)] = l << n; L32[((fp + (w >>> 12)) << 1) + 1] = (h << n) | ((l >>> 1) >>> (31 - n)); } else { L32[((fp + (w >>> 12)) << 1)] = 0; L32[((fp + (w >>> 12)) << 1) + 1] = l << n; } pc += 3; break; }
        case 172: { /* i64.shr_s */ const x = code[pc + 1]; const n = L32[((fp + (x >>> 16)) << 1)] & 63, l = L32[((fp + (x & 0xffff)) << 1)], h = L32[((fp + (x & 0xffff)) << 1) + 1]; if (n < 32) { L32[((fp + (w >>> 12)) << 1)] = (l >>> n) | ((h << 1) << (31 - n)); L32[((fp + (w >>> 12)) << 1) + 1] = h >> n; } else { L32[((fp + (w >>> 12)) << 1)] = h >> n; L32[((fp + (w >>> 12)) << 1) + 1] = h >> 31; } pc += 2; break; }
        case 173: { /* i64.shr_s.k */ const x = code[pc + 1]; const n = k32[code[pc + 2] << 1] & 63, l = L32[((fp + x) << 1)], h = L32[((fp + x) << 1) + 1]; if (n < 32) { L32[((fp + (w >>> 12)) << 1)] = (l >>> n) | ((h << 1) << (31 - n)); L32[((fp + (w >>> 12)) << 1) + 1] = h >> n; } else { L32[((fp + (w >>> 12)) << 1)] = h >> n; L32[((fp + (w >>> 12)) << 1) + 1] = h >> 31; } pc += 3; break; }
        case 174: { /* i64.shr_u */ const x = code[pc + 1]; const n = L32[((fp + (x >>> 16)) << 1)] & 63, l = L32[((fp + (x & 0xffff)) << 1)], h = L32[((fp + (x & 0xffff)) << 1) + 1]; if (n < 32) { L32[((fp + (w >>> 12)) << 1)] = (l >>> n) | ((h << 1) << (31 - n)); L32[((fp + (w >>> 12)) << 1) + 1] = h >>> n; } else { L32[((fp + (w >>> 12)) << 1)] = h >>> n; L32[((fp + (w >>> 12)) << 1) + 1] = 0; } pc += 2; break; }
        case 175: { /* i64.shr_u.k */ const x = code[pc + 1]; const n = k32[code[pc + 2] << 1] & 63, l = L32[((fp + x) << 1)], h = L32[((fp + x) << 1) + 1]; if (n < 32) { L32[((fp + (w >>> 12)) << 1)] = (l >>> n) | ((h << 1) << (31 - n)); L32[((fp + (w >>> 12)) << 1) + 1] = h >>> n; } else { L32[((fp + (w >>> 12)) << 1)] = h >>> n; L32[((fp + (w >>> 12)) << 1) + 1] = 0; } pc += 3; break; }
        case 176: { /* i64.rotl */ const x = code[pc + 1]; const n = L32[((fp + (x >>> 16)) << 1)] & 31, swap = L32[((fp + (x >>> 16)) << 1)] & 32, l = swap ? L32[((fp + (x & 0xffff)) << 1) + 1] : L32[((fp + (x & 0xffff)) << 1)], h = swap ? L32[((fp + (x & 0xffff)) << 1)] : L32[((fp + (x & 0xffff)) << 1) + 1]; L32[((fp + (w >>> 12)) << 1)] = (l << n) | ((h >>> 1) >>> (31 - n)); L32[((fp + (w >>> 12)) << 1) + 1] = (h << n) | ((l >>> 1) >>> (31 - n)); pc += 2; break; }
        case 177: { /* i64.rotr */ const x = code[pc + 1]; const n = L32[((fp + (x >>> 16)) << 1)] & 31, swap = L32[((fp + (x >>> 16)) << 1)] & 32, l = swap ? L32[((fp + (x & 0xffff)) << 1) + 1] : L32[((fp + (x & 0xffff)) << 1)], h = swap ? L32[((fp + (x & 0xffff)) << 1)] : L32[((fp + (x & 0xffff)) << 1) + 1]; L32[((fp + (w >>> 12)) << 1)] = (l >>> n) | ((h << 1) << (31 - n)); L32[((fp + (w >>> 12)) << 1) + 1] = (h >>> n) | ((l << 1) << (31 - n)); pc += 2; break; }
        case 178: { /* f32.abs */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] & 0x7fffffff; pc += 2; break; }
        case 179: { /* f32.neg */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] ^ 0x80000000; pc += 2; break; }
        case 180: { /* f32.ceil */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = Math.ceil(F32[fp + x]); pc += 2; break; }
        case 181: { /* f32.floor */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = Math.floor(F32[fp + x]); pc += 2; break; }
        case 182: { /* f32.trunc */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = Math.trunc(F32[fp + x]); pc += 2; break; }
        case 183: { /* f32.nearest */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = nearest(F32[fp + x]); pc += 2; break; }
        case 184: { /* f32.sqrt */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = Math.sqrt(F32[fp + x]); pc += 2; break; }
        case 185: { /* f32.add */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] + F32[fp + (x >>> 16)]; pc += 2; break; }
        case 186: { /* f32.sub */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] - F32[fp + (x >>> 16)]; pc += 2; break; }
        case 187: { /* f32.mul */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] * F32[fp + (x >>> 16)]; pc += 2; break; }
        case 188: { /* f32.div */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = F32[fp + (x & 0xffff)] / F32[fp + (x >>> 16)]; pc += 2; break; }
        case 189: { /* f32.min */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = Math.min(F32[fp + (x & 0xffff)], F32[fp + (x >>> 16)]); pc += 2; break; }
        case 190: { /* f32.max */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = Math.max(F32[fp + (x & 0xffff)], F32[fp + (x >>> 16)]); pc += 2; break; }
        case 191: { /* f32.copysign */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = (I32[fp + (x & 0xffff)] & 0x7fffffff) | (I32[fp + (x >>> 16)] & 0x80000000); pc += 2; break; }
        case 192: { /* f64.abs */ const x = code[pc + 1]; const l = L32[((fp + x) << 1)], h = L32[((fp + x) << 1) + 1]; L32[((fp + (w >>> 12)) << 1)] = l; L32[((fp + (w >>> 12)) << 1) + 1] = h & 0x7fffffff; pc += 2; break; }
        case 193: { /* f64.neg */ const x = code[pc + 1]; const l = L32[((fp + x) << 1)], h = L32[((fp + x) << 1) + 1]; L32[((fp + (w >>> 12)) << 1)] = l; L32[((fp + (w >>> 12)) << 1) + 1] = h ^ 0x80000000; pc += 2; break; }
        case 194: { /* f64.ceil */ const x = code[pc + 1]; const y = Math.ceil(F64[fp + x]); F64[fp + (w >>> 12)] = y === y ? y : NaN; pc += 2; break; }
        case 195: { /* f64.floor */ const x = code[pc + 1]; const y = Math.floor(F64[fp + x]); F64[fp + (w >>> 12)] = y === y ? y : NaN; pc += 2; break; }
        case 196: { /* f64.trunc */ const x = code[pc + 1]; const y = Math.trunc(F64[fp + x]); F64[fp + (w >>> 12)] = y === y ? y : NaN; pc += 2; break; }
        case 197: { /* f64.nearest */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = nearest(F64[fp + x]); pc += 2; break; }
        case 198: { /* f64.sqrt */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = Math.sqrt(F64[fp + x]); pc += 2; break; }
        case 199: { /* f64.add */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] + F64[fp + (x >>> 16)]; pc += 2; break; }
        case 200: { /* f64.add.k */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + x] + kf64[code[pc + 2]]; pc += 3; break; }
        case 201: { /* f64.sub */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] - F64[fp + (x >>> 16)]; pc += 2; break; }
        case 202: { /* f64.sub.k */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + x] - kf64[code[pc + 2]]; pc += 3; break; }
        case 203: { /* f64.mul */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] * F64[fp + (x >>> 16)]; pc += 2; break; }
        case 204: { /* f64.mul.k */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + x] * kf64[code[pc + 2]]; pc += 3; break; }
        case 205: { /* f64.div */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + (x & 0xffff)] / F64[fp + (x >>> 16)]; pc += 2; break; }
        case 206: { /* f64.div.k */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + x] / kf64[code[pc + 2]]; pc += 3; break; }
        case 207: { /* f64.min */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = Math.min(F64[fp + (x & 0xffff)], F64[fp + (x >>> 16)]); pc += 2; break; }
        case 208: { /* f64.max */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = Math.max(F64[fp + (x & 0xffff)], F64[fp + (x >>> 16)]); pc += 2; break; }
        case 209: { /* f64.copysign */ const x = code[pc + 1]; const l = L32[((fp + (x & 0xffff)) << 1)], h = (L32[((fp + (x & 0xffff)) << 1) + 1] & 0x7fffffff) | (L32[((fp + (x >>> 16)) << 1) + 1] & 0x80000000); L32[((fp + (w >>> 12)) << 1)] = l; L32[((fp + (w >>> 12)) << 1) + 1] = h; pc += 2; break; }
        case 210: { /* i32.wrap_i64 */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = L32[((fp + x) << 1)]; pc += 2; break; }
        case 211: { /* i32.trunc_f32_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = truncS32(F32[fp + x]); pc += 2; break; }
        case 212: { /* i32.trunc_f32_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = truncU32(F32[fp + x]); pc += 2; break; }
        case 213: { /* i32.trunc_f64_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = truncS32(F64[fp + x]); pc += 2; break; }
        case 214: { /* i32.trunc_f64_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = truncU32(F64[fp + x]); pc += 2; break; }
        case 215: { /* i64.extend_i32_s */ const x = code[pc + 1]; const n = I32[fp + x]; L32[((fp + (w >>> 12)) << 1)] = n; L32[((fp + (w >>> 12)) << 1) + 1] = n >> 31; pc += 2; break; }
        case 216: { /* i64.extend_i32_u */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = I32[fp + x]; L32[((fp + (w >>> 12)) << 1) + 1] = 0; pc += 2; break; }
        case 217: { /* i64.trunc_f32_s */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = truncS64(F32[fp + x]); pc += 2; break; }
        case 218: { /* i64.trunc_f32_u */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = truncU64(F32[fp + x]); pc += 2; break; }
        case 219: { /* i64.trunc_f64_s */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = truncS64(F64[fp + x]); pc += 2; break; }
        case 220: { /* i64.trunc_f64_u */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = truncU64(F64[fp + x]); pc += 2; break; }
        case 221: { /* f32.convert_i32_s */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = I32[fp + x]; pc += 2; break; }
        case 222: { /* f32.convert_i32_u */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = I32[fp + x] >>> 0; pc += 2; break; }
        case 223: { /* f32.convert_i64_s */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = i64ToF32(I64[fp + x]); pc += 2; break; }
        case 224: { /* f32.convert_i64_u */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = i64ToF32(BigInt.asUintN(64, I64[fp + x])); pc += 2; break; }
        case 225: { /* f32.demote_f64 */ const x = code[pc + 1]; F32[fp + (w >>> 12)] = F64[fp + x]; pc += 2; break; }
        case 226: { /* f64.convert_i32_s */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = I32[fp + x]; pc += 2; break; }
        case 227: { /* f64.convert_i32_u */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = I32[fp + x] >>> 0; pc += 2; break; }
        case 228: { /* f64.convert_i64_s */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = L32[((fp + x) << 1) + 1] * 4294967296 + (L32[((fp + x) << 1)] >>> 0); pc += 2; break; }
        case 229: { /* f64.convert_i64_u */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = (L32[((fp + x) << 1) + 1] >>> 0) * 4294967296 + (L32[((fp + x) << 1)] >>> 0); pc += 2; break; }
        case 230: { /* f64.promote_f32 */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F32[fp + x]; pc += 2; break; }
        case 231: { /* i32.extend8_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] << 24 >> 24; pc += 2; break; }
        case 232: { /* i32.extend16_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x] << 16 >> 16; pc += 2; break; }
        case 233: { /* i64.extend8_s */ const x = code[pc + 1]; const n = L32[((fp + x) << 1)] << 24 >> 24; L32[((fp + (w >>> 12)) << 1)] = n; L32[((fp + (w >>> 12)) << 1) + 1] = n >> 31; pc += 2; break; }
        case 234: { /* i64.extend16_s */ const x = code[pc + 1]; const n = L32[((fp + x) << 1)] << 16 >> 16; L32[((fp + (w >>> 12)) << 1)] = n; L32[((fp + (w >>> 12)) << 1) + 1] = n >> 31; pc += 2; break; }
        case 235: { /* i64.extend32_s */ const x = code[pc + 1]; const n = L32[((fp + x) << 1)]; L32[((fp + (w >>> 12)) << 1)] = n; L32[((fp + (w >>> 12)) << 1) + 1] = n >> 31; pc += 2; break; }
        case 236: { /* i32.trunc_sat_f32_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = satS32(F32[fp + x]); pc += 2; break; }
        case 237: { /* i32.trunc_sat_f32_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = satU32(F32[fp + x]); pc += 2; break; }
        case 238: { /* i32.trunc_sat_f64_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = satS32(F64[fp + x]); pc += 2; break; }
        case 239: { /* i32.trunc_sat_f64_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = satU32(F64[fp + x]); pc += 2; break; }
        case 240: { /* i64.trunc_sat_f32_s */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = satS64(F32[fp + x]); pc += 2; break; }
        case 241: { /* i64.trunc_sat_f32_u */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = satU64(F32[fp + x]); pc += 2; break; }
        case 242: { /* i64.trunc_sat_f64_s */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = satS64(F64[fp + x]); pc += 2; break; }
        case 243: { /* i64.trunc_sat_f64_u */ const x = code[pc + 1]; I64[fp + (w >>> 12)] = satU64(F64[fp + x]); pc += 2; break; }
        case 244: { /* i32.load */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = view.getInt32((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0), true); pc += 3; break; }
        case 245: { /* i32.load8_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = view.getInt8((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0)); pc += 3; break; }
        case 246: { /* i32.load8_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = view.getUint8((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0)); pc += 3; break; }
        case 247: { /* i32.load16_s */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = view.getInt16((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0), true); pc += 3; break; }
        case 248: { /* i32.load16_u */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = view.getUint16((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0), true); pc += 3; break; }
        case 249: { /* i64.load */ const x = code[pc + 1]; const at = (I32[fp + x] >>> 0) + (code[pc + 2] >>> 0); const h = view.getInt32(at + 4, true); L32[((fp + (w >>> 12)) << 1)] = view.getInt32(at, true); L32[((fp + (w >>> 12)) << 1) + 1] = h; pc += 3; break; }
        case 250: { /* i64.load8_s */ const x = code[pc + 1]; const n = view.getInt8((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0)); L32[((fp + (w >>> 12)) << 1)] = n; L32[((fp + (w >>> 12)) << 1) + 1] = n >> 31; pc += 3; break; }
        case 251: { /* i64.load8_u */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = view.getUint8((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0)); L32[((fp + (w >>> 12)) << 1) + 1] = 0; pc += 3; break; }
        case 252: { /* i64.load16_s */ const x = code[pc + 1]; const n = view.getInt16((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0), true); L32[((fp + (w >>> 12)) << 1)] = n; L32[((fp + (w >>> 12)) << 1) + 1] = n >> 31; pc += 3; break; }
        case 253: { /* i64.load16_u */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = view.getUint16((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0), true); L32[((fp + (w >>> 12)) << 1) + 1] = 0; pc += 3; break; }
        case 254: { /* i64.load32_s */ const x = code[pc + 1]; const n = view.getInt32((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0), true); L32[((fp + (w >>> 12)) << 1)] = n; L32[((fp + (w >>> 12)) << 1) + 1] = n >> 31; pc += 3; break; }
        case 255: { /* i64.load32_u */ const x = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = view.getInt32((I32[fp + x] >>> 0) + (code[pc + 2] >>> 0), true); L32[((fp + (w >>> 12)) << 1) + 1] = 0; pc += 3; break; }
        case 256: { /* i32.store */ const x = code[pc + 1]; view.setInt32((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 2] >>> 0), I32[fp + x], true); pc += 3; break; }
        case 257: { /* i32.store8 */ const x = code[pc + 1]; view.setInt8((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 2] >>> 0), I32[fp + x]); pc += 3; break; }
        case 258: { /* i32.store16 */ const x = code[pc + 1]; view.setInt16((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 2] >>> 0), I32[fp + x], true); pc += 3; break; }
        case 259: { /* i64.store */ const x = code[pc + 1]; const at = (I32[fp + (w >>> 12)] >>> 0) + (code[pc + 2] >>> 0); view.setInt32(at + 4, L32[((fp + x) << 1) + 1], true); view.setInt32(at, L32[((fp + x) << 1)], true); pc += 3; break; }
        case 260: { /* i64.store8 */ const x = code[pc + 1]; view.setInt8((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 2] >>> 0), L32[((fp + x) << 1)]); pc += 3; break; }
        case 261: { /* i64.store16 */ const x = code[pc + 1]; view.setInt16((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 2] >>> 0), L32[((fp + x) << 1)], true); pc += 3; break; }
        case 262: { /* i64.store32 */ const x = code[pc + 1]; view.setInt32((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 2] >>> 0), L32[((fp + x) << 1)], true); pc += 3; break; }
        case 263: { /* i32.store.k */ view.setInt32((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 1] >>> 0), code[pc + 2], true); pc += 3; break; }
        case 264: { /* i32.store16.k */ view.setInt16((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 1] >>> 0), code[pc + 2], true); pc += 3; break; }
        case 265: { /* i32.store8.k */ view.setInt8((I32[fp + (w >>> 12)] >>> 0) + (code[pc + 1] >>> 0), code[pc + 2]); pc += 3; break; }
        case 266: { /* br */ const by = code[pc + 1]; pc += by; if (by <= 0 && --fuel < 0) break run; break; }
        case 267: { /* br_if */ if (I32[fp + (w >>> 12)] !== 0) { const by = code[pc + 1]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 2; break; }
        case 268: { /* br_unless */ if (I32[fp + (w >>> 12)] === 0) { const by = code[pc + 1]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 2; break; }
        case 269: { /* br_table */ const i = I32[fp + (w >>> 12)] >>> 0, n = code[pc + 1]; const by = code[pc + 2 + (i < n ? i : n)]; pc += by; if (by <= 0 && --fuel < 0) break run; break; }
        case 270: { /* br_if.i32.eq */ if (I32[fp + (w >>> 12)] === I32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 271: { /* br_if.i32.eq.k */ if (I32[fp + (w >>> 12)] === code[pc + 1]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 272: { /* br_if.i32.ne */ if (I32[fp + (w >>> 12)] !== I32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 273: { /* br_if.i32.ne.k */ if (I32[fp + (w >>> 12)] !== code[pc + 1]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 274: { /* br_if.i32.lt_s */ if (I32[fp + (w >>> 12)] < I32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 275: { /* br_if.i32.lt_s.k */ if (I32[fp + (w >>> 12)] < code[pc + 1]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 276: { /* br_if.i32.lt_u */ if ((I32[fp + (w >>> 12)] >>> 0) < (I32[fp + code[pc + 1]] >>> 0)) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 277: { /* br_if.i32.lt_u.k */ if ((I32[fp + (w >>> 12)] >>> 0) < (code[pc + 1] >>> 0)) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 278: { /* br_if.i32.gt_s */ if (I32[fp + (w >>> 12)] > I32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 279: { /* br_if.i32.gt_s.k */ if (I32[fp + (w >>> 12)] > code[pc + 1]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 280: { /* br_if.i32.gt_u */ if ((I32[fp + (w >>> 12)] >>> 0) > (I32[fp + code[pc + 1]] >>> 0)) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 281: { /* br_if.i32.gt_u.k */ if ((I32[fp + (w >>> 12)] >>> 0) > (code[pc + 1] >>> 0)) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 282: { /* br_if.i32.le_s */ if (I32[fp + (w >>> 12)] <= I32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 283: { /* br_if.i32.le_s.k */ if (I32[fp + (w >>> 12)] <= code[pc + 1]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 284: { /* br_if.i32.le_u */ if ((I32[fp + (w >>> 12)] >>> 0) <= (I32[fp + code[pc + 1]] >>> 0)) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 285: { /* br_if.i32.le_u.k */ if ((I32[fp + (w >>> 12)] >>> 0) <= (code[pc + 1] >>> 0)) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 286: { /* br_if.i32.ge_s */ if (I32[fp + (w >>> 12)] >= I32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 287: { /* br_if.i32.ge_s.k */ if (I32[fp + (w >>> 12)] >= code[pc + 1]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 288: { /* br_if.i32.ge_u */ if ((I32[fp + (w >>> 12)] >>> 0) >= (I32[fp + code[pc + 1]] >>> 0)) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 289: { /* br_if.i32.ge_u.k */ if ((I32[fp + (w >>> 12)] >>> 0) >= (code[pc + 1] >>> 0)) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 290: { /* br_if.i64.eq */ if (I64[fp + (w >>> 12)] === I64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 291: { /* br_if.i64.eq.k */ if (I64[fp + (w >>> 12)] === k64[code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 292: { /* br_if.i64.ne */ if (I64[fp + (w >>> 12)] !== I64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 293: { /* br_if.i64.ne.k */ if (I64[fp + (w >>> 12)] !== k64[code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 294: { /* br_if.i64.lt_s */ if (I64[fp + (w >>> 12)] < I64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 295: { /* br_if.i64.lt_s.k */ if (I64[fp + (w >>> 12)] < k64[code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 296: { /* br_if.i64.lt_u */ if ((I64[fp + (w >>> 12)] < I64[fp + code[pc + 1]]) !== ((I64[fp + (w >>> 12)] < 0n) !== (I64[fp + code[pc + 1]] < 0n))) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 297: { /* br_if.i64.lt_u.k */ if ((I64[fp + (w >>> 12)] < k64[code[pc + 1]]) !== ((I64[fp + (w >>> 12)] < 0n) !== (k64[code[pc + 1]] < 0n))) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 298: { /* br_if.i64.gt_s */ if (I64[fp + (w >>> 12)] > I64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 299: { /* br_if.i64.gt_s.k */ if (I64[fp + (w >>> 12)] > k64[code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 300: { /* br_if.i64.gt_u */ if ((I64[fp + code[pc + 1]] < I64[fp + (w >>> 12)]) !== ((I64[fp + code[pc + 1]] < 0n) !== (I64[fp + (w >>> 12)] < 0n))) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 301: { /* br_if.i64.gt_u.k */ if ((k64[code[pc + 1]] < I64[fp + (w >>> 12)]) !== ((k64[code[pc + 1]] < 0n) !== (I64[fp + (w >>> 12)] < 0n))) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 302: { /* br_if.i64.le_s */ if (I64[fp + (w >>> 12)] <= I64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 303: { /* br_if.i64.le_s.k */ if (I64[fp + (w >>> 12)] <= k64[code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 304: { /* br_if.i64.le_u */ if (!((I64[fp + code[pc + 1]] < I64[fp + (w >>> 12)]) !== ((I64[fp + code[pc + 1]] < 0n) !== (I64[fp + (w >>> 12)] < 0n)))) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 305: { /* br_if.i64.le_u.k */ if (!((k64[code[pc + 1]] < I64[fp + (w >>> 12)]) !== ((k64[code[pc + 1]] < 0n) !== (I64[fp + (w >>> 12)] < 0n)))) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 306: { /* br_if.i64.ge_s */ if (I64[fp + (w >>> 12)] >= I64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 307: { /* br_if.i64.ge_s.k */ if (I64[fp + (w >>> 12)] >= k64[code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 308: { /* br_if.i64.ge_u */ if (!((I64[fp + (w >>> 12)] < I64[fp + code[pc + 1]]) !== ((I64[fp + (w >>> 12)] < 0n) !== (I64[fp + code[pc + 1]] < 0n)))) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 309: { /* br_if.i64.ge_u.k */ if (!((I64[fp + (w >>> 12)] < k64[code[pc + 1]]) !== ((I64[fp + (w >>> 12)] < 0n) !== (k64[code[pc + 1]] < 0n)))) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 310: { /* br_if.f32.eq */ if (F32[fp + (w >>> 12)] === F32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 311: { /* br_unless.f32.eq */ if (!(F32[fp + (w >>> 12)] === F32[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 312: { /* br_if.f32.ne */ if (F32[fp + (w >>> 12)] !== F32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 313: { /* br_unless.f32.ne */ if (!(F32[fp + (w >>> 12)] !== F32[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 314: { /* br_if.f32.lt */ if (F32[fp + (w >>> 12)] < F32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 315: { /* br_unless.f32.lt */ if (!(F32[fp + (w >>> 12)] < F32[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 316: { /* br_if.f32.gt */ if (F32[fp + (w >>> 12)] > F32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 317: { /* br_unless.f32.gt */ if (!(F32[fp + (w >>> 12)] > F32[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 318: { /* br_if.f32.le */ if (F32[fp + (w >>> 12)] <= F32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 319: { /* br_unless.f32.le */ if (!(F32[fp + (w >>> 12)] <= F32[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 320: { /* br_if.f32.ge */ if (F32[fp + (w >>> 12)] >= F32[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 321: { /* br_unless.f32.ge */ if (!(F32[fp + (w >>> 12)] >= F32[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 322: { /* br_if.f64.eq */ if (F64[fp + (w >>> 12)] === F64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 323: { /* br_unless.f64.eq */ if (!(F64[fp + (w >>> 12)] === F64[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 324: { /* br_if.f64.ne */ if (F64[fp + (w >>> 12)] !== F64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 325: { /* br_unless.f64.ne */ if (!(F64[fp + (w >>> 12)] !== F64[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 326: { /* br_if.f64.lt */ if (F64[fp + (w >>> 12)] < F64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 327: { /* br_unless.f64.lt */ if (!(F64[fp + (w >>> 12)] < F64[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 328: { /* br_if.f64.gt */ if (F64[fp + (w >>> 12)] > F64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 329: { /* br_unless.f64.gt */ if (!(F64[fp + (w >>> 12)] > F64[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 330: { /* br_if.f64.le */ if (F64[fp + (w >>> 12)] <= F64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 331: { /* br_unless.f64.le */ if (!(F64[fp + (w >>> 12)] <= F64[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 332: { /* br_if.f64.ge */ if (F64[fp + (w >>> 12)] >= F64[fp + code[pc + 1]]) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 333: { /* br_unless.f64.ge */ if (!(F64[fp + (w >>> 12)] >= F64[fp + code[pc + 1]])) { const by = code[pc + 2]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += 3; break; }
        case 334: { /* move32 */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + x]; pc += 2; break; }
        case 335: { /* move64 */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = F64[fp + x]; pc += 2; break; }
        case 336: { /* const32 */ I32[fp + (w >>> 12)] = code[pc + 1]; pc += 2; break; }
        case 337: { /* const64 */ L32[((fp + (w >>> 12)) << 1)] = code[pc + 1]; L32[((fp + (w >>> 12)) << 1) + 1] = code[pc + 2]; pc += 3; break; }
        case 338: { /* select32 */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = I32[fp + code[pc + 2]] !== 0 ? I32[fp + (x & 0xffff)] : I32[fp + (x >>> 16)]; pc += 3; break; }
        case 339: { /* select64 */ const x = code[pc + 1]; F64[fp + (w >>> 12)] = I32[fp + code[pc + 2]] !== 0 ? F64[fp + (x & 0xffff)] : F64[fp + (x >>> 16)]; pc += 3; break; }
        case 340: { /* global.get32 */ I32[fp + (w >>> 12)] = g32[code[pc + 1]]; pc += 2; break; }
        case 341: { /* global.get64 */ const at = code[pc + 1]; L32[((fp + (w >>> 12)) << 1)] = g32[at]; L32[((fp + (w >>> 12)) << 1) + 1] = g32[at + 1]; pc += 2; break; }
        case 342: { /* global.set32 */ g32[code[pc + 1]] = I32[fp + (w >>> 12)]; pc += 2; break; }
        case 343: { /* global.set64 */ const at = code[pc + 1]; g32[at] = L32[((fp + (w >>> 12)) << 1)]; g32[at + 1] = L32[((fp + (w >>> 12)) << 1) + 1]; pc += 2; break; }
        case 344: { /* memory.use */ m.view = view = m.inst.memories[code[pc + 1]].view; pc += 2; break; }
        case 345: { /* aligned */ if (((I32[fp + (w >>> 12)] + code[pc + 1]) & code[pc + 2]) !== 0) throw m.unaligned(); pc += 3; break; }
        case 346: { /* index64 */ const x = code[pc + 1]; I32[fp + (w >>> 12)] = L32[((fp + x) << 1) + 1] === 0 ? L32[((fp + x) << 1)] : -1; pc += 2; break; }
        case 347: { /* step */ if (sp <= m.spStop || --m.budget < 0) break run; pc += 1; break; }
        case 348: { /* return0 */ sp -= 2; pc = CS[sp]; fp = CS[sp + 1]; break; }
        case 349: { /* return32 */ I32[fp] = I32[fp + (w >>> 12)]; sp -= 2; pc = CS[sp]; fp = CS[sp + 1]; break; }
        case 350: { /* return64 */ F64[fp] = F64[fp + (w >>> 12)]; sp -= 2; pc = CS[sp]; fp = CS[sp + 1]; break; }
        case 351: { /* call */ const entry = code[pc + 1], top = fp + (w >>> 12); if (top + code[entry] > SLOTS || sp >= m.spLimit) throw m.exhausted(sp, top); if (--fuel < 0) break run; CS[sp] = pc + 2; CS[sp + 1] = fp; sp += 2; fp = top; for (let i = fp + code[entry + 1], end = fp + code[entry + 2]; i < end; i++) { I32[i] = 0; F64[i] = 0; } pc = entry + 3; break; }
        case 352: { /* return_call */ const entry = code[pc + 1]; if (fp + code[entry] > SLOTS) throw m.exhausted(sp, fp); if (--fuel < 0) break run; for (let i = fp + code[entry + 1], end = fp + code[entry + 2]; i < end; i++) { I32[i] = 0; F64[i] = 0; } pc = entry + 3; break; }
        case 353: { /* call_indirect */ const f = m.inst.tables[code[pc + 3]].funcs[I32[fp + code[pc + 1]] >>> 0]; if (f && f.instance === m.inst && f.typeId === code[pc + 2] && m.inst.code.entries[f.index] !== 0) { const entry = m.inst.code.entries[f.index], top = fp + (w >>> 12); if (top + code[entry] > SLOTS || sp >= m.spLimit) throw m.exhausted(sp, top); if (--fuel < 0) break run; CS[sp] = pc + 4; CS[sp + 1] = fp; sp += 2; fp = top; for (let i = fp + code[entry + 1], end = fp + code[entry + 2]; i < end; i++) { I32[i] = 0; F64[i] = 0; } pc = entry + 3; continue run; } }
        // falls through
        default:
          if ((w & 0xfff) === 614) break run;
          if ((w & 0xfff) >= 354) {
            const vector = vectors[(w & 0xfff) - 354];
            const x = code[pc + 1];
            pc += vector(fp + (w >>> 12), fp + (x & 0xffff), fp + (x >>> 16), code, pc, fp, view);
            break;
          }
          m.pc = pc; m.fp = fp; m.sp = sp; m.fuel = fuel;
          cold(w);
          ({ pc, fp, sp, fuel, code, view, g32, k64, kf64, k32 } = m);
          if (m.exit !== 0 || fuel < 0) break run;
        }
      }
    } finally {
      m.pc = pc; m.fp = fp; m.sp = sp; m.fuel = fuel;
    }
  };
}

/** The register instructions by their numbers. */
export const CORE_NAMES: readonly string[] = [
  'return.base', 'return.cross', 'return.host', 'step.break', 'call.lazy', 'call.import', 'call_indirect.cold', 'call_ref',
  'return_call.lazy', 'return_call.import', 'return_call_indirect', 'return_call_ref', 'unreachable', 'global.get.cell', 'global.set.cell',
  'memory.size', 'memory.grow', 'memory.init', 'memory.copy', 'memory.fill', 'memory.outside', 'data.drop', 'memory.atomic.notify',
  'memory.atomic.wait', 'table.get', 'table.set', 'table.size', 'table.grow', 'table.fill', 'table.copy', 'table.init', 'elem.drop',
  'ref.null', 'ref.is_null', 'ref.func', 'move.ref', 'move.range', 'select.ref', 'ref.as_non_null', 'throw', 'throw_ref', 'struct.new',
  'struct.new_default', 'struct.get', 'struct.get_u', 'struct.set', 'array.new', 'array.new_default', 'array.new_fixed', 'array.new_data',
  'array.new_elem', 'array.get', 'array.get_u', 'array.set', 'array.len', 'array.fill', 'array.copy', 'array.init_data', 'array.init_elem',
  'ref.test', 'ref.cast', 'ref.eq', 'ref.i31', 'i31.get', 'i32.eqz', 'i32.eq', 'i32.eq.k', 'i32.ne', 'i32.ne.k', 'i32.lt_s', 'i32.lt_s.k',
  'i32.lt_u', 'i32.lt_u.k', 'i32.gt_s', 'i32.gt_s.k', 'i32.gt_u', 'i32.gt_u.k', 'i32.le_s', 'i32.le_s.k', 'i32.le_u', 'i32.le_u.k',
  'i32.ge_s', 'i32.ge_s.k', 'i32.ge_u', 'i32.ge_u.k', 'i64.eqz', 'i64.eq', 'i64.eq.k', 'i64.ne', 'i64.ne.k', 'i64.lt_s', 'i64.lt_s.k',
  'i64.lt_u', 'i64.lt_u.k', 'i64.gt_s', 'i64.gt_s.k', 'i64.gt_u', 'i64.gt_u.k', 'i64.le_s', 'i64.le_s.k', 'i64.le_u', 'i64.le_u.k',
  'i64.ge_s', 'i64.ge_s.k', 'i64.ge_u', 'i64.ge_u.k', 'f32.eq', 'f32.ne', 'f32.lt', 'f32.gt', 'f32.le', 'f32.ge', 'f64.eq', 'f64.ne',
  'f64.lt', 'f64.gt', 'f64.le', 'f64.ge', 'i32.clz', 'i32.ctz', 'i32.popcnt', 'i32.add', 'i32.add.k', 'i32.sub', 'i32.sub.k', 'i32.mul',
  'i32.mul.k', 'i32.div_s', 'i32.div_s.k', 'i32.div_u', 'i32.div_u.k', 'i32.rem_s', 'i32.rem_s.k', 'i32.rem_u', 'i32.rem_u.k', 'i32.and',
  'i32.and.k', 'i32.or', 'i32.or.k', 'i32.xor', 'i32.xor.k', 'i32.shl', 'i32.shl.k', 'i32.shr_s', 'i32.shr_s.k', 'i32.shr_u', 'i32.shr_u.k',
  'i32.rotl', 'i32.rotl.k', 'i32.rotr', 'i32.rotr.k', 'i64.clz', 'i64.ctz', 'i64.popcnt', 'i64.add', 'i64.add.k', 'i64.sub', 'i64.sub.k',
  'i64.mul', 'i64.mul.k', 'i64.div_s', 'i64.div_u', 'i64.rem_s', 'i64.rem_u', 'i64.and', 'i64.and.k', 'i64.or', 'i64.or.k', 'i64.xor',
  'i64.xor.k', 'i64.shl', 'i64.shl.k', 'i64.shr_s', 'i64.shr_s.k', 'i64.shr_u', 'i64.shr_u.k', 'i64.rotl', 'i64.rotr', 'f32.abs', 'f32.neg',
  'f32.ceil', 'f32.floor', 'f32.trunc', 'f32.nearest', 'f32.sqrt', 'f32.add', 'f32.sub', 'f32.mul', 'f32.div', 'f32.min', 'f32.max',
  'f32.copysign', 'f64.abs', 'f64.neg', 'f64.ceil', 'f64.floor', 'f64.trunc', 'f64.nearest', 'f64.sqrt', 'f64.add', 'f64.add.k', 'f64.sub',
  'f64.sub.k', 'f64.mul', 'f64.mul.k', 'f64.div', 'f64.div.k', 'f64.min', 'f64.max', 'f64.copysign', 'i32.wrap_i64', 'i32.trunc_f32_s',
  'i32.trunc_f32_u', 'i32.trunc_f64_s', 'i32.trunc_f64_u', 'i64.extend_i32_s', 'i64.extend_i32_u', 'i64.trunc_f32_s', 'i64.trunc_f32_u',
  'i64.trunc_f64_s', 'i64.trunc_f64_u', 'f32.convert_i32_s', 'f32.convert_i32_u', 'f32.convert_i64_s', 'f32.convert_i64_u', 'f32.demote_f64',
  'f64.convert_i32_s', 'f64.convert_i32_u', 'f64.convert_i64_s', 'f64.convert_i64_u', 'f64.promote_f32', 'i32.extend8_s', 'i32.extend16_s',
  'i64.extend8_s', 'i64.extend16_s', 'i64.extend32_s', 'i32.trunc_sat_f32_s', 'i32.trunc_sat_f32_u', 'i32.trunc_sat_f64_s',
  'i32.trunc_sat_f64_u', 'i64.trunc_sat_f32_s', 'i64.trunc_sat_f32_u', 'i64.trunc_sat_f64_s', 'i64.trunc_sat_f64_u', 'i32.load',
  'i32.load8_s', 'i32.load8_u', 'i32.load16_s', 'i32.load16_u', 'i64.load', 'i64.load8_s', 'i64.load8_u', 'i64.load16_s', 'i64.load16_u',
  'i64.load32_s', 'i64.load32_u', 'i32.store', 'i32.store8', 'i32.store16', 'i64.store', 'i64.store8', 'i64.store16', 'i64.store32',
  'i32.store.k', 'i32.store16.k', 'i32.store8.k', 'br', 'br_if', 'br_unless', 'br_table', 'br_if.i32.eq', 'br_if.i32.eq.k', 'br_if.i32.ne',
  'br_if.i32.ne.k', 'br_if.i32.lt_s', 'br_if.i32.lt_s.k', 'br_if.i32.lt_u', 'br_if.i32.lt_u.k', 'br_if.i32.gt_s', 'br_if.i32.gt_s.k',
  'br_if.i32.gt_u', 'br_if.i32.gt_u.k', 'br_if.i32.le_s', 'br_if.i32.le_s.k', 'br_if.i32.le_u', 'br_if.i32.le_u.k', 'br_if.i32.ge_s',
  'br_if.i32.ge_s.k', 'br_if.i32.ge_u', 'br_if.i32.ge_u.k', 'br_if.i64.eq', 'br_if.i64.eq.k', 'br_if.i64.ne', 'br_if.i64.ne.k',
  'br_if.i64.lt_s', 'br_if.i64.lt_s.k', 'br_if.i64.lt_u', 'br_if.i64.lt_u.k', 'br_if.i64.gt_s', 'br_if.i64.gt_s.k', 'br_if.i64.gt_u',
  'br_if.i64.gt_u.k', 'br_if.i64.le_s', 'br_if.i64.le_s.k', 'br_if.i64.le_u', 'br_if.i64.le_u.k', 'br_if.i64.ge_s', 'br_if.i64.ge_s.k',
  'br_if.i64.ge_u', 'br_if.i64.ge_u.k', 'br_if.f32.eq', 'br_unless.f32.eq', 'br_if.f32.ne', 'br_unless.f32.ne', 'br_if.f32.lt',
  'br_unless.f32.lt', 'br_if.f32.gt', 'br_unless.f32.gt', 'br_if.f32.le', 'br_unless.f32.le', 'br_if.f32.ge', 'br_unless.f32.ge',
  'br_if.f64.eq', 'br_unless.f64.eq', 'br_if.f64.ne', 'br_unless.f64.ne', 'br_if.f64.lt', 'br_unless.f64.lt', 'br_if.f64.gt',
  'br_unless.f64.gt', 'br_if.f64.le', 'br_unless.f64.le', 'br_if.f64.ge', 'br_unless.f64.ge', 'move32', 'move64', 'const32', 'const64',
  'select32', 'select64', 'global.get32', 'global.get64', 'global.set32', 'global.set64', 'memory.use', 'aligned', 'index64', 'step',
  'return0', 'return32', 'return64', 'call', 'return_call', 'call_indirect', 'v128.move', 'v128.select', 'v128.load', 'v128.load8x8_s',
  'v128.load8x8_u', 'v128.load16x4_s', 'v128.load16x4_u', 'v128.load32x2_s', 'v128.load32x2_u', 'v128.load8_splat', 'v128.load16_splat',
  'v128.load32_splat', 'v128.load64_splat', 'v128.store', 'v128.const', 'i8x16.shuffle', 'i8x16.swizzle', 'i8x16.splat', 'i16x8.splat',
  'i32x4.splat', 'i64x2.splat', 'f32x4.splat', 'f64x2.splat', 'i8x16.extract_lane_s', 'i8x16.extract_lane_u', 'i8x16.replace_lane',
  'i16x8.extract_lane_s', 'i16x8.extract_lane_u', 'i16x8.replace_lane', 'i32x4.extract_lane', 'i32x4.replace_lane', 'i64x2.extract_lane',
  'i64x2.replace_lane', 'f32x4.extract_lane', 'f32x4.replace_lane', 'f64x2.extract_lane', 'f64x2.replace_lane', 'i8x16.eq', 'i8x16.ne',
  'i8x16.lt_s', 'i8x16.lt_u', 'i8x16.gt_s', 'i8x16.gt_u', 'i8x16.le_s', 'i8x16.le_u', 'i8x16.ge_s', 'i8x16.ge_u', 'i16x8.eq', 'i16x8.ne',
  'i16x8.lt_s', 'i16x8.lt_u', 'i16x8.gt_s', 'i16x8.gt_u', 'i16x8.le_s', 'i16x8.le_u', 'i16x8.ge_s', 'i16x8.ge_u', 'i32x4.eq', 'i32x4.ne',
  'i32x4.lt_s', 'i32x4.lt_u', 'i32x4.gt_s', 'i32x4.gt_u', 'i32x4.le_s', 'i32x4.le_u', 'i32x4.ge_s', 'i32x4.ge_u', 'f32x4.eq', 'f32x4.ne',
  'f32x4.lt', 'f32x4.gt', 'f32x4.le', 'f32x4.ge', 'f64x2.eq', 'f64x2.ne', 'f64x2.lt', 'f64x2.gt', 'f64x2.le', 'f64x2.ge', 'v128.not',
  'v128.and', 'v128.andnot', 'v128.or', 'v128.xor', 'v128.bitselect', 'v128.any_true', 'v128.load8_lane', 'v128.load16_lane',
  'v128.load32_lane', 'v128.load64_lane', 'v128.store8_lane', 'v128.store16_lane', 'v128.store32_lane', 'v128.store64_lane',
  'v128.load32_zero', 'v128.load64_zero', 'f32x4.demote_f64x2_zero', 'f64x2.promote_low_f32x4', 'i8x16.abs', 'i8x16.neg', 'i8x16.popcnt',
  'i8x16.all_true', 'i8x16.bitmask', 'i8x16.narrow_i16x8_s', 'i8x16.narrow_i16x8_u', 'f32x4.ceil', 'f32x4.floor', 'f32x4.trunc',
  'f32x4.nearest', 'i8x16.shl', 'i8x16.shr_s', 'i8x16.shr_u', 'i8x16.add', 'i8x16.add_sat_s', 'i8x16.add_sat_u', 'i8x16.sub',
  'i8x16.sub_sat_s', 'i8x16.sub_sat_u', 'f64x2.ceil', 'f64x2.floor', 'i8x16.min_s', 'i8x16.min_u', 'i8x16.max_s', 'i8x16.max_u',
  'f64x2.trunc', 'i8x16.avgr_u', 'i16x8.extadd_pairwise_i8x16_s', 'i16x8.extadd_pairwise_i8x16_u', 'i32x4.extadd_pairwise_i16x8_s',
  'i32x4.extadd_pairwise_i16x8_u', 'i16x8.abs', 'i16x8.neg', 'i16x8.q15mulr_sat_s', 'i16x8.all_true', 'i16x8.bitmask', 'i16x8.narrow_i32x4_s',
  'i16x8.narrow_i32x4_u', 'i16x8.extend_low_i8x16_s', 'i16x8.extend_high_i8x16_s', 'i16x8.extend_low_i8x16_u', 'i16x8.extend_high_i8x16_u',
  'i16x8.shl', 'i16x8.shr_s', 'i16x8.shr_u', 'i16x8.add', 'i16x8.add_sat_s', 'i16x8.add_sat_u', 'i16x8.sub', 'i16x8.sub_sat_s',
  'i16x8.sub_sat_u', 'f64x2.nearest', 'i16x8.mul', 'i16x8.min_s', 'i16x8.min_u', 'i16x8.max_s', 'i16x8.max_u', 'i16x8.avgr_u',
  'i16x8.extmul_low_i8x16_s', 'i16x8.extmul_high_i8x16_s', 'i16x8.extmul_low_i8x16_u', 'i16x8.extmul_high_i8x16_u', 'i32x4.abs', 'i32x4.neg',
  'i32x4.all_true', 'i32x4.bitmask', 'i32x4.extend_low_i16x8_s', 'i32x4.extend_high_i16x8_s', 'i32x4.extend_low_i16x8_u',
  'i32x4.extend_high_i16x8_u', 'i32x4.shl', 'i32x4.shr_s', 'i32x4.shr_u', 'i32x4.add', 'i32x4.sub', 'i32x4.mul', 'i32x4.min_s', 'i32x4.min_u',
  'i32x4.max_s', 'i32x4.max_u', 'i32x4.dot_i16x8_s', 'i32x4.extmul_low_i16x8_s', 'i32x4.extmul_high_i16x8_s', 'i32x4.extmul_low_i16x8_u',
  'i32x4.extmul_high_i16x8_u', 'i64x2.abs', 'i64x2.neg', 'i64x2.all_true', 'i64x2.bitmask', 'i64x2.extend_low_i32x4_s',
  'i64x2.extend_high_i32x4_s', 'i64x2.extend_low_i32x4_u', 'i64x2.extend_high_i32x4_u', 'i64x2.shl', 'i64x2.shr_s', 'i64x2.shr_u',
  'i64x2.add', 'i64x2.sub', 'i64x2.mul', 'i64x2.eq', 'i64x2.ne', 'i64x2.lt_s', 'i64x2.gt_s', 'i64x2.le_s', 'i64x2.ge_s',
  'i64x2.extmul_low_i32x4_s', 'i64x2.extmul_high_i32x4_s', 'i64x2.extmul_low_i32x4_u', 'i64x2.extmul_high_i32x4_u', 'f32x4.abs', 'f32x4.neg',
  'f32x4.sqrt', 'f32x4.add', 'f32x4.sub', 'f32x4.mul', 'f32x4.div', 'f32x4.min', 'f32x4.max', 'f32x4.pmin', 'f32x4.pmax', 'f64x2.abs',
  'f64x2.neg', 'f64x2.sqrt', 'f64x2.add', 'f64x2.sub', 'f64x2.mul', 'f64x2.div', 'f64x2.min', 'f64x2.max', 'f64x2.pmin', 'f64x2.pmax',
  'i32x4.trunc_sat_f32x4_s', 'i32x4.trunc_sat_f32x4_u', 'f32x4.convert_i32x4_s', 'f32x4.convert_i32x4_u', 'i32x4.trunc_sat_f64x2_s_zero',
  'i32x4.trunc_sat_f64x2_u_zero', 'f64x2.convert_low_i32x4_s', 'f64x2.convert_low_i32x4_u', 'i8x16.relaxed_swizzle',
  'i32x4.relaxed_trunc_f32x4_s', 'i32x4.relaxed_trunc_f32x4_u', 'i32x4.relaxed_trunc_f64x2_s_zero', 'i32x4.relaxed_trunc_f64x2_u_zero',
  'f32x4.relaxed_madd', 'f32x4.relaxed_nmadd', 'f64x2.relaxed_madd', 'f64x2.relaxed_nmadd', 'i8x16.relaxed_laneselect',
  'i16x8.relaxed_laneselect', 'i32x4.relaxed_laneselect', 'i64x2.relaxed_laneselect', 'f32x4.relaxed_min', 'f32x4.relaxed_max',
  'f64x2.relaxed_min', 'f64x2.relaxed_max', 'i16x8.relaxed_q15mulr_s', 'i16x8.relaxed_dot_i8x16_i7x16_s',
  'i32x4.relaxed_dot_i8x16_i7x16_add_s',
];
/** The number of the first vector instruction: all behind it are such. */
export const FIRST_VECTOR = 354;
/** The number of all fused instructions (fuse.ts). */
export const FUSED = 614;
/** Where the operands of those before it are. */
export const CORE_FORMATS: readonly Format[] = [
  'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold',
  'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold',
  'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold',
  'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'cold', 'da', 'dab', 'dak', 'dab', 'dak',
  'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'da', 'dab', 'dak', 'dab',
  'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dab', 'dab',
  'dab', 'dab', 'dab', 'dab', 'dab', 'dab', 'dab', 'dab', 'dab', 'da', 'da', 'da', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak',
  'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak',
  'dab', 'dak', 'da', 'da', 'da', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dab', 'dab', 'dab', 'dab', 'dak', 'dab', 'dak', 'dab',
  'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dab', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'dab', 'dab', 'dab', 'dab', 'dab',
  'dab', 'dab', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dak', 'dab', 'dab', 'dab', 'da',
  'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da',
  'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'da', 'dak', 'dak', 'dak', 'dak', 'dak', 'dak', 'dak', 'dak', 'dak', 'dak', 'dak',
  'dak', 'dak', 'dak', 'dak', 'dak', 'dak', 'dak', 'dak', 'skk', 'skk', 'skk', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own',
  'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own',
  'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own',
  'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'own', 'da',
  'da', 'dk', 'dkk', 'dabc', 'dabc', 'dk', 'dk', 'sk', 'sk', 'sk', 'skk', 'da', 'own', 'own', 'own', 'own', 'own', 'own', 'own',
];
