/**
 * Atomic instructions in the source of a function: as only one thread runs guests, the plain instructions that each stands for,
 * behind a check of the alignment (lower-atomic.ts). Waiting is the interpreter's.
 */
import type { InstrReader } from '../instr.js';
import { ROWS, type Mnemonic } from '../opcodes.js';
import { I32 } from '../types.js';
import { cold, deferred } from './cold.js';
import type { JsBody } from './body.js';
import { simple } from './expressions.js';
import { access, numberAddress } from './memory.js';
import { constantOf, longConstant } from './constants.js';
import { TRAPS, condition, type Operand } from './operands.js';

const OPCODES = new Map<string, number>(ROWS.map(([code, name]) => [name, code]));

export function atomic(s: JsBody, { op, row, a: offset, b: memory }: InstrReader): void {
  switch (op) {
    case 0xfe00: return cold(s, 2, I32);
    case 0xfe01: case 0xfe02: return deferred(s, 3, [I32]);
    // a fence has nothing to order
    case 0xfe03: return;
  }
  const [, name, immediates] = ROWS[row];
  const [, type, kind, width, what] = /^(i32|i64)\.atomic\.(load|store|rmw)(\d*)(?:\.([a-z]+))?(?:_u)?$/.exec(name)!;
  const load = `${type}.load${width}${width === '' ? '' : '_u'}`, store = `${type}.store${width}`;
  const n = kind === 'load' ? 1 : what === 'cmpxchg' ? 3 : 2;
  const first = s.height - n;
  s.flush(TRAPS, first);
  numberAddress(s, first);
  for (let h = first; h < s.height; h++) s.settle(h);
  const mask = Number(immediates.slice('memarg'.length)) - 1;
  if (mask !== 0) s.line(`if (((${s.stack[first].text} + ${offset % 8}) & ${mask}) !== 0) ${s.mark()}unaligned();`);
  /** pushes a copy of an operand */
  const again = (h: number) => s.push({ ...s.stack[h], own: false, reach: undefined });
  const plain = (mnemonic: string) => access(s, OPCODES.get(mnemonic)!, mnemonic as Mnemonic, offset, memory);
  const result = (operand: Operand) => {
    s.stack.length = first;
    s.push({ ...operand, own: false, reach: s.height + n });
  };
  if (kind === 'store') return plain(store);
  again(first);
  plain(load);
  const old = first + n;
  s.settle(old);
  if (kind === 'load') return result(s.stack[old]);
  if (what === 'cmpxchg') {
    again(old);
    again(first + 1);
    // what is expected is taken in the width of the access
    if (width !== '') {
      const all = 2 ** Number(width) - 1;
      s.push(type === 'i32' ? constantOf(I32, String(all), all) : longConstant(BigInt(all)));
      simple(s, `${type}.and`, s.offset);
    }
    simple(s, `${type}.eq`, s.offset);
    s.line(`if (${condition(s.pop())}) {`);
    again(first);
    again(first + 2);
    plain(store);
    s.line('}');
  } else {
    again(first);
    if (what === 'xchg') again(first + 1);
    else {
      again(old);
      again(first + 1);
      simple(s, `${type}.${what}`, s.offset);
    }
    plain(store);
  }
  result(s.stack[old]);
}
