/** WASI functions outside of files: the table itself, arguments, environment, clocks, random numbers, standard streams, polls. */
import { Readable } from 'node:stream';
import { ProcExit } from '#src/errors.js';
import { I32 } from '#src/interp/types.js';
import { WASI_FUNCTIONS, type WasiFunction } from '#src/wasi/abi.js';
import { Wasi } from '#src/wasi/wasi.js';
import { funcType } from '../support/guest.js';
import { assert, suite } from '../support/suite.js';
import { WASI_GUESTS, type WasiGuest } from '../support/wasi.js';

const BEYOND = 65536;

for (const { on, WasiGuest } of WASI_GUESTS) suite(`wasi table ${on}`, (test) => {
  test('Wasi.provide has all 46 functions of preview 1, and nothing else', () => {
    const wasi = new Wasi({ stdin: new Uint8Array(0) });
    assert.is(Object.keys(WASI_FUNCTIONS).length, 46);
    for (const [name, letters] of Object.entries(WASI_FUNCTIONS)) {
      const type = funcType(`${letters}:${name === 'proc_exit' ? '' : 'i'}`);
      const func = wasi.provide('wasi_snapshot_preview1', name, type);
      assert.is(func?.name, `wasi_snapshot_preview1.${name}`);
      assert.equal(func?.type, type);
    }
    for (const [module, item] of [['wasi_snapshot_preview1', 'fd_fly'], ['env', 'fd_write'], ['wasi_snapshot_preview1', 'toString']]) {
      assert.is(wasi.provide(module, item, funcType('')), undefined);
    }
    wasi.close();
  });

  test('Wasi.provide links integers of either width, and keeps the declared type for anything else', async () => {
    const g = new WasiGuest({ args: ['a'] });
    const wide = g.wasi.provide('wasi_snapshot_preview1', 'args_sizes_get', funcType('II:I'));
    assert.equal(wide?.type, funcType('II:I'));
    assert.equal(await g.call(wide!, [0n, 4n]), [0n]);
    assert.is(g.u32(0), 1);
    assert.equal(await g.call(wide!, [0x1_0000_0000n, 4n]), [21n], 'a pointer beyond 32 bits is not cut');
    assert.equal(await g.call(wide!, [-1n, 4n]), [21n]);
    const wrong = g.wasi.provide('wasi_snapshot_preview1', 'args_sizes_get', { params: [I32], results: [I32] });
    assert.equal(wrong?.type, funcType('ii:i'));
  });

  test.table(['fd_fdstat_set_rights', 'proc_raise', 'sock_accept', 'sock_recv', 'sock_send', 'sock_shutdown'] as const, (name) => `${name} answers ENOSYS`, async (name) => {
    const args = [...WASI_FUNCTIONS[name]].map((c) => (c === 'I' ? 0n : 0));
    assert.is(await new WasiGuest().ask(name, ...args), 'NOSYS');
  });

  test('wasi_unstable has the functions whose structs are the same, and its own numbers for whence', async () => {
    const g = new WasiGuest({ args: ['x'] }, 'wasi_unstable');
    await g.do('args_sizes_get', 0, 4);
    assert.is(g.u32(0), 1);
    assert.is(await g.ask('fd_filestat_get', 1, 0), 'NOSYS');
    assert.is(await g.ask('fd_seek', 1, 0n, 2, 0), 'SPIPE');
  });

  test('every function that takes pointers answers EFAULT for one outside of memory', async () => {
    const g = new WasiGuest({ args: ['a'], env: { A: 'b' }, dirs: [{ host: '/tmp', guest: '/t' }] });
    const cases: [WasiFunction, ...(number | bigint)[]][] = [
      ['args_get', BEYOND, 0], ['args_get', 0, BEYOND], ['args_sizes_get', BEYOND, 0], ['args_sizes_get', 0, BEYOND - 3],
      ['environ_get', BEYOND, 0], ['environ_get', 0, BEYOND], ['environ_sizes_get', 0, BEYOND], ['environ_sizes_get', BEYOND, 0],
      ['clock_res_get', 0, BEYOND], ['clock_time_get', 0, 0n, BEYOND - 7], ['random_get', 1, BEYOND], ['random_get', 4294967295, 1],
      ['fd_write', 1, BEYOND, 1, 0], ['fd_write', 1, 0, 0, BEYOND], ['fd_read', 0, BEYOND, 1, 0], ['fd_read', 0, 0, 0, BEYOND],
      ['fd_fdstat_get', 1, BEYOND - 23], ['fd_filestat_get', 1, BEYOND - 63], ['fd_filestat_get', 3, BEYOND - 63],
      ['fd_prestat_get', 3, BEYOND - 7], ['fd_prestat_dir_name', 3, BEYOND, 2],
      ['fd_readdir', 3, BEYOND, 1, 0n, 0], ['fd_readdir', 3, 0, 100, 0n, BEYOND],
      ['path_open', 3, 0, BEYOND, 1, 0, 0n, 0n, 0, 0], ['path_open', 3, 0, 0, 1, 0, 0n, 0n, 0, BEYOND], ['path_filestat_get', 3, 0, BEYOND, 1, 0],
      ['path_create_directory', 3, 1, BEYOND], ['path_unlink_file', 3, BEYOND, 1], ['path_remove_directory', 3, BEYOND, 1],
      ['path_readlink', 3, BEYOND, 1, 0, 1, 0], ['path_rename', 3, BEYOND, 1, 3, 0, 1], ['path_rename', 3, 0, 1, 3, BEYOND, 1],
      ['path_symlink', BEYOND, 1, 3, 0, 1], ['path_link', 3, 0, BEYOND, 1, 3, 0, 1], ['path_filestat_set_times', 3, 0, BEYOND, 1, 0n, 0n, 0],
      ['poll_oneoff', BEYOND, 0, 1, 0], ['poll_oneoff', 0, BEYOND, 1, 0], ['poll_oneoff', 0, 0, 1, BEYOND],
    ];
    for (const [name, ...args] of cases) assert.is(await g.ask(name, ...args), 'FAULT', `${name}(${args.join(', ')})`);
    g.wasi.close();
  });

  test('every function that takes a descriptor answers EBADF for one that is not open', async () => {
    const g = new WasiGuest();
    for (const [name, letters] of Object.entries(WASI_FUNCTIONS)) {
      if (!name.startsWith('fd_') || name === 'fd_fdstat_set_rights') continue;
      const args = [...letters].map((c, i) => (c === 'I' ? 0n : i === 0 ? 77 : 0));
      assert.is(await g.ask(name as WasiFunction, ...args), 'BADF', name);
    }
    assert.is(await g.ask('fd_write', 4294967295, 0, 0, 0), 'BADF');
    assert.is(await g.ask('path_open', 77, 0, 0, 1, 0, 0n, 0n, 0, 0), 'BADF');
    assert.is(await g.ask('path_open', 1, 0, 0, 1, 0, 0n, 0n, 0, 0), 'NOTDIR');
  });
});

