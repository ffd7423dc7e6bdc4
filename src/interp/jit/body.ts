/**
 * The source of one function as it comes to be: what it refers to, the ways out that its calls and loops share, and at the end
 * the whole text with its head. Knows no instruction.
 */
import type { ModuleCode } from '../code.js';
import { F64, I32, I64, V128, isRef, type FuncType } from '../types.js';
import { JsStack, MARK, MARK_END, type Operand } from './operands.js';
import type { Positions } from './positions.js';
import { shapeOf, type Shape } from './shape.js';
import { declaredLanes, homeLane, localLanes, vectorToSlot, type Wishes } from './vector-forms.js';

const MAX_LOCALS = 600;
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
  readonly memories: ReadonlySet<number>;
  /** byte of each `loop` -> the interpreter's position there */
  readonly loops: ReadonlyMap<number, number>;
  readonly types: ReadonlySet<number>;
  readonly name: string;
}

/** The function is not for this tier. */
export class Refused extends Error {}

export class JsBody extends JsStack {
  readonly type: FuncType;
  readonly shape: Shape;
  readonly callees = new Set<number>();
  readonly imports = new Set<number>();
  readonly globals = new Set<number>();
  readonly tables = new Set<number>();
  /** besides the first one */
  readonly memories = new Set<number>();
  readonly types = new Set<number>();
  /** statements that save the operands -> positions at which they are saved so, and what stands for each in `pc` */
  readonly #exits = new Map<string, Map<number, number>>();
  /** positions that some exit has: a call may end, with fewer operands, where the next begins */
  readonly #exitsAt = new Set<number>();
  #aliases = 0;
  /** the fuel is counted in a variable somewhere */
  counts = false;
  offset = 0;
  /** nothing is put out until the loop of the entry is reached */
  muted: boolean;

  constructor(readonly code: ModuleCode, readonly index: number, readonly positions: Positions, readonly frameSize: number, readonly loop: number | undefined, wishes: Wishes) {
    const { module } = code;
    const type = module.types[module.funcs[index]];
    const locals = [...type.params];
    for (const group of module.codes[index - module.imported.func].locals) {
      if (locals.length + group.count > MAX_LOCALS) throw new Refused();
      for (let i = 0; i < group.count; i++) locals.push(group.type);
    }
    if (locals.length > MAX_LOCALS) throw new Refused();
    super(locals, wishes);
    this.type = type;
    this.shape = shapeOf(module, index);
    this.muted = loop !== undefined;
  }

  /** What the text has for the DataView of the first memory. */
  get view(): string {
    return this.viewOf(0);
  }

  /** Of any memory. */
  viewOf(memory: number): string {
    // the text may be asked for and not used, where there is no memory
    if (memory < this.code.module.memories.length) this.memories.add(memory);
    return `V${memory}`;
  }

  override line(text: string): void {
    if (!this.muted) super.line(text);
  }

  mark(): string {
    return `${MARK}${this.offset}${MARK_END}`;
  }

