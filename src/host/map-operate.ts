/**
 * wasm_bpf_map_operate: one element of one map, between guest memory and the kernel. Sizes are the map's, asked from the
 * kernel; for a per-CPU map a value is round_up(value_size, 8) × possible CPUs bytes, and the guest's buffer has to hold them.
 */
import { Cmd, MapType } from '../uapi.js';
import type { GuestMemory } from '../wasi/memory.js';
import type { HostMap } from './backend.js';
import { EINVAL, ENOENT, EPERM } from './errno.js';
import type { GuestMap } from './objects.js';

export interface MapOperation {
  readonly command: number;
  /** pointers into guest memory */
  readonly key: number;
  readonly value: number;
  readonly nextKey: number;
  readonly flags: bigint;
}

/** Their values are descriptors of maps: a guest says its own handles, and they are translated. */
const OF_MAPS: readonly number[] = [MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS];
/** Their keys or values are other descriptors of the host's process, which a guest has none of. */
const OF_DESCRIPTORS: readonly number[] = [
  MapType.PROG_ARRAY, MapType.PERF_EVENT_ARRAY, MapType.CGROUP_ARRAY, MapType.SOCKMAP, MapType.SOCKHASH, MapType.XSKMAP,
  MapType.REUSEPORT_SOCKARRAY, MapType.STRUCT_OPS,
];
const KEYED_BY_DESCRIPTOR: readonly number[] = [MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE];
/** Their values may end in the descriptor of a program: { u32; int fd }. */
const WITH_PROGRAM: readonly number[] = [MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP];

/**
 * Returns 0 or a negative errno.
 * @param mapOf the map behind a handle of this guest
 * @throws GuestFault; SyscallError for what the kernel refuses
 */
export function mapOperate(memory: GuestMemory, map: HostMap, op: MapOperation, mapOf: (handle: number) => GuestMap | undefined): number {
  if (op.flags < 0n || op.flags > BigInt(Number.MAX_SAFE_INTEGER)) return -EINVAL;
  if (KEYED_BY_DESCRIPTOR.includes(map.type)) return -EPERM;
  const flags = Number(op.flags);
  const key = () => (map.keySize === 0 ? undefined : memory.bytes(op.key, map.keySize));
  switch (op.command) {
    case Cmd.MAP_LOOKUP_ELEM: {
      const value = memory.bytes(op.value, map.elementSize);
      const found = map.type === MapType.BLOOM_FILTER ? map.contains(value) : map.lookup(key(), value, flags);
      return found ? 0 : -ENOENT;
    }
    case Cmd.MAP_UPDATE_ELEM: {
      if (OF_DESCRIPTORS.includes(map.type)) return -EPERM;
      const value = valueIn(memory, map, op.value, mapOf);
      if (typeof value === 'number') return value;
      map.update(key(), value, flags);
      return 0;
    }
    case Cmd.MAP_DELETE_ELEM:
      return map.delete(memory.bytes(op.key, map.keySize)) ? 0 : -ENOENT;
    case Cmd.MAP_GET_NEXT_KEY: {
      const next = memory.bytes(op.nextKey, map.keySize);
      // NULL asks for the first key
      return map.nextKey(op.key === 0 ? undefined : key(), next) ? 0 : -ENOENT;
    }
    default:
      return -EINVAL;
  }
}

function valueIn(memory: GuestMemory, map: HostMap, pointer: number, mapOf: (handle: number) => GuestMap | undefined): Uint8Array | number {
  const value = memory.bytes(pointer, map.elementSize);
  if (OF_MAPS.includes(map.type)) {
    const inner = mapOf(memory.u32(pointer));
    if (inner === undefined) return -EINVAL;
    const translated = new Uint8Array(4);
    new DataView(translated.buffer).setUint32(0, inner.map.fd.value, true);
    return translated;
  }
  if (WITH_PROGRAM.includes(map.type) && map.valueSize >= 8 && (memory.u32(pointer + 4) | 0) > 0) return -EPERM;
  return value;
}
