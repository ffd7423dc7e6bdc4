/**
 * Runs one script of the official suite (JSON, see the suite's README) on an engine, and says for every command whether it
 * came out as the script has it; where not, why, and which feature of WebAssembly the command needs that the engine lacks.
 */
import { GuestException, InvalidError, LinkError, MalformedError, Trap } from '#src/errors.js';
import { decode } from '#src/interp/decode.js';
import type { Engine, Extern, Func, Global, HostFunc, Imports, Value } from '#src/interp/engine.js';
import { WasmArray, WasmStruct } from '#src/interp/gc.js';
import { WasmGlobal } from '#src/interp/global.js';
import { WasmInstance } from '#src/interp/instance.js';
import { InstrReader } from '#src/interp/instr.js';
import { interpreter } from '#src/interp/interpreter.js';
import { WasmMemory } from '#src/interp/memory.js';
import type { Module } from '#src/interp/module.js';
import { FEATURES_3_0, FEATURES_ALL, type Feature } from '#src/interp/opcodes.js';
import { WasmTable } from '#src/interp/table.js';
import { F32, F64, FUNCREF, I32, I64, V128, type ValType } from '#src/interp/types.js';
import { validate } from '#src/interp/validate.js';

export interface Script { readonly source: string; readonly commands: readonly Command[]; readonly modules: readonly string[] }
interface ModuleRef { readonly form: 'definition' | 'instance'; readonly name?: string; readonly binary?: number; readonly of?: string }
interface Action { readonly type: 'invoke' | 'get'; readonly module?: string; readonly field: string; readonly args?: readonly Const[] }
type LaneType = 'i8' | 'i16' | 'i32' | 'i64' | 'f32' | 'f64';
/** A v128's `value` is an array of lanes, which `lanesOf` gives. */
interface Const { readonly type: string; readonly value?: string; readonly lane_type?: LaneType; readonly heap?: string; readonly values?: readonly Const[] }
export type Command =
  | ({ readonly type: 'module' } & ModuleRef)
  | { readonly type: 'register'; readonly as: string; readonly name?: string }
  | { readonly type: 'action'; readonly action: Action }
  | { readonly type: 'assert_return'; readonly action: Action; readonly expected: readonly Const[] }
  | { readonly type: 'assert_trap' | 'assert_exhaustion' | 'assert_exception'; readonly action: Action; readonly text: string }
  | { readonly type: 'assert_invalid' | 'assert_malformed' | 'assert_unlinkable' | 'assert_uninstantiable'; readonly module: ModuleRef; readonly text: string };

/** `feature` is undefined where nothing explains the failure. */
export interface Outcome { readonly ok: boolean; readonly why?: string; readonly feature?: string }

/** What could not be made, and what is asked of it fails for the same reason. */
class Missing {
  constructor(readonly why: string, readonly feature: string | undefined) {}
}

class Failure extends Error {
  constructor(message: string, readonly feature?: string) {
    super(message);
  }
}

export class ScriptRun {
  readonly #engine: Engine;
  readonly #modules: readonly Uint8Array[];
  readonly #definitions = new Map<string, Module | Missing>();
  readonly #instances = new Map<string, WasmInstance | Missing>();
  readonly #registered = new Map<string, WasmInstance | Missing>();
  #definition: Module | Missing | undefined;
  #current: WasmInstance | Missing | undefined;
  readonly #spectest = spectest();
  /** what the first module that could not be made needs: the script counts on what that one would have done */
  #lacking: string | undefined;

  constructor(readonly script: Script, engine: Engine) {
    this.#engine = engine;
    this.#modules = script.modules.map((text) => Buffer.from(text, 'base64'));
  }

  async run(command: Command): Promise<Outcome> {
    try {
      await this.#command(command);
      return { ok: true };
    } catch (error) {
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      const feature = (error instanceof Failure ? error.feature : undefined) ?? this.#featureOfModule(command) ?? this.#lacking;
      return { ok: false, why, ...(feature === undefined ? {} : { feature }) };
    }
  }

