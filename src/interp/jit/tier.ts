/**
 * The compiled functions of one instance: makes them when they are first called, keeps a cell for each through which all calls
 * go, and knows at which positions of the interpreter's code a frame can be taken over. Running is run.ts's business.
 */
import { FILES } from '../files.js';
import { throughGlobals } from '../globals.js';
import { HEADER } from '../lower.js';
import type { WasmInstance } from '../instance.js';
import type { WasmMemory } from '../memory.js';
import * as meaning from '../meaning.js';
import type { Runner } from '../run.js';
import { I32 as I32_TYPE, F32 as F32_TYPE, F64 as F64_TYPE, I64 as I64_TYPE, V128, isRef } from '../types.js';
import type { Emitted } from './body.js';
import { emitFunction } from './emit.js';
import * as helpers from './helpers.js';
import { GuestException } from '../../errors.js';
import type { Value } from '../engine.js';
import { WasmException } from '../exception.js';
import { WasmStruct } from '../gc.js';
import { isOf } from '../ref-types.js';
import type { RuntimeType } from '../rtt.js';
import { Positions } from './positions.js';
import { SCRATCH } from './vector-forms.js';
import { sourceOf } from './sources.js';
import { FUEL_LEFT, defer, left, stop } from './unwinding.js';
import { viewName } from './views.js';

/** A compiled function: `fp`, room on the JavaScript stack, and its i32 arguments. Gives undefined when its frame has left. */
type Compiled = (fp: number, d: number, ...ints: number[]) => number | undefined;

/** What calls go through. `f` compiles when it is first called. */
export interface Cell {
  f: Compiled;
  /** which parameters are i32 */
  readonly ints: readonly number[];
  /** the result is one i32, and comes as JavaScript's */
  readonly single: boolean;
  /** ms, when the machine first entered it; 0 before, WARM long after */
  since: number;
  /** times that it has, while not WARM */
  entries: number;
}
export const WARM = -1;

/** When functions are compiled. */
export interface Policy {
  /** calls that the interpreter runs before */
  readonly calls: number;
  /** calls and back-edges that it runs in a function that has not been called so often */
  readonly loops: number;
}

/** back-edges of a loop that the interpreter runs once its function is compiled: each loop that is taken over is compiled anew */
const BEFORE_TAKING_OVER = 4;

interface Loop { readonly offset: number; left: number; cell: Cell | undefined }
interface State { calls: number; /** calls and back-edges that the interpreter runs before it is compiled all the same */ patience: number; cell: Cell; /** it stays with the interpreter */ refused: boolean; positions: Positions | undefined; frameSize: number; readonly loops: Map<number, Loop>; code: Emitted | undefined }

const { I32 } = FILES;
const NAMES = Object.keys({ ...meaning, ...helpers }).filter((name) => name !== 'MEANING');
const global = throughGlobals({ ...FILES, ...SCRATCH, U: FUEL_LEFT });

const PRELUDE = `"use strict"; const { K, KF, INST, begin, leave, stop, defer, carryOut, copied, filled, getRef, setRef, unaligned, exception, raise, caught, unpack, isOf, newStruct, TAGS, F, ${NAMES.join(', ')} } = $;\n`;

let tiers = 0;
/** number in the names of sources -> the tier they are of */
const byNumber = new Map<string, WeakRef<Tier>>();

export function tierOf(number: string): Tier | undefined {
  return byNumber.get(number)?.deref();
}

export class Tier {
  readonly inst: WasmInstance;
  readonly policy: Policy;
  readonly number = String(++tiers);
  /** functions that are compiled, and those that cannot be */
  compiled = 0;
  refused = 0;
  /** of all sources so far */
  #characters = 0;
  readonly #runner: Runner;
  readonly #states = new Map<number, State>();
  /** function/loop -> bytes of the module by line */
  readonly #lines = new Map<string, readonly number[]>();
  readonly #shared: Readonly<Record<string, unknown>>;

