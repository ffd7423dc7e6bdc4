/** The interpreter as an engine: register code in explicit frames (ARCHITECTURE.md). Needs no code generation at run time. */
import { UnsupportedError } from '../errors.js';
import type { Engine } from './engine.js';
import { missingFeatures } from './features.js';
import { WasmInstance } from './instance.js';
import { FEATURES_2_0 } from './opcodes.js';
import { runner } from './run.js';
import { train } from './train.js';
import { decodeAndValidate } from './validate.js';

runner.trainer = train;

export const interpreter: Engine = {
  name: 'interpreter',
  compile(bytes) {
    try {
      return decodeAndValidate(bytes, FEATURES_2_0);
    } catch (error) {
      const missing = missingFeatures(bytes, FEATURES_2_0);
      if (missing.length === 0) throw error;
      throw new UnsupportedError(`the WebAssembly feature ${missing.join(', ')}`, '', 'this engine runs WebAssembly 2.0 without vectors; build the guest without it');
    }
  },
  instantiate(module, imports, options) {
    return new WasmInstance(module, imports, options?.limits);
  },
};
