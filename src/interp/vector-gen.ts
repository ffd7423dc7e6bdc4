/**
 * Prints vector-core.ts, a function for each vector instruction, from meaning-vector.ts. They stand outside of the loop's switch,
 * which V8 could not optimise with all of them. `test/interp/vector.test.ts` compares what is committed with what this prints.
 *
 * The words of a vector instruction: `code | destination << 12`, then the first two operands' slots (16 bits each, none for a
 * constant), then, each where there is one: the third operand's slot, the offset of a memory access, the lane, or the sixteen
 * bytes of the immediate in four words.
 */
import { VECTOR_NAMES } from './core-table.js';
import { VECTOR_MEANING, bitsOf, lanesOf, type VectorMeaning, type View } from './meaning-vector.js';
import { VECTOR_ROWS } from './opcodes-vector.js';

/** Loops are shorter than so many lanes written out, and as fast. */
const WRITTEN_OUT = 4;

/** The text of src/interp/vector-core.ts. */
export function vectorSource(): string {
  const rows = new Map<string, (typeof VECTOR_ROWS)[number]>(VECTOR_ROWS.map((row) => [row[1], row]));
  const functions = VECTOR_NAMES.map((name) => {
    const row = rows.get(name);
    if (name === 'v128.const') return functionOf(name, ':v', 'v128', { kind: 'each', view: 'S32', text: 'code[pc + 1 + i]' });
    if (name === 'v128.move') return functionOf(name, 'v:v', '', { kind: 'each', view: 'S32', text: 'a.S32' });
    if (name === 'v128.select') return functionOf(name, 'vvi:v', '', { kind: 'each', view: 'S32', text: 'n !== 0 ? a.S32 : b.S32' });
    return functionOf(name, row![3], row![2], VECTOR_MEANING.get(name)!);
  });
  return `${HEAD}${functions.join('')}${TAIL}`;
}

function functionOf(name: string, signature: string, immediates: string, meaning: VectorMeaning): string {
  const [params, result] = signature.split(':');
  // the slot of each operand, and the position of the words behind them
  const slots = [...params].map((_, i) => i === 0 ? params.length === 1 ? 'fp + x' : 'fp + (x & 0xffff)' : i === 1 ? 'fp + (x >>> 16)' : 'fp + code[pc + 2]');
  let words = params.length === 0 ? 1 : params.length < 3 ? 2 : 3;
  const head: string[] = params.length === 0 ? [] : ['const x = code[pc + 1];'];
  const vectors: string[] = [];
  [...params].forEach((letter, i) => {
    if (letter === 'v') vectors.push(slots[i]);
    if (letter === 'i' || letter === 'f') head.push(`const n = I32[${slots[i]}];`);
    if (letter === 'l' || letter === 'd') head.push(usesHalves(meaning) ? `const at = (${slots[i]}) << 1, nLow = L32[at], nHigh = L32[at + 1];` : `const n = I64[${slots[i]}];`);
  });
  if (immediates.startsWith('memarg')) head.push(`const at = (I32[${slots[0]}] >>> 0) + (code[pc + ${words++}] >>> 0);`);
  if (immediates.endsWith('lane')) head.push(`const k = code[pc + ${words++}];`);
  const lanes = words;
  if (immediates === 'lanes' || immediates === 'v128') words += 4;
  const raw = statements(meaning, result);
  const used = new Set<string>();
  const text = raw.map((line) => line
    .replaceAll(/\blane\((\d+)\)/g, (_, i: string) => `(code[pc + ${lanes + (Number(i) >> 2)}] >>> ${8 * (Number(i) & 3)} & 0xff)`)
    .replaceAll(/\b([abcd])\.([SUF]\d+)\[(0\])?/g, (_, operand: string, view: View, first?: string) => {
      used.add(`${operand}${bitsOf(view)}`);
      return `${fileOf(view)}[${operand}${bitsOf(view)}${first ? ']' : ' + '}`;
    }));
  const bases = [...used].sort().map((base) => `${base} = (${base.startsWith('d') ? 'fp + (w >>> 12)' : vectors['abc'.indexOf(base[0])]}) << ${SHIFT[base.slice(1)]}`);
  if (bases.length > 0) head.push(`const ${bases.join(', ')};`);
  const body = [...head, ...text].join(' ');
  const uses = (word: string) => new RegExp(`\\b${word}\\b`).test(body);
  return `    /* ${name} */ (${uses('w') ? 'w' : '_w'}, pc, fp, code${uses('view') ? ', view' : ''}) => { ${body} return pc + ${words}; },\n`;
}

/** bits of a lane -> how far a slot is shifted to give its first lane */
const SHIFT: { readonly [bits: string]: number } = { 8: 4, 16: 3, 32: 2, 64: 1 };

function usesHalves(meaning: VectorMeaning): boolean {
  return meaning.kind === 'cross' && meaning.texts.some((text) => text.includes('nLow'));
}

/** Float files of vectors and of scalars have their names apart. */
function fileOf(view: View): string {
  return view.startsWith('F') ? `V${view}` : view;
}

/** `a.S8` as the lane `i` */
function at(text: string, i: number | string): string {
  return text.replaceAll(/\b([abcd]\.[SUF]\d+)(?!\d|\[)/g, '$1[i]').replaceAll(/\bi\b/g, String(i));
}

function statements(meaning: VectorMeaning, result: string): string[] {
  if (meaning.kind === 'store') return [meaning.text];
  if (meaning.kind === 'scalar') {
    const [low, high] = meaning.texts;
    if (high === undefined) return [`I32[fp + (w >>> 12)] = ${low};`];
    return [`const to = (fp + (w >>> 12)) << 1; L32[to] = ${low}; L32[to + 1] = ${high};`];
  }
  const before = meaning.before === undefined ? [] : [meaning.before];
  const { view } = meaning;
  const n = lanesOf(view);
  if (result !== 'v') throw new Error('bug: lanes without a vector to write them to');
  switch (meaning.kind) {
    case 'each':
      if (n > WRITTEN_OUT) return [...before, `for (let i = 0; i < ${n}; i++) d.${view}[i] = ${at(meaning.text, 'i')};`];
      return [...before, ...Array.from({ length: n }, (_, i) => `d.${view}[${i}] = ${at(meaning.text, i)};`)];
    case 'cross': return [
      ...before, `const ${meaning.texts.map((text, i) => `r${i} = ${text}`).join(', ')};`, ...meaning.texts.map((_, i) => `d.${view}[${i}] = r${i};`),
    ];
    case 'replace': return [...before, ...[0, 1, 2, 3].map((i) => `d.S32[${i}] = a.S32[${i}];`), `d.${view}[k] = ${meaning.text};`];
  }
}

const HEAD = `/**
 * The vector instructions: printed by vector-gen.ts from meaning-vector.ts, not to be edited. Each carries out the register
 * instruction at \`pc\`, whose first word is \`w\`, and tells where the next one is. What throws has written nothing.
 */
import type { Files } from './files.js';
import { clampS16, clampS8, clampU16, clampU8, nearest, popcnt32, quiet, satS32, satU32 } from './meaning.js';

/** @param view of the instance's first memory */
export type Vector = (w: number, pc: number, fp: number, code: Int32Array, view: DataView) => number;

/** In the order of VECTOR_NAMES. */
export function makeVectors(files: Files): readonly Vector[] {
  const { I32, L32, I64, S8, U8, S16, U16, S32, U32, S64, U64, VF32, VF64 } = files;
  return [
`;

const TAIL = `  ];
}
`;
