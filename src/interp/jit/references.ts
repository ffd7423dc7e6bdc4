/**
 * References, structs, arrays and casts in the source of a function. What programs do in their loops is done in place, on the
 * objects of gc.ts; the rest, and every trap, is the interpreter's (cold.ts of memory.ts), which says what is wrong.
 * WebAssembly specification, chapters 4.4.4 (References) and 4.4.5 (Aggregates).
 */
import { unpacked } from '../gc.js';
import type { InstrReader } from '../instr.js';
import { ANYREF, CONCRETE, EXTERNREF, F32, F64, I16, I31REF, I32, I64, I8, V128, isNullable, isRef, nonNull, refTo, typeIndexOf, type RefType, type ValType } from '../types.js';
import { addFlags, cold, trapIf } from './cold.js';
import type { JsControl } from './control.js';
import { NO_LOCALS, TRAPS, combine, type Operand } from './operands.js';

const NULL: Operand = { type: ANYREF, text: 'null', bits: undefined, condition: undefined, flags: 0, locals: NO_LOCALS, own: false, local: -1, exact: true, constant: 0, depth: 0 };

/** Carries out an instruction on references. @returns false where it is none of these */
export function reference(s: JsControl, { op, a, b, c }: InstrReader): boolean {
  const { module } = s.code;
  switch (op) {
    case 0x25: return tableGet(s, a), true;
    case 0x26: return tableSet(s, a), true;
    case 0xd0: s.push({ ...NULL, type: a }); return true;
    case 0xd1: return test(s, (ref) => `${ref} === null`), true;
    case 0xd2: s.push(combine(refTo(module.funcs[a], false), `F[${a}]`, [], { depth: 0 })); return true;
    case 0xd3: {
      const y = s.pop(), x = s.pop();
      pushTest(s, `(${x.text} === ${y.text})`, [x, y]);
      return true;
    }
    case 0xd4: {
      const h = s.height - 1;
      s.atom(h);
      trapIf(s, `${s.stack[h].text} === null`, 1);
      s.stack[h] = { ...s.stack[h], type: nonNull(s.stack[h].type) };
      return true;
    }
    case 0xd5: return branchOn(s, a, (ref) => `${ref} === null`, true, false), true;
    case 0xd6: return branchOn(s, a, (ref) => `${ref} !== null`, false, true), true;
  }
  if (op < 0xfb00 || op > 0xfbff) return false;
  const field = op >= 0xfb02 && op <= 0xfb05 ? module.defs[a].fields[b].type : op >= 0xfb06 && op <= 0xfb0e ? module.defs[a].fields[0].type : I32;
  const made = (n: number) => cold(s, n, refTo(a, false));
  switch (op) {
    case 0xfb00: return structNew(s, a), true;
    case 0xfb01: return made(0), true;
    case 0xfb02: case 0xfb03: case 0xfb04: return structGet(s, b, field, op === 0xfb04), true;
    case 0xfb05: return structSet(s, b, field), true;
    case 0xfb06: return made(2), true;
    case 0xfb07: return made(1), true;
    case 0xfb08: return made(b), true;
    case 0xfb09: case 0xfb0a: return made(2), true;
    case 0xfb0b: case 0xfb0c: case 0xfb0d: return arrayGet(s, field, op === 0xfb0d), true;
    case 0xfb0e: return arraySet(s, field), true;
    case 0xfb0f: {
      const h = s.height - 1;
      s.atom(h);
      trapIf(s, `${s.stack[h].text} === null`, 1);
      s.push(combine(I32, `${s.stack[h].text}.elems.length`, [s.pop()]));
      return true;
    }
    case 0xfb10: return cold(s, 4), true;
    case 0xfb11: return cold(s, 5), true;
    case 0xfb12: case 0xfb13: return cold(s, 4), true;
    case 0xfb14: return test(s, castTest(s, nonNull(a))), true;
    case 0xfb15: return test(s, castTest(s, a)), true;
    case 0xfb16: case 0xfb17: {
      const h = s.height - 1;
      const type = op === 0xfb17 ? a : nonNull(a);
      s.atom(h);
      trapIf(s, `!(${castTest(s, type)(s.stack[h].text)})`, 1);
      s.stack[h] = { ...s.stack[h], type };
      return true;
    }
    case 0xfb18: return branchOn(s, a, castTest(s, c), true, true), true;
    case 0xfb19: {
      const is = castTest(s, c);
      return branchOn(s, a, (ref) => `!(${is(ref)})`, true, true), true;
    }
    case 0xfb1a: return retyped(s, ANYREF), true;
    case 0xfb1b: return retyped(s, EXTERNREF), true;
    case 0xfb1c: {
      const value = s.pop();
      s.push(combine(nonNull(I31REF), `(${value.text} << 1 >> 1)`, [value], { flags: value.flags }));
      return true;
    }
    case 0xfb1d: case 0xfb1e: {
      const h = s.height - 1;
      s.atom(h);
      trapIf(s, `${s.stack[h].text} === null`, 1);
      const ref = s.pop();
      s.push(combine(I32, op === 0xfb1d ? `(${ref.text} | 0)` : `(${ref.text} & 2147483647)`, [ref]));
      return true;
    }
  }
  return false;
}

