/**
 * Structs and arrays in random bodies. The types are always the same three (tree.ts), which name each other: what a reference to
 * one gives, and what may be done to it. Most references that are looked into are none to null.
 */
import { leb } from '../interp/wasm.js';
import { sleb } from '../support/wasm.js';
import { op } from './body.js';
import type { Random } from './random.js';
import { ARRAY, BYTES, GC_LETTERS, STRUCT, type Label, type Letter, type Node } from './tree.js';

/** What of a body's maker is used here. */
export interface Values {
  readonly random: Random;
  value(type: Letter, depth: number): Node;
  localOf(type: Letter): number | undefined;
}
/** what a local or field holds, and the type's index */
const OF: { readonly [letter: string]: number } = { s: STRUCT, a: ARRAY, b: BYTES };
/** the fields of the struct that are read and written as they are; 3 is of 8 bits */
const FIELDS: readonly (readonly [Letter, number])[] = [['i', 0], ['l', 1], ['d', 2], ['s', 4], ['a', 5]];
const PACKED = 3;
const LENGTH = 7;

export const isGc = (type: Letter): boolean => GC_LETTERS.includes(type);

/** Something to give a value of the type by looking into an object, or undefined where nothing does. */
export function read(v: Values, type: Letter, depth: number): Node | undefined {
  const { random } = v;
  const field = FIELDS.find(([letter]) => letter === type);
  if (isGc(type) && (field === undefined || random.once(2))) return made(v, type, depth);
  switch (type) {
    case 'i': switch (random.below(6)) {
      case 0: return op(random.once(2) ? 'struct.get_s' : 'struct.get_u', [object(v, 's', depth)], 'i', STRUCT, PACKED);
      case 1: return op('array.len', [object(v, random.pick(['a', 'b']), depth)], 'i');
      case 2: return op(random.once(2) ? 'array.get_s' : 'array.get_u', [object(v, 'b', depth), at(v, depth)], 'i', BYTES);
      case 3: return op('ref.eq', [v.value('s', depth), v.value(random.pick(['s', 'a']), depth)], 'i');
      case 4: return op(random.once(2) ? 'ref.test' : 'ref.test_null', [v.value(random.pick(['s', 'a', 'b']), depth)], 'i', leb(random.pick([STRUCT, ARRAY, BYTES])));
    } break;
    case 'l': if (random.once(2)) return op('array.get', [object(v, 'a', depth), at(v, depth)], 'l', ARRAY);
  }
  return field && op('struct.get', [object(v, 's', depth)], type, STRUCT, field[1]);
}

/** A statement that writes to an object. */
export function written(v: Values, depth: number): Node {
  const { random } = v;
  switch (random.below(8)) {
    case 0: return op('struct.set', [object(v, 's', depth), v.value('i', depth)], '', STRUCT, PACKED);
    case 1: return op('array.set', [object(v, 'b', depth), at(v, depth), v.value('i', depth)], '', BYTES);
    case 2: return op('array.set', [object(v, 'a', depth), at(v, depth), v.value('l', depth)], '', ARRAY);
    case 3: return op('array.fill', [object(v, 'a', depth), at(v, depth), v.value('l', depth), at(v, depth)], '', ARRAY);
    case 4: {
      const type = random.pick(['a', 'b'] as const);
      return op('array.copy', [object(v, type, depth), at(v, depth), object(v, type, depth), at(v, depth), at(v, depth)], '', OF[type], OF[type]);
    }
    default: {
      const [type, index] = random.pick(FIELDS);
      return op('struct.set', [object(v, 's', depth), v.value(type, depth)], '', STRUCT, index);
    }
  }
}

/** A new object. */
function made(v: Values, type: Letter, depth: number): Node {
  const { random } = v;
  const length = op('i32.and', [v.value('i', depth), op('i32.const', [], 'i', LENGTH)], 'i');
  if (type === 's') return random.once(3) ? op('struct.new_default', [], 's', STRUCT) : op('struct.new', [...'ildisa'].map((field) => v.value(field as Letter, depth)), 's', STRUCT);
  if (random.once(3)) return op('array.new_default', [length], type, OF[type]);
  const item = type === 'a' ? 'l' : 'i';
  if (random.once(2)) return op('array.new', [v.value(item, depth), length], type, OF[type]);
  const items = Array.from({ length: 1 + random.below(4) }, () => v.value(item, depth));
  return op('array.new_fixed', items, type, OF[type], leb(items.length));
}

/** A reference that is mostly not null. */
function object(v: Values, type: Letter, depth: number): Node {
  const { random } = v;
  const local = v.localOf(type);
  if (local === undefined || random.once(6)) return random.once(20) ? v.value(type, depth) : made(v, type, depth - 1);
  const get = op('local.get', [], type, leb(local));
  if (random.once(30)) return get;
  const fresh = type === 's' ? op('struct.new_default', [], 's', STRUCT) : op('array.new_default', [op('i32.const', [], 'i', sleb(4n))], type, OF[type]);
  const label: Label = { hint: 'not null' };
  return { kind: 'if', label, kids: [op('ref.is_null', [get], 'i')], takes: '', gives: type, body: [fresh], orElse: [get] };
}

/** An index or a count: mostly within. */
function at(v: Values, depth: number): Node {
  return v.random.once(20) ? v.value('i', depth) : op('i32.and', [v.value('i', depth), op('i32.const', [], 'i', 1)], 'i');
}
