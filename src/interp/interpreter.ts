/** The interpreter as an engine: register code in explicit frames (ARCHITECTURE.md). Works without code generation at run time, too, but slowly. */
import type { Engine } from './engine.js';
import { Fuser } from './fuse.js';
import { WasmInstance } from './instance.js';
import { FEATURES_ALL } from './opcodes.js';
import { runner } from './run.js';
import { restore } from './snapshot-restore.js';
import { train } from './train.js';
import { decodeAndValidate, decodeLazily } from './validate.js';

function watched(instance: WasmInstance): WasmInstance {
  instance.code.watch ??= new Fuser(instance.code, runner, () => { runner.trainer = train; });
  return instance;
}

export const interpreter: Engine = {
  name: 'interpreter',
  suspends: true,
  compile(bytes, options) {
    return (options?.validate === 'lazily' ? decodeLazily : decodeAndValidate)(bytes, FEATURES_ALL);
  },
  instantiate(module, imports, options) {
    return watched(new WasmInstance(module, imports, options?.limits));
  },
  restore(module, imports, snapshot, options) {
    return restore(watched(new WasmInstance(module, imports, options?.limits, undefined, false)), snapshot, options?.references);
  },
};
