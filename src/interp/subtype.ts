/**
 * Subtyping and equality of a module's types (specification chapter 3.3, "Matching", and its appendix on rolled-up types):
 * recursion groups with the same structure are the same types. Types of two modules meet in rtt.ts.
 */
import { InvalidError } from '../errors.js';
import type { FieldType, Module, RefType, TypeDef, ValType } from './module.js';
import {
  ANYREF, ARRAYREF, CONCRETE, EQREF, EXNREF, EXTERNREF, FUNCREF, I16, I31REF, I8, NULLEXNREF, NULLEXTERNREF, NULLFUNCREF, NULLREF, STRUCTREF,
  isNullable, isRef, nonNull, typeIndexOf, typeName,
} from './types.js';

/** The type of a value that unreachable code may have or not: it fits everywhere. */
export const BOTTOM = 0;
/** The same, known to be a reference. */
export const BOTTOM_REF = 0x162;
/** A longer chain of super types is refused: each step costs time wherever the types are compared. */
const MAX_SUBTYPE_DEPTH = 63;

/** abstract heap type -> the abstract heap types directly above it */
const ABOVE: ReadonlyMap<number, readonly number[]> = new Map([
  [I31REF, [EQREF]], [STRUCTREF, [EQREF]], [ARRAYREF, [EQREF]], [EQREF, [ANYREF]], [NULLREF, [I31REF, STRUCTREF, ARRAYREF]],
  [NULLFUNCREF, [FUNCREF]], [NULLEXTERNREF, [EXTERNREF]], [NULLEXNREF, [EXNREF]],
]);
const BELOW_FORM = { func: NULLFUNCREF, struct: NULLREF, array: NULLREF } as const;
const ABOVE_FORM = { func: FUNCREF, struct: STRUCTREF, array: ARRAYREF } as const;

/** Matching of types that are given as a list, whichever they are: of one module, or of the process. */
export class TypeRelation {
  /** @param canonical type -> the number that all equal ones have */
  constructor(protected readonly defs: readonly TypeDef[], protected readonly canonical: { readonly [index: number]: number }) {}

  /** Whether a value of type `sub` may stand where `type` is wanted. */
  matches(sub: ValType, type: ValType): boolean {
    if (sub === type || sub === BOTTOM) return true;
    if (!isRef(sub) || !isRef(type)) return false;
    if (sub === BOTTOM_REF) return true;
    if (isNullable(sub) && !isNullable(type)) return false;
    return this.#heapMatches(sub, type);
  }

  allMatch(subs: readonly ValType[], types: readonly ValType[]): boolean {
    return subs.length === types.length && subs.every((sub, i) => this.matches(sub, types[i]));
  }

  fieldMatches(sub: FieldType, field: FieldType): boolean {
    if (sub.mutable !== field.mutable) return false;
    return this.storageMatches(sub.type, field.type) && (!sub.mutable || this.storageMatches(field.type, sub.type));
  }

  storageMatches(sub: ValType, type: ValType): boolean {
    return sub === type || sub !== I8 && sub !== I16 && this.matches(sub, type);
  }

  /** The top of the hierarchy of a reference: what a cast may start from. */
  top(type: RefType): RefType {
    const index = typeIndexOf(type);
    if (index >= 0) return this.defs[index].form === 'func' ? FUNCREF : ANYREF;
    switch (type & 0xff) {
      case FUNCREF: case NULLFUNCREF: return FUNCREF;
      case EXTERNREF: case NULLEXTERNREF: return EXTERNREF;
      case EXNREF: case NULLEXNREF: return EXNREF;
      default: return ANYREF;
    }
  }

