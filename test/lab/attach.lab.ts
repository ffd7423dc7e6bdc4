/**
 * Every family of programs on the running kernel, judged by a real event. Two objects are loaded once, with the programs that
 * this kernel has; then each row attaches one program, does a deed, and looks at what the program saw. On kernels before a
 * family's first one, or built without it, the row's program must be refused with words that say so. Each row prints a line for
 * the table that main.ts makes of a run over all kernels.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readlinkSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProjectError } from '#src/errors.js';
import { readKconfig } from '#src/kernel/kconfig.js';
import { kernelAtLeast } from '#src/kernel/release.js';
import { BpfObject, type Link } from '#src/loader/load.js';
import { cgroupMount } from '#src/loader/attach/cgroup.js';
import { parseObject } from '#src/reloc/object.js';
import { parseSection } from '#src/loader/sections.js';
import { descriptors } from '../support/kernel.js';
import { fixture, withCable, type Cable } from '../support/probe.js';
import { assert, suite, throwsCode } from '../support/suite.js';
import { RESULT } from './result.js';

/** One object, loaded with every program that this kernel has; its counters stand at the start of `.bss`. */
class Counted {
  readonly bytes: Uint8Array;
  readonly slots: readonly string[];
  readonly since: ReadonlyMap<string, string>;
  #object: BpfObject | undefined;

  constructor(readonly name: string, readonly wanted: () => readonly string[]) {
    // those that look at registers come once for each processor
    this.bytes = readFileSync(fixture(`${name}${process.arch === 'arm64' ? '-arm64' : ''}.bpf.o`));
    this.slots = /enum slot \{([^}]+)\}/.exec(readFileSync(fixture(`${name}.bpf.c`), 'utf8'))![1].split(',').map((slot) => slot.trim()).filter(Boolean);
    this.since = new Map(parseObject(this.bytes).programs.map((program) => [program.name, parseSection(program.section)!.since]));
  }

  load(programs: readonly string[]): BpfObject {
    return BpfObject.load(this.bytes, { name: 'lab', autoload: ({ name }) => programs.includes(name), rodata: { only_pid: process.pid } });
  }

  get object(): BpfObject {
    return this.#object ??= this.load(this.wanted());
  }

  close(): void {
    this.#object?.close();
    this.#object = undefined;
  }

  hits = (slot: string): number => Number(this.#bss().getBigUint64(this.#index(slot) * 8, true));
  /** of fixtures/lab/tracing.bpf.c */
  value = (slot: string): number => Number(this.#bss().getBigInt64((this.slots.length - 1 + this.#index(slot)) * 8, true));
  text = (): string => {
    const bss = this.#bss();
    return Buffer.from(bss.buffer, (this.slots.length - 1) * 16, 64).toString('latin1').split('\0')[0];
  };

  #index(slot: string): number {
    const index = this.slots.indexOf(slot);
    if (index < 0) throw new Error(`${this.name} has no slot ${slot}`);
    return index;
  }

  #bss(): DataView {
    const map = this.object.maps.get('.bss')!;
    const value = new Uint8Array(map.valueSize);
    assert.ok(map.lookup(new Uint8Array(4), value));
    return new DataView(value.buffer);
  }
}

/** The world that the deeds happen in. */
interface World { readonly cable: Cable; readonly group: string; readonly folder: string }

interface Config {
  readonly name: string;
  /** of a kernel without it */
  readonly words: string;
  /** from that kernel on, it works without */
  readonly until?: string;
}
const FPROBE: Config = { name: 'CONFIG_FPROBE', words: 'the kernel needs CONFIG_FPROBE' };
/** a system call is a place where a program may sleep */
const SLEEPS: Config = { name: 'CONFIG_FUNCTION_ERROR_INJECTION', words: 'is not sleepable', until: '7.0' };

interface Row {
  /** as the table names it */
  readonly family: string;
  readonly counted: Counted;
  readonly program: string;
  readonly slot: string;
  readonly target?: (world: World) => string;
  readonly deed: (world: World) => void;
  /** instead of "one more hit" */
  readonly check?: (hits: number, world: World) => void;
  /** the family has a way before its section's own first kernel, so nothing is refused: what the table says of it then */
  readonly fallback?: readonly [since: string, words: string];
  /** a kernel without the family may take it for another, and not refuse it */
  readonly unchecked?: true;
  /** what the kernel has to be built with, where distributions leave it out */
  readonly config?: Config;
}

