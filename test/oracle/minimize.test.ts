/** Minimised BTF against bpftool's: from the whole, from bpftool's few types and from ours, objects become the same instructions. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProjectError } from '#src/errors.js';
import { readBtf } from '#src/loader/btf-file.js';
import type { Btf } from '#src/reloc/btf.js';
import { minimizeBtf } from '#src/reloc/btf-minimize.js';
import { relocateCore } from '#src/reloc/core.js';
import { INSN_SIZE } from '#src/reloc/insn.js';
import { parseObject } from '#src/reloc/object.js';
import type { ObjectSpec } from '#src/reloc/spec.js';
import { fixture, needsCommand } from '../support/probe.js';
import { assert, suite } from '../support/suite.js';
import { libbpf, NEEDS, toolObjects, VMLINUX } from './libbpf.js';

const BPFTOOL = needsCommand('bpftool', 'bpftool');
const dir = mkdtempSync(join(tmpdir(), 'minimize-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

/** Each program's instructions, or why it is refused; what holds a type's id differs with the ids. */
function outcomes(spec: ObjectSpec, vmlinux: Btf): Map<string, string> {
  return new Map(spec.programs.map(({ name }) => {
    const only = { ...spec, programs: spec.programs.map((program) => ({ ...program, autoload: program.name === name })) };
    try {
      const { insns, coreRelocations } = relocateCore(only, { vmlinux }).spec.programs.find((program) => program.name === name)!;
      const bytes = insns.slice();
      for (const { kind, insn } of coreRelocations) if (kind === 'type_id_target') bytes.fill(0, insn * INSN_SIZE, (insn + 2) * INSN_SIZE);
      return [name, Buffer.from(bytes).toString('hex')];
    } catch (error) {
      if (!(error instanceof ProjectError)) throw error;
      return [name, `refused: ${error.message.replaceAll(/ \[\d+\] of \S+/g, '')}`];
    }
  }));
}

interface Case { readonly name: string; readonly target: string; readonly objects: ReadonlyMap<string, Uint8Array>; /** bpftool gives up on what its libbpf refuses */ readonly refused?: boolean }

/** @returns how many programs are the same from all three */
function compare({ name, target, objects, refused }: Case): { programs: number; ours: number; theirs: number } {
  const whole = readBtf(target);
  const specs = [...objects].map(([object, bytes]) => parseObject(bytes, { name: object }));
  const minimized = minimizeBtf(specs, whole);
  const ours = join(dir, `${name}.btf`);
  writeFileSync(ours, minimized.bytes);
  const theirs = join(dir, `${name}.bpftool.btf`);
  const files = [...objects].map(([object, bytes]) => {
    const file = join(dir, `${object}.bpf.o`);
    writeFileSync(file, bytes);
    return file;
  });
  if (!refused) execFileSync('bpftool', ['gen', 'min_core_btf', target, theirs, ...files], { stdio: 'pipe' });
  const few = [readBtf(ours), ...refused ? [] : [readBtf(theirs)]];
  let programs = 0;
  for (const spec of specs) {
    const expected = outcomes(spec, whole);
    programs += expected.size;
    for (const btf of few) {
      const found = outcomes(spec, btf);
      for (const [program, outcome] of expected) assert.is(found.get(program), outcome, `${spec.name}: ${program} from ${btf.source}`);
    }
  }
  return { programs, ours: minimized.bytes.length, theirs: refused ? 0 : readFileSync(theirs).length };
}

suite('oracle: minimised BTF', (test) => {
  const program = new Map([['core-program', readFileSync(fixture('reloc/core-program.bpf.o'))]]);
  for (const variant of [1, 2, 3, 4, 5]) {
    test.needing([BPFTOOL], `minimizeBtf keeps of target ${variant} what every program needs`, () => {
      const target = join(dir, `target-${variant}.btf`);
      // bpftool takes plain BTF only
      writeFileSync(target, readBtf(fixture(`reloc/core-target-${variant}.bpf.o`)).bytes);
      compare({ name: `fixture-${variant}`, target, objects: program, refused: variant === 4 });
    });
  }

  test.needing([BPFTOOL, VMLINUX, { name: 'libbpf-tools', missing: toolObjects().size > 0 ? undefined : 'not installed' }], 'minimizeBtf keeps of the running kernel what bpftool keeps for the objects of libbpf-tools', () => {
    const { programs, ours, theirs } = compare({ name: 'tools', target: '/sys/kernel/btf/vmlinux', objects: toolObjects() });
    console.log(`minimised BTF: ${programs} programs of libbpf-tools are the same; ${ours} bytes, bpftool's ${theirs}`);
  });

  test.needing([...NEEDS, VMLINUX], 'libbpf relocates to the same instructions from what minimizeBtf wrote', () => {
    const object = readFileSync(fixture('execsnoop.bpf.o'));
    const minimized = join(dir, 'execsnoop.btf');
    writeFileSync(minimized, minimizeBtf([parseObject(object, { name: 'execsnoop' })], readBtf('/sys/kernel/btf/vmlinux')).bytes);
    const [few, whole] = [minimized, '/sys/kernel/btf/vmlinux'].map((TARGET_BTF) => libbpf().dump(object, 'execsnoop', { TARGET_BTF }));
    assert.ok(few!.programs!.length === 2);
    assert.equal(few!.programs, whole!.programs);
  });
});
