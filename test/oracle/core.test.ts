/** CO-RE against libbpf: one program for each family of relocations, on targets that differ in every way. */
import { readFileSync } from 'node:fs';
import { ProjectError } from '#src/errors.js';
import { type Btf, parseBtf } from '#src/reloc/btf.js';
import { explainPoison } from '#src/reloc/core-explain.js';
import { relocateCore } from '#src/reloc/core.js';
import { parseElf } from '#src/reloc/elf.js';
import { parseObject } from '#src/reloc/object.js';
import type { ObjectSpec } from '#src/reloc/spec.js';
import { fixture } from '../support/probe.js';
import { assert, suite } from '../support/suite.js';
import { differences, libbpf, NEEDS } from './libbpf.js';

const VARIANTS = [1, 2, 3, 4, 5];
const PROGRAMS = ['loads', 'signed_loads', 'stores', 'offsets', 'elements', 'bitfields', 'enums', 'types', 'matches'];
const target = (variant: number): string => fixture(`reloc/core-target-${variant}.bpf.o`);

function typesOf(path: string): Btf {
  return parseBtf(parseElf(readFileSync(path)).section('.BTF')!.data, { source: 'target' });
}

function only(spec: ObjectSpec, name: string): ObjectSpec {
  return { ...spec, programs: spec.programs.map((program) => ({ ...program, autoload: program.name === name })) };
}

suite('oracle: CO-RE', (test) => {
  test.needing(NEEDS, 'relocateCore makes the instructions that libbpf makes, and refuses what it refuses', () => {
    const object = readFileSync(fixture('reloc/core-program.bpf.o'));
    const spec = parseObject(object, { name: 'core' });
    assert.equal(spec.programs.map(({ name }) => name), PROGRAMS);
    const wrong: string[] = [];
    const count = { equal: 0, poisoned: 0, refused: 0 };
    for (const variant of VARIANTS) {
      const vmlinux = typesOf(target(variant));
      for (const name of PROGRAMS) {
        const dump = libbpf().dump(object, 'core', { TARGET_BTF: target(variant), ONLY: name });
        const where = `target ${variant}, ${name}`;
        try {
          const { spec: relocated, stories } = relocateCore(only(spec, name), { vmlinux });
          const programs = relocated.programs.filter((program) => program.autoload);
          wrong.push(...differences({ ...relocated, programs }, dump, { withCore: true }).map((line) => `${where}: ${line}`));
          for (const { poisoned, relocation } of stories.get(name)!) {
            assert.is(explainPoison(stories.get(name), relocation.insn) !== undefined, poisoned);
            count[poisoned ? 'poisoned' : 'equal']++;
          }
        } catch (error) {
          if (!(error instanceof ProjectError)) throw error;
          if (dump.programs !== undefined) wrong.push(`${where}: ${error.message}; libbpf loads it`);
          count.refused++;
        }
      }
    }
    assert.equal(wrong, []);
    console.log(`CO-RE: ${count.equal} instructions patched, ${count.poisoned} poisoned as in libbpf, ${count.refused} programs refused by both`);
  });
});
