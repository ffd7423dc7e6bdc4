/** The kernels of fixtures/wasm give the same on every engine. */
import { assert, suite } from '../support/suite.js';
import { KERNELS, kernel } from '../support/kernels.js';
import { ENGINES } from './engines.js';

/** checksum of `run(2)` */
const CHECKSUMS: Readonly<Record<string, number>> = {
  bytes: -1750055,
  'hash-i64': 851084771,
  'host-call': 117263,
  'host-callback': -868141120,
  indirect: -1622029600,
  mandelbrot: 483013223,
  matrix: -1116075841,
  memory: -502983813,
  nbody: 1547230475,
  quicksort: -973842309,
  'recursion-i32': 33572,
  'recursion-i64': 306666571,
  sieve: 112385,
  simd: -1344899129,
  vm: -2005461213,
};

for (const { engine } of ENGINES) {
  suite(`${engine.name} kernels`, (test) => {
    test.table(KERNELS, (name) => `${name} computes what it should, twice`, (name) => {
      const run = kernel(engine, name);
      assert.is(run(2), CHECKSUMS[name]);
      assert.is(run(2), CHECKSUMS[name]);
    });
  });
}
