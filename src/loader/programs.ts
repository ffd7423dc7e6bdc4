/**
 * Loads one program: everything BPF_PROG_LOAD wants to know besides the instructions, and what to say when the verifier
 * refuses. Source: kernel/bpf/syscall.c and kernel/bpf/verifier.c, Linux 6.18.
 */
import { SyscallError, UnsupportedError, VerifierError } from '../errors.js';
import { logText, progLoad, type LogRequest, type ProgLoad, type Records } from '../kernel/bpf.js';
import { Errno } from '../kernel/errno.js';
import type { Fd } from '../kernel/fd.js';
import { feature } from '../kernel/features.js';
import { kernelAtLeast, kernelVersionCode } from '../kernel/release.js';
import type { CoreStory } from '../reloc/core.js';
import { explainPoison, explainStory, poisonedAt } from '../reloc/core-explain.js';
import { POISON } from '../reloc/core-patch.js';
import type { ObjectSpec, ProgramSpec } from '../reloc/spec.js';
import { ProgLoadFlag, ProgType } from '../uapi.js';
import { absentCall, absentMap } from './instructions.js';
import type { Section } from './sections.js';
import { tellingLines, tellingText } from './verifier-log.js';
import { annotateLog, findUnknownCall, replaceUnknownCall, SourceLines } from './verifier-source.js';

/** What a program is bound to when it is loaded. */
export interface Binding {
  readonly btfId: number;
  /** of a module's BTF or of the program that is replaced, lent; 0 for vmlinux */
  readonly fd: number;
  /** instead of the section's: the member of a struct_ops structure */
  readonly attachType?: number;
}

export interface ProgramOptions {
  readonly spec: ObjectSpec;
  /** what the kernel is told; undefined: no types are given */
  readonly btfFd: number | undefined;
  readonly binding: Binding | undefined;
  /** descriptors that kernel function calls refer to; index 0 is vmlinux */
  readonly fdArray: Int32Array | undefined;
  readonly stories: readonly CoreStory[] | undefined;
  /** of the kernel's verifier: 0 none unless the load fails, 1, 2, 4 */
  readonly logLevel: number;
}

const LOG_START = 64 * 1024;
const LOG_MOST = 16 * 1024 * 1024;

/** The expected attach type that goes to the kernel: left out where the kernel is too old to know the field and it is no need. */
export function expectedAttachType(section: Section): number {
  if (section.attachType === undefined) return 0;
  return section.optional && !feature('expAttachType') ? 0 : section.attachType;
}

/**
 * @param insns as the kernel takes them
 * @returns the program, the caller's to close, and the verifier's log where one was asked for
 * @throws VerifierError (BPF_VERIFIER) with the verifier's words, SyscallError (SYSCALL) where it has none, UnsupportedError
 */
export function loadProgram(program: ProgramSpec, section: Section, insns: Uint8Array, options: ProgramOptions): { fd: Fd; log: string } {
  const { spec, btfFd, binding } = options;
  const types = btfFd !== undefined && feature('btfFunc') && program.functions.every(({ typeId }) => typeId !== 0);
  const request: ProgLoad = {
    type: section.type,
    insns,
    license: spec.license,
    name: feature('progName') ? program.name : undefined,
    expectedAttachType: binding?.attachType ?? expectedAttachType(section),
    flags: (section.sleepable ? ProgLoadFlag.SLEEPABLE : 0) | (section.frags ? ProgLoadFlag.XDP_HAS_FRAGS : 0),
    // kernels before 5.0 load kprobe programs only for their own version
    kernVersion: spec.kernelVersion || kernelVersionCode(),
    btfFd: types ? btfFd : undefined,
    funcInfo: types ? funcInfo(program) : undefined,
    lineInfo: types ? lineInfo(program) : undefined,
    attachBtfId: binding?.btfId,
    attachFd: binding?.fd,
    fdArray: options.fdArray,
  };
  let first: SyscallError | undefined;
  if (options.logLevel === 0) {
    try {
      return { fd: progLoad(request), log: '' };
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      first = error;
    }
  }
  const source = new SourceLines(program.lines, spec.btf);
  for (let size = LOG_START; ;) {
    const log: LogRequest = { level: options.logLevel || 1, buffer: new Uint8Array(size) };
    try {
      return { fd: progLoad({ ...request, log }), log: annotateLog(logText(log), source) };
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (error.errno === Errno.ENOSPC && size < LOG_MOST) {
        size = Math.min(LOG_MOST, Math.max(size * 2, log.trueSize ?? 0));
        continue;
      }
      // the kernel refuses a program whose log it cannot write, be it right or wrong
      if (error.errno === Errno.ENOSPC && first === undefined) {
        return { ...loadProgram(program, section, insns, { ...options, logLevel: 0 }), log: `the log of level ${options.logLevel} is longer than ${LOG_MOST} bytes\n` };
      }
      throw explain(program, section, first ?? error, logText(log), source, options);
    }
  }
}

