/** Puts modules together byte by byte, for tests of the decoder and the validator. */

export type Bytes = readonly (number | Bytes)[];

const flat = (bytes: Bytes): number[] => bytes.flat(Infinity as 1) as number[];

/** An unsigned LEB128 integer. */
export function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return out;
}

/** A vector: the count, then the items. */
export const vec = (items: readonly Bytes[]): Bytes => [leb(items.length), ...items];
export const name = (text: string): Bytes => {
  const bytes = [...new TextEncoder().encode(text)];
  return [leb(bytes.length), bytes];
};
export const section = (id: number, ...content: Bytes): Bytes => {
  const bytes = flat(content);
  return [id, leb(bytes.length), bytes];
};
export const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
export const module = (...sections: Bytes): Uint8Array => Uint8Array.from(flat([HEADER, ...sections]));

export const funcType = (params: number[], results: number[]): Bytes => [0x60, vec(params.map((t) => [t])), vec(results.map((t) => [t]))];
/** A body with its size; `locals` are [count, type] groups. The final `end` is added. */
export const body = (code: Bytes, locals: readonly (readonly [number, number])[] = []): Bytes => {
  const bytes = flat([vec(locals.map(([count, type]) => [leb(count), type])), code, 0x0b]);
  return [leb(bytes.length), bytes];
};
/** A module of one function (type 0), with one memory page where `memory`. */
export const func = (params: number[], results: number[], code: Bytes, options: { memory?: boolean; locals?: [number, number][] } = {}): Uint8Array =>
  module(
    section(1, vec([funcType(params, results)])), section(3, vec([[0]])),
    ...options.memory ? [section(5, vec([[0x00, 0x01]]))] : [],
    section(10, vec([body(code, options.locals ?? [])])),
  );
