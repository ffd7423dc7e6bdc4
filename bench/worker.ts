/**
 * A process that measures on demand: commands in, one a line; answers out, one line each, of `name=count:nanoseconds` words.
 * The native program, the TypeScript worker and the guest all speak it, so that one loop can take turns between them.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

export class Worker {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;
  readonly #gone: Promise<void>;
  #errors = '';

  constructor(readonly name: string, command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: 'pipe' });
    this.#gone = new Promise((resolve) => this.#child.once('close', () => resolve()));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#errors += text; });
    // a worker that is gone shows as an answer that does not come, with its own words in the message
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** Nanoseconds per operation, by the name of the operation. */
  async ask(command: string): Promise<Record<string, number>> {
    this.#child.stdin.write(`${command}\n`);
    const { done, value } = await this.#answers.next();
    if (done) await this.#gone;
    if (done) throw new Error(`${this.name} ended at "${command}": ${this.#errors.trim() || `status ${this.#child.exitCode}`}`);
    const answer: Record<string, number> = {};
    for (const word of value.trim().split(/ +/)) {
      const [, name, count, ns] = /^([\w.]+)=(\d+):(\d+)$/.exec(word) ?? [];
      if (!name || Number(count) === 0) throw new Error(`${this.name} answers "${value}" to "${command}"`);
      answer[name] = Number(ns) / Number(count);
    }
    return answer;
  }

  /** Ends the process by closing its input, and waits until it is gone. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin.end();
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#gone;
    clearTimeout(patience);
    this.#lines.close();
  }
}
