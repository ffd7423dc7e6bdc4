/** Values with floats as their bits, which keeps those of a NaN: f32 a signed number of 32 bits, f64 a signed bigint of 64. */
import type { Value } from './engine.js';
import { F32, F64, type ValType } from './types.js';

const bits = new DataView(new ArrayBuffer(8));
export function toRaw(type: ValType, value: Value): Value {
  if (type === F32) {
    bits.setFloat32(0, value as number);
    return bits.getInt32(0);
  }
  if (type === F64) {
    bits.setFloat64(0, value as number);
    return bits.getBigInt64(0);
  }
  return value;
}
