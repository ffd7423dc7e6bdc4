/**
 * .BTF.ext: which function starts where, which source line an instruction is of, and which instruction waits for a CO-RE
 * relocation; by section, sorted by instruction. Does not place them in linked programs (link.ts).
 * Format: Documentation/bpf/btf.rst, section "ELF File Format Interface", Linux 6.18.
 */
import { Reader } from '../bytes.js';
import { BtfError, hex } from '../errors.js';
import type { Btf } from './btf.js';
import { MAGIC, VERSION } from './btf-layout.js';
import { INSN_SIZE } from './insn.js';
import { CORE_KINDS, type CoreKind } from './spec.js';

export interface FuncRecord { readonly insn: number; readonly typeId: number }
export interface LineRecord { readonly insn: number; readonly fileNameOff: number; readonly lineOff: number; readonly lineCol: number }
export interface CoreRecord { readonly insn: number; readonly typeId: number; readonly access: string; readonly kind: CoreKind }

/** Section name -> its records, ascending by instruction from the section's start. */
export interface BtfExt {
  readonly functions: ReadonlyMap<string, readonly FuncRecord[]>;
  readonly lines: ReadonlyMap<string, readonly LineRecord[]>;
  readonly relocations: ReadonlyMap<string, readonly CoreRecord[]>;
}

const SOURCE = 'section ".BTF.ext"';
/** Bytes of the header without and with the words of the CO-RE part. */
const HEADER = 24;
const HEADER_WITH_CORE = 32;
/** Longer section names and access strings than any compiler writes would cost more than linear time. */
const MAX_STRING = 4096;

/**
 * @param bytes the section
 * @param btf for section names and access strings
 * @throws BtfError BPF_BTF
 */
export function parseBtfExt(bytes: Uint8Array, btf: Btf): BtfExt {
  const r = reader(bytes, 0);
  const magic = r.u16();
  if (magic !== MAGIC) throw fault(magic === 0x9feb ? 'big-endian, only little-endian is read (compile with -target bpfel)' : `magic is ${hex(magic)}, not ${hex(MAGIC)}`, 0);
  const version = r.u8();
  if (version !== VERSION) throw fault(`version is ${version}, not ${VERSION}`, 2);
  r.u8();
  const headerLength = r.u32();
  if (headerLength < HEADER || headerLength > bytes.length) throw fault(`header length is ${headerLength}, outside of ${HEADER} … ${bytes.length}`, 4);
  const part = () => ({ offset: r.u32(), length: r.u32() });
  const [functions, lines] = [part(), part()];
  const relocations = headerLength >= HEADER_WITH_CORE ? part() : { offset: 0, length: 0 };
  const names = new Strings(btf);

  const records = <T extends { insn: number }>(what: string, at: { offset: number; length: number }, size: number, read: (r: Reader, insn: number) => T) =>
    readPart(bytes, headerLength, what, at, size, names, read);
  return {
    functions: records('function records', functions, 8, (r, insn) => ({ insn, typeId: r.u32() })),
    lines: records('line records', lines, 16, (r, insn) => ({ insn, fileNameOff: r.u32(), lineOff: r.u32(), lineCol: r.u32() })),
    relocations: records('CO-RE relocations', relocations, 16, (r, insn) => {
      const typeId = r.u32();
      const access = names.at(r.u32(), r.offset - 4);
      const kind = CORE_KINDS[r.u32()];
      if (kind === undefined) throw fault(`CO-RE relocation of unknown kind, the last known is ${CORE_KINDS.length - 1} (${CORE_KINDS.at(-1)})`, r.offset - 4);
      return { insn, typeId, access, kind };
    }),
  };
}

function readPart<T extends { insn: number }>(
  bytes: Uint8Array, base: number, what: string, { offset, length }: { offset: number; length: number }, known: number,
  names: Strings, read: (r: Reader, insn: number) => T,
): Map<string, T[]> {
  const found = new Map<string, T[]>();
  if (length === 0) return found;
  if (base + offset + length > bytes.length) throw fault(`${what} at ${offset} with ${length} bytes end beyond the section of ${bytes.length} bytes`, base + offset);
  if (offset % 4 !== 0) throw fault(`${what} are not aligned to 4 bytes`, base + offset);
  const r = reader(bytes.subarray(base + offset, base + offset + length), base + offset);
  const size = r.u32();
  if (size < known || size % 4 !== 0) throw fault(`${what} have ${size} bytes each, fewer than ${known} or no multiple of 4`, base + offset);
  while (r.left > 0) {
    const section = names.at(r.u32(), r.offset - 4);
    const count = r.u32();
    if (count === 0) throw fault(`no ${what} for section "${section}"`, r.offset - 4);
    if (count * size > r.left) throw fault(`${count} ${what} of ${size} bytes for section "${section}", ${r.left} bytes left`, r.offset - 4);
    let list = found.get(section);
    if (!list) found.set(section, list = []);
    for (let i = 0; i < count; i++) {
      const end = r.pos + size;
      const at = r.u32();
      if (at % INSN_SIZE !== 0) throw fault(`${what} for section "${section}": offset ${hex(at)} is no multiple of ${INSN_SIZE}`, r.offset - 4);
      list.push(read(r, at / INSN_SIZE));
      r.seek(end);
    }
  }
  for (const list of found.values()) list.sort((a, b) => a.insn - b.insn);
  return found;
}

/** The records of `list` from instruction `start` up to `end`. */
export function recordsWithin<T extends { readonly insn: number }>(list: readonly T[] | undefined, start: number, end: number): readonly T[] {
  if (!list) return [];
  return list.slice(lowerBound(list, start), lowerBound(list, end));
}

function lowerBound(list: readonly { readonly insn: number }[], insn: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle].insn < insn) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Strings of the BTF, each decoded once. */
class Strings {
  readonly #known = new Map<number, string>();
  constructor(readonly btf: Btf) {}
  at(offset: number, where: number): string {
    let text = this.#known.get(offset);
    if (text === undefined) {
      text = this.btf.string(offset);
      if (text.length > MAX_STRING) throw fault(`string of ${text.length} characters, more than ${MAX_STRING}`, where);
      this.#known.set(offset, text);
    }
    return text;
  }
}

function reader(bytes: Uint8Array, base: number): Reader {
  return new Reader(bytes, (reason, offset) => fault(reason, offset), base);
}

function fault(reason: string, offset: number): BtfError {
  return new BtfError(reason, { source: SOURCE, offset });
}
