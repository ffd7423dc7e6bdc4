/**
 * Judges a decoded module (specification chapter 3), with the official suite's phrase for every reason. Bodies and constant
 * expressions are left to validate-code.ts; nothing is changed, nothing is kept.
 */
import { InvalidError } from '../errors.js';
import { InstrReader } from './instr.js';
import type { Code, Elem, Expr, LimitsType, Module } from './module.js';
import { FEATURES_2_0, type Feature } from './opcodes.js';
import { I32, typeName } from './types.js';
import { CodeValidator } from './validate-code.js';

/** Pages of 64 KiB that 32-bit addresses reach. */
const MAX_PAGES = 65536;
const MAX_TABLE = 2 ** 32 - 1;

/** Bounds of this engine where the specification has none; the same as those of the JavaScript embedding. */
export const IMPLEMENTATION_LIMITS = { params: 1000, results: 1000, locals: 50_000 } as const;

/** @throws InvalidError for the first fault found */
export function validate(module: Module, features: ReadonlySet<Feature> = FEATURES_2_0): void {
  types(module);
  imports(module);
  const { types: typeSpace, funcs, tables, memories, globals, elems, datas } = module;
  funcs.forEach((type) => { known('type', type, typeSpace.length); });
  tables.forEach(({ type }, i) => { limits(`table ${i}`, type.limits, MAX_TABLE, `table size must be at most ${MAX_TABLE}`); });
  memories.forEach(({ limits: size }, i) => {
    limits(`memory ${i}`, size, MAX_PAGES, `memory size must be at most ${MAX_PAGES} pages (4GiB)`);
  });
  if (memories.length > 1 && !features.has('multi-memory')) {
    throw new InvalidError('multiple memories', {}, `${memories.length}, more than one needs the feature multi-memory`);
  }
  const code = new CodeValidator(module, features, declaredFunctions(module, features));
  const readable = module.imported.global;
  globals.forEach(({ type, init }) => { if (init) code.constant(init, type.type, readable); });
  for (const elem of elems) element(module, code, elem, readable);
  for (const { mode } of datas) {
    if (mode.kind !== 'active') continue;
    known('memory', mode.memory, memories.length);
    code.constant(mode.offset, I32, readable);
  }
  start(module);
  exports(module);
  module.codes.forEach((body, i) => {
    const func = module.imported.func + i;
    locals(func, body);
    code.body(func, body);
  });
}

function types({ types: all }: Module): void {
  all.forEach(({ params, results }, i) => {
    if (params.length > IMPLEMENTATION_LIMITS.params) throw tooMany('parameters', params.length, IMPLEMENTATION_LIMITS.params, `type ${i}`);
    if (results.length > IMPLEMENTATION_LIMITS.results) throw tooMany('results', results.length, IMPLEMENTATION_LIMITS.results, `type ${i}`);
  });
}

function imports(module: Module): void {
  for (const { desc } of module.imports) if (desc.kind === 'func') known('type', desc.type, module.types.length);
}

function limits(subject: string, { min, max }: LimitsType, most: number, reason: string): void {
  if (min > most || max !== undefined && max > most) throw new InvalidError(reason, {}, `${subject} asks for ${Math.max(min, max ?? 0)}`);
  if (max !== undefined && min > max) throw new InvalidError('size minimum must not be greater than maximum', {}, `${subject}: ${min} > ${max}`);
}

function element(module: Module, code: CodeValidator, { mode, type, init }: Elem, readable: number): void {
  if (mode.kind === 'active') {
    known('table', mode.table, module.tables.length);
    const table = module.tables[mode.table].type;
    if (type !== table.elem) {
      throw new InvalidError('type mismatch', {}, `an element segment of ${typeName(type)} for table ${mode.table} of ${typeName(table.elem)}`);
    }
    code.constant(mode.offset, I32, readable);
  }
  for (const item of init) {
    if (typeof item === 'number') known('function', item, module.funcs.length);
    else code.constant(item, type, readable);
  }
}

function start(module: Module): void {
  if (module.start === undefined) return;
  known('function', module.start, module.funcs.length);
  const { params, results } = module.types[module.funcs[module.start]];
  if (params.length > 0 || results.length > 0) {
    throw new InvalidError('start function', { func: module.start, funcName: module.names.func(module.start) },
      `takes ${params.length} parameters and returns ${results.length} results, expected none`);
  }
}

function exports(module: Module): void {
  const names = new Set<string>();
  for (const { name, kind, index } of module.exports) {
    const [what, space] = ({
      func: ['function', module.funcs], table: ['table', module.tables], memory: ['memory', module.memories], global: ['global', module.globals],
      tag: ['tag', module.tags],
    } as const)[kind];
    known(what, index, space.length);
    if (names.has(name)) throw new InvalidError('duplicate export name', {}, JSON.stringify(name));
    names.add(name);
  }
}

function locals(func: number, { locals: groups }: Code): void {
  let total = 0;
  for (const { count } of groups) total += count;
  if (total > IMPLEMENTATION_LIMITS.locals) throw tooMany('locals', total, IMPLEMENTATION_LIMITS.locals, `func ${func}`);
}

/** Functions that the module names outside of its bodies: in exports, element segments and initial values. */
function declaredFunctions(module: Module, features: ReadonlySet<Feature>): ReadonlySet<number> {
  const declared = new Set<number>();
  const scan = ({ start: from, end }: Expr): void => {
    const r = new InstrReader(module.bytes, from, end, features);
    while (r.pos < r.end) {
      r.next();
      if (r.op === 0xd2) declared.add(r.a);
    }
  };
  for (const { kind, index } of module.exports) if (kind === 'func') declared.add(index);
  for (const { init } of module.globals) if (init) scan(init);
  for (const { init } of module.tables) if (init) scan(init);
  for (const { init } of module.elems) {
    for (const item of init) {
      if (typeof item === 'number') declared.add(item);
      else scan(item);
    }
  }
  return declared;
}

function known(what: string, index: number, count: number): void {
  if (index >= count) throw new InvalidError(`unknown ${what} ${index}`, {}, `the module has ${count}`);
}

function tooMany(what: string, found: number, most: number, subject: string): InvalidError {
  return new InvalidError(`too many ${what}`, {}, `${subject} has ${found}, this engine takes at most ${most}`);
}
