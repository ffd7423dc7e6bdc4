import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, suite } from '../support/suite.js';

/** Without NODE_PATH, by which the lab's machines of other processors find their binding. */
const node = (script: string, cwd = process.cwd()) => execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', cwd, env: { ...process.env, NODE_PATH: undefined } });
const attempt = (module: string) => `const { syscall } = await import('${module}'); try { syscall(0); } catch (error) { console.log(error.code, error.message); }`;

suite('kernel/ffi/native', (test) => {
  test.table([
    { what: 'operating system', fake: 'platform', value: 'darwin', shown: `darwin ${process.arch}` },
    { what: 'processor', fake: 'arch', value: 'riscv64', shown: 'linux riscv64' },
  ], ({ what }) => `the first use on another ${what} says what is missing`, ({ fake, value, shown }) => {
    const out = node(`Object.defineProperty(process, '${fake}', { value: '${value}' }); ${attempt('#src/kernel/ffi/syscall.js')}`);
    assert.is(out, `UNSUPPORTED system calls on ${shown} is not supported here (BPF needs Linux on x64 or arm64; inspect and the engine work everywhere)\n`);
  });
  test('importing the whole room loads no native code', () => {
    const out = node(`for (const file of ['bpf', 'map', 'ring-buffer', 'perf-buffer', 'epoll', 'features', 'netlink', 'tracefs', 'vmlinux', 'rlimit'])
      await import('#src/kernel/' + file + '.js');
      console.log(process.report.getReport().sharedObjects.filter((name) => name.includes('ffi-rs')).length)`);
    assert.is(out, '0\n');
  });
  test('a missing binding is named, with the way out', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-test-'));
    try {
      for (const part of ['errors.js', 'kernel']) cpSync(join('dist/es', part), join(folder, part), { recursive: true });
      const out = node(`import { writeFileSync } from 'node:fs'; writeFileSync('package.json', '{"type":"module"}'); ${attempt('./kernel/ffi/syscall.js')}`, folder);
      assert.match(out, /^UNSUPPORTED system calls on linux \w+ is not supported here \(ffi-rs has no native binding here: Cannot find module '@yuuang\/ffi-rs-linux-\w+-gnu'; reinstall with npm ci\)\n$/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
