/**
 * Prints vector-core.ts, a function for each vector instruction, from meaning-vector.ts. They stand outside of the loop's switch,
 * which V8 could not optimise with all of them. `test/interp/vector.test.ts` compares what is committed with what this prints.
 *
 * The words of a vector instruction: `code | destination << 12`, then the first two operands' slots (16 bits each, none for a
 * constant), then, each where there is one: the third operand's slot, the offset of a memory access, the lane, or the sixteen
 * bytes of the immediate in four words.
 */
import { CORE_NAMES, FIRST_VECTOR } from './core.js';
import { vectorMeanings, bitsOf, lanesOf, replaceLanes, type VectorMeaning, type View } from './meaning-vector.js';
import { VECTOR_ROWS } from './opcodes-vector.js';

/** More lanes than so many are a loop, which is shorter and as fast. */
const WRITTEN_OUT = 4;

/** The text of src/interp/vector-core.ts. */
export function vectorSource(): string {
  return `${HEAD}${CORE_NAMES.slice(FIRST_VECTOR).map((name) => functionOf(name, vectorBody(name))).join('')}${TAIL}`;
}

interface Body { readonly text: string; readonly words: number }

/** The statements of an instruction, in terms of the parameters of its function, and how many words it has. */
export function vectorBody(name: string): Body {
  if (name === 'v128.const') return bodyOf(':v', 'v128', { kind: 'each', view: 'S32', text: 'code[pc + 1 + i]' });
  if (name === 'v128.move') return bodyOf('v:v', '', { kind: 'each', view: 'S32', text: 'a.S32' });
  if (name === 'v128.select') return bodyOf('vvi:v', '', { kind: 'each', view: 'S32', text: 'n !== 0 ? a.S32 : b.S32' });
  const [, , immediates, signature] = VECTOR_ROWS.find((row) => row[1] === name)!;
  return bodyOf(signature, immediates, vectorMeanings().get(name)!);
}

const PARAMETERS = ['d', 'x', 'y', 'code', 'pc', 'fp', 'view'];

function bodyOf(signature: string, immediates: string, meaning: VectorMeaning): Body {
  const [params, result] = signature.split(':');
  // the slot of each operand, and the position of the words behind them
  const slots = [...params].map((_, i) => ['x', 'y', '(fp + code[pc + 2])'][i]);
  let words = params.length === 0 ? 1 : params.length < 3 ? 2 : 3;
  const head: string[] = [];
  const vectors: string[] = [];
  [...params].forEach((letter, i) => {
    if (letter === 'v') vectors.push(slots[i]);
    if (letter === 'i' || letter === 'f') head.push(`n = I32[${slots[i]}]`);
    if (letter === 'l' || letter === 'd') head.push(usesHalves(meaning) ? `at = ${slots[i]} << 1, nLow = L32[at], nHigh = L32[at + 1]` : `n = I64[${slots[i]}]`);
  });
  if (immediates.startsWith('memarg')) head.push(`at = (I32[${slots[0]}] >>> 0) + (code[pc + ${words++}] >>> 0)`);
  if (immediates.endsWith('lane')) head.push(`k = code[pc + ${words++}]`);
  const lanes = words;
  if (immediates === 'lanes' || immediates === 'v128') words += 4;
  const raw = statements(meaning, result);
  const used = new Set<string>();
  const text = raw.map((line) => laneAccess(line
    .replaceAll(/\blane\((\w+)\)/g, (_, i: string) => `(code[pc + ${lanes} + (${i} >> 2)] >>> 8 * (${i} & 3) & 0xff)`), used));
  const bases = [...used].sort().map((base) => `${base} = ${base.startsWith('d') ? 'd' : vectors['abc'.indexOf(base[0])]} << ${SHIFT[base.slice(1)]}`);
  head.push(...bases);
  return { text: [...head.length === 0 ? [] : [`const ${head.join(', ')};`], ...text].join(' '), words };
}

function functionOf(name: string, { text, words }: Body): string {
  const uses = (word: string) => new RegExp(`\\b${word}\\b`).test(text);
  const last = PARAMETERS.findLastIndex(uses);
  const names = PARAMETERS.slice(0, last + 1).map((word) => uses(word) ? word : `_${word}`);
  return `    /* ${name} */ (${names.join(', ')}) => { ${text} return ${words}; },\n`;
}

/** `a.S8[3]` as an element of the file, behind the operand's first one, which is added to `used`. */
function laneAccess(text: string, used: Set<string>): string {
  return replaceLanes(text, (operand, view, index) => {
    const base = `${operand}${bitsOf(view)}`;
    used.add(base);
    const at = index();
    return `${fileOf(view)}[${at === '0' ? base : `${base} + ${/[>&?-]/.test(at) ? `(${at})` : at}`}]`;
  });
}

/** bits of a lane -> how far a slot is shifted to give its first lane */
const SHIFT: { readonly [bits: string]: number } = { 8: 4, 16: 3, 32: 2, 64: 1 };

function usesHalves(meaning: VectorMeaning): boolean {
  return meaning.kind === 'cross' && meaning.text.includes('nLow');
}

