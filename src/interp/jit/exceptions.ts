/**
 * Exceptions in the source of a function: `try` of JavaScript, whose `catch` tells what is a guest's exception, compares tags,
 * and goes to a label. Traps, and what JavaScript itself throws, pass through. A frame that has left goes on in the interpreter,
 * which finds the same handlers by position (handlers.ts). WebAssembly specification, chapter 4.4.8, and the first encoding.
 *
 *   x3   what label 3 has caught; an operand of the frame, below what came with it
 *   g    number of the label that a `delegate` has handed an exception to, whose way there leads through other handlers; else 0
 */
import type { InstrReader } from '../instr.js';
import { EXNREF, nonNull, type ValType } from '../types.js';
import type { JsControl, Label } from './control.js';
import { trapIf } from './cold.js';
import { TRAPS } from './operands.js';

/** Of a `g` that no handler of the function has. */
const OUTSIDE = -1;

function carried(s: JsControl, tag: number): readonly ValType[] {
  const { module } = s.code;
  return tag < 0 ? [] : module.types[module.tags[tag]].params;
}

/** Whether what stands here is in a `try` of JavaScript. */
export function inTry(s: JsControl): boolean {
  return s.labels.some(({ kind, inCatch }) => kind === 'try_table' || kind === 'try' && !inCatch);
}

/** Without the stack of JavaScript where the function itself may catch it: that takes the most time. */
export function throwTag(s: JsControl, tag: number): void {
  const n = carried(s, tag).length;
  const first = s.height - n;
  s.flush(TRAPS);
  s.temporaries.save();
  for (let h = first; h < s.height; h++) {
    s.show(h);
    const text = s.toSlot(s.stack[h], s.slot(h));
    if (text !== '') s.line(text);
  }
  const made = `exception(${tag}, fp + ${s.slot(first)})`;
  s.line(`${s.mark()}${inTry(s) ? `throw ${made}` : `raise(${made})`};`);
}

export function throwRef(s: JsControl): void {
  s.atom(s.height - 1);
  trapIf(s, `${s.stack[s.height - 1].text} === null`, 1);
  const ref = s.pop();
  s.flush(TRAPS);
  s.temporaries.save();
  s.line(`${s.mark()}raise(${ref.text});`);
}

export function rethrow(s: JsControl, depth: number): void {
  s.flush(TRAPS);
  s.temporaries.save();
  s.line(`${s.mark()}raise(${s.stack[s.label(depth).height].text});`);
}

export function tryTable(s: JsControl, { a: typeIndex, b: valType, c: count, catches }: InstrReader): void {
  const clauses = Array.from({ length: count }, (_, i) => [...catches.subarray(3 * i, 3 * i + 3)] as [number, number, number]);
  s.open('try_table', typeIndex, valType, clauses);
}

/** Opens the label's text: `try` where something is caught in it. */
export function opening({ kind, name, inCatch }: Label): string {
  return `${name}: {${(kind === 'try' || kind === 'try_table') && !inCatch ? ' try {' : ''}`;
}

/** What every handler begins with: what is not a guest's exception, or is on its way to another handler, passes through. */
function caught(s: JsControl, { id }: Label): string {
  s.variable('g');
  return `} catch (e) { if (g !== 0 && g !== ${id}) throw e; g = 0; const x = caught(e); if (x === undefined) throw e;`;
}

/** Puts what came with an exception into homes. */
function take(s: JsControl, height: number, tag: number): void {
  const types = carried(s, tag);
  if (types.length === 0) return;
  s.line(`unpack(x, fp + ${s.slot(height)});`);
  types.forEach((type, i) => {
    const text = s.fromSlot(s.ownOf(type, height + i), s.slot(height + i));
    if (text !== '') s.line(text);
  });
}

/** The end of the body of a `try_table`, whose label is no longer on the stack. */
export function closeTryTable(s: JsControl, label: Label): void {
  s.line(caught(s, label));
  s.temporaries.forget();
  const operands = s.stack.splice(label.height);
  for (const [kind, tag, depth] of label.clauses) {
    const withRef = kind % 2 === 1;
    s.line(tag < 0 ? '{' : `if (x.tag === TAGS[${tag}]) {`);
    take(s, label.height, tag);
    for (const type of carried(s, tag)) s.push(s.ownOf(type, s.height));
    if (withRef) {
      const home = s.ownOf(nonNull(EXNREF), s.height);
      s.line(`${home.text} = x;`);
      s.push(home);
    }
    s.branch(s.label(depth));
    s.stack.length = label.height;
    s.temporaries.forget();
    s.line('}');
  }
  s.line('throw e; }');
  s.stack.push(...operands);
}

/** `catch` and `catch_all` of the first encoding. @param tag or -1 for any. @param dead whether the part before cannot be left by falling through */
export function legacyCatch(s: JsControl, tag: number, dead: boolean): void {
  const label = s.label(0);
  if (!dead) s.branch(label);
  const first = !label.inCatch;
  label.inCatch = true;
  if (label.silent || label.around && !s.muted && label.entered) {
    // entered in another part of it
    s.muted = true;
    label.silent = true;
  } else {
    if (first) s.line(caught(s, label));
    s.line(`${first ? '' : '} else '}${tag < 0 ? '{' : `if (x.tag === TAGS[${tag}]) {`}`);
  }
  s.stack.length = label.height;
  s.temporaries.forget();
  const home = s.ownOf(EXNREF, label.height);
  s.line(`${home.text} = x;`);
  s.push(home);
  take(s, s.height, tag);
  for (const type of carried(s, tag)) s.push(s.ownOf(type, s.height));
  label.all ||= tag < 0;
}

/** The end of a `try`, whose label is no longer on the stack; text that only its handlers have. */
export function closeTry(s: JsControl, label: Label): void {
  if (label.silent || label.entered || label.delegated) return;
  if (!label.inCatch) {
    // what was handed to it is on its way to any handler from here on
    s.variable('g');
    s.line(`} catch (e) { if (g === ${label.id}) g = 0; throw e; }`);
  } else {
    s.line(label.all ? '} }' : '} else throw e; }');
  }
}

export function delegate(s: JsControl, depth: number, dead: boolean): void {
  const label = s.label(0);
  // the innermost handler of what stands in the label
  let i = s.labels.length - 2 - depth;
  while (i >= 0 && !(s.labels[i].kind === 'try' && !s.labels[i].inCatch || s.labels[i].kind === 'try_table')) i--;
  if (!dead) s.branch(label);
  s.variable('g');
  s.line(`} catch (e) { if (g === 0) g = ${i < 0 ? OUTSIDE : s.labels[i].id}; throw e; }`);
  label.inCatch = label.delegated = true;
}
