/**
 * The few types of a kernel that some programs' CO-RE relocations come to, as a BTF of their own, which goes where the programs go
 * while the kernel there has none: relocating against it makes the same instructions as against the whole. As `bpftool gen
 * min_core_btf` does. Type ids are other ones, so what holds a kernel's type id (bpf_core_type_id_kernel) is of no use to it.
 */
import { coreMatches } from './core.js';
import { type CoreSpec, coreFamily, skipModifiers } from './core-match.js';
import { type Btf, type BtfType } from './btf.js';
import { writeBtf } from './btf-write.js';
import type { ObjectSpec } from './spec.js';

export interface MinimizedBtf {
  readonly bytes: Uint8Array;
  /** in `bytes`, and in the whole */
  readonly types: number;
  readonly typesBefore: number;
  /** different relocations of all objects, and how many of them nothing in the target matches */
  readonly relocations: number;
  readonly unmatched: number;
}

/**
 * @param objects as parsed: every program counts, also those that are not loaded by themselves
 * @param target the kernel's types; a split BTF with its base becomes one whole
 * @throws RelocationError (BPF_RELOCATION) for an access that the object's own types do not have, BtfError (BPF_BTF)
 */
export function minimizeBtf(objects: readonly ObjectSpec[], target: Btf): MinimizedBtf {
  const selection = new Selection(target);
  let relocations = 0;
  let unmatched = 0;
  for (const object of objects) {
    for (const found of coreMatches(object, target)) {
      relocations++;
      if (found.length === 0) unmatched++;
      for (const spec of found) selection.add(spec);
    }
  }
  const types = selection.types();
  return { bytes: writeBtf(types), types: types.length, typesBefore: target.length - 1, relocations, unmatched };
}

/** Which types are kept, and of structs and unions which members. */
class Selection {
  readonly #btf: Btf;
  readonly #kept = new Map<number, Set<number>>();
  /** types of which all that tells the size is kept, all that a signature names, and all that a strict comparison looks at, before and behind a pointer */
  readonly #done = { size: new Set<number>(), signature: new Set<number>(), before: new Set<number>(), behind: new Set<number>() };

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  add(spec: CoreSpec): void {
    switch (coreFamily[spec.kind]) {
      case 'enumval':
        return this.#size(spec.rootId);
      case 'type':
        return spec.kind === 'type_matches' ? this.#whole(spec.rootId, false) : this.#signature(spec.rootId);
      case 'field':
        return this.#field(spec);
    }
  }

  /** The members on the way, each with what tells its size; the first step is an index of the root. */
  #field({ rootId, raw }: CoreSpec): void {
    this.#size(rootId);
    let id = rootId;
    for (const step of raw.slice(1)) {
      const type = this.#btf.type(skipModifiers(this.#btf, id));
      if (type.kind === 'struct' || type.kind === 'union') {
        this.#member(type, step);
        id = type.members[step].type;
      } else if (type.kind === 'array') {
        id = type.type;
      } else {
        throw new Error(`bug: a step into a ${type.kind}`);
      }
    }
  }

  #member(holder: BtfType & { readonly kind: 'struct' | 'union' }, index: number): void {
    const { type: id } = holder.members[index];
    this.#keep(holder.id).add(index);
    this.#size(id);
    const type = this.#btf.type(skipModifiers(this.#btf, id));
    // an array of no elements takes any index where it is the last member: it must not become that
    const last = holder.members.length - 1;
    if (type.kind === 'array' && type.nelems === 0 && index !== last && !this.#keep(holder.id).has(last)) this.#member(holder, last);
  }

  /** The type with what tells its size and kind: not what a pointer points to, nor a struct's members. */
  #size(root: number): void {
    this.#walk(root, this.#done.size, (type) => {
      switch (type.kind) {
        case 'typedef': case 'volatile': case 'const': case 'restrict': case 'type_tag':
          return [type.type];
        case 'array':
          return [type.type, type.indexType];
        default:
          return [];
      }
    });
  }

  /** What the loose comparison follows: pointers, elements, parameters; of structs and enums the kind counts. */
  #signature(root: number): void {
    this.#walk(root, this.#done.signature, (type) => {
      switch (type.kind) {
        case 'typedef': case 'volatile': case 'const': case 'restrict': case 'type_tag': case 'ptr':
          return [type.type];
        case 'array':
          return [type.type, type.indexType];
        case 'func_proto':
          return [type.type, ...type.params.map((param) => param.type)];
        default:
          return [];
      }
    });
  }

  /** What the strict comparison looks at: all members, but behind a pointer names and kinds only. */
  #whole(root: number, behindPointer: boolean): void {
    const pointees: number[] = [];
    this.#walk(root, behindPointer ? this.#done.behind : this.#done.before, (type) => {
      switch (type.kind) {
        case 'typedef': case 'volatile': case 'const': case 'restrict': case 'type_tag':
          return [type.type];
        case 'ptr':
          if (behindPointer) return [type.type];
          pointees.push(type.type);
          return [];
        case 'array':
          return [type.type, type.indexType];
        case 'func_proto':
          return [type.type, ...type.params.map((param) => param.type)];
        case 'struct': case 'union':
          if (behindPointer) return [];
          type.members.forEach((_, index) => this.#keep(type.id).add(index));
          return type.members.map((member) => member.type);
        default:
          return [];
      }
    });
    for (const id of pointees) this.#whole(id, true);
  }

  #walk(root: number, done: Set<number>, next: (type: BtfType) => readonly number[]): void {
    const waiting = [root];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (id === 0 || done.has(id)) continue;
      done.add(id);
      this.#keep(id);
      waiting.push(...next(this.#btf.type(id)));
    }
  }

  #keep(id: number): Set<number> {
    let members = this.#kept.get(id);
    if (members === undefined) this.#kept.set(id, members = new Set());
    return members;
  }

  /** In the order of the whole, which decides between types of the same name; ids of what is not kept become void. */
  types(): BtfType[] {
    const ids = [...this.#kept.keys()].sort((a, b) => a - b);
    const places = new Map(ids.map((id, index) => [id, index + 1]));
    const place = (id: number): number => places.get(id) ?? 0;
    return ids.map((id) => renumber(this.#btf.type(id), this.#kept.get(id)!, place));
  }
}

function renumber(type: BtfType, members: ReadonlySet<number>, place: (id: number) => number): BtfType {
  switch (type.kind) {
    case 'ptr': case 'typedef': case 'volatile': case 'const': case 'restrict': case 'type_tag': case 'func': case 'var': case 'decl_tag':
      return { ...type, type: place(type.type) };
    case 'array':
      return { ...type, type: place(type.type), indexType: place(type.indexType) };
    case 'struct': case 'union':
      return { ...type, members: type.members.filter((_, index) => members.has(index)).map((member) => ({ ...member, type: place(member.type) })) };
    case 'func_proto':
      return { ...type, type: place(type.type), params: type.params.map((param) => ({ ...param, type: place(param.type) })) };
    case 'datasec':
      return { ...type, vars: [] };
    case 'int': case 'enum': case 'enum64': case 'fwd': case 'float': case 'unkn':
      return type;
  }
}
