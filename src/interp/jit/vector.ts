/**
 * The vector instructions in the source of a function: what meaning-vector.ts says, on the variables of vector-forms.ts. Here are
 * those that only move lanes, which cost nothing, and those that are better told in floats than in bits where floats are wanted.
 * WebAssembly specification, chapter 4.4.3 (Vector Instructions).
 */
import type { InstrReader } from '../instr.js';
import { vectorMeanings, type VectorMeaning, bitsOf } from '../meaning-vector.js';
import { F32, F64, I32 } from '../types.js';
import type { JsBody } from './body.js';
import { floatText } from './constants.js';
import { addressOf } from './memory.js';
import { TRAPS, combine, condition, type Operand } from './operands.js';
import { LANES, anyForm, assignLanes, homeLanes, lanesOf, pushLanes, vectorOperand, type Form, type Lanes } from './vector-forms.js';
import { formOf, needsOf, resultLanes, scratchLanes, scratchText, withLanes, type Vectors } from './vector-lanes.js';

/** Instructions on floats that only move bits, told in floats. */
const IN_FLOATS: { readonly [op: string]: string } = {
  abs: 'Math.abs(a)', neg: '-a', pmin: 'b < a ? b : a', pmax: 'a < b ? b : a',
};

/** Carries out a vector instruction. @returns false where it is none */
export function vector(s: JsBody, instr: InstrReader, mnemonic: string, immediates: string, signature: string): boolean {
  if (mnemonic === 'v128.const') {
    s.push(constant([instr.a, instr.b, instr.c, instr.d]));
    return true;
  }
  const meaning = vectorMeanings().get(mnemonic);
  if (!meaning) return false;
  const [shape, op] = mnemonic.split('.');
  if (shape === 'f32x4' || shape === 'f64x2') {
    if (op === 'splat') return splat(s, shape), true;
    if (op === 'extract_lane') return extract(s, shape, instr.a), true;
    if (op === 'replace_lane') return replace(s, shape, instr.a), true;
    if (IN_FLOATS[op] !== undefined && inFloats(s, shape, IN_FLOATS[op])) return true;
  }
  if (mnemonic === 'i8x16.shuffle') return shuffle(s, [instr.a, instr.b, instr.c, instr.d]), true;
  if (meaning === vectorMeanings().get('v128.bitselect') && chosen(s)) return true;
  if (mnemonic === 'v128.load') return load(s, instr.b, instr.a), true;
  if (mnemonic === 'v128.store') return store(s, instr.b, instr.a), true;
  general(s, instr, meaning, immediates, signature);
  return true;
}

function origin(s: JsBody): string {
  return `@${s.offset}`;
}

function constant(words: readonly number[]): Operand {
  const float = (w: number) => floatText(w, 0, true), double = (lo: number, hi: number) => floatText(lo, hi, false);
  const floats = words.map(float), doubles = [double(words[0], words[1]), double(words[2], words[3])];
  const all = (texts: readonly (string | undefined)[]) => texts.includes(undefined) ? undefined : texts as string[];
  return { ...vectorOperand({ words: words.map((w) => w < 0 ? `(${w})` : String(w)), floats: all(floats), doubles: all(doubles), exact: all(floats) !== undefined, mask: words.every((w) => w === 0 || w === -1) }, 0), reach: undefined, constant: 0 };
}

// ---- floats

function splat(s: JsBody, shape: string): void {
  const h = s.height - 1;
  const value = s.pop();
  s.order(value);
  if (shape === 'f64x2') {
    const [name] = homeLanes(s, h, 'doubles');
    s.line(`${name} = ${value.text};`);
    s.push(vectorOperand({ doubles: [name, name], exact: true }, h));
    return;
  }
  const from = origin(s);
  if (value.bits === undefined || s.wishes.formOf(from) === 'floats') {
    const [name] = homeLanes(s, h, 'floats');
    s.line(`${name} = ${value.text};`);
    s.push(vectorOperand({ floats: Array<string>(4).fill(name), origin: from, exact: value.bits === undefined }, h));
    return;
  }
  const [name] = homeLanes(s, h, 'words');
  s.line(`${name} = ${value.bits};`);
  s.push(vectorOperand({ words: Array<string>(4).fill(name), origin: from, exact: false }, h));
}

