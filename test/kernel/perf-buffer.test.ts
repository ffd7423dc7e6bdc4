import * as bpf from '#src/kernel/bpf.js';
import { onlineCpus } from '#src/kernel/cpus.js';
import { Epoll } from '#src/kernel/epoll.js';
import { openFds } from '#src/kernel/fd.js';
import { pageSize } from '#src/kernel/ffi/native.js';
import { BpfMap } from '#src/kernel/map.js';
import { PerfBuffer } from '#src/kernel/perf-buffer.js';
import { MapType, ProgType, TestRunFlag } from '#src/uapi.js';
import { EXIT, Helper, add, asm, helper, imm64, load64, mapFd, mapValue, mov, movReg, store64 } from '../support/bpf-asm.js';
import { descriptors, keepsDescriptors, needsTwoCpus } from '../support/kernel.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };

interface Setup { readonly perf: PerfBuffer; /** emits that many records on a CPU */ run(cpu: number, count: number): void }

/** A raw tracepoint program that puts out `size` bytes, the first and the last 8 of them a running number. */
function withPerf(options: { pages: number; size: number }, use: (setup: Setup) => void): void {
  const { size } = options;
  const cpus = Math.max(...onlineCpus()) + 1;
  const map = BpfMap.create({ type: MapType.PERF_EVENT_ARRAY, keySize: 4, valueSize: 4, maxEntries: cpus, name: 'events' });
  const values = bpf.mapCreate({ type: MapType.ARRAY, keySize: 4, valueSize: size, maxEntries: 1, name: 'value' });
  const insns = asm(
    movReg(6, 1), mapValue(7, values.value, 0), load64(8, 7, 0), add(8, 1), store64(7, 0, 8), store64(7, size - 8, 8),
    // BPF_F_CURRENT_CPU
    movReg(1, 6), mapFd(2, map.fd.value), imm64(3, -1, 0), movReg(4, 7), mov(5, size), helper(Helper.perf_event_output), mov(0, 0), EXIT,
  );
  const prog = bpf.progLoad({ type: ProgType.RAW_TRACEPOINT, insns, license: 'GPL', name: 'emit' });
  const perf = new PerfBuffer(map, options.pages);
  try {
    use({ perf, run: (cpu, count) => { for (let i = 0; i < count; i++) bpf.progTestRun({ progFd: prog.value, flags: TestRunFlag.RUN_ON_CPU, cpu }); } });
  } finally {
    perf.close();
    prog.close();
    values.close();
    map.close();
  }
}

function sequence(perf: PerfBuffer, at = 0): number {
  return new DataView(perf.data.buffer, perf.data.byteOffset + perf.offset + at, 8).getUint32(0, true);
}

