/**
 * The compiler takes every function of the official suite, entered at its beginning and at each loop, and what it makes of it
 * is JavaScript. What the functions compute, test/spec/suite.test.ts tests.
 */
import { codeOf } from '#src/interp/code.js';
import { emitFunction } from '#src/interp/jit/emit.js';
import { Positions } from '#src/interp/jit/positions.js';
import { compiler } from '#src/interp/compiler.js';
import type { Module } from '#src/interp/module.js';
import { assert, suite, type Need } from '../support/suite.js';
import { MISSING, scriptOf, scripts } from '../spec/official.js';

const OFFICIAL: Need = { name: 'the official suite', missing: MISSING };

/** Script, module and function: this one has more locals than V8 would optimise. */
const KEPT = ['skip-stack-guard-page 0 1'];

/** Functions that the interpreter keeps, and sources with their entries. */
function judge(module: Module, kept: string[], name: string): number {
  const code = codeOf(module, true);
  let entries = 0;
  for (let index = module.imported.func; index < module.funcs.length; index++) {
    const positions = new Positions(code, index);
    const size = code.words[positions.entry];
    const emitted = emitFunction(code, index, positions, size);
    if (!emitted) {
      kept.push(`${name} ${index}`);
      continue;
    }
    for (const { source } of [emitted, ...[...positions.loops.keys()].map((loop) => emitFunction(code, index, positions, size, loop)!)]) {
      new Function(source);
      entries++;
    }
  }
  return entries;
}

suite('compiler, whole suite', (test) => {
  test.needing([OFFICIAL], 'every function is compiled, from its beginning and from each loop', () => {
    const kept: string[] = [];
    let entries = 0;
    for (const name of scripts()) {
      for (const [i, text] of scriptOf(name).modules.entries()) {
        let module: Module;
        try {
          module = compiler.compile(Buffer.from(text, 'base64')) as Module;
        } catch {
          // invalid on purpose
          continue;
        }
        entries += judge(module, kept, `${name} ${i}`);
      }
    }
    assert.equal(kept, KEPT);
    assert.ok(entries > 9_000, `${entries}`);
  });
});
