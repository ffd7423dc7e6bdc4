/**
 * The custom section "name": names of the module, its functions and their locals, for messages only. Read when first asked
 * for, and tolerant: what is broken gives no names, never an error. Specification, appendix "Custom Sections and Annotations".
 */
import type { Module, Names } from './module.js';
import { WasmReader } from './reader.js';

const MODULE = 0, FUNCTIONS = 1, LOCALS = 2;

/**
 * @param bytes the whole module
 * @param section contents of the section "name", behind the section's own name; undefined where the module has none
 */
export function lazyNames(bytes: Uint8Array, section: { readonly start: number; readonly end: number } | undefined): Names {
  return section ? new NameSection(bytes, section) : NO_NAMES;
}

const exported = new WeakMap<Module, ReadonlyMap<number, string>>();

/** What a function is called in messages: from the name section, else the name of its first export, else undefined. */
export function nameOf(module: Module, func: number): string | undefined {
  const name = module.names.func(func);
  if (name !== undefined) return name;
  let names = exported.get(module);
  // the last of equal keys wins
  if (!names) exported.set(module, names = new Map(module.exports.filter(({ kind }) => kind === 'func').reverse().map((item) => [item.index, item.name])));
  return names.get(func);
}

const NO_NAMES: Names = { module: undefined, func: () => undefined, local: () => undefined };

class NameSection implements Names {
  readonly #bytes: Uint8Array;
  readonly #section: { readonly start: number; readonly end: number };
  #parts: Map<number, { start: number; end: number }> | undefined;
  #module: string | undefined | null = null;
  #funcs: Map<number, string> | undefined;
  /** function -> where its name map starts */
  #locals: Map<number, number> | undefined;

  constructor(bytes: Uint8Array, section: { readonly start: number; readonly end: number }) {
    this.#bytes = bytes;
    this.#section = section;
  }

  get module(): string | undefined {
    if (this.#module === null) this.#module = this.#read(MODULE, (r) => r.name());
    return this.#module;
  }

  func(index: number): string | undefined {
    if (!this.#funcs) {
      const funcs = this.#funcs = new Map<number, string>();
      this.#read(FUNCTIONS, (r) => readNameMap(r, (i, name) => { funcs.set(i, name); }));
    }
    return this.#funcs.get(index);
  }

  local(func: number, index: number): string | undefined {
    if (!this.#locals) {
      const locals = this.#locals = new Map<number, number>();
      this.#read(LOCALS, (r) => {
        for (let n = r.u32(); n > 0; n--) {
          locals.set(r.u32(), r.pos);
          readNameMap(r, () => {});
        }
      });
    }
    const at = this.#locals.get(func);
    let found: string | undefined;
    if (at !== undefined) this.#read(LOCALS, (r) => { r.pos = at; readNameMap(r, (i, name) => { if (i === index) found ??= name; }); });
    return found;
  }

  #read<T>(id: number, read: (r: WasmReader) => T): T | undefined {
    this.#parts ??= this.#subsections();
    const part = this.#parts.get(id);
    if (!part) return undefined;
    try {
      return read(new WasmReader(this.#bytes, part.start, part.end));
    } catch {
      return undefined;
    }
  }

  #subsections(): Map<number, { start: number; end: number }> {
    const parts = new Map<number, { start: number; end: number }>();
    const r = new WasmReader(this.#bytes, this.#section.start, this.#section.end);
    try {
      while (r.pos < r.end) {
        const id = r.u8();
        const size = r.u32();
        const start = r.skip(size);
        if (!parts.has(id)) parts.set(id, { start, end: r.pos });
      }
    } catch {
      // the subsections before the broken one count
    }
    return parts;
  }
}

function readNameMap(r: WasmReader, each: (index: number, name: string) => void): void {
  for (let n = r.u32(); n > 0; n--) {
    const index = r.u32();
    each(index, r.name());
  }
}
