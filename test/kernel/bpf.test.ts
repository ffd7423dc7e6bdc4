import { existsSync, openSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import * as bpf from '#src/kernel/bpf.js';
import { failure } from '#src/kernel/fail.js';
import { Fd, openFds } from '#src/kernel/fd.js';
import { parseBtf } from '#src/reloc/btf.js';
import { kernelAtLeast } from '#src/kernel/release.js';
import { vmlinuxBtf } from '#src/kernel/vmlinux.js';
import { AttachType, MapCreateFlag, MapType, ProgLoadFlag, ProgType, TestRunFlag } from '#src/uapi.js';
import { EXIT, asm, jump, load32, mapFd, mapValue, mov, movReg, store64 } from '../support/bpf-asm.js';
import { descriptors, keepsDescriptors, needsFeature, needsLinux, needsTwoCpus, u32Bytes } from '../support/kernel.js';
import { assert, sameBytes, suite, throwsCode } from '../support/suite.js';

const before = { fds: openFds(), descriptors: descriptors().length };

/** One type, `int` as [1]. */
function intBtf(): Uint8Array {
  const strings = Buffer.from('\0int\0');
  const header = Buffer.from(Uint16Array.of(0xeb9f, 1).buffer);
  const sizes = u32Bytes(24, 0, 16, 16, strings.length);
  return Uint8Array.from([...header, ...sizes, ...u32Bytes(1, 1 << 24, 4, 1 << 24 | 32), ...strings]);
}

function using<T>(fd: Fd, use: (fd: number) => T): T {
  try {
    return use(fd.value);
  } finally {
    fd.close();
  }
}

const returns = (value: number) => asm(mov(0, value), EXIT);
const program = (value: number, name = 'answer') => bpf.progLoad({ type: ProgType.SOCKET_FILTER, insns: returns(value), license: 'GPL', name });
const hash = (name = 'counts') => bpf.mapCreate({ type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 16, name });

interface TypeRow { readonly type: keyof typeof MapType; readonly make?: Partial<bpf.MapCreate>; readonly storage?: boolean; readonly inner?: boolean; /** errno where it cannot be made just so */ readonly errno?: number }
const NO_PREALLOC = MapCreateFlag.NO_PREALLOC;
const TYPES: readonly TypeRow[] = [
  { type: 'HASH' }, { type: 'ARRAY' }, { type: 'PROG_ARRAY', make: { valueSize: 4 } }, { type: 'PERF_EVENT_ARRAY', make: { valueSize: 4 } },
  { type: 'PERCPU_HASH' }, { type: 'PERCPU_ARRAY' }, { type: 'STACK_TRACE', make: { valueSize: 127 * 8 } }, { type: 'CGROUP_ARRAY', make: { valueSize: 4 } },
  { type: 'LRU_HASH' }, { type: 'LRU_PERCPU_HASH' }, { type: 'LPM_TRIE', make: { keySize: 8, flags: NO_PREALLOC } },
  { type: 'ARRAY_OF_MAPS', make: { valueSize: 4 }, inner: true }, { type: 'HASH_OF_MAPS', make: { valueSize: 4 }, inner: true },
  { type: 'DEVMAP', make: { valueSize: 4 } }, { type: 'SOCKMAP', make: { valueSize: 4 } }, { type: 'CPUMAP', make: { valueSize: 4, maxEntries: 1 } },
  { type: 'XSKMAP', make: { valueSize: 4 } }, { type: 'SOCKHASH', make: { valueSize: 4 } },
  { type: 'CGROUP_STORAGE', make: { keySize: 8, maxEntries: 0 } }, { type: 'REUSEPORT_SOCKARRAY' },
  { type: 'PERCPU_CGROUP_STORAGE', make: { keySize: 8, maxEntries: 0 } }, { type: 'QUEUE', make: { keySize: 0 } }, { type: 'STACK', make: { keySize: 0 } },
  { type: 'SK_STORAGE', storage: true }, { type: 'DEVMAP_HASH', make: { valueSize: 4 } },
  // without the kernel structure it implements there is nothing to make
  { type: 'STRUCT_OPS', errno: 22 },
  { type: 'RINGBUF', make: { keySize: 0, valueSize: 0, maxEntries: 65536 } }, { type: 'INODE_STORAGE', storage: true }, { type: 'TASK_STORAGE', storage: true },
  { type: 'BLOOM_FILTER', make: { keySize: 0 } }, { type: 'USER_RINGBUF', make: { keySize: 0, valueSize: 0, maxEntries: 65536 } },
  { type: 'CGRP_STORAGE', storage: true }, { type: 'ARENA', make: { keySize: 0, valueSize: 0, flags: MapCreateFlag.MMAPABLE, maxEntries: 16 } },
  { type: 'INSN_ARRAY', make: { valueSize: 16 } }, { type: 'RHASH', make: { flags: NO_PREALLOC } },
];

const blob = vmlinuxBtf();
const vmlinux = parseBtf(blob.bytes, { source: 'vmlinux' });
const enumType = vmlinux.type(vmlinux.find('bpf_map_type', 'enum')!);
const knownTypes = new Set(enumType.kind === 'enum' ? enumType.values.map((value) => value.name.replace(/_DEPRECATED$/, '')) : []);

suite('kernel/bpf maps', (test) => {
  test.table(TYPES, ({ type, errno }) => `mapCreate makes a map of type ${type}${knownTypes.has(`BPF_MAP_TYPE_${type}`) && !errno ? '' : ' or says why not'}`, (row) => {
    const inner = row.inner ? hash() : undefined;
    const btf = row.storage ? bpf.btfLoad(intBtf()) : undefined;
    const spec: bpf.MapCreate = {
      type: MapType[row.type], keySize: 4, valueSize: row.storage ? 4 : 8, maxEntries: row.storage ? 0 : 16, name: 'any', ...row.make, innerMapFd: inner?.value,
      ...(row.storage ? { btfFd: btf?.value, btfKeyTypeId: 1, btfValueTypeId: 1, flags: NO_PREALLOC } : {}),
    };
    try {
      if (row.errno || !knownTypes.has(`BPF_MAP_TYPE_${row.type}`)) {
        const error = throwsCode(() => bpf.mapCreate(spec), 'SYSCALL', new RegExp(`^BPF_MAP_CREATE for map "any" \\(${row.type.toLowerCase()}, `));
        assert.match(error.message, /: EINVAL$/);
        return;
      }
      using(bpf.mapCreate(spec), (fd) => {
        const info = bpf.mapInfo(fd);
        assert.equal([info.type, info.keySize, info.valueSize, info.name], [spec.type, spec.keySize, spec.valueSize, 'any']);
      });
    } finally {
      inner?.close();
      btf?.close();
    }
  });
  test('the table above has every map type', () => {
    const listed = new Set<string>(TYPES.map((row) => row.type));
    assert.equal(Object.keys(MapType).filter((type) => type !== 'UNSPEC' && !listed.has(type)), []);
    assert.is(listed.size, TYPES.length);
  });
  test('element commands write, read, walk and delete', () => using(hash(), (fd) => {
    const value = new Uint8Array(8);
    assert.is(bpf.mapLookupElem(fd, u32Bytes(1), value), false);
    bpf.mapUpdateElem(fd, u32Bytes(1), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    assert.is(bpf.mapLookupElem(fd, u32Bytes(1), value), true);
    sameBytes(value, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    const key = new Uint8Array(4);
    assert.is(bpf.mapGetNextKey(fd, undefined, key), true);
    sameBytes(key, u32Bytes(1));
    assert.is(bpf.mapGetNextKey(fd, key, key), false);
    assert.is(bpf.mapDeleteElem(fd, u32Bytes(1)), true);
    assert.is(bpf.mapDeleteElem(fd, u32Bytes(1)), false);
  }));
  test('mapFreeze stops writes from here', () => using(hash(), (fd) => {
    bpf.mapFreeze(fd);
    throwsCode(() => bpf.mapUpdateElem(fd, u32Bytes(1), new Uint8Array(8), 0, 'map "counts"'), 'SYSCALL', 'BPF_MAP_UPDATE_ELEM for map "counts": EPERM (the map is frozen, or its descriptor is open for the other direction only)');
  }));
  test('values larger than what is copied travel in place', () => using(bpf.mapCreate({ type: MapType.ARRAY, keySize: 4, valueSize: 1 << 20, maxEntries: 1 }), (fd) => {
    const large = new Uint8Array(1 << 20).map((_, i) => i * 7);
    bpf.mapUpdateElem(fd, u32Bytes(0), large);
    const back = new Uint8Array(1 << 20);
    assert.is(bpf.mapLookupElem(fd, u32Bytes(0), back), true);
    assert.is(Buffer.compare(large, back), 0);
  }));
  test.table([
    { name: 'no entries', run: () => bpf.mapCreate({ type: MapType.HASH, keySize: 4, valueSize: 8, maxEntries: 0, name: 'counts' }), message: 'BPF_MAP_CREATE for map "counts" (hash, 4 -> 8 bytes): EINVAL' },
    { name: 'too many bytes', run: () => bpf.mapCreate({ type: MapType.HASH, keySize: 4, valueSize: 0x7fff_ffff, maxEntries: 1, name: 'big' }), message: 'BPF_MAP_CREATE for map "big" (hash, 4 -> 2147483647 bytes): E2BIG' },
    { name: 'a descriptor that is none', run: () => bpf.mapInfo(99_999), message: 'BPF_OBJ_GET_INFO_BY_FD for descriptor 99999 (bpf_map_info): EBADFD' },
    { name: 'an element of nothing', run: () => bpf.mapDeleteElem(99_999, u32Bytes(0), 'map "gone"'), message: 'BPF_MAP_DELETE_ELEM for map "gone": EBADF' },
    { name: 'a bad link', run: () => bpf.linkDetach(99_999, 'link'), message: 'BPF_LINK_DETACH for link: EBADF' },
    { name: 'a path that is not there', run: () => bpf.objGet('/sys/fs/bpf/nothing-here'), message: 'BPF_OBJ_GET for "/sys/fs/bpf/nothing-here": ENOENT' },
    { name: 'a program of no instructions', run: () => bpf.progLoad({ type: ProgType.XDP, insns: new Uint8Array(0), license: 'GPL', name: 'none' }), message: 'BPF_PROG_LOAD for program "none" (xdp, 0 insns): E2BIG' },
    { name: 'no BTF', run: () => bpf.btfLoad(new Uint8Array(24)), message: 'BPF_BTF_LOAD for BTF of 24 bytes: EINVAL' },
    { name: 'a raw tracepoint that is not there', run: () => using(bpf.progLoad({ type: ProgType.RAW_TRACEPOINT, insns: returns(0), license: 'GPL' }), (progFd) => bpf.rawTracepointOpen({ name: 'nope', progFd })), message: 'BPF_RAW_TRACEPOINT_OPEN for raw tracepoint "nope": ENOENT' },
    { name: 'a cgroup that is none', run: () => using(bpf.progLoad({ type: ProgType.CGROUP_SKB, insns: returns(1), license: 'GPL' }), (progFd) => bpf.progAttach({ target: 0, progFd, attachType: AttachType.CGROUP_INET_INGRESS, subject: 'cgroup' })), message: 'BPF_PROG_ATTACH for cgroup: EBADF' },
  ], ({ name }) => `a refusal names command, subject and errno: ${name}`, ({ run, message }) => {
    throwsCode(run, 'SYSCALL', message);
  });
});

suite('kernel/bpf programs', (test) => {
  test('progLoad, progTestRun and progInfo agree', () => using(program(42), (progFd) => {
    assert.is(bpf.progTestRun({ progFd, dataIn: new Uint8Array(64) }).retval, 42);
    const info = bpf.progInfo(progFd);
    assert.equal([info.type, info.name, info.xlatedProgLen], [ProgType.SOCKET_FILTER, 'answer', 16]);
    // the tag of the same two instructions, as bpftool prints it
    const shown = JSON.parse(execFileSync('bpftool', ['-j', 'prog', 'show', 'id', String(info.id)], { encoding: 'utf8' })) as { tag: string };
    assert.is(Buffer.from(info.tag).toString('hex'), shown.tag);
    sameBytes(bpf.progXlated(progFd), returns(42));
  }));
  test.needing([needsLinux('5.14', 'BPF_PROG_TYPE_SYSCALL')], 'progTestRun takes a context and gives it back', () => {
    // ctx[1] = ctx[0]; return 7
    const insns = asm(load32(2, 1, 0), [0x63, 1 | 2 << 4, 4, 0], mov(0, 7), EXIT);
    using(bpf.progLoad({ type: ProgType.SYSCALL, insns, license: 'GPL', flags: ProgLoadFlag.SLEEPABLE }), (progFd) => {
      const ctxIn = u32Bytes(5, 2);
      assert.is(bpf.progTestRun({ progFd, ctxIn }).retval, 7);
      sameBytes(ctxIn, u32Bytes(5, 5));
    });
  });
  test('progTestRun gives data back', () => {
    using(program(64), (progFd) => {
      const dataOut = new Uint8Array(64);
      const dataIn = new Uint8Array(64).fill(5);
      const run = bpf.progTestRun({ progFd, dataIn, dataOut, repeat: 3 });
      assert.equal([run.retval, run.dataSizeOut], [64, 64]);
      sameBytes(dataOut.subarray(14), dataIn.subarray(14));
    });
  });
  test.needing([needsTwoCpus], 'progTestRun runs a raw tracepoint program on the CPU that is asked for', () => {
    const map = bpf.mapCreate({ type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
    const insns = asm([0x85, 0, 0, 8], mapValue(1, map.value, 0), store64(1, 0, 0), mov(0, 0), EXIT);
    using(bpf.progLoad({ type: ProgType.RAW_TRACEPOINT, insns, license: 'GPL' }), (progFd) => {
      const value = new Uint8Array(8);
      for (const cpu of [1, 0]) {
        bpf.progTestRun({ progFd, flags: TestRunFlag.RUN_ON_CPU, cpu });
        bpf.mapLookupElem(map.value, u32Bytes(0), value);
        assert.is(value[0], cpu);
      }
    });
    map.close();
  });
  test('progLoad fills the log of a refusal', () => {
    const log: bpf.LogRequest = { level: 1, buffer: new Uint8Array(65536) };
    const error = throwsCode(() => bpf.progLoad({ type: ProgType.SOCKET_FILTER, insns: asm(EXIT), license: 'GPL', name: 'bad', log }), 'SYSCALL', 'BPF_PROG_LOAD for program "bad" (socket_filter, 1 insns): EACCES');
    assert.is((error as { errno?: number }).errno, 13);
    assert.match(bpf.logText(log), /R0 !read_ok/);
    assert.is(log.trueSize, kernelAtLeast('6.4') ? bpf.logText(log).length + 1 : 0);
  });
  test('progLoad gives ENOSPC when the log does not fit, and says how much it needs', () => {
    const log: bpf.LogRequest = { level: 2, buffer: new Uint8Array(128) };
    const insns = asm(...Array.from({ length: 50 }, (_, i) => mov(0, i)), jump(0), EXIT);
    throwsCode(() => bpf.progLoad({ type: ProgType.SOCKET_FILTER, insns, license: 'GPL', name: 'long', log }), 'SYSCALL', /ENOSPC$/);
    if (kernelAtLeast('6.4')) assert.ok(log.trueSize! > 128, String(log.trueSize));
  });
  test('progLoad takes 10 000 instructions', () => {
    const insns = asm(...Array.from({ length: 10_000 }, () => mov(0, 9)), EXIT);
    using(bpf.progLoad({ type: ProgType.SOCKET_FILTER, insns, license: 'GPL' }), (progFd) => assert.is(bpf.progTestRun({ progFd, dataIn: new Uint8Array(64) }).retval, 9));
  });
  test('progMapIds names the maps of a program', () => {
    const map = hash();
    using(bpf.progLoad({ type: ProgType.SOCKET_FILTER, insns: asm(mapFd(1, map.value), movReg(0, 10), mov(0, 0), EXIT), license: 'GPL' }), (progFd) => {
      assert.equal(bpf.progMapIds(progFd), [bpf.mapInfo(map.value).id]);
    });
    map.close();
  });
  test.needing([needsFeature('progBindMap')], 'progBindMap ties a map to a program', () => {
    const map = hash();
    using(program(0), (progFd) => {
      bpf.progBindMap(progFd, map.value);
      assert.equal(bpf.progMapIds(progFd), [bpf.mapInfo(map.value).id]);
    });
    map.close();
  });
  test('btfLoad, btfInfo and btfBytes agree', () => using(bpf.btfLoad(intBtf()), (fd) => {
    const info = bpf.btfInfo(fd);
    assert.is(info.size, intBtf().length);
    assert.is(info.kernel, false);
    sameBytes(bpf.btfBytes(fd), intBtf());
  }));
});

suite('kernel/bpf objects and links', (test) => {
  test('nextId and fdById find what is open, and only that', () => {
    const prog = program(1);
    const { id } = bpf.progInfo(prog.value);
    assert.ok([...bpf.ids('PROG')].includes(id));
    using(bpf.fdById('PROG', id)!, (fd) => assert.is(bpf.progInfo(fd).id, id));
    prog.close();
    assert.is(bpf.fdById('MAP', 0xffff_fff0), undefined);
  });
  test.table(['PROG', 'MAP', 'BTF', 'LINK'] as const, (kind) => `ids('${kind}') ascends`, (kind) => {
    const all = [...bpf.ids(kind)];
    assert.equal(all, [...all].sort((a, b) => a - b));
  });
  test('objPin and objGet share an object through a path', () => {
    const mounted = existsSync('/sys/fs/bpf') && execFileSync('stat', ['-fc', '%T', '/sys/fs/bpf'], { encoding: 'utf8' }).trim() === 'bpf_fs';
    const folder = mounted ? '/sys/fs/bpf' : execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
    if (!mounted) execFileSync('mount', ['-t', 'bpf', 'none', folder]);
    const path = `${folder}/kernel-test-${process.pid}`;
    try {
      const map = hash();
      bpf.objPin(map.value, path);
      const { id } = bpf.mapInfo(map.value);
      map.close();
      using(bpf.objGet(path), (fd) => assert.is(bpf.mapInfo(fd).id, id));
      using(program(0), (fd) => throwsCode(() => bpf.objPin(fd, path), 'SYSCALL', `BPF_OBJ_PIN for "${path}": EEXIST`));
    } finally {
      rmSync(path, { force: true });
      if (!mounted) execFileSync('sh', ['-c', 'umount "$0" && rmdir "$0"', folder]);
    }
  });
  test('rawTracepointOpen attaches until the Fd is closed', () => {
    const map = bpf.mapCreate({ type: MapType.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
    const insns = asm(mapValue(1, map.value, 0), [0x7a, 1, 0, 1], mov(0, 0), EXIT);
    const prog = bpf.progLoad({ type: ProgType.RAW_TRACEPOINT, insns, license: 'GPL' });
    const seen = () => {
      const value = new Uint8Array(8);
      bpf.mapLookupElem(map.value, u32Bytes(0), value);
      return value[0];
    };
    const link = bpf.rawTracepointOpen({ name: 'sys_enter', progFd: prog.value });
    const info = bpf.linkInfo(link.value);
    assert.equal([info.type, info.progId], [1, bpf.progInfo(prog.value).id]);
    assert.is(seen(), 1);
    link.close();
    bpf.mapUpdateElem(map.value, u32Bytes(0), new Uint8Array(8));
    assert.is(seen(), 0);
    prog.close();
    map.close();
  });
  test.needing([needsFeature('cgroupLink')], 'linkCreate, linkUpdate, linkDetach and progQuery agree about a cgroup', () => {
    const folder = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
    execFileSync('mount', ['-t', 'cgroup2', 'none', folder]);
    const group = `${folder}/kernel-test-${process.pid}`;
    try {
      execFileSync('mkdir', [group]);
      const dir = new Fd(openSync(group, 'r'), 'cgroup');
      const first = bpf.progLoad({ type: ProgType.CGROUP_SKB, insns: returns(1), license: 'GPL', expectedAttachType: AttachType.CGROUP_INET_INGRESS });
      const second = bpf.progLoad({ type: ProgType.CGROUP_SKB, insns: asm(mov(0, 0), mov(0, 1), EXIT), license: 'GPL', expectedAttachType: AttachType.CGROUP_INET_INGRESS });
      const attachType = AttachType.CGROUP_INET_INGRESS;
      const idOf = (fd: Fd) => bpf.progInfo(fd.value).id;
      assert.equal(bpf.progQuery({ target: dir.value, attachType }).progIds, []);
      const link = bpf.linkCreate({ progFd: first.value, target: dir.value, attachType });
      assert.equal(bpf.progQuery({ target: dir.value, attachType }).progIds, [idOf(first)]);
      bpf.linkUpdate({ linkFd: link.value, newProgFd: second.value });
      assert.equal(bpf.progQuery({ target: dir.value, attachType }).progIds, [idOf(second)]);
      bpf.linkDetach(link.value);
      assert.equal(bpf.progQuery({ target: dir.value, attachType }).progIds, []);
      link.close();
      bpf.progAttach({ target: dir.value, progFd: first.value, attachType });
      assert.equal(bpf.progQuery({ target: dir.value, attachType }).progIds, [idOf(first)]);
      bpf.progDetach({ target: dir.value, progFd: first.value, attachType });
      assert.equal(bpf.progQuery({ target: dir.value, attachType }).progIds, []);
      for (const fd of [dir, first, second]) fd.close();
    } finally {
      execFileSync('sh', ['-c', 'rmdir "$1"; umount "$0" && rmdir "$0"', folder, group]);
    }
  });
  test('enableStats counts runs while it is open', () => using(program(3), (progFd) => {
    const stats = bpf.enableStats();
    bpf.progTestRun({ progFd, dataIn: new Uint8Array(64), repeat: 5 });
    stats.close();
    assert.is(bpf.progInfo(progFd).runCnt, 5n);
  }));
  test('failure knows which capabilities are missing', () => {
    assert.is(failure('BPF_LINK_CREATE', 1, 'link').message, 'BPF_LINK_CREATE for link: EPERM (not for want of capabilities: this process has all that the call asks for)');
    assert.is(failure('BPF_MAP_CREATE', 24).message, 'BPF_MAP_CREATE: EMFILE (raise the limit of open files: ulimit -n)');
    assert.is(failure('bpf', 4000).message, 'bpf: errno 4000');
    assert.is(failure('bpf', 524).message, 'bpf: ENOTSUPP');
  });
  test('an unprivileged process is told what to run it with', () => {
    const script = `import('#src/kernel/bpf.js').then((bpf) => { try { bpf.mapCreate({ type: 1, keySize: 4, valueSize: 8, maxEntries: 1, name: 'counts' }); } catch (error) { console.log(error.message); } })`;
    const out = execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', process.execPath, '-e', script], { encoding: 'utf8' });
    assert.is(out, 'BPF_MAP_CREATE for map "counts" (hash, 4 -> 8 bytes): EPERM (run as root, or grant CAP_BPF)\n');
  });
  test('nothing above leaks a descriptor', () => {
    assert.is(openFds(), before.fds);
    assert.is(descriptors().length, before.descriptors);
    keepsDescriptors(() => {
      for (let i = 0; i < 50; i++) throwsCode(() => bpf.progLoad({ type: ProgType.XDP, insns: asm(EXIT), license: 'GPL' }), 'SYSCALL');
    });
  });
});
