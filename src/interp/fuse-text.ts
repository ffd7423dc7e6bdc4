/**
 * The text of one fused instruction: what a region's register instructions do one after the other, with their operands written
 * out. Slots are variables within it where all that touches them sees them the same way; they are read from the frame at the
 * region's start and written back where it is left. Branches forward stay inside where they can, and a loop that begins the
 * region is one of JavaScript's. After a trap nobody looks at the frame; the position is exact.
 */
import type { ModuleCode } from './code.js';
import { SLOTS } from './files.js';
import { isEnd, type Region, type Step } from './fuse-regions.js';
import { HEADER } from './lower.js';
import { numberText } from './jit/constants.js';
import { vectorBody } from './vector-gen.js';

type File = 'I32' | 'F32' | 'I64' | 'F64' | 'L32';
/** `either`: 64 bits that may be moved as those of a double as well */
interface Access { readonly file: File | 'either'; readonly slot: number; readonly write: boolean }

/** Operands of an instruction: slots, constants. */
interface Operands { readonly d: number; readonly a: number; readonly b: number; readonly c: number; readonly k: number }

const TOKEN = /\b(?:(I32|F32|F64|I64)\[%([dabc])\]|(lo|hi)\(([dabc])\))( = )?/g;
const TRAPS = /\bview\.|\b(?:div|rem|trunc)[SU]\d|unaligned/;
/** locals cleared one by one */
const CLEARED_SINGLY = 8;

/**
 * The statements of a region, which end with `break run` or `continue run`. What they throw is thrown with `pc` at the instruction.
 * @param numbers position -> number, of the regions that are in the same function of JavaScript
 */
export function regionText(code: ModuleCode, region: Region, numbers: ReadonlyMap<number, number>): string {
  return new RegionText(code, region, numbers).text();
}

class RegionText {
  readonly #code: ModuleCode;
  readonly #region: Region;
  readonly #numbers: ReadonlyMap<number, number>;
  /** slots that are variables: of 32 bits, of doubles */
  readonly #ints = new Set<number>();
  readonly #doubles = new Set<number>();
  /** variables by name, in the state between two instructions: certainly written, or perhaps */
  #written: Set<string> | undefined = new Set();
  #dirty = new Set<string>();
  readonly #loaded = new Set<string>();
  /** what branches to a label, and back to the loop's start, bring along */
  readonly #arriving = new Map<number, { written: Set<string>; dirty: Set<string> }>();
  readonly #out: string[] = [];
  /** position behind the last branch back to the start, or the start */
  readonly #loopEnd: number;

  constructor(code: ModuleCode, region: Region, numbers: ReadonlyMap<number, number>) {
    this.#code = code;
    this.#numbers = numbers;
    this.#region = region;
    this.#loopEnd = region.steps.findLast(({ targets }) => targets.includes(region.start))?.next ?? region.start;
    this.#chooseVariables();
  }

