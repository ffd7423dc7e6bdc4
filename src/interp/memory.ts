/**
 * A linear memory (specification chapter 4.2.8). Its DataView is always exactly as long as the memory, so that an access
 * outside throws a RangeError, which is the trap. Growing keeps spare room behind the view and moves only when that is used up.
 */
import type { Memory } from './engine.js';
import type { MemoryType } from './types.js';

export const PAGE = 65536;
/** the address space of 32 bits */
export const MAX_PAGES = 65536;
/** an address in the last page would not be told from one beyond 2^32 */
const MAX_PAGES_64 = MAX_PAGES - 1;

export class WasmMemory implements Memory {
  readonly kind = 'memory';
  readonly type: MemoryType;
  #buffer: ArrayBuffer;
  #view: DataView;
  #bytes: Uint8Array | undefined;
  readonly #limit: number;
  readonly #room: () => number;
  /** where compiled code finds the view, whatever grows the memory */
  #cell: Record<string, DataView> = {};
  #name = 'v';

  /**
   * @param type limits in pages of 64 KiB
   * @param limit pages beyond which `grow` fails, whatever the type allows
   * @param others pages that count against the limit besides its own
   * @throws RangeError where the host has not as much memory
   */
  constructor(type: MemoryType, limit = MAX_PAGES, others = () => 0) {
    this.type = type;
    this.#limit = Math.min(type.limits.max ?? MAX_PAGES, type.is64 ? MAX_PAGES_64 : MAX_PAGES);
    this.#room = () => limit - others();
    this.#buffer = new ArrayBuffer(type.limits.min * PAGE);
    this.#view = new DataView(this.#buffer);
    this.#cell[this.#name] = this.#view;
  }

  get size(): number {
    return this.#view.byteLength;
  }

  get pages(): number {
    return this.#view.byteLength / PAGE;
  }

  get view(): DataView {
    return this.#view;
  }

  /** What always has the view at `v`, unless it is shown elsewhere. */
  get cell(): Readonly<Record<string, DataView>> {
    return this.#cell;
  }

  /** Has the view also after growing at `cell[name]`. */
  show(cell: Record<string, DataView>, name: string): void {
    this.#cell = cell;
    this.#name = name;
    cell[name] = this.#view;
  }

  get bytes(): Uint8Array {
    return this.#bytes ??= new Uint8Array(this.#buffer, 0, this.#view.byteLength);
  }

  grow(pages: number): number {
    const before = this.pages;
    const after = before + pages;
    if (!(pages >= 0) || after > this.#limit || after > this.#room()) return -1;
    if (pages === 0) return before;
    const size = after * PAGE;
    if (size > this.#buffer.byteLength) {
      const buffer = allocate(Math.min(Math.max(size, 2 * this.#buffer.byteLength), Math.min(this.#limit, this.#room()) * PAGE)) ?? allocate(size);
      if (!buffer) return -1;
      new Uint8Array(buffer).set(this.bytes);
      this.#buffer = buffer;
    }
    this.#view = new DataView(this.#buffer, 0, size);
    this.#cell[this.#name] = this.#view;
    this.#bytes = undefined;
    return before;
  }
}

function allocate(size: number): ArrayBuffer | undefined {
  try {
    return new ArrayBuffer(size);
  } catch {
    return undefined;
  }
}
