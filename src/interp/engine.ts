/**
 * What every engine of this project looks like from outside: compile, instantiate, call, memories, tables, globals,
 * exports. Tests, benchmarks and host functions are written against this file only. JS API boundary values: i32 is a
 * signed number, i64 a signed bigint, f32 and f64 numbers, a v128 a Uint8Array of 16 bytes with lane 0 first, which is copied
 * on its way in and out, a reference null or an opaque object. Only types here.
 */
import type { Trap } from '../errors.js';
import type { FuncType, GlobalType, MemoryType, Module, TableType, ValType } from './module.js';
import type { Snapshot } from './snapshot.js';

export type Value = number | bigint | null | object;

/** Bounds that hold for one instance; a guest that hits one gets a trap, never a crash of the host. */
export interface Limits {
  /** pages of 64 KiB that memories of one instance may have together */
  readonly memoryPages: number;
  /** elements of one table */
  readonly tableElements: number;
  /** frames of the Wasm call stack */
  readonly callDepth: number;
  /** characters of JavaScript that functions of one instance may become; the interpreter runs the rest */
  readonly codeSize: number;
}

export interface CompileOptions {
  /**
   * `lazily`: a function's body is read and judged when it is first called; one that is invalid throws InvalidError or MalformedError
   * through the guest at every call, which the guest cannot catch. An engine may judge it at once all the same. Default: at once.
   */
  readonly validate?: 'at once' | 'lazily';
}

export interface Engine {
  readonly name: string;
  /** a running guest can be suspended: host functions may wait for promises, the event loop gets its turns, a signal ends the guest */
  readonly suspends: boolean;
  /** Decodes and validates. @throws MalformedError, InvalidError, UnsupportedError */
  compile(bytes: Uint8Array, options?: CompileOptions): Module;
  /** Links, allocates, runs segments; not the start function, which `Instance.start` runs. @throws LinkError, Trap */
  instantiate(module: Module, imports: Imports, options?: { readonly limits?: Partial<Limits> }): Instance;
  /**
   * An instance as a snapshot has it, and the call that was stopped in it. Imports as for the instance that it is of: their
   * memories, tables and globals get the contents of the snapshot too.
   * @throws LinkError; SnapshotError where it is of another module, or not one; UnsupportedError
   */
  restore(module: Module, imports: Imports, snapshot: Snapshot, options?: { readonly limits?: Partial<Limits>; readonly references?: HostReferences }): Execution;
}

/** module name -> item name -> what is provided. */
export type Imports = { readonly [module: string]: { readonly [item: string]: Extern } } | ((module: string, item: string, type: ExternType) => Extern | undefined);

export type ExternType =
  | { readonly kind: 'func'; readonly type: FuncType }
  | { readonly kind: 'table'; readonly type: TableType }
  | { readonly kind: 'memory'; readonly type: MemoryType }
  | { readonly kind: 'global'; readonly type: GlobalType }
  | { readonly kind: 'tag'; readonly type: FuncType };

export type Extern = HostFunc | Func | Memory | Table | Global | Tag;

/**
 * A function of the host. `run` gets the caller's instance and the arguments, and returns the result (undefined, one value,
 * or an array for more), or a promise of it, or a generator. A generator may
 *   - `yield call(func, args)`: the engine runs the guest function on the same Wasm stack and sends its results back in;
 *   - `yield promise`: the guest waits, the event loop runs, the settled value comes back.
 * What it throws goes through the guest unchanged, with the Wasm stack put on Trap and Interrupted.
 */
export interface HostFunc {
  readonly kind: 'host';
  readonly type: FuncType;
  readonly name: string;
  run(caller: Instance, args: readonly Value[]): HostResult;
}
export type HostResult = Value | void | readonly Value[] | Promise<Value | void | readonly Value[]> | Generator<GuestCall | Promise<unknown>, Value | void | readonly Value[], unknown>;
export interface GuestCall { readonly func: Func; readonly args: readonly Value[] }

export interface RunOptions {
  /** aborts with Interrupted(signal.reason) within 100 ms, also in an endless loop */
  readonly signal?: AbortSignal;
  /** instructions that the guest may carry out, counted exactly, which is slow; ExhaustedError when they are spent */
  readonly fuel?: number;
}

