/**
 * Joins functions to programs: an entry function, then every function it reaches, in the order in which libbpf appends them
 * (at the first call, depth first), so that the kernel's tag of the program is the one it has with libbpf. Calls and
 * function addresses get their final distances; what needs the kernel stays a reference. Function, line and CO-RE records
 * move along with their functions.
 */
import { BtfError, RelocationError } from '../errors.js';
import type { Btf } from './btf.js';
import { recordsWithin, type BtfExt } from './btf-ext.js';
import type { BpfFunction, Functions, Relocation } from './functions.js';
import { FuncLinkage } from './globals.js';
import { INSN_SIZE, Insns, Pseudo } from './insn.js';
import type { CoreRelocation, FunctionInfo, LineInfo, ProgramSpec, Reference } from './spec.js';

/** Instructions of one program that the kernel takes at most (BPF_COMPLEXITY_LIMIT_INSNS, since 5.2). */
const MAX_INSNS = 1_000_000;
/** Instructions and records of all programs together. No real object comes near; a small hostile one can ask for far more. */
const MAX_TOTAL = 4_000_000;
/** Functions of a cycle that a message names. */
const MAX_SHOWN = 10;
const EXCEPTION_CALLBACK = 'exception_callback:';
/** component_idx of a DECL_TAG on the type itself. */
const WHOLE = -1;

interface Link { readonly insn: number; readonly target: BpfFunction; readonly call: boolean }
interface Placed { readonly fn: BpfFunction; readonly base: number }

export class Linker {
  readonly #links = new Map<BpfFunction, readonly Link[]>();
  readonly #callbacks: ReadonlyMap<string, readonly string[]>;
  #subprograms: Map<string, BpfFunction> | undefined;
  #total = 0;

  constructor(readonly functions: Functions, readonly btf: Btf | undefined, readonly ext: BtfExt | undefined) {
    this.#callbacks = btf ? exceptionCallbacks(btf) : new Map();
  }

  /** @throws RelocationError, BtfError */
  program(entry: BpfFunction): ProgramSpec {
    const placed = this.#place(entry);
    const bases = new Map(placed.map(({ fn, base }) => [fn, base]));
    const last = placed[placed.length - 1];
    const insns = new Insns(new Uint8Array((last.base + last.fn.insns.length) * INSN_SIZE));
    const references: Reference[] = [];
    for (const { fn, base } of placed) {
      insns.bytes.set(fn.insns.bytes, base * INSN_SIZE);
      for (const { insn, target, call } of this.#linksOf(fn)) {
        const at = base + insn;
        insns.setImm(at, bases.get(target)! - at - 1);
        if (!call) insns.setSrc(at, Pseudo.FUNC);
      }
      for (const relocation of fn.relocations) {
        const reference = refer(insns, base + relocation.insn, relocation);
        if (reference) references.push(reference);
      }
    }
    return {
      name: entry.name,
      section: entry.section.name,
      autoload: !entry.section.name.startsWith('?'),
      insns: insns.bytes,
      functions: this.#functionInfo(placed),
      lines: this.#lines(placed),
      references,
      coreRelocations: this.#coreRelocations(placed),
    };
  }

