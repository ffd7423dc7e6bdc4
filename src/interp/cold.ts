/**
 * The register instructions that are not in the loop's switch: calls that leave the instance, globals that are
 * elsewhere, references; those on whole memories and tables are in cold-bulk.ts.
 * The machine's state is saved when one begins; it either moves `pc` on, or throws and has changed nothing of the frame.
 * WebAssembly specification, chapter 4.4 (Instructions).
 */
import { Trap } from '../errors.js';
import { atomicInstructions } from './cold-atomic.js';
import { bulkInstructions } from './cold-bulk.js';
import { gcInstructions } from './cold-gc.js';
import { CORE_NAMES } from './core.js';
import { coreOp } from './core-ops.js';
import type { COLD } from './core-table.js';
import { WasmException } from './exception.js';
import { BREAK, FILES } from './files.js';
import type { WasmFunc } from './func.js';
import { runtimeType } from './rtt.js';
import type { Runner } from './run.js';
import { V128 } from './types.js';

const { I32 } = FILES;

type Cold = (typeof COLD)[number] | 'call_indirect';

/** @returns carries out the instruction at the machine's `pc`, whose first word is `w` */
export function makeCold(m: Runner): (w: number) => void {
  const table = (word: number) => m.inst.tables[m.code[m.pc + word]];
  const call = coreOp('call'), tailCall = coreOp('return_call');
  /** The function that an indirect call is of. */
  const element = (): WasmFunc => {
    const index = I32[m.fp + m.code[m.pc + 1]] >>> 0;
    const { elems } = table(3);
    if (index >= elems.length) throw new Trap('undefined element', `index ${index}, the table has ${elems.length}`);
    const func = elems[index] as WasmFunc | null;
    if (func === null) throw new Trap('uninitialized element', `index ${index}`);
    if (!func.rtt.isBelow(runtimeType(m.code[m.pc + 2]))) throw new Trap('indirect call type mismatch', `element ${index}${func.name === undefined ? '' : ` is "${func.name}"`}`);
    return func;
  };
  /** The function that a call through a reference is of. */
  const target = (): WasmFunc => {
    const func = m.getRef(m.fp + m.code[m.pc + 1]) as WasmFunc | null;
    if (func === null) throw new Trap('null function reference');
    return func;
  };

  const handlers: { readonly [K in Cold]: (w: number) => void } = {
    ...bulkInstructions(m),
    ...gcInstructions(m),
    ...atomicInstructions(m),
    'return.base': () => m.returned('base'),
    'return.cross': () => m.returned('cross'),
    'return.host': () => m.returned('host'),
    'call.lazy'(w) {
      if (m.inst.tier) {
        m.callOwn(m.inst.funcs[m.code[m.pc + 1]], w >>> 12, 2);
        return;
      }
      // from now on the instruction is a call of that position; it is carried out when the loop goes on
      const entry = m.inst.code.entry(m.code[m.pc + 1]);
      m.enter(m.inst);
      m.code[m.pc + 1] = entry;
      m.code[m.pc] = call | (w >>> 12) << 12;
    },
    'step.break'() {
      m.exit = BREAK;
    },
    'call.import'(w) {
      m.callFunc(m.inst.funcs[m.code[m.pc + 1]], w >>> 12, 2);
    },
    'call_indirect.cold'(w) {
      m.callFunc(element(), w >>> 12, 4);
    },
    'call_indirect'(w) {
      const func = element();
      if (func.instance === m.inst && func.typeId === m.code[m.pc + 2] && m.inst.tier) {
        m.callOwn(func, w >>> 12, 4);
      } else if (func.instance === m.inst && func.typeId === m.code[m.pc + 2]) {
        // the loop carries it out, now and the next time
        m.inst.code.entry(func.index);
        m.enter(m.inst);
      } else {
        m.callFunc(func, w >>> 12, 4);
      }
    },
    'call_ref'(w) {
      m.callFunc(target(), w >>> 12, 2);
    },
    'return_call.lazy'() {
      if (m.inst.tier) {
        m.callInPlace(m.inst.funcs[m.code[m.pc + 1]], 2);
        return;
      }
      const entry = m.inst.code.entry(m.code[m.pc + 1]);
      m.enter(m.inst);
      m.code[m.pc + 1] = entry;
      m.code[m.pc] = tailCall;
    },
    'return_call.import'() {
      m.callInPlace(m.inst.funcs[m.code[m.pc + 1]], 2);
    },
    'return_call_indirect'() {
      m.callInPlace(element(), 4);
    },
    'return_call_ref'() {
      m.callInPlace(target(), 2);
    },
    unreachable() {
      throw new Trap('unreachable');
    },
    'global.get.cell'(w) {
      const global = m.inst.globals[m.code[m.pc + 1]];
      const slot = m.fp + (w >>> 12);
      if (global.type.type === V128) {
        FILES.S32.set(global.words, 4 * slot);
        m.pc += 2;
        return;
      }
      // both ways, as only the module knows which one its type means
      I32[slot] = global.words[global.at];
      FILES.L32[2 * slot] = global.words[global.at];
      FILES.L32[2 * slot + 1] = global.words[global.at + 1];
      if (global.isReference) m.setRef(slot, global.ref);
      m.pc += 2;
    },
    'global.set.cell'(w) {
      const global = m.inst.globals[m.code[m.pc + 1]];
      const slot = m.fp + (w >>> 12);
      if (global.isReference) {
        global.ref = m.getRef(slot);
      } else if (global.type.type === V128) {
        global.words.set(FILES.S32.subarray(4 * slot, 4 * slot + 4));
      } else if (global.isWide) {
        global.words[global.at] = FILES.L32[2 * slot];
        global.words[global.at + 1] = FILES.L32[2 * slot + 1];
      } else {
        global.words[global.at] = I32[slot];
      }
      m.pc += 2;
    },
    throw(w) {
      const tag = m.inst.tags[m.code[m.pc + 1]];
      m.raise(new WasmException(tag, m.readAll(tag.type.params, m.fp + (w >>> 12), true)));
    },
    'throw_ref'(w) {
      const exception = m.getRef(m.fp + (w >>> 12)) as WasmException | null;
      if (exception === null) throw new Trap('null reference', 'no exception to throw');
      m.raise(exception);
    },
    'ref.null'(w) {
      m.setRef(m.fp + (w >>> 12), null);
      m.pc += 1;
    },
    'ref.is_null'(w) {
      I32[m.fp + (w >>> 12)] = m.getRef(m.fp + m.code[m.pc + 1]) === null ? 1 : 0;
      m.pc += 2;
    },
    'ref.func'(w) {
      m.setRef(m.fp + (w >>> 12), m.inst.funcs[m.code[m.pc + 1]]);
      m.pc += 2;
    },
    'ref.as_non_null'(w) {
      if (m.getRef(m.fp + (w >>> 12)) === null) throw new Trap('null reference');
      m.pc += 1;
    },
    'move.ref'(w) {
      m.setRef(m.fp + (w >>> 12), m.getRef(m.fp + m.code[m.pc + 1]));
      m.pc += 2;
    },
    // [op | first slot, slot of the first, how many]: values of all types, downwards
    'move.range'(w) {
      const to = m.fp + (w >>> 12), from = m.fp + m.code[m.pc + 1], n = m.code[m.pc + 2];
      I32.copyWithin(to, from, from + n);
      FILES.L32.copyWithin(2 * to, 2 * from, 2 * (from + n));
      FILES.S32.copyWithin(4 * to, 4 * from, 4 * (from + n));
      if (m.refs.length > from) for (let i = 0; i < n; i++) m.setRef(to + i, m.getRef(from + i));
      m.pc += 3;
    },
    'select.ref'(w) {
      const x = m.code[m.pc + 1];
      m.setRef(m.fp + (w >>> 12), m.getRef(m.fp + (I32[m.fp + m.code[m.pc + 2]] !== 0 ? x & 0xffff : x >>> 16)));
      m.pc += 3;
    },
  };
  const table0 = CORE_NAMES.map((name) => (handlers as { readonly [name: string]: ((w: number) => void) | undefined })[name]);
  return (w) => {
    const handler = table0[w & 0xfff];
    if (!handler) throw new Error(`bug: register instruction ${w & 0xfff} at ${m.pc}`);
    handler(w);
  };
}
