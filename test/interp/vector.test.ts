/**
 * Vector instructions: every one against V8's own engine with random and with telling lanes, the results in places of their own
 * and in those of the operands; then v128 everywhere a value can be. Relaxed ones, which V8 may not have, against what they
 * are said to be.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Trap } from '#src/errors.js';
import { coreOp } from '#src/interp/core-ops.js';
import { VECTOR_NAMES } from '#src/interp/core-table.js';
import { FIRST_VECTOR } from '#src/interp/core.js';
import type { Extern, Func, Global, HostFunc, HostResult, Imports, Instance, Memory, Value } from '#src/interp/engine.js';
import { WasmGlobal } from '#src/interp/global.js';
import { interpreter } from '#src/interp/interpreter.js';
import { vectorMeanings } from '#src/interp/meaning-vector.js';
import { VECTOR_ROWS } from '#src/interp/opcodes-vector.js';
import type { Mnemonic } from '#src/interp/opcodes.js';
import { V128 } from '#src/interp/types.js';
import { vectorSource } from '#src/interp/vector-gen.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { assemble, typeOf, type FuncSpec, type Instruction, type ModuleSpec } from '../support/wasm.js';

const FILE = 'src/interp/vector-core.ts';

type Row = (typeof VECTOR_ROWS)[number];
const STRICT = VECTOR_ROWS.filter(([, , , , feature]) => feature === 'simd');
const COMPUTING = STRICT.filter(([, name, immediates]) => !immediates.startsWith('memarg') && name !== 'v128.const');
const ACCESSING = STRICT.filter(([, , immediates]) => immediates.startsWith('memarg'));

/** What this test needs of V8's own engine, which the types of Node do not have. */
interface V8Engine {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly [name: string]: unknown } };
}
const v8 = (globalThis as unknown as { readonly WebAssembly: V8Engine }).WebAssembly;

/** xorshift; the same seeds give the same lanes */
function generator(seed: number): (below: number) => number {
  let s = seed | 1;
  return (below) => {
    s ^= s << 13; s ^= s >>> 17; s ^= s << 5;
    return (s >>> 0) % below;
  };
}

/** Lanes where something changes: bounds, signs, and of floats infinities, both kinds of NaN, halves, the smallest. */
const TELLING: { readonly [bits: number]: readonly bigint[] } = {
  8: [0n, 1n, 0x7fn, 0x80n, 0x81n, 0xffn, 0x0fn, 0x10n],
  16: [0n, 1n, 0x7fn, 0x80n, 0xffn, 0x100n, 0x7fffn, 0x8000n, 0xffffn, 0xff80n, 0xff7fn],
  32: [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x8000n, 0xffff8000n, 0xffff7fffn, 0x3f800000n, 0xbf000000n, 0x3f000000n, 0x40200000n, 0x4b800001n, 0x4f000000n, 0x4f800000n, 0xcf000000n, 0x7f800000n, 0xff800000n, 0x7fc00000n, 0xffc00001n, 0x7fa00001n, 0x00000001n, 0x80000001n, 0x7f7fffffn, 0xbf7fffffn],
  64: [0n, 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 32n, 0x8000000000000001n, 0x3ff0000000000000n, 0xbfe0000000000000n, 0x3fe0000000000000n, 0x4004000000000000n, 0x41dfffffffc00000n, 0x41e0000000000000n, 0xc1e0000000200000n, 0x41f0000000000000n, 0x7ff0000000000000n, 0xfff0000000000000n, 0x7ff8000000000000n, 0xfff8000000000001n, 0x7ff4000000000001n, 0x000fffffffffffffn, 0x7fefffffffffffffn, 0x47efffffe0000000n, 0x36a0000000000000n],
};

function randomVector(random: (below: number) => number): Uint8Array {
  const bytes = Uint8Array.from({ length: 16 }, () => random(256));
  if (random(4) === 0) return bytes;
  const bits = [8, 16, 32, 64][random(4)];
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < 16; at += bits / 8) {
    if (random(4) === 0) continue;
    const lane = TELLING[bits][random(TELLING[bits].length)];
    for (let i = 0; i < bits / 8; i++) view.setUint8(at + i, Number(lane >> BigInt(8 * i) & 0xffn));
  }
  return bytes;
}

