/**
 * Judges function bodies and constant expressions: the algorithm of the specification's appendix "Validation Algorithm", one
 * pass with an operand stack and a control stack. Time is linear in the code, apart from signatures, which validate.ts
 * bounds. Reads through InstrReader, so it relies on decode.ts for nothing but the ranges.
 */
import { InvalidError } from '../errors.js';
import { InstrReader } from './instr.js';
import type { Code, Expr, FuncType, LimitsType, Module, RefType, ValType } from './module.js';
import { ROWS, mnemonicOf, type Feature } from './opcodes.js';
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, isRef, typeName } from './types.js';

/** The type of a value that unreachable code may have or not: it fits everywhere. */
const BOTTOM = 0;
/** In place of a type in the tables below: the address type of the instruction's memory. */
const ADDRESS = 1;

const LETTERS: { readonly [letter: string]: ValType } = { i: I32, l: I64, f: F32, d: F64, v: V128, a: ADDRESS };

/** Per row of opcodes.ts: how many operands, their types deepest first, and the one result or 0. */
const ARITY = new Uint8Array(ROWS.length);
const PARAM = [new Uint8Array(ROWS.length), new Uint8Array(ROWS.length), new Uint8Array(ROWS.length)] as const;
const RESULT = new Uint8Array(ROWS.length);
/** log2 of the natural alignment, for accesses of memory; else 0xff */
const NATURAL = new Uint8Array(ROWS.length).fill(0xff);
ROWS.forEach(([, mnemonic, immediates, signature], row) => {
  const [params = '', results = ''] = signature.split(':');
  if (params.length > PARAM.length || results.length > 1) throw new Error(`bug: signature of ${mnemonic}`);
  ARITY[row] = params.length;
  [...params].forEach((letter, i) => { PARAM[i][row] = LETTERS[letter]; });
  RESULT[row] = results ? LETTERS[results] : 0;
  const bytes = /^memarg(\d+)/.exec(immediates)?.[1];
  if (bytes) NATURAL[row] = Math.log2(Number(bytes));
});

/** Beyond this many locals of a function, types are searched in the groups instead of looked up. */
const FLAT_LOCALS = 256;

export class CodeValidator {
  readonly #module: Module;
  readonly #r: InstrReader;
  readonly #declared: ReadonlySet<number>;
  #func: number | undefined;

  #stack = new Int32Array(256);
  #sp = 0;

  // the control stack, innermost frame last; #depth is its length, #height and #dead belong to the innermost
  #frameOp: number[] = [];
  #frameStart: (readonly ValType[])[] = [];
  #frameEnd: (readonly ValType[])[] = [];
  #frameHeight: number[] = [];
  #frameDead: boolean[] = [];
  #depth = 0;
  #height = 0;
  #dead = false;

  // locals of the function: the first of them one by one, all of them as groups
  readonly #flat = new Int32Array(FLAT_LOCALS);
  #localCount = 0;
  /** group -> the index behind its last local, and its type */
  #groupEnd: number[] = [];
  #groupType: ValType[] = [];

  /** a number for each br_table, and for each frame the last one whose target it was */
  #tick = 0;
  #frameTick: number[] = [];

  /** @param declared functions that ref.func may name */
  constructor(module: Module, features: ReadonlySet<Feature>, declared: ReadonlySet<number>) {
    this.#module = module;
    this.#declared = declared;
    this.#r = new InstrReader(module.bytes, 0, 0, features);
  }