/** Float files of vectors and of scalars have their names apart. */
function fileOf(view: View): string {
  return view.startsWith('F') ? `V${view}` : view;
}

/** The text for the lane `i`, for other tiers. */
export function laneText(text: string, i: number): string {
  return at(text.replaceAll(/\(i < (\d+) \? ([^:]+) : ([^)]+)\)/g, (_, n: string, yes: string, no: string) => `(${i < Number(n) ? yes : no})`), i);
}

/** The text for the lane `i`, a number where it is written out: then what depends on that alone is worked out. */
function at(text: string, i: number | 'i'): string {
  const lanes = text.replaceAll(/\b([abcd]\.[SUF]\d+)(?!\d|\[)/g, '$1[i]');
  if (i === 'i') return lanes;
  return lanes
    .replace(/^i (===|<|&) (\d+) \? (.+) : (.+)$/, (_, how: string, n: string, yes: string, no: string) => chosen(i, how, Number(n)) ? yes : no)
    .replaceAll(/\(i (===|<|&) (\d+) \? (\w+) : (\w+)\)/g, (_, how: string, n: string, yes: string, no: string) => chosen(i, how, Number(n)) ? yes : no)
    .replaceAll(/\b(\d+) \* i\b(?: \+ (\d+))?/g, (_, n: string, more = '0') => String(Number(n) * i + Number(more)))
    .replaceAll(/\bi >> (\d+)/g, (_, n: string) => String(i >> Number(n)))
    .replaceAll(/\b(\d+) \+ i\b/g, (_, n: string) => String(Number(n) + i))
    .replaceAll(/\bi\b/g, String(i))
    .replaceAll(/\[(\d+) \+ (\d+)\]/g, (_, x: string, y: string) => `[${Number(x) + Number(y)}]`);
}

function chosen(i: number, how: string, n: number): boolean {
  return how === '===' ? i === n : how === '<' ? i < n : (i & n) !== 0;
}

function statements(meaning: VectorMeaning, result: string): string[] {
  if (meaning.kind === 'store') return [meaning.text];
  if (meaning.kind === 'scalar') {
    const [low, high] = meaning.texts;
    if (high === undefined) return [`I32[d] = ${low};`];
    return [`L32[d << 1] = ${low}; L32[(d << 1) + 1] = ${high};`];
  }
  const before = meaning.before === undefined ? [] : [meaning.before];
  const { view } = meaning;
  const n = lanesOf(view);
  if (result !== 'v') throw new Error('bug: lanes without a vector to write them to');
  switch (meaning.kind) {
    case 'each':
      if (meaning.lets !== undefined) return [...before, `for (let i = 0; i < ${n}; i++) { ${at(meaning.lets, 'i')} d.${view}[i] = ${at(meaning.text, 'i')}; }`];
      if (n > WRITTEN_OUT) return [...before, `for (let i = 0; i < ${n}; i++) d.${view}[i] = ${at(meaning.text, 'i')};`];
      return [...before, ...Array.from({ length: n }, (_, i) => `d.${view}[${i}] = ${at(meaning.text, i)};`)];
    case 'cross': {
      if (n > WRITTEN_OUT) {
        const scratch = `T${bitsOf(view)}`;
        return [...before, `for (let i = 0; i < ${n}; i++) ${scratch}[i] = ${at(meaning.text, 'i')};`, ...[0, 1, 2, 3].map((i) => `d.S32[${i}] = T32[${i}];`)];
      }
      const results = Array.from({ length: n }, (_, i) => `r${i}`);
      return [...before, `const ${results.map((r, i) => `${r} = ${at(meaning.text, i)}`).join(', ')};`, ...results.map((r, i) => `d.${view}[${i}] = ${r};`)];
    }
    case 'replace': return [...before, ...[0, 1, 2, 3].map((i) => `d.S32[${i}] = a.S32[${i}];`), `d.${view}[k] = ${meaning.text};`];
  }
}

const HEAD = `/**
 * The vector instructions: printed by vector-gen.ts from meaning-vector.ts, not to be edited. Each carries out the register
 * instruction at \`pc\`, and tells how many words it has. What throws has written nothing.
 */
import type { Files } from './files.js';
import { clampS16, clampS8, clampU16, clampU8, nearest, popcnt32, quiet, satS32, satU32 } from './meaning.js';

/**
 * @param d slot of the destination, counted from that of frame 0
 * @param x slot of the first operand, likewise
 * @param y slot of the second one
 * @param fp the frame's first slot
 * @param view of the instance's first memory
 */
export type Vector = (d: number, x: number, y: number, code: Int32Array, pc: number, fp: number, view: DataView) => number;

/** In the order of VECTOR_NAMES. */
export function makeVectors(files: Files): readonly Vector[] {
  const { I32, L32, I64, S8, U8, S16, U16, S32, U32, S64, U64, VF32, VF64 } = files;
  /** results of lanes that are read from elsewhere */
  const T8 = new Int8Array(16), T16 = new Int16Array(T8.buffer), T32 = new Int32Array(T8.buffer);
  return [
`;

const TAIL = `  ];
}
`;
