/**
 * bpf(2), one function per command, names and meanings as in the kernel. Descriptors go in as numbers (lent) and come out as Fd
 * (the caller owns them). Does not retry with a log, does not fall back for older kernels: that is the loader's.
 * Source: include/uapi/linux/bpf.h and kernel/bpf/syscall.c of Linux 6.18.
 *
 * Every function @throws SyscallError (SYSCALL) where the kernel refuses, and UnsupportedError (UNSUPPORTED) without Linux.
 */
import { SyscallError } from '../errors.js';
import { Cmd, MapType, ProgType, nameOf } from '../uapi.js';
import {
  BtfInfo, BtfLoadAttr, EnableStatsAttr, IdAttr, InfoAttr, IterCreateAttr, LinkCreateAttr, LinkDetachAttr, LinkInfo, LinkUpdateAttr,
  MapBatchAttr, MapCreateAttr, MapElemAttr, MapInfo, ObjAttr, ProgAttachAttr, ProgBindMapAttr, ProgInfo, ProgLoadAttr, ProgQueryAttr,
  RawTracepointAttr, TestRunAttr, TokenCreateAttr,
} from './attr.js';
import type { Capability } from './capabilities.js';
import { Errno } from './errno.js';
import { failure } from './fail.js';
import { Fd } from './fd.js';
import { SYS, syscall } from './ffi/syscall.js';
import { arena, type Arena } from './memory.js';
import type { Fields, Struct, Values } from './struct.js';

type CmdName = keyof typeof Cmd;

/** Lays out the attributes and calls: the result, or −errno. Output fields are read with `layout.read(a.view, at)`. */
function call<F extends Fields>(a: Arena, cmd: CmdName, layout: Struct<F>, at: number, values: Partial<Values<F>>): number {
  layout.write(a.view, at, values);
  return syscall(SYS.bpf, Cmd[cmd], a.address + at, layout.size);
}

/** Calls within a frame of the arena. */
function framed<T>(body: (a: Arena) => T): T {
  const a = arena();
  const mark = a.mark();
  try {
    return body(a);
  } finally {
    a.reset(mark);
  }
}

/** A command whose attributes hold no pointers and give nothing back. */
function simple<F extends Fields>(cmd: CmdName, layout: Struct<F>, values: Partial<Values<F>>, subject: string, needs?: readonly Capability[]): number {
  const result = framed((a) => call(a, cmd, layout, a.alloc(layout.size), values));
  if (result < 0) throw refused(cmd, -result, subject, needs);
  return result;
}

function refused(cmd: CmdName, errno: number, subject: string, needs?: readonly Capability[]): SyscallError {
  return failure(`BPF_${cmd}`, errno, subject, needs);
}

const u32s = (n: number) => new Uint32Array(n);
const raw = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

// ---- maps -------------------------------------------------------------------------------------------------------

export interface MapCreate {
  /** a number of uapi.MapType */
  readonly type: number;
  /** bytes */
  readonly keySize: number;
  /** bytes; per CPU for per-CPU maps */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** BPF_F_* */
  readonly flags?: number;
  /** cut to 15 bytes */
  readonly name?: string;
  readonly innerMapFd?: number;
  readonly numaNode?: number;
  readonly ifindex?: number;
  readonly btfFd?: number;
  readonly btfKeyTypeId?: number;
  readonly btfValueTypeId?: number;
  readonly btfVmlinuxValueTypeId?: number;
  readonly valueTypeBtfObjFd?: number;
  readonly mapExtra?: bigint;
  readonly tokenFd?: number;
}

/** `map "counts" (hash, 4 -> 8 bytes)`, as messages name a map. */
export function mapSubject(map: { name?: string; type: number; keySize: number; valueSize: number }): string {
  return `map "${map.name ?? ''}" (${nameOf(MapType, map.type)}, ${map.keySize} -> ${map.valueSize} bytes)`;
}

