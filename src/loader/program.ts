/** A loaded program as users of the library see it, and the meaning of its section name. */
import { AttachError } from '../errors.js';
import { progInfo } from '../kernel/bpf.js';
import type { Fd } from '../kernel/fd.js';
import { didYouMean } from '../kernel/near.js';
import type { ProgramSpec } from '../reloc/spec.js';
import { parseSection, SECTION_PREFIXES, type Section } from './sections.js';

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

/** @throws AttachError (BPF_ATTACH) for a section name of no known form */
export function sectionOf({ name, section }: { readonly name: string; readonly section: string }): Section {
  const parsed = parseSection(section);
  if (parsed) return parsed;
  const [prefix] = section.replace(/^\?/, '').split('/');
  throw new AttachError(name, `section "${section}" says nothing about the program's type`, didYouMean(prefix, SECTION_PREFIXES) || 'a name like "tp/CATEGORY/NAME", "kprobe/FUNCTION", "xdp"');
}
