/**
 * Evaluates constant expressions: the initial values of globals, offsets of segments, elements (specification chapter 3.3.7).
 * They are validated already, so this is a short stack machine over their few instructions.
 */
import type { Value } from './engine.js';
import type { WasmFunc } from './func.js';
import type { WasmGlobal } from './global.js';
import { InstrReader } from './instr.js';
import { defaultStruct, filledArray, newArray, newStruct } from './gc.js';
import type { Expr } from './module.js';
import { FEATURES_ALL } from './opcodes.js';
import type { RuntimeType } from './rtt.js';
import { F32, F64, I16, I32, I64, I8, type ValType } from './types.js';

const bits = new DataView(new ArrayBuffer(8));

/** A number comes with its bits, as a JS number does not keep those of an f32 NaN. */
export interface Constant { readonly value: Value; readonly lo: number; readonly hi: number }

export function evaluate(bytes: Uint8Array, expr: Expr, globals: readonly WasmGlobal[], funcs: readonly WasmFunc[], types: readonly RuntimeType[]): Constant {
  const instr = new InstrReader(bytes, expr.start, expr.end, FEATURES_ALL);
  const stack: Constant[] = [];
  const binary = (compute: (x: bigint, y: bigint) => bigint): Constant => {
    const { value: y } = stack.pop()!;
    const { value: x } = stack.pop()!;
    if (typeof x !== 'number') return i64(compute(x as bigint, y as bigint));
    return i32(Number(BigInt.asIntN(32, compute(BigInt(x), BigInt(y as number)))));
  };
  /** The topmost values, as fields of these types keep them. */
  const take = (wanted: readonly ValType[]): Value[] => {
    const constants = stack.splice(stack.length - wanted.length, wanted.length);
    return wanted.map((type, i) => bitsOf(type, constants[i]));
  };
  for (;;) {
    instr.next();
    const { a, b } = instr;
    switch (instr.op) {
      case 0x0b: return stack[0];
      case 0x23: {
        const { words, at, ref, isReference, value } = globals[a];
        stack.push({ value: isReference ? ref : value, lo: words[at], hi: words[at + 1] });
        break;
      }
      case 0x41: stack.push(i32(a)); break;
      case 0x42: stack.push({ value: BigInt(b) << 32n | BigInt(a >>> 0), lo: a, hi: b }); break;
      case 0x43:
        bits.setInt32(0, a);
        stack.push({ value: bits.getFloat32(0), lo: a, hi: 0 });
        break;
      case 0x44:
        bits.setInt32(0, b);
        bits.setInt32(4, a);
        stack.push({ value: bits.getFloat64(0), lo: a, hi: b });
        break;
      case 0xfd0c: {
        const vector = new Uint8Array(16);
        [a, b, instr.c, instr.d].forEach((word, i) => new DataView(vector.buffer).setInt32(4 * i, word, true));
        stack.push({ value: vector, lo: a, hi: b });
        break;
      }
      case 0x6a: case 0x7c: stack.push(binary((x, y) => x + y)); break;
      case 0x6b: case 0x7d: stack.push(binary((x, y) => x - y)); break;
      case 0x6c: case 0x7e: stack.push(binary((x, y) => x * y)); break;
      case 0xfb00: {
        const { fields } = types[a].def;
        stack.push(reference(newStruct(types[a], take(fields.map(({ type }) => type)))));
        break;
      }
      case 0xfb01: stack.push(reference(defaultStruct(types[a]))); break;
      case 0xfb06: {
        const n = stack.pop()!.lo >>> 0;
        stack.push(reference(filledArray(types[a], n, take([types[a].def.fields[0].type])[0])));
        break;
      }
      case 0xfb07: stack.push(reference(filledArray(types[a], stack.pop()!.lo >>> 0, undefined))); break;
      case 0xfb08: stack.push(reference(newArray(types[a], take(new Array<ValType>(b).fill(types[a].def.fields[0].type))))); break;
      case 0xfb1a: case 0xfb1b: break;
      case 0xfb1c: stack.push(reference(stack.pop()!.lo << 1 >> 1)); break;
      case 0xd0: stack.push(reference(null)); break;
      case 0xd2: stack.push(reference(funcs[a])); break;
      default: throw new Error(`bug: opcode ${instr.op} in a constant expression`);
    }
  }
}

function i32(value: number): Constant {
  return { value, lo: value, hi: 0 };
}

function i64(wide: bigint): Constant {
  const value = BigInt.asIntN(64, wide);
  return { value, lo: Number(BigInt.asIntN(32, value)), hi: Number(value >> 32n) };
}

function reference(value: Value): Constant {
  return { value, lo: 0, hi: 0 };
}

function bitsOf(type: ValType, { value, lo, hi }: Constant): Value {
  switch (type) {
    case I8: case I16: case I32: case F32: return lo;
    case I64: case F64: return BigInt(hi) << 32n | BigInt(lo >>> 0);
    default: return value;
  }
}
