/** The interpreter with all functions fused from the start, in place of those that it finds to be hot (fuse.ts). */
import type { Engine, Instance } from '#src/interp/engine.js';
import type { Fuser } from '#src/interp/fuse.js';
import type { WasmInstance } from '#src/interp/instance.js';
import { interpreter } from '#src/interp/interpreter.js';

function fuseAll<I extends Instance>(instance: I): I {
  ((instance as Instance as WasmInstance).code.watch as Fuser).fuseAll();
  return instance;
}

export const fused: Engine = {
  ...interpreter,
  name: 'fused',
  instantiate: (...args) => fuseAll(interpreter.instantiate(...args)),
  restore(...args) {
    const execution = interpreter.restore(...args);
    fuseAll(execution.instance);
    return execution;
  },
};