const loader: Counted = new Counted('loader/families', () => supported(loader));
const tracing: Counted = new Counted('lab/tracing', () => supported(tracing));
const supported = (counted: Counted) => ROWS.filter((row) => row.counted === counted && !lacking(row)).map(({ program }) => program);
const kconfig = readKconfig();
/** Why this kernel has to refuse the family: what its words must hold, and what the table says. Undefined where it has it. */
function lacking({ counted, program, fallback, config }: Row): { readonly words: string; readonly verdict: string } | undefined {
  const since = counted.since.get(program)!;
  if (fallback !== undefined) return undefined;
  if (!kernelAtLeast(since)) return { words: `needs Linux ${since} or later`, verdict: `skipped: from ${since}` };
  if (config && !kconfig.has(config.name) && !(config.until && kernelAtLeast(config.until))) return { words: config.words, verdict: `skipped: built without ${config.name}` };
  return undefined;
}

const missing = join(tmpdir(), 'no-such-file');
/** readlink(2) of this thread, on a path that is not there */
const readMissing = () => assert.throws(() => readlinkSync(missing), /ENOENT/);
/** unlink(2) of a file that is there, which the hook forbids with that errno */
const unlinkFails = (errno: string) => (): void => {
  const file = join(tmpdir(), 'guarded');
  writeFileSync(file, '');
  assert.throws(() => unlinkSync(file), new RegExp(errno));
};
/** of fixtures/lab/tracing.bpf.c */
const PREFIX = 5;
const ENOENT = 2, AT_FDCWD = -100;

const exec = () => { execFileSync('true'); };
const spin = () => { for (const end = Date.now() + 150; Date.now() < end;); };
const getppid = () => { void process.ppid; };
const udp = (address: string, within: readonly string[] = []) => {
  const [command, ...args] = [...within, 'bash', '-c', `echo x > /dev/udp/${address}/9`];
  execFileSync(command, args, { stdio: 'pipe' });
};
const toUs = ({ cable }: World) => udp(cable.address, cable.within);
const toThem = ({ cable }: World) => udp(cable.peer);
const outside = ({ cable }: World) => cable.outside;
const some = (hits: number) => assert.ok(hits > 0, 'the program saw nothing');
/** The words of a failure have to do without the assertion's own picture of it. */
function same(actual: unknown, expected: unknown, what: string): void {
  assert.ok(actual === expected, `${what}: ${String(actual)}, not ${String(expected)}`);
}
const once = (hits: number) => same(hits, 1, 'events seen');
const inGroup = (script: string) => ({ folder }: World): void => {
  execFileSync('bash', ['-c', `echo $$ > ${folder}/cgroup.procs; ${script}`], { stdio: 'pipe' });
};
const group = ({ group: name }: World) => name;
const socket = (code: string) => inGroup(`perl -MSocket -e 'socket(S, AF_INET, SOCK_DGRAM, 0) or die; ${code} or die $!'`);
const receive = socket('bind(S, sockaddr_in(0, INADDR_LOOPBACK)) and send(S, "x", 0, getsockname(S)) and defined(recv(S, $got, 1, 0))');
const bind = socket('bind(S, sockaddr_in(0, INADDR_LOOPBACK))');
const inGroupUdp = inGroup('echo x > /dev/udp/127.0.0.1/9');
/** One hit of fixtures/lab/tracing.bpf.c, which kept that argument or result. */
const saw = (slot: string, value: number) => (hits: number): void => {
  once(hits);
  same(tracing.value(slot), value, 'value seen');
};

/** So many hits of a program on getppid(2), of which the last saw what it gives. */
const sawParent = (slot: string, times: number) => (hits: number): void => {
  same(hits, times, 'events seen');
  same(tracing.value(slot), process.ppid, 'value seen');
};
/** One hit of a program that may sleep, which copied the path's start. */
const sawPath = (slot: string) => (hits: number): void => {
  saw(slot, 0)(hits);
  same(tracing.text(), missing.slice(0, PREFIX), 'text seen');
};