function extract(s: JsBody, shape: string, k: number): void {
  const h = s.height - 1;
  const { lanes } = s.stack[h];
  if (shape === 'f64x2') {
    const text = lanesOf(s, h, 'doubles')[k];
    s.push(combine(F64, text, [s.pop()], { depth: 0 }));
  } else if (lanes!.floats && lanes!.exact) {
    s.push(combine(F32, lanes!.floats[k], [s.pop()], { depth: 0 }));
  } else {
    const bits = lanesOf(s, h, 'words')[k];
    const floats = s.stack[h].lanes!.floats;
    s.push(combine(F32, floats ? floats[k] : `float32(${bits})`, [s.pop()], { bits }));
  }
}

function replace(s: JsBody, shape: string, k: number): void {
  const h = s.height - 2;
  const value = s.stack[h + 1];
  if (value.flags & TRAPS) s.settle(h + 1);
  const from = origin(s);
  const double = shape === 'f64x2';
  const { lanes } = s.stack[h];
  const exact = value.bits === undefined && lanes!.floats !== undefined && lanes!.exact;
  const form: Form = double ? 'doubles' : exact || s.wishes.formOf(from) === 'floats' ? 'floats' : 'words';
  const texts = [...lanesOf(s, h, form)];
  const { text, bits } = s.pop();
  s.pop();
  texts[k] = form === 'words' ? bits ?? `bits32(${text})` : text;
  copyLanes(s, form, texts, { origin: from, exact: double || exact });
}

/** The same as `pushLanes` where the texts may name lanes of the home. */
function copyLanes(s: JsBody, form: Form, texts: readonly string[], more: Partial<Lanes> = {}): void {
  const names = homeLanes(s, s.height, form);
  if (!texts.some((text, k) => names.some((name, j) => j < k && text.includes(name)))) return pushLanes(s, form, texts, more);
  s.line(`{ const ${texts.map((text, k) => `t${k} = ${text}`).join(', ')};`);
  pushLanes(s, form, texts.map((_, k) => `t${k}`), more);
  s.line('}');
}

/** What moves bits, on floats, where only floats are wanted of the result. @returns false where it is not so */
function inFloats(s: JsBody, shape: string, text: string): boolean {
  const from = origin(s);
  const form = s.wishes.formOf(from);
  if (form === 'words' || LANES[form] !== (shape === 'f64x2' ? 2 : 4)) return false;
  const n = text.includes('b') && !text.startsWith('Math') ? 2 : 1;
  const first = s.height - n;
  const operands = [first, first + 1].slice(0, n).map((h) => lanesOf(s, h, form));
  s.stack.length = first;
  copyLanes(s, form, operands[0].map((a, k) => text.replaceAll(/\b[ab]\b/g, (which) => which === 'a' ? a : operands[1][k])), { origin: from });
  return true;
}

/** v128.bitselect by a mask of whole lanes, where only floats or doubles are wanted. */
function chosen(s: JsBody): boolean {
  const from = origin(s);
  const form = s.wishes.formOf(from);
  const first = s.height - 3;
  const { lanes } = s.stack[first + 2];
  if (form !== 'floats' || !lanes!.mask) return false;
  const a = lanesOf(s, first, form), b = lanesOf(s, first + 1, form), mask = lanesOf(s, first + 2, 'words');
  const exact = s.stack[first].lanes!.exact && s.stack[first + 1].lanes!.exact;
  s.stack.length = first;
  copyLanes(s, form, a.map((text, k) => `${mask[k]} !== 0 ? ${text} : ${b[k]}`), { origin: from, exact });
  return true;
}

// ---- moving lanes

