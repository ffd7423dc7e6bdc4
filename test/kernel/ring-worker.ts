/** Worker of ring-buffer.test.ts: runs a program again and again. The cell goes to 1 when it starts and to 2 when it is done. */
import { workerData } from 'node:worker_threads';
import { progTestRun } from '#src/kernel/bpf.js';

const { progFd, rounds, repeat, cell } = workerData as { progFd: number; rounds: number; repeat: number; cell: Int32Array };
Atomics.store(cell, 0, 1);
for (let i = 0; i < rounds; i++) progTestRun({ progFd, dataIn: new Uint8Array(64), repeat });
Atomics.store(cell, 0, 2);
