/**
 * The imports of module `wasm_bpf`, for one guest: load, close, attach, map handle, poll, map operation; and TinyGo's way to
 * poll, `callback-wrapper`, which calls an export instead of a table entry. Functions follow the type the module imports
 * them with. Answers are 0 or a number on success and a negative Linux errno otherwise:
 *
 *   EFAULT  a pointer, or pointer + length, outside of guest memory     EBADF   a map handle this guest was not given
 *   EINVAL  an unknown object, another kind of map, a bad callback      ENOENT  no such program, map or element
 *   EBUSY   poll or close from within the callback of that poll         EPERM   a descriptor as element of a map
 *   anything the kernel said
 *
 * Why a load or an attach failed goes to standard error, once; a load then returns 0.
 */
import { VerifierError, type ProjectError } from '../errors.js';
import { I32, type FuncType } from '../interp/types.js';
import type { Func, HostFunc, HostResult, Instance, Table } from '../interp/engine.js';
import { hostFunc, type Arg, type Declared } from '../wasi/link.js';
import { GuestFault, GuestMemory, GuestTextError } from '../wasi/memory.js';
import { Waits } from '../wasi/waits.js';
import type { Backend } from './backend.js';
import { EBADF, EBUSY, EFAULT, EINVAL, ENOENT, refused } from './errno.js';
import { mapOperate } from './map-operate.js';
import { GuestObjects, HOST_LIMITS, type GuestObject, type HostLimits, type HostStats } from './objects.js';
import { poll } from './poll.js';

export const BPF_MODULE = 'wasm_bpf';
/** where TinyGo modules import their poll from, and what they export for it */
export const GO_MODULE = 'callback-wrapper', GO_CALLBACK = 'go-callback';

/** Import -> parameters and result, in link.ts's letters. */
export const BPF_FUNCTIONS = {
  wasm_load_bpf_object: { params: 'ii', result: 'I' },
  wasm_close_bpf_object: { params: 'I', result: 'i' },
  wasm_attach_bpf_program: { params: 'Iii', result: 'i' },
  wasm_bpf_map_fd_by_name: { params: 'Ii', result: 'i' },
  wasm_bpf_buffer_poll: { params: 'Iiiiiis', result: 'i' },
  wasm_bpf_map_operate: { params: 'iiiiiI', result: 'i' },
} as const satisfies Record<string, Declared>;
type BpfFunction = keyof typeof BPF_FUNCTIONS;
const GO_POLL: Declared = { params: 'Iiiiis', result: 'i' };

export interface BpfHostOptions {
  readonly backend: Backend;
  /** what messages and the kernel call the objects: the module's file name without folders and ending */
  readonly name: string;
  readonly limits?: Partial<HostLimits>;
  /** default: on the event loop */
  readonly waits?: Waits;
  /** one line for the person who runs the guest */
  readonly report: (line: string) => void;
  /** called before what takes the kernel long (loading, attaching, detaching): the guest's gathered output should not wait for it */
  readonly beforeLong?: () => void;
  /** what is made and attached, line by line */
  readonly log?: (line: string) => void;
  /** whether `log` gets the verifier's log of a refused program; default: yes */
  readonly tellsLogs?: boolean;
}

export class BpfHost {
  readonly #objects: GuestObjects;
  readonly #limits: HostLimits;
  readonly #options: BpfHostOptions;

  constructor(options: BpfHostOptions) {
    this.#options = options;
    this.#limits = { ...HOST_LIMITS, ...options.limits };
    this.#objects = new GuestObjects(options.backend);
  }

  get stats(): Readonly<HostStats> {
    return this.#objects.stats;
  }

