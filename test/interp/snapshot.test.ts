/**
 * Snapshots: taken at random instructions, restored in another process and on every tier, they lead to the same end; bytes that are
 * no snapshot, or a broken one, are an error and nothing else.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProjectError } from '#src/errors.js';
import type { Engine, Execution, Func, GuestCall, HostFunc, Value } from '#src/interp/engine.js';
import { interpreter } from '#src/interp/interpreter.js';
import type { SavedFrame, Snapshot } from '#src/interp/snapshot.js';
import { decodeSnapshot, encodeSnapshot } from '#src/interp/snapshot-bytes.js';
import { Random } from '../fuzz/random.js';
import { compiled, continued, finish, imports, pack, type Outcome } from '../support/restoring.js';
import { assert, rejectsCode, suite, throwsCode } from '../support/suite.js';
import { assemble, typeOf, type ModuleSpec } from '../support/wasm.js';
import { TIERS } from './engines.js';
import { body, funcType, module, name, section, vec } from './wasm.js';

const NULLABLE = 0x63;

/** Lists, arrays and exceptions of both encodings, on the stack, in locals and in a global, and what it prints on the way. */
const OBJECTS: ModuleSpec = {
  // (struct (field (mut i32)) (field (mut (ref null 0)))), (array (mut i64))
  rawTypes: [[0x5f, 2, 0x7f, 1, NULLABLE, 0, 1], [0x5e, 0x7e, 1]],
  imports: [{ module: 'host', name: 'print', type: 'i:' }],
  tags: ['i:', 'd:'],
  globals: [{ type: 'e', mutable: true, init: ['ref.null', 0x6f] }, { type: 'd', mutable: true, init: ['f64.const', 0.5] }],
  memory: { min: 1 },
  funcs: [
    // throws one or the other, or returns
    { type: 'i:i', body: [
      ['local.get', 0], ['i32.const', 3], 'i32.rem_u', 'i32.eqz', ['if', ''], ['local.get', 0], ['i32.const', 2], 'i32.mul', ['throw', 0], 'end',
      ['local.get', 0], ['i32.const', 3], 'i32.rem_u', ['i32.const', 1], 'i32.eq', ['if', ''], ['global.get', 1], ['local.get', 0], 'f64.convert_i32_s', 'f64.mul', ['throw', 1], 'end',
      ['local.get', 0],
    ] },
    // catches everything as a reference, prints, and throws it again
    { type: 'i:i', body: [
      ['block', 'x'], ['try_table', 0x40, 1, 3, 0], ['local.get', 0], ['call', 1], 'return', 'end', 'unreachable', 'end',
      ['i32.const', 3], ['call', 0], 'throw_ref',
    ] },
    { type: 'i:i', locals: 'iee', export: 'run', body: [
      ['i32.const', 8], ['array.new_default', 1], 'extern.convert_any', ['local.set', 3],
      ['loop', ''],
      ['local.get', 0], ['i32.const', 7], 'i32.mul', ['local.get', 1], 'i32.add', ['local.get', 2], 'any.convert_extern', ['ref.cast_null', 0], ['struct.new', 0], 'extern.convert_any', ['local.tee', 2], ['global.set', 0],
      ['local.get', 3], 'any.convert_extern', ['ref.cast', 1], ['local.get', 0], ['i32.const', 7], 'i32.and',
      ['local.get', 3], 'any.convert_extern', ['ref.cast', 1], ['local.get', 0], ['i32.const', 7], 'i32.and', ['array.get', 1],
      ['local.get', 1], 'i64.extend_i32_s', 'i64.add', ['i64.const', 0x9e3779b97f4a7c15n], 'i64.mul', ['array.set', 1],
      ['try', 'i'], ['local.get', 0], ['call', 2], ['catch', 0], ['i32.const', 1], 'i32.add', 'catch_all', ['try', 'i'], ['rethrow', 1], ['catch', 1], 'i32.trunc_sat_f64_s', 'end', 'end',
      ['local.get', 1], 'i32.add', ['i32.const', 0x1e3779b1], 'i32.mul', ['local.tee', 1], ['call', 0],
      ['local.get', 0], ['local.get', 1], ['i32.store', 16],
      ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end',
      ['loop', ''],
      ['local.get', 1], ['local.get', 2], 'any.convert_extern', ['ref.cast_null', 0], ['struct.get', 0, 0], 'i32.add', ['local.set', 1],
      ['local.get', 2], 'any.convert_extern', ['ref.cast_null', 0], ['struct.get', 0, 1], 'extern.convert_any', ['local.tee', 2], 'ref.is_null', 'i32.eqz', ['br_if', 0], 'end',
      ['local.get', 3], 'any.convert_extern', ['ref.cast', 1], ['i32.const', 5], ['array.get', 1], 'i32.wrap_i64', ['local.get', 1], 'i32.xor',
    ] },
  ],
};

