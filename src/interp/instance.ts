/**
 * An instance of a module (specification chapter 4.5.4): its functions, tables, memory, globals and what is left of its
 * segments, allocated and initialised. Runs nothing itself: calls go to the thread's machine (run.ts).
 */
import { ExhaustedError, UsageError } from '../errors.js';
import { type ModuleCode, codeOf } from './code.js';
import { type Constant, evaluate } from './const-expr.js';
import { begin, type WasmExecution } from './control.js';
import type { Func, Imports, Instance, Limits, RunOptions, Value } from './engine.js';
import { WasmTag } from './exception.js';
import { WasmFunc, hostFunc } from './func.js';
import { MAX_DEPTH } from './files.js';
import { WasmGlobal } from './global.js';
import { link } from './link.js';
import { MAX_PAGES, WasmMemory } from './memory.js';
import type { Tier } from './jit/tier.js';
import type { Expr, MemoryType, Module } from './module.js';
import { nameOf } from './names.js';
import { processGlobal, processTable } from './rtt.js';
import { runner } from './run.js';
import { type DataRange, initElements, initMemory } from './segments.js';
import { MAX_TABLE, WasmTable } from './table.js';
import { V128 } from './types.js';

export const DEFAULT_LIMITS: Limits = { memoryPages: MAX_PAGES, tableElements: MAX_TABLE, callDepth: Math.min(100_000, MAX_DEPTH), codeSize: 2 ** 25 };

const PARTS = { Func: WasmFunc, Table: WasmTable, Memory: WasmMemory, Global: WasmGlobal, Tag: WasmTag, hostFunc };

export class WasmInstance implements Instance {
  readonly code: ModuleCode;
  /** its compiled functions, where the engine compiles */
  readonly tier: Tier | undefined;
  readonly limits: Limits;
  readonly funcs: readonly WasmFunc[];
  readonly tables: readonly WasmTable[];
  readonly globals: readonly WasmGlobal[];
  /** bits of the globals, two words each; those of imported ones are elsewhere */
  readonly globalWords: Int32Array<ArrayBuffer>;
  readonly memories: readonly WasmMemory[];
  readonly memory: WasmMemory | undefined;
  readonly tags: readonly WasmTag[];
  readonly exports: ReadonlyMap<string, WasmFunc | WasmMemory | WasmTable | WasmGlobal | WasmTag>;
  /** undefined once dropped */
  readonly elems: (readonly Value[] | undefined)[];
  readonly datas: (DataRange | undefined)[];
  #started = false;

