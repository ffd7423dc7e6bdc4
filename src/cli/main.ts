/**
 * The command `wasm-bpf`: finds the subcommand, runs it, turns what it throws into one message and an exit status. The
 * subcommands are loaded when they are asked for.
 */
import { readFileSync } from 'node:fs';
import { ProjectError, UsageError } from '../errors.js';
import { exitNow } from '../kernel/exit.js';
import { painter, print, Status, suggestion, type Command } from './command.js';

/** The one table of subcommands. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.js')).run,
  inspect: async () => (await import('./inspect.js')).inspect,
  btf: async () => (await import('./btf.js')).btf,
  demo: async () => (await import('./demo.js')).demo,
};

const STATUSES = `Exit status: 0 success, 1 failure, 2 wrong usage, 130 interrupted by Ctrl-C, 134 the guest trapped,
141 the reader of the output went away; otherwise what the guest exits with.
`;

/** Runs one command line. Returns the exit status; never throws for what a user did. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const [name, ...rest] = args;
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') return await help(rest[0]);
    if (name === '--version' || name === '-V') {
      await print(`${version()}\n`);
      return Status.OK;
    }
    if (!Object.hasOwn(COMMANDS, name)) {
      throw new UsageError(`unknown ${name.startsWith('-') ? 'option' : 'command'} "${name}"${suggestion(name, [...Object.keys(COMMANDS), '--help', '--version'])} (wasm-bpf --help)`);
    }
    const command = await COMMANDS[name]();
    const own = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : undefined);
    if (own[0] === '--help' || own[0] === '-h') {
      await print(command.help);
      return Status.OK;
    }
    return await command.run(rest);
  } catch (error) {
    return fail(error);
  }
}

/** Runs one command line, and ends the process with its status. */
export async function end(args: readonly string[]): Promise<never> {
  return exitNow(await main(args));
}

/** One message on standard error, and the status that goes with it. */
function fail(error: unknown): number {
  const { red, bold } = painter(process.stderr);
  if (!(error instanceof ProjectError)) {
    const { code } = error as NodeJS.ErrnoException;
    const text = typeof code === 'string' && error instanceof Error ? error.message : `bug: ${error instanceof Error ? error.stack : String(error)}`;
    process.stderr.write(`${bold('wasm-bpf:')} ${red(text)}\n`);
    return Status.FAILURE;
  }
  process.stderr.write(`${[`${bold('wasm-bpf:')} ${red(error.message)}`, ...error.details].join('\n  ')}\n`);
  return error instanceof UsageError ? Status.USAGE : Status.FAILURE;
}

async function help(name: string | undefined): Promise<number> {
  if (name !== undefined && Object.hasOwn(COMMANDS, name)) {
    await print((await COMMANDS[name]()).help);
    return Status.OK;
  }
  if (name !== undefined) throw new UsageError(`unknown command "${name}"${suggestion(name, Object.keys(COMMANDS))} (wasm-bpf --help)`);
  const { bold } = painter(process.stdout);
  const lines = await Promise.all(Object.entries(COMMANDS).map(async ([key, load]) => `  ${key.padEnd(10)}${(await load()).summary}\n`));
  await print(`${bold('wasm-bpf')} ${version()}: runs WebAssembly modules that carry eBPF programs

usage: wasm-bpf COMMAND [OPTIONS…] [ARGS…]
       wasm-bpf COMMAND --help
       wasm-bpf --version

${bold('Commands')}
${lines.join('')}
${STATUSES}`);
  return Status.OK;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
