/** A table of references (specification chapter 4.2.7): null, functions, or whatever the host lets the guest hold. */
import { UsageError } from '../errors.js';
import type { Table, Value } from './engine.js';
import type { WasmFunc } from './func.js';
import { isInstance } from './ref-types.js';
import { typeName, type TableType } from './types.js';

/** elements that any table may have where the embedder sets no limit */
export const MAX_TABLE = 10_000_000;

export class WasmTable implements Table {
  readonly kind = 'table';
  /** index -> element */
  readonly elems: Value[];
  readonly #limit: number;

  /** @param type in process-wide types (rtt.ts) */
  constructor(readonly type: TableType, init: Value = null, limit = MAX_TABLE) {
    this.#limit = Math.min(limit, type.limits.max ?? 0xffffffff);
    this.elems = new Array<Value>(type.limits.min).fill(init);
  }

  /** The elements as call_indirect sees them, whose tables hold functions only. */
  get funcs(): readonly (WasmFunc | null | undefined)[] {
    return this.elems as (WasmFunc | null)[];
  }

  get length(): number {
    return this.elems.length;
  }

  get(index: number): Value | undefined {
    return this.elems[index];
  }

  set(index: number, value: Value): void {
    if (!(index >= 0 && index < this.elems.length)) throw new RangeError(`table index ${index} is outside of ${this.elems.length} elements`);
    this.#check(value);
    this.elems[index] = value;
  }

  /** @returns elements before, or -1 */
  grow(delta: number, init: Value): number {
    this.#check(init);
    const before = this.elems.length;
    if (!(delta >= 0) || before + delta > this.#limit) return -1;
    for (let i = 0; i < delta; i++) this.elems.push(init);
    return before;
  }

  #check(value: Value): void {
    if (!isInstance(value, this.type.elem)) throw new UsageError(`a table of ${typeName(this.type.elem)} does not take ${value === null ? 'null' : `this ${typeof value}`}`);
  }
}
