/**
 * What every benchmark needs and none should do differently: running the sides in turn, the statistics, the machine's name in
 * the header, and the table. It measures nothing itself.
 */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/** How much to measure. */
export interface BenchOptions {
  /** few repetitions, small inputs: does it run at all, and roughly how fast */
  readonly quick: boolean;
  /** says what is going on, on standard error */
  note(text: string): void;
}

/** One line of a report: the same thing done by several sides. */
export interface Row {
  readonly name: string;
  readonly unit: 'ns' | 'us' | 'ms' | 'MiB';
  /** side -> one number per repetition, in `unit`; every side has as many */
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

/** What a benchmark gives back. Ratios are to the first side. */
export interface Report {
  readonly title: string;
  readonly sides: readonly string[];
  readonly rows: readonly Row[];
  /** sentences below the table */
  readonly notes: readonly string[];
}

/** What stands in bench/NAME.ts: `run` measures and returns. */
export interface Bench { run(options: BenchOptions): Promise<Report> }

export interface Estimate { readonly value: number; /** 95 % confidence interval */ readonly low: number; readonly high: number }

const RESAMPLES = 2000;

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('bug: the median of nothing');
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median with a 95 % interval, by the percentile bootstrap; the same samples give the same interval. */
export function estimate(samples: readonly number[]): Estimate {
  return { value: median(samples), ...bootstrap((draw) => median(draw(samples))) };
}

/** The ratio of two medians with a 95 % interval; both sides are resampled. */
export function ratio(samples: readonly number[], base: readonly number[]): Estimate {
  return { value: median(samples) / median(base), ...bootstrap((draw) => median(draw(samples)) / median(draw(base))) };
}

function bootstrap(statistic: (draw: (from: readonly number[]) => number[]) => number): { low: number; high: number } {
  const random = generator(0x5eed);
  const draw = (from: readonly number[]) => from.map(() => from[Math.floor(random() * from.length)]);
  const found = Array.from({ length: RESAMPLES }, () => statistic(draw)).sort((a, b) => a - b);
  return { low: found[Math.floor(RESAMPLES * 0.025)], high: found[Math.ceil(RESAMPLES * 0.975) - 1] };
}

/** Numbers in [0, 1) from a seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What one run of a side yields: a number by the name of its row. */
export type Sample = Readonly<Record<string, number>>;

/**
 * Runs every side once per round, each round starting with another side, so that whatever slows the machine down for a while
 * slows all of them. The first `warmup` rounds are thrown away. Returns the rows in the order in which their names turn up.
 */
export async function interleave(
  sides: Readonly<Record<string, () => Sample | Promise<Sample>>>,
  { rounds, warmup, unit }: { rounds: number; warmup: number; unit: Row['unit'] },
): Promise<Row[]> {
  const names = Object.keys(sides), rows = new Map<string, Record<string, number[]>>();
  for (let round = -warmup; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const side = names[(round + warmup + turn) % names.length], sample = await sides[side]();
      if (round < 0) continue;
      for (const [row, number] of Object.entries(sample)) {
        const samples = rows.get(row) ?? Object.fromEntries(names.map((name): [string, number[]] => [name, []]));
        rows.set(row, samples);
        samples[side].push(number);
      }
    }
  }
  return [...rows].map(([name, samples]) => ({ name, unit, samples }));
}

/** Where and with what the numbers were measured; `versions` adds what else matters. */
export function machine(versions: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const processors = cpus();
  return {
    cpu: `${processors.length} x ${processors[0]?.model ?? process.arch}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readOr('/etc/os-release'))?.[1] ?? process.platform,
    node: process.version,
    load: readOr('/proc/loadavg').split(' ').slice(0, 3).join(' '),
    ...versions,
  };
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The report as text for people: Markdown, aligned so that it reads well unrendered. */
export function render(report: Report, facts: Readonly<Record<string, string>>): string {
  const [base, ...others] = report.sides;
  const head = ['', 'unit', base, ...others.flatMap((side) => [side, `${side} / ${base}`])];
  const body = report.rows.map((row) => {
    const cell = (side: string) => (row.samples[side]?.length ? interval(estimate(row.samples[side])) : '-');
    const against = (side: string) => (row.samples[side]?.length && row.samples[base]?.length ? interval(ratio(row.samples[side], row.samples[base])) : '-');
    return [row.name, row.unit, cell(base), ...others.flatMap((side) => [cell(side), against(side)])];
  });
  const repetitions = Math.min(...report.rows.flatMap((row) => Object.values(row.samples).map((samples) => samples.length).filter(Boolean)));
  return [
    `# ${report.title}`, '',
    ...Object.entries(facts).map(([name, fact]) => `- ${name}: ${fact}`),
    `- medians of ${repetitions} or more interleaved repetitions, 95 % bootstrap interval in brackets`, '',
    ...grid([head, ...body]), '',
    ...report.notes.map((note) => `${note}\n`),
  ].join('\n').trimEnd() + '\n';
}

function interval({ value, low, high }: Estimate): string {
  return `${short(value)} [${short(low)}, ${short(high)}]`;
}

/** Three significant digits, never in scientific notation. */
function short(number: number): string {
  if (number === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(number))));
  return number.toFixed(Math.min(digits, 6));
}

function grid(cells: readonly (readonly string[])[]): string[] {
  const widths = cells[0].map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(cells[0]), rule, ...cells.slice(1).map(line)];
}
