/**
 * The texts of meaning-vector.ts for vectors that are in variables (vector-forms.ts): lane by lane, short lanes taken out of
 * words of 32 bits and put together again. Where a lane's place is only known when it runs, or lanes have 64 bits, the text is
 * put to work on scratch vectors instead. Knows no operand stack.
 */
import { bitsOf, lanesOf, replaceLanes, type VectorMeaning, type View } from '../meaning-vector.js';
import { laneText } from '../vector-gen.js';
import type { Form } from './vector-forms.js';

/** Variables of the operands `a`, `b` and `c`. */
export type Vectors = { readonly [letter: string]: { readonly [form in Form]?: readonly string[] } };

/** What a meaning needs of each operand. */
export interface Needs {
  readonly forms: ReadonlyMap<string, readonly Form[]>;
  /** it works on scratch vectors */
  readonly scratch: boolean;
}

const LANE = /\b([abc])\.([SUF]\d+)(?!\d)(\[)?/g;

export function formOf(view: View): Form {
  return view === 'F32' ? 'floats' : view === 'F64' ? 'doubles' : 'words';
}

function allTexts(meaning: VectorMeaning): string {
  return meaning.kind === 'scalar' ? meaning.texts.join(' ') : `${meaning.kind === 'store' ? '' : `${meaning.before ?? ''} ${meaning.kind === 'each' ? meaning.lets ?? '' : ''}`} ${meaning.text}`;
}

export function needsOf(meaning: VectorMeaning): Needs {
  const texts = allTexts(meaning);
  // a lane within the brackets of another one, and lanes that are bigints
  const scratch = /\[[^\]]*\b[abc]\./.test(texts) || /\b[abc]\.[SU]64/.test(texts) || 'view' in meaning && bitsOf(meaning.view) === 64 && meaning.view !== 'F64';
  const forms = new Map<string, Form[]>();
  for (const [, letter, view] of texts.matchAll(LANE)) {
    const form = scratch ? 'words' : formOf(view as View);
    const known = forms.get(letter);
    if (!known) forms.set(letter, [form]);
    else if (!known.includes(form)) known.push(form);
  }
  return { forms, scratch };
}

/** The number that is lane `i` of the view. */
function lane(of: { readonly [form in Form]?: readonly string[] }, view: View, i: number): string {
  switch (view) {
    case 'F32': return of.floats![i];
    case 'F64': return of.doubles![i];
    case 'S32': return of.words![i];
    case 'U32': return `(${of.words![i]} >>> 0)`;
    case 'S16': return i & 1 ? `(${of.words![i >> 1]} >> 16)` : `(${of.words![i >> 1]} << 16 >> 16)`;
    case 'U16': return i & 1 ? `(${of.words![i >> 1]} >>> 16)` : `(${of.words![i >> 1]} & 65535)`;
    case 'S8': return (i & 3) === 3 ? `(${of.words![i >> 2]} >> 24)` : `(${of.words![i >> 2]} << ${24 - 8 * (i & 3)} >> 24)`;
    case 'U8': return (i & 3) === 3 ? `(${of.words![i >> 2]} >>> 24)` : `(${of.words![i >> 2]} >>> ${8 * (i & 3)} & 255)`;
    default: throw new Error(`bug: a lane of ${view} in variables`);
  }
}

/** Takes the lanes of operands that a text names. */
export function withLanes(text: string, vectors: Vectors): string {
  return text.replaceAll(/\b([abc])\.([SUF]\d+)\[([^\]]*)\]/g, (_, letter: string, view: View, index: string) => lane(vectors[letter], view, indexOf(index)));
}

/** The value of sums and products of numbers. */
function indexOf(text: string): number {
  if (!/^[\d\s+*-]+$/.test(text)) throw new Error(`bug: a lane at ${text}`);
  return text.split('+').reduce((sum, part) => sum + part.split('-').map((factors) => factors.split('*').reduce((product, factor) => product * Number(factor), 1)).reduce((a, b) => a - b), 0);
}

/** Lanes of a result as words, floats or doubles: each with the constants that its text refers to. */
export function resultLanes(meaning: VectorMeaning & { readonly kind: 'each' | 'cross' }, vectors: Vectors): { readonly lets: string; readonly text: string }[] {
  const { view } = meaning;
  const bits = bitsOf(view);
  const texts = Array.from({ length: lanesOf(view) }, (_, i) => withLanes(laneText(meaning.text, i), vectors));
  const lets = (i: number) => meaning.kind === 'each' && meaning.lets !== undefined ? withLanes(laneText(meaning.lets, i), vectors) : '';
  if (view === 'F32') return texts.map((text) => ({ lets: '', text: `Math.fround(${text})` }));
  if (view === 'F64') return texts.map((text) => ({ lets: '', text }));
  if (bits === 32) {
    return texts.map((text, i) => {
      const test = /^(.+) \? -1 : 0$/.exec(text);
      // without a branch
      return { lets: lets(i), text: test ? `-(${test[1]}) | 0` : `(${text}) | 0` };
    });
  }
  const per = 32 / bits;
  return [0, 1, 2, 3].map((word) => ({
    lets: '',
    text: Array.from({ length: per }, (_, j) => packed(texts[word * per + j], bits, j, per)).join(' | '),
  }));
}

function packed(text: string, bits: number, j: number, per: number): string {
  if (j === per - 1) return `(${text}) << ${bits * j}`;
  return j === 0 ? `(${text}) & ${2 ** bits - 1}` : `((${text}) & ${2 ** bits - 1}) << ${bits * j}`;
}

/** On scratch vectors: the statements for the lanes of the fourth one. */
export function scratchLanes(meaning: VectorMeaning & { readonly kind: 'each' | 'cross' }): string {
  const { view } = meaning;
  const n = lanesOf(view);
  return Array.from({ length: n }, (_, i) => `X${view}[${3 * n + i}] = ${scratchText(laneText(meaning.text, i))};`).join(' ');
}

/** A text that names lanes of scratch vectors. */
export function scratchText(text: string): string {
  return replaceLanes(text, (operand, view, index) => `X${view}[${'abc'.indexOf(operand) * lanesOf(view)} + (${index()})]`);
}
