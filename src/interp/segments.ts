/**
 * Passive and active segments, and the bulk copies that both instantiation and instructions make of them (specification
 * chapters 4.4.6, 4.4.7 and 4.5.4). A dropped segment is undefined, and as good as an empty one.
 */
import { Trap } from '../errors.js';
import type { Value } from './engine.js';
import type { WasmMemory } from './memory.js';

/** A data segment that is left: bytes of the module. */
export interface DataRange { readonly start: number; readonly end: number }

export function initMemory(memory: WasmMemory, to: number, module: Uint8Array, data: DataRange | undefined, from: number, n: number): void {
  const size = data ? data.end - data.start : 0;
  const { bytes } = memory;
  if (from + n > size || to + n > bytes.length) {
    throw new Trap('out of bounds memory access', `${n} bytes from ${from} of a segment with ${size} to ${to} of a memory with ${bytes.length}`);
  }
  if (data) bytes.set(module.subarray(data.start + from, data.start + from + n), to);
}

export function initElements(table: Value[], to: number, elems: readonly Value[] | undefined, from: number, n: number): void {
  copyElements(table, to, elems ?? [], from, n);
}

export function copyElements(to: Value[], at: number, source: readonly Value[], from: number, n: number): void {
  if (from + n > source.length || at + n > to.length) {
    throw new Trap('out of bounds table access', `${n} elements from ${from} of ${source.length} to ${at} of ${to.length}`);
  }
  if (from >= at) for (let i = 0; i < n; i++) to[at + i] = source[from + i];
  else for (let i = n - 1; i >= 0; i--) to[at + i] = source[from + i];
}
