/** The ways to run a module that have to agree: every engine of this project, each in the ways that could make a difference. */
import { compiler, compilerWith, mixed } from '#src/interp/compiler.js';
import { interpreter } from '#src/interp/interpreter.js';
import { FEATURES_ALL, type Feature } from '#src/interp/opcodes.js';
import { runner } from '#src/interp/run.js';
import { assemble } from '../support/wasm.js';
import { setInterlude, type OurWay } from './run.js';
import { fused } from '../support/fused.js';

export interface Way extends OurWay { readonly name: string; readonly features: ReadonlySet<Feature> }

const { maxSlice } = runner;
const sliced = (slice: number) => ({ begin: () => { runner.maxSlice = slice; }, end: () => { runner.maxSlice = maxSlice; } });

export const WAYS: readonly Way[] = [
  { name: 'interpreter', engine: interpreter, features: FEATURES_ALL },
  { name: 'interpreter, suspended at every call and back-edge', engine: interpreter, features: FEATURES_ALL, ...sliced(1) },
  { name: 'interpreter, waiting for the host', engine: interpreter, features: FEATURES_ALL, later: true, ...sliced(3) },
  { name: 'interpreter, fused', engine: fused, features: FEATURES_ALL },
  { name: 'interpreter, fused and suspended often', engine: fused, features: FEATURES_ALL, ...sliced(2) },
  { name: 'compiler', engine: compiler, features: FEATURES_ALL },
  { name: 'compiler, frames changing tiers all the time', engine: compilerWith('changing tiers', { calls: 0, loops: 1 }), features: FEATURES_ALL, ...sliced(2) },
  { name: 'interpreter, moving to another instance', engine: interpreter, features: FEATURES_ALL, moves: 61 },
  { name: 'compiler, moving to another instance', engine: compilerWith('moving', { calls: 0, loops: 1 }), features: FEATURES_ALL, moves: 1009, ...sliced(5) },
  { name: 'mixed', engine: mixed, features: FEATURES_ALL },
  { name: 'compiler, waiting for the host', engine: compilerWith('changing tiers later', { calls: 1, loops: 2 }), features: FEATURES_ALL, later: true, ...sliced(7) },
];

/** `f(n)` recurses, with every kind of slot in use: what it leaves behind in the machine is not zeros. */
setInterlude(interpreter, assemble({
  funcs: [{
    type: 'i:i', locals: 'ilfd', export: 'f',
    body: [
      ['i64.const', -1], ['local.set', 2], ['i32.const', -1], ['local.set', 1], ['f32.const', 1.5], ['local.set', 3], ['f64.const', -2.5], ['local.set', 4],
      ['local.get', 0], ['if', 'i'], ['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 0], 'else', ['i32.const', -1], 'end',
    ],
  }],
}), 'f');