suite('kernel/perf-buffer', (test) => {
  test.needing([needsTwoCpus], 'next gives size, bytes and CPU of each record', () => withPerf({ pages: 8, size: 20 }, ({ perf, run }) => {
    assert.is(perf.next(), false);
    run(1, 2);
    run(0, 1);
    const seen: unknown[] = [];
    // 20 bytes and a u32 of size before them are 24: no padding
    while (perf.next()) seen.push([perf.cpu, sequence(perf), perf.size]);
    assert.equal(seen.sort(), [[0, 3, 20], [1, 1, 20], [1, 2, 20]]);
    assert.is(Math.max(...perf.lost), 0);
  }));
  test('size includes the kernel’s padding', () => withPerf({ pages: 8, size: 16 }, ({ perf, run }) => {
    run(0, 1);
    assert.is(perf.next(), true);
    assert.is(perf.size, 20);
  }));
  test('a record that wraps around is put together', () => withPerf({ pages: 1, size: 1000 }, ({ perf, run }) => {
    let next = 1;
    const arrays = new Set<Uint8Array>();
    for (let round = 0; round < 60; round++) {
      run(0, 3);
      while (perf.next()) {
        arrays.add(perf.data);
        // padded to 1004
        assert.equal([sequence(perf), sequence(perf, 992), perf.size], [next, next, 1004]);
        next++;
      }
    }
    assert.is(next, 181);
    assert.is(arrays.size, 2);
    assert.is(Math.max(...perf.lost), 0);
  }));
  test.needing([needsTwoCpus], 'lost records are counted by CPU', () => withPerf({ pages: 1, size: 1000 }, ({ perf, run }) => {
    const room = Math.floor(pageSize() / 1016);
    run(0, room + 6);
    let got = 0;
    while (perf.next()) got++;
    // the kernel tells of a loss when the next record fits
    run(0, 1);
    while (perf.next()) got++;
    assert.is(got + perf.lost[0], room + 7);
    assert.ok(perf.lost[0] >= 6, String(perf.lost));
    assert.is(perf.lost[1], 0);
  }));
  test.needing([needsTwoCpus], 'no CPU starves another', () => withPerf({ pages: 8, size: 20 }, ({ perf, run }) => {
    run(0, 3);
    run(1, 3);
    const order: number[] = [];
    while (perf.next()) {
      order.push(perf.cpu);
      if (order.length < 20) run(0, 1);
    }
    // CPU 1 gets its turn after what CPU 0 had at the start
    assert.equal(order.slice(0, 7), [0, 0, 0, 1, 1, 1, 0]);
  }));
  test.needing([needsTwoCpus], 'fd wakes an epoll when any CPU has a record', () => withPerf({ pages: 8, size: 20 }, ({ perf, run }) => {
    const epoll = new Epoll();
    epoll.add(perf.fd.value, 3);
    for (const cpu of [0, 1]) {
      assert.is(epoll.wait(0), 0);
      run(cpu, 1);
      assert.is(epoll.wait(1000), 1);
      assert.is(epoll.ready[0], 3);
      while (perf.next());
    }
    epoll.close();
  }));
  test('records are released every 1024, and at the end', () => withPerf({ pages: 16, size: 20 }, ({ perf, run }) => {
    let got = 0;
    for (let round = 0; round < 3; round++) {
      run(0, 1500);
      while (perf.next()) got++;
    }
    assert.is(got, 4500);
    assert.is(Math.max(...perf.lost), 0);
  }));
  test.table([
    { name: 'another type of map', type: MapType.ARRAY, pages: 8, message: 'map "events" (array, 4 -> 4 bytes) is not a perf event array' },
    { name: 'a number of pages that is no power of two', type: MapType.PERF_EVENT_ARRAY, pages: 3, message: 'perf buffer: 3 pages per processor are not a power of two' },
    { name: 'no pages', type: MapType.PERF_EVENT_ARRAY, pages: 0, message: 'perf buffer: 0 pages per processor are not a power of two' },
  ], ({ name }) => `PerfBuffer refuses ${name}, and leaks nothing`, ({ type, pages, message }) => keepsDescriptors(() => {
    const map = BpfMap.create({ type, keySize: 4, valueSize: 4, maxEntries: 2, name: 'events' });
    throwsCode(() => new PerfBuffer(map, pages), 'USAGE', message);
    map.close();
  }));
  test('a map that cannot be filled fails without a leak', () => keepsDescriptors(() => {
    const map = BpfMap.create({ type: MapType.PERF_EVENT_ARRAY, keySize: 4, valueSize: 4, maxEntries: 2, name: 'events' });
    map.freeze();
    throwsCode(() => new PerfBuffer(map, 1), 'SYSCALL', /^BPF_MAP_UPDATE_ELEM for map "events" \(perf_event_array, 4 -> 4 bytes\): EPERM/);
    map.close();
  }));
  test('after close there is nothing, and closing twice is harmless', () => withPerf({ pages: 8, size: 20 }, ({ perf, run }) => {
    run(0, 1);
    perf.close();
    perf.close();
    assert.is(perf.next(), false);
  }));
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
  });
});
