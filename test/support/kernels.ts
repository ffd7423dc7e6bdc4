/** The kernels of fixtures/wasm on any engine, with the host functions that some of them call. */
import { readFileSync, readdirSync } from 'node:fs';
import type { Engine, Func, GuestCall, HostFunc, Instance, Value } from '#src/interp/engine.js';
import { typeOf } from './wasm.js';

const FOLDER = 'fixtures/wasm';
/** The folder has other modules too. */
export const KERNELS = readdirSync(FOLDER).filter((file) => file.endsWith('.c') && readFileSync(`${FOLDER}/${file}`, 'utf8').includes('#include "kernel.h"')).map((file) => file.slice(0, -2)).sort();

/** Does the kernel's unit of work `n` times and gives its checksum. */
export type Kernel = (n: number) => number;

export function kernel(engine: Engine, name: string): Kernel {
  // made once each: a benchmark measures the call, and no look-up
  let step: Func | undefined;
  const add: HostFunc = { kind: 'host', name: 'add', type: typeOf('ii:i'), run: (_, [a, b]) => (a as number) + (b as number) | 0 };
  const through: HostFunc = { kind: 'host', name: 'through', type: typeOf('i:i'), *run(_, args): Generator<GuestCall, Value, unknown> {
    return ((yield { func: step!, args }) as Value[])[0];
  } };
  const instance: Instance = engine.instantiate(engine.compile(readFileSync(`${FOLDER}/${name}.wasm`)), { env: { add, through } });
  step = instance.exports.get('step') as Func | undefined;
  const run = instance.exports.get('run') as Func;
  return (n) => instance.callSync(run, [n])[0] as number;
}
