/** `wasm-bpf run`: one module from its file to its end, with signals, limits and the exit status of the guest. */
import { statSync } from 'node:fs';
import { UsageError } from '../errors.js';
import { runWasm, trapLines, type Ending, type RunOptions } from '../host/guest.js';
import type { Engine } from '../interp/engine.js';
import { ENGINES, engineOf } from '../interp/engines.js';
import { exitNow } from '../kernel/exit.js';
import { readModule } from '../loader/wasm.js';
import type { Btf } from '../reloc/btf.js';
import type { Grant } from '../wasi/descriptors.js';
import { painter, parseOptions, print, type Command } from './command.js';

const OPTIONS = {
  dir: { type: 'string', multiple: true },
  env: { type: 'string', multiple: true },
  engine: { type: 'string' },
  invoke: { type: 'string' },
  'max-memory': { type: 'string' },
  btf: { type: 'string' },
  'verifier-log': { type: 'boolean' },
  stats: { type: 'boolean' },
  verbose: { type: 'boolean', short: 'v' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** signals that end the guest -> 128 + their number */
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof SIGNALS;

const HELP = `usage: wasm-bpf run [OPTIONS…] MODULE.wasm [ARGS…]

Runs a WebAssembly module: a command (with _start), or one export of a reactor. The module may import WASI preview 1 and
wasm_bpf. What follows the module's name is the guest's, options too. Loading BPF programs needs root, or CAP_BPF and
CAP_PERFMON.

A guest gets standard input, output and error, the clock, random numbers, and what these options grant; by default no
folder and no environment variable.

  --dir HOST[::GUEST]   lets the guest use a folder, under its own name or GUEST; may be repeated
  --env KEY=VALUE       sets an environment variable; --env KEY hands on this process's; may be repeated
${engines()}
  --invoke NAME         calls that export instead of _start, with ARGS as its arguments, and prints its results
  --max-memory SIZE     bytes the guest's memories may have together: 64M, 1G, or a number; default: what the module asks for
  --btf FILE            relocates BPF programs against the types of that file instead of the running kernel's: BTF, or an ELF
                        file with a .BTF section; without it the file that the variable BTF_FILE_PATH names
  --verifier-log        shows all that the kernel's verifier says of each program, with source lines, also where it agrees
  --stats               says at the end how many records were delivered, cut or lost
  -v, --verbose         says what is loaded and attached, and all of the verifier's log where it refuses
  -h, --help            this text

Exit status: the guest's own; 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, 134 after a trap, 141 when the reader
of the output went away; 1 for a module that cannot run, 2 for a wrong command line.
`;

export const run: Command = {
  summary: 'runs a module: wasm-bpf run probe.wasm [ARGS…]',
  help: HELP,
  run: async (args) => {
    const { values, operands } = parseOptions('run', args, OPTIONS, 'end options');
    if (values.help) {
      await print(HELP);
      return 0;
    }
    const [path, ...guestArgs] = operands;
    if (path === undefined) throw new UsageError('run: no module given (wasm-bpf run MODULE.wasm [ARGS…])');
    return runFile(path, {
      args: guestArgs,
      dirs: (values.dir ?? []).map(grant),
      env: Object.fromEntries((values.env ?? []).flatMap(variable)),
      engine: await engineOf(values.engine),
      invoke: values.invoke,
      kernel: {
        ...await types(values.btf ?? process.env['BTF_FILE_PATH']),
        ...values['verifier-log'] ? { logLevel: EVERY_STATE, onVerifierLog: showLog } : {},
      },
      limits: values['max-memory'] === undefined ? {} : { memoryPages: pages(values['max-memory']) },
      log: values.verbose ? say : undefined,
    }, values.stats ?? false);
  },
};

/** Runs a module's file with this process's signals. Returns the exit status. @throws ProjectError */
export async function runFile(path: string, options: Omit<RunOptions, 'path' | 'signal' | 'engine'> & { readonly engine?: Engine }, stats = false): Promise<number> {
  const bytes = readModule(path);
  const stop = new AbortController();
  let came: Signal | undefined;
  const onSignal = (signal: Signal) => {
    // whoever asks twice does not want to wait
    if (came !== undefined) exitNow(SIGNALS[signal]);
    came = signal;
    stop.abort(signal);
  };
  // a guest that is not suspended would keep a handler from running: there signals do what they do to any process
  const signals = options.engine?.suspends === false ? [] : Object.keys(SIGNALS);
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const ending = await runWasm(bytes, { ...options, path, validate: 'lazily', signal: stop.signal });
    if (ending.results.length > 0) await print(`${ending.results.map(String).join('\n')}\n`);
    if (ending.error) say(trapLines(ending.error).join('\n'));
    if (stats) tell(ending);
    return came !== undefined && ending.how === 'interrupted' ? SIGNALS[came] : ending.status;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

function engines(): string {
  const lines = Object.entries(ENGINES).map(([name, { about }]) => `${' '.repeat(26)}${name.padEnd(8)}${about}\n`);
  return `  --engine NAME         how the module runs; default: mixed
${lines.join('')}                        on v8 a guest cannot be interrupted: Ctrl-C ends the process as it stands`;
}

/** of the verifier's log: every instruction with the registers' states, not only the path that fails */
const EVERY_STATE = 2;

function showLog(program: string, log: string): void {
  say(`the verifier's log of program "${program}":\n${log.trimEnd().replace(/^/gm, '  ')}`);
}

/** An empty variable is none. Read before the guest runs, so that a wrong name is a wrong command line. */
async function types(path: string | undefined): Promise<{ readonly btf?: Btf }> {
  return path ? { btf: (await import('../loader/btf-file.js')).readBtf(path) } : {};
}

function say(line: string): void {
  process.stderr.write(`${painter(process.stderr).bold('wasm-bpf:')} ${line}\n`);
}

function tell({ stats }: Ending): void {
  if (stats === undefined) return say('the module has no BPF imports');
  say(`${many(stats.objects, 'object')} loaded, ${many(stats.attached, 'program')} attached, ${many(stats.polls, 'poll')}, ${many(stats.records, 'record')}, ${stats.cut} cut, ${stats.lost} lost`);
}

function grant(text: string): Grant {
  const at = text.indexOf('::');
  const host = at < 0 ? text : text.slice(0, at), guest = at < 0 ? text : text.slice(at + 2);
  if (host === '' || guest === '') throw new UsageError(`run: --dir ${text}: a folder and a name are needed (--dir HOST::GUEST)`);
  let folder = false;
  try {
    folder = statSync(host).isDirectory();
  } catch (error) {
    throw new UsageError(`run: --dir ${text}: ${(error as Error).message}`);
  }
  if (!folder) throw new UsageError(`run: --dir ${text}: "${host}" is no folder`);
  return { host, guest };
}

function variable(text: string): [string, string][] {
  const at = text.indexOf('=');
  if (at === 0 || text === '') throw new UsageError(`run: --env ${text}: the variable has no name`);
  if (at > 0) return [[text.slice(0, at), text.slice(at + 1)]];
  const value = process.env[text];
  return value === undefined ? [] : [[text, value]];
}

const PAGE = 65536;
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1 << 10, M: 1 << 20, G: 1 << 30 };

function pages(text: string): number {
  const match = /^([0-9]+)([KMG]?)$/i.exec(text);
  const bytes = match ? Number(match[1]) * UNITS[match[2].toUpperCase()] : NaN;
  if (!(bytes >= PAGE && bytes <= 2 ** 32)) throw new UsageError(`run: --max-memory ${text}: from 64K to 4G is possible`);
  return Math.floor(bytes / PAGE);
}

function many(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
