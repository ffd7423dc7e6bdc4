/**
 * The way of one object into the kernel. All or nothing: whatever fails, everything that was opened before is closed again. The
 * order is libbpf's: struct_ops layouts, externs, CO-RE, BTF, maps, programs, program arrays.
 */
import { AttachError, SyscallError, UnsupportedError, UsageError, VerifierError } from '../errors.js';
import { btfBytes, btfLoad, fdById, logText, mapCreate, progBindMap, progInfo } from '../kernel/bpf.js';
import { Errno } from '../kernel/errno.js';
import { failure } from '../kernel/fail.js';
import type { Fd } from '../kernel/fd.js';
import { feature } from '../kernel/features.js';
import { BpfMap } from '../kernel/map.js';
import { didYouMean } from '../kernel/near.js';
import { kernelAtLeast } from '../kernel/release.js';
import { raiseMemlock } from '../kernel/rlimit.js';
import { parseBtf, type Btf } from '../reloc/btf.js';
import { sanitizeBtf } from '../reloc/btf-sanitize.js';
import { relocateCore, type CoreStory } from '../reloc/core.js';
import { parseObject } from '../reloc/object.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from '../reloc/spec.js';
import { MapCreateFlag, MapType } from '../uapi.js';
import { findAttachTarget } from './attach-target.js';
import { holding } from './attach/link.js';
import { kconfigData, resolveSymbols, type ResolvedExtern } from './externs.js';
import { withGlobals, type GlobalValue } from './globals.js';
import { fillReferences } from './instructions.js';
import { KernelTypes, type KernelType } from './kernel-types.js';
import { checkMapNames, createMap, DEFAULT_PIN_PATH, fillSlots } from './maps.js';
import { BpfProgram, sectionOf } from './program.js';
import { loadProgram, type Binding } from './programs.js';
import type { Section } from './sections.js';
import { layOutStructOps, type Member, type StructOps } from './struct-ops.js';
import { tellingText } from './verifier-log.js';

export interface LoadOptions {
  /** file name or name of the object; global-data maps are named after it in the kernel */
  readonly name?: string;
  /** types to relocate against instead of the running kernel's and its modules': what `readBtf` read */
  readonly btf?: Btf;
  /** which programs are loaded; without it those whose section name does not start with `?` */
  readonly autoload?: (program: ProgramSpec) => boolean;
  /** which maps are created; a program that comes to use another is refused. Without it all but those of sections whose name starts with `?` */
  readonly autocreate?: (map: MapSpec) => boolean;
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
  /** told each program's log, of the one that is refused too */
  readonly onVerifierLog?: (program: string, log: string) => void;
  /** told what went another way than asked, and why, without being an error */
  readonly onWarning?: (text: string) => void;
}

/** What a load leaves open: the caller closes programs and maps. */
export interface Loaded {
  readonly spec: ObjectSpec;
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, BpfProgram>;
  readonly stories: ReadonlyMap<string, readonly CoreStory[]>;
  readonly types: KernelTypes;
  readonly structOps: ReadonlyMap<string, StructOps>;
  readonly warn: (text: string) => void;
}

/** One load: what is open so far, and the steps. */
export class Loading {
  readonly #options: LoadOptions;
  readonly #warn: (text: string) => void;
  readonly #types: KernelTypes;
  readonly #maps = new Map<string, BpfMap>();
  readonly #programs = new Map<string, BpfProgram>();
  /** descriptors of module BTF for kernel function calls; index 0 stands for vmlinux */
  readonly #fdArray: number[] = [0];
  #spec: ObjectSpec;
  #btf: Fd | undefined;
  #structOps: ReadonlyMap<string, StructOps> = new Map();
  #members: ReadonlyMap<string, Member> = new Map();

  constructor(bytes: Uint8Array, options: LoadOptions) {
    this.#options = options;
    this.#warn = options.onWarning ?? (() => {});
    this.#types = new KernelTypes(options.btf);
    const parsed = withGlobals(parseObject(bytes, { name: options.name }), options.rodata ?? {});
    const { autoload, autocreate } = options;
    this.#spec = {
      ...parsed,
      programs: autoload ? parsed.programs.map((program) => ({ ...program, autoload: autoload(program) })) : parsed.programs,
      maps: autocreate ? parsed.maps.map((map) => ({ ...map, autocreate: autocreate(map) })) : parsed.maps,
    };
    checkMapNames(Object.keys(options.mapEntries ?? {}), this.#spec.maps);
  }