  /** @param func index in the function index space. @throws InvalidError */
  body(func: number, code: Code): void {
    this.#func = func;
    const type = this.#module.types[this.#module.funcs[func]];
    this.#setLocals(type.params, code);
    this.#range(code.start, code.end, [], type.results);
    const r = this.#r;
    while (r.pos < r.end) {
      r.next();
      this.#step(r);
    }
    if (this.#depth !== 0) throw new Error('bug: unbalanced code passed the decoder');
  }

  /**
   * @param globals how many of the globals the expression may read
   * @throws InvalidError
   */
  constant(expr: Expr, type: ValType, globals: number): void {
    this.#func = undefined;
    this.#localCount = 0;
    this.#range(expr.start, expr.end, [], [type]);
    const r = this.#r;
    while (r.pos < r.end) {
      r.next();
      switch (r.op) {
        case 0x0b: case 0x41: case 0x42: case 0x43: case 0x44: case 0xd0: case 0xd2: break;
        case 0x23: {
          const global = r.a < globals ? this.#module.globals[r.a] : undefined;
          if (!global) throw this.#fail(`unknown global ${r.a}`, `${globals} can be read here`);
          if (global.type.mutable) throw this.#fail('constant expression required', `global ${r.a} is mutable`);
          break;
        }
        default: throw this.#fail('constant expression required');
      }
      this.#step(r);
    }
  }

  #range(start: number, end: number, params: readonly ValType[], results: readonly ValType[]): void {
    this.#r.pos = start;
    this.#r.end = end;
    this.#sp = 0;
    this.#depth = 0;
    this.#open(0x02, params, results);
  }

