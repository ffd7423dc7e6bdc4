/** Our spec of each fixture that libbpf 1.1 can read against what libbpf would load. */
import { readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fillReferences } from '#src/loader/instructions.js';
import { parseBtf } from '#src/reloc/btf.js';
import { relocateCore } from '#src/reloc/core.js';
import { parseObject } from '#src/reloc/object.js';
import { assert, suite } from '../support/suite.js';
import { differences, libbpf, NEEDS, VMLINUX } from './libbpf.js';

/** The others use what came to libbpf after 1.1, went with 1.0, or was never there. */
const KNOWN = ['calls', 'externs', 'globals', 'maps', 'strings'].map((name) => `fixtures/reloc/${name}.bpf.o`);

suite('oracle: fixtures', (test) => {
  const objects = [...readdirSync('fixtures').filter((file) => file.endsWith('.bpf.o')).map((file) => `fixtures/${file}`), ...KNOWN];
  for (const path of objects) {
    test.needing([...NEEDS, VMLINUX], `parseObject agrees with libbpf on ${path}`, () => {
      const bytes = new Uint8Array(readFileSync(path));
      const name = basename(path).replace('.bpf.o', '');
      const parsed = parseObject(bytes, { name });
      const spec = { ...parsed, programs: parsed.programs.map((program) => ({ ...program, autoload: true })) };
      const vmlinux = parseBtf(readFileSync('/sys/kernel/btf/vmlinux'), { source: 'vmlinux' });
      assert.equal(differences(relocateCore(spec, { vmlinux }).spec, libbpf().dump(bytes, name), { withCore: true }), []);
    });
  }

  test.needing(NEEDS, 'fillReferences puts in the place of a map that is not created what libbpf puts there', () => {
    const bytes = new Uint8Array(readFileSync('fixtures/loader/refused.bpf.o'));
    const { programs, maps } = parseObject(bytes, { name: 'refused' });
    const program = programs.find(({ name }) => name === 'not_released')!;
    const insns = fillReferences(program, {
      mapFd: () => undefined, mapIndex: (name) => maps.findIndex((map) => map.name === name),
      extern: () => undefined, externIndex: () => -1, btfFd: () => 0, btfIndex: () => 0,
    });
    const { programs: dumped } = libbpf().dump(bytes, 'refused', { ONLY: program.name, ABSENT: 'events' });
    assert.is(Buffer.from(insns).toString('hex'), dumped![0]!.insns);
  });
});
