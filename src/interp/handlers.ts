/**
 * What a function catches: for each `try_table`, and each `try` of the first encoding of exceptions, the code it covers and where
 * to go on. lower.ts makes them, the machine looks in them when something is thrown; until then they cost nothing.
 */
import type { WasmTag } from './exception.js';

export interface Clause {
  /** index of the tag, or -1 for any */
  readonly tag: number;
  /** where what the exception carries is written, and where the exception itself, or -1 */
  readonly slot: number;
  readonly exception: number;
  /** position in the function's code */
  readonly target: number;
}

export interface Handler {
  /** positions in the function's code */
  start: number;
  end: number;
  readonly clauses: Clause[];
  /** index of the one around it, or -1: where the search goes on. `delegate` sets it further out. */
  next: number;
}

/** @param at position in the function's code. @returns the clause that catches */
export function findClause(handlers: readonly Handler[], at: number, tag: WasmTag, tags: readonly WasmTag[]): Clause | undefined {
  // in the order of their starts, so that the last one around the position is the innermost
  let i = handlers.length - 1;
  while (i >= 0 && !(handlers[i].start <= at && at < handlers[i].end)) i--;
  for (; i >= 0; i = handlers[i].next) {
    for (const clause of handlers[i].clauses) if (clause.tag < 0 || tags[clause.tag] === tag) return clause;
  }
  return undefined;
}