export function mapCreate(map: MapCreate): Fd {
  const fd = simple('MAP_CREATE', MapCreateAttr, {
    mapType: map.type, keySize: map.keySize, valueSize: map.valueSize, maxEntries: map.maxEntries, mapFlags: map.flags,
    innerMapFd: map.innerMapFd, numaNode: map.numaNode, mapName: map.name, mapIfindex: map.ifindex, btfFd: map.btfFd,
    btfKeyTypeId: map.btfKeyTypeId, btfValueTypeId: map.btfValueTypeId, btfVmlinuxValueTypeId: map.btfVmlinuxValueTypeId,
    valueTypeBtfObjFd: map.valueTypeBtfObjFd, mapExtra: map.mapExtra, mapTokenFd: map.tokenFd,
  }, mapSubject(map), mapNeeds(map.type));
  return new Fd(fd, `map "${map.name ?? ''}"`);
}

function mapNeeds(type: number): readonly Capability[] {
  const net: readonly number[] = [MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.SOCKMAP, MapType.SOCKHASH, MapType.XSKMAP];
  return net.includes(type) ? ['CAP_BPF', 'CAP_NET_ADMIN'] : ['CAP_BPF'];
}

/**
 * One element command. The kernel reads or writes as many bytes as the map's sizes say, whatever the arrays hold: BpfMap checks,
 * callers of these functions must have checked.
 * @param into true where the kernel writes `value`
 * @returns 0 or −errno
 */
function element(cmd: CmdName, fd: number, key: Uint8Array | undefined, value: Uint8Array | undefined, into: boolean, flags: number): number {
  const a = arena();
  const mark = a.mark();
  try {
    const at = a.reserve(MapElemAttr.size);
    const view = a.view;
    const { offsets } = MapElemAttr;
    let out = -1;
    let valueAddress = 0;
    if (value) {
      if (!into) valueAddress = a.put(value);
      else if (a.fits(value.length)) valueAddress = a.address + (out = a.reserve(value.length));
      else valueAddress = a.inPlace(value);
    }
    address(view, at + offsets.mapFd, fd);
    address(view, at + offsets.key, key ? a.put(key) : 0);
    address(view, at + offsets.value, valueAddress);
    address(view, at + offsets.flags, flags);
    const result = syscall(SYS.bpf, Cmd[cmd], a.address + at, MapElemAttr.size);
    if (out >= 0 && result === 0) a.take(out, value!);
    return result;
  } finally {
    a.reset(mark);
  }
}

/** 64 bits at once; for map_fd the padding after it, too */
function address(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setUint32(at + 4, value / 2 ** 32, true);
}

/** True, and `value` filled; or false for ENOENT. Keyless maps (queue, stack, bloom filter) take no key. */
export function mapLookupElem(fd: number, key: Uint8Array | undefined, value: Uint8Array, flags = 0, subject = ''): boolean {
  return found('MAP_LOOKUP_ELEM', element('MAP_LOOKUP_ELEM', fd, key, value, true, flags), subject);
}

/** False where the bloom filter's answer is "surely not there": the value is the question. */
export function mapContains(fd: number, value: Uint8Array, subject = ''): boolean {
  return found('MAP_LOOKUP_ELEM', element('MAP_LOOKUP_ELEM', fd, undefined, value, false, 0), subject);
}

export function mapUpdateElem(fd: number, key: Uint8Array | undefined, value: Uint8Array, flags = 0, subject = ''): void {
  const result = element('MAP_UPDATE_ELEM', fd, key, value, false, flags);
  if (result < 0) throw refused('MAP_UPDATE_ELEM', -result, subject);
}

/** True where an element was deleted, false for ENOENT. */
export function mapDeleteElem(fd: number, key: Uint8Array, subject = ''): boolean {
  return found('MAP_DELETE_ELEM', element('MAP_DELETE_ELEM', fd, key, undefined, false, 0), subject);
}

/** The key after `key` (the first for undefined) into `next`; false at the end. */
export function mapGetNextKey(fd: number, key: Uint8Array | undefined, next: Uint8Array, subject = ''): boolean {
  return found('MAP_GET_NEXT_KEY', element('MAP_GET_NEXT_KEY', fd, key, next, true, 0), subject);
}