export interface Instance {
  readonly module: Module;
  readonly exports: ReadonlyMap<string, Func | Memory | Table | Global | Tag>;
  /** memory 0, what WASI and the wasm_bpf ABI read; undefined where the module has none */
  readonly memory: Memory | undefined;
  /** table 0, exported or not; undefined where the module has none */
  readonly table: Table | undefined;
  /** Runs the module's start function where there is one. Once. */
  start(options?: RunOptions): Promise<void>;
  /** Runs to the end without giving way. @throws Trap; UsageError where a host function would have to wait */
  callSync(func: Func, args: readonly Value[]): Value[];
  /** Runs, giving way to the event loop at least every 20 ms and while host functions wait. */
  call(func: Func, args: readonly Value[], options?: RunOptions): Promise<Value[]>;
  /**
   * A call that can be stopped at every instruction; it stands before its first one.
   * @throws UsageError for a host function; UnsupportedError where the engine cannot
   */
  begin(func: Func, args: readonly Value[]): Execution;
}

/**
 * A call of a guest function that stops where it is told to, and can then be looked at, saved, and run on. `else`, `end` and the
 * `catch` of the first encoding of exceptions are no instructions: they are not counted, and nothing stops there.
 */
export interface Execution {
  readonly instance: Instance;
  /** instructions carried out, but for those at full speed, which are not counted */
  readonly steps: number;
  /** once it is done */
  readonly results: readonly Value[] | undefined;
  /**
   * Runs on: at full speed, on the tiers of the engine, where `options` have nothing but a signal; else in the interpreter, counted.
   * @throws what the call throws, which ends it; UsageError where it has ended, or runs already
   */
  run(options?: ExecutionOptions): Promise<Stop>;
  /** Carries out so many instructions, one where it is not said; the instructions of callees are among them. */
  step(count?: number): Promise<Stop>;
  /** The guest functions that are running, the innermost first. @throws UsageError where the call has ended or runs */
  frames(): readonly Frame[];
  /**
   * The state of the instance and of the call. What the host keeps for the guest (files, handles) is not in it. A host function that
   * the guest waits for is called again by what is restored, with the same arguments.
   * @throws UnsupportedError where frames of another instance, or of a host function that has called the guest, are part of the call
   */
  snapshot(references?: HostReferences): Snapshot;
}

export interface ExecutionOptions {
  /** instructions to carry out at most */
  readonly fuel?: number;
  /** instructions to stop before; the one at which it stands is carried out first */
  readonly breakpoints?: readonly Breakpoint[];
  /** stops before an instruction of a frame with at most so many frames outside of it: 0 is the outermost. To step over a call, or out of one. */
  readonly depth?: number;
  /** stops before each call of a host function */
  readonly hostCalls?: boolean;
  /** stops at a trap before it unwinds anything; running on lets it pass */
  readonly traps?: boolean;
  /** stops within 100 ms, also while a host function is waited for */
  readonly signal?: AbortSignal;
}
/** `func`: index in the module's function index space. `offset`: of an instruction, in bytes from the module's start; undefined: the function's first. */
export interface Breakpoint { readonly func: number; readonly offset?: number }

export type Stop =
  | { readonly reason: 'done'; readonly results: readonly Value[] }
  | { readonly reason: 'trap'; readonly error: Trap }
  | { readonly reason: 'fuel' | 'breakpoint' | 'depth' | 'host call' | 'signal' };

export interface Frame {
  readonly instance: Instance;
  readonly func: number;
  readonly name: string | undefined;
  /** of the instruction that comes next, or of the call that has not returned, in bytes from the module's start */
  readonly offset: number;
  /** parameters first */
  readonly locals: readonly TypedValue[];
  /** the operand stack, its top last; without the arguments of a call that has not returned */
  readonly operands: readonly TypedValue[];
}
export interface TypedValue { readonly type: ValType; readonly value: Value }

/** How objects of the host that a guest holds get into a snapshot, and out of it again. */
export interface HostReferences {
  /** A name for the object; undefined where it has none, which the snapshot then cannot be made with. */
  save(object: Value): string | undefined;
  load(name: string): Value | undefined;
}

export interface Func { readonly kind: 'func'; readonly type: FuncType; /** for messages and stacks */ readonly name: string | undefined }

/** What tells one kind of exception from another; what an exception carries has the types of `type.params`. */
export interface Tag { readonly kind: 'tag'; readonly type: FuncType }

export interface Memory {
  readonly kind: 'memory';
  readonly type: MemoryType;
  /** current size in bytes */
  readonly size: number;
  /** current contents; a fresh view after each growth: never keep it across a call into the guest */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** pages of 64 KiB before, or -1 */
  grow(pages: number): number;
}

export interface Table {
  readonly kind: 'table';
  readonly type: TableType;
  readonly length: number;
  /** undefined where index is outside */
  get(index: number): Value | undefined;
  set(index: number, value: Value): void;
  grow(delta: number, init: Value): number;
}

export interface Global { readonly kind: 'global'; readonly type: GlobalType; value: Value }
