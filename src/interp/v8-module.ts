/**
 * Rewrites a module for V8's own engine (v8.ts), so that this engine sees what the JavaScript API hides: exports are replaced
 * by `func3`, `memory0` …, for everything that may get out; the start function is taken out, to be called later; limits are
 * lowered; and the module's name becomes one that tells its frames in V8's stack traces. Bodies stay as they are.
 */
import type { Limits } from './engine.js';
import type { Module } from './module.js';
import { FEATURES_ALL } from './opcodes.js';
import { WasmReader } from './reader.js';
import { isNullable, typeIndexOf, type LimitsType } from './types.js';
import { declaredFunctions } from './validate.js';

export interface Rewritten {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** the rewritten module has its code so many bytes further on than the module itself */
  readonly shift: number;
}

const CUSTOM = 0, TABLE = 4, MEMORY = 5, EXPORT = 7, START = 8, CODE = 10;
const KINDS = { func: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;
const FUNCTION_NAMES = 'name', MODULE_NAME = 0;
/** The order of sections is not that of their numbers: tags come behind memories, the data count before the code. */
const BEFORE_EXPORTS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 13]);

/** @param name of the module in stack traces; ASCII */
export function rewrite(module: Module, name: string, limits: Limits): Rewritten {
  const { bytes } = module;
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  let exported = false, shift = 0, size = 8;
  const add = (part: Uint8Array) => {
    parts.push(part);
    size += part.length;
  };
  const r = new WasmReader(bytes, 8);
  while (r.pos < r.end) {
    const at = r.pos, id = r.u8(), length = r.u32(), start = r.skip(length);
    if (id === CUSTOM || id === EXPORT || id === START) continue;
    if (!exported && !BEFORE_EXPORTS.has(id)) {
      exported = true;
      add(exportSection(module));
    }
    const replaced = id === TABLE ? tableSection(module, limits) : id === MEMORY ? memorySection(module, limits) : undefined;
    if (id === CODE) shift = size - at;
    add(replaced ?? bytes.subarray(at, start + length));
  }
  if (!exported) add(exportSection(module));
  add(section(CUSTOM, [...text(FUNCTION_NAMES), MODULE_NAME, ...leb(text(name).length), ...text(name)]));
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return { bytes: whole, shift };
}

function exportSection(module: Module): Uint8Array {
  const wanted = new Set<string>();
  const items: number[] = [];
  const want = (kind: keyof typeof KINDS, index: number) => {
    const name = `${kind}${index}`;
    if (wanted.has(name)) return;
    wanted.add(name);
    items.push(...text(name), KINDS[kind], ...leb(index));
  };
  for (const { kind, index } of module.exports) want(kind, index);
  for (const func of declaredFunctions(module, FEATURES_ALL)) want('func', func);
  if (module.start !== undefined) want('func', module.start);
  if (module.tables.length > 0) want('table', 0);
  if (module.memories.length > 0) want('memory', 0);
  return section(EXPORT, [...leb(wanted.size), ...items]);
}

/** undefined where nothing has to change */
function memorySection({ memories, imported }: Module, { memoryPages }: Limits): Uint8Array | undefined {
  const own = memories.slice(imported.memory);
  if (own.every(({ limits }) => (limits.max ?? Infinity) <= memoryPages)) return undefined;
  return section(MEMORY, [...leb(own.length), ...own.flatMap(({ limits, shared, is64 }) => limitsBytes(limits, memoryPages, (shared ? 2 : 0) | (is64 ? 4 : 0)))]);
}

function tableSection({ tables, imported }: Module, { tableElements }: Limits): Uint8Array | undefined {
  const own = tables.slice(imported.table);
  if (own.every(({ type }) => (type.limits.max ?? Infinity) <= tableElements)) return undefined;
  // those of other types stay as large as they may get: V8 of Node 20 has no such tables
  if (own.some(({ type, init }) => init || typeIndexOf(type.elem) >= 0 || !isNullable(type.elem))) return undefined;
  return section(TABLE, [...leb(own.length), ...own.flatMap(({ type }) => [type.elem, ...limitsBytes(type.limits, tableElements, type.is64 ? 4 : 0)])]);
}

function limitsBytes({ min, max }: LimitsType, most: number, flags: number): number[] {
  return [flags | 1, ...leb(min), ...leb(Math.min(max ?? most, most))];
}

function section(id: number, content: readonly number[]): Uint8Array {
  return Uint8Array.from([id, ...leb(content.length), ...content]);
}

function text(ascii: string): number[] {
  return [...leb(ascii.length), ...Array.from(ascii, (char) => char.charCodeAt(0))];
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push(rest % 0x80 | 0x80);
  return [...bytes, rest];
}
