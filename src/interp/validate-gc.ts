/**
 * The rules of the instructions on structs, arrays, i31 and casts (specification chapters 3.4.7 to 3.4.10), over the stacks of
 * validate-stack.ts.
 */
import type { FieldType, RefType, ValType } from './module.js';
import type { InstrReader } from './instr.js';
import {
  ANYREF, ARRAYREF, EQREF, EXTERNREF, I16, I31REF, I32, I8, NON_NULL, isNullable, isRef, nonNull, nullable, refTo, typeName,
} from './types.js';
import type { TypeStack } from './validate-stack.js';

/** Judges the instruction that `r` has read, one with the prefix 0xfb. @throws InvalidError */
export function gcInstruction(v: TypeStack, r: InstrReader): void {
  const { op, a, b } = r;
  switch (op) {
    case 0xfb00: { // struct.new
      const { fields } = v.def(a, 'struct');
      for (let i = fields.length - 1; i >= 0 && !v.bottomless(); i--) v.pop(unpacked(fields[i]));
      return v.push(refTo(a, false));
    }
    case 0xfb01: // struct.new_default
      structDefaultable(v, a);
      return v.push(refTo(a, false));
    case 0xfb02: case 0xfb03: case 0xfb04: { // struct.get, _s, _u
      const field = structField(v, a, b);
      packing(v, field, op !== 0xfb02);
      v.pop(refTo(a, true));
      return v.push(unpacked(field));
    }
    case 0xfb05: { // struct.set
      const field = structField(v, a, b);
      if (!field.mutable) throw v.fail('immutable field', `field ${b} of type ${a}`);
      v.pop(unpacked(field));
      return v.pop(refTo(a, true));
    }
    case 0xfb06: { // array.new
      const element = arrayElement(v, a);
      v.pop(I32);
      v.pop(unpacked(element));
      return v.push(refTo(a, false));
    }
    case 0xfb07: // array.new_default
      defaultable(v, arrayElement(v, a));
      v.pop(I32);
      return v.push(refTo(a, false));
    case 0xfb08: { // array.new_fixed
      const type = unpacked(arrayElement(v, a));
      v.popMany(type, b);
      return v.push(refTo(a, false));
    }
    case 0xfb09: // array.new_data
      numeric(v, arrayElement(v, a));
      v.dataSegment(b);
      v.pop(I32);
      v.pop(I32);
      return v.push(refTo(a, false));
    case 0xfb0a: // array.new_elem
      v.expect(v.elemSegment(b), arrayElement(v, a).type, 'the segment holds');
      v.pop(I32);
      v.pop(I32);
      return v.push(refTo(a, false));
    case 0xfb0b: case 0xfb0c: case 0xfb0d: { // array.get, _s, _u
      const element = arrayElement(v, a);
      packing(v, element, op !== 0xfb0b);
      v.pop(I32);
      v.pop(refTo(a, true));
      return v.push(unpacked(element));
    }
    case 0xfb0e: // array.set
      v.pop(unpacked(mutableElement(v, a)));
      v.pop(I32);
      return v.pop(refTo(a, true));
    case 0xfb0f: // array.len
      v.pop(ARRAYREF);
      return v.push(I32);
    case 0xfb10: { // array.fill
      const element = mutableElement(v, a);
      v.pop(I32);
      v.pop(unpacked(element));
      v.pop(I32);
      return v.pop(refTo(a, true));
    }
    case 0xfb11: { // array.copy
      const to = mutableElement(v, a), from = arrayElement(v, b);
      if (!v.types.storageMatches(from.type, to.type)) throw v.fail('array types do not match', `${typeName(from.type)} into ${typeName(to.type)}`);
      v.pop(I32);
      v.pop(I32);
      v.pop(refTo(b, true));
      v.pop(I32);
      return v.pop(refTo(a, true));
    }
    case 0xfb12: case 0xfb13: { // array.init_data, array.init_elem
      const element = mutableElement(v, a);
      if (op === 0xfb12) {
        numeric(v, element);
        v.dataSegment(b);
      } else {
        v.expect(v.elemSegment(b), element.type, 'the segment holds');
      }
      v.pop(I32);
      v.pop(I32);
      v.pop(I32);
      return v.pop(refTo(a, true));
    }
    case 0xfb14: case 0xfb15: // ref.test
      v.pop(v.types.top(v.known(a)));
      return v.push(I32);
    case 0xfb16: case 0xfb17: // ref.cast
      v.pop(v.types.top(v.known(a)));
      return v.push(op === 0xfb17 ? a : nonNull(a));
    case 0xfb18: case 0xfb19: return branchOnCast(v, op === 0xfb19, a, v.known(b), v.known(r.c));
    case 0xfb1a: { // any.convert_extern
      const from = v.popRef();
      v.expect(from, EXTERNREF, 'the operand is');
      return v.push(ANYREF + (isNullable(from) ? 0 : NON_NULL));
    }
    case 0xfb1b: { // extern.convert_any
      const from = v.popRef();
      v.expect(from, ANYREF, 'the operand is');
      return v.push(EXTERNREF + (isNullable(from) ? 0 : NON_NULL));
    }
    case 0xfb1c: // ref.i31
      v.pop(I32);
      return v.push(nonNull(I31REF));
    case 0xfb1d: case 0xfb1e: // i31.get_s, i31.get_u
      v.pop(I31REF);
      return v.push(I32);
    default: throw new Error(`bug: no rule for opcode 0x${op.toString(16)}`);
  }
}

