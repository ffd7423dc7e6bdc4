/**
 * Finds BPF objects among the data of a WebAssembly module: lays the active data segments out as memory will have them, and
 * looks for ELF headers of the BPF machine. Toolchains split data at runs of zeros, so an object may span segments. Objects
 * that a module keeps encoded (base64, compressed) are not seen. Runs nothing.
 */
import type { Data, Module } from '../interp/module.js';
import { WasmReader } from '../interp/reader.js';

export interface FoundObject {
  /** from the ELF header to the end of its last section or header table; cut where the data ends earlier */
  readonly bytes: Uint8Array;
  /** address in memory 0; undefined in a passive segment, or in one whose place is only known at run time */
  readonly address: number | undefined;
  /** index of the data segment in which it starts */
  readonly segment: number;
}

/** bytes of zeros between two segments that may lie inside one object */
const GAP = 65536;
/** bytes that are laid out at most: a hostile module can name far more than it has */
const MAX_RUN = 256 << 20;
const I32_CONST = 0x41, END = 0x0b;

/** ELF64, little-endian, version 1 */
const MAGIC = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1);
const EM_BPF = 247;
const HEADER = 64, SECTION_HEADER = 64;
const SHT_NOBITS = 8;

/** In the order of their addresses, those without one last. */
export function findObjects(module: Module): FoundObject[] {
  const placed: Part[] = [];
  const unplaced: { data: Data; index: number }[] = [];
  module.datas.forEach((data, index) => {
    if (data.end === data.start) return;
    const address = constantOffset(module, data);
    if (address === undefined) unplaced.push({ data, index });
    else placed.push({ data, index, address });
  });
  const found: FoundObject[] = [];
  for (const run of runsOf(placed)) {
    const image = new Uint8Array(run.end - run.start);
    // in the module's order: a later segment overwrites an earlier one
    for (const { data, address } of [...run.parts].sort((a, b) => a.index - b.index)) image.set(module.bytes.subarray(data.start, data.end), address - run.start);
    for (const { at, bytes } of scan(image)) {
      const address = run.start + at;
      const home = run.parts.find((p) => p.address <= address && address < p.address + p.data.end - p.data.start);
      found.push({ bytes, address, segment: (home ?? run.parts[0]).index });
    }
  }
  for (const { data, index } of unplaced) {
    for (const { bytes } of scan(module.bytes.subarray(data.start, data.end))) found.push({ bytes, address: undefined, segment: index });
  }
  return found;
}

/** The address of an active segment of memory 0 whose offset is a constant. */
function constantOffset(module: Module, { mode }: Data): number | undefined {
  if (mode.kind !== 'active' || mode.memory !== 0) return undefined;
  const reader = new WasmReader(module.bytes, mode.offset.start, mode.offset.end);
  if (reader.u8() !== I32_CONST) return undefined;
  const address = reader.s32() >>> 0;
  return reader.u8() === END ? address : undefined;
}

interface Part { readonly data: Data; readonly index: number; readonly address: number }
interface Run { readonly start: number; end: number; readonly parts: Part[] }

function runsOf(parts: readonly Part[]): Run[] {
  const runs: Run[] = [];
  let total = 0;
  for (const part of [...parts].sort((a, b) => a.address - b.address)) {
    const end = part.address + part.data.end - part.data.start;
    const last = runs.at(-1);
    const growth = last ? Math.max(0, end - last.end) : 0;
    if (last && part.address <= last.end + GAP && total + growth <= MAX_RUN) {
      total += growth;
      last.end += growth;
      last.parts.push(part);
    } else {
      total += end - part.address;
      runs.push({ start: part.address, end, parts: [part] });
    }
  }
  return runs;
}

function* scan(image: Uint8Array): Generator<{ at: number; bytes: Uint8Array }> {
  const buffer = Buffer.from(image.buffer, image.byteOffset, image.length);
  for (let at = buffer.indexOf(MAGIC); at >= 0; at = buffer.indexOf(MAGIC, at)) {
    const rest = image.subarray(at);
    const size = objectSize(rest);
    if (size === undefined) {
      at += MAGIC.length;
      continue;
    }
    const bytes = rest.subarray(0, size);
    yield { at, bytes };
    at += bytes.length;
  }
}

/** Bytes from the header to the end of everything the header names; undefined where this is no BPF object. */
function objectSize(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(18, true) !== EM_BPF) return undefined;
  const table = Number(view.getBigUint64(40, true)), entry = view.getUint16(58, true), count = view.getUint16(60, true);
  let end = Math.max(HEADER, table + count * entry);
  if (entry !== SECTION_HEADER) return end;
  for (let i = 0; i < count; i++) {
    const header = table + i * SECTION_HEADER;
    if (header + SECTION_HEADER > bytes.length) break;
    if (view.getUint32(header + 4, true) === SHT_NOBITS) continue;
    end = Math.max(end, Number(view.getBigUint64(header + 24, true)) + Number(view.getBigUint64(header + 32, true)));
  }
  return end;
}
