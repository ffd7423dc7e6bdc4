/**
 * Every error a user of this project can meet, each with a stable `code`. A message reads: stage, subject, fact with
 * both values, then the way out. A fault of this project itself is a plain `Error('bug: …')`, never one of these.
 * Errors wrap the one below them once per layer, in `cause`.
 */

/** The common ancestor: `code` is stable across versions, the message is for people. */
export abstract class ProjectError extends Error {
  abstract readonly code: string;
  /** what the message has no room for, line by line */
  readonly details: readonly string[] = [];
  override get name(): string {
    return this.constructor.name;
  }
}

// ---- WebAssembly ------------------------------------------------------------------------------------------------

/** The bytes are not a WebAssembly module (binary format, chapter 5 of the specification). */
export class MalformedError extends ProjectError {
  readonly code = 'WASM_MALFORMED';
  /** @param reason the specification's phrase, as the official suite has it. @param offset bytes from the module's start */
  constructor(readonly reason: string, readonly offset: number, detail = '') {
    super(`malformed module at ${hex(offset)}: ${reason}${detail && ` (${detail})`}`);
  }
}

/** The module is well-formed and not valid (chapter 3). */
export class InvalidError extends ProjectError {
  readonly code = 'WASM_INVALID';
  /** @param where function, offset and opcode, as far as they are known: `i32.load at 0x1f2 in func 7 "parse"` */
  constructor(readonly reason: string, readonly where: { offset?: number; func?: number; funcName?: string; op?: string } = {}, detail = '') {
    super(`invalid module: ${place(where)}${reason}${detail && ` (${detail})`}`);
  }
}

/** An import that nobody provides, or that has another type than the module asks for (chapter 4.5). */
export class LinkError extends ProjectError {
  readonly code = 'WASM_LINK';
  constructor(readonly reason: string, readonly module: string, readonly item: string, detail = '') {
    super(`import "${module}" "${item}": ${reason}${detail && ` (${detail})`}`);
  }
}

/** Imports that nobody provides, all of them at once. */
export class MissingImportsError extends ProjectError {
  readonly code = 'WASM_MISSING_IMPORTS';
  /** @param missing each with its type as text: `func (i32, i64) -> i32` */
  constructor(readonly missing: readonly { readonly module: string; readonly item: string; readonly type: string }[], wayOut = '') {
    const each = missing.map(({ module, item, type }) => `import "${module}" "${item}": ${type}`);
    const lines = each.length === 1 ? `nobody provides ${each[0]}` : `nobody provides these ${each.length} imports:\n  ${each.join('\n  ')}`;
    super(`${lines}${wayOut && `${each.length === 1 ? ' ' : '\n'}(${wayOut})`}`);
  }
}

/** One line of a WebAssembly stack, innermost first. */
export interface WasmFrame {
  /** index in the module's function index space */
  readonly func: number;
  /** from the name section, else the export's name, else undefined */
  readonly name?: string;
  /** of the instruction, in bytes from the module's start */
  readonly offset: number;
}

/** Execution stopped by rule of the specification; `reason` is the official phrase ("integer divide by zero"). */
export class Trap extends ProjectError {
  readonly code: string = 'WASM_TRAP';
  /** innermost frame first; filled by the engine while it unwinds */
  stackFrames: readonly WasmFrame[] = [];
  constructor(readonly reason: string, readonly detail = '', options?: ErrorOptions) {
    super(`trap: ${reason}${detail && ` (${detail})`}`, options);
  }
}

/**
 * An exception of WebAssembly that no guest has caught on its way here. A host function may let it pass, or throw one: guests
 * below can catch it, which no other error can be.
 */
export class GuestException extends Trap {
  override readonly code = 'WASM_EXCEPTION';
  /** @param exception the engine's own object: the tag, and what came with it */
  constructor(readonly exception: object, detail = '') {
    super('unhandled exception', detail);
  }
}

/** A limit was reached: call depth, fuel, time. A kind of trap; the limit's size is in the message. */
export class ExhaustedError extends Trap {
  override readonly code = 'WASM_EXHAUSTED';
}

/** Not a snapshot, or not one of this module (interp/snapshot.ts). */
export class SnapshotError extends ProjectError {
  readonly code = 'WASM_SNAPSHOT';
  /** @param offset in its bytes, where it is those that are wrong */
  constructor(readonly reason: string, readonly offset?: number, options?: ErrorOptions) {
    super(`snapshot${offset === undefined ? '' : ` at ${hex(offset)}`}: ${reason}`, options);
  }
}

/** The embedder asked the guest to stop (Ctrl-C, timeout). */
export class Interrupted extends ProjectError {
  readonly code = 'INTERRUPTED';
  stackFrames: readonly WasmFrame[] = [];
  constructor(readonly reason: string) {
    super(`interrupted: ${reason}`);
  }
}

/** `proc_exit(N)`: not a fault, a way to end. Passes through the engine untouched. */
export class ProcExit extends ProjectError {
  readonly code = 'PROC_EXIT';
  constructor(readonly status: number) {
    super(`exit status ${status}`);
  }
}

