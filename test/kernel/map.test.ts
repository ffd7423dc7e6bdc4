import { BpfMap } from '#src/kernel/map.js';
import * as bpf from '#src/kernel/bpf.js';
import { possibleCpus } from '#src/kernel/cpus.js';
import { openFds } from '#src/kernel/fd.js';
import { ElemFlag, MapCreateFlag, MapType, ProgType } from '#src/uapi.js';
import { EXIT, asm, mov } from '../support/bpf-asm.js';
import { descriptors, needsFeature, u32Bytes, u64Bytes } from '../support/kernel.js';
import { assert, sameBytes, suite, throwsCode } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };

function withMap(spec: Partial<bpf.MapCreate>, use: (map: BpfMap) => void): void {
  const map = BpfMap.create({ type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 64, name: 'counts', ...spec });
  try {
    use(map);
  } finally {
    map.close();
  }
}

const fill = (map: BpfMap, count: number) => {
  for (let i = 0; i < count; i++) map.update(u32Bytes(i), u64Bytes(BigInt(i) * 3n));
};
const read32 = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);

suite('kernel/map', (test) => {
  test('BpfMap knows its sizes from the kernel', () => withMap({ flags: MapCreateFlag.NO_PREALLOC }, (map) => {
    assert.equal([map.name, map.type, map.keySize, map.valueSize, map.elementSize, map.maxEntries, map.flags, map.perCpu], ['counts', 1, 4, 8, 8, 64, 1, false]);
    assert.ok(map.id > 0);
    assert.is(map.subject, 'map "counts" (hash, 4 -> 8 bytes)');
  }));
  test.table([MapType.PERCPU_ARRAY, MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH], (type) => `a map of type ${type} has a value for each possible CPU, rounded up to 8 bytes`, (type) => withMap({ type, valueSize: 12 }, (map) => {
    assert.is(map.elementSize, 16 * possibleCpus());
    const value = new Uint8Array(map.elementSize);
    for (let cpu = 0; cpu < possibleCpus(); cpu++) value.fill(cpu + 1, cpu * 16, cpu * 16 + 12);
    map.update(u32Bytes(3), value);
    const back = new Uint8Array(map.elementSize);
    assert.is(map.lookup(u32Bytes(3), back), true);
    sameBytes(back, value);
  }));
  test('update obeys its flags', () => withMap({ maxEntries: 2 }, (map) => {
    map.update(u32Bytes(1), u64Bytes(1n), ElemFlag.NOEXIST);
    throwsCode(() => map.update(u32Bytes(1), u64Bytes(2n), ElemFlag.NOEXIST), 'SYSCALL', 'BPF_MAP_UPDATE_ELEM for map "counts" (hash, 4 -> 8 bytes): EEXIST');
    throwsCode(() => map.update(u32Bytes(2), u64Bytes(2n), ElemFlag.EXIST), 'SYSCALL', 'BPF_MAP_UPDATE_ELEM for map "counts" (hash, 4 -> 8 bytes): ENOENT');
    map.update(u32Bytes(2), u64Bytes(2n));
    throwsCode(() => map.update(u32Bytes(3), u64Bytes(3n)), 'SYSCALL', 'BPF_MAP_UPDATE_ELEM for map "counts" (hash, 4 -> 8 bytes): E2BIG');
  }));
  test('lookup, delete and take say whether there was an element', () => withMap({}, (map) => {
    const value = new Uint8Array(8);
    assert.is(map.lookup(u32Bytes(9), value), false);
    map.update(u32Bytes(9), u64Bytes(0xffff_ffff_ffff_ffffn));
    assert.is(map.lookup(u32Bytes(9), value), true);
    sameBytes(value, u64Bytes(0xffff_ffff_ffff_ffffn));
    assert.is(map.delete(u32Bytes(9)), true);
    assert.is(map.delete(u32Bytes(9)), false);
  }));
  test.table([
    { type: MapType.QUEUE, order: [1, 2, 3] }, { type: MapType.STACK, order: [3, 2, 1] },
  ], ({ type }) => `keyless maps of type ${type} take, peek and end`, ({ type, order }) => withMap({ type, keySize: 0, valueSize: 4 }, (map) => {
    for (const n of [1, 2, 3]) map.update(undefined, u32Bytes(n));
    const value = new Uint8Array(4);
    assert.is(map.lookup(undefined, value), true);
    assert.is(read32(value), order[0]);
    const taken: number[] = [];
    while (map.take(undefined, value)) taken.push(read32(value));
    assert.equal(taken, order);
    assert.is(map.lookup(undefined, value), false);
  }));
  test('a bloom filter contains what was added', () => {
    let map: BpfMap;
    try {
      map = BpfMap.create({ type: MapType.BLOOM_FILTER, keySize: 0, valueSize: 4, maxEntries: 100, name: 'bloom' });
    } catch (error) {
      // Linux 5.16
      assert.match((error as Error).message, /bloom_filter.*EINVAL$/);
      return;
    }
    map.update(undefined, u32Bytes(7));
    assert.is(map.contains(u32Bytes(7)), true);
    assert.is([...Array(100).keys()].filter((n) => map.contains(u32Bytes(n + 1000))).length < 30, true);
    map.close();
  });
  test('keys walks every key once', () => withMap({}, (map) => {
    fill(map, 50);
    assert.equal([...map.keys()].length, 50);
    assert.equal([...function* () { for (const key of map.keys()) yield read32(key); }()].sort((a, b) => a - b), [...Array(50).keys()]);
  }));
  test.table([
    { type: MapType.HASH, count: 1000 }, { type: MapType.LRU_HASH, count: 100 }, { type: MapType.HASH, count: 0 }, { type: MapType.HASH, count: 1 },
  ], ({ type, count }) => `entries gives all ${count} elements of a map of type ${type}`, ({ type, count }) => withMap({ type, maxEntries: 2048 }, (map) => {
    fill(map, count);
    const all = [...map.entries()];
    assert.is(all.length, count);
    for (const { key, value } of all) sameBytes(value, u64Bytes(BigInt(read32(key)) * 3n));
    assert.is(new Set(all.map(({ key }) => read32(key))).size, count);
  }));
  test('entries gives arrays and per-CPU maps whole', () => {
    withMap({ type: MapType.ARRAY, maxEntries: 700 }, (map) => {
      fill(map, 700);
      assert.equal([...map.entries()].map(({ key }) => read32(key)), [...Array(700).keys()]);
    });
    withMap({ type: MapType.PERCPU_HASH }, (map) => {
      map.update(u32Bytes(5), new Uint8Array(map.elementSize).fill(2));
      const all = [...map.entries()];
      assert.is(all.length, 1);
      sameBytes(all[0].value, new Uint8Array(map.elementSize).fill(2));
    });
  });
  test('entries walks map types without batch commands', () => {
    withMap({ type: MapType.PROG_ARRAY, valueSize: 4, maxEntries: 8 }, (map) => {
      const prog = bpf.progLoad({ type: ProgType.SOCKET_FILTER, insns: asm(mov(0, 0), EXIT), license: 'GPL' });
      map.update(u32Bytes(3), u32Bytes(prog.value));
      const all = [...map.entries()];
      assert.equal(all.map(({ key, value }) => [read32(key), read32(value)]), [[3, bpf.progInfo(prog.value).id]]);
      prog.close();
    });
    withMap({ type: MapType.LPM_TRIE, keySize: 8, flags: MapCreateFlag.NO_PREALLOC }, (map) => {
      map.update(u32Bytes(24, 0x00_01_02_03), u64Bytes(1n));
      map.update(u32Bytes(32, 0x04_01_02_03), u64Bytes(2n));
      assert.is([...map.entries()].length, 2);
    });
  });
  test('updateBatch adds many at once', () => withMap({ maxEntries: 500 }, (map) => {
    const keys = u32Bytes(...Array(500).keys());
    const values = u64Bytes(...Array.from({ length: 500 }, (_, i) => BigInt(i)));
    map.updateBatch(keys, values);
    assert.is([...map.keys()].length, 500);
    const value = new Uint8Array(8);
    map.lookup(u32Bytes(499), value);
    sameBytes(value, u64Bytes(499n));
    throwsCode(() => map.updateBatch(keys, values.subarray(8)), 'USAGE', 'map "counts" (hash, 4 -> 8 bytes): 2000 bytes of keys and 3992 bytes of values are not a whole number of elements (4 and 8 bytes each)');
  }));
  test('freeze stops changes from here', () => withMap({ type: MapType.ARRAY }, (map) => {
    map.freeze();
    throwsCode(() => map.update(u32Bytes(0), u64Bytes(1n)), 'SYSCALL', /EPERM/);
  }));
  test.needing([needsFeature('arrayMmap')], 'mmap shares an array with the kernel', () => withMap({ type: MapType.ARRAY, valueSize: 12, flags: MapCreateFlag.MMAPABLE }, (map) => {
    const mapping = map.mmap();
    mapping.bytes.fill(9, 16, 28);
    const value = new Uint8Array(12);
    assert.is(map.lookup(u32Bytes(1), value), true);
    sameBytes(value, new Uint8Array(12).fill(9));
    mapping.close();
  }));
  test.table([
    { name: 'a short key', run: (map: BpfMap) => map.lookup(new Uint8Array(3), new Uint8Array(8)), message: 'map "counts" (hash, 4 -> 8 bytes): the key has 3 bytes, the map\'s keys have 4' },
    { name: 'no key', run: (map: BpfMap) => map.update(undefined, new Uint8Array(8)), message: 'map "counts" (hash, 4 -> 8 bytes): the key has 0 bytes, the map\'s keys have 4' },
    { name: 'a short value', run: (map: BpfMap) => map.lookup(new Uint8Array(4), new Uint8Array(7)), message: 'map "counts" (hash, 4 -> 8 bytes): the value has 7 bytes, the map moves 8' },
    { name: 'a short next key', run: (map: BpfMap) => map.nextKey(undefined, new Uint8Array(2)), message: 'map "counts" (hash, 4 -> 8 bytes): the key has 2 bytes, the map\'s keys have 4' },
    { name: 'a mapping without the flag', run: (map: BpfMap) => map.mmap(), message: 'map "counts" (hash, 4 -> 8 bytes) cannot be mapped: it is made without BPF_F_MMAPABLE' },
  ], ({ name }) => `BpfMap refuses ${name}`, ({ run, message }) => withMap({}, (map) => {
    throwsCode(() => run(map), 'USAGE', message);
  }));
  test('BpfMap tells per-CPU sizes in its refusal', () => withMap({ type: MapType.PERCPU_ARRAY }, (map) => {
    const cpus = possibleCpus();
    throwsCode(() => map.lookup(u32Bytes(0), new Uint8Array(7)), 'USAGE', `map "counts" (percpu_array, 4 -> 8 bytes): the value has 7 bytes, the map moves ${8 * cpus} (8 for each of ${cpus} CPUs)`);
  }));
  test('BpfMap is of no use after close', () => {
    const map = new BpfMap(bpf.mapCreate({ type: MapType.HASH, keySize: 4, valueSize: 4, maxEntries: 1 }));
    map.close();
    assert.throws(() => map.lookup(new Uint8Array(4), new Uint8Array(4)), (error: Error) => error.message === 'bug: map "" is used after close');
  });
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
  });
});