  /** The host function for an import, by the type the module gives it; undefined for what is not of this ABI. */
  provide(module: string, item: string, type: FuncType): HostFunc | undefined {
    if (module === GO_MODULE && item === 'wasm_bpf_buffer_poll') {
      return hostFunc(`${module}.${item}`, GO_POLL, type, checked((caller, memory, [object, map, ctx, data, maxSize, timeoutMs]) => {
        const callback = caller.exports.get(GO_CALLBACK);
        return this.#poll(memory, callback?.kind === 'func' ? callback : undefined, { object, map, ctx, data, maxSize, timeoutMs } as PollArgs);
      }));
    }
    if (module !== BPF_MODULE || !Object.hasOwn(BPF_FUNCTIONS, item)) return undefined;
    const name = item as BpfFunction;
    return hostFunc(`${module}.${item}`, BPF_FUNCTIONS[name], type, checked(this.#functions[name]));
  }

  /** Detaches and unloads everything the guest made. Twice is once. */
  close(): void {
    this.#objects.close();
  }

  readonly #functions: Record<BpfFunction, (caller: Instance, memory: GuestMemory, args: Arg[]) => HostResult> = {
    wasm_load_bpf_object: (_, memory, [pointer, size]) => this.#load(memory, Number(pointer), Number(size)),

    wasm_close_bpf_object: (_, __, [handle]) => {
      const owner = this.#objects.object(handle as bigint);
      if (owner === undefined) return -EINVAL;
      if (this.#objects.polling(owner)) return -EBUSY;
      this.#options.beforeLong?.();
      this.#objects.closeObject(owner);
      this.#log(`closed BPF object ${owner.handle}`);
      return 0;
    },

    wasm_attach_bpf_program: (_, memory, [handle, name, target]) => {
      const owner = this.#objects.object(handle as bigint);
      if (owner === undefined) return -EINVAL;
      // NULL is what some SDKs pass for "where the section says"
      return this.#attach(owner, memory.cString(Number(name)), target === 0 ? '' : memory.cString(Number(target)));
    },

    wasm_bpf_map_fd_by_name: (_, memory, [handle, name]) => {
      const owner = this.#objects.object(handle as bigint);
      if (owner === undefined) return -EINVAL;
      return this.#objects.mapHandle(owner, memory.cString(Number(name))) ?? -ENOENT;
    },

    wasm_bpf_buffer_poll: (caller, memory, [object, map, sample, ctx, data, maxSize, timeoutMs]) =>
      this.#poll(memory, callbackAt(caller, Number(sample)), { object, map, ctx, data, maxSize, timeoutMs } as PollArgs),

    wasm_bpf_map_operate: (_, memory, [map, command, key, value, nextKey, flags]) => {
      const found = this.#objects.map(Number(map));
      if (found === undefined) return -EBADF;
      return refused(() => mapOperate(memory, found.map, { command, key, value, nextKey, flags: BigInt.asUintN(64, flags as bigint) } as Parameters<typeof mapOperate>[2], (handle) => this.#objects.map(handle)));
    },
  };

  #load(memory: GuestMemory, pointer: number, size: number): bigint | number {
    const { name } = this.#options;
    const say = (why: string) => this.#options.report(`cannot load the BPF object: ${why}`);
    if (pointer + size > memory.size) {
      say(`its ${size} bytes at ${pointer} are outside of guest memory of ${memory.size} bytes`);
      return 0n;
    }
    if (size > this.#limits.objectBytes) {
      say(`it has ${size} bytes, the limit is ${this.#limits.objectBytes}`);
      return 0n;
    }
    if (this.#objects.count >= this.#limits.objects) {
      say(`the guest has ${this.#objects.count} of them open, which is the limit (close some)`);
      return 0n;
    }
    let handle = 0n;
    this.#options.beforeLong?.();
    // a copy: views into it live as long as the object, guest memory may change
    refused(() => {
      const loaded = this.#objects.load(memory.bytes(pointer, size).slice(), name, (text) => this.#log(text));
      handle = loaded.handle;
      this.#log(`loaded BPF object ${handle} of ${size} bytes: ${listed('map', loaded.object.maps.keys())}; ${listed('program', loaded.object.programs.keys())}`);
      for (const [mapName, map] of loaded.object.maps) this.#log(`  ${mapName}: ${map.subject}`);
      return 0;
    }, (error) => this.#explain(say, error));
    return handle;
  }

  #attach(owner: GuestObject, program: string, target: string): number {
    const say = (why: string) => this.#options.report(`cannot attach${target && ` to "${target}"`}: ${why}`);
    if (!owner.object.programs.has(program)) {
      say(`BPF object ${owner.handle} has no program "${program}" (it has ${[...owner.object.programs.keys()].join(', ') || 'none'})`);
      return -ENOENT;
    }
    this.#options.beforeLong?.();
    return refused(() => {
      owner.object.attach(program, target === '' ? undefined : target);
      owner.attached++;
      this.#objects.stats.attached++;
      this.#log(`attached program "${program}"${target && ` to "${target}"`}`);
      return 0;
    }, (error) => this.#explain(say, error));
  }

  #poll(memory: GuestMemory, callback: Func | undefined, p: PollArgs): HostResult {
    const owner = this.#objects.object(p.object);
    if (owner === undefined) return -EINVAL;
    const guestMap = this.#objects.map(p.map);
    if (guestMap === undefined) return -EBADF;
    if (guestMap.owner !== owner) return -EINVAL;
    memory.check(p.data, p.maxSize);
    if (callback === undefined || !takesSamples(callback.type)) return -EINVAL;
    if (guestMap.polling) return -EBUSY;
    let buffer;
    try {
      buffer = this.#objects.buffer(guestMap);
    } catch (error) {
      return refused(() => { throw error; }, ({ message }) => this.#options.report(`cannot open the buffer "${guestMap.name}": ${message}`));
    }
    if (buffer === undefined) return -EINVAL;
    const running = poll(memory, buffer, { ...p, ctx: p.ctx | 0, callback, limit: this.#limits.recordsPerPoll }, this.#objects.stats, this.#options.waits ?? new Waits());
    return (function* () {
      guestMap.polling = true;
      try {
        return yield* running;
      } finally {
        guestMap.polling = false;
      }
    })();
  }

  #explain(say: (why: string) => void, error: ProjectError): void {
    say(error.message);
    for (const line of error.details) this.#options.report(`  ${line}`);
    if (error instanceof VerifierError && this.#options.tellsLogs !== false) for (const line of error.log.trimEnd().split('\n')) this.#log(`  ${line}`);
  }

  #log(line: string): void {
    this.#options.log?.(line);
  }
}

interface PollArgs {
  readonly object: bigint;
  readonly map: number;
  readonly ctx: number;
  readonly data: number;
  readonly maxSize: number;
  readonly timeoutMs: number;
}

/** Every answer to a bad pointer is given here. */
function checked(run: (caller: Instance, memory: GuestMemory, args: Arg[]) => HostResult): (caller: Instance, args: Arg[]) => HostResult {
  return (caller, args) => {
    try {
      return run(caller, new GuestMemory(caller.memory), args);
    } catch (error) {
      if (error instanceof GuestFault) return -EFAULT;
      if (error instanceof GuestTextError) return -EINVAL;
      throw error;
    }
  };
}

/** A function pointer of the guest: an index into its table, by whatever name it is exported, or not at all. */
function callbackAt(caller: Instance, index: number): Func | undefined {
  const table = tableOf(caller);
  const entry = index < (table?.length ?? 0) ? table?.get(index) : undefined;
  return typeof entry === 'object' && entry !== null && (entry as Partial<Func>).kind === 'func' ? (entry as Func) : undefined;
}

function tableOf({ exports, table }: Instance): Table | undefined {
  const named = exports.get('__indirect_function_table');
  if (named?.kind === 'table') return named;
  const tables = [...exports.values()].filter((item) => item.kind === 'table');
  return tables.length === 1 ? tables[0] : table;
}

function takesSamples({ params, results }: FuncType): boolean {
  return params.length === 3 && params.every((t) => t === I32) && (results.length === 0 || (results.length === 1 && results[0] === I32));
}

function listed(what: string, names: Iterable<string>): string {
  const all = [...names];
  return `${all.length} ${what}${all.length === 1 ? '' : 's'}${all.length ? ` (${all.join(', ')})` : ''}`;
}
