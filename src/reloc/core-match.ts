/**
 * CO-RE matching: reads a relocation's access string against the program's own types, and finds the same field, type or
 * enumerator in a candidate type of the target. Knows nothing of instructions (core-patch.ts) and does not look for the
 * candidates (core.ts). The rules are libbpf's (relo_core.c, version 1.8), to the last corner, since programs rely on them;
 * what a match says is "why not" in words.
 */
import { RelocationError } from '../errors.js';
import { typeLabel, typeName } from './btf-c.js';
import { type Btf, type BtfEnumerator, type BtfKind, type BtfMember, type BtfType, essentialName } from './btf.js';
import type { CoreKind, CoreRelocation } from './spec.js';

/** Longest access string, in steps (BPF_CORE_SPEC_MAX_LEN). */
const MAX_STEPS = 64;
/** Pointers, arrays and signatures that a comparison follows. */
const MAX_DEPTH = 32;
/** Pairs of types that one comparison may look at; real ones need hundreds. */
const MAX_PAIRS = 100_000;

/** A turning point of an access: a named member, or an index (`name` undefined). */
export interface CoreAccessor {
  /** the struct or union of the member, the element type of an index; modifiers and typedefs skipped */
  readonly typeId: number;
  /** of the member, element or enumerator */
  readonly index: number;
  readonly name: string | undefined;
}

/** An access resolved in one BTF. */
export interface CoreSpec {
  readonly btf: Btf;
  /** as given: modifiers and typedefs not skipped */
  readonly rootId: number;
  readonly kind: CoreKind;
  /** named members and indices only: anonymous structs and unions on the way are passed over */
  readonly accessors: readonly CoreAccessor[];
  /** every step, as in the access string */
  readonly raw: readonly number[];
  /** of the field, from the start of the root type */
  readonly bitOffset: number;
}

export const coreFamily: Readonly<Record<CoreKind, 'field' | 'type' | 'enumval'>> = {
  field_byte_offset: 'field', field_byte_size: 'field', field_exists: 'field',
  field_signed: 'field', field_lshift_u64: 'field', field_rshift_u64: 'field',
  type_id_local: 'type', type_id_target: 'type', type_exists: 'type', type_size: 'type', type_matches: 'type',
  enumval_exists: 'enumval', enumval_value: 'enumval',
};

type Composite = BtfType & { readonly kind: 'struct' | 'union' };
type AnyEnum = BtfType & { readonly kind: 'enum' | 'enum64'; readonly values: readonly BtfEnumerator[] };

/**
 * Resolves the access string of a relocation in the object's own types.
 * @throws RelocationError (without a place: the caller knows it) for an access that the types do not have
 */
