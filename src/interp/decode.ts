/**
 * Bytes -> Module: the whole binary format (specification chapter 5), with the official suite's phrase and an offset for
 * every fault. Time and memory are linear in the bytes that are there, whatever they declare. Types and indices are not
 * judged here (validate.ts), nor are instructions kept: a body stays a byte range, of which only the form is checked.
 */
import type { MalformedError } from '../errors.js';
import { hex } from '../errors.js';
import { InstrReader } from './instr.js';
import type { Code, Data, Elem, Export, Expr, FieldType, FuncType, GlobalDef, GlobalType, Import, LimitsType, MemoryType, Module, Names, TableDef, TableType, TypeDef, ValType } from './module.js';
import { lazyNames } from './names.js';
import { FEATURES_2_0, mnemonicOf, type Feature } from './opcodes.js';
import { FUNCREF, I16, I8, NON_NULL } from './types.js';

/** section id -> its name and its place in the order; `custom` may stand anywhere */
const SECTIONS = [
  ['custom', 0], ['type', 1], ['import', 2], ['function', 3], ['table', 4], ['memory', 5], ['global', 7], ['export', 8],
  ['start', 9], ['element', 10], ['code', 12], ['data', 13], ['data count', 11], ['tag', 6],
] as const;
const TAG_SECTION = 13;
type SectionName = (typeof SECTIONS)[number][0];

const MAGIC = 0x6d736100, VERSION = 1;
/** What may come before a block's end: an else, a catch, nothing. */
const OTHER = 0, IF = 1, TRY = 2;
const EXTERN_KINDS = ['func', 'table', 'memory', 'global', 'tag'] as const;
const NO_FUNC: FuncType = { params: [], results: [] };
const MAX_LOCALS = 2 ** 32 - 1;

/**
 * @param bytes the module; kept, not copied, so nobody may write to it as long as the Module is used
 * @throws MalformedError with the offset of the fault
 */
export function decode(bytes: Uint8Array, features: ReadonlySet<Feature> = FEATURES_2_0): Module {
  return new Decoder(bytes, features, true).module();
}

/**
 * The same without a look at the bodies of functions: only validate.ts, which reads them anyway, may use it.
 * @throws MalformedError for everything else
 */
export function decodeOutside(bytes: Uint8Array, features: ReadonlySet<Feature>): Module {
  return new Decoder(bytes, features, false).module();
}

class Decoder {
  readonly #r: InstrReader;
  readonly #types: FuncType[] = [];
  readonly #defs: TypeDef[] = [];
  readonly #tags: number[] = [];
  readonly #imports: Import[] = [];
  readonly #funcs: number[] = [];
  readonly #tables: TableDef[] = [];
  readonly #memories: MemoryType[] = [];
  readonly #globals: GlobalDef[] = [];
  readonly #exports: Export[] = [];
  readonly #elems: Elem[] = [];
  readonly #datas: Data[] = [];
  readonly #codes: Code[] = [];
  readonly #customs: { name: string; start: number; end: number }[] = [];
  readonly #imported = { func: 0, table: 0, memory: 0, global: 0, tag: 0 };
  #start: number | undefined;
  #dataCount: number | undefined;
  #sectionEnd = 0;
  /** where an instruction first names a data segment */
  #dataUse = -1;
  #dataOp = 0;
  /** open blocks of the expression being read: 1 for an `if` that may have an `else` */
  #open = new Uint8Array(64);

  constructor(readonly bytes: Uint8Array, features: ReadonlySet<Feature>, readonly bodies: boolean) {
    this.#r = new InstrReader(bytes, 0, bytes.length, features);
    this.#r.endReason = 'unexpected end';
  }

  module(): Module {
    const r = this.#r;
    if (this.#word(0) !== MAGIC) throw r.fail('magic header not detected', 0);
    const version = this.#word(4);
    if (version !== VERSION) throw r.fail('unknown binary version', 4, `${version}, expected ${VERSION}`);
    let last = 0;
    while (r.pos < this.bytes.length) {
      const at = r.pos;
      const id = r.u8();
      if (id >= SECTIONS.length || id === TAG_SECTION && !r.features.has('exceptions')) throw r.fail('malformed section id', at, String(id));
      const [name, order] = SECTIONS[id];
      const size = r.u32();
      const start = r.skip(size);
      if (order !== 0) {
        if (order <= last) throw r.fail('unexpected content after last section', at, `section ${name} is out of order or repeated`);
        last = order;
      }
      r.pos = start;
      this.#section(name, size);
      r.end = this.bytes.length;
      r.endReason = 'unexpected end';
    }
    this.#consistent();
    return this.#result();
  }

  #word(at: number): number {
    this.#r.pos = at;
    return this.#r.bits32() >>> 0;
  }

