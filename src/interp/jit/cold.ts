/** What a function leaves to the interpreter: an instruction on the slots of its frame, or a trap, or to go on from there. */
import type { ValType } from '../types.js';
import type { JsBody } from './body.js';
import { GLOBAL, TRAPS, type Operand } from './operands.js';

export function addFlags(operand: Operand, flags: number): Operand {
  return { ...operand, flags: operand.flags | flags };
}

/** Statements that put the topmost operands where the interpreter's instruction looks for them. */
function toSlots(s: JsBody, n: number): string[] {
  const texts: string[] = [];
  for (let h = s.height - n; h < s.height; h++) {
    const operand = s.stack[h];
    // the instruction may read the local itself
    if (operand.local >= 0) texts.push(s.toSlot(operand, operand.local));
    texts.push(s.toSlot(operand, s.slot(h)));
  }
  return texts.filter((text) => text !== '');
}

/** Has the interpreter carry out an instruction on `n` operands in their slots. */
export function cold(s: JsBody, n: number, result?: ValType): void {
  const first = s.height - n;
  s.flush(TRAPS | GLOBAL);
  s.temporaries.save();
  for (let h = first; h < s.height; h++) s.show(h);
  for (const text of toSlots(s, n)) s.line(text);
  s.stack.length = first;
  const pc = s.positions.at(s.offset);
  s.line(`${s.mark()}carryOut(${pc}, fp);`);
  if (result === undefined) return;
  const home = s.ownOf(result, first);
  // lowering may have let it write the local that the result goes to
  const from = s.code.words[pc] >>> 12;
  const text = s.fromSlot(home, from);
  if (text !== '') s.line(text);
  s.push(home);
}

/** Where `condition` holds, the interpreter carries out the instruction on the topmost operands, which is to trap. Leaves the operands. */
export function trapIf(s: JsBody, condition: string, n: number): void {
  for (let h = s.height - n; h < s.height; h++) s.show(h);
  s.flush(TRAPS, s.height - n);
  s.line(`if (${condition}) { ${toSlots(s, n).join(' ')} ${s.mark()}carryOut(${s.positions.at(s.offset)}, fp); }`);
}

/** Has the frame leave, for the interpreter to carry out the instruction, which takes `n` operands, and to go on behind it. */
export function deferred(s: JsBody, n: number, results: readonly ValType[]): void {
  s.temporaries.save();
  s.settleFrom(0);
  s.line(`defer(); ${s.exit(s.positions.first(s.offset), s.height)}`);
  s.stack.length -= n;
  for (const type of results) s.push(s.ownOf(type, s.height));
}
