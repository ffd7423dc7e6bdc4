/** The fuzzers' rounds: one module each, made, judged, and where there is a difference cut down to what still shows it. */
import { ProjectError } from '#src/errors.js';
import { decode } from '#src/interp/decode.js';
import type { Module } from '#src/interp/module.js';
import { FEATURES_ALL, type Feature } from '#src/interp/opcodes.js';
import type { Way } from './engines.js';
import { generate } from './generate.js';
import { judge, verdict } from './mutate.js';
import { difference, runOurs, runV8, type Outcome } from './run.js';
import { shrink } from './shrink.js';
import { ttf } from './ttf.js';
import { NoLabel, encode, type ModuleTree } from './tree.js';
import { V8_FEATURES, v8 } from './v8.js';

export interface Find { readonly what: string; readonly bytes: Uint8Array }
/** what there is to see in the modules that were run */
export interface Counts { modules: number; judged: number; calls: number; traps: Map<string, number>; bytes: number }
export const newCounts = (): Counts => ({ modules: 0, judged: 0, calls: 0, traps: new Map(), bytes: 0 });

/** Runs a valid module in every way, and on V8 where that can. @returns the first difference as text, or undefined */
export async function compare(bytes: Uint8Array, ways: readonly Way[], counts?: Counts): Promise<string | undefined> {
  let module: Module;
  try {
    module = decode(bytes, FEATURES_ALL);
  } catch (error) {
    return `the decoder refuses it: ${String(error)}`;
  }
  let first: readonly [string, Outcome] | undefined;
  if (v8.validate(bytes)) {
    first = ['V8', await runV8(bytes, module)];
    if (counts) counts.judged++;
  }
  let counted = false;
  for (const way of ways) {
    const outcome = await runOurs(way, bytes);
    if (counts && !counted) count(counts, bytes, outcome);
    counted = true;
    const found = first && difference(way.name, outcome, ...first);
    if (found !== undefined) return found;
    // names of traps are told apart among our own engines
    first = !first || first[0] === 'V8' ? [way.name, outcome] : first;
  }
  return undefined;
}

function count(counts: Counts, bytes: Uint8Array, outcome: Outcome): void {
  counts.modules++;
  counts.bytes += bytes.length;
  for (const { text, trap } of outcome) {
    if (/^[^ ]*\(.*(?:gives|traps)/.test(text)) counts.calls++;
    if (trap !== undefined) counts.traps.set(trap, (counts.traps.get(trap) ?? 0) + 1);
  }
}

/** What all of the ways have, V8 too where it is to judge: two modules of three are for it. */
const shared = new Map<string, ReadonlySet<Feature>>();
function featuresFor(seed: number, ways: readonly Way[]): ReadonlySet<Feature> {
  const forV8 = seed % 3 !== 0;
  const key = `${forV8} ${ways.map(({ name }) => name).join()}`;
  let set = shared.get(key);
  if (!set) shared.set(key, set = new Set([...FEATURES_ALL].filter((feature) => ways.every(({ features }) => features.has(feature)) && (!forV8 || V8_FEATURES.has(feature)))));
  return set;
}

export async function generated(seed: number, ways: readonly Way[], counts: Counts): Promise<Find | undefined> {
  const tree = generate(seed, featuresFor(seed, ways));
  const bytes = encode(tree);
  const what = await compare(bytes, ways, counts);
  if (what === undefined) return undefined;
  // what is compared stays the same while it shrinks: same first line but for the number of the event
  const kind = (text: string | undefined) => text === undefined ? undefined : /fails|refuses/.exec(text)?.[0] ?? 'differs';
  // the first way is what another one differs from where V8 cannot judge
  const differs = ways.filter(({ name }, i) => i === 0 || what.includes(`  ${name}: `));
  const small = await shrink(tree, async (candidate) => {
    const cut = bytesOf(candidate);
    return cut !== undefined && kind(await compare(cut, differs)) === kind(what);
  });
  const final = encode(small);
  return { what: await compare(final, differs) ?? what, bytes: final };
}

/** A module of binaryen's. Not cut down. */
export async function translated(seed: number, ways: readonly Way[], counts: Counts): Promise<Find | undefined> {
  const bytes = ttf(seed, seed % 2 === 0);
  const refused = judge(bytes);
  const what = refused ?? await compare(bytes, ways, counts);
  return what === undefined ? undefined : { what, bytes };
}

/** undefined where cutting has left no valid module */
function bytesOf(tree: ModuleTree): Uint8Array | undefined {
  try {
    const bytes = encode(tree);
    return v8.validate(bytes) || verdict(bytes) === undefined ? bytes : undefined;
  } catch (error) {
    if (error instanceof NoLabel || error instanceof ProjectError) return undefined;
    throw error;
  }
}