for (const { on, WasiGuest, suspends } of WASI_GUESTS) suite(`wasi system ${on}`, (test) => {
  test('args_get and environ_get hand over strings with NULs, and nothing that was not granted', async () => {
    const g = new WasiGuest({ args: ['probe.wasm', '-n', 'ü'], env: { HOME: '/x' } });
    await g.do('args_sizes_get', 0, 4);
    assert.equal([g.u32(0), g.u32(4)], [3, 17]);
    await g.do('args_get', 16, 64);
    assert.equal([g.u32(16), g.u32(20), g.u32(24)], [64, 75, 78]);
    assert.is(g.text(64, 17), 'probe.wasm\0-n\0ü\0');
    await g.do('environ_sizes_get', 0, 4);
    assert.equal([g.u32(0), g.u32(4)], [1, 8]);
    await g.do('environ_get', 16, 64);
    assert.is(g.text(64, 8), 'HOME=/x\0');
    const bare = new WasiGuest();
    await bare.do('environ_sizes_get', 0, 4);
    assert.equal([bare.u32(0), bare.u32(4)], [0, 0]);
    assert.is(await bare.ask('fd_prestat_get', 3, 0), 'BADF');
  });

  test('clock_time_get counts ns, and clock_res_get knows the same clocks', async () => {
    const g = new WasiGuest();
    await g.do('clock_time_get', 0, 0n, 0);
    assert.ok(Math.abs(Number(g.u64(0) / 1_000_000n) - Date.now()) < 100);
    await g.do('clock_time_get', 1, 0n, 0);
    const first = g.u64(0);
    await g.do('clock_time_get', 1, 0n, 0);
    assert.ok(g.u64(0) > first);
    await g.do('clock_time_get', 2, 0n, 0);
    assert.ok(g.u64(0) > 0n);
    await g.do('clock_res_get', 1, 0);
    assert.is(g.u64(0), 1n);
    assert.is(await g.ask('clock_time_get', 4, 0n, 0), 'INVAL');
    assert.is(await g.ask('clock_res_get', 9, 0), 'INVAL');
  });

  test('random_get fills exactly the range', async () => {
    const g = new WasiGuest();
    g.memory.grow(2);
    await g.do('random_get', 100, 100_000);
    assert.is(g.memory.bytes[99], 0);
    assert.is(g.memory.bytes[100_100], 0);
    assert.ok(new Set(g.memory.bytes.subarray(70_000, 100_100)).size === 256);
  });

  test('proc_exit ends with its status', async () => {
    let thrown: unknown;
    await new WasiGuest().ask('proc_exit', 7).catch((error: unknown) => (thrown = error));
    assert.ok(thrown instanceof ProcExit);
    assert.is((thrown as ProcExit).status, 7);
  });

  if (suspends) test('sched_yield lets the event loop turn', async () => {
    let turned = false;
    setImmediate(() => (turned = true));
    await new WasiGuest().do('sched_yield');
    assert.ok(turned);
  });
});

