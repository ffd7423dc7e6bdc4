/**
 * Creates the maps of an object: sizes that are left to the loader, rules of single types, inner maps, global data, pins.
 * Filling slots with other maps and programs is here too; references from instructions are not.
 * Source: include/uapi/linux/bpf.h, kernel/bpf/*map*.c, Linux 6.18.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SyscallError, UsageError } from '../errors.js';
import { mapCreate, mapSubject, objGet, objPin, type MapCreate } from '../kernel/bpf.js';
import { possibleCpus } from '../kernel/cpus.js';
import { Errno } from '../kernel/errno.js';
import type { Fd } from '../kernel/fd.js';
import { feature } from '../kernel/features.js';
import { pageSize } from '../kernel/ffi/native.js';
import { BpfMap } from '../kernel/map.js';

import { didYouMean } from '../kernel/near.js';
import type { MapSpec } from '../reloc/spec.js';
import { MapCreateFlag, MapType, nameOf } from '../uapi.js';

/** Where maps with LIBBPF_PIN_BY_NAME go unless told otherwise. */
export const DEFAULT_PIN_PATH = '/sys/fs/bpf';

const MAP_IN_MAP: readonly number[] = [MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS];
/** The kernel refuses BTF ids for these. */
const WITHOUT_BTF: readonly number[] = [
  MapType.PERF_EVENT_ARRAY, MapType.CGROUP_ARRAY, MapType.STACK_TRACE, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS, MapType.DEVMAP,
  MapType.DEVMAP_HASH, MapType.CPUMAP, MapType.XSKMAP, MapType.SOCKMAP, MapType.SOCKHASH, MapType.QUEUE, MapType.STACK, MapType.ARENA,
];
const RING_BUFFERS: readonly number[] = [MapType.RINGBUF, MapType.USER_RINGBUF];

export interface MapOptions {
  /** folder on a bpffs */
  readonly pinPath: string;
  /** map name -> entries */
  readonly mapEntries: Readonly<Record<string, number>>;
  readonly btfFd: number | undefined;
  readonly warn: (text: string) => void;
}

/** How many entries the map gets: the object's number, or what its type asks for. */
export function entriesOf(spec: MapSpec, wanted = spec.maxEntries): number {
  if (spec.type === MapType.PERF_EVENT_ARRAY && wanted === 0) return possibleCpus();
  if (RING_BUFFERS.includes(spec.type)) return ringSize(wanted);
  return wanted;
}

/** The kernel takes page sizes times a power of two: the next one that holds as many bytes. */
function ringSize(bytes: number): number {
  const page = pageSize();
  if (bytes === 0) return 0;
  const pages = Math.ceil(bytes / page);
  const size = page * 2 ** Math.ceil(Math.log2(pages));
  // beyond 32 bits: leave it to the kernel to refuse the number as it was given
  return size > 0xffff_ffff ? bytes : size;
}

/** Creates one map, or takes over the one that is pinned. The caller owns the result. */
export function createMap(spec: MapSpec, options: MapOptions): BpfMap {
  const path = spec.pinning === 'by-name' ? join(options.pinPath, spec.name) : undefined;
  if (path === undefined) return filled(spec, plain(spec, options));
  const reused = reusePinned(spec, path, options);
  if (reused) return reused;
  const map = filled(spec, plain(spec, options));
  try {
    mkdirSync(dirname(path), { recursive: true });
    objPin(map.fd.value, path);
    return map;
  } catch (error) {
    map.close();
    // somebody else was faster: theirs is the one to share
    const again = error instanceof SyscallError && error.errno === Errno.EEXIST ? reusePinned(spec, path, options) : undefined;
    if (again) return again;
    throw error;
  }
}

function plain(spec: MapSpec, options: MapOptions): BpfMap {
  let inner: Fd | undefined;
  try {
    if (MAP_IN_MAP.includes(spec.type) && spec.inner) inner = create(spec.inner, spec.inner.maxEntries, options, undefined);
    return new BpfMap(create(spec, options.mapEntries[spec.name], options, inner?.value));
  } finally {
    inner?.close();
  }
}

