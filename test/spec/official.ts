/**
 * The official suite as this project runs it: where it is, which group of WebAssembly's features each assertion belongs to, and
 * all commands of a script on one engine. The only place that knows the folder and how scripts are called.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import type { Subject } from '../interp/engines.js';
import { ScriptRun, type Command, type Outcome, type Script } from './script.js';

const DIR = process.env['WASM_TESTSUITE'] ?? '../shared/wasm-testsuite';

/** undefined: it is here; else why not */
export const MISSING = existsSync(DIR) ? undefined : `no ${DIR}`;

/** Names of all scripts, without their ending. */
export function scripts(): readonly string[] {
  return MISSING !== undefined ? [] : readdirSync(DIR).filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5)).sort();
}

export interface Result { readonly index: number; readonly command: Command; readonly outcome: Outcome }

export function scriptOf(name: string): Script {
  return JSON.parse(readFileSync(`${DIR}/${name}.json`, 'utf8')) as Script;
}

/** Every command of a script, in order. */
export async function runScript(name: string, subject: Subject): Promise<Result[]> {
  const script = scriptOf(name);
  const run = new ScriptRun(script, subject);
  const results: Result[] = [];
  for (const [index, command] of script.commands.entries()) results.push({ index, command, outcome: await run.run(command) });
  return results;
}

interface Group {
  readonly title: string;
  /** names of its scripts */
  readonly scripts?: RegExp;
  /** assertions of other scripts: the export they call, and how many results it has at least */
  readonly calls?: RegExp;
  readonly results?: number;
}

const OTHERS = 'core 1.0';
/** The first that fits is the group; what fits none is of 1.0. The suite's snapshot has all scripts in one folder, so their names have to tell. */
const GROUPS: readonly Group[] = [
  { title: 'SIMD, relaxed', scripts: /relaxed/ },
  { title: 'multi-memory', scripts: /^simd_memory-multi$|^memory-multi$|^memory_size_import$|^(?!simd_|i16x8|i32x4|[if]\d\d)[a-z_]+[0-3]$/ },
  { title: 'SIMD', scripts: /^simd_/ },
  { title: 'memory64, table64', scripts: /^(?![if]64)[a-z_]+64(-imports)?$|^table_copy_mixed$/ },
  { title: 'tail calls', scripts: /^return_call(_indirect)?$/ },
  { title: 'exceptions', scripts: /^(tag|throw|throw_ref|try_table)$/ },
  { title: 'garbage collection', scripts: /^(array|struct|i31|extern|binary-gc|ref_(cast|eq|test)|br_on_cast|type-(canon|rec|subtyping))/ },
  { title: 'typed function references', scripts: /^(call_ref|return_call_ref|ref|ref_as_non_null|br_on_null|br_on_non_null|local_init|type-equivalence)$/ },
  { title: 'reference types', scripts: /^(ref_(func|is_null|null)|table-sub|table_(fill|get|grow|set|size))$/ },
  { title: 'bulk memory', scripts: /^(bulk|memory_(copy|fill|init)|table_(copy|init))$/ },
  { title: 'constants, extended too', scripts: /^(global|data|elem)$/ },
  { title: 'sign extension, saturating', calls: /^extend(8|16|32)_s$|trunc_sat/ },
  { title: 'multi-value', calls: /multi/, results: 2 },
];

/** Titles, in the order of a report. */
export const TITLES: readonly string[] = [OTHERS, ...GROUPS.map(({ title }) => title)];

export function groupOf(script: string, command: Command): string {
  const call = 'action' in command ? command.action.field : '';
  const results = 'expected' in command ? command.expected.length : 0;
  const fits = (group: Group) => group.scripts?.test(script) || group.calls?.test(call) || group.results !== undefined && results >= group.results;
  return GROUPS.find(fits)?.title ?? OTHERS;
}

/** Assertions, and what should work and does not: a module or a plain call that comes out well shows in what is asserted of it. */
export function counts({ command, outcome }: Result): boolean {
  return command.type.startsWith('assert_') || outcome.how !== 'passed';
}