  #heapMatches(sub: RefType, type: RefType): boolean {
    const a = typeIndexOf(sub), b = typeIndexOf(type);
    if (a >= 0 && b >= 0) return this.#below(a, b);
    if (a >= 0) return abstractBelow(ABOVE_FORM[this.defs[a].form], type & 0xff);
    if (b >= 0) return (sub & 0xff) === BELOW_FORM[this.defs[b].form];
    return abstractBelow(sub & 0xff, type & 0xff);
  }

  #below(sub: number, type: number): boolean {
    const wanted = this.canonical[type];
    for (let at: number | undefined = sub; at !== undefined; at = this.defs[at].supers[0]) {
      if (this.canonical[at] === wanted) return true;
    }
    return false;
  }

  defMatches(sub: TypeDef, def: TypeDef): boolean {
    if (sub.form !== def.form) return false;
    if (def.form === 'func') return this.allMatch(def.func.params, sub.func.params) && this.allMatch(sub.func.results, def.func.results);
    return sub.fields.length >= def.fields.length && def.fields.every((field, i) => this.fieldMatches(sub.fields[i], field));
  }
}

/** The types of one module. */
export class TypeSpace extends TypeRelation {
  /** Checks the type section on the way. @throws InvalidError */
  constructor(module: Module) {
    const { defs } = module;
    // type index -> the lowest index of an equal type
    const canonical = Int32Array.from(defs, (_, i) => i);
    super(defs, canonical);
    const depths = new Uint8Array(defs.length);
    const groups = new Map<string, number>();
    for (let start = 0; start < defs.length; start += defs[start].groupSize) {
      const end = start + defs[start].groupSize;
      for (let i = start; i < end; i++) this.#known(i, end);
      const key = groupKey(defs, start, end, canonical);
      const same = groups.get(key);
      if (same === undefined) groups.set(key, start);
      else for (let i = start; i < end; i++) canonical[i] = canonical[same + i - start];
      for (let i = start; i < end; i++) {
        const { supers } = defs[i];
        if (supers.length === 0) continue;
        const up = supers[0];
        depths[i] = depths[up] + 1;
        if (depths[i] > MAX_SUBTYPE_DEPTH) throw new InvalidError('sub type is too deep', {}, `type ${i} is ${depths[i]} below its root, at most ${MAX_SUBTYPE_DEPTH}`);
        if (defs[up].final || !this.defMatches(defs[i], defs[up])) {
          throw new InvalidError('sub type does not match its super type', {}, `type ${i} is no sub type of ${defs[up].final ? 'final ' : ''}type ${up}`);
        }
      }
    }
  }

  #known(index: number, end: number): void {
    const { func, fields, supers } = this.defs[index];
    const check = (type: ValType): void => {
      if (typeIndexOf(type) >= end) throw unknownType(typeIndexOf(type), `type ${index} can name types below ${end}`);
    };
    func.params.forEach(check);
    func.results.forEach(check);
    for (const { type } of fields) check(type);
    if (supers.length > 1) throw new InvalidError('sub type has more than one super type', {}, `type ${index}`);
    for (const up of supers) if (up >= index) throw unknownType(up, `a super type of type ${index} has to come before it`);
  }
}

/**
 * The structure of a group: equal groups, and only they, have equal keys.
 * @param canonical of the types before the group; undefined where references are canonical as they are
 */
export function groupKey(defs: readonly TypeDef[], start: number, end: number, canonical: { readonly [index: number]: number } | undefined): string {
  const ref = (index: number) => canonical === undefined ? `c${index}` : index >= start ? `r${index - start}` : `c${canonical[index]}`;
  const type = (t: ValType): string => {
    const index = typeIndexOf(t);
    return index < 0 ? String(t) : `${nonNull(t) === t ? '!' : '?'}${ref(index)}`;
  };
  return defs.slice(start, end).map(({ form, func, fields, final, supers }) => [
    form[0], final ? 'f' : 'o', supers.map(ref), '(', func.params.map(type), ')', func.results.map(type),
    fields.map((field) => `${field.mutable ? 'm' : 'c'}${type(field.type)}`),
  ].join(' ')).join(';');
}

/** The types themselves are written differently, so a reference to a module's type is never abstract. */
function abstractBelow(sub: number, type: number): boolean {
  if (sub === type) return true;
  if (sub === CONCRETE) return false;
  return (ABOVE.get(sub) ?? []).some((up) => abstractBelow(up, type));
}

export function unknownType(index: number, detail: string): InvalidError {
  return new InvalidError(`unknown type ${index}`, {}, detail);
}

export function typeNames(types: readonly ValType[]): string {
  return `[${types.map(typeName).join(' ')}]`;
}
