/**
 * Random function bodies, typed by construction. They end: every function and every loop whose label is in reach takes one from
 * the global "fuel" and returns when there is none; other loops count. Traps are rare enough that most calls get far.
 */
import type { Mnemonic } from '#src/interp/opcodes.js';
import { leb, vec, type Bytes } from '../interp/wasm.js';
import { sleb } from '../support/wasm.js';
import type { Instruction, Instructions } from './instructions.js';
import type { Random } from './random.js';
import { isGc, read, written, type Values } from './body-gc.js';
import { CODE, HEAP_CODE, type Block, type FuncTree, type If, type Label, type Letter, type Node, type Op } from './tree.js';

/** What a body may refer to. Global 0 is the fuel, an i32, and global 1 sums up what bodies see, an i64. */
export interface Surroundings {
  readonly instructions: Instructions;
  readonly letters: readonly Letter[];
  /** type of each function that may be called, and its index */
  readonly callees: readonly { readonly type: string; readonly index: number }[];
  readonly globals: readonly { readonly type: Letter; readonly mutable: boolean }[];
  /** functions by their slots in table 0, as it is at first */
  readonly slots: readonly (number | null)[];
  readonly tables: readonly ('r' | 'e')[];
  readonly memoryBytes: number;
  readonly memories: number;
  readonly is64: boolean;
  /** whether its memory has a bound, so that it may grow round after round */
  readonly grows: boolean;
  readonly datas: number;
  /** table of each element segment */
  readonly elems: readonly number[];
  readonly tailCalls: boolean;
  /** calls through typed references, and branches on null */
  readonly funcRefs: boolean;
  readonly gc: boolean;
  /** the parameters of each tag; none where there are no exceptions */
  readonly tags: readonly string[];
  /** in the first encoding */
  readonly legacy: boolean;
}

interface Scope { readonly label: Label; readonly types: string }
const COUNTERS = 3;
const CONST = { i: 'i32.const', l: 'i64.const', f: 'f32.const', F: 'f32.const', d: 'f64.const', D: 'f64.const' } as const;
const WIDE = { i: 'i32', l: 'i64', f: 'f32', d: 'f64', F: 'f32', D: 'f64' } as const;
const I32S = [0, 1, -1, 2, 7, 8, 31, 32, 33, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, -0x80000000, -0x7fffffff, 0x0f0f0f0f];
const I64S = [0n, 1n, -1n, 2n, 31n, 32n, 63n, 64n, 0xffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, -0x80000000n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), 1n - 2n ** 63n, 0x5555555555555555n];
const FLOATS = [0, -0, 1, -1, 0.5, 1.5, 2.5, -2.5, 0.1, 1e-45, 1.1754943508222875e-38, 5e-324, 3.4028234663852886e38, 1.7976931348623157e308, Infinity, -Infinity, NaN, 2 ** 31, -(2 ** 31), 2 ** 32,
  2 ** 53, 2 ** 63, -(2 ** 63), 2 ** 64, 2147483647.5, -2147483648.9, 4294967295.9, 16777217, 1e10];

export function op(name: Mnemonic, kids: readonly Node[], gives: string, ...imm: Bytes): Op {
  return { kind: 'op', op: name, kids, gives, imm };
}

/** Not to be cut out of a loop, which would have no end without it. */
function kept(node: Node): Node {
  return { ...node, kept: true };
}

/** The value that a local of the type has at first. */
export function zero(type: Letter): Op {
  switch (type) {
    case 'i': case 'l': return op(CONST[type], [], type, 0);
    case 'f': case 'F': return op('f32.const', [], type, 0, 0, 0, 0);
    case 'd': case 'D': return op('f64.const', [], type, 0, 0, 0, 0, 0, 0, 0, 0);
    case 'v': return op('v128.const', [], type, new Array<number>(16).fill(0));
    default: return op('ref.null', [], type, HEAP_CODE[type]);
  }
}

export function constant(random: Random, type: Letter): Op {
  switch (type) {
    case 'i': return op('i32.const', [], type, sleb(BigInt(random.once(3) ? random.i32() : random.pick(I32S))));
    case 'l': return op('i64.const', [], type, sleb(random.once(3) ? random.i64() : random.pick(I64S)));
    case 'f': return op('f32.const', [], type, bytesOf(new Float32Array([random.pick(FLOATS)])));
    case 'd': return op('f64.const', [], type, bytesOf(new Float64Array([random.pick(FLOATS)])));
    // any bits: signalling NaNs with payloads too
    case 'F': return op('f32.const', [], type, bytesOf(random.once(2) ? new Float32Array([random.pick(FLOATS)]) : new Int32Array([random.once(2) ? random.i32() : random.i32() | 0x7f800000])));
    case 'D': return op('f64.const', [], type, bytesOf(random.once(2) ? new Float64Array([random.pick(FLOATS)]) : new BigInt64Array([random.once(2) ? random.i64() : random.i64() | 0x7ff0000000000000n])));
    case 'v': return op('v128.const', [], type, bytesOf(random.once(2) ? new Float32Array([0, 0, 0, 0].map(() => random.pick(FLOATS))) : random.once(2) ? new Float64Array([random.pick(FLOATS), random.pick(FLOATS)]) : new BigInt64Array([random.i64(), random.i64()])));
    default: return zero(type);
  }
}