  /** What an assertion's own module needs. */
  #featureOfModule(command: Command): string | undefined {
    if (!('module' in command) || typeof command.module !== 'object' || command.module.binary === undefined) return undefined;
    const bytes = this.#modules[command.module.binary];
    return neededFeatures(bytes) ?? (command.type === 'assert_malformed' ? neededFor((features) => malformedAs(bytes, features, command.text)) : undefined);
  }

  async #command(command: Command): Promise<void> {
    switch (command.type) {
      case 'module': return command.form === 'definition' ? this.#define(command) : this.#instantiate(command);
      case 'register': {
        const instance = this.#find(command.name);
        this.#registered.set(command.as, instance);
        known(instance);
        return;
      }
      case 'action': this.#act(command.action); return;
      case 'assert_return': {
        const got = this.#act(command.action);
        const { expected } = command;
        if (got.length !== expected.length || !got.every(([type, value], i) => matches(type, value, expected[i]))) {
          throw new Failure(`gives ${got.map(([, value]) => String(value)).join(', ')}; expected ${JSON.stringify(expected)}`);
        }
        return;
      }
      case 'assert_trap': case 'assert_exhaustion':
        expectError(() => this.#act(command.action), Trap, command.text, (e) => e.reason);
        return;
      case 'assert_exception':
        expectError(() => this.#act(command.action), GuestException, 'unhandled exception', (e) => e.reason);
        return;
      case 'assert_invalid': {
        const bytes = this.#modules[command.module.binary!];
        expectError(() => this.#engine.compile(bytes), InvalidError, command.text, (e) => e.reason);
        return;
      }
      case 'assert_malformed': {
        const bytes = this.#modules[command.module.binary!];
        expectError(() => this.#engine.compile(bytes), MalformedError, command.text, (e) => e.reason);
        return;
      }
      case 'assert_unlinkable': {
        const module = this.#inline(command.module);
        expectError(() => this.#engine.instantiate(module, this.#imports()), LinkError, command.text, (e) => e.reason);
        return;
      }
      case 'assert_uninstantiable': {
        const module = this.#inline(command.module);
        let thrown: unknown;
        try {
          await this.#engine.instantiate(module, this.#imports()).start();
        } catch (error) {
          thrown = error;
        }
        expectError(() => { if (thrown !== undefined) throw thrown; }, Trap, command.text, (e) => e.reason);
        return;
      }
    }
  }

  #define({ name, binary }: ModuleRef): void {
    this.#definition = this.#compile(this.#modules[binary!]);
    if (name !== undefined) this.#definitions.set(name, this.#definition);
    known(this.#definition);
  }

  #compile(bytes: Uint8Array): Module | Missing {
    try {
      return this.#engine.compile(bytes);
    } catch (error) {
      const feature = neededFeatures(bytes);
      this.#lacking ??= feature;
      return new Missing(String(error), feature);
    }
  }

  async #instantiate({ name, of }: ModuleRef): Promise<void> {
    const definition = of === undefined ? this.#definition : this.#definitions.get(of);
    let instance: WasmInstance | Missing;
    if (definition instanceof Missing) {
      instance = definition;
    } else {
      try {
        instance = this.#engine.instantiate(definition!, this.#imports()) as WasmInstance;
        await instance.start();
      } catch (error) {
        instance = new Missing(String(error), error instanceof Failure ? error.feature : undefined);
      }
    }
    this.#current = instance;
    if (name !== undefined) this.#instances.set(name, instance);
    known(instance);
  }

  #inline({ binary, of }: ModuleRef): Module {
    const module = binary === undefined ? this.#definitions.get(of!) ?? this.#definition! : this.#compile(this.#modules[binary]);
    known(module);
    return module as Module;
  }

  #imports(): Imports {
    return (module, item) => {
      if (module === 'spectest') return this.#spectest[item];
      const instance = this.#registered.get(module);
      if (instance === undefined) return undefined;
      known(instance);
      return (instance as WasmInstance).exports.get(item);
    };
  }

  #find(name: string | undefined): WasmInstance | Missing {
    const instance = name === undefined ? this.#current : this.#instances.get(name);
    if (!instance) throw new Failure(`no instance ${name ?? ''}`);
    return instance;
  }

  #act({ type, module, field, args = [] }: Action): (readonly [ValType, Value])[] {
    const instance = this.#find(module);
    known(instance);
    const item = (instance as WasmInstance).exports.get(field);
    if (!item) throw new Failure(`no export "${field}"`);
    if (type === 'get') {
      const global = item as Global as WasmGlobal;
      const { words, at } = global;
      const bits: Value = global.isReference ? global.ref : global.type.type === V128 ? global.value : global.isWide ? BigInt(words[at + 1]) << 32n | BigInt(words[at] >>> 0) : words[at];
      return [[global.type.type, bits]];
    }
    const func = item as Func;
    const values = (instance as WasmInstance).callBits(func, args.map(bitsOf));
    return values.map((value, i) => [func.type.results[i], value] as const);
  }
}

