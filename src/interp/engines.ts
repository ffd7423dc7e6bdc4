/** The engines by the names under which a user chooses one. Each is loaded when it is asked for. */
import { UsageError } from '../errors.js';
import type { Engine } from './engine.js';

interface Choice { /** for people, after the name */ readonly about: string; load(): Promise<Engine> }

export const ENGINES = {
  interp: { about: 'the interpreter', load: async () => (await import('./interpreter.js')).interpreter },
  jit: { about: 'compiles each function to JavaScript at its first call', load: async () => (await import('./compiler.js')).compiler },
  mixed: { about: 'starts in the interpreter and compiles what is hot', load: async () => (await import('./compiler.js')).mixed },
  v8: { about: 'V8\'s own WebAssembly', load: async () => (await import('./v8.js')).v8 },
} as const satisfies { readonly [name: string]: Choice };

export type EngineName = keyof typeof ENGINES;
export const ENGINE_NAMES = Object.keys(ENGINES) as readonly EngineName[];

/**
 * The engine of that name; without one `mixed`, or the interpreter where this process may not make code.
 * @throws UsageError for a name that is none
 */
export async function engineOf(name: string = mayMakeCode() ? 'mixed' : 'interp'): Promise<Engine> {
  if (!Object.hasOwn(ENGINES, name)) throw new UsageError(`there is no engine "${name}" (one of ${ENGINE_NAMES.join(', ')} is possible)`);
  return ENGINES[name as EngineName].load();
}

/** Not under --disallow-code-generation-from-strings. */
function mayMakeCode(): boolean {
  try {
    new Function('');
    return true;
  } catch {
    return false;
  }
}
