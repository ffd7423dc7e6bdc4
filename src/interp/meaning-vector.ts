/**
 * What each vector instruction computes, lane by lane, as JavaScript text, once for all tiers; vector-gen.ts prints functions
 * from it. WebAssembly specification, chapter 4.3 (Numerics) and 4.4.3 (Vector Instructions). Accesses to memory are here too,
 * as text that reads or writes the DataView `view` at `at`; control, locals and globals of type v128 are each tier's business.
 * Helpers that the texts call are in meaning.ts.
 *
 * In the text `a b c` are the vector operands, deepest first. `a.S8[3]` is lane 3 of `a` as a signed number of 8 bits, `U16`
 * an unsigned one of 16, `F32` a float; 64-bit integers are bigints. `a.S8` alone is the lane that is being computed, whose
 * number is `i`. `n` is the scalar operand (floats as their bits, 64-bit ones also as
 * `nLow` and `nHigh`), `k` the lane that the instruction names, `v` what a load has read.
 *
 * Relaxed instructions give the same on every machine: what their strict counterpart gives. Multiplication and addition
 * round one after the other; the dot products take both operands as signed and wrap.
 */
import { VECTOR_ROWS } from './opcodes-vector.js';

export type View = 'S8' | 'U8' | 'S16' | 'U16' | 'S32' | 'U32' | 'S64' | 'U64' | 'F32' | 'F64';

export type VectorMeaning =
  /** every lane from the same lanes of the operands, which `i` may name */
  | { readonly kind: 'each'; readonly view: View; readonly text: string; readonly before?: string; /** constants of the lane that the text refers to */ readonly lets?: string }
  /** every lane `i` from any lanes, all of which are to be read before one is written */
  | { readonly kind: 'cross'; readonly view: View; readonly text: string; readonly before?: string }
  /** one number, or a 64-bit one as its two halves */
  | { readonly kind: 'scalar'; readonly texts: readonly [string] | readonly [string, string] }
  /** the first vector operand with the lane `k` replaced */
  | { readonly kind: 'replace'; readonly view: View; readonly text: string; readonly before?: string }
  /** writes memory, the highest byte first so that it writes all or nothing */
  | { readonly kind: 'store'; readonly text: string };

type Bits = 8 | 16 | 32 | 64;
type Table = { readonly [op: string]: VectorMeaning };

export const lanesOf = (view: View): number => 128 / bitsOf(view);
export const bitsOf = (view: View): Bits => Number(view.slice(1)) as Bits;

/**
 * The text with `put` in place of each lane that it names: `a.S8[…]`; `d` is the result's.
 * @param put is given the operand, the view, and what gives the index, in which lanes are replaced, too
 */
