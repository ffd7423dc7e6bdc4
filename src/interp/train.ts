/**
 * Carries out every register instruction once, with several kinds of operands, before V8 optimises the loop. An instruction
 * that V8 has not seen by then costs, when it is first met, the optimised code of the whole loop and 100 ms and more to make
 * it again. Takes about a millisecond, and only guests pay it that run longer than one slice.
 */
import { CORE_FORMATS, CORE_NAMES } from './core.js';
import { coreOp } from './core-ops.js';
import type { Format } from './core-table.js';
import { decode } from './decode.js';
import { WasmInstance } from './instance.js';
import { runner } from './run.js';
import { NOTHING } from './vector.js';

/** (type (func)) two functions of it, table 0 with function 1, one page of memory, a mutable i64: what the instructions touch. */
const MODULE = Uint8Array.of(
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  1, 4, 1, 0x60, 0, 0, 3, 3, 2, 0, 0, 4, 4, 1, 0x70, 0, 1, 5, 3, 1, 0, 1, 6, 6, 1, 0x7e, 1, 0x42, 0, 0x0b,
  9, 7, 1, 0, 0x41, 0, 0x0b, 1, 1, 10, 7, 2, 2, 0, 0x0b, 2, 0, 0x0b,
);

/** Slots: two operands, a condition, an address, an index of the table, the destination, arguments of calls. */
const A = 0, B = 1, CONDITION = 2, ADDRESS = 3, INDEX = 4, D = 5, TOP = 6;
const FRAME = 8;

interface Operands { readonly low: readonly [number, number]; readonly wide: readonly [bigint, bigint]; readonly condition: number; readonly floats: boolean }
const bits32 = (x: number) => new Int32Array(new Float32Array([x]).buffer)[0];
const bits64 = (x: number) => new BigInt64Array(new Float64Array([x]).buffer)[0];
/** Both orders and equality for the comparisons; large and negative integers; floats that are not whole. */
const OPERANDS: readonly Operands[] = [
  { low: [7, 3], wide: [7n, 3n], condition: 1, floats: true },
  { low: [3, 7], wide: [3n, 7n], condition: 0, floats: true },
  { low: [bits32(2.5), bits32(1.25)], wide: [bits64(2.5), bits64(1.25)], condition: 1, floats: true },
  { low: [bits32(1.25), bits32(2.5)], wide: [bits64(1.25), bits64(2.5)], condition: 0, floats: true },
  { low: [7, 7], wide: [7n, 7n], condition: 1, floats: true },
  { low: [-5, 0x7fffffff], wide: [-5n, 0x7fffffffffffffffn], condition: 0, floats: false },
  { low: [0x7fffffff, -5], wide: [0x7fffffffffffffffn, -5n], condition: 1, floats: false },
];

let done = false;

/** Trains the loop, once in the life of the thread. */
export function train(): void {
  if (done) return;
  done = true;
  const instance = new WasmInstance(decode(MODULE), {});
  const { code } = instance;
  const leaf = (name: string) => code.append([FRAME, 0, 2, coreOp(name) | A << 12]);
  const leaves = ['return0', 'return32', 'return64'].map(leaf);
  leaves.push(code.append([FRAME, 0, 2, coreOp('return_call'), leaves[0]]));
  code.entry(1);
  const words: number[] = [FRAME, 0, FRAME];
  const base = code.length;
  const constants = OPERANDS.map(({ wide: [, b] }) => code.constant(Number(BigInt.asIntN(32, b)), Number(BigInt.asIntN(32, b >> 32n))));
  OPERANDS.forEach((operands, i) => pass(words, operands, constants[i], leaves, code.typeIds[0]));
  words.push(coreOp('return0'));
  code.entries[0] = base;
  code.append(words);
  for (let i = 0; i < ROUNDS; i++) runner.callSync(instance, instance.funcs[0], []);
}

/** V8 makes room for its observations only after some runs. */
const ROUNDS = 3;

function pass(words: number[], operands: Operands, constant: number, leaves: readonly number[], type: number): void {
  const put32 = (slot: number, value: number) => words.push(coreOp('const32') | slot << 12, value);
  put32(CONDITION, operands.condition);
  put32(ADDRESS, 16);
  put32(INDEX, 0);
  operands.low.forEach((value, slot) => put32(slot, value));
  operands.wide.forEach((value, slot) => words.push(coreOp('const64') | slot << 12, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))));
  CORE_FORMATS.forEach((format, i) => {
    const name = CORE_NAMES[i];
    // conversions of what is a NaN trap
    if (!operands.floats && /f(?:32|64)/.test(name)) return;
    one(words, name, format, operands, constant, leaves, type);
  });
  words.push(coreOp('memory.size') | D << 12, 0, ...NOTHING);
}

function one(words: number[], name: string, format: Format, operands: Operands, constant: number, leaves: readonly number[], type: number): void {
  const op = coreOp(name);
  const first = op | D << 12;
  const memory = /\.(?:load|store)/.test(name);
  const immediate = memory ? 8 : name.startsWith('i32') ? operands.low[1] : constant;
  switch (format) {
    case 'cold': case 'vector': return;
    case 'd': case 'none': case 's': words.push(first); return;
    case 'da': words.push(first, A); return;
    case 'dab': words.push(first, A | B << 16); return;
    case 'dak': words.push(memory && name.includes('store') ? op | ADDRESS << 12 : first, memory && name.includes('load') ? ADDRESS : A, immediate); return;
    case 'dabc': words.push(first, A | B << 16, CONDITION); return;
    case 'dk': words.push(first, 0); return;
    case 'dkk': words.push(first, 1, 2); return;
    case 'sk': words.push(op | A << 12, 0); return;
    case 'sak': words.push(op | ADDRESS << 12, A, 8); return;
    case 'skk': words.push(op | ADDRESS << 12, 8, 5); return;
    case 'own': break;
  }
  if (name === 'call') {
    for (const leaf of leaves) words.push(op | TOP << 12, leaf);
  } else if (name === 'call_indirect') {
    words.push(op | TOP << 12, INDEX, type, 0);
  } else if (name === 'br_table') {
    words.push(op | CONDITION << 12, 0, 3, op | INDEX << 12, 1, 4, 4);
  } else if (name.startsWith('br')) {
    branch(words, name, op, operands, constant);
  }
}

/** A branch back to one that goes on behind it, so that it costs fuel when it is taken, and comes to the same place when not. */
function branch(words: number[], name: string, op: number, operands: Operands, constant: number): void {
  const own = name === 'br' ? [op] : name === 'br_if' || name === 'br_unless' ? [op | CONDITION << 12]
    : [op | A << 12, !name.endsWith('.k') ? B : name.includes('i32') ? operands.low[1] : constant];
  const size = own.length + 1;
  words.push(coreOp('br'), 4, coreOp('br'), 2 + size, ...own, -2);
}
