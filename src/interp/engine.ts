/**
 * What every engine of this project looks like from outside: compile, instantiate, call, memories, tables, globals,
 * exports. Tests, benchmarks and host functions are written against this file only. JS API boundary values: i32 is a
 * signed number, i64 a signed bigint, f32 and f64 numbers, a v128 a Uint8Array of 16 bytes with lane 0 first, which is copied
 * on its way in and out, a reference null or an opaque object. Only types here.
 */
import type { FuncType, GlobalType, MemoryType, Module, TableType } from './module.js';

export type Value = number | bigint | null | object;

/** Bounds that hold for one instance; a guest that hits one gets a trap, never a crash of the host. */
export interface Limits {
  /** pages of 64 KiB that memories of one instance may have together */
  readonly memoryPages: number;
  /** elements of one table */
  readonly tableElements: number;
  /** frames of the Wasm call stack */
  readonly callDepth: number;
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
