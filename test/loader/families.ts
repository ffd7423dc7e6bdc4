/**
 * The fixture fixtures/loader/families.bpf.o in the kernel: some of its programs, and how often each ran. The slots of its
 * counters are read from its source.
 */
import { readFileSync } from 'node:fs';
import { kernelAtLeast } from '#src/kernel/release.js';
import { BpfObject, type LoadOptions } from '#src/loader/load.js';
import { parseSection } from '#src/loader/sections.js';
import { parseObject } from '#src/reloc/object.js';
import { fixture } from '../support/probe.js';
import { descriptors } from '../support/kernel.js';
import { assert, throwsCode } from '../support/suite.js';

const source = readFileSync(fixture('loader/families.bpf.c'), 'utf8');
const SLOTS = /enum slot \{([^}]+)\}/.exec(source)![1].split(',').map((name) => name.trim()).filter(Boolean);

// the return value's register is the processor's
const bytes = readFileSync(fixture(`loader/families${process.arch === 'arm64' ? '-arm64' : ''}.bpf.o`));

export class Families {
  readonly object: BpfObject;
  constructor(programs: readonly string[], options: LoadOptions = {}) {
    this.object = BpfObject.load(bytes, { name: 'families', autoload: ({ name }) => programs.includes(name), ...options });
  }

  hits(slot: string): number {
    const index = SLOTS.indexOf(slot);
    if (index < 0) throw new Error(`no slot ${slot}`);
    return Number(this.bss().getBigUint64(index * 8, true));
  }

  /** `last_result` stands behind the counters */
  lastResult(): bigint {
    return this.bss().getBigInt64((SLOTS.length - 1) * 8, true);
  }

  bss(): DataView {
    const map = this.object.maps.get('.bss')!;
    const value = new Uint8Array(map.valueSize);
    assert.ok(map.lookup(new Uint8Array(4), value));
    return new DataView(value.buffer);
  }
}

/** Loads, uses, closes twice, and insists that no descriptor is left and none was closed twice. */
export function withFamilies(programs: readonly string[], use: (families: Families) => void, options?: LoadOptions): void {
  new Families([]).object.close(); // what stays open for good (the netlink of a first call, caches) is open from here on
  const before = descriptors().length;
  const families = new Families(programs, options);
  try {
    use(families);
  } finally {
    families.object.close();
    families.object.close();
  }
  assert.is(descriptors().length, before, 'descriptors leak');
}

/** The error of attaching one program, with no descriptor left behind by the attempt. A kernel too old for it may refuse it before. */
export function attachFails(program: string, target: string | undefined, code: string, message: string | RegExp): void {
  const { section } = parseObject(bytes).programs.find(({ name }) => name === program)!;
  const { since } = parseSection(section)!;
  let loaded = false;
  try {
    withFamilies([program], ({ object }) => {
      loaded = true;
      const before = descriptors().length;
      throwsCode(() => object.attach(program, target), code, message);
      assert.is(descriptors().length, before, 'a failed attach leaks');
    });
  } catch (error) {
    if (loaded || kernelAtLeast(since)) throw error;
    throwsCode(() => { throw error; }, 'UNSUPPORTED', `section "${section}" of program "${program}" is not supported here, needs Linux ${since} or later`);
  }
}