  #step(r: InstrReader): void {
    const { op, row } = r;
    if (op >= 0x45 && op <= 0xc4) return this.#simple(row);
    switch (op) {
      case 0x20: return this.#push(this.#local(r.a)); // local.get
      case 0x21: return this.#pop(this.#local(r.a)); // local.set
      case 0x22: { // local.tee
        const type = this.#local(r.a);
        this.#pop(type);
        return this.#push(type);
      }
      case 0x41: return this.#push(I32); // i32.const
      case 0x0b: return this.#end();
      case 0x02: case 0x03: return this.#block(op, r); // block, loop
      case 0x04: // if
        this.#pop(I32);
        return this.#block(op, r);
      case 0x05: { // else
        const start = this.#frameStart[this.#depth - 1], end = this.#frameEnd[this.#depth - 1];
        this.#close();
        return this.#open(0x05, start, end);
      }
      case 0x0c: // br
        this.#popAll(this.#label(r.a));
        return this.#unreachable();
      case 0x0d: { // br_if
        const types = this.#label(r.a);
        this.#pop(I32);
        this.#popAll(types);
        return this.#pushAll(types);
      }
      case 0x0e: return this.#brTable(r);
      case 0x0f: // return
        this.#popAll(this.#frameEnd[0]);
        return this.#unreachable();
      case 0x00: return this.#unreachable();
      case 0x10: { // call
        const type = this.#type(this.#function(r.a));
        this.#popAll(type.params);
        return this.#pushAll(type.results);
      }
      case 0x11: { // call_indirect
        const elem = this.#table(r.b).elem;
        if (!this.#matches(elem, FUNCREF)) throw this.#fail('type mismatch', `table ${r.b} holds ${typeName(elem)}, expected funcref`);
        const type = this.#type(r.a);
        this.#pop(this.#tableAddress(r.b));
        this.#popAll(type.params);
        return this.#pushAll(type.results);
      }
      case 0x1a: this.#popAny(); return; // drop
      case 0x1b: return this.#select();
      case 0x1c: // select with a type
        if (r.a !== 1) throw this.#fail('invalid result arity', `${r.a} types, expected 1`);
        this.#pop(I32);
        this.#pop(r.b);
        this.#pop(r.b);
        return this.#push(r.b);
      case 0x23: return this.#push(this.#global(r.a).type); // global.get
      case 0x24: { // global.set
        const global = this.#global(r.a);
        if (!global.mutable) throw this.#fail('immutable global', `global ${r.a}`);
        return this.#pop(global.type);
      }
      case 0x25: { // table.get
        const { elem } = this.#table(r.a);
        this.#pop(this.#tableAddress(r.a));
        return this.#push(elem);
      }
      case 0x26: { // table.set
        const { elem } = this.#table(r.a);
        this.#pop(elem);
        return this.#pop(this.#tableAddress(r.a));
      }
      case 0xd0: return this.#push(r.a); // ref.null
      case 0xd1: { // ref.is_null
        const type = this.#popAny();
        if (type !== BOTTOM && !isRef(type)) throw this.#fail('type mismatch', `expected a reference, found ${typeName(type)}`);
        return this.#push(I32);
      }
      case 0xd2: // ref.func
        this.#function(r.a);
        if (this.#func !== undefined && !this.#declared.has(r.a)) {
          throw this.#fail('undeclared function reference', `function ${r.a} is in no element segment, export or global`);
        }
        return this.#push(FUNCREF);
      case 0xfc08: // memory.init
        this.#memory(r.b);
        this.#dataSegment(r.a);
        return this.#signature(row, r.b);
      case 0xfc09: return this.#dataSegment(r.a); // data.drop
      case 0xfc0a: // memory.copy
        this.#memory(r.a);
        this.#memory(r.b);
        return this.#signature(row, r.a);
      case 0x3f: case 0x40: case 0xfc0b: // memory.size, memory.grow, memory.fill
        this.#memory(r.a);
        return this.#signature(row, r.a);
      case 0xfc0c: { // table.init
        const { elem } = this.#table(r.b);
        const from = this.#elemSegment(r.a);
        if (!this.#matches(from, elem)) throw this.#fail('type mismatch', `segment ${r.a} holds ${typeName(from)}, table ${r.b} takes ${typeName(elem)}`);
        this.#pop(I32);
        this.#pop(I32);
        return this.#pop(this.#tableAddress(r.b));
      }
      case 0xfc0d: this.#elemSegment(r.a); return; // elem.drop
      case 0xfc0e: { // table.copy
        const to = this.#table(r.a).elem, from = this.#table(r.b).elem;
        if (!this.#matches(from, to)) throw this.#fail('type mismatch', `table ${r.b} holds ${typeName(from)}, table ${r.a} takes ${typeName(to)}`);
        this.#pop(I32);
        this.#pop(this.#tableAddress(r.b));
        return this.#pop(this.#tableAddress(r.a));
      }
      case 0xfc0f: { // table.grow
        const { elem } = this.#table(r.a);
        this.#pop(this.#tableAddress(r.a));
        this.#pop(elem);
        return this.#push(this.#tableAddress(r.a));
      }
      case 0xfc10: // table.size
        this.#table(r.a);
        return this.#push(this.#tableAddress(r.a));
      case 0xfc11: { // table.fill
        const { elem } = this.#table(r.a);
        this.#pop(this.#tableAddress(r.a));
        this.#pop(elem);
        return this.#pop(this.#tableAddress(r.a));
      }
      default:
        if (NATURAL[row] !== 0xff) return this.#access(r);
        return this.#simple(row);
    }
  }

  // ---- instructions by signature --------------------------------------------------------------------------------

  #simple(row: number): void {
    const stack = this.#stack;
    const n = ARITY[row];
    const base = this.#sp - n;
    if (base >= this.#height && (n === 0 || stack[base] === PARAM[0][row] && (n === 1 || stack[base + 1] === PARAM[1][row] && n === 2))) {
      this.#sp = base;
      const result = RESULT[row];
      if (result !== 0) this.#push(result);
      return;
    }
    this.#signature(row, 0);
  }

  #signature(row: number, memory: number): void {
    for (let i = ARITY[row] - 1; i >= 0; i--) {
      const type = PARAM[i][row];
      this.#pop(type === ADDRESS ? this.#address(memory) : type);
    }
    const result = RESULT[row];
    if (result !== 0) this.#push(result === ADDRESS ? this.#address(memory) : result);
  }

  #access(r: InstrReader): void {
    this.#memory(r.b);
    const { row } = r;
    if (r.c > NATURAL[row]) throw this.#fail('alignment must not be larger than natural', `2^${r.c}, natural is 2^${NATURAL[row]}`);
    if (r.a >= 2 ** 32 && this.#address(r.b) === I32) throw this.#fail('offset out of range', `${r.a} in a 32-bit memory`);
    this.#signature(row, r.b);
  }

  // ---- control --------------------------------------------------------------------------------------------------

