/**
 * From the bytes of a BPF object to maps and programs in the kernel, and to links. All or nothing: whatever fails, everything
 * that was opened before is closed again. The order is libbpf's: externs, CO-RE, BTF, maps, programs, slots.
 */
import { AttachError, SyscallError, UnsupportedError, UsageError } from '../errors.js';
import { btfLoad, logText, progBindMap, progInfo } from '../kernel/bpf.js';
import { Errno } from '../kernel/errno.js';
import { failure } from '../kernel/fail.js';
import type { Fd } from '../kernel/fd.js';
import { feature } from '../kernel/features.js';
import type { BpfMap } from '../kernel/map.js';
import { didYouMean } from '../kernel/near.js';
import { raiseMemlock } from '../kernel/rlimit.js';
import type { Btf } from '../reloc/btf.js';
import { sanitizeBtf } from '../reloc/btf-sanitize.js';
import { relocateCore, type CoreStory } from '../reloc/core.js';
import { parseObject } from '../reloc/object.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from '../reloc/spec.js';
import { MapType } from '../uapi.js';
import { findAttachTarget } from './attach-target.js';
import { attachProgram, type Link } from './attach/index.js';
import { kconfigData, resolveSymbols, type ResolvedExtern } from './externs.js';
import { withGlobals, type GlobalValue } from './globals.js';
import { fillReferences } from './instructions.js';
import { KernelTypes, type KernelType } from './kernel-types.js';
import { checkMapNames, createMap, DEFAULT_PIN_PATH, fillSlots } from './maps.js';
import { expectedAttachType, loadProgram, type Binding } from './programs.js';
import { parseSection, SECTION_PREFIXES, TARGETS, type Section } from './sections.js';
import { tellingText } from './verifier-log.js';

export type { GlobalValue } from './globals.js';
export type { Link } from './attach/index.js';

export interface LoadOptions {
  /** file name or name of the object; global-data maps are named after it in the kernel */
  readonly name?: string;
  /** types to relocate against instead of the running kernel's */
  readonly btf?: Btf;
  /** which programs are loaded; without it those whose section name does not start with `?` */
  readonly autoload?: (program: ProgramSpec) => boolean;
  /** folder on a bpffs for maps that are pinned by name; /sys/fs/bpf */
  readonly pinPath?: string;
  /** map name -> number of entries (bytes for ring buffers) instead of the object's */
  readonly mapEntries?: Readonly<Record<string, number>>;
  /** variable name -> initial value, for `.rodata`, `.data` and `.bss` */
  readonly rodata?: Readonly<Record<string, GlobalValue>>;
  /** program name -> the program and function that it replaces (SEC("freplace")) */
  readonly replaces?: Readonly<Record<string, BpfProgram>>;
  /** asks the verifier for its log of programs that load, too: 1 failures and branches, 2 every state, 4 statistics */
  readonly logLevel?: number;
  /** told what went another way than asked, and why, without being an error */
  readonly onWarning?: (text: string) => void;
}

/** A program in the kernel. Its object owns the descriptor. */
export class BpfProgram {
  readonly name: string;
  /** ELF section name, as written */
  readonly section: string;
  /** a number of uapi.ProgType */
  readonly type: number;
  /** the verifier's log; '' unless LoadOptions.logLevel asked for it */
  readonly log: string;
  readonly fd: Fd;
  #info: { id: number; tag: string } | undefined;

  /** @internal BpfObject.load makes it */
  constructor(spec: ProgramSpec, type: number, loaded: { readonly fd: Fd; readonly log: string }) {
    this.name = spec.name;
    this.section = spec.section;
    this.type = type;
    this.fd = loaded.fd;
    this.log = loaded.log;
  }

  /** the kernel's number for it */
  get id(): number {
    return this.#ask().id;
  }

  /** 16 hexadecimal digits: the kernel's hash over the instructions */
  get tag(): string {
    return this.#ask().tag;
  }

  #ask(): { id: number; tag: string } {
    if (this.#info) return this.#info;
    const { id, tag } = progInfo(this.fd.value);
    return this.#info = { id, tag: Buffer.from(tag).toString('hex') };
  }
}

/** A BPF object in the kernel. Owns its maps, programs and links. */
export class BpfObject {
  /** as loaded: relocated, with the options' values */
  readonly spec: ObjectSpec;
  /** by the name in the object: `counts`, `.bss` */
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, BpfProgram>;
  /** program name -> what CO-RE did to it */
  readonly stories: ReadonlyMap<string, readonly CoreStory[]>;
  readonly #links: Link[] = [];
  readonly #types: KernelTypes;
  readonly #warn: (text: string) => void;
  #closed = false;

  private constructor(loaded: Loaded) {
    this.spec = loaded.spec;
    this.maps = loaded.maps;
    this.programs = loaded.programs;
    this.stories = loaded.stories;
    this.#types = loaded.types;
    this.#warn = loaded.warn;
  }

