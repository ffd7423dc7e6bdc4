/** The command line in processes of its own: help, messages, exit statuses, signals, grants, inspect's text and JSON. */
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModuleReport, ObjectReport } from '#src/teach/inspect.js';
import { fixture, root } from '../support/probe.js';
import { ENGINE_NAMES } from '#src/interp/engines.js';
import { assert, suite } from '../support/suite.js';
import { assemble, type Instruction, type ModuleSpec } from '../support/wasm.js';

const dir = mkdtempSync(join(tmpdir(), 'cli-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const cli = (...args: string[]): SpawnSyncReturns<string> => spawnSync(process.execPath, [`${root}dist/cli/main.js`, ...args], { encoding: 'utf8', timeout: 20_000, env: { ...process.env, GRANTED: 'yes' } });
/** Writes a module to a file and gives its path. */
const file = (name: string, spec: ModuleSpec): string => {
  const path = join(dir, `${name}.wasm`);
  writeFileSync(path, assemble(spec));
  return path;
};

const WASI = 'wasi_snapshot_preview1';
const WRITE = { module: WASI, name: 'fd_write', type: 'iiii:i' };
const HELLO = { memory: { min: 1 }, data: [{ at: 0, bytes: [16, 0, 0, 0, 3, 0, 0, 0] }, { at: 16, bytes: [0x68, 0x69, 0x0a] }] };
const SAY: Instruction[] = [['i32.const', 1], ['i32.const', 0], ['i32.const', 1], ['i32.const', 8], ['call', 0], 'drop'];
const LOOP = file('loop', { ...HELLO, imports: [WRITE], funcs: [{ type: ':', export: '_start', body: [...SAY, ['loop', ''], ['br', 0], 'end'] }] });
const CHATTER = file('chatter', { ...HELLO, imports: [WRITE], funcs: [{ type: ':', export: '_start', body: [['loop', ''], ...SAY, ['br', 0], 'end'] }] });
const TRAP = file('trap', { ...HELLO, imports: [WRITE], funcs: [{ type: ':', export: '_start', name: '_start', body: [...SAY, 'unreachable'] }] });
const INVALID = file('invalid', { ...HELLO, imports: [WRITE], funcs: [{ type: ':', export: '_start', body: [...SAY, ['call', 2]] }, { type: ':', name: 'faulty', body: ['drop'] }] });
const EXIT = file('exit', { imports: [{ module: WASI, name: 'proc_exit', type: 'i:' }], memory: { min: 1 }, funcs: [{ type: ':', export: '_start', body: [['i32.const', 42], ['call', 0]] }] });
/** standard input to standard output, up to 4096 bytes at a time */
const CAT = file('cat', {
  imports: [{ module: WASI, name: 'fd_read', type: 'iiii:i' }, WRITE], memory: { min: 1 }, data: [{ at: 0, bytes: [0, 4, 0, 0, 0, 16, 0, 0] }],
  funcs: [{ type: ':', export: '_start', body: [
    ['block', ''], ['loop', ''],
    ['i32.const', 0], ['i32.const', 4096], ['i32.store', 4],
    ['i32.const', 0], ['i32.const', 0], ['i32.const', 1], ['i32.const', 8], ['call', 0], ['br_if', 1],
    ['i32.const', 8], ['i32.load', 0], 'i32.eqz', ['br_if', 1],
    ['i32.const', 0], ['i32.const', 8], ['i32.load', 0], ['i32.store', 4],
    ['i32.const', 1], ['i32.const', 0], ['i32.const', 1], ['i32.const', 12], ['call', 1], ['br_if', 1],
    ['br', 0], 'end', 'end',
  ] }],
});
const ADD = file('add', { funcs: [{ type: 'ii:i', export: 'add', body: [['local.get', 0], ['local.get', 1], 'i32.add'] }] });
/** exits with the byte count of one of the WASI lists: environ_sizes_get or args_sizes_get */
const sizes = (name: string): string => file(name, {
  imports: [{ module: WASI, name, type: 'ii:i' }, { module: WASI, name: 'proc_exit', type: 'i:' }], memory: { min: 1 },
  funcs: [{ type: ':', export: '_start', body: [['i32.const', 0], ['i32.const', 4], ['call', 0], 'drop', ['i32.const', 4], ['i32.load', 0], ['call', 1]] }],
});
/** exits with the errno of fd_prestat_get(3) */
const PRESTAT = file('prestat', {
  imports: [{ module: WASI, name: 'fd_prestat_get', type: 'ii:i' }, { module: WASI, name: 'proc_exit', type: 'i:' }], memory: { min: 1 },
  funcs: [{ type: ':', export: '_start', body: [['i32.const', 3], ['i32.const', 0], ['call', 0], ['call', 1]] }],
});

suite('wasm-bpf', (test) => {
  test('alone, with --help and with help prints the commands', () => {
    for (const args of [[], ['--help'], ['-h'], ['help']]) {
      const { status, stdout, stderr } = cli(...args);
      assert.equal([status, stderr], [0, '']);
      for (const line of ['usage: wasm-bpf COMMAND', '  run       runs a module', '  inspect   shows what', '  btf       relocates', '  demo      runs a probe', 'Exit status: 0 success']) assert.ok(stdout.includes(line), line);
      assert.not.match(stdout, /\x1b/);
    }
  });

  test('--version prints the package\'s', () => {
    const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };
    assert.is(cli('--version').stdout, `${version}\n`);
  });

  test.table(['run', 'inspect', 'btf', 'demo'], (name) => `${name} --help, -h and help ${name} print the same`, (name) => {
    const { stdout, status } = cli(name, '--help');
    assert.is(status, 0);
    assert.match(stdout, new RegExp(`^usage: wasm-bpf ${name}`));
    assert.is(cli(name, '-h').stdout, stdout);
    assert.is(cli('help', name).stdout, stdout);
  });

  test.table<{ args: string[]; says: string; status?: number }>([
    { args: ['inspct'], says: 'unknown command "inspct", did you mean inspect? (wasm-bpf --help)' },
    { args: ['zzz'], says: 'unknown command "zzz" (wasm-bpf --help)' },
    { args: ['--versoin'], says: 'unknown option "--versoin", did you mean --version? (wasm-bpf --help)' },
    { args: ['help', 'rum'], says: 'unknown command "rum", did you mean run? (wasm-bpf --help)' },
    { args: ['run'], says: 'run: no module given (wasm-bpf run MODULE.wasm [ARGS…])' },
    { args: ['run', '--verbos', 'x'], says: 'run: unknown option --verbos, did you mean --verbose? (wasm-bpf run --help)' },
    { args: ['run', '--max-memory', '1T', EXIT], says: 'run: --max-memory 1T: from 64K to 4G is possible' },
    { args: ['run', '--engine', 'turbo', EXIT], says: 'there is no engine "turbo" (one of interp, jit, mixed, v8 is possible)' },
    { args: ['run', '--env', '=x', EXIT], says: 'run: --env =x: the variable has no name' },
    { args: ['run', '--dir', '/no/such', EXIT], says: 'run: --dir /no/such: ENOENT: no such file or directory, stat \'/no/such\'' },
    { args: ['run', '--dir', '/etc/passwd', EXIT], says: 'run: --dir /etc/passwd: "/etc/passwd" is no folder' },
    { args: ['run', '--dir', '/tmp::', EXIT], says: 'run: --dir /tmp::: a folder and a name are needed (--dir HOST::GUEST)' },
    { args: ['run', '/no/such.wasm'], says: 'cannot read "/no/such.wasm": there is no such file' },
    { args: ['run', '/tmp'], says: 'cannot read "/tmp": it is a folder' },
    { args: ['run', fixture('execsnoop.bpf.o')], says: `"${fixture('execsnoop.bpf.o')}" is an ELF file, not a WebAssembly module (wasm-bpf inspect shows what a BPF object holds; only a module that embeds it can run)` },
    { args: ['run', `${root}package.json`], says: `"${root}package.json" is not a WebAssembly module: it starts with 7b0a2020, not 0061736d` },
    { args: ['inspect'], says: 'inspect: one file is wanted, 0 given (wasm-bpf inspect FILE)' },
    { args: ['inspect', `${root}package.json`], says: `"${root}package.json" is neither a WebAssembly module nor an ELF file: it starts with 7b0a2020` },
    { args: ['demo', 'x'], says: 'demo: it takes no arguments, "x" is one (wasm-bpf demo)' },
  ], ({ args }) => `${args.map((a) => a.replace(dir, '').replace(root, '')).join(' ')} is refused`, ({ args, says, status = 2 }) => {
    const result = cli(...args);
    assert.equal([result.stderr, result.stdout, result.status], [`wasm-bpf: ${says}\n`, '', status]);
  });
});

suite('wasm-bpf run', (test) => {
  test('the guest\'s exit status is the command\'s; a trap is 134 with its stack', () => {
    assert.is(cli('run', EXIT).status, 42);
    const { status, stdout, stderr } = cli('run', TRAP);
    assert.equal([status, stdout], [134, 'hi\n']);
    assert.match(stderr, /^wasm-bpf: trap: unreachable\n {4}at _start \(0x[0-9a-f]+\)\n$/);
  });

  test.table(ENGINE_NAMES, (engine) => `--engine ${engine} runs, traps, and reads standard input to its end`, (engine) => {
    assert.is(cli('run', '--engine', engine, EXIT).status, 42);
    const trap = cli('run', '--engine', engine, TRAP);
    assert.equal([trap.status, trap.stdout], [134, 'hi\n']);
    assert.match(trap.stderr, /^wasm-bpf: trap: unreachable\n {4}at _start \(0x[0-9a-f]+\)\n$/);
    const { status, stdout } = spawnSync(process.execPath, [`${root}dist/cli/main.js`, 'run', '--engine', engine, CAT], { input: 'x'.repeat(200_000), encoding: 'utf8', timeout: 20_000 });
    assert.equal([status, stdout], [0, 'x'.repeat(200_000)]);
  });

  test('without --engine a process that may not make code interprets', () => {
    const { status, stdout } = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', `${root}dist/cli/main.js`, 'run', '--invoke', 'add', ADD, '1', '2'], { encoding: 'utf8' });
    assert.equal([status, stdout], [0, '3\n']);
  });

  test('an invalid function ends the guest when it is called, with its fault and status 1', () => {
    const { status, stdout, stderr } = cli('run', INVALID);
    assert.equal([status, stdout], [1, 'hi\n']);
    assert.match(stderr, /^wasm-bpf: invalid module: drop at 0x[0-9a-f]+ in func 2 "faulty": type mismatch \(expected a value, found an empty stack\)\n$/);
  });

  test('--invoke prints results', () => {
    const { status, stdout } = cli('run', '--invoke', 'add', ADD, '2', '-5');
    assert.equal([status, stdout], [0, '-3\n']);
  });

  test('what follows the module is the guest\'s', () => {
    const module = sizes('args_sizes_get');
    assert.is(cli('run', module).status, module.length + 1);
    assert.is(cli('run', module, '--help', '--', '-v').status, module.length + 1 + 7 + 3 + 3);
    assert.is(cli('run', '--', module, '-v').status, module.length + 1 + 3);
  });

  test('--env grants variables, by value or by name; without it there are none', () => {
    const module = sizes('environ_sizes_get');
    assert.is(cli('run', module).status, 0);
    assert.is(cli('run', '--env', 'A=bc', module).status, 5);
    assert.is(cli('run', '--env', 'GRANTED', '--env', 'NOT_SET_ANYWHERE', module).status, 'GRANTED=yes'.length + 1);
  });

  test('--dir grants folders; without it there are none', () => {
    assert.is(cli('run', PRESTAT).status, 8);
    assert.is(cli('run', '--dir', `${dir}::/data`, PRESTAT).status, 0);
  });

  test('--stats speaks of modules without BPF too', () => {
    assert.is(cli('run', '--stats', EXIT).stderr, 'wasm-bpf: the module has no BPF imports\n');
  });

  /** For runs against the clock: writing coverage takes seconds at the end. Node hands the variable on unless it is named. */
  const TIMED = { ...process.env, NODE_V8_COVERAGE: undefined };

  /** Starts a module, waits for its first output, signals it. */
  const signalled = (module: string, signal: NodeJS.Signals): Promise<{ status: number | null; ms: number; out: string }> => new Promise((resolve) => {
    const child = spawn(process.execPath, [`${root}dist/run.js`, module], { stdio: ['ignore', 'pipe', 'inherit'], env: TIMED });
    let out = '', at = 0;
    child.stdout.on('data', (text: Buffer) => {
      if (at === 0) {
        at = performance.now();
        child.kill(signal);
      }
      out += text.toString();
    });
    child.on('close', (status) => resolve({ status, ms: performance.now() - at, out }));
  });

  test.table([['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const, ([signal]) => `${signal} ends a guest that computes for ever`, async ([signal, expected]) => {
    const { status, ms, out } = await signalled(LOOP, signal);
    assert.equal([status, out], [expected, 'hi\n']);
    // the promise is 100 ms; the test's machine may be busy
    assert.ok(ms < 500, `${ms} ms`);
  });

  test('SIGINT ends a guest that writes for ever, with whole lines out', async () => {
    const { status, out } = await signalled(CHATTER, 'SIGINT');
    assert.is(status, 130);
    assert.match(out, /^(hi\n)+$/);
  });

  test('SIGINT ends a guest whose reader stands still', async () => {
    const child = spawn(process.execPath, [`${root}dist/run.js`, CHATTER], { stdio: ['ignore', 'pipe', 'inherit'], env: TIMED });
    child.stdout.pause();
    await new Promise((done) => setTimeout(done, 1000));
    const at = performance.now();
    child.kill('SIGINT');
    const status = await new Promise((done) => child.on('exit', done));
    assert.is(status, 130);
    assert.ok(performance.now() - at < 1000);
  });

  test.table(ENGINE_NAMES, (engine) => `a reader that goes away ends the guest quietly on ${engine}`, (engine) => {
    const { stdout, stderr } = spawnSync('sh', ['-c', `{ "$0" "$1" --engine "$2" "$3"; echo "status $?" >&2; } | head -n 1`, process.execPath, `${root}dist/run.js`, engine, CHATTER], { encoding: 'utf8', timeout: 20_000 });
    assert.equal([stdout, stderr], ['hi\n', 'status 141\n']);
  });
});

suite('wasm-bpf inspect', (test) => {
  test('shows a module and its objects as tables', () => {
    const { status, stdout, stderr } = cli('inspect', fixture('execsnoop.wasm'));
    assert.equal([status, stderr], [0, '']);
    for (const line of [
      / {4}wasm_bpf\.wasm_load_bpf_object +func \(i32, i32\) -> i64\n/, / {4}_start +func \(\)\n/, /\nBPF object 1, \d+ bytes at address 0x[0-9a-f]+\n {2}license "Dual MIT\/GPL"\n/,
      / {4}on_exec {2}SEC\("tp\/sched\/sched_process_exec"\) {2}tracepoint {2}\d+ insns {2}uses started, events, \.bss\n/,
      / {4}started {2}hash +unsigned int -> unsigned long long {2}4 -> 8 bytes {2}max 8192\n/, / {4}\.bss {2}\+0 {2}unsigned long long {2}lost = 0\n/,
      / {4}on_exec {2}field_byte_offset {2}struct task_struct\.real_parent +insn \d+\n/, / {4}\.BTF +progbits +\d+ bytes\n/,
    ]) assert.match(stdout, line);
  });

  test('shows an object alone, and the same of it as when it is embedded', () => {
    const alone = JSON.parse(cli('inspect', '--json', fixture('execsnoop.bpf.o')).stdout) as ObjectReport;
    const module = JSON.parse(cli('inspect', fixture('execsnoop.wasm'), '--json').stdout) as ModuleReport;
    assert.is(module.objects.length, 1);
    const { segment, address, ...embedded } = module.objects[0];
    assert.is(typeof segment, 'number');
    assert.ok((address ?? 0) > 0);
    assert.equal(embedded, alone);
    assert.equal(Object.keys(alone), ['kind', 'size', 'sections', 'programs', 'maps', 'globals', 'externs', 'license']);
    assert.equal(alone.maps.find((m) => m.name === 'events'), { name: 'events', type: 'ringbuf', keySize: 0, valueSize: 0, maxEntries: 262144, flags: [], pinned: false });
  });

  test('finds both objects of a module that has two', () => {
    const { objects } = JSON.parse(cli('inspect', '--json', fixture('twobpf.wasm')).stdout) as ModuleReport;
    assert.is(objects.length, 2);
    assert.ok(objects.every((o) => o.error === undefined && o.programs.length > 0));
  });

  test('needs no privilege and never loads ffi-rs', () => {
    const script = `
      import { main } from ${JSON.stringify(`${root}dist/es/cli/main.js`)};
      process.setuid(65534);
      const status = await main(['inspect', ${JSON.stringify(fixture('execsnoop.wasm'))}]);
      const maps = (await import('node:fs')).readFileSync('/proc/self/maps', 'utf8');
      console.log(status, maps.includes('ffi-rs'));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.match(stdout, /\n0 false\n$/);
  });

  test('a broken object is shown as far as it goes, with status 1', () => {
    const path = join(dir, 'broken.o');
    writeFileSync(path, readFileSync(fixture('execsnoop.bpf.o')).subarray(0, 2000));
    const { status, stdout } = cli('inspect', path);
    assert.is(status, 1);
    assert.match(stdout, /BPF object, 2000 bytes\n {2}BPF object: /);
  });

  test('large output through a pipe is whole', () => {
    const { stdout } = cli('inspect', '--json', fixture('opensnoop.wasm'));
    assert.is((JSON.parse(stdout) as ModuleReport).kind, 'wasm');
  });
});
