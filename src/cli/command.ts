/** What a subcommand is, and the words all of them share: options, usage errors, colours. */
import { parseArgs } from 'node:util';
import { UsageError } from '../errors.js';

export interface Command {
  /** one line for the list of subcommands */
  readonly summary: string;
  /** the whole of `wasm-bpf NAME --help`, ending with a newline */
  readonly help: string;
  /** Returns the exit status. @throws ProjectError: USAGE becomes status 2, everything else 1 */
  run(args: readonly string[]): Promise<number>;
}

export const Status = { OK: 0, FAILURE: 1, USAGE: 2 } as const;

interface Option { readonly type: 'string' | 'boolean'; readonly short?: string; readonly multiple?: boolean }
type Options = Readonly<Record<string, Option>>;
type Value<O extends Option> = O['type'] extends 'string' ? string : boolean;
export interface Parsed<O extends Options> {
  readonly values: { readonly [K in keyof O]?: O[K] extends { readonly multiple: true } ? Value<O[K]>[] : Value<O[K]> };
  readonly operands: string[];
}

/**
 * Options up to the first argument that is none; from there on everything is an operand, so that a guest gets its own options.
 * @throws UsageError, with the option that may have been meant
 */
export function parseOptions<O extends Options>(command: string, args: readonly string[], options: O, operands: 'end options' | 'anywhere'): Parsed<O> {
  const split = operands === 'anywhere' ? args.length : firstOperand(args, options);
  try {
    const { values, positionals } = parseArgs({ args: args.slice(0, split), options: options as Record<string, { type: 'string' | 'boolean' }>, strict: true, allowPositionals: true });
    return { values: values as Parsed<O>['values'], operands: [...positionals, ...args.slice(args[split] === '--' ? split + 1 : split)] };
  } catch (error) {
    const message = (error as Error).message;
    const unknown = /^Unknown option '(-[^']*)'/.exec(message)?.[1];
    if (unknown === undefined) throw new UsageError(`${command}: ${message.split('\n')[0].replace(/\.$/, '')} (wasm-bpf ${command} --help)`);
    throw new UsageError(`${command}: unknown option ${unknown}${suggestion(unknown, Object.keys(options).map((name) => `--${name}`))} (wasm-bpf ${command} --help)`);
  }
}

function firstOperand(args: readonly string[], options: Options): number {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === '--' || !arg.startsWith('-') || arg === '-') return i;
    const name = arg.startsWith('--') ? arg.slice(2) : Object.keys(options).find((n) => options[n].short === arg[1] && arg.length === 2);
    if (name !== undefined && options[name]?.type === 'string') i++;
  }
  return args.length;
}

/** `, did you mean --verbose?` for what is near enough, else ''. */
export function suggestion(given: string, known: readonly string[]): string {
  const best = known.map((name) => ({ name, distance: distance(given, name) })).sort((a, b) => a.distance - b.distance)[0];
  return best !== undefined && best.distance <= Math.max(1, Math.floor(best.name.length / 3)) ? `, did you mean ${best.name}?` : '';
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** Writes to standard output and waits until it is out: whoever ends the process next cuts nothing off. */
export function print(text: string): Promise<void> {
  return new Promise((done, reject) => {
    process.stdout.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? process.exit(PIPE_STATUS) : reject(error)));
    process.stdout.write(text, () => done());
  });
}
/** 128 + SIGPIPE, as a shell says it of any tool whose reader went away */
const PIPE_STATUS = 141;

/** Escape sequences for a terminal, nothing for a file or a pipe, or where NO_COLOR is set. */
export function painter(stream: { readonly isTTY?: boolean }) {
  const on = stream.isTTY === true && !process.env['NO_COLOR'];
  const paint = (code: number) => (text: string) => (on ? `\x1b[${code}m${text}\x1b[0m` : text);
  return { bold: paint(1), dim: paint(2), red: paint(31) };
}
export type Painter = ReturnType<typeof painter>;