/** By words where it moves whole ones; else each word is put together of what comes from the same word by the same distance. */
function shuffle(s: JsBody, immediate: readonly number[]): void {
  const bytes = Array.from({ length: 16 }, (_, i) => immediate[i >> 2] >>> 8 * (i & 3) & 0xff);
  const first = s.height - 2;
  const from = origin(s);
  const whole = [0, 1, 2, 3].every((w) => (bytes[4 * w] & 3) === 0 && [1, 2, 3].every((j) => bytes[4 * w + j] === bytes[4 * w] + j));
  const both = [s.stack[first], s.stack[first + 1]];
  if (whole) {
    const exact = both.every(({ lanes }) => lanes!.floats && lanes!.exact);
    const form: Form = exact || s.wishes.formOf(from) === 'floats' ? 'floats' : 'words';
    const texts = [...lanesOf(s, first, form), ...lanesOf(s, first + 1, form)];
    s.stack.length = first;
    copyLanes(s, form, [0, 1, 2, 3].map((w) => texts[bytes[4 * w] >> 2]), { origin: from, exact, mask: both.every(({ lanes }) => lanes!.mask) });
    return;
  }
  const words = [...lanesOf(s, first, 'words'), ...lanesOf(s, first + 1, 'words')];
  s.stack.length = first;
  copyLanes(s, 'words', [0, 1, 2, 3].map((w) => {
    /** word and distance to the left -> bytes of the result */
    const parts = new Map<string, number>();
    for (let j = 0; j < 4; j++) {
      const byte = bytes[4 * w + j];
      const key = `${byte >> 2} ${8 * (j - (byte & 3))}`;
      parts.set(key, (parts.get(key) ?? 0) | 0xff << 8 * j);
    }
    return [...parts].map(([key, mask]) => {
      const [word, by] = key.split(' ').map(Number);
      const moved = by === 0 ? words[word] : by > 0 ? `${words[word]} << ${by}` : `${words[word]} >>> ${-by}`;
      // what is shifted in is zero
      const kept = by > 0 ? -1 << by : -1 >>> -by;
      return (mask | 0) === (kept | 0) ? `(${moved})` : `(${by === 0 ? moved : `(${moved})`} & ${mask | 0})`;
    }).join(' | ');
  }), { origin: from });
}

// ---- memory

function load(s: JsBody, memory: number, offset: number): void {
  const { at, view } = addressOf(s, s.height - 1, memory, offset);
  const from = origin(s);
  s.pop();
  s.flush(TRAPS);
  const lanes: { [form in Form]?: readonly string[] } = {};
  const form = s.wishes.formOf(from);
  const read = (which: Form, method: string) => {
    lanes[which] = homeLanes(s, s.height, which);
    const step = 16 / LANES[which];
    s.line(`${s.mark()}${lanes[which].map((name, k) => `${name} = ${view}.get${method}(${at(step * k)}, true);`).join(' ')}`);
  };
  if (form === 'words') read('words', 'Int32');
  if (form === 'floats' || s.wishes.wants(from, 'floats')) read('floats', 'Float32');
  if (form === 'doubles') read('doubles', 'Float64');
  s.push(vectorOperand({ ...lanes, origin: from, exact: form === 'doubles' }, s.height));
}

function store(s: JsBody, memory: number, offset: number): void {
  const h = s.height - 1;
  const form = anyForm(s, h);
  const texts = lanesOf(s, h, form);
  const { at, view } = addressOf(s, h - 1, memory, offset);
  s.stack.length = h - 1;
  s.flush(TRAPS);
  const method = form === 'words' ? 'Int32' : form === 'floats' ? 'Float32' : 'Float64';
  const step = 16 / LANES[form];
  // the last lane first, so that it writes all or nothing
  s.line(`${s.mark()}${texts.map((text, k) => `${view}.set${method}(${at(step * k)}, ${text}, true);`).reverse().join(' ')}`);
}

// ---- by their meaning

