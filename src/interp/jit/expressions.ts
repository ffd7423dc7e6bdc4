/**
 * The simple instructions as JavaScript expressions: MEANING where that is what V8 compiles well, and for i64 and for the bits
 * of floats the forms that it does (RATIONALE.md). Control, calls, and what reads or writes memory is in emit.ts.
 */
import { MEANING, type Computed } from '../meaning.js';
import { F32, F64, I32, I64, type ValType } from '../types.js';
import { MARK, MARK_END, TRAPS, combine, type JsStack, type Operand } from './operands.js';
import { exact } from './temporaries.js';

const TYPES: { readonly [name: string]: ValType } = { i32: I32, i64: I64, f32: F32, f64: F64 };
const COMPARES = /^(?:eqz|(?:eq|ne|lt|gt|le|ge)(?:_[su])?)$/;

/** Carries out a simple instruction. @returns false where it is none of these */
export function simple(s: JsStack, name: string, offset: number): boolean {
  if (!(name in MEANING)) return false;
  const [type, op] = name.split('.');
  const from = /_(i32|i64|f32|f64)(_[su])?$/.exec(op)?.[1] ?? type;
  if (from === 'i64' || type === 'i64') long(s, type, op, offset);
  else if (/reinterpret/.test(op)) reinterpret(s, name);
  else if (type === 'f32' && /^(?:neg|abs|copysign)$/.test(op)) bitsOfF32(s, op);
  else number(s, name as Computed, type, op, offset);
  return true;
}

/** Where the text must not be evaluated twice, or is not what MEANING has. */
const OTHER: { readonly [K in Computed]?: string } = {
  'i32.shr_u': '($0 >>> $1 | 0)',
  'f64.neg': 'neg64($0)', 'f64.abs': 'abs64($0)', 'f64.copysign': 'copysign64($0, $1)',
  'f64.ceil': 'quiet(Math.ceil($0))', 'f64.floor': 'quiet(Math.floor($0))', 'f64.trunc': 'quiet(Math.trunc($0))',
};
const DIVIDES = /^(?:div|rem)_[su]$/;

function number(s: JsStack, name: Computed, type: string, op: string, offset: number): void {
  const binary = MEANING[name].includes('$1');
  let text = OTHER[name] ?? MEANING[name];
  const traps = /^(?:trunc_f)/.test(op) || type === 'i32' && DIVIDES.test(op);
  if (text.split('$0').length > 2) s.atom(s.height - (binary ? 2 : 1));
  if (text.split('$1').length > 2) s.atom(s.height - 1);
  const b = binary ? s.pop() : undefined;
  const a = s.pop();
  const of = b ? [a, b] : [a];
  const divisor = Number(b?.constant ?? 0);
  if (DIVIDES.test(op) && type === 'i32' && divisor !== 0 && (divisor !== -1 || op.endsWith('_u'))) {
    const unsigned = op.endsWith('_u') ? ' >>> 0' : '';
    const k = unsigned ? divisor >>> 0 : divisor;
    s.push(combine(I32, `((${a.text}${unsigned}) ${op.startsWith('div') ? '/' : '%'} ${k < 0 ? `(${k})` : k} | 0)`, [a]));
    return;
  }
  // in one go: a text that is put in may itself have a $
  text = text.replaceAll(/\$[01]/g, (which) => which === '$0' ? a.text : b!.text);
  if (COMPARES.test(op)) {
    if (op === 'eqz' && a.condition !== undefined) text = `!(${a.condition})`;
    s.push(combine(I32, `(${text} ? 1 : 0)`, of, { condition: `(${text})` }));
    return;
  }
  const call = /^[\w.]+\([^()]*\)$/.test(text);
  if (type === 'f32') text = `Math.fround(${text})`;
  else if (!call) text = `(${text})`;
  const result = combine(TYPES[type], traps ? `${MARK}${offset}${MARK_END}${text}` : text, of);
  s.push(traps ? { ...result, flags: result.flags | TRAPS } : result);
}

function reinterpret(s: JsStack, name: string): void {
  const a = s.pop();
  if (name === 'i32.reinterpret_f32') s.push(combine(I32, a.bits ?? `bits32(${a.text})`, [a], { flags: a.flags }));
  else s.push(combine(F32, `float32(${a.text})`, [a], { bits: a.text }));
}

function bitsOfF32(s: JsStack, op: string): void {
  const b = op === 'copysign' ? s.pop() : undefined;
  const a = s.pop();
  const of = (x: Operand) => x.bits ?? `bits32(${x.text})`;
  const bits = op === 'neg' ? `(${of(a)} ^ -2147483648)` : op === 'abs' ? `(${of(a)} & 2147483647)` : `((${of(a)} & 2147483647) | (${of(b!)} & -2147483648))`;
  s.push(combine(F32, op === 'neg' ? `(-${a.text})` : op === 'abs' ? `Math.abs(${a.text})` : `float32(${bits})`, b ? [a, b] : [a], { bits }));
}

