/**
 * The register code of one module's functions, in one growing array, with the pool of its 64-bit constants and the way back
 * from a position to a function and a byte of the module. lower.ts fills it, function by function, when one is first called.
 */
import { FUSED } from './core.js';
import { coreOp } from './core-ops.js';
import { lowerFunction, offsetsOf } from './lower.js';
import { findClause, type Clause, type Handler } from './handlers.js';
import type { WasmTag } from './exception.js';
import type { Fused } from './files.js';
import type { Module } from './module.js';
import { runtimeTypes, type RuntimeType } from './rtt.js';
import { validateBody } from './validate.js';

/** Positions that a frame returns to where its caller is not a function of the same instance. */
export const RETURN_BASE = 0, RETURN_CROSS = 1, RETURN_HOST = 2;
/** Every module's code begins with the three instructions that stand at those positions. */
const MARKERS = ['return.base', 'return.cross', 'return.host'] as const;

/** What wants to know where a module spends its time. */
export interface Watch {
  /** Calls and back-edges that the loop may run before it is told again where it is. */
  patience(pc: number): number;
  /** So many have been run since, and the loop is now at `pc`. */
  spent(pc: number): void;
}

export class ModuleCode {
  words = new Int32Array(1024);
  /** words in use */
  length: number = MARKERS.length;
  /** function index -> position of its header, or 0 while it is not lowered, or where calls look for compiled code first */
  readonly entries: Int32Array;
  readonly #entries: Int32Array;
  k64 = new BigInt64Array(16);
  kf64 = new Float64Array(this.k64.buffer);
  k32 = new Int32Array(this.k64.buffer);
  readonly #pool = new Map<bigint, number>();
  /** positions of the headers, ascending, and whose they are */
  readonly #starts: number[] = [];
  readonly #owners: number[] = [];
  /** by the position of the header, as are the offsets */
  readonly #handlers = new Map<number, readonly Handler[]>();
  readonly #offsets = new Map<number, Int32Array>();
  /** function index -> position of the header of its plain code, and the other way round */
  readonly #plain = new Map<number, number>();
  readonly #plainStarts = new Set<number>();

  /** fused instructions by their numbers; there is none where V8 is not to generate code, or the module has not run for long */
  readonly fused: Fused[] = [];
  /** decides what is fused while the code runs */
  watch: Watch | undefined;

  /** type index -> number that is equal for equal types of all modules */
  readonly typeIds: Int32Array;
  readonly types: readonly RuntimeType[];

  constructor(readonly module: Module, readonly compiled = false) {
    this.types = runtimeTypes(module);
    this.typeIds = Int32Array.from(this.types, ({ id }) => id);
    this.entries = new Int32Array(module.funcs.length);
    this.#entries = compiled ? new Int32Array(module.funcs.length) : this.entries;
    MARKERS.forEach((name, at) => this.words[at] = coreOp(name));
  }

  /** Position of a function's header; lowers it where that has not been done. @throws ExhaustedError for a frame beyond the slots; InvalidError where validation was left until now */
  entry(index: number): number {
    return this.#entries[index] || this.#lower(index);
  }

  /** The same for the function's plain code, in which it can be stopped at every instruction (lower.ts). */
  plainEntry(index: number): number {
    let entry = this.#plain.get(index);
    if (entry === undefined) {
      this.#plain.set(index, entry = this.#add(index, true));
      this.#plainStarts.add(entry);
    }
    return entry;
  }

