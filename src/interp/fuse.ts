/**
 * Watches where a module spends its time in the interpreter, and fuses the instructions of these functions: a region of them
 * (fuse-regions.ts) becomes one, whose text (fuse-text.ts) V8 compiles, in one function of JavaScript with the other regions.
 * The code keeps its positions: a fused instruction stands in place of the first one of its region, the others stay behind it.
 * Frames stay what they are, and so does what fuel is spent for. Needs code generation; where that is forbidden nothing is fused.
 */
import type { ModuleCode, Watch } from './code.js';
import { FUSED } from './core.js';
import { coreOp } from './core-ops.js';
import { FILES, STATE, STATE_FP, STATE_FUEL, STATE_SP, STATE_TRAP, type Fused, type Machine } from './files.js';
import { regionsOf, stepsOf, type Region } from './fuse-regions.js';
import { regionText } from './fuse-text.js';
import { throughGlobals } from './globals.js';
import * as meaning from './meaning.js';

/** calls and back-edges between two looks at the position, at least, and as much again at most; more where all is fused */
const INTERVAL = 128, MAX_INTERVAL = 50_000;
/** looks before anything is fused, and looks at a function */
const LOOKS = 32, FUNCTION_LOOKS = 2;
/** Characters of one function of JavaScript: V8 takes long for large ones, and optimises none of more than 60 KB of its byte code. */
const MAX_TEXT = 24_000;
/** the same, of the functions that it calls: of one, of all */
const MAX_CALLEE = 3_000, MAX_CALLEES = 12_000;
/** words of a function that is fused, at most: the rest of the program waits until it is */
const MAX_WORDS = 50_000;
/** numbers of fused instructions have 20 bits */
const MAX_NUMBERS = 1 << 20;

const CALL = coreOp('call'), CALL_INDIRECT = coreOp('call_indirect'), CALL_LAZY = coreOp('call.lazy');
const throughFiles = throughGlobals(FILES);
const HELPERS = Object.keys(meaning).filter((name) => name !== 'MEANING');

/** results of lanes that are read from elsewhere (vector-gen.ts) */
const T8 = new Int8Array(16), T16 = new Int16Array(T8.buffer), T32 = new Int32Array(T8.buffer);

export class Fuser implements Watch {
  readonly #code: ModuleCode;
  readonly #machine: Machine;
  readonly #onForbidden: () => void;
  /** function -> looks */
  readonly #seen = new Map<number, number>();
  readonly #done = new Set<number>();
  /** of functions that are fused, or that such ones call */
  readonly #regions = new Map<number, readonly Region[]>();
  #looks = 0;
  #interval = INTERVAL;
  #random = 1;
  #forbidden = false;

  /** @param onForbidden called where code generation is forbidden, and the common loop is all there is */
  constructor(code: ModuleCode, machine: Machine, onForbidden: () => void) {
    this.#code = code;
    this.#onForbidden = onForbidden;
    this.#machine = machine;
  }

