/** The texts the kernel describes itself with: processors, version, configuration, symbols, types. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { onlineCpus, parseCpuList, possibleCpus } from '#src/kernel/cpus.js';
import { openFds } from '#src/kernel/fd.js';
import { findAddresses, hasSymbol, symbolAddresses, symbols } from '#src/kernel/kallsyms.js';
import { parseKconfig, readKconfig } from '#src/kernel/kconfig.js';
import { didYouMean, nearest } from '#src/kernel/near.js';
import { codeFrom, kernelAtLeast, kernelRelease, kernelVersionCode, versionCode } from '#src/kernel/release.js';
import { moduleBtfNames, moduleBtfFd, vmlinuxBtf } from '#src/kernel/vmlinux.js';
import { errnoName } from '#src/kernel/errno.js';
import { constants } from 'node:os';
import { descriptors, keepsDescriptors } from '../support/kernel.js';
import { assert, suite, throwsCode } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };

suite('kernel/cpus', (test) => {
  test.table([
    { text: '0\n', cpus: [0] }, { text: '0-3\n', cpus: [0, 1, 2, 3] }, { text: '0-1,4,6-7', cpus: [0, 1, 4, 6, 7] }, { text: '\n', cpus: [] },
  ], ({ text }) => `parseCpuList reads ${JSON.stringify(text)}`, ({ text, cpus }) => assert.equal(parseCpuList(text), cpus));
  test.table(['x', '3-1', '0-', '-1', '0,,x', '0-99999', '1 2'], (text) => `parseCpuList refuses ${JSON.stringify(text)}`, (text) => {
    throwsCode(() => parseCpuList(text), 'UNSUPPORTED', /^a processor list that reads ".*" is not supported here \(expected N or N-M\)$/);
  });
  test('possibleCpus and onlineCpus agree with nproc', () => {
    assert.is(onlineCpus().length, Number(execFileSync('nproc', ['--all'], { encoding: 'utf8' })));
    assert.ok(possibleCpus() >= onlineCpus().length);
  });
});

suite('kernel/release', (test) => {
  test.table([
    { text: '6.12.48+deb13-amd64', code: 0x060c30 }, { text: '5.10', code: 0x050a00 }, { text: '4.19.325', code: 0x0413ff }, { text: '6.18.44-fc-v657', code: 0x06122c },
    { text: 'unknown', code: undefined }, { text: '6', code: undefined },
  ], ({ text }) => `versionCode reads ${text}`, ({ text, code }) => assert.is(versionCode(text), code));
  test.table([
    { release: '4.19.0-22-amd64', version: '#1 SMP Debian 4.19.260-1 (2022-09-29)', signature: '', code: versionCode('4.19.260') },
    { release: '5.4.0-12-generic', version: '#15-Ubuntu SMP', signature: 'Ubuntu 5.4.0-12.15-generic 5.4.8', code: versionCode('5.4.8') },
    { release: '6.18.44', version: '#1 SMP', signature: '', code: versionCode('6.18.44') },
    { release: 'strange', version: '', signature: '', code: 0 },
  ], ({ release }) => `codeFrom knows where ${release} says its number`, ({ release, version, signature, code }) => assert.is(codeFrom({ release, version }, signature), code));
  test('kernelVersionCode and kernelAtLeast are about the running kernel', () => {
    assert.is(kernelRelease(), execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim());
    assert.ok(kernelVersionCode() >= versionCode('5.8')!);
    assert.is(kernelAtLeast('5.8'), true);
    assert.is(kernelAtLeast('99.0'), false);
    assert.throws(() => kernelAtLeast('new'), (error: Error) => error.message === 'bug: "new" is no kernel version');
  });
});

suite('kernel/kconfig', (test) => {
  test('parseKconfig keeps values as written and leaves comments out', () => {
    const config = parseKconfig('# Linux\nCONFIG_BPF=y\n# CONFIG_FOO is not set\nCONFIG_E1000=m\r\nCONFIG_NAME="a=b"\nCONFIG_HZ=250\nCONFIG_X=0x10\nrubbish\n');
    assert.equal([...config], [['CONFIG_BPF', 'y'], ['CONFIG_E1000', 'm'], ['CONFIG_NAME', '"a=b"'], ['CONFIG_HZ', '250'], ['CONFIG_X', '0x10']]);
  });
  const given = { name: 'a kernel configuration', missing: (() => { try { readKconfig(); return undefined; } catch (error) { return (error as Error).message; } })() };
  test.needing([given], 'readKconfig finds the running kernel’s', () => {
    assert.is(readKconfig().get('CONFIG_BPF_SYSCALL'), 'y');
  });
});

suite('kernel/kallsyms', (test) => {
  const text = Buffer.from('ffffffff81000000 T _stext\nffffffff81000010 t helper\t[mod]\nffffffff81000020 T helper\n0000000000000000 D percpu\nffffffff81000030 t xhelper\n');
  test('findAddresses takes the first of a name, and whole names only', () => {
    assert.equal([...findAddresses(text, ['_stext', 'helper', 'percpu', 'stext', 'help', 'mod'])], [['_stext', 0xffffffff81000000n], ['helper', 0xffffffff81000010n], ['percpu', 0n]]);
  });
  test('findAddresses says so when the kernel hides addresses', () => {
    const zeros = Buffer.from('0000000000000000 T _stext\n0000000000000000 T do_exit\n');
    throwsCode(() => findAddresses(zeros, ['do_exit']), 'UNSUPPORTED', 'the address of kernel symbol "do_exit" is not supported here (/proc/kallsyms shows zeros: run as root with kernel.kptr_restrict=0 or 1, or grant CAP_SYSLOG)');
    assert.equal([...findAddresses(zeros, ['nothing'])], []);
  });
  test('symbols reads type and module', () => {
    assert.equal([...symbols(text)].slice(0, 2), [{ address: 0xffffffff81000000n, type: 'T', name: '_stext', module: undefined }, { address: 0xffffffff81000010n, type: 't', name: 'helper', module: 'mod' }]);
  });
  test('symbolAddresses and hasSymbol read the running kernel’s', () => {
    const line = /^([0-9a-f]+) T vprintk$/m.exec(readFileSync('/proc/kallsyms', 'latin1'))!;
    assert.is(symbolAddresses(['vprintk', 'no_such_symbol']).get('vprintk'), BigInt(`0x${line[1]}`));
    assert.is(symbolAddresses(['vprintk', 'no_such_symbol']).size, 1);
    assert.is(hasSymbol('vprintk'), true);
    assert.is(hasSymbol('vprint'), false);
  });
});

suite('kernel/vmlinux', (test) => {
  test('vmlinuxBtf gives the kernel’s BTF, and lets go of it', () => keepsDescriptors(() => {
    const btf = vmlinuxBtf();
    assert.is(btf.format, 'btf');
    assert.equal([btf.bytes[0], btf.bytes[1]], [0x9f, 0xeb]);
    assert.is(Buffer.compare(btf.bytes, readFileSync('/sys/kernel/btf/vmlinux')), 0);
    btf.close();
    btf.close();
  }));
  test('module BTF is listed without vmlinux, and opened by name', () => keepsDescriptors(() => {
    const names = moduleBtfNames();
    assert.not(names.includes('vmlinux'));
    for (const name of names.slice(0, 1)) moduleBtfFd(name)!.close();
    assert.is(moduleBtfFd('no_such_module'), undefined);
  }));
});

suite('kernel/near', (test) => {
  const names = ['sched_switch', 'sched_wakeup', 'sched_process_exec', 'sched_process_exit'];
  test('nearest orders by edits, and takes what contains the name', () => {
    assert.equal(nearest('sched_process_exex', names), ['sched_process_exec', 'sched_process_exit']);
    assert.equal(nearest('wakeup', names), ['sched_wakeup']);
    assert.equal(nearest('zzz', names), []);
  });
  test('didYouMean words it', () => {
    assert.is(didYouMean('sched_swich', ['sched_switch']), 'did you mean "sched_switch"?');
    assert.is(didYouMean('eht0', ['eth0', 'eth1', 'lo']), 'did you mean "eth0"?');
    assert.is(didYouMean('zzz', names), '');
  });
});

suite('kernel/errno', (test) => {
  const skipped = new Set(['EWOULDBLOCK', 'ENOTSUP']);
  test('errnoName agrees with Node about every errno of this system', () => {
    const wrong = Object.entries(constants.errno).filter(([name, number]) => !skipped.has(name) && errnoName(number) !== name);
    assert.equal(wrong, []);
    assert.is(errnoName(0), 'errno 0');
    assert.is(errnoName(133), 'EHWPOISON');
    assert.is(errnoName(134), 'errno 134');
  });
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
  });
});