// ---- BPF objects ------------------------------------------------------------------------------------------------

/** The bytes are not an ELF64 little-endian BPF object, or a section of it is broken. */
export class ElfError extends ProjectError {
  readonly code = 'BPF_ELF';
  /** @param where.offset bytes, within the section where one is named, else within the file. @param where.file what the message calls it, "BPF object" unless told */
  constructor(readonly reason: string, readonly where: { file?: string; section?: string; offset?: number } = {}) {
    super(`${where.file ?? 'BPF object'}: ${site(where)}${reason}`);
  }
}

/** Broken or unexpected BTF. */
export class BtfError extends ProjectError {
  readonly code = 'BPF_BTF';
  constructor(readonly reason: string, readonly where: { source?: string; typeId?: number; offset?: number } = {}) {
    const { source = 'BTF', typeId, offset } = where;
    super(`${source}${typeId === undefined ? '' : ` type [${typeId}]`}${offset === undefined ? '' : ` at ${hex(offset)}`}: ${reason}`);
  }
}

/** A relocation, CO-RE or ELF, that cannot be carried out. */
export class RelocationError extends ProjectError {
  readonly code = 'BPF_RELOCATION';
  override readonly details: readonly string[];
  /** @param options.details of CO-RE: the types that were compared */
  constructor(readonly reason: string, readonly where: { section?: string; program?: string; insn?: number; kind?: string } = {}, options: ErrorOptions & { readonly details?: readonly string[] } = {}) {
    const { section, program, insn, kind } = where;
    const subject = [kind, insn === undefined ? '' : `insn ${insn}`, program ? `of "${program}"` : section ? `of section "${section}"` : '']
      .filter(Boolean).join(' ');
    super(`relocation${subject && ` ${subject}`}: ${reason}`, options);
    this.details = options.details ?? [];
  }
}

// ---- the kernel -------------------------------------------------------------------------------------------------

/** A system call said no. `errno` is the positive number, `errnoName` its symbol. */
export class SyscallError extends ProjectError {
  readonly code: string = 'SYSCALL';
  /** @param cmd as in strace: `BPF_MAP_CREATE`, `perf_event_open`. @param subject for what: `map "counts" (hash, 4 -> 8 bytes)` */
  constructor(readonly cmd: string, readonly errno: number, readonly errnoName: string, subject = '', wayOut = '', options?: ErrorOptions) {
    super(`${cmd}${subject && ` for ${subject}`}: ${errnoName}${wayOut && ` (${wayOut})`}`, options);
  }
}

/** BPF_PROG_LOAD refused: the message shows the telling lines, `log` keeps all of the verifier's text. */
export class VerifierError extends ProjectError {
  readonly code = 'BPF_VERIFIER';
  /**
   * @param log annotated: every source line with its file and number, and what a loader has put in place of an instruction named
   * @param details of a failed CO-RE relocation: the types that were compared
   */
  constructor(readonly program: string, readonly errno: number, readonly errnoName: string, readonly telling: string, readonly log: string, wayOut = '', override readonly details: readonly string[] = []) {
    super(`BPF_PROG_LOAD for program "${program}": ${errnoName}: ${telling}${wayOut && ` (${wayOut})`}`);
  }
}

/** The running kernel, or this build, lacks something; `since` is the first kernel with it. */
export class UnsupportedError extends ProjectError {
  readonly code = 'UNSUPPORTED';
  constructor(readonly feature: string, readonly since = '', wayOut = '') {
    super(`${feature} is not supported here${since && `, needs Linux ${since} or later`}${wayOut && ` (${wayOut})`}`);
  }
}

/** A program cannot be attached as asked: unknown section name, missing target, no such function or interface. */
export class AttachError extends ProjectError {
  readonly code = 'BPF_ATTACH';
  constructor(readonly program: string, readonly reason: string, wayOut = '', options?: ErrorOptions) {
    super(`attach program "${program}": ${reason}${wayOut && ` (${wayOut})`}`, options);
  }
}

/** A call of the public API or the command line with arguments that make no sense. */
export class UsageError extends ProjectError {
  readonly code = 'USAGE';
}

// ---- words ------------------------------------------------------------------------------------------------------

/** `0x1f`, the way every offset is shown. */
export function hex(n: number | bigint): string {
  return `0x${n.toString(16)}`;
}

function place(w: { offset?: number; func?: number; funcName?: string; op?: string }): string {
  const parts = [
    w.op,
    w.offset === undefined ? '' : `at ${hex(w.offset)}`,
    w.func === undefined ? '' : `in func ${w.func}${w.funcName ? ` ${JSON.stringify(w.funcName)}` : ''}`,
  ].filter(Boolean).join(' ');
  return parts && `${parts}: `;
}

function site(w: { section?: string; offset?: number }): string {
  if (w.section === undefined && w.offset === undefined) return '';
  return `${w.section === undefined ? '' : `section "${w.section}"`}${w.offset === undefined ? '' : ` at ${hex(w.offset)}`}: `.trimStart();
}
