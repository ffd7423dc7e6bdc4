/**
 * Walks instructions: opcode and immediates, one at a time, without an allocation. The validator, the tiers' lowering and the
 * disassembler all read code through it. Checks the form (chapter 5.4), not the types (validate.ts), nor the nesting.
 */
import { hex } from '../errors.js';
import { FEATURES_2_0, ROWS, ROWS_OF_PREFIX, ROW_OF_BYTE, enabledRows, mnemonicOf, type Feature, type Immediates } from './opcodes.js';
import { WasmReader } from './reader.js';
import { NON_NULL } from './types.js';

/**
 * `const instr = new InstrReader(module.bytes, code.start, code.end); while (instr.pos < instr.end) { instr.next(); … }`
 *
 * After `next()` the fields below describe the instruction, and stay until the following `next()`:
 *
 *   immediates      a              b              c             d
 *   block           type index,    value type,    –             –      a type index: b is 0; no index: a is -1, and b is the
 *                   or -1          or 0                                one result's type, or 0 for none
 *   label …         index          –              –             –      likewise every single index
 *   labels          targets,       –              –             –      the targets are labels[0 … a-1], the default labels[a]
 *                   the default not counted
 *   type table      type           table          –             –
 *   data memory     data           memory         –             –
 *   memory memory   destination    source         –             –      likewise table table
 *   elem table      elem           table          –             –
 *   memargN         offset         memory         log2 of       –      the offset in bytes, never negative
 *                                                 alignment
 *   i32             value, signed  –              –             –
 *   i64             low half       high half      –             –      signed 32-bit numbers
 *   f32             bits, signed   –              –             –
 *   f64             low half       high half      –             –      bits as signed 32-bit numbers
 *   heap            RefType        –              –             –      the nullable reference type, as in types.ts
 *   types           how many       first of them  –             –
 *   type field      type           second index   –             –      likewise type u32, type data, type elem, type type
 *   v128, lanes     lowest 32      …              …             highest  bits as signed 32-bit numbers; a lane index a byte
 *                   bits
 *   lane            index          –              –             –      memargN lane: the lane in d
 *   block catches   as block       as block       clauses       –      clause i is catches[3 i …]: 0 catch, 1 catch_ref,
 *                                                                      2 catch_all, 3 catch_all_ref; tag or -1; label
 *   cast label      label          RefType of     RefType       –      br_on_cast and br_on_cast_fail
 *   heap heap                      the operand    tested for
 */
export class InstrReader extends WasmReader {
  /** the code of opcodes.ts: 0x6a, 0xfc0a */
  op = 0;
  /** index in ROWS */
  row = 0;
  /** of the opcode, in bytes from the module's start */
  offset = 0;
  a = 0;
  b = 0;
  c = 0;
  d = 0;
  /** the targets of the last br_table; reused by the next one */
  labels = new Int32Array(16);
  /** the clauses of the last try_table, three numbers each; reused by the next one */
  catches = new Int32Array(12);

  override endReason = 'unexpected end of section or function';

