/** The numbers of the register instructions, by name: what lowering looks up of the table that core.ts is printed from. */
import { CORE_NAMES } from './core.js';

const NUMBERS = new Map(CORE_NAMES.map((name, number) => [name, number]));

/** The number of a register instruction. A name that is not in the table is a fault of ours. */
export function coreOp(name: string): number {
  const number = NUMBERS.get(name);
  if (number === undefined) throw new Error(`bug: no register instruction "${name}"`);
  return number;
}

/** The same, or 0 (which is `return.base`, and never emitted) where there is none. */
export function coreOpOrZero(name: string): number {
  return NUMBERS.get(name) ?? 0;
}
