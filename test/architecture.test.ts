/**
 * The house keeps its shape: imports point down the list of rooms, the pure rooms stay pure, and each of the two native
 * packages has one importer. Read from the sources, so a violation is named with its file and line.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { assert, suite } from './support/suite.js';

/** From the top of the house to its ground; a file may import from its own room and from those below. */
const ROOMS = ['bundle.ts', 'run.ts', 'index.ts', 'cli', 'teach', 'host', 'wasi', 'instrument', 'loader', 'interp', 'reloc', 'kernel', 'kernel/ffi', 'leaf'] as const;
const LEAVES = ['errors.ts', 'bytes.ts', 'uapi.ts'];
const PURE = ['interp', 'reloc', 'leaf'];

interface Import { readonly file: string; readonly line: number; readonly target: string }

const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
const imports: Import[] = files.flatMap((file) =>
  [...readFileSync(`src/${file}`, 'utf8').matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"\n;]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)import\s+'([^']+)'|\brequire\(\s*['"]([^'"]+)['"]/g)].map((match) => ({
    file,
    line: readFileSync(`src/${file}`, 'utf8').slice(0, match.index).split('\n').length,
    target: (match[1] ?? match[2] ?? match[3] ?? match[4])!,
  })));

function room(file: string): (typeof ROOMS)[number] {
  if (LEAVES.includes(file)) return 'leaf';
  const found = ROOMS.filter((name) => file === name || file.startsWith(`${name}/`)).sort((a, b) => b.length - a.length)[0];
  if (!found) throw new Error(`src/${file} stands in no room: add it to one of ${ROOMS.join(', ')}`);
  return found;
}

/** src-relative path of a relative import. */
function resolve({ file, target }: Import): string {
  return new URL(target, `file:///${file}`).pathname.slice(1).replace(/\.js$/, '.ts');
}

const where = (i: Import) => `src/${i.file}:${i.line} imports ${i.target}`;

suite('architecture', (test) => {
  test('every source file stands in a room', () => {
    assert.ok(files.length > 10);
    files.forEach(room);
  });
  test('imports point down the list of rooms', () => {
    const wrong = imports.filter((i) => i.target.startsWith('.') && ROOMS.indexOf(room(i.file)) > ROOMS.indexOf(room(resolve(i))));
    assert.equal(wrong.map(where), []);
  });
  test('interp, reloc and the leaves import no package and no node: module', () => {
    assert.equal(imports.filter((i) => PURE.includes(room(i.file)) && !i.target.startsWith('.')).map(where), []);
  });
  test('interp and reloc do not know each other, nor the kernel', () => {
    const wrong = imports.filter((i) => {
      const from = room(i.file);
      return (from === 'interp' || from === 'reloc') && i.target.startsWith('.') && room(resolve(i)) !== from && room(resolve(i)) !== 'leaf';
    });
    assert.equal(wrong.map(where), []);
  });
  test('ffi-rs is imported in kernel/ffi only, binaryen in instrument only', () => {
    const importers = (part: string, home: string) => imports.filter((i) => i.target.includes(part) && room(i.file) !== home).map(where);
    assert.equal([...importers('ffi-rs', 'kernel/ffi'), ...importers('binaryen', 'instrument')], []);
  });
  test('nothing in src uses V8’s own WebAssembly outside of the engine that wraps it', () => {
    const users = files.filter((file) => /\bWebAssembly\.(?:Module|Instance|compile|instantiate|Memory)\b/.test(readFileSync(`src/${file}`, 'utf8')) && file !== 'interp/v8.ts');
    assert.equal(users, []);
  });
});
