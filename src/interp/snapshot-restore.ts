/**
 * Fills an instance from a snapshot, and puts its call together again. What a snapshot says is checked as if a stranger had written
 * it: every reference against the type of its place, every frame against the call that it is said to have been made by.
 */
import { ProjectError, SnapshotError } from '../errors.js';
import { WasmExecution } from './control.js';
import type { HostReferences, Value } from './engine.js';
import { WasmException } from './exception.js';
import { WasmArray, WasmStruct, defaultStruct, newElements } from './gc.js';
import type { WasmInstance } from './instance.js';
import { InstrReader } from './instr.js';
import { PAGE } from './memory.js';
import { FEATURES_ALL } from './opcodes.js';
import { plainFunction, slotsAt, type Slots } from './plain.js';
import { isInstance } from './ref-types.js';
import { RELATION, processType } from './rtt.js';
import { runner } from './run.js';
import { SNAPSHOT_VERSION, moduleId, type SavedFrame, type SavedMemory, type SavedObject, type SavedRef, type SavedValue, type Snapshot } from './snapshot.js';
import { F64, I16, I64, I8, V128, isRef, nullable, typeName, type FuncType, type ValType } from './types.js';

/** @param inst new, and empty. @returns the call. @throws SnapshotError */
export function restore(inst: WasmInstance, snapshot: Snapshot, references: HostReferences | undefined): WasmExecution {
  try {
    return new Restoring(inst, snapshot, references).run();
  } catch (error) {
    // bounds of the engine are the snapshot's fault too
    if (error instanceof ProjectError && !(error instanceof SnapshotError)) throw new SnapshotError(error.message, undefined, { cause: error });
    throw error;
  }
}

function fail(reason: string): never {
  throw new SnapshotError(reason);
}

function sameCount(what: string, has: number, wanted: number): void {
  if (has !== wanted) fail(`${has} ${what}, the module has ${wanted}`);
}

class Restoring {
  readonly #objects: (WasmStruct | WasmArray | WasmException)[];

  constructor(readonly inst: WasmInstance, readonly snapshot: Snapshot, readonly references: HostReferences | undefined) {
    const { version, module } = snapshot;
    if (version !== SNAPSHOT_VERSION) fail(`version ${String(version)}, this is ${SNAPSHOT_VERSION}`);
    const { size, hash } = moduleId(inst.module);
    if (module.size !== size || module.hash[0] !== hash[0] || module.hash[1] !== hash[1]) fail('of another module');
    this.#objects = snapshot.objects.map((object) => this.#make(object));
  }