function bytesOf({ buffer }: { readonly buffer: ArrayBufferLike }): number[] {
  return [...new Uint8Array(buffer)];
}

export class BodyMaker {
  readonly #random: Random;
  readonly #around: Surroundings;
  readonly #results: string;
  /** of parameters and locals; those behind are the maker's own */
  readonly #locals: string;
  readonly #all: string;
  readonly #scratch: { readonly [letter: string]: number };
  readonly #function: Label = { hint: 'function' };
  readonly #type: string;
  readonly #forGc: Values;
  #scopes: Scope[];
  /** labels of the catches in reach, for rethrow */
  #catches: Label[] = [];
  #counters = 0;
  /** nodes that may still be made */
  #left: number;

  constructor(random: Random, around: Surroundings, type: string, size: number) {
    this.#random = random;
    this.#around = around;
    this.#forGc = { random, value: (type, depth) => this.#value(type, depth), localOf: (type) => this.#localOf(type) };
    this.#type = type;
    const [params, results] = type.split(':');
    this.#results = results;
    const own = Array.from({ length: 2 + random.below(8) }, () => random.pick(around.letters)).join('');
    this.#locals = params + own;
    const vector = around.letters.includes('v') ? 'v' : '';
    this.#all = `${this.#locals}${'i'.repeat(COUNTERS)}fd${vector}`;
    const at = this.#locals.length + COUNTERS;
    this.#scratch = { f: at, d: at + 1, v: at + 2 };
    this.#scopes = [{ label: this.#function, types: results }];
    this.#left = size;
  }

