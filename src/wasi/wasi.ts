/**
 * WASI preview 1 for one guest: a table of all functions, of which those nobody implements answer ENOSYS. The guest gets what
 * it was granted and nothing else: by default no folder, no environment, but standard input, output and error.
 * Also serves modules of the older `wasi_unstable`, except where its structs differ.
 */
import { readSync } from 'node:fs';
import type { HostFunc } from '../interp/engine.js';
import type { FuncType } from '../interp/types.js';
import { Errno, FileType, WASI_FUNCTIONS, WASI_MODULES, type WasiFunction, type WasiModule } from './abi.js';
import type { WasiImplementation, WasiState, WasiTable } from './context.js';
import { Descriptors, fileTypeOfFd, type Grant } from './descriptors.js';
import { wasiErrno } from './errors.js';
import { FD } from './fd.js';
import { Input } from './input.js';
import { hostFunc, type Arg } from './link.js';
import { GuestFault, GuestMemory, GuestTextError } from './memory.js';
import { Output, type Sink } from './output.js';
import { PATH } from './path.js';
import { POLL } from './poll.js';
import { SYSTEM } from './system.js';
import { Waits, type Waiting } from './waits.js';

const IMPLEMENTED: WasiTable = { ...SYSTEM, ...FD, ...PATH, ...POLL };

/** In `wasi_unstable` these have other struct layouts; they answer ENOSYS there. */
const OTHER_LAYOUT: ReadonlySet<WasiFunction> = new Set(['fd_filestat_get', 'path_filestat_get', 'poll_oneoff']);
/** whence of `wasi_unstable` -> of preview 1 */
const OLD_WHENCE = [1, 2, 0];

export interface WasiOptions {
  /** argv, the program's name first */
  readonly args?: readonly string[];
  /** what the guest sees as its environment; default: nothing */
  readonly env?: Readonly<Record<string, string>>;
  /** folders the guest may use; default: none */
  readonly dirs?: readonly Grant[];
  /** bytes, or a stream opened at the first read; default: the process's standard input */
  readonly stdin?: Uint8Array | (() => NodeJS.ReadStream);
  /** default: descriptors 1 and 2 */
  readonly stdout?: Sink;
  readonly stderr?: Sink;
  /** for engines that do not suspend a guest: waiting keeps the thread, standard input too */
  readonly blocks?: boolean;
}

export class Wasi {
  readonly #state: WasiState;
  readonly #input: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly waits: Waits;

  /** @throws the error of open(2) for a folder that cannot be granted */
  constructor({ args = [], env = {}, dirs = [], stdin, stdout = 1, stderr = 2, blocks = false }: WasiOptions = {}) {
    this.waits = new Waits(blocks, () => this.stdout.offer());
    this.#input = typeof stdin === 'object'
      ? new Input(() => stdin)
      : new Input(stdin ?? (blocks ? () => readStandardInput(this.waits) : () => process.stdin), stdin ? FileType.UNKNOWN : standardInputType());
    this.stdout = new Output(stdout, true, this.waits);
    this.stderr = new Output(stderr, false, this.waits);
    this.#state = {
      args: args.map(text),
      environ: Object.entries(env).map(([key, value]) => text(`${key}=${value}`)),
      descriptors: new Descriptors(this.#input, this.stdout, this.stderr, dirs),
      waits: this.waits,
    };
  }

  /** The host function for an import, by the type the module gives it; undefined for what is not WASI preview 1. */
  provide(module: string, item: string, type: FuncType): HostFunc | undefined {
    if (!WASI_MODULES.includes(module as WasiModule) || !Object.hasOwn(WASI_FUNCTIONS, item)) return undefined;
    const name = item as WasiFunction;
    const old = module === 'wasi_unstable';
    const implementation = old && OTHER_LAYOUT.has(name) ? undefined : IMPLEMENTED[name];
    const declared = { params: WASI_FUNCTIONS[name], result: name === 'proc_exit' ? '' : 'i' };
    return hostFunc(`${module}.${name}`, declared, type, (caller, args) => {
      if (implementation === undefined) return Errno.NOSYS;
      if (old && name === 'fd_seek') args[2] = OLD_WHENCE[args[2] as number] ?? args[2];
      return answer(implementation, this.#state, new GuestMemory(caller.memory), args);
    });
  }

  /** Writes out what was gathered, waiting for readers at most `forMs`. */
  async flush(forMs = Infinity): Promise<void> {
    await this.stdout.flush(forMs);
    await this.stderr.flush(forMs);
  }

  /** Closes every descriptor the guest had, except the process's own three. Twice is once. */
  close(): void {
    this.#state.descriptors.close();
    this.#input.close();
    this.waits.close();
    this.stdout.close();
    this.stderr.close();
  }
}

function answer(implementation: WasiImplementation, state: WasiState, memory: GuestMemory, args: Arg[]): number | Waiting<number> {
  try {
    const done = implementation(state, memory, ...(args as never[]));
    return done ? awaited(done) : Errno.SUCCESS;
  } catch (error) {
    return refusal(error);
  }
}

function* awaited(waiting: Waiting): Waiting<number> {
  try {
    yield* waiting;
    return Errno.SUCCESS;
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): number {
  if (error instanceof GuestFault) return Errno.FAULT;
  if (error instanceof GuestTextError) return Errno.ILSEQ;
  const errno = wasiErrno(error);
  if (errno === undefined) throw error;
  return errno;
}

/** What waits with the thread for more of standard input. */
function readStandardInput(waits: Waits): () => Uint8Array {
  const room = new Uint8Array(INPUT_SIZE);
  return () => {
    waits.before();
    for (;;) {
      try {
        return room.slice(0, readSync(0, room));
      } catch (error) {
        if (wasiErrno(error) !== Errno.AGAIN) throw error;
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, INPUT_RETRY_MS);
    }
  };
}
/** bytes of one read; ms between two of a descriptor that somebody has made non-blocking */
const INPUT_SIZE = 65536, INPUT_RETRY_MS = 5;

function text(s: string): Uint8Array {
  return new TextEncoder().encode(s);
}

function standardInputType(): number {
  try {
    return fileTypeOfFd(0);
  } catch {
    // closed by whoever started this process
    return FileType.UNKNOWN;
  }
}
