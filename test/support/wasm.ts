/**
 * Assembles small WebAssembly modules for tests: functions as lists of instructions by mnemonic, types as letters
 * (`ii:l`; i = i32, l = i64, f = f32, d = f64, v = v128, r = funcref, e = externref, x = exnref). Says nothing about validity: it assembles wrong ones too.
 */
import { rowOf, OP, type Mnemonic } from '#src/interp/opcodes.js';
import { EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, type FuncType } from '#src/interp/types.js';
import { HEADER, leb, name, section, vec, type Bytes } from '../interp/wasm.js';

const LETTERS: { readonly [letter: string]: number } = { i: I32, l: I64, f: F32, d: F64, v: V128, r: FUNCREF, e: EXTERNREF, x: EXNREF };

/** `['i32.const', 7]`, `['v128.const', …]` with sixteen bytes, `['v128.load8_lane', offset, alignment, lane]`, `['br_table', 0, 1, 2]`, `['block', 'i']` (a result's letter, or ''), `['i32.load', offset]`; a bare mnemonic where nothing follows. */
export type Instruction = Mnemonic | readonly [Mnemonic, ...(number | bigint | string)[]];

export interface FuncSpec { readonly type: string; readonly locals?: string; readonly export?: string; readonly name?: string; readonly body: readonly Instruction[] }
export interface ModuleSpec {
  readonly imports?: readonly { readonly module: string; readonly name: string; readonly type: string }[];
  /** before all other tags; types as of `tags` */
  readonly importedTags?: readonly { readonly module: string; readonly name: string; readonly type: string }[];
  readonly funcs?: readonly FuncSpec[];
  /** pages, exported as "memory" */
  readonly memory?: { readonly min: number; readonly max?: number; readonly shared?: boolean };
  /** functions in table 0, exported as "table"; null leaves a hole */
  readonly table?: readonly (number | null)[];
  readonly globals?: readonly { readonly type: string; readonly mutable?: boolean; readonly init: Instruction; readonly export?: string }[];
  readonly data?: readonly { readonly at: number; readonly bytes: readonly number[] }[];
  readonly start?: number;
  /** types in binary form, before all others: `#0` is the first of them where a type is wanted */
  readonly rawTypes?: readonly Bytes[];
  /** the type of each tag: `i:` */
  readonly tags?: readonly string[];
}

export function typeOf(letters: string): FuncType {
  const [params, results = ''] = letters.split(':');
  return { params: [...params].map((letter) => LETTERS[letter]), results: [...results].map((letter) => LETTERS[letter]) };
}

export function assemble(spec: ModuleSpec): Uint8Array {
  const { imports = [], importedTags = [], tags = [], rawTypes = [], funcs = [], globals = [], data = [], memory, table, start } = spec;
  const types = [...new Set([...[...imports, ...importedTags, ...funcs].map(({ type }) => type), ...tags])].filter((type) => !type.startsWith('#'));
  const typeIndex = (type: string) => {
    if (type.startsWith('#')) return Number(type.slice(1));
    const at = types.indexOf(type);
    return rawTypes.length + (at >= 0 ? at : types.push(type) - 1);
  };
  const bodies = funcs.map(({ body, locals = '' }) => {
    const bytes = [vec([...locals].map((letter) => [1, LETTERS[letter]])), body.map((one) => encode(one, typeIndex)), OP['end']].flat(Infinity as 1) as number[];
    return [leb(bytes.length), bytes];
  });
  const exported: Bytes[] = [
    ...funcs.flatMap(({ export: as }, i) => as === undefined ? [] : [[name(as), 0, leb(imports.length + i)]]),
    ...table ? [[name('table'), 1, 0]] : [], ...memory ? [[name('memory'), 2, 0]] : [],
    ...tags.map((_, i) => [name(`tag${i}`), 4, leb(importedTags.length + i)]),
    ...globals.flatMap(({ export: as }, i) => as === undefined ? [] : [[name(as), 3, leb(i)]]),
  ];
  const named = funcs.flatMap((func, i) => func.name === undefined ? [] : [[leb(imports.length + i), name(func.name)]]);
  const filled = (table ?? []).flatMap((func, i) => func === null ? [] : [[0, OP['i32.const'], sleb(BigInt(i)), OP['end'], vec([leb(func)])]]);
  const some = (id: number, items: readonly Bytes[]) => items.length === 0 ? [] : section(id, vec(items));
  const bytes: Bytes = [
    HEADER,
    some(1, [...rawTypes, ...types.map((type) => {
      const { params, results } = typeOf(type);
      return [0x60, vec(params.map((t) => [t])), vec(results.map((t) => [t]))];
    })]),
    some(2, [...imports.map((one) => [name(one.module), name(one.name), 0, leb(typeIndex(one.type))]), ...importedTags.map((one) => [name(one.module), name(one.name), 4, 0, leb(typeIndex(one.type))])]),
    some(3, funcs.map(({ type }) => leb(typeIndex(type)))),
    some(4, table ? [[FUNCREF, 0, leb(table.length)]] : []),
    some(5, memory ? [memory.max === undefined ? [memory.shared ? 2 : 0, leb(memory.min)] : [memory.shared ? 3 : 1, leb(memory.min), leb(memory.max)]] : []),
    some(13, tags.map((type) => [0, leb(typeIndex(type))])),
    some(6, globals.map(({ type, mutable, init }) => [LETTERS[type], mutable ? 1 : 0, encode(init, typeIndex), OP['end']])),
    some(7, exported),
    start === undefined ? [] : section(8, leb(start)),
    some(9, filled),
    some(10, bodies),
    some(11, data.map((one) => [0, OP['i32.const'], sleb(BigInt(one.at)), OP['end'], vec(one.bytes.map((byte) => [byte]))])),
    named.length === 0 ? [] : section(0, name('name'), section(1, vec(named))),
  ];
  return Uint8Array.from(bytes.flat(Infinity as 1) as number[]);
}

