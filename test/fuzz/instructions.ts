/**
 * What the generator can choose from, by what it gives: derived from the rows of opcodes.ts, so that an instruction added there
 * is fuzzed. A parameter that shows the bits of a float asks for F or D in place of f or d (tree.ts).
 */
import { ROWS, type Feature, type Mnemonic } from '#src/interp/opcodes.js';
import type { Letter } from './tree.js';

export interface Instruction {
  readonly op: Mnemonic;
  /** without the address of a memory access */
  readonly params: readonly Letter[];
  /** bytes of a memory access, 0 for others */
  readonly bytes: number;
  /** how many lanes its lane index may name, 0 where it has none */
  readonly lanes: number;
  /** an atomic access, which traps where its address is no multiple of its size */
  readonly aligned: boolean;
  /** the shape of a vector result whose NaNs are anyone's choice */
  readonly canon: 'f32x4' | 'f64x2' | undefined;
}
export interface Instructions {
  /** neither memory nor locals: what gives one value */
  readonly simple: { readonly [L in Letter]: readonly Instruction[] };
  readonly loads: { readonly [L in Letter]: readonly Instruction[] };
  readonly stores: readonly Instruction[];
}

const LANES = { i8x16: 16, i16x8: 8, i32x4: 4, i64x2: 2, f32x4: 4, f64x2: 2 } as const;
/** the result is one of the NaNs that the specification allows */
const ANY_NAN = /^(f32x4|f64x2)\.(?:add|sub|mul|div|min|max|sqrt|ceil|floor|trunc|nearest|demote_f64x2_zero|promote_low_f32x4)$/;
/** floats in, the same bits but for the sign out: pure where the operands are */
const PURE = /^f(?:32|64)\.(?:abs|neg|copysign)$/;
/** looks at the bits of all its float operands */
const LOOKS = /reinterpret_f|\.splat$|replace_lane|store/;

export function instructionsFor(features: ReadonlySet<Feature>): Instructions {
  const none = (): Record<Letter, Instruction[]> => ({ i: [], l: [], f: [], d: [], F: [], D: [], v: [], r: [], e: [], x: [], s: [], a: [], b: [] });
  const simple = none(), loads = none(), stores: Instruction[] = [];
  for (const [, op, immediates, signature, feature] of ROWS) {
    // relaxed instructions may differ from engine to engine, and nobody can wait here
    if (!features.has(feature) || feature === 'relaxed-simd' || op.includes('atomic.wait')) continue;
    const match = /^(a?)([ilfdv]*):([ilfdv]?)$/.exec(signature);
    const bytes = Number(/^memarg(\d+)/.exec(immediates)?.[1] ?? 0);
    if (!match || !(immediates === '' || immediates === 'lane' || immediates === 'lanes' || bytes > 0)) continue;
    const [, address, from, to] = match;
    if ((address === 'a') !== bytes > 0 || from + to === '') continue;
    const params = [...LOOKS.test(op) ? pure(from) : from] as Letter[];
    const lanes = immediates.endsWith('lane') ? bytes > 0 ? 16 / bytes : LANES[op.split('.')[0] as keyof typeof LANES] : immediates === 'lanes' ? 32 : 0;
    const one: Instruction = { op, params, bytes, lanes, aligned: feature === 'threads', canon: ANY_NAN.exec(op)?.[1] as Instruction['canon'] };
    if (to === '') stores.push(one);
    else if (bytes > 0) {
      loads[to as Letter].push(one);
      if (from === '' && to in PURE_OF) loads[pure(to) as Letter].push(one);
    } else if (PURE.test(op)) {
      simple[pure(to) as Letter].push({ ...one, params: params.map((param) => pure(param) as Letter) });
      // the sign of the second operand is seen
      simple[to as Letter].push({ ...one, params: params.map((param, i) => (i === 1 ? pure(param) : param) as Letter) });
    } else {
      const result = /extract_lane|reinterpret_i/.test(op) ? pure(to) : to;
      simple[result as Letter].push(one);
    }
  }
  return { simple, loads, stores };
}

const PURE_OF: { readonly [letter: string]: string } = { f: 'F', d: 'D' };
function pure(letters: string): string {
  return letters.replace(/[fd]/g, (letter) => PURE_OF[letter]);
}
