/**
 * Mutants of valid modules, judged by the validator and by V8. Most are changed within a function body or a section whose sizes are
 * made right again, so that the verdict is about more than sizes. A verdict may differ only for a reason of KNOWN.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { ProjectError } from '#src/errors.js';
import { decode } from '#src/interp/decode.js';
import { FEATURES_ALL, ROWS, type Feature } from '#src/interp/opcodes.js';
import { decodeAndValidate } from '#src/interp/validate.js';
import { HEADER, leb, type Bytes } from '../interp/wasm.js';
import type { Find } from './fuzz.js';
import { generate } from './generate.js';
import { Random } from './random.js';
import { encode, opcode } from './tree.js';
import { V8_FEATURES, v8 } from './v8.js';

/** Every round judges so many. */
export const MUTANT_KINDS = 20;

export interface Verdicts { judged: number; valid: number; known: Map<string, number> }
export const newVerdicts = (): Verdicts => ({ judged: 0, valid: 0, known: new Map() });

/** @param ours the message of our error, undefined where we take the module */
/** pages of a 64-bit memory: 16 GiB, all that V8 11 takes */
const V8_PAGES = 262_144;
interface Known { readonly why: string; applies(bytes: Uint8Array, ours: string | undefined): boolean }
/** Where our verdict may differ from V8's. */
const KNOWN: readonly Known[] = [
  { why: 'needs a feature that this V8 lacks', applies: (bytes, ours) => ours === undefined && verdict(bytes, V8_FEATURES) !== undefined },
  // it is one feature with 64-bit memories by now, which this V8 has had for longer
  { why: 'has a 64-bit table', applies: (bytes, ours) => ours === undefined && decode(bytes, FEATURES_ALL).tables.some(({ type }) => type.is64) },
  { why: 'has a 64-bit memory larger than this V8 allows', applies: (bytes, ours) => ours === undefined && decode(bytes, FEATURES_ALL).memories.some(({ is64, limits }) => is64 && (limits.max ?? limits.min) > V8_PAGES) },
  { why: 'has a memory index in more than one byte, which is for several memories', applies: (bytes, ours) => ours === undefined && /expected memory index 0, found 128/.test(complaint(bytes)) },
  { why: 'has an atomic access whose alignment is not its size, which this V8 does not mind', applies: (_bytes, ours) => ours !== undefined && ours.includes('atomic alignment must be natural') },
];

/** Our verdict: undefined where the module is valid, else the message. */
export function verdict(bytes: Uint8Array, features: ReadonlySet<Feature> = FEATURES_ALL): string | undefined {
  try {
    decodeAndValidate(bytes, features);
    return undefined;
  } catch (error) {
    if (error instanceof ProjectError) return error.message;
    throw error;
  }
}

/** @returns what is wrong with our verdict, or undefined */
export function judge(bytes: Uint8Array, verdicts?: Verdicts): string | undefined {
  let ours: string | undefined;
  try {
    ours = verdict(bytes);
  } catch (error) {
    return `the validator fails: ${error instanceof Error ? error.stack : String(error)}`;
  }
  const theirs = v8.validate(bytes);
  if (verdicts) {
    verdicts.judged++;
    if (ours === undefined) verdicts.valid++;
  }
  if (theirs === (ours === undefined)) return undefined;
  const known = KNOWN.find(({ applies }) => applies(bytes, ours));
  if (!known) return theirs ? `V8 takes it, and we do not: ${ours}` : `we take it, and V8 does not: ${complaint(bytes)}`;
  verdicts?.known.set(known.why, (verdicts.known.get(known.why) ?? 0) + 1);
  return undefined;
}

function complaint(bytes: Uint8Array): string {
  try {
    new v8.Module(bytes);
    return 'nothing, when it compiles it';
  } catch (error) {
    return String(error);
  }
}

/** Real modules besides the generated ones: the fixtures, small ones of the official suite. */
export function readSeeds(): readonly Uint8Array[] {
  const fixtures = readdirSync('fixtures').filter((file) => file.endsWith('.wasm')).sort().map((file) => new Uint8Array(readFileSync(`fixtures/${file}`))).filter((bytes) => bytes.length < 8000);
  const suite = process.env['WASM_TESTSUITE'] ?? '../shared/wasm-testsuite';
  const scripts = existsSync(suite) ? readdirSync(suite).filter((file) => file.endsWith('.json')).sort() : [];
  const official = scripts.flatMap((file) => (JSON.parse(readFileSync(`${suite}/${file}`, 'utf8')) as { modules: readonly string[] }).modules.slice(0, 12)
    .map((text) => new Uint8Array(Buffer.from(text, 'base64'))).filter((bytes) => bytes.length < 3000 && bytes.length > 8));
  return [...fixtures, ...official];
}