/** A signed LEB128 integer. */
export function sleb(value: bigint): number[] {
  const out: number[] = [];
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if (rest === (low & 0x40 ? -1n : 0n)) return [...out, low];
    out.push(low | 0x80);
  }
}

function encode(instruction: Instruction, typeIndex: (type: string) => number): Bytes {
  const [mnemonic, ...args] = typeof instruction === 'string' ? [instruction] : instruction;
  const code = OP[mnemonic];
  const opcode = code > 0xffff ? [code >> 12, leb(code & 0xfff)] : code > 0xff ? [code >> 8, leb(code & 0xff)] : [code];
  const numbers = args.map(Number);
  const immediates = rowOf(code)![2];
  switch (immediates) {
    case 'i32': return [opcode, sleb(BigInt(args[0]) << 32n >> 32n)];
    case 'i64': return [opcode, sleb(BigInt.asIntN(64, BigInt(args[0])))];
    case 'f32': return [opcode, [...new Uint8Array(new Float32Array([numbers[0]]).buffer)]];
    case 'f64': return [opcode, [...new Uint8Array(new Float64Array([numbers[0]]).buffer)]];
    case 'block': {
      const type = String(args[0] ?? '');
      return [opcode, type === '' ? 0x40 : type.includes(':') ? sleb(BigInt(typeIndex(type))) : LETTERS[type]];
    }
    case 'labels': return [opcode, leb(numbers.length - 1), numbers.map(leb)];
    case 'types': return [opcode, vec([[LETTERS[String(args[0])]]])];
    case 'heap': return [opcode, typeof args[0] === 'number' ? args[0] : LETTERS[String(args[0])]];
    case 'type': return [opcode, leb(typeof args[0] === 'number' ? args[0] : typeIndex(String(args[0])))];
    case 'type table': return [opcode, leb(typeIndex(String(args[0]))), leb(numbers[1] ?? 0)];
    case 'zero': return [opcode, 0];
    case 'memarg1': case 'memarg2': case 'memarg4': case 'memarg8': return [opcode, leb(numbers[2] ?? numbers[1] ?? 0), leb(numbers[0] ?? 0)];
    case 'memarg16': return [opcode, leb(numbers[1] ?? 0), leb(numbers[0] ?? 0)];
    case 'memarg1 lane': case 'memarg2 lane': case 'memarg4 lane': case 'memarg8 lane': return [opcode, leb(numbers[1] ?? 0), leb(numbers[0] ?? 0), numbers[2] ?? 0];
    case 'v128': return [opcode, numbers];
    case 'memory': return [opcode, 0];
    case 'memory memory': return [opcode, 0, 0];
    default: return [opcode, numbers.map(leb)];
  }
}
