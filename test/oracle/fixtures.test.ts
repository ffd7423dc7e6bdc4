/** Our spec of each fixture that libbpf 1.1 can read against what libbpf would load. */
import { readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
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
});
