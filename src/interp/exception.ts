/**
 * Exceptions (specification chapters 4.2.12 and 4.2.14): the tag that tells them apart, and what one carries. What a guest throws
 * and no guest catches reaches the host as a GuestException; what a host function throws so, guests can catch.
 */
import { GuestException } from '../errors.js';
import type { Tag, Value } from './engine.js';
import { toRaw } from './raw.js';
import { functionType, type RuntimeType } from './rtt.js';
import type { FuncType } from './types.js';

export class WasmTag implements Tag {
  readonly kind = 'tag';
  /** in process-wide types (rtt.ts); no results */
  readonly type: FuncType;

  constructor(readonly rtt: RuntimeType) {
    this.type = rtt.def.func;
  }
}

/** A tag of the host's own. */
export function hostTag(type: FuncType): WasmTag {
  return new WasmTag(functionType(type));
}

/** What an exnref refers to. */
export class WasmException {
  /** @param values with floats as their bits */
  constructor(readonly tag: WasmTag, readonly values: readonly Value[]) {}
}

/** For a host function to throw. @param values as at every boundary to JavaScript */
export function guestException(tag: WasmTag, values: readonly Value[]): GuestException {
  return new GuestException(new WasmException(tag, values.map((value, i) => toRaw(tag.type.params[i], value))));
}
