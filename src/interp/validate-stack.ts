/**
 * The operand stack and the control stack of the validation algorithm (specification, appendix "Validation Algorithm"), and the
 * index spaces its rules look things up in. No rule of any instruction is here: validate-code.ts and validate-gc.ts have them.
 */
import { InvalidError } from '../errors.js';
import { InstrReader } from './instr.js';
import type { FuncType, Module, RefType, TableType, TypeDef, ValType } from './module.js';
import { mnemonicOf, type Feature } from './opcodes.js';
import { BOTTOM, BOTTOM_REF, typeNames, type TypeSpace } from './subtype.js';
import { I32, I64, isRef, typeIndexOf, typeName } from './types.js';

export class TypeStack {
  /** struct types known to have a default value for each field */
  readonly defaultable = new Set<number>();
  /** where the rules read their instruction, and errors their place */
  readonly r: InstrReader;
  /** the function being judged, or undefined for constant expressions */
  func: number | undefined;

  protected stack = new Int32Array(256);
  /** how many operands there are, and how many belong to the frames outside of the innermost one */
  protected sp = 0;
  protected height = 0;

  // the control stack, innermost frame last
  protected depth = 0;
  protected readonly frameOp: number[] = [];
  protected readonly frameStart: (readonly ValType[])[] = [];
  protected readonly frameEnd: (readonly ValType[])[] = [];
  readonly #frameHeight: number[] = [];
  readonly #frameDead: boolean[] = [];
  /** whether the rest of the innermost frame cannot be reached */
  #dead = false;

  constructor(readonly module: Module, readonly features: ReadonlySet<Feature>, readonly types: TypeSpace) {
    this.r = new InstrReader(module.bytes, 0, 0, features);
  }

  protected begin(start: number, end: number, results: readonly ValType[]): void {
    this.r.pos = start;
    this.r.end = end;
    this.sp = this.height = 0;
    this.depth = 0;
    this.open(0x02, [], results);
  }

  // ---- frames ---------------------------------------------------------------------------------------------------

  open(op: number, start: readonly ValType[], end: readonly ValType[]): void {
    const depth = this.depth++;
    if (depth > 0) this.#frameDead[depth - 1] = this.#dead;
    this.frameOp[depth] = op;
    this.frameStart[depth] = start;
    this.frameEnd[depth] = end;
    this.#frameHeight[depth] = this.height = this.sp;
    this.#dead = false;
    this.pushAll(start);
  }

  /** Checks the results of the innermost frame and leaves it. */
  close(): void {
    const depth = this.depth - 1;
    const end = this.frameEnd[depth];
    this.popAll(end);
    if (this.sp !== this.height) {
      throw this.fail('type mismatch', `${this.sp - this.height} more values on the stack than the block's results ${typeNames(end)}`);
    }
    this.depth = depth;
    if (depth > 0) {
      this.height = this.#frameHeight[depth - 1];
      this.#dead = this.#frameDead[depth - 1];
    }
  }

  /** Nothing of the innermost frame is known from here on. */
  unreachable(): void {
    this.sp = this.height;
    this.#dead = true;
  }

  /** What a branch to the label has to bring. */
  label(label: number): readonly ValType[] {
    const frame = this.depth - 1 - label;
    if (frame < 0) throw this.fail(`unknown label ${label}`, `${this.depth} labels`);
    return this.frameOp[frame] === 0x03 ? this.frameStart[frame] : this.frameEnd[frame];
  }

  // ---- operands -------------------------------------------------------------------------------------------------

  push(type: ValType): void {
    const sp = this.sp++;
    if (sp >= this.stack.length) this.#grow();
    this.stack[sp] = type;
  }

