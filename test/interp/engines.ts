/** The engines that tests run on, and what one of them lacks. */
import type { Engine, Global, Memory, Table, Value } from '#src/interp/engine.js';
import { WasmGlobal } from '#src/interp/global.js';
import { compiler, compilerWith, mixed } from '#src/interp/compiler.js';
import { interpreter } from '#src/interp/interpreter.js';
import { WasmMemory } from '#src/interp/memory.js';
import type { GlobalType, MemoryType, TableType } from '#src/interp/module.js';
import { WasmTable } from '#src/interp/table.js';
import { v8, V8Global, V8Memory, V8Table } from '#src/interp/v8.js';
import { V8_CANNOT_TELL } from '#src/interp/v8-trap.js';
import { fused } from '../support/fused.js';

export interface Subject {
  readonly engine: Engine;
  /** what a host makes to be imported */
  readonly parts: {
    readonly Memory: new (type: MemoryType) => Memory;
    readonly Table: new (type: TableType) => Table;
    readonly Global: new (type: GlobalType, init: Value) => Global;
  };
  /** host functions may wait, and a running guest can be stopped */
  readonly suspends: boolean;
  /** frames of a small function that there is room for */
  readonly deepest: number;
  /** keeps to `callDepth`, and to a frame's largest size */
  readonly boundsDepth: boolean;
  /** of a trap that should have this reason */
  reasonOf(reason: string): string;
}

/** Our own: each tier, both, and one in which frames change tiers all the time. */
export const TIERS: readonly Engine[] = [interpreter, fused, compiler, mixed, compilerWith('changing tiers', { calls: 1, loops: 2 })];

export const TIER_SUBJECTS: readonly Subject[] = TIERS.map((engine) =>
  ({ engine, parts: { Memory: WasmMemory, Table: WasmTable, Global: WasmGlobal }, suspends: true, deepest: 50_000, boundsDepth: true, reasonOf: (reason) => reason }));

export const ENGINES: readonly Subject[] = [
  ...TIER_SUBJECTS,
  { engine: v8, parts: { Memory: V8Memory, Table: V8Table, Global: V8Global }, suspends: false, deepest: 5_000, boundsDepth: false, reasonOf: (reason) => [...V8_CANNOT_TELL].find(([one]) => reason.startsWith(one))?.[1] ?? reason },
];
