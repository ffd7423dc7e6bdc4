import { readFileSync } from 'node:fs';
import { addressOf, pageSize, viewOf } from '#src/kernel/ffi/native.js';
import { SYS, syscall } from '#src/kernel/ffi/syscall.js';
import { Arena, Mapping, Prot, arena } from '#src/kernel/memory.js';
import { assert, sameBytes, suite, throwsCode } from '../support/suite.js';

/** Whether /proc/self/maps has a mapping that starts there. */
const isMapped = (address: number) => new RegExp(`^${address.toString(16)}-`, 'm').test(readFileSync('/proc/self/maps', 'latin1'));

suite('kernel/memory', (test) => {
  test('Mapping gives zeroed bytes that native code and JavaScript share', () => {
    const mapping = new Mapping({ length: 8192 });
    assert.is(mapping.bytes.length, 8192);
    assert.is(mapping.bytes[8191], 0);
    mapping.bytes.set([1, 2, 3, 4], 100);
    sameBytes(viewOf(mapping.address + 100, 4), Uint8Array.of(1, 2, 3, 4));
    assert.is(addressOf(mapping.bytes), mapping.address);
    mapping.close();
  });
  test('Mapping.close unmaps at once when no view was asked for', () => {
    const mapping = new Mapping({ length: 1 << 20 });
    assert.ok(isMapped(mapping.address));
    mapping.close();
    mapping.close();
    assert.not(isMapped(mapping.address));
  });
  test('Mapping.close leaves zeros behind a view that is still held', () => {
    const mapping = new Mapping({ length: 4096 });
    const view = mapping.bytes;
    view.fill(7);
    mapping.close();
    assert.is(view[4095], 0);
    assert.throws(() => mapping.bytes, (error: Error) => error.message === 'bug: a mapping is used after close');
  });
  test('Mapping reports what mmap refuses', () => {
    throwsCode(() => new Mapping({ length: 4096, fd: 99_999, prot: Prot.READ, subject: 'ring buffer "events"' }), 'SYSCALL', 'mmap for ring buffer "events": EBADF');
    throwsCode(() => new Mapping({ length: 0 }), 'SYSCALL', 'mmap for 0 bytes: EINVAL');
  });
  test('pageSize is a power of two of at least 4096', () => {
    const size = pageSize();
    assert.ok(size >= 4096 && (size & (size - 1)) === 0);
  });
  test('addressOf holds for small and large arrays, views and Buffers', () => {
    for (const bytes of [Uint8Array.of(1, 2, 3), new Uint8Array(1 << 20).fill(9), Buffer.from('hello'), new Uint8Array(64).subarray(8, 16).fill(5)]) {
      sameBytes(viewOf(addressOf(bytes), bytes.length), bytes);
      assert.is(addressOf(bytes), addressOf(bytes));
    }
  });
  test('Arena.alloc aligns to 8 and gives zeros after a reset', () => {
    const a = new Arena();
    const mark = a.mark();
    const first = a.alloc(3);
    a.bytes.fill(0xff, first, first + 8);
    assert.is(a.alloc(1), first + 8);
    a.reset(mark);
    assert.is(a.view.getBigUint64(a.alloc(8), true), 0n);
  });
  test('Arena keeps frames apart when one call is made inside another', () => {
    const a = arena();
    const outer = a.mark();
    const at = a.alloc(8);
    a.view.setUint32(at, 0xdead, true);
    const inner = a.mark();
    a.view.setUint32(a.alloc(8), 0xbeef, true);
    a.reset(inner);
    assert.is(a.view.getUint32(at, true), 0xdead);
    a.reset(outer);
  });
  test('Arena.put copies what is small and points at what is large', () => {
    const a = arena();
    const mark = a.mark();
    const small = Uint8Array.of(1, 2, 3);
    const large = new Uint8Array(1 << 20).fill(3);
    const address = a.put(small);
    assert.ok(address >= a.address && address < a.address + a.bytes.length);
    sameBytes(viewOf(address, 3), small);
    assert.is(a.put(large), addressOf(large));
    sameBytes(viewOf(a.putString('tracefs'), 8), Buffer.from('tracefs\0'));
    a.reset(mark);
  });
  test('Arena refuses what does not fit', () => {
    assert.throws(() => new Arena().alloc(1 << 20), (error: Error) => error.message === 'bug: 1048576 bytes do not fit in the argument arena, 262144 are left');
  });
});

suite('kernel/ffi/syscall', (test) => {
  test('syscall gives the result', () => {
    const fd = syscall(SYS.epoll_create1, 0o2000000);
    assert.ok(fd > 2);
    assert.is(syscall(SYS.close, fd), 0);
  });
  test.table([
    { call: 'close', run: () => syscall(SYS.close, 99_999), errno: 9 },
    { call: 'munmap', run: () => syscall(SYS.munmap, 1, 4096), errno: 22 },
    { call: 'bpf', run: () => syscall(SYS.bpf, 999, 0, 0), errno: 22 },
    { call: 'ioctl', run: () => syscall(SYS.ioctl, 99_999, 0, 0), errno: 9 },
    { call: 'mmap', run: () => syscall(SYS.mmap, 0, 0, 3, 0x22, -1, 0), errno: 22 },
    { call: 'bpf with a bad pointer', run: () => syscall(SYS.bpf, 0, 8, 72), errno: 14 },
  ], (row) => `syscall gives -errno when ${row.call} fails`, (row) => assert.is(row.run(), -row.errno));
  test('syscall gives the right errno among garbage collections', () => {
    let wrong = 0;
    for (let i = 0; i < 20_000; i++) {
      if (i % 8 === 0) new Array(1000).fill({});
      if (syscall(SYS.close, 99_999) !== -9) wrong++;
      if (i % 2 && syscall(SYS.munmap, 1, 4096) !== -22) wrong++;
    }
    assert.is(wrong, 0);
  });
});
