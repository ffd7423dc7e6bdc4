/**
 * A module as the generator makes it and the shrinker cuts it: instructions are trees, labels are objects, so that a part can
 * be taken out without counting anew. `encode` writes the binary format. Says nothing about validity: a label that encloses
 * nothing any more is a NoLabel, all else V8 is asked.
 *
 * Types are letters: i l f d v (numbers, vectors), r e x (funcref, externref, exnref), s a b (structs and arrays), and F D, which are f and d whose bits are
 * determined, NaN or not: what has no such bits may not be looked at (generate.ts).
 */
import { OP, type Mnemonic } from '#src/interp/opcodes.js';
import { EXNREF, EXTERNREF, F32, F64, FUNCREF, I32, I64, V128 } from '#src/interp/types.js';
import { HEADER, leb, name, section, vec, type Bytes } from '../interp/wasm.js';
import { sleb } from '../support/wasm.js';

export type Letter = 'i' | 'l' | 'f' | 'd' | 'F' | 'D' | 'v' | 'r' | 'e' | 'x' | 's' | 'a' | 'b';
/** types that come before those of functions, where `gc` is set */
export const STRUCT = 0, ARRAY = 1, BYTES = 2;
export const GC_LETTERS: readonly Letter[] = ['s', 'a', 'b'];
const REF_NULL = 0x63;
export const CODE: { readonly [L in Letter]: Bytes } = {
  i: [I32], l: [I64], f: [F32], d: [F64], F: [F32], D: [F64], v: [V128], r: [FUNCREF], e: [EXTERNREF], x: [EXNREF], s: [REF_NULL, STRUCT], a: [REF_NULL, ARRAY], b: [REF_NULL, BYTES],
};
/** what ref.null names */
export const HEAP_CODE: { readonly [letter: string]: Bytes } = { r: [FUNCREF], e: [EXTERNREF], x: [EXNREF], s: [STRUCT], a: [ARRAY], b: [BYTES] };
const I8 = 0x78, MUTABLE = 1;
/** A struct of all kinds of fields, an array of i64 and one of bytes, which may name each other. */
const GC_TYPES: Bytes = [0x4e, 3,
  [0x5f, vec([...[[I32], [I64], [F64], [I8], CODE.s, CODE.a].map((type): Bytes => [type, MUTABLE])])],
  [0x5e, I64, MUTABLE], [0x5e, I8, MUTABLE]];

/** Compared by identity; the names are for people. */
export interface Label { readonly hint: string }
export class NoLabel extends Error {}

/** `gives` are the letters of what is left on the stack; '?' where nothing comes after (an unconditional branch). */
interface Common { readonly gives: string; readonly kids: readonly Node[]; /** what a loop ends by: it goes only where the loop does */ readonly kept?: true }
export interface Op extends Common { readonly kind: 'op'; readonly op: Mnemonic; readonly imm: Bytes; /** the type that comes before its other immediates, whose index is known when encoded */ readonly type?: string }
export interface Block extends Common { readonly kind: 'block' | 'loop'; readonly takes: string; readonly label: Label; readonly body: readonly Node[] }
/** the condition is the last of `kids` */
export interface If extends Common { readonly kind: 'if'; readonly takes: string; readonly label: Label; readonly body: readonly Node[]; readonly orElse: readonly Node[] | undefined }
/** br_table: the last label is the default */
export interface Branch extends Common { readonly kind: 'br' | 'br_if' | 'br_table' | 'br_on_null' | 'rethrow'; readonly labels: readonly Label[] }
/** Exceptions in the first encoding; with `delegate` there are no catches. `tag` is undefined for catch_all, which is the last. */
export interface Try extends Common { readonly kind: 'try'; readonly takes: string; readonly label: Label; readonly body: readonly Node[]; readonly catches: readonly { readonly tag: number | undefined; readonly body: readonly Node[] }[]; readonly delegate: Label | undefined }
/** `isRef`: the exception itself comes too */
export interface TryTable extends Common { readonly kind: 'try_table'; readonly takes: string; readonly label: Label; readonly body: readonly Node[]; readonly catches: readonly { readonly tag: number | undefined; readonly isRef: boolean; readonly label: Label }[] }
export type Node = Op | Block | If | Branch | Try | TryTable;

