/**
 * What the running kernel can do, by trying it: a probe per feature, with the first kernel that has it. Versions alone would
 * lie, because distributions backport, except where a kernel cannot be configured without. Each probe runs once per thread and
 * leaves nothing behind.
 */
import { SyscallError, UnsupportedError } from '../errors.js';
import { AttachType, MapCreateFlag, MapType, ProgType } from '../uapi.js';
import { btfInfo, btfLoad, linkCreate, logText, mapCreate, progBindMap, progLoad, progQuery, type LinkCreate, type ProgLoad } from './bpf.js';
import { lacking } from './capabilities.js';
import { Errno } from './errno.js';
import type { Fd } from './fd.js';
import { hasSymbol } from './kallsyms.js';
import { kernelAtLeast } from './release.js';
import { raiseMemlock } from './rlimit.js';
import { vmlinuxBtf } from './vmlinux.js';

// ---- instructions, enough for probes ----------------------------------------------------------------------------

/** code, dst | src << 4, off, imm; as struct bpf_insn */
type Insn = readonly [code: number, regs: number, off: number, imm: number];

const movImm = (dst: number, imm: number): Insn => [0xb7, dst, 0, imm];
const movReg = (dst: number, src: number): Insn => [0xbf, dst | src << 4, 0, 0];
const addImm = (dst: number, imm: number): Insn => [0x07, dst, 0, imm];
const storeImm64 = (dst: number, off: number, imm: number): Insn => [0x7a, dst, off, imm];
const helper = (id: number): Insn => [0x85, 0, 0, id];
const callNext = (off: number): Insn => [0x85, 1 << 4, 0, off];
const EXIT: Insn = [0x95, 0, 0, 0];
/** BPF_PSEUDO_MAP_VALUE */
const mapValue = (dst: number, fd: number, off: number): Insn[] => [[0x18, dst | 2 << 4, 0, fd], [0, 0, 0, off]];
const RETURN_0: readonly Insn[] = [movImm(0, 0), EXIT];

/** enum bpf_func_id */
const Helper = { PROBE_READ_KERNEL: 113, KTIME_GET_COARSE_NS: 160, GET_FUNC_IP: 173, GET_ATTACH_COOKIE: 174 } as const;

function code(insns: readonly Insn[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(insns.length * 8));
  insns.forEach(([opcode, regs, off, imm], i) => {
    view.setUint8(i * 8, opcode);
    view.setUint8(i * 8 + 1, regs);
    view.setInt16(i * 8 + 2, off, true);
    view.setInt32(i * 8 + 4, imm, true);
  });
  return new Uint8Array(view.buffer);
}

// ---- BTF, enough for probes -------------------------------------------------------------------------------------

const Kind = { INT: 1, PTR: 2, FUNC: 12, FUNC_PROTO: 13, VAR: 14, DATASEC: 15, FLOAT: 16, DECL_TAG: 17, TYPE_TAG: 18, ENUM64: 19 } as const;
const info = (kind: number, vlen = 0) => kind << 24 | vlen;
/** name, info, size or type, then what the kind adds */
const INT = (name: number) => [name, info(Kind.INT), 4, 1 << 24 | 32];
const GLOBAL = 1;

/** A BTF blob of these words and strings. */
function btf(strings: string, ...types: readonly (readonly number[])[]): Uint8Array {
  const words = types.flat();
  const text = new TextEncoder().encode(`\0${strings}\0`);
  const view = new DataView(new ArrayBuffer(24 + words.length * 4 + text.length));
  view.setUint16(0, 0xeb9f, true);
  view.setUint8(2, 1);
  [24, 0, words.length * 4, words.length * 4, text.length].forEach((value, i) => view.setUint32(4 + i * 4, value, true));
  words.forEach((word, i) => view.setInt32(24 + i * 4, word, true));
  const blob = new Uint8Array(view.buffer);
  blob.set(text, 24 + words.length * 4);
  return blob;
}

// ---- trying -----------------------------------------------------------------------------------------------------