  make(exported: boolean): FuncTree {
    const [params] = this.#type.split(':');
    // few instructions show much of themselves when all they are given is zeros
    const begin = [...this.#locals].flatMap((type, i) => i < params.length || this.#random.once(4) ? [] : [op('local.set', [constant(this.#random, type as Letter)], '', leb(i))]);
    const values = this.#random.once(3) ? [...this.#dense(), ...this.#values(this.#results, 0)] : this.#sequence(this.#results, 5);
    const statements = values.findIndex(({ gives }) => gives !== '');
    const end = [...this.#locals].flatMap((type, i) => this.#mix(op('local.get', [], type, leb(i)), type as Letter));
    const at = statements < 0 ? values.length : statements;
    const body = [this.#around.tailCalls ? kept(this.#burn()) : this.#burn(), ...begin, ...values.slice(0, at), ...end, ...values.slice(at)];
    return { type: this.#type, locals: this.#all.slice(params.length), label: this.#function, body, exported };
  }

  /** One simple instruction after the other, each on what the ones before have made: nearly all of it counts in the end. */
  #dense(): Node[] {
    const random = this.#random;
    const { simple, loads, stores } = this.#around.instructions;
    const operand = (type: Letter, depth: number): Node => {
      const at = this.#localOf(type);
      if (depth > 0 && simple[type].length > 0 && random.once(4)) return this.#simple(random.pick(simple[type]), type, (param) => operand(param, depth - 1));
      return at === undefined || random.once(5) ? constant(random, type) : op('local.get', [], type, leb(at));
    };
    const address = (): Node => {
      const low = op('i32.and', [operand('i', 1), op('i32.const', [], 'i', sleb(0xfffn))], 'i');
      return this.#around.is64 ? op('i64.extend_i32_u', [low], 'l') : low;
    };
    const nodes: Node[] = [];
    for (let n = 20 + random.below(140); n > 0; n--) {
      const type = this.#locals[random.below(this.#locals.length)] as Letter;
      const at = this.#localOf(type)!;
      const access = random.pick(random.once(8) ? stores : random.once(8) ? loads[type] : []) as Instruction | undefined;
      if (access) {
        const kids = [this.#aligned(address(), access), ...access.params.map((param) => operand(param, 1))];
        const node = op(access.op, kids, stores.includes(access) ? '' : type, ...this.#memarg(access, 99), access.lanes > 0 ? [random.below(access.lanes)] : []);
        nodes.push(stores.includes(access) ? node : op('local.set', [node], '', leb(at)));
        continue;
      }
      if (simple[type].length === 0) continue;
      const made = (type === 'F' || type === 'D') && random.once(2)
        ? this.#canon(type, this.#simple(random.pick(simple[type === 'F' ? 'f' : 'd']), type === 'F' ? 'f' : 'd', (param) => operand(param, 1)))
        : this.#simple(random.pick(simple[type]), type, (param) => operand(param, 1));
      nodes.push(op('local.set', [made], '', leb(at)));
      if (random.once(6)) nodes.push(...this.#mix(op('local.get', [], type, leb(at)), type));
    }
    return nodes;
  }

  // ---- statements: they leave nothing on the stack

  /** Statements, then the values. */
  #sequence(types: string, depth: number): Node[] {
    const nodes: Node[] = [];
    for (let n = this.#random.below(depth > 3 ? 7 : 4); n > 0 && this.#left > 0; n--) nodes.push(...this.#statement(depth));
    return [...nodes, ...this.#values(types, depth)];
  }

  #statement(depth: number): Node[] {
    const random = this.#random;
    this.#left--;
    if (depth <= 0 || this.#left <= 0) return [this.#assign(0)];
    const next = depth - 1;
    if (this.#around.gc && random.once(8)) return [written(this.#forGc, next)];
    switch (random.below(26)) {
      case 0: case 1: case 2: case 3: case 4: return [this.#assign(next)];
      case 5: case 6: case 7: return [this.#store(next)];
      case 8: return this.#dropped(this.#block(this.#types(2), this.#types(2), next));
      case 9: return this.#dropped(this.#if(random.once(2) ? '' : this.#types(2), this.#types(1), next));
      case 10: return this.#dropped(this.#if('', '', next));
      case 11: return this.#dropped(this.#guardedLoop(next));
      case 12: case 13: return [this.#countedLoop(next)];
      case 14: return this.#switch(next);
      case 15: case 16: return this.#dropped(this.#call(random.pick(this.#around.callees), next));
      case 17: return this.#dropped(this.#callIndirect(next));
      case 18: return this.#dropped(this.#branchIf(next));
      case 19: return [{ kind: 'if', label: { hint: 'escape' }, kids: [this.#value('i', next)], takes: '', gives: '', body: this.#escape(next), orElse: undefined }];
      case 20: return [this.#bulk(next)];
      case 21: return [this.#tableStatement(next)];
      case 23: case 24: return this.#around.tags.length > 0 ? this.#dropped(this.#try(this.#types(1), next)) : [this.#store(next)];
      case 22: return random.once(8) ? this.#escape(next) : [op('nop', [], '')];
      default: {
        const type = random.pick(this.#around.letters);
        const value = this.#value(type, next);
        return random.once(6) ? [op('drop', [value], '')] : this.#mix(value, type);
      }
    }
  }

  /** Puts a value into the global that sums up what was seen on the way. */
  #mix(value: Node, type: Letter): Node[] {
    const bits = ((): Node => {
      switch (type) {
        case 'l': return value;
        case 'i': return op('i64.extend_i32_s', [value], 'l');
        case 'F': return op('i64.extend_i32_u', [op('i32.reinterpret_f32', [value], 'i')], 'l');
        case 'D': return op('i64.reinterpret_f64', [value], 'l');
        case 'f': return op('i64.extend_i32_u', [op('i32.reinterpret_f32', [this.#canon('F', value)], 'i')], 'l');
        case 'd': return op('i64.reinterpret_f64', [this.#canon('D', value)], 'l');
        case 'v': return op('i64.add', [op('i64x2.extract_lane', [op('local.tee', [value], 'v', leb(this.#scratch['v']))], 'l', 0), op('i64x2.extract_lane', [op('local.get', [], 'v', leb(this.#scratch['v']))], 'l', 1)], 'l');
        default: return op('i64.extend_i32_s', [op('ref.is_null', [value], 'i')], 'l');
      }
    })();
    const more = op('i64.mul', [op('global.get', [], 'l', 1), op('i64.const', [], 'l', sleb(0x5851f42d4c957f2dn))], 'l');
    return [op('global.set', [op('i64.xor', [more, bits], 'l')], '', 1)];
  }

  #types(most: number): string {
    return Array.from({ length: this.#random.below(most + 1) }, () => this.#random.pick(this.#around.letters)).join('');
  }

  #assign(depth: number): Node {
    const globals = this.#around.globals.flatMap(({ type, mutable }, i) => mutable && i > 1 ? [[type, i] as const] : []);
    if (this.#random.once(4) && globals.length > 0) {
      const [type, index] = this.#random.pick(globals);
      return op('global.set', [this.#value(type, depth)], '', leb(index));
    }
    const index = this.#random.below(this.#locals.length);
    return op('local.set', [this.#value(this.#locals[index] as Letter, depth)], '', leb(index));
  }

  /** What is on the stack goes to locals, or nowhere. */
  #dropped(node: Node): Node[] {
    return node.gives === '?' ? [node] : [node, ...this.#sink(node.gives)];
  }

  #sink(types: string): Node[] {
    return [...types].reverse().map((type) => {
      const at = this.#localOf(type as Letter);
      return at === undefined || this.#random.once(4) ? op('drop', [], '') : op('local.set', [], '', leb(at));
    });
  }

  #localOf(type: Letter): number | undefined {
    const found = [...this.#locals].flatMap((letter, i) => letter === type ? [i] : []);
    return found.length === 0 ? undefined : this.#random.pick(found);
  }

  #store(depth: number): Node {
    const one = this.#random.pick(this.#around.instructions.stores);
    const lane = one.lanes > 0 ? [this.#random.below(one.lanes)] : [];
    return op(one.op, [this.#aligned(this.#address(depth), one), ...one.params.map((param) => this.#value(param, depth))], '', ...this.#memarg(one), lane);
  }

  /** Unconditional: what follows is never reached. */
  #escape(depth: number): Node[] {
    const random = this.#random;
    if (this.#around.tags.length > 0 && random.once(2)) return this.#throw(depth);
    switch (random.below(this.#around.tailCalls ? 8 : 6)) {
      case 0: case 1: return [op('return', this.#values(this.#results, depth), '?')];
      case 2: return random.once(3) ? [op('unreachable', [], '?')] : [op('return', this.#values(this.#results, depth), '?')];
      case 3: {
        // operands that nothing has pushed
        const { op: name } = random.pick(this.#around.instructions.simple.i.filter(({ lanes }) => lanes === 0));
        return [op('return', this.#values(this.#results, depth), '?'), op(name, [], 'i'), op('drop', [], '')];
      }
      case 6: {
        const fitting = this.#around.callees.filter(({ type }) => type.split(':')[1] === this.#results);
        if (fitting.length === 0) return [op('return', this.#values(this.#results, depth), '?')];
        const { type, index } = random.pick(fitting);
        return [op('return_call', this.#values(type.split(':')[0], depth), '?', leb(index))];
      }
      case 7: {
        const type = `${this.#types(2).replace(/F/g, 'f').replace(/D/g, 'd')}:${this.#results}`;
        if (this.#around.funcRefs && random.once(2)) return [{ ...op('return_call_ref', [...this.#values(type.split(':')[0], depth), this.#typed(type, depth)], '?'), type }];
        return [{ ...op('return_call_indirect', [...this.#values(type.split(':')[0], depth), this.#slot(type, depth)], '?', 0), type }];
      }
      default: {
        const scope = random.pick(this.#scopes);
        return [{ kind: 'br', labels: [scope.label], kids: this.#values(scope.types, depth), gives: '?' }];
      }
    }
  }

  #throw(depth: number): Node[] {
    const random = this.#random;
    if (this.#catches.length > 0 && random.once(3)) return [{ kind: 'rethrow', labels: [random.pick(this.#catches)], kids: [], gives: '?' }];
    if (!this.#around.legacy && random.once(4)) return [op('throw_ref', [this.#value('x', depth)], '?')];
    const tag = random.below(this.#around.tags.length);
    return [op('throw', this.#values(this.#around.tags[tag], depth), '?', leb(tag))];
  }

  /** Something that may throw, and what happens then. */
  #try(gives: string, depth: number): Node {
    const random = this.#random;
    const { tags, legacy } = this.#around;
    const label: Label = { hint: 'try' };
    const inner = () => {
      const escape: Node = { kind: 'if', label: { hint: 'throws' }, kids: [this.#value('i', depth - 1)], takes: '', gives: '', body: this.#throw(depth - 1), orElse: undefined };
      return [...this.#sequence('', depth), ...random.once(3) ? [] : [escape], ...this.#sequence(gives, depth)];
    };
    const caught = Array.from({ length: random.below(3) }, () => random.once(4) ? undefined : random.below(tags.length));
    if (legacy) {
      const body = this.#within({ label, types: gives }, inner);
      if (random.once(6)) return { kind: 'try', label, takes: '', gives, kids: [], body, catches: [], delegate: random.pick(this.#scopes).label };
      const last = caught.findIndex((tag) => tag === undefined);
      const catches = (last < 0 ? caught : caught.slice(0, last + 1)).map((tag) => {
        const outer = this.#catches;
        this.#catches = [...outer, label];
        const handler = this.#within({ label, types: gives }, () => [...this.#sink(tag === undefined ? '' : tags[tag]), ...this.#sequence(gives, depth)]);
        this.#catches = outer;
        return { tag, body: handler };
      });
      return { kind: 'try', label, takes: '', gives, kids: [], body, catches, delegate: undefined };
    }
    const out: Label = { hint: 'done' };
    return this.#within({ label: out, types: gives }, () => {
      const clauses = caught.map((tag) => {
        const isRef = random.once(3);
        return { tag, isRef, label: { hint: 'handler' }, types: `${tag === undefined ? '' : tags[tag]}${isRef ? 'x' : ''}` };
      });
      const body = this.#within({ label, types: gives }, inner);
      const tried: Node = { kind: 'try_table', label, takes: '', gives, kids: [], body, catches: clauses };
      let block: Node[] = [tried];
      for (const { label: handler, types } of clauses) {
        const handling = [...this.#sink(types), ...this.#sequence(gives, depth - 1)];
        block = [{ kind: 'block', label: handler, takes: '', gives: types, kids: [], body: [...block, { kind: 'br', labels: [out], kids: [], gives: '?' }] }, ...handling];
      }
      return { kind: 'block', label: out, takes: '', gives, kids: [], body: block };
    });
  }

  #within<T>(scope: Scope, make: () => T): T {
    const outer = this.#scopes;
    this.#scopes = [...outer, scope];
    try {
      return make();
    } finally {
      this.#scopes = outer;
    }
  }

  #block(takes: string, gives: string, depth: number): Block {
    const label: Label = { hint: 'block' };
    const kids = this.#values(takes, depth);
    const body = this.#within({ label, types: gives }, () => takes === gives && this.#random.once(2)
      ? this.#sequence('', depth)
      : [...this.#sink(takes), ...this.#sequence(gives, depth)]);
    return { kind: 'block', label, takes, gives, kids, body };
  }

  #if(takes: string, gives: string, depth: number): If {
    const label: Label = { hint: 'if' };
    const kids = [...this.#values(takes, depth), this.#value('i', depth)];
    const arm = () => this.#within({ label, types: gives }, () => [...this.#sink(takes), ...this.#sequence(gives, depth)]);
    const body = arm();
    return { kind: 'if', label, takes, gives, kids, body, orElse: takes === gives && this.#random.once(3) ? undefined : arm() };
  }

  /** A loop whose label anything within may branch to. */
  #guardedLoop(depth: number): Block {
    const label: Label = { hint: 'loop' };
    const takes = this.#types(2), gives = this.#types(1);
    const kids = this.#values(takes, depth);
    const body = this.#within({ label, types: takes }, () => {
      const inner = [kept(this.#burn()), ...this.#sink(takes), ...this.#sequence('', depth)];
      const again: Node = { kind: 'br_if', labels: [label], kids: [...this.#values(takes, depth), this.#value('i', depth)], gives: takes };
      return [...inner, again, ...this.#sink(takes), ...this.#values(gives, depth)];
    });
    return { kind: 'loop', label, takes, gives, kids, body };
  }

  /** Of a few rounds; its counter and its label are its own. */
  #countedLoop(depth: number): Node {
    if (this.#counters === COUNTERS) return this.#assign(depth);
    const counter = leb(this.#locals.length + this.#counters++);
    const label: Label = { hint: 'rounds' };
    const get = op('local.get', [], 'i', counter);
    const less = op('i32.sub', [get, op('i32.const', [], 'i', 1)], 'i');
    const inner = this.#sequence('', depth);
    this.#counters--;
    const last: Node[] = this.#random.once(2)
      ? [{ kind: 'br_if', labels: [label], kids: [op('local.tee', [less], 'i', counter)], gives: '' }]
      : [op('local.set', [less], '', counter), { kind: 'br_if', labels: [label], kids: [op('i32.gt_s', [get, op('i32.const', [], 'i', 0)], 'i')], gives: '' }];
    const loop: Node = { kind: 'loop', label, takes: '', gives: '', kids: [], body: [...inner, ...last.map(kept)] };
    const start = op('local.set', [op('i32.const', [], 'i', 1 + this.#random.below(4))], '', counter);
    return { kind: 'block', label: { hint: 'counted' }, takes: '', gives: '', kids: [], body: [kept(start), loop] };
  }

  /** Nested blocks, all leaving the same values, and a br_table in the innermost. */
  #switch(depth: number): Node[] {
    const random = this.#random;
    const types = this.#types(random.once(3) ? 2 : 0);
    const labels = Array.from({ length: 1 + random.below(4) }, (_, i): Label => ({ hint: `case ${i}` }));
    const others = this.#scopes.filter((scope) => scope.types === types).map(({ label }) => label);
    const targets = Array.from({ length: 1 + random.below(8) }, () => random.pick(random.once(6) && others.length > 0 ? others : labels));
    const index = random.once(2) ? this.#value('i', depth) : op('i32.and', [this.#value('i', depth), op('i32.const', [], 'i', 7)], 'i');
    const table: Node = { kind: 'br_table', labels: targets, kids: [...this.#values(types, depth), index], gives: '?' };
    let body: Node[] = [table];
    let block: Node | undefined;
    for (const label of [...labels].reverse()) {
      block = { kind: 'block', label, takes: '', gives: types, kids: [], body };
      body = [block, ...this.#sink(types), ...this.#sequence(types, depth - 1)];
    }
    return this.#dropped(block!);
  }

  #branchIf(depth: number): Node {
    const { label, types } = this.#random.pick(this.#scopes);
    if (this.#around.funcRefs && this.#random.once(3)) {
      const type = this.#random.pick(['r', 'e'] as const);
      return { kind: 'br_on_null', labels: [label], kids: [...this.#values(types, depth), this.#value(type, depth)], gives: `${types}${type}` };
    }
    return { kind: 'br_if', labels: [label], kids: [...this.#values(types, depth), this.#value('i', depth)], gives: types };
  }

  #call({ type, index }: { readonly type: string; readonly index: number }, depth: number): Node {
    const [params, results] = type.split(':');
    return op('call', this.#values(params, depth), results, leb(index));
  }

  #callIndirect(depth: number): Node {
    const { callees, slots } = this.#around;
    const there = callees.filter(({ index }) => slots.includes(index));
    const { type } = this.#random.pick(this.#random.once(20) || there.length === 0 ? callees : there);
    const [params, results] = type.split(':');
    if (this.#around.funcRefs && this.#random.once(2)) return { ...op('call_ref', [...this.#values(params, depth), this.#typed(type, depth)], results), type };
    return { ...op('call_indirect', [...this.#values(params, depth), this.#slot(type, depth)], results, 0), type };
  }

  /** A reference to a function of the type, or to none. */
  #typed(type: string, depth: number): Node {
    const random = this.#random;
    const fitting = this.#around.slots.filter((index) => index !== null && this.#around.callees.some((callee) => callee.index === index && callee.type === type)) as number[];
    if (random.once(20)) return { ...op('ref.null', [], 'r'), type };
    if (fitting.length > 0 && random.once(2)) return op('ref.func', [], 'r', leb(random.pick(fitting)));
    const some = fitting.length > 0 && !random.once(6) ? op('table.get', [this.#slot(type, depth)], 'r', 0) : this.#value('r', depth);
    return { ...op(random.once(2) ? 'ref.cast' : 'ref.cast_null', [some], 'r'), type };
  }

  /** An index of table 0: mostly of a function of the type. */
  #slot(type: string, depth: number): Node {
    const random = this.#random;
    const fitting = this.#around.slots.flatMap((index, slot) => index !== null && this.#around.callees.some((callee) => callee.index === index && callee.type === type) ? [slot] : []);
    if (fitting.length > 0 && !random.once(20)) return op('i32.const', [], 'i', sleb(BigInt(random.pick(fitting))));
    return random.once(4) ? this.#value('i', depth) : op('i32.const', [], 'i', sleb(BigInt(random.below(this.#around.slots.length + 2))));
  }

  #bulk(depth: number): Node {
    const random = this.#random;
    const short = (mask: number): Node => op('i32.and', [this.#value('i', depth), op('i32.const', [], 'i', sleb(BigInt(mask)))], 'i');
    const long = (node: Node): Node => this.#around.is64 ? op('i64.extend_i32_u', [node], 'l') : node;
    const data = leb(random.below(this.#around.datas));
    switch (random.below(7)) {
      case 0: case 1: return op('memory.fill', [this.#address(depth), this.#value('i', depth), long(short(0x3f))], '', this.#memory());
      case 2: case 3: return op('memory.copy', [this.#address(depth), this.#address(depth), long(short(0x7f))], '', this.#memory(), this.#memory());
      case 4: case 5: return op('memory.init', [this.#address(depth), short(7), short(7)], '', data, this.#memory());
      default: return random.once(3) ? op('data.drop', [], '', data) : op('drop', [this.#grow(depth)], '');
    }
  }

  #grow(depth: number): Node {
    const pages = !this.#around.grows ? op('i32.const', [], 'i', sleb(BigInt(this.#random.pick([0, -1, 65536])))) : this.#random.once(3) ? op('i32.const', [], 'i', sleb(BigInt(this.#random.pick([0, 1, 2, -1, 0x7fffffff, -0x80000000, 65536])))) : op('i32.and', [this.#value('i', depth), op('i32.const', [], 'i', 1)], 'i');
    return this.#around.is64 ? op('memory.grow', [op('i64.extend_i32_u', [pages], 'l')], 'l', this.#memory()) : op('memory.grow', [pages], 'i', this.#memory());
  }

  #tableStatement(depth: number): Node {
    const random = this.#random;
    const table = random.below(this.#around.tables.length), type = this.#around.tables[table];
    const index = () => random.once(6) ? this.#value('i', depth) : op('i32.and', [this.#value('i', depth), op('i32.const', [], 'i', 7)], 'i');
    const count = () => op('i32.and', [this.#value('i', depth), op('i32.const', [], 'i', 3)], 'i');
    switch (random.below(6)) {
      case 0: return op('table.fill', [index(), this.#value(type, depth), count()], '', leb(table));
      case 1: {
        const same = this.#around.tables.flatMap((other, i) => other === type ? [i] : []);
        return op('table.copy', [index(), index(), count()], '', leb(table), leb(random.pick(same)));
      }
      case 2: {
        const elem = random.below(this.#around.elems.length);
        if (random.once(5)) return op('elem.drop', [], '', leb(elem));
        return op('table.init', [index(), count(), count()], '', leb(elem), leb(this.#around.elems[elem]));
      }
      case 3: return op('drop', [op('table.grow', [this.#value(type, depth), count()], 'i', leb(table))], '');
      default: return op('table.set', [index(), this.#value(type, depth)], '', leb(table));
    }
  }

  /** Takes one unit of fuel; returns zeros where there is none. */
  #burn(): Node {
    const get = op('global.get', [], 'i', 0);
    const out: If = {
      kind: 'if', label: { hint: 'no fuel' }, takes: '', gives: '', kids: [op('i32.eqz', [get], 'i')],
      body: [op('return', [...this.#results].map((type) => zero(type as Letter)), '?')], orElse: undefined,
    };
    return op('global.set', [out, op('i32.sub', [get, op('i32.const', [], 'i', 1)], 'i')], '', 0);
  }

  // ---- values

  #values(types: string, depth: number): Node[] {
    // one instruction for all of them
    if (types.length > 1 && depth > 0 && this.#left > 0 && this.#random.once(4)) {
      const fitting = this.#around.callees.filter(({ type }) => type.split(':')[1] === types);
      if (fitting.length > 0 && this.#random.once(2)) return [this.#call(this.#random.pick(fitting), depth - 1)];
      return [this.#random.once(2) ? this.#block('', types, depth - 1) : this.#if('', types, depth - 1)];
    }
    return [...types].map((type) => this.#value(type as Letter, depth));
  }

  #value(type: Letter, depth: number): Node {
    const random = this.#random;
    this.#left--;
    if (depth <= 0 || this.#left <= 0 || random.once(5)) return this.#leaf(type);
    const next = depth - 1;
    const { simple, loads } = this.#around.instructions;
    switch (random.below(22)) {
      case 0: {
        const operands = [this.#value(type, next), this.#value(type, next), this.#value('i', next)];
        return 'rexsab'.includes(type) || random.once(6) ? op('select_t', operands, type, vec([CODE[type]])) : op('select', operands, type);
      }
      case 1: return this.#if(random.once(4) ? this.#types(1) : '', type, next);
      case 2: return this.#around.tags.length > 0 && random.once(3) ? this.#try(type, next) : this.#block(random.once(4) ? this.#types(2) : '', type, next);
      case 3: {
        const at = this.#localOf(type);
        return at === undefined ? this.#leaf(type) : op('local.tee', [this.#value(type, next)], type, leb(at));
      }
      case 4: case 5: {
        const fitting = this.#around.callees.filter((callee) => callee.type.split(':')[1] === type);
        return fitting.length === 0 ? this.#leaf(type) : this.#call(random.pick(fitting), next);
      }
      case 6: {
        const fitting = this.#scopes.filter(({ types }) => types === type);
        if (fitting.length === 0) return this.#leaf(type);
        const { label } = random.pick(fitting);
        return { kind: 'br_if', labels: [label], kids: [this.#value(type, next), this.#value('i', next)], gives: type };
      }
      case 7: if (random.once(12)) {
        const escape = this.#escape(next);
        if (escape.length === 1) return escape[0];
      } break;
      case 8: case 9: case 10: if (loads[type].length > 0) {
        const one = random.pick(loads[type]);
        const lane = one.lanes > 0 ? [random.below(one.lanes)] : [];
        return op(one.op, [this.#aligned(this.#address(next), one), ...one.params.map((param) => this.#value(param, next))], type, ...this.#memarg(one), lane);
      } break;
      case 11: if (type === 'i') return this.#special(next); break;
    }
    if (this.#around.gc && (isGc(type) || random.once(6))) {
      const made = read(this.#forGc, type, next);
      if (made) return made;
    }
    if ((type === 'F' || type === 'D') && random.once(3)) return this.#canonical(type, next);
    if ((type === 'f' || type === 'd') && random.once(10)) return { ...this.#value(type === 'f' ? 'F' : 'D', next), gives: type };
    if (simple[type].length > 0) return this.#simple(random.pick(simple[type]), type, (param) => this.#value(param, next));
    const table = this.#around.tables.indexOf(type as 'r');
    if (table >= 0 && random.once(2)) return op('table.get', [op('i32.and', [this.#value('i', next), op('i32.const', [], 'i', 7)], 'i')], type, leb(table));
    return this.#leaf(type);
  }

  #leaf(type: Letter): Node {
    const random = this.#random;
    const at = this.#localOf(type);
    if (at !== undefined && !random.once(3)) return op('local.get', [], type, leb(at));
    const globals = this.#around.globals.flatMap((global, i) => global.type === type && i > 1 ? [i] : []);
    if (globals.length > 0 && random.once(3)) return op('global.get', [], type, leb(random.pick(globals)));
    if (type === 'r' && random.once(2)) {
      const known = this.#around.slots.filter((slot) => slot !== null);
      if (known.length > 0) return op('ref.func', [], type, leb(random.pick(known)));
    }
    return constant(random, type);
  }

  /** What gives an i32 and looks at memory, tables and references. */
  #special(depth: number): Node {
    const random = this.#random;
    switch (random.below(5)) {
      case 0: return this.#around.is64 ? op('i32.wrap_i64', [op('memory.size', [], 'l', this.#memory())], 'i') : op('memory.size', [], 'i', this.#memory());
      case 1: return op('table.size', [], 'i', leb(random.below(this.#around.tables.length)));
      case 2: return this.#around.is64 ? op('i32.wrap_i64', [this.#grow(depth)], 'i') : this.#grow(depth);
      default: return op('ref.is_null', [this.#value(random.pick(['r', 'e', ...this.#around.letters.filter((letter) => 'xsab'.includes(letter))] as Letter[]), depth)], 'i');
    }
  }

  #simple(one: Instruction, type: Letter, operand: (type: Letter) => Node): Node {
    const random = this.#random;
    const lanes = one.lanes === 32 ? Array.from({ length: 16 }, () => random.below(32)) : one.lanes > 0 ? [random.below(one.lanes)] : [];
    const kids = one.params.map((param, i): Node => {
      const value = operand(param);
      // most divisors are not 0, most floats that are made integers are in range
      if (i === 1 && /^i\d+\.(?:div|rem)/.test(one.op) && !random.once(20)) return op(`${WIDE[param as 'i']}.or`, [value, op(CONST[param as 'i'], [], param, 1)], param);
      if (/^i\d+\.trunc_f/.test(one.op) && !random.once(20)) return op(`${WIDE[param as 'f']}.convert_i32_u`, [op('i32.and', [operand('i'), op('i32.const', [], 'i', sleb(0xffffn))], 'i')], param);
      return value;
    });
    const node = op(one.op, kids, type, lanes);
    if (!one.canon) return node;
    const get = op('local.get', [], 'v', leb(this.#scratch['v']));
    const nan = op('v128.const', [], 'v', one.canon === 'f32x4' ? [0, 1, 2, 3].map(() => [0, 0, 0xc0, 0x7f]) : [0, 1].map(() => [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]));
    return op('v128.bitselect', [op('local.tee', [node], 'v', leb(this.#scratch['v'])), nan, op(`${one.canon}.eq`, [get, get], 'v')], 'v');
  }

  /** A float whose NaN is the canonical one. */
  #canonical(type: 'F' | 'D', depth: number): Node {
    return this.#canon(type, this.#value(type === 'F' ? 'f' : 'd', depth));
  }

  #canon(type: 'F' | 'D', value: Node): Node {
    const low = type === 'F' ? 'f' : 'd';
    const get = op('local.get', [], low, leb(this.#scratch[low]));
    const nan = op(CONST[type], [], type, type === 'F' ? [0, 0, 0xc0, 0x7f] : [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
    return op('select', [op('local.tee', [value], low, leb(this.#scratch[low])), nan, op(`${WIDE[type]}.eq`, [get, get], 'i')], type);
  }

  // ---- memory

  #memory(): number {
    return this.#around.memories > 1 && this.#random.once(3) ? this.#random.below(this.#around.memories) : 0;
  }

  #address(depth: number): Node {
    const random = this.#random;
    const at = ((): Node => {
      switch (random.below(12)) {
        case 0: return op('i32.const', [], 'i', sleb(BigInt(this.#around.memoryBytes - (random.once(6) ? 0 : 40) - random.below(20))));
        case 1: case 2: return op('i32.const', [], 'i', sleb(BigInt(random.below(256))));
        case 3: if (random.once(6)) return random.once(2) ? this.#value('i', depth) : this.#leaf('i'); break;
        case 4: return op('i32.add', [op('i32.and', [this.#value('i', depth), op('i32.const', [], 'i', sleb(0xfffn))], 'i'), op('i32.const', [], 'i', sleb(BigInt(random.below(4096))))], 'i');
        case 5: return op('i32.shl', [op('i32.and', [this.#value('i', depth), op('i32.const', [], 'i', sleb(0xffn))], 'i'), op('i32.const', [], 'i', random.below(5))], 'i');
      }
      return op('i32.and', [this.#value('i', depth), op('i32.const', [], 'i', sleb(BigInt(random.pick([0xff, 0xfff, 0xfff8, 0xf7ff]))))], 'i');
    })();
    if (!this.#around.is64) return at;
    return random.once(60) ? this.#value('l', depth) : op('i64.extend_i32_u', [at], 'l');
  }

  /** Mostly a multiple of its size, for an atomic access. */
  #aligned(address: Node, { aligned, bytes }: Instruction): Node {
    if (!aligned || this.#random.once(20)) return address;
    const type = this.#around.is64 ? 'l' : 'i';
    return op(`${WIDE[type]}.and`, [address, op(CONST[type], [], type, sleb(BigInt(-bytes)))], type);
  }

  /** @param most the largest offset, where none that is far out is wanted */
  #memarg({ bytes, aligned }: Instruction, most?: number): Bytes {
    const random = this.#random;
    const align = aligned ? Math.log2(bytes) : random.below(Math.log2(bytes) + 1);
    const far = most === undefined && random.once(80);
    const offset = random.once(2) ? 0 : far ? random.pick([0xffffffff, 0x7fffffff, 0x80000000, 0xfffffff8, this.#around.memoryBytes]) : random.below(most ?? (random.once(3) ? 2000 : 32));
    const memory = this.#memory();
    return [leb(memory === 0 ? align : align | 0x40), memory === 0 ? [] : leb(memory), leb(aligned && !far ? offset - offset % bytes : offset)];
  }
}