  constructor(inst: WasmInstance, runner: Runner, policy: Policy) {
    this.inst = inst;
    this.#runner = runner;
    this.policy = policy;
    byNumber.set(this.number, new WeakRef(this));
    this.#shared = {
      ...meaning, ...helpers, INST: inst, stop, defer,
      begin: (pc: number, fp: number) => {
        left.frames.push({ kind: 'begin', inst, pc, fp });
        stop();
        return undefined;
      },
      leave: (pc: number, fp: number) => {
        left.frames.push({ kind: 'frame', inst, pc, fp });
        return undefined;
      },
      getRef: (slot: number) => runner.getRef(slot),
      setRef: (slot: number, value: Value) => runner.setRef(slot, value),
      unaligned: () => { throw runner.unaligned(); },
      ...exceptionsOf(inst, runner), isOf, newStruct: (rtt: RuntimeType, fields: Value[]) => new WasmStruct(rtt, fields), TAGS: inst.tags, F: inst.funcs,
      carryOut: (pc: number, fp: number) => runner.carryOut(inst, pc, fp),
      copied: (to: number, from: number, n: number) => copied(inst.memory!, to >>> 0, from >>> 0, n >>> 0),
      filled: (to: number, value: number, n: number) => filled(inst.memory!, to >>> 0, value, n >>> 0),
    };
    for (let i = inst.module.imported.func; i < inst.funcs.length; i++) inst.funcs[i].cell = this.#makeCell(i);
  }

  // ---- where a frame can be taken over

  /** What runs the frame on from `pc`; undefined where the interpreter does. */
  entryAt(pc: number): Cell | undefined {
    const index = this.inst.code.functionAt(pc) as number | undefined;
    if (index === undefined) return undefined;
    const state = this.#state(index);
    if (state.refused) return undefined;
    if (pc === this.inst.code.entry(index) + HEADER) {
      if (state.calls++ < this.policy.calls) return undefined;
      this.#compile(index, state);
      if (state.refused) return undefined;
      // where the function begins with a loop, this may be a later round, which the locals are not to be cleared for
      if (!state.loops.has(pc)) return state.cell;
    }
    const loop = state.loops.get(pc);
    if (!loop) return undefined;
    if (loop.left-- > 0) return undefined;
    return loop.cell ??= this.#compileLoop(index, state, loop);
  }

  /** Calls and back-edges that the interpreter may run before it asks again. */
  patience(pc: number): number {
    const index = this.inst.code.functionAt(pc) as number | undefined;
    // a return to a boundary: a frame that goes on behind it may be taken over at its next back-edge
    if (index === undefined) return 0;
    const state = this.#state(index);
    if (state.refused) return Infinity;
    // not called often enough, but it loops
    if (state.patience <= 0) this.#compile(index, state);
    // the next back-edge may lead to a loop at which the frame is taken over
    return state.refused || state.code && this.#full ? Infinity : state.code ? 0 : state.patience;
  }

  /** The interpreter has run so many calls and back-edges from `pc` on. */
  spent(pc: number, fuel: number): void {
    const index = this.inst.code.functionAt(pc) as number | undefined;
    if (index !== undefined) this.#state(index).patience -= fuel;
  }

  /** Bytes of the module by line of a source. */
  lines(key: string): readonly number[] | undefined {
    return this.#lines.get(key);
  }

  // ---- compiling

  #state(index: number): State {
    let state = this.#states.get(index);
    if (!state) this.#states.set(index, state = { calls: 0, patience: this.policy.loops, cell: this.inst.funcs[index].cell!, refused: false, positions: undefined, frameSize: 0, loops: new Map(), code: undefined });
    return state;
  }

  #makeCell(index: number): Cell {
    const { params, results } = this.inst.funcs[index].type;
    const tier = this;
    return {
      f(fp, d, ...ints) {
        const state = tier.#state(index);
        if (state.calls++ < tier.policy.calls) {
          // by the interpreter for now
          state.cell.ints.forEach((at, i) => { I32[fp + at] = ints[i]; });
          left.frames.push({ kind: 'begin', inst: tier.inst, pc: index, fp });
          stop();
          return undefined;
        }
        tier.#compile(index, state);
        return state.cell.f(fp, d, ...ints);
      },
      ints: params.flatMap((type, i) => type === I32_TYPE ? [i] : []),
      single: results.length === 1 && results[0] === I32_TYPE,
      since: 0,
      entries: 0,
    };
  }

  #compile(index: number, state: State): void {
    if (state.code || state.refused) return;
    const { code } = this.inst;
    let positions: Positions;
    try {
      positions = new Positions(code, index);
    } catch {
      // the interpreter says why when it begins the function
      this.#refuse(index, state);
      return;
    }
    state.positions = positions;
    state.frameSize = code.words[positions.entry];
    const emitted = this.#full ? undefined : sourceOf(code, `${index}`, () => emitFunction(code, index, positions, state.frameSize));
    if (!emitted) {
      this.#refuse(index, state);
      return;
    }
    state.code = emitted;
    for (const [offset, pc] of emitted.loops) state.loops.set(pc, { offset, left: Math.min(this.policy.loops, BEFORE_TAKING_OVER), cell: undefined });
    state.cell.f = this.#make(emitted, `${index}`);
    this.compiled++;
  }

  /** @returns undefined where the limit of code is reached */
  #compileLoop(index: number, state: State, loop: Loop): Cell | undefined {
    if (this.#full) return undefined;
    const { code } = this.inst;
    const key = `${index}@${loop.offset}`;
    const emitted = sourceOf(code, key, () => emitFunction(code, index, state.positions!, state.frameSize, loop.offset));
    if (!emitted) throw new Error(`bug: function ${index} has no entry at ${loop.offset}`);
    return { f: this.#make(emitted, key), ints: [], single: state.cell.single, since: 0, entries: 0 };
  }

  /** No more is compiled: the interpreter runs the rest. */
  get #full(): boolean {
    return this.#characters >= this.inst.limits.codeSize;
  }

  #refuse(index: number, state: State): void {
    const { inst } = this;
    state.refused = true;
    this.refused++;
    const { ints } = state.cell;
    state.cell.f = (fp, _, ...args) => {
      ints.forEach((at, i) => { I32[fp + at] = args[i]; });
      left.frames.push({ kind: 'begin', inst, pc: index, fp });
      stop();
      return undefined;
    };
  }

  #make(emitted: Emitted, key: string): Compiled {
    const { inst } = this;
    this.#characters += emitted.source.length;
    const parts: string[] = [];
    const given = Object.assign(Object.create(this.#shared) as Record<string, unknown>, { K: inst.code.k64, KF: inst.code.kf64 });
    const name = (id: string, value: unknown) => {
      given[id] = value;
      parts.push(`${id} = $.${id}`);
    };
    for (const callee of emitted.callees) name(`c${callee}`, inst.funcs[callee].cell);
    for (const index of emitted.imports) name(`h${index}`, this.#import(index));
    for (const index of emitted.tables) name(`e${index}`, inst.tables[index].elems);
    const views = new Map<string, string>();
    for (const index of emitted.memories) {
      const view = viewName(inst.memories[index]);
      views.set(`V${index}`, view ?? `V${index}.v`);
      if (view === undefined) name(`V${index}`, inst.memories[index].cell);
    }
    for (const index of emitted.types) name(`y${index}`, inst.code.types[index]);
    for (const index of emitted.globals) {
      const { words, at, type } = inst.globals[index];
      if (isRef(type.type)) {
        name(`g${index}`, inst.globals[index]);
        continue;
      }
      const [buffer, byte] = [words.buffer, words.byteOffset + 4 * at];
      const view = { [I32_TYPE]: Int32Array, [I64_TYPE]: BigInt64Array, [F32_TYPE]: Float32Array, [F64_TYPE]: Float64Array, [V128]: Int32Array }[type.type]!;
      name(`g${index}`, new view(buffer, byte, type.type === V128 ? 4 : 1));
      if (type.type === F32_TYPE) name(`b${index}`, new Int32Array(buffer, byte, 1));
    }
    const before = `${PRELUDE}${parts.length > 0 ? `const ${parts.join(', ')};` : ''}\nreturn `;
    this.#lines.set(key, [...LINES_BEFORE, ...emitted.lines]);
    return new Function('$', `${before}${global(emitted.source).replaceAll(/\bV\d+(?=\.[gs]et)/g, (id) => views.get(id)!)}\n//# sourceURL=wasm-js:${this.number}/${key}`)(given) as Compiled;
  }

  /** A function that calls an imported one; its arguments are in the frame, and its results go there. */
  #import(index: number): (fp: number, d: number) => void {
    const { inst } = this;
    const runner = this.#runner;
    const func = inst.funcs[index];
    if (func.host) return (fp, d) => runner.hostFromCompiled(func, inst, fp, d);
    return (fp, d) => {
      if (func.cell) callCell(func.cell, fp, d);
      else {
        left.frames.push({ kind: 'begin', inst: func.instance!, pc: func.index, fp });
        stop();
      }
    };
  }
}

