/**
 * The interpreter's own instruction set: a row for each register instruction, with the text of its case in the big switch.
 * core-gen.ts prints core.ts from it, with the list of numbers that core-ops.ts looks into; a run loads only that. A register instruction is one to four words of an
 * Int32Array; its first word is `code | x << 12`, with x a slot of the frame (the destination, or the first source).
 *
 *   w0 = code pc[0]           11                 0
 *        ┌──────────────────────┬─────────────────┐
 *        │ slot, 20 bits        │ code            │      a slot: I32[fp + slot], or 64 bits at [fp + slot]
 *        └──────────────────────┴─────────────────┘
 *   w1 = two slots of 16 bits (a low, b high), or one slot, or a constant
 *
 * Text: `%d %a %b %c` are indices into the register files, `%k` the word with the constant, `lo(x) hi(x)` 32-bit halves.
 */
import { MEANING, type Computed } from './meaning.js';
import { VECTOR_ROWS } from './opcodes-vector.js';

/**
 * Where the operands are. d: destination in w0. ab: slots in w1. k: constant in the word after. s: source in w0.
 * The last word of a branch is its distance, in words from the instruction's first.
 */
export type Format = 'd' | 'da' | 'dab' | 'dak' | 'dk' | 'dkk' | 'dabc' | 's' | 'sak' | 'sk' | 'skk' | 'none' | 'own' | 'cold' | 'vector';
export interface CoreOp {
  readonly name: string;
  readonly format: Format;
  readonly text: string;
  /** of a branch on a condition: that alone, with the second operand as `%b` or `%k` */
  readonly condition?: string;
}

export const FORMAT_WORDS: { readonly [F in Format]: number } = {
  d: 1, da: 2, dab: 2, dak: 3, dk: 2, dkk: 3, dabc: 3, s: 1, sak: 3, sk: 2, skk: 3, none: 1, own: 0, cold: 0, vector: 0,
};

const FILE = { i: 'I32', l: 'I64', f: 'F32', d: 'F64' } as const;
type Kind = keyof typeof FILE;
/** An instruction's operand and result types; `i64.extend_i32_u` and its like name both. */
function kindsOf(name: string): { readonly operand: Kind; readonly result: Kind } {
  const letter = (type: string): Kind => ({ i32: 'i', i64: 'l', f32: 'f', f64: 'd' } as const)[type as 'i32'];
  const [type, op] = name.split('.');
  const own = letter(type);
  const from = /_(i32|i64|f32|f64)(_[su])?$/.exec(op)?.[1];
  return { operand: from ? letter(from) : own, result: COMPARES.test(op) ? 'i' : own };
}
const COMPARES = /^(?:eqz|(?:eq|ne|lt|gt|le|ge)(?:_[su])?)$/;
const UNARY = /^(?:eqz|clz|ctz|popcnt|abs|neg|ceil|floor|trunc|nearest|sqrt|extend|wrap|convert|demote|promote|trunc_)/;

