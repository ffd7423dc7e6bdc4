/**
 * A second source of modules: `wasm-opt -ttf` of the binaryen package turns any bytes into a valid module. NaNs are made zeros by
 * its own pass. No vectors where V8 is to judge: it hands them to the host, and V8 cannot.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from './random.js';

const WASM_OPT = 'node_modules/.bin/wasm-opt';
const FEATURES = ['sign-ext', 'mutable-globals', 'nontrapping-float-to-int', 'bulk-memory', 'reference-types', 'multivalue', 'tail-call', 'extended-const'].map((feature) => `--enable-${feature}`);

/** Undefined where it can be used, else why not. */
export const missingTtf = existsSync(WASM_OPT) ? undefined : `no ${WASM_OPT}`;

/** @param forV8 with nothing that V8 lacks; else with all that binaryen has, but for shared memories */
export function ttf(seed: number, forV8: boolean): Uint8Array {
  const random = new Random(seed);
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
  try {
    const input = join(folder, 'input'), output = join(folder, 'output.wasm');
    writeFileSync(input, Uint8Array.from({ length: 200 + random.below(6000) }, () => random.below(256)));
    const features = forV8 ? ['--mvp-features', ...FEATURES] : ['--all-features', '--disable-threads', '--disable-shared-everything', '--disable-relaxed-simd', '--disable-stack-switching', '--disable-custom-descriptors', '--disable-fp16', '--disable-strings', '--disable-compact-imports'];
    execFileSync(WASM_OPT, [input, '-ttf', '--denan', ...features, ...random.once(3) ? ['--fuzz-passes'] : [], '-o', output], { stdio: 'pipe', timeout: 60_000 });
    return new Uint8Array(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
