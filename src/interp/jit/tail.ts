/**
 * Tail calls in the source of a function: calls of JavaScript whose frame is no longer there when frames leave the stack. So a long
 * chain of them takes room on that stack until it is used up, leaves as one frame, and begins anew. The interpreter makes the
 * unusual ones: to other instances, to the host, and out of a `try`, whose handlers they are to leave behind.
 */
import { I32, type FuncType } from '../types.js';
import { deferred } from './cold.js';
import type { JsControl } from './control.js';
import { inTry } from './exceptions.js';
import { TRAPS, isFixed } from './operands.js';

export function tailCall(s: JsControl, index: number): void {
  const { module } = s.code;
  const type = module.types[module.funcs[index]];
  if (index < module.imported.func || inTry(s)) return deferred(s, type.params.length, []);
  s.callees.add(index);
  leaveTo(s, type, `c${index}.f`);
}

export function tailIndirect(s: JsControl, typeIndex: number, table: number): void {
  const { module } = s.code;
  const type = module.types[typeIndex];
  if (module.tables[table].type.is64 || inTry(s)) return deferred(s, type.params.length + 1, []);
  s.tables.add(table);
  through(s, type, (element) => `e${table}[${element} >>> 0]`, `e === undefined || e === null || e.typeId !== ${s.code.typeIds[typeIndex]}`);
}

export function tailRef(s: JsControl, typeIndex: number): void {
  const type = s.code.module.types[typeIndex];
  if (inTry(s)) return deferred(s, type.params.length + 1, []);
  through(s, type, (ref) => ref, 'e === null');
}

function through(s: JsControl, type: FuncType, funcOf: (text: string) => string, odd: string): void {
  s.temporaries.save();
  for (let h = 0; h < s.height; h++) if (!isFixed(s.stack[h])) s.settle(h);
  const unusual = s.exit(s.positions.first(s.offset), s.height);
  s.line(`{ const e = ${funcOf(s.stack[s.height - 1].text)}; if (${odd} || e.instance !== INST) { defer(); ${unusual} }`);
  s.pop();
  leaveTo(s, type, 'e.cell.f');
  s.line('}');
}

/** Arguments go to the frame's first slots, upwards, so that none is overwritten. */
function leaveTo(s: JsControl, { params }: FuncType, callee: string): void {
  const first = s.height - params.length;
  s.flush(TRAPS, first);
  params.forEach((type, i) => {
    const operand = s.stack[first + i];
    if (!isFixed(operand) || type !== I32 && operand.local >= 0) s.settle(first + i);
    s.show(first + i);
  });
  let args = '';
  params.forEach((type, i) => {
    const operand = s.stack[first + i];
    if (type === I32) args += `, ${operand.text}`;
    else s.line(s.toSlot(operand, i));
  });
  s.line(`${s.mark()}return ${callee}(fp, d - COST${args});`);
}
