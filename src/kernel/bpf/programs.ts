/**
 * bpf(2): loading and running programs, loading BTF. Does not retry with a log and does not fall back for older kernels: that is
 * the loader's. Source: include/uapi/linux/bpf.h and kernel/bpf/syscall.c of Linux 6.18.
 */
import { ProgType, nameOf } from '../../uapi.js';
import { BtfLoadAttr, ProgBindMapAttr, ProgLoadAttr, TestRunAttr } from '../attr.js';
import type { Capability } from '../capabilities.js';
import { Errno } from '../errno.js';
import { Fd } from '../fd.js';
import { framed } from '../memory.js';
import { call, raw, refused, simple } from './call.js';

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
  /** programs of type SYSCALL write into it */
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
      dataOut: run.dataOut && a.inPlace(run.dataOut), ctxSizeIn: run.ctxIn?.length, ctxIn: run.ctxIn && a.inPlace(run.ctxIn),
      ctxSizeOut: run.ctxOut?.length, ctxOut: run.ctxOut && a.inPlace(run.ctxOut), repeat: run.repeat, flags: run.flags, cpu: run.cpu,
      batchSize: run.batchSize,
    });
    if (result < 0) throw refused('PROG_TEST_RUN', -result, run.subject ?? '');
    const { retval, duration, dataSizeOut, ctxSizeOut } = TestRunAttr.read(a.view, at);
    return { retval, duration, dataSizeOut, ctxSizeOut };
  });
}

/** Keeps the map alive as long as the program; Linux 5.10. */
export function progBindMap(progFd: number, mapFd: number, subject = ''): void {
  simple('PROG_BIND_MAP', ProgBindMapAttr, { progFd, mapFd }, subject);
}
