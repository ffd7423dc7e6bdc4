/** Functions of user-space binaries: paths, symbols, versions, patterns, and files that are none. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinary, functionOffset, globToRegExp, matchingOffsets } from '#src/loader/attach/binary.js';
import { AttachError } from '#src/errors.js';
import { random } from '../support/btf.js';
import { needsCommand } from '../support/probe.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const fail = (reason: string, wayOut?: string) => new AttachError('p', reason, wayOut);

const SOURCE = `
__attribute__((noinline)) int old_answer(void) { return 41; }
__attribute__((noinline)) int new_answer(void) { return 42; }
int answer_default(void) { return 43; }
int other(void) { return 44; }
__attribute__((weak)) int weak_one(void) { return 45; }
__asm__(".symver old_answer, answer@VERS_1");
__asm__(".symver new_answer, answer@@VERS_2");
`;
const VERSIONS = 'VERS_1 { global: answer_default; other; weak_one; local: *; }; VERS_2 { } VERS_1;';

suite('loader/attach/binary', (test) => {
  test.needing([needsCommand('clang-19', 'clang-19'), needsCommand('llvm-readelf-19', 'llvm-19')], 'functionOffset finds plain, weak and versioned symbols, the default version without one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'binary-'));
    try {
      const library = join(folder, 'libanswer.so.1');
      writeFileSync(join(folder, 'a.c'), SOURCE);
      writeFileSync(join(folder, 'a.map'), VERSIONS);
      execFileSync('clang-19', ['-shared', '-fPIC', '-O1', '-fuse-ld=lld-19', '-nostdlib', `-Wl,--version-script=${join(folder, 'a.map')}`, '-o', library, join(folder, 'a.c')], { stdio: 'pipe' });
      // the first instruction of each is `mov eax, N`
      const constant = (offset: number) => readFileSync(library).readUInt32LE(offset + readFileSync(library).subarray(offset, offset + 16).indexOf(0xb8) + 1);
      if (process.arch === 'x64') {
        assert.is(constant(functionOffset(library, 'answer', fail)), 42);
        assert.is(constant(functionOffset(library, 'answer@VERS_1', fail)), 41);
        assert.is(constant(functionOffset(library, 'answer@@VERS_2', fail)), 42);
        assert.is(constant(functionOffset(library, 'other', fail)), 44);
        assert.is(constant(functionOffset(library, 'weak_one', fail)), 45);
      }
      assert.is(matchingOffsets(library, 'answer*', fail).length, 3);
      throwsCode(() => functionOffset(library, 'answer@VERS_9', fail), 'BPF_ATTACH', /^attach program "p": no function "answer@VERS_9" in .*libanswer\.so\.1/);
      throwsCode(() => functionOffset(library, 'othr', fail), 'BPF_ATTACH', /\(did you mean "other"/);
      throwsCode(() => matchingOffsets(library, 'none*', fail), 'BPF_ATTACH', `attach program "p": no function in ${library} matches "none*"`);

      const bytes = readFileSync(library);
      const below = random(11);
      for (let i = 0; i < 200; i++) {
        const broken = Buffer.from(below(4) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes);
        for (let n = below(8); n > 0 && broken.length > 0; n--) broken[below(Math.min(broken.length, 4096))] = below(256);
        writeFileSync(join(folder, 'broken'), broken);
        try {
          functionOffset(join(folder, 'broken'), 'other', fail);
        } catch (error) {
          if (!(error instanceof AttachError)) throw error;
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('findBinary searches LD_LIBRARY_PATH for libraries and PATH for programs', () => {
    const folder = mkdtempSync(join(tmpdir(), 'binary-'));
    const { LD_LIBRARY_PATH, PATH } = process.env;
    try {
      writeFileSync(join(folder, 'libhere.so.3'), '');
      writeFileSync(join(folder, 'here-program'), '');
      process.env['LD_LIBRARY_PATH'] = folder;
      process.env['PATH'] = `${folder}:${PATH}`;
      assert.is(findBinary('libhere.so.3', fail), join(folder, 'libhere.so.3'));
      throwsCode(() => findBinary('here-program', fail), 'BPF_ATTACH', /^attach program "p": no program "here-program" in .* \(give its full path\)$/);
      chmodSync(join(folder, 'here-program'), 0o755);
      assert.is(findBinary('here-program', fail), join(folder, 'here-program'));
      assert.is(findBinary(join(folder, 'here-program'), fail), join(folder, 'here-program'));
      throwsCode(() => findBinary('./nothing/here', fail), 'BPF_ATTACH', 'attach program "p": no file ./nothing/here');
      throwsCode(() => findBinary(`${folder}/`, fail), 'BPF_ATTACH', `attach program "p": no file ${folder}/`);
    } finally {
      if (LD_LIBRARY_PATH === undefined) delete process.env['LD_LIBRARY_PATH'];
      else process.env['LD_LIBRARY_PATH'] = LD_LIBRARY_PATH;
      process.env['PATH'] = PATH;
      rmSync(folder, { recursive: true });
    }
  });

  test.table([
    ['mem*', 'memcpy', true], ['mem*', 'xmem', false], ['*cpy', 'strcpy', true], ['r??d', 'read', true], ['r??d', 'rd', false],
    ['a.b', 'axb', false], ['a+(b)[c]', 'a+(b)[c]', true], ['*', '', true],
  ] as const, ([pattern, name, matches]) => `globToRegExp: "${pattern}" ${matches ? 'takes' : 'leaves'} "${name}"`, ([pattern, name, matches]) => {
    assert.is(globToRegExp(pattern).test(name), matches);
  });
});
