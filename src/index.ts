/**
 * The public API of wasm-bpf-ts. Re-exports only.
 *
 * - `runWasm` runs a module that carries a BPF object, from its bytes to its end.
 * - `BpfObject` loads and attaches a BPF object without any guest.
 * - `interpreter` is the WebAssembly engine alone; `engineOf` loads any engine by its name.
 * - `inspect` says what a module or an object holds, without privilege, on any system.
 * - every error is a `ProjectError` with a stable `code`.
 */
export { runWasm, trapLines, type Ending, type RunOptions } from './host/guest.js';
export type { KernelOptions } from './host/backend.js';
export type { HostLimits, HostStats } from './host/objects.js';
export type { Provider } from './loader/wasm.js';
export type { WasiOptions } from './wasi/wasi.js';
export type { Grant } from './wasi/descriptors.js';
export type { Sink } from './wasi/output.js';
export { BpfObject, type BpfProgram, type GlobalValue, type Link, type LoadOptions } from './loader/load.js';
export { readBtf } from './loader/btf-file.js';
export type { Btf } from './reloc/btf.js';
export { interpreter } from './interp/interpreter.js';
export { ENGINES, ENGINE_NAMES, engineOf, type EngineName } from './interp/engines.js';
export type { CompileOptions, Breakpoint, Engine, Execution, ExecutionOptions, Extern, ExternType, Frame, Func, Global, GuestCall, HostFunc, HostReferences, HostResult, Imports, Instance, Limits, Memory, Stop, Table, TypedValue, Value } from './interp/engine.js';
export type { Snapshot } from './interp/snapshot.js';
export { decodeSnapshot, encodeSnapshot } from './interp/snapshot-bytes.js';
export { inspect, type EmbeddedObject, type GlobalReport, type MapReport, type ModuleReport, type ObjectReport, type ProgramReport, type Report } from './teach/inspect.js';
export * from './errors.js';
