/** A guest of the wasm_bpf ABI without engine and kernel: maps in JavaScript, buffers with records put in by the test. */
import { BPF_FUNCTIONS, BpfHost, type BpfHostOptions } from '#src/host/abi.js';
import type { Backend, HostBuffer, HostMap, HostObject } from '#src/host/backend.js';
import { MapType } from '#src/uapi.js';
import { FakeGuest, funcType } from './guest.js';

export class FakeMap implements HostMap {
  readonly elements = new Map<string, Uint8Array>();
  readonly elementSize: number;
  readonly fd = { value: 100 };
  readonly records: Uint8Array[] = [];
  lost: number[] | undefined;
  lastFlags: number | undefined;

  constructor(readonly name: string, readonly type: number, readonly keySize: number, readonly valueSize: number, cpus = 1) {
    this.elementSize = cpus * valueSize;
  }

  get perCpu(): boolean { return this.elementSize !== this.valueSize; }
  get subject(): string { return `map "${this.name}"`; }
  lookup(key: Uint8Array | undefined, value: Uint8Array, flags = 0): boolean {
    this.lastFlags = flags;
    const found = this.elements.get(hex(key));
    if (found) value.set(found);
    return found !== undefined;
  }
  contains(value: Uint8Array): boolean { return [...this.elements.values()].some((v) => hex(v) === hex(value)); }
  update(key: Uint8Array | undefined, value: Uint8Array, flags = 0): void {
    this.lastFlags = flags;
    this.elements.set(hex(key), value.slice());
  }
  delete(key: Uint8Array): boolean { return this.elements.delete(hex(key)); }
  nextKey(key: Uint8Array | undefined, next: Uint8Array): boolean {
    const keys = [...this.elements.keys()];
    const found = keys[key === undefined ? 0 : keys.indexOf(hex(key)) + 1];
    if (found !== undefined) next.set(Buffer.from(found, 'hex'));
    return found !== undefined;
  }
}

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');

/** What was asked of the fake kernel, in order. */
export class FakeBackend implements Backend {
  readonly calls: string[] = [];
  failure: Error | undefined;
  readonly maps: FakeMap[] = [
    new FakeMap('counts', MapType.HASH, 4, 8), new FakeMap('cpus', MapType.PERCPU_ARRAY, 4, 8, 4), new FakeMap('events', MapType.RINGBUF, 0, 0),
    new FakeMap('perf', MapType.PERF_EVENT_ARRAY, 4, 4), new FakeMap('stack', MapType.STACK, 0, 4), new FakeMap('filter', MapType.BLOOM_FILTER, 0, 4),
    new FakeMap('outer', MapType.ARRAY_OF_MAPS, 4, 4), new FakeMap('devices', MapType.DEVMAP, 4, 8), new FakeMap('tasks', MapType.TASK_STORAGE, 4, 8),
  ];

  load(bytes: Uint8Array, name: string): HostObject {
    this.calls.push(`load ${name} ${hex(bytes)}`);
    this.#fail();
    return {
      maps: new Map(this.maps.map((m) => [m.name, m])),
      programs: new Map([['watch', {}], ['filter', {}]]),
      attach: (program, target) => {
        this.calls.push(`attach ${program} ${target ?? '-'}`);
        this.#fail();
      },
      close: () => this.calls.push('close object'),
    };
  }

  openBuffer(map: HostMap): HostBuffer {
    this.calls.push(`open ${map.name}`);
    this.#fail();
    const { records, lost } = map as FakeMap;
    const cursor = {
      data: new Uint8Array(0), offset: 0, size: 0, lost,
      next(): boolean {
        const record = records.shift();
        if (!record) return false;
        // a record never starts at the first byte of the mapping
        this.data = Uint8Array.from([0xee, 0xee, ...record]);
        this.offset = 2;
        this.size = record.length;
        return true;
      },
      release: () => void this.calls.push('release'),
      close: () => void this.calls.push(`close ${map.name}`),
    };
    return {
      cursor,
      epoll: { wait: (ms) => { this.calls.push(`wait ${ms}`); return records.length; } },
      close: () => cursor.close(),
    };
  }

  #fail(): void {
    if (this.failure) throw this.failure;
  }
}

export class BpfGuest extends FakeGuest {
  readonly backend = new FakeBackend();
  readonly host: BpfHost;
  readonly reported: string[] = [];
  readonly logged: string[] = [];

  constructor(options: Partial<BpfHostOptions> = {}) {
    super();
    this.host = new BpfHost({
      backend: this.backend, name: 'probe', report: (line) => this.reported.push(line), log: (line) => this.logged.push(line), ...options,
    });
  }

  /** Calls an ABI function under its usual type. */
  async ask(name: keyof typeof BPF_FUNCTIONS, ...args: (number | bigint)[]): Promise<number> {
    const { params, result } = BPF_FUNCTIONS[name];
    const func = this.host.provide('wasm_bpf', name, funcType(`${params}:${result}`));
    if (!func) throw new Error(`${name} is not provided`);
    const [answer] = await this.call(func, args);
    return Number(answer);
  }

  /** Loads an object of 4 bytes. */
  async load(): Promise<bigint> {
    this.put(64, Uint8Array.of(1, 2, 3, 4));
    return BigInt(await this.ask('wasm_load_bpf_object', 64, 4));
  }

  /** A NUL-terminated string at 512 or elsewhere. */
  string(text: string, at = 512): number {
    this.put(at, `${text}\0`);
    return at;
  }

  async map(object: bigint, name: string): Promise<number> {
    return this.ask('wasm_bpf_map_fd_by_name', object, this.string(name));
  }
}
