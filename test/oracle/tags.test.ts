/** What the kernel makes of our programs and of libbpf's: the same tags, for every program that libbpf can load here. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, suite } from '../support/suite.js';
import { NEEDS, VMLINUX } from './libbpf.js';
import { compareLoading, compileLoadTags, parityObjects } from './parity.js';

suite('oracle: program tags', (test) => {
  const objects = parityObjects();

  test.needing([...NEEDS, VMLINUX], 'BpfObject.load loads what libbpf loads, with the same tags', () => {
    const folder = mkdtempSync(join(tmpdir(), 'load-tags-')), program = join(folder, 'load-tags');
    try {
      compileLoadTags(program);
      const all = [...objects].map(([name, bytes]) => compareLoading(program, name, bytes));
      assert.equal(all.flatMap(({ wrong }) => wrong), []);
      const sum = (field: 'equal' | 'listed') => all.reduce((total, each) => total + each[field], 0);
      const count = (much: string) => all.filter(({ libbpf }) => libbpf === much).length;
      console.log(`tags: ${sum('equal')} programs of ${count('whole')} whole objects and of parts of ${count('parts')} agree, ${sum('listed')} differ as listed, ${objects.size} objects tried`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