function general(s: JsBody, { a: offset, b: memory, d: lastLane, a: lane }: InstrReader, meaning: VectorMeaning, immediates: string, signature: string): void {
  const [params, result] = signature.split(':');
  const first = s.height - params.length;
  const { forms, scratch } = needsOf(meaning);
  const head: string[] = [];
  const vectors: { [letter: string]: { [form in Form]?: readonly string[] } } = {};
  const operands: Operand[] = [];
  let letters = 0;
  let mask = meaning.kind === 'each' && (/^S32$/.test(meaning.view) && / \? -1 : 0$/.test(meaning.text));
  let traps = false;
  let masks = true;
  let view = '';
  [...params].forEach((letter, i) => {
    const h = first + i;
    if (letter === 'v') {
      const name = 'abc'[letters++];
      vectors[name] = {};
      for (const form of meaning.kind === 'replace' ? [...new Set([...forms.get(name) ?? [], 'words' as const])] : forms.get(name) ?? []) vectors[name][form] = lanesOf(s, h, form);
      masks &&= s.stack[h].lanes!.mask === true;
    } else if (letter === 'a') {
      const address = addressOf(s, h, memory, offset);
      view = address.view;
      head.push(`at = ${address.at(0)}`);
      traps = true;
    } else if (letter === 'l') {
      const [low, high] = s.halves(h);
      head.push(`nLow = ${low}, nHigh = ${high}`);
    } else if (letter === 'i') {
      if (s.stack[h].flags & TRAPS) s.settle(h);
      head.push(`n = ${s.stack[h].text}`);
    } else {
      throw new Error(`bug: an operand of kind ${letter} of a vector instruction`);
    }
  });
  for (let h = first; h < s.height; h++) operands.push(s.stack[h]);
  s.stack.length = first;
  if (traps) s.flush(TRAPS);
  if (/^v128\.(?:and|or|xor|not|andnot)$/.test(nameOf(meaning))) mask = masks;
  const k = immediates === 'lane' ? lane : lastLane;
  // memory and lane are known here
  const known = (text: string) => text.replaceAll(/\bview\b/g, view).replaceAll(/\[(\d+) \* k( \+ 1)?\]/g, (_, n: string, more?: string) => `[${Number(n) * k + (more ? 1 : 0)}]`).replaceAll(/\[k\]/g, `[${k}]`);
  const words = (text: string) => withLanes(known(text), vectors);
  const mark = traps ? s.mark() : '';

  if (meaning.kind === 'scalar') {
    const [low, high] = meaning.texts;
    if (scratch) {
      s.line(toScratch(vectors));
      const home = s.ownOf(I32, first);
      s.line(`${home.text} = ${scratchText(low)};`);
      s.push(home);
    } else if (high === undefined) {
      s.push(combine(I32, `(${words(low)})`, operands));
    } else {
      s.pushHalves(words(low), words(high));
    }
    return;
  }
  if (meaning.kind === 'store') {
    const wide = /setBigInt64\(at, a\.S64\[k\]/.test(meaning.text);
    const text = wide ? `${view}.setInt32(at + 4, ${vectors['a'].words![2 * k + 1]}, true); ${view}.setInt32(at, ${vectors['a'].words![2 * k]}, true);` : words(meaning.text);
    s.line(`{ const ${head.join(', ')}; ${mark}${text} }`);
    return;
  }
  // ---- results that are vectors
  const before: string[] = head.length > 0 ? [`const ${head.join(', ')};`] : [];
  const bits = bitsOf(meaning.view);
  const wideRead = /getBigInt64\(at, true\)/.test(meaning.before ?? '');
  if (wideRead) before.push(`${mark}const vHigh = ${view}.getInt32(at + 4, true), vLow = ${view}.getInt32(at, true);`);
  else if (meaning.before !== undefined) before.push(`${mark}${words(meaning.before)}`);
  const form = scratch ? 'words' : formOf(meaning.view);
  const names = homeLanes(s, first, form);
  let lines: string;
  if (meaning.kind === 'replace') {
    const texts = [...vectors['a'].words!];
    const value = words(meaning.text);
    if (bits === 64) [texts[2 * k], texts[2 * k + 1]] = wideRead ? ['vLow', 'vHigh'] : ['nLow', 'nHigh'];
    else if (bits === 32) texts[k] = value;
    else {
      const word = k * bits >> 5, shift = k * bits & 31;
      const lanes = (2 ** bits - 1) << shift;
      texts[word] = `(${texts[word]} & ${~lanes}) | (${value} << ${shift} & ${lanes})`;
    }
    lines = texts.map((text, i) => `const t${i} = ${text};`).join(' ') + assignLanes(names, texts.map((_, i) => `t${i}`));
  } else if (wideRead) {
    lines = assignLanes(names, meaning.text === 'v' ? ['vLow', 'vHigh', 'vLow', 'vHigh'] : ['vLow', 'vHigh', '0', '0']);
  } else if (scratch) {
    if (meaning.kind === 'each' && meaning.lets !== undefined) throw new Error('bug: constants of lanes on scratch vectors');
    lines = `${toScratch(vectors)} ${mark}${known(scratchLanes(meaning))} ${assignLanes(names, [12, 13, 14, 15].map((i) => `XS32[${i}]`))}`;
  } else {
    const lanes = resultLanes({ ...meaning, text: known(meaning.text) }, vectors);
    // lanes of an operand may be the variables that the result goes to
    const plain = meaning.kind === 'each' && bits === 32 || lanes.every(({ text }, i) => !names.some((name, j) => j < i && text.includes(name)));
    const safe = plain && Object.values(vectors).every((of) => Object.values(of).every((texts) => texts.every((text, i) => !names.includes(text) || text === names[i])));
    if (safe) lines = mark + lanes.map(({ lets, text }, i) => lets === '' ? `${names[i]} = ${text};` : `{ ${lets} ${names[i]} = ${text}; }`).join(' ');
    else {
      lines = `let ${lanes.map((_, i) => `t${i}`).join(', ')}; ${mark}${lanes.map(({ lets, text }, i) => lets === '' ? `t${i} = ${text};` : `{ ${lets} t${i} = ${text}; }`).join(' ')} ${assignLanes(names, lanes.map((_, i) => `t${i}`))}`;
    }
  }
  s.line(`{ ${before.join(' ')} ${lines} }`);
  s.push(vectorOperand({ [form]: names, exact: form !== 'words', mask, origin: origin(s) }, first));
  if (result !== 'v') throw new Error('bug: lanes of no vector');
}

let names: ReadonlyMap<VectorMeaning, string> | undefined;
function nameOf(meaning: VectorMeaning): string {
  names ??= new Map([...vectorMeanings()].map(([name, each]) => [each, name]));
  return names.get(meaning)!;
}

function toScratch(vectors: Vectors): string {
  return Object.entries(vectors).flatMap(([letter, { words }]) => (words ?? []).map((text, k) => `XS32[${4 * 'abc'.indexOf(letter) + k}] = ${text};`)).join(' ');
}

// ---- select

/** `select` of two vectors. */
export function selectVector(s: JsBody): void {
  const h = s.height - 3;
  const from = origin(s);
  const test = s.stack[h + 2];
  if (test.flags & TRAPS) s.settle(h + 2);
  const exact = [h, h + 1].every((at) => s.stack[at].lanes!.floats !== undefined && s.stack[at].lanes!.exact);
  const wanted = s.wishes.formOf(from);
  const form: Form = wanted !== 'words' ? wanted : exact ? 'floats' : 'words';
  const a = lanesOf(s, h, form), b = lanesOf(s, h + 1, form);
  const c = condition(s.stack[h + 2]);
  s.stack.length = h;
  s.line(`{ const c = ${c};`);
  copyLanes(s, form, a.map((text, k) => `c ? ${text} : ${b[k]}`), { origin: from, exact: exact || form === 'doubles' });
  s.line('}');
}