const LOAD: { readonly [letter: string]: Instruction } = { i: ['i32.load', 0], l: ['i64.load', 0], f: ['f32.load', 0], d: ['f64.load', 0], v: ['v128.load', 0] };
const STORE: { readonly [letter: string]: Instruction } = { i: ['i32.store', 0], l: ['i64.store', 0], f: ['f32.store', 0], d: ['f64.store', 0], v: ['v128.store', 0] };
/** operand i is at 16 * i, the result comes to RESULT */
const RESULT = 64;

function withImmediates([, name, immediates]: Row, random: (below: number) => number): Instruction[] {
  if (immediates === '') return [name as Mnemonic];
  const lanes = Number(/x(\d+)/.exec(name)![1]);
  if (immediates === 'lane') return Array.from({ length: lanes }, (_, k) => [name as Mnemonic, k] as const);
  return Array.from({ length: 12 }, (_, i) => [name as Mnemonic, ...Array.from({ length: 16 }, (_, k) => i === 0 ? k : i === 1 ? 31 - k : random(32))] as const);
}

/** Takes its operands from memory into locals; the result goes to memory by way of the local `into`, or of none. */
function computing(row: Row, instruction: Instruction, into: number): FuncSpec {
  const [params, result] = row[3].split(':');
  return {
    type: ':', locals: params + result, body: [
      ...[...params].flatMap((letter, i): Instruction[] => [['i32.const', 16 * i], LOAD[letter], ['local.set', i]]),
      ...into < 0 ? [['i32.const', RESULT] as const] : [],
      ...[...params].map((_, i): Instruction => ['local.get', i]), instruction,
      ...into < 0 ? [] : [['local.set', into] as const, ['i32.const', RESULT] as const, ['local.get', into] as const],
      STORE[result],
    ],
  };
}

/** Whether the instruction computes floats, so that the bits of a NaN are anyone's choice, as long as it is a quiet one. */
const computesFloats = (name: string): 32 | 64 | 0 =>
  /^f(?:32x4|64x2)\.(?:add|sub|mul|div|min|max|sqrt|ceil|floor|trunc|nearest|demote|promote|relaxed_)/.test(name) ? name.startsWith('f32') ? 32 : 64 : 0;

/** The same bytes, with each quiet NaN made the same one. */
function quieted(bytes: Uint8Array, bits: 32 | 64): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (let at = 0; at < 16; at += bits / 8) {
    if (bits === 32 && (view.getUint32(at, true) & 0x7fc00000) === 0x7fc00000) view.setUint32(at, 0x7fc00000, true);
    if (bits === 64 && (view.getUint32(at + 4, true) & 0x7ff80000) === 0x7ff80000) view.setBigUint64(at, 0x7ff8000000000000n, true);
  }
  return copy;
}

const ROUNDS = 120;

