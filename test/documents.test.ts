/** The documents name only what exists: links, scripts, probes, subcommands. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { COMMANDS } from '#src/cli/main.js';
import { assert, suite } from './support/suite.js';

const read = (file: string) => readFileSync(file, 'utf8');
const documents = ['README.md', 'ARCHITECTURE.md', 'RATIONALE.md', 'CHANGELOG.md'];
const pack = JSON.parse(read('package.json')) as { scripts: Record<string, string>; files: string[]; bin: Record<string, string>; exports: { '.': { types: string; default: string } } };

suite('documents', (test) => {
  test.table(documents, (file) => `${file} links to files that exist`, (file) => {
    const links = [...read(file).matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)].map((match) => match[1]!);
    assert.equal(links.filter((link) => !existsSync(link)), []);
  });
  test('README names scripts of package.json only', () => {
    const named = [...read('README.md').matchAll(/npm (?:run )?(start|test|[a-z]+)(?=[\s`])/g)].map((match) => match[1]!).filter((name) => !['ci', 'run', 'packages'].includes(name));
    assert.ok(named.length > 3);
    assert.equal(named.filter((name) => !(name in pack.scripts)), []);
  });
  test('README lists every probe, and no other', () => {
    const section = /^## Writing a probe\n(.*?)^## /ms.exec(read('README.md'))![1]!;
    const listed = [...section.matchAll(/^\| ([a-z]+(?:-[a-z]+)?) \| .* \| .* \|$/gm)].map((match) => match[1]!).filter((name) => name !== 'probe');
    const probes = readdirSync('fixtures').filter((file) => file.endsWith('.wasm')).map((file) => file.slice(0, -5)).filter((name) => name !== 'bench');
    assert.equal(listed.sort(), probes.sort());
  });
  test('README names every subcommand that is no help', () => {
    const text = read('README.md');
    assert.equal(Object.keys(COMMANDS).filter((name) => !text.includes(`wasm-bpf ${name}`) && name !== 'demo'), []);
  });
  test('ARCHITECTURE names every folder of src', () => {
    const text = read('ARCHITECTURE.md');
    const folders = readdirSync('src', { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.parentPath === 'src').map((entry) => `src/${entry.name}/`);
    assert.ok(folders.length > 6);
    assert.equal(folders.filter((folder) => !text.includes(`\`${folder}\``)), []);
  });
  test('package.json points at files that the build makes', () => {
    const made = [pack.exports['.'].types, pack.exports['.'].default, ...Object.values(pack.bin)];
    assert.equal(made.filter((file) => !existsSync(file)), []);
    assert.equal(pack.files.filter((file) => file !== 'dist' && !existsSync(file)), []);
  });
});
