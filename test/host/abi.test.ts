/** Every function of the wasm_bpf ABI, with good and bad arguments, against a fake kernel. */
import { AttachError, ElfError, RelocationError, SyscallError, UnsupportedError, VerifierError } from '#src/errors.js';
import { BPF_FUNCTIONS } from '#src/host/abi.js';
import { I32, I64 } from '#src/interp/types.js';
import { BpfGuest } from '../support/bpf-guest.js';
import { funcType } from '../support/guest.js';
import { assert, suite } from '../support/suite.js';

const EPERM = -1, ENOENT = -2, EBADF = -9, EFAULT = -14, EBUSY = -16, EINVAL = -22, EOPNOTSUPP = -95;
const END = 65536;
const LOOKUP = 1, UPDATE = 2, DELETE = 3, NEXT = 4;

suite('wasm_bpf linking', (test) => {
  test('BpfHost.provide has the six functions and TinyGo\'s, and nothing else', () => {
    const { host } = new BpfGuest();
    for (const [name, { params, result }] of Object.entries(BPF_FUNCTIONS)) {
      assert.equal(host.provide('wasm_bpf', name, funcType(`${params.replaceAll('s', 'i')}:${result}`))?.name, `wasm_bpf.${name}`);
    }
    assert.is(host.provide('callback-wrapper', 'wasm_bpf_buffer_poll', funcType('Iiiiii:i'))?.name, 'callback-wrapper.wasm_bpf_buffer_poll');
    assert.is(host.provide('callback-wrapper', 'other', funcType('')), undefined);
    assert.is(host.provide('wasm_bpf', 'constructor', funcType('')), undefined);
    assert.is(host.provide('env', 'wasm_load_bpf_object', funcType('ii:I')), undefined);
  });

  test('map_operate links with the types of the C, the Rust and the Go SDK', async () => {
    const g = new BpfGuest();
    const map = await g.map(await g.load(), 'counts');
    g.backend.maps[0].update(Uint8Array.of(1, 0, 0, 0), Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0));
    g.setU32(128, 1);
    for (const letters of ['iiiiiI:i', 'iiIIII:i', 'IIIIII:I']) {
      const func = g.host.provide('wasm_bpf', 'wasm_bpf_map_operate', funcType(letters));
      assert.equal(func?.type, funcType(letters));
      const wide = [...letters].map((c) => c === 'I');
      const args = [map, LOOKUP, 128, 136, 0, 0].map((n, i) => (wide[i] ? BigInt(n) : n));
      g.setU32(136, 0);
      assert.equal(await g.call(func!, args), [letters.endsWith('I') ? 0n : 0]);
      assert.is(g.u32(136), 7);
    }
  });

  test('an import of another shape keeps the declared type, for the linker to complain about', () => {
    const { host } = new BpfGuest();
    assert.equal(host.provide('wasm_bpf', 'wasm_close_bpf_object', { params: [], results: [I32] })?.type, { params: [I64], results: [I32] });
  });
});