/** The object, or the errno of the refusal. A refusal for want of capabilities is no answer, and is thrown. */
function attempt(make: () => Fd): Fd | number {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    if (error.errno === Errno.EPERM && lacking(['CAP_BPF', 'CAP_PERFMON']).length > 0) throw error;
    return error.errno;
  }
}

/** The errno of the refusal; undefined where there is none. Keeps nothing. */
function refusal(make: () => Fd): number | undefined {
  const made = attempt(make);
  if (typeof made === 'number') return made;
  made.close();
  return undefined;
}

const works = (make: () => Fd) => refusal(make) === undefined;

/** Uses an object and closes it; false where it cannot even be made. */
function using(make: () => Fd, use: (fd: number) => boolean): boolean {
  const made = attempt(make);
  if (typeof made === 'number') return false;
  try {
    return use(made.value);
  } finally {
    made.close();
  }
}

const load = (type: number, insns: readonly Insn[], more: Partial<ProgLoad> = {}) => progLoad({ type, insns: code(insns), license: 'GPL', ...more });
const loads = (type: number, insns: readonly Insn[], more: Partial<ProgLoad> = {}) => works(() => load(type, insns, more));
const takesBtf = (strings: string, ...types: readonly (readonly number[])[]) => works(() => btfLoad(btf(strings, ...types)));

/** Whether a link is refused with that errno: kernels that do not know its kind give another one. Undefined: it is made. */
function linkGives(errno: number | undefined, type: number, more: Partial<ProgLoad>, spec: Omit<LinkCreate, 'progFd'>): boolean {
  return using(() => load(type, RETURN_0, more), (progFd) => refusal(() => linkCreate({ progFd, ...spec })) === errno);
}

const array = (valueSize: number, flags = 0) => mapCreate({ type: MapType.ARRAY, keySize: 4, valueSize, maxEntries: 1, flags });

function uprobeMulti(): boolean {
  const more = { expectedAttachType: AttachType.TRACE_UPROBE_MULTI };
  const gives = (errno: number, pid?: number) => linkGives(errno, ProgType.KPROBE, more, {
    attachType: AttachType.TRACE_UPROBE_MULTI, detail: { kind: 'uprobeMulti', path: '/', offsets: [0n], pid },
  });
  // a folder is no binary: EBADF. Kernels that refuse pid −1 first filter by process, earlier ones by thread
  return gives(Errno.EBADF) && gives(Errno.EINVAL, 0xffff_ffff);
}

function argCtxTag(): boolean {
  const types = btf('a\0b\0arg:ctx', INT(1), [0, info(Kind.PTR), 0], [0, info(Kind.FUNC_PROTO, 1), 1, 1, 2], [1, info(Kind.FUNC, GLOBAL), 3],
    [0, info(Kind.FUNC_PROTO, 1), 1, 3, 2], [3, info(Kind.FUNC, GLOBAL), 5], [5, info(Kind.DECL_TAG), 6, 0]);
  return using(() => btfLoad(types), (btfFd) => loads(ProgType.KPROBE, [callNext(1), EXIT, helper(Helper.GET_FUNC_IP), EXIT], {
    btfFd, funcInfo: { recSize: 8, bytes: new Uint8Array(Uint32Array.of(0, 4, 2, 6).buffer) },
  }));
}

function bindMap(): boolean {
  return using(() => array(32), (mapFd) => using(() => load(ProgType.SOCKET_FILTER, RETURN_0), (progFd) => {
    try {
      progBindMap(progFd, mapFd);
      return true;
    } catch (error) {
      if (error instanceof SyscallError) return false;
      throw error;
    }
  }));
}

/** The verifier's words tell whether offsets beyond 2^29 are refused as such. */
function fullRangeOffsets(): boolean {
  return using(() => array(1), (fd) => {
    const log = { level: 1, buffer: new Uint8Array(4096) };
    refusal(() => load(ProgType.SOCKET_FILTER, [...mapValue(1, fd, 1 << 30), EXIT], { log }));
    return logText(log).includes('invalid access to map value pointer');
  });
}

