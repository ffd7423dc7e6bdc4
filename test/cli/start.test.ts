/** What the build makes to start fast: that it is used, and that a start without its cache, or with a bad one, is only slower. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../support/probe.js';
import { assert, suite } from '../support/suite.js';
import { assemble } from '../support/wasm.js';

const dir = mkdtempSync(join(tmpdir(), 'start-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

/** exits with 42 */
const MODULE = join(dir, 'exit.wasm');
writeFileSync(MODULE, assemble({ imports: [{ module: 'wasi_snapshot_preview1', name: 'proc_exit', type: 'i:' }], memory: { min: 1 }, funcs: [{ type: ':', export: '_start', body: [['i32.const', 42], ['call', 0]] }] }));
/** as users start it: coverage would take the modules instead of the bundle */
const PLAIN = { ...process.env, NODE_V8_COVERAGE: undefined };
const CACHE = readFileSync(`${root}dist/bundle.${process.arch}.cache`);

/** A copy of what is built, without the modules, with that cache. */
function built(name: string, cache: Uint8Array | undefined): string {
  const copy = join(dir, name);
  for (const file of ['package.json', 'bundle.js', 'run.js', 'cli/main.js']) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    copyFileSync(`${root}dist/${file}`, join(copy, file));
  }
  if (cache) writeFileSync(join(copy, `bundle.${process.arch}.cache`), cache);
  return copy;
}

suite('start', (test) => {
  test('the cache is one that this node takes', () => {
    const script = `const { readFileSync } = require('node:fs');
      const source = readFileSync('${root}dist/bundle.js', 'latin1'), cachedData = readFileSync('${root}dist/bundle.${process.arch}.cache');
      console.log(new (require('node:vm').Script)(source, { cachedData }).cachedDataRejected);`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', env: PLAIN });
    assert.equal([stdout, stderr], ['false\n', '']);
  });

  test.table([
    { name: 'whole', cache: CACHE },
    { name: 'missing', cache: undefined },
    { name: 'empty', cache: new Uint8Array(0) },
    { name: 'cut', cache: CACHE.subarray(0, CACHE.length >> 1) },
    // the word after V8's magic number is the hash of its version
    { name: 'another V8\'s', cache: Uint8Array.from(CACHE, (byte, at) => at === 4 ? byte ^ 0xff : byte) },
    { name: 'no cache', cache: new Uint8Array(1 << 16).fill(0x77) },
  ], ({ name }) => `run.js and cli/main.js run the bundle alone when its cache is: ${name}`, ({ name, cache }) => {
    const copy = built(name.replace(/\W/g, '-'), cache);
    for (const args of [['run.js', MODULE], ['cli/main.js', 'run', MODULE]]) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(copy, args[0]), ...args.slice(1)], { encoding: 'utf8', env: PLAIN });
      assert.equal([status, stdout, stderr], [42, '', '']);
    }
  });

  test('run.js runs the modules where coverage is measured', () => {
    const into = join(dir, 'coverage');
    const { status } = spawnSync(process.execPath, [`${root}dist/run.js`, MODULE], { env: { ...process.env, NODE_V8_COVERAGE: into } });
    const files = readdirSync(into).map((file) => readFileSync(join(into, file), 'utf8'));
    assert.equal([status, files.length, files[0].includes('dist/es/interp/run.js'), files[0].includes('dist/bundle.js')], [42, 1, true, false]);
  });

  test('importing the package gives everything that index.ts exports, out of the bundle', async () => {
    const api = await import('wasm-bpf-ts'), modules = await import('#src/index.js');
    assert.equal(Object.keys(api).sort(), Object.keys(modules).sort());
    assert.not(api.BpfObject === modules.BpfObject);
    const object = readFileSync(`${root}fixtures/execsnoop.bpf.o`);
    assert.equal(api.inspect(object, 'execsnoop.bpf.o'), modules.inspect(object, 'execsnoop.bpf.o'));
  });

  test('the package holds the bundle, its cache and the modules', () => {
    const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], { cwd: root, encoding: 'utf8' });
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const held = new Set(files.map(({ path }) => path));
    const wanted = ['package.json', 'run.js', 'index.mjs', 'cli/main.js', 'cli/start.js', 'bundle.js', `bundle.${process.arch}.cache`, 'es/package.json', 'es/index.js', 'es/index.d.ts'];
    assert.equal(wanted.filter((file) => !held.has(`dist/${file}`)), []);
  });
});
