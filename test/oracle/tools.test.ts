/** Our spec of each object in Debian's libbpf-tools against what libbpf would load. */
import { readFileSync } from 'node:fs';
import { parseBtf } from '#src/reloc/btf.js';
import { relocateCore } from '#src/reloc/core.js';
import { parseObject } from '#src/reloc/object.js';
import { assert, suite } from '../support/suite.js';
import { differences, libbpf, NEEDS, toolObjects, VMLINUX } from './libbpf.js';

suite('oracle: libbpf-tools', (test) => {
  const objects = toolObjects();
  const needs = [...NEEDS, VMLINUX, { name: 'libbpf-tools', missing: objects.size > 0 ? undefined : 'not installed' }];
  test.needing(needs, 'parseObject agrees with libbpf on every object: maps, BTF, instructions, function and line records', () => {
    const vmlinux = parseBtf(readFileSync('/sys/kernel/btf/vmlinux'), { source: 'vmlinux' });
    const wrong: string[] = [];
    let programs = 0;
    for (const [name, bytes] of objects) {
      const { spec } = relocateCore(parseObject(bytes, { name }), { vmlinux });
      programs += spec.programs.length;
      wrong.push(...differences(spec, libbpf().dump(bytes, name), { withCore: true }).slice(0, 5).map((line) => `${name}: ${line}`));
    }
    assert.equal(wrong, []);
    console.log(`libbpf-tools: ${objects.size} objects, ${programs} programs agree`);
  });
});
