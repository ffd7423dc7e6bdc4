/** `wasm-bpf btf`, and the options of `run` that say whose types count and what the verifier said, in processes of their own. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseBtf } from '#src/reloc/btf.js';
import { readBtf } from '#src/loader/btf-file.js';
import { BtfBuilder } from '../support/btf.js';
import { fixture, needsCommand, needsRoot, root } from '../support/probe.js';
import { assert, suite, type Need } from '../support/suite.js';

/** what the kernel shows of itself; where it shows nothing, there is nothing to hide */
const VMLINUX: Need = { name: '/sys/kernel/btf/vmlinux', missing: existsSync('/sys/kernel/btf/vmlinux') ? undefined : 'the kernel has no BTF' };
const dir = mkdtempSync(join(tmpdir(), 'cli-btf-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const PROGRAM = fixture('reloc/core-program.bpf.o');
const TARGET = fixture('reloc/core-target-2.bpf.o');
const out = join(dir, 'out.btf');
const cli = (args: readonly string[], env: Readonly<Record<string, string>> = {}): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [`${root}dist/cli/main.js`, ...args], { encoding: 'utf8', timeout: 20_000, env: { ...process.env, ...env } });

/** A kernel that has of what execsnoop asks for no `real_parent`. */
const builder = new BtfBuilder();
const int = builder.int('int', 4, { signed: true });
builder.struct('task_struct', 16, [{ name: 'tgid', type: int, at: 0 }, { name: 'exit_code', type: int, at: 32 }]);
const OTHER = join(dir, 'other.btf');
writeFileSync(OTHER, builder.build());

suite('wasm-bpf btf', (test) => {
  test('minimize writes the types that objects ask for', () => {
    const { status, stdout, stderr } = cli(['btf', 'minimize', PROGRAM, '--btf', TARGET, '-o', out]);
    assert.equal([status, stderr], [0, '']);
    const [few, whole] = [parseBtf(readFileSync(out), { source: 'few' }), readBtf(TARGET)];
    assert.ok(few.length < whole.length);
    assert.match(stdout, new RegExp(`^${out}: \\d+ bytes, ${few.length - 1} types of ${whole.length - 1}, for \\d+ different relocations, \\d+ of which nothing matches\\n$`));
    const again = cli(['btf', 'minimize', '--json', PROGRAM, '--btf', out, '-o', join(dir, 'again.btf')]);
    const report = JSON.parse(again.stdout) as Record<string, unknown>;
    assert.equal(Object.keys(report), ['output', 'bytes', 'types', 'typesBefore', 'relocations', 'unmatched']);
    assert.equal([report['types'], report['typesBefore'], report['bytes']], [few.length - 1, few.length - 1, few.bytes.length]);
  });

  test('check says of each program what became of it, and explains what was not found', () => {
    const { status, stdout, stderr } = cli(['btf', 'check', fixture('execsnoop.wasm'), '--btf', OTHER]);
    assert.equal([status, stderr], [1, '']);
    const lines = stdout.split('\n');
    assert.is(lines[0], `${fixture('execsnoop.wasm')}: on_exec: 3 relocations, 2 poisoned`);
    const at = lines.findIndex((line) => line.includes('struct task_struct.real_parent in the program'));
    assert.match(lines[at]!, /^ {2}struct task_struct\.real_parent in the program: type \[\d+\] struct task_struct, access "0:2", at byte 8$/);
    assert.is(lines[at + 1], `  candidate [2] struct task_struct of ${OTHER}: refused, no field "real_parent" in struct task_struct`);
    assert.match(lines[at + 2]!, /^ {2}field_byte_offset: insn \d+ of "on_exec" is poisoned: struct task_struct has no field "real_parent" in /);
  });

  test('check --json tells the same, of programs that are refused too', () => {
    const { status, stdout } = cli(['btf', 'check', '--json', PROGRAM, '--btf', fixture('reloc/core-target-4.bpf.o')]);
    assert.is(status, 1);
    const checked = JSON.parse(stdout) as { file: string; program: string; section: string; relocations: number; poisoned: number; error?: string; lines: string[] }[];
    assert.equal(checked.map(({ program }) => program), ['loads', 'signed_loads', 'stores', 'offsets', 'elements', 'bitfields', 'enums', 'types', 'matches']);
    const refused = checked.filter(({ error }) => error?.includes(' is ambiguous: '));
    assert.ok(refused.length > 0);
    for (const { lines } of refused) assert.ok(lines.length >= 3 && /^\S+ \S+ in the program: type \[\d+\] /.test(lines[0]!), lines.join('\n'));
  });

  test('check is content with what every relocation finds', () => {
    const object = fixture('execsnoop.bpf.o');
    const { status, stdout } = cli(['btf', 'check', object, '--btf', object]);
    assert.equal([status, stdout], [0, `${object}: on_exec: 3 relocations, none poisoned\n${object}: on_exit: 3 relocations, none poisoned\n`]);
  });

  test.table([
    [[], 'btf: minimize or check? (wasm-bpf btf --help)'],
    [['minimise'], 'btf: unknown action "minimise", did you mean minimize? (wasm-bpf btf --help)'],
    [['minimize'], 'btf minimize: no file given (wasm-bpf btf minimize FILE…)'],
    [['minimize', PROGRAM], 'btf minimize: no file to write (-o OUT)'],
    [['check', PROGRAM, '-o', out], 'btf check: -o: it writes no file'],
    [['check', PROGRAM, '--base', TARGET], 'btf: --base without --btf'],
    [['check', '/no/such/file'], 'cannot read "/no/such/file": there is no such file'],
    [['check', '--btf', '/no/such/file', PROGRAM], 'cannot read "/no/such/file": there is no such file'],
    [['minimize', PROGRAM, '--btf', TARGET, '-o', '/no/such/folder/out'], `cannot write "/no/such/folder/out": ENOENT: no such file or directory, open '/no/such/folder/out'`],
    [['check', `${root}package.json`], `"${root}package.json" is neither a WebAssembly module nor an ELF file`],
    [['check', fixture('wasm/sieve.wasm')], `"${fixture('wasm/sieve.wasm')}" holds no BPF object`],
    [['check', '--no', PROGRAM], 'btf: unknown option --no (wasm-bpf btf --help)'],
  ] as const, ([args]) => `btf ${args.map((arg) => arg.replace(root, '')).join(' ')} ends with status 2`, ([args, message]) => {
    const { status, stdout, stderr } = cli(['btf', ...args]);
    assert.equal([status, stdout, stderr], [2, '', `wasm-bpf: ${message}\n`]);
  });

  test('a file with types that are none ends it with status 1', () => {
    const { status, stderr } = cli(['btf', 'check', PROGRAM, '--btf', fixture('reloc/legacy.bpf.o')]);
    assert.is(status, 1);
    assert.match(stderr, /has no section "\.BTF"/);
  });
});

suite('wasm-bpf run and the kernel', (test) => {
  const probe = fixture('execsnoop.wasm');
  const gone = /^wasm-bpf: cannot load the BPF object: BPF_PROG_LOAD for program "on_exec": EINVAL: CO-RE: [^\n]*\nwasm-bpf: {3}struct [^\n]* in the program: type [^\n]*\n(wasm-bpf: {3}[^\n]*\n)+execsnoop: cannot load the BPF object\n$/;

  test.needing([needsRoot], 'run --btf relocates against that file, and says what it lacks', () => {
    const { status, stderr } = cli(['run', '--btf', OTHER, probe, '-t', '1']);
    assert.is(status, 1);
    assert.match(stderr, gone);
    assert.ok(stderr.includes(OTHER), stderr);
  });

  test.needing([needsRoot], 'run takes the file of BTF_FILE_PATH, unless --btf names another', () => {
    assert.match(cli(['run', probe, '-t', '1'], { BTF_FILE_PATH: OTHER }).stderr, gone);
    assert.is(cli(['btf', 'minimize', probe, '-o', out]).status, 0);
    for (const [args, env] of [[['--btf', out], { BTF_FILE_PATH: OTHER }], [[], { BTF_FILE_PATH: out }], [[], { BTF_FILE_PATH: '' }]] as const) {
      const { status, stderr } = cli(['run', ...args, probe, '-n', '1', '-t', '1'], env);
      assert.equal([status, stderr], [0, '']);
    }
  });

  /** Runs the probe where the kernel shows no types and nothing lies in /boot. */
  const without = (prepare: string, ...options: string[]): SpawnSyncReturns<string> => spawnSync('unshare', ['-m', 'sh', '-c',
    `set -e; cp /sys/kernel/btf/vmlinux ${dir}/whole.btf; mount -t tmpfs none /sys/kernel/btf; mount -t tmpfs none /boot; ${prepare}; exec "$@"`, 'sh',
    process.execPath, `${root}dist/cli/main.js`, 'run', ...options, probe, '-n', '1', '-t', '1'], { encoding: 'utf8', timeout: 20_000 });
  const needs = [needsRoot, VMLINUX, needsCommand('unshare', 'util-linux')];

  test.needing(needs, 'run on a kernel that shows no types says where it looked, and takes those of a file', () => {
    const { status, stderr } = without(':');
    assert.is(status, 1);
    assert.match(stderr, /^wasm-bpf: cannot load the BPF object: CO-RE without kernel BTF is not supported here, needs Linux 5\.2 or later \(\/sys\/kernel\/btf\/vmlinux is missing: [^\n]* \/boot\/vmlinux-[^\n]* were looked for, too\)\nexecsnoop: cannot load the BPF object\n$/);
    assert.is(cli(['btf', 'minimize', probe, '-o', out]).status, 0);
    const few = without(':', '--btf', out);
    assert.equal([few.status, few.stderr], [0, '']);
  });

  test.needing([...needs, needsCommand('objcopy', 'binutils')], 'run on a kernel that shows no types takes those of the vmlinux in /boot', () => {
    const { status, stderr } = without(`objcopy --add-section .BTF=${dir}/whole.btf "$(command -v objcopy)" /boot/vmlinux-$(uname -r)`);
    assert.equal([status, stderr], [0, '']);
  });

  test('run --btf of a file that is not there ends with status 2', () => {
    const { status, stderr } = cli(['run', '--btf', '/no/such/file', probe]);
    assert.equal([status, stderr], [2, 'wasm-bpf: cannot read "/no/such/file": there is no such file\n']);
  });

  test.needing([needsRoot], 'run --verifier-log shows the log of programs that load, with their source', () => {
    const { status, stderr } = cli(['run', '--verifier-log', probe, '-n', '1', '-t', '1']);
    assert.is(status, 0);
    for (const program of ['on_exec', 'on_exit']) assert.ok(stderr.includes(`wasm-bpf: the verifier's log of program "${program}":\n  func#0 @0\n`), stderr.slice(0, 500));
    assert.match(stderr, /\n {2}; [^\n]+ @ execsnoop\.bpf\.c:\d+\n {2}0: \([0-9a-f]{2}\) /);
    assert.match(stderr, /\n {2}processed \d+ insns /);
  });

  test.needing([needsRoot], 'run --verifier-log --verbose shows the log of a program that is refused once', () => {
    const { stderr } = cli(['run', '--verifier-log', '--verbose', '--btf', OTHER, probe, '-t', '1']);
    assert.is(stderr.split('<failed CO-RE relocation ').length, 2, stderr);
  });
});
