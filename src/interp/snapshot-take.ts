/** Makes a snapshot (snapshot.ts) of an instance and of a call that is stopped in it. Reads only. */
import { UnsupportedError } from '../errors.js';
import type { HostReferences, Value } from './engine.js';
import { WasmException } from './exception.js';
import { WasmFunc } from './func.js';
import { WasmArray, WasmStruct } from './gc.js';
import type { WasmInstance } from './instance.js';
import type { Place } from './machine-plain.js';
import type { WasmMemory } from './memory.js';
import type { RuntimeType } from './rtt.js';
import { runner } from './run.js';
import { Sites } from './site.js';
import { SNAPSHOT_VERSION, moduleId, type SavedFrame, type SavedMemory, type SavedObject, type SavedRef, type SavedValue, type Snapshot } from './snapshot.js';
import { F32, F64, I32, I64, V128, isRef, type ValType } from './types.js';
import type { WasmGlobal } from './global.js';

/** Bytes of memory that are looked at together: where all are zero, none is saved. */
const BLOCK = 4096;

/** @param places of the call's guest functions, the innermost first @param steps instructions before the one at which the innermost is */
export function take(inst: WasmInstance, places: readonly Place[], steps: number, references: HostReferences | undefined): Snapshot {
  const graph = new Graph(inst, references);
  const frames = framesOf(inst, places, graph);
  const { module } = inst;
  const memories = inst.memories.map((memory) => memoryOf(memory));
  const tables = inst.tables.map(({ elems }) => elems.map((elem) => graph.ref(elem)));
  const globals = inst.globals.map((global) => globalOf(global, graph));
  const elems = inst.elems.map((segment) => segment?.map((elem) => graph.ref(elem)));
  const datas = inst.datas.map((data) => data !== undefined);
  return { version: SNAPSHOT_VERSION, module: moduleId(module), steps, frames, memories, tables, globals, elems, datas, objects: graph.finish() };
}

function framesOf(inst: WasmInstance, places: readonly Place[], graph: Graph): SavedFrame[] {
  const sites = new Sites();
  const frames = places.map((place, i): SavedFrame => {
    if (place.inst !== inst) throw new UnsupportedError('a snapshot with frames of another instance');
    if (i > 0 && place.host) throw new UnsupportedError(`a snapshot within what host function "${place.host.host.name}" has called`);
    const { func, offset, slots: { locals, operands } } = sites.of(place, true);
    const values = (types: readonly ValType[], at: number): SavedValue[] => types.map((type, k) => graph.value(type, runner.read(type, at + k, true)));
    return { func, offset, locals: values(locals, place.fp), operands: values(operands, place.fp + locals.length) };
  });
  return frames.reverse();
}

/** What is not zero. The contents are copied, as the guest goes on. */
function memoryOf({ pages, bytes }: WasmMemory): SavedMemory {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const parts: { at: number; bytes: Uint8Array }[] = [];
  let start = -1;
  for (let at = 0; at <= bytes.length; at += BLOCK) {
    if (at < bytes.length && !isZero(words, at / 4)) {
      if (start < 0) start = at;
    } else if (start >= 0) {
      parts.push({ at: start, bytes: bytes.slice(start, at) });
      start = -1;
    }
  }
  return { pages, parts };
}

function isZero(words: Int32Array, at: number): boolean {
  for (let i = at; i < at + BLOCK / 4; i++) if (words[i] !== 0) return false;
  return true;
}

function globalOf({ type: { type }, words, at, ref }: WasmGlobal, graph: Graph): SavedValue {
  switch (type) {
    case I32: case F32: return words[at];
    case I64: case F64: return BigInt(words[at + 1]) << 32n | BigInt(words[at] >>> 0);
    case V128: return new Uint8Array(words.buffer.slice(0, 16));
    default: return graph.ref(ref);
  }
}

/** What references point to, each once, so that identity and cycles are kept. */
class Graph {
  readonly #objects: (WasmStruct | WasmArray | WasmException)[] = [];
  readonly #numbers = new Map<object, number>();
  readonly #funcs = new Map<object, number>();
  readonly #types = new Map<RuntimeType, number>();

  constructor(readonly inst: WasmInstance, readonly references: HostReferences | undefined) {
    inst.funcs.forEach((func, i) => { if (!this.#funcs.has(func)) this.#funcs.set(func, i); });
    inst.code.types.forEach((type, i) => { if (!this.#types.has(type)) this.#types.set(type, i); });
  }

  value(type: ValType, value: Value): SavedValue {
    return isRef(type) ? this.ref(value) : value as SavedValue;
  }

  ref(value: Value): SavedRef {
    if (value === null) return null;
    if (typeof value === 'number') return value << 1 >> 1 === value && !Object.is(value, -0) ? { kind: 'i31', value } : { kind: 'number', value };
    if (typeof value === 'bigint') return { kind: 'number', value };
    if (value instanceof WasmStruct || value instanceof WasmArray || value instanceof WasmException) {
      let number = this.#numbers.get(value);
      if (number === undefined) {
        this.#numbers.set(value, number = this.#objects.length);
        this.#objects.push(value);
      }
      return { kind: 'object', value: number };
    }
    const func = this.#funcs.get(value);
    if (func !== undefined) return { kind: 'func', value: func };
    const name = this.references?.save(value);
    if (name !== undefined) return { kind: 'host', value: name };
    throw new UnsupportedError(`a snapshot with ${value instanceof WasmFunc ? 'a function of another instance' : 'an object of the host'}`, '', 'give it a name with references.save');
  }

  /** All that have been met, and those that they lead to. */
  finish(): SavedObject[] {
    const saved: SavedObject[] = [];
    // the list grows as references are met
    for (let i = 0; i < this.#objects.length; i++) saved.push(this.#object(this.#objects[i]));
    return saved;
  }

  #object(object: WasmStruct | WasmArray | WasmException): SavedObject {
    if (object instanceof WasmException) {
      const tag = this.inst.tags.indexOf(object.tag);
      if (tag < 0) throw new UnsupportedError('a snapshot with an exception of another instance');
      return { kind: 'exception', type: tag, values: object.values.map((value, i) => this.value(object.tag.type.params[i], value)) };
    }
    const type = this.#types.get(object.rtt);
    if (type === undefined) throw new UnsupportedError('a snapshot with an object of another module');
    if (object instanceof WasmStruct) return { kind: 'struct', type, values: object.fields.map((value, i) => this.value(object.rtt.def.fields[i].type, value)) };
    const { elems } = object;
    if (!Array.isArray(elems)) return { kind: 'array', type, values: new Uint8Array(elems.buffer.slice(elems.byteOffset, elems.byteOffset + elems.byteLength)) };
    return { kind: 'array', type, values: elems.map((value) => this.value(object.rtt.def.fields[0].type, value)) };
  }
}
