/**
 * V8's own WebAssembly engine behind this project's interface: the yardstick of the benchmarks and a second judge in tests, no
 * part of what runs guests unless asked for (`--engine v8`). Decoding and validation are this project's, so that faults read
 * the same everywhere.
 *
 * What it cannot do: wait for a promise of a host function (which is refused; WASI and the wasm_bpf ABI wait with the thread
 * instead, where they are told), give way or stop a running guest, bound the depth of calls, show a global of type v128, and tell
 * apart the traps of `V8_CANNOT_TELL`. A guest's `catch_all` sees what a host function throws. The caller that a host function
 * gets is the instance that imports it, also when it is called through a table.
 */
import { ExhaustedError, GuestException, LinkError, UnsupportedError, UsageError } from '../errors.js';
import type { Engine, Func, Global, HostFunc, HostResult, Imports, Instance, Limits, Memory, RunOptions, Table, Tag, Value } from './engine.js';
import { link } from './link.js';
import { MAX_PAGES } from './memory.js';
import type { Module } from './module.js';
import { nameOf } from './names.js';
import { FEATURES_ALL } from './opcodes.js';
import { functionType, processGlobal, processTable, runtimeTypes, type RuntimeType } from './rtt.js';
import { MAX_TABLE } from './table.js';
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, isRef, type FuncType, type GlobalType, type MemoryType, type TableType, type ValType } from './types.js';
import { bridge, fromWords, toWords, wordsOf, type Kind } from './v8-bridge.js';
import { rewrite, type Rewritten } from './v8-module.js';
import { FRAMES, isStackOverflow, putFrames, trapOf, type Located } from './v8-trap.js';
import { decodeAndValidate } from './validate.js';
import { checkArgs, hostValues } from './values.js';
import { interrupted, isGenerator, isLater, isPromise } from './wait.js';

// ---- V8's side: https://webassembly.github.io/spec/js-api/, of which the types of Node know nothing

type JsFunc = (...args: unknown[]) => unknown;
interface JsMemory { readonly buffer: ArrayBuffer; grow(delta: number | bigint): number | bigint }
interface JsTable { readonly length: number | bigint; get(index: number | bigint): unknown; set(index: number | bigint, value: unknown): void; grow(delta: number | bigint, init?: unknown): number | bigint }
interface JsGlobal { value: unknown }
interface Limited { readonly initial: number; readonly maximum?: number }
interface Api {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: { readonly [name: string]: unknown } };
  readonly Memory: new (type: Limited & { readonly shared?: boolean }) => JsMemory;
  readonly Table: new (type: Limited & { readonly element: string }, init?: unknown) => JsTable;
  readonly Global: new (type: { readonly value: string; readonly mutable: boolean }, init?: unknown) => JsGlobal;
  readonly CompileError: abstract new () => Error;
  readonly LinkError: abstract new () => Error;
  readonly RuntimeError: abstract new () => Error;
  readonly Exception?: abstract new () => object;
}
const api = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;

// ---- what guests and hosts hold: one object of ours for one of V8's

const ours = new WeakMap<object, V8Func | V8Memory | V8Table | V8Global>();

function adopt<T extends V8Func | V8Memory | V8Table | V8Global>(js: object, make: () => T): T {
  let mine = ours.get(js);
  if (!mine) ours.set(js, mine = make());
  return mine as T;
}

export class V8Func implements Func {
  readonly kind = 'func';
  readonly type: FuncType;

  /** @param js V8's function; of a host function the one of some module that lets it out, undefined where none does */
  constructor(readonly rtt: RuntimeType, readonly module: Module | undefined, readonly index: number, readonly host: HostFunc | undefined, public js: JsFunc | undefined) {
    this.type = rtt.def.func;
  }

  readonly #bridges = new Map<boolean, JsFunc>();

  /** The same function, with words in place of values (v8-bridge.ts). @throws UnsupportedError */
  words(kind: Kind): JsFunc {
    let found = this.#bridges.get(kind.bits);
    if (!found) this.#bridges.set(kind.bits, found = across(this.type, 'values', kind, this.js!, this.name ?? String(this.index)));
    return found;
  }