for (const { on, WasiGuest, suspends } of WASI_GUESTS) suite(`wasi streams ${on}`, (test) => {
  test('fd_write gathers vectors, and standard error holds nothing back', async () => {
    const g = new WasiGuest();
    g.put(100, 'Hello, world');
    g.setU32(8, 100, 5, 105, 0, 105, 7);
    await g.do('fd_write', 1, 8, 3, 0);
    assert.is(g.u32(0), 12);
    assert.is(g.out, '');
    await g.do('fd_write', 2, 8, 1, 0);
    assert.is(g.err, 'Hello');
    g.wasi.stdout.offer();
    assert.is(g.out, 'Hello, world');
  });

  test('fd_write is out after a turn of the event loop, and at once when 64 KiB are gathered', async () => {
    const g = new WasiGuest();
    await g.write(1, 'tick');
    await new Promise((done) => setImmediate(done));
    assert.is(g.out, 'tick');
    g.memory.grow(1);
    await g.do('fd_write', 1, ...g.vector(0, 65536), 100);
    assert.is(g.out.length, 65540);
  });

  test('fd_write answers EINVAL for more than 1024 vectors, EBADF for standard input', async () => {
    const g = new WasiGuest();
    assert.is(await g.ask('fd_write', 1, 0, 1025, 0), 'INVAL');
    assert.is(await g.write(0, 'x'), 'BADF');
    assert.is(await g.ask('fd_read', 1, ...g.vector(100, 1), 0), 'BADF');
  });

  test('a failed write is the errno of the next one', async () => {
    const g = new WasiGuest({ stdout: () => { throw Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'write' }); } });
    assert.is(await g.write(1, 'x'), 'SUCCESS');
    await g.wasi.flush();
    assert.is(await g.write(1, 'x'), 'NOSPC');
  });

  test('a reader that is gone is told once', async () => {
    let closed = 0;
    const g = new WasiGuest({ stdout: () => { throw Object.assign(new Error('gone'), { code: 'EPIPE', syscall: 'write' }); } });
    g.wasi.stdout.onClosed = () => closed++;
    await g.write(1, 'x');
    await g.wasi.flush();
    assert.is(await g.write(1, 'x'), 'PIPE');
    assert.is(closed, 1);
  });

  test('fd_read takes what is there, piece by piece, and 0 bytes at the end', async () => {
    const g = new WasiGuest({ stdin: new TextEncoder().encode('abcdef') });
    assert.is(await g.read(0, 4), 'abcd');
    g.setU32(8, 100, 1, 200, 10);
    await g.do('fd_read', 0, 8, 2, 0);
    assert.equal([g.u32(0), g.text(100, 1), g.text(200, 1)], [2, 'e', 'f']);
    assert.is(await g.read(0), '');
  });

  if (suspends) test('fd_read waits for a stream', async () => {
    const stream = new Readable({ read: () => {} });
    const g = new WasiGuest({ stdin: () => stream as NodeJS.ReadStream });
    setTimeout(() => stream.push('late'), 20);
    assert.is(await g.read(0), 'late');
    await g.do('fd_fdstat_set_flags', 0, 4);
    assert.is(await g.ask('fd_read', 0, ...g.vector(100, 4), 0), 'AGAIN');
    stream.push(null);
    await g.do('fd_fdstat_set_flags', 0, 0);
    assert.is(await g.read(0), '');
  });

  test('fd_fdstat_get lets a libc tell a terminal from a file', async () => {
    const g = new WasiGuest();
    await g.do('fd_fdstat_get', 1, 0);
    assert.is(g.memory.bytes[0], 2);
    const rights = g.u64(8);
    assert.is(rights & 0x24n, 0n, 'no seek, no tell');
    assert.is(rights & 0x42n, 0x40n, 'write, not read');
  });

  test('fd_close closes for the guest only; fd_renumber moves', async () => {
    const g = new WasiGuest();
    await g.do('fd_renumber', 2, 1);
    await g.write(1, 'to err');
    assert.is(g.err, 'to err');
    assert.is(await g.write(2, 'x'), 'BADF');
    assert.is(await g.ask('fd_renumber', 1, 9), 'BADF');
    await g.do('fd_close', 1);
    assert.is(await g.ask('fd_close', 1), 'BADF');
  });
});

