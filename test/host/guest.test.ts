/** runWasm: the entry, the ways to end, and what is released, with the real engine and a fake kernel. */
import { readdirSync } from 'node:fs';
import { runWasm, trapLines, type Ending, type RunOptions } from '#src/host/guest.js';
import { I32 } from '#src/interp/types.js';
import { FakeBackend } from '../support/bpf-guest.js';
import { assert, rejectsCode, suite } from '../support/suite.js';
import { assemble, type FuncSpec, type Instruction, type ModuleSpec } from '../support/wasm.js';

const WASI = 'wasi_snapshot_preview1';
const FD_WRITE = { module: WASI, name: 'fd_write', type: 'iiii:i' }, PROC_EXIT = { module: WASI, name: 'proc_exit', type: 'i:' };
const POLL = { module: 'wasm_bpf', name: 'wasm_bpf_buffer_poll', type: 'liiiiii:i' }, LOAD = { module: 'wasm_bpf', name: 'wasm_load_bpf_object', type: 'ii:l' };
const MAP = { module: 'wasm_bpf', name: 'wasm_bpf_map_fd_by_name', type: 'li:i' };
const text = (at: number, s: string) => ({ at, bytes: [...new TextEncoder().encode(s)] });
const start = (body: readonly Instruction[], more: Partial<FuncSpec> = {}): FuncSpec => ({ type: ':', export: '_start', body, ...more });
/** vector at 0: the text "hello\n" at 16 */
const HELLO = { memory: { min: 1 }, data: [{ at: 0, bytes: [16, 0, 0, 0, 6, 0, 0, 0] }, text(16, 'hello\n')] };
const say = (fd = 1): Instruction[] => [['i32.const', fd], ['i32.const', 0], ['i32.const', 1], ['i32.const', 8], ['call', 0], 'drop'];

async function run(spec: ModuleSpec, options: Partial<RunOptions> = {}): Promise<Ending & { out: string; err: string }> {
  let out = '', err = '';
  const ending = await runWasm(assemble(spec), {
    path: 'dir/probe.wasm', stdin: new Uint8Array(0), stdout: (b) => (out += Buffer.from(b).toString()), stderr: (b) => (err += Buffer.from(b).toString()), ...options,
  });
  return { ...ending, out, err };
}

suite('runWasm entry', (test) => {
  test('runs the start function, then _start', async () => {
    const { how, status, out } = await run({ ...HELLO, imports: [FD_WRITE], start: 2, funcs: [start(say()), { type: ':', body: say() }] });
    assert.equal([how, status, out], ['returned', 0, 'hello\nhello\n']);
  });

  const f = (name: string): FuncSpec => ({ type: ':', export: name, body: [] });
  test.table<{ what: string; funcs: FuncSpec[]; invoke?: string; says: string }>([
    { what: 'no function', funcs: [], says: 'the module has no "_start" (it exports no function to call)' },
    { what: 'other exports only', funcs: [f('a'), f('b')], says: 'the module has no "_start" (--invoke calls one of its exports: a, b)' },
    { what: 'a reactor', funcs: [f('_initialize'), f('poll')], says: 'the module is a reactor: it has no "_start" (--invoke calls one of its exports: poll)' },
    { what: 'main only', funcs: [f('main')], says: 'the module exports "main" and no "_start" (link it as a command, with the libc\'s crt1, or use --invoke main)' },
    { what: '__main_void only', funcs: [f('__main_void')], says: 'the module exports "__main_void" and no "_start" (link it as a command, with the libc\'s crt1, or use --invoke __main_void)' },
    { what: 'another name asked for', funcs: [f('a')], invoke: 'b', says: 'the module exports no function "b" (it exports a)' },
  ], ({ what }) => `refuses a module with ${what}`, async ({ funcs, invoke, says }) => {
    await rejectsCode(() => run({ funcs }, { invoke }), 'USAGE', says);
  });

  test('invoke initializes a reactor, parses arguments by type and gives the results', async () => {
    const spec: ModuleSpec = {
      globals: [{ type: 'i', mutable: true, init: ['i32.const', 0] }],
      funcs: [
        { type: ':', export: '_initialize', body: [['i32.const', 100], ['global.set', 0]] },
        { type: 'il:l', export: 'sum', body: [['local.get', 0], 'i64.extend_i32_s', ['local.get', 1], 'i64.add', ['global.get', 0], 'i64.extend_i32_s', 'i64.add'] },
        { type: 'fd:d', export: 'real', body: [['local.get', 0], 'f64.promote_f32', ['local.get', 1], 'f64.add'] },
      ],
    };
    assert.equal((await run(spec, { invoke: 'sum', args: ['-1', '0x10'] })).results, [115n]);
    assert.equal((await run(spec, { invoke: 'real', args: ['1.5', '-0.25', 'ignored'] })).results, [1.25]);
    await rejectsCode(() => run(spec, { invoke: 'sum', args: ['1'] }), 'USAGE', '"sum" is (i32, i64) -> i64 and takes 2 arguments, 1 given');
    await rejectsCode(() => run(spec, { invoke: 'sum', args: ['1', '1.5'] }), 'USAGE', '"sum" is (i32, i64) -> i64: argument 2 is "1.5", which is no i64');
    await rejectsCode(() => run(spec, { invoke: 'sum', args: ['4294967296', '1'] }), 'USAGE', /argument 1 is "4294967296", which is no i32/);
    await rejectsCode(() => run(spec, { invoke: 'real', args: ['x', '1'] }), 'USAGE', /argument 1 is "x", which is no f32/);
  });

  test('says of every missing import what it is, in one message', async () => {
    const imports = [{ module: 'env', name: 'a', type: 'i:l' }, FD_WRITE, { module: 'env', name: 'b', type: ':' }];
    await rejectsCode(() => run({ imports: imports.slice(0, 1), funcs: [start([])] }), 'WASM_MISSING_IMPORTS',
      'nobody provides import "env" "a": func (i32) -> i64 (this host has wasi_snapshot_preview1 and wasm_bpf)');
    await rejectsCode(() => run({ imports, funcs: [start([])] }), 'WASM_MISSING_IMPORTS',
      'nobody provides these 2 imports:\n  import "env" "a": func (i32) -> i64\n  import "env" "b": func ()\n(this host has wasi_snapshot_preview1 and wasm_bpf)');
    await rejectsCode(() => run({ imports: [{ module: WASI, name: 'fd_write', type: 'i:i' }], funcs: [start([])] }), 'WASM_LINK', /import "wasi_snapshot_preview1" "fd_write"/);
  });

  test('provide comes before everything else', async () => {
    const seen: unknown[] = [];
    const { how } = await run({ imports: [PROC_EXIT], funcs: [start([['i32.const', 9], ['call', 0]])] }, {
      provide: (module, item) => (item === 'proc_exit' ? { kind: 'host', name: module, type: { params: [I32], results: [] }, run: (_, args) => void seen.push(...args) } : undefined),
    });
    assert.equal([how, seen], ['returned', [9]]);
  });

  test('refuses broken modules with their own codes', async () => {
    await rejectsCode(() => runWasm(Uint8Array.of(1, 2, 3, 4), { path: 'x' }), 'WASM_MALFORMED', /^malformed module at 0x0: /);
    await rejectsCode(() => run({ funcs: [start(['i32.add'])] }), 'WASM_INVALID', /type mismatch/);
  });
});

