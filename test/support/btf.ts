/**
 * Makes BTF blobs for tests, type by type. Writes what it is told, sense or nonsense; `raw` writes any record.
 * Every method returns the new type's id.
 */
export interface MemberInit { readonly name?: string; readonly type: number; /** bits */ readonly at: number; /** bits; makes the struct one with bitfields */ readonly bits?: number }

const KIND = {
  int: 1, ptr: 2, array: 3, struct: 4, union: 5, enum: 6, fwd: 7, typedef: 8, volatile: 9, const: 10, restrict: 11, func: 12,
  func_proto: 13, var: 14, datasec: 15, float: 16, decl_tag: 17, type_tag: 18, enum64: 19,
} as const;

export class BtfBuilder {
  readonly #words: number[] = [];
  readonly #strings = new Map<string, number>();
  #stringBytes: number[];
  readonly #firstString: number;
  #next: number;

  /** @param base what a split BTF continues: its number of ids and of bytes of strings */
  constructor(base?: { readonly length: number; readonly stringBytes: number }) {
    this.#next = base?.length ?? 1;
    this.#firstString = base?.stringBytes ?? 0;
    this.#stringBytes = base === undefined ? [0] : [];
    this.#strings.set('', 0);
  }

  /** ids so far, 0 included: what a split BTF goes on from */
  get length(): number { return this.#next; }
  get stringBytes(): number { return this.#firstString + this.#stringBytes.length; }

  string(text: string): number {
    let offset = this.#strings.get(text);
    if (offset === undefined) {
      offset = this.stringBytes;
      this.#strings.set(text, offset);
      this.#stringBytes.push(...Buffer.from(text), 0);
    }
    return offset;
  }

  raw(nameOffset: number, info: number, sizeOrType: number, ...rest: number[]): number {
    this.#words.push(nameOffset, info, sizeOrType, ...rest);
    return this.#next++;
  }

  #add(kind: keyof typeof KIND, name: string, sizeOrType: number, vlen = 0, flag = false, rest: number[] = []): number {
    return this.raw(this.string(name), ((flag ? 0x80000000 : 0) | (KIND[kind] << 24) | vlen) >>> 0, sizeOrType, ...rest);
  }

  int(name: string, size: number, { signed = false, char = false, bool = false, offset = 0, bits = size * 8 } = {}): number {
    return this.#add('int', name, size, 0, false, [(((signed ? 1 : 0) | (char ? 2 : 0) | (bool ? 4 : 0)) << 24) | (offset << 16) | bits]);
  }
  ptr(type: number): number { return this.#add('ptr', '', type); }
  array(type: number, nelems: number, indexType = type): number { return this.#add('array', '', 0, 0, false, [type, indexType, nelems]); }
  struct(name: string, size: number, members: readonly MemberInit[]): number { return this.#composite('struct', name, size, members); }
  union(name: string, size: number, members: readonly MemberInit[]): number { return this.#composite('union', name, size, members); }
  #composite(kind: 'struct' | 'union', name: string, size: number, members: readonly MemberInit[]): number {
    const flag = members.some((m) => m.bits !== undefined);
    return this.#add(kind, name, size, members.length, flag,
      members.flatMap((m) => [this.string(m.name ?? ''), m.type, flag ? ((m.bits ?? 0) << 24) | m.at : m.at]));
  }
  enum(name: string, values: Readonly<Record<string, number>>, { size = 4, signed = Object.values(values).some((v) => v < 0) } = {}): number {
    const list = Object.entries(values);
    return this.#add('enum', name, size, list.length, signed, list.flatMap(([key, value]) => [this.string(key), value]));
  }
  enum64(name: string, values: Readonly<Record<string, bigint>>, { size = 8, signed = Object.values(values).some((v) => v < 0n) } = {}): number {
    const list = Object.entries(values);
    return this.#add('enum64', name, size, list.length, signed,
      list.flatMap(([key, value]) => [this.string(key), Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn)]));
  }
  fwd(name: string, { union = false } = {}): number { return this.#add('fwd', name, 0, 0, union); }
  typedef(name: string, type: number): number { return this.#add('typedef', name, type); }
  volatile(type: number): number { return this.#add('volatile', '', type); }
  const(type: number): number { return this.#add('const', '', type); }
  restrict(type: number): number { return this.#add('restrict', '', type); }
  typeTag(name: string, type: number): number { return this.#add('type_tag', name, type); }
  declTag(name: string, type: number, component = -1): number { return this.#add('decl_tag', name, type, 0, false, [component]); }
  func(name: string, proto: number, linkage = 1): number { return this.#add('func', name, proto, linkage); }
  funcProto(result: number, params: readonly { readonly name?: string; readonly type: number }[] = []): number {
    return this.#add('func_proto', '', result, params.length, false, params.flatMap((p) => [this.string(p.name ?? ''), p.type]));
  }
  var(name: string, type: number, linkage = 1): number { return this.#add('var', name, type, 0, false, [linkage]); }
  datasec(name: string, size: number, vars: readonly { readonly type: number; readonly offset: number; readonly size: number }[]): number {
    return this.#add('datasec', name, size, vars.length, false, vars.flatMap((v) => [v.type, v.offset, v.size]));
  }
  float(name: string, size: number): number { return this.#add('float', name, size); }

  build(): Uint8Array {
    const types = this.#words.length * 4;
    const bytes = new Uint8Array(24 + types + this.#stringBytes.length);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 0xeb9f, true);
    view.setUint8(2, 1);
    [24, 0, types, types, this.#stringBytes.length].forEach((word, i) => view.setUint32(4 + 4 * i, word, true));
    this.#words.forEach((word, i) => view.setUint32(24 + 4 * i, word, true));
    bytes.set(this.#stringBytes, 24 + types);
    return bytes;
  }
}

/** A reproducible stream of numbers for mutations (mulberry32). */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
