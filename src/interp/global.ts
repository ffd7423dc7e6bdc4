/**
 * A global (specification chapter 4.2.9). Its bits live in an array that it shares with the other globals of its instance,
 * where the interpreter reads them without coming by here; references live in the object, and a v128 has an array of its own.
 */
import { UsageError } from '../errors.js';
import type { Global, Value } from './engine.js';
import { isInstance } from './ref-types.js';
import { F32, F64, I32, I64, V128, isRef, typeName, type GlobalType } from './types.js';

export class WasmGlobal implements Global {
  readonly kind = 'global';
  ref: Value = null;
  /** what its bits are: 64 of them, or a reference in `ref`, else 32 */
  readonly isWide: boolean;
  readonly isReference: boolean;
  readonly #view: DataView;

  /**
   * @param words two for each global, the lower half first; not for a v128
   * @param at index of this one's first word
   */
  constructor(readonly type: GlobalType, init?: Value, readonly words: Int32Array<ArrayBuffer> = new Int32Array(type.type === V128 ? 4 : 2), readonly at = 0) {
    this.#view = new DataView(words.buffer, words.byteOffset + 4 * at, 8);
    this.isWide = type.type === I64 || type.type === F64;
    this.isReference = isRef(type.type);
    if (init !== undefined) this.value = init;
  }

  get value(): Value {
    switch (this.type.type) {
      case I32: return this.words[this.at];
      case I64: return this.#view.getBigInt64(0, LITTLE);
      case F32: return this.#view.getFloat32(0, LITTLE);
      case F64: return this.#view.getFloat64(0, LITTLE);
      case V128: return new Uint8Array(this.words.buffer.slice(0, 16));
      default: return this.ref;
    }
  }

  set value(value: Value) {
    switch (this.type.type) {
      case I32: this.words[this.at] = value as number; break;
      case I64: this.#view.setBigInt64(0, value as bigint, LITTLE); break;
      case F32: this.#view.setFloat32(0, value as number, LITTLE); break;
      case F64: this.#view.setFloat64(0, value as number, LITTLE); break;
      case V128: new Uint8Array(this.words.buffer).set(value as Uint8Array); break;
      default:
        if (!isInstance(value, this.type.type)) throw new UsageError(`a global of ${typeName(this.type.type)} does not take ${value === null ? 'null' : `this ${typeof value}`}`);
        this.ref = value;
    }
  }
}

/** the order of an Int32Array's bytes on every machine that runs Node */
const LITTLE = true;
