/** cache.ts: what is written comes back, and nothing else does, in a folder of the test's own. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelBuildId, readCache, writeCache } from '#src/kernel/cache.js';
import { assert, suite } from '../support/suite.js';

/** Runs with these variables instead of the machine's, `~` being a folder that is gone afterwards. */
function at(variables: { readonly XDG_CACHE_HOME?: string; readonly HOME?: string }, body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'cache-'));
  const { XDG_CACHE_HOME, HOME } = process.env;
  const set = (name: 'XDG_CACHE_HOME' | 'HOME', value: string | undefined) => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value.replace('~', folder);
  };
  set('XDG_CACHE_HOME', variables.XDG_CACHE_HOME);
  set('HOME', variables.HOME);
  try {
    body(folder);
  } finally {
    set('XDG_CACHE_HOME', XDG_CACHE_HOME);
    set('HOME', HOME);
    rmSync(folder, { recursive: true });
  }
}

const BYTES = Uint8Array.of(1, 2, 3);

suite('kernel/cache', (test) => {
  test.table<[{ readonly XDG_CACHE_HOME?: string; readonly HOME?: string }, string]>([
    [{ XDG_CACHE_HOME: '~/own', HOME: '~' }, 'own/wasm-bpf-ts'], [{ HOME: '~' }, '.cache/wasm-bpf-ts'], [{ XDG_CACHE_HOME: 'relative', HOME: '~' }, '.cache/wasm-bpf-ts'],
  ], ([variables]) => `readCache gives what writeCache wrote when the variables are ${JSON.stringify(variables)}`, ([variables, place]) => {
    at(variables, (folder) => {
      assert.is(readCache('some'), undefined);
      writeCache('some', Uint8Array.of(9));
      writeCache('some', BYTES);
      assert.equal(readCache('some'), BYTES);
      assert.equal(readdirSync(join(folder, place)), ['some']);
      assert.is(statSync(join(folder, place)).mode & 0o777, 0o700);
    });
  });

  test('readCache refuses a file that others may write', () => {
    at({ HOME: '~' }, (folder) => {
      writeCache('some', BYTES);
      chmodSync(join(folder, '.cache/wasm-bpf-ts/some'), 0o620);
      assert.is(readCache('some'), undefined);
    });
  });

  test('readCache refuses what is no file', () => {
    at({ HOME: '~' }, (folder) => {
      mkdirSync(join(folder, '.cache/wasm-bpf-ts/some'), { recursive: true });
      assert.is(readCache('some'), undefined);
    });
  });

  test.table([{}, { HOME: 'relative' }, { HOME: '~/file' }, { HOME: '/proc' }], (variables) => `writeCache does nothing when the variables are ${JSON.stringify(variables)}`, (variables) => {
    at(variables, (folder) => {
      writeFileSync(join(folder, 'file'), '');
      writeCache('some', BYTES);
      assert.is(readCache('some'), undefined);
      assert.equal(readdirSync(folder), ['file']);
    });
  });

  test('kernelBuildId is 20 bytes in hexadecimal digits', () => {
    const id = kernelBuildId();
    // kernels without notes have none
    if (id !== undefined) assert.match(id, /^[0-9a-f]{40}$/);
  });
});