// ---- tables

function tableGet(s: JsControl, table: number): void {
  const { elem, is64 } = s.code.module.tables[table].type;
  if (is64) return cold(s, 1, elem);
  s.tables.add(table);
  const h = s.height - 1;
  s.atom(h);
  const at = `e${table}[${s.stack[h].text} >>> 0]`;
  trapIf(s, `${at} === undefined`, 1);
  s.push(addFlags(combine(elem, at, [s.pop()]), TRAPS));
}

function tableSet(s: JsControl, table: number): void {
  if (s.code.module.tables[table].type.is64) return cold(s, 2);
  s.tables.add(table);
  const h = s.height - 2;
  s.atom(h);
  s.atom(h + 1);
  s.flush(TRAPS);
  const at = `e${table}[${s.stack[h].text} >>> 0]`;
  trapIf(s, `${at} === undefined`, 2);
  s.line(`${at} = ${s.stack[h + 1].text};`);
  s.stack.length = h;
}

// ---- tests and branches

function pushTest(s: JsControl, text: string, of: readonly Operand[]): void {
  s.push(combine(I32, `(${text} ? 1 : 0)`, of, { condition: text }));
}

function test(s: JsControl, is: (ref: string) => string): void {
  s.atom(s.height - 1);
  const ref = s.pop();
  pushTest(s, `(${is(ref.text)})`, [ref]);
}

/** Whether a reference is of a type. */
function castTest(s: JsControl, type: RefType): (ref: string) => string {
  const index = typeIndexOf(type);
  const none = isNullable(type) ? (ref: string, text: string) => `(${ref} === null || ${text})` : (_: string, text: string) => text;
  if (index < 0) return (ref) => none(ref, `${ref} !== null && isOf(${ref}, ${type & 0xff}, -1)`);
  s.types.add(index);
  const { final } = s.code.module.defs[index];
  if (final) return (ref) => none(ref, `${ref} !== null && ${ref}.rtt === y${index}`);
  return (ref) => none(ref, `${ref} !== null && (${ref}.rtt === y${index} || isOf(${ref}, ${CONCRETE}, ${s.code.typeIds[index]}))`);
}

/** @param taken whether the label gets the reference. @param stays whether it is on the stack where it does not branch */
function branchOn(s: JsControl, depth: number, is: (ref: string) => string, stays: boolean, taken: boolean): void {
  const h = s.height - 1;
  s.settle(h);
  const label = s.label(depth);
  const ref = s.stack[h];
  if (!taken) s.pop();
  s.branchWhere(label, is(ref.text));
  if (!taken && stays) s.push(ref);
  else if (taken && !stays) s.pop();
}

function retyped(s: JsControl, type: RefType): void {
  const h = s.height - 1;
  s.stack[h] = { ...s.stack[h], type: isNullable(s.stack[h].type) ? type : nonNull(type) };
}

// ---- structs and arrays

