/** Types from files: raw and in ELF, where the kernel's are looked for, and programs relocated against what was found. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { kernelRelease } from '#src/kernel/release.js';
import { vmlinuxFiles } from '#src/kernel/vmlinux.js';
import { btfOf, readBtf } from '#src/loader/btf-file.js';
import { findKernelBtf } from '#src/loader/kernel-types.js';
import { BpfObject } from '#src/loader/load.js';
import { BtfBuilder } from '../support/btf.js';
import { keepsDescriptors } from '../support/kernel.js';
import { fixture, needsRoot } from '../support/probe.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const dir = mkdtempSync(join(tmpdir(), 'btf-file-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const ELF = readFileSync(fixture('reloc/core-target-1.bpf.o'));
const RAW = btfOf(ELF, { source: 'elf' }).bytes;
/** an ELF file without types */
const BARE = readFileSync(fixture('reloc/legacy.bpf.o'));
const release = kernelRelease();

let roots = 0;
/** A file system with these files. */
function root(files: Readonly<Record<string, Uint8Array>>): string {
  const at = join(dir, `root${roots++}`);
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), bytes);
  }
  mkdirSync(at, { recursive: true });
  return at;
}
/** One type of that name, to know a file by. */
function named(name: string): Uint8Array {
  const builder = new BtfBuilder();
  builder.int(name, 4);
  return builder.build();
}

suite('loader/btf-file', (test) => {
  test('btfOf takes BTF, and ELF with BTF in it', () => {
    for (const bytes of [RAW, ELF]) assert.is(btfOf(bytes, { source: 'file' }).name(btfOf(RAW, { source: 'file' }).find('inner', 'struct')!), 'inner');
  });
  test('btfOf takes the split BTF of a module with its base', () => {
    const base = new BtfBuilder();
    base.int('int', 4);
    const module = new BtfBuilder(base);
    module.struct('own', 0, []);
    const btf = btfOf(module.build(), { source: 'module', base: btfOf(base.build(), { source: 'vmlinux' }) });
    assert.equal([btf.find('int'), btf.find('own')], [1, 2]);
    throwsCode(() => btfOf(module.build(), { source: 'module' }), 'BPF_BTF', /string section does not begin with NUL \(a split BTF needs its base\)/);
  });
  test.table([
    [BARE, 'BPF_BTF', /the ELF file has no section "\.BTF" \(it is of a kernel without CONFIG_DEBUG_INFO_BTF, or stripped of it\)/],
    [new Uint8Array(3), 'BPF_BTF', /too short for a BTF header: 3 of 24 bytes/],
    [ELF.subarray(0, 70), 'BPF_ELF', /./],
  ] as const, ([, , message]) => `btfOf refuses a file: ${message.source}`, ([bytes, code, message]) => {
    throwsCode(() => btfOf(bytes, { source: 'file' }), code, message);
  });
  test('readBtf says which file cannot be read', () => {
    throwsCode(() => readBtf('/no/such/file'), 'USAGE', 'cannot read "/no/such/file": there is no such file');
    throwsCode(() => readBtf(dir), 'USAGE', `cannot read "${dir}": it is a folder`);
  });

  const places = [
    `/boot/vmlinux-${release}`, `/lib/modules/${release}/vmlinux-${release}`, `/lib/modules/${release}/build/vmlinux`, `/usr/lib/modules/${release}/kernel/vmlinux`,
    `/usr/lib/debug/boot/vmlinux-${release}`, `/usr/lib/debug/boot/vmlinux-${release}.debug`, `/usr/lib/debug/lib/modules/${release}/vmlinux`,
  ];
  test('findKernelBtf takes what the kernel shows, whatever else there is', () => {
    const at = root({ '/sys/kernel/btf/vmlinux': named('shown'), [places[0]!]: named('other') });
    assert.is(findKernelBtf(vmlinuxFiles(at)).find('shown'), 1);
    throwsCode(() => findKernelBtf(vmlinuxFiles(root({ '/sys/kernel/btf/vmlinux': new Uint8Array(30), [places[0]!]: named('other') }))), 'BPF_BTF');
  });
  test.table(places.map((_, i) => i), (i) => `findKernelBtf looks into ${places[i]!.replaceAll(release, '%r')} before the later ones`, (i) => {
    const files = Object.fromEntries(places.slice(i).map((path, n) => [path, named(`place${i + n}`)]));
    assert.is(findKernelBtf(vmlinuxFiles(root(files))).name(1), `place${i}`);
  });
  test('findKernelBtf passes over files without types, and takes the types of an ELF file', () => {
    const at = root({ [places[0]!]: BARE, [places[1]!]: new Uint8Array(0), [places[3]!]: ELF });
    const btf = findKernelBtf(vmlinuxFiles(at));
    assert.is(btf.source, 'vmlinux');
    assert.ok(btf.find('inner', 'struct') !== undefined);
  });
  test('findKernelBtf says where it has looked', () => {
    throwsCode(() => findKernelBtf(vmlinuxFiles(root({}))), 'UNSUPPORTED',
      `CO-RE without kernel BTF is not supported here, needs Linux 5.2 or later (/sys/kernel/btf/vmlinux is missing: the kernel needs CONFIG_DEBUG_INFO_BTF, or give its types in a file: --btf, LoadOptions.btf; ${places.join(', ')} were looked for, too)`);
    const at = root({ [places[2]!]: BARE });
    throwsCode(() => findKernelBtf(vmlinuxFiles(at)), 'UNSUPPORTED',
      `CO-RE without kernel BTF is not supported here, needs Linux 5.2 or later (of the files that may hold it none does: ${at}${places[2]!}: vmlinux: the ELF file has no section ".BTF" (it is of a kernel without CONFIG_DEBUG_INFO_BTF, or stripped of it))`);
  });
  test('vmlinuxFiles gives its files back', () => keepsDescriptors(() => {
    const at = root({ [places[0]!]: RAW, [places[1]!]: RAW });
    chmodSync(join(at, places[0]!), 0o400);
    for (const file of vmlinuxFiles(at)) file.close();
  }));

  test.needing([needsRoot], 'BpfObject.load relocates against the types it is given, and modules do not count then', () => keepsDescriptors(() => {
    const builder = new BtfBuilder();
    builder.struct('task_struct', 8, [{ name: 'no_such_field', type: builder.int('int', 4, { signed: true }), at: 32 }]);
    const file = join(dir, 'own.btf');
    writeFileSync(file, builder.build());
    const object = BpfObject.load(readFileSync(fixture('loader/broken.bpf.o')), { btf: readBtf(file), autoload: ({ name }) => name === 'missing_field' });
    const [story] = object.stories.get('missing_field')!;
    object.close();
    assert.equal([story!.newValue, story!.target?.btf], [4n, file]);
  }));
});
