/** Random kernels for fixtures/reloc/core-program.bpf.c: its types reordered, retyped, renamed, nested, or gone. */
import { BtfBuilder, type MemberInit, random } from './btf.js';

/** Names and members of fixtures/reloc/core-program.bpf.c. */
const STRUCTS: Readonly<Record<string, readonly string[]>> = {
  inner: ['one', 'two'],
  plain: ['i', 'u', 'ul', 'us', 'uc', 'c', 'pointer', 'in', 'cv', 'new_name'],
  anon: ['before', 'a', 'b', 'whole', 'x', 'y', 'z'],
  arrays: ['fixed', 'structs', 'grid', 'n', 'tail'],
  bits: ['head', 'three', 'five', 'twenty', 'forty', 'tiny'],
  shape: ['size', 'next', 'in'],
  gone: ['it'],
};
const ENUMS: Readonly<Record<string, readonly string[]>> = {
  color: ['RED', 'GREEN', 'BLUE'], sign: ['MINUS', 'PLUS'], wide: ['SMALL', 'HUGE'], lost: ['NOWHERE'],
};

/** BTF with what core-program asks for, in every shape. */
export function randomTypes(seed: number): Uint8Array {
  const below = random(seed);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)];
  const chance = (percent: number): boolean => below(100) < percent;
  const b = new BtfBuilder();
  const ints = [1, 2, 4, 8].flatMap((size) => [b.int(`u${size}`, size), b.int(`s${size}`, size, { signed: true })]);
  ints.push(b.int('char', 1, { signed: true, char: true }), b.int('_Bool', 1, { bool: true }), b.int('unsigned int', 4), b.int('int', 4, { signed: true }), b.int('long unsigned int', 8));
  const others = [b.ptr(0), b.float('double', 8), b.fwd('inner'), b.enum('kind', { A: 1 }), b.enum64('big_kind', { B: -1n }), b.union('either', 8, [{ name: 'l', type: ints[6], at: 0 }])];
  const sizes = new Map<number, number>();
  const sizeOf = (type: number): number => sizes.get(type) ?? 8;
  const array = (type: number): number => {
    const count = below(6);
    const id = b.array(type, count);
    sizes.set(id, count * sizeOf(type));
    return id;
  };
  const typeFor = (depth: number): number => {
    let type = chance(75) ? pick(ints) : pick(others);
    if (chance(15)) type = array(chance(30) ? array(type) : type);
    if (chance(10)) type = pick([() => b.const(type), () => b.volatile(type), () => b.typedef('some_t', type), () => b.typeTag('tag', type), () => b.ptr(type)])();
    return depth < 2 && chance(5) ? composite('', [], depth + 1) : type;
  };
  /** members in random order, some left out, some within anonymous types */
  const composite = (name: string, names: readonly string[], depth = 0): number => {
    const left = names.filter(() => chance(85)).sort(() => below(3) - 1);
    const bitfields = chance(name === 'bits' ? 80 : 10);
    const members: MemberInit[] = [];
    let at = 0;
    while (left.length > 0) {
      if (depth < 3 && chance(15)) {
        const inner = composite('', left.splice(0, 1 + below(3)), depth + 1);
        members.push({ type: inner, at });
        at += sizeOf(inner) * 8;
        continue;
      }
      const member = left.shift()!;
      if (bitfields && chance(70)) {
        const bits = 1 + below(20);
        members.push({ name: member, type: pick(ints), at, bits });
        at += bits;
        continue;
      }
      const arrays = ['fixed', 'structs', 'grid', 'tail'].includes(member) && chance(90);
      const type = arrays ? array(member === 'grid' ? array(pick(ints)) : ['structs', 'tail'].includes(member) ? structs[0] ?? ints[0] : pick(ints))
        : member === 'in' && chance(80) ? structs[0] ?? ints[0] : typeFor(depth);
      at = Math.ceil(at / 32) * 32;
      members.push({ name: member, type, at });
      at += sizeOf(type) * 8;
    }
    const size = Math.ceil(at / 64) * 8;
    const id = chance(80) ? b.struct(name, size, members) : b.union(name, size, bitfields ? members : members.map((m) => ({ ...m, at: 0 })));
    sizes.set(id, size);
    return id;
  };
  const structs: number[] = [];
  const flavoured = (name: string): string => chance(20) ? `${name}___${pick(['v2', 'old', 'x'])}` : name;
  for (const [name, members] of Object.entries(STRUCTS)) {
    for (let copies = chance(90) ? 1 + below(20) % 3 % 2 : 0; copies > 0; copies--) structs.push(composite(flavoured(name), members));
  }
  for (const [name, values] of Object.entries(ENUMS)) {
    const chosen = values.filter(() => chance(85)).map((value) => flavoured(value));
    if (chance(50)) b.enum(flavoured(name), Object.fromEntries(chosen.map((value) => [value, below(2 ** 31) * (chance(30) ? -1 : 1)])), { signed: chance(50) });
    else b.enum64(flavoured(name), Object.fromEntries(chosen.map((value) => [value, BigInt(below(2 ** 31)) << BigInt(below(33))])), { signed: chance(50), size: chance(80) ? 8 : 4 });
  }
  const proto = b.funcProto(pick(ints), Array.from({ length: below(4) }, () => ({ type: chance(50) ? b.ptr(structs[0] ?? 0) : pick(ints) })));
  b.typedef('callback_t', b.ptr(proto));
  b.typedef('inner_t', chance(70) ? structs[0] ?? ints[0] : pick(others));
  b.typedef('number_t', typeFor(0));
  b.typedef('name_t', array(pick(ints)));
  return b.build();
}