/** Where halves or bits are exact or cheaper than the expression: statements instead of MEANING. */
const STATEMENTS: { readonly [K in Computed]?: string } = {
  'i64.and': 'lo(d) = lo(a) & lo(b); hi(d) = hi(a) & hi(b);',
  'i64.or': 'lo(d) = lo(a) | lo(b); hi(d) = hi(a) | hi(b);',
  'i64.xor': 'lo(d) = lo(a) ^ lo(b); hi(d) = hi(a) ^ hi(b);',
  'i64.shl': 'const n = lo(b) & 63, l = lo(a), h = hi(a); if (n < 32) { lo(d) = l << n; hi(d) = (h << n) | ((l >>> 1) >>> (31 - n)); } else { lo(d) = 0; hi(d) = l << n; }',
  'i64.shr_s': 'const n = lo(b) & 63, l = lo(a), h = hi(a); if (n < 32) { lo(d) = (l >>> n) | ((h << 1) << (31 - n)); hi(d) = h >> n; } else { lo(d) = h >> n; hi(d) = h >> 31; }',
  'i64.shr_u': 'const n = lo(b) & 63, l = lo(a), h = hi(a); if (n < 32) { lo(d) = (l >>> n) | ((h << 1) << (31 - n)); hi(d) = h >>> n; } else { lo(d) = h >>> n; hi(d) = 0; }',
  'i64.rotl': 'const n = lo(b) & 31, swap = lo(b) & 32, l = swap ? hi(a) : lo(a), h = swap ? lo(a) : hi(a); lo(d) = (l << n) | ((h >>> 1) >>> (31 - n)); hi(d) = (h << n) | ((l >>> 1) >>> (31 - n));',
  'i64.rotr': 'const n = lo(b) & 31, swap = lo(b) & 32, l = swap ? hi(a) : lo(a), h = swap ? lo(a) : hi(a); lo(d) = (l >>> n) | ((h << 1) << (31 - n)); hi(d) = (h >>> n) | ((l << 1) << (31 - n));',
  'i64.eqz': 'I32[%d] = (lo(a) | hi(a)) === 0 ? 1 : 0;',
  'i64.clz': 'const h = hi(a); lo(d) = h !== 0 ? Math.clz32(h) : 32 + Math.clz32(lo(a)); hi(d) = 0;',
  'i64.ctz': 'const l = lo(a); lo(d) = l !== 0 ? ctz32(l) : 32 + ctz32(hi(a)); hi(d) = 0;',
  'i64.popcnt': 'lo(d) = popcnt32(lo(a)) + popcnt32(hi(a)); hi(d) = 0;',
  'i64.extend8_s': 'const n = lo(a) << 24 >> 24; lo(d) = n; hi(d) = n >> 31;',
  'i64.extend16_s': 'const n = lo(a) << 16 >> 16; lo(d) = n; hi(d) = n >> 31;',
  'i64.extend32_s': 'const n = lo(a); lo(d) = n; hi(d) = n >> 31;',
  'i64.extend_i32_s': 'const n = I32[%a]; lo(d) = n; hi(d) = n >> 31;',
  'i64.extend_i32_u': 'lo(d) = I32[%a]; hi(d) = 0;',
  'i32.wrap_i64': 'I32[%d] = lo(a);',
  'f64.convert_i64_s': 'F64[%d] = hi(a) * 4294967296 + (lo(a) >>> 0);',
  'f64.convert_i64_u': 'F64[%d] = (hi(a) >>> 0) * 4294967296 + (lo(a) >>> 0);',
  'f32.abs': 'I32[%d] = I32[%a] & 0x7fffffff;',
  'f32.neg': 'I32[%d] = I32[%a] ^ 0x80000000;',
  'f32.copysign': 'I32[%d] = (I32[%a] & 0x7fffffff) | (I32[%b] & 0x80000000);',
  // V8 hands on a signalling NaN here, and the specification wants a quiet one
  'f64.ceil': 'const y = Math.ceil(F64[%a]); F64[%d] = y === y ? y : NaN;',
  'f64.floor': 'const y = Math.floor(F64[%a]); F64[%d] = y === y ? y : NaN;',
  'f64.trunc': 'const y = Math.trunc(F64[%a]); F64[%d] = y === y ? y : NaN;',
  'f64.abs': 'const l = lo(a), h = hi(a); lo(d) = l; hi(d) = h & 0x7fffffff;',
  'f64.neg': 'const l = lo(a), h = hi(a); lo(d) = l; hi(d) = h ^ 0x80000000;',
  'f64.copysign': 'const l = lo(a), h = (hi(a) & 0x7fffffff) | (hi(b) & 0x80000000); lo(d) = l; hi(d) = h;',
};

/** Binary instructions that also take a constant as their second operand: `i32.add.k`. */
const WITH_CONSTANT = /^(?:i32\..*|i64\.(?:add|sub|mul|and|or|xor|shl|shr_s|shr_u|eq|ne|[lg][te]_[su])|f64\.(?:add|sub|mul|div))$/;