  #grow(): void {
    const wider = new Int32Array(2 * this.stack.length);
    wider.set(this.stack);
    this.stack = wider;
  }

  popAny(): ValType {
    if (this.sp > this.height) return this.stack[--this.sp];
    if (this.#dead) return BOTTOM;
    throw this.fail('type mismatch', 'expected a value, found an empty stack');
  }

  /** A reference of any type; BOTTOM_REF in unreachable code. */
  popRef(): RefType {
    const type = this.popAny();
    if (type === BOTTOM) return BOTTOM_REF;
    if (!isRef(type)) throw this.fail('type mismatch', `expected a reference, found ${typeName(type)}`);
    return type;
  }

  pop(type: ValType): void {
    if (this.sp > this.height) {
      const found = this.stack[--this.sp];
      if (found !== type && !this.types.matches(found, type)) throw this.fail('type mismatch', `expected ${typeName(type)}, found ${typeName(found)}`);
    } else if (!this.#dead) {
      throw this.fail('type mismatch', `expected ${typeName(type)}, found an empty stack`);
    }
  }

  popAll(types: readonly ValType[]): void {
    const { stack } = this;
    const base = this.sp - types.length;
    if (base >= this.height) {
      let i = types.length - 1;
      while (i >= 0 && stack[base + i] === types[i]) i--;
      if (i < 0) {
        this.sp = base;
        return;
      }
    }
    for (let i = types.length - 1; i >= 0 && !this.bottomless(); i--) this.pop(types[i]);
  }

  popMany(type: ValType, count: number): void {
    for (let i = 0; i < count && !this.bottomless(); i++) this.pop(type);
  }

  /** Whether anything can be popped: then it need not be done one by one. */
  bottomless(): boolean {
    return this.#dead && this.sp === this.height;
  }

  pushAll(types: readonly ValType[]): void {
    const base = this.sp;
    const sp = this.sp = base + types.length;
    while (sp > this.stack.length) this.#grow();
    const { stack } = this;
    for (let i = 0; i < types.length; i++) stack[base + i] = types[i];
  }

  /** Like popAll and then pushing back what was there. */
  peekAll(types: readonly ValType[]): void {
    const { sp } = this;
    this.popAll(types);
    this.sp = sp;
  }

  /** A value of type `sub` is what `type` asks for. */
  expect(sub: ValType, type: ValType, what: string): void {
    if (!this.types.matches(sub, type)) throw this.fail('type mismatch', `${what} ${typeName(sub)}, expected ${typeName(type)}`);
  }

  // ---- index spaces ---------------------------------------------------------------------------------------------

  /** The type, where it names one of the module's that exists. */
  known(type: ValType): ValType {
    const index = typeIndexOf(type);
    if (index >= this.module.defs.length) throw this.unknown('type', index, this.module.defs.length);
    return type;
  }

  def(index: number, form: TypeDef['form']): TypeDef {
    const def = this.module.defs[index];
    if (!def) throw this.unknown('type', index, this.module.defs.length);
    if (def.form !== form) throw this.fail('type mismatch', formMismatch(index, def, form));
    return def;
  }

  funcType(index: number): FuncType {
    return this.def(index, 'func').func;
  }

  /** @returns its type index */
  function(index: number): number {
    return this.module.funcs[index] ?? this.#unknown('function', index, this.module.funcs.length);
  }

  global(index: number): { readonly type: ValType; readonly mutable: boolean } {
    return (this.module.globals[index] ?? this.#unknown('global', index, this.module.globals.length)).type;
  }

  table(index: number): TableType {
    return (this.module.tables[index] ?? this.#unknown('table', index, this.module.tables.length)).type;
  }

  memory(index: number): void {
    if (index >= this.module.memories.length) throw this.unknown('memory', index, this.module.memories.length);
  }

  /** The type of the memory's addresses. */
  address(memory: number): ValType {
    return this.module.memories[memory].is64 ? I64 : I32;
  }

  tag(index: number): FuncType {
    return this.funcType(this.module.tags[index] ?? this.#unknown('tag', index, this.module.tags.length));
  }

  elemSegment(index: number): RefType {
    return (this.module.elems[index] ?? this.#unknown('elem segment', index, this.module.elems.length)).type;
  }

  dataSegment(index: number): void {
    if (this.module.dataCount === undefined) throw this.fail('data count section required');
    if (index >= this.module.datas.length) throw this.unknown('data segment', index, this.module.datas.length);
  }

  unknown(what: string, index: number, count: number): InvalidError {
    return this.fail(`unknown ${what} ${index}`, `the module has ${count}`);
  }

  #unknown(what: string, index: number, count: number): never {
    throw this.unknown(what, index, count);
  }

  fail(reason: string, detail = ''): InvalidError {
    const { offset, op } = this.r;
    const { func } = this;
    return new InvalidError(reason, {
      offset, op: mnemonicOf(op),
      ...func === undefined ? {} : { func, funcName: this.module.names.func(func) },
    }, detail);
  }
}

/** `type 3 is a struct, func wanted` */
export function formMismatch(index: number, { form }: TypeDef, wanted: TypeDef['form']): string {
  return `type ${index} is ${form === 'array' ? 'an' : 'a'} ${form}, ${wanted} wanted`;
}

/** The type of the table's indices. */
export function tableAddress(table: TableType): ValType {
  return table.is64 ? I64 : I32;
}
