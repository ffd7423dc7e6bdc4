/** What the functions of this folder work on, and the shape of one. Types only. */
import type { WasiFunction } from './abi.js';
import type { Descriptors } from './descriptors.js';
import type { GuestMemory } from './memory.js';
import type { Waiting, Waits } from './waits.js';

/** The state of one guest. */
export interface WasiState {
  /** argv, without NULs */
  readonly args: readonly Uint8Array[];
  /** `KEY=value` */
  readonly environ: readonly Uint8Array[];
  readonly descriptors: Descriptors;
  readonly waits: Waits;
}

/**
 * One function: 32-bit arguments come as unsigned numbers, 64-bit ones as signed bigints. Returning means success; every other
 * answer is a thrown WasiError.
 */
export type WasiImplementation = (state: WasiState, memory: GuestMemory, ...args: never[]) => void | Waiting;
export type WasiTable = { readonly [K in WasiFunction]?: WasiImplementation };