/** ref.eq, whose opcode has no prefix. */
export function refEq(v: TypeStack): void {
  v.pop(EQREF);
  v.pop(EQREF);
  v.push(I32);
}

function branchOnCast(v: TypeStack, onFailure: boolean, label: number, from: RefType, to: RefType): void {
  const types = v.label(label);
  v.expect(to, from, 'the type tested for is');
  // what is left of `from` when the cast to `to` has failed
  const rest = isNullable(to) ? nonNull(from) : from;
  const [taken, kept] = onFailure ? [rest, to] : [to, rest];
  const last = types.at(-1);
  if (last === undefined) throw v.fail('type mismatch', `label ${label} takes no value, expected a reference`);
  v.expect(taken, last, 'the branch brings');
  v.pop(from);
  const before = types.slice(0, -1);
  v.popAll(before);
  v.pushAll(before);
  v.push(kept);
}

function structField(v: TypeStack, type: number, index: number): FieldType {
  const { fields } = v.def(type, 'struct');
  const field = fields[index];
  if (!field) throw v.fail(`unknown field ${index}`, `type ${type} has ${fields.length}`);
  return field;
}

function arrayElement(v: TypeStack, type: number): FieldType {
  return v.def(type, 'array').fields[0];
}

function mutableElement(v: TypeStack, type: number): FieldType {
  const element = arrayElement(v, type);
  if (!element.mutable) throw v.fail('immutable array', `type ${type}`);
  return element;
}

function unpacked({ type }: FieldType): ValType {
  return type === I8 || type === I16 ? I32 : type;
}

function packing(v: TypeStack, { type }: FieldType, wanted: boolean): void {
  if ((type === I8 || type === I16) !== wanted) throw v.fail('type mismatch', `the field is ${wanted ? 'not packed' : 'packed'}: ${typeName(type)}`);
}

/** Checked once a type, because it takes time with each field. */
function structDefaultable(v: TypeStack, type: number): void {
  const { fields } = v.def(type, 'struct');
  if (v.defaultable.has(type)) return;
  for (const field of fields) defaultable(v, field);
  v.defaultable.add(type);
}

function defaultable(v: TypeStack, { type }: FieldType): void {
  if (isRef(type) && nullable(type) !== type) throw v.fail('type mismatch', `${typeName(type)} has no default value`);
}

function numeric(v: TypeStack, { type }: FieldType): void {
  if (isRef(type)) throw v.fail('array type is not numeric or vector', typeName(type));
}
