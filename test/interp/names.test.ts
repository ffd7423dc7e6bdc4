import { decode } from '#src/interp/decode.js';
import { assert, suite } from '../support/suite.js';
import { leb, module, name, section, vec, type Bytes } from './wasm.js';

const sub = (id: number, ...content: Bytes): Bytes => section(id, ...content);
const map = (entries: readonly (readonly [number, string])[]): Bytes => vec(entries.map(([index, text]) => [leb(index), name(text)]));
const FULL: Bytes = [
  sub(0, name('probe')),
  sub(1, map([[0, 'first'], [300, 'läuft']])),
  sub(2, vec([[leb(0), map([[0, 'x']])], [leb(300), map([[1, 'y'], [2, 'z']])]])),
];
const names = (...content: Bytes) => decode(module(section(0, name('name'), ...content))).names;

suite('names', (test) => {
  test('Names reads module, functions and locals', () => {
    const n = names(...FULL);
    assert.is(n.module, 'probe');
    assert.equal([0, 1, 300].map((i) => n.func(i)), ['first', undefined, 'läuft']);
    assert.equal([n.local(0, 0), n.local(300, 2), n.local(300, 0), n.local(7, 0)], ['x', 'z', undefined, undefined]);
  });

  test('Names is empty without a name section', () => {
    const n = decode(module()).names;
    assert.equal([n.module, n.func(0), n.local(0, 0)], [undefined, undefined, undefined]);
  });

  test('Names keeps what stands before the fault', () => {
    const n = names(sub(0, name('probe')), sub(1, leb(9), leb(4), name('four'), leb(5), [2, 0xff, 0xff]), [2, 99]);
    assert.equal([n.module, n.func(4), n.func(5), n.local(0, 0)], ['probe', 'four', undefined, undefined]);
  });

  test('Names never throws, whatever byte is broken', () => {
    const whole = module(section(0, name('name'), ...FULL));
    for (let at = 16; at < whole.length; at++) {
      for (const value of [0x00, 0x7f, 0xff]) {
        const bytes = whole.slice();
        bytes[at] = value;
        const n = decode(bytes).names;
        void [n.module, n.func(0), n.local(300, 1)];
      }
    }
  });
});