/** What the handlers of compiled code call. */
function exceptionsOf(inst: WasmInstance, runner: Runner) {
  return {
    exception: (index: number, slot: number) => {
      const tag = inst.tags[index];
      return new WasmException(tag, runner.readAll(tag.type.params, slot, true));
    },
    raise: (exception: WasmException): never => {
      throw new GuestException(exception);
    },
    caught: (error: unknown) => runner.caught(error),
    unpack: ({ tag, values }: WasmException, slot: number) => tag.type.params.forEach((type, i) => runner.store(type, slot + i, values[i], true)),
  };
}

/** Below so many bytes a loop is quicker than a call of the platform's function. */
const SHORT = 48;

/** @returns false where it is out of bounds, and nothing is done */
function copied({ bytes }: WasmMemory, to: number, from: number, n: number): boolean {
  if (to + n > bytes.length || from + n > bytes.length) return false;
  if (n >= SHORT) bytes.copyWithin(to, from, from + n);
  else if (to <= from) for (let i = 0; i < n; i++) bytes[to + i] = bytes[from + i];
  else for (let i = n - 1; i >= 0; i--) bytes[to + i] = bytes[from + i];
  return true;
}

function filled({ bytes }: WasmMemory, to: number, value: number, n: number): boolean {
  if (to + n > bytes.length) return false;
  if (n >= SHORT) bytes.fill(value, to, to + n);
  else for (let i = 0; i < n; i++) bytes[to + i] = value;
  return true;
}

/** Lines are counted from 1; two are of the text that `new Function` puts around, two of names. */
const LINES_BEFORE = [0, 0, 0, 0, 0] as const;

/** Calls a compiled function whose arguments are in its frame; the result goes there. */
export function callCell(cell: Cell, fp: number, d: number): void {
  const { ints } = cell;
  let result: number | undefined;
  switch (ints.length) {
    case 0: result = cell.f(fp, d); break;
    case 1: result = cell.f(fp, d, I32[fp + ints[0]]); break;
    case 2: result = cell.f(fp, d, I32[fp + ints[0]], I32[fp + ints[1]]); break;
    case 3: result = cell.f(fp, d, I32[fp + ints[0]], I32[fp + ints[1]], I32[fp + ints[2]]); break;
    default: result = cell.f(fp, d, ...ints.map((at) => I32[fp + at]));
  }
  if (cell.single && result !== undefined) I32[fp] = result;
}