suite('wasm_load_bpf_object, wasm_close_bpf_object', (test) => {
  test('load copies the bytes and returns handles from 1 on; close forgets them', async () => {
    const g = new BpfGuest();
    assert.is(await g.load(), 1n);
    assert.is(await g.load(), 2n);
    assert.equal(g.backend.calls, ['load probe 01020304', 'load probe 01020304']);
    assert.is(await g.ask('wasm_close_bpf_object', 1n), 0);
    assert.is(await g.ask('wasm_close_bpf_object', 1n), EINVAL);
    assert.is(await g.ask('wasm_close_bpf_object', 0n), EINVAL);
    assert.is(await g.ask('wasm_close_bpf_object', -1n), EINVAL);
    g.host.close();
    g.host.close();
    assert.equal(g.backend.calls.filter((c) => c === 'close object').length, 2);
    assert.equal(g.host.stats.objects, 2);
  });

  test('loading, attaching and closing let the guest’s gathered output go first', async () => {
    const g: BpfGuest = new BpfGuest({ beforeLong: () => void g.backend.calls.push('output') });
    const object = await g.load();
    await g.ask('wasm_attach_bpf_program', object, g.string('watch'), 0);
    await g.ask('wasm_close_bpf_object', object);
    assert.equal(g.backend.calls, ['output', 'load probe 01020304', 'output', 'attach watch -', 'output', 'close object']);
  });

  test.table([
    { pointer: END - 3, size: 4, says: 'cannot load the BPF object: its 4 bytes at 65533 are outside of guest memory of 65536 bytes' },
    { pointer: 0, size: -1, says: 'cannot load the BPF object: its 4294967295 bytes at 0 are outside of guest memory of 65536 bytes' },
    { pointer: -4, size: 8, says: 'cannot load the BPF object: its 8 bytes at 4294967292 are outside of guest memory of 65536 bytes' },
    { pointer: 0, size: 101, says: 'cannot load the BPF object: it has 101 bytes, the limit is 100' },
  ], ({ pointer, size }) => `load of ${size} bytes at ${pointer} returns 0 and says why`, async ({ pointer, size, says }) => {
    const g = new BpfGuest({ limits: { objectBytes: 100 } });
    assert.is(await g.ask('wasm_load_bpf_object', pointer, size), 0);
    assert.equal(g.reported, [says]);
    assert.equal(g.backend.calls, []);
  });

  test('load beyond the number of objects returns 0 and says so, until one is closed', async () => {
    const g = new BpfGuest({ limits: { objects: 2 } });
    await g.load();
    await g.load();
    assert.is(await g.load(), 0n);
    assert.equal(g.reported, ['cannot load the BPF object: the guest has 2 of them open, which is the limit (close some)']);
    await g.ask('wasm_close_bpf_object', 1n);
    assert.is(await g.load(), 3n);
  });

  test('load says what the loader refuses, once, and all of the verifier\'s log when asked', async () => {
    const g = new BpfGuest();
    g.backend.failure = new ElfError('not an ELF file', { offset: 0 });
    assert.is(await g.load(), 0n);
    assert.equal(g.reported, ['cannot load the BPF object: BPF object: at 0x0: not an ELF file']);
    g.backend.failure = new VerifierError('watch', 13, 'EACCES', 'R1 is bad', '0: r1 = 0\n1: exit\n');
    assert.is(await g.load(), 0n);
    assert.is(g.reported[1], 'cannot load the BPF object: BPF_PROG_LOAD for program "watch": EACCES: R1 is bad');
    assert.equal(g.logged, ['  0: r1 = 0', '  1: exit']);
    g.backend.failure = new RelocationError('it is ambiguous', { program: 'watch', insn: 3 }, { details: ['one side', 'the other'] });
    assert.is(await g.load(), 0n);
    assert.equal(g.reported.slice(2), ['cannot load the BPF object: relocation insn 3 of "watch": it is ambiguous', '  one side', '  the other']);
  });

  test('a fault of the host is not an answer', async () => {
    const g = new BpfGuest();
    g.backend.failure = new Error('bug: x');
    let message = '';
    await g.load().catch((error: Error) => (message = error.message));
    assert.is(message, 'bug: x');
  });

  test('load logs what it made', async () => {
    const g = new BpfGuest();
    await g.load();
    assert.is(g.logged[0], 'loaded BPF object 1 of 4 bytes: 9 maps (counts, cpus, events, perf, stack, filter, outer, devices, tasks); 2 programs (watch, filter)');
    assert.is(g.logged[1], '  counts: map "counts"');
  });
});

