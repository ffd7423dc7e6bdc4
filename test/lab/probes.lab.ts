/** Guests as a user starts them, on the running kernel: Wasm interpreter, loader, kernel, ring buffer and callback in one. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { basename } from 'node:path';
import { assert, suite } from '../support/suite.js';
import { fixture, withCable, withProbe } from '../support/probe.js';

suite('lab: probes', (test) => {
  test('lsm-open shows a file that this process opens', () => withProbe('lsm-open', [], async (probe) => {
    await probe.line(/^PID +COMM +FLAGS +NAME$/);
    const file = fixture('lsm-open.h');
    closeSync(openSync(file, 'r'));
    await probe.line(new RegExp(`^${process.pid} +\\S+ +[0-9a-f]{8} ${basename(file)}$`));
  }));

  test('execsnoop shows a program that starts, and how it ended', () => withProbe('execsnoop', [], async (probe) => {
    await probe.line(/^WHAT PID/);
    const { pid, status } = spawnSync('/bin/sh', ['-c', 'exit 7']);
    assert.is(status, 7);
    await probe.line(new RegExp(`^exec ${pid} +${process.pid} +sh +/bin/sh$`));
    await probe.line(new RegExp(`^exit ${pid} +${process.pid} +sh +status 7 after \\d+\\.\\d{3} ms$`));
    probe.kill('SIGINT');
    const { status: ended, err } = await probe.ending();
    assert.equal([ended, err], [130, '']);
  }));

  test('xdp-count counts packets over all CPUs', () => withCable((cable) => withProbe('xdp-count', ['-n', '2', cable.outside], async (probe) => {
    await probe.line(/^counting packets/);
    const [command, ...args] = [...cable.within, 'bash', '-c', `for i in 1 2; do echo x > /dev/udp/${cable.address}/9; done`];
    spawnSync(command, args);
    const { status, out, err } = await probe.ending();
    assert.equal([status, err], [0, '']);
    assert.match(out, /^ *UDP +17 +2 +88$/m);
  })));
});
