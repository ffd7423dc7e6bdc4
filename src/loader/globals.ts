/**
 * Initial values of global variables, set by name before the object is loaded: what a C program writes into `skel->rodata`.
 * Scalars, enums and raw bytes only.
 */
import { UsageError } from '../errors.js';
import { didYouMean } from '../kernel/near.js';
import type { Btf } from '../reloc/btf.js';
import type { MapSpec, ObjectSpec } from '../reloc/spec.js';

/** A number for an integer, enum or bool; bytes for anything, at most as many as the variable has. */
export type GlobalValue = number | bigint | boolean | Uint8Array;

interface Variable { readonly map: string; readonly offset: number; readonly size: number; readonly type: number }

/**
 * A spec whose global-data maps hold these values.
 * @throws UsageError (USAGE) for an unknown variable, or a value that it cannot hold
 */
export function withGlobals(spec: ObjectSpec, values: Readonly<Record<string, GlobalValue>>): ObjectSpec {
  const names = Object.keys(values);
  if (names.length === 0) return spec;
  const { btf } = spec;
  if (!btf) throw new UsageError(`global variable "${names[0]}" cannot be set: the object has no BTF (compile it with -g)`);
  const known = variables(spec, btf);
  const changed = new Map<string, Uint8Array>();
  for (const name of names) {
    const variable = known.get(name);
    if (!variable) throw new UsageError(`the object has no global variable "${name}" (${didYouMean(name, known.keys()) || `it has ${[...known.keys()].join(', ') || 'none'}`})`);
    let data = changed.get(variable.map);
    if (!data) changed.set(variable.map, data = initial(spec.maps.find((map) => map.name === variable.map)!));
    data.set(encode(name, variable, values[name], btf), variable.offset);
  }
  return { ...spec, maps: spec.maps.map((map) => changed.has(map.name) ? { ...map, data: changed.get(map.name)! } : map) };
}

function initial(map: MapSpec): Uint8Array {
  return map.data ? map.data.slice() : new Uint8Array(map.valueSize);
}

function variables(spec: ObjectSpec, btf: Btf): Map<string, Variable> {
  const found = new Map<string, Variable>();
  for (const map of spec.maps) {
    if (!map.globals || map.globals === 'kconfig') continue;
    const id = btf.find(map.section, 'datasec');
    const section = id === undefined ? undefined : btf.type(id);
    if (section?.kind !== 'datasec') continue;
    for (const { type, offset, size } of section.vars) {
      if (offset + size <= map.valueSize) found.set(btf.name(type), { map: map.name, offset, size, type });
    }
  }
  return found;
}

function encode(name: string, { size, type }: Variable, value: GlobalValue, btf: Btf): Uint8Array {
  if (value instanceof Uint8Array) {
    if (value.length > size) throw new UsageError(`global variable "${name}" has ${size} bytes, the value ${value.length}`);
    return value;
  }
  const kind = btf.kind(btf.skipModifiers(type));
  if (size > 8 || (kind !== 'int' && kind !== 'enum' && kind !== 'enum64')) {
    throw new UsageError(`global variable "${name}" is a ${kind} of ${size} bytes, not a number (give its bytes)`);
  }
  if (typeof value === 'number' && !Number.isInteger(value)) throw new UsageError(`global variable "${name}" takes a whole number, not ${value}`);
  const wide = BigInt(value);
  const bits = size * 8;
  if (BigInt.asUintN(bits, wide) !== wide && BigInt.asIntN(bits, wide) !== wide) {
    throw new UsageError(`global variable "${name}" has ${size} bytes, ${wide} does not fit`);
  }
  return Uint8Array.from({ length: size }, (_, i) => Number(BigInt.asUintN(8, wide >> BigInt(8 * i))));
}