/** Takes an element out; false for ENOENT. */
export function mapLookupAndDelete(fd: number, key: Uint8Array | undefined, value: Uint8Array, flags = 0, subject = ''): boolean {
  return found('MAP_LOOKUP_AND_DELETE_ELEM', element('MAP_LOOKUP_AND_DELETE_ELEM', fd, key, value, true, flags), subject);
}

function found(cmd: CmdName, result: number, subject: string): boolean {
  if (result >= 0) return true;
  if (result === -Errno.ENOENT) return false;
  throw refused(cmd, -result, subject);
}

/** No system call can write to the map any more; programs can. @see BPF_MAP_FREEZE, Linux 5.2 */
export function mapFreeze(fd: number, subject = ''): void {
  simple('MAP_FREEZE', MapElemAttr, { mapFd: fd }, subject);
}

export interface MapBatch {
  readonly fd: number;
  /** position to go on from, as an earlier call wrote it into `outBatch`; undefined for the start */
  readonly inBatch?: Uint8Array;
  /** where the kernel writes the next position: key size, at least 4 bytes. Lookups only */
  readonly outBatch?: Uint8Array;
  readonly keys?: Uint8Array;
  readonly values?: Uint8Array;
  /** elements that keys and values have room for, or hold */
  readonly count: number;
  readonly elemFlags?: number;
  readonly subject?: string;
}

/**
 * A batch command; Linux 5.6.
 * @returns how many elements were done, and whether the map's end was reached (ENOENT of a lookup)
 * @throws SyscallError (SYSCALL), ENOSPC where one bucket of a hash map holds more than `count` elements
 */
export function mapBatch(cmd: 'MAP_LOOKUP_BATCH' | 'MAP_LOOKUP_AND_DELETE_BATCH' | 'MAP_UPDATE_BATCH' | 'MAP_DELETE_BATCH', batch: MapBatch): { count: number; end: boolean } {
  return framed((a) => {
    const at = a.alloc(MapBatchAttr.size);
    const here = (bytes: Uint8Array | undefined) => bytes && a.inPlace(bytes);
    const result = call(a, cmd, MapBatchAttr, at, {
      inBatch: here(batch.inBatch), outBatch: here(batch.outBatch), keys: here(batch.keys), values: here(batch.values),
      count: batch.count, mapFd: batch.fd, elemFlags: BigInt(batch.elemFlags ?? 0),
    });
    const end = result === -Errno.ENOENT;
    if (result < 0 && !end) throw refused(cmd, -result, batch.subject ?? '');
    return { count: a.view.getUint32(at + MapBatchAttr.offsets.count, true), end };
  });
}

// ---- programs and BTF -------------------------------------------------------------------------------------------

/** Where the kernel writes what it thinks: `text` afterwards holds the log. */
export interface LogRequest {
  /** 1 verbose on failure, 2 every state, 4 statistics only */
  readonly level: number;
  readonly buffer: Uint8Array;
  /** set by the call: bytes the whole log needs (Linux 6.4; 0 before) */
  trueSize?: number;
}

/** The log's text, up to its NUL. */
export function logText(log: LogRequest): string {
  const end = log.buffer.indexOf(0);
  return decoder.decode(log.buffer.subarray(0, end < 0 ? log.buffer.length : end));
}
const decoder = new TextDecoder();

/** Records of BTF.ext, in the kernel's form. */
export interface Records {
  /** bytes per record */
  readonly recSize: number;
  readonly bytes: Uint8Array;
}

export interface ProgLoad {
  /** a number of uapi.ProgType */
  readonly type: number;
  /** 8 bytes per instruction */
  readonly insns: Uint8Array;
  readonly license: string;
  /** cut to 15 bytes */
  readonly name?: string;
  readonly expectedAttachType?: number;
  /** BPF_F_SLEEPABLE … */
  readonly flags?: number;
  readonly kernVersion?: number;
  readonly ifindex?: number;
  readonly btfFd?: number;
  readonly funcInfo?: Records;
  readonly lineInfo?: Records;
  readonly coreRelos?: Records;
  readonly attachBtfId?: number;
  /** descriptor of a module's BTF, or of the target program (attach_prog_fd shares the field) */
  readonly attachFd?: number;
  /** descriptors that instructions refer to by index */
  readonly fdArray?: Int32Array;
  readonly log?: LogRequest;
  readonly tokenFd?: number;
}