  #section(name: SectionName, size: number): void {
    const r = this.#r;
    const end = r.pos + size;
    r.end = this.#sectionEnd = end;
    r.endReason = 'unexpected end of section or function';
    switch (name) {
      case 'custom': {
        if (size === 0) throw r.fail(r.endReason, end, 'a custom section without a name');
        const custom = r.name();
        this.#customs.push({ name: custom, start: r.pos, end });
        r.pos = end;
        break;
      }
      case 'type': this.#each('types', () => { this.#recursionGroup(); }); break;
      case 'import': this.#each('imports', () => { this.#import(); }); break;
      case 'function': this.#each('functions', () => { this.#funcs.push(r.u32()); }); break;
      case 'table': this.#each('tables', () => { this.#tables.push(this.#table()); }); break;
      case 'memory': this.#each('memories', () => { this.#memories.push(this.#memoryType()); }); break;
      case 'tag': this.#each('tags', () => { this.#tags.push(this.#tag()); }); break;
      case 'global': this.#each('globals', () => {
        const type = this.#globalType();
        this.#globals.push({ type, init: this.#expr() });
      }); break;
      case 'export': this.#each('exports', () => {
        const item = r.name();
        const at = r.pos;
        const kind = this.#externKind();
        if (!kind) throw r.fail('malformed export kind', at);
        this.#exports.push({ name: item, kind, index: r.u32() });
      }); break;
      case 'start': this.#start = r.u32(); break;
      case 'element': this.#each('element segments', () => { this.#elems.push(this.#elem()); }); break;
      case 'data count': this.#dataCount = r.u32(); break;
      case 'code': this.#each('bodies', () => { this.#codes.push(this.#code()); }); break;
      case 'data': this.#each('data segments', () => { this.#datas.push(this.#data()); }); break;
    }
    if (r.pos !== end) throw r.fail('section size mismatch', r.pos, `section ${name} has ${end - r.pos} more bytes`);
  }

  #each(what: string, item: () => void): void {
    for (let n = this.#r.count(what); n > 0; n--) item();
  }

  // ---- types ----------------------------------------------------------------------------------------------------

  #recursionGroup(): void {
    const r = this.#r;
    const group = this.#defs.length;
    if (r.pos < r.end && this.bytes[r.pos] === 0x4e && r.features.has('gc')) {
      r.u8();
      const n = r.count('types');
      for (let i = 0; i < n; i++) this.#subType(group, n);
    } else {
      this.#subType(group, 1);
    }
  }

  #subType(group: number, groupSize: number): void {
    const r = this.#r;
    const at = r.pos;
    let form = r.u8();
    let final = true;
    const supers: number[] = [];
    const gc = r.features.has('gc');
    if (gc && (form === 0x50 || form === 0x4f)) {
      final = form === 0x4f;
      for (let n = r.count('super types'); n > 0; n--) supers.push(r.u32());
      form = r.u8();
    }
    let func = NO_FUNC;
    let fields: FieldType[] = [];
    if (form === 0x60) func = { params: this.#valTypes('parameters'), results: this.#valTypes('results') };
    else if (gc && form === 0x5f) fields = this.#fields();
    else if (gc && form === 0x5e) fields = [this.#field()];
    else throw r.fail(form < 0x80 ? 'malformed definition type' : 'integer representation too long', at, hex(form));
    this.#types.push(func);
    this.#defs.push({ form: form === 0x60 ? 'func' : form === 0x5f ? 'struct' : 'array', func, fields, final, supers, group, groupSize });
  }

  #fields(): FieldType[] {
    const fields: FieldType[] = [];
    for (let n = this.#r.count('fields'); n > 0; n--) fields.push(this.#field());
    return fields;
  }

  #field(): FieldType {
    const r = this.#r;
    const code = r.pos < r.end ? this.bytes[r.pos] : 0;
    const type = code === I8 || code === I16 ? r.u8() : r.valType();
    return { type, mutable: this.#mutable() };
  }

  #valTypes(what: string): ValType[] {
    const types: ValType[] = [];
    for (let n = this.#r.count(what); n > 0; n--) types.push(this.#r.valType());
    return types;
  }

  /** Bits of the flags: 0 with a maximum, 1 shared, 2 of 64-bit addresses. */
  #limits(mayBeShared: boolean): { limits: LimitsType; is64: boolean; shared: boolean } {
    const r = this.#r;
    const at = r.pos;
    const flags = r.u8();
    const shared = (flags & 2) !== 0, is64 = (flags & 4) !== 0;
    const lacks = flags > 7 || shared && !mayBeShared ? '' : is64 && !r.features.has('memory64') ? ' needs the feature memory64' : shared && !r.features.has('threads') ? ' needs the feature threads' : undefined;
    if (lacks !== undefined) throw r.fail('malformed limits flags', at, `${hex(flags)}${lacks}`);
    const min = r.u64();
    return { limits: { min, max: (flags & 1) === 1 ? r.u64() : undefined }, is64, shared };
  }

  #tableType(): TableType {
    const elem = this.#r.refType();
    const { limits, is64 } = this.#limits(false);
    return is64 ? { elem, limits, is64 } : { elem, limits };
  }

  #memoryType(): MemoryType {
    const { limits, is64, shared } = this.#limits(true);
    return is64 ? { limits, shared, is64 } : { limits, shared };
  }

  #globalType(): GlobalType {
    const type = this.#r.valType();
    return { type, mutable: this.#mutable() };
  }

  #mutable(): boolean {
    const at = this.#r.pos;
    const mutable = this.#r.u8();
    if (mutable > 1) throw this.#r.fail('malformed mutability', at, hex(mutable));
    return mutable === 1;
  }

  #tag(): number {
    const at = this.#r.pos;
    const attribute = this.#r.u8();
    if (attribute !== 0) throw this.#r.fail('malformed tag attribute', at, hex(attribute));
    return this.#r.u32();
  }

  #externKind(): (typeof EXTERN_KINDS)[number] | undefined {
    const kind = EXTERN_KINDS[this.#r.u8()];
    return kind === 'tag' && !this.#r.features.has('exceptions') ? undefined : kind;
  }

  // ---- items ----------------------------------------------------------------------------------------------------

  #import(): void {
    const r = this.#r;
    const module = r.name();
    const name = r.name();
    const at = r.pos;
    const kind = this.#externKind();
    switch (kind) {
      case 'func': {
        const type = r.u32();
        this.#imports.push({ module, name, desc: { kind, type } });
        this.#funcs.push(type);
        break;
      }
      case 'table': {
        const type = this.#tableType();
        this.#imports.push({ module, name, desc: { kind, type } });
        this.#tables.push({ type, init: undefined });
        break;
      }
      case 'memory': {
        const type = this.#memoryType();
        this.#imports.push({ module, name, desc: { kind, type } });
        this.#memories.push(type);
        break;
      }
      case 'global': {
        const type = this.#globalType();
        this.#imports.push({ module, name, desc: { kind, type } });
        this.#globals.push({ type, init: undefined });
        break;
      }
      case 'tag': {
        const type = this.#tag();
        this.#imports.push({ module, name, desc: { kind, type } });
        this.#tags.push(type);
        break;
      }
      default: throw r.fail('malformed import kind', at);
    }
    this.#imported[kind]++;
  }

  /** A table; 0x40 0x00 announces one with an initial value. */
  #table(): TableDef {
    const r = this.#r;
    if (!(r.pos < r.end && this.bytes[r.pos] === 0x40 && r.features.has('function-references'))) return { type: this.#tableType(), init: undefined };
    r.u8();
    const at = r.pos;
    if (r.u8() !== 0) throw r.fail('malformed table', at);
    const type = this.#tableType();
    return { type, init: this.#expr() };
  }

  /** Bits of the flags: 0 not active, 1 declarative where not active, else with a table index, 2 expressions. */
  #elem(): Elem {
    const r = this.#r;
    const at = r.pos;
    const flags = r.u32();
    if (flags > 7) throw r.fail('malformed elements segment kind', at, String(flags));
    const exprs = (flags & 4) !== 0;
    const mode: Elem['mode'] = (flags & 1) === 0
      ? { kind: 'active', table: (flags & 2) === 0 ? 0 : r.u32(), offset: this.#expr() }
      : { kind: (flags & 2) === 0 ? 'passive' : 'declarative' };
    let type = exprs || !r.features.has('function-references') ? FUNCREF : FUNCREF | NON_NULL;
    if ((flags & 3) !== 0) {
      const kindAt = r.pos;
      if (exprs) type = r.refType();
      else if (r.u8() !== 0) throw r.fail('malformed element kind', kindAt);
    }
    const init: (number | Expr)[] = [];
    for (let n = r.count('elements'); n > 0; n--) init.push(exprs ? this.#expr() : r.u32());
    return { mode, type, init };
  }

  #data(): Data {
    const r = this.#r;
    const at = r.pos;
    const flags = r.u32();
    if (flags > 2) throw r.fail('malformed data segment kind', at, String(flags));
    const mode: Data['mode'] = flags === 1
      ? { kind: 'passive' }
      : { kind: 'active', memory: flags === 0 ? 0 : r.u32(), offset: this.#expr() };
    const size = r.u32();
    const start = r.skip(size, r.endReason);
    return { mode, start, end: r.pos };
  }

  #code(): Code {
    const r = this.#r;
    const size = r.u32();
    const bodyStart = r.skip(size);
    const end = r.end = r.pos;
    r.pos = bodyStart;
    const locals: { count: number; type: ValType }[] = [];
    let total = 0;
    for (let n = r.count('groups of locals'); n > 0; n--) {
      const at = r.pos;
      const count = r.u32();
      total += count;
      if (total > MAX_LOCALS) throw r.fail('too many locals', at, String(total));
      locals.push({ count, type: r.valType() });
    }
    const start = r.pos;
    if (this.bodies) this.#instructions();
    else r.pos = end;
    if (r.pos !== end) throw r.fail('section size mismatch', r.pos, `the body has ${end - r.pos} bytes behind its end`);
    r.end = this.#sectionEnd;
    return { locals, start, end };
  }

  #expr(): Expr {
    const start = this.#r.pos;
    this.#instructions();
    return { start, end: this.#r.pos };
  }

  /** Moves over instructions up to the `end` that belongs to none of their blocks. */
  #instructions(): void {
    const r = this.#r;
    let open = this.#open;
    let depth = 0;
    for (;;) {
      if (r.pos >= r.end) throw this.#noEnd();
      r.next();
      const { op } = r;
      if (op >= 0x20 && op < 0xfb09) continue;
      switch (op) {
        case 0x0b:
          if (--depth < 0) return;
          break;
        case 0x02: case 0x03: case 0x04: case 0x06: case 0x1f:
          if (depth === open.length) {
            open = new Uint8Array(2 * depth);
            open.set(this.#open);
            this.#open = open;
          }
          open[depth++] = op === 0x04 ? IF : op === 0x06 ? TRY : OTHER;
          break;
        case 0x05:
          if (depth === 0 || open[depth - 1] !== IF) throw r.fail('END opcode expected', r.offset, 'an else without an if');
          open[depth - 1] = OTHER;
          break;
        case 0x07: case 0x19:
          if (depth === 0 || open[depth - 1] !== TRY) throw r.fail('END opcode expected', r.offset, 'a catch without a try');
          if (op === 0x19) open[depth - 1] = OTHER;
          break;
        case 0x18:
          if (depth === 0 || open[depth - 1] !== TRY) throw r.fail('END opcode expected', r.offset, 'a delegate without a try');
          depth--;
          break;
        case 0xfc08: case 0xfc09: case 0xfb09: case 0xfb12:
          if (this.#dataUse < 0) {
            this.#dataUse = r.offset;
            this.#dataOp = op;
          }
          break;
      }
    }
  }

  #noEnd(): MalformedError {
    const at = this.#r.end;
    const reason = at < this.#sectionEnd ? 'END opcode expected' : this.bytes[at] === 0x0b ? 'section size mismatch' : this.#r.endReason;
    return this.#r.fail(reason, at, 'an expression without its end');
  }

  // ---- the whole ------------------------------------------------------------------------------------------------

  #consistent(): void {
    const fail = (reason: string, detail: string, at = this.bytes.length): MalformedError => this.#r.fail(reason, at, detail);
    const defined = this.#funcs.length - this.#imported.func;
    if (defined !== this.#codes.length) {
      throw fail('function and code section have inconsistent lengths', `${defined} functions, ${this.#codes.length} bodies`);
    }
    if (this.#dataCount !== undefined && this.#dataCount !== this.#datas.length) {
      throw fail('data count and data section have inconsistent lengths', `${this.#dataCount} announced, ${this.#datas.length} segments`);
    }
    if (this.#dataCount === undefined && this.#dataUse >= 0) {
      throw fail('data count section required', `${mnemonicOf(this.#dataOp)} without it`, this.#dataUse);
    }
  }

  #result(): Module {
    const { bytes } = this;
    const customs = this.#customs;
    let names: Names | undefined;
    return {
      bytes,
      types: this.#types, defs: this.#defs, tags: this.#tags, imports: this.#imports, funcs: this.#funcs, tables: this.#tables, memories: this.#memories,
      globals: this.#globals, exports: this.#exports, start: this.#start, elems: this.#elems, datas: this.#datas,
      dataCount: this.#dataCount, codes: this.#codes, imported: this.#imported, customs,
      get names(): Names {
        return names ??= lazyNames(bytes, customs.find((custom) => custom.name === 'name'));
      },
    };
  }
}