export function parseSpec(btf: Btf, relocation: CoreRelocation): CoreSpec {
  const { typeId: rootId, kind, access } = relocation;
  const family = coreFamily[kind];
  const fail = (reason: string): RelocationError => new RelocationError(`access "${access.length > 300 ? `${access.slice(0, 300)}…` : access}" of ${typeLabel(btf, rootId)}: ${reason}`);
  if (family === 'type') {
    if (access !== '0') throw fail('a type relocation has the access "0"');
    return { btf, rootId, kind, accessors: [], raw: [], bitOffset: 0 };
  }
  if (!/^\d+(:\d+)*$/.test(access)) throw fail('not a list of indices like "0:1:2"');
  const raw = access.split(':').map(Number);
  if (raw.length > MAX_STEPS) throw fail(`${raw.length} steps, more than ${MAX_STEPS}`);
  const tooLarge = raw.find((index) => index > 0x7fff_ffff);
  if (tooLarge !== undefined) throw fail(`index ${tooLarge} is beyond 2^31`);

  let id = skipModifiers(btf, rootId);
  if (family === 'enumval') {
    const root = btf.type(id);
    if (root.kind !== 'enum' && root.kind !== 'enum64') throw fail(`${root.kind} is not an enum`);
    if (raw.length > 1) throw fail('an enumerator has one index');
    const value = root.values[raw[0]];
    if (value === undefined) throw fail(`no enumerator ${raw[0]} of ${root.values.length}`);
    return { btf, rootId, kind, accessors: [{ typeId: id, index: raw[0], name: value.name }], raw, bitOffset: 0 };
  }

  const accessors: CoreAccessor[] = [{ typeId: id, index: raw[0], name: undefined }];
  let bitOffset = raw[0] * btf.sizeOf(id) * 8;
  for (const index of raw.slice(1)) {
    id = skipModifiers(btf, id);
    const member = btf.member(id, index);
    const type = member ? undefined : btf.type(id);
    if (type?.kind === 'struct' || type?.kind === 'union') throw fail(`no member ${index} of ${type.members.length} in ${typeLabel(btf, id)}`);
    if (member) {
      bitOffset += member.bitOffset;
      if (member.name !== '') accessors.push({ typeId: id, index, name: member.name });
      id = member.type;
    } else if (type?.kind === 'array') {
      id = skipModifiers(btf, type.type);
      if (index >= type.nelems && !isFlexible(btf, accessors.at(-1), type.nelems)) throw fail(`index ${index} is outside of ${type.nelems} elements`);
      accessors.push({ typeId: id, index, name: undefined });
      bitOffset += index * btf.sizeOf(id) * 8;
    } else {
      throw fail(`${typeLabel(btf, id)} has neither members nor elements`);
    }
  }
  return { btf, rootId, kind, accessors, raw, bitOffset: checkOffset(bitOffset) };
}

/**
 * Finds what `local` means in a candidate type.
 * @returns the access in the target, or why the candidate has none
 * @throws RelocationError, BtfError where the comparison cannot be made at all, which ends the relocation
 */
export function matchSpec(local: CoreSpec, btf: Btf, rootId: number): CoreSpec | string {
  const { kind } = local;
  switch (coreFamily[kind]) {
    case 'type': {
      const refused = kind === 'type_matches'
        ? new Comparison(local.btf, btf).match(local.rootId, rootId, false, MAX_DEPTH)
        : new Comparison(local.btf, btf).compatible(local.rootId, rootId, MAX_DEPTH);
      return refused ?? { btf, rootId, kind, accessors: [], raw: [], bitOffset: 0 };
    }
    case 'enumval': {
      const typeId = skipModifiers(btf, rootId);
      const type = btf.type(typeId);
      if (type.kind !== 'enum' && type.kind !== 'enum64') return `${typeLabel(btf, typeId)} is not an enum`;
      const wanted = essentialName(local.accessors[0].name!);
      const index = type.values.findIndex(({ name }) => essentialName(name) === wanted);
      if (index < 0) return `no enumerator "${wanted}"`;
      return { btf, rootId, kind, accessors: [{ typeId, index, name: type.values[index].name }], raw: [index], bitOffset: 0 };
    }
    case 'field':
      return matchField(local, btf, rootId);
  }
}

interface Walk { readonly accessors: CoreAccessor[]; readonly raw: number[]; bitOffset: number; /** anonymous types looked into so far */ visited: number }

function matchField(local: CoreSpec, btf: Btf, rootId: number): CoreSpec | string {
  const walk: Walk = { accessors: [], raw: [], bitOffset: 0, visited: 0 };
  let id = rootId;
  for (const [i, accessor] of local.accessors.entries()) {
    id = skipModifiers(btf, id);
    if (accessor.name !== undefined) {
      const found = findMember(local.btf, accessor, btf, id, walk);
      if (found === undefined) return `no field "${accessor.name}" in ${typeLabel(btf, id)}`;
      if (typeof found === 'string') return found;
      id = found.type;
      continue;
    }
    if (i > 0) {
      const type = btf.type(id);
      if (type.kind !== 'array') return `${fieldPath(walk.accessors)} is ${typeName(btf, id)}, not an array`;
      if (accessor.index >= type.nelems && !isFlexible(btf, walk.accessors.at(-1), type.nelems)) {
        return `index ${accessor.index} is outside of the ${type.nelems} elements of ${fieldPath(walk.accessors)}`;
      }
      id = skipModifiers(btf, type.type);
    }
    step(walk, accessor.index);
    walk.accessors.push({ typeId: id, index: accessor.index, name: undefined });
    walk.bitOffset += accessor.index * btf.sizeOf(id) * 8;
  }
  return { btf, rootId, kind: local.kind, accessors: walk.accessors, raw: walk.raw, bitOffset: checkOffset(walk.bitOffset) };
}