export function replaceLanes(text: string, put: (operand: string, view: View, index: () => string) => string): string {
  const start = /\b([abcd])\.([SUF]\d+)\[/.exec(text);
  if (!start) return text;
  const [opening, operand, view] = start;
  const from = start.index + opening.length;
  let to = from;
  for (let depth = 1; depth > 0; to++) depth += text[to] === '[' ? 1 : text[to] === ']' ? -1 : 0;
  return text.slice(0, start.index) + put(operand, view as View, () => replaceLanes(text.slice(from, to - 1), put)) + replaceLanes(text.slice(to), put);
}

const each = (view: View, text: string, before?: string): VectorMeaning => ({ kind: 'each', view, text, ...before === undefined ? {} : { before } });
const cross = (view: View, text: string, before?: string): VectorMeaning => ({ kind: 'cross', view, text, ...before === undefined ? {} : { before } });
const scalar = (text: string): VectorMeaning => ({ kind: 'scalar', texts: [text] });
/** All lanes of a view, put together. */
const joined = (view: View, by: string, lane: (i: number) => string): string => Array.from({ length: lanesOf(view) }, (_, i) => lane(i)).join(by);

/** A comparison's lane: all ones or all zeros. */
const mask = (bits: Bits, condition: string): VectorMeaning => each(`S${bits}`, bits === 64 ? `${condition} ? -1n : 0n` : `${condition} ? -1 : 0`);

const COMPARE = { eq: '===', ne: '!==', lt: '<', gt: '>', le: '<=', ge: '>=' } as const;

/** A number in all lanes, four or two of them at a time. */
const splat = (bits: 8 | 16, number: string, before = ''): VectorMeaning => each('S32', 'all', `${before}const all = ${bits === 8 ? `Math.imul(${number} & 0xff, 0x01010101)` : `Math.imul(${number} & 0xffff, 0x00010001)`};`);

/** Short lanes, four or two at a time: the upper bit of each is set apart, so that nothing is carried from lane to lane. */
function byWords(bits: 8 | 16): Table {
  const upper = bits === 8 ? '0x80808080' : '0x80008000', rest = bits === 8 ? '0x7f7f7f7f' : '0x7fff7fff';
  // all bits of a lane whose upper one is set in `carry`
  const spread = bits === 8 ? '(carry >>> 7) * 255' : '(carry >>> 15) * 65535';
  /** by whether x is below y, without signs: whether x - y borrows */
  const below = (text: string, x: string, y: string): VectorMeaning => ({ kind: 'each', view: 'S32', text, lets: `const rest = ((${x}.S32 | ${upper}) - (${y}.S32 & ${rest})) ^ ((${x}.S32 ^ ~${y}.S32) & ${upper}), carry = ((~${x}.S32 & ${y}.S32) | (~(${x}.S32 ^ ${y}.S32) & rest)) & ${upper};` });
  return {
    add: each('S32', `((a.S32 & ${rest}) + (b.S32 & ${rest})) ^ ((a.S32 ^ b.S32) & ${upper})`),
    sub: each('S32', `((a.S32 | ${upper}) - (b.S32 & ${rest})) ^ ((a.S32 ^ ~b.S32) & ${upper})`),
    avgr_u: each('S32', `(a.S32 | b.S32) - (((a.S32 ^ b.S32) >>> 1) & ${rest})`),
    add_sat_u: {
      kind: 'each', view: 'S32', text: `sum | ${spread}`,
      lets: `const sum = ((a.S32 & ${rest}) + (b.S32 & ${rest})) ^ ((a.S32 ^ b.S32) & ${upper}), carry = ((a.S32 & b.S32) | ((a.S32 | b.S32) & ~sum)) & ${upper};`,
    },
    gt_u: below(spread, 'b', 'a'), lt_u: below(spread, 'a', 'b'),
    le_u: below(`~(${spread})`, 'b', 'a'), ge_u: below(`~(${spread})`, 'a', 'b'),
    ...bits === 8 ? { bitmask: scalar([0, 1, 2, 3].map((i) => `Math.imul((a.S32[${i}] >>> 7) & 0x01010101, 0x10204080) >>> 28 << ${4 * i}`).join(' | ')) } : {},
  };
}

function integers(bits: Bits): Table {
  const S = `S${bits}` as const, U = `U${bits}` as const;
  const a = `a.${S}`, b = `b.${S}`, ua = `a.${U}`, ub = `b.${U}`;
  const count = `const by = ${bits === 64 ? 'BigInt(n & 63)' : `n & ${bits - 1}`};`;
  const zero = bits === 64 ? '0n' : '0';
  const table: { [op: string]: VectorMeaning } = {
    add: each(S, `${a} + ${b}`), sub: each(S, `${a} - ${b}`), neg: each(S, `-${a}`), abs: each(S, `${a} < ${zero} ? -${a} : ${a}`),
    mul: each(S, bits === 32 ? `Math.imul(${a}, ${b})` : `${a} * ${b}`),
    shl: each(S, `${a} << by`, count), shr_s: each(S, `${a} >> by`, count), shr_u: each(U, bits === 64 ? `${ua} >> by` : `${ua} >>> by`, count),
    all_true: scalar(`${joined(S, ' && ', (i) => `${a}[${i}] !== ${zero}`)} ? 1 : 0`),
    bitmask: scalar(joined(S, ' | ', (i) => bits === 64 ? `(a.S32[${2 * i + 1}] >>> 31) << ${i}` : `((${a}[${i}] >>> 31) << ${i})`)),
    add_sat_s: each(S, `clamp${S}(${a} + ${b})`), add_sat_u: each(U, `clamp${U}(${ua} + ${ub})`),
    sub_sat_s: each(S, `clamp${S}(${a} - ${b})`), sub_sat_u: each(U, `clamp${U}(${ua} - ${ub})`),
    min_s: each(S, `${a} < ${b} ? ${a} : ${b}`), max_s: each(S, `${a} > ${b} ? ${a} : ${b}`),
    min_u: each(U, `${ua} < ${ub} ? ${ua} : ${ub}`), max_u: each(U, `${ua} > ${ub} ? ${ua} : ${ub}`),
  };
  for (const [op, sign] of Object.entries(COMPARE)) {
    if (op === 'eq' || op === 'ne') table[op] = mask(bits, `${a} ${sign} ${b}`);
    else Object.assign(table, { [`${op}_s`]: mask(bits, `${a} ${sign} ${b}`), [`${op}_u`]: mask(bits, `${ua} ${sign} ${ub}`) });
  }
  if (bits < 32) Object.assign(table, byWords(bits as 8 | 16));
  if (bits === 64) {
    table['splat'] = cross('S32', 'i & 1 ? nHigh : nLow');
    table['extract_lane'] = { kind: 'scalar', texts: ['a.S32[2 * k]', 'a.S32[2 * k + 1]'] };
    table['replace_lane'] = { kind: 'replace', view: 'S64', text: 'n' };
  } else {
    table['splat'] = bits === 32 ? each(S, 'n') : splat(bits, 'n');
    table['replace_lane'] = { kind: 'replace', view: S, text: 'n' };
    if (bits === 32) table['extract_lane'] = scalar('a.S32[k]');
    else Object.assign(table, { extract_lane_s: scalar(`${a}[k]`), extract_lane_u: scalar(`${ua}[k]`) });
  }
  return table;
}

/** Lanes from those of half the width: `i16x8.extend_low_i8x16_s`. */
function widening(bits: 16 | 32 | 64): Table {
  const half = bits / 2, n = 128 / bits, view: View = `S${bits}`, from = `i${half}x${2 * n}`;
  const wide = (text: string) => bits === 64 ? `BigInt(${text})` : text;
  const table: { [op: string]: VectorMeaning } = {};
  for (const sign of ['s', 'u'] as const) {
    const lane = (operand: string, i: string) => wide(`${operand}.${sign.toUpperCase()}${half}[${i}]`);
    for (const [part, i] of [['low', 'i'], ['high', `${n} + i`]] as const) {
      table[`extend_${part}_${from}_${sign}`] = cross(view, lane('a', i));
      table[`extmul_${part}_${from}_${sign}`] = cross(view, `${lane('a', i)} * ${lane('b', i)}`);
    }
    table[`extadd_pairwise_${from}_${sign}`] = cross(view, `${lane('a', '2 * i')} + ${lane('a', '2 * i + 1')}`);
  }
  return table;
}

/** Lanes from those of twice the width, saturated: first those of `a`. */
function narrowing(bits: 8 | 16): Table {
  const n = 64 / bits, from = `i${2 * bits}x${n}`;
  const narrow = (sign: 'S' | 'U') => cross(`${sign}${bits}`, `clamp${sign}${bits}(i < ${n} ? a.S${2 * bits}[i] : b.S${2 * bits}[i - ${n}])`);
  return { [`narrow_${from}_s`]: narrow('S'), [`narrow_${from}_u`]: narrow('U') };
}

/** NaNs keep their bits where the instruction does not compute, so those work on integer lanes. */
function floats(bits: 32 | 64): Table {
  const F: View = `F${bits}`, a = `a.${F}`, b = `b.${F}`;
  // of each 32-bit word: its lane, and its part of the mask for the sign
  const lane = bits === 64 ? 'i >> 1' : 'i', sign = bits === 64 ? '(i & 1 ? 0x80000000 : 0)' : '0x80000000';
  const table: { [op: string]: VectorMeaning } = {
    abs: cross('S32', `a.S32[i] & ~${sign}`), neg: cross('S32', `a.S32[i] ^ ${sign}`),
    sqrt: each(F, `Math.sqrt(${a})`), add: each(F, `${a} + ${b}`), sub: each(F, `${a} - ${b}`), mul: each(F, `${a} * ${b}`), div: each(F, `${a} / ${b}`),
    min: each(F, `Math.min(${a}, ${b})`), max: each(F, `Math.max(${a}, ${b})`),
    pmin: cross('S32', `${b}[${lane}] < ${a}[${lane}] ? b.S32[i] : a.S32[i]`), pmax: cross('S32', `${a}[${lane}] < ${b}[${lane}] ? b.S32[i] : a.S32[i]`),
    ceil: each(F, `quiet(Math.ceil(${a}))`), floor: each(F, `quiet(Math.floor(${a}))`), trunc: each(F, `quiet(Math.trunc(${a}))`), nearest: each(F, `nearest(${a})`),
    relaxed_madd: each(F, bits === 32 ? `Math.fround(${a} * ${b}) + c.F32` : `${a} * ${b} + c.F64`),
    relaxed_nmadd: each(F, bits === 32 ? `c.F32 - Math.fround(${a} * ${b})` : `c.F64 - ${a} * ${b}`),
  };
  for (const [op, compare] of Object.entries(COMPARE)) table[op] = mask(bits, `${a} ${compare} ${b}`);
  // moved as integers: `n` is the bits
  const { splat, extract_lane, replace_lane } = integers(bits);
  return { ...table, splat, extract_lane, replace_lane };
}

const BITWISE: Table = {
  not: each('S32', '~a.S32'), and: each('S32', 'a.S32 & b.S32'), andnot: each('S32', 'a.S32 & ~b.S32'), or: each('S32', 'a.S32 | b.S32'), xor: each('S32', 'a.S32 ^ b.S32'),
  bitselect: each('S32', '(a.S32 & c.S32) | (b.S32 & ~c.S32)'),
  any_true: scalar(`(${joined('S32', ' | ', (i) => `a.S32[${i}]`)}) !== 0 ? 1 : 0`),
};

/** DataView's method for a view's lanes, and what follows the offset. */
const access = (how: 'get' | 'set', bits: Bits, sign: 'S' | 'U' = 'S') => `view.${how}${bits === 64 ? 'Big' : ''}${sign === 'U' ? 'Uint' : 'Int'}${bits}`;
const read = (bits: Bits, offset: string, sign: 'S' | 'U' = 'S') => `${access('get', bits, sign)}(${offset}${bits === 8 ? '' : ', true'})`;

function memory(): Table {
  const table: { [op: string]: VectorMeaning } = {
    load: cross('S32', read(32, 'at + 4 * i')),
    store: { kind: 'store', text: [3, 2, 1, 0].map((i) => `${access('set', 32)}(at + ${4 * i}, a.S32[${i}], true);`).join(' ') },
  };
  for (const bits of [8, 16, 32, 64] as const) {
    const view: View = `S${bits}`, before = `const v = ${read(bits, 'at')};`;
    table[`load${bits}_splat`] = bits < 32 ? splat(bits as 8 | 16, 'v', `${before} `) : each(view, 'v', before);
    table[`load${bits}_lane`] = { kind: 'replace', view, text: 'v', before };
    table[`store${bits}_lane`] = { kind: 'store', text: `${access('set', bits)}(at, a.${view}[k]${bits === 8 ? '' : ', true'});` };
    if (bits >= 32) table[`load${bits}_zero`] = cross(view, `i === 0 ? v : ${bits === 64 ? '0n' : '0'}`, before);
    if (bits === 64) continue;
    const wide = (text: string) => bits === 32 ? `BigInt(${text})` : text;
    for (const sign of ['S', 'U'] as const) {
      table[`load${bits}x${64 / bits}_${sign.toLowerCase()}`] = cross(`S${2 * bits}` as View, wide(read(bits, bits === 8 ? 'at + i' : `at + ${bits / 8} * i`, sign)));
    }
  }
  return table;
}

const tables = (): readonly (readonly [shape: string, table: Table])[] => [
  ['v128', { ...BITWISE, ...memory() }],
  ['i8x16', { ...integers(8), ...narrowing(8), popcnt: each('U8', 'popcnt32(a.U8)') }],
  ['i16x8', { ...integers(16), ...narrowing(16), ...widening(16), q15mulr_sat_s: each('S16', 'clampS16((a.S16 * b.S16 + 0x4000) >> 15)') }],
  ['i32x4', {
    ...integers(32), ...widening(32),
    dot_i16x8_s: cross('S32', 'a.S16[2 * i] * b.S16[2 * i] + a.S16[2 * i + 1] * b.S16[2 * i + 1]'),
    trunc_sat_f32x4_s: each('S32', 'satS32(a.F32)'), trunc_sat_f32x4_u: each('S32', 'satU32(a.F32)'),
    trunc_sat_f64x2_s_zero: cross('S32', 'i < 2 ? satS32(a.F64[i]) : 0'), trunc_sat_f64x2_u_zero: cross('S32', 'i < 2 ? satU32(a.F64[i]) : 0'),
  }],
  ['i64x2', { ...integers(64), ...widening(64) }],
  ['f32x4', {
    ...floats(32), convert_i32x4_s: each('F32', 'a.S32'), convert_i32x4_u: each('F32', 'a.U32'),
    demote_f64x2_zero: cross('F32', 'i < 2 ? a.F64[i] : 0'),
  }],
  ['f64x2', {
    ...floats(64), convert_low_i32x4_s: cross('F64', 'a.S32[i]'), convert_low_i32x4_u: cross('F64', 'a.U32[i]'),
    promote_low_f32x4: cross('F64', 'a.F32[i]'),
  }],
];

/** The sum of the products of two pairs of bytes, from byte `k` on, which wraps at 16 bits. */
const dot = (k: string) => `(a.S8[${k}] * b.S8[${k}] + a.S8[${k} + 1] * b.S8[${k} + 1] << 16 >> 16)`;

/** `lane(i)` is one of the sixteen lane numbers of the immediate. */
const OTHERS: Table = {
  'i8x16.shuffle': cross('U8', 'lane(i) < 16 ? a.U8[lane(i)] : b.U8[lane(i) - 16]'),
  'i8x16.swizzle': cross('U8', 'b.U8[i] < 16 ? a.U8[b.U8[i]] : 0'),
  'i16x8.relaxed_dot_i8x16_i7x16_s': cross('S16', dot('2 * i')),
  'i32x4.relaxed_dot_i8x16_i7x16_add_s': cross('S32', `${dot('4 * i')} + ${dot('4 * i + 2')} + c.S32[i]`),
};

/** relaxed instruction -> the one whose result it gives */
const RELAXED: { readonly [name: string]: string } = {
  'i8x16.relaxed_swizzle': 'i8x16.swizzle',
  'i32x4.relaxed_trunc_f32x4_s': 'i32x4.trunc_sat_f32x4_s', 'i32x4.relaxed_trunc_f32x4_u': 'i32x4.trunc_sat_f32x4_u',
  'i32x4.relaxed_trunc_f64x2_s_zero': 'i32x4.trunc_sat_f64x2_s_zero', 'i32x4.relaxed_trunc_f64x2_u_zero': 'i32x4.trunc_sat_f64x2_u_zero',
  'i8x16.relaxed_laneselect': 'v128.bitselect', 'i16x8.relaxed_laneselect': 'v128.bitselect', 'i32x4.relaxed_laneselect': 'v128.bitselect', 'i64x2.relaxed_laneselect': 'v128.bitselect',
  'f32x4.relaxed_min': 'f32x4.min', 'f32x4.relaxed_max': 'f32x4.max', 'f64x2.relaxed_min': 'f64x2.min', 'f64x2.relaxed_max': 'f64x2.max',
  'i16x8.relaxed_q15mulr_s': 'i16x8.q15mulr_sat_s',
};

function all(): ReadonlyMap<string, VectorMeaning> {
  const byName = new Map<string, VectorMeaning>([
    ...tables().flatMap(([shape, table]) => Object.entries(table).map(([op, meaning]) => [`${shape}.${op}`, meaning] as const)),
    ...Object.entries(OTHERS),
  ]);
  return new Map(VECTOR_ROWS.filter(([, name]) => name !== 'v128.const').map(([, name]) => {
    const meaning = byName.get(RELAXED[name] ?? name);
    if (!meaning) throw new Error(`bug: no meaning of ${name}`);
    return [name, meaning];
  }));
}

let made: ReadonlyMap<string, VectorMeaning> | undefined;

/** mnemonic -> meaning, of every vector instruction but `v128.const`, in the order of the opcodes; made when a guest has the first one */
export function vectorMeanings(): ReadonlyMap<string, VectorMeaning> {
  return made ??= all();
}
