/** V8's own WebAssembly, which judges: what is used of it here, as the types of Node do not have it; and what it has of the standard. */
import { setFlagsFromString } from 'node:v8';
import { FEATURES_2_0, type Feature } from '#src/interp/opcodes.js';

export type V8Exports = { readonly [name: string]: unknown };
interface V8Engine {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: V8Exports };
  readonly Memory: new (type: object) => object;
  readonly Table: new (type: object) => object;
  readonly Global: new (type: object, value: unknown) => object;
  readonly RuntimeError: new () => Error;
  readonly Exception: new () => object;
}

// behind flags in Node 20; a Node that knows a flag no more has the feature without it
for (const flag of ['extended-const', 'return-call', 'memory64']) setFlagsFromString(`--experimental-wasm-${flag}`);

export const v8 = (globalThis as unknown as { readonly WebAssembly: V8Engine }).WebAssembly;

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** A small module of each feature that came after 2.0: V8 takes it where it has the feature. */
const PROBES: { readonly [F in Feature]?: readonly number[] } = {
  'simd': [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 0x41, 0, 0xfd, 0x0f, 0x1a, 0x0b],
  'relaxed-simd': [1, 6, 1, 0x60, 1, 0x7b, 1, 0x7b, 3, 2, 1, 0, 10, 11, 1, 9, 0, 0x20, 0, 0x20, 0, 0xfd, 0x80, 2, 0x0b],
  'extended-const': [6, 9, 1, 0x7f, 0, 0x41, 1, 0x41, 1, 0x6a, 0x0b],
  'tail-call': [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 0x12, 0, 0x0b],
  'multi-memory': [5, 5, 2, 0, 0, 0, 0],
  'memory64': [5, 3, 1, 4, 0],
  'function-references': [1, 9, 2, 0x60, 0, 0, 0x60, 1, 0x64, 0, 0],
  'exceptions': [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 0x1f, 0x40, 0, 0x0b, 0x0b],
  'legacy-exceptions': [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 7, 1, 5, 0, 0x06, 0x40, 0x0b, 0x0b],
  'gc': [1, 3, 1, 0x5f, 0],
  'threads': [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 7, 1, 5, 0, 0xfe, 3, 0, 0x0b],
};

/** What of WebAssembly 3.0 this V8 has. */
export const V8_FEATURES: ReadonlySet<Feature> = new Set<Feature>([
  ...FEATURES_2_0, ...(Object.keys(PROBES) as Feature[]).filter((feature) => v8.validate(Uint8Array.from([...HEADER, ...PROBES[feature]!]))),
]);
