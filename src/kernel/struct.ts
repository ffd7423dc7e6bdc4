/**
 * C structs as declared data: field names and types in, offsets by C's rules of natural alignment out, with a writer and a
 * reader over a DataView. Little-endian only, like every machine this project runs on. No bit fields, no nesting.
 */

export interface FieldType<V> {
  /** bytes */
  readonly size: number;
  readonly align: number;
  write(view: DataView, at: number, value: V): void;
  read(view: DataView, at: number): V;
}

export const u8: FieldType<number> = {
  size: 1, align: 1, write: (view, at, value) => view.setUint8(at, value), read: (view, at) => view.getUint8(at),
};
export const u16: FieldType<number> = {
  size: 2, align: 2, write: (view, at, value) => view.setUint16(at, value, true), read: (view, at) => view.getUint16(at, true),
};
export const u32: FieldType<number> = {
  size: 4, align: 4, write: (view, at, value) => view.setUint32(at, value, true), read: (view, at) => view.getUint32(at, true),
};
export const i32: FieldType<number> = {
  size: 4, align: 4, write: (view, at, value) => view.setInt32(at, value, true), read: (view, at) => view.getInt32(at, true),
};
/** Full 64 bits: always a bigint. */
export const u64: FieldType<bigint> = {
  size: 8, align: 8, write: (view, at, value) => view.setBigUint64(at, BigInt.asUintN(64, value), true), read: (view, at) => view.getBigUint64(at, true),
};
const HIGH = 2 ** 32;
/** 64 bits that hold an address or a size: always a number, below 2^53. */
export const ptr: FieldType<number> = {
  size: 8, align: 8,
  write(view, at, value) {
    view.setUint32(at, value, true);
    view.setUint32(at + 4, value / HIGH, true);
  },
  read: (view, at) => view.getUint32(at, true) + view.getUint32(at + 4, true) * HIGH,
};
/** A name in `size` bytes, cut so that a NUL always ends it. */
export function chars(size: number): FieldType<string> {
  return {
    size, align: 1,
    write(view, at, value) {
      const room = new Uint8Array(view.buffer, view.byteOffset + at, size);
      room.fill(0);
      utf8.encodeInto(value, room.subarray(0, size - 1));
    },
    read(view, at) {
      const room = new Uint8Array(view.buffer, view.byteOffset + at, size);
      const end = room.indexOf(0);
      return decoder.decode(room.subarray(0, end < 0 ? size : end));
    },
  };
}
/** Raw bytes; reading copies. */
export function bytes(size: number, align = 1): FieldType<Uint8Array> {
  return {
    size, align,
    write: (view, at, value) => new Uint8Array(view.buffer, view.byteOffset + at, size).set(value.subarray(0, size)),
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
  };
}

const utf8 = new TextEncoder();
const decoder = new TextDecoder();

export type Fields = Readonly<Record<string, FieldType<never> | FieldType<number> | FieldType<bigint> | FieldType<string> | FieldType<Uint8Array>>>;
type ValueOf<T> = T extends FieldType<infer V> ? V : never;
/** All fields of a layout, as read. */
export type Values<F> = { -readonly [K in keyof F]: ValueOf<F[K]> };

export interface Struct<F extends Fields> {
  /** the C name, as tests look it up in BTF */
  readonly name: string;
  /** bytes, tail padding included */
  readonly size: number;
  readonly offsets: { readonly [K in keyof F]: number };
  readonly sizes: { readonly [K in keyof F]: number };
  /** Writes the given fields at `at`; the others stay as they are (the arena hands out zeros). */
  write(view: DataView, at: number, values: Partial<Values<F>>): void;
  read(view: DataView, at: number): Values<F>;
}

/** Declares a layout; the order of the fields is their order in memory. */
export function struct<F extends Fields>(name: string, fields: F): Struct<F> {
  const offsets: Record<string, number> = {};
  const sizes: Record<string, number> = {};
  const list = Object.entries(fields) as [string, FieldType<unknown>][];
  let end = 0;
  let alignment = 1;
  for (const [key, type] of list) {
    end = Math.ceil(end / type.align) * type.align;
    offsets[key] = end;
    sizes[key] = type.size;
    end += type.size;
    alignment = Math.max(alignment, type.align);
  }
  return {
    name,
    size: Math.ceil(end / alignment) * alignment,
    offsets: offsets as Struct<F>['offsets'],
    sizes: sizes as Struct<F>['sizes'],
    write(view, at, values) {
      for (const key in values) {
        const value = values[key];
        if (value !== undefined) (fields[key] as FieldType<unknown>).write(view, at + offsets[key], value);
      }
    },
    read(view, at) {
      const values: Record<string, unknown> = {};
      for (const [key, type] of list) values[key] = type.read(view, at + offsets[key]);
      return values as Values<F>;
    },
  };
}