let last: { readonly seed: number; readonly bytes: Uint8Array } | undefined;
/** One generated module for all the mutants of a round. */
function base(seed: number): Uint8Array {
  if (last?.seed !== seed) last = { seed, bytes: encode(generate(seed, V8_FEATURES)) };
  return last.bytes;
}

export function mutant(seed: number, seeds: readonly Uint8Array[], verdicts: Verdicts): Find | undefined {
  const random = new Random(seed);
  const source = random.once(2) && seeds.length > 0 ? random.pick(seeds) : base(Math.floor(seed / MUTANT_KINDS));
  let bytes = source;
  for (let n = 1 + random.below(3); n > 0; n--) bytes = mutate(bytes, random);
  const what = judge(bytes, verdicts);
  return what === undefined ? undefined : { what, bytes };
}

const FLIPS = [0, 1, 0x7f, 0x80, 0xff, 0x40, 0x41, 0x0b, 0x70, 0x6f, 0x7b, 0x7c, 0x7d, 0x7e];
const SIMPLE_OPS: readonly Bytes[] = ROWS.filter(([, , immediates]) => immediates === '').map(([, name]) => opcode(name));

function changed(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  const spliced = (remove: number, insert: Bytes) => Uint8Array.from([...bytes.subarray(0, at), ...(insert.flat(Infinity as 1) as number[]), ...bytes.subarray(at + remove)]);
  switch (random.below(8)) {
    case 0: return spliced(1, [random.below(256)]);
    case 1: return spliced(1, [random.pick(FLIPS)]);
    case 2: return spliced(1, [(bytes[at] ?? 0) ^ 1 << random.below(8)]);
    case 3: return spliced(1 + random.below(4), []);
    case 4: return spliced(0, [random.below(256)]);
    // another instruction, or one more
    case 5: return spliced(1, random.pick(SIMPLE_OPS));
    case 6: return spliced(0, random.pick(SIMPLE_OPS));
    // a part a second time, from elsewhere
    default: {
      const from = random.below(bytes.length + 1);
      return spliced(random.below(3), [...bytes.subarray(from, from + 1 + random.below(6))]);
    }
  }
}

/** One change, at random in the whole, in a section, or in a function body; sizes are put right in the last two. */
function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const sections = split(bytes);
  if (random.once(5) || sections === undefined || sections.length === 0) return changed(bytes, random);
  const which = random.below(sections.length);
  const code = sections.findIndex(({ id }) => id === 10);
  let target = random.once(2) && code >= 0 ? code : which;
  let content = sections[target].content;
  const bodies = target === code && code >= 0 ? items(content) : undefined;
  if (bodies && bodies.length > 0) {
    const body = random.below(bodies.length);
    const next = changed(bodies[body], random);
    content = Uint8Array.from([...leb(bodies.length), ...bodies.flatMap((one, i) => i === body ? [...leb(next.length), ...next] : [...leb(one.length), ...one])]);
  } else if (random.once(20)) {
    // sections in another order, or one missing, or twice
    const rest = sections.filter((_, i) => i !== target || random.once(3));
    rest.splice(random.below(rest.length + 1), 0, sections[target]);
    return joined(rest);
  } else {
    content = changed(content, random);
  }
  return joined(sections.map((section, i) => i === target ? { ...section, content } : section));
}

interface Section { readonly id: number; readonly content: Uint8Array }

function joined(sections: readonly Section[]): Uint8Array {
  return Uint8Array.from([...HEADER, ...sections.flatMap(({ id, content }) => [id, ...leb(content.length), ...content])]);
}

/** undefined where the bytes are no sections */
function split(bytes: Uint8Array): Section[] | undefined {
  const sections: Section[] = [];
  for (let at = HEADER.length; at < bytes.length;) {
    const id = bytes[at];
    const size = unsigned(bytes, at + 1);
    if (!size || size.next + size.value > bytes.length) return undefined;
    sections.push({ id, content: bytes.subarray(size.next, size.next + size.value) });
    at = size.next + size.value;
  }
  return sections;
}

/** The sized items of a vector, or undefined. */
function items(content: Uint8Array): Uint8Array[] | undefined {
  const count = unsigned(content, 0);
  if (!count) return undefined;
  const out: Uint8Array[] = [];
  let at = count.next;
  for (let i = 0; i < count.value; i++) {
    const size = unsigned(content, at);
    if (!size || size.next + size.value > content.length) return undefined;
    out.push(content.subarray(size.next, size.next + size.value));
    at = size.next + size.value;
  }
  return out;
}

function unsigned(bytes: Uint8Array, at: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, next: at + i + 1 };
  }
  return undefined;
}
