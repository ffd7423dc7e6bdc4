/**
 * What the host gives to its guests of other processors: snapshots of running modules, taken here at random instructions, and what
 * each comes to when it is continued. snapshot.lab.ts restores them there.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Execution, Func } from '#src/interp/engine.js';
import { interpreter } from '#src/interp/interpreter.js';
import { encodeSnapshot } from '#src/interp/snapshot-bytes.js';
import { Random } from '../fuzz/random.js';
import { finish, imports, pack } from '../support/restoring.js';

/** Modules of fixtures/wasm: calls and i64, floats in vectors, memory and br_table. */
export const MODULES = ['recursion-i64', 'simd', 'vm'] as const;
/** where the guests find them, below the checkout */
export const FOLDER = 'build/lab-snapshots';
const EACH = 40;

export async function takeSnapshots(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  for (const name of MODULES) {
    const begin = (): Execution => {
      const instance = interpreter.instantiate(interpreter.compile(readFileSync(`fixtures/wasm/${name}.wasm`)), imports([]));
      return instance.begin(instance.exports.get('run') as Func, [1]);
    };
    const counted = begin();
    await counted.run({ fuel: Infinity });
    const random = new Random(1), execution = begin(), saved: Uint8Array[] = [];
    for (const step of Array.from({ length: EACH }, () => random.below(counted.steps)).sort((a, b) => a - b)) {
      if (step > execution.steps) await execution.step(step - execution.steps);
      saved.push(encodeSnapshot(execution.snapshot()));
    }
    writeFileSync(join(FOLDER, `${name}.snapshots`), pack(saved));
    writeFileSync(join(FOLDER, `${name}.json`), JSON.stringify({ arch: process.arch, count: EACH, outcome: await finish(begin(), []) }));
  }
}
