/**
 * CO-RE relocation: adapts every program of an ObjectSpec to the types of a kernel, and tells for each relocation what
 * was looked for, what was found, and what became of the instruction. Finds candidates and decides between them; the rules
 * of matching are in core-match.ts, values and instructions in core-patch.ts. Behaves as bpf_object__relocate_core of
 * libbpf 1.8 does: the same instructions come out. Needs no kernel: any BTF can be the target.
 */
import { BtfError, RelocationError } from '../errors.js';
import { typeLabel } from './btf-c.js';
import { type Btf, type BtfKind, essentialName } from './btf.js';
import { comparison } from './core-explain.js';
import { type CoreSpec, coreFamily, formatSpec, matchSpec, parseSpec, sameKind } from './core-match.js';
import { calculate, type CoreValue, patch } from './core-patch.js';
import { INSN_SIZE, Insns } from './insn.js';
import type { CoreRelocation, ObjectSpec, ProgramSpec } from './spec.js';

/** Where the types of the target come from. */
export interface CoreTargets {
  /** undefined: there is none; then only type_id_local can be resolved */
  readonly vmlinux: Btf | undefined;
  /** split BTFs on vmlinux, asked only for types that vmlinux lacks; a function is called at most once, when needed */
  readonly modules?: readonly Btf[] | (() => readonly Btf[]);
}

/** A type of the target that has the right name and kind. */
export interface CoreCandidate {
  /** the BTF's source: `vmlinux`, a module's name */
  readonly btf: string;
  readonly typeId: number;
  /** `struct task_struct` */
  readonly name: string;
  /** why it does not match; undefined where it does */
  readonly refused: string | undefined;
  /** what the access is called there, and its bit offset from the start of the type; undefined where refused */
  readonly path: string | undefined;
  readonly bitOffset: number | undefined;
  /** u64; undefined where refused */
  readonly value: bigint | undefined;
}

/** What became of one relocation in one program. Plain data. */
export interface CoreStory {
  readonly program: string;
  readonly relocation: CoreRelocation;
  /** `struct task_struct`, with its id in the object's own BTF */
  readonly localType: { readonly id: number; readonly kind: BtfKind; readonly name: string };
  /** the access in the program's own types: `struct task_struct.se.vruntime` */
  readonly path: string;
  /** bits from the start of the local type; 0 for types and enumerators */
  readonly bitOffset: number;
  readonly candidates: readonly CoreCandidate[];
  /** the candidate that decided; undefined where none matched */
  readonly target: CoreCandidate | undefined;
  /** u64: what the compiler wrote and what stands there now; the new one undefined where poisoned */
  readonly oldValue: bigint;
  readonly newValue: bigint | undefined;
  /** the instruction's 8 bytes, 16 for ld_imm64 */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** the instruction is now a call of helper 0xbad2310, which the verifier refuses unless it cannot be reached */
  readonly poisoned: boolean;
  /** why poisoned or zero: `struct task_struct has no field "state" in the running kernel's BTF`; '' where all went well */
  readonly reason: string;
}

export interface CoreResult {
  /** the given spec with programs whose instructions are patched copies */
  readonly spec: ObjectSpec;
  /** by program, ascending by instruction; programs without CO-RE relocations have no entry */
  readonly stories: ReadonlyMap<string, readonly CoreStory[]>;
}

/**
 * Relocates every program that is going to be loaded (`autoload`); the others stay as they are.
 * @throws RelocationError with program, instruction and kind: candidates disagree, an instruction has not the shape or the
 *   value that its relocation says, or there is no target at all. A type, field or enumerator that is not there is no
 *   error: its instruction is poisoned, see explainPoison of core-explain.ts.
 */
export function relocateCore(spec: ObjectSpec, targets: CoreTargets): CoreResult {
  const stories = new Map<string, readonly CoreStory[]>();
  const { btf } = spec;
  if (btf === undefined || spec.programs.every((program) => program.coreRelocations.length === 0)) return { spec, stories };
  const resolver = new Resolver(btf, targets);
  for (const { program, relocation } of inFileOrder(spec.programs)) {
    inPlace(program, relocation, () => resolver.resolve(relocation));
  }
  const programs = spec.programs.map((program) => {
    if (!program.autoload || program.coreRelocations.length === 0) return program;
    const insns = program.insns.slice();
    stories.set(program.name, program.coreRelocations.map((relocation) =>
      inPlace(program, relocation, () => apply(program, relocation, resolver.resolve(relocation), insns))));
    return { ...program, insns };
  });
  return { spec: { ...spec, programs }, stories };
}

/**
 * What the different relocations of an object mean in a target: for each the accesses of every candidate that matches, none where
 * none does. Of all programs, loaded or not. Does not choose: what two candidates disagree about is there twice.
 * @throws RelocationError for an access that the object's own types do not have
 */