/** (func (export "run") (param i32) (result i32)) on what is passive: grows and fills a memory and a table, drops segments, and sums up. */
const SEGMENTS = module(
  section(1, vec([funcType([0x7f], [0x7f]), funcType([], [0x7f])])), section(3, vec([[0], [1]])),
  section(4, vec([[0x70, 0, 2]])), section(5, vec([[0, 1]])), section(7, vec([[name('run'), 0, 0]])),
  section(9, vec([[1, 0, vec([[1], [1]])]])), section(12, 1),
  section(10, vec([
    body([
      [0x41, 2, 0x40, 0, 0x1a], // memory.grow 2
      [0xd0, 0x70, 0x20, 0, 0xfc, 15, 0, 0x1a], // table.grow by the argument
      [0x41, 3, 0x41, 0, 0x41, 2, 0xfc, 12, 0, 0], [0xfc, 13, 0], // table.init, elem.drop
      [0x41, 0x80, 0x80, 8, 0x41, 1, 0x41, 3, 0xfc, 8, 0, 0], [0xfc, 9, 0], // memory.init, data.drop
      [0x41, 4, 0x11, 1, 0], // call_indirect of element 4
      [0x41, 0x80, 0x80, 8, 0x2d, 0, 0, 0x6a], [0x41, 0x82, 0x80, 8, 0x2d, 0, 0, 0x6a], [0xfc, 16, 0, 0x6a], [0x3f, 0, 0x6a],
    ]),
    body([0x41, 40]),
  ])),
  section(11, vec([[1, vec([[9], [8], [4], [8]])]])),
);

/** A sum over f64 and i64, of which a round takes a few nanoseconds. */
const LONG = assemble({
  globals: [{ type: 'l', mutable: true, init: ['i64.const', 1] }],
  funcs: [{ type: 'i:d', locals: 'd', export: 'run', body: [
    ['loop', ''], ['local.get', 1], ['f64.const', 0.5], 'f64.mul', ['local.get', 0], 'f64.convert_i32_s', 'f64.add', ['local.set', 1],
    ['global.get', 0], ['i64.const', 3], 'i64.mul', ['global.set', 0], ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end', ['local.get', 1],
  ] }],
});

interface Subject { readonly name: string; readonly bytes: () => Uint8Array; readonly arg: number; readonly snapshots: number }
const kernel = (name: string, n: number): Subject => ({ name, bytes: () => readFileSync(`fixtures/wasm/${name}.wasm`), arg: 1, snapshots: n });
/** Calls and i64; floats in vectors; memory and br_table, of which each takes long; structs, arrays and exceptions. */
const SUBJECTS: readonly Subject[] = [kernel('recursion-i64', 1000), kernel('simd', 1000), kernel('vm', 100), { name: 'objects', bytes: () => assemble(OBJECTS), arg: 30, snapshots: 1000 }];

function begin(engine: Engine, bytes: Uint8Array, arg: number, printed: number[] = []): Execution {
  const instance = engine.instantiate(engine.compile(bytes), imports(printed));
  return instance.begin(instance.exports.get('run') as Func, [arg]);
}

/** Steps of the whole call, and what it comes to. */
async function undisturbed(bytes: Uint8Array, arg: number): Promise<{ readonly steps: number; readonly outcome: Outcome }> {
  const counted = begin(interpreter, bytes, arg);
  await counted.run({ fuel: Infinity });
  const printed: number[] = [];
  return { steps: counted.steps, outcome: await finish(begin(interpreter, bytes, arg, printed), printed) };
}

/** `n` snapshots at random instructions of one run, and how much had been printed at each. */
async function snapshots(engine: Engine, bytes: Uint8Array, arg: number, steps: number, n: number, seed: number): Promise<{ readonly saved: Uint8Array[]; readonly printed: number[] }> {
  const random = new Random(seed);
  const at = Array.from({ length: n }, () => random.below(steps)).sort((a, b) => a - b);
  const output: number[] = [];
  const execution = begin(engine, bytes, arg, output);
  const saved: Uint8Array[] = [], printed: number[] = [];
  for (const step of at) {
    if (step > execution.steps) await execution.step(step - execution.steps);
    assert.is(execution.steps, step);
    saved.push(encodeSnapshot(execution.snapshot()));
    printed.push(output.length);
  }
  return { saved, printed };
}

