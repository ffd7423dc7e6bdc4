/**
 * One function as JavaScript source: structured control becomes labelled blocks, straight-line code expressions (operands.ts,
 * expressions.ts). Reads the same validated bytes as the interpreter's lowering, and leaves to it, at every call and loop
 * header, a frame in the form that it wants. What it does not know it refuses: the interpreter runs such a function.
 *
 *   function w7(fp, d, l0, l1)     fp: the frame's first slot; d: room on the stack of JavaScript and in the slots; i32 arguments
 *                                  f64, i64 and f32 arguments, and all results but a single i32, are in the frame's first slots
 */
import type { ModuleCode } from '../code.js';
import { InstrReader } from '../instr.js';
import { FEATURES_ALL, ROWS } from '../opcodes.js';
import { F32, F64, I32, I64, V128, isRef, type ValType } from '../types.js';
import { Refused, type Emitted } from './body.js';
import { atomic } from './atomic.js';
import { call, callIndirect, callRef } from './calls.js';
import { cold } from './cold.js';
import { constantOf, floatText, longConstant } from './constants.js';
import { JsControl } from './control.js';
import { delegate, legacyCatch, rethrow, throwRef, throwTag, tryTable } from './exceptions.js';
import { simple } from './expressions.js';
import { access, bulk, getGlobal, setGlobal } from './memory.js';
import { TRAPS, combine, condition } from './operands.js';
import type { Positions } from './positions.js';
import { reference } from './references.js';
import { tailCall, tailIndirect, tailRef } from './tail.js';
import { selectVector, vector } from './vector.js';
import { Wishes, setVectorLocal } from './vector-forms.js';

/** Beyond these V8 does not optimise the function, or its parser runs out of stack. */
const MAX_INSTRUCTIONS = 9_000, MAX_OPERANDS = 400;
/** times that a function with vectors is emitted, until its values have the forms that their uses want (vector-forms.ts) */
const MAX_ROUNDS = 4;

/**
 * @param loop offset of the loop at which the frame is taken over from the interpreter; undefined: the function's beginning
 * @returns undefined where the function is not for this tier
 */