  /** opcode byte -> how its immediates are read, or SLOW */
  readonly #kinds: Uint8Array;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, features: ReadonlySet<Feature> = FEATURES_2_0) {
    super(bytes, start, end, features);
    this.#kinds = kindsOfBytes(features);
  }

  /** Reads the instruction at `pos` and moves behind it. @throws MalformedError */
  next(): void {
    const { bytes, end } = this;
    const offset = this.pos;
    this.offset = offset;
    if (offset >= end) throw this.fail(this.endReason);
    const op = bytes[offset];
    this.op = op;
    this.row = ROW_OF_BYTE[op];
    let kind = this.#kinds[op];
    // nearly all instructions have no immediate or an index of one byte
    if (kind === 0) {
      this.pos = offset + 1;
      return;
    }
    if (kind === 1 && offset + 1 < end) {
      const index = bytes[offset + 1];
      if (index < 0x80) {
        this.a = index;
        this.pos = offset + 2;
        return;
      }
    }
    this.pos = offset + 1;
    if (kind === SLOW) kind = this.#slow(op, offset);
    switch (kind) {
      case 0: return;
      case 1: this.a = this.u32(); return;
      case 2: {
        const flags = this.u32();
        if (flags >= 0x40) this.#memory(flags, offset);
        else this.b = 0;
        this.c = flags & 0x3f;
        this.a = this.u64();
        return;
      }
      case 3: this.a = this.s32(); return;
      case 4: this.#blockType(); return;
      case 5: this.a = this.u32(); this.b = this.u32(); return;
      case 6: this.s64(); this.a = this.lo; this.b = this.hi; return;
      case 7: this.a = this.bits32(); return;
      case 8: this.a = this.bits32(); this.b = this.bits32(); return;
      case 9: this.#labels(); return;
      case 10: this.a = this.#memoryIndex(); return;
      case 11: this.a = this.u32(); this.b = this.#memoryIndex(); return;
      case 12: this.a = this.#memoryIndex(); this.b = this.#memoryIndex(); return;
      case 13: this.a = this.heapType(); return;
      case 14: this.#types(); return;
      case 15: this.a = this.bits32(); this.b = this.bits32(); this.c = this.bits32(); this.d = this.bits32(); return;
      case 16: this.a = this.u8(); return;
      case 17: {
        const flags = this.u32();
        if (flags >= 0x40) this.#memory(flags, offset);
        else this.b = 0;
        this.c = flags & 0x3f;
        this.a = this.u64();
        this.d = this.u8();
        return;
      }
      case 20: {
        const at = this.pos;
        if (this.u8() !== 0) throw this.fail('zero byte expected', at);
        return;
      }
      case 18: this.#blockType(); this.#catches(); return;
      case 19: {
        const at = this.pos;
        const flags = this.u8();
        if (flags > 3) throw this.fail('malformed br_on_cast flags', at, hex(flags));
        this.a = this.u32();
        this.b = this.heapType() + (flags & 1 ? 0 : NON_NULL);
        this.c = this.heapType() + (flags & 2 ? 0 : NON_NULL);
        return;
      }
    }
  }

  /** An instruction of a prefix, or one that is none. */
  #slow(byte: number, offset: number): number {
    const rows = ROWS_OF_PREFIX[byte];
    if (rows) {
      const sub = this.u32();
      this.op = sub > 0xff ? byte << 12 | sub : byte << 8 | sub;
      this.row = sub < rows.length ? rows[sub] : -1;
      if (this.row < 0) throw this.fail('illegal opcode', offset, `${hex(byte)} ${hex(sub)}`);
    }
    if (this.row < 0) throw this.fail(`illegal opcode ${byte.toString(16).padStart(2, '0')}`, offset);
    const feature = ROWS[this.row][4];
    if (!this.features.has(feature)) throw this.fail('illegal opcode', offset, `${mnemonicOf(this.op)} needs the feature ${feature}`);
    return KIND_OF_ROW[this.row];
  }

  #memory(flags: number, offset: number): void {
    if (flags >= 0x80 || !this.features.has('multi-memory')) throw this.fail('malformed memop flags', offset, hex(flags));
    this.b = this.u32();
  }

  #memoryIndex(): number {
    const at = this.pos;
    const index = this.u32();
    if (index !== 0 && !this.features.has('multi-memory')) throw this.fail('zero byte expected', at, `memory ${index} needs the feature multi-memory`);
    return index;
  }

  #blockType(): void {
    const at = this.pos;
    const byte = at < this.end ? this.bytes[at] : this.u8();
    // 0x40 to 0x7f: one byte of a negative number, which is no type index
    if (byte >= 0x40 && byte < 0x80) {
      this.a = -1;
      if (byte === 0x40) {
        this.pos = at + 1;
        this.b = 0;
      } else {
        this.b = this.valType();
      }
      return;
    }
    this.a = this.s33();
    this.b = 0;
    if (this.a < 0) throw this.fail('malformed block type', at, String(this.a));
  }

  #labels(): void {
    const n = this.a = this.count('labels');
    if (n >= this.labels.length) this.labels = new Int32Array(2 * n + 2);
    const { labels } = this;
    // an index beyond 2^31 is as unknown as 2^31 - 1
    for (let i = 0; i <= n; i++) labels[i] = Math.min(this.u32(), 0x7fffffff);
  }

  #catches(): void {
    const n = this.c = this.count('catch clauses');
    if (3 * n > this.catches.length) this.catches = new Int32Array(6 * n);
    const { catches } = this;
    for (let i = 0; i < 3 * n; i += 3) {
      const at = this.pos;
      const kind = this.u8();
      if (kind > 3) throw this.fail('malformed catch clause', at, hex(kind));
      catches[i] = kind;
      catches[i + 1] = kind < 2 ? Math.min(this.u32(), 0x7fffffff) : -1;
      catches[i + 2] = Math.min(this.u32(), 0x7fffffff);
    }
  }

  #types(): void {
    const n = this.a = this.count('types');
    this.b = 0;
    for (let i = 0; i < n; i++) {
      const type = this.valType();
      if (i === 0) this.b = type;
    }
  }
}

const KIND: { readonly [I in Immediates]: number } = {
  '': 0,
  label: 1, func: 1, local: 1, global: 1, table: 1, data: 1, elem: 1,
  memarg1: 2, memarg2: 2, memarg4: 2, memarg8: 2,
  i32: 3, block: 4,
  'type table': 5, 'elem table': 5, 'table table': 5,
  i64: 6, f32: 7, f64: 8, labels: 9, memory: 10, 'data memory': 11, 'memory memory': 12, heap: 13, types: 14,
  tag: 1, type: 1, 'type field': 5, 'type u32': 5, 'type data': 5, 'type elem': 5, 'type type': 5,
  memarg16: 2, v128: 15, lanes: 15, lane: 16, 'memarg1 lane': 17, 'memarg2 lane': 17, 'memarg4 lane': 17, 'memarg8 lane': 17,
  zero: 20, 'block catches': 18, 'cast label heap heap': 19,
};
const KIND_OF_ROW = Uint8Array.from(ROWS, ([, , immediates]) => KIND[immediates]);

/** In place of a kind: the opcode is a prefix, or no instruction of these features. */
const SLOW = 0xff;
const kinds = new WeakMap<ReadonlySet<Feature>, Uint8Array>();

function kindsOfBytes(features: ReadonlySet<Feature>): Uint8Array {
  let table = kinds.get(features);
  if (!table) {
    const enabled = enabledRows(features);
    table = Uint8Array.from(ROW_OF_BYTE, (row) => row >= 0 && enabled[row] ? KIND_OF_ROW[row] : SLOW);
    kinds.set(features, table);
  }
  return table;
}
