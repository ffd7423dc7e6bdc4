/**
 * What lowering looks up for each instruction: register instructions by opcode, what folds into what, comparisons and the
 * branches that carry them out. Made from core-table.ts and opcodes.ts.
 */
import { CORE_NAMES } from './core.js';
import { coreOp, coreOpOrZero } from './core-ops.js';
import { ROWS } from './opcodes.js';
import { F32, F64, I32, I64, V128, isRef, type ValType } from './types.js';

export interface SimpleRow {
  readonly op: number;
  /** with a constant as second operand, or 0 */
  readonly withConstant: number;
  /** that gives the same with its operands exchanged, or 0 */
  readonly swapped: number;
  readonly swappedConstant: number;
  readonly operands: number;
  readonly result: ValType;
  readonly type: ValType;
}

/** letter of opcodes.ts -> type */
export const TYPE: { readonly [letter: string]: ValType } = { i: I32, l: I64, f: F32, d: F64, v: V128 };
const SWAP: { readonly [op: string]: string } = {
  add: 'add', mul: 'mul', and: 'and', or: 'or', xor: 'xor', eq: 'eq', ne: 'ne',
  lt_s: 'gt_s', gt_s: 'lt_s', le_s: 'ge_s', ge_s: 'le_s', lt_u: 'gt_u', gt_u: 'lt_u', le_u: 'ge_u', ge_u: 'le_u',
};
const NEGATE: { readonly [op: string]: string } = {
  eq: 'ne', ne: 'eq', lt_s: 'ge_s', ge_s: 'lt_s', gt_s: 'le_s', le_s: 'gt_s', lt_u: 'ge_u', ge_u: 'lt_u', gt_u: 'le_u', le_u: 'gt_u',
};

/** Makes a table whose entries are computed when they are first asked for: a fresh process meets few of the rows. */
export function table<T>(length: number, entry: (index: number) => T): (index: number) => T {
  const made = new Array<T | undefined>(length).fill(undefined);
  return (index) => made[index] ??= entry(index);
}

const NONE: SimpleRow = { op: 0, withConstant: 0, swapped: 0, swappedConstant: 0, operands: 0, result: I32, type: I32 };

/** index in ROWS -> how a simple instruction is lowered; `op` is 0 where it is none */
export const simpleOf = table(ROWS.length, (row): SimpleRow => {
  const [, name, immediates, signature] = ROWS[row];
  const op = coreOpOrZero(name);
  if (op === 0 || immediates !== '' || signature === '') return NONE;
  const [params, results] = signature.split(':');
  if (params.length === 0) return NONE;
  const [type, short] = name.split('.');
  const swapped = SWAP[short] && type.startsWith('i') ? `${type}.${SWAP[short]}` : '';
  return {
    op, withConstant: coreOpOrZero(`${name}.k`), swapped: coreOpOrZero(swapped), swappedConstant: coreOpOrZero(`${swapped}.k`),
    operands: params.length, result: TYPE[results], type: TYPE[params[0]],
  };
});

/** index in ROWS -> the load or store that moves the same bits, or 0 */
export const accessOf = table(ROWS.length, (row): number => {
  const [, name, immediates] = ROWS[row];
  return immediates.startsWith('memarg') && !name.startsWith('v128') ? coreOpOrZero(name.replace(/^f32\.(load|store)$/, 'i32.$1').replace(/^f64\.(load|store)$/, 'i64.$1')) : 0;
});

export interface Fused { readonly when: number; readonly unless: number; readonly constant: boolean }
/** register comparison -> the branches that carry it out themselves; `when` is 0 where it is none */
export const fusedOf = table(CORE_NAMES.length, (op): Fused => {
  const constant = CORE_NAMES[op].endsWith('.k'), k = constant ? '.k' : '';
  const name = constant ? CORE_NAMES[op].slice(0, -2) : CORE_NAMES[op];
  const [type, short] = name.split('.');
  const when = coreOpOrZero(`br_if.${name}${k}`);
  const not = NEGATE[short] && type.startsWith('i') ? `br_if.${type}.${NEGATE[short]}` : `br_unless.${name}`;
  return { when, unless: when === 0 ? 0 : coreOp(`${not}${k}`), constant };
});

export const C = {
  br: coreOp('br'), brIf: coreOp('br_if'), brUnless: coreOp('br_unless'), brTable: coreOp('br_table'),
  eqz32: coreOp('i32.eqz'), eqz64: coreOp('i64.eqz'), eq64: coreOp('br_if.i64.eq.k'), ne64: coreOp('br_if.i64.ne.k'),
  move32: coreOp('move32'), move64: coreOp('move64'), moveVector: coreOp('v128.move'), moveRef: coreOp('move.ref'), moveRange: coreOp('move.range'), const32: coreOp('const32'), const64: coreOp('const64'), constVector: coreOp('v128.const'),
  select32: coreOp('select32'), select64: coreOp('select64'), selectVector: coreOp('v128.select'), selectRef: coreOp('select.ref'),
  return0: coreOp('return0'), return32: coreOp('return32'), return64: coreOp('return64'),
  callLazy: coreOp('call.lazy'), callImport: coreOp('call.import'), callIndirect: coreOp('call_indirect'), callIndirectCold: coreOp('call_indirect.cold'), callRef: coreOp('call_ref'),
  tailLazy: coreOp('return_call.lazy'), tailImport: coreOp('return_call.import'), tailIndirect: coreOp('return_call_indirect'), tailRef: coreOp('return_call_ref'), unreachable: coreOp('unreachable'), step: coreOp('step'), stepBreak: coreOp('step.break'),
  get32: coreOp('global.get32'), get64: coreOp('global.get64'), set32: coreOp('global.set32'), set64: coreOp('global.set64'),
  getCell: coreOp('global.get.cell'), setCell: coreOp('global.set.cell'),
  refNull: coreOp('ref.null'), refIsNull: coreOp('ref.is_null'), refFunc: coreOp('ref.func'), throw: coreOp('throw'), throwRef: coreOp('throw_ref'), refAsNonNull: coreOp('ref.as_non_null'),
  tableGet: coreOp('table.get'), tableSet: coreOp('table.set'), tableSize: coreOp('table.size'), tableGrow: coreOp('table.grow'),
  tableFill: coreOp('table.fill'), tableCopy: coreOp('table.copy'), tableInit: coreOp('table.init'), elemDrop: coreOp('elem.drop'),
  memorySize: coreOp('memory.size'), memoryGrow: coreOp('memory.grow'), memoryInit: coreOp('memory.init'), memoryCopy: coreOp('memory.copy'),
  memoryFill: coreOp('memory.fill'), memoryOutside: coreOp('memory.outside'), memoryUse: coreOp('memory.use'), index64: coreOp('index64'), dataDrop: coreOp('data.drop'),
  store: { 0x36: coreOp('i32.store.k'), 0x3a: coreOp('i32.store8.k'), 0x3b: coreOp('i32.store16.k') } as { readonly [op: number]: number },
} as const;

/** The register instruction that copies a value of the type. */
export function moveOf(type: ValType): number {
  return isRef(type) ? C.moveRef : type === V128 ? C.moveVector : type === I64 || type === F64 ? C.move64 : C.move32;
}
