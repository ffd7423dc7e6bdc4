/**
 * The lowest layer of the binary format: bytes, LEB128 integers, names, value types (specification chapters 5.2 and 5.3).
 * Knows neither sections (decode.ts) nor instructions (instr.ts). Faults carry the official suite's phrases.
 */
import { MalformedError, hex } from '../errors.js';
import { FEATURES_2_0, type Feature } from './opcodes.js';
import {
  ANYREF, ARRAYREF, CONCRETE, EQREF, EXNREF, EXTERNREF, F64, FUNCREF, I31REF, I32, NON_NULL, NULLEXNREF, NULLEXTERNREF, NULLFUNCREF, NULLREF,
  STRUCTREF, V128, refTo, type RefType, type ValType,
} from './types.js';

export class WasmReader {
  /** position of the next byte, from the module's start */
  pos: number;
  /** reading stops here; the phrase of a read past it is `endReason` */
  end: number;
  /** the section or the function ends too early, or the module does */
  endReason = 'unexpected end';
  /** halves of the integer that `s64` has read, as signed 32-bit numbers */
  lo = 0;
  hi = 0;

  /** @param bytes the whole module; not copied */
  constructor(readonly bytes: Uint8Array, start = 0, end = bytes.length, readonly features: ReadonlySet<Feature> = FEATURES_2_0) {
    this.pos = start;
    this.end = end;
  }

  fail(reason: string, offset = this.pos, detail = ''): MalformedError {
    return new MalformedError(reason, offset, detail);
  }

  /** @throws MalformedError like every method here */
  u8(): number {
    if (this.pos >= this.end) throw this.fail(this.endReason);
    return this.bytes[this.pos++];
  }