  patience(): number {
    if (this.#forbidden) return Infinity;
    // not in step with what it watches
    this.#random = Math.imul(this.#random, 0x915f77f5) + 1;
    return this.#interval + (this.#random >>> 8) % this.#interval;
  }

  spent(pc: number): void {
    if (this.#forbidden) return;
    const { module, words } = this.#code;
    this.#looks++;
    const here = this.#code.functionAt(pc) as number | undefined;
    if (here !== undefined) this.#look(here);
    // the loop stops at a call before it is carried out
    const op = words[pc] & 0xfff;
    if (op === CALL) this.#look(this.#code.functionAt(words[pc + 1]));
    if (op === CALL_INDIRECT) {
      const { inst, fp } = this.#machine;
      const func = inst.tables[words[pc + 3]].funcs[FILES.I32[fp + words[pc + 1]] >>> 0];
      if (func && func.instance === inst && func.index >= module.imported.func && this.#code.isLowered(func.index)) this.#look(func.index);
    }
  }

  #look(index: number): void {
    if (this.#done.has(index)) {
      this.#interval = Math.min(MAX_INTERVAL, this.#interval + (this.#interval >> 3));
      return;
    }
    this.#interval = INTERVAL;
    const looks = (this.#seen.get(index) ?? 0) + 1;
    this.#seen.set(index, looks);
    if (this.#looks < LOOKS || looks < FUNCTION_LOOKS) return;
    this.fuse(index);
  }

  /** Fuses all functions, at once: for tests. */
  fuseAll(): void {
    const { funcs, imported } = this.#code.module;
    for (let i = imported.func; i < funcs.length; i++) {
      try {
        this.#code.entry(i);
      } catch {
        // too big a frame: whoever calls it is told
        continue;
      }
      this.fuse(i);
    }
  }

  /** Fuses the instructions of a function. */
  fuse(index: number): void {
    if (this.#done.has(index) || this.#forbidden) return;
    this.#done.add(index);
    const entry = this.#code.entry(index);
    if (this.#code.end(index) - entry > MAX_WORDS) return;
    const chunks: Region[][] = [];
    let size = Infinity;
    for (const region of this.#regionsOf(index)) {
      const length = this.#lengthOf(region);
      if (size + length > MAX_TEXT) {
        chunks.push([]);
        size = 0;
      }
      chunks[chunks.length - 1].push(region);
      size += length;
    }
    chunks.forEach((regions, i) => this.#fuse(regions, `${index}/${i}`));
    const { inst } = this.#machine;
    if (inst) this.#machine.enter(inst);
  }

  #regionsOf(index: number): readonly Region[] {
    let regions = this.#regions.get(index);
    if (!regions) {
      const code = this.#code;
      code.entry(index);
      this.#resolve(index);
      this.#regions.set(index, regions = regionsOf(stepsOf(code, index), code.catches(index)));
    }
    return regions;
  }

  #lengthOf(region: Region): number {
    return regionText(this.#code, region, new Map()).length;
  }

  /** Regions of the small functions that these call: a call of one of them then stays within the same function of JavaScript. */
  #callees(regions: readonly Region[]): Region[] {
    const found = new Map<number, readonly Region[]>();
    let left = MAX_CALLEES;
    for (const { steps } of regions) {
      for (const { at, op } of steps) {
        if (op.name !== 'call') continue;
        const callee = this.#code.functionAt(this.#code.words[at + 1]);
        const own = found.has(callee) || this.#code.end(callee) - this.#code.words[at + 1] > MAX_CALLEE ? [] : this.#regionsOf(callee);
        if (own.length === 0 || own.some((region) => regions.includes(region))) continue;
        const size = own.reduce((sum, region) => sum + this.#lengthOf(region), 0);
        if (size > MAX_CALLEE || size > left) continue;
        left -= size;
        found.set(callee, own);
      }
    }
    return [...found.values()].flat();
  }

  #fuse(own: readonly Region[], name: string): void {
    const code = this.#code;
    const first = code.fused.length;
    if (first + own.length > MAX_NUMBERS) return;
    const regions = [...own, ...this.#callees(own)];
    const numbers = new Map(regions.map(({ start }, i) => [start, first + i]));
    const texts = regions.map((region) => regionText(code, region, numbers));
    let fused: Fused;
    try {
      fused = this.#make(first, own.length, texts, name);
    } catch (error) {
      // code generation is forbidden
      if (!(error instanceof EvalError)) throw error;
      this.#forbidden = true;
      this.#onForbidden();
      return;
    }
    for (const { start } of own) code.fuse(start, fused);
  }

  /** @param own so many of the texts stand in the code, from the first on */
  #make(first: number, own: number, texts: readonly string[], name: string): Fused {
    const text = texts.join('');
    const used = [...new Set(text.match(/\b[vd]\d+\b/g))].map((variable) => `${variable} = ${variable.startsWith('d') ? '0.5' : '0'}`);
    const source = `"use strict"; const { m, STATE, T8, T16, T32, ${HELPERS.join(', ')} } = $;
const isOwn = (word) => (word & 0xfff) === ${FUSED} && word >>> 12 >= ${first} && word >>> 12 < ${first + own};
return function fused(number, fp) {
const { view, g32, k64, kf64, code: words } = m;
let pc = 0, fuel = STATE[${STATE_FUEL}], sp = STATE[${STATE_SP}]${used.map((variable) => `, ${variable}`).join('')};
try { run: for (;;) switch (number) {
${texts.map((region, i) => `case ${first + i}: {\n${region}\n}\n`).join('')}default: throw new Error('bug: no such region');
} } catch (error) { STATE[${STATE_TRAP}] = pc; throw error; } finally { STATE[${STATE_FUEL}] = fuel; STATE[${STATE_SP}] = sp; STATE[${STATE_FP}] = fp; }
return pc; };
//# sourceURL=wasm-fused:${name}`;
    return new Function('$', throughFiles(source))({ ...meaning, m: this.#machine, STATE, T8, T16, T32 }) as Fused;
  }

  /** Calls that have not been carried out yet become those of a known position. */
  #resolve(index: number): void {
    const code = this.#code;
    const lazy = stepsOf(code, index).filter(({ at }) => (code.words[at] & 0xfff) === CALL_LAZY);
    for (const { at } of lazy) {
      try {
        const entry = code.entry(code.words[at + 1]);
        code.words[at] = code.words[at] & ~0xfff | CALL;
        code.words[at + 1] = entry;
      } catch {
        // too big a frame: whoever calls it is told
      }
    }
  }
}