  run(): Loaded {
    try {
      this.#layOutStructOps();
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
      return { spec, maps: this.#maps, programs: this.#programs, stories, types: this.#types, structOps: this.#structOps, warn: this.#warn };
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

  /** Programs of struct_ops maps that are not created are not loaded, unless the caller decides. */
  #layOutStructOps(): void {
    if (!this.#spec.maps.some(({ structOps }) => structOps)) return;
    const { maps, members } = layOutStructOps(this.#spec, this.#types);
    this.#structOps = maps;
    this.#members = members;
    if (this.#options.autoload) return;
    const named = new Set(this.#spec.maps.flatMap(({ structOps }) => structOps?.functions.map(({ program }) => program) ?? []));
    this.#spec = { ...this.#spec, programs: this.#spec.programs.map((each) => named.has(each.name) ? { ...each, autoload: members.has(each.name) } : each) };
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
      const ops = this.#structOps.get(map.name);
      if (ops) {
        this.#maps.set(map.name, this.#createStructOps(map, ops));
        continue;
      }
      if (map.globals && !feature('globalData')) continue;
      this.#maps.set(map.name, createMap(this.#withConfiguration(map), options));
    }
    for (const map of maps) {
      const made = this.#maps.get(map.name);
      if (made && map.type !== MapType.PROG_ARRAY) fillSlots(map, made, (name) => this.#maps.get(name)?.fd.value, this.#warn);
    }
  }

  #createStructOps(map: MapSpec, ops: StructOps): BpfMap {
    const module = this.#types.btfFd(ops.kernel);
    if (ops.link && !kernelAtLeast('6.4')) throw new UnsupportedError(`section "${map.section}" of map "${map.name}"`, '6.4', 'SEC(".struct_ops") works on older kernels');
    const fd = mapCreate({
      type: map.type, keySize: map.keySize, valueSize: ops.value.length, maxEntries: map.maxEntries, name: map.kernelName,
      btfFd: this.#btf?.value, flags: map.mapFlags | (module === 0 ? 0 : MapCreateFlag.VTYPE_BTF_OBJ_FD), btfVmlinuxValueTypeId: ops.valueTypeId, valueTypeBtfObjFd: module,
    });
    return holding([fd], () => new BpfMap(fd));
  }

  #withConfiguration(map: MapSpec): MapSpec {
    return map.globals === 'kconfig' ? { ...map, data: kconfigData(this.#spec.externs, map.valueSize, this.#warn) } : map;
  }

  #loadProgram(program: ProgramSpec, section: Section, externs: ReadonlyMap<string, ResolvedExtern>, stories: readonly CoreStory[] | undefined): void {
    const insns = fillReferences(program, {
      mapFd: (name) => this.#maps.get(name)?.fd.value,
      mapIndex: (name) => this.#spec.maps.findIndex((map) => map.name === name),
      extern: (name) => externs.get(name),
      externIndex: (name) => this.#spec.externs.findIndex((extern) => extern.name === name),
      btfFd: (type) => this.#types.btfFd(type),
      btfIndex: (type) => this.#btfIndex(type),
    });
    const { onVerifierLog = () => {} } = this.#options;
    const loaded = telling(onVerifierLog, () => loadProgram(program, section, insns, {
      spec: this.#spec,
      btfFd: this.#btf?.value,
      binding: this.#binding(program, section),
      fdArray: this.#fdArray.length > 1 ? Int32Array.from(this.#fdArray) : undefined,
      stories,
      logLevel: this.#options.logLevel ?? 0,
    }));
    if (loaded.log !== '') onVerifierLog(program.name, loaded.log);
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
    if (section.kind === 'freplace') return this.#replacement(program, section);
    if (section.kind === 'struct_ops') {
      const member = this.#members.get(program.name);
      if (!member) throw new AttachError(program.name, 'no struct_ops map uses the program', 'name it in a variable of SEC(".struct_ops") or SEC(".struct_ops.link")');
      return { btfId: member.kernel.id, fd: this.#types.btfFd(member.kernel), attachType: member.index };
    }
    if (!section.btf) return undefined;
    const type = findAttachTarget(program.name, section, this.#types);
    return { btfId: type.id, fd: this.#types.btfFd(type) };
  }

  /** The function's id is one of the other program's own BTF. */
  #replacement({ name }: ProgramSpec, section: Section): Binding {
    const target = this.#options.replaces?.[name];
    if (!target) throw new UsageError(`program "${name}" of section "${section.prefix}" replaces a function of another program: name that in the option "replaces"`);
    const fd = target.fd.value;
    const { btfId } = progInfo(fd);
    const btf = btfId === 0 ? undefined : fdById('BTF', btfId);
    if (!btf) throw new AttachError(name, `program "${target.name}" was loaded without BTF`, 'compile it with -g');
    try {
      const functions = parseBtf(btfBytes(btf.value), { source: `BTF of program "${target.name}"` });
      const id = functions.find(section.argument, 'func');
      if (id !== undefined) return { btfId: id, fd };
      const names = Array.from({ length: functions.length }, (_, i) => i).filter((i) => functions.kind(i) === 'func').map((i) => functions.name(i));
      throw new AttachError(name, `program "${target.name}" has no function "${section.argument}"`, didYouMean(section.argument, names) || `it has ${names.join(', ')}`);
    } finally {
      btf.close();
    }
  }

  #fillProgArrays(): void {
    for (const map of this.#spec.maps) {
      const made = this.#maps.get(map.name);
      if (made && map.type === MapType.PROG_ARRAY) fillSlots(map, made, (name) => this.#programs.get(name)?.fd.value, this.#warn);
    }
  }
}

function telling<T>(onVerifierLog: (program: string, log: string) => void, load: () => T): T {
  try {
    return load();
  } catch (error) {
    if (error instanceof VerifierError) onVerifierLog(error.program, error.log);
    throw error;
  }
}
