/**
 * The functions of the vector instructions, as the loop calls them. Most guests have none of these instructions, so they are
 * made when the first one is carried out.
 */
import { CORE_NAMES, FIRST_VECTOR } from './core.js';
import type { Files } from './files.js';
import { makeVectors, type Vector } from './vector-core.js';

/**
 * Numbers of two instructions of one word that do nothing. V8 compiles a call that always went to one function with that function
 * in its place; train.ts shows it more than one.
 */
export const NOTHING: readonly number[] = [CORE_NAMES.length, CORE_NAMES.length + 1];

/** By their numbers, from FIRST_VECTOR on. */
export function vectorFunctions(files: Files): readonly Vector[] {
  const make: Vector = (d, x, y, code, pc, fp, view) => {
    makeVectors(files).forEach((vector, i) => functions[i] = vector);
    return functions[(code[pc] & 0xfff) - FIRST_VECTOR](d, x, y, code, pc, fp, view);
  };
  const functions: Vector[] = [...CORE_NAMES.slice(FIRST_VECTOR).map(() => make), () => 1, (d) => d - d + 1];
  return functions;
}