export interface FuncTree { readonly type: string; readonly locals: string; /** a branch to it returns */ readonly label: Label; readonly body: readonly Node[]; readonly exported: boolean }
export interface Table { readonly elem: 'r' | 'e'; readonly min: number; readonly max: number | undefined }
export interface Elem { /** undefined: passive */ readonly at: number | undefined; readonly table: number; readonly funcs: readonly (number | null)[] }
export interface Data { /** undefined: passive */ readonly at: number | undefined; readonly bytes: readonly number[] }
export interface ModuleTree {
  readonly imports: readonly { readonly name: string; readonly type: string }[];
  /** their indices follow those of the imports */
  readonly funcs: readonly FuncTree[];
  /** data goes to the first; the others are like it */
  readonly memory: { readonly min: number; readonly max: number | undefined; readonly is64: boolean };
  readonly memories: number;
  /** the types of structs and arrays are there */
  readonly gc: boolean;
  readonly tables: readonly Table[];
  /** the first one is exported as "fuel" */
  readonly globals: readonly { readonly type: Letter; readonly mutable: boolean; readonly init: Op }[];
  /** their parameters */
  readonly tags: readonly string[];
  readonly elems: readonly Elem[];
  readonly datas: readonly Data[];
  readonly start: number | undefined;
}

/** What an export called so may be set to before each call: the guest counts it down. */
export const FUEL_NAME = 'fuel';

/** @throws NoLabel */
export function encode(tree: ModuleTree): Uint8Array {
  const types: string[] = [];
  const typeIndex = (text: string) => {
    const key = text.replace(/F/g, 'f').replace(/D/g, 'd');
    const at = types.indexOf(key);
    return (tree.gc ? GC_LETTERS.length : 0) + (at >= 0 ? at : types.push(key) - 1);
  };
  const imports = tree.imports.map((one) => [name('host'), name(one.name), 0, leb(typeIndex(one.type))]);
  const funcs = tree.funcs.map(({ type }) => leb(typeIndex(type)));
  const bodies = tree.funcs.map(({ locals, label, body }) => {
    const out: number[] = flat([vec([...locals].map((letter) => [1, CODE[letter as Letter]]))]);
    write(out, body, [label], typeIndex);
    out.push(OP['end']);
    return [leb(out.length), out];
  });
  const constant = (node: Op) => {
    const out: number[] = [];
    write(out, [node], [], typeIndex);
    return [out, OP['end']];
  };
  const address = (at: number, is64 = false) => [is64 ? OP['i64.const'] : OP['i32.const'], sleb(is64 ? BigInt(at) : BigInt(at) << 32n >> 32n), OP['end']];
  const limits = (flags: number, min: number, max: number | undefined) => [flags | Number(max !== undefined), leb(min), ...max === undefined ? [] : [leb(max)]];
  const items = (funcs: Elem['funcs'], elem: 'r' | 'e') => vec(funcs.map((func) => func === null ? [OP['ref.null'], HEAP_CODE[elem], OP['end']] : [OP['ref.func'], leb(func), OP['end']]));
  const memories = Array.from({ length: tree.memories }, (_, i) => i);
  const exported: Bytes[] = [
    ...tree.funcs.flatMap((func, i) => func.exported ? [[name(`f${i}`), 0, leb(tree.imports.length + i)]] : []),
    ...tree.tables.map((_, i) => [name(`table${i}`), 1, leb(i)]), ...memories.map((i) => [name(i === 0 ? 'memory' : `memory${i}`), 2, leb(i)]),
    ...tree.globals.flatMap(({ type }, i) => 'vxsab'.includes(type) ? [] : [[name(i === 0 ? FUEL_NAME : `global${i}`), 3, leb(i)]]),
  ];
  const sections: Bytes = [
    section(2, vec(imports)), section(3, vec(funcs)),
    tree.tables.length > 0 ? section(4, vec(tree.tables.map(({ elem, min, max }) => [CODE[elem], limits(0, min, max)]))) : [],
    section(5, vec(memories.map(() => limits(tree.memory.is64 ? 4 : 0, tree.memory.min, tree.memory.max)))),
    tree.tags.length > 0 ? section(13, vec(tree.tags.map((type) => [0, leb(typeIndex(`${type}:`))]))) : [],
    section(6, vec(tree.globals.map(({ type, mutable, init }) => [CODE[type], Number(mutable), constant(init)]))),
    section(7, vec(exported)),
    tree.start === undefined ? [] : section(8, leb(tree.start)),
    section(9, vec(tree.elems.map(({ at, table, funcs }) => {
      const { elem } = tree.tables[table] ?? { elem: 'r' };
      return at === undefined ? [5, CODE[elem], items(funcs, elem)] : [6, leb(table), address(at), CODE[elem], items(funcs, elem)];
    }))),
    section(12, leb(tree.datas.length)),
    section(10, vec(bodies)),
    section(11, vec(tree.datas.map(({ at, bytes }) => [...at === undefined ? [1] : [0, address(at, tree.memory.is64)], leb(bytes.length), bytes]))),
  ];
  const letters = (text: string) => vec([...text].map((letter) => [CODE[letter as Letter]]));
  return Uint8Array.from(flat([HEADER, section(1, vec([...tree.gc ? [GC_TYPES] : [], ...types.map((type): Bytes => [0x60, ...type.split(':').map(letters)])])), sections]));
}

