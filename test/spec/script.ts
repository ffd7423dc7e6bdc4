/**
 * Runs one script of the official suite (JSON, see the suite's README) on an engine, and says of every command whether it came
 * out as the script has it, and where not, why. A command is skipped where the engine says that it does not have what it takes.
 */
import { GuestException, InvalidError, LinkError, MalformedError, Trap, UnsupportedError } from '#src/errors.js';
import type { Engine, Extern, Func, Global, HostFunc, Imports, Instance, Value } from '#src/interp/engine.js';
import { WasmArray, WasmStruct } from '#src/interp/gc.js';
import { WasmGlobal } from '#src/interp/global.js';
import type { Module } from '#src/interp/module.js';
import { F32, F64, FUNCREF, I32, I64, V128, type ValType } from '#src/interp/types.js';
import type { Subject } from '../interp/engines.js';

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

export interface Outcome { readonly how: 'passed' | 'failed' | 'skipped'; readonly why?: string }

/** What the suite asks of an instance beyond what hosts do: the bits of NaNs. */
type BitInstance = Instance & { callBits(func: Func, args: readonly Value[]): Value[] };

/** What could not be made; what is asked of it comes out the same way. */
class Missing {
  constructor(readonly why: unknown) {}
}

class Failure extends Error {}

export class ScriptRun {
  readonly #engine: Engine;
  readonly #subject: Subject;
  readonly #modules: readonly Uint8Array[];
  readonly #definitions = new Map<string, Module | Missing>();
  readonly #instances = new Map<string, BitInstance | Missing>();
  readonly #registered = new Map<string, BitInstance | Missing>();
  #definition: Module | Missing | undefined;
  #current: BitInstance | Missing | undefined;
  readonly #spectest: { readonly [item: string]: Extern | undefined };

  constructor(readonly script: Script, subject: Subject) {
    this.#engine = subject.engine;
    this.#subject = subject;
    this.#spectest = spectest(subject);
    this.#modules = script.modules.map((text) => Buffer.from(text, 'base64'));
  }

  async run(command: Command): Promise<Outcome> {
    try {
      await this.#command(command);
      return { how: 'passed' };
    } catch (error) {
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return { how: error instanceof UnsupportedError ? 'skipped' : 'failed', why };
    }
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
        expectError(() => this.#act(command.action), Trap, this.#subject.reasonOf(command.text), (e) => e.reason);
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
        expectError(() => { if (thrown !== undefined) throw thrown; }, Trap, this.#subject.reasonOf(command.text), (e) => e.reason);
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
      return new Missing(error);
    }
  }

  async #instantiate({ name, of }: ModuleRef): Promise<void> {
    const definition = of === undefined ? this.#definition : this.#definitions.get(of);
    let instance: BitInstance | Missing;
    if (definition instanceof Missing) {
      instance = definition;
    } else {
      try {
        instance = this.#engine.instantiate(definition!, this.#imports()) as BitInstance;
        await instance.start();
      } catch (error) {
        instance = new Missing(error);
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
      return (instance as BitInstance).exports.get(item);
    };
  }

  #find(name: string | undefined): BitInstance | Missing {
    const instance = name === undefined ? this.#current : this.#instances.get(name);
    if (!instance) throw new Failure(`no instance ${name ?? ''}`);
    return instance;
  }

  #act({ type, module, field, args = [] }: Action): (readonly [ValType, Value])[] {
    const instance = this.#find(module);
    known(instance);
    const item = (instance as BitInstance).exports.get(field);
    if (!item) throw new Failure(`no export "${field}"`);
    if (type === 'get') return [[(item as Global).type.type, bitsOfGlobal(item as Global)]];
    const func = item as Func;
    const values = (instance as BitInstance).callBits(func, args.map(bitsOf));
    return values.map((value, i) => [func.type.results[i], value] as const);
  }
}

function known(made: Module | BitInstance | Missing): void {
  if (made instanceof Missing) throw made.why;
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
    default: throw new Failure(`a value of type ${type}`);
  }
}

/** As callBits gives them. */
function bitsOfGlobal(global: Global): Value {
  const { type: { type }, value } = global;
  if (type !== F32 && type !== F64) return value;
  if (global instanceof WasmGlobal) return type === F32 ? global.words[global.at] : BigInt(global.words[global.at + 1]) << 32n | BigInt(global.words[global.at] >>> 0);
  const bits = new DataView(new ArrayBuffer(8));
  if (type === F32) bits.setFloat32(0, value as number);
  else bits.setFloat64(0, value as number);
  return type === F32 ? bits.getInt32(0) : bits.getBigInt64(0);
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

function spectest({ parts: { Global, Memory, Table } }: Subject): { readonly [item: string]: Extern | undefined } {
  const print = (name: string, params: readonly ValType[]): HostFunc => ({ kind: 'host', name, type: { params, results: [] }, run: () => undefined });
  const global = (type: ValType, value: Value) => new Global({ type, mutable: false }, value);
  return {
    print: print('print', []), print_i32: print('print_i32', [I32]), print_i64: print('print_i64', [I64]), print_f32: print('print_f32', [F32]),
    print_f64: print('print_f64', [F64]), print_i32_f32: print('print_i32_f32', [I32, F32]), print_f64_f64: print('print_f64_f64', [F64, F64]),
    global_i32: global(I32, 666), global_i64: global(I64, 666n), global_f32: global(F32, 666.6), global_f64: global(F64, 666.6),
    table: new Table({ elem: FUNCREF, limits: { min: 10, max: 20 } }),
    table64: table64(Table),
    memory: new Memory({ limits: { min: 1, max: 2 }, shared: false }),
  };
}

/** Not every V8 makes one. */
function table64(Table: Subject['parts']['Table']): Extern | undefined {
  try {
    return new Table({ elem: FUNCREF, limits: { min: 10, max: 20 }, is64: true });
  } catch {
    return undefined;
  }
}
