/**
 * Layouts of what bpf(2) and perf_event_open(2) take and give: one declaration per arm of `union bpf_attr`, and the info
 * structs. Names are the kernel's, in camel case. Offsets and sizes are tested against the running kernel's BTF.
 * Source: include/uapi/linux/bpf.h and include/uapi/linux/perf_event.h of Linux 6.18. The kernel accepts a longer struct than
 * it knows as long as the rest is zero, so one layout serves every version.
 */
import { BPF_OBJ_NAME_LEN, BPF_TAG_SIZE } from '../uapi.js';
import { bytes, chars, i32, ptr, struct, u16, u32, u64 } from './struct.js';

// ---- maps -------------------------------------------------------------------------------------------------------

export const MapCreateAttr = struct('map_create', {
  mapType: u32, keySize: u32, valueSize: u32, maxEntries: u32, mapFlags: u32, innerMapFd: u32, numaNode: u32, mapName: chars(BPF_OBJ_NAME_LEN),
  mapIfindex: u32, btfFd: u32, btfKeyTypeId: u32, btfValueTypeId: u32, btfVmlinuxValueTypeId: u32, mapExtra: u64,
  valueTypeBtfObjFd: i32, mapTokenFd: i32,
});
/** MAP_*_ELEM; `value` is `next_key` for MAP_GET_NEXT_KEY */
export const MapElemAttr = struct('map_elem', { mapFd: u32, key: ptr, value: ptr, flags: ptr });
export const MapBatchAttr = struct('batch', {
  inBatch: ptr, outBatch: ptr, keys: ptr, values: ptr, count: u32, mapFd: u32, elemFlags: u64, flags: u64,
});

// ---- programs and BTF -------------------------------------------------------------------------------------------

export const ProgLoadAttr = struct('prog_load', {
  progType: u32, insnCnt: u32, insns: ptr, license: ptr, logLevel: u32, logSize: u32, logBuf: ptr, kernVersion: u32, progFlags: u32,
  progName: chars(BPF_OBJ_NAME_LEN), progIfindex: u32, expectedAttachType: u32, progBtfFd: u32, funcInfoRecSize: u32, funcInfo: ptr,
  funcInfoCnt: u32, lineInfoRecSize: u32, lineInfo: ptr, lineInfoCnt: u32, attachBtfId: u32, /** or attach_prog_fd */ attachBtfObjFd: u32,
  coreReloCnt: u32, fdArray: ptr, coreRelos: ptr, coreReloRecSize: u32, logTrueSize: u32, progTokenFd: i32, fdArrayCnt: u32,
});
export const BtfLoadAttr = struct('btf_load', {
  btf: ptr, btfLogBuf: ptr, btfSize: u32, btfLogSize: u32, btfLogLevel: u32, btfLogTrueSize: u32, btfFlags: u32, btfTokenFd: i32,
});
export const TestRunAttr = struct('test', {
  progFd: u32, retval: u32, dataSizeIn: u32, dataSizeOut: u32, dataIn: ptr, dataOut: ptr, repeat: u32, duration: u32,
  ctxSizeIn: u32, ctxSizeOut: u32, ctxIn: ptr, ctxOut: ptr, flags: u32, cpu: u32, batchSize: u32,
});
export const ProgAttachAttr = struct('prog_attach', {
  /** or target_ifindex */ targetFd: u32, attachBpfFd: u32, attachType: u32, attachFlags: u32, replaceBpfFd: u32,
  /** or relative_id */ relativeFd: u32, expectedRevision: u64,
});
export const ProgQueryAttr = struct('query', {
  /** or target_ifindex */ targetFd: u32, attachType: u32, queryFlags: u32, attachFlags: u32, progIds: ptr, /** or prog_cnt */ count: u32,
  progAttachFlags: ptr, linkIds: ptr, linkAttachFlags: ptr, revision: u64,
});
export const RawTracepointAttr = struct('raw_tracepoint', { name: ptr, progFd: u32, cookie: u64 });
export const ProgBindMapAttr = struct('prog_bind_map', { progFd: u32, mapFd: u32, flags: u32 });

// ---- links ------------------------------------------------------------------------------------------------------