/** PROG_LOAD may answer EAGAIN while signals are pending; libbpf gives up after as many tries. */
const LOAD_TRIES = 5;

export function progLoad(prog: ProgLoad): Fd {
  const { log } = prog;
  return framed((a) => {
    const at = a.alloc(ProgLoadAttr.size);
    const records = (of: Records | undefined) => of && of.bytes.length > 0 ? { size: of.recSize, cnt: of.bytes.length / of.recSize, at: a.put(of.bytes) } : undefined;
    const func = records(prog.funcInfo);
    const line = records(prog.lineInfo);
    const core = records(prog.coreRelos);
    const values = {
      progType: prog.type, insnCnt: prog.insns.length / 8, insns: a.put(prog.insns), license: a.putString(prog.license),
      logLevel: log?.level, logSize: log?.buffer.length, logBuf: log && a.inPlace(log.buffer), kernVersion: prog.kernVersion,
      progFlags: prog.flags, progName: prog.name, progIfindex: prog.ifindex, expectedAttachType: prog.expectedAttachType,
      progBtfFd: prog.btfFd, funcInfoRecSize: func?.size, funcInfo: func?.at, funcInfoCnt: func?.cnt, lineInfoRecSize: line?.size,
      lineInfo: line?.at, lineInfoCnt: line?.cnt, attachBtfId: prog.attachBtfId, attachBtfObjFd: prog.attachFd,
      coreReloCnt: core?.cnt, coreRelos: core?.at, coreReloRecSize: core?.size, fdArray: prog.fdArray && a.put(raw(prog.fdArray)),
      progTokenFd: prog.tokenFd,
    };
    let result = -Errno.EAGAIN;
    for (let tries = 0; result === -Errno.EAGAIN && tries < LOAD_TRIES; tries++) result = call(a, 'PROG_LOAD', ProgLoadAttr, at, values);
    if (log) log.trueSize = a.view.getUint32(at + ProgLoadAttr.offsets.logTrueSize, true);
    if (result < 0) {
      throw refused('PROG_LOAD', -result, `program "${prog.name ?? ''}" (${nameOf(ProgType, prog.type)}, ${prog.insns.length / 8} insns)`, progNeeds(prog.type));
    }
    return new Fd(result, `program "${prog.name ?? ''}"`);
  });
}

/** As is_net_admin_prog_type and is_perfmon_prog_type of kernel/bpf/syscall.c have it. */
function progNeeds(type: number): readonly Capability[] {
  const perfmon: readonly number[] = [
    ProgType.KPROBE, ProgType.TRACEPOINT, ProgType.PERF_EVENT, ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE,
    ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS, ProgType.EXT,
  ];
  const plain: readonly number[] = [ProgType.SOCKET_FILTER, ProgType.SYSCALL, ProgType.CGROUP_SKB, ProgType.SK_REUSEPORT];
  return perfmon.includes(type) ? ['CAP_BPF', 'CAP_PERFMON'] : plain.includes(type) ? ['CAP_BPF'] : ['CAP_BPF', 'CAP_NET_ADMIN'];
}

export function btfLoad(btf: Uint8Array, log?: LogRequest): Fd {
  return framed((a) => {
    const at = a.alloc(BtfLoadAttr.size);
    const result = call(a, 'BTF_LOAD', BtfLoadAttr, at, {
      btf: a.put(btf), btfSize: btf.length, btfLogLevel: log?.level, btfLogSize: log?.buffer.length, btfLogBuf: log && a.inPlace(log.buffer),
    });
    if (log) log.trueSize = a.view.getUint32(at + BtfLoadAttr.offsets.btfLogTrueSize, true);
    if (result < 0) throw refused('BTF_LOAD', -result, `BTF of ${btf.length} bytes`, ['CAP_BPF']);
    return new Fd(result, 'BTF');
  });
}

