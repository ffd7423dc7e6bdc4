/** The frames of compiled functions that stand in the stack trace of an error, by the names and lines of their sources. */
import type { WasmFrame } from '../../errors.js';
import { tierOf } from './tier.js';

/** Stands in the stack of JavaScript below the compiled functions that the machine has entered. */
export const ENTRY_NAME = 'enterCompiled';

/** Innermost first, down to where the machine entered compiled code. */
export function compiledFrames(stack: string): WasmFrame[] {
  const frames: WasmFrame[] = [];
  for (const line of stack.split('\n')) {
    if (line.includes(ENTRY_NAME)) break;
    const found = /wasm-js:(\d+)\/((\d+)(?:@\d+)?):(\d+):\d+/.exec(line);
    if (!found) continue;
    const [, number, key, func, at] = found;
    const tier = tierOf(number);
    if (!tier) continue;
    const name = tier.inst.nameOf(Number(func));
    frames.push({ func: Number(func), ...(name === undefined ? {} : { name }), offset: tier.lines(key)?.[Number(at)] ?? 0 });
  }
  return frames;
}