/**
 * The member of the accessor's name, anonymous structs and unions searched too, appended to the walk.
 * @returns undefined where there is none, a text where its type does not fit
 */
function findMember(localBtf: Btf, accessor: CoreAccessor, btf: Btf, id: number, walk: Walk): BtfMember | string | undefined {
  const typeId = skipModifiers(btf, id);
  if (++walk.visited > MAX_PAIRS) throw new RelocationError(`looking for "${accessor.name}" takes more than ${MAX_PAIRS} steps`);
  for (const index of btf.membersNamed(typeId, accessor.name!)) {
    const member = btf.member(typeId, index)!;
    const { bitOffset } = walk;
    step(walk, index);
    walk.bitOffset += member.bitOffset;
    if (member.name === '') {
      const found = findMember(localBtf, accessor, btf, member.type, walk);
      if (found !== undefined) return found;
    } else {
      const localType = localBtf.member(accessor.typeId, accessor.index)!.type;
      if (!fieldsAreCompatible(localBtf, localType, btf, member.type)) {
        return `field "${member.name}" of ${typeLabel(btf, typeId)} is ${typeName(btf, member.type)}, not ${typeName(localBtf, localType)}`;
      }
      walk.accessors.push({ typeId, index, name: member.name });
      return member;
    }
    walk.raw.pop();
    walk.bitOffset = bitOffset;
  }
  return undefined;
}

function step(walk: Walk, index: number): void {
  if (walk.raw.length === MAX_STEPS) throw new RelocationError(`the access takes more than ${MAX_STEPS} steps in the target`);
  walk.raw.push(index);
}

/** May one be read where the other was meant: kinds count, sizes and signs do not. */
function fieldsAreCompatible(localBtf: Btf, localId: number, btf: Btf, id: number): boolean {
  // as many rounds as there are nested arrays; skipModifiers and the ids' check end a cycle of them
  for (let round = 0; round <= MAX_DEPTH; round++) {
    const local = localBtf.type(localId = skipModifiers(localBtf, localId));
    const target = btf.type(id = skipModifiers(btf, id));
    if (isComposite(local.kind) && isComposite(target.kind)) return true;
    if (!sameKind(local.kind, target.kind)) return false;
    switch (local.kind) {
      case 'ptr': case 'float':
        return true;
      case 'fwd': case 'enum': case 'enum64': {
        const a = essentialName(local.name);
        const b = essentialName(target.name);
        return a === '' || b === '' || a === b;
      }
      case 'int':
        // only the long obsolete integers with a bit offset of their own are left out
        return local.bitOffset === 0 && (target as typeof local).bitOffset === 0;
      case 'array':
        localId = local.type;
        id = (target as typeof local).type;
        break;
      default:
        return false;
    }
  }
  throw new RelocationError(`arrays are nested deeper than ${MAX_DEPTH} in ${typeLabel(btf, id)}`);
}

/** Two relations between whole types. Each answers undefined for yes, or why not. */
class Comparison {
  #pairs = 0;
  constructor(readonly local: Btf, readonly target: Btf) {}

