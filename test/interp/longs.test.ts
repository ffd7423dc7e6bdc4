/** Functions of i64, often enough that V8 optimises what the compiler makes of them, against V8's own engine: V8 must neither differ nor abort. */
import type { Func } from '#src/interp/engine.js';
import { v8 } from '#src/interp/v8.js';
import { assert, suite } from '../support/suite.js';
import { TIERS } from './engines.js';
import { longModule } from './longs.js';

const SEEDS = 12;
/** times round the loop of each function */
const ROUNDS = 1200;
const STARTS = [[1n, -1n], [-(2n ** 63n), 2n ** 63n - 1n], [0x0123456789abcdefn, 0n]] as const;

for (const engine of TIERS) suite(`${engine.name}, i64`, (test) => {
  test.table(Array.from({ length: SEEDS }, (_, i) => i + 1), (seed) => `function ${seed} of i64 gives what V8 gives`, (seed) => {
    const bytes = longModule(seed);
    const [theirs, ours] = [v8, engine].map((one) => one.instantiate(one.compile(bytes), {}));
    for (const start of STARTS) {
      const call = (of: typeof ours) => of.callSync(of.exports.get('f') as Func, [ROUNDS, ...start]);
      assert.equal(call(ours), call(theirs));
    }
  });
});
