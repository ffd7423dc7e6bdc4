/**
 * The interpreter against V8's own engine, on kernels of one kind of instruction each: what an instruction, a call, an access
 * to memory costs once everything is warm. Not about starting up. Needs nothing.
 */
import { performance } from 'node:perf_hooks';
import type { Func } from '#src/interp/engine.js';
import { interpreter } from '#src/interp/interpreter.js';
import { assemble, type FuncSpec, type Instruction, type ModuleSpec } from '#test/support/wasm.js';
import { type BenchOptions, interleave, type Report, type Sample } from './harness.js';

/** locals: 0 the rounds that are left; then what the kernel wants */
function loop(type: string, locals: string, body: readonly Instruction[], result: readonly Instruction[]): FuncSpec {
  return { type, locals, export: 'f', body: [['loop', ''], ...body, ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end', ...result] };
}

/** name -> module, the argument of `f`, and how many of the named things that is */
const KERNELS: Readonly<Record<string, { readonly spec: ModuleSpec; readonly argument: number; readonly times: number }>> = {
  'call (fib), per call': {
    spec: { funcs: [{ type: 'i:i', export: 'f', body: [
      ['local.get', 0], ['i32.const', 2], 'i32.lt_s', ['if', 'i'], ['local.get', 0], 'else',
      ['local.get', 0], ['i32.const', 1], 'i32.sub', ['call', 0], ['local.get', 0], ['i32.const', 2], 'i32.sub', ['call', 0], 'i32.add', 'end',
    ] }] },
    argument: 24, times: 150_049,
  },
  'i32, 8 operations and a branch': {
    spec: { funcs: [loop('i:i', 'i', [
      ['local.get', 1], ['i32.const', 1664525], 'i32.mul', ['i32.const', 1013904223], 'i32.add', ['local.tee', 1], ['local.get', 1], ['i32.const', 13], 'i32.shr_u', 'i32.xor', ['local.tee', 1],
      ['local.get', 0], 'i32.xor', ['local.get', 1], ['i32.const', 3], 'i32.shl', 'i32.sub', ['local.set', 1],
    ], [['local.get', 1]])] },
    argument: 200_000, times: 200_000,
  },
  'i64, 5 operations and a branch': {
    spec: { funcs: [loop('i:l', 'l', [
      ['local.get', 1], ['local.get', 1], ['i64.const', 33n], 'i64.shr_u', 'i64.xor', ['i64.const', -49064778989728563n], 'i64.mul', ['local.get', 0], 'i64.extend_i32_u', 'i64.add', ['local.set', 1],
    ], [['local.get', 1]])] },
    argument: 200_000, times: 200_000,
  },
  'f64, 4 operations and a branch': {
    spec: { funcs: [loop('i:d', 'd', [
      ['local.get', 1], ['f64.const', 0.5], 'f64.mul', ['local.get', 0], 'f64.convert_i32_s', 'f64.add', ['f64.const', 1.5], 'f64.add', ['local.set', 1],
    ], [['local.get', 1]])] },
    argument: 200_000, times: 200_000,
  },
  'memory, load, add, store and a branch': {
    spec: { memory: { min: 1 }, funcs: [loop('i:i', 'i', [
      ['local.get', 0], ['i32.const', 0xfffc], 'i32.and', ['local.tee', 1], ['local.get', 1], ['i32.load', 0], ['local.get', 0], 'i32.add', ['i32.store', 0],
    ], [['i32.const', 64], ['i32.load', 0]])] },
    argument: 200_000, times: 200_000,
  },
  'v128, load, 4 operations, store and a branch': {
    spec: { memory: { min: 1 }, funcs: [loop('i:i', 'iv', [
      ['local.get', 0], ['i32.const', 0xfff0], 'i32.and', ['local.tee', 1], ['local.get', 1], ['v128.load', 0], ['local.get', 2], 'i32x4.add', ['local.get', 0], 'i32x4.splat', 'i32x4.mul',
      ['i32.const', 3], 'i32x4.shr_u', ['local.tee', 2], ['v128.store', 0],
    ], [['local.get', 2], ['i32x4.extract_lane', 1]])] },
    argument: 200_000, times: 200_000,
  },
  'f32x4, 3 operations and a branch': {
    spec: { funcs: [loop('i:f', 'v', [
      ['local.get', 1], ['local.get', 1], 'f32x4.mul', ['local.get', 0], 'i32x4.splat', 'f32x4.convert_i32x4_s', 'f32x4.add', ['local.set', 1],
    ], [['local.get', 1], ['f32x4.extract_lane', 2]])] },
    argument: 200_000, times: 200_000,
  },
  'i8x16, 3 operations and a branch': {
    spec: { funcs: [loop('i:i', 'v', [
      ['local.get', 1], ['local.get', 0], 'i8x16.splat', 'i8x16.add_sat_u', ['local.get', 1], 'i8x16.avgr_u', ['local.set', 1],
    ], [['local.get', 1], ['i8x16.extract_lane_u', 2]])] },
    argument: 200_000, times: 200_000,
  },
  'call_indirect and a branch': {
    spec: { table: [1], funcs: [
      loop('i:i', 'i', [['local.get', 1], ['i32.const', 0], ['call_indirect', 'i:i'], ['local.set', 1]], [['local.get', 1]]),
      { type: 'i:i', body: [['local.get', 0], ['i32.const', 1], 'i32.add'] },
    ] },
    argument: 200_000, times: 200_000,
  },
};

/** What this benchmark needs of V8's own engine, which the types of Node do not have. */
interface V8Engine {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: { f(n: number): number | bigint } };
}
const v8 = (globalThis as unknown as { readonly WebAssembly: V8Engine }).WebAssembly;

export async function run({ quick, note }: BenchOptions): Promise<Report> {
  const kernels = Object.entries(KERNELS).map(([name, { spec, argument, times }]) => {
    const bytes = assemble(spec);
    const ours = interpreter.instantiate(interpreter.compile(bytes), {});
    const func = ours.exports.get('f') as Func;
    const theirs = new v8.Instance(new v8.Module(bytes)).exports;
    const [result] = ours.callSync(func, [argument]);
    if (result !== theirs.f(argument)) throw new Error(`${name}: ${String(result)} is not ${String(theirs.f(argument))}`);
    return { name, times, interpreter: () => { ours.callSync(func, [argument]); }, v8: () => { theirs.f(argument); } };
  });
  const side = (which: 'v8' | 'interpreter') => (): Sample => Object.fromEntries(kernels.map((kernel) => {
    const start = performance.now();
    kernel[which]();
    return [kernel.name, (performance.now() - start) * 1e6 / kernel.times];
  }));
  note('running the kernels');
  return {
    title: 'The interpreter',
    sides: ['V8', 'interpreter'],
    rows: await interleave({ V8: side('v8'), interpreter: side('interpreter') }, { rounds: quick ? 10 : 60, warmup: 30, unit: 'ns' }),
    notes: ['Nanoseconds per round of each kernel\'s loop, or per call. V8 inlines and unrolls, so its side is a floor and not an instruction\'s cost.'],
  };
}
