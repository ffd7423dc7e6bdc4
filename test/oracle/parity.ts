/**
 * What the running kernel makes of an object through libbpf (load-tags.c) and through our loader, side by side: the kernel's tags
 * of every program that libbpf can load. Equal tags mean equal relocated instructions.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProjectError } from '#src/errors.js';
import { BpfObject } from '#src/loader/load.js';
import { parseObject } from '#src/reloc/object.js';
import { MapType } from '#src/uapi.js';
import { fixture } from '../support/probe.js';
import { toolObjects } from './libbpf.js';

/** What load-tags.c gives to maps of no size. */
const ENTRIES = 1024;

/** Programs that are meant to differ: file and program -> why. Exact both ways. */
const ABSENT = 'a call of an absent weak kernel function is poisoned, which libbpf does since 1.3 and Debian\'s 1.1 does not';
const DIFFERENT: Readonly<Record<string, string>> = {
  'loader/objects.bpf.o functions': ABSENT, 'loader/objects-typed.bpf.o functions': ABSENT, 'loader/objects-config.bpf.o functions': ABSENT,
};

interface Tags { readonly whole: boolean; readonly programs: Readonly<Record<string, string>> }

export interface Parity {
  /** how much libbpf loads of the object */
  readonly libbpf: 'whole' | 'parts' | 'nothing';
  /** programs with the same tag */
  readonly equal: number;
  /** programs that differ as listed */
  readonly listed: number;
  /** the other differences, in words */
  readonly wrong: readonly string[];
}

/** Every object that is compared: those of Debian's libbpf-tools, and ours. */
export function parityObjects(): Map<string, Uint8Array> {
  const objects = new Map(toolObjects());
  for (const file of readdirSync(fixture(''), { recursive: true, encoding: 'utf8' }).sort()) {
    if (file.endsWith('.bpf.o')) objects.set(file, readFileSync(fixture(file)));
  }
  return objects;
}

/** Builds the libbpf side. */
export function compileLoadTags(program: string): void {
  execFileSync('gcc', ['-O1', '-o', program, fixture('../test/oracle/load-tags.c'), '-lbpf']);
}

/** @param loadTags the program built from load-tags.c */
export function compareLoading(loadTags: string, name: string, bytes: Uint8Array): Parity {
  const theirs = loadTheirs(loadTags, bytes), programs = Object.entries(theirs.programs);
  if (programs.length === 0) return { libbpf: 'nothing', equal: 0, listed: 0, wrong: [] };
  const ours = loadOurs(bytes, theirs), wrong: string[] = [];
  let equal = 0, listed = 0;
  for (const [key, tag] of programs) {
    if (`${name} ${key}` in DIFFERENT) {
      if (ours[key] === tag) wrong.push(`${name}, ${key}: equal, against the list of differences`);
      listed++;
    } else if (ours[key] !== tag) wrong.push(`${name}, ${key}: ${ours[key]}, libbpf has ${tag}`);
    else equal++;
  }
  return { libbpf: theirs.whole ? 'whole' : 'parts', equal, listed, wrong };
}

function loadTheirs(loadTags: string, bytes: Uint8Array): Tags {
  const folder = mkdtempSync(join(tmpdir(), 'parity-')), file = join(folder, 'object.bpf.o');
  try {
    writeFileSync(file, bytes);
    const { stdout } = spawnSync(loadTags, [file, 'object'], { encoding: 'utf8' });
    // an object that libbpf does not even open
    return stdout.trimEnd().endsWith('}') ? JSON.parse(stdout) as Tags : { whole: false, programs: {} };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Program name -> tag, or what went wrong. */
function loadOurs(bytes: Uint8Array, theirs: Tags): Record<string, string> {
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
