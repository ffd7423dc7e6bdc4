/**
 * Lowers vector instructions, whose register form vector-gen.ts tells. Those without immediates are lowered like all other
 * simple ones; a v128 constant is no operand but is written to a slot at once.
 */
import { coreOp } from './core-ops.js';
import type { InstrReader } from './instr.js';
import { OWN, type OperandStack } from './lower-stack.js';
import { C, TYPE } from './lower-table.js';
import { ROWS } from './opcodes.js';
import { V128, type ValType } from './types.js';

interface VectorRow {
  readonly op: number;
  /** one address or vector, or that and another operand */
  readonly operands: number;
  /** undefined for stores */
  readonly result: ValType | undefined;
  /** words behind the operands */
  readonly words: 'offset' | 'offset lane' | 'lane' | 'lanes' | 'constant';
}

/** index in ROWS -> how a vector instruction with immediates is lowered */
const VECTOR: readonly (VectorRow | undefined)[] = ROWS.map(([code, name, immediates, signature]) => {
  if (code >> 8 !== 0xfd || immediates === '') return undefined;
  const [params, result] = signature.split(':');
  return {
    op: coreOp(name), operands: params.length, result: TYPE[result],
    words: immediates === 'v128' ? 'constant' : immediates === 'lane' || immediates === 'lanes' ? immediates : immediates.endsWith('lane') ? 'offset lane' : 'offset',
  };
});

/** @returns false where the instruction is none of these */
export function lowerVector(stack: OperandStack, { row, a, b, c, d }: InstrReader): boolean {
  const vector = VECTOR[row];
  if (!vector) return false;
  const { op, operands, result, words } = vector;
  if (words === 'constant') {
    vectorConstant(stack, stack.slot(stack.height), a, b, c, d);
    stack.push(V128, OWN, 0, 0);
    return true;
  }
  const second = operands === 2 ? stack.popSlot() : 0;
  const is64 = words.startsWith('offset') && stack.useMemory(b, a);
  const slots = stack.indexSlot(stack.pop(), is64) | second << 16;
  if (result === undefined) stack.emit(op, slots, a);
  else stack.produce(op, result, slots, a);
  if (words === 'offset lane') stack.word(d);
  if (words.startsWith('offset')) stack.memoryUsed(b);
  if (words === 'lanes') for (const word of [b, c, d]) stack.word(word);
  return true;
}

/** Writes a constant of four words to a slot. */
export function vectorConstant(stack: OperandStack, slot: number, a: number, b: number, c: number, d: number): void {
  stack.emit(C.constVector | slot << 12, a, b, c);
  stack.word(d);
}
