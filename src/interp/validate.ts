/**
 * Judges a decoded module (specification chapter 3), with the official suite's phrase for every reason. Bodies and constant
 * expressions are left to validate-code.ts; nothing is changed.
 */
import { InvalidError } from '../errors.js';
import { decode, decodeOutside } from './decode.js';
import { InstrReader } from './instr.js';
import type { Code, Elem, Expr, FuncType, LimitsType, Module, TableDef } from './module.js';
import { FEATURES_2_0, type Feature } from './opcodes.js';
import { TypeSpace, typeNames } from './subtype.js';
import { isNullable, typeIndexOf, typeName } from './types.js';
import { CodeValidator } from './validate-code.js';
import { formMismatch, tableAddress } from './validate-stack.js';

/** Pages of 64 KiB that 32-bit addresses reach. */
const MAX_PAGES = 65536;
const MAX_PAGES_64 = 2 ** 48;
const MAX_TABLE = 2 ** 32 - 1;
/** every u64 is read as a number not above this one */
const MAX_TABLE_64 = 2 ** 64;

/** Bounds of this engine where the specification has none; the same as those of the JavaScript embedding. */
export const IMPLEMENTATION_LIMITS = { types: 1_000_000, params: 1000, results: 1000, fields: 10_000, locals: 50_000 } as const;

/** @throws InvalidError for the first fault found */
export function validate(module: Module, features: ReadonlySet<Feature> = FEATURES_2_0): void {
  const body = outside(module, features);
  for (let func = module.imported.func; func < module.funcs.length; func++) body(func);
}

/** Judges everything but the bodies. @returns what judges one of them */
function outside(module: Module, features: ReadonlySet<Feature>): (func: number) => void {
  types(module);
  const space = new TypeSpace(module);
  const { funcs, tables, memories, globals, tags, elems, datas } = module;
  const code = new CodeValidator(module, features, space, declaredFunctions(module, features));
  funcs.forEach((type) => { funcType(module, type); });
  tags.forEach((type, i) => {
    const { results } = funcType(module, type);
    if (results.length > 0) throw new InvalidError('non-empty tag result type', {}, `tag ${i} returns ${typeNames(results)}`);
  });
  tables.forEach((table, i) => { tableDef(module, code, table, i); });
  memories.forEach(({ limits: size, is64, shared }, i) => {
    if (shared && size.max === undefined) throw new InvalidError('shared memory must have maximum', {}, `memory ${i}`);
    const most = is64 ? MAX_PAGES_64 : MAX_PAGES;
    limits(`memory ${i}`, size, most, `memory size must be at most ${most} pages (${is64 ? '16EiB' : '4GiB'})`);
  });
  if (memories.length > 1 && !features.has('multi-memory')) {
    throw new InvalidError('multiple memories', {}, `${memories.length}, more than one needs the feature multi-memory`);
  }
  const imported = module.imported.global;
  const anyGlobal = features.has('gc');
  globals.forEach(({ type, init }, i) => {
    known('type', typeIndexOf(type.type), module.types.length);
    if (init) code.constant(init, type.type, anyGlobal ? i : imported);
  });
  const readable = anyGlobal ? globals.length : imported;
  for (const elem of elems) element(module, code, space, elem, readable);
  for (const { mode } of datas) {
    if (mode.kind !== 'active') continue;
    known('memory', mode.memory, memories.length);
    code.constant(mode.offset, code.address(mode.memory), readable);
  }
  start(module);
  exports(module);
  return (func) => {
    const body = module.codes[func - module.imported.func];
    locals(func, body);
    code.body(func, body);
  };
}

/**
 * `decode` and `validate` in about two thirds of the time, because each body is read once. A module with several faults gets
 * the answer that the two would give, one after the other.
 * @throws MalformedError, InvalidError
 */
export function decodeAndValidate(bytes: Uint8Array, features: ReadonlySet<Feature> = FEATURES_2_0): Module {
  try {
    const module = decodeOutside(bytes, features);
    validate(module, features);
    return module;
  } catch (error) {
    // the first fault of form, wherever it is, comes before the faults of types
    decode(bytes, features);
    throw error;
  }
}

/** what judges the bodies of a module that has been read with `decodeLazily` */
const later = new WeakMap<Module, (func: number) => void>();

/**
 * Like `decodeAndValidate`, but leaves each body to `validateBody`, when its function is first called, as the specification
 * allows (appendix "Implementation Limitations"). Sizes and locals of bodies are looked at.
 * @throws MalformedError, InvalidError
 */
export function decodeLazily(bytes: Uint8Array, features: ReadonlySet<Feature>): Module {
  const module = decodeOutside(bytes, features);
  later.set(module, outside(module, features));
  return module;
}

/** To be called before a body is read. @throws MalformedError, InvalidError, each time, where it was left and is faulty */
export function validateBody(module: Module, func: number): void {
  later.get(module)?.(func);
}

function types({ defs }: Module): void {
  const { types: most, params, results, fields } = IMPLEMENTATION_LIMITS;
  if (defs.length > most) throw tooMany('types', defs.length, most, 'the module');
  defs.forEach((def, i) => {
    if (def.func.params.length > params) throw tooMany('parameters', def.func.params.length, params, `type ${i}`);
    if (def.func.results.length > results) throw tooMany('results', def.func.results.length, results, `type ${i}`);
    if (def.fields.length > fields) throw tooMany('fields', def.fields.length, fields, `type ${i}`);
  });
}

function funcType(module: Module, type: number): FuncType {
  known('type', type, module.types.length);
  const def = module.defs[type];
  if (def.form !== 'func') throw new InvalidError('type mismatch', {}, formMismatch(type, def, 'func'));
  return def.func;
}

function tableDef(module: Module, code: CodeValidator, { type, init }: TableDef, i: number): void {
  known('type', typeIndexOf(type.elem), module.types.length);
  const most = type.is64 ? MAX_TABLE_64 : MAX_TABLE;
  limits(`table ${i}`, type.limits, most, `table size must be at most ${type.is64 ? '2^64-1' : most}`);
  if (init) code.constant(init, type.elem, module.imported.global);
  else if (!isNullable(type.elem) && i >= module.imported.table) {
    throw new InvalidError('type mismatch', {}, `table ${i} of ${typeName(type.elem)} needs an initial value`);
  }
}

function limits(subject: string, { min, max }: LimitsType, most: number, reason: string): void {
  if (min > most || max !== undefined && max > most) throw new InvalidError(reason, {}, `${subject} asks for ${Math.max(min, max ?? 0)}`);
  if (max !== undefined && min > max) throw new InvalidError('size minimum must not be greater than maximum', {}, `${subject}: ${min} > ${max}`);
}

function element(module: Module, code: CodeValidator, space: TypeSpace, { mode, type, init }: Elem, readable: number): void {
  known('type', typeIndexOf(type), module.types.length);
  if (mode.kind === 'active') {
    known('table', mode.table, module.tables.length);
    const table = module.tables[mode.table].type;
    if (!space.matches(type, table.elem)) {
      throw new InvalidError('type mismatch', {}, `an element segment of ${typeName(type)} for table ${mode.table} of ${typeName(table.elem)}`);
    }
    code.constant(mode.offset, tableAddress(table), readable);
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
export function declaredFunctions(module: Module, features: ReadonlySet<Feature>): ReadonlySet<number> {
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
