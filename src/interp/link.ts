/**
 * Finds what a module imports and checks it against the module's own import types (specification chapters 3.4 and 4.5.3,
 * "External Typing"). Makes nothing; instance.ts does.
 */
import { LinkError } from '../errors.js';
import type { Extern, ExternType, Func, Global, HostFunc, Imports, Memory, Table, Tag } from './engine.js';
import { PAGE } from './memory.js';
import type { Import, Module } from './module.js';
import { RELATION, processGlobal, processTable, sameFuncType, type RuntimeType } from './rtt.js';
import { importType, showFuncType } from './show.js';
import type { LimitsType } from './types.js';

/** What the module imports, by kind, in the order of its index spaces. */
export interface Linked<F, T, M, G, X> { readonly funcs: F[]; readonly tables: T[]; readonly memories: M[]; readonly globals: G[]; readonly tags: X[] }

/** What an engine's instances are made of, and what it makes of a host function. */
export interface Parts<F, T, M, G, X> {
  readonly Func: abstract new (...args: never[]) => F;
  readonly Table: abstract new (...args: never[]) => T;
  readonly Memory: abstract new (...args: never[]) => M;
  readonly Global: abstract new (...args: never[]) => G;
  readonly Tag: abstract new (...args: never[]) => X;
  hostFunc(host: HostFunc, type?: RuntimeType): F;
}
type OwnFunc = Func & { readonly rtt: RuntimeType };
type OwnTag = Tag & { readonly rtt: RuntimeType };

/** @throws LinkError "unknown import" or "incompatible import type" */
export function link<F extends OwnFunc, T extends Table, M extends Memory, G extends Global, X extends OwnTag>(module: Module, types: readonly RuntimeType[], imports: Imports, parts: Parts<F, T, M, G, X>): Linked<F, T, M, G, X> {
  const linked: Linked<F, T, M, G, X> = { funcs: [], tables: [], memories: [], globals: [], tags: [] };
  for (const wanted of module.imports) {
    const type = processImport(types, importType(module, wanted), wanted);
    const found = find(imports, wanted, type);
    if (found === undefined) throw new LinkError('unknown import', wanted.module, wanted.name, `nobody provides this ${type.kind}${type.kind === 'func' ? ` ${showFuncType(type.type)}` : ''}`);
    take(linked, wanted, type, found, types, parts);
  }
  return linked;
}

/** With process-wide types, as what is provided may come from another module. */
function processImport(types: readonly RuntimeType[], type: ExternType, { desc }: Import): ExternType {
  switch (desc.kind) {
    case 'func': return { kind: 'func', type: types[desc.type].def.func };
    case 'tag': return { kind: 'tag', type: types[desc.type].def.func };
    case 'table': return { kind: 'table', type: processTable(types, desc.type) };
    case 'global': return { kind: 'global', type: processGlobal(types, desc.type) };
    case 'memory': return type;
  }
}

function find(imports: Imports, { module, name }: Import, type: ExternType): Extern | undefined {
  if (typeof imports === 'function') return imports(module, name, type);
  const items = Object.hasOwn(imports, module) ? imports[module] : undefined;
  return items && Object.hasOwn(items, name) ? items[name] : undefined;
}

function take<F extends OwnFunc, T extends Table, M extends Memory, G extends Global, X extends OwnTag>(
  linked: Linked<F, T, M, G, X>, { module, name, desc }: Import, wanted: ExternType, found: Extern, types: readonly RuntimeType[], parts: Parts<F, T, M, G, X>,
): void {
  const refuse = (detail: string) => new LinkError('incompatible import type', module, name, detail);
  switch (wanted.kind) {
    case 'func': {
      const type = types[(desc as { readonly type: number }).type];
      // a host function has whatever type of that signature the module has for it
      const func = found.kind === 'host' ? parts.hostFunc(found, sameFuncType(found.type, wanted.type) ? type : undefined) : found;
      if (!(func instanceof parts.Func)) throw refuse(`a ${found.kind} is provided, a func wanted`);
      if (!func.rtt.isBelow(type)) throw refuse(`${showFuncType(func.type)} is provided, ${showFuncType(wanted.type)} wanted`);
      linked.funcs.push(func);
      return;
    }
    case 'tag': {
      if (!(found instanceof parts.Tag)) throw refuse(`a ${found.kind} is provided, a tag wanted`);
      if (found.rtt !== types[(desc as { readonly type: number }).type]) throw refuse(`${showFuncType(found.type)} is provided, ${showFuncType(wanted.type)} wanted`);
      linked.tags.push(found);
      return;
    }
    case 'table': {
      if (!(found instanceof parts.Table)) throw refuse(`a ${found.kind} is provided, a table wanted`);
      if (!found.type.is64 !== !wanted.type.is64) throw refuse('one has indices of 64 bits, the other not');
      if (found.type.elem !== wanted.type.elem) throw refuse('the elements have another type');
      checkLimits(found.length, found.type.limits, wanted.type.limits, 'elements', refuse);
      linked.tables.push(found);
      return;
    }
    case 'memory': {
      if (!(found instanceof parts.Memory)) throw refuse(`a ${found.kind} is provided, a memory wanted`);
      if (found.type.shared !== wanted.type.shared) throw refuse('one is shared, the other not');
      if (!found.type.is64 !== !wanted.type.is64) throw refuse('one has addresses of 64 bits, the other not');
      checkLimits(found.size / PAGE, found.type.limits, wanted.type.limits, 'pages', refuse);
      linked.memories.push(found);
      return;
    }
    case 'global': {
      if (!(found instanceof parts.Global)) throw refuse(`a ${found.kind} is provided, a global wanted`);
      if (found.type.mutable !== wanted.type.mutable) throw refuse(`a ${found.type.mutable ? 'mutable' : 'constant'} global is provided, a ${wanted.type.mutable ? 'mutable' : 'constant'} one wanted`);
      if (!RELATION.matches(found.type.type, wanted.type.type) || wanted.type.mutable && !RELATION.matches(wanted.type.type, found.type.type)) throw refuse('the value has another type');
      linked.globals.push(found);
      return;
    }
  }
}

function checkLimits(size: number, has: LimitsType, wanted: LimitsType, unit: string, refuse: (detail: string) => LinkError): void {
  if (size < wanted.min) throw refuse(`${size} ${unit} are provided, at least ${wanted.min} wanted`);
  if (wanted.max !== undefined && (has.max === undefined || has.max > wanted.max)) throw refuse(`up to ${has.max ?? 'any number of'} ${unit} are provided, at most ${wanted.max} wanted`);
}