function simpleOps(): CoreOp[] {
  const ops: CoreOp[] = [];
  for (const [name, meaning] of Object.entries(MEANING)) {
    if (name.includes('reinterpret')) continue;
    const { operand, result } = kindsOf(name);
    const unary = UNARY.test(name.split('.')[1]);
    const stored = COMPARES.test(name.split('.')[1]) ? `${meaning} ? 1 : 0` : meaning;
    const file = FILE[operand];
    const statement = STATEMENTS[name as Computed];
    const text = statement ?? `${FILE[result]}[%d] = ${stored};`.replaceAll('$0', `${file}[%a]`);
    ops.push({ name, format: unary ? 'da' : 'dab', text: text.replaceAll('$1', `${file}[%b]`) });
    if (!unary && WITH_CONSTANT.test(name)) ops.push({ name: `${name}.k`, format: 'dak', text: text.replaceAll('$1', constant(operand)).replaceAll('lo(b)', 'k32[%k << 1]').replaceAll('hi(b)', 'k32[(%k << 1) + 1]') });
  }
  return ops;
}

/** i32 constants stand in the code, the others in the module's pool. */
function constant(kind: Kind): string {
  return kind === 'i' ? '%k' : kind === 'l' ? 'k64[%k]' : 'kf64[%k]';
}

/** A taken branch; backward ones pay fuel, and the loop is left when it is spent. */
const TAKE = (word: number) => `{ const by = code[pc + ${word}]; pc += by; if (by <= 0 && --fuel < 0) break run; } else pc += ${word + 1};`;

/** `br_if.i32.lt_s`, `.k` with a constant, `br_unless.f64.lt` where no other comparison is the negation (NaN). */
function branchOps(): CoreOp[] {
  const ops: CoreOp[] = [
    { name: 'br', format: 'own', text: 'const by = code[pc + 1]; pc += by; if (by <= 0 && --fuel < 0) break run;' },
    { name: 'br_if', format: 'own', text: `if (I32[%d] !== 0) ${TAKE(1)}`, condition: 'I32[%d] !== 0' },
    { name: 'br_unless', format: 'own', text: `if (I32[%d] === 0) ${TAKE(1)}`, condition: 'I32[%d] === 0' },
    { name: 'br_table', format: 'own', text: 'const i = I32[%d] >>> 0, n = code[pc + 1]; const by = code[pc + 2 + (i < n ? i : n)]; pc += by; if (by <= 0 && --fuel < 0) break run;' },
  ];
  for (const [name, meaning] of Object.entries(MEANING)) {
    const op = name.split('.')[1];
    if (!COMPARES.test(op) || op === 'eqz') continue;
    const { operand } = kindsOf(name);
    const file = FILE[operand];
    const with0 = meaning.replaceAll('$0', `${file}[%d]`);
    const add = (name: string, condition: string) => ops.push({ name, format: 'own', condition, text: `if (${condition.replaceAll('%b', 'fp + code[pc + 1]').replaceAll('%k', 'code[pc + 1]')}) ${TAKE(2)}` });
    const both = with0.replaceAll('$1', `${file}[%b]`);
    add(`br_if.${name}`, both);
    if (operand === 'i' || operand === 'l') add(`br_if.${name}.k`, with0.replaceAll('$1', constant(operand)));
    else add(`br_unless.${name}`, `!(${both})`);
  }
  return ops;
}

