/**
 * One function as JavaScript source: structured control becomes labelled blocks, straight-line code expressions (operands.ts,
 * expressions.ts). Reads the same validated bytes as the interpreter's lowering, and leaves to it, at every call and loop
 * header, a frame in the form that it wants. What it does not know it refuses: the interpreter runs such a function.
 *
 *   function w7(fp, d, l0, l1)     fp: the frame's first slot; d: room on the stack of JavaScript and in the slots; i32 arguments
 *                                  f64, i64 and f32 arguments, and all results but a single i32, are in the frame's first slots
 */
import type { ModuleCode } from '../code.js';
import { InstrReader } from '../instr.js';
import { FEATURES_ALL, ROWS, type Mnemonic } from '../opcodes.js';
import { F32, F64, I32, I64, type FuncType, type ValType } from '../types.js';
import { simple } from './expressions.js';
import { GLOBAL, JsStack, MARK, MARK_END, NO_LOCALS, TRAPS, combine, condition, isFixed, type Operand } from './operands.js';
import type { Positions } from './positions.js';

/** Beyond these V8 does not optimise the function, or its parser runs out of stack. */
const MAX_INSTRUCTIONS = 9_000, MAX_LOCALS = 600, MAX_NESTING = 150, MAX_OPERANDS = 400;
/** bytes of the JavaScript stack that one unit of `d` stands for, or twice as much of the frames' slots */
export const ROOM_UNIT = 128;

/** What the source of a function refers to, besides what all functions share. */
export interface Emitted {
  readonly source: string;
  /** line of the source, from 1 -> byte of the module */
  readonly lines: readonly number[];
  readonly callees: ReadonlySet<number>;
  readonly imports: ReadonlySet<number>;
  readonly globals: ReadonlySet<number>;
  readonly tables: ReadonlySet<number>;
  readonly name: string;
}

interface Label {
  readonly kind: 'func' | 'block' | 'loop' | 'if';
  readonly name: string;
  readonly height: number;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
  /** of a loop: the interpreter's position */
  readonly start: number;
  reached: boolean;
  /** of an `if`: whether its else is still to come */
  otherwise: boolean;
  /** it is around the loop at which the function is entered */
  readonly around: boolean;
  /** of an `if`: its else cannot be reached from the entry, and is not put out */
  silent: boolean;
}

class Refused extends Error {}

/**
 * @param view what the text has for the memory's DataView
 * @param loop offset of the loop at which the frame is taken over from the interpreter; undefined: the function's beginning
 * @returns undefined where the function is not for this tier
 */