suite('wasm_attach_bpf_program', (test) => {
  test('attaches by section where the target is empty or NULL, else to the target', async () => {
    const g = new BpfGuest();
    const object = await g.load();
    assert.is(await g.ask('wasm_attach_bpf_program', object, g.string('watch'), g.string('', 600)), 0);
    assert.is(await g.ask('wasm_attach_bpf_program', object, 512, 0), 0);
    assert.is(await g.ask('wasm_attach_bpf_program', object, 512, g.string('eth0', 600)), 0);
    assert.equal(g.backend.calls.slice(1), ['attach watch -', 'attach watch -', 'attach watch eth0']);
    assert.equal(g.logged.slice(-2), ['attached program "watch"', 'attached program "watch" to "eth0"']);
    assert.is(g.host.stats.attached, 3);
  });

  test('answers EINVAL for an unknown object, EFAULT for bad pointers, ENOENT for an unknown program', async () => {
    const g = new BpfGuest();
    const object = await g.load();
    g.string('watch');
    assert.is(await g.ask('wasm_attach_bpf_program', 9n, 512, 0), EINVAL);
    assert.is(await g.ask('wasm_attach_bpf_program', object, END, 0), EFAULT);
    assert.is(await g.ask('wasm_attach_bpf_program', object, 512, END), EFAULT);
    g.memory.bytes.fill(0x61, END - 10);
    assert.is(await g.ask('wasm_attach_bpf_program', object, END - 10, 0), EFAULT, 'no NUL before the end of memory');
    assert.is(await g.ask('wasm_attach_bpf_program', object, g.string('gone', 700), 0), ENOENT);
    assert.equal(g.reported, ['cannot attach: BPF object 1 has no program "gone" (it has watch, filter)']);
    g.put(800, Uint8Array.of(0xff, 0));
    assert.is(await g.ask('wasm_attach_bpf_program', object, 800, 0), EINVAL, 'not UTF-8');
  });

  test.table([
    { error: new SyscallError('BPF_LINK_CREATE', 1, 'EPERM', 'program "watch"'), answer: EPERM, says: 'BPF_LINK_CREATE for program "watch": EPERM' },
    { error: new AttachError('watch', 'no tracepoint "a/b"', '', { cause: new SyscallError('open', 2, 'ENOENT') }), answer: ENOENT, says: 'attach program "watch": no tracepoint "a/b"' },
    { error: new AttachError('watch', 'needs a target', 'name one'), answer: EINVAL, says: 'attach program "watch": needs a target (name one)' },
    { error: new UnsupportedError('tcx', '6.6'), answer: EOPNOTSUPP, says: 'tcx is not supported here, needs Linux 6.6 or later' },
  ], ({ error }) => `returns the errno of ${error.code} and says why`, async ({ error, answer, says }) => {
    const g = new BpfGuest();
    const object = await g.load();
    g.backend.failure = error;
    assert.is(await g.ask('wasm_attach_bpf_program', object, g.string('watch'), g.string('lo', 600)), answer);
    assert.equal(g.reported, [`cannot attach to "lo": ${says}`]);
  });
});

suite('wasm_bpf_map_fd_by_name', (test) => {
  test('gives handles from 1 on, the same for the same map, none to another object', async () => {
    const g = new BpfGuest();
    const a = await g.load(), b = await g.load();
    assert.equal([await g.map(a, 'events'), await g.map(a, 'counts'), await g.map(a, 'events'), await g.map(b, 'events')], [1, 2, 1, 3]);
    assert.is(await g.map(a, 'none'), ENOENT);
    assert.is(await g.map(7n, 'events'), EINVAL);
    assert.is(await g.ask('wasm_bpf_map_fd_by_name', a, END), EFAULT);
    await g.ask('wasm_close_bpf_object', a);
    assert.is(await g.ask('wasm_bpf_map_operate', 2, LOOKUP, 0, 8, 0, 0n), EBADF, 'a handle dies with its object');
    assert.is(await g.map(b, 'counts'), 4, 'and is not given again');
  });
});

