/** btf-sanitize.ts against libbpf: the BTF of real objects for kernels that lack some kinds, byte for byte. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BtfFeature, sanitizeBtf } from '#src/reloc/btf-sanitize.js';
import { parseObject } from '#src/reloc/object.js';
import { fixture } from '../support/probe.js';
import { assert, suite } from '../support/suite.js';
import { NEEDS } from './libbpf.js';

/** What dump-btf.c is told to refuse, and what that kernel cannot do in our words. */
const KERNELS: readonly (readonly [name: string, kinds: readonly string[], lacks: readonly BtfFeature[]])[] = [
  ['all kinds', [], []],
  ['no 64-bit enums', ['19'], ['btfEnum64']],
  ['no tags', ['17', '18'], ['btfDeclTag', 'btfTypeTag']],
  ['no floats', ['16'], ['btfFloat']],
  ['no linkage of functions', ['12g'], ['btfFuncGlobal']],
  ['no data sections', ['14', '15', '17'], ['btfDatasec', 'btfDeclTag']],
  ['nothing that came after 4.18', ['12', '12g', '14', '15', '16', '17', '18', '19'],
    ['btfFunc', 'btfFuncGlobal', 'btfDatasec', 'btfFloat', 'btfDeclTag', 'btfTypeTag', 'btfEnum64']],
];

suite('oracle: BTF for older kernels', (test) => {
  const objects = ['reloc/core-program.bpf.o', 'reloc/core-target-2.bpf.o', ...readdirSync(fixture('')).filter((file) => file.endsWith('.bpf.o'))];
  test.needing(NEEDS, 'sanitizeBtf makes the bytes that libbpf makes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dump-btf-'));
    try {
      const program = join(folder, 'dump-btf');
      execFileSync('gcc', ['-O1', '-o', program, fixture('../test/oracle/dump-btf.c'), '-lbpf', '-ldl']);
      let compared = 0;
      for (const object of objects) {
        const { btf } = parseObject(readFileSync(fixture(object)), { name: 'object' });
        for (const [name, kinds, lacks] of KERNELS) {
          const { stdout } = spawnSync(program, [fixture(object), ...kinds], { encoding: 'utf8', maxBuffer: 1 << 24 });
          // libbpf gives the kernel no BTF where no part of the object needs it
          if (stdout === '') continue;
          assert.is(Buffer.from(sanitizeBtf(btf!, (feature) => !lacks.includes(feature))).toString('hex'), stdout, `${object}, ${name}`);
          compared++;
        }
      }
      assert.ok(compared >= 6 * KERNELS.length, `${compared} compared`);
      console.log(`BTF for older kernels: ${compared} of ${objects.length * KERNELS.length} compared`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