  finish(): Emitted {
    const { locals, variables } = this;
    const name = `w${this.index}`;
    const params = this.type.params;
    const entered = this.loop !== undefined;
    const cost = Math.ceil((20 + Math.max(this.frameSize, locals.length + variables.size + this.temporaries.most)) * 8 / ROOM_UNIT);
    const args = params.flatMap((type, i) => type === I32 ? [`l${i}`] : []);
    const head: string[] = [`function ${name}(${['fp', 'd', ...entered ? [] : args].join(', ')}) {`];
    if (!entered) {
      const fuel = this.shape.calls ? ' || (U[0] = U[0] - 1) < 0' : '';
      const store = params.map((type, i) => type === I32 ? `I32[fp + ${i}] = l${i}; ` : '').join('');
      head.push(`if (d < 0${fuel}) { ${store}return begin(${this.index}, fp); }`);
    }
    const declared: string[] = [];
    locals.forEach((type, i) => {
      const given = entered || i < params.length;
      if (type === I32 || type === F64) {
        if (entered) declared.push(`l${i} = ${type === I32 ? 'I32' : 'F64'}[fp + ${i}]`);
        else if (i >= params.length) declared.push(`l${i} = 0`);
        else if (type === F64) declared.push(`l${i} = F64[fp + ${i}]`);
      } else if (type === V128) {
        declared.push(...declaredLanes(localLanes(this, i), given ? i : undefined));
      } else if (isRef(type)) {
        declared.push(`l${i} = ${given ? `getRef(fp + ${i})` : 'null'}`);
      } else if (i >= params.length && !entered) {
        head.push(type === I64 ? `I64[fp + ${i}] = 0n;` : `I32[fp + ${i}] = 0;`);
      }
    });
    for (const variable of variables) {
      if (variable === 'g' || variable[0] === 'l') {
        declared.push(`${variable} = 0`);
        continue;
      }
      const slot = this.slot(Number.parseInt(variable.slice(variable[0] === 'v' ? 2 : 1)));
      const taken = variable[0] === 'v' ? homeLane(variable, slot) : variable[0] === 'r' ? `getRef(fp + ${slot})` : `${variable[0] === 's' ? 'I32' : 'F64'}[fp + ${slot}]`;
      declared.push(`${variable} = ${entered ? taken : variable[0] === 'r' ? 'null' : '0'}`);
    }
    if (this.#exits.size > 0) declared.push('pc = 0');
    if (this.counts) declared.push('n = 0');
    for (let i = 0; i < this.temporaries.most; i++) declared.push(`q${i}`);
    if (declared.length > 0) head.push(`let ${declared.join(', ')};`);
    const text = `${head.join('\n')}\n${this.#exits.size > 0 ? `x: {\n${this.out.join('')}}\n${this.#leave()}` : this.out.join('')}}\n`
      .replaceAll('COST', String(cost));
    const { source, lines } = lineUp(text);
    return { source, lines, callees: this.callees, imports: this.imports, globals: this.globals, tables: this.tables, memories: this.memories, types: this.types, loops: this.positions.loops, name };
  }

  /** The way out that every call and loop header shares: operands, then locals, to their slots. */
  #leave(): string {
    const lines: string[] = [];
    const saves = [...this.#exits].filter(([save, keys]) => save !== '' || [...keys].some(([pc, key]) => pc !== key));
    if (saves.length > 0) {
      lines.push('switch (pc) {');
      for (const [save, positions] of saves) {
        const plain = [...positions].filter(([pc, key]) => pc === key);
        if (plain.length > 0 && save !== '') lines.push(`${plain.map(([pc]) => `case ${pc}:`).join(' ')} ${save} break;`);
        for (const [pc, key] of positions) if (pc !== key) lines.push(`case ${key}: pc = ${pc}; ${save} break;`);
      }
      lines.push('}');
    }
    this.locals.forEach((type, i) => {
      if (type === I32 || type === F64) lines.push(`${type === I32 ? 'I32' : 'F64'}[fp + ${i}] = l${i};`);
      else if (type === V128) lines.push(vectorToSlot(this.localOf(i), i));
      else if (isRef(type)) lines.push(`setRef(fp + ${i}, l${i});`);
    });
    lines.push('return leave(pc, fp);\n');
    return lines.join('\n');
  }

  /** Leaves with position `pc`, with the operands below `height` in their slots. */
  exit(pc: number, height: number, operands: readonly Operand[] = this.stack): string {
    let save = '';
    for (let h = 0; h < height; h++) {
      const text = this.toSlot(operands[h], this.slot(h));
      if (text !== '') save += `${text} `;
    }
    if (this.muted) return '';
    let keys = this.#exits.get(save);
    if (!keys) this.#exits.set(save, keys = new Map());
    let key = keys.get(pc);
    if (key === undefined) {
      keys.set(pc, key = this.#exitsAt.has(pc) ? --this.#aliases : pc);
      this.#exitsAt.add(pc);
    }
    return `pc = ${key}; break x;`;
  }
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
