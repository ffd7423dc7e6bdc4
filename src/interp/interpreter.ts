/** The interpreter as an engine: register code in explicit frames (ARCHITECTURE.md). Needs no code generation at run time. */
import { UnsupportedError } from '../errors.js';
import type { Engine } from './engine.js';
import { missingFeatures } from './features.js';
import { WasmInstance } from './instance.js';
import { FEATURES_2_0, type Feature } from './opcodes.js';
import { runner } from './run.js';
import { train } from './train.js';
import { decodeAndValidate } from './validate.js';

runner.trainer = train;

/** What of WebAssembly this engine runs; a module that needs more is refused. */
export const INTERPRETER_FEATURES: ReadonlySet<Feature> = new Set<Feature>([
  ...FEATURES_2_0, 'simd', 'relaxed-simd', 'extended-const', 'multi-memory', 'memory64', 'tail-call', 'function-references', 'exceptions', 'legacy-exceptions',
]);

export const interpreter: Engine = {
  name: 'interpreter',
  compile(bytes) {
    try {
      return decodeAndValidate(bytes, INTERPRETER_FEATURES);
    } catch (error) {
      const missing = missingFeatures(bytes, INTERPRETER_FEATURES);
      if (missing.length === 0) throw error;
      throw new UnsupportedError(`the WebAssembly feature ${missing.join(', ')}`, '', 'build the guest without it');
    }
  },
  instantiate(module, imports, options) {
    return new WasmInstance(module, imports, options?.limits);
  },
};