const link = { /** or map_fd */ progFd: u32, /** or target_ifindex */ targetFd: u32, attachType: u32, flags: u32 };
/** One layout per member of the union at the end of `link_create`. */
export const LinkCreateAttr = {
  plain: struct('link_create', link),
  btf: struct('link_create', { ...link, targetBtfId: u32 }),
  iter: struct('link_create', { ...link, iterInfo: ptr, iterInfoLen: u32 }),
  perfEvent: struct('link_create.perf_event', { ...link, bpfCookie: u64 }),
  kprobeMulti: struct('link_create.kprobe_multi', { ...link, multiFlags: u32, cnt: u32, syms: ptr, addrs: ptr, cookies: ptr }),
  tracing: struct('link_create.tracing', { ...link, targetBtfId: u32, cookie: u64 }),
  netfilter: struct('link_create.netfilter', { ...link, pf: u32, hooknum: u32, priority: i32, netfilterFlags: u32 }),
  /** tcx, netkit and cgroup */
  mprog: struct('link_create.tcx', { ...link, /** or relative_id */ relativeFd: u32, expectedRevision: u64 }),
  uprobeMulti: struct('link_create.uprobe_multi', {
    ...link, path: ptr, offsets: ptr, refCtrOffsets: ptr, cookies: ptr, cnt: u32, multiFlags: u32, pid: u32,
  }),
} as const;
export const LinkUpdateAttr = struct('link_update', {
  linkFd: u32, /** or new_map_fd */ newProgFd: u32, flags: u32, /** or old_map_fd */ oldProgFd: u32,
});
export const LinkDetachAttr = struct('link_detach', { linkFd: u32 });
export const IterCreateAttr = struct('iter_create', { linkFd: u32, flags: u32 });

// ---- objects ----------------------------------------------------------------------------------------------------

export const ObjAttr = struct('obj', { pathname: ptr, bpfFd: u32, fileFlags: u32, pathFd: i32 });
/** *_GET_NEXT_ID and *_GET_FD_BY_ID; `startId` is the id for the latter */
export const IdAttr = struct('id', { startId: u32, nextId: u32, openFlags: u32, fdByIdTokenFd: i32 });
export const InfoAttr = struct('info', { bpfFd: u32, infoLen: u32, info: ptr });
export const EnableStatsAttr = struct('enable_stats', { type: u32 });
export const TokenCreateAttr = struct('token_create', { flags: u32, bpffsFd: u32 });

export const ProgInfo = struct('bpf_prog_info', {
  type: u32, id: u32, tag: bytes(BPF_TAG_SIZE), jitedProgLen: u32, xlatedProgLen: u32, jitedProgInsns: ptr, xlatedProgInsns: ptr, loadTime: u64,
  createdByUid: u32, nrMapIds: u32, mapIds: ptr, name: chars(BPF_OBJ_NAME_LEN), ifindex: u32, /** bit 0 */ gplCompatible: u32, netnsDev: u64, netnsIno: u64,
  nrJitedKsyms: u32, nrJitedFuncLens: u32, jitedKsyms: ptr, jitedFuncLens: ptr, btfId: u32, funcInfoRecSize: u32, funcInfo: ptr,
  nrFuncInfo: u32, nrLineInfo: u32, lineInfo: ptr, jitedLineInfo: ptr, nrJitedLineInfo: u32, lineInfoRecSize: u32,
  jitedLineInfoRecSize: u32, nrProgTags: u32, progTags: ptr, runTimeNs: u64, runCnt: u64, recursionMisses: u64, verifiedInsns: u32,
  attachBtfObjId: u32, attachBtfId: u32,
});
export const MapInfo = struct('bpf_map_info', {
  type: u32, id: u32, keySize: u32, valueSize: u32, maxEntries: u32, mapFlags: u32, name: chars(BPF_OBJ_NAME_LEN), ifindex: u32,
  btfVmlinuxValueTypeId: u32, netnsDev: u64, netnsIno: u64, btfId: u32, btfKeyTypeId: u32, btfValueTypeId: u32, btfVmlinuxId: u32,
  mapExtra: u64,
});
export const BtfInfo = struct('bpf_btf_info', { btf: ptr, btfSize: u32, id: u32, name: ptr, nameLen: u32, kernelBtf: u32 });
/** The head is common; `detail` is the union, read through the layouts below by `type`. */
export const LinkInfo = struct('bpf_link_info', { type: u32, id: u32, progId: u32, detail: bytes(48, 8) });

// ---- perf events ------------------------------------------------------------------------------------------------

export const PerfEventAttr = struct('perf_event_attr', {
  type: u32, size: u32, config: u64, /** or sample_freq */ samplePeriod: u64, sampleType: u64, readFormat: u64,
  /** the bit field; names in perf-event.ts */ flags: u64, /** or wakeup_watermark */ wakeupEvents: u32, bpType: u32,
  /** kprobe_func, uprobe_path, bp_addr */ config1: u64, /** probe_offset, kprobe_addr, bp_len */ config2: u64,
  branchSampleType: u64, sampleRegsUser: u64, sampleStackUser: u32, clockid: i32, sampleRegsIntr: u64, auxWatermark: u32,
  sampleMaxStack: u16, reserved2: u16, auxSampleSize: u32, auxAction: u32, sigData: u64, config3: u64,
});

/** The values of a layout, as the kernel gives them. */
export type Read<S extends { read(view: DataView, at: number): unknown }> = ReturnType<S['read']>;
export type ProgInfo = Read<typeof ProgInfo>;
export type MapInfo = Read<typeof MapInfo>;
export type BtfInfo = Read<typeof BtfInfo>;