/** struct bpf_func_info: insn_off, type_id */
function funcInfo({ functions }: ProgramSpec): Records {
  const words = new Uint32Array(functions.length * 2);
  functions.forEach(({ insn, typeId }, i) => {
    words[i * 2] = insn;
    words[i * 2 + 1] = typeId;
  });
  return { recSize: 8, bytes: new Uint8Array(words.buffer) };
}

/** struct bpf_line_info: insn_off, file_name_off, line_off, line_col */
function lineInfo({ lines }: ProgramSpec): Records {
  const words = new Uint32Array(lines.length * 4);
  lines.forEach(({ insn, fileNameOff, lineOff, lineCol }, i) => {
    words[i * 4] = insn;
    words[i * 4 + 1] = fileNameOff;
    words[i * 4 + 2] = lineOff;
    words[i * 4 + 3] = lineCol;
  });
  return { recSize: 16, bytes: new Uint8Array(words.buffer) };
}

function explain(program: ProgramSpec, section: Section, error: SyscallError, raw: string, source: SourceLines, options: ProgramOptions): Error {
  const { name } = program;
  const log = annotateLog(raw, source);
  const sourceAt = (insn: number) => source.at(insn);
  const { complaint } = tellingLines(log, sourceAt);
  if (complaint === '') return withoutWords(program, section, error);
  // the one thing that the verifier of an older kernel has words for, which do not say that it is older
  if (/^Only .* can be sleepable/.test(complaint) && !kernelAtLeast(section.since)) return tooOld(program, section);
  return invalidated(name, error, log, options)
    ?? new VerifierError(name, error.errno, error.errnoName, tellingText(log, sourceAt), log, hint(complaint, error));
}

/** The verifier came to an instruction that was made invalid here, because what it needs is not there: the loader knows what. */
function invalidated(name: string, error: SyscallError, log: string, { spec, stories }: ProgramOptions): VerifierError | undefined {
  const call = findUnknownCall(log);
  if (call === undefined) return undefined;
  const verdict = (telling: string, wayOut: string, what: string, why: readonly string[], details: readonly string[] = []) =>
    new VerifierError(name, error.errno, error.errnoName, telling, replaceUnknownCall(log, call, what, why), wayOut, details);
  if (call.number === POISON) {
    const story = poisonedAt(stories, call.insn);
    if (story === undefined) return undefined;
    const details = explainStory(story);
    return verdict(explainPoison(stories, call.insn)!, '', `failed CO-RE relocation ${story.relocation.kind} of ${story.path}`, details, details);
  }
  const map = spec.maps[absentMap(call.number) ?? -1];
  if (map !== undefined) return verdict(`insn ${call.insn} uses map "${map.name}", which is not created`, 'create the map, or let nothing reach the instruction', `load of map "${map.name}"`, [`map "${map.name}" is not created`]);
  const extern = spec.externs[absentCall(call.number) ?? -1];
  if (extern === undefined) return undefined;
  return verdict(`calls kernel function "${extern.name}", which this kernel lacks`, 'guard the call with bpf_ksym_exists', `call of kernel function "${extern.name}"`, [`this kernel has no function "${extern.name}"`]);
}

/** Known refusals whose reason is not in the words. */
function hint(complaint: string, error: SyscallError): string {
  if (/cannot call GPL-restricted function/.test(complaint)) return 'declare char LICENSE[] SEC("license") = "GPL"';
  if (/^BPF program is too large|processed \d+ insn$/.test(complaint)) return 'bound or shorten the loops';
  return error.errno === Errno.EPERM && /lacks|CAP_/.test(error.message) ? 'run as root, or grant CAP_BPF and CAP_PERFMON' : '';
}

function tooOld(program: ProgramSpec, section: Section): UnsupportedError {
  return new UnsupportedError(`section "${section.prefix}" of program "${program.name}"`, section.since);
}

/** The kernel gave an errno and no log. */
function withoutWords(program: ProgramSpec, section: Section, error: SyscallError): Error {
  if (error.errno === Errno.EINVAL && !kernelAtLeast(section.since)) return tooOld(program, section);
  // EPERM without words although nothing is lacking: what the kernel withholds, it withholds by program type
  const bound = section.type === ProgType.TRACING || section.type === ProgType.LSM || section.type === ProgType.EXT;
  if (error.errno === Errno.EPERM && bound && error.message.includes('not for want of capabilities')) {
    return new SyscallError(error.cmd, error.errno, error.errnoName, `program "${program.name}" (section "${program.section}")`,
      'this kernel refuses such programs even to root: lockdown, an LSM, or a kernel without CONFIG_FUNCTION_TRACER and trampolines', { cause: error });
  }
  return error;
}
