/**
 * Runs one guest from its module's bytes to its end: WASI and the wasm_bpf ABI as imports, the right export as entry, and
 * whatever happens, output written out and everything in the kernel released. Does not read files, install signal handlers or
 * end the process: cli/run.ts does.
 */
import { basename, extname } from 'node:path';
import { Interrupted, ProcExit, ProjectError, Trap, UsageError, type WasmFrame } from '../errors.js';
import type { CompileOptions, Engine, Func, Instance, Limits, Value } from '../interp/engine.js';
import { engineOf, type EngineName } from '../interp/engines.js';
import type { Module } from '../interp/module.js';
import { showFuncType } from '../interp/show.js';
import { F32, F64, I32, I64, typeName } from '../interp/types.js';
import { instantiate, type Provider } from '../loader/wasm.js';
import { Wasi, type WasiOptions } from '../wasi/wasi.js';
import { BPF_MODULE, BpfHost, GO_MODULE } from './abi.js';
import type { Backend, KernelOptions } from './backend.js';
import { boundHeap } from './heap.js';
import type { HostLimits, HostStats } from './objects.js';

export interface RunOptions extends Omit<WasiOptions, 'args' | 'blocks'> {
  /** the module's path or name: argv[0], and what its BPF objects are called */
  readonly path: string;
  /** argv from 1 on */
  readonly args?: readonly string[];
  /** an export to call instead of `_start`; it takes its arguments from the front of `args` */
  readonly invoke?: string;
  readonly limits?: Partial<Limits & HostLimits>;
  /** ends the guest within 100 ms of being aborted */
  readonly signal?: AbortSignal;
  /** what is loaded and attached, line by line */
  readonly log?: (line: string) => void;
  /**
   * One of `ENGINE_NAMES`, or an engine. Default: `mixed`, or `interp` where this process may not make code. On `v8`, which cannot
   * suspend a guest, the guest's waits keep the thread and `signal` counts before it begins only.
   */
  readonly engine?: EngineName | Engine;
  /** whether function bodies are judged before the guest runs, or each when it is first called; default: before */
  readonly validate?: CompileOptions['validate'];
  /** how the running kernel loads the module's BPF objects */
  readonly kernel?: KernelOptions;
  /** default: the running kernel, reached when the module imports the ABI */
  readonly backend?: Backend;
  /** imports of your own, asked first */
  readonly provide?: Provider;
}

/** How a guest ended. */
export interface Ending {
  readonly how: 'returned' | 'exited' | 'trapped' | 'interrupted' | 'reader gone';
  /** of proc_exit; 0 where it returned; 134 after a trap, 130 after an interruption, 141 when the reader of its output went away */
  readonly status: number;
  /** the results of the export that `invoke` named */
  readonly results: readonly Value[];
  /** of a trap */
  readonly error?: Trap;
  readonly stats: Readonly<HostStats> | undefined;
}

/** 128 + SIGABRT, SIGINT, SIGPIPE: what a shell says of a process that ended so. */
export const TRAP_STATUS = 134, INTERRUPTED_STATUS = 130, PIPE_STATUS = 141;
/** ms that an interrupted guest's last output may take */
const LAST_WORDS_MS = 50;
const NO_READER = 'nobody reads the output any more';

/**
 * Runs a module to its end.
 * @param bytes of the module; must not change meanwhile
 * @throws MalformedError, InvalidError (with `validate: 'lazily'` also from a guest that runs), MissingImportsError, LinkError for the module; UsageError where it has no such entry;
 * a trap is an Ending, not a throw
 * @example
 * const { status } = await runWasm(readFileSync('probe.wasm'), { path: 'probe.wasm', args: ['-n', '3'] });
 */
export async function runWasm(bytes: Uint8Array, options: RunOptions): Promise<Ending> {
  const engine = typeof options.engine === 'object' ? options.engine : await engineOf(options.engine);
  boundHeap();
  const module = engine.compile(bytes, { validate: options.validate });
  const entry = chooseEntry(module, options.invoke);
  const stop = new AbortController();
  const forward = () => stop.abort(options.signal?.reason);
  if (options.signal?.aborted) forward();
  options.signal?.addEventListener('abort', forward, { once: true });
  const wasi = new Wasi({ ...options, args: [options.path, ...options.args ?? []], blocks: !engine.suspends });
  const report = (line: string) => void wasi.stderr.write(new TextEncoder().encode(`wasm-bpf: ${line}\n`));
  let readerGone = false, running = false;
  wasi.stdout.onClosed = wasi.stderr.onClosed = () => {
    readerGone = true;
    stop.abort(NO_READER);
    // no signal gets to a guest that is not suspended, but what a host function throws does
    if (running && !engine.suspends) throw new Interrupted(NO_READER);
  };
  let bpf: BpfHost | undefined;
  let interrupted = true;
  try {
    const wanted = module.imports.some((i) => i.module === BPF_MODULE || i.module === GO_MODULE);
    if (wanted) {
      const backend = options.backend ?? (await import('./kernel-backend.js')).kernelBackend(options.kernel);
      bpf = new BpfHost({ backend, name: basename(options.path, extname(options.path)), limits: options.limits, waits: wasi.waits, report, log: options.log, tellsLogs: options.kernel?.onVerifierLog === undefined, beforeLong: () => wasi.stdout.offer() });
    }
    const providers: Provider[] = [
      ...options.provide ? [options.provide] : [],
      (m, item, type) => (type.kind === 'func' ? wasi.provide(m, item, type.type) ?? bpf?.provide(m, item, type.type) : undefined),
    ];
    const instance = instantiate(engine, module, providers, options.limits);
    running = true;
    const ending = await run(instance, entry, options.args ?? [], stop.signal);
    interrupted = ending.how === 'interrupted';
    return { ...readerGone && ending.how !== 'trapped' ? { how: 'reader gone' as const, status: PIPE_STATUS, results: [] } : ending, stats: bpf?.stats };
  } finally {
    running = false;
    options.signal?.removeEventListener('abort', forward);
    try {
      // detaching takes the kernel a while: what can be written now is not kept waiting
      await wasi.flush(0);
      bpf?.close();
    } finally {
      await wasi.flush(interrupted ? LAST_WORDS_MS : Infinity);
      wasi.close();
    }
  }
}

