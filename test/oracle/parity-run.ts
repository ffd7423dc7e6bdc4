/**
 * `node build/test/oracle/parity-run.js LOAD-TAGS`: compares libbpf and our loader on the running kernel, a line an object for the
 * table of parity-main.ts; status 1 where they differ. Needs no compiler, so that a guest of the lab can run it.
 */
import { RESULT } from '../lab/result.js';
import { compareLoading, parityObjects } from './parity.js';

const [loadTags] = process.argv.slice(2);
let programs = 0, objects = 0;
for (const [name, bytes] of parityObjects()) {
  const { libbpf, equal, listed, wrong } = compareLoading(loadTags, name, bytes);
  objects++;
  programs += equal;
  for (const line of wrong) console.log(line);
  if (wrong.length > 0) process.exitCode = 1;
  const differing = [...listed > 0 ? [`${listed} differ as listed`] : [], ...wrong.length > 0 ? [`${wrong.length} FAIL`] : []];
  console.log(`${RESULT}${name} => ${libbpf === 'nothing' ? 'libbpf loads nothing' : [`${libbpf}: ${equal} equal`, ...differing].join(', ')}`);
}
console.log(`${RESULT}all ${objects} objects => ${programs} equal programs`);
