/** Object files for tests: read from fixtures, and changed field by field to see what a parser says. */
import { readFileSync } from 'node:fs';
import { parseElf, SectionType } from '#src/reloc/elf.js';

/** A fixture's bytes, `calls` for fixtures/reloc/calls.bpf.o. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`fixtures/reloc/${name}.bpf.o`));
}

/** Field -> offset and bytes. */
const HEADER = { class: [4, 1], data: [5, 1], identVersion: [6, 1], type: [16, 2], machine: [18, 2], version: [20, 4], phoff: [32, 8], shoff: [40, 8], phentsize: [54, 2], phnum: [56, 2], shentsize: [58, 2], shnum: [60, 2], shstrndx: [62, 2] } as const;
const SECTION = { name: [0, 4], type: [4, 4], flags: [8, 8], offset: [24, 8], size: [32, 8], link: [40, 4], info: [44, 4], entsize: [56, 8] } as const;
const SYMBOL = { name: [0, 4], info: [4, 1], other: [5, 1], section: [6, 2], value: [8, 8], size: [16, 8] } as const;
const RELOCATION = { offset: [0, 8], type: [8, 4], symbol: [12, 4] } as const;

export class Draft {
  readonly bytes: Uint8Array;
  readonly #elf;

  constructor(name: string) {
    this.bytes = fixture(name);
    this.#elf = parseElf(this.bytes.slice());
  }

  header(field: keyof typeof HEADER, value: number): this {
    return this.#set(HEADER[field], 0, value);
  }
  section(name: string, field: keyof typeof SECTION, value: number): this {
    return this.#set(SECTION[field], this.#headerAt(name), value);
  }
  symbol(name: string, field: keyof typeof SYMBOL, value: number): this {
    const table = this.#elf.sections.find((s) => s.type === SectionType.SYMTAB)!;
    const symbol = this.#elf.symbols(table).named(name)[0];
    if (!symbol) throw new Error(`no symbol ${name}`);
    return this.#set(SYMBOL[field], table.offset + symbol.index * 24, value);
  }
  relocation(section: string, index: number, field: keyof typeof RELOCATION, value: number): this {
    return this.#set(RELOCATION[field], this.#elf.section(section)!.offset + index * 16, value);
  }
  /** A word of a section's contents. */
  word(section: string, offset: number, value: number, bytes = 4): this {
    return this.#set([offset, bytes], this.#elf.section(section)!.offset, value);
  }
  symbolIndex(name: string): number {
    return this.#elf.symbols(this.#elf.sections.find((s) => s.type === SectionType.SYMTAB)!).named(name)[0].index;
  }
  /** Another name of the same length in the BTF's strings. */
  rename(from: string, to: string): this {
    const { offset, size } = this.#elf.section('.BTF')!;
    const at = Buffer.from(this.bytes.buffer, 0, offset + size).indexOf(`\0${from}\0`, offset);
    if (at < 0 || from.length !== to.length) throw new Error(`cannot rename ${from} to ${to}`);
    Buffer.from(this.bytes.buffer).write(to, at + 1);
    return this;
  }
  index(section: string): number {
    return this.#elf.section(section)!.index;
  }
  #headerAt(name: string): number {
    const section = this.#elf.section(name);
    if (!section) throw new Error(`no section ${name}`);
    return new DataView(this.bytes.buffer).getUint32(40, true) + section.index * 64;
  }
  #set([offset, size]: readonly [number, number], base: number, value: number): this {
    for (let i = 0, left = value; i < size; i++, left = Math.floor(left / 256)) this.bytes[base + offset + i] = left % 256;
    return this;
  }
}
