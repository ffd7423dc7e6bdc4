/**
 * Makes a host function of a plain TypeScript one, by the type under which the module at hand imports it. Toolchains disagree
 * on the width of pointers and flags, so integers of either width are taken and returned; anything else keeps the declared
 * type, and the engine's linker says what is wrong. Knows nothing of what the functions do.
 */
import type { HostFunc, HostResult, Instance, Value } from '../interp/engine.js';
import { I32, I64, type FuncType } from '../interp/types.js';

/** What an implementation gets: `i` as an unsigned number, `s` as a signed one, `I` as a signed bigint. */
export type Arg = number | bigint;

export interface Declared {
  /** one letter a parameter: `i`, `s` or `I` */
  readonly params: string;
  /** `i`, `I`, or '' for none */
  readonly result: string;
}

/** `type` as the function is declared, for messages and for modules that ask for something incompatible. */
export function declaredType({ params, result }: Declared): FuncType {
  const one = (letter: string) => (letter === 'I' ? I64 : I32);
  return { params: [...params].map(one), results: [...result].map(one) };
}

/**
 * @param wanted the module's import type
 * @param run gets the converted arguments; its result is converted back
 */
export function hostFunc(name: string, declared: Declared, wanted: FuncType, run: (caller: Instance, args: Arg[]) => HostResult): HostFunc {
  const integer = (t: number) => t === I32 || t === I64;
  const compatible = wanted.params.length === declared.params.length && wanted.results.length === declared.result.length
    && wanted.params.every(integer) && wanted.results.every(integer);
  const type = compatible ? wanted : declaredType(declared);
  const letters = [...declared.params];
  const result = type.results[0];
  const back = (value: unknown): Value | void => {
    if (result === undefined || value === undefined) return undefined;
    if (result === I64) return typeof value === 'bigint' ? value : BigInt(value as number);
    return typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : (value as number);
  };
  return {
    kind: 'host',
    name,
    type,
    run: (caller, values) => {
      const out = run(caller, letters.map((letter, i) => argument(letter, values[i] as number | bigint)));
      if (out === undefined || typeof out !== 'object' || out === null) return back(out);
      if (out instanceof Promise) return out.then(back);
      if (isGenerator(out)) return through(out, back);
      return out as Value;
    },
  };
}

function argument(letter: string, value: number | bigint): Arg {
  if (letter === 'I') return typeof value === 'bigint' ? value : BigInt(value);
  if (letter === 's') return typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value | 0;
  // an i64 pointer is not cut to 32 bits: one beyond them has to fail the bounds check
  return typeof value === 'bigint' ? Number(BigInt.asUintN(64, value)) : value >>> 0;
}

type Generating = Extract<HostResult, { next: unknown }>;

function isGenerator(out: object): out is Generating {
  return 'next' in out && typeof out.next === 'function';
}

function* through(inner: Generating, back: (value: unknown) => Value | void): Generating {
  return back(yield* inner);
}
