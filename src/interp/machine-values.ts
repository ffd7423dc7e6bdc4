/** Values on their way between the frames and JavaScript: read from slots, and written to them. */
import type { HostFunc, Value } from './engine.js';
import { FILES, Machine } from './files.js';
import { F32, F64, I32, I64, V128, type FuncType, type ValType } from './types.js';
import { checkValue, hostValues } from './values.js';

const { I32: R32, F32: RF32, L32, I64: R64, F64: RF64, U8 } = FILES;

/** An address, an index or a count in a slot: an unsigned number, not exact where it is beyond 2^53 and thus out of every bounds. */
export function indexAt(slot: number, is64: boolean | undefined): number {
  return is64 ? (L32[2 * slot + 1] >>> 0) * 0x1_0000_0000 + (L32[2 * slot] >>> 0) : R32[slot] >>> 0;
}

/** `raw`: floats as their bits, i32 and i64 alike. */
export class ValueMachine extends Machine {
  read(type: ValType, at: number, raw: boolean): Value {
    switch (type) {
      case I32: return R32[at];
      case I64: return R64[at];
      case F32: return raw ? R32[at] : RF32[at];
      case F64: return raw ? R64[at] : RF64[at];
      case V128: return U8.slice(16 * at, 16 * at + 16);
      default: return this.getRef(at);
    }
  }

  readAll(types: readonly ValType[], at: number, raw: boolean): Value[] {
    const values = new Array<Value>(types.length);
    for (let i = 0; i < values.length; i++) values[i] = this.read(types[i], at + i, raw);
    return values;
  }

  store(type: ValType, at: number, value: Value, raw: boolean): void {
    switch (type) {
      case I32: R32[at] = value as number; break;
      case I64: R64[at] = value as bigint; break;
      case F32: if (raw) R32[at] = value as number; else RF32[at] = value as number; break;
      case F64: if (raw) R64[at] = value as bigint; else RF64[at] = value as number; break;
      case V128: U8.set(value as Uint8Array, 16 * at); break;
      default: this.setRef(at, value);
    }
  }

  /** Writes a host function's results into the caller's frame. */
  write(type: FuncType, at: number, result: Value | void | readonly Value[], host: HostFunc): void {
    const { results } = type;
    if (results.length === 1 && !Array.isArray(result)) {
      const value = result as Value;
      checkValue(results[0], value, host);
      this.store(results[0], at, value, false);
    } else if (results.length > 0 || Array.isArray(result)) {
      hostValues(type, result, host).forEach((value, i) => this.store(results[i], at + i, value, false));
    }
  }
}
