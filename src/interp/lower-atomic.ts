/**
 * Lowers atomic instructions. Only one thread runs guests, so each is made of the plain instructions that it stands for, behind a
 * check of the alignment; none is interrupted in between, as none of them pays fuel.
 */
import { coreOp } from './core-ops.js';
import type { InstrReader } from './instr.js';
import { OWN, type OperandStack } from './lower-stack.js';
import { C, moveOf, table } from './lower-table.js';
import { ROWS } from './opcodes.js';
import { I32, I64, type ValType } from './types.js';

interface AtomicRow {
  readonly kind: 'load' | 'store' | 'rmw' | 'xchg' | 'cmpxchg';
  readonly type: ValType;
  readonly load: number;
  readonly store: number;
  /** of a read-modify-write: what computes the new value; of cmpxchg the comparison */
  readonly compute: number;
  readonly mask: number;
  /** bits of the access where it is narrower than its type, else 0 */
  readonly narrow: number;
}

const ALIGNED = coreOp('aligned'), NOTIFY = coreOp('memory.atomic.notify'), WAIT = coreOp('memory.atomic.wait'), AND_32 = coreOp('i32.and.k'), AND_64 = coreOp('i64.and.k');

/** index in ROWS -> how an atomic access is lowered */
const atomicOf = table(ROWS.length, (row): AtomicRow => {
  const [, name, immediates] = ROWS[row];
  const parts = /^(i32|i64)\.atomic\.(load|store|rmw)(\d*)(?:\.([a-z]+))?(?:_u)?$/.exec(name);
  if (!parts) throw new Error(`bug: ${name} is no atomic access`);
  const [, type, access, width, op] = parts;
  const kind = access === 'rmw' ? op === 'xchg' || op === 'cmpxchg' ? op : 'rmw' : access as 'load' | 'store';
  return {
    kind, type: type === 'i32' ? I32 : I64,
    load: coreOp(`${type}.load${width}${width === '' ? '' : '_u'}`), store: coreOp(`${type}.store${width}`),
    compute: kind === 'rmw' ? coreOp(`${type}.${op}`) : kind === 'cmpxchg' ? coreOp(`${type}.eq`) : 0,
    mask: Number(immediates.slice('memarg'.length)) - 1, narrow: Number(width),
  };
});

export function lowerAtomic(stack: OperandStack, { op, row, a: offset, b: memory }: InstrReader): void {
  switch (op) {
    case 0xfe00: return special(stack, 2, NOTIFY, offset, memory, 0);
    case 0xfe01: return special(stack, 3, WAIT, offset, memory, 4);
    case 0xfe02: return special(stack, 3, WAIT, offset, memory, 8);
    // a fence has nothing to order
    case 0xfe03: return;
  }
  const { kind, type, load, store, compute, mask, narrow } = atomicOf(row);
  const n = kind === 'load' ? 1 : kind === 'cmpxchg' ? 3 : 2;
  stack.settleFrom(stack.height - n);
  const h = stack.height - n;
  // the old value and the new one, above the operands
  const old = stack.slot(h + n), fresh = stack.slot(h + n + 1);
  for (let i = 0; i < 2; i++) stack.push(type, OWN, 0, 0);
  stack.height = h;
  const is64 = stack.useMemory(memory, offset);
  const address = stack.indexSlot(h, is64);
  const operand = stack.slot(h + 1);
  if (mask !== 0) stack.emit(ALIGNED | address << 12, offset | 0, mask);
  if (kind !== 'store') stack.emit(load | old << 12, address, offset | 0);
  if (kind === 'rmw') stack.emit(compute | fresh << 12, old | operand << 16);
  if (kind === 'cmpxchg') {
    // what is expected is taken in the width of the access
    if (narrow !== 0 && type === I32) stack.emit(AND_32 | fresh << 12, operand, 2 ** narrow - 1);
    if (narrow !== 0 && type === I64) stack.emit(AND_64 | fresh << 12, operand, stack.code.constant(2 ** narrow - 1 | 0, 0));
    stack.emit(compute | fresh << 12, old | (narrow === 0 ? operand : fresh) << 16);
    stack.emit((type === I32 ? C.select32 : C.select64) | fresh << 12, stack.slot(h + 2) | old << 16, fresh);
  }
  if (kind !== 'load') stack.emit(store | address << 12, kind === 'store' || kind === 'xchg' ? operand : fresh, offset | 0);
  stack.memoryUsed(memory);
  if (kind === 'store') return;
  stack.emit(moveOf(type) | stack.slot(h) << 12, old);
  stack.push(type, OWN, 0, 0);
}

function special(stack: OperandStack, operands: number, core: number, offset: number, memory: number, bytes: number): void {
  if (offset > 0xffffffff) stack.emit(C.memoryOutside);
  stack.settleFrom(stack.height - operands);
  stack.height -= operands;
  stack.emit(core | stack.slot(stack.height) << 12, offset | 0, memory, bytes);
  // the host is called to wait
  stack.observe?.('called', stack, stack.height);
  stack.push(I32, OWN, 0, 0);
}