const AT = '(I32[%a] >>> 0) + (%k >>> 0)';
const TO = '(I32[%d] >>> 0) + (%k >>> 0)';
/** f32.load is i32.load, and f64.load i64.load: registers hold bits. A store writes its upper half first, so that it writes all or nothing. */
const MEMORY: readonly CoreOp[] = ([
  ['i32.load', `I32[%d] = view.getInt32(${AT}, true);`],
  ['i32.load8_s', `I32[%d] = view.getInt8(${AT});`],
  ['i32.load8_u', `I32[%d] = view.getUint8(${AT});`],
  ['i32.load16_s', `I32[%d] = view.getInt16(${AT}, true);`],
  ['i32.load16_u', `I32[%d] = view.getUint16(${AT}, true);`],
  ['i64.load', `const at = ${AT}; const h = view.getInt32(at + 4, true); lo(d) = view.getInt32(at, true); hi(d) = h;`],
  ['i64.load8_s', `const n = view.getInt8(${AT}); lo(d) = n; hi(d) = n >> 31;`],
  ['i64.load8_u', `lo(d) = view.getUint8(${AT}); hi(d) = 0;`],
  ['i64.load16_s', `const n = view.getInt16(${AT}, true); lo(d) = n; hi(d) = n >> 31;`],
  ['i64.load16_u', `lo(d) = view.getUint16(${AT}, true); hi(d) = 0;`],
  ['i64.load32_s', `const n = view.getInt32(${AT}, true); lo(d) = n; hi(d) = n >> 31;`],
  ['i64.load32_u', `lo(d) = view.getInt32(${AT}, true); hi(d) = 0;`],
  ['i32.store', `view.setInt32(${TO}, I32[%a], true);`],
  ['i32.store8', `view.setInt8(${TO}, I32[%a]);`],
  ['i32.store16', `view.setInt16(${TO}, I32[%a], true);`],
  ['i64.store', `const at = ${TO}; view.setInt32(at + 4, hi(a), true); view.setInt32(at, lo(a), true);`],
  ['i64.store8', `view.setInt8(${TO}, lo(a));`],
  ['i64.store16', `view.setInt16(${TO}, lo(a), true);`],
  ['i64.store32', `view.setInt32(${TO}, lo(a), true);`],
] as const).map(([name, text]) => ({ name, format: 'dak', text }));

/** Stores of a constant: address slot in w0, then offset and value. */
const MEMORY_CONSTANT: readonly CoreOp[] = (['Int32', 'Int16', 'Int8'] as const).map((type) => ({
  name: `i32.store${type === 'Int32' ? '' : type.slice(3)}.k`, format: 'skk',
  text: `view.set${type}((I32[%d] >>> 0) + (code[pc + 1] >>> 0), code[pc + 2]${type === 'Int8' ? '' : ', true'});`,
}));

const POP = 'sp -= 2; pc = CS[sp]; fp = CS[sp + 1];';
/** Enters the function whose code starts at `entry`: a header of (frame size, first slot to clear, slot after the last to clear). */
const CLEAR = 'for (let i = fp + code[entry + 1], end = fp + code[entry + 2]; i < end; i++) { I32[i] = 0; F64[i] = 0; } pc = entry + 3;';
const ENTER = (words: number) => `if (top + code[entry] > SLOTS || sp >= m.spLimit) throw m.exhausted(sp, top); if (--fuel < 0) break run; CS[sp] = pc + ${words}; CS[sp + 1] = fp; sp += 2; fp = top; ${CLEAR}`;