export function coreMatches({ btf, programs }: ObjectSpec, target: Btf): (readonly CoreSpec[])[] {
  if (btf === undefined) return [];
  const resolver = new Resolver(btf, { vmlinux: target });
  const found = new Map<string, readonly CoreSpec[]>();
  for (const program of programs) {
    for (const relocation of program.coreRelocations) {
      const key = keyOf(relocation);
      if (relocation.kind !== 'type_id_local' && !found.has(key)) found.set(key, inPlace(program, relocation, () => resolver.matches(relocation)));
    }
  }
  return [...found.values()];
}

function keyOf({ typeId, kind, access }: CoreRelocation): string {
  return `${typeId} ${kind} ${access}`;
}

interface Resolution {
  readonly local: CoreSpec;
  readonly candidates: readonly CoreCandidate[];
  readonly target: CoreCandidate | undefined;
  readonly result: CoreValue;
  readonly reason: string;
}

interface Candidate { readonly btf: Btf; readonly typeId: number }

/** Resolves relocations one after the other: what matched once narrows the choice for those that follow. */
class Resolver {
  readonly #local: Btf;
  readonly #targets: CoreTargets;
  #modules: readonly Btf[] | undefined;
  /** by local type: candidates, narrowed to those that matched before */
  readonly #candidates = new Map<number, readonly Candidate[]>();
  readonly #resolved = new Map<string, Resolution>();

  constructor(local: Btf, targets: CoreTargets) {
    this.#local = local;
    this.#targets = targets;
  }

  /** Equal relocations are resolved once. */
  resolve(relocation: CoreRelocation): Resolution {
    const key = keyOf(relocation);
    let resolution = this.#resolved.get(key);
    if (resolution === undefined) {
      resolution = this.#resolve(relocation);
      this.#resolved.set(key, resolution);
    }
    return resolution;
  }

  /** Without choosing, and without narrowing the choice. */
  matches(relocation: CoreRelocation): readonly CoreSpec[] {
    const local = parseSpec(this.#local, relocation);
    const matched = this.#candidatesOf(relocation.typeId, this.#nameOf(relocation.typeId)).map(({ btf, typeId }) => matchSpec(local, btf, typeId));
    return matched.filter((found) => typeof found !== 'string');
  }

  #nameOf(typeId: number): string {
    const name = this.#local.name(typeId);
    if (name === '') throw new RelocationError(`${typeLabel(this.#local, typeId)} has no name to look for in the target's BTF`);
    return name;
  }

  #resolve(relocation: CoreRelocation): Resolution {
    const { kind, typeId } = relocation;
    const local = parseSpec(this.#local, relocation);
    if (kind === 'type_id_local') {
      // linking may renumber types: what the instruction holds is not compared
      return { local, candidates: [], target: undefined, reason: '', result: { ...calculate(kind, local, local), validate: false } };
    }
    const all = this.#candidatesOf(typeId, this.#nameOf(typeId));
    const tried: CoreCandidate[] = [];
    const matching: Candidate[] = [];
    let other: CoreCandidate | undefined;
    let chosen: { readonly candidate: CoreCandidate; readonly spec: CoreSpec; readonly result: CoreValue } | undefined;
    for (const candidate of all) {
      const { btf } = candidate;
      const found = matchSpec(local, btf, candidate.typeId);
      const head = { btf: btf.source, typeId: candidate.typeId, name: typeLabel(btf, candidate.typeId) };
      if (typeof found === 'string') {
        tried.push({ ...head, refused: found, path: undefined, bitOffset: undefined, value: undefined });
        continue;
      }
      const result = calculate(kind, local, found);
      const story = { ...head, refused: undefined, path: formatSpec(found), bitOffset: found.bitOffset, value: result.value };
      tried.push(story);
      matching.push(candidate);
      if (chosen === undefined) chosen = { candidate: story, spec: found, result };
      else if (found.bitOffset !== chosen.spec.bitOffset || result.value !== chosen.result.value) other ??= story;
    }
    if (chosen !== undefined && other !== undefined) throw ambiguous(local, relocation, chosen.candidate, other, tried);
    if (chosen !== undefined) {
      this.#candidates.set(typeId, matching);
      return { local, candidates: tried, target: chosen.candidate, result: chosen.result, reason: '' };
    }
    return { local, candidates: tried, target: undefined, result: calculate(kind, local, undefined), reason: this.#missing(local, tried) };
  }

  #candidatesOf(typeId: number, name: string): readonly Candidate[] {
    let candidates = this.#candidates.get(typeId);
    if (candidates === undefined) {
      const { vmlinux } = this.#targets;
      if (vmlinux === undefined) {
        throw new RelocationError(`no target BTF to look for ${typeLabel(this.#local, typeId)} in (a kernel with CONFIG_DEBUG_INFO_BTF has /sys/kernel/btf/vmlinux)`);
      }
      const kind = this.#local.kind(typeId);
      const essential = essentialName(name);
      const of = (btf: Btf, from: number): Candidate[] => btf.idsWithEssentialName(essential)
        .filter((id) => id >= from && sameKind(btf.kind(id), kind)).map((id) => ({ btf, typeId: id }));
      candidates = of(vmlinux, 1);
      if (candidates.length === 0) {
        const { modules = [] } = this.#targets;
        this.#modules ??= typeof modules === 'function' ? modules() : modules;
        candidates = this.#modules.flatMap((btf) => of(btf, btf.base?.length ?? 1));
      }
      this.#candidates.set(typeId, candidates);
    }
    return candidates;
  }

