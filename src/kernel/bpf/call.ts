/**
 * How a command of bpf(2) is laid out, called and refused; what the files beside this one share.
 * Source: include/uapi/linux/bpf.h of Linux 6.18.
 */
import type { SyscallError } from '../../errors.js';
import { Cmd } from '../../uapi.js';
import type { Capability } from '../capabilities.js';
import { failure } from '../fail.js';
import { SYS, syscall } from '../ffi/syscall.js';
import { framed, type Arena } from '../memory.js';
import type { Fields, Struct, Values } from '../struct.js';

export type CmdName = keyof typeof Cmd;

/** Lays out the attributes and calls: the result, or −errno. Output fields are read with `layout.read(a.view, at)`. */
export function call<F extends Fields>(a: Arena, cmd: CmdName, layout: Struct<F>, at: number, values: Partial<Values<F>>): number {
  layout.write(a.view, at, values);
  return syscall(SYS.bpf, Cmd[cmd], a.address + at, layout.size);
}

/** A command whose attributes hold no pointers and give nothing back. */
export function simple<F extends Fields>(cmd: CmdName, layout: Struct<F>, values: Partial<Values<F>>, subject: string, needs?: readonly Capability[]): number {
  const result = framed((a) => call(a, cmd, layout, a.alloc(layout.size), values));
  if (result < 0) throw refused(cmd, -result, subject, needs);
  return result;
}

export function refused(cmd: CmdName, errno: number, subject: string, needs?: readonly Capability[]): SyscallError {
  return failure(`BPF_${cmd}`, errno, subject, needs);
}

export const u32s = (n: number) => new Uint32Array(n);
export const raw = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