  #lower(index: number): number {
    return this.#entries[index] = this.#add(index, false);
  }

  #add(index: number, plain: boolean): number {
    validateBody(this.module, index);
    const { words, handlers } = lowerFunction(this, index, plain);
    const entry = this.append(words);
    if (handlers.length > 0) this.#handlers.set(entry, handlers);
    this.#starts.push(entry);
    this.#owners.push(index);
    return entry;
  }

  /** Adds words as they are. @returns their position */
  append(words: ArrayLike<number>): number {
    const entry = this.length;
    if (entry + words.length > this.words.length) {
      const grown = new Int32Array(Math.max(2 * this.words.length, entry + words.length));
      grown.set(this.words);
      this.words = grown;
    }
    this.words.set(words, entry);
    this.length = entry + words.length;
    return entry;
  }

  /** Index of a constant in the pool. */
  constant(lo: number, hi: number): number {
    const value = BigInt(hi) << 32n | BigInt(lo >>> 0);
    let at = this.#pool.get(value);
    if (at === undefined) {
      at = this.#pool.size;
      if (at === this.k64.length) {
        const grown = new BigInt64Array(2 * at);
        grown.set(this.k64);
        this.k64 = grown;
        this.kf64 = new Float64Array(grown.buffer);
        this.k32 = new Int32Array(grown.buffer);
      }
      this.k64[at] = value;
      this.#pool.set(value, at);
    }
    return at;
  }

  /** Position behind the last word of a function that has been lowered. */
  end(index: number): number {
    const at = this.#startBefore(this.#entries[index]);
    return at + 1 < this.#starts.length ? this.#starts[at + 1] : this.length;
  }

  isLowered(index: number): boolean {
    return this.#entries[index] !== 0;
  }

  /** Positions at which a function goes on with what it catches. */
  catches(index: number): readonly number[] {
    const entry = this.#entries[index];
    return (this.#handlers.get(entry) ?? []).flatMap(({ clauses }) => clauses.map(({ target }) => entry + target));
  }

  /** Puts a fused instruction in place of the first one of those that it stands for. */
  fuse(at: number, how: Fused): void {
    this.words[at] = FUSED | this.fused.length << 12;
    this.fused.push(how);
  }

  /** Which function a position belongs to. */
  functionAt(pc: number): number {
    return this.#owners[this.#startBefore(pc)];
  }

  /** Whether the position is in plain code. */
  isPlain(pc: number): boolean {
    return this.#plainStarts.has(this.#starts[this.#startBefore(pc)]);
  }

  /** Where the function that `pc` is in catches what is thrown there: the clause, and its position. */
  catchAt(pc: number, tag: WasmTag, tags: readonly WasmTag[]): { readonly clause: Clause; readonly pc: number } | undefined {
    if (this.#handlers.size === 0) return undefined;
    const at = this.#startBefore(pc);
    const handlers = this.#handlers.get(this.#starts[at]);
    const clause = handlers && findClause(handlers, pc - this.#starts[at], tag, tags);
    return clause && { clause, pc: this.#starts[at] + clause.target };
  }

  /** How many handlers the search in that function looks at. */
  handlersAt(pc: number): number {
    return this.#handlers.size === 0 ? 0 : this.#handlers.get(this.#starts[this.#startBefore(pc)])?.length ?? 0;
  }

  /** Slots of the frame of the function that `pc` is in. */
  frameSizeAt(pc: number): number {
    return this.words[this.#starts[this.#startBefore(pc)]];
  }

  /** The byte of the module that the instruction around `pc` comes from. */
  offsetAt(pc: number): number {
    const at = this.#startBefore(pc);
    const start = this.#starts[at];
    let offsets = this.#offsets.get(start);
    if (!offsets) this.#offsets.set(start, offsets = offsetsOf(this, this.#owners[at], this.#plainStarts.has(start)));
    const relative = pc - start;
    let found = offsets.length > 1 ? offsets[1] : 0;
    for (let i = 0; i < offsets.length && offsets[i] <= relative; i += 2) found = offsets[i + 1];
    return found;
  }

  #startBefore(pc: number): number {
    let low = 0, high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle] <= pc) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

const codes = new WeakMap<Module, ModuleCode>();
const compiledCodes = new WeakMap<Module, ModuleCode>();

/** The code of a module, shared by its instances: by those that also compile, and by those that do not. */
export function codeOf(module: Module, compiled: boolean): ModuleCode {
  const known = compiled ? compiledCodes : codes;
  let code = known.get(module);
  if (!code) known.set(module, code = new ModuleCode(module, compiled));
  return code;
}