  /**
   * @param fill whether active segments are written; where not, a snapshot fills it
   * @throws LinkError; Trap, with segments before the faulty one written, as the specification has it; ExhaustedError
   */
  constructor(readonly module: Module, imports: Imports, limits: Partial<Limits> = {}, compile?: (inst: WasmInstance) => Tier, fill = true) {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.code = codeOf(module, compile !== undefined);
    const linked = link(module, this.code.types, imports, PARTS);
    const { bytes, imported } = module;
    this.funcs = [...linked.funcs, ...module.codes.map((_, i) => {
      const index = imported.func + i;
      return new WasmFunc(this.code.types[module.funcs[index]], this, index, undefined);
    })];
    this.globalWords = new Int32Array(2 * module.globals.length);
    const globals = [...linked.globals];
    this.globals = globals;
    const constant = (expr: Expr): Constant => evaluate(bytes, expr, globals, this.funcs, this.code.types);
    module.globals.slice(imported.global).forEach(({ type, init }, i) => {
      const { value, lo, hi } = constant(init!);
      if (type.type === V128) {
        globals.push(new WasmGlobal(type, value));
        return;
      }
      const global = new WasmGlobal(processGlobal(this.code.types, type), undefined, this.globalWords, 2 * (imported.global + i));
      this.globalWords[global.at] = lo;
      this.globalWords[global.at + 1] = hi;
      if (global.isReference) global.ref = value;
      globals.push(global);
    });
    this.tables = [...linked.tables, ...module.tables.slice(imported.table).map(({ type, init }) => {
      if (type.limits.min > this.limits.tableElements) throw new ExhaustedError('table size', `${type.limits.min} elements, the limit is ${this.limits.tableElements}`);
      return new WasmTable(processTable(this.code.types, type), init ? constant(init).value : null, this.limits.tableElements);
    })];
    this.memories = [...linked.memories, ...this.#allocateMemories(module.memories.slice(imported.memory))];
    this.memory = this.memories[0];
    this.tags = [...linked.tags, ...module.tags.slice(imported.tag).map((type) => new WasmTag(this.code.types[type]))];
    this.tier = compile?.(this);
    const spaces = { func: this.funcs, table: this.tables, memory: this.memories, global: globals, tag: this.tags };
    this.exports = new Map(module.exports.map(({ name, kind, index }) => [name, spaces[kind][index]]));
    this.elems = module.elems.map(({ init }) => init.map((item) => typeof item === 'number' ? this.funcs[item] : constant(item).value));
    this.datas = module.datas.map(({ start, end }) => ({ start, end }));
    if (!fill) return;
    module.elems.forEach(({ mode }, i) => {
      if (mode.kind === 'active') {
        const elems = this.elems[i]!;
        const table = this.tables[mode.table];
        initElements(table.elems, offset(constant(mode.offset), table.type.is64), elems, 0, elems.length);
      }
      if (mode.kind !== 'passive') this.elems[i] = undefined;
    });
    module.datas.forEach(({ mode, start, end }, i) => {
      if (mode.kind !== 'active') return;
      const memory = this.memories[mode.memory];
      initMemory(memory, offset(constant(mode.offset), memory.type.is64), bytes, this.datas[i], 0, end - start);
      this.datas[i] = undefined;
    });
  }

  /** The limit is for all memories of its own together. */
  #allocateMemories(types: readonly MemoryType[]): WasmMemory[] {
    const { memoryPages } = this.limits;
    const own: WasmMemory[] = [];
    const pages = () => own.reduce((sum, memory) => sum + memory.pages, 0);
    for (const type of types) {
      const others = pages();
      if (others + type.limits.min > memoryPages) throw new ExhaustedError('memory size', `${others + type.limits.min} pages, the limit is ${memoryPages}`);
      const memory: WasmMemory = allocate(type, memoryPages, () => pages() - memory.pages);
      own.push(memory);
    }
    return own;
  }

  get table(): WasmTable | undefined {
    return this.tables[0];
  }

  async start(options?: RunOptions): Promise<void> {
    const { start } = this.module;
    if (start === undefined || this.#started) return;
    this.#started = true;
    await runner.call(this, this.funcs[start], [], options);
  }

  callSync(func: Func, args: readonly Value[]): Value[] {
    return runner.callSync(this, own(func), args);
  }

  call(func: Func, args: readonly Value[], options?: RunOptions): Promise<Value[]> {
    return runner.call(this, own(func), args, options);
  }

  begin(func: Func, args: readonly Value[]): WasmExecution {
    return begin(this, own(func), args);
  }

  /**
   * `callSync` with bits in place of floats, which keeps those of a NaN: i32 and f32 are signed numbers of 32 bits, i64 and
   * f64 signed bigints of 64 bits, in arguments and results.
   */
  callBits(func: Func, args: readonly Value[]): Value[] {
    return runner.callSync(this, own(func), args, true);
  }

  /** What a function is called in messages. */
  nameOf(index: number): string | undefined {
    return nameOf(this.module, index);
  }
}

function offset({ lo, hi }: Constant, is64: boolean | undefined): number {
  return is64 ? (hi >>> 0) * 0x1_0000_0000 + (lo >>> 0) : lo >>> 0;
}

function allocate(type: MemoryType, limit: number, others: () => number): WasmMemory {
  try {
    return new WasmMemory(type, limit, others);
  } catch (error) {
    throw new ExhaustedError('memory size', `${type.limits.min} pages, which the host cannot allocate`, { cause: error });
  }
}

function own(func: Func): WasmFunc {
  if (func instanceof WasmFunc) return func;
  throw new UsageError('this function belongs to another engine');
}
