/** BPF objects among a module's data: whole, split over segments, hidden in passive ones, cut, fake. */
import { readFileSync } from 'node:fs';
import { decode } from '#src/interp/decode.js';
import { findObjects } from '#src/teach/find-objects.js';
import { inspect } from '#src/teach/inspect.js';
import { fixture } from '../support/probe.js';
import { assert, sameBytes, suite } from '../support/suite.js';
import { assemble } from '../support/wasm.js';

const object = readFileSync(fixture('execsnoop.bpf.o'));
const moduleOf = (...data: { at: number; bytes: Iterable<number> }[]) => decode(assemble({ memory: { min: 4 }, data: data.map(({ at, bytes }) => ({ at, bytes: [...bytes] })) }));

suite('findObjects', (test) => {
  test('finds an object with its exact size, wherever it begins', () => {
    const [found, ...rest] = findObjects(moduleOf({ at: 1000, bytes: [1, 2, 3, ...object, 9, 9, 9] }));
    assert.equal([found.address, found.segment, rest], [1003, 0, []]);
    sameBytes(found.bytes, object);
  });

  test('puts an object together that is split at zeros, in any order of the segments', () => {
    let zeros = 0;
    for (let i = 64; i < object.length - 40; i++) if (object.subarray(i, i + 20).every((b) => b === 0)) zeros = i;
    assert.ok(zeros > 0, 'the object has a run of zeros');
    const [found] = findObjects(moduleOf({ at: 2048 + zeros + 20, bytes: object.subarray(zeros + 20) }, { at: 2048, bytes: object.subarray(0, zeros) }));
    assert.equal([found.address, found.segment], [2048, 1]);
    sameBytes(found.bytes, object);
  });

  test('a later segment overwrites an earlier one', () => {
    const [found] = findObjects(moduleOf({ at: 0, bytes: new Uint8Array(object.length).fill(7) }, { at: 0, bytes: object }));
    sameBytes(found.bytes, object);
  });

  test('finds several, next to each other', () => {
    const found = findObjects(moduleOf({ at: 8, bytes: [...object, ...object] }, { at: 200_000, bytes: object }));
    assert.equal(found.map((f) => f.address), [8, 8 + object.length, 200_000]);
  });

  test('ELF files of other machines, and headers without a rest, are none', () => {
    const other = Uint8Array.from(object);
    other[18] = 62;
    assert.equal(findObjects(moduleOf({ at: 0, bytes: other })), []);
    assert.equal(findObjects(moduleOf({ at: 0, bytes: object.subarray(0, 40) })), []);
    assert.equal(findObjects(moduleOf()), []);
  });

  test('an object that is cut is reported as broken', () => {
    const cut = assemble({ memory: { min: 1 }, data: [{ at: 0, bytes: [...object.subarray(0, 3000)] }] });
    const report = inspect(cut, 'cut.wasm');
    assert.ok(report.kind === 'wasm' && report.objects.length === 1);
    const [found] = report.kind === 'wasm' ? report.objects : [];
    assert.equal([found.size, found.programs, found.maps], [3000, [], []]);
    assert.match(found.error ?? '', /^BPF object: /);
  });

  test('a module that places its data far apart costs only what it has', () => {
    const start = performance.now();
    const data = Array.from({ length: 2000 }, (_, i) => ({ at: (i * 2_000_000) % 2 ** 31, bytes: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] }));
    assert.equal(findObjects(moduleOf(...data)), []);
    assert.ok(performance.now() - start < 1000);
  });

  test('inspect answers for mutated objects, and never throws anything of its own', () => {
    let seed = 12345;
    const random = (n: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
    const end = Date.now() + 1500;
    for (let round = 0; round < 300 && Date.now() < end; round++) {
      const mutant = Uint8Array.from(object);
      for (let i = random(8); i >= 0; i--) mutant[random(mutant.length)] = random(256);
      mutant.set(object.subarray(0, 20));
      const report = inspect(mutant, 'mutant.o');
      assert.is(report.kind, 'bpf');
    }
  });
});