  /**
   * Parses, relocates and loads an object.
   * @param bytes an ELF file; kept as views, so it must not change while the object lives
   * @throws ElfError, BtfError, RelocationError for the file; SyscallError, VerifierError, UnsupportedError, AttachError for the
   *   kernel; UsageError for the options. Nothing stays open then.
   */
  static load(bytes: Uint8Array, options: LoadOptions = {}): BpfObject {
    return new BpfObject(new Loading(bytes, options).run());
  }

  /**
   * Attaches one program.
   * @param target what TARGETS of sections.ts says for its section; '' or the section's own name count as none
   * @returns the link, owned by this object, which closes it at the latest when it is closed itself
   * @throws AttachError (BPF_ATTACH), UnsupportedError (UNSUPPORTED)
   */
  attach(name: string, target?: string): Link {
    const program = this.programs.get(name);
    if (!program || this.#closed) throw this.#unknownProgram(name);
    const section = sectionOf(program);
    const link = attachProgram({
      program: name,
      section,
      progFd: program.fd.value,
      attachType: expectedAttachType(section),
      target: target === '' || target === program.section ? undefined : target,
      maps: new Map([...this.maps].map(([key, map]) => [key, { fd: map.fd.value, type: map.type }])),
      rawTracepoints: () => this.#types.names('typedef', 'btf_trace_'),
    });
    this.#links.push(link);
    return link;
  }

  /**
   * Attaches every loaded program whose section name says where to; the others are left, with a warning.
   * @throws like attach; then what this call had attached is detached again
   */
  attachAll(): Link[] {
    const links: Link[] = [];
    try {
      for (const program of this.programs.values()) {
        const section = sectionOf(program);
        if (TARGETS[section.kind].target === 'section' && section.argument !== '') links.push(this.attach(program.name));
        else this.#warn(`program "${program.name}" is not attached: section "${section.prefix}" needs ${TARGETS[section.kind].needs.replace(/^no target: /, 'no attaching: ')}`);
      }
      return links;
    } catch (error) {
      for (const link of links) link.close();
      throw error;
    }
  }

  /** Detaches everything, then closes programs and maps; more than once is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const link of this.#links.reverse()) link.close();
    for (const program of this.programs.values()) program.fd.close();
    for (const map of this.maps.values()) map.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #unknownProgram(name: string): AttachError {
    if (this.#closed) return new AttachError(name, 'the object is closed');
    const spec = this.spec.programs.find((program) => program.name === name);
    if (spec) return new AttachError(name, 'the program was not loaded', 'its section name starts with "?", or the autoload option left it out');
    const names = this.spec.programs.map((program) => program.name);
    return new AttachError(name, 'the object has no such program', didYouMean(name, names) || `it has ${names.join(', ')}`);
  }
}

interface Loaded {
  readonly spec: ObjectSpec;
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, BpfProgram>;
  readonly stories: ReadonlyMap<string, readonly CoreStory[]>;
  readonly types: KernelTypes;
  readonly warn: (text: string) => void;
}

function sectionOf({ name, section }: { readonly name: string; readonly section: string }): Section {
  const parsed = parseSection(section);
  if (parsed) return parsed;
  const [prefix] = section.replace(/^\?/, '').split('/');
  throw new AttachError(name, `section "${section}" says nothing about the program's type`, didYouMean(prefix, SECTION_PREFIXES) || 'a name like "tp/CATEGORY/NAME", "kprobe/FUNCTION", "xdp"');
}

/** One load: what is open so far, and the steps. */
class Loading {
  readonly #options: LoadOptions;
  readonly #warn: (text: string) => void;
  readonly #types: KernelTypes;
  readonly #maps = new Map<string, BpfMap>();
  readonly #programs = new Map<string, BpfProgram>();
  /** descriptors of module BTF for kernel function calls; index 0 stands for vmlinux */
  readonly #fdArray: number[] = [0];
  #spec: ObjectSpec;
  #btf: Fd | undefined;

  constructor(bytes: Uint8Array, options: LoadOptions) {
    this.#options = options;
    this.#warn = options.onWarning ?? (() => {});
    this.#types = new KernelTypes(options.btf);
    const parsed = withGlobals(parseObject(bytes, { name: options.name }), options.rodata ?? {});
    const { autoload } = options;
    this.#spec = autoload ? { ...parsed, programs: parsed.programs.map((program) => ({ ...program, autoload: autoload(program) })) } : parsed;
    checkMapNames(Object.keys(options.mapEntries ?? {}), this.#spec.maps);
  }

  run(): Loaded {
    try {
      const wanted = this.#spec.programs.filter(({ autoload }) => autoload);
      const sections = new Map(wanted.map((program) => [program.name, sectionOf(program)]));
      this.#prepare();
      const externs = resolveSymbols(this.#spec, this.#types);
      const { spec, stories } = this.#relocate(wanted);
      this.#spec = spec;
      this.#loadBtf();
      this.#createMaps();
      for (const program of spec.programs) {
        if (program.autoload) this.#loadProgram(program, sections.get(program.name)!, externs, stories.get(program.name));
      }
      this.#fillProgArrays();
      return { spec, maps: this.#maps, programs: this.#programs, stories, types: this.#types, warn: this.#warn };
    } catch (error) {
      for (const program of this.#programs.values()) program.fd.close();
      for (const map of this.#maps.values()) map.close();
      throw error;
    } finally {
      // the kernel holds what programs and maps need of them
      this.#btf?.close();
      this.#types.close();
    }
  }

  /** The first thing that asks the kernel: without the right to, say so of the object and not of a probe. */
  #prepare(): void {
    try {
      raiseMemlock();
    } catch (error) {
      if (error instanceof SyscallError && error.errno === Errno.EPERM) throw failure(error.cmd, error.errno, `object "${this.#spec.name}"`);
      throw error;
    }
  }

  #relocate(wanted: readonly ProgramSpec[]): ReturnType<typeof relocateCore> {
    const asksKernel = wanted.some(({ coreRelocations }) => coreRelocations.some(({ kind }) => kind !== 'type_id_local'));
    return relocateCore(this.#spec, { vmlinux: asksKernel ? this.#types.target : undefined, modules: () => this.#types.targetModules });
  }

  /** Types are a help for the verifier and for people: without them the load goes on. */
  #loadBtf(): void {
    const { btf } = this.#spec;
    if (!btf || !feature('btf')) return;
    const blob = sanitizeBtf(btf, feature);
    try {
      this.#btf = btfLoad(blob);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      const log = { level: 1, buffer: new Uint8Array(64 * 1024) };
      try {
        this.#btf = btfLoad(blob, log);
      } catch {
        this.#warn(`the object's types are not given to the kernel: ${error.message} ${tellingText(logText(log))}`.trimEnd());
      }
    }
  }

  #createMaps(): void {
    const { maps } = this.#spec;
    const { pinPath = DEFAULT_PIN_PATH, mapEntries = {} } = this.#options;
    const options = { pinPath, mapEntries, btfFd: this.#btf?.value, warn: this.#warn };
    for (const map of maps) {
      if (!map.autocreate) continue;
      if (map.structOps) throw new UnsupportedError(`struct_ops map "${map.name}"`, '', 'kernel functions implemented in BPF cannot be loaded yet; programs of other sections can');
      if (map.globals && !feature('globalData')) continue;
      this.#maps.set(map.name, createMap(this.#withConfiguration(map), options));
    }
    for (const map of maps) {
      const made = this.#maps.get(map.name);
      if (made && map.type !== MapType.PROG_ARRAY) fillSlots(map, made, (name) => this.#maps.get(name)?.fd.value, this.#warn);
    }
  }

  #withConfiguration(map: MapSpec): MapSpec {
    return map.globals === 'kconfig' ? { ...map, data: kconfigData(this.#spec.externs, map.valueSize, this.#warn) } : map;
  }

  #loadProgram(program: ProgramSpec, section: Section, externs: ReadonlyMap<string, ResolvedExtern>, stories: readonly CoreStory[] | undefined): void {
    const insns = fillReferences(program, {
      mapFd: (name) => this.#maps.get(name)?.fd.value,
      extern: (name) => externs.get(name),
      externIndex: (name) => this.#spec.externs.findIndex((extern) => extern.name === name),
      btfFd: (type) => this.#types.btfFd(type),
      btfIndex: (type) => this.#btfIndex(type),
    });
    const loaded = loadProgram(program, section, insns, {
      spec: this.#spec,
      btfFd: this.#btf?.value,
      binding: this.#binding(program, section),
      fdArray: this.#fdArray.length > 1 ? Int32Array.from(this.#fdArray) : undefined,
      stories,
      logLevel: this.#options.logLevel ?? 0,
    });
    this.#programs.set(program.name, new BpfProgram(program, section.type, loaded));
    if (!feature('progBindMap')) return;
    for (const map of this.#spec.maps) {
      const made = map.globals === 'rodata' ? this.#maps.get(map.name) : undefined;
      // so that tools find the program's constants even where it does not use them
      if (made) progBindMap(loaded.fd.value, made.fd.value, `map "${map.name}"`);
    }
  }

  #btfIndex(type: KernelType): number {
    const fd = this.#types.btfFd(type);
    if (fd === 0) return 0;
    const known = this.#fdArray.indexOf(fd);
    return known > 0 ? known : this.#fdArray.push(fd) - 1;
  }

  #binding(program: ProgramSpec, section: Section): Binding | undefined {
    if (section.kind === 'freplace') throw new UsageError(`program "${program.name}" of section "${section.prefix}" replaces a function of another program: name it in the option "replaces"`);
    if (!section.btf) return undefined;
    const type = findAttachTarget(program.name, section, this.#types);
    return { btfId: type.id, fd: this.#types.btfFd(type) };
  }

  #fillProgArrays(): void {
    for (const map of this.#spec.maps) {
      const made = this.#maps.get(map.name);
      if (made && map.type === MapType.PROG_ARRAY) fillSlots(map, made, (name) => this.#programs.get(name)?.fd.value, this.#warn);
    }
  }
}