const OTHER: readonly CoreOp[] = [
  { name: 'move32', format: 'da', text: 'I32[%d] = I32[%a];' },
  { name: 'move64', format: 'da', text: 'F64[%d] = F64[%a];' },
  { name: 'const32', format: 'dk', text: 'I32[%d] = code[pc + 1];' },
  { name: 'const64', format: 'dkk', text: 'lo(d) = code[pc + 1]; hi(d) = code[pc + 2];' },
  { name: 'select32', format: 'dabc', text: 'I32[%d] = I32[%c] !== 0 ? I32[%a] : I32[%b];' },
  { name: 'select64', format: 'dabc', text: 'F64[%d] = I32[%c] !== 0 ? F64[%a] : F64[%b];' },
  { name: 'global.get32', format: 'dk', text: 'I32[%d] = g32[code[pc + 1]];' },
  { name: 'global.get64', format: 'dk', text: 'const at = code[pc + 1]; lo(d) = g32[at]; hi(d) = g32[at + 1];' },
  { name: 'global.set32', format: 'sk', text: 'g32[code[pc + 1]] = I32[%d];' },
  { name: 'global.set64', format: 'sk', text: 'const at = code[pc + 1]; g32[at] = lo(d); g32[at + 1] = hi(d);' },
  // another memory than the first becomes the loop's for one access
  { name: 'memory.use', format: 'sk', text: 'm.view = view = m.inst.memories[code[pc + 1]].view;' },
  // [op | address, offset, mask]
  { name: 'aligned', format: 'skk', text: 'if (((I32[%d] + code[pc + 1]) & code[pc + 2]) !== 0) throw m.unaligned();' },
  // an i64 index as one of i32; what is beyond becomes the largest, which no memory or table with i64 indices reaches
  { name: 'index64', format: 'da', text: 'I32[%d] = hi(a) === 0 ? lo(a) : -1;' },
  // before each instruction of plain code (lower.ts)
  { name: 'step', format: 'own', text: 'if (sp <= m.spStop || --m.budget < 0) break run; pc += 1;' },
  { name: 'return0', format: 'own', text: POP },
  { name: 'return32', format: 'own', text: `I32[fp] = I32[%d]; ${POP}` },
  { name: 'return64', format: 'own', text: `F64[fp] = F64[%d]; ${POP}` },
  { name: 'call', format: 'own', text: `const entry = code[pc + 1], top = %d; ${ENTER(2)}` },
  // in place of the frame, in whose first slots the arguments are
  { name: 'return_call', format: 'own', text: `const entry = code[pc + 1]; if (fp + code[entry] > SLOTS) throw m.exhausted(sp, fp); if (--fuel < 0) break run; ${CLEAR}` },
  // [op | slot of the arguments, slot of the index, canonical type, table]: goes on to the cold path where this one does not fit
  { name: 'call_indirect', format: 'own', text: `const f = m.inst.tables[code[pc + 3]].funcs[I32[fp + code[pc + 1]] >>> 0]; if (f && f.instance === m.inst && f.typeId === code[pc + 2] && m.inst.code.entries[f.index] !== 0) { const entry = m.inst.code.entries[f.index], top = %d; ${ENTER(4)} continue run; }` },
];

/** Carried out by machine.ts, outside of the switch, with the whole state saved. */
export const COLD = [
  'return.base', 'return.cross', 'return.host',
  'step.break', 'call.lazy', 'call.import', 'call_indirect.cold', 'call_ref', 'return_call.lazy', 'return_call.import', 'return_call_indirect', 'return_call_ref', 'unreachable',
  'global.get.cell', 'global.set.cell',
  'memory.size', 'memory.grow', 'memory.init', 'memory.copy', 'memory.fill', 'memory.outside', 'data.drop', 'memory.atomic.notify', 'memory.atomic.wait',
  'table.get', 'table.set', 'table.size', 'table.grow', 'table.fill', 'table.copy', 'table.init', 'elem.drop',
  'ref.null', 'ref.is_null', 'ref.func', 'move.ref', 'move.range', 'select.ref', 'ref.as_non_null', 'throw', 'throw_ref',
  'struct.new', 'struct.new_default', 'struct.get', 'struct.get_u', 'struct.set', 'array.new', 'array.new_default',
  'array.new_fixed', 'array.new_data', 'array.new_elem', 'array.get', 'array.get_u', 'array.set', 'array.len', 'array.fill',
  'array.copy', 'array.init_data', 'array.init_elem', 'ref.test', 'ref.cast', 'ref.eq', 'ref.i31', 'i31.get',
] as const;

/** Vector instructions; copying a v128, and choosing one of two by the third operand, have no opcode of their own. */
export const VECTOR_NAMES: readonly string[] = ['v128.move', 'v128.select', ...VECTOR_ROWS.map(([, name]) => name)];

/** In the order of their numbers. call_indirect is the last hot one: it falls through to the cold ones. Vector instructions are functions (vector-gen.ts). */
let ops: readonly CoreOp[] | undefined;
export function coreOps(): readonly CoreOp[] {
  return ops ??= [
    ...COLD.map((name): CoreOp => ({ name, format: 'cold', text: '' })),
    ...simpleOps(), ...MEMORY, ...MEMORY_CONSTANT, ...branchOps(), ...OTHER,
    ...VECTOR_NAMES.map((name): CoreOp => ({ name, format: 'vector', text: '' })),
  ];
}