// ---- i64

/** Operations of which only the low 64 bits are wanted in the end, whatever the operands' are. */
const MODULAR: { readonly [op: string]: string } = { add: '+', sub: '-', mul: '*', and: '&', or: '|', xor: '^' };
const SIGNED: { readonly [op: string]: string } = { eq: '===', ne: '!==', lt_s: '<', gt_s: '>', le_s: '<=', ge_s: '>=' };
/** The order of the operands and the comparison of their upper 63 bits. */
const UNSIGNED: { readonly [op: string]: readonly [less: 0 | 1, sign: '<' | '>='] } = { lt_u: [0, '<'], gt_u: [1, '<'], le_u: [1, '>='], ge_u: [0, '>='] };
const BY_HALVES = /^(?:shl|shr_[su]|rotl|rotr)$/;

function long(s: JsStack, type: string, op: string, offset: number): void {
  const top = s.height - 1;
  if (type !== 'i64') return fromLong(s, type, op);
  if (MODULAR[op]) {
    const b = s.pop(), a = s.pop();
    s.push(combine(I64, `(${part(a)} ${MODULAR[op]} ${part(b)})`, [a, b], { exact: false }));
  } else if (op === 'eqz') {
    const a = s.pop();
    compare(s, `(${exact(a)} === BigInt.asIntN(64, 0n))`, [a]);
  } else if (SIGNED[op]) {
    const b = s.pop(), a = s.pop();
    compare(s, `(${exact(a)} ${SIGNED[op]} ${exact(b)})`, [a, b]);
  } else if (UNSIGNED[op]) {
    unsigned(s, op);
  } else if (BY_HALVES.test(op)) {
    shift(s, op);
  } else if (DIVIDES.test(op)) {
    divide(s, op, offset);
  } else if (op === 'clz' || op === 'ctz' || op === 'popcnt') {
    const slot = s.inSlot(top);
    const [lo, hi] = [s.low(slot), s.high(slot)];
    const text = op === 'clz' ? `clzHalves(${hi}, ${lo})` : op === 'ctz' ? `ctzHalves(${hi}, ${lo})` : `(popcnt32(${lo}) + popcnt32(${hi}))`;
    const a = s.pop();
    s.push(combine(I64, `BigInt(${text} >>> 0)`, [a]));
  } else if (/^extend(?:8|16|32)_s$/.test(op)) {
    const a = s.pop();
    s.push(combine(I64, `BigInt.asIntN(${/\d+/.exec(op)![0]}, ${a.text})`, [a]));
  } else if (op === 'extend_i32_s' || op === 'extend_i32_u') {
    const a = s.pop();
    s.push(combine(I64, op.endsWith('_s') ? `BigInt.asIntN(32, BigInt(${a.text} >>> 0))` : `BigInt(${a.text} >>> 0)`, [a]));
  } else if (op === 'reinterpret_f64') {
    const a = s.pop();
    s.order(a);
    s.line(`F64[fp + ${s.slot(top)}] = ${a.text};`);
    s.push(s.ownOf(I64, top));
  } else {
    // trunc: a bigint from a helper
    const a = s.pop();
    const traps = /^trunc_f/.test(op);
    const text = MEANING[`i64.${op}` as Computed].replace('$0', () => a.text);
    const result = combine(I64, traps ? `${MARK}${offset}${MARK_END}${text}` : text, [a], { exact: false });
    s.push(traps ? { ...result, flags: result.flags | TRAPS } : result);
  }
}

/**
 * An operand of such an operation. Exact, as V8 11 forgets that only 64 bits of the result are wanted where it has seen no result
 * beyond them, and then calls its runtime for an operand that was.
 */
function part(operand: Operand): string {
  return operand.constant === undefined ? exact(operand) : operand.text;
}

function compare(s: JsStack, text: string, of: readonly Operand[]): void {
  s.push(combine(I32, `(${text} ? 1 : 0)`, of, { condition: text }));
}

/**
 * x < y: of the upper 63 bits, where x has one less if the lowest bits decide. No bigint that is compared is beyond what V8 takes
 * for one of 64 bits, which -2^63 is not.
 */
function unsigned(s: JsStack, op: string): void {
  s.atom(s.height - 2);
  s.atom(s.height - 1);
  const b = s.pop(), a = s.pop();
  const [less, sign] = UNSIGNED[op];
  const [x, y] = less === 0 ? [a, b] : [b, a];
  compare(s, `(BigInt.asIntN(64, ${upper(x)} - (${y.text} & (${x.text} ^ 1n) & 1n)) ${sign} ${upper(y)})`, [a, b]);
}

function upper({ text, constant }: Operand): string {
  return constant === undefined ? `BigInt.asIntN(64, BigInt.asUintN(64, ${text}) >> 1n)` : `BigInt.asIntN(64, ${BigInt.asUintN(64, BigInt(constant)) >> 1n}n)`;
}

