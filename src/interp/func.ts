/**
 * A function instance (specification chapter 4.2.6): a function of a module's instance, or one of the host that a module
 * imports. One object for each, so that identity in tables and exports is the identity of the function.
 */
import type { Func, HostFunc } from './engine.js';
import type { WasmInstance } from './instance.js';
import type { Cell } from './jit/tier.js';
import { functionType, type RuntimeType } from './rtt.js';
import type { FuncType } from './types.js';

export class WasmFunc implements Func {
  readonly kind = 'func';
  /** in process-wide types (rtt.ts) */
  readonly type: FuncType;
  /** equal for equal types, across modules */
  readonly typeId: number;
  /** through which compiled code calls it, where its instance compiles */
  cell: Cell | undefined = undefined;

  /**
   * @param instance of a guest function the instance it belongs to
   * @param index in that instance's function index space
   */
  constructor(readonly rtt: RuntimeType, readonly instance: WasmInstance | undefined, readonly index: number, readonly host: HostFunc | undefined) {
    this.type = rtt.def.func;
    this.typeId = rtt.id;
  }

  get name(): string | undefined {
    return this.host ? this.host.name : this.instance?.nameOf(this.index);
  }
}

const wrapped = new WeakMap<HostFunc, WasmFunc[]>();

/** The function instance of a host function that has the type: one, wherever it is imported. */
export function hostFunc(host: HostFunc, type: RuntimeType = functionType(host.type)): WasmFunc {
  let funcs = wrapped.get(host);
  if (!funcs) wrapped.set(host, funcs = []);
  let func = funcs.find(({ rtt }) => rtt === type);
  if (!func) funcs.push(func = new WasmFunc(type, undefined, -1, host));
  return func;
}