  text(): string {
    const { steps, start, end, live } = this.#region;
    const labels = [...new Set(steps.flatMap(({ targets }) => targets.filter((target) => this.#isInside(target))))].sort((x, y) => y - x);
    const loop = this.#loopEnd > start;
    for (const label of labels) if (label >= this.#loopEnd) this.#out.push(`L${label}: {`);
    if (loop) {
      for (const step of steps) if (step.at < this.#loopEnd) this.#writes(step);
      this.#out.push('loop: for (;;) { back: {');
      for (const label of labels) if (label < this.#loopEnd) this.#out.push(`L${label}: {`);
    }
    for (const step of steps) {
      if (loop && step.at === this.#loopEnd) this.#closeLoop();
      if (labels.includes(step.at)) this.#label(step.at);
      this.#step(step);
    }
    if (loop && end === this.#loopEnd) this.#closeLoop();
    if (this.#written) this.#out.push(this.#leave(end, live, false));
    return [...[...this.#loaded].map((name) => `${name} = ${memory(name)};`), ...this.#out].join('\n');
  }

  // ---- variables

  #chooseVariables(): void {
    const low = new Map<number, Set<string>>(), wide = new Map<number, Set<string>>();
    const vectors = new Set<number>();
    for (const step of this.#region.steps) {
      const { d, a, b, c } = this.#operands(step);
      if (step.op.format === 'vector') for (const slot of [d, a, b, c]) vectors.add(slot);
      for (const { file, slot } of this.#accesses(step)) {
        const bank = file === 'I32' || file === 'F32' ? low : wide;
        bank.get(slot)?.add(file) ?? bank.set(slot, new Set([file]));
      }
    }
    for (const [slot, files] of low) if (!vectors.has(slot) && !files.has('F32')) this.#ints.add(slot);
    for (const [slot, files] of wide) if (!vectors.has(slot) && files.has('F64') && !files.has('I64') && !files.has('L32')) this.#doubles.add(slot);
  }

  #operands({ at, w0, op }: Step): Operands {
    const { words } = this.#code;
    const w1 = words[at + 1], w2 = words[at + 2];
    const d = w0 >>> 12;
    const pair = op.format === 'dab' || op.format === 'dabc' || op.format === 'vector';
    if (op.condition !== undefined) return { d, a: d, b: w1, c: d, k: w1 };
    return { d, a: pair ? w1 & 0xffff : w1, b: w1 >>> 16, c: w2, k: op.format === 'dk' || op.format === 'sk' ? w1 : w2 };
  }

  /** What an instruction reads and writes of the frame, but for vectors, and for what calls do. */
  #accesses(step: Step): Access[] {
    const { d, a, b, c } = this.#operands(step);
    const { name } = step.op;
    switch (name) {
      case 'i64.load': return [{ file: 'I32', slot: a, write: false }, { file: 'either', slot: d, write: true }];
      case 'i64.store': return [{ file: 'I32', slot: d, write: false }, { file: 'either', slot: a, write: false }];
      case 'const64': return [{ file: Number.isNaN(this.#double(step)) ? 'L32' : 'either', slot: d, write: true }];
      case 'move64': case 'f64.abs': case 'f64.neg': return [{ file: 'either', slot: a, write: false }, { file: 'either', slot: d, write: true }];
      case 'select64': return [{ file: 'either', slot: a, write: false }, { file: 'either', slot: b, write: false }, { file: 'I32', slot: c, write: false }, { file: 'either', slot: d, write: true }];
      case 'return64': return [{ file: 'either', slot: d, write: false }];
      case 'return32': case 'br_table': return [{ file: 'I32', slot: d, write: false }];
      case 'call_indirect': return [{ file: 'I32', slot: a, write: false }];
      case 'call': case 'br': case 'return0': return [];
    }
    const accesses: Access[] = [];
    for (const [, file, operand, half, whole, write] of (step.op.condition ?? step.op.text).matchAll(TOKEN)) {
      accesses.push({ file: half ? 'L32' : file as File, slot: { d, a, b, c }[(operand ?? whole) as 'd'], write: write !== undefined });
    }
    return accesses;
  }

  #double({ at }: Step): number {
    return new Float64Array(new Int32Array([this.#code.words[at + 1], this.#code.words[at + 2]]).buffer)[0];
  }

  #variable(file: Access['file'], slot: number): string | undefined {
    if (file === 'I32') return this.#ints.has(slot) ? `v${slot}` : undefined;
    return (file === 'F64' || file === 'either') && this.#doubles.has(slot) ? `d${slot}` : undefined;
  }

  #load(name: string): void {
    if (this.#written && !this.#written.has(name)) this.#loaded.add(name);
  }

  /** Of a step in the loop: what it writes may have been written when the loop begins again. */
  #writes(step: Step): void {
    for (const { file, slot, write } of this.#accesses(step)) {
      const name = write ? this.#variable(file, slot) : undefined;
      if (name !== undefined) this.#dirty.add(name);
    }
  }

  // ---- going and coming

  #isInside(target: number): boolean {
    const { start, end } = this.#region;
    return target > start && target < end;
  }

  #arrive(at: number): void {
    if (!this.#written) return;
    const known = this.#arriving.get(at);
    if (!known) {
      this.#arriving.set(at, { written: new Set(this.#written), dirty: new Set(this.#dirty) });
      return;
    }
    for (const name of known.written) if (!this.#written.has(name)) known.written.delete(name);
    for (const name of this.#dirty) known.dirty.add(name);
  }

  #label(at: number): void {
    this.#out.push('}');
    this.#arrive(at);
    const state = this.#arriving.get(at);
    this.#written = state?.written;
    this.#dirty = state?.dirty ?? new Set();
  }

  #closeLoop(): void {
    const { start, steps } = this.#region;
    if (this.#written) this.#out.push('break loop;');
    const [written, dirty] = [this.#written, this.#dirty];
    const state = this.#arriving.get(start);
    if (state) {
      this.#written = state.written;
      this.#dirty = state.dirty;
    }
    this.#out.push(`}\nif (--fuel < 0) { ${this.#flush(steps[0].live)}pc = ${start}; break run; } }`);
    this.#written = written;
    this.#dirty = dirty;
  }

  /** Writes variables back, of the slots below `live`. */
  #flush(live: number): string {
    let text = '';
    for (const name of this.#dirty) {
      if (Number(name.slice(1)) >= live) continue;
      this.#load(name);
      text += `${memory(name)} = ${name}; `;
    }
    return text;
  }

  /** Leaves the region. */
  #leave(target: number, live: number, back: boolean): string {
    const number = this.#numbers.get(target);
    const flush = this.#flush(live);
    if (number === undefined) return `${flush}${back ? '--fuel; ' : ''}pc = ${target}; break run;`;
    return `${flush}${back ? `if (--fuel < 0) { pc = ${target}; break run; } ` : ''}number = ${number}; continue run;`;
  }

  #goto(step: Step, target: number): string {
    if (this.#isInside(target) && target > step.at) {
      this.#arrive(target);
      return `break L${target};`;
    }
    if (target === this.#region.start) {
      this.#arrive(target);
      return 'break back;';
    }
    return this.#leave(target, step.after, target <= step.at);
  }

  // ---- instructions

  #step(step: Step): void {
    const { op, targets, at } = step;
    // nobody comes here
    if (!this.#written) return;
    if (op.condition !== undefined) {
      const condition = this.#replaced(step, op.condition);
      this.#out.push(`if (${condition}) { ${this.#goto(step, targets[0])} }`);
    } else if (op.name === 'br') {
      this.#out.push(this.#goto(step, targets[0]));
    } else if (op.name === 'br_table') {
      this.#table(step);
    } else if (op.name === 'call') {
      this.#call(step);
    } else if (op.name === 'call_indirect') {
      this.#callIndirect(step);
    } else if (op.name.startsWith('return')) {
      this.#return(step);
    } else {
      const text = this.#simple(step);
      this.#out.push(TRAPS.test(text) || op.format === 'vector' ? `pc = ${at}; ${text}` : text);
    }
    if (isEnd(op) || op.name.startsWith('call')) {
      this.#written = undefined;
      this.#dirty = new Set();
    }
  }

  #simple(step: Step): string {
    const { d, a, k } = this.#operands(step);
    const { op } = step;
    const wide = this.#variable('F64', d);
    switch (op.name) {
      case 'i64.load':
        if (wide !== undefined) return this.#assign(wide, `view.getFloat64(${address(this.#read('I32', a), k)}, true)`);
        break;
      case 'i64.store': {
        const value = this.#variable('F64', a);
        if (value !== undefined) return `view.setFloat64(${address(this.#read('I32', d), k)}, ${this.#read('F64', a)}, true);`;
        break;
      }
      case 'const64':
        if (wide !== undefined) return this.#assign(wide, numberText(this.#double(step)));
        break;
      case 'f64.abs': case 'f64.neg': {
        const from = this.#variable('F64', a);
        if (wide === undefined && from === undefined) break;
        // the sign of a NaN is not safe with JavaScript's own
        const value = this.#read('F64', a);
        const slot = `L32[((fp + ${d}) << 1) + 1]`;
        const slow = `F64[fp + ${d}] = ${value}; ${slot} ${op.name === 'f64.abs' ? '&= 0x7fffffff' : '^= 0x80000000'};`;
        const fast = op.name === 'f64.abs' ? `Math.abs(${value})` : `-${value}`;
        if (wide === undefined) return slow;
        return `if (${value} === ${value}) ${this.#assign(wide, fast)} else { ${slow} ${wide} = F64[fp + ${d}]; }`;
      }
    }
    if (op.format === 'vector') return this.#vector(step);
    const text = this.#replaced(step, op.text);
    return /\bconst\b/.test(text) ? `{ ${text} }` : text;
  }

  /** The body of the instruction's function, which finds its operands under these names. */
  #vector(step: Step): string {
    const { d, a, b } = this.#operands(step);
    const { words } = this.#code;
    const text = vectorBody(step.op.name).text.replaceAll(/\bcode\[pc \+ (\d)\]/g, (_, word: string) => numberText(words[step.at + Number(word)]));
    const names = Object.entries({ d: `fp + ${d}`, x: `fp + ${a}`, y: `fp + ${b}`, code: 'words', pc: step.at }).filter(([name]) => new RegExp(`\\b${name}\\b`).test(text));
    return `{ ${names.length > 0 ? `const ${names.map(([name, value]) => `${name} = ${value}`).join(', ')}; ` : ''}${text} }`;
  }

  #replaced(step: Step, text: string): string {
    const { words, k32, kf64 } = this.#code;
    const operands = this.#operands(step);
    const { k } = operands;
    /** variables that the text assigns to */
    const assigned: string[] = [];
    const replaced = text
      .replaceAll('kf64[%k]', () => Number.isNaN(kf64[k]) ? `kf64[${k}]` : numberText(kf64[k]))
      .replaceAll('k32[%k << 1]', () => numberText(k32[2 * k])).replaceAll('k32[(%k << 1) + 1]', () => numberText(k32[2 * k + 1]))
      .replaceAll(' + (%k >>> 0)', () => k === 0 ? '' : ` + ${k >>> 0}`)
      .replaceAll('%k', () => numberText(k))
      .replaceAll(/\(code\[pc \+ (\d)\] >>> 0\)/g, (_, word: string) => String(words[step.at + Number(word)] >>> 0))
      .replaceAll(/code\[pc \+ (\d)\]/g, (_, word: string) => numberText(words[step.at + Number(word)]))
      .replaceAll(TOKEN, (_, file: File | undefined, operand: string | undefined, half: string | undefined, whole: string | undefined, write = '') => {
        const slot = operands[(operand ?? whole) as 'd'];
        if (half !== undefined) return `L32[${half === 'hi' ? `((fp + ${slot}) << 1) + 1` : `(fp + ${slot}) << 1`}]${write}`;
        const name = this.#variable(file!, slot);
        if (name === undefined) return `${file}[fp + ${slot}]${write}`;
        if (write === '') this.#load(name);
        else assigned.push(name);
        return `${name}${write}`;
      });
    for (const name of assigned) this.#mark(name);
    // a typed array keeps the low bits of what it is given, a variable all of it: shr_u gives a number without sign
    return replaced.replace(/^(v\d+) = ([^;]*);$/, '$1 = ($2) | 0;');
  }

  #read(file: 'I32' | 'F64', slot: number): string {
    const name = this.#variable(file, slot);
    if (name === undefined) return file === 'I32' ? `I32[fp + ${slot}]` : `F64[fp + ${slot}]`;
    this.#load(name);
    return name;
  }

  #assign(name: string, text: string): string {
    this.#mark(name);
    return `${name} = ${text};`;
  }

  #mark(name: string): void {
    this.#written?.add(name);
    this.#dirty.add(name);
  }

  #table(step: Step): void {
    const { d } = this.#operands(step);
    const { targets } = step;
    const rest = targets[targets.length - 1];
    const cases = new Map<number, number[]>();
    targets.forEach((target, i) => {
      if (target === rest) return;
      cases.get(target)?.push(i) ?? cases.set(target, [i]);
    });
    const index = this.#read('I32', d);
    const arms = [...cases].map(([target, indices]) => `${indices.map((i) => `case ${i}:`).join(' ')} ${this.#goto(step, target)}`);
    this.#out.push(`switch (${index}) {\n${arms.join('\n')}\ndefault: ${this.#goto(step, rest)}\n}`);
  }

  #return(step: Step): void {
    const { d } = this.#operands(step);
    const back = `sp -= 2; pc = CS[sp]; fp = CS[sp + 1]; ${this.#found()}`;
    if (step.op.name === 'return32') this.#out.push(`I32[fp] = ${this.#read('I32', d)}; ${back}`);
    else if (step.op.name === 'return64') this.#out.push(`F64[fp] = ${this.#read('F64', d)}; ${back}`);
    else this.#out.push(`${this.#flush(Infinity)}${back}`);
  }

  /** Goes on at the start of a function. */
  #begin(target: number): string {
    const number = this.#numbers.get(target);
    return number === undefined ? `pc = ${target}; break run;` : `number = ${number}; continue run;`;
  }

  /** Goes on at `pc`, which may be a region's of this function of JavaScript. */
  #found(): string {
    return `if (isOwn(number = words[pc])) { number >>>= 12; continue run; } break run;`;
  }

