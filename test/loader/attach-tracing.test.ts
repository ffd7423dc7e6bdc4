/** Programs attached to tracepoints, functions, events and iterators of the running kernel, seen by what they counted. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { feature } from '#src/kernel/features.js';
import { needsFeature, needsLinux } from '../support/kernel.js';
import { needsRoot } from '../support/probe.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { Families, attachFails, withFamilies } from './families.js';

const mine = { rodata: { only_pid: process.pid } };
const LIBC = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/libc.so.6`;
/** This process's own call of the library's getppid. */
const callGetppid = () => process.ppid;
/** Makes a file and unlinks it, by unlinkat(2). */
const remove = () => execFileSync('sh', ['-c', 'f=$(mktemp); rm "$f"']);
const kprobes = existsSync('/sys/bus/event_source/devices/kprobe');

suite('loader/attach: tracing', (test) => {
  test.needing([needsRoot], 'tracepoint, raw tracepoint and tp_btf count the same exec', () => {
    withFamilies(['on_tp', 'on_raw_tp', 'on_tp_btf'], (families) => {
      const links = families.object.attachAll();
      assert.equal(links.map((link) => link.description), ['tracepoint sched:sched_process_exec', 'raw tracepoint sched_process_exec', 'tp_btf sched_process_exec']);
      execFileSync('true');
      for (const slot of ['TP', 'RAW_TP', 'TP_BTF']) assert.is(families.hits(slot), 1, slot);
      links[0].close();
      links[0].close();
      assert.is(links[0].closed, true);
      execFileSync('true');
      assert.is(families.hits('TP'), 1);
      assert.is(families.hits('RAW_TP'), 2);
    }, mine);
  });

  test.needing([needsRoot], 'tracepoint takes another one as target', () => {
    withFamilies(['on_tp'], ({ object }) => {
      assert.is(object.attach('on_tp', 'sched:sched_process_exit').description, 'tracepoint sched:sched_process_exit');
      assert.is(object.attach('on_tp', 'tp/sched/sched_process_fork').description, 'tracepoint sched:sched_process_fork');
      assert.is(object.attach('on_tp', 'tp/sched/sched_process_exec').description, 'tracepoint sched:sched_process_exec');
    });
  });

  test.needing([needsRoot], 'uprobe and uretprobe see a library function and its result', () => {
    withFamilies(['on_uprobe', 'on_uretprobe', 'on_getppid'], (families) => {
      const { object } = families;
      assert.is(object.attach('on_uprobe', 'libc.so.6:getppid').description, `uprobe ${LIBC}:getppid`);
      object.attach('on_uretprobe', `${LIBC}:getppid`);
      const before = families.hits('UPROBE');
      const parent = callGetppid();
      assert.is(families.hits('UPROBE'), before + 1);
      assert.is(families.hits('URETPROBE'), 1);
      assert.is(families.lastResult(), BigInt(parent));
      // the section of on_getppid says it all
      assert.is(object.attach('on_getppid').description, `uprobe ${LIBC}:getppid`);
      callGetppid();
      assert.is(families.hits('UPROBE'), before + 3);
    }, mine);
  });

  test.needing([needsRoot, needsFeature('uprobeMulti')], 'uprobe.multi attaches to every function of a pattern', () => {
    withFamilies(['on_uprobe_multi'], (families) => {
      assert.is(families.object.attach('on_uprobe_multi').description, `uprobe.multi ${LIBC}:getpp* (1 places)`);
      callGetppid();
      assert.is(families.hits('UPROBE_MULTI'), 1);
    }, mine);
  });

  test.needing([needsRoot], 'uprobe takes a file offset, and an offset from a function', () => {
    const offset = symbolOffset('getppid');
    withFamilies(['on_uprobe'], (families) => {
      families.object.attach('on_uprobe', `${LIBC}:0x${offset.toString(16)}`);
      callGetppid();
      assert.is(families.hits('UPROBE'), 1);
      assert.is(families.object.attach('on_uprobe', `${LIBC}:getppid+0`).description, `uprobe ${LIBC}:getppid+0`);
    }, mine);
  });

  test.needing([needsRoot], 'perf_event samples at the frequency asked for, and by period', () => {
    withFamilies(['on_perf_event'], (families) => {
      const link = families.object.attach('on_perf_event', 'cpu-clock:500');
      assert.is(link.description, 'perf event cpu-clock at 500 Hz');
      const end = Date.now() + 200;
      while (Date.now() < end);
      link.close();
      const hits = families.hits('PERF_EVENT');
      assert.ok(hits > 20 && hits < 2000, `${hits} samples`);
      assert.is(families.object.attach('on_perf_event').description, 'perf event cpu-clock at 99 Hz');
      assert.is(families.object.attach('on_perf_event', 'page-faults:/10').description, 'perf event page-faults every 10');
    });
  });

  test.needing([needsRoot], 'iter/task gives the text the program wrote, again at each read', () => {
    withFamilies(['each_task'], ({ object }) => {
      const link = object.attach('each_task');
      assert.is(link.description, 'iter task');
      const pids = link.read!().trim().split('\n');
      assert.ok(pids.includes(String(process.pid)) && pids.includes(String(process.ppid)));
      const child = spawnSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).stdout.trim();
      assert.not(link.read!().split('\n').includes(child));
    });
  });

  test.needing([needsRoot, needsLinux('6.1', 'iterators over one task')], 'iter/task goes over the threads of the process that the target names', () => {
    withFamilies(['each_task'], ({ object }) => {
      const own = object.attach('each_task', `pid:${process.pid}`).read!().trim().split('\n');
      assert.equal([...new Set(own)], [String(process.pid)]);
    });
  });

  test.needing([needsRoot], 'iter/bpf_map_elem goes over the map that the target names', () => {
    withFamilies(['each_number'], ({ object }) => {
      const numbers = object.maps.get('numbers')!;
      numbers.update(Uint8Array.of(7, 0, 0, 0), Uint8Array.of(42, 0, 0, 0, 0, 0, 0, 0));
      assert.is(object.attach('each_number', 'numbers').read!(), '7=42\n');
    });
  });

  test.table([
    ['on_tp', 'sched:sched_process_exce', 'BPF_ATTACH', 'attach program "on_tp": tracepoint "sched/sched_process_exce": category "sched" has no such event (did you mean "sched_process_exec"'],
    ['on_tp', 'shced:sched_switch', 'BPF_ATTACH', 'attach program "on_tp": tracepoint "shced/sched_switch": there is no category "shced" (did you mean "sched/sched_switch"?)'],
    ['on_tp', 'sched_switch', 'BPF_ATTACH', 'attach program "on_tp": "sched_switch" is no tracepoint (needs "category:name" like "sched:sched_process_exec")'],
    ['on_raw_tp', 'sched_swich', 'BPF_ATTACH', 'attach program "on_raw_tp": no raw tracepoint "sched_swich" (did you mean "sched_switch"'],
    ['on_tp_btf', 'sched_switch', 'BPF_ATTACH', 'attach program "on_tp_btf": target "sched_switch" is not the section\'s "sched_process_exec" (programs of this section are bound to a function when they are loaded: change the section name)'],
    ['on_uprobe', undefined, 'BPF_ATTACH', 'attach program "on_uprobe": section "uprobe" needs a binary and a function or offset, "path:function+offset" like "/bin/bash:readline" or "libc.so.6:malloc"'],
    ['on_uprobe', 'malloc', 'BPF_ATTACH', 'attach program "on_uprobe": "malloc" names no function (needs "path:function+offset" like "libc.so.6:malloc")'],
    ['on_uprobe', 'libc.so.6:getpidd', 'BPF_ATTACH', `attach program "on_uprobe": no function "getpidd" in ${LIBC} (did you mean "getpid"`],
    ['on_uprobe', 'libnone.so.9:f', 'BPF_ATTACH', 'attach program "on_uprobe": no library "libnone.so.9" in '],
    ['on_uprobe', 'no-such-program:f', 'BPF_ATTACH', 'attach program "on_uprobe": no program "no-such-program" in '],
    ['on_uprobe', '/no/such/file:f', 'BPF_ATTACH', 'attach program "on_uprobe": no file /no/such/file'],
    ['on_uprobe', '/etc/passwd:f', 'BPF_ATTACH', 'attach program "on_uprobe": /etc/passwd: '],
    ['on_uretprobe', 'libc.so.6:getpid+4', 'BPF_ATTACH', 'attach program "on_uretprobe": "getpid+4" is not a function\'s start (a return probe takes no offset)'],
    ['on_uprobe_multi', 'libc.so.6:no_such_*', 'BPF_ATTACH', `attach program "on_uprobe_multi": no function in ${LIBC} matches "no_such_*"`],
    ['on_perf_event', 'cpu-clok:10', 'BPF_ATTACH', 'attach program "on_perf_event": unknown perf event "cpu-clok:10" (did you mean "cpu-clock"'],
    ['on_perf_event', 'cpu-clock:0', 'BPF_ATTACH', 'attach program "on_perf_event": perf event "cpu-clock:0" has the rate 0 (at least 1)'],
    ['each_number', undefined, 'BPF_ATTACH', 'attach program "each_number": section "iter" needs the name of a map of the same object for iter/bpf_map_elem'],
    ['each_number', 'numbres', 'BPF_ATTACH', 'attach program "each_number": no map "numbres" in the object (did you mean "numbers"?)'],
    ['each_task', 'everything', 'BPF_ATTACH', 'attach program "each_task": "everything" is no task (needs "pid:N" (a process) or "tid:N" (a thread))'],
    ['on_lwt', undefined, 'BPF_ATTACH', 'attach program "on_lwt": programs of section "lwt_in" are called by others, not attached'],
  ] as const, ([program, target]) => `attach says what is wrong: ${program} on ${target}`, ([program, target, code, message]) => {
    attachFails(program, target, code, new RegExp(`^${escaped(message)}`));
  });

  test.needing([needsRoot], 'kprobes attach, or the message names what the kernel lacks', () => {
    withFamilies(['on_kprobe', 'on_kretprobe', 'on_ksyscall'], (families) => {
      const { object } = families;
      if (kprobes) {
        object.attachAll();
        remove();
        for (const slot of ['KPROBE', 'KRETPROBE', 'KSYSCALL']) assert.ok(families.hits(slot) > 0, slot);
        throwsCode(() => object.attach('on_kprobe', 'vfs_unlinkt'), 'BPF_ATTACH', /no kernel function "vfs_unlinkt" \(did you mean "vfs_unlink"/);
      } else {
        for (const name of ['on_kprobe', 'on_kretprobe', 'on_ksyscall']) {
          throwsCode(() => object.attach(name), 'UNSUPPORTED', 'the kprobe PMU is not supported here, needs Linux 4.17 or later (the kernel needs CONFIG_KPROBES)');
        }
      }
      throwsCode(() => object.attach('on_kprobe', 'a b'), 'BPF_ATTACH', 'attach program "on_kprobe": "a b" is no kernel function (needs "name" or "name+offset")');
      throwsCode(() => object.attach('on_kretprobe', 'vfs_unlink+8'), 'BPF_ATTACH', 'attach program "on_kretprobe": "vfs_unlink+8" is not a function\'s start (a return probe takes no offset)');
      throwsCode(() => object.attach('on_ksyscall', 'a-b'), 'BPF_ATTACH', 'attach program "on_ksyscall": "a-b" is no system call (needs a name like "openat")');
    });
  });

  test.needing([needsRoot], 'kprobe.multi attaches, or the message names what the kernel lacks', () => {
    withFamilies(['on_kprobe_multi'], (families) => {
      if (feature('kprobeMulti')) {
        families.object.attachAll();
        remove();
        assert.ok(families.hits('KPROBE_MULTI') > 0);
      } else {
        throwsCode(() => families.object.attach('on_kprobe_multi'), 'UNSUPPORTED', 'section "kprobe.multi" is not supported here, needs Linux 5.18 or later (the kernel needs CONFIG_FPROBE)');
      }
    });
  });

  test.needing([needsRoot], 'fentry, fexit and LSM programs run, or the message says who forbids them', () => {
    for (const [name, slot, section] of [['on_fentry', 'FENTRY', 'fentry/vfs_unlink'], ['on_fexit', 'FEXIT', 'fexit/vfs_unlink'], ['on_lsm', 'LSM', 'lsm/file_open']] as const) {
      let families: Families;
      try {
        families = new Families([name]);
      } catch (error) {
        throwsCode(() => { throw error; }, 'SYSCALL', `BPF_PROG_LOAD for program "${name}" (section "${section}"): EPERM (this kernel refuses such programs even to root: lockdown, an LSM, or a kernel without CONFIG_FUNCTION_TRACER and trampolines)`);
        continue;
      }
      try {
        families.object.attachAll();
        remove();
        // an LSM that the kernel was not started with never runs
        if (slot !== 'LSM' || readFileSync('/sys/kernel/security/lsm', 'utf8').includes('bpf')) assert.ok(families.hits(slot) > 0, slot);
      } finally {
        families.object.close();
      }
    }
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** From readelf, an independent reader; getppid's address is its offset in the file where text is mapped so. */
function symbolOffset(name: string): number {
  const symbols = spawnSync('llvm-nm-19', ['-D', '--defined-only', LIBC], { encoding: 'utf8' });
  const listed = new RegExp(`^([0-9a-f]+) [TW] ${name}(@@.*)?$`, 'm').exec(symbols.stdout);
  if (!listed) throw new Error(`llvm-nm-19 shows no ${name}`);
  const address = parseInt(listed[1], 16);
  const headers = spawnSync('llvm-readelf-19', ['-l', '--wide', LIBC], { encoding: 'utf8' }).stdout;
  for (const match of headers.matchAll(/LOAD\s+0x([0-9a-f]+) 0x([0-9a-f]+) 0x[0-9a-f]+ 0x([0-9a-f]+)/g)) {
    const [offset, virtual, size] = match.slice(1).map((text) => parseInt(text, 16));
    if (address >= virtual && address < virtual + size) return address - virtual + offset;
  }
  throw new Error(`no segment holds ${name}`);
}