suite('wasm_bpf_map_operate', (test) => {
  const started = async (name: string): Promise<[BpfGuest, number]> => {
    const g = new BpfGuest();
    return [g, await g.map(await g.load(), name)];
  };

  test('updates, looks up, deletes, walks the keys', async () => {
    const [g, map] = await started('counts');
    const op = (cmd: number, key: number, value: number, next: number, flags = 0n) => g.ask('wasm_bpf_map_operate', map, cmd, key, value, next, flags);
    g.setU32(128, 1, 2);
    g.setU32(200, 11, 0, 22, 0);
    assert.is(await op(UPDATE, 128, 200, 0, 1n), 0);
    assert.is(g.backend.maps[0].lastFlags, 1);
    assert.is(await op(UPDATE, 132, 208, 0), 0);
    assert.is(await op(LOOKUP, 132, 300, 0, 4n), 0);
    assert.is(g.backend.maps[0].lastFlags, 4);
    assert.is(g.u32(300), 22);
    assert.is(await op(NEXT, 0, 0, 400), 0, 'NULL asks for the first key');
    assert.is(g.u32(400), 1);
    assert.is(await op(NEXT, 400, 0, 404), 0);
    assert.is(g.u32(404), 2);
    assert.is(await op(NEXT, 404, 0, 408), ENOENT);
    assert.is(await op(DELETE, 128, 0, 0), 0);
    assert.is(await op(DELETE, 128, 0, 0), ENOENT);
    assert.is(await op(LOOKUP, 128, 300, 0), ENOENT);
  });

  test('answers EBADF for handles it was not given, EINVAL for other commands and flags beyond 2^53', async () => {
    const [g, map] = await started('counts');
    for (const handle of [0, 2, 3, -1, 100]) assert.is(await g.ask('wasm_bpf_map_operate', handle, LOOKUP, 0, 8, 0, 0n), EBADF, String(handle));
    for (const cmd of [0, 5, 24, -1]) assert.is(await g.ask('wasm_bpf_map_operate', map, cmd, 0, 8, 0, 0n), EINVAL, String(cmd));
    assert.is(await g.ask('wasm_bpf_map_operate', map, LOOKUP, 0, 8, 0, -1n), EINVAL);
  });

  test('checks every pointer with the size the map has', async () => {
    const [g, map] = await started('counts');
    const cases: [cmd: number, key: number, value: number, next: number][] = [
      [LOOKUP, END - 3, 0, 0], [LOOKUP, 0, END - 7, 0], [UPDATE, END - 3, 0, 0], [UPDATE, 0, END - 7, 0], [DELETE, END - 3, 0, 0],
      [NEXT, END - 3, 0, 0], [NEXT, 0, 0, END - 3], [NEXT, 4, 0, -4],
    ];
    for (const [cmd, key, value, next] of cases) assert.is(await g.ask('wasm_bpf_map_operate', map, cmd, key, value, next, 0n), EFAULT, `${cmd} ${key} ${value} ${next}`);
    g.setU32(END - 4, 5);
    assert.is(await g.ask('wasm_bpf_map_operate', map, DELETE, END - 4, 0, 0, 0n), ENOENT, 'the last key that fits');
  });

  test('a per-CPU value takes one slot for every CPU', async () => {
    const [g, map] = await started('cpus');
    g.backend.maps[1].update(Uint8Array.of(0, 0, 0, 0), new Uint8Array(32).fill(9));
    assert.is(await g.ask('wasm_bpf_map_operate', map, LOOKUP, 0, END - 32, 0, 0n), 0);
    assert.is(g.memory.bytes[END - 1], 9);
    assert.is(await g.ask('wasm_bpf_map_operate', map, LOOKUP, 0, END - 31, 0, 0n), EFAULT);
    assert.is(await g.ask('wasm_bpf_map_operate', map, UPDATE, 0, END - 8, 0, 0n), EFAULT);
  });

  test('maps without keys take none', async () => {
    const [g, map] = await started('stack');
    g.setU32(128, 77);
    assert.is(await g.ask('wasm_bpf_map_operate', map, UPDATE, END, 128, 0, 0n), 0);
    assert.is(await g.ask('wasm_bpf_map_operate', map, LOOKUP, END, 132, 0, 0n), 0);
    assert.is(g.u32(132), 77);
    const filter = await g.map(1n, 'filter');
    assert.is(await g.ask('wasm_bpf_map_operate', filter, LOOKUP, 0, 128, 0, 0n), ENOENT);
    assert.is(await g.ask('wasm_bpf_map_operate', filter, UPDATE, 0, 128, 0, 0n), 0);
    assert.is(await g.ask('wasm_bpf_map_operate', filter, LOOKUP, 0, 128, 0, 0n), 0);
  });

  test('a guest cannot put descriptors of the host into maps', async () => {
    const [g, outer] = await started('outer');
    const counts = await g.map(1n, 'counts');
    g.setU32(128, 0, counts, 5);
    assert.is(await g.ask('wasm_bpf_map_operate', outer, UPDATE, 128, 132, 0, 0n), 0, 'its own map, by its handle');
    assert.equal([...g.backend.maps[6].elements.values()].map((v) => v[0]), [100]);
    assert.is(await g.ask('wasm_bpf_map_operate', outer, UPDATE, 128, 136, 0, 0n), EINVAL, 'no handle of this guest');
    assert.is(await g.ask('wasm_bpf_map_operate', await g.map(1n, 'perf'), UPDATE, 128, 136, 0, 0n), EPERM);
    assert.is(await g.ask('wasm_bpf_map_operate', await g.map(1n, 'tasks'), LOOKUP, 128, 200, 0, 0n), EPERM);
    const devices = await g.map(1n, 'devices');
    g.setU32(200, 1, 6);
    assert.is(await g.ask('wasm_bpf_map_operate', devices, UPDATE, 128, 200, 0, 0n), EPERM, 'with a program');
    g.setU32(204, 0);
    assert.is(await g.ask('wasm_bpf_map_operate', devices, UPDATE, 128, 200, 0, 0n), 0);
  });

  test('what the kernel says is the answer', async () => {
    const [g, map] = await started('counts');
    g.backend.maps[0].update = () => { throw new SyscallError('BPF_MAP_UPDATE_ELEM', 7, 'E2BIG'); };
    assert.is(await g.ask('wasm_bpf_map_operate', map, UPDATE, 0, 8, 0, 0n), -7);
    assert.equal(g.reported, [], 'a full map is the guest\'s to handle');
  });
});

