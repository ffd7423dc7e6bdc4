/** Types as people write them: `func (i32, i64) -> i32`, `memory 1..4 pages`. For messages and listings. */
import type { ExternType } from './engine.js';
import type { Import, Module } from './module.js';
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, type FuncType, type LimitsType } from './types.js';

const NAMES: ReadonlyMap<number, string> = new Map([
  [I32, 'i32'], [I64, 'i64'], [F32, 'f32'], [F64, 'f64'], [V128, 'v128'], [FUNCREF, 'funcref'], [EXTERNREF, 'externref'],
]);

export function showValType(type: number): string {
  return NAMES.get(type) ?? `type 0x${type.toString(16)}`;
}

/** `(i32, i64) -> i32`; no arrow where there is no result. */
export function showFuncType({ params, results }: FuncType): string {
  const list = (types: readonly number[]) => types.map(showValType).join(', ');
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
    case 'table': return `table ${showValType(type.type.elem)} ${showLimits(type.type.limits, 'element')}`;
    case 'global': return `global ${type.type.mutable ? 'mut ' : ''}${showValType(type.type.type)}`;
  }
}

/** The type of an import, with a function's type looked up. */
export function importType(module: Module, { desc }: Import): ExternType {
  return desc.kind === 'func' ? { kind: 'func', type: module.types[desc.type] } : desc;
}
