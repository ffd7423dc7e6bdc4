import { Worker } from 'node:worker_threads';
import * as bpf from '#src/kernel/bpf.js';
import { Epoll } from '#src/kernel/epoll.js';
import { openFds } from '#src/kernel/fd.js';
import { pageSize } from '#src/kernel/ffi/native.js';
import { BpfMap } from '#src/kernel/map.js';
import { RingBuffer } from '#src/kernel/ring-buffer.js';
import { MapType, ProgType } from '#src/uapi.js';
import { EXIT, Helper, add, and, asm, helper, jump, jumpIfEqual, jumpIfNotEqual, load64, mapFd, mapValue, mov, movReg, store64, type Insn } from '../support/bpf-asm.js';
import { descriptors, needsFeature } from '../support/kernel.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };
const needs = [needsFeature('ringbuf')];

interface Setup { readonly ringMap: BpfMap; readonly ring: RingBuffer; run(repeat: number): void; readonly progFd: number }

/**
 * A program that reserves `size` bytes, writes a running number into the first and the last 8, and submits; where `discard` is
 * set, each fourth is discarded instead. `busy` instructions run while the record is reserved.
 */
function withRing(options: { bytes: number; size: number; discard?: boolean; busy?: readonly Insn[] }, use: (setup: Setup) => void | Promise<void>): void | Promise<void> {
  const { size, discard = false, busy = [] } = options;
  const ringMap = BpfMap.create({ type: MapType.RINGBUF, keySize: 0, valueSize: 0, maxEntries: options.bytes, name: 'events' });
  const count = bpf.mapCreate({ type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1, name: 'count' });
  const submit: Insn[] = [movReg(1, 6), mov(2, 0), helper(Helper.ringbuf_submit), jump(3)];
  const insns = asm(
    mapFd(1, ringMap.fd.value), mov(2, size), mov(3, 0), helper(Helper.ringbuf_reserve), jumpIfNotEqual(0, 0, 2), mov(0, 1), EXIT,
    movReg(6, 0), mapValue(7, count.value, 0), load64(8, 7, 0), store64(6, 0, 8), movReg(2, 6), add(2, size - 8), store64(2, 0, 8), movReg(9, 8), add(9, 1), store64(7, 0, 9),
    busy,
    and(8, 3), jumpIfEqual(8, discard ? 3 : 99, submit.length),
    submit,
    movReg(1, 6), mov(2, 0), helper(Helper.ringbuf_discard),
    mov(0, 0), EXIT,
  );
  const prog = bpf.progLoad({ type: ProgType.SOCKET_FILTER, insns, license: 'GPL', name: 'fill' });
  const ring = new RingBuffer(ringMap);
  const close = () => {
    ring.close();
    prog.close();
    count.close();
    ringMap.close();
  };
  const setup: Setup = { ringMap, ring, progFd: prog.value, run: (repeat) => void bpf.progTestRun({ progFd: prog.value, dataIn: new Uint8Array(64), repeat }) };
  let pending: void | Promise<void> = undefined;
  try {
    pending = use(setup);
  } finally {
    if (!(pending instanceof Promise)) close();
  }
  return pending instanceof Promise ? pending.finally(close) : undefined;
}

function sequence(ring: RingBuffer, at = 0): number {
  const view = new DataView(ring.data.buffer, ring.data.byteOffset + ring.offset + at, 8);
  return view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
}

/** Reads everything there is; throws where a number is missing or out of turn. @returns the number that comes next */
function drain(ring: RingBuffer, expected: number, skipsFourth = false): number {
  while (ring.next()) {
    const n = sequence(ring);
    if (n !== expected || sequence(ring, ring.size - 8) !== expected) throw new Error(`${n} came, ${expected} was next`);
    expected++;
    if (skipsFourth && (expected & 3) === 3) expected++;
  }
  return expected;
}