/** Whether the kernel has a function of that name: BTF's strings are quicker to ask than the list of symbols, which has the last word. */
function hasFunction(name: string): boolean {
  try {
    const btf = vmlinuxBtf();
    try {
      if (Buffer.from(btf.bytes.buffer, btf.bytes.byteOffset, btf.bytes.length).includes(`\0${name}\0`)) return true;
    } finally {
      btf.close();
    }
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
  }
  return hasSymbol(name);
}

interface Probe {
  /** what messages call it */
  readonly name: string;
  /** first kernel of kernel.org with it */
  readonly since: string;
  readonly probe: () => boolean;
}

export const FEATURES = {
  progName: { name: 'program names', since: '4.15', probe: () => loads(ProgType.SOCKET_FILTER, RETURN_0, { name: 'probe_name' }) },
  globalData: {
    name: 'global variables', since: '5.2',
    probe: () => using(() => array(32), (fd) => loads(ProgType.SOCKET_FILTER, [...mapValue(1, fd, 16), storeImm64(1, 0, 42), ...RETURN_0])),
  },
  expAttachType: {
    name: 'expected_attach_type', since: '4.17',
    probe: () => loads(ProgType.CGROUP_SOCK, RETURN_0, { expectedAttachType: AttachType.CGROUP_INET_SOCK_CREATE }),
  },
  probeReadKernel: {
    name: 'bpf_probe_read_kernel', since: '5.5',
    probe: () => loads(ProgType.TRACEPOINT, [movReg(1, 10), addImm(1, -8), movImm(2, 8), movImm(3, 0), helper(Helper.PROBE_READ_KERNEL), EXIT]),
  },
  progBindMap: { name: 'BPF_PROG_BIND_MAP', since: '5.10', probe: bindMap },
  ldimm64FullRange: { name: 'any offset in 64-bit immediate loads', since: '6.19', probe: fullRangeOffsets },
  memcgAccounting: { name: 'memory accounting by cgroup', since: '5.11', probe: () => loads(ProgType.SOCKET_FILTER, [helper(Helper.KTIME_GET_COARSE_NS), EXIT]) },
  bpfCookie: { name: 'bpf_get_attach_cookie', since: '5.15', probe: () => loads(ProgType.TRACEPOINT, [helper(Helper.GET_ATTACH_COOKIE), EXIT]) },

  btf: { name: 'BTF', since: '4.18', probe: () => takesBtf('int', INT(1)) },
  btfFunc: {
    name: 'BTF functions', since: '5.0',
    probe: () => takesBtf('int\0x\0a', INT(1), [0, info(Kind.FUNC_PROTO, 1), 0, 7, 1], [5, info(Kind.FUNC), 2]),
  },
  btfFuncGlobal: {
    name: 'BTF linkage of functions', since: '5.6',
    probe: () => takesBtf('int\0x\0a', INT(1), [0, info(Kind.FUNC_PROTO, 1), 0, 7, 1], [5, info(Kind.FUNC, GLOBAL), 2]),
  },
  btfDatasec: {
    name: 'BTF data sections', since: '5.2',
    probe: () => takesBtf('x\0.data', INT(0), [1, info(Kind.VAR), 1, 0], [3, info(Kind.DATASEC, 1), 4, 2, 0, 4]),
  },
  btfQmarkDatasec: {
    name: 'BTF data sections named ?…', since: '6.12',
    probe: () => takesBtf('x\0?.data', INT(0), [1, info(Kind.VAR), 1, 0], [3, info(Kind.DATASEC, 1), 4, 2, 0, 4]),
  },
  btfFloat: { name: 'BTF floats', since: '5.13', probe: () => takesBtf('float', [1, info(Kind.FLOAT), 4]) },
  btfDeclTag: { name: 'BTF declaration tags', since: '5.16', probe: () => takesBtf('tag', INT(0), [1, info(Kind.VAR), 1, 0], [1, info(Kind.DECL_TAG), 2, -1]) },
  btfTypeTag: { name: 'BTF type tags', since: '5.17', probe: () => takesBtf('tag', INT(0), [1, info(Kind.TYPE_TAG), 1], [0, info(Kind.PTR), 2]) },
  btfEnum64: { name: 'BTF 64-bit enums', since: '6.0', probe: () => takesBtf('enum64', [1, info(Kind.ENUM64), 8]) },
  moduleBtf: {
    name: 'BTF of modules', since: '5.11',
    probe: () => using(() => btfLoad(btf('int', INT(1))), (fd) => btfInfo(fd).name !== undefined),
  },
  argCtxTag: { name: 'the arg:ctx tag', since: '6.8', probe: argCtxTag },

  arrayMmap: { name: 'mapping arrays', since: '5.5', probe: () => works(() => array(4, MapCreateFlag.MMAPABLE)) },
  ringbuf: { name: 'ring buffers', since: '5.8', probe: () => works(() => mapCreate({ type: MapType.RINGBUF, keySize: 0, valueSize: 0, maxEntries: 65536 })) },

  /** an impossible descriptor gives EBADF only where this kind of link is known */
  perfLink: { name: 'links on perf events', since: '5.15', probe: () => linkGives(Errno.EBADF, ProgType.TRACEPOINT, {}, { target: 0xffff_ffff, attachType: AttachType.PERF_EVENT }) },
  kprobeMulti: {
    name: 'kprobe.multi', since: '5.18',
    probe: () => linkGives(undefined, ProgType.KPROBE, { expectedAttachType: AttachType.TRACE_KPROBE_MULTI }, {
      attachType: AttachType.TRACE_KPROBE_MULTI, detail: { kind: 'kprobeMulti', syms: ['vprintk'] },
    }),
  },
  uprobeMulti: { name: 'uprobe.multi with process filter', since: '6.9', probe: uprobeMulti },
  cgroupLink: { name: 'links on cgroups', since: '5.7', probe: () => linkGives(Errno.EBADF, ProgType.CGROUP_SKB, {}, { target: 0xffff_ffff, attachType: AttachType.CGROUP_INET_INGRESS }) },
  tcx: {
    name: 'tcx', since: '6.6',
    /** interface 1 is the loopback of this network namespace */
    probe() {
      try {
        progQuery({ target: 1, attachType: AttachType.TCX_INGRESS });
        return true;
      } catch (error) {
        if (error instanceof SyscallError && error.errno !== Errno.EPERM) return error.errno === Errno.ENOENT;
        throw error;
      }
    },
  },
  xdpLink: { name: 'XDP links', since: '5.9', probe: () => hasFunction('bpf_xdp_link_attach') },
  netfilterLink: { name: 'netfilter links', since: '6.4', probe: () => hasFunction('bpf_nf_link_attach') },
  syscallWrapper: {
    name: 'system call wrappers', since: '4.17',
    probe: () => hasFunction(process.arch === 'arm64' ? '__arm64_sys_bpf' : '__x64_sys_bpf'),
  },
} as const satisfies Record<string, Probe>;

export type FeatureName = keyof typeof FEATURES;

/** No kernel that has bpf(2) lacks them from their version on: only older ones are tried. Most loads ask for no others. */
const BY_AGE: ReadonlySet<FeatureName> = new Set([
  'progName', 'globalData', 'expAttachType', 'probeReadKernel', 'progBindMap', 'arrayMmap',
  'btf', 'btfFunc', 'btfFuncGlobal', 'btfDatasec', 'btfQmarkDatasec', 'btfFloat', 'btfDeclTag', 'btfTypeTag', 'btfEnum64',
]);

const known = new Map<FeatureName, boolean>();

/** Whether the running kernel has it. @throws SyscallError (SYSCALL) where this process may not even try */
export function feature(name: FeatureName): boolean {
  let has = known.get(name);
  if (has === undefined && BY_AGE.has(name) && kernelAtLeast(FEATURES[name].since)) known.set(name, has = true);
  if (has === undefined) {
    // where memory is counted, a probe could fail for want of it; this one probe is small enough for any limit
    if (name !== 'memcgAccounting') raiseMemlock();
    known.set(name, has = FEATURES[name].probe());
  }
  return has;
}
