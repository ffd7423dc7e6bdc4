/**
 * `wasm-bpf demo`: runs the probe `execsnoop` and, while it watches, starts a few programs for it to see. Ends by itself.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../errors.js';
import { parseOptions, print, type Command } from './command.js';
import { runFile } from './run.js';

/** Ends after so many lines, or so many seconds where the machine is too busy to start programs. */
const EVENTS = 12, SECONDS = 15;
/** ms between two programs */
const PAUSE = 150;
const PROGRAMS: readonly (readonly [string, ...string[]])[] = [
  ['/bin/true'], ['/bin/false'], ['/bin/sleep', '0.1'], ['/bin/sh', '-c', 'exit 3'], ['/bin/sh', '-c', 'kill -9 $$'], ['/bin/uname'],
];

const HELP = `usage: wasm-bpf demo

Runs the probe execsnoop.wasm, which shows programs as they start and end, and starts a few programs for it to see. Ends by
itself. Needs root, or CAP_BPF and CAP_PERFMON.

Exit status: that of the probe: 0 when it has seen ${EVENTS} events.
`;

export const demo: Command = {
  summary: 'runs a probe and makes something happen for it to see',
  help: HELP,
  run: async (args) => {
    const { values, operands } = parseOptions('demo', args, { help: { type: 'boolean', short: 'h' } }, 'anywhere');
    if (values.help) {
      await print(HELP);
      return 0;
    }
    if (operands.length > 0) throw new UsageError(`demo: it takes no arguments, "${operands[0]}" is one (wasm-bpf demo)`);
    await print('execsnoop.wasm shows programs as they start and end; some are started for it:\n\n');
    let next = 0;
    const starter = setInterval(() => {
      const [file, ...rest] = PROGRAMS[next++ % PROGRAMS.length];
      // a system without one of them shows the others
      spawn(file, rest, { stdio: 'ignore' }).on('error', () => {});
    }, PAUSE);
    try {
      return await runFile(fileURLToPath(new URL('../../../fixtures/execsnoop.wasm', import.meta.url)), { args: ['-n', String(EVENTS), '-t', String(SECONDS)] });
    } finally {
      clearInterval(starter);
    }
  },
};