  run(): WasmExecution {
    const { inst, snapshot } = this;
    snapshot.objects.forEach((object, i) => this.#fillObject(object, this.#objects[i]));
    sameCount('memories', snapshot.memories.length, inst.memories.length);
    snapshot.memories.forEach((saved, i) => this.#memory(i, saved));
    sameCount('tables', snapshot.tables.length, inst.tables.length);
    snapshot.tables.forEach((elems, i) => this.#table(i, elems));
    sameCount('globals', snapshot.globals.length, inst.globals.length);
    snapshot.globals.forEach((value, i) => this.#global(i, value));
    sameCount('element segments', snapshot.elems.length, inst.elems.length);
    snapshot.elems.forEach((elems, i) => this.#segment(i, elems));
    sameCount('data segments', snapshot.datas.length, inst.datas.length);
    snapshot.datas.forEach((there, i) => { if (!there) inst.datas[i] = undefined; });
    if (!Number.isSafeInteger(snapshot.steps) || snapshot.steps < 0) fail(`${snapshot.steps} steps`);
    return new WasmExecution(inst, this.#call(snapshot.frames), snapshot.steps);
  }

  // ---- the instance

  #memory(index: number, { pages, parts }: SavedMemory): void {
    const memory = this.inst.memories[index];
    if (pages < memory.pages || memory.grow(pages - memory.pages) < 0) fail(`memory ${index} of ${pages} pages`);
    const { bytes } = memory;
    if (index < this.inst.module.imported.memory) bytes.fill(0);
    for (const part of parts) {
      if (!(part.at >= 0 && part.at + part.bytes.length <= pages * PAGE)) fail(`${part.bytes.length} bytes at ${part.at} of memory ${index}, which has ${pages} pages`);
      bytes.set(part.bytes, part.at);
    }
  }

  #table(index: number, saved: readonly SavedRef[]): void {
    const table = this.inst.tables[index];
    const { elem } = table.type;
    const elems = saved.map((ref) => this.#ref(elem, ref, `table ${index}`));
    const more = elems.length - table.length;
    if (more < 0 || more > 0 && table.grow(more, elems[elems.length - 1]) < 0) fail(`table ${index} of ${elems.length} elements`);
    elems.forEach((value, i) => { table.elems[i] = value; });
  }

  #global(index: number, saved: SavedValue): void {
    const global = this.inst.globals[index];
    const { type } = global.type;
    const value = this.#value(type, saved, `global ${index}`);
    if (isRef(type)) {
      global.ref = value;
    } else if (type === V128) {
      global.value = value;
    } else if (typeof value === 'bigint') {
      global.words[global.at] = Number(BigInt.asIntN(32, value));
      global.words[global.at + 1] = Number(value >> 32n);
    } else {
      global.words[global.at] = value as number;
    }
  }

  #segment(index: number, saved: readonly SavedRef[] | undefined): void {
    const { inst } = this;
    if (!saved) {
      inst.elems[index] = undefined;
      return;
    }
    sameCount(`elements in segment ${index}`, saved.length, inst.elems[index]!.length);
    const type = processType(inst.code.types, inst.module.elems[index].type);
    inst.elems[index] = saved.map((ref) => this.#ref(type, ref, `element segment ${index}`));
  }

  // ---- values

  /** @param type process-wide. @returns bits */
  #value(type: ValType, saved: SavedValue, where: string): Value {
    if (isRef(type)) return this.#ref(type, isPlain(saved) ? fail(`${where} is a reference, and has ${typeof saved}`) : saved, where);
    const fits = type === I64 || type === F64 ? typeof saved === 'bigint' && BigInt.asIntN(64, saved) === saved
      : type === V128 ? saved instanceof Uint8Array && saved.length === 16
      : typeof saved === 'number' && (type === I8 ? saved << 24 >> 24 : type === I16 ? saved << 16 >> 16 : saved | 0) === saved;
    if (!fits) fail(`${where} is of type ${typeName(type)}`);
    return saved as Value;
  }

  /** A reference may be null everywhere: a local that has not been set is so, whatever its type. */
  #ref(type: ValType, saved: SavedRef, where: string): Value {
    const value = saved === null ? null : this.#pointee(saved, where);
    if (!isInstance(value, nullable(type))) fail(`${where} is of type ${typeName(type)}`);
    return value;
  }

  #pointee(saved: SavedRef & object, where: string): Value {
    switch (saved.kind) {
      case 'func': return this.inst.funcs[saved.value] ?? fail(`${where} is function ${saved.value}, the module has ${this.inst.funcs.length}`);
      case 'i31': return saved.value << 1 >> 1 === saved.value ? saved.value : fail(`${where} is i31 ${saved.value}`);
      case 'object': return this.#objects[saved.value] ?? fail(`${where} is object ${saved.value}, there are ${this.#objects.length}`);
      case 'number': return saved.value;
      case 'host': return this.references?.load(saved.value) ?? fail(`${where} is "${saved.value}", which the host does not know`);
    }
  }

  /** An object without its values, as they may point to it. */
  #make({ kind, type, values }: SavedObject): WasmStruct | WasmArray | WasmException {
    const { inst } = this;
    if (kind !== 'array' && values instanceof Uint8Array) fail(`bytes in an object of kind ${kind}`);
    if (kind === 'exception') return new WasmException(inst.tags[type] ?? fail(`exception of tag ${type}, the module has ${inst.tags.length}`), []);
    const rtt = inst.code.types[type] as typeof inst.code.types[number] | undefined;
    if (rtt?.def.form !== kind) fail(`${kind} of type ${type}, which is none`);
    if (kind === 'struct') return defaultStruct(rtt);
    const { BYTES_PER_ELEMENT: width } = newElements(rtt.def.fields[0].type, 0) as { readonly BYTES_PER_ELEMENT?: number };
    if ((width !== undefined) !== values instanceof Uint8Array || values.length % (width ?? 1) !== 0) fail(`array of type ${type} with ${values.length} ${width === undefined ? 'elements' : 'bytes'}`);
    return new WasmArray(rtt, newElements(rtt.def.fields[0].type, values.length / (width ?? 1)));
  }

