/**
 * Where compiled code finds the DataView of a memory: under a name of the global object, which V8 takes for a constant in all
 * code, also in that which it makes of a running loop; of the constants around a function it does so only when the function is
 * called. What stands there is not freed before the event loop has turned, so only so much does; other memories have a cell.
 */
import type { WasmMemory } from '../memory.js';

/** memories that have a name at a time, and bytes of them */
const MAX_NAMES = 32, MAX_BYTES = 2 ** 30;

const names = new WeakMap<WasmMemory, string>();
let made = 0;
let count = 0;
let bytes = 0;
const gone = new FinalizationRegistry<{ readonly name: string; readonly size: number }>(({ name, size }) => {
  Reflect.deleteProperty(globalThis, name);
  count--;
  bytes -= size;
});

/** @returns undefined where the memory has no name */
export function viewName(memory: WasmMemory): string | undefined {
  const known = names.get(memory);
  if (known !== undefined) return known;
  const { size } = memory;
  if (count >= MAX_NAMES || bytes + size > MAX_BYTES) return undefined;
  let name: string;
  do name = `wasm$V$${++made}`; while (name in globalThis);
  // not enumerable, and nobody else's to write
  Object.defineProperty(globalThis, name, { value: memory.view, configurable: true, writable: true });
  memory.show(globalThis as unknown as Record<string, DataView>, name);
  names.set(memory, name);
  gone.register(memory, { name, size });
  count++;
  bytes += size;
  return name;
}
