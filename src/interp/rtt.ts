/**
 * Types at run time: equal types of all modules of the process are one object with one number, whatever index a module has for
 * them (specification, appendix "Type Equivalence": rolled-up recursion groups). A process-wide type is written like a module's
 * (types.ts), with that number in place of the module's index.
 */
import type { Module } from './module.js';
import { TypeRelation, groupKey } from './subtype.js';
import { isNullable, refTo, typeIndexOf, type FuncType, type GlobalType, type TableType, type TypeDef, type ValType } from './types.js';

export class RuntimeType {
  /** its super types, the root first, and itself at the end */
  readonly display: readonly RuntimeType[];

  /** @param def its references to types are process-wide ones */
  constructor(readonly id: number, readonly def: TypeDef, above: RuntimeType | undefined) {
    this.display = above ? [...above.display, this] : [this];
  }

  /** Whether values of this type are values of `type`. */
  isBelow(type: RuntimeType): boolean {
    return this === type || this.display[type.display.length - 1] === type;
  }
}

const TYPES: RuntimeType[] = [];
const defs: TypeDef[] = [];
const canonical: number[] = [];
/** structure -> number of the group's first type */
const groups = new Map<string, number>();

/** Subtyping of process-wide types. */
export const RELATION = new TypeRelation(defs, canonical);

export function runtimeType(id: number): RuntimeType {
  return TYPES[id];
}

const ofModule = new WeakMap<Module, readonly RuntimeType[]>();

/** type index of the module -> its type */
export function runtimeTypes(module: Module): readonly RuntimeType[] {
  let types = ofModule.get(module);
  if (!types) ofModule.set(module, types = canonicalise(module.defs));
  return types;
}

function canonicalise(local: readonly TypeDef[]): readonly RuntimeType[] {
  const types: RuntimeType[] = [];
  const ids = new Int32Array(local.length);
  for (let start = 0; start < local.length;) {
    const { groupSize } = local[start];
    const key = groupKey(local, start, start + groupSize, ids);
    let first = groups.get(key);
    const fresh = first === undefined;
    if (first === undefined) groups.set(key, first = TYPES.length);
    for (let i = 0; i < groupSize; i++) ids[start + i] = first + i;
    for (let i = 0; i < groupSize; i++) {
      if (fresh) add(translate(local[start + i], first, ids));
      types.push(TYPES[first + i]);
    }
    start += groupSize;
  }
  return types;
}

function add(def: TypeDef): void {
  const id = TYPES.length;
  defs.push(def);
  canonical.push(id);
  TYPES.push(new RuntimeType(id, def, def.supers.length > 0 ? TYPES[def.supers[0]] : undefined));
}

function translate({ form, func, fields, final, supers, groupSize }: TypeDef, group: number, ids: Int32Array): TypeDef {
  const type = (t: ValType) => translateType(t, (index) => ids[index]);
  return {
    form, final, group, groupSize,
    func: { params: func.params.map(type), results: func.results.map(type) },
    fields: fields.map((field) => ({ type: type(field.type), mutable: field.mutable })),
    supers: supers.map((up) => ids[up]),
  };
}

function translateType(type: ValType, idOf: (index: number) => number): ValType {
  const index = typeIndexOf(type);
  return index < 0 ? type : refTo(idOf(index), isNullable(type));
}

/** A module's type as a process-wide one. */
export function processType(types: readonly RuntimeType[], type: ValType): ValType {
  return translateType(type, (index) => types[index].id);
}

export function processTable(types: readonly RuntimeType[], type: TableType): TableType {
  return typeIndexOf(type.elem) < 0 ? type : { ...type, elem: processType(types, type.elem) };
}

export function processGlobal(types: readonly RuntimeType[], type: GlobalType): GlobalType {
  return typeIndexOf(type.type) < 0 ? type : { ...type, type: processType(types, type.type) };
}

/** The type of a function that no module declares: final, and alone in its group. @param func in process-wide types */
export function functionType(func: FuncType): RuntimeType {
  const def: TypeDef = { form: 'func', func, fields: [], final: true, supers: [], group: 0, groupSize: 1 };
  const key = groupKey([def], 0, 1, undefined);
  let id = groups.get(key);
  if (id === undefined) {
    groups.set(key, id = TYPES.length);
    add({ ...def, group: id });
  }
  return TYPES[id];
}

export function sameFuncType(a: FuncType, b: FuncType): boolean {
  return a === b || sameTypes(a.params, b.params) && sameTypes(a.results, b.results);
}

function sameTypes(a: readonly ValType[], b: readonly ValType[]): boolean {
  return a.length === b.length && a.every((type, i) => type === b[i]);
}
