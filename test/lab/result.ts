/** How a guest tells the host what works: lines among its output that begin so, `family: verdict`. */
export const RESULT = 'LAB-RESULT ';

/** family -> verdict, in the order of the guest */
export function readResults(output: string): Map<string, string> {
  const lines = output.split(/\r?\n/).filter((line) => line.includes(RESULT)).map((line) => line.slice(line.indexOf(RESULT) + RESULT.length));
  return new Map(lines.map((line) => line.split(/: (.*)/s, 2) as [string, string]));
}

/** A Markdown table: a row a family, a column a kernel. */
export function table(kernels: ReadonlyMap<string, ReadonlyMap<string, string>>): string {
  const families = [...new Set([...kernels.values()].flatMap((results) => [...results.keys()]))];
  const rows = [
    ['', ...kernels.keys()],
    ['---', ...[...kernels.keys()].map(() => '---')],
    ...families.map((family) => [family, ...[...kernels.values()].map((results) => results.get(family) ?? 'not run')]),
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
