/** Random functions of i64 in every kind of company: branches, loops, calls, memory, i32 and floats of its bits. */
import { ROWS, type Mnemonic } from '#src/interp/opcodes.js';
import { assemble, type Instruction } from '../support/wasm.js';

const BINARY = ROWS.filter(([, name, , signature]) => /^i64\.[a-z_]+$/.test(name) && signature === 'll:l').map(([, name]) => name as Mnemonic);
const UNARY = ROWS.filter(([, name, , signature]) => name.startsWith('i64.') && signature === 'l:l').map(([, name]) => name as Mnemonic);
const COMPARE = ROWS.filter(([, name, , signature]) => name.startsWith('i64.') && signature === 'll:i').map(([, name]) => name as Mnemonic);
const CONSTANTS = [0n, 1n, -1n, 2n, 31n, 32n, 63n, 64n, 0xffffffffn, 0x80000000n, 2n ** 63n - 1n, -(2n ** 63n), 0x9e3779b97f4a7c15n, -0x100000000n];

/**
 * `f(n, a, b) -> i64`: n times round a loop over locals 1 to 6, i64, and 7 and 8, i32; g(a, b) -> i64 is like it, without a
 * loop, and f calls it.
 */
export function longModule(seed: number): Uint8Array {
  let s = Math.imul(seed, 7919) | 1;
  const random = (below: number) => {
    s ^= s << 13; s ^= s >>> 17; s ^= s << 5;
    return (s >>> 0) % below;
  };
  const pick = <T>(items: readonly T[]): T => items[random(items.length)];
  const maker = (first: number, calls: boolean) => {
    const long = () => first + random(6), int = () => first + 6 + random(2);
    const constant = (): Instruction => ['i64.const', BigInt.asIntN(64, pick(CONSTANTS))];
    const address = (depth: number): Instruction[] => [...i32(depth), ['i32.const', 0xfff], 'i32.and'];
    const i64 = (depth: number): Instruction[] => {
      if (depth === 0) return [random(4) === 0 ? constant() : ['local.get', long()]];
      const a = () => i64(depth - 1);
      switch (random(16)) {
        case 0: return [...a(), pick(UNARY)];
        case 1: return [...i32(depth - 1), pick(['i64.extend_i32_s', 'i64.extend_i32_u'])];
        case 2: return [...address(depth - 1), [pick(['i64.load', 'i64.load8_s', 'i64.load16_u', 'i64.load32_s', 'i64.load32_u']), random(9)]];
        case 3: return [...a(), ...a(), ...i32(depth - 1), 'select'];
        case 4: return [...a(), ['local.tee', long()]];
        case 5: return [...i32(depth - 1), ['if', 'l'], ...statements(1, depth - 1), ...a(), 'else', ...a(), 'end'];
        case 6: return [['block', 'l'], ...a(), ...i32(depth - 1), ['br_if', 0], ['local.set', long()], ...a(), 'end'];
        case 7: return calls ? [...a(), ...a(), ['call', 1]] : [...a(), 'f64.reinterpret_i64', 'i64.reinterpret_f64'];
        case 8: return [...a(), constant(), pick(['i64.shl', 'i64.shr_s', 'i64.shr_u', 'i64.rotl', 'i64.rotr'])];
        // a divisor that is neither 0 nor -1
        case 9: return [...a(), ...a(), ['i64.const', 5], 'i64.or', ['i64.const', -3], 'i64.and', pick(['i64.div_s', 'i64.div_u', 'i64.rem_s', 'i64.rem_u'])];
        default: return [...a(), ...a(), pick(BINARY.filter((name) => !/div|rem/.test(name)))];
      }
    };
    const i32 = (depth: number): Instruction[] => {
      if (depth === 0) return [['local.get', int()]];
      switch (random(5)) {
        case 0: return [...i64(depth - 1), 'i32.wrap_i64'];
        case 1: return [...i64(depth - 1), 'i64.eqz'];
        case 2: return [...i32(depth - 1), ...i32(depth - 1), pick(['i32.add', 'i32.xor', 'i32.mul'])];
        default: return [...i64(depth - 1), ...i64(depth - 1), pick(COMPARE)];
      }
    };
    const statement = (depth: number): Instruction[] => {
      switch (random(depth > 1 ? 9 : 5)) {
        case 0: return [...i32(depth), ['local.set', int()]];
        case 1: return [...address(depth), ...i64(depth), [pick(['i64.store', 'i64.store8', 'i64.store32']), random(9)]];
        case 2: return [...i64(depth), ['global.set', 0], ['global.get', 0], ['local.set', long()]];
        case 5: return [...i32(depth), ['if', ''], ...statements(2, depth - 1), 'else', ...statements(2, depth - 1), 'end'];
        case 6: return [['block', ''], ...statements(2, depth - 1), ...i32(depth), ['br_if', 0], ...statements(2, depth - 1), 'end'];
        case 7: return [['i32.const', 1 + random(5)], ['local.set', first + 8], ['loop', ''], ...statements(2, 1), ['local.get', first + 8], ['i32.const', 1], 'i32.sub', ['local.tee', first + 8], ['br_if', 0], 'end'];
        default: return [...i64(depth + 1), ['local.set', long()]];
      }
    };
    const statements = (n: number, depth: number): Instruction[] => Array.from({ length: n }, () => statement(depth)).flat();
    return statements;
  };
  const mixed = (first: number) => Array.from({ length: 5 }, (_, i): Instruction[] => [['local.get', first + 1 + i], 'i64.xor', ['i64.const', 0x100000001b3], 'i64.mul']).flat();
  return assemble({
    memory: { min: 1 }, globals: [{ type: 'l', mutable: true, init: ['i64.const', 0] }],
    funcs: [
      { type: 'ill:l', locals: 'lllliii', export: 'f', body: [
        ['local.get', 1], ['local.set', 3], ['local.get', 2], ['local.set', 4],
        ['loop', ''], ...maker(1, true)(9, 3), ...[...'1234'].flatMap((i): Instruction[] => [['local.get', Number(i)], ['i64.const', 0x2545f4914f6cdd1dn], 'i64.mul', ['local.get', 0], 'i64.extend_i32_s', 'i64.add', ['local.set', Number(i)]]),
        ['local.get', 0], ['i32.const', 1], 'i32.sub', ['local.tee', 0], ['br_if', 0], 'end', ['local.get', 1], ...mixed(1),
      ] },
      { type: 'll:l', locals: 'lllliii', body: [...maker(0, false)(4, 2), ['local.get', 0], ...mixed(0)] },
    ],
  });
}
