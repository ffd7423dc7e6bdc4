import { execFileSync } from 'node:child_process';
import { Epoll } from '#src/kernel/epoll.js';
import { PerfSoftware, PerfType, perfDisable, perfEnable, perfEventOpen, perfSetBpf, pmuType } from '#src/kernel/perf-event.js';
import * as bpf from '#src/kernel/bpf.js';
import { openFds } from '#src/kernel/fd.js';
import { MapType, ProgType } from '#src/uapi.js';
import { EXIT, add, asm, load64, mapValue, mov, store64 } from '../support/bpf-asm.js';
import { descriptors, u32Bytes } from '../support/kernel.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };

suite('kernel/epoll', (test) => {
  test('wait returns 0 at the timeout', () => {
    const epoll = new Epoll();
    const start = process.hrtime.bigint();
    assert.is(epoll.wait(30), 0);
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    assert.ok(ms >= 29 && ms < 2000, `${ms} ms`);
    epoll.close();
  });
  test('an epoll waits for another, and forgets what is removed', () => {
    const outer = new Epoll();
    const inner = new Epoll();
    outer.add(inner.fd.value, 1);
    assert.is(outer.wait(0), 0);
    throwsCode(() => outer.add(inner.fd.value, 1), 'SYSCALL', `epoll_ctl for descriptor ${inner.fd.value}: EEXIST`);
    outer.remove(inner.fd.value);
    throwsCode(() => outer.remove(inner.fd.value), 'SYSCALL', `epoll_ctl for descriptor ${inner.fd.value}: ENOENT`);
    throwsCode(() => outer.add(99_999, 1), 'SYSCALL', 'epoll_ctl for descriptor 99999: EBADF');
    inner.close();
    outer[Symbol.dispose]();
    assert.throws(() => outer.wait(0), (error: Error) => error.message === 'bug: epoll is used after close');
  });
  test('a signal ends the wait at once, and its handler runs back in the event loop', () => {
    const script = `
      import('#src/kernel/epoll.js').then(({ Epoll }) => {
        process.on('SIGINT', () => { console.log('handler'); process.exit(0); });
        const epoll = new Epoll();
        setImmediate(() => {
          require('node:child_process').spawn('sh', ['-c', 'sleep 0.3; kill -INT ' + process.pid]);
          const start = Date.now();
          const result = epoll.wait(10000);
          console.log(result, Date.now() - start < 5000);
        });
      });`;
    assert.is(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }), 'interrupted true\nhandler\n');
  });
});

suite('kernel/perf-event', (test) => {
  test('a program on a software event runs while the event is enabled', () => {
    const map = bpf.mapCreate({ type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
    const insns = asm(mapValue(1, map.value, 0), load64(2, 1, 0), add(2, 1), store64(1, 0, 2), mov(0, 0), EXIT);
    const prog = bpf.progLoad({ type: ProgType.PERF_EVENT, insns, license: 'GPL', name: 'tick' });
    const event = perfEventOpen({ type: PerfType.SOFTWARE, config: BigInt(PerfSoftware.CPU_CLOCK), samplePeriod: 1_000_000n }, 0, -1, -1, 8, 'cpu clock');
    const seen = () => {
      const value = new Uint8Array(8);
      bpf.mapLookupElem(map.value, u32Bytes(0), value);
      return new DataView(value.buffer).getUint32(0, true);
    };
    const spin = () => { for (const end = Date.now() + 30; Date.now() < end;); };
    perfSetBpf(event.value, prog.value);
    perfEnable(event.value);
    spin();
    perfDisable(event.value);
    const count = seen();
    assert.ok(count > 3, `${count} ticks`);
    spin();
    assert.is(seen(), count);
    for (const fd of [event, prog, map]) fd.close();
  });
  test.table([
    { name: 'an impossible event', run: () => perfEventOpen({ type: PerfType.SOFTWARE, config: 999n }, -1, 0, -1, 8, 'event 999'), message: 'perf_event_open for event 999: ENOENT' },
    { name: 'a tracepoint that is not there', run: () => perfEventOpen({ type: PerfType.TRACEPOINT, config: 0xffff_ffn }, -1, 0, -1, 8, 'tracepoint'), message: 'perf_event_open for tracepoint: EINVAL' },
    { name: 'every process on every CPU', run: () => perfEventOpen({ type: PerfType.SOFTWARE, config: 0n }, -1, -1), message: 'perf_event_open: EINVAL' },
    { name: 'a descriptor that is none', run: () => perfEnable(99_999, 'kprobe "f"'), message: 'PERF_EVENT_IOC_ENABLE for kprobe "f": EBADF' },
    { name: 'a program that is none', run: () => { const event = perfEventOpen({ type: PerfType.SOFTWARE, config: 0n }, 0, -1); try { perfSetBpf(event.value, 0); } finally { event.close(); } }, message: 'PERF_EVENT_IOC_SET_BPF: EINVAL' },
  ], ({ name }) => `a refusal names the call: ${name}`, ({ run, message }) => {
    throwsCode(run, 'SYSCALL', message);
  });
  test('pmuType reads sysfs, and says what a missing one needs', () => {
    assert.is(pmuType('software'), 1);
    throwsCode(() => pmuType('nothing'), 'UNSUPPORTED', 'the nothing PMU is not supported here, needs Linux 4.17 or later');
  });
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
  });
});
