/**
 * A snapshot as bytes, and back. Little-endian; counts, indices and sizes are u32. Reading checks the form only: whether it fits a
 * module is for snapshot-restore.ts to say.
 *
 *   'wasmsnap'  u32 version  u32 module size  2 × u32 module hash  f64 steps
 *   memories    [ u32 pages  [ u32 at, bytes ] ]             [ ] is a count and so many items, bytes a size and so many bytes
 *   tables      [ [ ref ] ]
 *   globals     [ value ]
 *   elems       [ u8 there, where it is 1: [ ref ] ]
 *   datas       [ u8 there ]
 *   objects     [ u8 kind  u32 type  u8 form, 0: [ value ], 1: bytes ]
 *   frames      [ u32 func  u32 offset  [ value ]  [ value ] ]
 *
 *   value       u8 tag, and    0 null                 4 i31, i32            8 number of the host, f64
 *                              1 i32                  5 object, u32         9 bigint of the host, as text
 *                              2 i64                  6 name of the host's
 *                              3 sixteen bytes        7 function, u32
 */
import { Reader } from '../bytes.js';
import { SnapshotError } from '../errors.js';
import { SNAPSHOT_VERSION, type SavedFrame, type SavedMemory, type SavedObject, type SavedRef, type SavedValue, type Snapshot } from './snapshot.js';

const MAGIC = new TextEncoder().encode('wasmsnap');
const KINDS = ['struct', 'array', 'exception'] as const;
const NULL = 0, WORD = 1, LONG = 2, VECTOR = 3, I31 = 4, OBJECT = 5, NAME = 6, FUNC = 7, NUMBER = 8, BIGINT = 9;

/** The same snapshot gives the same bytes. */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  return new Writer().snapshot(snapshot);
}

/** @throws SnapshotError */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  return new SnapshotReader(bytes).snapshot();
}

class Writer {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #n = 0;

