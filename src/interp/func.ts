/**
 * A function instance (specification chapter 4.2.6): a function of a module's instance, or one of the host that a module
 * imports. One object for each, so that identity in tables and exports is the identity of the function.
 */
import type { Func, HostFunc } from './engine.js';
import type { WasmInstance } from './instance.js';
import type { FuncType } from './types.js';

export class WasmFunc implements Func {
  readonly kind = 'func';
  /** equal for equal types, across modules */
  readonly typeId: number;

  /**
   * @param instance of a guest function the instance it belongs to
   * @param index in that instance's function index space
   */
  constructor(readonly type: FuncType, readonly instance: WasmInstance | undefined, readonly index: number, readonly host: HostFunc | undefined) {
    this.typeId = typeIdOf(type);
  }

  get name(): string | undefined {
    return this.host ? this.host.name : this.instance?.nameOf(this.index);
  }
}

const ids = new Map<string, number>();

/** Function types are equal by structure; equal ones have one number, for the whole process. */
export function typeIdOf(type: FuncType): number {
  const key = `${type.params.join()}:${type.results.join()}`;
  let id = ids.get(key);
  if (id === undefined) ids.set(key, id = ids.size);
  return id;
}

const wrapped = new WeakMap<HostFunc, WasmFunc>();

/** The function instance of a host function: one, wherever it is imported. */
export function hostFunc(host: HostFunc): WasmFunc {
  let func = wrapped.get(host);
  if (!func) wrapped.set(host, func = new WasmFunc(host.type, undefined, -1, host));
  return func;
}