type Outcome = Omit<Ending, 'stats'>;

async function run(instance: Instance, entry: Entry, args: readonly string[], signal: AbortSignal): Promise<Outcome> {
  try {
    await instance.start({ signal });
    if (entry.initialize) await instance.call(exported(instance, '_initialize'), [], { signal });
    const func = exported(instance, entry.name);
    const results = await instance.call(func, entry.invoked ? parseArgs(func, entry.name, args) : [], { signal });
    return { how: 'returned', status: 0, results: entry.invoked ? results : [] };
  } catch (error) {
    if (error instanceof ProcExit) return { how: 'exited', status: error.status, results: [] };
    if (error instanceof Interrupted) return { how: 'interrupted', status: INTERRUPTED_STATUS, results: [] };
    if (error instanceof Trap) return { how: 'trapped', status: TRAP_STATUS, results: [], error };
    throw error;
  }
}

/** A trap and where it happened, innermost first, as lines without a newline. */
export function trapLines(error: ProjectError & { readonly stackFrames?: readonly WasmFrame[] }): string[] {
  return [error.message, ...(error.stackFrames ?? []).map(({ func, name, offset }) => `    at ${name ?? `func ${func}`} (0x${offset.toString(16)})`)];
}

// ---- the entry --------------------------------------------------------------------------------------------------

interface Entry { readonly name: string; readonly invoked: boolean; readonly initialize: boolean }

/** Decided before anything runs, so that a module of the wrong kind does nothing. */
function chooseEntry(module: Module, invoke: string | undefined): Entry {
  const functions = module.exports.filter((e) => e.kind === 'func').map((e) => e.name);
  const initialize = functions.includes('_initialize');
  if (invoke !== undefined) {
    if (functions.includes(invoke)) return { name: invoke, invoked: true, initialize: initialize && invoke !== '_initialize' };
    throw new UsageError(`the module exports no function "${invoke}" (it exports ${functions.join(', ') || 'none'})`);
  }
  if (functions.includes('_start')) return { name: '_start', invoked: false, initialize: false };
  const others = functions.filter((name) => name !== '_initialize');
  const ways = others.length > 0 ? `--invoke calls one of its exports: ${others.join(', ')}` : 'it exports no function to call';
  if (initialize) throw new UsageError(`the module is a reactor: it has no "_start" (${ways})`);
  const main = others.find((name) => ['main', '__main_void', '__main_argc_argv', '__original_main'].includes(name));
  if (main !== undefined) throw new UsageError(`the module exports "${main}" and no "_start" (link it as a command, with the libc's crt1, or use --invoke ${main})`);
  throw new UsageError(`the module has no "_start" (${ways})`);
}

function exported(instance: Instance, name: string): Func {
  const found = instance.exports.get(name);
  if (found?.kind !== 'func') throw new Error(`bug: export "${name}" is no function`);
  return found;
}

function parseArgs({ type }: Func, name: string, args: readonly string[]): Value[] {
  if (args.length < type.params.length) {
    throw new UsageError(`"${name}" is ${showFuncType(type)} and takes ${type.params.length} argument${type.params.length === 1 ? '' : 's'}, ${args.length} given`);
  }
  return type.params.map((param, i) => {
    const value = parseValue(param, args[i]);
    if (value === undefined) throw new UsageError(`"${name}" is ${showFuncType(type)}: argument ${i + 1} is "${args[i]}", which is no ${typeName(param)}`);
    return value;
  });
}

function parseValue(type: number, text: string): Value | undefined {
  if (type === F32 || type === F64) return text.trim() !== '' && (!Number.isNaN(Number(text)) || text === 'nan') ? Number(text) : undefined;
  if (type !== I32 && type !== I64) return undefined;
  const match = /^(-?)(0x[0-9a-f]+|[0-9]+)$/i.exec(text);
  if (!match) return undefined;
  const bits = type === I32 ? 32 : 64;
  const value = match[1] ? -BigInt(match[2]) : BigInt(match[2]);
  if (value < -(1n << BigInt(bits - 1)) || value >= 1n << BigInt(bits)) return undefined;
  const signed = BigInt.asIntN(bits, value);
  return type === I32 ? Number(signed) : signed;
}
