/**
 * bpf(2): pins, ids and what the kernel tells about its objects. Source: include/uapi/linux/bpf.h and kernel/bpf/syscall.c of Linux 6.18.
 */
import { SyscallError } from '../../errors.js';
import { BtfInfo, EnableStatsAttr, IdAttr, InfoAttr, LinkInfo, MapInfo, ObjAttr, ProgInfo, TokenCreateAttr } from '../attr.js';
import { Errno } from '../errno.js';
import { Fd } from '../fd.js';
import { framed, type Arena } from '../memory.js';
import type { Fields, Struct, Values } from '../struct.js';
import { call, raw, refused, simple, u32s } from './call.js';

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

const decoder = new TextDecoder();

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