suite('vector instructions', (test) => {
  test('vector-core.ts is what vector-gen.ts prints (UPDATE_GOLDEN=1 writes it)', () => {
    if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(FILE, vectorSource());
    assert.ok(readFileSync(FILE, 'utf8') === vectorSource(), `${FILE} is not what the generator prints: run this test with UPDATE_GOLDEN=1, and build`);
  });
  test('every vector instruction has a meaning and a number', () => {
    assert.is(STRICT.length, 236);
    assert.is(VECTOR_ROWS.length, 256);
    assert.equal(VECTOR_ROWS.filter(([, name]) => name !== 'v128.const' && !vectorMeanings().has(name)), []);
    assert.equal(VECTOR_NAMES.map(coreOp), VECTOR_NAMES.map((_, i) => FIRST_VECTOR + i));
  });

  test.table(COMPUTING, ([, name]) => `${name} gives what V8 gives`, (row) => {
    const random = generator(row[0] * 7919);
    const params = row[3].split(':')[0];
    const same = [...params].flatMap((letter, i) => letter === row[3].slice(-1) ? [i] : []);
    const funcs = withImmediates(row, random).flatMap((instruction) => [-1, params.length, ...same].map((into) => computing(row, instruction, into)))
      .map((func, i) => ({ ...func, export: `f${i}` }));
    const bytes = assemble({ memory: { min: 1 }, funcs });
    const theirs = new v8.Instance(new v8.Module(bytes)).exports;
    const ours = interpreter.instantiate(interpreter.compile(bytes), {});
    const floats = computesFloats(row[1]);
    for (let round = 0; round < ROUNDS; round++) {
      const operands = [...params].map((letter) => letter === 'i' && random(2) === 0 ? Uint8Array.of(random(130), 0, 0, 0) : randomVector(random));
      const name = `f${round % funcs.length}`;
      const memories = [ours.memory!.bytes, new Uint8Array(theirs.memory.buffer)];
      for (const memory of memories) operands.forEach((operand, i) => memory.set(operand, 16 * i));
      ours.callSync(ours.exports.get(name) as Func, []);
      (theirs[name] as () => void)();
      const [mine, yours] = memories.map((memory) => memory.slice(RESULT, RESULT + 16)).map((result) => floats ? quieted(result, floats) : result);
      if (!mine.every((byte, i) => byte === yours[i])) assert.equal({ operands: operands.map(String), result: String(mine) }, { operands: operands.map(String), result: String(yours) });
    }
  });

  test.table(ACCESSING, ([, name]) => `${name} reads, writes and traps as V8 does`, ([, name, immediates, signature]) => {
    const random = generator(name.length * 104729 + name.charCodeAt(name.length - 1));
    const size = Number(/memarg(\d+)/.exec(immediates)![1]);
    const isStore = signature.endsWith(':');
    const offsets = [0, 3, 65520, 0xffffffff];
    const lanes = immediates.endsWith('lane') ? Array.from({ length: 16 / size }, (_, k) => k) : [0];
    const takesVector = signature.includes('v:') || signature === 'av:';
    const funcs = offsets.flatMap((offset) => lanes.map((lane): FuncSpec => ({
      type: 'i:', export: `${offset}/${lane}`, body: [
        ...isStore ? [] : [['i32.const', RESULT] as const],
        ['local.get', 0], ...takesVector ? [['i32.const', 0] as const, ['v128.load', 0] as const] : [],
        [name as Mnemonic, offset, 0, ...immediates.endsWith('lane') ? [lane] : []] as const,
        ...isStore ? [] : [['v128.store', 0] as const],
      ],
    })));
    const bytes = assemble({ memory: { min: 1 }, funcs });
    const theirs = new v8.Instance(new v8.Module(bytes)).exports;
    const ours = interpreter.instantiate(interpreter.compile(bytes), {});
    const memories = [ours.memory!.bytes, new Uint8Array(theirs.memory.buffer)];
    for (let i = 65000; i < 65536; i++) for (const memory of memories) memory[i] = i * 31;
    let traps = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const offset = offsets[round % offsets.length];
      const address = [random(600) + 65000, 65536 - size - offset + random(3) - 1, random(40), -1][random(4)];
      const vector = randomVector(random);
      for (const memory of memories) memory.set(vector, 0);
      const func = `${offset}/${lanes[random(lanes.length)]}`;
      const trapped = [
        () => ours.callSync(ours.exports.get(func) as Func, [address | 0]),
        () => (theirs[func] as (address: number) => void)(address | 0),
      ].map((run) => {
        try {
          run();
          return false;
        } catch (error) {
          if (error instanceof Trap) assert.is(error.reason, 'out of bounds memory access');
          return true;
        }
      });
      assert.is(trapped[0], trapped[1], `${func} at ${address}`);
      if (trapped[0]) traps++;
      assert.ok(Buffer.compare(memories[0].subarray(0, 1024), memories[1].subarray(0, 1024)) === 0 && Buffer.compare(memories[0].subarray(64900), memories[1].subarray(64900)) === 0, `${func} at ${address}: another memory`);
    }
    assert.ok(traps > 10 && traps < ROUNDS - 10, `${traps} traps`);
  });
});

/** `f`: three vectors in, one out */
function relaxed(name: string): Uint8Array {
  const [, , , signature] = VECTOR_ROWS.find((row) => row[1] === name)!;
  const params = signature.split(':')[0];
  return assemble({ funcs: [{ type: 'vvv:v', export: 'f', body: [...[...params].map((_, i): Instruction => ['local.get', i]), name as Mnemonic] }] });
}
function apply(bytes: Uint8Array): (operands: readonly Uint8Array[]) => Uint8Array {
  const instance = interpreter.instantiate(interpreter.compile(bytes), {});
  return (operands) => instance.callSync(instance.exports.get('f') as Func, operands)[0] as Uint8Array;
}

