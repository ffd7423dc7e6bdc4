/**
 * A process that gets a module's file to its first instruction and ends: `node start.js ENGINE FILE`. Without arguments it ends
 * at once, which is what the other is compared with. Run by engine.ts.
 */
import { readFileSync } from 'node:fs';
import type { Engine, Func } from '#src/interp/engine.js';

/** Each loads what that engine needs, and no more. */
export const LOAD: Readonly<Record<string, () => Promise<Engine>>> = {
  interpreter: async () => (await import('#src/interp/interpreter.js')).interpreter,
  v8: async () => (await import('#src/interp/v8.js')).v8,
};

const [name, file] = process.argv.slice(2);
if (process.argv[1] === import.meta.filename && name !== undefined) {
  const engine = await LOAD[name]();
  const instance = engine.instantiate(engine.compile(readFileSync(file)), {
    env: { first: { kind: 'host', name: 'first', type: { params: [], results: [] }, run: () => process.exit(0) } },
  });
  instance.callSync(instance.exports.get('begin') as Func, []);
  throw new Error('bug: the module has not called `first`');
}
