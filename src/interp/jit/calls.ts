/** Calls in the source of a function: arguments and results by the frame layout of emit.ts, and the way out behind each call. */
import { I32, type FuncType } from '../types.js';
import type { JsBody } from './body.js';
import { numberOf } from './memory.js';
import { TRAPS, isFixed } from './operands.js';

/** Everything below the arguments has a home, or is what it is whatever the callee does. */
function settleBelow(s: JsBody, height: number): void {
  s.temporaries.save();
  for (let h = 0; h < height; h++) if (!isFixed(s.stack[h]) || s.stack[h].temporary !== undefined) s.settle(h);
}

/** Puts the arguments that do not go as arguments of JavaScript into the callee's frame. @returns those that do */
function putArguments(s: JsBody, first: number, inFrame: boolean): string {
  const list: string[] = [];
  for (let h = first; h < s.height; h++) {
    const operand = s.stack[h];
    if (operand.type === I32 && !inFrame) continue;
    if (operand.flags & TRAPS) s.flush(TRAPS, h);
    s.show(h);
    const text = s.toSlot(operand, s.slot(h));
    if (text !== '') s.line(text);
  }
  for (let h = first; h < s.height; h++) if (s.stack[h].type === I32 && !inFrame) list.push(`, ${s.stack[h].text}`);
  return list.join('');
}

function takeResults(s: JsBody, type: FuncType, first: number, inFrame: boolean): void {
  s.temporaries.forget();
  const { results } = type;
  results.forEach((result, i) => {
    const home = s.ownOf(result, first + i);
    const text = s.fromSlot(home, s.slot(first + i));
    if (text !== '' && (result !== I32 || inFrame || results.length > 1)) s.line(text);
    s.push(home);
  });
}

/** What has left gives undefined, and its caller leaves too. */
function callCompiled(s: JsBody, callee: string, { results }: FuncType, first: number, after: number): void {
  const leave = s.exit(after, first);
  if (results.length === 1 && results[0] === I32) s.line(`{ const r = ${callee}; if (r === undefined) { ${leave} } ${s.ownOf(I32, first).text} = r | 0; }`);
  else s.line(`if (${callee} === undefined) { ${leave} }`);
}

export function call(s: JsBody, index: number): void {
  const { module } = s.code;
  const type = module.types[module.funcs[index]];
  const first = s.height - type.params.length;
  const imported = index < module.imported.func;
  settleBelow(s, first);
  const args = putArguments(s, first, imported);
  (imported ? s.imports : s.callees).add(index);
  s.stack.length = first;
  const base = `fp + ${s.slot(first)}`;
  const after = s.positions.after(s.offset);
  if (imported) {
    s.line(`${s.mark()}h${index}(${base}, d - COST);`);
    s.line(`if (U[0] < 0) { ${s.exit(after, first)} }`);
  } else {
    const callee = index === s.index && s.loop === undefined ? `w${index}` : `c${index}.f`;
    callCompiled(s, `${s.mark()}${callee}(${base}, d - COST${args})`, type, first, after);
  }
  takeResults(s, type, first, imported);
}

export function callIndirect(s: JsBody, typeIndex: number, table: number): void {
  s.tables.add(table);
  throughFunc(s, typeIndex, () => `e${table}[${numberOf(s, s.height - 1, s.code.module.tables[table].type.is64)} >>> 0]`, `e === undefined || e === null || e.typeId !== ${s.code.typeIds[typeIndex]}`);
}

export function callRef(s: JsBody, typeIndex: number): void {
  throughFunc(s, typeIndex, () => s.stack[s.height - 1].text, 'e === null');
}

/** Calls the function that is the topmost operand, or that it leads to; the interpreter does where `odd` holds, or it is another instance's. */
function throughFunc(s: JsBody, typeIndex: number, funcOf: () => string, odd: string): void {
  const type = s.code.module.types[typeIndex];
  const top = s.height - 1;
  const first = top - type.params.length;
  settleBelow(s, s.height);
  const before = s.positions.first(s.offset), after = s.positions.after(s.offset);
  const unusual = s.exit(before, s.height);
  const func = funcOf();
  s.pop();
  const args = putArguments(s, first, false);
  s.stack.length = first;
  const base = `fp + ${s.slot(first)}`;
  s.line(`{ const e = ${func}; if (${odd} || e.instance !== INST) { defer(); ${unusual} }`);
  callCompiled(s, `${s.mark()}e.cell.f(${base}, d - COST${args})`, type, first, after);
  s.line('}');
  takeResults(s, type, first, false);
}