  /** The functions of a program with their first instructions. */
  #place(entry: BpfFunction): Placed[] {
    const placed: Placed[] = [];
    const known = new Set<BpfFunction>();
    let size = 0;
    /** functions that are being walked through, and how the walk came into each */
    const path: { readonly fn: BpfFunction; readonly links: readonly Link[]; next: number; /** depth of the nearest step, this one or below, that is no call */ readonly taken: number }[] = [];
    const depth = new Map<BpfFunction, number>();
    const enter = (fn: BpfFunction, called: boolean) => {
      known.add(fn);
      placed.push({ fn, base: size });
      size += fn.insns.length;
      if (size > MAX_INSNS) throw new RelocationError(`${size} instructions with all that it calls, more than the ${MAX_INSNS} that the kernel takes`, { program: entry.name });
      this.#count(entry, fn.insns.length + fn.relocations.length + 1);
      depth.set(fn, path.length);
      path.push({ fn, links: this.#linksOf(fn), next: 0, taken: called ? path.at(-1)?.taken ?? 0 : path.length });
    };
    const walk = (from: BpfFunction) => {
      enter(from, true);
      for (let top = path.at(-1); top; top = path.at(-1)) {
        const link = top.links[top.next++];
        if (!link) {
          depth.delete(top.fn);
          path.pop();
        } else if (!known.has(link.target)) {
          enter(link.target, link.call);
        } else if (link.call) {
          const from = depth.get(link.target);
          // an address may be taken anywhere, by a callback of itself too
          if (from === undefined || top.taken > from) continue;
          const cycle = path.slice(from).map((step) => step.fn.name);
          const shown = cycle.length > MAX_SHOWN ? [...cycle.slice(0, MAX_SHOWN), '…'] : cycle;
          throw new RelocationError(`recursion, which the kernel does not allow: ${[...shown, link.target.name].join(' -> ')}`, { program: top.fn.name, insn: link.insn });
        }
      }
    };
    walk(entry);
    for (const callback of this.#exceptionCallbacks(entry)) if (!known.has(callback)) walk(callback);
    return placed;
  }

  #count(entry: BpfFunction, more: number): void {
    this.#total += more;
    if (this.#total > MAX_TOTAL) throw new RelocationError(`the programs up to this one have more than ${MAX_TOTAL} instructions and records together`, { program: entry.name });
  }

  /** The calls and addresses of other functions in a function, in instruction order. */
  #linksOf(fn: BpfFunction): readonly Link[] {
    let links = this.#links.get(fn);
    if (!links) this.#links.set(fn, links = findLinks(this.functions, fn));
    return links;
  }

  #exceptionCallbacks(entry: BpfFunction): BpfFunction[] {
    const names = this.#callbacks.get(entry.name) ?? [];
    // the verifier refuses several, with a better reason
    if (names.length !== 1) return [];
    const [name] = names;
    this.#subprograms ??= new Map(this.functions.all.filter((fn) => !fn.entry).map((fn) => [fn.name, fn]));
    const callback = this.#subprograms.get(name);
    if (!callback?.global || callback.hidden) {
      throw new RelocationError(`exception callback "${name}" is ${callback ? 'static or hidden' : 'no function of section ".text"'}; it has to be a global function`, { program: entry.name });
    }
    return [callback];
  }

  #functionInfo(placed: readonly Placed[]): FunctionInfo[] {
    const types = placed.map(({ fn }) => this.#records(this.ext?.functions, fn)[0]);
    const described = types[0] !== undefined;
    return placed.map(({ fn, base }, index) => {
      const record = types[index];
      if (described && (!record || record.insn !== fn.start)) throw this.#missing('function record', fn, placed[0].fn);
      return { name: fn.name, insn: base, typeId: described ? record.typeId : 0, section: fn.section.name, sectionInsn: fn.start };
    });
  }

  #lines(placed: readonly Placed[]): LineInfo[] {
    const lines: LineInfo[] = [];
    for (const { fn, base } of placed) {
      const records = this.#records(this.ext?.lines, fn);
      if (records.length === 0) {
        // the kernel wants lines for every function, or for none
        if (lines.length === 0) return [];
        throw this.#missing('line record', fn, placed[0].fn);
      }
      this.#count(placed[0].fn, records.length);
      for (const record of records) lines.push({ ...record, insn: record.insn - fn.start + base });
    }
    return lines;
  }

  #coreRelocations(placed: readonly Placed[]): CoreRelocation[] {
    return placed.flatMap(({ fn, base }) => {
      const records = this.#records(this.ext?.relocations, fn);
      this.#count(placed[0].fn, records.length);
      return records.map((record) => ({ ...record, insn: record.insn - fn.start + base }));
    });
  }

  #records<T extends { readonly insn: number }>(all: ReadonlyMap<string, readonly T[]> | undefined, fn: BpfFunction): readonly T[] {
    // records know their section by name, and the first section of a name is meant
    if (!all || this.functions.file.elf.section(fn.section.name) !== fn.section) return [];
    return recordsWithin(all.get(fn.section.name), fn.start, fn.start + fn.insns.length);
  }

  #missing(what: string, fn: BpfFunction, entry: BpfFunction): BtfError {
    return new BtfError(`no ${what} for function "${fn.name}" at instruction ${fn.start} of section "${fn.section.name}", which program "${entry.name}" reaches and which has one itself`, { source: 'section ".BTF.ext"' });
  }
}