function restoredElsewhere(bytes: Uint8Array, saved: readonly Uint8Array[], ...engines: readonly string[]): Outcome[] {
  const folder = mkdtempSync(join(tmpdir(), 'snapshots-'));
  try {
    const [module, file] = ['module.wasm', 'snapshots'].map((name) => join(folder, name));
    writeFileSync(module, bytes);
    writeFileSync(file, pack(saved));
    const { stdout, stderr, status } = spawnSync(process.execPath, ['build/test/interp/restore.js', module, file, ...engines], { encoding: 'utf8', maxBuffer: 1 << 28 });
    assert.is(status, 0, stderr);
    return JSON.parse(stdout) as Outcome[];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

suite('snapshot', (test) => {
  test.table(SUBJECTS, ({ name, snapshots: n }) => `snapshots at ${n} random instructions of ${name} lead to the same end in a fresh process`, async ({ bytes: load, arg, snapshots: n }) => {
    const bytes = load();
    const { steps, outcome } = await undisturbed(bytes, arg);
    const { saved, printed } = await snapshots(interpreter, bytes, arg, steps, n, 1);
    const outcomes = restoredElsewhere(bytes, saved);
    assert.is(outcomes.length, n);
    outcomes.forEach((one, i) => assert.equal(one, { ...outcome, printed: outcome.printed.slice(printed[i]) }, `snapshot ${i}`));
  });
  test.table(SUBJECTS, ({ name }) => `snapshots of ${name} taken on each tier are restored on each other`, async ({ bytes: load, arg }) => {
    const bytes = load();
    const { steps, outcome } = await undisturbed(bytes, arg);
    for (const engine of TIERS) {
      const { saved, printed } = await snapshots(engine, bytes, arg, steps, 8, 2);
      for (const [i, snapshot] of saved.entries()) {
        assert.equal(await continued(TIERS[i % TIERS.length], bytes, snapshot), { ...outcome, printed: outcome.printed.slice(printed[i]) }, `${engine.name}, snapshot ${i}`);
      }
    }
  });
  test('encodeSnapshot gives the same bytes for the same state, whatever tier it is taken on', async () => {
    const bytes = assemble(OBJECTS);
    const all = await Promise.all(TIERS.map(async (engine) => (await snapshots(engine, bytes, 20, 900, 20, 3)).saved));
    for (const saved of all) assert.equal(saved, all[0]);
    for (const one of all[0]) assert.equal(encodeSnapshot(decodeSnapshot(one)), one);
  });
  test('a snapshot before each instruction on memories, tables and segments leads to the same end', async () => {
    const { steps, outcome } = await undisturbed(SEGMENTS, 5);
    assert.equal(outcome.results, ['66']);
    assert.is(outcome.state.split(' ').slice(0, 2).join(' '), '3 7');
    for (const engine of TIERS) {
      const execution = begin(engine, SEGMENTS, 5);
      for (let i = 0; i < steps; i++) {
        assert.equal(await continued(engine, SEGMENTS, encodeSnapshot(execution.snapshot())), outcome, `${engine.name}, step ${i}`);
        await execution.step();
      }
    }
  });
  test.table(TIERS, ({ name }) => `a snapshot of a loop that is running on ${name} goes on elsewhere`, async (engine) => {
    const { outcome } = await undisturbed(LONG, 30_000_000);
    const execution = begin(engine, LONG, 30_000_000);
    let saved: Uint8Array | undefined;
    while ((await execution.run({ signal: AbortSignal.timeout(20) })).reason === 'signal') saved ??= encodeSnapshot(execution.snapshot());
    assert.ok(saved);
    assert.equal(restoredElsewhere(LONG, [saved, saved], 'interpreter', 'compiler'), [outcome, outcome]);
    assert.equal(execution.results!.map(String), outcome.results);
  });
  test.table(TIERS, ({ name }) => `a host function that is waited for is called again on ${name}`, async (engine) => {
    const spec: ModuleSpec = {
      imports: [{ module: 'host', name: 'later', type: 'il:l' }], table: [0],
      funcs: [{ type: 'i:l', export: 'run', body: [['local.get', 0], ['i64.const', 7], ['local.get', 0], ['i32.const', 5], 'i32.sub', ['call_indirect', 'il:l', 0], ['i64.const', 1], 'i64.add'] }],
    };
    const calls: (readonly Value[])[] = [];
    let answer: ((value: bigint) => void) | undefined;
    const later: HostFunc = { kind: 'host', name: 'later', type: typeOf('il:l'), run: (_, args) => { calls.push(args); return new Promise((resolve) => { answer = resolve as typeof answer; }); } };
    const module = engine.compile(assemble(spec));
    for (const counted of [true, false]) {
      const instance = engine.instantiate(module, { host: { later } });
      const execution = instance.begin(instance.exports.get('run') as Func, [5]);
      const controller = new AbortController();
      const stopped = execution.run({ signal: controller.signal, ...counted ? { fuel: Infinity } : {} });
      await undefined;
      controller.abort();
      assert.equal(await stopped, { reason: 'signal' });
      const restored = engine.restore(module, { host: { later } }, decodeSnapshot(encodeSnapshot(execution.snapshot())));
      if (counted) assert.is(restored.steps, execution.steps - 1);
      assert.equal(restored.frames()[0].operands.map(({ value }) => value), [5, 7n, 0]);
      const done = restored.run();
      await undefined;
      answer!(41n);
      assert.equal(await done, { reason: 'done', results: [42n] });
    }
    assert.equal(calls, [[5, 7n], [5, 7n], [5, 7n], [5, 7n]]);
  });
  test('a snapshot at a trap leads to the trap', async () => {
    const bytes = assemble({ funcs: [{ type: 'i:i', export: 'run', body: [['i32.const', 1], ['local.get', 0], 'i32.div_u'] }] });
    const execution = begin(interpreter, bytes, 0);
    await execution.run({ traps: true });
    const restored = interpreter.restore(interpreter.compile(bytes), {}, execution.snapshot());
    assert.is(restored.steps, 2);
    assert.equal(restored.frames(), execution.frames().map((frame) => ({ ...frame, instance: restored.instance })));
    await rejectsCode(() => restored.run(), 'WASM_TRAP', 'trap: integer divide by zero');
  });
  test('objects of the host are saved by their names, numbers as they are, and what has no name not at all', async () => {
    const bytes = assemble({ funcs: [{ type: 'e:e', export: 'run', body: ['nop', ['local.get', 0]] }] });
    const module = interpreter.compile(bytes);
    const thing = { thing: 1 };
    const references = { save: (object: Value) => (object === thing ? 'the thing' : undefined), load: (name: string) => (name === 'the thing' ? thing : undefined) };
    for (const value of [thing, null, 0.5, -0, 7, -(2 ** 30), 2 ** 30, 2n ** 90n]) {
      const instance = interpreter.instantiate(module, {});
      const execution = instance.begin(instance.exports.get('run') as Func, [value]);
      const saved = encodeSnapshot(execution.snapshot(references));
      const stop = await interpreter.restore(module, {}, decodeSnapshot(saved), { references }).run();
      assert.ok(stop.reason === 'done' && Object.is(stop.results[0], value), String(value));
    }
    const instance = interpreter.instantiate(module, {});
    const nameless = instance.begin(instance.exports.get('run') as Func, [{}]);
    throwsCode(() => nameless.snapshot(references), 'UNSUPPORTED', 'a snapshot with an object of the host is not supported here (give it a name with references.save)');
    const execution = instance.begin(instance.exports.get('run') as Func, [thing]);
    throwsCode(() => interpreter.restore(module, {}, execution.snapshot(references)), 'WASM_SNAPSHOT', 'snapshot: function 0 is "the thing", which the host does not know');
  });
  test('frames of other instances, and those that a host function has called, cannot be saved', async () => {
    const inner = interpreter.instantiate(interpreter.compile(assemble({ funcs: [{ type: ':', export: 'f', body: ['nop'] }] })), {});
    const across = interpreter.instantiate(interpreter.compile(assemble({ imports: [{ module: 'm', name: 'f', type: ':' }], funcs: [{ type: ':', export: 'run', body: [['call', 0]] }] })), { m: { f: inner.exports.get('f')! } });
    const execution = across.begin(across.exports.get('run') as Func, []);
    await execution.step();
    assert.is(execution.frames().length, 2);
    throwsCode(() => execution.snapshot(), 'UNSUPPORTED', 'a snapshot with frames of another instance is not supported here');
    const back: HostFunc = { kind: 'host', name: 'back', type: typeOf('r:'), *run(_, [func]): Generator<GuestCall, void, unknown> { yield { func: func as Func, args: [] }; } };
    const instance = interpreter.instantiate(interpreter.compile(assemble({ imports: [{ module: 'm', name: 'back', type: 'r:' }], table: [1], funcs: [{ type: ':', body: ['nop'] }, { type: ':', export: 'run', body: [['i32.const', 0], ['table.get', 0], ['call', 0]] }] })), { m: { back } });
    const called = instance.begin(instance.exports.get('run') as Func, []);
    await called.step(3);
    assert.is(called.frames().length, 2);
    throwsCode(() => called.snapshot(), 'UNSUPPORTED', 'a snapshot within what host function "back" has called is not supported here');
    assert.equal(await called.run(), { reason: 'done', results: [] });
  });
  test('a snapshot of another module, or with what is not of this one, is refused', async () => {
    const bytes = assemble(OBJECTS);
    const module = interpreter.compile(bytes);
    const execution = begin(interpreter, bytes, 20);
    await execution.step(100);
    const good = execution.snapshot();
    const [frame] = good.frames;
    const withFrame = (change: Partial<SavedFrame>): Snapshot => ({ ...good, frames: [{ ...frame, ...change }] });
    for (const [snapshot, message] of [
      [{ ...good, version: 2 as 1 }, 'version 2, this is 1'],
      [{ ...good, module: { ...good.module, size: 1 } }, 'of another module'],
      [{ ...good, frames: [] }, 'no frames'],
      [withFrame({ func: 0 }), 'frame of function 0, which the module does not define'],
      [withFrame({ offset: frame.offset + 1000 }), `function 3 has no instruction at ${frame.offset + 1000}`],
      [withFrame({ locals: [] }), '0 locals of function 3, the module has 4'],
      [withFrame({ locals: [1.5, ...frame.locals.slice(1)] }), 'function 3 is of type i32'],
      [{ ...good, frames: [frame, frame] }, `function 3 has no call at ${frame.offset}`],
      [{ ...good, steps: -1 }, '-1 steps'],
      [{ ...good, tables: [[]] }, '1 tables, the module has 0'],
      [{ ...good, memories: [{ pages: 0, parts: [] }] }, 'memory 0 of 0 pages'],
      [{ ...good, memories: [{ pages: 1, parts: [{ at: 65535, bytes: new Uint8Array(2) }] }] }, '2 bytes at 65535 of memory 0, which has 1 pages'],
      [{ ...good, objects: [{ kind: 'array', type: 0, values: [] }] }, 'array of type 0, which is none'],
      [{ ...good, globals: [{ kind: 'object', value: 99 }, good.globals[1]] }, `global 0 is object 99, there are ${good.objects.length}`],
    ] as const) {
      const error = throwsCode(() => interpreter.restore(module, imports([]), snapshot), 'WASM_SNAPSHOT');
      assert.is(error.message, `snapshot: ${message}`);
    }
    throwsCode(() => interpreter.restore(interpreter.compile(LONG), imports([]), good), 'WASM_SNAPSHOT', 'snapshot: of another module');
    throwsCode(() => decodeSnapshot(encodeSnapshot(good).subarray(0, 100)), 'WASM_SNAPSHOT', /^snapshot at 0x[0-9a-f]+: /);
    throwsCode(() => decodeSnapshot(new Uint8Array(20)), 'WASM_SNAPSHOT', 'snapshot at 0x0: not a snapshot');
  });
  test('broken bytes of a snapshot are an error of its own, or a guest that keeps to its bounds', async () => {
    const bytes = assemble(OBJECTS);
    const { saved } = await snapshots(interpreter, bytes, 20, 900, 30, 4);
    const random = new Random(5);
    const ends = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      const engine = TIERS[i % TIERS.length];
      const broken = mutate(random.pick(saved), random);
      let end = 'runs';
      try {
        const execution = engine.restore(compiled(engine, bytes), imports([]), decodeSnapshot(broken), { limits: { memoryPages: 100 } });
        await execution.run({ fuel: 3000 });
      } catch (error) {
        if (!(error instanceof ProjectError)) throw error;
        end = error.code;
      }
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    for (const end of ['runs', 'WASM_SNAPSHOT', 'WASM_TRAP']) assert.ok(ends.get(end)! > 5, `${end}: ${JSON.stringify([...ends])}`);
  });
});

/** Some bytes changed, cut out, or copied to where they are not. */
function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const out = bytes.slice();
  // most of a snapshot is memory, which may be anything
  const place = () => (random.once(4) ? random.below(out.length) : out.length - 1 - random.below(Math.min(out.length, 1500)));
  for (let n = 1 + random.below(3); n > 0; n--) {
    switch (random.below(4)) {
      case 0: out[place()] = random.below(256); break;
      case 1: out[place()] ^= 1 << random.below(8); break;
      case 2: return out.slice(0, place());
      default: {
        const length = 1 + random.below(20), from = place();
        out.copyWithin(place(), from, from + length);
      }
    }
  }
  return out;
}
