/** Runs one command in several kernels, as many at a time as the machine has room for, and keeps apart what they print. */
import { availableParallelism } from 'node:os';
import { bootAndRun } from './boot.js';
import { fetchKernel } from './fetch.js';
import type { Kernel } from './kernels.js';
import { readResults, type Results } from './result.js';

/** An emulated machine has two processors on one of the host's, and waits for half of the time. */
const JOBS = Number(process.env['LAB_JOBS'] ?? Math.max(1, Math.min(2, availableParallelism())));

export interface Outcome {
  readonly kernel: Kernel;
  /** undefined: it was not even brought */
  readonly release?: string;
  /** undefined: the guest came to no end */
  readonly status?: number;
  readonly seconds?: number;
  readonly results: Results;
  readonly output: string;
  readonly error?: string;
}

/** In the order of `kernels`; what a guest prints is shown when it has ended. */
export async function runKernels(kernels: readonly Kernel[], command: string | ((kernel: Kernel) => string), seconds: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [], waiting = [...kernels];
  await Promise.all(Array.from({ length: JOBS }, async () => {
    for (let kernel = waiting.shift(); kernel; kernel = waiting.shift()) {
      const outcome = await run(kernel, typeof command === 'string' ? command : command(kernel), seconds);
      outcomes.push(outcome);
      process.stdout.write(`\n# lab ${kernel.name}\n${outcome.output}`);
    }
  }));
  return outcomes.sort((a, b) => kernels.indexOf(a.kernel) - kernels.indexOf(b.kernel));
}

async function run(kernel: Kernel, command: string, limit: number): Promise<Outcome> {
  let release: string | undefined;
  try {
    console.log(`# lab ${kernel.name}: fetching`);
    const image = fetchKernel(kernel);
    release = image.release;
    console.log(`# lab ${kernel.name}: booting ${release}`);
    const { status, output, seconds } = await bootAndRun(image, command, process.cwd(), limit);
    return { kernel, release, status, seconds, output, results: readResults(output) };
  } catch (error) {
    return { kernel, release, output: '', results: new Map(), error: (error as Error).message };
  }
}