function known(made: Module | WasmInstance | Missing): void {
  if (made instanceof Missing) throw new Failure(made.why, made.feature);
}

/** The features beyond 2.0 without which a module is not even well-formed, or not valid; undefined where that is not the trouble. */
function neededFeatures(bytes: Uint8Array): string | undefined {
  if (!wellFormed(bytes, FEATURES_ALL)) return neededFor((features) => wellFormed(bytes, features));
  if (valid(bytes, FEATURES_ALL)) return undefined;
  return neededFor((features) => valid(bytes, features)) ?? constantFeatures(bytes) ?? beyond(bytes);
}

/** Which features make `judge` content, where all of 3.0 do and those of 2.0 do not. */
function neededFor(judge: (features: ReadonlySet<Feature>) => boolean): string | undefined {
  if (judge(FEATURES_ALL) || !judge(FEATURES_3_0)) return undefined;
  const later = [...FEATURES_3_0].filter((feature) => !FEATURES_ALL.has(feature));
  const needed = later.filter((feature) => !judge(new Set([...FEATURES_3_0].filter((one) => one !== feature))));
  // where one of several features is enough, the first of them
  return needed.join(' ') || later.find((feature) => judge(new Set<Feature>([...FEATURES_ALL, feature])));
}

/** Constant expressions of 3.0 compute, and read globals that the module defines itself. */
function constantFeatures(bytes: Uint8Array): string | undefined {
  const module = decode(bytes, FEATURES_ALL);
  const { globals, tables, elems, datas, imported } = module;
  const exprs = [...globals, ...tables].flatMap(({ init }) => init ? [init] : []);
  for (const { mode, init } of elems) exprs.push(...mode.kind === 'active' ? [mode.offset] : [], ...init.filter((item) => typeof item !== 'number'));
  for (const { mode } of datas) if (mode.kind === 'active') exprs.push(mode.offset);
  for (const { start, end } of exprs) {
    const instr = new InstrReader(bytes, start, end, FEATURES_ALL);
    while (instr.pos < end) {
      instr.next();
      if (instr.op >= 0x6a && instr.op <= 0x7e) return 'extended-const';
      if (instr.op === 0x23 && instr.a >= imported.global && instr.a < globals.length) return 'gc';
    }
  }
  return undefined;
}

function malformedAs(bytes: Uint8Array, features: ReadonlySet<Feature>, text: string): boolean {
  try {
    decode(bytes, features);
    return false;
  } catch (error) {
    return error instanceof MalformedError && error.reason.startsWith(text);
  }
}

function wellFormed(bytes: Uint8Array, features: ReadonlySet<Feature>): boolean {
  try {
    const module = decode(bytes, features);
    for (const { start, end } of module.codes) {
      const instr = new InstrReader(bytes, start, end, features);
      while (instr.pos < instr.end) instr.next();
    }
    return true;
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
}

function valid(bytes: Uint8Array, features: ReadonlySet<Feature>): boolean {
  try {
    validate(decode(bytes, features), features);
    return true;
  } catch (error) {
    if (error instanceof MalformedError || error instanceof InvalidError) return false;
    throw error;
  }
}

/** What the validator itself names as missing. */
function beyond(bytes: Uint8Array): string | undefined {
  try {
    interpreter.compile(bytes);
  } catch (error) {
    return error instanceof Error ? /needs the feature ([\w-]+)/.exec(error.message)?.[1] : undefined;
  }
  return undefined;
}

function expectError<E extends Error>(run: () => unknown, kind: abstract new (...args: never[]) => E, text: string, reason: (error: E) => string): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) throw new Failure(`nothing is wrong; expected "${text}"`);
  if (!(thrown instanceof kind)) throw thrown;
  const got = reason(thrown);
  if (!got.startsWith(text) && !text.startsWith(got)) throw new Failure(`"${got}"; expected "${text}"`);
}

// ---- values

const externs = new Map<string, object>();
/** The host's object number `n`. */
function extern(n: string): object {
  let object = externs.get(n);
  if (!object) externs.set(n, object = { extern: n });
  return object;
}

/** As callBits wants them. */
function bitsOf(constant: Const): Value {
  const { type, value } = constant;
  switch (type) {
    case 'i32': case 'f32': return Number(value) | 0;
    case 'i64': case 'f64': return BigInt.asIntN(64, BigInt(value!));
    case 'ref.null': return null;
    case 'ref.extern': case 'ref.host': return extern(value!);
    case 'v128': return vectorOf(constant);
    default: throw new Failure(`a value of type ${type}`, 'gc');
  }
}