suite('relaxed vector instructions', (test) => {
  test.table([
    ['i8x16.relaxed_swizzle', 'i8x16.swizzle'],
    ['i32x4.relaxed_trunc_f32x4_s', 'i32x4.trunc_sat_f32x4_s'], ['i32x4.relaxed_trunc_f32x4_u', 'i32x4.trunc_sat_f32x4_u'],
    ['i32x4.relaxed_trunc_f64x2_s_zero', 'i32x4.trunc_sat_f64x2_s_zero'], ['i32x4.relaxed_trunc_f64x2_u_zero', 'i32x4.trunc_sat_f64x2_u_zero'],
    ['i8x16.relaxed_laneselect', 'v128.bitselect'], ['i16x8.relaxed_laneselect', 'v128.bitselect'], ['i32x4.relaxed_laneselect', 'v128.bitselect'], ['i64x2.relaxed_laneselect', 'v128.bitselect'],
    ['f32x4.relaxed_min', 'f32x4.min'], ['f32x4.relaxed_max', 'f32x4.max'], ['f64x2.relaxed_min', 'f64x2.min'], ['f64x2.relaxed_max', 'f64x2.max'],
    ['i16x8.relaxed_q15mulr_s', 'i16x8.q15mulr_sat_s'],
  ] as const, ([name, strict]) => `${name} is ${strict}`, ([name, strict]) => {
    const random = generator(name.length * 31);
    const [one, other] = [relaxed(name), relaxed(strict)].map(apply);
    for (let round = 0; round < ROUNDS; round++) {
      const operands = [0, 1, 2].map(() => randomVector(random));
      assert.equal(one(operands), other(operands));
    }
  });

  const f32 = (...lanes: number[]) => new Uint8Array(Float32Array.from(lanes).buffer);
  const f64 = (...lanes: number[]) => new Uint8Array(Float64Array.from(lanes).buffer);
  const i8 = (...lanes: number[]) => Uint8Array.from({ length: 16 }, (_, i) => lanes[i % lanes.length]);
  const i16 = (...lanes: number[]) => new Uint8Array(Int16Array.from({ length: 8 }, (_, i) => lanes[i % lanes.length]).buffer);
  const i32 = (...lanes: number[]) => new Uint8Array(Int32Array.from({ length: 4 }, (_, i) => lanes[i % lanes.length]).buffer);
  const e = 1 + 2 ** -23, h = 1 + 2 ** -52;
  test.table([
    // fused, the first would be 2^-46, and the others 2^-104
    ['f32x4.relaxed_madd', [f32(e, 2, -0, Infinity), f32(e, 3, 1, 0), f32(-(1 + 2 ** -22), 4, -0, 1)], f32(0, 10, -0, NaN)],
    ['f32x4.relaxed_nmadd', [f32(e, 2, 0, 5), f32(e, 3, 1, 1), f32(1 + 2 ** -22, 4, -0, 5)], f32(0, -2, -0, 0)],
    ['f64x2.relaxed_madd', [f64(h, 2), f64(h, 3), f64(-(1 + 2 ** -51), 4)], f64(0, 10)],
    ['f64x2.relaxed_nmadd', [f64(h, 2), f64(h, 3), f64(1 + 2 ** -51, 4)], f64(0, -2)],
    ['i16x8.relaxed_dot_i8x16_i7x16_s', [i8(0x80, 0x80, 3, 4), i8(0x80, 0x80, 0xff, 5), i8(0)], i16(-0x8000, 17)],
    ['i32x4.relaxed_dot_i8x16_i7x16_add_s', [i8(0x80, 0x80, 3, 4), i8(0x80, 0x80, 0xff, 5), i32(7)], i32(-0x8000 + 17 + 7)],
  ] as const, ([name]) => `${name} rounds twice, or wraps`, ([name, operands, result]) => {
    const got = apply(relaxed(name))(operands);
    const bits = computesFloats(name);
    assert.equal(bits ? quieted(got, bits) : got, bits ? quieted(result, bits) : result);
  });
});

// ---- v128 as a value