/** Operand `h` as a field or an element keeps it, or undefined where it is a vector. */
function raw(s: JsControl, h: number, storage: ValType): string | undefined {
  const { type } = s.stack[h];
  if (type === V128) return undefined;
  if (type === I64 || type === F64) {
    s.settle(h);
    const text = s.toSlot(s.stack[h], s.slot(h));
    if (text !== '') s.line(text);
    return `I64[fp + ${s.slot(h)}]`;
  }
  const { text, bits } = s.stack[h];
  if (type === F32) return bits ?? `bits32(${text})`;
  return storage === I8 ? `(${text} << 24 >> 24)` : storage === I16 ? `(${text} << 16 >> 16)` : text;
}

/** Pushes what a field or an element has. `text` may be evaluated once. */
function pushRaw(s: JsControl, text: string, storage: ValType, unsigned: boolean, of: readonly Operand[]): void {
  const type = unpacked(storage);
  const h = s.height;
  if (isRef(type)) s.push(addFlags(combine(type, text, of), TRAPS));
  else if (type === I32) s.push(addFlags(combine(I32, unsigned ? `(${text} & ${storage === I8 ? 255 : 65535})` : text, of), TRAPS));
  else if (type === F32) {
    s.line(`I32[fp + ${s.slot(h)}] = ${text};`);
    takeSlot(s, F32, h);
  } else {
    s.line(`I64[fp + ${s.slot(h)}] = ${text};`);
    takeSlot(s, type, h);
  }
}

/** Pushes what is in the slot of the next operand. */
function takeSlot(s: JsControl, type: ValType, h: number): void {
  const home = s.ownOf(type, h);
  const text = s.fromSlot(home, s.slot(h));
  if (text !== '') s.line(text);
  s.push(home);
}

function structNew(s: JsControl, index: number): void {
  const { fields } = s.code.module.defs[index];
  const first = s.height - fields.length;
  if (fields.some(({ type }) => type === V128)) return cold(s, fields.length, refTo(index, false));
  s.flush(TRAPS);
  const values = fields.map(({ type }, i) => raw(s, first + i, type)!);
  s.types.add(index);
  s.stack.length = first;
  const home = s.ownOf(refTo(index, false), first);
  s.line(`${home.text} = newStruct(y${index}, [${values.join(', ')}]);`);
  s.push(home);
}

function structGet(s: JsControl, field: number, storage: ValType, unsigned: boolean): void {
  const h = s.height - 1;
  if (storage === V128) return cold(s, 1, V128);
  s.atom(h);
  if (isNullable(s.stack[h].type)) trapIf(s, `${s.stack[h].text} === null`, 1);
  const ref = s.pop();
  pushRaw(s, `${ref.text}.fields[${field}]`, storage, unsigned, [ref]);
}

function structSet(s: JsControl, field: number, storage: ValType): void {
  const h = s.height - 2;
  if (storage === V128) return cold(s, 2);
  s.atom(h);
  s.flush(TRAPS);
  if (isNullable(s.stack[h].type)) trapIf(s, `${s.stack[h].text} === null`, 2);
  const value = raw(s, h + 1, storage)!;
  s.line(`${s.stack[h].text}.fields[${field}] = ${value};`);
  s.stack.length = h;
}

function elementTest(s: JsControl, h: number): string {
  const ref = s.stack[h].text;
  return `${isNullable(s.stack[h].type) ? `${ref} === null || ` : ''}${s.stack[h + 1].text} >>> 0 >= ${ref}.elems.length`;
}

function arrayGet(s: JsControl, storage: ValType, unsigned: boolean): void {
  const h = s.height - 2;
  if (storage === V128) return cold(s, 2, V128);
  s.atom(h);
  s.atom(h + 1);
  trapIf(s, elementTest(s, h), 2);
  const at = s.pop(), ref = s.pop();
  pushRaw(s, `${ref.text}.elems[${at.text} >>> 0]`, storage, unsigned, [ref, at]);
}

function arraySet(s: JsControl, storage: ValType): void {
  const h = s.height - 3;
  if (storage === V128) return cold(s, 3);
  s.atom(h);
  s.atom(h + 1);
  s.flush(TRAPS);
  trapIf(s, elementTest(s, h), 3);
  const value = raw(s, h + 2, storage)!;
  s.line(`${s.stack[h].text}.elems[${s.stack[h + 1].text} >>> 0] = ${value};`);
  s.stack.length = h;
}
