/**
 * Judges function bodies and constant expressions: the algorithm of the specification's appendix "Validation Algorithm", one
 * pass over the stacks of validate-stack.ts. Time is linear in the code, apart from signatures, which validate.ts
 * bounds.
 */
import { InvalidError } from '../errors.js';
import type { InstrReader } from './instr.js';
import type { Code, Expr, FuncType, Module, TableType, ValType } from './module.js';
import { ROWS, type Feature } from './opcodes.js';
import { BOTTOM, BOTTOM_REF, typeNames, type TypeSpace } from './subtype.js';
import { EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, isNullable, isRef, nonNull, nullable, refTo, typeIndexOf, typeName } from './types.js';
import { gcInstruction, refEq } from './validate-gc.js';
import { TypeStack, tableAddress } from './validate-stack.js';

/** In place of a type in the tables below: the address type of the instruction's memory. */
const ADDRESS = 1;

const LETTERS: { readonly [letter: string]: ValType } = { i: I32, l: I64, f: F32, d: F64, v: V128, a: ADDRESS };

/** Per row of opcodes.ts: how many operands, their types deepest first, and the one result or 0. */
const ARITY = new Uint8Array(ROWS.length);
const PARAM = [new Uint8Array(ROWS.length), new Uint8Array(ROWS.length), new Uint8Array(ROWS.length)] as const;
const RESULT = new Uint8Array(ROWS.length);
/** log2 of the natural alignment, for accesses of memory; else 0xff */
const NATURAL = new Uint8Array(ROWS.length).fill(0xff);
ROWS.forEach(([, , immediates, signature], row) => {
  if (signature !== '') {
    const colon = ARITY[row] = signature.indexOf(':');
    for (let i = 0; i < colon; i++) PARAM[i][row] = LETTERS[signature[i]];
    if (colon + 1 < signature.length) RESULT[row] = LETTERS[signature[colon + 1]];
  }
  // memarg4, memarg4 lane
  if (immediates.startsWith('memarg')) NATURAL[row] = Math.log2(parseInt(immediates.slice('memarg'.length)));
});

/** How many lanes a lane index has to choose from, else 0. */
const LANES = Uint8Array.from(ROWS, ([, mnemonic, immediates]) => {
  if (!immediates.endsWith('lane')) return 0;
  const [, shape, bits] = /x(\d+)\.|(\d+)_lane/.exec(mnemonic)!;
  return shape ? Number(shape) : 128 / Number(bits);
});
/** The two vectors that i8x16.shuffle chooses from. */
const SHUFFLE_LANES = 32;

/** Beyond this many locals of a function, types are searched in the groups instead of looked up. */
const FLAT_LOCALS = 256;

export class CodeValidator extends TypeStack {
  readonly #declared: ReadonlySet<number>;

  // locals of the function: the first of them one by one, all of them as groups
  readonly #flat = new Int32Array(FLAT_LOCALS);
  #localCount = 0;
  #paramCount = 0;
  /** group -> the index behind its last local, and its type */
  #groupEnd: number[] = [];
  #groupType: ValType[] = [];
  /** locals without a default value that have one by now, in order, and for each frame how many there were when it began */
  #assigned = new Set<number>();
  #assignments: number[] = [];
  readonly #frameAssigned: number[] = [];

  /** a number for each br_table, and for each frame the last one whose target it was */
  #tick = 0;
  readonly #frameTick: number[] = [];

  /** @param declared functions that ref.func may name */
  constructor(module: Module, features: ReadonlySet<Feature>, types: TypeSpace, declared: ReadonlySet<number>) {
    super(module, features, types);
    this.#declared = declared;
  }

  /** @param func index in the function index space. @throws InvalidError */
  body(func: number, code: Code): void {
    this.func = func;
    const type = this.module.types[this.module.funcs[func]];
    this.#setLocals(type.params, code);
    this.begin(code.start, code.end, type.results);
    const { r } = this;
    while (r.pos < r.end && this.depth > 0) {
      r.next();
      this.#step(r);
    }
    if (this.depth > 0 || r.pos < r.end) throw this.fail('END opcode expected');
  }