  /** The core's `call`, with what the callee's header says written out. */
  #call({ at, w0, next }: Step): void {
    const { words } = this.#code;
    const top = w0 >>> 12, entry = words[at + 1];
    const [size, first, last] = words.subarray(entry, entry + HEADER);
    const clear: string[] = [];
    if (last - first <= CLEARED_SINGLY) for (let i = first; i < last; i++) clear.push(`I32[fp + ${i}] = 0; F64[fp + ${i}] = 0;`);
    else clear.push(`for (let i = fp + ${first}, end = fp + ${last}; i < end; i++) { I32[i] = 0; F64[i] = 0; }`);
    this.#out.push(`${this.#flush(top + first)}pc = ${at}; ${entering(top, String(size), next)} ${clear.join(' ')} ${this.#begin(entry + HEADER)}`);
  }

  /** The core's `call_indirect`; what does not fit is left to it. */
  #callIndirect({ at, w0, next, live }: Step): void {
    const { words } = this.#code;
    const top = w0 >>> 12;
    this.#out.push(`${this.#flush(live)}pc = ${at}; const { inst } = m, { entries } = inst.code, f = inst.tables[${words[at + 3]}].funcs[${this.#read('I32', words[at + 1])} >>> 0];
if (!f || f.instance !== inst || f.typeId !== ${words[at + 2]} || entries[f.index] === 0) break run;
const code = words, entry = entries[f.index]; ${entering(top, 'code[entry]', next)}
for (let i = fp + code[entry + 1], end = fp + code[entry + 2]; i < end; i++) { I32[i] = 0; F64[i] = 0; } pc = entry + ${HEADER}; ${this.#found()}`);
  }
}

/** Begins a frame at the slot `top`. */
function entering(top: number, size: string, next: number): string {
  return `if (fp + ${size} > ${SLOTS - top} || sp >= m.spLimit) throw m.exhausted(sp, fp + ${top}); if (--fuel < 0) break run; CS[sp] = ${next}; CS[sp + 1] = fp; sp += 2; fp += ${top};`;
}

function address(base: string, k: number): string {
  return k === 0 ? `${base} >>> 0` : `(${base} >>> 0) + ${k >>> 0}`;
}

function memory(name: string): string {
  return `${name.startsWith('v') ? 'I32' : 'F64'}[fp + ${name.slice(1)}]`;
}
