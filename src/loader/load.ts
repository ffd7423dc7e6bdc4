/**
 * A BPF object in the kernel, from its bytes to its links. The steps of loading are in loading.ts, attaching is in attach/.
 */
import { AttachError, SyscallError } from '../errors.js';
import type { BpfMap } from '../kernel/map.js';
import { didYouMean } from '../kernel/near.js';
import type { CoreStory } from '../reloc/core.js';
import type { ObjectSpec } from '../reloc/spec.js';
import { attachProgram, type Link } from './attach/index.js';
import type { KernelTypes } from './kernel-types.js';
import { Loading, type Loaded, type LoadOptions } from './loading.js';
import { sectionOf, type BpfProgram } from './program.js';
import { expectedAttachType } from './programs.js';
import { TARGETS } from './sections.js';
import { attachStructOps, type StructOps } from './struct-ops.js';

export type { Link } from './attach/index.js';
export type { GlobalValue } from './globals.js';
export type { LoadOptions } from './loading.js';
export type { BpfProgram } from './program.js';

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
  readonly #structOps: ReadonlyMap<string, StructOps>;
  readonly #warn: (text: string) => void;
  #closed = false;

  private constructor(loaded: Loaded) {
    this.spec = loaded.spec;
    this.maps = loaded.maps;
    this.programs = loaded.programs;
    this.stories = loaded.stories;
    this.#types = loaded.types;
    this.#structOps = loaded.structOps;
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
   * Registers a struct_ops map: the kernel calls its programs until the link is closed.
   * @throws AttachError (BPF_ATTACH)
   */
  attachStructOps(name: string): Link {
    const map = this.maps.get(name);
    const ops = this.#structOps.get(name);
    if (this.#closed) throw new AttachError(name, 'the object is closed');
    if (!map || !ops) throw new AttachError(name, 'the object has no such struct_ops map', didYouMean(name, this.#structOps.keys()));
    try {
      const link = attachStructOps(name, ops, map, (program) => this.programs.get(program)?.fd.value);
      this.#links.push(link);
      return link;
    } catch (error) {
      if (error instanceof SyscallError) throw new AttachError(name, error.message, '', { cause: error });
      throw error;
    }
  }

  /**
   * Attaches every loaded program whose section name says where to, and every struct_ops map; the others are left, with a warning.
   * @throws like attach; then what this call had attached is detached again
   */
  attachAll(): Link[] {
    const links: Link[] = [];
    try {
      for (const program of this.programs.values()) {
        const section = sectionOf(program);
        if (section.kind === 'struct_ops') continue;
        if (TARGETS[section.kind].target === 'section' && section.argument !== '') links.push(this.attach(program.name));
        else this.#warn(`program "${program.name}" is not attached: section "${section.prefix}" needs ${TARGETS[section.kind].needs.replace(/^no target: /, 'no attaching: ')}`);
      }
      for (const name of this.#structOps.keys()) links.push(this.attachStructOps(name));
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
