/**
 * Kernel structures of function pointers implemented in BPF: lays the object's structure out as the running kernel has it, tells
 * each program which member it is loaded for, and registers the whole.
 * Source: kernel/bpf/bpf_struct_ops.c, Linux 6.18; members by name as libbpf 1.8 matches them.
 */
import { RelocationError, SyscallError, UnsupportedError } from '../errors.js';
import { linkCreate } from '../kernel/bpf.js';
import { Errno } from '../kernel/errno.js';
import type { BpfMap } from '../kernel/map.js';
import { didYouMean } from '../kernel/near.js';
import { essentialName, type Btf, type BtfMember, type BtfType } from '../reloc/btf.js';
import type { MapSpec, ObjectSpec } from '../reloc/spec.js';
import { AttachType } from '../uapi.js';
import { DescriptorLink, type Link } from './attach/link.js';
import type { KernelType, KernelTypes } from './kernel-types.js';

/** A struct_ops map as the kernel wants it. */
export interface StructOps {
  readonly kernel: KernelType;
  /** `struct bpf_struct_ops_NAME` in the same BTF: what the map's value is */
  readonly valueTypeId: number;
  /** the value, function pointers still 0 */
  readonly value: Uint8Array;
  /** bytes from the value's start -> program */
  readonly functions: readonly { readonly offset: number; readonly program: string }[];
  readonly link: boolean;
}

/** What a struct_ops program is loaded for. */
export interface Member {
  readonly kernel: KernelType;
  /** of the member in the kernel's structure: the program's expected attach type */
  readonly index: number;
}

type Struct = BtfType & { readonly kind: 'struct' | 'union' };

/**
 * Every struct_ops map that is to be created, and what their programs become.
 * @throws RelocationError (BPF_RELOCATION) where a structure does not fit the kernel's, UnsupportedError where it has none of the name
 */
export function layOutStructOps(spec: ObjectSpec, types: KernelTypes): { maps: Map<string, StructOps>; members: Map<string, Member> } {
  const maps = new Map<string, StructOps>();
  const members = new Map<string, Member>();
  for (const map of spec.maps) {
    if (map.structOps && map.autocreate && spec.btf) maps.set(map.name, layOut(map, map.structOps, spec.btf, types, members));
  }
  return { maps, members };
}

function layOut(map: MapSpec, ops: NonNullable<MapSpec['structOps']>, btf: Btf, types: KernelTypes, members: Map<string, Member>): StructOps {
  const fail = (reason: string) => new RelocationError(reason, { kind: `of struct_ops map "${map.name}"` });
  const local = btf.type(ops.typeId) as Struct;
  const name = essentialName(local.name);
  const kernel = types.find(name, ['struct']);
  const valueTypeId = kernel && types.find(`bpf_struct_ops_${name}`, ['struct'], kernel.module ?? 'vmlinux')?.id;
  if (!kernel || valueTypeId === undefined) {
    const known = [...types.names('struct', 'bpf_struct_ops_')];
    throw new UnsupportedError(`implementing struct ${name} in BPF (map "${map.name}")`, '', didYouMean(name, known));
  }
  const target = kernel.btf.type(kernel.id) as Struct;
  const wrapper = kernel.btf.type(valueTypeId) as Struct;
  const data = wrapper.members.find((member) => kernel.btf.skipModifiers(member.type) === kernel.id);
  if (!data) throw fail(`the kernel's struct ${wrapper.name} has no member of type struct ${name}`);
  const value = new Uint8Array(wrapper.size);
  const functions: { offset: number; program: string }[] = [];

  for (const member of local.members) {
    const at = member.bitOffset / 8;
    const size = btf.sizeOf(member.type);
    const bytes = ops.data.subarray(at, at + size);
    const program = ops.functions.find(({ offset }) => offset === at)?.program;
    const index = target.members.findIndex((each) => each.name === member.name);
    if (index < 0) {
      // what is not used can be missing
      if (program !== undefined || bytes.some((byte) => byte !== 0)) {
        throw fail(`the kernel's struct ${name} has no member "${member.name}"`);
      }
      continue;
    }
    const there = target.members[index];
    checkMember(member, btf, there, kernel.btf, fail);
    const offset = (data.bitOffset + there.bitOffset) / 8;
    if (program === undefined) {
      value.set(bytes, offset);
      continue;
    }
    const before = members.get(program);
    if (before && (before.kernel.id !== kernel.id || before.kernel.btf !== kernel.btf || before.index !== index)) {
      throw fail(`program "${program}" is used for member "${member.name}" and for another one`);
    }
    members.set(program, { kernel, index });
    functions.push({ offset, program });
  }
  return { kernel, valueTypeId, value, functions, link: ops.link };
}

function checkMember(member: BtfMember, btf: Btf, there: BtfMember, kernel: Btf, fail: (reason: string) => Error): void {
  if (member.bitSize !== 0 || there.bitSize !== 0) throw fail(`member "${member.name}" is a bit field`);
  const [kind, kernelKind] = [btf.kind(btf.skipModifiers(member.type)), kernel.kind(kernel.skipModifiers(there.type))];
  if (kind !== kernelKind) throw fail(`member "${member.name}" is a ${kind} in the object and a ${kernelKind} in the kernel`);
  const [size, kernelSize] = [btf.sizeOf(member.type), kernel.sizeOf(there.type)];
  if (size !== kernelSize) throw fail(`member "${member.name}" has ${size} bytes in the object and ${kernelSize} in the kernel`);
}

/**
 * Registers the structure with the kernel: from here on it calls the programs.
 * @param fdOf descriptor of a loaded program, undefined where it is not loaded
 * @returns what unregisters it
 */
export function attachStructOps(name: string, ops: StructOps, map: BpfMap, fdOf: (program: string) => number | undefined): Link {
  const subject = `struct_ops ${name}`;
  const key = new Uint8Array(4);
  const value = ops.value.slice();
  const view = new DataView(value.buffer);
  for (const { offset, program } of ops.functions) {
    const fd = fdOf(program);
    if (fd !== undefined) view.setBigUint64(offset, BigInt(fd), true);
  }
  try {
    map.update(key, value);
  } catch (error) {
    // a map for links keeps its value, and can be linked again
    if (!ops.link || !(error instanceof SyscallError) || error.errno !== Errno.EBUSY) throw error;
  }
  if (!ops.link) return new DescriptorLink(subject, [], [() => { map.delete(key); }]);
  return new DescriptorLink(subject, [linkCreate({ progFd: map.fd.value, attachType: AttachType.STRUCT_OPS, subject })]);
}