suite('runWasm endings', (test) => {
  test('proc_exit(N): its status, and nothing that was written is lost', async () => {
    const { how, status, out } = await run({ ...HELLO, imports: [FD_WRITE, PROC_EXIT], funcs: [start([...say(), ['i32.const', 42], ['call', 1]])] });
    assert.equal([how, status, out], ['exited', 42, 'hello\n']);
  });

  test('a trap: status 134, the stack innermost first, and nothing that was written is lost', async () => {
    const { how, status, out, error } = await run({
      ...HELLO, imports: [FD_WRITE], funcs: [start([...say(), ['call', 2]], { name: 'outer' }), { type: ':', name: 'inner', body: ['unreachable'] }],
    });
    assert.equal([how, status, out], ['trapped', 134, 'hello\n']);
    const lines = trapLines(error!);
    assert.is(lines[0], 'trap: unreachable');
    assert.match(lines[1], /^ {4}at inner \(0x[0-9a-f]+\)$/);
    assert.match(lines[2], /^ {4}at outer \(0x[0-9a-f]+\)$/);
  });

  test('a call depth without end is a trap', async () => {
    const { how, error } = await run({ funcs: [start([['call', 0]])] });
    assert.equal([how, error?.code], ['trapped', 'WASM_EXHAUSTED']);
  });

  const SLEEP: Instruction[] = [['i32.const', 0], ['i32.const', 64], ['i32.const', 1], ['i32.const', 60], ['call', 0], 'drop'];
  test.table<{ what: string; spec: ModuleSpec; options?: Partial<RunOptions> }>([
    { what: 'an endless loop', spec: { funcs: [start([['loop', ''], ['br', 0], 'end'])] } },
    { what: 'an endless loop of host calls', spec: { ...HELLO, imports: [FD_WRITE], funcs: [start([['loop', ''], ...say(), ['br', 0], 'end'])] } },
    { what: 'a sleep of an hour', spec: { imports: [{ module: WASI, name: 'poll_oneoff', type: 'iiii:i' }], memory: { min: 1 }, data: [{ at: 16, bytes: [1] }, { at: 24, bytes: [0, 0, 0xa0, 0x9c, 0x46, 3] }], funcs: [start(SLEEP)] } },
    { what: 'a poll without timeout', spec: pollForever() },
  ], ({ what }) => `${what} is interrupted within 100 ms`, async ({ spec }) => {
    const stop = new AbortController();
    let at = 0;
    setTimeout(() => { at = performance.now(); stop.abort('test'); }, 60);
    const backend = new FakeBackend();
    const { how, status } = await run(spec, { signal: stop.signal, backend });
    const took = performance.now() - at;
    assert.equal([how, status], ['interrupted', 130]);
    // twice the promise: the machine may be busy
    assert.ok(took < 200, `${took} ms`);
    if (backend.calls.length > 0) assert.equal(backend.calls.slice(-3), ['release', 'close events', 'close object']);
  });

  test('a signal that has come before ends the guest at once', async () => {
    const { how, out } = await run({ ...HELLO, imports: [FD_WRITE], funcs: [start(say())] }, { signal: AbortSignal.abort('early') });
    assert.equal([how, out], ['interrupted', '']);
  });

  test('when nobody reads the output any more the guest ends with 141', async () => {
    const { how, status } = await run({ ...HELLO, imports: [FD_WRITE], funcs: [start([['loop', ''], ...say(), ['br', 0], 'end'])] }, {
      stdout: () => { throw Object.assign(new Error('gone'), { code: 'EPIPE', syscall: 'write' }); },
    });
    assert.equal([how, status], ['reader gone', 141]);
  });

  test('limits reach the engine', async () => {
    const grow: ModuleSpec = { memory: { min: 1 }, imports: [PROC_EXIT], funcs: [start([['i32.const', 3], 'memory.grow', ['call', 0]])] };
    assert.is((await run(grow)).status, 1);
    assert.is((await run(grow, { limits: { memoryPages: 2 } })).status, -1 >>> 0);
  });
});

