import { FEATURES, feature, type FeatureName } from '#src/kernel/features.js';
import { openFds } from '#src/kernel/fd.js';
import { kernelAtLeast } from '#src/kernel/release.js';
import { memlock, raiseMemlock } from '#src/kernel/rlimit.js';
import { hasCapability, lacking } from '#src/kernel/capabilities.js';
import { execFileSync } from 'node:child_process';
import { descriptors } from '../support/kernel.js';
import { assert, suite } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };
const names = Object.keys(FEATURES) as FeatureName[];

/** Features that depend on how a kernel is configured, not only on its age. */
const CONFIGURED: readonly FeatureName[] = ['kprobeMulti', 'uprobeMulti', 'argCtxTag', 'tcx', 'netfilterLink', 'moduleBtf'];

suite('kernel/features', (test) => {
  test.table(names, (name) => `feature('${name}') is there from Linux ${FEATURES[name].since} on`, (name) => {
    const has = feature(name);
    assert.type(has, 'boolean');
    assert.is(FEATURES[name].probe(), has);
    if (kernelAtLeast(FEATURES[name].since) && !CONFIGURED.includes(name)) assert.is(has, true);
    assert.is(feature(name), has);
  });
  test('a kernel of this age has what distributions do not backport away', () => {
    assert.is(feature('btf'), true);
    assert.is(feature('globalData'), true);
  });
  test('feature does not take a want of privilege for an answer', () => {
    const script = `import('#src/kernel/features.js').then(({ feature }) => { try { console.log(feature('ringbuf')); } catch (error) { console.log(error.message); } })`;
    const out = execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', process.execPath, '-e', script], { encoding: 'utf8' });
    assert.is(out, 'BPF_PROG_LOAD for program "" (socket_filter, 2 insns): EPERM (run as root, or grant CAP_BPF)\n');
  });
  test('hasCapability and lacking read the effective set', () => {
    assert.is(hasCapability('CAP_BPF'), true);
    assert.equal(lacking(['CAP_BPF', 'CAP_NET_ADMIN']), []);
    const script = `import('#src/kernel/capabilities.js').then((c) => console.log(c.hasCapability('CAP_BPF'), c.lacking(['CAP_BPF', 'CAP_PERFMON', 'CAP_NET_ADMIN']).join()))`;
    const out = (bounding: string) => execFileSync('setpriv', [`--bounding-set=${bounding}`, process.execPath, '-e', script], { encoding: 'utf8' });
    assert.is(out('-bpf,-sys_admin'), 'false CAP_BPF\n');
    assert.is(out('-bpf,-perfmon'), 'false \n');
  });
  test('raiseMemlock raises the limit exactly where memory is counted against it', () => {
    const old = memlock();
    if (feature('memcgAccounting')) {
      assert.is(raiseMemlock(), false);
      assert.equal(memlock(), old);
    } else {
      assert.is(raiseMemlock(), old.soft !== 2n ** 64n - 1n);
      assert.is(memlock().soft, 2n ** 64n - 1n);
    }
  });
  test('memlock sets and gives both limits back', () => {
    const old = memlock();
    assert.equal(memlock({ soft: 65536n, hard: old.hard }), old);
    assert.equal(memlock(), { soft: 65536n, hard: old.hard });
    memlock(old);
    assert.equal(memlock(), old);
  });
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
  });
});
