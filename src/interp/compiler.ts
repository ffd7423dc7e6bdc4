/**
 * The engines that compile: functions become JavaScript, which V8 optimises (jit/). They share everything else with the
 * interpreter, which also runs what is not compiled, and every frame while it is stopped. Need `new Function`.
 */
import type { Engine } from './engine.js';
import { WasmInstance } from './instance.js';
import { interpreter } from './interpreter.js';
import { Tier, type Policy } from './jit/tier.js';
import { runner } from './run.js';
import { restore } from './snapshot-restore.js';

/** An engine that compiles when `policy` says so. */
export function compilerWith(name: string, policy: Policy): Engine {
  const tier = (inst: WasmInstance) => new Tier(inst, runner, policy);
  return {
    name,
    suspends: true,
    compile: interpreter.compile,
    instantiate: (module, imports, options) => new WasmInstance(module, imports, options?.limits, tier),
    restore: (module, imports, snapshot, options) => restore(new WasmInstance(module, imports, options?.limits, tier, false), snapshot, options?.references),
  };
}

/** Compiles every function when it is first called. */
export const compiler: Engine = compilerWith('compiler', { calls: 0, loops: 4 });
/**
 * Leaves functions that run seldom, and without long loops, to the interpreter: the start of a process would otherwise be spent
 * compiling what it runs once.
 */
export const mixed: Engine = compilerWith('mixed', { calls: 50, loops: 10_000 });