export interface TestRun {
  readonly progFd: number;
  readonly dataIn?: Uint8Array;
  /** filled by the call */
  readonly dataOut?: Uint8Array;
  readonly ctxIn?: Uint8Array;
  /** filled by the call */
  readonly ctxOut?: Uint8Array;
  readonly repeat?: number;
  readonly flags?: number;
  readonly cpu?: number;
  readonly batchSize?: number;
  readonly subject?: string;
}

/** Runs a program in the kernel. @returns its result, ns per run (whole number), and the sizes of what it put out (bytes) */
export function progTestRun(run: TestRun): { retval: number; duration: number; dataSizeOut: number; ctxSizeOut: number } {
  return framed((a) => {
    const at = a.alloc(TestRunAttr.size);
    const result = call(a, 'PROG_TEST_RUN', TestRunAttr, at, {
      progFd: run.progFd, dataSizeIn: run.dataIn?.length, dataIn: run.dataIn && a.put(run.dataIn), dataSizeOut: run.dataOut?.length,
      dataOut: run.dataOut && a.inPlace(run.dataOut), ctxSizeIn: run.ctxIn?.length, ctxIn: run.ctxIn && a.put(run.ctxIn),
      ctxSizeOut: run.ctxOut?.length, ctxOut: run.ctxOut && a.inPlace(run.ctxOut), repeat: run.repeat, flags: run.flags, cpu: run.cpu,
      batchSize: run.batchSize,
    });
    if (result < 0) throw refused('PROG_TEST_RUN', -result, run.subject ?? '');
    const { retval, duration, dataSizeOut, ctxSizeOut } = TestRunAttr.read(a.view, at);
    return { retval, duration, dataSizeOut, ctxSizeOut };
  });
}

export interface ProgAttach {
  /** a descriptor (cgroup, sockmap, netns…) or an interface's index */
  readonly target: number;
  readonly progFd: number;
  /** a number of uapi.AttachType */
  readonly attachType: number;
  readonly flags?: number;
  readonly replaceFd?: number;
  readonly relativeFd?: number;
  readonly expectedRevision?: bigint;
  readonly subject?: string;
}

export function progAttach(attach: ProgAttach): void {
  simple('PROG_ATTACH', ProgAttachAttr, attachValues(attach), attach.subject ?? '', ['CAP_BPF', 'CAP_NET_ADMIN']);
}

export function progDetach(attach: ProgAttach): void {
  simple('PROG_DETACH', ProgAttachAttr, attachValues(attach), attach.subject ?? '', ['CAP_BPF', 'CAP_NET_ADMIN']);
}

function attachValues(attach: ProgAttach) {
  return {
    targetFd: attach.target, attachBpfFd: attach.progFd, attachType: attach.attachType, attachFlags: attach.flags,
    replaceBpfFd: attach.replaceFd, relativeFd: attach.relativeFd, expectedRevision: attach.expectedRevision,
  };
}

/** Ids of the programs at an attach point, in order of execution. */
export function progQuery(query: { target: number; attachType: number; flags?: number; subject?: string }): { progIds: number[]; attachFlags: number; revision: bigint } {
  const ask = (ids: Uint32Array) => framed((a) => {
    const at = a.alloc(ProgQueryAttr.size);
    const result = call(a, 'PROG_QUERY', ProgQueryAttr, at, {
      targetFd: query.target, attachType: query.attachType, queryFlags: query.flags, progIds: ids.length ? a.inPlace(raw(ids)) : 0, count: ids.length,
    });
    // ENOSPC: more programs than there was room for, and `count` says how many
    if (result < 0 && !(result === -Errno.ENOSPC)) throw refused('PROG_QUERY', -result, query.subject ?? '', ['CAP_NET_ADMIN']);
    return { ...ProgQueryAttr.read(a.view, at), full: result < 0 };
  });
  let answer = ask(u32s(0));
  for (;;) {
    const ids = u32s(answer.count);
    if (ids.length > 0) answer = ask(ids);
    if (!answer.full && answer.count <= ids.length) {
      return { progIds: [...ids.subarray(0, answer.count)], attachFlags: answer.attachFlags, revision: answer.revision };
    }
  }
}