  /** The loose one (type_exists, type_size, type_id_target): kinds and signatures, names below the root ignored. */
  compatible(localRoot: number, targetRoot: number, level: number): string | undefined {
    if (!sameKind(this.local.kind(localRoot), this.target.kind(targetRoot))) return this.#kinds(localRoot, targetRoot);
    let localId = localRoot;
    let targetId = targetRoot;
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      this.#count();
      const local = this.local.type(localId = skipModifiers(this.local, localId));
      const target = this.target.type(targetId = skipModifiers(this.target, targetId));
      if (!sameKind(local.kind, target.kind)) return this.#kinds(localId, targetId);
      switch (local.kind) {
        case 'unkn': case 'struct': case 'union': case 'enum': case 'enum64': case 'fwd':
          return undefined;
        case 'int':
          return local.bitOffset === 0 && (target as typeof local).bitOffset === 0 ? undefined : 'an integer with a bit offset of its own';
        case 'ptr': case 'array':
          localId = local.type;
          targetId = (target as typeof local).type;
          break;
        case 'func_proto': {
          const params = (target as typeof local).params;
          if (local.params.length !== params.length) return `${params.length} parameters, not ${local.params.length}`;
          for (const [i, param] of local.params.entries()) {
            if (level <= 0) throw this.#tooDeep();
            const refused = this.compatible(skipModifiers(this.local, param.type), skipModifiers(this.target, params[i].type), level - 1);
            if (refused !== undefined) return refused;
          }
          localId = local.type;
          targetId = (target as typeof local).type;
          break;
        }
        default:
          return `a ${local.kind} is never compatible`;
      }
    }
    throw this.#tooDeep();
  }

  /** The strict one (type_matches): names, sizes, signs, every member of the local type. */
  match(localRoot: number, targetRoot: number, behindPointer: boolean, level: number): string | undefined {
    if (level <= 0) throw this.#tooDeep();
    let localId = localRoot;
    let targetId = targetRoot;
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      this.#count();
      const local = this.local.type(localId = skipModifiers(this.local, localId));
      const target = this.target.type(targetId = skipModifiers(this.target, targetId));
      if (!namesMatch(local.name, target.name)) return `"${target.name}", not "${local.name}"`;
      const kinds = local.kind === target.kind ? undefined : this.#kinds(localId, targetId);
      switch (local.kind) {
        case 'unkn':
          return kinds;
        case 'fwd':
          if (target.kind === 'fwd') return local.union === target.union ? undefined : this.#kinds(localId, targetId);
          return behindPointer && target.kind === (local.union ? 'union' : 'struct') ? undefined : kinds;
        case 'enum': case 'enum64':
          return target.kind === 'enum' || target.kind === 'enum64' ? matchEnums(local, target) : kinds;
        case 'struct': case 'union':
          if (!behindPointer) return kinds ?? this.#members(local, target as Composite, behindPointer, level);
          // what a pointer points to may be declared only
          return target.kind === 'fwd' && target.union === (local.kind === 'union') ? undefined : kinds;
        case 'int': {
          if (kinds !== undefined) return kinds;
          const { size, signed } = target as typeof local;
          if (local.size !== size) return `${local.name} has ${size} bytes, not ${local.size}`;
          return local.signed === signed ? undefined : `${local.name} is ${signed ? 'signed' : 'unsigned'}`;
        }
        case 'ptr':
          if (kinds !== undefined) return kinds;
          behindPointer = true;
          break;
        case 'array': {
          if (kinds !== undefined) return kinds;
          const { nelems } = target as typeof local;
          if (local.nelems !== nelems) return `${nelems} elements, not ${local.nelems}`;
          break;
        }
        case 'func_proto': {
          if (kinds !== undefined) return kinds;
          const { params } = target as typeof local;
          if (local.params.length !== params.length) return `${params.length} parameters, not ${local.params.length}`;
          for (const [i, param] of local.params.entries()) {
            const refused = this.match(param.type, params[i].type, behindPointer, level - 1);
            if (refused !== undefined) return refused;
          }
          break;
        }
        default:
          return `a ${local.kind} never matches`;
      }
      localId = local.type;
      targetId = (target as typeof local).type;
    }
    throw this.#tooDeep();
  }

  #members(local: Composite, target: Composite, behindPointer: boolean, level: number): string | undefined {
    if (local.members.length > target.members.length) return `${target.members.length} members, fewer than ${local.members.length}`;
    for (const member of local.members) {
      let why = 'it has none';
      const matched = target.members.some((candidate) => {
        if (!namesMatch(member.name, candidate.name)) return false;
        const refused = this.match(member.type, candidate.type, behindPointer, level - 1);
        if (refused !== undefined) why = refused;
        return refused === undefined;
      });
      if (!matched) return `member "${member.name}" of ${typeLabel(this.local, local.id)}: ${why}`;
    }
    return undefined;
  }

  #kinds(localId: number, targetId: number): string {
    return `${typeName(this.target, targetId)} is ${this.target.kind(targetId)}, not ${this.local.kind(localId)}`;
  }

  #tooDeep(): RelocationError {
    return new RelocationError(`types are nested deeper than ${MAX_DEPTH}`);
  }

  #count(): void {
    if (++this.#pairs > MAX_PAIRS) throw new RelocationError(`comparing the types takes more than ${MAX_PAIRS} steps`);
  }
}

