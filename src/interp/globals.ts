/**
 * The machine's arrays under names of the global object, which V8 takes for constants in all code, also in that which it makes of
 * a running loop; of the constants around a function it does so only when the function is called.
 */
import { FILES } from './files.js';

let suffix = 0;
while (`wasm$CS$${suffix}` in globalThis) suffix++;
for (const [name, value] of Object.entries(FILES)) Object.defineProperty(globalThis, `wasm$${name}$${suffix}`, { value, configurable: true });

const NAMES = new RegExp(`\\b(?:${Object.keys(FILES).join('|')})(?=\\[)`, 'g');

/** The text, with the arrays' names in place of those that they have in FILES. */
export function throughGlobals(text: string): string {
  return text.replaceAll(NAMES, (name) => `wasm$${name}$${suffix}`);
}
