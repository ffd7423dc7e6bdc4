/**
 * Random functions, run by each of our engines and by V8: every simple instruction in random company, in a loop long enough that
 * V8 has optimised the interpreter's own loop before the end. NaNs are made one NaN, as their bits are anyone's choice.
 */
import type { Func } from '#src/interp/engine.js';
import { ROWS, type Mnemonic } from '#src/interp/opcodes.js';
import { assert, suite } from '../support/suite.js';
import { TIERS } from './engines.js';
import { assemble, type Instruction } from '../support/wasm.js';

type Letter = 'i' | 'l' | 'f' | 'd';
const TYPES = { i: 'i32', l: 'i64', f: 'f32', d: 'f64' } as const;
const SEEDS = 40;
/** times round the loop of each function */
const ROUNDS = 400;

/** Instructions that take and give numbers only, and never trap whatever they are given (divisors are made odd below). */
const SIMPLE = ROWS.filter(([, name, immediates, signature, feature]) =>
  immediates === '' && /^[ilfd]+:[ilfd]$/.test(signature) && !/trunc_f/.test(name) && ['mvp', 'sign-extension', 'sat-float-to-int'].includes(feature))
  .map(([, name, , signature]) => ({ name: name as Mnemonic, params: [...signature.split(':')[0]] as Letter[], result: signature.split(':')[1] as Letter }));

/** xorshift; the same seeds give the same functions */
function generator(seed: number): (below: number) => number {
  let s = seed | 1;
  return (below) => {
    s ^= s << 13; s ^= s >>> 17; s ^= s << 5;
    return (s >>> 0) % below;
  };
}

/** `f(n, seed: i64) -> i64`: locals 2… hold two of each type; each round replaces some by random expressions of the others. */
function randomModule(seed: number): Uint8Array {
  const random = generator(seed * 7919);
  const pick = <T>(items: readonly T[]): T => items[random(items.length)];
  const localOf = (type: Letter) => 2 + 'ilfd'.indexOf(type) * 2 + random(2);
  const interesting: { readonly [T in Letter]: readonly (number | bigint)[] } = {
    i: [0, 1, -1, 31, 32, 0x7fffffff, -0x80000000, 1103515245], l: [0n, 1n, -1n, 63n, 64n, 2n ** 63n - 1n, -(2n ** 63n), 0x9e3779b97f4a7c15n],
    f: [0, -0, 1, 0.5, 3.4e38, Infinity, 1e-45], d: [0, -0, 1, 0.5, 1.7e308, -Infinity, 5e-324],
  };
  const expression = (type: Letter, depth: number): Instruction[] => {
    if (depth === 0 || random(5) === 0) {
      if (random(3) === 0) return [[`${TYPES[type]}.const`, pick(interesting[type])]];
      return [['local.get', localOf(type)]];
    }
    if (random(12) === 0) return [...expression(type, depth - 1), ...expression(type, depth - 1), ...expression('i', depth - 1), 'select'];
    if (random(12) === 0) return [...expression('i', depth - 1), ['if', type], ...expression(type, depth - 1), 'else', ...expression(type, depth - 1), 'end'];
    if (random(12) === 0) return [...expression(type, depth - 1), ['local.tee', localOf(type)]];
    if (random(14) === 0) {
      const address: Instruction[] = [...expression('i', depth - 1), ['i32.const', 0xfff8], 'i32.and'];
      return [...address, ...expression(type, depth - 1), [`${TYPES[type]}.store`, 4], ...expression('i', depth - 1), ['i32.const', 0xfff8], 'i32.and', [`${TYPES[type]}.load`, 3]];
    }
    const { name, params } = pick(SIMPLE.filter(({ result }) => result === type));
    const operands = params.flatMap((param, i) => {
      const code = expression(param, depth - 1);
      // an odd divisor is not 0, and a positive one not -1
      return /div|rem/.test(name) && i === 1 && 'il'.includes(param) ? [...code, [`${TYPES[param]}.const`, 3], `${TYPES[param]}.or`, [`${TYPES[param]}.const`, param === 'i' ? 0x7fffffff : 2n ** 63n - 1n], `${TYPES[param]}.and`] as Instruction[] : code;
    });
    return [...operands, name, ...'fd'.includes(type) ? quiet(type) : []];
  };
  /** NaN becomes the number 7 */
  const quiet = (type: Letter): Instruction[] => {
    const scratch = type === 'f' ? 10 : 11;
    return [['local.tee', scratch], [`${TYPES[type]}.const`, 7], ['local.get', scratch], ['local.get', scratch], `${TYPES[type]}.eq` as Mnemonic, 'select'];
  };
  const letters: readonly Letter[] = ['i', 'l', 'f', 'd'];
  const body: Instruction[] = [
    ['local.get', 1], 'i32.wrap_i64', ['local.set', 2], ['local.get', 1], ['local.set', 4], ['local.get', 1], 'f32.convert_i64_s', ['local.set', 6], ['local.get', 1], 'f64.convert_i64_u', ['local.set', 8],
    ['loop', ''],
    ...Array.from({ length: 10 }, () => {
      const type = pick(letters);
      return [...expression(type, 4), ['local.set', localOf(type)] as const];
    }).flat(),
    ['local.get', 1], ['i64.const', 6364136223846793005n], 'i64.mul', ['local.get', 2], 'i64.extend_i32_u', 'i64.xor', ['local.get', 4], 'i64.add', ['local.get', 7], 'i32.reinterpret_f32', 'i64.extend_i32_s', 'i64.xor',
    ['local.get', 9], 'i64.reinterpret_f64', 'i64.add', ['local.set', 1],
    // new blood, as many functions come to rest soon
    ['local.get', 1], 'i32.wrap_i64', ['local.set', 3], ['local.get', 1], ['local.set', 5],
    ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end', ['local.get', 1],
  ];
  return assemble({ memory: { min: 2 }, funcs: [{ type: 'il:l', locals: 'iillffddfd', export: 'f', body }] });
}

/** What this test needs of V8's own engine, which the types of Node do not have. */
interface V8Engine {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: { f(n: number, seed: bigint): bigint } };
}
const v8 = (globalThis as unknown as { readonly WebAssembly: V8Engine }).WebAssembly;

for (const engine of TIERS) suite(`${engine.name} against V8`, (test) => {
  test.table(Array.from({ length: SEEDS }, (_, i) => i + 1), (seed) => `random function ${seed} gives the same`, (seed) => {
    const bytes = randomModule(seed);
    const theirs = new v8.Instance(new v8.Module(bytes)).exports;
    const ours = engine.instantiate(engine.compile(bytes), {});
    for (const start of [1n, -(2n ** 63n), 0x0123456789abcdefn]) {
      assert.equal(ours.callSync(ours.exports.get('f') as Func, [ROUNDS, start]), [theirs.f(ROUNDS, start)]);
    }
  });
});