for (const { on, WasiGuest, suspends } of WASI_GUESTS) suite(`wasi poll_oneoff ${on}`, (test) => {
  const clock = (g: WasiGuest, at: number, userdata: bigint, id: number, ns: bigint, flags = 0) => {
    g.memory.bytes.fill(0, at, at + 48);
    g.memory.view.setBigUint64(at, userdata, true);
    g.setU32(at + 16, id);
    g.memory.view.setBigUint64(at + 24, ns, true);
    g.memory.view.setUint16(at + 40, flags, true);
  };
  const descriptor = (g: WasiGuest, at: number, userdata: bigint, type: number, fd: number) => {
    clock(g, at, userdata, fd, 0n);
    g.memory.bytes[at + 8] = type;
  };
  /** [userdata, errno, type, bytes] of each event */
  const events = (g: WasiGuest) => Array.from({ length: g.u32(0) }, (_, i) => {
    const at = 4096 + 32 * i;
    return [g.u64(at), g.memory.view.getUint16(at + 8, true), g.memory.bytes[at + 10], g.u64(at + 16)];
  });

  test('sleeps for a duration, to a point in time, and not at all for one that is past', async () => {
    const g = new WasiGuest();
    const start = performance.now();
    clock(g, 1024, 5n, 1, 30_000_000n);
    await g.do('poll_oneoff', 1024, 4096, 1, 0);
    assert.ok(performance.now() - start >= 29 && performance.now() - start < 200);
    assert.equal(events(g), [[5n, 0, 0, 0n]]);
    clock(g, 1024, 6n, 0, BigInt(Date.now() + 20) * 1_000_000n, 1);
    await g.do('poll_oneoff', 1024, 4096, 1, 0);
    assert.equal(events(g), [[6n, 0, 0, 0n]]);
    clock(g, 1024, 7n, 0, 1n, 1);
    await g.do('poll_oneoff', 1024, 4096, 1, 0);
    assert.equal(events(g), [[7n, 0, 0, 0n]]);
  });

  test('says at once what is ready, and for each what is wrong with it', async () => {
    const g = new WasiGuest({ stdin: new TextEncoder().encode('xyz') });
    clock(g, 1024, 1n, 1, 3_600_000_000_000n);
    descriptor(g, 1072, 2n, 1, 0);
    descriptor(g, 1120, 3n, 2, 1);
    descriptor(g, 1168, 4n, 1, 55);
    clock(g, 1216, 5n, 3, 0n);
    clock(g, 1264, 6n, 8, 0n);
    descriptor(g, 1312, 7n, 9, 0);
    await g.do('poll_oneoff', 1024, 4096, 7, 0);
    assert.equal(events(g), [[2n, 0, 1, 3n], [3n, 0, 2, 0n], [4n, 8, 1, 0n], [5n, 58, 0, 0n], [6n, 28, 0, 0n], [7n, 28, 9, 0n]]);
  });

  if (suspends) test('waits for input and a clock, whichever is first', async () => {
    const stream = new Readable({ read: () => {} });
    const g = new WasiGuest({ stdin: () => stream as NodeJS.ReadStream });
    descriptor(g, 1024, 1n, 1, 0);
    clock(g, 1072, 2n, 1, 20_000_000n);
    await g.do('poll_oneoff', 1024, 4096, 2, 0);
    assert.equal(events(g), [[2n, 0, 0, 0n]]);
    clock(g, 1072, 2n, 1, 3_600_000_000_000n);
    setTimeout(() => stream.push('abc'), 10);
    await g.do('poll_oneoff', 1024, 4096, 2, 0);
    assert.equal(events(g), [[1n, 0, 1, 3n]]);
  });

  test('answers EINVAL for no subscription and for too many', async () => {
    const g = new WasiGuest();
    assert.is(await g.ask('poll_oneoff', 0, 0, 0, 0), 'INVAL');
    assert.is(await g.ask('poll_oneoff', 0, 0, 4097, 0), 'INVAL');
  });
});
