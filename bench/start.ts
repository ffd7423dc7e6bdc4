/**
 * A process that gets a module's file to its first instruction and ends: `node start.js ENGINE FILE`. Without arguments it ends
 * at once, which is what the other is compared with. It prints the microseconds of processor time that it has had. Run by engine.ts.
 */
import { readFileSync, writeSync } from 'node:fs';
import type { Engine, Func } from '#src/interp/engine.js';

/** Each loads what that engine needs, and no more. */
const LOAD: Readonly<Record<string, () => Promise<Engine>>> = {
  mixed: async () => (await import('#src/interp/compiler.js')).mixed,
  compiler: async () => (await import('#src/interp/compiler.js')).compiler,
  interpreter: async () => (await import('#src/interp/interpreter.js')).interpreter,
  v8: async () => (await import('#src/interp/v8.js')).v8,
};

function end(): never {
  const { user, system } = process.cpuUsage();
  writeSync(1, String(user + system));
  process.exit(0);
}

const [name, file] = process.argv.slice(2);
if (name === undefined) end();
const engine = await LOAD[name]();
const instance = engine.instantiate(engine.compile(readFileSync(file)), {
  env: { first: { kind: 'host', name: 'first', type: { params: [], results: [] }, run: end } },
});
instance.callSync(instance.exports.get('begin') as Func, []);
throw new Error('bug: the module has not called `first`');
