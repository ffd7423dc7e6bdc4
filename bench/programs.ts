/**
 * Whole WASI programs, one cold run each in a process of its own: this project's engines and V8's through `dist/run.js`, and
 * native interpreters where WASM3 and IWASM name their commands. Outputs have to be the same. The programs are never part of
 * this project: WASI_PROGRAMS names a folder whose programs.json lists them,
 *
 *   [{ "name": "c-ray", "module": "c-ray.wasm", "args": ["-s", "800x600"], "stdin": "scene" }, …]
 *
 * with paths from that folder; `clang-19 --target=wasm32-wasi -O2` and wasi-libc build most C programs that read standard input
 * and write standard output.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { interleave, type BenchOptions, type Row, type Sample } from './harness.js';

export interface Section { readonly rows: readonly Row[]; readonly notes: readonly string[] }
interface Program { readonly name: string; readonly module: string; readonly args?: readonly string[]; readonly stdin?: string; /** throws where the output is wrong; default: all sides print the same */ readonly check?: (output: string) => void }
type Command = (module: string, args: readonly string[]) => readonly [command: string, ...args: string[]];

const RUN = fileURLToPath(new URL('../../dist/run.js', import.meta.url));
/** Engine's name -> that of `--engine`. */
const ENGINES: Readonly<Record<string, string>> = { v8: 'v8', mixed: 'mixed', compiler: 'jit', interpreter: 'interp' };
/** Peer -> the variable that names its command, and how it is told to run a module. */
const PEERS: Readonly<Record<string, { readonly variable: string; readonly options: readonly string[] }>> = {
  wasm3: { variable: 'WASM3', options: [] },
  wamr: { variable: 'IWASM', options: [] },
};
const ROUNDS = 5;
/** USER_HZ of Linux: what /proc counts processor time in */
const TICKS_PER_S = 100;

/** Those whose command is named. */
export const peers: readonly string[] = Object.entries(PEERS).filter(([, { variable }]) => process.env[variable] !== undefined).map(([name]) => name);

/**
 * @param coremark a module of CoreMark, and what says that its output is right
 */
export async function programs({ quick, note }: BenchOptions, coremark: { readonly module: string; readonly check: (output: string) => void } | undefined): Promise<Section> {
  const folder = process.env['WASI_PROGRAMS'];
  const listed = folder === undefined ? [] : (JSON.parse(readFileSync(join(folder, 'programs.json'), 'utf8')) as Program[])
    .map((program): Program => ({ ...program, module: join(folder, program.module), ...(program.stdin === undefined ? {} : { stdin: join(folder, program.stdin) }) }));
  const all: Program[] = [...coremark ? [{ ...coremark, name: 'CoreMark' }] : [], ...listed];
  const notes = [
    ...folder === undefined ? ['Programs are left out: WASI_PROGRAMS names no folder (bench/programs.ts says what has to be there).'] : [],
    ...Object.entries(PEERS).filter(([, { variable }]) => process.env[variable] === undefined).map(([name, { variable }]) => `${name} is left out: ${variable} names no command.`),
  ];
  const commands: Readonly<Record<string, Command>> = {
    ...Object.fromEntries(Object.entries(ENGINES).map(([name, engine]): [string, Command] => [name, (module, args) => [process.execPath, RUN, '--engine', engine, module, ...args]])),
    ...Object.fromEntries(peers.map((name): [string, Command] => [name, (module, args) => [process.env[PEERS[name].variable]!, ...PEERS[name].options, module, ...args]])),
  };
  const rows: Row[] = [];
  const cannot = new Set<string>();
  for (const program of all) {
    note(`${program.name}, cold, on ${Object.keys(commands).join(', ')}`);
    let expected: string | undefined;
    rows.push(...await interleave(Object.fromEntries(Object.entries(commands).map(([side, command]) => [side, (): Sample => {
      const ran = runOnce(command(program.module, program.args ?? []), program.stdin);
      if (typeof ran === 'string') {
        if (side in ENGINES) throw new Error(`${program.name} on ${side}: ${ran}`);
        cannot.add(`${side} does not run ${program.name}: ${ran}`);
        return {};
      }
      if (program.check) program.check(ran.output);
      else if (ran.output !== (expected ??= ran.output)) throw new Error(`${program.name} prints something else on ${side}`);
      return { [`${program.name}, processor`]: ran.cpu, [`${program.name}, clock`]: ran.clock };
    }])), { rounds: quick ? 1 : ROUNDS, warmup: 0, unit: 'ms' }));
  }
  if (all.length > 0) notes.push(`${all.map(({ name }) => name).join(', ')}: cold runs in processes of their own, with their start; processor time, with the threads that compile, in steps of ${1000 / TICKS_PER_S} ms.`);
  return { rows, notes: [...notes, ...cannot] };
}

/** What it took, or why it has failed. */
function runOnce([command, ...args]: readonly [string, ...string[]], stdin: string | undefined): { readonly cpu: number; readonly clock: number; readonly output: string } | string {
  const input = stdin === undefined ? '' : readFileSync(stdin);
  const cpu = childrenMs(), clock = performance.now();
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { input, maxBuffer: 1 << 28 });
  const took = performance.now() - clock;
  if (status !== 0) return error?.message ?? `${signal ?? `status ${status}`} ${stderr.toString().trim().split('\n').pop()}`;
  return { cpu: childrenMs() - cpu, clock: took, output: stdout.toString('latin1') };
}

/** ms of processor time that children have had which have ended: cutime and cstime of proc_pid_stat(5). */
function childrenMs(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  // the second field, the command's name in parentheses, may have blanks
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 1000 / TICKS_PER_S;
}
