/** Lowers the instructions on structs, arrays, i31 and casts, to those of cold-gc.ts. Conversions between any and extern cost nothing. */
import { coreOp } from './core-ops.js';
import { unpacked } from './gc.js';
import type { InstrReader } from './instr.js';
import type { ControlStack } from './lower-control.js';
import { OWN } from './lower-stack.js';
import { C } from './lower-table.js';
import { mnemonicOf } from './opcodes.js';
import { ANYREF, CONCRETE, EXTERNREF, I16, I31REF, I32, I8, NON_NULL, nonNull, refTo, typeIndexOf, type RefType, type ValType } from './types.js';

const G = {
  structNew: coreOp('struct.new'), structNewDefault: coreOp('struct.new_default'), structGet: coreOp('struct.get'), structGetU: coreOp('struct.get_u'), structSet: coreOp('struct.set'),
  arrayNew: coreOp('array.new'), arrayNewDefault: coreOp('array.new_default'), arrayNewFixed: coreOp('array.new_fixed'), arrayNewData: coreOp('array.new_data'),
  arrayNewElem: coreOp('array.new_elem'), arrayGet: coreOp('array.get'), arrayGetU: coreOp('array.get_u'), arraySet: coreOp('array.set'), arrayLen: coreOp('array.len'),
  arrayFill: coreOp('array.fill'), arrayCopy: coreOp('array.copy'), arrayInitData: coreOp('array.init_data'), arrayInitElem: coreOp('array.init_elem'),
  refTest: coreOp('ref.test'), refCast: coreOp('ref.cast'), refEq: coreOp('ref.eq'), refI31: coreOp('ref.i31'), i31Get: coreOp('i31.get'),
} as const;

/** An instruction with the prefix 0xfb. */
export function lowerGc(stack: ControlStack, { op, a, b, c }: InstrReader): void {
  const { module } = stack.code;
  /** `n` operands in consecutive slots, and a result in the first */
  const inPlace = (n: number, core: number, type: ValType, w1?: number, w2?: number): void => {
    stack.operands(n, core, w1, w2);
    stack.push(type, OWN, 0, 0);
  };
  const made = (n: number, core: number, w2?: number) => inPlace(n, core, refTo(a, false), a, w2);
  const element = () => module.defs[a].fields[0].type;
  switch (op) {
    case 0xfb00: return made(module.defs[a].fields.length, G.structNew);
    case 0xfb01: return made(0, G.structNewDefault);
    case 0xfb02: case 0xfb03: case 0xfb04: {
      const { type } = module.defs[a].fields[b];
      if (op === 0xfb04) return stack.produce(G.structGetU, I32, stack.popSlot(), b, mask(type));
      return stack.produce(G.structGet, unpacked(type), stack.popSlot(), b, kind(unpacked(type)));
    }
    case 0xfb05: return stack.operands(2, G.structSet, b, kind(module.defs[a].fields[b].type));
    case 0xfb06: return made(2, G.arrayNew);
    case 0xfb07: return made(1, G.arrayNewDefault);
    case 0xfb08: return made(b, G.arrayNewFixed, b);
    case 0xfb09: return made(2, G.arrayNewData, b);
    case 0xfb0a: return made(2, G.arrayNewElem, b);
    case 0xfb0b: case 0xfb0c: return inPlace(2, G.arrayGet, unpacked(element()), kind(unpacked(element())));
    case 0xfb0d: return inPlace(2, G.arrayGetU, I32, mask(element()));
    case 0xfb0e: return stack.operands(3, G.arraySet, kind(unpacked(element())));
    case 0xfb0f: return inPlace(1, G.arrayLen, I32);
    case 0xfb10: return stack.operands(4, G.arrayFill);
    case 0xfb11: return stack.operands(5, G.arrayCopy);
    case 0xfb12: return stack.operands(4, G.arrayInitData, b);
    case 0xfb13: return stack.operands(4, G.arrayInitElem, b);
    case 0xfb14: case 0xfb15: return stack.produce(G.refTest, I32, stack.popSlot(), ...heap(stack, op === 0xfb15 ? a : nonNull(a)));
    case 0xfb16: case 0xfb17: {
      stack.emit(G.refCast | stack.slotOf(stack.height - 1) << 12, ...heap(stack, op === 0xfb17 ? a : nonNull(a)));
      stack.types[stack.height - 1] = a;
      return;
    }
    case 0xfb18: case 0xfb19: {
      const h = stack.height - 1;
      stack.settle(h);
      const slot = stack.slot(h);
      stack.emit(G.refTest | slot << 12, slot, ...heap(stack, c));
      stack.branchOn(stack.label(a), op === 0xfb18 ? { when: C.brIf, unless: C.brUnless, slot, operand: undefined } : { when: C.brUnless, unless: C.brIf, slot, operand: undefined });
      if (op === 0xfb19) stack.types[h] = c;
      return;
    }
    case 0xfb1a: stack.types[stack.height - 1] = ANYREF; return;
    case 0xfb1b: stack.types[stack.height - 1] = EXTERNREF; return;
    case 0xfb1c: return stack.produce(G.refI31, I31REF, stack.popSlot());
    case 0xfb1d: return stack.produce(G.i31Get, I32, stack.popSlot(), -1);
    case 0xfb1e: return stack.produce(G.i31Get, I32, stack.popSlot(), 0x7fffffff);
    default: throw new Error(`bug: ${mnemonicOf(op)} passed validation and has no lowering`);
  }
}

export function lowerRefEq(stack: ControlStack): void {
  const b = stack.popSlot(), a = stack.popSlot();
  stack.produce(G.refEq, I32, a | b << 16);
}

function mask(type: ValType): number {
  return type === I8 ? 0xff : 0xffff;
}

/** The type, but for references only that it is one: a word has no room for all. */
function kind(type: ValType): ValType {
  return type === I16 || type === I8 || type < NON_NULL && (type & 0xff) !== CONCRETE ? type : ANYREF;
}

/** The words for a heap type: its code with the bit for null, and the process-wide type where it is of the module. */
function heap({ code }: ControlStack, type: RefType): [number, number] {
  const index = typeIndexOf(type);
  return [type & (0xff | NON_NULL), index < 0 ? -1 : code.typeIds[index]];
}
