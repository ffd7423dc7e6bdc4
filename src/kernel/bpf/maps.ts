/**
 * bpf(2): commands on maps and their elements. Knows no sizes: the kernel reads and writes as many bytes as a map's say, which
 * BpfMap (map.ts) checks. Source: include/uapi/linux/bpf.h and kernel/bpf/syscall.c of Linux 6.18.
 */
import { SyscallError } from '../../errors.js';
import { Cmd, MapType, nameOf } from '../../uapi.js';
import { MapBatchAttr, MapCreateAttr, MapElemAttr } from '../attr.js';
import type { Capability } from '../capabilities.js';
import { Errno, errnoName } from '../errno.js';
import { Fd } from '../fd.js';
import { SYS, syscall } from '../ffi/syscall.js';
import { arena, framed } from '../memory.js';
import { call, refused, simple, type CmdName } from './call.js';

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
  if (result < 0) throw elementRefused('MAP_UPDATE_ELEM', -result, subject);
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
  throw elementRefused(cmd, -result, subject);
}

/** Capabilities play no part here: EPERM is about the map (map_get_sys_perms of kernel/bpf/syscall.c). */
function elementRefused(cmd: CmdName, errno: number, subject: string): SyscallError {
  const wayOut = errno === Errno.EPERM ? 'the map is frozen, or its descriptor is open for the other direction only' : '';
  return new SyscallError(`BPF_${cmd}`, errno, errnoName(errno), subject, wayOut);
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