/** By name, not by value: every local enumerator has to be there. */
function matchEnums(local: AnyEnum, target: AnyEnum): string | undefined {
  if (local.size !== target.size) return `enum ${target.name} has ${target.size} bytes, not ${local.size}`;
  if (local.values.length > target.values.length) return `${target.values.length} enumerators, fewer than ${local.values.length}`;
  const missing = local.values.find((value) => !target.values.some((candidate) => namesMatch(value.name, candidate.name)));
  return missing && `no enumerator "${missing.name}"`;
}

function namesMatch(local: string, target: string): boolean {
  return target === '' ? local === '' : essentialName(local) === essentialName(target);
}

function isComposite(kind: BtfKind): boolean {
  return kind === 'struct' || kind === 'union';
}

/** Equal kinds; the two widths of enums count as one. */
export function sameKind(a: BtfKind, b: BtfKind): boolean {
  return a === b || isEnum(a) && isEnum(b);
}

function isEnum(kind: BtfKind): boolean {
  return kind === 'enum' || kind === 'enum64';
}

/** A VAR, which Btf.skipModifiers looks through, stays one here: CO-RE knows no variables. */
export function skipModifiers(btf: Btf, id: number): number {
  return btf.kind(id) === 'var' ? id : btf.skipModifiers(id);
}

/** An array without a length at the end of a struct: any index is inside. */
function isFlexible(btf: Btf, holder: CoreAccessor | undefined, nelems: number): boolean {
  if (holder?.name === undefined || nelems > 0) return false;
  const type = btf.type(holder.typeId);
  return (type.kind === 'struct' || type.kind === 'union') && holder.index === type.members.length - 1;
}

function checkOffset(bitOffset: number): number {
  if (bitOffset > 0xffff_ffff) throw new RelocationError(`bit offset ${bitOffset} is beyond 2^32`);
  return bitOffset;
}

/** The access in C: `struct task_struct.se.vruntime`, `struct sk_buff[1].cb[3]`, `enum pid_type::PIDTYPE_TGID`. */
export function formatSpec(spec: CoreSpec): string {
  const root = typeLabel(spec.btf, spec.rootId);
  if (coreFamily[spec.kind] === 'type') return root;
  if (coreFamily[spec.kind] === 'enumval') return `${root}::${spec.accessors[0].name}`;
  return `${root}${fieldPath(spec.accessors)}`;
}

/** `.se.vruntime`, `.cb[3]`; the index of the root is left out where it is 0. */
function fieldPath(accessors: readonly CoreAccessor[]): string {
  return accessors.map(({ name, index }, i) => name !== undefined ? `.${name}` : i > 0 || index > 0 ? `[${index}]` : '').join('');
}