function matches(type: ValType, got: Value, expected: Const): boolean {
  switch (expected.type) {
    case 'either': return expected.values!.some((one) => matches(type, got, one));
    case 'i32': return type === I32 && got === (Number(expected.value) | 0);
    case 'i64': return type === I64 && got === BigInt.asIntN(64, BigInt(expected.value!));
    case 'f32': {
      if (type !== F32) return false;
      const bits = got as number;
      if (expected.value === 'nan:canonical') return (bits & 0x7fffffff) === 0x7fc00000;
      if (expected.value === 'nan:arithmetic') return (bits & 0x7fc00000) === 0x7fc00000;
      return bits === (Number(expected.value) | 0);
    }
    case 'f64': {
      if (type !== F64) return false;
      const bits = BigInt.asUintN(64, got as bigint);
      if (expected.value === 'nan:canonical') return (bits & 0x7fffffffffffffffn) === 0x7ff8000000000000n;
      if (expected.value === 'nan:arithmetic') return (bits & 0x7ff8000000000000n) === 0x7ff8000000000000n;
      return bits === BigInt(expected.value!);
    }
    case 'v128': {
      if (type !== V128) return false;
      const view = new DataView((got as Uint8Array<ArrayBuffer>).buffer);
      const lane = expected.lane_type!;
      return lanesOf(expected).every((value, i) => lane.startsWith('f')
        ? matches(lane === 'f32' ? F32 : F64, lane === 'f32' ? view.getInt32(4 * i, true) : view.getBigInt64(8 * i, true), { type: lane, value })
        : laneAt(view, lane, i) === BigInt(value));
    }
    case 'ref.null': return got === null;
    case 'ref.func': return got !== null && (got as { kind?: unknown }).kind === 'func';
    case 'ref.extern': case 'ref.host': return expected.value === undefined ? got !== null : got === extern(expected.value);
    case 'ref.struct': return got instanceof WasmStruct;
    case 'ref.array': return got instanceof WasmArray;
    case 'ref.i31': return typeof got === 'number';
    case 'ref.eq': return got instanceof WasmStruct || got instanceof WasmArray || typeof got === 'number';
    case 'ref.any': return got !== null;
    default: return false;
  }
}

/** Decimal numbers of `lane_type`, unsigned; floats as their bits. */
function lanesOf(constant: Const): readonly string[] {
  return constant.value as unknown as readonly string[];
}

const bitsOfLane = (type: LaneType): number => Number(type.slice(1));

function laneAt(view: DataView, type: LaneType, i: number): bigint {
  switch (bitsOfLane(type)) {
    case 8: return BigInt(view.getUint8(i));
    case 16: return BigInt(view.getUint16(2 * i, true));
    case 32: return BigInt(view.getUint32(4 * i, true));
    default: return view.getBigUint64(8 * i, true);
  }
}

function vectorOf(constant: Const): Uint8Array {
  const bits = bitsOfLane(constant.lane_type!);
  const vector = new DataView(new ArrayBuffer(16));
  const whole = lanesOf(constant).reduce((sum, lane, i) => sum | BigInt.asUintN(bits, BigInt(lane)) << BigInt(bits * i), 0n);
  vector.setBigUint64(0, BigInt.asUintN(64, whole), true);
  vector.setBigUint64(8, whole >> 64n, true);
  return new Uint8Array(vector.buffer);
}

function spectest(): { readonly [item: string]: Extern | undefined } {
  const print = (name: string, params: readonly ValType[]): HostFunc => ({ kind: 'host', name, type: { params, results: [] }, run: () => undefined });
  const global = (type: ValType, value: Value) => new WasmGlobal({ type, mutable: false }, value);
  return {
    print: print('print', []), print_i32: print('print_i32', [I32]), print_i64: print('print_i64', [I64]), print_f32: print('print_f32', [F32]),
    print_f64: print('print_f64', [F64]), print_i32_f32: print('print_i32_f32', [I32, F32]), print_f64_f64: print('print_f64_f64', [F64, F64]),
    global_i32: global(I32, 666), global_i64: global(I64, 666n), global_f32: global(F32, 666.6), global_f64: global(F64, 666.6),
    table: new WasmTable({ elem: FUNCREF, limits: { min: 10, max: 20 } }),
    table64: new WasmTable({ elem: FUNCREF, limits: { min: 10, max: 20 }, is64: true }),
    memory: new WasmMemory({ limits: { min: 1, max: 2 }, shared: false }),
  };
}