  snapshot({ version, module, steps, memories, tables, globals, elems, datas, objects, frames }: Snapshot): Uint8Array {
    this.#raw(MAGIC);
    for (const word of [version, module.size, ...module.hash]) this.#u32(word);
    this.#f64(steps);
    this.#list(memories, ({ pages, parts }) => {
      this.#u32(pages);
      this.#list(parts, ({ at, bytes }) => {
        this.#u32(at);
        this.#sized(bytes);
      });
    });
    const refs = (list: readonly SavedRef[]) => this.#list(list, (ref) => this.#value(ref));
    const values = (list: readonly SavedValue[]) => this.#list(list, (value) => this.#value(value));
    this.#list(tables, refs);
    values(globals);
    this.#list(elems, (list) => {
      this.#u8(list ? 1 : 0);
      if (list) refs(list);
    });
    this.#list(datas, (there) => this.#u8(there ? 1 : 0));
    this.#list(objects, (object) => {
      this.#u8(KINDS.indexOf(object.kind));
      this.#u32(object.type);
      this.#u8(object.values instanceof Uint8Array ? 1 : 0);
      if (object.values instanceof Uint8Array) this.#sized(object.values);
      else values(object.values);
    });
    this.#list(frames, ({ func, offset, locals, operands }) => {
      this.#u32(func);
      this.#u32(offset);
      values(locals);
      values(operands);
    });
    return this.#bytes.slice(0, this.#n);
  }

  #value(value: SavedValue): void {
    if (value === null) {
      this.#u8(NULL);
    } else if (typeof value === 'number') {
      this.#u8(WORD);
      this.#u32(value);
    } else if (typeof value === 'bigint') {
      this.#u8(LONG);
      // the view may be another one once there is room
      const at = this.#room(8);
      this.#view.setBigInt64(at, value, true);
    } else if (value instanceof Uint8Array) {
      this.#u8(VECTOR);
      this.#raw(value);
    } else if (value.kind === 'host') {
      this.#text(NAME, value.value);
    } else if (value.kind !== 'number') {
      this.#u8(value.kind === 'i31' ? I31 : value.kind === 'object' ? OBJECT : FUNC);
      this.#u32(value.value);
    } else if (typeof value.value === 'bigint') {
      this.#text(BIGINT, String(value.value));
    } else {
      this.#u8(NUMBER);
      this.#f64(value.value);
    }
  }

  #list<T>(items: readonly T[], write: (item: T) => void): void {
    this.#u32(items.length);
    for (const item of items) write(item);
  }

  #text(tag: number, text: string): void {
    this.#u8(tag);
    this.#sized(new TextEncoder().encode(text));
  }

  #sized(bytes: Uint8Array): void {
    this.#u32(bytes.length);
    this.#raw(bytes);
  }

  #raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  #u8(value: number): void {
    const at = this.#room(1);
    this.#bytes[at] = value;
  }

  #u32(value: number): void {
    const at = this.#room(4);
    this.#view.setInt32(at, value, true);
  }

  #f64(value: number): void {
    const at = this.#room(8);
    this.#view.setFloat64(at, value, true);
  }

  /** @returns where the next `n` bytes go */
  #room(n: number): number {
    const at = this.#n;
    this.#n = at + n;
    if (this.#n > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#n));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

class SnapshotReader {
  readonly #from: Reader;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#from = new Reader(bytes, (reason, offset) => new SnapshotError(reason, offset));
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  snapshot(): Snapshot {
    const from = this.#from;
    if (!from.take(MAGIC.length).every((byte, i) => byte === MAGIC[i])) throw new SnapshotError('not a snapshot', 0);
    const version = from.u32();
    if (version !== SNAPSHOT_VERSION) throw new SnapshotError(`version ${version}, this is ${SNAPSHOT_VERSION}`, MAGIC.length);
    const module = { size: from.u32(), hash: [from.u32(), from.u32()] as const };
    const steps = this.#f64();
    const memories = this.#list(8, (): SavedMemory => ({ pages: from.u32(), parts: this.#list(8, () => ({ at: from.u32(), bytes: this.#sized() })) }));
    const tables = this.#list(4, () => this.#list(1, () => this.#ref()));
    const globals = this.#values();
    const elems = this.#list(1, () => this.#flag() ? this.#list(1, () => this.#ref()) : undefined);
    const datas = this.#list(1, () => this.#flag());
    const objects = this.#list(10, (): SavedObject => {
      const kind = KINDS[from.u8()] ?? this.#fail('unknown kind of object');
      return { kind, type: from.u32(), values: this.#flag() ? this.#sized() : this.#values() };
    });
    const frames = this.#list(16, (): SavedFrame => ({ func: from.u32(), offset: from.u32(), locals: this.#values(), operands: this.#values() }));
    if (from.left > 0) this.#fail(`${from.left} bytes too many`);
    return { version, module, steps, frames, memories, tables, globals, elems, datas, objects };
  }

  /** @param least bytes that an item takes: a count that is larger than the rest of the bytes is wrong at once */
  #list<T>(least: number, read: () => T): T[] {
    const n = this.#from.u32();
    if (n * least > this.#from.left) this.#fail(`${n} items in ${this.#from.left} bytes`);
    const items: T[] = [];
    for (let i = 0; i < n; i++) items.push(read());
    return items;
  }

  #values(): SavedValue[] {
    return this.#list(1, () => this.#value());
  }

  #ref(): SavedRef {
    const value = this.#value();
    if (typeof value === 'number' || typeof value === 'bigint' || value instanceof Uint8Array) return this.#fail('a number where a reference is wanted');
    return value;
  }

  #value(): SavedValue {
    const from = this.#from;
    const tag = from.u8();
    switch (tag) {
      case NULL: return null;
      case WORD: return from.i32();
      case LONG: return from.i64();
      case VECTOR: return from.take(16).slice();
      case I31: return { kind: 'i31', value: from.i32() };
      case OBJECT: return { kind: 'object', value: from.u32() };
      case NAME: return { kind: 'host', value: this.#text() };
      case FUNC: return { kind: 'func', value: from.u32() };
      case NUMBER: return { kind: 'number', value: this.#f64() };
      case BIGINT: {
        const text = this.#text();
        return { kind: 'number', value: /^-?\d{1,400}$/.test(text) ? BigInt(text) : this.#fail('not a number') };
      }
      default: return this.#fail(`unknown tag ${tag}`);
    }
  }

  #flag(): boolean {
    const flag = this.#from.u8();
    return flag < 2 ? flag === 1 : this.#fail(`${flag} where 0 or 1 is wanted`);
  }

  #f64(): number {
    const { pos } = this.#from;
    this.#from.take(8);
    return this.#view.getFloat64(pos, true);
  }

  #sized(): Uint8Array {
    return this.#from.take(this.#from.u32());
  }

  #text(): string {
    return new TextDecoder().decode(this.#sized());
  }

  #fail(reason: string): never {
    throw new SnapshotError(reason, this.#from.offset);
  }
}