const flat = (bytes: Bytes): number[] => bytes.flat(Infinity as 1) as number[];

export function opcode(op: Mnemonic): Bytes {
  const code = OP[op];
  return code <= 0xff ? [code] : code <= 0xffff ? [code >> 8, leb(code & 0xff)] : [code >> 12, leb(code & 0xfff)];
}

function write(out: number[], nodes: readonly Node[], labels: readonly Label[], typeIndex: (type: string) => number): void {
  const put = (...bytes: Bytes) => { for (const byte of flat(bytes)) out.push(byte); };
  const depth = (label: Label) => {
    const at = labels.indexOf(label);
    if (at < 0) throw new NoLabel(label.hint);
    return leb(at);
  };
  for (const node of nodes) {
    write(out, node.kids, labels, typeIndex);
    switch (node.kind) {
      case 'op':
        put(opcode(node.op), node.type === undefined ? [] : leb(typeIndex(node.type)), node.imm);
        break;
      case 'block': case 'loop': case 'if': case 'try': case 'try_table': {
        const { takes, gives } = node;
        put(OP[node.kind], takes === '' && gives === '' ? 0x40 : takes === '' && gives.length === 1 ? CODE[gives as Letter] : sleb(BigInt(typeIndex(`${takes}:${gives}`))));
        if (node.kind === 'try_table') put(leb(node.catches.length), ...node.catches.map(({ tag, isRef, label }) => [(tag === undefined ? 2 : 0) + Number(isRef), tag === undefined ? [] : leb(tag), depth(label)]));
        write(out, node.body, [node.label, ...labels], typeIndex);
        if (node.kind === 'if' && node.orElse) {
          put(OP['else']);
          write(out, node.orElse, [node.label, ...labels], typeIndex);
        }
        if (node.kind === 'try') {
          if (node.delegate) {
            put(OP['delegate'], depth(node.delegate));
            break;
          }
          for (const { tag, body } of node.catches) {
            put(tag === undefined ? OP['catch_all'] : [OP['catch'], leb(tag)]);
            write(out, body, [node.label, ...labels], typeIndex);
          }
        }
        put(OP['end']);
        break;
      }
      case 'br_table':
        put(OP['br_table'], leb(node.labels.length - 1), ...node.labels.map(depth));
        break;
      default:
        put(OP[node.kind], depth(node.labels[0]));
    }
  }
}