const ROWS: readonly Row[] = [
  { family: 'tracepoint', counted: loader, program: 'on_tp', slot: 'TP', deed: exec },
  { family: 'raw tracepoint', counted: loader, program: 'on_raw_tp', slot: 'RAW_TP', deed: exec },
  { family: 'tp_btf', counted: loader, program: 'on_tp_btf', slot: 'TP_BTF', deed: exec },
  { family: 'kprobe', counted: tracing, program: 'on_kprobe', slot: 'KPROBE', deed: readMissing, check: saw('KPROBE', AT_FDCWD) },
  { family: 'kprobe by target', counted: tracing, program: 'on_kprobe_target', slot: 'KPROBE_TARGET', target: () => 'do_readlinkat+0', deed: readMissing },
  { family: 'kretprobe', counted: tracing, program: 'on_kretprobe', slot: 'KRETPROBE', deed: readMissing, check: saw('KRETPROBE', -ENOENT) },
  { family: 'ksyscall', counted: tracing, program: 'on_ksyscall', slot: 'KSYSCALL', deed: readMissing, check: (hits) => {
    saw('KSYSCALL', missing.length + 1)(hits);
    same(tracing.text(), missing, 'text seen');
  } },
  { family: 'kretsyscall', counted: tracing, program: 'on_kretsyscall', slot: 'KRETSYSCALL', deed: readMissing, check: saw('KRETSYSCALL', -ENOENT) },
  { family: 'kprobe.multi', counted: tracing, program: 'on_kprobe_multi', slot: 'KPROBE_MULTI', config: FPROBE, deed: readMissing, check: saw('KPROBE_MULTI', AT_FDCWD) },
  { family: 'kretprobe.multi', counted: tracing, program: 'on_kretprobe_multi', slot: 'KRETPROBE_MULTI', config: FPROBE, deed: readMissing, check: saw('KRETPROBE_MULTI', -ENOENT) },
  { family: 'kprobe.session', counted: tracing, program: 'on_kprobe_session', slot: 'KPROBE_SESSION', config: FPROBE, deed: readMissing, check: (hits) => same(hits, 2, 'entry and return') },
  { family: 'fentry', counted: tracing, program: 'on_fentry', slot: 'FENTRY', deed: readMissing, check: (hits) => {
    saw('FENTRY', AT_FDCWD)(hits);
    same(tracing.text(), missing, 'text seen');
  } },
  { family: 'fexit', counted: tracing, program: 'on_fexit', slot: 'FEXIT', deed: readMissing, check: saw('FEXIT', -ENOENT) },
  { family: 'fmod_ret', counted: tracing, program: 'on_fmod_ret', slot: 'FMOD_RET', deed: unlinkFails('EACCES'), check: saw('FMOD_RET', 0) },
  { family: 'lsm', counted: tracing, program: 'on_lsm', slot: 'LSM', deed: unlinkFails('EPERM'), check: saw('LSM', 0) },
  { family: 'lsm, sleepable', counted: tracing, program: 'on_lsm_sleepable', slot: 'LSM_SLEEPABLE', deed: exec },
  { family: 'fentry.s', counted: tracing, program: 'on_fentry_sleepable', slot: 'FENTRY_SLEEPABLE', config: SLEEPS, deed: readMissing, check: sawPath('FENTRY_SLEEPABLE') },
  { family: 'fexit.s', counted: tracing, program: 'on_fexit_sleepable', slot: 'FEXIT_SLEEPABLE', config: SLEEPS, deed: readMissing, check: saw('FEXIT_SLEEPABLE', -ENOENT) },
  { family: 'fmod_ret.s', counted: tracing, program: 'on_fmod_ret_sleepable', slot: 'FMOD_RET_SLEEPABLE', config: SLEEPS, deed: () => assert.throws(() => readlinkSync(missing), /EACCES/), check: sawPath('FMOD_RET_SLEEPABLE') },
  { family: 'fsession', counted: tracing, program: 'on_fsession', slot: 'FSESSION', deed: readMissing, check: (hits) => {
    same(hits, 2, 'entry and return');
    same(tracing.value('FSESSION'), AT_FDCWD, 'value seen');
  } },
  { family: 'fsession.s', counted: tracing, program: 'on_fsession_sleepable', slot: 'FSESSION_SLEEPABLE', config: SLEEPS, deed: readMissing, check: (hits) => {
    same(hits, 2, 'entry and return');
    same(tracing.text(), missing.slice(0, PREFIX), 'text seen');
  } },
  { family: 'tp.s', counted: tracing, program: 'on_tp_sleepable', slot: 'TP_SLEEPABLE', deed: readMissing, check: sawPath('TP_SLEEPABLE') },
  { family: 'raw_tp.s', counted: tracing, program: 'on_raw_tp_sleepable', slot: 'RAW_TP_SLEEPABLE', deed: readMissing, check: sawPath('RAW_TP_SLEEPABLE') },
  { family: 'tp_btf.s', counted: tracing, program: 'on_tp_btf_sleepable', slot: 'TP_BTF_SLEEPABLE', unchecked: true, deed: readMissing, check: sawPath('TP_BTF_SLEEPABLE') },
  { family: 'uprobe', counted: loader, program: 'on_getppid', slot: 'UPROBE', deed: getppid },
  { family: 'uretprobe', counted: loader, program: 'on_uretprobe', slot: 'URETPROBE', target: () => 'libc.so.6:getppid', deed: getppid },
  { family: 'uprobe.multi', counted: loader, program: 'on_uprobe_multi', slot: 'UPROBE_MULTI', deed: getppid },
  { family: 'uprobe.s', counted: tracing, program: 'on_uprobe_sleepable', slot: 'UPROBE_SLEEPABLE', deed: getppid },
  { family: 'uretprobe.s', counted: tracing, program: 'on_uretprobe_sleepable', slot: 'URETPROBE_SLEEPABLE', deed: getppid, check: sawParent('URETPROBE_SLEEPABLE', 1) },
  { family: 'uretprobe.multi', counted: tracing, program: 'on_uretprobe_multi', slot: 'URETPROBE_MULTI', deed: getppid, check: sawParent('URETPROBE_MULTI', 1) },
  { family: 'uprobe.session', counted: tracing, program: 'on_uprobe_session', slot: 'UPROBE_SESSION', deed: getppid, check: sawParent('UPROBE_SESSION', 2) },
  { family: 'uprobe.multi.s', counted: tracing, program: 'on_uprobe_multi_sleepable', slot: 'UPROBE_MULTI_SLEEPABLE', deed: getppid },
  { family: 'uretprobe.multi.s', counted: tracing, program: 'on_uretprobe_multi_sleepable', slot: 'URETPROBE_MULTI_SLEEPABLE', deed: getppid, check: sawParent('URETPROBE_MULTI_SLEEPABLE', 1) },
  { family: 'uprobe.session.s', counted: tracing, program: 'on_uprobe_session_sleepable', slot: 'UPROBE_SESSION_SLEEPABLE', deed: getppid, check: sawParent('UPROBE_SESSION_SLEEPABLE', 2) },
  { family: 'perf event', counted: loader, program: 'on_perf_event', slot: 'PERF_EVENT', target: () => 'cpu-clock:500', deed: spin, check: some },
  { family: 'socket filter', counted: loader, program: 'on_packet', slot: 'SOCKET', target: outside, deed: toUs, check: some },
  { family: 'xdp', counted: loader, program: 'on_xdp', slot: 'XDP', target: outside, deed: toUs },
  { family: 'xdp, generic', counted: loader, program: 'on_xdp', slot: 'XDP', target: (w) => `${outside(w)}:generic`, deed: toUs },
  { family: 'xdp.frags', counted: loader, program: 'on_xdp_frags', slot: 'XDP_FRAGS', target: outside, deed: toUs },
  { family: 'tc ingress', counted: loader, program: 'on_tc', slot: 'TC', target: outside, deed: toUs },
  { family: 'tc egress', counted: loader, program: 'on_tc_egress', slot: 'TC_EGRESS', target: (w) => `${outside(w)}:egress`, deed: toThem },
  { family: 'tcx ingress', counted: loader, program: 'on_tcx_ingress', slot: 'TCX_INGRESS', target: outside, deed: toUs, fallback: ['6.6', 'as a tc filter'] },
  { family: 'tcx egress', counted: loader, program: 'on_tcx_egress', slot: 'TCX_EGRESS', target: outside, deed: toThem, fallback: ['6.6', 'as a tc filter'] },
  { family: 'netfilter', counted: loader, program: 'on_netfilter', slot: 'NETFILTER', target: () => 'ipv4:local_in:0', deed: toUs, check: some },
  { family: 'sk_lookup', counted: loader, program: 'on_sk_lookup', slot: 'SK_LOOKUP', target: ({ cable }) => cable.namespace, deed: toThem },
  { family: 'cgroup_skb ingress', counted: loader, program: 'on_cg_ingress', slot: 'CG_INGRESS', target: group, deed: receive },
  { family: 'cgroup_skb egress', counted: loader, program: 'on_cg_egress', slot: 'CG_EGRESS', target: group, deed: inGroupUdp, check: some },
  { family: 'sockops', counted: loader, program: 'on_sockops', slot: 'SOCKOPS', target: group, deed: inGroup('echo x > /dev/tcp/127.0.0.1/9 || true'), check: some },
  { family: 'cgroup/sock_create', counted: loader, program: 'on_sock_create', slot: 'SOCK_CREATE', target: group, deed: inGroupUdp },
  { family: 'cgroup/sock_release', counted: loader, program: 'on_sock_release', slot: 'SOCK_RELEASE', target: group, deed: inGroupUdp },
  { family: 'cgroup/connect4', counted: loader, program: 'on_connect4', slot: 'CONNECT4', target: group, deed: inGroupUdp },
  { family: 'cgroup/bind4', counted: loader, program: 'on_bind4', slot: 'BIND4', target: group, deed: bind },
  { family: 'cgroup/post_bind4', counted: loader, program: 'on_post_bind4', slot: 'POST_BIND4', target: group, deed: bind },
  { family: 'cgroup/sendmsg4', counted: loader, program: 'on_sendmsg4', slot: 'SENDMSG4', target: group, deed: socket('send(S, "x", 0, sockaddr_in(9, INADDR_LOOPBACK))') },
  { family: 'cgroup/dev', counted: loader, program: 'on_dev', slot: 'DEV', target: group, deed: inGroup('head -c1 /dev/zero'), check: some },
  { family: 'cgroup/sysctl', counted: loader, program: 'on_sysctl', slot: 'SYSCTL', target: group, deed: inGroup('read line < /proc/sys/kernel/ostype'), check: some },
  { family: 'cgroup/getsockopt', counted: loader, program: 'on_getsockopt', slot: 'GETSOCKOPT', target: group, deed: socket('getsockopt(S, SOL_SOCKET, SO_TYPE)') },
  { family: 'cgroup/setsockopt', counted: loader, program: 'on_setsockopt', slot: 'SETSOCKOPT', target: group, deed: socket('setsockopt(S, SOL_SOCKET, SO_RCVBUF, 4096)') },
  { family: 'lsm_cgroup', counted: loader, program: 'on_lsm_cgroup', slot: 'LSM_CGROUP', target: group, deed: bind },
];

