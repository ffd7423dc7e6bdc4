/** The sources that functions have become, for all instances of a module: emitted once, while there is room for them. */
import type { ModuleCode } from '../code.js';
import type { Emitted } from './body.js';

/** characters of all sources that are kept; those that have not been used for longest go first */
const MAX_CHARACTERS = 2 ** 25;
/** what an entry counts for besides its text */
const ENTRY = 1000;

const numbers = new WeakMap<ModuleCode, number>();
let made = 0;
const kept = new Map<string, Emitted | undefined>();
let characters = 0;

/** @param emit gives undefined for a function that is not for the compiler, which is kept too */
export function sourceOf(code: ModuleCode, key: string, emit: () => Emitted | undefined): Emitted | undefined {
  let number = numbers.get(code);
  if (number === undefined) numbers.set(code, number = ++made);
  const id = `${number}/${key}`;
  const known = kept.has(id);
  const emitted = known ? kept.get(id) : emit();
  if (known) kept.delete(id);
  else characters += sizeOf(emitted);
  kept.set(id, emitted);
  for (const [oldest, value] of kept) {
    if (characters <= MAX_CHARACTERS) break;
    kept.delete(oldest);
    characters -= sizeOf(value);
  }
  return emitted;
}

function sizeOf(emitted: Emitted | undefined): number {
  return ENTRY + (emitted?.source.length ?? 0);
}
