/**
 * A WASI guest: calls functions by name, collects what it prints. Without an engine, or on one, through a module that hands each
 * call on.
 */
import type { Engine, Func, Instance } from '#src/interp/engine.js';
import { Errno, WASI_FUNCTIONS, type ErrnoName, type WasiFunction } from '#src/wasi/abi.js';
import { Wasi, type WasiOptions } from '#src/wasi/wasi.js';
import { FakeGuest, funcType } from './guest.js';
import { ENGINES } from '../interp/engines.js';
import { assert } from './suite.js';
import { assemble } from './wasm.js';

export class WasiGuest extends FakeGuest {
  readonly wasi: Wasi;
  out = '';
  err = '';

  readonly #instance: Instance | undefined;

  constructor(options: WasiOptions = {}, readonly module_ = 'wasi_snapshot_preview1', engine?: Engine) {
    super();
    this.wasi = new Wasi({
      stdin: new Uint8Array(0),
      stdout: (bytes) => (this.out += new TextDecoder().decode(bytes)),
      stderr: (bytes) => (this.err += new TextDecoder().decode(bytes)),
      blocks: engine?.suspends === false,
      ...options,
    });
    if (!engine) return;
    this.#instance = engine.instantiate(engine.compile(forwarder(module_)), (from, item, type) => type.kind === 'func' ? this.wasi.provide(from, item, type.type) : undefined);
    this.memory = this.#instance.memory!;
  }

  /** The name of the errno that the function returns. */
  async ask(name: WasiFunction, ...args: (number | bigint)[]): Promise<ErrnoName> {
    if (this.#instance) {
      const [errno] = await this.#instance.call(this.#instance.exports.get(name) as Func, args);
      return ERRNO_NAMES.get(errno as number) ?? (`${errno as number}` as ErrnoName);
    }
    const type = funcType(`${WASI_FUNCTIONS[name]}:${name === 'proc_exit' ? '' : 'i'}`);
    const func = this.wasi.provide(this.module_, name, type);
    if (!func) throw new Error(`${name} is not provided`);
    const [errno] = await this.call(func, args);
    return ERRNO_NAMES.get(errno as number) ?? (`${errno as number}` as ErrnoName);
  }

  /** Asserts success. */
  async do(name: WasiFunction, ...args: (number | bigint)[]): Promise<void> {
    assert.is(await this.ask(name, ...args), 'SUCCESS', `${name} fails`);
  }

  /** One vector at 8 for `length` bytes at `pointer`. */
  vector(pointer: number, length: number): [number, number] {
    this.setU32(8, pointer, length);
    return [8, 1];
  }

  /** path_open with the path at 1024; the descriptor, or the errno's name. */
  async open(path: string, { folder = 3, follow = true, oflags = 0, rights = 0x42n, fdflags = 0 } = {}): Promise<number | ErrnoName> {
    const length = this.put(1024, path);
    const errno = await this.ask('path_open', folder, follow ? 1 : 0, 1024, length, oflags, rights, 0n, fdflags, 16);
    return errno === 'SUCCESS' ? this.u32(16) : errno;
  }

  async write(fd: number, text: string): Promise<ErrnoName> {
    const length = this.put(2048, text);
    return this.ask('fd_write', fd, ...this.vector(2048, length), 0);
  }

  async read(fd: number, size = 4096): Promise<string> {
    await this.do('fd_read', fd, ...this.vector(4096, size), 0);
    return this.text(4096, this.u32(0));
  }
}

const ERRNO_NAMES = new Map(Object.entries(Errno).map(([name, number]) => [number as number, name as ErrnoName]));

/** A module with every function of WASI as an export that calls the import of the same name. */
function forwarder(module: string): Uint8Array {
  const all = Object.entries(WASI_FUNCTIONS).map(([name, letters]) => ({ module, name, type: `${letters.replaceAll('I', 'l')}:${name === 'proc_exit' ? '' : 'i'}` }));
  return assemble({
    imports: all, memory: { min: 1 },
    funcs: all.map(({ name, type }, index) => ({ type, export: name, body: [...Array.from({ length: type.indexOf(':') }, (_, i): ['local.get', number] => ['local.get', i]), ['call', index]] })),
  });
}

/** What the tests of WASI run on: its name, a guest, and whether waiting leaves the event loop its turns. */
export const WASI_GUESTS: readonly { readonly on: string; readonly WasiGuest: new (options?: WasiOptions, module?: string) => WasiGuest; readonly suspends: boolean }[] = [
  { on: 'without an engine', WasiGuest, suspends: true },
  ...ENGINES.map(({ engine }) => ({ on: `on ${engine.name}`, WasiGuest: class extends WasiGuest { constructor(options?: WasiOptions, module?: string) { super(options, module, engine); } }, suspends: engine.suspends })),
];
