/** btf-index.ts: a blob parsed with an index from bytes is the blob parsed without one, and only its own index is taken. */
import { existsSync, readFileSync } from 'node:fs';
import { parseBtf } from '#src/reloc/btf.js';
import { decodeIndex, encodeIndex } from '#src/reloc/btf-index.js';
import { BtfBuilder } from '../support/btf.js';
import { assert, suite } from '../support/suite.js';

const VMLINUX = '/sys/kernel/btf/vmlinux';

function small(): Uint8Array {
  const b = new BtfBuilder();
  const int = b.int('int', 4, { signed: true });
  b.struct('point', 4, [{ name: 'x', type: int, at: 0 }]);
  b.struct('point___old', 8, [{ name: 'x', type: int, at: 32 }]);
  b.func('point', b.funcProto(int, []), 1);
  return b.build();
}

suite('btf-index', (test) => {
  const blob = small();
  const bytes = encodeIndex(parseBtf(blob, { source: 'small' }).index, blob);

  test.table<[string, () => Uint8Array, readonly string[]]>([
    ['a small blob', () => blob, ['point', 'int', 'po']],
    ...existsSync(VMLINUX) ? [['the kernel’s', () => new Uint8Array(readFileSync(VMLINUX)), ['task_struct', 'vfs_read', 'u8', 'bpf_map']] as [string, () => Uint8Array, readonly string[]]] : [],
  ], ([name]) => `decodeIndex gives back the index of ${name}`, ([, read, names]) => {
    const data = read();
    const fresh = parseBtf(data, { source: 'one' });
    const again = parseBtf(data, { source: 'one', index: decodeIndex(encodeIndex(fresh.index, data), data) });
    assert.is(again.length, fresh.length);
    for (let id = 0; id < fresh.length; id += 1 + (id >> 8)) assert.equal(again.type(id), fresh.type(id));
    for (const name of names) {
      assert.equal(again.idsNamed(name), fresh.idsNamed(name));
      assert.equal(again.idsWithEssentialName(name), fresh.idsWithEssentialName(name));
    }
  });

  test.table<[string, Uint8Array, Uint8Array]>([
    ['nothing', new Uint8Array(0), blob], ['a part', bytes.slice(0, bytes.length - 4), blob], ['too much', Uint8Array.of(...bytes, 0, 0, 0, 0), blob],
    ['another mark', bytes.map((byte, i) => i === 0 ? byte ^ 1 : byte), blob], ['another blob’s', bytes, new Uint8Array(blob.length + 1)],
    ['an odd place', Uint8Array.of(0, ...bytes).subarray(1), blob],
  ], ([what]) => `decodeIndex refuses ${what}`, ([, index, of]) => { assert.is(decodeIndex(index, of), undefined); });
});
