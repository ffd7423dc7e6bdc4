/** The interpreter as an engine: register code in explicit frames (ARCHITECTURE.md). Needs no code generation at run time. */
import { decode } from './decode.js';
import type { Engine } from './engine.js';
import { WasmInstance } from './instance.js';
import { validate } from './validate.js';

export const interpreter: Engine = {
  name: 'interpreter',
  compile(bytes) {
    const module = decode(bytes);
    validate(module);
    return module;
  },
  instantiate(module, imports, options) {
    return new WasmInstance(module, imports, options?.limits);
  },
};