function findLinks(functions: Functions, fn: BpfFunction): Link[] {
  const links: Link[] = [];
  const { insns, relocations } = fn;
  let next = 0;
  for (let insn = 0; insn < insns.length; insn++) {
    while (relocations[next]?.insn < insn) next++;
    const relocation = relocations[next]?.insn === insn ? relocations[next] : undefined;
    const address = relocation?.kind === 'address' || (!relocation && insns.isFuncAddress(insn));
    if (!address && !insns.isSubprogCall(insn)) continue;
    if (relocation?.kind === 'extern') continue;
    const fault = (reason: string) => new RelocationError(reason, { program: fn.name, insn });
    if (!relocation && address) throw fault('address of a function without a relocation that says which');
    const section = relocation?.kind === 'call' || relocation?.kind === 'address' ? relocation.section : fn.section.index;
    // a static callee's place is in imm, counted from its section's start (relocated) or from the call (not relocated)
    const target = relocation?.kind === 'address' ? (relocation.offset + insns.imm(insn)) / INSN_SIZE
      : relocation?.kind === 'call' ? relocation.offset / INSN_SIZE + insns.imm(insn) + 1
        : fn.start + insn + insns.imm(insn) + 1;
    const found = functions.at(section, target);
    const name = functions.file.elf.sections[section].name;
    if (!found) throw fault(`no function at instruction ${target} of section "${name}"`);
    if (found.start !== target) throw fault(`instruction ${target} of section "${name}" is inside of function "${found.name}", not its start`);
    links.push({ insn, target: found, call: !address });
  }
  return links;
}

/** Writes what is already known of a reference into the instruction; the loader writes the rest. */
function refer(insns: Insns, insn: number, relocation: Relocation): Reference | undefined {
  switch (relocation.kind) {
    case 'call': case 'address':
      return undefined;
    case 'map':
      insns.setSrc(insn, Pseudo.MAP_FD);
      insns.setImm(insn, 0);
      return { kind: 'map', insn, map: relocation.map };
    case 'map_value':
      return mapValue(insns, insn, relocation.map, relocation.offset);
    case 'extern': {
      const { kind, kconfig, name } = relocation.extern;
      if (relocation.call) {
        if (kind !== 'kfunc') throw new RelocationError(`call of "${name}", which is a variable`, { insn });
        insns.setSrc(insn, Pseudo.KFUNC_CALL);
        insns.setImm(insn, 0);
        return { kind: 'kfunc', insn, extern: name };
      }
      if (kconfig) return mapValue(insns, insn, '.kconfig', kconfig.offset);
      return { kind: 'ksym', insn, extern: name, ...(kind === 'kfunc' ? { func: true } : {}) };
    }
  }
}

function mapValue(insns: Insns, insn: number, map: string, offset: number): Reference {
  insns.setSrc(insn, Pseudo.MAP_VALUE);
  insns.setImm(insn, 0);
  insns.setImm(insn + 1, offset);
  return { kind: 'map_value', insn, map, offset };
}

/** Function name -> the callbacks that its DECL_TAGs name. */
function exceptionCallbacks(btf: Btf): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (let id = 1; id < btf.length; id++) {
    if (btf.kind(id) !== 'decl_tag') continue;
    const tag = btf.type(id);
    if (tag.kind !== 'decl_tag' || tag.componentIdx !== WHOLE || !tag.name.startsWith(EXCEPTION_CALLBACK)) continue;
    const fn = btf.type(tag.type);
    if (fn.kind !== 'func' || fn.linkage !== FuncLinkage.GLOBAL) {
      throw new BtfError(`tag "${tag.name}" is on ${fn.kind} "${fn.name}", not on a global function`, { source: btf.source, typeId: id });
    }
    const list = found.get(fn.name);
    const name = tag.name.slice(EXCEPTION_CALLBACK.length);
    if (list) list.push(name);
    else found.set(fn.name, [name]);
  }
  return found;
}