function create(spec: MapSpec, wanted: number | undefined, options: MapOptions, innerMapFd: number | undefined): Fd {
  const withBtf = options.btfFd !== undefined && !WITHOUT_BTF.includes(spec.type) && (spec.btfKeyTypeId !== 0 || spec.btfValueTypeId !== 0);
  const request: MapCreate = {
    type: spec.type,
    keySize: spec.keySize,
    valueSize: spec.valueSize,
    maxEntries: entriesOf(spec, wanted),
    flags: flagsOf(spec),
    name: feature('progName') ? spec.kernelName : undefined,
    numaNode: spec.numaNode,
    mapExtra: spec.mapExtra,
    innerMapFd,
  };
  if (!withBtf) return explained(spec, request, () => mapCreate(request));
  try {
    return mapCreate({ ...request, btfFd: options.btfFd, btfKeyTypeId: spec.btfKeyTypeId, btfValueTypeId: spec.btfValueTypeId });
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const map = explained(spec, request, () => mapCreate(request));
    options.warn(`map "${spec.name}" is created without the types of its keys and values: with them ${error.message}`);
    return map;
  }
}

/** What an object may leave open for its own loader to set, and the kernel refuses with a bare EINVAL. */
function explained(spec: MapSpec, request: MapCreate, make: () => Fd): Fd {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno !== Errno.EINVAL) throw error;
    const wayOut = request.maxEntries === 0 ? `the object leaves its number of entries open: give it in mapEntries["${spec.name}"]`
      : request.valueSize === 0 && spec.type === MapType.STACK_TRACE ? 'the object leaves the size of its values open: compile it with 8 bytes for each frame' : '';
    throw wayOut === '' ? error : new SyscallError(error.cmd, error.errno, error.errnoName, mapSubject(request), wayOut, { cause: error });
  }
}

function flagsOf(spec: MapSpec): number {
  const mmapable = MapCreateFlag.MMAPABLE;
  return spec.globals && spec.mapFlags & mmapable && !feature('arrayMmap') ? spec.mapFlags & ~mmapable : spec.mapFlags;
}

/** Global data gets its contents; what programs may only read is frozen. */
function filled(spec: MapSpec, map: BpfMap): BpfMap {
  if (!spec.globals) return map;
  try {
    // fresh maps are zero
    if (spec.data && spec.data.some((byte) => byte !== 0)) map.update(new Uint8Array(4), spec.data);
    if (spec.globals === 'rodata' || spec.globals === 'kconfig') map.freeze();
    return map;
  } catch (error) {
    map.close();
    throw error;
  }
}

function reusePinned(spec: MapSpec, path: string, options: MapOptions): BpfMap | undefined {
  if (!existsSync(path)) return undefined;
  const fd = objGet(path);
  let map: BpfMap;
  try {
    map = new BpfMap(fd);
  } catch (error) {
    fd.close();
    throw error;
  }
  const differences = differencesOf(spec, map, options);
  if (differences.length === 0) return map;
  map.close();
  throw new UsageError(`map "${spec.name}" is pinned at ${path} with another shape: ${differences.join(', ')} (remove the file, or give another pin path)`);
}

function differencesOf(spec: MapSpec, map: BpfMap, options: MapOptions): string[] {
  // the kernel adds the flag to every devmap by itself
  const devmap = spec.type === MapType.DEVMAP || spec.type === MapType.DEVMAP_HASH;
  const flags = devmap ? map.flags & ~MapCreateFlag.RDONLY_PROG : map.flags;
  const rows: [string, number | string, number | string][] = [
    ['type', nameOf(MapType, map.type), nameOf(MapType, spec.type)],
    ['key size', map.keySize, spec.keySize],
    ['value size', map.valueSize, spec.valueSize],
    ['entries', map.maxEntries, entriesOf(spec, options.mapEntries[spec.name])],
    ['flags', flags, flagsOf(spec)],
  ];
  return rows.filter(([, there, wanted]) => there !== wanted).map(([what, there, wanted]) => `${what} ${there} there, ${wanted} wanted`);
}

/**
 * Puts descriptors into the slots that the object names.
 * @param fdOf the descriptor of a map or program of the object, undefined where it was not loaded
 */
export function fillSlots(spec: MapSpec, map: BpfMap, fdOf: (name: string) => number | undefined, warn: (text: string) => void): void {
  for (const { index, target } of spec.values ?? []) {
    const fd = fdOf(target);
    if (fd === undefined) {
      warn(`slot ${index} of map "${spec.name}" stays empty: "${target}" is not loaded`);
      continue;
    }
    const bytes = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
    map.update(bytes(index), bytes(fd));
  }
}

/** @throws UsageError (USAGE) where an option names a map that is not there */
export function checkMapNames(names: Iterable<string>, specs: readonly MapSpec[]): void {
  const known = specs.map(({ name }) => name);
  for (const name of names) {
    if (!known.includes(name)) throw new UsageError(`mapEntries: the object has no map "${name}" (${didYouMean(name, known) || `it has ${known.map((each) => `"${each}"`).join(', ') || 'none'}`})`);
  }
}
