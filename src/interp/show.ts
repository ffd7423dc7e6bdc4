/** Types as people write them: `func (i32, i64) -> i32`, `memory 1..4 pages`. For messages and listings. */
import type { ExternType } from './engine.js';
import type { Import, Module } from './module.js';
import { typeName, type FuncType, type LimitsType } from './types.js';

/** `(i32, i64) -> i32`; no arrow where there is no result. */
export function showFuncType({ params, results }: FuncType): string {
  const list = (types: readonly number[]) => types.map(typeName).join(', ');
  return `(${list(params)})${results.length === 0 ? '' : ` -> ${results.length === 1 ? list(results) : `(${list(results)})`}`}`;
}

/** `2 pages`, `2..16 pages`, `2.. pages` */
export function showLimits({ min, max }: LimitsType, unit: string): string {
  const range = max === min ? `${min}` : `${min}..${max ?? ''}`;
  return `${range} ${unit}${range === '1' ? '' : 's'}`;
}

export function showExternType(type: ExternType): string {
  switch (type.kind) {
    case 'func': return `func ${showFuncType(type.type)}`;
    case 'memory': return `memory ${showLimits(type.type.limits, 'page')}${type.type.shared ? ' shared' : ''}`;
    case 'table': return `table ${typeName(type.type.elem)} ${showLimits(type.type.limits, 'element')}`;
    case 'tag': return `tag ${showFuncType(type.type)}`;
    case 'global': return `global ${type.type.mutable ? 'mut ' : ''}${typeName(type.type.type)}`;
  }
}

/** The type of an import, with a function's type looked up. */
export function importType(module: Module, { desc }: Import): ExternType {
  return desc.kind === 'func' || desc.kind === 'tag' ? { kind: desc.kind, type: module.types[desc.type] } : desc;
}