/** @param name of the raw tracepoint, or undefined for programs that know their target (tp_btf, fentry, LSM…) */
export function rawTracepointOpen(open: { name?: string; progFd: number; cookie?: bigint; subject?: string }): Fd {
  return framed((a) => {
    const result = call(a, 'RAW_TRACEPOINT_OPEN', RawTracepointAttr, a.alloc(RawTracepointAttr.size), {
      name: open.name === undefined ? 0 : a.putString(open.name), progFd: open.progFd, cookie: open.cookie,
    });
    if (result < 0) throw refused('RAW_TRACEPOINT_OPEN', -result, open.subject ?? (open.name === undefined ? '' : `raw tracepoint "${open.name}"`));
    return new Fd(result, 'link');
  });
}

/** Keeps the map alive as long as the program; Linux 5.10. */
export function progBindMap(progFd: number, mapFd: number, subject = ''): void {
  simple('PROG_BIND_MAP', ProgBindMapAttr, { progFd, mapFd }, subject);
}

// ---- links ------------------------------------------------------------------------------------------------------

/** What the end of `link_create` says, by kind of link. */
export type LinkDetail =
  | { readonly kind: 'btf'; readonly targetBtfId: number }
  | { readonly kind: 'tracing'; readonly targetBtfId: number; readonly cookie: bigint }
  | { readonly kind: 'iter'; /** union bpf_iter_link_info */ readonly info: Uint8Array }
  | { readonly kind: 'perfEvent'; readonly bpfCookie: bigint }
  | { readonly kind: 'kprobeMulti'; readonly flags?: number; /** one of these two */ readonly syms?: readonly string[]; readonly addrs?: readonly bigint[]; readonly cookies?: readonly bigint[] }
  | { readonly kind: 'uprobeMulti'; readonly flags?: number; readonly path: string; readonly offsets: readonly bigint[]; readonly refCtrOffsets?: readonly bigint[]; readonly cookies?: readonly bigint[]; readonly pid?: number }
  | { readonly kind: 'netfilter'; readonly pf: number; readonly hooknum: number; readonly priority: number; readonly flags?: number }
  /** tcx, netkit, cgroup: where among its neighbours */
  | { readonly kind: 'mprog'; readonly relative?: number; readonly expectedRevision?: bigint };

export interface LinkCreate {
  /** or a struct_ops map's */
  readonly progFd: number;
  /** a descriptor (cgroup, netns, perf event) or an interface's index */
  readonly target?: number;
  /** a number of uapi.AttachType */
  readonly attachType: number;
  readonly flags?: number;
  readonly detail?: LinkDetail;
  readonly subject?: string;
}

export function linkCreate(spec: LinkCreate): Fd {
  const head = { progFd: spec.progFd, targetFd: spec.target, attachType: spec.attachType, flags: spec.flags };
  const { detail } = spec;
  return framed((a) => {
    const u64s = (list: readonly bigint[] | undefined) => list && list.length > 0 ? a.put(raw(BigUint64Array.from(list))) : undefined;
    const send = <F extends Fields>(layout: Struct<F>, values: Partial<Values<F>>) => call(a, 'LINK_CREATE', layout, a.alloc(layout.size), values);
    const create = (): number => {
      switch (detail?.kind) {
        case undefined:
          return send(LinkCreateAttr.plain, head);
        case 'btf':
          return send(LinkCreateAttr.btf, { ...head, targetBtfId: detail.targetBtfId });
        case 'tracing':
          return send(LinkCreateAttr.tracing, { ...head, targetBtfId: detail.targetBtfId, cookie: detail.cookie });
        case 'iter':
          return send(LinkCreateAttr.iter, { ...head, iterInfo: a.put(detail.info), iterInfoLen: detail.info.length });
        case 'perfEvent':
          return send(LinkCreateAttr.perfEvent, { ...head, bpfCookie: detail.bpfCookie });
        case 'kprobeMulti':
          return send(LinkCreateAttr.kprobeMulti, {
            ...head, multiFlags: detail.flags, cnt: detail.syms?.length ?? detail.addrs?.length ?? 0, syms: detail.syms && strings(a, detail.syms),
            addrs: u64s(detail.addrs), cookies: u64s(detail.cookies),
          });
        case 'uprobeMulti':
          return send(LinkCreateAttr.uprobeMulti, {
            ...head, path: a.putString(detail.path), offsets: u64s(detail.offsets), refCtrOffsets: u64s(detail.refCtrOffsets),
            cookies: u64s(detail.cookies), cnt: detail.offsets.length, multiFlags: detail.flags, pid: detail.pid,
          });
        case 'netfilter':
          return send(LinkCreateAttr.netfilter, { ...head, pf: detail.pf, hooknum: detail.hooknum, priority: detail.priority, netfilterFlags: detail.flags });
        case 'mprog':
          return send(LinkCreateAttr.mprog, { ...head, relativeFd: detail.relative, expectedRevision: detail.expectedRevision });
      }
    };
    const result = create();
    if (result < 0) throw refused('LINK_CREATE', -result, spec.subject ?? '');
    return new Fd(result, 'link');
  });
}