  #fillObject({ kind, values }: SavedObject, object: WasmStruct | WasmArray | WasmException): void {
    if (values instanceof Uint8Array) {
      const { elems } = object as WasmArray;
      new Uint8Array((elems as Int8Array).buffer).set(values);
      return;
    }
    const types = object instanceof WasmException ? object.tag.type.params : object.rtt.def.fields.map(({ type }) => type);
    const into = (object instanceof WasmException ? object.values : object instanceof WasmStruct ? object.fields : object.elems) as Value[];
    if (kind !== 'array') sameCount(`values in an object of kind ${kind}`, values.length, types.length);
    values.forEach((value, i) => { into[i] = this.#value(types[kind === 'array' ? 0 : i], value, `a value in an object of kind ${kind}`); });
  }

  // ---- the call

  #call(frames: readonly SavedFrame[]) {
    const { inst } = this;
    if (frames.length === 0) fail('no frames');
    const defined = (func: number) => func >= inst.module.imported.func && func < inst.funcs.length;
    const sites = frames.map((frame, i): Site => {
      if (!defined(frame.func)) fail(`frame of function ${frame.func}, which the module does not define`);
      return this.#site(frame, i < frames.length - 1);
    });
    return runner.rebuild(inst, inst.funcs[frames[0].func], () => {
      let fp = 0;
      frames.forEach((frame, i) => {
        const { slots: { locals, operands }, pc } = sites[i];
        if (i > 0) this.#checkCall(frames[i - 1], frame);
        runner.addFrame(inst, pc, fp);
        const where = `function ${frame.func}`;
        sameCount(`locals of ${where}`, frame.locals.length, locals.length);
        sameCount(`operands of ${where}`, frame.operands.length, operands.length);
        [...locals, ...operands].forEach((type, k) => {
          const own = processType(inst.code.types, type);
          runner.store(own, fp + k, this.#value(own, k < locals.length ? frame.locals[k] : frame.operands[k - locals.length], where), true);
        });
        fp += locals.length + operands.length;
      });
    });
  }

  readonly #sites = new Map<string, Site>();

  #site({ func, offset }: SavedFrame, calls: boolean): Site {
    const key = `${func} ${offset} ${calls}`;
    let site = this.#sites.get(key);
    if (!site) {
      const { code } = this.inst;
      const plain = plainFunction(code, func);
      const pc = calls ? plain.behind(offset) : plain.at(offset);
      const slots = slotsAt(code, func, offset, calls);
      if (pc === undefined || !slots) fail(`function ${func} has no ${calls ? 'call' : 'instruction'} at ${offset}`);
      this.#sites.set(key, site = { pc, slots });
    }
    return site;
  }

  /** The function called is one whose results the caller can take: after tail calls it may be any such. */
  #checkCall({ func, offset }: SavedFrame, callee: SavedFrame): void {
    const { results } = this.inst.funcs[callee.func].type;
    const wanted = this.#calledAt(offset);
    const fits = wanted && wanted.results.length === results.length && results.every((type, i) => RELATION.matches(type, wanted.results[i]));
    if (!fits) fail(`function ${func} does not call function ${callee.func} at ${offset}`);
  }

  /** The process-wide type of the function that the instruction calls; undefined where it is no call, or a tail call. */
  #calledAt(offset: number): FuncType | undefined {
    const { module, code, funcs } = this.inst;
    const instr = new InstrReader(module.bytes, offset, module.bytes.length, FEATURES_ALL);
    instr.next();
    switch (instr.op) {
      case 0x10: return funcs[instr.a].type;
      case 0x11: case 0x14: return code.types[instr.a].def.func;
      default: return undefined;
    }
  }
}

interface Site { readonly pc: number; readonly slots: Slots }

function isPlain(saved: SavedValue): saved is number | bigint | Uint8Array {
  return typeof saved === 'number' || typeof saved === 'bigint' || saved instanceof Uint8Array;
}
