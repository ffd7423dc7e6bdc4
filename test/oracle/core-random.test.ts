/** CO-RE against libbpf on random types: whatever the target looks like, the same instructions or the same refusal. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProjectError } from '#src/errors.js';
import { parseBtf } from '#src/reloc/btf.js';
import { relocateCore } from '#src/reloc/core.js';
import { parseObject } from '#src/reloc/object.js';
import { fixture } from '../support/probe.js';
import { randomTypes } from '../support/random-types.js';
import { assert, suite } from '../support/suite.js';
import { differences, libbpf, NEEDS } from './libbpf.js';

/** More for a longer search. */
const SEEDS = Number(process.env['SEEDS'] ?? 6);

suite('oracle: CO-RE on random types', (test) => {
  test.needing(NEEDS, 'relocateCore and libbpf agree', () => {
    const folder = mkdtempSync(join(tmpdir(), 'core-random-'));
    const object = readFileSync(fixture('reloc/core-program.bpf.o'));
    const spec = parseObject(object, { name: 'core' });
    const wrong: string[] = [];
    const count = { equal: 0, poisoned: 0, refused: 0 };
    try {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const bytes = randomTypes(seed);
        const file = join(folder, 'target.btf');
        writeFileSync(file, bytes);
        const vmlinux = parseBtf(bytes, { source: 'random' });
        for (const { name } of spec.programs) {
          const dump = libbpf().dump(object, 'core', { TARGET_BTF: file, ONLY: name });
          try {
            const one = { ...spec, programs: spec.programs.map((program) => ({ ...program, autoload: program.name === name })) };
            const { spec: relocated, stories } = relocateCore(one, { vmlinux });
            wrong.push(...differences({ ...relocated, programs: relocated.programs.filter(({ autoload }) => autoload) }, dump, { withCore: true }).map((line) => `seed ${seed}, ${line}`));
            for (const { poisoned } of stories.get(name)!) count[poisoned ? 'poisoned' : 'equal']++;
          } catch (error) {
            if (!(error instanceof ProjectError)) throw error;
            if (dump.programs !== undefined) wrong.push(`seed ${seed}, ${name}: ${error.message}; libbpf loads it`);
            count.refused++;
          }
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    assert.equal(wrong, []);
    console.log(`CO-RE on random types: ${count.equal} instructions patched, ${count.poisoned} poisoned as in libbpf, ${count.refused} programs refused by both`);
  });
});