/** The address of an array of C strings. */
function strings(a: Arena, list: readonly string[]): number {
  const text = encoder.encode(list.map((s) => `${s}\0`).join(''));
  const base = a.put(text);
  const pointers = new BigUint64Array(list.length);
  let at = 0;
  for (let i = 0; i < list.length; i++) {
    pointers[i] = BigInt(base + at);
    at = text.indexOf(0, at) + 1;
  }
  return a.put(raw(pointers));
}
const encoder = new TextEncoder();

export function linkUpdate(update: { linkFd: number; newProgFd: number; oldProgFd?: number; flags?: number; subject?: string }): void {
  const { subject = '', ...values } = update;
  simple('LINK_UPDATE', LinkUpdateAttr, values, subject);
}

/** Detaches now; the link's descriptor stays, dead. Linux 5.9. */
export function linkDetach(linkFd: number, subject = ''): void {
  simple('LINK_DETACH', LinkDetachAttr, { linkFd }, subject);
}

/** A descriptor to read(2) the iterator's output from. */
export function iterCreate(linkFd: number, subject = ''): Fd {
  return new Fd(simple('ITER_CREATE', IterCreateAttr, { linkFd }, subject), 'iterator');
}

// ---- objects ----------------------------------------------------------------------------------------------------

/** @param path on a mounted bpffs */
export function objPin(fd: number, path: string): void {
  const result = framed((a) => call(a, 'OBJ_PIN', ObjAttr, a.alloc(ObjAttr.size), { pathname: a.putString(path), bpfFd: fd }));
  if (result < 0) throw refused('OBJ_PIN', -result, `"${path}"`);
}

/** @param flags BPF_F_RDONLY, BPF_F_WRONLY */
export function objGet(path: string, flags = 0): Fd {
  const result = framed((a) => call(a, 'OBJ_GET', ObjAttr, a.alloc(ObjAttr.size), { pathname: a.putString(path), fileFlags: flags }));
  if (result < 0) throw refused('OBJ_GET', -result, `"${path}"`);
  return new Fd(result, `"${path}"`);
}

export type ObjectKind = 'PROG' | 'MAP' | 'BTF' | 'LINK';

/** The smallest id above `after`; undefined at the end. */
export function nextId(kind: ObjectKind, after: number): number | undefined {
  return framed((a) => {
    const at = a.alloc(IdAttr.size);
    const result = call(a, `${kind}_GET_NEXT_ID`, IdAttr, at, { startId: after });
    if (result === -Errno.ENOENT) return undefined;
    if (result < 0) throw refused(`${kind}_GET_NEXT_ID`, -result, `id ${after}`, ['CAP_SYS_ADMIN']);
    return a.view.getUint32(at + IdAttr.offsets.nextId, true);
  });
}

/** Every id of that kind, ascending. */
export function* ids(kind: ObjectKind): Generator<number> {
  for (let id = nextId(kind, 0); id !== undefined; id = nextId(kind, id)) yield id;
}