  /**
   * @param globals how many of the globals the expression may read
   * @throws InvalidError
   */
  constant(expr: Expr, type: ValType, globals: number): void {
    this.func = undefined;
    this.#localCount = 0;
    this.begin(expr.start, expr.end, [type]);
    const { r } = this;
    while (r.pos < r.end) {
      r.next();
      this.#constantStep(r, globals);
      this.#step(r);
    }
  }

  #constantStep(r: InstrReader, globals: number): void {
    switch (r.op) {
      case 0x0b: case 0x41: case 0x42: case 0x43: case 0x44: case 0xd0: case 0xd2: case 0xfd0c: return;
      case 0xfb00: case 0xfb01: case 0xfb06: case 0xfb07: case 0xfb08: case 0xfb1a: case 0xfb1b: case 0xfb1c: return;
      case 0x6a: case 0x6b: case 0x6c: case 0x7c: case 0x7d: case 0x7e:
        if (this.features.has('extended-const')) return;
        throw this.fail('constant expression required', 'arithmetic there needs the feature extended-const');
      case 0x23: {
        const global = r.a < globals ? this.module.globals[r.a] : undefined;
        if (!global) throw this.fail(`unknown global ${r.a}`, `${globals} can be read here`);
        if (global.type.mutable) throw this.fail('constant expression required', `global ${r.a} is mutable`);
        return;
      }
      default: throw this.fail('constant expression required');
    }
  }

  #step(r: InstrReader): void {
    const { op, row } = r;
    if (op >= 0x45 && op <= 0xc4) return this.#simple(row);
    switch (op) {
      case 0x20: return this.#localGet(r.a);
      case 0x21: return this.#localSet(r.a, this.#local(r.a)); // local.set
      case 0x22: { // local.tee
        const type = this.#local(r.a);
        this.#localSet(r.a, type);
        return this.push(type);
      }
      case 0x41: return this.push(I32); // i32.const
      case 0x0b: return this.#end();
      case 0x02: case 0x03: return this.#block(op, r); // block, loop
      case 0x04: // if
        if (r.a < 0) this.known(r.b);
        this.pop(I32);
        return this.#block(op, r);
      case 0x05: { // else
        const frame = this.depth - 1;
        const start = this.frameStart[frame], end = this.frameEnd[frame];
        if (this.frameOp[frame] !== 0x04) throw this.fail('END opcode expected');
        this.close();
        this.#forget();
        return this.#open(0x05, start, end);
      }
      case 0x0c: // br
        this.popAll(this.label(r.a));
        return this.unreachable();
      case 0x0d: { // br_if
        const types = this.label(r.a);
        this.pop(I32);
        this.popAll(types);
        return this.pushAll(types);
      }
      case 0x0e: return this.#brTable(r);
      case 0x0f: // return
        this.popAll(this.frameEnd[0]);
        return this.unreachable();
      case 0x00: return this.unreachable();
      case 0x10: return this.#call(this.funcType(this.function(r.a)), false);
      case 0x11: return this.#callIndirect(r, false);
      case 0x12: return this.#call(this.funcType(this.function(r.a)), true); // return_call
      case 0x13: return this.#callIndirect(r, true);
      case 0x14: case 0x15: { // call_ref, return_call_ref
        const type = this.funcType(r.a);
        this.pop(refTo(r.a, true));
        return this.#call(type, op === 0x15);
      }
      case 0x08: // throw
        this.popAll(this.tag(r.a).params);
        return this.unreachable();
      case 0x0a: // throw_ref
        this.pop(EXNREF);
        return this.unreachable();
      case 0x1f: // try_table
        this.#catches(r);
        return this.#block(op, r);
      case 0x06: return this.#block(op, r); // try
      case 0x07: return this.#legacyCatch(op, this.tag(r.a).params);
      case 0x19: return this.#legacyCatch(op, NONE); // catch_all
      case 0x18: // delegate
        if (this.frameOp[this.depth - 1] !== 0x06) throw this.fail('END opcode expected', 'a delegate without a try');
        this.label(r.a + 1);
        return this.#end();
      case 0x09: // rethrow
        this.label(r.a);
        if (this.frameOp[this.depth - 1 - r.a] !== 0x07 && this.frameOp[this.depth - 1 - r.a] !== 0x19) throw this.fail('invalid rethrow label', `label ${r.a} is no catch`);
        return this.unreachable();
      case 0x1a: this.popAny(); return; // drop
      case 0x1b: return this.#select();
      case 0x1c: // select with a type
        if (r.a !== 1) throw this.fail('invalid result arity', `${r.a} types, expected 1`);
        this.known(r.b);
        this.pop(I32);
        this.pop(r.b);
        this.pop(r.b);
        return this.push(r.b);
      case 0x23: return this.push(this.global(r.a).type); // global.get
      case 0x24: { // global.set
        const global = this.global(r.a);
        if (!global.mutable) throw this.fail('immutable global', `global ${r.a}`);
        return this.pop(global.type);
      }
      case 0x25: case 0x26: case 0xfc0f: case 0xfc10: case 0xfc11: return this.#tableAccess(op, this.table(r.a));
      case 0xd0: return this.push(this.known(r.a)); // ref.null
      case 0xd1: // ref.is_null
        this.popRef();
        return this.push(I32);
      case 0xd2: { // ref.func
        const type = this.function(r.a);
        if (this.func !== undefined && !this.#declared.has(r.a)) {
          throw this.fail('undeclared function reference', `function ${r.a} is in no element segment, export or global`);
        }
        return this.push(refTo(type, false));
      }
      case 0xd3: return refEq(this);
      case 0xd4: return this.push(nonNull(this.popRef())); // ref.as_non_null
      case 0xd5: { // br_on_null
        const types = this.label(r.a);
        const type = this.popRef();
        this.popAll(types);
        this.pushAll(types);
        return this.push(nonNull(type));
      }
      case 0xd6: return this.#brOnNonNull(r.a);
      case 0xfc08: // memory.init
        this.memory(r.b);
        this.dataSegment(r.a);
        return this.#signature(row, r.b);
      case 0xfc09: return this.dataSegment(r.a); // data.drop
      case 0xfc0a: { // memory.copy
        this.memory(r.a);
        this.memory(r.b);
        const to = this.address(r.a), from = this.address(r.b);
        this.pop(to === I32 ? to : from);
        this.pop(from);
        return this.pop(to);
      }
      case 0x3f: case 0x40: case 0xfc0b: // memory.size, memory.grow, memory.fill
        this.memory(r.a);
        return this.#signature(row, r.a);
      case 0xfc0c: { // table.init
        const table = this.table(r.b);
        this.expect(this.elemSegment(r.a), table.elem, 'the segment holds');
        this.pop(I32);
        this.pop(I32);
        return this.pop(tableAddress(table));
      }
      case 0xfc0d: this.elemSegment(r.a); return; // elem.drop
      case 0xfc0e: { // table.copy
        const to = this.table(r.a), from = this.table(r.b);
        this.expect(from.elem, to.elem, 'the source holds');
        this.pop(tableAddress(to.is64 ? from : to));
        this.pop(tableAddress(from));
        return this.pop(tableAddress(to));
      }
      default:
        if (op >= 0xfb00 && op <= 0xfbff) return gcInstruction(this, r);
        if (NATURAL[row] !== 0xff) return this.#access(r);
        if (op === 0xfd0d) this.#shuffle(r);
        else if (LANES[row] !== 0) this.#lane(r.a, LANES[row]);
        return this.#simple(row);
    }
  }

  // ---- instructions by signature --------------------------------------------------------------------------------

  #simple(row: number): void {
    const { stack } = this;
    const n = ARITY[row];
    const base = this.sp - n;
    if (base >= this.height && (n === 0 || stack[base] === PARAM[0][row] && (n === 1 || stack[base + 1] === PARAM[1][row] && n === 2))) {
      this.sp = base;
      const result = RESULT[row];
      if (result !== 0) this.push(result);
      return;
    }
    this.#signature(row, 0);
  }

  #signature(row: number, memory: number): void {
    for (let i = ARITY[row] - 1; i >= 0; i--) {
      const type = PARAM[i][row];
      this.pop(type === ADDRESS ? this.address(memory) : type);
    }
    const result = RESULT[row];
    if (result !== 0) this.push(result === ADDRESS ? this.address(memory) : result);
  }

  #access(r: InstrReader): void {
    this.memory(r.b);
    const { row } = r;
    if (r.c > NATURAL[row]) throw this.fail('alignment must not be larger than natural', `2^${r.c}, natural is 2^${NATURAL[row]}`);
    if (r.op >> 8 === 0xfe && r.c !== NATURAL[row]) throw this.fail('atomic alignment must be natural', `2^${r.c}, natural is 2^${NATURAL[row]}`);
    if (r.a >= 2 ** 32 && this.address(r.b) === I32) throw this.fail('offset out of range', `${r.a} in a 32-bit memory`);
    if (LANES[row] !== 0) this.#lane(r.d, LANES[row]);
    this.#signature(row, r.b);
  }

  #lane(lane: number, lanes: number): void {
    if (lane >= lanes) throw this.fail('invalid lane index', `${lane} of ${lanes} lanes`);
  }

  #shuffle(r: InstrReader): void {
    for (const word of [r.a, r.b, r.c, r.d]) {
      for (let shift = 0; shift < 32; shift += 8) this.#lane(word >>> shift & 0xff, SHUFFLE_LANES);
    }
  }

  #tableAccess(op: number, table: TableType): void {
    const { elem } = table;
    const address = tableAddress(table);
    switch (op) {
      case 0x25: // table.get
        this.pop(address);
        return this.push(elem);
      case 0x26: // table.set
        this.pop(elem);
        return this.pop(address);
      case 0xfc0f: // table.grow
        this.pop(address);
        this.pop(elem);
        return this.push(address);
      case 0xfc10: return this.push(address); // table.size
      default: // table.fill
        this.pop(address);
        this.pop(elem);
        return this.pop(address);
    }
  }

  // ---- control --------------------------------------------------------------------------------------------------

  #block(op: number, r: InstrReader): void {
    if (r.a >= 0) {
      const type = this.funcType(r.a);
      this.popAll(type.params);
      this.#open(op, type.params, type.results);
    } else {
      this.#open(op, NONE, r.b === 0 ? NONE : single(this.known(r.b)));
    }
  }

  #open(op: number, start: readonly ValType[], end: readonly ValType[]): void {
    this.#frameTick[this.depth] = 0;
    this.#frameAssigned[this.depth] = this.#assignments.length;
    this.open(op, start, end);
  }

  #end(): void {
    const depth = this.depth - 1;
    const end = this.frameEnd[depth];
    const start = this.frameStart[depth];
    this.close();
    if (depth === 0) return;
    this.#forget();
    if (this.frameOp[depth] === 0x04 && !this.types.allMatch(start, end)) {
      throw this.fail('type mismatch', `an if without else turns ${typeNames(start)} into ${typeNames(end)}`);
    }
    this.pushAll(end);
  }

  #brTable(r: InstrReader): void {
    this.pop(I32);
    const { a: count, labels } = r;
    const arity = this.label(labels[count]).length;
    const tick = ++this.#tick;
    for (let i = 0; i <= count; i++) {
      const types = this.label(labels[i]);
      const frame = this.depth - 1 - labels[i];
      if (this.#frameTick[frame] === tick) continue;
      this.#frameTick[frame] = tick;
      if (types.length !== arity) throw this.fail('type mismatch', `label ${labels[i]} takes ${types.length} values, the default label ${arity}`);
      this.peekAll(types);
    }
    this.unreachable();
  }

  #brOnNonNull(label: number): void {
    const types = this.label(label);
    const last = types.at(-1);
    if (last === undefined || !isRef(last)) throw this.fail('type mismatch', `label ${label} takes ${typeNames(types)}, expected a reference at its end`);
    this.pop(nullable(last));
    const before = types.slice(0, -1);
    this.popAll(before);
    this.pushAll(before);
  }

  #call(type: FuncType, tail: boolean): void {
    this.popAll(type.params);
    if (!tail) return this.pushAll(type.results);
    const results = this.frameEnd[0];
    if (!this.types.allMatch(type.results, results)) {
      throw this.fail('type mismatch', `the callee returns ${typeNames(type.results)}, the function ${typeNames(results)}`);
    }
    this.unreachable();
  }

  #callIndirect(r: InstrReader, tail: boolean): void {
    const table = this.table(r.b);
    this.expect(table.elem, FUNCREF, 'the table holds');
    const type = this.funcType(r.a);
    this.pop(tableAddress(table));
    this.#call(type, tail);
  }

  #catches(r: InstrReader): void {
    for (let i = 0; i < 3 * r.c; i += 3) {
      const kind = r.catches[i], label = r.catches[i + 2];
      const brings = [...kind < 2 ? this.tag(r.catches[i + 1]).params : [], ...kind % 2 === 1 ? [nonNull(EXNREF)] : []];
      const types = this.label(label);
      if (!this.types.allMatch(brings, types)) throw this.fail('type mismatch', `the catch brings ${typeNames(brings)}, label ${label} takes ${typeNames(types)}`);
    }
  }

  /** The next part of a `try`. */
  #legacyCatch(op: number, brings: readonly ValType[]): void {
    const frame = this.depth - 1;
    const end = this.frameEnd[frame];
    if (this.frameOp[frame] !== 0x06 && this.frameOp[frame] !== 0x07) throw this.fail('END opcode expected', 'a catch without a try');
    this.close();
    this.#forget();
    this.#open(op, brings, end);
  }

  #select(): void {
    this.pop(I32);
    const b = this.popAny();
    const a = this.popAny();
    if (isRef(a) || isRef(b)) throw this.fail('type mismatch', `select without a type takes no ${a === BOTTOM_REF || b === BOTTOM_REF ? 'reference' : typeName(isRef(a) ? a : b)}`);
    if (a !== b && a !== BOTTOM && b !== BOTTOM) throw this.fail('type mismatch', `select between ${typeName(a)} and ${typeName(b)}`);
    this.push(a === BOTTOM ? b : a);
  }

  // ---- locals ---------------------------------------------------------------------------------------------------

  #setLocals(params: readonly ValType[], code: Code): void {
    this.#groupEnd.length = 0;
    this.#groupType.length = 0;
    this.#localCount = 0;
    for (let i = 0; i < params.length; i++) this.#addLocals(params[i], 1);
    this.#paramCount = params.length;
    for (const { count, type } of code.locals) {
      if (typeIndexOf(type) >= this.module.defs.length) throw this.#unknownLocalType(type, code);
      this.#addLocals(type, count);
    }
    if (this.#assigned.size > 0) this.#assigned.clear();
    this.#assignments.length = 0;
  }

  #unknownLocalType(type: ValType, code: Code): InvalidError {
    const where = { offset: code.start, func: this.func!, funcName: this.module.names.func(this.func!) };
    return new InvalidError(`unknown type ${typeIndexOf(type)}`, where, `a local's type; the module has ${this.module.defs.length}`);
  }

  #addLocals(type: ValType, count: number): void {
    if (count === 0) return;
    const start = this.#localCount;
    const end = this.#localCount = start + count;
    if (start < FLAT_LOCALS) {
      if (count === 1) this.#flat[start] = type;
      else this.#flat.fill(type, start, Math.min(end, FLAT_LOCALS));
    }
    this.#groupEnd.push(end);
    this.#groupType.push(type);
  }

  #local(index: number): ValType {
    if (index < this.#localCount) return index < FLAT_LOCALS ? this.#flat[index] : this.#farLocal(index);
    throw this.fail(`unknown local ${index}`, `${this.#localCount} locals`);
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

  #localGet(index: number): void {
    const type = this.#local(index);
    if (type > 0xff && !isNullable(type) && index >= this.#paramCount && !this.#assigned.has(index)) {
      throw this.fail(`uninitialized local ${index}`, `${typeName(type)} has no default value`);
    }
    this.push(type);
  }

  #localSet(index: number, type: ValType): void {
    this.pop(type);
    if (type > 0xff && !isNullable(type) && index >= this.#paramCount && !this.#assigned.has(index)) {
      this.#assigned.add(index);
      this.#assignments.push(index);
    }
  }

  /** What the block just left has given a value to may be without one behind it. */
  #forget(): void {
    const before = this.#frameAssigned[this.depth];
    while (this.#assignments.length > before) this.#assigned.delete(this.#assignments.pop()!);
  }
}

const NONE: readonly ValType[] = [];
const singles = new Map([I32, I64, F32, F64, V128, FUNCREF, EXTERNREF].map((type) => [type, [type] as readonly ValType[]]));

function single(type: ValType): readonly ValType[] {
  return singles.get(type) ?? [type];
}
