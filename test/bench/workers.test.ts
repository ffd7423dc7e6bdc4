/** The sides of bench/libbpf.ts speak one language and do the whole work. */
import { spawnSync } from 'node:child_process';
import { Worker } from '../../bench/worker.js';
import { buildNative } from '../../bench/native.js';
import { assert, suite, type Need } from '../support/suite.js';
import { fixture, needsCommand, needsRoot, root } from '../support/probe.js';

const needsLibbpf: Need = {
  name: 'libbpf-dev',
  missing: spawnSync('gcc', ['-E', '-x', 'c', '-include', 'bpf/libbpf.h', '/dev/null'], { stdio: 'ignore' }).status === 0 ? undefined : 'no bpf/libbpf.h (Debian package libbpf-dev)',
};
const SIDES: readonly { readonly name: string; readonly object: string; readonly needs: readonly Need[]; readonly start: () => Worker }[] = [
  { name: 'native', object: ` ${fixture('bench.bpf.o')}`, needs: [needsRoot, needsCommand('gcc', 'gcc'), needsLibbpf], start: () => new Worker('native', buildNative().worker, []) },
  { name: 'TypeScript', object: ` ${fixture('bench.bpf.o')}`, needs: [needsRoot], start: () => new Worker('typescript', process.execPath, [`${root}build/bench/typescript.js`]) },
  { name: 'guest', object: '', needs: [needsRoot], start: () => new Worker('guest', process.execPath, [`${root}dist/run.js`, fixture('bench.wasm')]) },
];
const OPERATIONS = ['hash.update', 'hash.lookup', 'hash.next', 'hash.delete', 'array.update', 'array.lookup', 'array.next'];

async function using(worker: Worker, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } finally {
    await worker.close();
  }
}

suite('bench workers', (test) => {
  for (const { name, object, needs, start } of SIDES) {
    test.needing(needs, `${name} times every map operation`, () => {
      const worker = start();
      return using(worker, async () => {
        const answer = await worker.ask(`maps${object} 16`);
        assert.equal(Object.keys(answer), OPERATIONS);
        assert.ok(Object.values(answer).every((ns) => ns > 0), JSON.stringify(answer));
      });
    });

    // libbpf attaches to the tracepoint only where tracefs is mounted
    if (name === 'native') continue;
    test.needing(needs, `${name} drains a full ring twice, in order`, () => {
      const worker = start();
      return using(worker, async () => {
        await worker.ask(`open${object}`);
        for (let i = 0; i < 2; i++) assert.ok((await worker.ask('drain'))['ring.drain'] > 0);
        await worker.ask('close');
      });
    });
  }

  test('Worker.ask says what the worker said when it ended', async () => {
    const worker = new Worker('broken', process.execPath, ['-e', 'process.stdin.once("data", () => { console.error("out of order"); process.exit(1); })']);
    const message = await worker.ask('drain').then(() => 'no error', (error: Error) => error.message);
    await worker.close();
    assert.is(message, 'broken ended at "drain": out of order');
  });
});