/** @returns undefined where there is no such object (any more) */
export function fdById(kind: ObjectKind, id: number): Fd | undefined {
  const result = framed((a) => call(a, `${kind}_GET_FD_BY_ID`, IdAttr, a.alloc(IdAttr.size), { startId: id }));
  if (result === -Errno.ENOENT) return undefined;
  if (result < 0) throw refused(`${kind}_GET_FD_BY_ID`, -result, `id ${id}`, ['CAP_SYS_ADMIN']);
  return new Fd(result, `${kind.toLowerCase()} ${id}`);
}

/** OBJ_GET_INFO_BY_FD; `ask` fills in pointers and counts of what is wanted besides. */
function info<F extends Fields>(fd: number, layout: Struct<F>, ask: (a: Arena) => Partial<Values<F>> = () => ({})): Values<F> {
  return framed((a) => {
    const at = a.alloc(layout.size);
    layout.write(a.view, at, ask(a));
    const result = call(a, 'OBJ_GET_INFO_BY_FD', InfoAttr, a.alloc(InfoAttr.size), { bpfFd: fd, infoLen: layout.size, info: a.address + at });
    if (result < 0) throw refused('OBJ_GET_INFO_BY_FD', -result, `descriptor ${fd} (${layout.name})`);
    return layout.read(a.view, at);
  });
}

/** Counts in the answer say how much there is; the lists themselves are in progMapIds. */
export function progInfo(fd: number): ProgInfo {
  return info(fd, ProgInfo);
}

/** Ids of the maps that a program uses. */
export function progMapIds(fd: number): number[] {
  const list = u32s(progInfo(fd).nrMapIds);
  if (list.length > 0) info(fd, ProgInfo, (a) => ({ nrMapIds: list.length, mapIds: a.inPlace(raw(list)) }));
  return [...list];
}

/** The instructions after verification, 8 bytes each; empty where the kernel hides them. */
export function progXlated(fd: number): Uint8Array {
  const insns = new Uint8Array(progInfo(fd).xlatedProgLen);
  if (insns.length > 0) info(fd, ProgInfo, (a) => ({ xlatedProgLen: insns.length, xlatedProgInsns: a.inPlace(insns) }));
  return insns;
}

export function mapInfo(fd: number): MapInfo {
  return info(fd, MapInfo);
}

/** `name` is undefined on kernels that do not tell (before 5.11), '' for BTF of user space. */
export function btfInfo(fd: number): { id: number; size: number; kernel: boolean; name: string | undefined } {
  const room = new Uint8Array(128);
  try {
    const { id, btfSize, kernelBtf } = info(fd, BtfInfo, (a) => ({ name: a.inPlace(room), nameLen: room.length }));
    return { id, size: btfSize, kernel: kernelBtf !== 0, name: decoder.decode(room.subarray(0, Math.max(room.indexOf(0), 0))) };
  } catch (error) {
    if (!(error instanceof SyscallError && error.errno === Errno.E2BIG)) throw error;
    const { id, btfSize } = info(fd, BtfInfo);
    return { id, size: btfSize, kernel: false, name: undefined };
  }
}

/** The BTF blob behind a descriptor. */
export function btfBytes(fd: number): Uint8Array {
  const blob = new Uint8Array(btfInfo(fd).size);
  info(fd, BtfInfo, (a) => ({ btf: a.inPlace(blob), btfSize: blob.length }));
  return blob;
}

/** `type` is a number of uapi.LinkType; `detail` the raw union of struct bpf_link_info. */
export function linkInfo(fd: number): { type: number; id: number; progId: number; detail: Uint8Array } {
  return info(fd, LinkInfo);
}

/** Run-time statistics of all programs as long as the Fd is open; Linux 5.8. */
export function enableStats(): Fd {
  return new Fd(simple('ENABLE_STATS', EnableStatsAttr, { type: 0 }, '', ['CAP_SYS_ADMIN']), 'statistics');
}

/** A token that delegates rights of a bpffs mount; Linux 6.9. */
export function tokenCreate(bpffsFd: number): Fd {
  return new Fd(simple('TOKEN_CREATE', TokenCreateAttr, { bpffsFd }, `bpffs descriptor ${bpffsFd}`), 'token');
}
