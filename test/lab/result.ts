/**
 * What a guest tells the host, line by line among its output, and the table that becomes of it: a row a thing tried, a column a
 * kernel. Verdicts are `passed`, `skipped: WHY` and `failed`, with a remark after them where there is more to say.
 */
import type { Outcome } from '../support/suite.js';

/** How such a line begins: `LAB-RESULT row => verdict`. */
export const RESULT = 'LAB-RESULT ';

/** What a suite's line says: `passed 12`, `passed 9, skipped 3: from 5.15, 6.9`, `failed 1 of 12`. */
export function verdict({ passed, failed, skipped }: Omit<Outcome, 'title'>): string {
  if (failed > 0) return `failed ${failed} of ${passed + failed}`;
  const since = [...new Set(skipped)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).join(', ');
  return [...passed > 0 ? [`passed ${passed}`] : [], ...skipped.length > 0 ? [`skipped ${skipped.length}: from ${since}`] : []].join(', ');
}

/** row -> verdict, in the order of the guest */
export type Results = ReadonlyMap<string, string>;

export function readResults(output: string): Results {
  const lines = output.split(/\r?\n/).filter((line) => line.includes(RESULT)).map((line) => line.slice(line.indexOf(RESULT) + RESULT.length));
  return new Map(lines.map((line) => line.split(/ => (.*)/s, 2) as [string, string]));
}

/** A Markdown table; rows stand where the first kernel that knows them has them. */
export function table(kernels: ReadonlyMap<string, Results>): string {
  const names = [...new Set([...kernels.values()].flatMap((results) => [...results.keys()]))];
  const rows = [
    ['', ...kernels.keys()],
    ['---', ...[...kernels.keys()].map(() => '---')],
    ...names.map((name) => [name, ...[...kernels.values()].map((results) => results.get(name) ?? 'not run')]),
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
