/** CO-RE with the types of a module: found by itself, from the module's file with its base, and from what is kept of both. */
import { readFileSync } from 'node:fs';
import { btfOf, readBtf } from '#src/loader/btf-file.js';
import { kernelBtf } from '#src/loader/kernel-types.js';
import { BpfObject, type LoadOptions } from '#src/loader/load.js';
import { minimizeBtf } from '#src/reloc/btf-minimize.js';
import { parseObject } from '#src/reloc/object.js';
import { keepsDescriptors, needsLinux } from '../support/kernel.js';
import { fixture } from '../support/probe.js';
import { assert, suite } from '../support/suite.js';

const bytes = readFileSync(fixture('lab/module-types.bpf.o'));

/** Whose types decided, and the program's instructions. */
function load(options: LoadOptions = {}): { targets: string[]; insns: string } {
  const object = BpfObject.load(bytes, options);
  try {
    const stories = object.stories.get('client')!;
    assert.ok(stories.length >= 3 && stories.every(({ reason }) => reason === ''));
    return { targets: [...new Set(stories.map(({ target }) => target!.btf))], insns: Buffer.from(object.spec.programs[0]!.insns).toString('hex') };
  } finally {
    object.close();
  }
}

suite('lab: types of modules', (test) => {
  test.needing([needsLinux('5.11', 'types of modules')], 'a program finds the types of a module, from everywhere', () => keepsDescriptors(() => {
    const { targets, insns } = load();
    // 9p, which uses the client, has its type too
    assert.ok(targets.length === 1 && ['9p', '9pnet'].includes(targets[0]!), targets.join());
    const path = `/sys/kernel/btf/${targets[0]!}`;
    const split = readBtf(path, kernelBtf());
    assert.equal(load({ btf: split }), { targets: [path], insns });
    const { bytes: few, types, unmatched } = minimizeBtf([parseObject(bytes, { name: 'module-types' })], split);
    assert.ok(types < 10 && unmatched === 0);
    assert.equal(load({ btf: btfOf(few, { source: 'few' }) }), { targets: ['few'], insns });
  }));
});