suite('wasm_bpf_buffer_poll', (test) => {
  const DATA = 4096;
  const record = (...bytes: number[]) => Uint8Array.from(bytes);
  const started = async (name = 'events', limits = {}): Promise<{ g: BpfGuest; object: bigint; map: number; events: { push(r: Uint8Array): unknown }; poll: (size?: number, ms?: number, fn?: number) => Promise<number> }> => {
    const g = new BpfGuest({ limits });
    const object = await g.load();
    const map = await g.map(object, name);
    const events = g.backend.maps.find((m) => m.name === name)!.records;
    return { g, object, map, events, poll: (size = 16, ms = 0, fn = 3) => g.ask('wasm_bpf_buffer_poll', object, map, fn, 77, DATA, size, ms) };
  };

  test.table(['events', 'perf'], (name) => `hands every record of "${name}" to the callback and returns how many`, async (name) => {
    const { g, events, poll } = await started(name);
    const seen: unknown[] = [];
    g.func(3, (ctx, data, size) => {
      seen.push([ctx, data, size, [...g.memory.bytes.subarray(DATA, DATA + 4)]]);
      return [0];
    });
    for (const r of [record(1, 2, 3, 4), record(5), record(6, 7, 8, 9)]) events.push(r);
    assert.is(await poll(), 3);
    assert.equal(seen, [[77, DATA, 4, [1, 2, 3, 4]], [77, DATA, 1, [5, 2, 3, 4]], [77, DATA, 4, [6, 7, 8, 9]]]);
    assert.is(await poll(), 0);
    assert.equal([g.host.stats.polls, g.host.stats.records, g.host.stats.cut], [2, 3, 0]);
    assert.is(g.backend.calls.filter((c) => c.startsWith('open')).length, 1, 'opened once');
    assert.is(g.backend.calls.at(-1), 'release');
  });

  test('copies at most max_size bytes and passes the real size', async () => {
    const { g, events, poll } = await started();
    g.func(3, (_, data, size) => {
      assert.equal([data, size, ...g.memory.bytes.subarray(DATA, DATA + 4)], [DATA, 4, 1, 2, 0, 0]);
      return [0];
    });
    events.push(record(1, 2, 3, 4));
    assert.is(await poll(2), 1);
    assert.is(g.host.stats.cut, 1);
  });

  test('a negative result of the callback ends the poll and is returned; the rest waits', async () => {
    const { g, events, poll } = await started();
    let calls = 0;
    g.func(3, () => [++calls === 2 ? -1000 : 1]);
    for (let i = 0; i < 3; i++) events.push(record(i));
    assert.is(await poll(), -1000);
    assert.is(await poll(), 1);
    assert.is(calls, 3);
  });

  test('a callback without a result is served too', async () => {
    const { g, events, poll } = await started();
    g.func(3, () => [], { params: [I32, I32, I32], results: [] });
    events.push(record(1));
    assert.is(await poll(), 1);
  });

  test('the callback may grow the memory and throw; the buffer is released and free again', async () => {
    const { g, events, poll } = await started();
    let calls = 0;
    g.func(3, () => {
      g.memory.grow(1);
      if (++calls === 2) throw new Error('trap');
      return [0];
    });
    for (let i = 0; i < 3; i++) events.push(record(i));
    let message = '';
    await poll().catch((error: Error) => (message = error.message));
    assert.is(message, 'trap');
    assert.is(g.backend.calls.at(-1), 'release');
    assert.is(await poll(), 1);
  });

  test('waits in slices of at most 50 ms until the timeout, and lets the event loop turn between them', async () => {
    const { g, poll } = await started();
    g.func(3, () => [0]);
    let turns = 0, going = true;
    const turn = () => { turns++; if (going) setImmediate(turn); };
    setImmediate(turn);
    const start = performance.now();
    assert.is(await poll(16, 30), 0);
    going = false;
    assert.ok(performance.now() - start >= 29);
    assert.ok(turns > 0);
    const waits = g.backend.calls.filter((c) => c.startsWith('wait')).map((c) => Number(c.slice(5)));
    assert.ok(waits.length > 0 && waits.every((ms) => ms > 0 && ms <= 50));
  });

  test('a negative timeout waits until there is something', async () => {
    const { g, events, poll } = await started();
    g.func(3, () => [0]);
    setTimeout(() => events.push(record(1)), 20);
    assert.is(await poll(16, -1), 1);
  });

  test('a poll is bounded, however fast records come', async () => {
    const { g, events, poll } = await started('events', { recordsPerPoll: 10 });
    g.func(3, () => {
      events.push(record(1));
      return [0];
    });
    events.push(record(1));
    assert.is(await poll(16, -1), 10);
  });

  test('answers for bad arguments', async () => {
    const { g, object, map, poll } = await started();
    g.func(3, () => [0]);
    g.func(4, () => [0], { params: [I32, I32], results: [I32] });
    const ask = (o: bigint, m: number, fn: number, data: number, size: number) => g.ask('wasm_bpf_buffer_poll', o, m, fn, 0, data, size, 0);
    assert.is(await ask(9n, map, 3, DATA, 16), EINVAL, 'object');
    assert.is(await ask(object, 50, 3, DATA, 16), EBADF, 'map');
    assert.is(await ask(object, await g.map(await g.load(), 'events'), 3, DATA, 16), EINVAL, 'map of another object');
    assert.is(await ask(object, await g.map(object, 'counts'), 3, DATA, 16), EINVAL, 'another kind of map');
    assert.is(await ask(object, map, 3, END - 15, 16), EFAULT);
    assert.is(await ask(object, map, 3, DATA, -1), EFAULT);
    assert.is(await ask(object, map, 99, DATA, 16), EINVAL, 'outside of the table');
    assert.is(await ask(object, map, 0, DATA, 16), EINVAL, 'null');
    assert.is(await ask(object, map, 4, DATA, 16), EINVAL, 'another type');
    g.table = undefined;
    assert.is(await poll(), EINVAL, 'no table');
    assert.equal(g.reported, []);
  });

  test('the table is the one exported by its usual name, or the only one exported, or table 0', async () => {
    const { g, events, poll } = await started();
    const called: string[] = [];
    const tableOf = (name: string) => {
      g.table = undefined;
      g.func(3, () => { called.push(name); return [0]; });
      return g.table!;
    };
    const [own, one, usual] = [tableOf('0'), tableOf('one'), tableOf('usual')];
    g.table = own;
    const go = async () => { events.push(record(1)); assert.is(await poll(), 1); };
    await go();
    g.exports.set('t', one);
    await go();
    g.exports.set('u', own);
    await go();
    g.exports.set('__indirect_function_table', usual);
    await go();
    assert.equal(called, ['0', 'one', '0', 'usual']);
  });

  test('from within the callback: the same buffer and closing are EBUSY, another buffer is served', async () => {
    const { g, object, map, events, poll } = await started();
    const perf = await g.map(object, 'perf');
    g.backend.maps[3].records.push(record(9));
    const answers: number[] = [];
    g.func(5, () => [0]);
    g.func(3, async () => {
      answers.push(await g.ask('wasm_bpf_buffer_poll', object, map, 5, 0, DATA, 16, 0));
      answers.push(await g.ask('wasm_close_bpf_object', object));
      answers.push(await g.ask('wasm_bpf_buffer_poll', object, perf, 5, 0, DATA, 16, 0));
      return [0];
    });
    events.push(record(1));
    assert.is(await poll(), 1);
    assert.equal(answers, [EBUSY, EBUSY, 1]);
    assert.is(await g.ask('wasm_close_bpf_object', object), 0);
  });

  test('what opening the buffer fails with is said, and is the answer', async () => {
    const { g, poll } = await started('perf');
    g.func(3, () => [0]);
    g.backend.failure = new SyscallError('perf_event_open', 1, 'EPERM', 'CPU 0');
    assert.is(await poll(), EPERM);
    assert.equal(g.reported, ['cannot open the buffer "perf": perf_event_open for CPU 0: EPERM']);
  });

  test('closing an object closes its buffers first and counts what they lost', async () => {
    const { g, object, poll } = await started('perf');
    g.func(3, () => [0]);
    g.backend.maps[3].lost = [2, , 3] as number[];
    await poll();
    await g.ask('wasm_close_bpf_object', object);
    assert.equal(g.backend.calls.slice(-2), ['close perf', 'close object']);
    assert.is(g.host.stats.lost, 5);
  });

  test('TinyGo\'s poll calls the export "go-callback"', async () => {
    const { g, object, map, events } = await started();
    const func = g.host.provide('callback-wrapper', 'wasm_bpf_buffer_poll', funcType('Iiiiii:i'))!;
    events.push(record(1, 2));
    assert.equal(await g.call(func, [object, map, 7, DATA, 16, 0]), [EINVAL], 'not exported');
    const seen: unknown[] = [];
    g.exports.set('go-callback', g.func(1, (...args) => { seen.push(args); return [0]; }));
    assert.equal(await g.call(func, [object, map, 7, DATA, 16, 0]), [1]);
    assert.equal(seen, [[7, DATA, 2]]);
  });
});