export function emitFunction(code: ModuleCode, index: number, positions: Positions, frameSize: number, view: string, loop?: number): Emitted | undefined {
  try {
    return new Emitter(code, index, positions, frameSize, view, loop).run();
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

class Emitter extends JsStack {
  readonly #type: FuncType;
  readonly #labels: Label[] = [];
  readonly #callees = new Set<number>();
  readonly #imports = new Set<number>();
  readonly #globals = new Set<number>();
  readonly #tables = new Set<number>();
  /** statements that save the operands -> positions at which they are saved so */
  readonly #exits = new Map<string, number[]>();
  #instructions = 0;
  #labelCount = 0;
  #hasLoops = false;
  #hasCalls = false;
  #offset = 0;
  /** nothing is put out until the loop of the entry is reached */
  #muted: boolean;

  constructor(readonly code: ModuleCode, readonly index: number, readonly positions: Positions, readonly frameSize: number, readonly view: string, readonly loop: number | undefined) {
    const { module } = code;
    const type = module.types[module.funcs[index]];
    const locals = [...type.params];
    for (const group of module.codes[index - module.imported.func].locals) {
      if (locals.length + group.count > MAX_LOCALS) throw new Refused();
      for (let i = 0; i < group.count; i++) locals.push(group.type);
    }
    if (![...locals, ...type.results].every(isNumber) || locals.length > MAX_LOCALS) throw new Refused();
    super(locals);
    this.#type = type;
    this.#muted = loop !== undefined;
  }

  run(): Emitted {
    const { module } = this.code;
    const body = module.codes[this.index - module.imported.func];
    const instr = new InstrReader(module.bytes, body.start, body.end, FEATURES_ALL);
    this.#labels.push(this.#newLabel('func', 0, [], this.#type.results));
    let skipped = 0;
    let dead = false;
    while (instr.pos < instr.end) {
      instr.next();
      this.#offset = instr.offset;
      const { op } = instr;
      if (dead) {
        if (op >= 0x02 && op <= 0x04 || op === 0x1f || op === 0x06) skipped++;
        else if (skipped > 0) {
          if (op === 0x0b || op === 0x18) skipped--;
        } else if (op === 0x0b) {
          dead = this.#end(true);
        } else if (op === 0x05) {
          this.#else(true);
          dead = false;
        }
        continue;
      }
      if (++this.#instructions > MAX_INSTRUCTIONS || this.height > MAX_OPERANDS) throw new Refused();
      dead = this.#instruction(instr);
    }
    return this.#finish();
  }

  override line(text: string): void {
    if (!this.#muted) super.line(text);
  }

  // ---- the whole

  #finish(): Emitted {
    const { locals, variables } = this;
    const name = `w${this.index}`;
    const params = this.#type.params;
    const entered = this.loop !== undefined;
    const cost = Math.ceil((20 + Math.max(this.frameSize, locals.length + variables.size)) * 8 / ROOM_UNIT);
    const args = params.flatMap((type, i) => type === I32 ? [`l${i}`] : []);
    const head: string[] = [`function ${name}(${['fp', 'd', ...entered ? [] : args].join(', ')}) {`];
    if (!entered) {
      const fuel = this.#hasCalls ? ' || (U[0] = U[0] - 1) < 0' : '';
      const store = params.map((type, i) => type === I32 ? `I32[fp + ${i}] = l${i}; ` : '').join('');
      head.push(`if (d < 0${fuel}) { ${store}return begin(${this.index}, fp); }`);
    }
    const declared: string[] = [];
    locals.forEach((type, i) => {
      if (type === I32 || type === F64) {
        if (entered) declared.push(`l${i} = ${type === I32 ? 'I32' : 'F64'}[fp + ${i}]`);
        else if (i >= params.length) declared.push(`l${i} = 0`);
        else if (type === F64) declared.push(`l${i} = F64[fp + ${i}]`);
      } else if (i >= params.length && !entered) {
        head.push(type === I64 ? `I64[fp + ${i}] = 0n;` : `I32[fp + ${i}] = 0;`);
      }
    });
    for (const variable of variables) declared.push(`${variable} = ${entered ? `${variable[0] === 's' ? 'I32' : 'F64'}[fp + ${this.slot(Number(variable.slice(1)))}]` : '0'}`);
    if (this.#exits.size > 0) declared.push('pc = 0');
    if (this.#hasLoops) declared.push('n = CHUNK');
    if (declared.length > 0) head.push(`let ${declared.join(', ')};`);
    const text = `${head.join('\n')}\n${this.#exits.size > 0 ? `x: {\n${this.out.join('')}}\n${this.#leave()}` : this.out.join('')}}\n`
      .replaceAll('COST', String(cost));
    const { source, lines } = lineUp(text);
    return { source, lines, callees: this.#callees, imports: this.#imports, globals: this.#globals, tables: this.#tables, name };
  }

  /** The way out that every call and loop header shares: operands, then locals, to their slots. */
  #leave(): string {
    const lines: string[] = [];
    const saves = [...this.#exits].filter(([save]) => save !== '');
    if (saves.length > 0) {
      lines.push('switch (pc) {');
      for (const [save, positions] of saves) lines.push(`${positions.map((pc) => `case ${pc}:`).join(' ')} ${save} break;`);
      lines.push('}');
    }
    this.locals.forEach((type, i) => {
      if (type === I32 || type === F64) lines.push(`${type === I32 ? 'I32' : 'F64'}[fp + ${i}] = l${i};`);
    });
    lines.push('return leave(pc, fp);\n');
    return lines.join('\n');
  }

  /** Leaves with position `pc`, with the operands below `height` in their slots. */
  #exit(pc: number, height: number, operands: readonly Operand[] = this.stack): string {
    let save = '';
    for (let h = 0; h < height; h++) {
      const operand = operands[h];
      const at = `[fp + ${this.slot(h)}]`;
      if (operand.type === I32) save += `I32${at} = ${operand.text}; `;
      else if (operand.type === F64) save += `F64${at} = ${operand.text}; `;
      else if (!operand.own) save += `${this.assign(operand, this.ownOf(operand.type, h))} `;
    }
    if (!this.#muted) {
      const positions = this.#exits.get(save);
      if (!positions) this.#exits.set(save, [pc]);
      else if (!positions.includes(pc)) positions.push(pc);
    }
    return `pc = ${pc}; break x;`;
  }

  // ---- instructions

  /** @returns whether what follows cannot be reached */
  #instruction(instr: InstrReader): boolean {
    const { op, a, b } = instr;
    const [, mnemonic, immediates] = ROWS[instr.row];
    switch (op) {
      case 0x00: this.flush(TRAPS); this.line(`${this.#mark()}unreachable();`); return true;
      case 0x01: return false;
      case 0x02: case 0x03: case 0x04: this.#block(op, a, b); return false;
      case 0x05: this.#else(false); return false;
      case 0x0b: return this.#end(false);
      case 0x0c: this.#branch(this.#label(a)); return true;
      case 0x0d: this.#branchIf(this.#label(a)); return false;
      case 0x0e: this.#branchTable(instr.labels, a); return true;
      case 0x0f: this.#return(); return true;
      case 0x10: this.#call(a); return false;
      case 0x11: this.#callIndirect(a, b); return false;
      case 0x1a: this.#drop(); return false;
      case 0x1b: this.#select(); return false;
      case 0x1c:
        if (!isNumber(instr.b)) throw new Refused();
        this.#select();
        return false;
      case 0x20: this.push(this.localOf(a)); return false;
      case 0x21: this.#setLocal(a); return false;
      case 0x22: this.#setLocal(a); this.push(this.localOf(a)); return false;
      case 0x23: this.#getGlobal(a); return false;
      case 0x24: this.#setGlobal(a); return false;
      case 0x3f: this.#cold(0, I32); return false;
      case 0x40: this.#cold(1, I32); return false;
      case 0x41: this.push(constantOf(I32, a < 0 ? `(${a})` : String(a), a)); return false;
      case 0x42: this.push({ ...constantOf(I64, `K[${this.code.constant(a, b)}]`, BigInt(b) << 32n | BigInt(a >>> 0)) }); return false;
      case 0x43: this.push({ ...constantOf(F32, floatText(a, 0, true) ?? 'NaN', a), bits: `(${a})` }); return false;
      case 0x44: this.push(constantOf(F64, floatText(a, b, false) ?? `KF[${this.code.constant(a, b)}]`, BigInt(b) << 32n | BigInt(a >>> 0))); return false;
      case 0xfc08: this.#cold(3); return false;
      case 0xfc09: case 0xfc0d: this.#cold(0); return false;
      case 0xfc0a: this.#bulk(a === 0 && b === 0 ? 'copied' : undefined); return false;
      case 0xfc0b: this.#bulk(a === 0 ? 'filled' : undefined); return false;
      case 0xfc0c: case 0xfc0e: this.#cold(3); return false;
      case 0xfc10: this.#cold(0, I32); return false;
    }
    if (immediates.startsWith('memarg')) {
      if (op > 0xff || b !== 0 || this.code.module.memories[0].is64) throw new Refused();
      this.#access(op, mnemonic, a);
    } else if (op > 0xff && (op < 0xfc00 || op > 0xfc07) || !simple(this, mnemonic, this.#offset)) {
      throw new Refused();
    }
    return false;
  }

  #mark(): string {
    return `${MARK}${this.#offset}${MARK_END}`;
  }

  #drop(): void {
    const dropped = this.pop();
    if (!(dropped.flags & TRAPS)) return;
    this.order(dropped);
    this.line(`${dropped.bits ?? dropped.text};`);
  }

  #select(): void {
    const top = this.height - 1;
    for (const h of [top - 2, top - 1]) if (this.stack[h].flags & TRAPS || this.stack[h].type === I64) this.atom(h);
    const c = this.pop(), b = this.pop(), a = this.pop();
    const test = condition(c);
    const text = `(${test} ? ${a.text} : ${b.text})`;
    if (a.type === I32 || a.type === F64) {
      this.push(combine(a.type, text, [a, b, c]));
    } else if (a.type === F32 && a.bits !== undefined && b.bits !== undefined) {
      this.push(combine(F32, text, [a, b, c], { bits: `(${test} ? ${a.bits} : ${b.bits})` }));
    } else {
      const home = this.ownOf(a.type, top - 2);
      this.order(combine(a.type, '', [a, b, c]));
      this.line(`if (${test}) ${a.own ? '{}' : this.assign(a, home)} else ${this.assign(b, home)}`);
      this.push(home);
    }
  }

  #setLocal(index: number): void {
    const value = this.pop();
    this.order(value);
    this.flushLocal(index);
    if (value.local !== index) this.line(this.assign(value, this.localOf(index)));
  }

  // ---- globals

  #getGlobal(index: number): void {
    const { type } = this.code.module.globals[index].type;
    if (!isNumber(type)) throw new Refused();
    this.#globals.add(index);
    const operand = combine(type, `g${index}[0]`, [], { flags: GLOBAL, depth: 0 });
    this.push(type === F32 ? { ...operand, bits: `b${index}[0]` } : operand);
  }

  #setGlobal(index: number): void {
    const { type } = this.code.module.globals[index].type;
    if (!isNumber(type)) throw new Refused();
    this.#globals.add(index);
    const value = this.pop();
    this.flush(TRAPS | GLOBAL);
    this.line(type === F32 && value.bits !== undefined ? `b${index}[0] = ${value.bits};` : `g${index}[0] = ${value.text};`);
  }

  // ---- memory

  #access(op: number, mnemonic: Mnemonic, offset: number): void {
    if (op >= 0x36) {
      this.#store(mnemonic, offset);
      return;
    }
    const [type, load] = mnemonic.split('.');
    if (load === 'load' && type === 'i64') this.atom(this.height - 1);
    const address = this.pop();
    const at = addressText(address, offset);
    const read = (method: string, more = 0) => `${this.#mark()}${this.view}.get${method}(${more > 0 ? `${at} + ${more}` : at}${method.endsWith('8') ? '' : ', true'})`;
    const push = (t: ValType, text: string, more: Partial<Operand> = {}) => {
      const result = combine(t, text, [address], more);
      this.push({ ...result, flags: result.flags | TRAPS });
    };
    if (load === 'load') {
      if (type === 'i32') push(I32, read('Int32'));
      else if (type === 'f64') push(F64, read('Float64'));
      else if (type === 'f32') push(F32, read('Float32'), { bits: read('Int32') });
      else push(I64, `((BigInt(${read('Uint32', 4)}) << 32n) + BigInt(${read('Uint32')}))`, { exact: false });
      return;
    }
    const [, size, sign] = /^load(\d+)_([su])$/.exec(load)!;
    if (type === 'i32') push(I32, read(`${sign === 's' ? 'Int' : 'Uint'}${size}`));
    else push(I64, sign === 's' ? `BigInt.asIntN(${size}, BigInt(${read(`Uint${size}`)}))` : `BigInt(${read(`Uint${size}`)})`);
  }

  #store(mnemonic: Mnemonic, offset: number): void {
    const [type, store] = mnemonic.split('.');
    const top = this.height - 1;
    let low = '', high = '';
    if (type === 'i64') {
      const { constant } = this.stack[top];
      if (constant !== undefined) {
        low = `(${Number(BigInt.asIntN(32, BigInt(constant)))})`;
        high = `(${Number(BigInt(constant) >> 32n)})`;
      } else {
        const slot = this.inSlot(top);
        low = this.low(slot);
        high = this.high(slot);
      }
      if (store === 'store') this.atom(top - 1);
    }
    const value = this.pop(), address = this.pop();
    this.flush(TRAPS);
    const at = addressText(address, offset);
    const write = (method: string, text: string, more = 0) => this.line(`${this.#mark()}${this.view}.set${method}(${more > 0 ? `${at} + ${more}` : at}, ${text}${method.endsWith('8') ? '' : ', true'});`);
    const size = store.slice(5) || '32';
    if (type === 'f64') write('Float64', value.text);
    else if (type === 'f32') write(value.bits === undefined ? 'Float32' : 'Int32', value.bits ?? value.text);
    else if (type === 'i32') write(`Int${size}`, value.text);
    else if (store !== 'store') write(`Int${size}`, low);
    else {
      // the upper half first, so that it writes all or nothing
      write('Int32', high, 4);
      write('Int32', low);
    }
  }

  /** Has the interpreter carry out an instruction on `n` operands in their slots. */
  #cold(n: number, result?: ValType): void {
    const { module } = this.code;
    if (module.memories.some(({ is64 }) => is64) || module.tables.some(({ type }) => type.is64)) throw new Refused();
    const first = this.height - n;
    this.flush(TRAPS | GLOBAL);
    for (let h = first; h < this.height; h++) {
      const operand = this.stack[h];
      // the instruction may read the local itself
      if (operand.local >= 0) this.line(`I32[fp + ${operand.local}] = ${operand.text};`);
      this.line(`I32[fp + ${this.slot(h)}] = ${operand.text};`);
    }
    this.stack.length = first;
    const pc = this.positions.at(this.#offset);
    this.line(`${this.#mark()}carryOut(${pc}, fp);`);
    if (result === undefined) return;
    const home = this.ownOf(I32, first);
    // lowering may have let it write the local that the result goes to
    this.line(`${home.text} = I32[fp + ${this.code.words[pc] >>> 12}];`);
    this.push(home);
  }

  /** memory.copy and memory.fill of the first memory, which a helper does; where that would trap, the interpreter says so. */
  #bulk(helper: 'copied' | 'filled' | undefined): void {
    if (!helper) return this.#cold(3);
    const first = this.height - 3;
    this.flush(TRAPS | GLOBAL);
    for (let h = first; h < this.height; h++) this.atom(h);
    const [a, b, c] = this.stack.slice(first);
    this.line(`if (!${helper}(${a.text}, ${b.text}, ${c.text})) {`);
    this.#cold(3);
    this.line('}');
  }

  // ---- calls

  /** Everything below the arguments has a home, or is what it is whatever the callee does. */
  #settleBelow(height: number): void {
    for (let h = 0; h < height; h++) if (!isFixed(this.stack[h])) this.settle(h);
  }

  /** Puts the arguments that do not go as arguments of JavaScript into the callee's frame. @returns those that do */
  #arguments(first: number, inFrame: boolean): string {
    const list: string[] = [];
    for (let h = first; h < this.height; h++) {
      const operand = this.stack[h];
      if (operand.type === I32 && !inFrame) continue;
      if (operand.flags & TRAPS) this.flush(TRAPS, h);
      if (operand.type === I32) this.line(`I32[fp + ${this.slot(h)}] = ${operand.text};`);
      else if (operand.type === F64) this.line(`F64[fp + ${this.slot(h)}] = ${operand.text};`);
      else if (!operand.own) this.line(this.assign(operand, this.ownOf(operand.type, h)));
    }
    for (let h = first; h < this.height; h++) if (this.stack[h].type === I32 && !inFrame) list.push(`, ${this.stack[h].text}`);
    return list.join('');
  }

  #results(type: FuncType, first: number, inFrame: boolean): void {
    const { results } = type;
    results.forEach((result, i) => {
      if (!isNumber(result)) throw new Refused();
      const home = this.ownOf(result, first + i);
      if (result === I32 && (inFrame || results.length > 1)) this.line(`${home.text} = I32[fp + ${this.slot(first + i)}];`);
      if (result === F64) this.line(`${home.text} = F64[fp + ${this.slot(first + i)}];`);
      this.push(home);
    });
  }

  #call(index: number): void {
    const { module } = this.code;
    const type = module.types[module.funcs[index]];
    if (!type.params.every(isNumber)) throw new Refused();
    const first = this.height - type.params.length;
    const imported = index < module.imported.func;
    this.#hasCalls = true;
    this.#settleBelow(first);
    const args = this.#arguments(first, imported);
    (imported ? this.#imports : this.#callees).add(index);
    this.stack.length = first;
    const base = `fp + ${this.slot(first)}`;
    const after = this.positions.after(this.#offset);
    const single = type.results.length === 1 && type.results[0] === I32;
    if (imported) {
      this.line(`${this.#mark()}h${index}(${base}, d - COST);`);
    } else {
      const callee = index === this.index && this.loop === undefined ? `w${index}` : `c${index}.f`;
      this.line(`${single ? `${this.ownOf(I32, first).text} = ` : ''}${this.#mark()}${callee}(${base}, d - COST${args});`);
    }
    this.line(`if (U[0] < 0) { ${this.#exit(after, first)} }`);
    this.#results(type, first, imported);
  }

  #callIndirect(typeIndex: number, table: number): void {
    const { module } = this.code;
    const type = module.types[typeIndex];
    if (!type.params.every(isNumber) || module.tables[table].type.is64) throw new Refused();
    const top = this.height - 1;
    const first = top - type.params.length;
    this.#hasCalls = true;
    this.#settleBelow(this.height);
    const before = this.positions.at(this.#offset), after = this.positions.after(this.#offset);
    const element = this.stack[top].text;
    const unusual = this.#exit(before, this.height);
    this.pop();
    const args = this.#arguments(first, false);
    this.#tables.add(table);
    this.stack.length = first;
    const base = `fp + ${this.slot(first)}`;
    const single = type.results.length === 1 && type.results[0] === I32;
    this.line(`{ const e = e${table}[${element} >>> 0]; if (e === undefined || e === null || e.typeId !== ${this.code.typeIds[typeIndex]} || e.instance !== INST) { defer(); ${unusual} }`);
    this.line(`${single ? `${this.ownOf(I32, first).text} = ` : ''}${this.#mark()}e.cell.f(${base}, d - COST${args}); }`);
    this.line(`if (U[0] < 0) { ${this.#exit(after, first)} }`);
    this.#results(type, first, false);
  }

  // ---- control

  #label(depth: number): Label {
    return this.#labels[this.#labels.length - 1 - depth];
  }

  #newLabel(kind: Label['kind'], height: number, params: readonly ValType[], results: readonly ValType[]): Label {
    if (![...params, ...results].every(isNumber) || this.#labels.length > MAX_NESTING) throw new Refused();
    return { kind, name: `a${this.#labelCount++}`, height, params, results, start: kind === 'loop' ? this.positions.loop(this.#offset) : 0, reached: false, otherwise: kind === 'if', around: this.#muted && this.#offset !== this.loop, silent: false };
  }

  #block(op: number, typeIndex: number, valType: ValType): void {
    const type = typeIndex < 0 ? undefined : this.code.module.types[typeIndex];
    const params = type ? type.params : [];
    const results = type ? type.results : valType === 0 ? [] : [valType];
    const test = op === 0x04 ? this.pop() : undefined;
    if (test) this.order(test);
    this.settleFrom(0);
    const height = this.height - params.length;
    if (op === 0x03) {
      const label = this.#newLabel('loop', height, params, results);
      this.#labels.push(label);
      if (this.#muted && this.#offset === this.loop) {
        // what is around the entry is there to be broken out of
        this.#muted = false;
        for (const around of this.#labels) if (around.kind !== 'func') super.line(`${around.name}: ${around === label ? 'for (;;) ' : ''}{`);
      } else {
        this.line(`${label.name}: for (;;) {`);
      }
      this.#hasLoops = true;
      const leave = this.#exit(label.start, this.height);
      this.line(`if (--n < 0) { n = CHUNK; if ((U[0] = U[0] - CHUNK - 1) < 0) { ${leave} } }`);
      return;
    }
    const label = this.#newLabel(op === 0x02 ? 'block' : 'if', height, params, results);
    this.#labels.push(label);
    this.line(`${label.name}: ${test ? `if (${condition(test)}) ` : ''}{`);
  }

  #else(dead: boolean): void {
    const label = this.#label(0);
    if (!dead) {
      this.settleFrom(label.height);
      label.reached = true;
    }
    label.otherwise = false;
    if (label.around && !this.#muted) {
      this.#muted = true;
      label.silent = true;
    } else {
      this.line('} else {');
    }
    this.#reset(label, label.params);
  }

  /** @returns whether what follows cannot be reached */
  #end(dead: boolean): boolean {
    const label = this.#labels.pop()!;
    if (label.kind === 'func') {
      if (!dead) this.#return();
      return true;
    }
    if (!dead) this.settleFrom(label.height);
    if (label.silent) this.#muted = false;
    if (label.kind === 'loop' && !label.around && !dead) this.line('break;');
    this.line('}');
    this.#reset(label, label.results);
    return dead && !label.reached && !label.otherwise;
  }

  /** The operand stack as it is at a label. */
  #reset(label: Label, types: readonly ValType[]): void {
    this.stack.length = label.height;
    for (const type of types) this.push(this.ownOf(type, this.height));
  }

  #arity(label: Label): number {
    return (label.kind === 'loop' ? label.params : label.results).length;
  }

  /** Statements that go to a label with the topmost operands, and leave the operand stack as it is. */
  #goTo(label: Label): string {
    if (label.kind === 'func') return this.#returnText();
    const n = this.#arity(label);
    const lines: string[] = [];
    for (let i = 0; i < n; i++) {
      const from = this.stack[this.height - n + i];
      const to = this.ownOf(from.type, label.height + i);
      if (from.text !== to.text) lines.push(this.assign(from, to));
    }
    if (label.kind === 'loop' && label.around) {
      // the frame goes back to the interpreter at its header, where it is taken over in turn
      const operands = this.stack.slice(0, label.height);
      for (const type of label.params) operands.push(this.ownOf(type, operands.length));
      lines.push(`stop(); ${this.#exit(label.start, operands.length, operands)}`);
      return lines.join(' ');
    }
    label.reached = true;
    lines.push(`${label.kind === 'loop' ? 'continue' : 'break'} ${label.name};`);
    return lines.join(' ');
  }

  #branch(label: Label): void {
    const n = this.#arity(label);
    this.settleFrom(this.height - n);
    this.line(this.#goTo(label));
  }

  #branchIf(label: Label): void {
    const test = this.pop();
    this.order(test);
    this.settleFrom(this.height - this.#arity(label));
    this.line(`if (${condition(test)}) { ${this.#goTo(label)} }`);
  }

  #branchTable(labels: Int32Array, n: number): void {
    const index = this.pop();
    this.order(index);
    this.settleFrom(this.height - this.#arity(this.#label(labels[n])));
    this.line(`switch (${index.text}) {`);
    const cases = new Map<Label, number[]>();
    for (let i = 0; i < n; i++) {
      const label = this.#label(labels[i]);
      const list = cases.get(label);
      if (list) list.push(i);
      else cases.set(label, [i]);
    }
    const other = this.#label(labels[n]);
    for (const [label, list] of cases) if (label !== other) this.line(`${list.map((i) => `case ${i}:`).join(' ')} ${this.#goTo(label)}`);
    this.line(`default: ${this.#goTo(other)}`);
    this.line('}');
  }

  #return(): void {
    const { results } = this.#type;
    if (results.length > 1) this.settleFrom(this.height - results.length);
    else if (results.length === 1) this.order(this.stack[this.height - 1]);
    this.line(this.#returnText());
  }

  #returnText(): string {
    const { results } = this.#type;
    const first = this.height - results.length;
    if (results.length === 1 && results[0] === I32) return `return (${this.stack[first].text});`;
    const lines: string[] = [];
    for (let i = 0; i < results.length; i++) {
      const operand = this.stack[first + i];
      if (operand.type === I32) lines.push(`I32[fp + ${i}] = ${operand.text};`);
      else if (operand.type === F64) lines.push(`F64[fp + ${i}] = ${operand.text};`);
      else if (operand.type === I64) lines.push(`I64[fp + ${i}] = ${operand.text};`);
      else lines.push(operand.bits === undefined ? `F32[fp + ${i}] = ${operand.text};` : `I32[fp + ${i}] = ${operand.bits};`);
    }
    lines.push('return 0;');
    return lines.join(' ');
  }
}