const make = (spec: ModuleSpec, imports: Imports = {}): Instance => interpreter.instantiate(interpreter.compile(assemble(spec)), imports);
const call = (instance: Instance, name: string, ...args: Value[]) => instance.callSync(instance.exports.get(name) as Func, args);
const vector = (first: number): Uint8Array => Uint8Array.from({ length: 16 }, (_, i) => first + i);
const host = (type: string, run: (args: readonly Value[]) => HostResult): HostFunc => ({ kind: 'host', type: typeOf(type), name: 'host', run: (_caller, args) => run(args) });
const A = vector(1), B = vector(100), ZERO = new Uint8Array(16);

suite('v128 values', (test) => {
  test('v128.const has lane 0 first', () => {
    assert.equal(call(make({ funcs: [{ type: ':v', export: 'f', body: [['v128.const', ...A]] }] }), 'f'), [A]);
  });
  test('callSync copies a v128 in and out', () => {
    const i = make({ funcs: [{ type: 'v:v', export: 'f', body: [['local.get', 0]] }] });
    const given = vector(7);
    const [got] = call(i, 'f', given) as Uint8Array[];
    given[0] = 99;
    assert.equal(got, vector(7));
    assert.ok(got !== call(i, 'f', vector(7))[0]);
  });
  test('callSync refuses what is not 16 bytes', () => {
    const i = make({ funcs: [{ type: 'v:', export: 'f', body: [] }] });
    for (const wrong of [new Uint8Array(15), 7, 7n, null]) {
      throwsCode(() => call(i, 'f', wrong), 'USAGE', `argument 0 of function "f": ${typeof wrong} given, Uint8Array of 16 bytes (v128) wanted`);
    }
  });
  test('locals begin as zero, also where another frame was before', () => {
    const i = make({ funcs: [
      { type: 'v:v', export: 'f', body: [['local.get', 0], ['call', 1], 'drop', ['call', 2]] },
      { type: 'v:v', locals: 'vv', body: [['local.get', 0], ['local.tee', 1], ['local.set', 2], ['local.get', 2]] },
      { type: ':v', locals: 'vvv', body: [['local.get', 0], ['local.get', 1], 'v128.or', ['local.get', 2], 'v128.or'] },
    ] });
    assert.equal(call(i, 'f', A), [ZERO]);
  });
  test('several results keep their order, among values of other types', () => {
    const i = make({ funcs: [
      { type: 'vvi:vivl', export: 'f', body: [['local.get', 0], ['local.get', 1], ['local.get', 2], ['call', 1]] },
      { type: 'vvi:vivl', body: [['local.get', 1], ['local.get', 2], ['local.get', 0], ['i64.const', -1n]] },
    ] });
    assert.equal(call(i, 'f', A, B, 5), [B, 5, A, -1n]);
  });
  test.table([[1, A], [0, B]] as const, ([condition]) => `select, if, br_if and br_table choose a v128 by ${condition}`, ([condition, wanted]) => {
    const i = make({ funcs: [
      { type: 'vvi:v', export: 'select', body: [['local.get', 0], ['local.get', 1], ['local.get', 2], 'select'] },
      { type: 'vvi:v', export: 'typed', body: [['local.get', 0], ['local.get', 1], ['local.get', 2], ['select_t', 'v']] },
      { type: 'vvi:v', export: 'if', body: [['local.get', 2], ['if', 'v'], ['local.get', 0], 'else', ['local.get', 1], 'end'] },
      { type: 'vvi:v', export: 'br_if', body: [['block', 'v'], ['local.get', 0], ['local.get', 2], ['br_if', 0], 'drop', ['local.get', 1], 'end'] },
      { type: 'vvi:v', export: 'br_table', body: [['block', 'v'], ['block', 'v'], ['local.get', 0], ['local.get', 2], ['br_table', 0, 1], 'end', 'drop', ['local.get', 1], 'end'] },
    ] });
    for (const name of ['select', 'typed', 'if', 'br_if', 'br_table']) assert.equal([name, ...call(i, name, A, B, condition)], [name, wanted]);
  });
  test('a local.set between a local.get and its use does not change what was got', () => {
    const i = make({ funcs: [{ type: 'vv:v', export: 'f', body: [['local.get', 0], ['local.get', 1], ['local.set', 0], ['local.get', 0], 'i8x16.sub'] }] });
    assert.equal(call(i, 'f', B, A), [Uint8Array.from({ length: 16 }, () => 99)]);
  });
  test('globals: initial value, own and imported, from within and from outside', () => {
    const outer = new WasmGlobal({ type: V128, mutable: true }, A);
    const spec: ModuleSpec = {
      globals: [{ type: 'v', mutable: true, init: ['v128.const', ...B], export: 'own' }, { type: 'i', init: ['i32.const', 7], export: 'after' }],
      funcs: [{ type: 'v:v', export: 'swap', body: [['global.get', 0], ['local.get', 0], ['global.set', 0]] }],
    };
    const i = make(spec);
    assert.equal(call(i, 'swap', A), [B]);
    const own = i.exports.get('own') as Global;
    assert.equal(own.value, A);
    assert.is((i.exports.get('after') as Global).value, 7);
    own.value = B;
    assert.equal(call(i, 'swap', A), [B]);
    outer.value = B;
    assert.equal(outer.value, B);
  });
  test('call_indirect passes a v128, and tells v128 from other types', () => {
    const i = make({ table: [1, 2], funcs: [
      { type: 'vi:v', export: 'f', body: [['local.get', 0], ['local.get', 1], ['call_indirect', 'v:v']] },
      { type: 'v:v', body: [['local.get', 0], 'v128.not'] },
      { type: 'i:v', body: [['local.get', 0], 'i8x16.splat'] },
    ] });
    assert.equal(call(i, 'f', A, 0), [A.map((byte) => ~byte)]);
    throwsCode(() => call(i, 'f', A, 1), 'WASM_TRAP', /indirect call type mismatch/);
  });
  test('tail calls move v128 arguments that are each other\'s places', () => {
    const i = make({ funcs: [
      { type: 'vvi:v', export: 'f', body: [
        ['local.get', 2], ['if', ''], ['local.get', 1], ['local.get', 0], ['local.get', 2], ['i32.const', 1], 'i32.sub', ['return_call', 0], 'end', ['local.get', 0],
      ] },
    ] });
    assert.equal([call(i, 'f', A, B, 4), call(i, 'f', A, B, 5)], [[A], [B]]);
  });
  test('an exception carries a v128', () => {
    const i = make({ tags: ['vi:'], funcs: [
      { type: 'v:v', export: 'f', body: [['try', 'v'], ['local.get', 0], ['call', 1], ['catch', 0], 'i8x16.splat', 'v128.xor', 'end'] },
      { type: 'v:v', body: [['local.get', 0], 'v128.not', ['i32.const', -1], ['throw', 0]] },
    ] });
    assert.equal(call(i, 'f', A), [A]);
  });
  test('host functions take and give v128', async () => {
    const seen: Value[] = [];
    const type = 'vi:v';
    const spec: ModuleSpec = { imports: [{ module: 'env', name: 'h', type }], funcs: [{ type, export: 'f', body: [['local.get', 0], ['local.get', 1], ['call', 0], ['i32.const', 1], 'i8x16.splat', 'i8x16.add'] }] };
    const env = (h: Extern): Imports => ({ env: { h } });
    const direct = make(spec, env(host(type, ([v, n]) => {
      seen.push(v, n);
      return (v as Uint8Array).map((byte) => byte * 2);
    })));
    assert.equal(call(direct, 'f', A, 3), [A.map((byte) => byte * 2 + 1)]);
    assert.equal(seen, [A, 3]);
    throwsCode(() => call(make(spec, env(host(type, () => 1))), 'f', A, 3), 'USAGE', 'host function "host" gives number, its type says Uint8Array of 16 bytes (v128)');

    // two calls that wait for each other share one machine
    let release!: () => void;
    const gate = new Promise<void>((resolve) => release = resolve);
    const waiting = make(spec, env(host(type, ([v, n]) => (n === 0 ? gate : Promise.resolve().then(release)).then(() => v as Uint8Array))));
    const f = waiting.exports.get('f') as Func;
    const both = await Promise.all([waiting.call(f, [A, 0]), waiting.call(f, [B, 1])]);
    assert.equal(both, [[A.map((byte) => byte + 1)], [B.map((byte) => byte + 1)]]);
  });
  test('a v128 that waits in a local stays while other calls run', async () => {
    const type = 'v:v';
    let release!: () => void;
    const gate = new Promise<void>((resolve) => release = resolve);
    const i = make({
      imports: [{ module: 'env', name: 'h', type: ':' }],
      funcs: [{ type, export: 'f', locals: 'v', body: [['local.get', 0], 'v128.not', ['local.set', 1], ['call', 0], ['local.get', 1], 'v128.not'] }, { type, export: 'g', locals: 'vvv', body: [['local.get', 0], ['local.tee', 1], ['local.tee', 2], ['local.tee', 3]] }],
    }, { env: { h: host(':', () => gate) } });
    const pending = i.call(i.exports.get('f') as Func, [A]);
    assert.equal(call(i, 'g', B), [B]);
    release();
    assert.equal(await pending, [A]);
  });
  test('a long loop of vectors gives what V8 gives, before and after V8 optimises the interpreter', () => {
    const body: Instruction[] = [
      ['i32.const', 0], ['v128.load', 0], ['local.set', 1],
      ['loop', ''],
      ['local.get', 1], ['local.get', 1], ['i32.const', 13], 'i32x4.shl', 'v128.xor', ['local.tee', 1], ['local.get', 1], ['i32.const', 17], 'i32x4.shr_u', 'v128.xor', ['local.tee', 1],
      ['local.get', 1], ['i32.const', 5], 'i32x4.shl', 'v128.xor', ['local.tee', 1], ['local.get', 0], 'i32x4.splat', 'i16x8.add', ['local.get', 1], ['i8x16.shuffle', 3, 2, 1, 0, 20, 21, 22, 23, 8, 9, 10, 11, 31, 30, 29, 28], ['local.set', 1],
      ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end', ['i32.const', 16], ['local.get', 1], ['v128.store', 0],
    ];
    const bytes = assemble({ memory: { min: 1 }, funcs: [{ type: 'i:', locals: 'v', export: 'f', body }] });
    const theirs = new v8.Instance(new v8.Module(bytes)).exports;
    const ours = interpreter.instantiate(interpreter.compile(bytes), {});
    const memories = [(ours.exports.get('memory') as Memory).bytes, new Uint8Array(theirs.memory.buffer)];
    for (const memory of memories) memory.set(B, 0);
    call(ours, 'f', 100_000);
    (theirs['f'] as (n: number) => void)(100_000);
    assert.equal([...memories[0].subarray(16, 32)], [...memories[1].subarray(16, 32)]);
  });
});