suite('kernel/ring-buffer', (test) => {
  test.needing(needs, 'next gives size and bytes of each record, in order', () => withRing({ bytes: 65536, size: 24 }, ({ ring, run }) => {
    assert.is(ring.next(), false);
    run(3);
    assert.is(ring.pending, 96);
    const seen: unknown[] = [];
    while (ring.next()) seen.push([sequence(ring), ring.size, ring.offset % 8]);
    assert.equal(seen, [[0, 24, 0], [1, 24, 0], [2, 24, 0]]);
    assert.is(ring.pending, 0);
  }));
  test.needing(needs, 'a record that crosses the end is read in one piece', () => withRing({ bytes: pageSize(), size: 1000 }, ({ ring, run }) => {
    let next = 0;
    let split = 0;
    for (let round = 0; round < 300; round++) {
      run(3);
      while (ring.next()) {
        if (ring.offset + ring.size > ring.capacity) split++;
        assert.equal([sequence(ring), sequence(ring, 992), ring.size], [next, next, 1000]);
        next++;
      }
    }
    assert.is(next, 900);
    assert.ok(split > 50, `${split} records crossed the end`);
  }));
  test.needing(needs, 'more than a million records come through, none lost and none out of order', () => withRing({ bytes: 1 << 20, size: 16 }, ({ ring, run }) => {
    let next = 0;
    for (let round = 0; round < 28; round++) {
      run(40_000);
      next = drain(ring, next);
    }
    assert.is(next, 1_120_000);
  }));
  test.needing(needs, 'discarded records are skipped', () => withRing({ bytes: 1 << 20, size: 16, discard: true }, ({ ring, run }) => {
    let next = 0;
    for (let round = 0; round < 10; round++) {
      run(8000);
      next = drain(ring, next, true);
    }
    assert.is(next, 80_000);
    assert.is(ring.pending, 0);
  }));
  test.needing(needs, 'positions pass 2^31 and 2^32', () => withRing({ bytes: 1 << 24, size: (1 << 21) - 8 }, ({ ring, run }) => {
    let next = 0;
    // 7 records of 2 MiB a round: 2^32 after 2048 records
    for (let round = 0; round < 310; round++) {
      run(7);
      next = drain(ring, next);
    }
    assert.is(next, 2170);
  }));
  test.needing(needs, 'the producer finds no room until records are released', () => withRing({ bytes: 65536, size: 1016 }, ({ ring, ringMap, run }) => {
    run(100);
    assert.is(ring.pending, 63 * 1024);
    for (let i = 0; i < 10; i++) assert.is(ring.next(), true);
    run(100);
    assert.is(ring.pending, 53 * 1024);
    ring.release();
    run(100);
    assert.is(ring.pending, 63 * 1024);
    // another consumer begins where the first one let go
    const second = new RingBuffer(ringMap);
    assert.is(second.next(), true);
    assert.is(sequence(second), 10);
    second.close();
  }));
  test.needing(needs, 'records are given back every 1024 at the latest', () => withRing({ bytes: 65536, size: 8 }, ({ ring, ringMap, run }) => {
    run(4000);
    for (let i = 0; i < 1025; i++) ring.next();
    const second = new RingBuffer(ringMap);
    second.next();
    assert.is(sequence(second), 1024);
    second.close();
  }));
  test.needing(needs, 'next stops before a record that is still being written', async () => {
    // 20 000 turns while the record is reserved: nearly always one is
    const busy: readonly Insn[] = [mov(9, 20_000), add(9, -1), jumpIfNotEqual(9, 0, -2)];
    await withRing({ bytes: 1 << 20, size: 16, busy }, async ({ ring, progFd }) => {
      const cell = new Int32Array(new SharedArrayBuffer(4));
      const worker = new Worker(new URL('./ring-worker.js', import.meta.url), { workerData: { progFd, rounds: 20, repeat: 500, cell } });
      await new Promise((resolve) => worker.once('online', resolve));
      while (Atomics.load(cell, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      let next = 0;
      let stopped = 0;
      while (Atomics.load(cell, 0) === 1) {
        next = drain(ring, next);
        // drain ended: where something is there all the same, it is not finished
        if (ring.pending > 0) stopped++;
      }
      await worker.terminate();
      next = drain(ring, next);
      assert.is(next, 10_000);
      assert.ok(stopped > 0, 'no record was met while it was written');
    });
  });
  test.needing(needs, 'epoll tells when a record is there', () => withRing({ bytes: 65536, size: 16 }, ({ ring, run }) => {
    const epoll = new Epoll();
    epoll.add(ring.fd.value, 7);
    assert.is(epoll.wait(0), 0);
    run(1);
    assert.is(epoll.wait(1000), 1);
    assert.is(epoll.ready[0], 7);
    assert.is(ring.next(), true);
    assert.is(ring.next(), false);
    assert.is(epoll.wait(0), 0);
    epoll.close();
  }));
  test('RingBuffer refuses another type of map', () => {
    const map = BpfMap.create({ type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1, name: 'counts' });
    throwsCode(() => new RingBuffer(map), 'USAGE', 'map "counts" (array, 4 -> 8 bytes) is not a ring buffer');
    map.close();
  });
  test.needing(needs, 'close is safe with views held, and twice', () => withRing({ bytes: 65536, size: 16 }, ({ ring, run }) => {
    run(2);
    ring.next();
    const { data, offset } = ring;
    ring.close();
    ring.close();
    assert.is(data[offset], 0);
    assert.is(ring.next(), false);
  }));
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
  });
});