  #block(op: number, r: InstrReader): void {
    if (r.a >= 0) {
      const type = this.#type(r.a);
      this.#popAll(type.params);
      this.#open(op, type.params, type.results);
    } else {
      this.#open(op, NONE, r.b === 0 ? NONE : single(r.b));
    }
  }

  #open(op: number, start: readonly ValType[], end: readonly ValType[]): void {
    const depth = this.#depth++;
    if (depth > 0) this.#frameDead[depth - 1] = this.#dead;
    this.#frameOp[depth] = op;
    this.#frameStart[depth] = start;
    this.#frameEnd[depth] = end;
    this.#frameTick[depth] = 0;
    this.#frameHeight[depth] = this.#height = this.#sp;
    this.#dead = false;
    this.#pushAll(start);
  }

  /** Checks the results of the innermost frame and leaves it. */
  #close(): void {
    const depth = this.#depth - 1;
    const end = this.#frameEnd[depth];
    this.#popAll(end);
    if (this.#sp !== this.#height) {
      throw this.#fail('type mismatch', `${this.#sp - this.#height} more values on the stack than the block's results ${typeNames(end)}`);
    }
    this.#depth = depth;
    if (depth > 0) {
      this.#height = this.#frameHeight[depth - 1];
      this.#dead = this.#frameDead[depth - 1];
    }
  }

  #end(): void {
    const depth = this.#depth - 1;
    const end = this.#frameEnd[depth];
    const start = this.#frameStart[depth];
    this.#close();
    if (this.#frameOp[depth] === 0x04 && !this.#sameTypes(start, end)) {
      throw this.#fail('type mismatch', `an if without else turns ${typeNames(start)} into ${typeNames(end)}`);
    }
    if (depth > 0) this.#pushAll(end);
  }

  #unreachable(): void {
    this.#sp = this.#height;
    this.#dead = true;
  }

  /** What a branch to the label has to bring. */
  #label(label: number): readonly ValType[] {
    const frame = this.#depth - 1 - label;
    if (frame < 0) throw this.#fail(`unknown label ${label}`, `${this.#depth} labels`);
    return this.#frameOp[frame] === 0x03 ? this.#frameStart[frame] : this.#frameEnd[frame];
  }

  #brTable(r: InstrReader): void {
    this.#pop(I32);
    const { a: count, labels } = r;
    const arity = this.#label(labels[count]).length;
    const tick = ++this.#tick;
    for (let i = 0; i <= count; i++) {
      const types = this.#label(labels[i]);
      const frame = this.#depth - 1 - labels[i];
      if (this.#frameTick[frame] === tick) continue;
      this.#frameTick[frame] = tick;
      if (types.length !== arity) throw this.#fail('type mismatch', `label ${labels[i]} takes ${types.length} values, the default label ${arity}`);
      this.#peekAll(types);
    }
    this.#unreachable();
  }

  #select(): void {
    this.#pop(I32);
    const b = this.#popAny();
    const a = this.#popAny();
    if (isRef(a) || isRef(b)) throw this.#fail('type mismatch', `select without a type takes no ${typeName(isRef(a) ? a : b)}`);
    if (a !== b && a !== BOTTOM && b !== BOTTOM) throw this.#fail('type mismatch', `select between ${typeName(a)} and ${typeName(b)}`);
    this.#push(a === BOTTOM ? b : a);
  }

  // ---- the operand stack ----------------------------------------------------------------------------------------

  #push(type: ValType): void {
    const sp = this.#sp++;
    if (sp >= this.#stack.length) this.#grow();
    this.#stack[sp] = type;
  }

  #grow(): void {
    const wider = new Int32Array(2 * this.#stack.length);
    wider.set(this.#stack);
    this.#stack = wider;
  }

  #popAny(): ValType {
    if (this.#sp > this.#height) return this.#stack[--this.#sp];
    if (this.#dead) return BOTTOM;
    throw this.#fail('type mismatch', 'expected a value, found an empty stack');
  }

  #pop(type: ValType): void {
    if (this.#sp > this.#height) {
      const found = this.#stack[--this.#sp];
      if (found !== type && !this.#matches(found, type)) throw this.#fail('type mismatch', `expected ${typeName(type)}, found ${typeName(found)}`);
    } else if (!this.#dead) {
      throw this.#fail('type mismatch', `expected ${typeName(type)}, found an empty stack`);
    }
  }

  #popAll(types: readonly ValType[]): void {
    for (let i = types.length - 1; i >= 0; i--) this.#pop(types[i]);
  }

  #pushAll(types: readonly ValType[]): void {
    for (let i = 0; i < types.length; i++) this.#push(types[i]);
  }

  /** Like popAll and then pushing back what was there. */
  #peekAll(types: readonly ValType[]): void {
    const sp = this.#sp;
    this.#popAll(types);
    this.#sp = sp;
  }

  #matches(sub: ValType, type: ValType): boolean {
    return sub === type || sub === BOTTOM;
  }

  #sameTypes(a: readonly ValType[], b: readonly ValType[]): boolean {
    return a.length === b.length && a.every((type, i) => this.#matches(type, b[i]));
  }

  // ---- index spaces ---------------------------------------------------------------------------------------------

  #setLocals(params: readonly ValType[], code: Code): void {
    const ends = this.#groupEnd = [] as number[];
    const types = this.#groupType = [] as ValType[];
    let end = 0;
    const add = (type: ValType, count: number): void => {
      if (count === 0) return;
      if (end < FLAT_LOCALS) this.#flat.fill(type, end, Math.min(end + count, FLAT_LOCALS));
      end += count;
      ends.push(end);
      types.push(type);
    };
    for (const type of params) add(type, 1);
    for (const { count, type } of code.locals) add(type, count);
    this.#localCount = end;
  }

  #local(index: number): ValType {
    if (index < this.#localCount) return index < FLAT_LOCALS ? this.#flat[index] : this.#farLocal(index);
    throw this.#fail(`unknown local ${index}`, `${this.#localCount} locals`);
  }

  #farLocal(index: number): ValType {
    let low = 0, high = this.#groupEnd.length - 1;
    while (low < high) {
      const middle = low + high >> 1;
      if (index < this.#groupEnd[middle]) high = middle;
      else low = middle + 1;
    }
    return this.#groupType[low];
  }

  #type(index: number): FuncType {
    return this.#module.types[index] ?? this.#unknown('type', index, this.#module.types.length);
  }

  /** @returns its type index */
  #function(index: number): number {
    return this.#module.funcs[index] ?? this.#unknown('function', index, this.#module.funcs.length);
  }

  #global(index: number): { readonly type: ValType; readonly mutable: boolean } {
    return (this.#module.globals[index] ?? this.#unknown('global', index, this.#module.globals.length)).type;
  }

  #table(index: number): { readonly elem: RefType; readonly limits: LimitsType } {
    return (this.#module.tables[index] ?? this.#unknown('table', index, this.#module.tables.length)).type;
  }

  #tableAddress(_table: number): ValType {
    return I32;
  }

  #memory(index: number): void {
    if (index >= this.#module.memories.length) this.#unknown('memory', index, this.#module.memories.length);
  }

  #address(_memory: number): ValType {
    return I32;
  }

  #elemSegment(index: number): RefType {
    return (this.#module.elems[index] ?? this.#unknown('elem segment', index, this.#module.elems.length)).type;
  }

  #dataSegment(index: number): void {
    if (index >= this.#module.datas.length) this.#unknown('data segment', index, this.#module.datas.length);
  }

  #unknown(what: string, index: number, count: number): never {
    throw this.#fail(`unknown ${what} ${index}`, `the module has ${count}`);
  }

  #fail(reason: string, detail = ''): InvalidError {
    const { offset, op } = this.#r;
    const func = this.#func;
    return new InvalidError(reason, {
      offset, op: mnemonicOf(op),
      ...func === undefined ? {} : { func, funcName: this.#module.names.func(func) },
    }, detail);
  }
}

const NONE: readonly ValType[] = [];
const singles = new Map([I32, I64, F32, F64, V128, FUNCREF, EXTERNREF].map((type) => [type, [type] as readonly ValType[]]));

function single(type: ValType): readonly ValType[] {
  return singles.get(type) ?? [type];
}

function typeNames(types: readonly ValType[]): string {
  return `[${types.map(typeName).join(' ')}]`;
}