/** Vectors to a vector, whatever the lanes the same bits on both sides. */
const EXACT = COMPUTING.filter(([, name, immediates, signature]) => immediates === '' && /^v+i?:v$/.test(signature) && !computesFloats(name));

/** Rounds of random expressions over four v128 locals and two of i32, with loads, stores, tees, selects, blocks and calls among them. */
function randomModule(seed: number): Uint8Array {
  const random = generator(seed * 7919);
  const pick = <T>(items: readonly T[]): T => items[random(items.length)];
  const vectorLocal = () => 1 + random(4), numberLocal = () => 5 + random(2);
  const number = (depth: number): Instruction[] => {
    if (depth === 0) return [random(2) ? ['local.get', numberLocal()] : ['i32.const', random(200) - 100]];
    return [...expression(depth - 1), pick(['i8x16.bitmask', 'i32x4.all_true', 'v128.any_true', ['i16x8.extract_lane_s', random(8)], ['i32x4.extract_lane', random(4)]] as const satisfies readonly Instruction[])];
  };
  const address = (): Instruction[] => [['local.get', numberLocal()], ['i32.const', 0xff0], 'i32.and'];
  const expression = (depth: number): Instruction[] => {
    if (depth === 0) return [random(5) ? ['local.get', vectorLocal()] : ['v128.const', ...Array.from({ length: 16 }, () => random(256))]];
    switch (random(14)) {
      case 0: return [...expression(depth - 1), ['local.tee', vectorLocal()]];
      case 1: return [...expression(depth - 1), ...expression(depth - 1), ...number(depth - 1), 'select'];
      case 2: return [...number(depth - 1), ['if', 'v'], ...expression(depth - 1), 'else', ...expression(depth - 1), 'end'];
      case 3: return [...address(), [pick(['v128.load', 'v128.load8x8_s', 'v128.load32_splat', 'v128.load64_zero', 'v128.load16x4_u'] as const), random(32)]];
      case 4: return [...address(), ...expression(depth - 1), ['v128.load16_lane', random(32), 0, random(8)]];
      case 5: return [['block', 'v'], ...expression(depth - 1), ...number(depth - 1), ['br_if', 0], 'i8x16.neg', 'end'];
      case 6: return [...expression(depth - 1), ...expression(depth - 1), ['call', 1]];
      case 7: return [...expression(depth - 1), ...expression(depth - 1), ['i8x16.shuffle', ...Array.from({ length: 16 }, () => random(32))]];
      case 8: return [...expression(depth - 1), ...number(depth - 1), ['i16x8.replace_lane', random(8)]];
      default: {
        const [, name, , signature] = pick(EXACT);
        return [...[...signature.split(':')[0]].flatMap((letter) => letter === 'v' ? expression(depth - 1) : number(depth - 1)), name];
      }
    }
  };
  const body: Instruction[] = [
    ['loop', ''],
    ...Array.from({ length: 8 }, (): Instruction[] => {
      switch (random(6)) {
        case 0: return [...number(3), ['local.set', numberLocal()]];
        case 1: return [...address(), ...expression(3), ['v128.store', random(32)]];
        case 2: return [...address(), ...expression(3), ['v128.store32_lane', random(32), 0, random(4)]];
        default: return [...expression(4), ['local.set', vectorLocal()]];
      }
    }).flat(),
    // new blood, as many functions come to rest soon
    ['local.get', 0], ['i32.const', -0x61c8864f], 'i32.mul', ['local.set', 5], ['local.get', 0], ['i32.const', 48], 'i32.and', ['v128.load', 0], ['local.get', 5], 'i32x4.splat', 'v128.xor', ['local.set', 1],
    ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end',
    ...[1, 2, 3, 4].flatMap((local, i): Instruction[] => [['i32.const', 0x2000 + 16 * i], ['local.get', local], ['v128.store', 0]]),
  ];
  return assemble({ memory: { min: 1 }, funcs: [
    { type: 'i:', locals: 'vvvvii', export: 'f', body },
    { type: 'vv:v', locals: 'v', body: [['local.get', 1], ['local.get', 2], 'i16x8.add', ['local.set', 2], ['local.get', 0], ['local.get', 2], 'i8x16.swizzle'] },
  ] });
}

