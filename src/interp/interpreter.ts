/** The interpreter as an engine: register code in explicit frames (ARCHITECTURE.md). Needs no code generation at run time. */
import type { Engine } from './engine.js';
import { Fuser } from './fuse.js';
import { WasmInstance } from './instance.js';
import { FEATURES_ALL } from './opcodes.js';
import { runner } from './run.js';
import { restore } from './snapshot-restore.js';
import { train } from './train.js';
import { decodeAndValidate, decodeLazily } from './validate.js';


export const interpreter: Engine = {
  name: 'interpreter',
  suspends: true,
  compile(bytes, options) {
    return (options?.validate === 'lazily' ? decodeLazily : decodeAndValidate)(bytes, FEATURES_ALL);
  },
  instantiate(module, imports, options) {
    const instance = new WasmInstance(module, imports, options?.limits);
    instance.code.watch ??= new Fuser(instance.code, runner, () => { runner.trainer = train; });
    return instance;
  },
};

/** The same, with all functions fused from the start: for tests. */
export const fused: Engine = {
  ...interpreter,
  name: 'fused',
  instantiate(module, imports, options) {
    const instance = interpreter.instantiate(module, imports, options) as WasmInstance;
    (instance.code.watch as Fuser).fuseAll();
    return instance;
  },
  restore(module, imports, snapshot, options) {
    return restore(new WasmInstance(module, imports, options?.limits, undefined, false), snapshot, options?.references);
  },
};