  get name(): string | undefined {
    return this.host ? this.host.name : nameOf(this.module!, this.index);
  }
}

export class V8Memory implements Memory {
  readonly kind = 'memory';
  #bytes: Uint8Array;
  #view: DataView;

  constructor(readonly type: MemoryType, readonly js: JsMemory = new api.Memory({ initial: type.limits.min, maximum: type.limits.max ?? MAX_PAGES, shared: type.shared })) {
    this.#bytes = new Uint8Array(js.buffer);
    this.#view = new DataView(js.buffer);
    ours.set(js, this);
  }

  get size(): number {
    return this.js.buffer.byteLength;
  }

  get bytes(): Uint8Array {
    const { buffer } = this.js;
    if (this.#bytes.buffer !== buffer) this.#bytes = new Uint8Array(buffer);
    return this.#bytes;
  }

  get view(): DataView {
    const { buffer } = this.js;
    if (this.#view.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
  }

  grow(pages: number): number {
    return grow(() => this.js.grow(this.type.is64 ? BigInt(pages) : pages));
  }
}

export class V8Table implements Table {
  readonly kind = 'table';

  constructor(readonly type: TableType, readonly js: JsTable = new api.Table({ element: type.elem === FUNCREF ? 'anyfunc' : 'externref', initial: type.limits.min, maximum: type.limits.max }, null)) {
    ours.set(js, this);
  }

  get length(): number {
    return Number(this.js.length);
  }

  #at(index: number): number | bigint {
    return this.type.is64 ? BigInt(index) : index;
  }

  get(index: number): Value | undefined {
    return index >= 0 && index < this.length ? toOurs(this.js.get(this.#at(index))) : undefined;
  }

  set(index: number, value: Value): void {
    if (!(index >= 0 && index < this.length)) throw new RangeError(`table index ${index} is outside of ${this.length} elements`);
    this.js.set(this.#at(index), toJs(value));
  }

  grow(delta: number, init: Value): number {
    return grow(() => this.js.grow(this.#at(delta), toJs(init)));
  }
}

export class V8Global implements Global {
  readonly kind = 'global';
  readonly js: JsGlobal;

  /** @param made V8's global; one with the value `init` is made where there is none */
  constructor(readonly type: GlobalType, init?: Value, made?: JsGlobal) {
    this.js = made ?? new api.Global({ value: JS_TYPES.get(type.type) ?? 'externref', mutable: type.mutable }, toJs(init ?? null));
    ours.set(this.js, this);
  }

  get value(): Value {
    return toOurs(this.js.value);
  }

  set value(value: Value) {
    this.js.value = toJs(value);
  }
}

/** Tags stay inside of V8: none is exported, so that none can be imported either. */
abstract class V8Tag implements Tag {
  readonly kind = 'tag';
  abstract readonly type: FuncType;
  abstract readonly rtt: RuntimeType;
  abstract readonly js: object;
}

const JS_TYPES: ReadonlyMap<ValType, string> = new Map([[I32, 'i32'], [I64, 'i64'], [F32, 'f32'], [F64, 'f64'], [FUNCREF, 'anyfunc'], [EXTERNREF, 'externref']]);

function grow(run: () => number | bigint): number {
  try {
    return Number(run());
  } catch (error) {
    if (error instanceof RangeError) return -1;
    throw error;
  }
}

function toJs(value: Value): unknown {
  return value instanceof V8Func ? value.js : value;
}

function toOurs(value: unknown): Value {
  return (typeof value === 'function' ? ours.get(value) ?? value : value) as Value;
}

/** Whether values of these types are the same to both sides. */
function arePlain(types: readonly ValType[]): boolean {
  return !types.some(isRef);
}

function hasVectors({ params, results }: FuncType): boolean {
  return params.includes(V128) || results.includes(V128);
}

function across(type: FuncType, inner: 'values' | 'words', kind: Kind, imported: JsFunc, name: string): JsFunc {
  const bytes = bridge(type, inner, kind);
  if (!bytes) throw new UnsupportedError(`a reference to a type of the module beside a v128 between the host and V8's own engine, in "${name}",`);
  return new api.Instance(new api.Module(bytes), { '': { '': imported } }).exports['f'] as JsFunc;
}

const hosts = new WeakMap<HostFunc, V8Func[]>();

function hostFunc(host: HostFunc, type = functionType(host.type)): V8Func {
  let funcs = hosts.get(host);
  if (!funcs) hosts.set(host, funcs = []);
  let func = funcs.find(({ rtt }) => rtt === type);
  if (!func) funcs.push(func = new V8Func(type, undefined, -1, host, undefined));
  return func;
}

function own(func: Func): V8Func {
  if (func instanceof V8Func) return func;
  throw new UsageError('this function belongs to another engine');
}

// ---- modules

interface Compiled extends Rewritten { readonly js: object }
const compiled = new WeakMap<Module, Map<string, Compiled>>();
/** number in V8's stack traces -> module, as long as that is in use */
const traced = new Map<number, WeakRef<Module>>();
const forgotten = new FinalizationRegistry<number>((id) => traced.delete(id));
const shifts = new WeakMap<Module, Map<number, number>>();
let ids = 0;

function compile(module: Module, limits: Limits): Compiled {
  let variants = compiled.get(module);
  if (!variants) compiled.set(module, variants = new Map());
  const key = `${limits.memoryPages} ${limits.tableElements}`;
  let found = variants.get(key);
  if (!found) {
    const id = ids++;
    const rewritten = rewrite(module, `m${id}`, limits);
    try {
      found = { ...rewritten, js: new api.Module(rewritten.bytes) };
    } catch (error) {
      if (!(error instanceof api.CompileError)) throw error;
      throw new UnsupportedError(`this module in V8's own engine: ${error.message.replace('WebAssembly.Module(): ', '')}`);
    }
    variants.set(key, found);
    traced.set(id, new WeakRef(module));
    forgotten.register(module, id);
    let known = shifts.get(module);
    if (!known) shifts.set(module, known = new Map());
    known.set(id, found.shift);
  }
  return found;
}

/** @param offset in the rewritten module */
function locate(id: number, offset: number): Located | undefined {
  const module = traced.get(id)?.deref();
  return module && { module, offset: offset - shifts.get(module)!.get(id)! };
}

// ---- instances

const DEFAULT_LIMITS: Limits = { memoryPages: MAX_PAGES, tableElements: MAX_TABLE, callDepth: Infinity, codeSize: Infinity };
const PARTS = { Func: V8Func, Table: V8Table, Memory: V8Memory, Global: V8Global, Tag: V8Tag, hostFunc };

export class V8Instance implements Instance {
  readonly exports: ReadonlyMap<string, V8Func | V8Memory | V8Table | V8Global>;
  readonly memory: V8Memory | undefined;
  readonly table: V8Table | undefined;
  readonly #start: V8Func | undefined;
  #started = false;

  constructor(readonly module: Module, imports: Imports, limits: Partial<Limits> = {}) {
    const { memoryPages, tableElements } = { ...DEFAULT_LIMITS, ...limits };
    const types = runtimeTypes(module);
    const linked = link(module, types, imports, PARTS);
    const { imported } = module;
    const pages = module.memories.slice(imported.memory).reduce((sum, memory) => sum + memory.limits.min, 0);
    if (pages > memoryPages) throw new ExhaustedError('memory size', `${pages} pages, the limit is ${memoryPages}`);
    for (const { type } of module.tables.slice(imported.table)) {
      if (type.limits.min > tableElements) throw new ExhaustedError('table size', `${type.limits.min} elements, the limit is ${tableElements}`);
    }
    const { js } = compile(module, { ...DEFAULT_LIMITS, ...limits });
    const items = { func: linked.funcs.map((func) => func.host ? this.#entry(func.host, func.type) : func.js!), table: linked.tables, memory: linked.memories, global: linked.globals, tag: linked.tags };
    const next = { func: 0, table: 0, memory: 0, global: 0, tag: 0 };
    const provided = module.imports.map(({ desc: { kind } }) => {
      const item = items[kind][next[kind]++];
      return typeof item === 'function' ? item : item.js;
    });
    const made = instantiate(js, provided);
    const item = (kind: 'func' | 'table' | 'memory' | 'global', index: number) => {
      const its = made[`${kind}${index}`] as object;
      switch (kind) {
        case 'func': {
          const host = linked.funcs[index]?.host && linked.funcs[index];
          if (host) host.js ??= its as JsFunc;
          return adopt(its, () => host || new V8Func(types[module.funcs[index]], module, index, undefined, its as JsFunc));
        }
        case 'table': return adopt(its, () => new V8Table(processTable(types, module.tables[index].type), its as JsTable));
        case 'memory': return adopt(its, () => new V8Memory(module.memories[index], its as JsMemory));
        case 'global': return adopt(its, () => new V8Global(processGlobal(types, module.globals[index].type), undefined, its as JsGlobal));
      }
    };
    // functions in tables too: they get their wrapper before anybody can meet them
    for (const name of Object.keys(made)) if (name.startsWith('func')) item('func', Number(name.slice(4)));
    this.exports = new Map(module.exports.flatMap(({ name, kind, index }) => kind === 'tag' ? [] : [[name, item(kind, index)]]));
    this.memory = module.memories.length > 0 ? item('memory', 0) as V8Memory : undefined;
    this.table = module.tables.length > 0 ? item('table', 0) as V8Table : undefined;
    this.#start = module.start === undefined ? undefined : item('func', module.start) as V8Func;
  }

  async start(options?: RunOptions): Promise<void> {
    if (!this.#start || this.#started) return;
    this.#started = true;
    await this.call(this.#start, [], options);
  }

  callSync(func: Func, args: readonly Value[]): Value[] {
    return enterGuest(this, func, args);
  }

  /** As the interpreter's: floats are given as their bits, in arguments and results. */
  callBits(func: Func, args: readonly Value[]): Value[] {
    return enterGuest(this, func, args, true);
  }

  /** Runs to the end in one go, once the caller has come to its own; the signal counts before that only. */
  begin(): never {
    throw new UnsupportedError("stopping a call at an instruction in V8's own engine");
  }

  async call(func: Func, args: readonly Value[], { signal, fuel }: RunOptions = {}): Promise<Value[]> {
    if (fuel !== undefined) throw new UnsupportedError("fuel in V8's own engine");
    await undefined;
    if (signal?.aborted) throw interrupted(signal);
    return enterGuest(this, func, args);
  }

  /** What V8 calls for an import. */
  #entry(host: HostFunc, type: FuncType): JsFunc {
    const plainArgs = arePlain(type.params), plainResults = arePlain(type.results), vectors = hasVectors(type);
    const entry: JsFunc = (...given) => {
      const args = vectors ? fromWords(type.params, given) : given;
      const result = runHost(host, this, plainArgs ? args as Value[] : args.map(toOurs));
      try {
        const values = hostValues(type, result, host);
        const results = plainResults ? values : values.map(toJs);
        const all = vectors ? toWords(type.results, results) : results;
        return all.length > 1 ? all : all[0];
      } catch (error) {
        throw fromHost(error);
      }
    };
    return vectors ? across(type, 'words', { bits: false }, entry, host.name) : entry;
  }
}

function instantiate(module: object, provided: readonly unknown[]): { readonly [name: string]: unknown } {
  // the JavaScript API reads the imports in order, one property of a property each; names may be there twice
  let next = 0;
  const items = new Proxy({}, { get: () => provided[next++] });
  const modules = new Proxy({}, { get: () => items });
  try {
    return new api.Instance(module, modules).exports;
  } catch (error) {
    if (error instanceof api.LinkError) throw new LinkError('incompatible import type', '', '', error.message);
    if (error instanceof RangeError) throw new ExhaustedError('memory size', 'which the host cannot allocate', { cause: error });
    throw translate(error);
  }
}

// ---- calls

/** what host functions have thrown: V8's own errors look alike */
const hostErrors = new WeakSet<object>();

function fromHost(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) hostErrors.add(error);
  return error;
}

function runHost(host: HostFunc, caller: V8Instance, args: readonly Value[]): Value | void | readonly Value[] {
  try {
    const result = host.run(caller, args);
    return isLater(result) ? drive(host, caller, result) : result as Value | void | readonly Value[];
  } catch (error) {
    throw fromHost(error);
  }
}

/** Runs a generator on the stack of V8. */
function drive(host: HostFunc, caller: V8Instance, result: HostResult): Value | void | readonly Value[] {
  const refusal = () => new UsageError(`host function "${host.name}" has to wait, which V8's own engine cannot do`);
  const ignore = (promise: Promise<unknown>) => {
    // nobody else looks at this promise, and its failure is not news
    promise.catch(() => {});
  };
  if (!isGenerator(result)) {
    ignore(result as Promise<unknown>);
    throw refusal();
  }
  let failed = false;
  let value: unknown;
  for (;;) {
    const step = failed ? result.throw(value) : result.next(value);
    failed = false;
    if (step.done) return step.value as Value | void | readonly Value[];
    try {
      if (isPromise(step.value)) {
        ignore(step.value);
        throw refusal();
      }
      value = callGuest(caller, step.value.func, step.value.args);
    } catch (error) {
      failed = true;
      value = translate(error);
    }
  }
}

let depth = 0;

/** The outermost frame of a call, which the stack of a trap ends at: v8-trap.ts looks for its name. */
function enterGuest(caller: V8Instance, func: Func, args: readonly Value[], bits = false): Value[] {
  const limit = Error.stackTraceLimit;
  if (depth++ === 0) Error.stackTraceLimit = FRAMES;
  try {
    return callGuest(caller, func, args, bits);
  } catch (error) {
    throw translate(error);
  } finally {
    if (--depth === 0) Error.stackTraceLimit = limit;
  }
}

function callGuest(caller: V8Instance, wanted: Func, args: readonly Value[], bits = false): Value[] {
  const func = own(wanted);
  const { type, host } = func;
  checkArgs(func, args, bits);
  if (host && !bits) return hostValues(type, runHost(host, caller, args), host);
  const words = bits || hasVectors(type);
  const given = arePlain(type.params) ? args : args.map(toJs);
  const result = words ? func.words({ bits })(...toWords(type.params, given)) : func.js!(...given);
  const { length } = words ? type.results.flatMap((one) => wordsOf(one, { bits })) : type.results;
  const all = length === 0 ? [] : length === 1 ? [result as Value] : result as Value[];
  const values = words ? fromWords(type.results, all) as Value[] : all;
  return arePlain(type.results) ? values : values.map(toOurs);
}

/** V8's own complaints, in the terms of WebAssembly; with the stack, where that is missing. */
function translate(error: unknown): unknown {
  const isHosts = typeof error === 'object' && error !== null && hostErrors.has(error);
  let told = error;
  if (isStackOverflow(error)) told = new ExhaustedError('call stack exhausted', 'the stack of V8');
  else if (!isHosts && error instanceof api.RuntimeError) told = trapOf(error, locate);
  else if (api.Exception && error instanceof api.Exception) told = new GuestException(error);
  putFrames(told, error, locate);
  return told;
}

export const v8: Engine = {
  name: 'v8',
  suspends: false,
  compile(bytes) {
    const module = decodeAndValidate(bytes, FEATURES_ALL);
    compile(module, DEFAULT_LIMITS);
    return module;
  },
  instantiate(module, imports, options) {
    return new V8Instance(module, imports, options?.limits);
  },
  restore() {
    throw new UnsupportedError("a snapshot in V8's own engine");
  },
};
