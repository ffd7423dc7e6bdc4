/** Random modules: signatures, tables, segments, globals, and functions whose bodies body.ts makes. */
import type { Feature } from '#src/interp/opcodes.js';
import { leb } from '../interp/wasm.js';
import { BodyMaker, constant, op, zero, type Surroundings } from './body.js';
import { instructionsFor, type Instructions } from './instructions.js';
import { Random } from './random.js';
import { GC_LETTERS, type FuncTree, type Letter, type ModuleTree, type Table } from './tree.js';

/** Host functions that every module imports: all types there and back, and several results. */
const HOST = [{ name: 'note', type: 'i:' }, { name: 'mix', type: 'il:l' }, { name: 'float', type: 'fd:d' }, { name: 'give', type: ':e' }, { name: 'pair', type: 'e:if' }];
const PAGE = 65536;

/** by what they are without */
const known = new WeakMap<ReadonlySet<Feature>, Map<string, Instructions>>();
function instructionsWithout(features: ReadonlySet<Feature>, without: readonly Feature[]): Instructions {
  const sets = known.get(features) ?? new Map<string, Instructions>();
  known.set(features, sets);
  const made = sets.get(without.join()) ?? instructionsFor(new Set([...features].filter((feature) => !without.includes(feature))));
  sets.set(without.join(), made);
  return made;
}

/** The same module for the same seed and features. */
export function generate(seed: number, features: ReadonlySet<Feature>): ModuleTree {
  const random = new Random(seed);
  const vectors = features.has('simd') && random.once(3);
  const instructions = instructionsWithout(features, [...vectors ? [] : ['simd'] as const, ...random.once(4) ? [] : ['threads'] as const]);
  const legacy = features.has('legacy-exceptions') && (!features.has('exceptions') || random.once(2));
  const throws = (legacy || features.has('exceptions')) && random.once(2);
  const gc = features.has('gc') && random.once(2);
  const letters: Letter[] = [...'iiillfdFD' as Iterable<Letter>, ...vectors ? ['v', 'v', 'v'] as const : [], ...random.once(2) ? ['r', 'e'] as const : [], ...throws && !legacy ? ['x'] as const : [], ...gc ? GC_LETTERS : []];
  const some = (most: number, from: readonly Letter[]) => Array.from({ length: random.below(most + 1) }, () => random.pick(from)).join('');
  /** what a signature may have: the bits of a float that goes through a call are not known to be determined */
  const passing = letters.filter((letter) => !'FDx'.includes(letter));

  const types = Array.from({ length: 2 + random.below(6) }, () => `${some(random.once(5) ? 7 : 3, passing)}:${random.once(3) ? some(4, passing) : random.pick(passing)}`);
  // a type twice, for call_indirect
  types.push(random.pick(types));
  const start = random.once(6) ? HOST.length + types.length : undefined;
  if (start !== undefined) types.push(':');
  const callees = [...HOST, ...types.map((type) => ({ type }))].map(({ type }, index) => ({ type, index }));

  const max = random.once(8) ? undefined : 1 + random.below(5);
  const memory = { min: Math.min(max ?? 2, 1 + random.below(2)), max, is64: features.has('memory64') && random.once(8) };
  const memories = features.has('multi-memory') && random.once(3) ? 2 : 1;
  const tables: Table[] = [{ elem: 'r', min: 8, max: 12 }, { elem: 'e', min: 4, max: 8 }, ...random.once(2) ? [{ elem: 'r', min: 4, max: 20 } as const] : []];
  const entry = () => random.once(6) ? null : random.below(callees.length);
  const slots = Array.from({ length: 8 }, (_, i) => i === 7 ? null : i < 2 ? HOST.length : entry());
  const elems = [
    { at: 0, table: 0, funcs: slots },
    { at: undefined, table: 0, funcs: Array.from({ length: random.below(5) }, entry) },
    { at: undefined, table: 1, funcs: [null, null] },
    // one that does not fit traps at once
    ...random.once(30) ? [{ at: 7, table: 0, funcs: [null, 0] }] : [],
  ];
  const bytes = (most: number) => Array.from({ length: random.below(most + 1) }, () => random.below(256));
  const datas = [
    { at: random.below(64), bytes: bytes(64) }, { at: undefined, bytes: bytes(12) },
    ...random.once(30) ? [{ at: memory.min * PAGE - 2, bytes: bytes(4) }] : [],
  ];
  const globals = [
    { type: 'i' as Letter, mutable: true, init: zero('i') }, { type: 'l' as Letter, mutable: true, init: zero('l') },
    ...Array.from({ length: 2 + random.below(6) }, () => {
      const type = random.pick(letters);
      return { type, mutable: !random.once(4), init: type === 'r' && random.once(2) ? op('ref.func', [], 'r', leb(random.below(callees.length))) : constant(random, type) };
    }),
  ];
  const tags = throws ? Array.from({ length: 1 + random.below(3) }, () => some(3, passing)) : [];
  const around: Surroundings = {
    instructions, letters, callees, globals, slots, tables: tables.map(({ elem }) => elem), memoryBytes: memory.min * PAGE, memories, is64: memory.is64, grows: max !== undefined,
    datas: datas.length, elems: elems.map(({ table }) => table), tailCalls: features.has('tail-call') && random.once(2), funcRefs: features.has('function-references') && features.has('gc') && random.once(2), gc, tags, legacy,
  };
  const funcs = types.map((type): FuncTree => new BodyMaker(random, around, type, 40 + random.below(random.once(4) ? 900 : 250)).make(!/[vsab]/.test(type)));
  if (random.once(25)) funcs.push(endless(HOST.length + funcs.length));
  return { imports: HOST, funcs, memory, memories, gc, tables, globals, tags, elems, datas, start };
}

/** Calls itself until the stack is used up. Nothing else is seen of it. */
function endless(index: number): FuncTree {
  const more = op('call', [op('i32.add', [op('local.get', [], 'i', 0), op('i32.const', [], 'i', 1)], 'i')], 'i', leb(index));
  return { type: 'i:i', locals: '', label: { hint: 'function' }, body: [op('i32.add', [more, op('local.get', [], 'i', 0)], 'i')], exported: true };
}