  #missing(local: CoreSpec, tried: readonly CoreCandidate[]): string {
    const where = placeOf(this.#targets.vmlinux!.source);
    const type = typeLabel(local.btf, local.rootId).replace(/___.*/s, '');
    if (tried.length === 0) return `${where} has no ${type}`;
    const last = local.accessors.at(-1);
    const reasons = [...new Set(tried.map(({ refused }) => refused))];
    if (coreFamily[local.kind] === 'enumval') return `${type} has no enumerator "${essentialName(last!.name!)}" in ${where}`;
    const [, field, holder] = /^no field "(.*)" in (.*)$/.exec(reasons[0] ?? '') ?? [];
    if (reasons.length === 1 && field !== undefined) return `${holder.startsWith('anonymous') ? type : holder} has no field "${field}" in ${where}`;
    return `${coreFamily[local.kind] === 'type' ? `${type} is another` : `${formatSpec(local)} is not the same`} in ${where}: ${reasons.join('; ')}`;
  }
}

function apply(program: ProgramSpec, relocation: CoreRelocation, resolution: Resolution, insns: Uint8Array): CoreStory {
  const { local, candidates, target, result } = resolution;
  const { insn } = relocation;
  const view = new Insns(insns);
  if (!(insn >= 0 && insn < view.length)) throw new RelocationError(`there is no such instruction, the program has ${view.length}`);
  const bytes = (from: Uint8Array): Uint8Array => from.slice(insn * INSN_SIZE, (insn + size) * INSN_SIZE);
  const size = view.isLdImm64(insn) ? 2 : 1;
  const before = bytes(insns);
  const localType = describe(local);
  let fault: string | undefined;
  try {
    fault = patch(view, insn, result);
  } catch (error) {
    if (!(error instanceof RelocationError)) throw error;
    throw new RelocationError(error.reason, {}, { details: comparison({ localType, access: relocation.access, path: formatSpec(local), bitOffset: local.bitOffset, candidates }) });
  }
  const poisoned = result.value === undefined || fault !== undefined;
  return {
    program: program.name,
    relocation,
    localType,
    path: formatSpec(local),
    bitOffset: local.bitOffset,
    candidates,
    target,
    oldValue: result.old,
    newValue: poisoned ? undefined : result.value,
    before,
    after: bytes(insns),
    poisoned,
    reason: fault === undefined ? resolution.reason : `${formatSpec(local)}: ${fault}`,
  };
}

function ambiguous(local: CoreSpec, { access }: CoreRelocation, a: CoreCandidate, b: CoreCandidate, candidates: readonly CoreCandidate[]): RelocationError {
  const side = (c: CoreCandidate): string => `${c.name} [${c.typeId}] of ${c.btf} says ${c.value}${c.bitOffset === 0 ? '' : ` (bit offset ${c.bitOffset})`}`;
  return new RelocationError(`${formatSpec(local)} is ambiguous: ${side(a)}, ${side(b)} (give the local type a flavour that only one of them matches)`,
    {}, { details: comparison({ localType: describe(local), access, path: formatSpec(local), bitOffset: local.bitOffset, candidates }) });
}

function describe({ btf, rootId }: CoreSpec): CoreStory['localType'] {
  return { id: rootId, kind: btf.kind(rootId), name: typeLabel(btf, rootId) };
}

function placeOf(source: string): string {
  return source === 'vmlinux' ? "the running kernel's BTF" : source;
}

/**
 * Each relocation once, in the order of the file: subprograms are part of every program that calls them, and the order in
 * which candidates are narrowed decides between types of the same name.
 */
function inFileOrder(programs: readonly ProgramSpec[]): { program: ProgramSpec; relocation: CoreRelocation }[] {
  const sections = new Map<string, Map<number, { program: ProgramSpec; relocation: CoreRelocation }[]>>();
  for (const program of programs) {
    if (!program.autoload) continue;
    let part = 0;
    for (const relocation of program.coreRelocations) {
      while (part + 1 < program.functions.length && program.functions[part + 1].insn <= relocation.insn) part++;
      const { section, sectionInsn, insn } = program.functions[part] ?? { section: program.section, sectionInsn: 0, insn: 0 };
      const at = sectionInsn + relocation.insn - insn;
      if (!sections.has(section)) sections.set(section, new Map());
      const places = sections.get(section)!;
      if (!places.has(at)) places.set(at, []);
      places.get(at)!.push({ program, relocation });
    }
  }
  return [...sections.values()].flatMap((places) => [...places].sort(([a], [b]) => a - b).flatMap(([, each]) => each));
}

/** Runs a step of a relocation, and gives its errors their place. */
function inPlace<T>(program: ProgramSpec, { insn, kind }: CoreRelocation, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const where = { program: program.name, insn, kind };
    if (error instanceof RelocationError) throw new RelocationError(error.reason, where, { details: error.details });
    if (error instanceof BtfError) throw new RelocationError(error.message, where, { cause: error });
    throw error;
  }
}