function isNumber(type: ValType): boolean {
  return type === I32 || type === I64 || type === F32 || type === F64;
}

function constantOf(type: ValType, text: string, constant: number | bigint): Operand {
  return { type, text, bits: undefined, condition: undefined, flags: 0, locals: NO_LOCALS, own: false, local: -1, exact: true, constant, depth: 0 };
}

function addressText({ text, constant }: Operand, offset: number): string {
  if (constant !== undefined) return String((Number(constant) >>> 0) + offset);
  return offset === 0 ? `(${text} >>> 0)` : `(${text} >>> 0) + ${offset}`;
}

const bits = new DataView(new ArrayBuffer(8));
/** A literal with exactly these bits, or undefined for a NaN. */
function floatText(lo: number, hi: number, single: boolean): string | undefined {
  let value: number;
  if (single) {
    bits.setInt32(0, lo);
    value = bits.getFloat32(0);
  } else {
    bits.setInt32(0, hi);
    bits.setInt32(4, lo);
    value = bits.getFloat64(0);
  }
  if (value !== value) return undefined;
  return Object.is(value, -0) ? '(-0)' : value < 0 ? `(${value})` : String(value);
}

/** Breaks lines at the marks. @returns the text, and the byte of the module for each line */
function lineUp(text: string): { source: string; lines: number[] } {
  const lines: number[] = [0];
  let offset = 0;
  const source = text.replaceAll(/\u0001(\d+)\u0002|\n/g, (_, mark: string | undefined) => {
    if (mark !== undefined) offset = Number(mark);
    lines.push(offset);
    return '\n';
  });
  return { source, lines };
}
