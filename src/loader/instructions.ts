/**
 * Fills what relocation leaves open in a program's instructions: map descriptors, addresses in global data, kernel symbols and
 * functions; and replaces helpers that the kernel is too old for. Source: enum bpf_func_id and BPF_PSEUDO_* of
 * include/uapi/linux/bpf.h, Linux 6.18.
 */
import { RelocationError } from '../errors.js';
import { feature } from '../kernel/features.js';
import { Insns, Pseudo } from '../reloc/insn.js';
import type { ProgramSpec, Reference } from '../reloc/spec.js';
import type { ResolvedExtern } from './externs.js';
import type { KernelType } from './kernel-types.js';

/** What references may name. Descriptors are lent. */
export interface Links {
  /** undefined where the map was not created */
  mapFd(name: string): number | undefined;
  /** in ObjectSpec.maps */
  mapIndex(name: string): number;
  extern(name: string): ResolvedExtern | undefined;
  /** in ObjectSpec.externs */
  externIndex(name: string): number;
  /** of the BTF that a kernel type is in, 0 for vmlinux */
  btfFd(type: KernelType): number;
  /** of the BTF that a kernel function is in: index into the load's fd_array, 0 for vmlinux */
  btfIndex(type: KernelType): number;
}

/**
 * What a weak kernel function's call becomes where the kernel has none: a helper number that the verifier refuses, unless it
 * never gets there. The extern's index is added; the number is libbpf's, so that both loaders' programs have equal tags.
 */
const ABSENT_CALL = 2_002_000_000;
/** The same for each half of the load of a map that is not created, with the map's index. */
const ABSENT_MAP = 2_001_000_000;

/** A copy of the program's instructions that the kernel can take. @throws RelocationError (BPF_RELOCATION) */
export function fillReferences(program: ProgramSpec, links: Links): Uint8Array {
  const insns = new Insns(program.insns.slice());
  for (const reference of program.references) fill(program, insns, reference, links);
  if (!feature('probeReadKernel')) replaceHelpers(insns);
  return insns.bytes;
}

function fill(program: ProgramSpec, insns: Insns, reference: Reference, links: Links): void {
  const { insn } = reference;
  const fail = (reason: string) => new RelocationError(reason, { program: program.name, insn, kind: reference.kind });
  switch (reference.kind) {
    case 'map':
    case 'map_value': {
      const fd = links.mapFd(reference.map);
      if (fd === undefined) {
        for (const slot of [insn, insn + 1]) insns.setUnknownCall(slot, ABSENT_MAP + links.mapIndex(reference.map));
        return;
      }
      insns.setSrc(insn, reference.kind === 'map' ? Pseudo.MAP_FD : Pseudo.MAP_VALUE);
      insns.setImm(insn, fd);
      insns.setImm(insn + 1, reference.kind === 'map' ? 0 : reference.offset);
      return;
    }
    case 'ksym': {
      const extern = links.extern(reference.extern);
      if (!extern) throw fail(`extern "${reference.extern}" is not resolved`);
      if (extern.kind === 'type') {
        insns.setSrc(insn, Pseudo.BTF_ID);
        insns.setImm(insn, extern.type.id);
        insns.setImm(insn + 1, links.btfFd(extern.type));
      } else {
        insns.setSrc(insn, 0);
        insns.setImm64(insn, extern.kind === 'address' ? extern.address : 0n);
      }
      return;
    }
    case 'kfunc': {
      const extern = links.extern(reference.extern);
      if (extern?.kind === 'type') {
        insns.setSrc(insn, Pseudo.KFUNC_CALL);
        insns.setImm(insn, extern.type.id);
        insns.setOff(insn, links.btfIndex(extern.type));
      } else {
        insns.setUnknownCall(insn, ABSENT_CALL + links.externIndex(reference.extern));
      }
    }
  }
}

/** The index of the absent extern that a helper's number stands for, where it is one. */
export function absentCall(number: number): number | undefined {
  return number >= ABSENT_CALL ? number - ABSENT_CALL : undefined;
}

/** The same of a map that is not created. */
export function absentMap(number: number): number | undefined {
  return number >= ABSENT_MAP && number < ABSENT_CALL ? number - ABSENT_MAP : undefined;
}

/** bpf_probe_read_{user,kernel}[_str], Linux 5.5, and what stood for them before. */
const OLD_HELPERS: ReadonlyMap<number, number> = new Map([[112, 4], [113, 4], [114, 45], [115, 45]]);

function replaceHelpers(insns: Insns): void {
  for (let slot = 0; slot < insns.length; slot += insns.isLdImm64(slot) ? 2 : 1) {
    if (!insns.isCall(slot) || insns.src(slot) !== 0) continue;
    const old = OLD_HELPERS.get(insns.imm(slot));
    if (old !== undefined) insns.setImm(slot, old);
  }
}
