/**
 * What the machine has besides frames: what stands between the frames of one instance and their callers, and the state of a
 * call that has left the machine to another one for a while. Only types here.
 */
import type { Trap } from '../errors.js';
import type { GuestCall, HostFunc, Value } from './engine.js';
import type { WasmInstance } from './instance.js';
import type { FuncType } from './types.js';

/** What stands between the frames of one instance and what called them. */
export type Boundary =
  | { readonly kind: 'base'; readonly sp: number; readonly at: number; readonly type: FuncType; readonly raw: boolean }
  | { readonly kind: 'cross'; readonly sp: number; readonly inst: WasmInstance; readonly pc: number; readonly fp: number }
  | Host;
/** A host function that is not done: a generator, or one that waits for its promise. */
export interface Host {
  readonly kind: 'host';
  readonly sp: number;
  readonly host: HostFunc;
  readonly type: FuncType;
  /** undefined where a plain promise is awaited */
  readonly generator: Generator<GuestCall | Promise<unknown>, unknown, unknown> | undefined;
  /** the guest function that called, and where it goes on; undefined where the boundary below takes the results */
  readonly guest: { readonly inst: WasmInstance; readonly pc: number; readonly fp: number } | undefined;
  /** results go here where a guest called, and frames above begin here or later */
  readonly base: number;
  readonly top: number;
  /** types of the results that the guest function called by the generator brings */
  callee: FuncType | undefined;
}

/** One call from outside, with what it has on the machine while another one uses it. */
export interface Fiber {
  saved: Saved | undefined;
  /** its functions begin in plain code (lower.ts) */
  plain: boolean;
  /** a trap at which it has been stopped, and which is still to be thrown */
  held: Trap | undefined;
  /** it has stopped before a call of a host function, and is to make it when it goes on */
  atHost?: boolean;
  /** once it is done */
  results?: readonly Value[];
}
export interface Saved {
  readonly low: Int32Array; readonly wide: Int32Array; readonly vectors: Int32Array; readonly refs: readonly Value[]; readonly stack: Int32Array; readonly boundaries: readonly Boundary[];
  readonly pc: number; readonly fp: number; readonly sp: number; readonly spLimit: number; readonly exit: number; readonly inst: WasmInstance | undefined; readonly wait: Promise<unknown> | undefined;
}
