import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { openFds } from '#src/kernel/fd.js';
import { PerfType, perfEventOpen } from '#src/kernel/perf-event.js';
import { Tracefs } from '#src/kernel/tracefs.js';
import { descriptors } from '../support/kernel.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };

function withTracefs(use: (tracefs: Tracefs) => void, open = Tracefs.open): void {
  const tracefs = open();
  try {
    use(tracefs);
  } finally {
    tracefs.close();
  }
}

suite('kernel/tracefs', (test) => {
  test('tracepointId gives the number that perf_event_open takes', () => withTracefs((tracefs) => {
    const id = tracefs.tracepointId('sched', 'sched_process_exec');
    assert.is(id, Number(readFileSync(`${tracefs.root}/events/sched/sched_process_exec/id`, 'latin1')));
    perfEventOpen({ type: PerfType.TRACEPOINT, config: BigInt(id) }, -1, 0).close();
  }));
  test('a detached mount shows the same events, and nobody else sees it', () => withTracefs((detached) => {
    assert.match(detached.root, /^\/proc\/self\/fd\/\d+$/);
    withTracefs((tracefs) => assert.is(detached.tracepointId('sched', 'sched_switch'), tracefs.tracepointId('sched', 'sched_switch')));
    const mounts = readFileSync('/proc/mounts', 'latin1').split('\n').filter((line) => line.split(' ')[1] === detached.root);
    assert.equal(mounts, []);
  }, () => Tracefs.detached()));
  test('tracepoints lists what tracepointId finds', () => withTracefs((tracefs) => {
    const all = tracefs.tracepoints();
    assert.ok(all.length > 100, String(all.length));
    assert.ok(all.includes('sched/sched_switch'));
    assert.equal(all, [...all].sort());
  }));
  test.table([
    { category: 'sched', name: 'sched_process_exex', message: /^tracepoint "sched\/sched_process_exex": category "sched" has no such event \(did you mean "sched_process_exec" or / },
    { category: 'sched', name: 'zzzzzz', message: /^tracepoint "sched\/zzzzzz": category "sched" has no such event$/ },
    { category: 'shed', name: 'sched_switch', message: /^tracepoint "shed\/sched_switch": there is no category "shed" \(did you mean "sched\/sched_switch"\?\)$/ },
    { category: 'scheduling', name: 'x', message: /^tracepoint "scheduling\/x": there is no category "scheduling"/ },
    { category: '..', name: '..', message: /^tracepoint "..\/..": there is no category ".."$/ },
    { category: 'sched', name: '../sched/sched_switch', message: /has no such event/ },
    { category: '', name: '', message: /there is no category ""$/ },
  ], ({ category, name }) => `tracepointId refuses "${category}/${name}" and names what is near`, ({ category, name, message }) => withTracefs((tracefs) => {
    throwsCode(() => tracefs.tracepointId(category, name), 'USAGE', message);
  }));
  test('without privilege the way out is named', () => {
    const script = `import('#src/kernel/tracefs.js').then(({ Tracefs }) => { try { Tracefs.detached(); } catch (error) { console.log(error.code, error.message); } })`;
    const out = execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', process.execPath, '-e', script], { encoding: 'utf8' });
    assert.is(out, 'UNSUPPORTED tracefs (fsopen: EPERM) is not supported here (run as root, or mount tracefs on /sys/kernel/tracing)\n');
  });
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
  });
});