async function withWorld(use: (world: World) => void): Promise<void> {
  const name = `wasm-bpf-lab-${process.pid}`, folder = join(cgroupMount()!, name);
  mkdirSync(folder);
  try {
    await withCable(async (cable) => use({ cable, group: name, folder }));
  } finally {
    rmdirSync(folder);
  }
}

/** @returns the link's words, for the table */
function works(row: Row, world: World): string {
  const { counted, program, slot, target, deed } = row;
  const check = row.check ?? once;
  const before = counted.hits(slot);
  const link: Link = counted.object.attach(program, target?.(world));
  try {
    deed(world);
    check(counted.hits(slot) - before, world);
  } finally {
    link.close();
  }
  return link.description;
}

/** What a kernel without the family answers, at loading or at attaching. */
function refused(row: Row, world: World, words: string): void {
  let object: BpfObject | undefined;
  try {
    object = row.counted.load([row.program]);
    object.attach(row.program, row.target?.(world));
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    assert.ok(error.message.includes(words), `"${error.message}" does not say "${words}"`);
    return;
  } finally {
    object?.close();
  }
  if (!row.unchecked) throw new Error('it works all the same');
}

suite('lab: attaching', (test) => {
  test('every family sees a real event, or is refused by a kernel that is older', () => withWorld((world) => {
    const failures: string[] = [];
    for (const row of ROWS) {
      const lacks = lacking(row);
      let verdict = lacks?.verdict ?? 'passed';
      try {
        if (lacks) refused(row, world, lacks.words);
        else {
          const description = works(row, world);
          if (row.fallback && !kernelAtLeast(row.fallback[0])) verdict = `passed, ${row.fallback[1]}`;
          if (row.fallback) assert.is(description.startsWith('tcx '), verdict === 'passed', description);
        }
      } catch (error) {
        verdict = 'failed';
        failures.push(`${row.family}: ${(error as Error).message}`);
        console.log(failures.at(-1));
      }
      console.log(`${RESULT}attach ${row.family} => ${verdict}`);
    }
    assert.equal(failures, []);
  }));

  test('nothing of an attachment stays open', () => {
    const before = descriptors().length;
    if (kernelAtLeast('5.13')) {
      const links = tracing.object.attachAll();
      assert.ok(links.length > 5 && descriptors().length > before);
      for (const link of links) link.close();
    } else {
      throwsCode(() => tracing.object.attachAll(), 'UNSUPPORTED', 'attaching fentry do_readlinkat a second time is not supported here, needs Linux 5.13 or later (load the object again)');
    }
    assert.is(descriptors().length, before);
    loader.close();
    tracing.close();
    assert.ok(descriptors().length < before);
  });
});