  /** The next byte of a long integer: it may cross `end`, because the form of an integer is judged before its place. */
  #more(): number {
    if (this.pos >= this.bytes.length) throw this.fail(this.endReason);
    return this.bytes[this.pos++];
  }

  #within(): void {
    if (this.pos > this.end) throw this.fail(this.endReason, this.end);
  }

  u32(): number {
    const { pos } = this;
    if (pos < this.end) {
      const byte = this.bytes[pos];
      if (byte < 0x80) {
        this.pos = pos + 1;
        return byte;
      }
    }
    return this.#longU32();
  }

  #longU32(): number {
    const start = this.pos;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#more();
      if (shift === 28) {
        if ((byte & 0x70) !== 0) throw this.fail('integer too large', start);
        if (byte >= 0x80) throw this.fail('integer representation too long', start);
      }
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#within();
        return value >>> 0;
      }
    }
  }

  s32(): number {
    const { pos } = this;
    if (pos < this.end) {
      const byte = this.bytes[pos];
      if (byte < 0x80) {
        this.pos = pos + 1;
        return byte << 25 >> 25;
      }
    }
    return this.#longS32();
  }

  #longS32(): number {
    const start = this.pos;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#more();
      if (shift === 28) {
        const unused = byte & 0x78;
        if (unused !== 0 && unused !== 0x78) throw this.fail('integer too large', start);
        if (byte >= 0x80) throw this.fail('integer representation too long', start);
      }
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#within();
        return shift < 28 && (byte & 0x40) !== 0 ? value | -1 << shift + 7 : value;
      }
    }
  }

  /** A signed integer of 33 bits: block types and heap types, whose non-negative half are type indices. */
  s33(): number {
    const start = this.pos;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#more();
      if (shift === 28) {
        const unused = byte & 0x70;
        if (unused !== 0 && unused !== 0x70) throw this.fail('integer too large', start);
        if (byte >= 0x80) throw this.fail('integer representation too long', start);
      }
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        this.#within();
        return (byte & 0x40) === 0 ? value : value - 2 ** (shift + 7);
      }
    }
  }

  /** A signed integer of 64 bits, into `lo` and `hi`. */
  s64(): void {
    const start = this.pos;
    let lo = 0, hi = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#more();
      if (shift === 63) {
        if ((byte & 0x7f) !== 0 && (byte & 0x7f) !== 0x7f) throw this.fail('integer too large', start);
        if (byte >= 0x80) throw this.fail('integer representation too long', start);
      }
      const bits = byte & 0x7f;
      if (shift < 32) lo |= bits << shift;
      if (shift === 28) hi = bits >> 4;
      else if (shift > 28) hi |= bits << shift - 32;
      if (byte < 0x80) {
        this.#within();
        const next = shift + 7;
        if ((byte & 0x40) !== 0 && next < 64) {
          if (next < 32) {
            lo |= -1 << next;
            hi = -1;
          } else {
            hi |= -1 << next - 32;
          }
        }
        this.lo = lo;
        this.hi = hi;
        return;
      }
    }
  }

  /** An unsigned integer of 64 bits. Beyond 2^53 the nearest number: as an address or a size it is out of range all the same. */
  u64(): number {
    const { pos } = this;
    if (pos < this.end) {
      const byte = this.bytes[pos];
      if (byte < 0x80) {
        this.pos = pos + 1;
        return byte;
      }
    }
    return this.#longU64();
  }

  #longU64(): number {
    const start = this.pos;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#more();
      if (shift === 63) {
        if ((byte & 0x7e) !== 0) throw this.fail('integer too large', start);
        if (byte >= 0x80) throw this.fail('integer representation too long', start);
      }
      // 28 bits fit an int32
      if (shift < 28) value |= (byte & 0x7f) << shift;
      else value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        this.#within();
        return value;
      }
    }
  }

  /** Four bytes, little-endian, as a signed number: the bits of an f32. */
  bits32(): number {
    const { pos, bytes } = this;
    if (pos + 4 > this.end) throw this.fail(this.endReason, this.end);
    this.pos = pos + 4;
    return bytes[pos] | bytes[pos + 1] << 8 | bytes[pos + 2] << 16 | bytes[pos + 3] << 24;
  }

  /** Moves over `n` bytes. @returns where they start */
  skip(n: number, reason = 'length out of bounds'): number {
    const start = this.pos;
    if (n > this.end - start) throw this.fail(reason, start, `${n} bytes wanted, ${this.end - start} left`);
    this.pos = start + n;
    return start;
  }

  /** A vector's length, of items that take at least one byte each: more than that is a fault at once, whatever follows. */
  count(what: string): number {
    const at = this.pos;
    const n = this.u32();
    if (n > this.end - this.pos) throw this.fail(this.endReason, at, `${n} ${what} in ${this.end - this.pos} bytes`);
    return n;
  }

  /** A name: a vector of bytes that are strict UTF-8. */
  name(): string {
    if (this.pos >= this.end && this.end < this.bytes.length) throw this.fail('length out of bounds');
    const size = this.u32();
    const start = this.skip(size);
    return utf8(this.bytes, start, this.pos) ?? this.#badName(start);
  }

  #badName(start: number): never {
    throw this.fail('malformed UTF-8 encoding', start);
  }

  valType(): ValType {
    const at = this.pos;
    const byte = this.u8();
    if (byte >= F64 && byte <= I32) return byte;
    if (byte === V128) return this.need('simd', byte, at, 'malformed value type');
    return this.#refType(byte, at, 'malformed value type');
  }

  refType(): RefType {
    const at = this.pos;
    return this.#refType(this.u8(), at, 'malformed reference type');
  }

  #refType(byte: number, at: number, reason: string): RefType {
    if (byte === 0x63 || byte === 0x64) {
      this.need('function-references', byte, at, reason);
      return this.heapType() + (byte === 0x63 ? 0 : NON_NULL);
    }
    const feature = HEAP_TYPES.get(byte);
    if (feature) return this.need(feature, byte, at, reason);
    throw this.fail(reason, at, hex(byte));
  }

  /** The nullable reference to the heap type read. */
  heapType(): RefType {
    const at = this.pos;
    const code = this.s33();
    if (code >= 0) {
      this.need('function-references', CONCRETE, at, 'malformed heap type');
      return refTo(code, true);
    }
    const feature = HEAP_TYPES.get(code + 0x80);
    if (feature) return this.need(feature, code + 0x80, at, 'malformed heap type');
    throw this.fail('malformed heap type', at, String(code));
  }

  protected need(feature: Feature, type: ValType, at: number, reason: string): ValType {
    if (this.features.has(feature)) return type;
    throw this.fail(reason, at, `${hex(type)} needs the feature ${feature}`);
  }
}

/** code of an abstract heap type -> what it belongs to */
const HEAP_TYPES: ReadonlyMap<number, Feature> = new Map<number, Feature>([
  [FUNCREF, 'mvp'], [EXTERNREF, 'reference-types'], [EXNREF, 'exceptions'], [NULLEXNREF, 'exceptions'],
  ...[ANYREF, EQREF, I31REF, STRUCTREF, ARRAYREF, NULLREF, NULLFUNCREF, NULLEXTERNREF].map((type) => [type, 'gc'] as const),
]);

/** Strict UTF-8, or undefined. Short names are read by hand: TextDecoder costs more than they do. */
export function utf8(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start <= SHORT_NAME) {
    let text = '';
    let at = start;
    while (at < end && bytes[at] < 0x80) text += String.fromCharCode(bytes[at++]);
    if (at === end) return text;
  }
  try {
    return strict.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

const SHORT_NAME = 32;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