suite('random functions of vectors', (test) => {
  test.table(Array.from({ length: 40 }, (_, i) => i + 1), (seed) => `function ${seed} leaves the same memory as on V8`, (seed) => {
    const bytes = randomModule(seed);
    const theirs = new v8.Instance(new v8.Module(bytes)).exports;
    const ours = interpreter.instantiate(interpreter.compile(bytes), {});
    const memories = [ours.memory!.bytes, new Uint8Array(theirs.memory.buffer)];
    const random = generator(seed);
    for (let at = 0; at < 0x2000; at += 16) {
      const lanes = randomVector(random);
      for (const memory of memories) memory.set(lanes, at);
    }
    call(ours, 'f', 300);
    (theirs['f'] as (n: number) => void)(300);
    assert.is(Buffer.compare(memories[0], memories[1]), 0);
  });
});

suite('a guest with vectors', (test) => {
  test('vectors.wasm, which clang made with -msimd128, gives what it gives on V8', () => {
    const bytes = readFileSync('fixtures/wasm/vectors.wasm');
    const theirs = new v8.Instance(new v8.Module(bytes)).exports as { readonly memory: { readonly buffer: ArrayBuffer }; readonly [name: string]: unknown };
    const ours = interpreter.instantiate(interpreter.compile(bytes), {});
    const memories = [ours.memory!.bytes, new Uint8Array(theirs.memory.buffer)];
    for (const seed of [1, 2, 0x12345678]) {
      for (const [name, ...args] of [['fill', seed], ['dot'], ['saxpy', 0.5], ['dot'], ['difference'], ['largest'], ['blend'], ['blend'], ['difference']] as const) {
        const result = (theirs[name] as (...args: readonly number[]) => number | undefined)(...args);
        assert.equal([name, ...call(ours, name, ...args)], result === undefined ? [name] : [name, result]);
        assert.is(Buffer.compare(memories[0], memories[1]), 0, `${name}: another memory`);
      }
    }
  });
});
