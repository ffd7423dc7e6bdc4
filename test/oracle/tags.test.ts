/** What the kernel makes of our programs and of libbpf's: the same tags, for every program that libbpf can load here. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProjectError } from '#src/errors.js';
import { BpfObject } from '#src/loader/load.js';
import { parseObject } from '#src/reloc/object.js';
import { MapType } from '#src/uapi.js';
import { fixture } from '../support/probe.js';
import { assert, suite } from '../support/suite.js';
import { NEEDS, toolObjects, VMLINUX } from './libbpf.js';

/** What load-tags.c gives to maps of no size. */
const ENTRIES = 1024;

/** Programs that are meant to differ: file and program -> why. Exact both ways. */
const ABSENT = 'a call of an absent weak kernel function is poisoned, which libbpf does since 1.3 and Debian\'s 1.1 does not';
const DIFFERENT: Readonly<Record<string, string>> = {
  'loader/objects.bpf.o functions': ABSENT, 'loader/objects-typed.bpf.o functions': ABSENT, 'loader/objects-config.bpf.o functions': ABSENT,
};

interface Tags { readonly whole: boolean; readonly programs: Readonly<Record<string, string>> }

suite('oracle: program tags', (test) => {
  const objects = new Map(toolObjects());
  for (const file of readdirSync(fixture(''), { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.bpf.o')) objects.set(file, readFileSync(fixture(file)));
  }

  test.needing([...NEEDS, VMLINUX], 'BpfObject.load loads what libbpf loads, with the same tags', () => {
    const folder = mkdtempSync(join(tmpdir(), 'load-tags-'));
    const wrong: string[] = [];
    const count = { whole: 0, parts: 0, programs: 0, different: 0 };
    try {
      const program = join(folder, 'load-tags');
      execFileSync('gcc', ['-O1', '-o', program, fixture('../test/oracle/load-tags.c'), '-lbpf']);
      for (const [name, bytes] of objects) {
        const file = join(folder, 'object.bpf.o');
        writeFileSync(file, bytes);
        const { stdout } = spawnSync(program, [file, 'object'], { encoding: 'utf8' });
        // an object that libbpf does not even open
        if (!stdout.trimEnd().endsWith('}')) continue;
        const theirs = JSON.parse(stdout) as Tags;
        if (Object.keys(theirs.programs).length === 0) continue;
        const ours = load(bytes, theirs);
        for (const [key, tag] of Object.entries(theirs.programs)) {
          if (`${name} ${key}` in DIFFERENT) {
            if (ours[key] === tag) wrong.push(`${name}, ${key}: equal, against the list of differences`);
            count.different++;
          } else if (ours[key] !== tag) wrong.push(`${name}, ${key}: ${ours[key]}, libbpf has ${tag}`);
          else count.programs++;
        }
        count[theirs.whole ? 'whole' : 'parts']++;
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    assert.equal(wrong, []);
    console.log(`tags: ${count.programs} programs of ${count.whole} whole objects and of parts of ${count.parts} agree, ${count.different} differ as listed, ${objects.size} objects tried`);
  });
});

/** Program name -> tag, or what went wrong. */
function load(bytes: Uint8Array, theirs: Tags): Record<string, string> {
  const sizeless = parseObject(bytes, { name: 'object' }).maps
    .filter(({ maxEntries, type }) => maxEntries === 0 && (type === MapType.HASH || type === MapType.ARRAY));
  const mapEntries = Object.fromEntries(sizeless.map(({ name }) => [name, ENTRIES]));
  const tags: Record<string, string> = {};
  const names = Object.keys(theirs.programs);
  try {
    const object = BpfObject.load(bytes, { name: 'object', mapEntries, ...(theirs.whole ? {} : { autoload: ({ name }) => names.includes(name) }) });
    try {
      for (const name of names) tags[name] = object.programs.get(name)?.tag ?? 'not loaded';
    } finally {
      object.close();
    }
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    for (const name of names) tags[name] = error.message;
  }
  return tags;
}
