/** Checks of what the host hands over: arguments of a call, results of a host function. Every engine takes the same. */
import { UsageError } from '../errors.js';
import type { Func, HostFunc, Value } from './engine.js';
import { isInstance } from './ref-types.js';
import { F32, F64, I32, I64, V128, isRef, typeName, type FuncType, type ValType } from './types.js';

/** @param raw floats are given as their bits */
export function checkArgs(func: Func & { readonly index: number }, args: readonly Value[], raw: boolean): void {
  const { params } = func.type;
  if (args.length !== params.length) throw new UsageError(`function "${func.name ?? func.index}" takes ${params.length} arguments, ${args.length} given`);
  for (let i = 0; i < params.length; i++) {
    if (!fits(raw ? rawType(params[i]) : params[i], args[i])) {
      throw new UsageError(`argument ${i} of function "${func.name ?? func.index}": ${typeof args[i]} given, ${nameOf(params[i])} wanted`);
    }
  }
}

export function checkValue(type: ValType, value: Value | void, host: HostFunc): void {
  if (!fits(type, value)) throw new UsageError(`host function "${host.name}" gives ${value === null ? 'null' : typeof value}, its type says ${nameOf(type)}`);
}

/** The type of the value that stands for one of `type` where bits are given. */
function rawType(type: ValType): ValType {
  return type === F32 ? I32 : type === F64 ? I64 : type;
}

function fits(type: ValType, value: Value | void): boolean {
  return type === I64 ? typeof value === 'bigint' : type === V128 ? value instanceof Uint8Array && value.length === 16 : isRef(type) ? isInstance(value, type) : typeof value === 'number';
}

function nameOf(type: ValType): string {
  return TYPE_NAMES.get(type) ?? typeName(type);
}

const TYPE_NAMES = new Map<ValType, string>([[I32, 'number (i32)'], [I64, 'bigint (i64)'], [F32, 'number (f32)'], [F64, 'number (f64)'], [V128, 'Uint8Array of 16 bytes (v128)'], [0x70, 'funcref'], [0x6f, 'externref']]);

/** What a host function has returned, as a list. @throws UsageError where its type says otherwise */
export function hostValues(type: FuncType, result: Value | void | readonly Value[], host: HostFunc): Value[] {
  const values = Array.isArray(result) ? [...result as readonly Value[]] : type.results.length === 0 ? [] : [result as Value];
  if (values.length !== type.results.length) throw new UsageError(`host function "${host.name}" gives ${values.length} results, its type says ${type.results.length}`);
  type.results.forEach((t, i) => checkValue(t, values[i], host));
  return values;
}