/** Loads 4 bytes, finds "events", polls it without timeout with a callback that returns its second argument's record. */
function pollForever(callback: readonly Instruction[] = [['i32.const', 0]], after: readonly Instruction[] = ['drop']): ModuleSpec {
  return {
    imports: [LOAD, MAP, POLL, PROC_EXIT], memory: { min: 1 }, table: [null, 5], data: [text(100, 'events\0')],
    funcs: [
      start([
        ['i32.const', 64], ['i32.const', 4], ['call', 0], ['local.tee', 0],
        ['local.get', 0], ['i32.const', 100], ['call', 1],
        ['i32.const', 1], ['i32.const', 77], ['i32.const', 4096], ['i32.const', 16], ['i32.const', -1], ['call', 2], ...after,
      ], { locals: 'l' }),
      { type: 'iii:i', name: 'sample', body: callback },
    ],
  };
}

suite('runWasm with BPF', (test) => {
  test('records reach the guest\'s callback on the real engine, and its result comes back', async () => {
    const backend = new FakeBackend();
    for (const byte of [3, 4, 5]) backend.maps[2].records.push(Uint8Array.of(byte, 0, 0, 0));
    // the callback adds ctx, size and the first byte up at 8000 and goes on
    const { status, stats } = await run(pollForever([
      ['i32.const', 8000], ['i32.const', 8000], ['i32.load', 0], ['local.get', 0], 'i32.add', ['local.get', 2], 'i32.add', ['local.get', 1], ['i32.load', 0], 'i32.add', ['i32.store', 0], ['i32.const', 0],
    ], ['drop', ['i32.const', 8000], ['i32.load', 0], ['call', 3]]), { backend });
    assert.is(status, 3 * 77 + 3 * 4 + 12);
    assert.equal(stats, { objects: 1, attached: 0, polls: 1, records: 3, cut: 0, lost: 0 });
    assert.equal(backend.calls, ['load probe 00000000', 'open events', 'release', 'close events', 'close object']);
  });

  test('a trap in the callback has both sides of the host on its stack, and everything is released', async () => {
    const backend = new FakeBackend();
    backend.maps[2].records.push(Uint8Array.of(1));
    const { how, error } = await run(pollForever(['unreachable']), { backend });
    assert.is(how, 'trapped');
    assert.equal(error?.stackFrames.map((f) => f.name), ['sample', '_start']);
    assert.equal(backend.calls.slice(-3), ['release', 'close events', 'close object']);
  });

  test('proc_exit in the callback ends the guest and releases everything', async () => {
    const backend = new FakeBackend();
    backend.maps[2].records.push(Uint8Array.of(1));
    const { how, status } = await run(pollForever([['i32.const', 3], ['call', 3], ['i32.const', 0]]), { backend });
    assert.equal([how, status], ['exited', 3]);
    assert.equal(backend.calls.slice(-3), ['release', 'close events', 'close object']);
  });

  test('what cannot be loaded is said on standard error, once', async () => {
    const { err } = await run({ imports: [LOAD], memory: { min: 1 }, funcs: [start([['i32.const', 64], ['i32.const', 4], ['call', 0], 'drop'])] });
    assert.match(err, /^wasm-bpf: cannot load the BPF object: BPF object: .*\n$/);
  });

  test('the running kernel is asked by default, and no descriptor is left open', async () => {
    const once = () => run({ imports: [LOAD], memory: { min: 1 }, funcs: [start([['i32.const', 64], ['i32.const', 4], ['call', 0], 'drop'])] });
    await once();
    const before = readdirSync('/proc/self/fd').length;
    await once();
    assert.is(readdirSync('/proc/self/fd').length, before);
  });
});