function fromLong(s: JsStack, type: string, op: string): void {
  const slot = s.inSlot(s.height - 1);
  const [lo, hi] = [s.low(slot), s.high(slot)];
  const a = s.pop();
  if (op === 'wrap_i64') s.push(combine(I32, lo, [a]));
  else if (op === 'reinterpret_i64') s.push(combine(F64, `F64[fp + ${slot}]`, [a]));
  else if (type === 'f64') s.push(combine(F64, `(${op.endsWith('_s') ? hi : `(${hi} >>> 0)`} * 4294967296 + (${lo} >>> 0))`, [a]));
  else s.push(combine(F32, `i64ToF32(${op.endsWith('_s') ? a.text : `BigInt.asUintN(64, ${a.text})`})`, [a]));
}

/** By a constant: bigint shifts by a literal. Else in halves, which are put together as bigints: V8 11 has no other fast way. */
function shift(s: JsStack, op: string): void {
  const top = s.height - 1;
  const by = s.stack[top];
  if (by.constant !== undefined) {
    s.pop();
    const n = Number(BigInt.asUintN(6, BigInt(by.constant)));
    if (op.startsWith('rot')) s.atom(top - 1);
    const a = s.pop();
    const left = op === 'rotl' ? n : (64 - n) % 64;
    if (n === 0) s.push(a);
    else if (op === 'shl') s.push(combine(I64, `BigInt.asIntN(64, ${a.text} << ${n}n)`, [a]));
    else if (op === 'shr_s') s.push(combine(I64, `(${exact(a)} >> ${n}n)`, [a]));
    else if (op === 'shr_u') s.push(combine(I64, `BigInt.asIntN(64, BigInt.asUintN(64, ${a.text}) >> ${n}n)`, [a]));
    else s.push(combine(I64, `(BigInt.asIntN(64, ${a.text} << ${left}n) | BigInt.asIntN(64, BigInt.asUintN(64, ${a.text}) >> ${64 - left}n))`, [a], { exact: false }));
    return;
  }
  const bySlot = s.inSlot(top);
  const slot = s.inSlot(top - 1);
  s.pop();
  s.pop();
  const swap = op.startsWith('rot') ? `, k = ${s.low(bySlot)} & 32, l = k ? ${s.high(slot)} : ${s.low(slot)}, h = k ? ${s.low(slot)} : ${s.high(slot)}` : `, l = ${s.low(slot)}, h = ${s.high(slot)}`;
  s.line(`{ const n = ${s.low(bySlot)} & ${op.startsWith('rot') ? 31 : 63}${swap}; ${HALVES[op]} I64[fp + ${s.slot(top - 1)}] = (BigInt(y >>> 0) << 32n) + BigInt(x >>> 0); }`);
  s.push(s.ownOf(I64, top - 1));
}

/** From the halves l and h to x and y, by n. */
const HALVES: { readonly [op: string]: string } = {
  shl: 'let x = 0, y = 0; if (n < 32) { x = l << n; y = (h << n) | ((l >>> 1) >>> (31 - n)); } else { y = l << n; }',
  shr_s: 'let x = 0, y = 0; if (n < 32) { x = (l >>> n) | ((h << 1) << (31 - n)); y = h >> n; } else { x = h >> n; y = h >> 31; }',
  shr_u: 'let x = 0, y = 0; if (n < 32) { x = (l >>> n) | ((h << 1) << (31 - n)); y = h >>> n; } else { x = h >>> n; }',
  rotl: 'const x = (l << n) | ((h >>> 1) >>> (31 - n)), y = (h << n) | ((l >>> 1) >>> (31 - n));',
  rotr: 'const x = (l >>> n) | ((h << 1) << (31 - n)), y = (h >>> n) | ((l << 1) << (31 - n));',
};

function divide(s: JsStack, op: string, offset: number): void {
  const top = s.height - 1;
  const divisor = BigInt(s.stack[top].constant ?? 0);
  const sign = op.startsWith('div') ? '/' : '%';
  if (op.endsWith('_s') && divisor !== 0n && divisor !== -1n) {
    const b = s.pop(), a = s.pop();
    s.push(combine(I64, `(${exact(a)} ${sign} ${exact(b)})`, [a, b]));
    return;
  }
  // a statement of its own: signed division where both are positive, which V8 has an instruction for
  s.atom(top - 1);
  s.atom(top);
  const b = s.pop(), a = s.pop();
  s.flush(TRAPS);
  const home = s.ownOf(I64, top - 1);
  const zero = 'BigInt.asIntN(64, 0n)';
  const plain = op.endsWith('_u') ? `${exact(a)} >= ${zero} && ${exact(b)} > ${zero}` : `${exact(b)} > ${zero}`;
  s.line(`if (${plain}) ${home.text} = ${exact(a)} ${sign} ${exact(b)}; else ${home.text} = ${MARK}${offset}${MARK_END}${op.startsWith('div') ? 'div' : 'rem'}${op.endsWith('_u') ? 'U' : 'S'}64(${a.text}, ${b.text});`);
  s.push(home);
}