export function emitFunction(code: ModuleCode, index: number, positions: Positions, frameSize: number, loop?: number): Emitted | undefined {
  try {
    let wishes = new Wishes();
    for (let round = 1; ; round++) {
      const emitted = new Emitter(code, index, positions, frameSize, loop, wishes).run();
      if (!wishes.some || wishes.settled || round === MAX_ROUNDS) return emitted;
      wishes = new Wishes(wishes);
    }
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

/** Of sizes and indices. */
function addressType(is64: boolean | undefined): ValType {
  return is64 ? I64 : I32;
}

class Emitter extends JsControl {
  #instructions = 0;

  run(): Emitted {
    const { module } = this.code;
    const body = module.codes[this.index - module.imported.func];
    const instr = new InstrReader(module.bytes, body.start, body.end, FEATURES_ALL);
    this.labels.push(this.newLabel('func', 0, [], this.type.results));
    let skipped = 0;
    let dead = false;
    while (instr.pos < instr.end) {
      instr.next();
      this.offset = instr.offset;
      const { op } = instr;
      if (dead) {
        this.floatsOf.clear();
        if (op >= 0x02 && op <= 0x04 || op === 0x1f || op === 0x06) skipped++;
        else if (skipped > 0) {
          if (op === 0x0b || op === 0x18) skipped--;
        } else if (op === 0x0b) {
          dead = this.end(true);
        } else if (op === 0x05) {
          this.else(true);
          dead = false;
        } else if (op === 0x07 || op === 0x19) {
          legacyCatch(this, op === 0x07 ? instr.a : -1, true);
          dead = false;
        } else if (op === 0x18) {
          delegate(this, instr.a, true);
          dead = this.end(true);
        }
        continue;
      }
      if (++this.#instructions + this.carried > MAX_INSTRUCTIONS || this.height > MAX_OPERANDS) throw new Refused();
      this.temporaries.limit();
      if (op <= 0x0b || op === 0x18 || op === 0x19 || op === 0x1f) this.floatsOf.clear();
      dead = this.#instruction(instr);
    }
    return this.finish();
  }

  // ---- instructions

  /** @returns whether what follows cannot be reached */
  #instruction(instr: InstrReader): boolean {
    const { op, a, b } = instr;
    const [, mnemonic, immediates, signature] = ROWS[instr.row];
    switch (op) {
      case 0x00: this.flush(TRAPS); this.line(`${this.mark()}unreachable();`); return true;
      case 0x01: return false;
      case 0x02: case 0x03: case 0x04: this.block(op, a, b); return false;
      case 0x05: this.else(false); return false;
      case 0x0b: return this.end(false);
      case 0x0c: this.branch(this.label(a)); return true;
      case 0x0d: this.branchIf(this.label(a)); return false;
      case 0x0e: this.branchTable(instr.labels, a); return true;
      case 0x0f: this.return(); return true;
      case 0x06: this.open('try', a, b); return false;
      case 0x07: legacyCatch(this, a, false); return false;
      case 0x08: throwTag(this, a); return true;
      case 0x09: rethrow(this, a); return true;
      case 0x0a: throwRef(this); return true;
      case 0x18: delegate(this, a, false); return this.end(true);
      case 0x19: legacyCatch(this, -1, false); return false;
      case 0x1f: tryTable(this, instr); return false;
      case 0x10: call(this, a); return false;
      case 0x11: callIndirect(this, a, b); return false;
      case 0x12: tailCall(this, a); return true;
      case 0x13: tailIndirect(this, a, b); return true;
      case 0x14: callRef(this, a); return false;
      case 0x15: tailRef(this, a); return true;
      case 0x1a: this.#drop(); return false;
      case 0x1b: this.#select(); return false;
      case 0x1c: this.#select(); return false;
      case 0x20: this.push(this.get(a)); return false;
      case 0x21: this.#setLocal(a); return false;
      case 0x22: this.#setLocal(a); this.push(this.get(a)); return false;
      case 0x23: getGlobal(this, a); return false;
      case 0x24: setGlobal(this, a); return false;
      case 0x3f: cold(this, 0, addressType(this.code.module.memories[a].is64)); return false;
      case 0x40: cold(this, 1, addressType(this.code.module.memories[a].is64)); return false;
      case 0x41: this.push(constantOf(I32, a < 0 ? `(${a})` : String(a), a)); return false;
      case 0x42: this.push(longConstant(BigInt(b) << 32n | BigInt(a >>> 0))); return false;
      case 0x43: this.push({ ...constantOf(F32, floatText(a, 0, true) ?? 'NaN', a), bits: `(${a})` }); return false;
      case 0x44: this.push(constantOf(F64, floatText(a, b, false) ?? `KF[${this.code.constant(a, b)}]`, BigInt(b) << 32n | BigInt(a >>> 0))); return false;
      case 0xfc08: cold(this, 3); return false;
      case 0xfc09: case 0xfc0d: cold(this, 0); return false;
      case 0xfc0a: bulk(this, a === 0 && b === 0 ? 'copied' : undefined, a); return false;
      case 0xfc0b: bulk(this, a === 0 ? 'filled' : undefined, a); return false;
      case 0xfc0c: case 0xfc0e: cold(this, 3); return false;
      case 0xfc0f: cold(this, 2, addressType(this.code.module.tables[a].type.is64)); return false;
      case 0xfc10: cold(this, 0, addressType(this.code.module.tables[a].type.is64)); return false;
      case 0xfc11: cold(this, 3); return false;
    }
    if (op >> 8 === 0xfd || op >> 12 === 0xfd) {
      if (!vector(this, instr, mnemonic, immediates, signature)) throw new Refused();
    } else if (op >> 8 === 0xfe) {
      atomic(this, instr);
    } else if (immediates.startsWith('memarg')) {
      access(this, op, mnemonic, a, b);
    } else if (reference(this, instr)) {
      return false;
    } else if (op > 0xff && (op < 0xfc00 || op > 0xfc07) || !simple(this, mnemonic, this.offset)) {
      throw new Refused();
    }
    return false;
  }

  #drop(): void {
    const dropped = this.pop();
    if (!(dropped.flags & TRAPS)) return;
    this.order(dropped);
    this.line(`${dropped.bits ?? dropped.text};`);
  }

  #select(): void {
    const top = this.height - 1;
    if (this.stack[top - 1].type === V128) return selectVector(this);
    for (const h of [top - 2, top - 1]) if (this.stack[h].flags & TRAPS || this.stack[h].type === I64) this.atom(h);
    const c = this.pop(), b = this.pop(), a = this.pop();
    const test = condition(c);
    const text = `(${test} ? ${a.text} : ${b.text})`;
    if (a.type === I32 || a.type === F64 || isRef(a.type)) {
      this.push(combine(a.type, text, [a, b, c]));
    } else if (a.type === F32 && a.bits !== undefined && b.bits !== undefined) {
      this.push(combine(F32, text, [a, b, c], { bits: `(${test} ? ${a.bits} : ${b.bits})` }));
    } else if (a.type === I64) {
      // without a branch: V8 makes none of a conditional expression that is a bigint, and LLVM selects where it cannot be foreseen
      this.push(combine(I64, `(${b.text} ^ BigInt.asIntN(64, BigInt.asIntN(64, ${a.text} ^ ${b.text}) & BigInt.asIntN(64, 0n - BigInt(((${test}) | 0) >>> 0))))`, [a, b, c], { exact: false }));
    } else {
      const home = this.ownOf(a.type, top - 2);
      this.order(combine(a.type, '', [a, b, c]));
      this.line(`if (${test}) ${a.own ? '{}' : this.assign(a, home)} else ${this.assign(b, home)}`);
      this.push(home);
    }
  }

  #setLocal(index: number): void {
    if (this.locals[index] === V128) setVectorLocal(this, index);
    else this.set(index, this.pop());
  }
}
