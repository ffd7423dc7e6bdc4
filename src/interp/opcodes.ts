/**
 * The instruction set: one row an instruction. Decoder, validator, interpreter, compiler and disassembler are derived from
 * these rows or checked against them. Says nothing about what an instruction does. WebAssembly specification, chapter 5.4
 * (Binary Format, Instructions) and the index of instructions in its appendix.
 */
import { ATOMIC_ROWS } from './opcodes-atomic.js';
import { VECTOR_ROWS } from './opcodes-vector.js';

/** What an instruction belongs to: the proposal that brought it, under the name tools use for it. */
export type Feature =
  | 'mvp' | 'sign-extension' | 'sat-float-to-int' | 'multi-value' | 'bulk-memory' | 'reference-types' | 'mutable-global'
  | 'simd' | 'relaxed-simd' | 'extended-const' | 'tail-call' | 'multi-memory' | 'memory64' | 'function-references' | 'exceptions' | 'legacy-exceptions' | 'gc' | 'threads';

/**
 * The immediates in binary order, separated by blanks. Each word is one field of `Instr` (instr.ts), `a` first:
 * indices (`type func table memory global local elem data tag field label`), constants (`i32 i64 f32 f64 v128`), and
 *   block    a block type            labels   the targets of br_table        types    the types of select
 *   memargN  alignment and offset of an access of N bytes                    heap     a heap type
 *   zero     a byte that is 0
 *   u32      a count                 lane     a lane index                   lanes    sixteen lane indices
 *   catches  the clauses of try_table                                       cast     nullability of the heap types
 */
export type Immediates =
  | '' | 'block' | 'label' | 'labels' | 'func' | 'type table' | 'local' | 'global' | 'table' | 'types' | 'memory' | 'i32' | 'i64' | 'f32' | 'f64'
  | 'memarg1' | 'memarg2' | 'memarg4' | 'memarg8' | 'memarg16' | 'memarg1 lane' | 'memarg2 lane' | 'memarg4 lane' | 'memarg8 lane'
  | 'heap' | 'data memory' | 'data' | 'memory memory' | 'elem table' | 'elem' | 'table table' | 'v128' | 'lane' | 'lanes'
  | 'zero' | 'tag' | 'block catches' | 'type' | 'type field' | 'type u32' | 'type data' | 'type elem' | 'type type' | 'cast label heap heap';

/**
 * `params:results`, deepest operand first: i = i32, l = i64, f = f32, d = f64, v = v128, a = the address type of the memory
 * (i32, or i64 where it is a 64-bit one). Empty where the types depend on more than that: such an instruction has its own
 * rule in validate.ts.
 */
type Signature = '' | `${string}:${string}`;

type Row = readonly [code: number, mnemonic: string, immediates: Immediates, signature: Signature, feature: Feature];

/**
 * The code is the opcode byte, or prefix byte and sub-opcode put together: 0xfc0a is 0xfc 0x0a (the sub-opcode is LEB128 in
 * the binary, so 0xfc 0x8a 0x00 is the same instruction). A sub-opcode from 0x100 on has three digits: 0xfd100.
 */
const CORE_ROWS = [
  [0x00, 'unreachable', '', '', 'mvp'],
  [0x01, 'nop', '', ':', 'mvp'],
  [0x02, 'block', 'block', '', 'mvp'],
  [0x03, 'loop', 'block', '', 'mvp'],
  [0x04, 'if', 'block', '', 'mvp'],
  [0x05, 'else', '', '', 'mvp'],
  [0x06, 'try', 'block', '', 'legacy-exceptions'],
  [0x07, 'catch', 'tag', '', 'legacy-exceptions'],
  [0x08, 'throw', 'tag', '', 'exceptions'],
  [0x09, 'rethrow', 'label', '', 'legacy-exceptions'],
  [0x0a, 'throw_ref', '', '', 'exceptions'],
  [0x0b, 'end', '', '', 'mvp'],
  [0x0c, 'br', 'label', '', 'mvp'],
  [0x0d, 'br_if', 'label', '', 'mvp'],
  [0x0e, 'br_table', 'labels', '', 'mvp'],
  [0x0f, 'return', '', '', 'mvp'],
  [0x10, 'call', 'func', '', 'mvp'],
  [0x11, 'call_indirect', 'type table', '', 'mvp'],
  [0x12, 'return_call', 'func', '', 'tail-call'],
  [0x13, 'return_call_indirect', 'type table', '', 'tail-call'],
  [0x14, 'call_ref', 'type', '', 'function-references'],
  [0x15, 'return_call_ref', 'type', '', 'function-references'],
  [0x18, 'delegate', 'label', '', 'legacy-exceptions'],
  [0x19, 'catch_all', '', '', 'legacy-exceptions'],
  [0x1a, 'drop', '', '', 'mvp'],
  [0x1b, 'select', '', '', 'mvp'],
  [0x1c, 'select_t', 'types', '', 'reference-types'],
  [0x1f, 'try_table', 'block catches', '', 'exceptions'],
  [0x20, 'local.get', 'local', '', 'mvp'],
  [0x21, 'local.set', 'local', '', 'mvp'],
  [0x22, 'local.tee', 'local', '', 'mvp'],
  [0x23, 'global.get', 'global', '', 'mvp'],
  [0x24, 'global.set', 'global', '', 'mvp'],
  [0x25, 'table.get', 'table', '', 'reference-types'],
  [0x26, 'table.set', 'table', '', 'reference-types'],
  [0x28, 'i32.load', 'memarg4', 'a:i', 'mvp'],
  [0x29, 'i64.load', 'memarg8', 'a:l', 'mvp'],
  [0x2a, 'f32.load', 'memarg4', 'a:f', 'mvp'],
  [0x2b, 'f64.load', 'memarg8', 'a:d', 'mvp'],
  [0x2c, 'i32.load8_s', 'memarg1', 'a:i', 'mvp'],
  [0x2d, 'i32.load8_u', 'memarg1', 'a:i', 'mvp'],
  [0x2e, 'i32.load16_s', 'memarg2', 'a:i', 'mvp'],
  [0x2f, 'i32.load16_u', 'memarg2', 'a:i', 'mvp'],
  [0x30, 'i64.load8_s', 'memarg1', 'a:l', 'mvp'],
  [0x31, 'i64.load8_u', 'memarg1', 'a:l', 'mvp'],
  [0x32, 'i64.load16_s', 'memarg2', 'a:l', 'mvp'],
  [0x33, 'i64.load16_u', 'memarg2', 'a:l', 'mvp'],
  [0x34, 'i64.load32_s', 'memarg4', 'a:l', 'mvp'],
  [0x35, 'i64.load32_u', 'memarg4', 'a:l', 'mvp'],
  [0x36, 'i32.store', 'memarg4', 'ai:', 'mvp'],
  [0x37, 'i64.store', 'memarg8', 'al:', 'mvp'],
  [0x38, 'f32.store', 'memarg4', 'af:', 'mvp'],
  [0x39, 'f64.store', 'memarg8', 'ad:', 'mvp'],
  [0x3a, 'i32.store8', 'memarg1', 'ai:', 'mvp'],
  [0x3b, 'i32.store16', 'memarg2', 'ai:', 'mvp'],
  [0x3c, 'i64.store8', 'memarg1', 'al:', 'mvp'],
  [0x3d, 'i64.store16', 'memarg2', 'al:', 'mvp'],
  [0x3e, 'i64.store32', 'memarg4', 'al:', 'mvp'],
  [0x3f, 'memory.size', 'memory', ':a', 'mvp'],
  [0x40, 'memory.grow', 'memory', 'a:a', 'mvp'],
  [0x41, 'i32.const', 'i32', ':i', 'mvp'],
  [0x42, 'i64.const', 'i64', ':l', 'mvp'],
  [0x43, 'f32.const', 'f32', ':f', 'mvp'],
  [0x44, 'f64.const', 'f64', ':d', 'mvp'],
  [0x45, 'i32.eqz', '', 'i:i', 'mvp'],
  [0x46, 'i32.eq', '', 'ii:i', 'mvp'],
  [0x47, 'i32.ne', '', 'ii:i', 'mvp'],
  [0x48, 'i32.lt_s', '', 'ii:i', 'mvp'],
  [0x49, 'i32.lt_u', '', 'ii:i', 'mvp'],
  [0x4a, 'i32.gt_s', '', 'ii:i', 'mvp'],
  [0x4b, 'i32.gt_u', '', 'ii:i', 'mvp'],
  [0x4c, 'i32.le_s', '', 'ii:i', 'mvp'],
  [0x4d, 'i32.le_u', '', 'ii:i', 'mvp'],
  [0x4e, 'i32.ge_s', '', 'ii:i', 'mvp'],
  [0x4f, 'i32.ge_u', '', 'ii:i', 'mvp'],
  [0x50, 'i64.eqz', '', 'l:i', 'mvp'],
  [0x51, 'i64.eq', '', 'll:i', 'mvp'],
  [0x52, 'i64.ne', '', 'll:i', 'mvp'],
  [0x53, 'i64.lt_s', '', 'll:i', 'mvp'],
  [0x54, 'i64.lt_u', '', 'll:i', 'mvp'],
  [0x55, 'i64.gt_s', '', 'll:i', 'mvp'],
  [0x56, 'i64.gt_u', '', 'll:i', 'mvp'],
  [0x57, 'i64.le_s', '', 'll:i', 'mvp'],
  [0x58, 'i64.le_u', '', 'll:i', 'mvp'],
  [0x59, 'i64.ge_s', '', 'll:i', 'mvp'],
  [0x5a, 'i64.ge_u', '', 'll:i', 'mvp'],
  [0x5b, 'f32.eq', '', 'ff:i', 'mvp'],
  [0x5c, 'f32.ne', '', 'ff:i', 'mvp'],
  [0x5d, 'f32.lt', '', 'ff:i', 'mvp'],
  [0x5e, 'f32.gt', '', 'ff:i', 'mvp'],
  [0x5f, 'f32.le', '', 'ff:i', 'mvp'],
  [0x60, 'f32.ge', '', 'ff:i', 'mvp'],
  [0x61, 'f64.eq', '', 'dd:i', 'mvp'],
  [0x62, 'f64.ne', '', 'dd:i', 'mvp'],
  [0x63, 'f64.lt', '', 'dd:i', 'mvp'],
  [0x64, 'f64.gt', '', 'dd:i', 'mvp'],
  [0x65, 'f64.le', '', 'dd:i', 'mvp'],
  [0x66, 'f64.ge', '', 'dd:i', 'mvp'],
  [0x67, 'i32.clz', '', 'i:i', 'mvp'],
  [0x68, 'i32.ctz', '', 'i:i', 'mvp'],
  [0x69, 'i32.popcnt', '', 'i:i', 'mvp'],
  [0x6a, 'i32.add', '', 'ii:i', 'mvp'],
  [0x6b, 'i32.sub', '', 'ii:i', 'mvp'],
  [0x6c, 'i32.mul', '', 'ii:i', 'mvp'],
  [0x6d, 'i32.div_s', '', 'ii:i', 'mvp'],
  [0x6e, 'i32.div_u', '', 'ii:i', 'mvp'],
  [0x6f, 'i32.rem_s', '', 'ii:i', 'mvp'],
  [0x70, 'i32.rem_u', '', 'ii:i', 'mvp'],
  [0x71, 'i32.and', '', 'ii:i', 'mvp'],
  [0x72, 'i32.or', '', 'ii:i', 'mvp'],
  [0x73, 'i32.xor', '', 'ii:i', 'mvp'],
  [0x74, 'i32.shl', '', 'ii:i', 'mvp'],
  [0x75, 'i32.shr_s', '', 'ii:i', 'mvp'],
  [0x76, 'i32.shr_u', '', 'ii:i', 'mvp'],
  [0x77, 'i32.rotl', '', 'ii:i', 'mvp'],
  [0x78, 'i32.rotr', '', 'ii:i', 'mvp'],
  [0x79, 'i64.clz', '', 'l:l', 'mvp'],
  [0x7a, 'i64.ctz', '', 'l:l', 'mvp'],
  [0x7b, 'i64.popcnt', '', 'l:l', 'mvp'],
  [0x7c, 'i64.add', '', 'll:l', 'mvp'],
  [0x7d, 'i64.sub', '', 'll:l', 'mvp'],
  [0x7e, 'i64.mul', '', 'll:l', 'mvp'],
  [0x7f, 'i64.div_s', '', 'll:l', 'mvp'],
  [0x80, 'i64.div_u', '', 'll:l', 'mvp'],
  [0x81, 'i64.rem_s', '', 'll:l', 'mvp'],
  [0x82, 'i64.rem_u', '', 'll:l', 'mvp'],
  [0x83, 'i64.and', '', 'll:l', 'mvp'],
  [0x84, 'i64.or', '', 'll:l', 'mvp'],
  [0x85, 'i64.xor', '', 'll:l', 'mvp'],
  [0x86, 'i64.shl', '', 'll:l', 'mvp'],
  [0x87, 'i64.shr_s', '', 'll:l', 'mvp'],
  [0x88, 'i64.shr_u', '', 'll:l', 'mvp'],
  [0x89, 'i64.rotl', '', 'll:l', 'mvp'],
  [0x8a, 'i64.rotr', '', 'll:l', 'mvp'],
  [0x8b, 'f32.abs', '', 'f:f', 'mvp'],
  [0x8c, 'f32.neg', '', 'f:f', 'mvp'],
  [0x8d, 'f32.ceil', '', 'f:f', 'mvp'],
  [0x8e, 'f32.floor', '', 'f:f', 'mvp'],
  [0x8f, 'f32.trunc', '', 'f:f', 'mvp'],
  [0x90, 'f32.nearest', '', 'f:f', 'mvp'],
  [0x91, 'f32.sqrt', '', 'f:f', 'mvp'],
  [0x92, 'f32.add', '', 'ff:f', 'mvp'],
  [0x93, 'f32.sub', '', 'ff:f', 'mvp'],
  [0x94, 'f32.mul', '', 'ff:f', 'mvp'],
  [0x95, 'f32.div', '', 'ff:f', 'mvp'],
  [0x96, 'f32.min', '', 'ff:f', 'mvp'],
  [0x97, 'f32.max', '', 'ff:f', 'mvp'],
  [0x98, 'f32.copysign', '', 'ff:f', 'mvp'],
  [0x99, 'f64.abs', '', 'd:d', 'mvp'],
  [0x9a, 'f64.neg', '', 'd:d', 'mvp'],
  [0x9b, 'f64.ceil', '', 'd:d', 'mvp'],
  [0x9c, 'f64.floor', '', 'd:d', 'mvp'],
  [0x9d, 'f64.trunc', '', 'd:d', 'mvp'],
  [0x9e, 'f64.nearest', '', 'd:d', 'mvp'],
  [0x9f, 'f64.sqrt', '', 'd:d', 'mvp'],
  [0xa0, 'f64.add', '', 'dd:d', 'mvp'],
  [0xa1, 'f64.sub', '', 'dd:d', 'mvp'],
  [0xa2, 'f64.mul', '', 'dd:d', 'mvp'],
  [0xa3, 'f64.div', '', 'dd:d', 'mvp'],
  [0xa4, 'f64.min', '', 'dd:d', 'mvp'],
  [0xa5, 'f64.max', '', 'dd:d', 'mvp'],
  [0xa6, 'f64.copysign', '', 'dd:d', 'mvp'],
  [0xa7, 'i32.wrap_i64', '', 'l:i', 'mvp'],
  [0xa8, 'i32.trunc_f32_s', '', 'f:i', 'mvp'],
  [0xa9, 'i32.trunc_f32_u', '', 'f:i', 'mvp'],
  [0xaa, 'i32.trunc_f64_s', '', 'd:i', 'mvp'],
  [0xab, 'i32.trunc_f64_u', '', 'd:i', 'mvp'],
  [0xac, 'i64.extend_i32_s', '', 'i:l', 'mvp'],
  [0xad, 'i64.extend_i32_u', '', 'i:l', 'mvp'],
  [0xae, 'i64.trunc_f32_s', '', 'f:l', 'mvp'],
  [0xaf, 'i64.trunc_f32_u', '', 'f:l', 'mvp'],
  [0xb0, 'i64.trunc_f64_s', '', 'd:l', 'mvp'],
  [0xb1, 'i64.trunc_f64_u', '', 'd:l', 'mvp'],
  [0xb2, 'f32.convert_i32_s', '', 'i:f', 'mvp'],
  [0xb3, 'f32.convert_i32_u', '', 'i:f', 'mvp'],
  [0xb4, 'f32.convert_i64_s', '', 'l:f', 'mvp'],
  [0xb5, 'f32.convert_i64_u', '', 'l:f', 'mvp'],
  [0xb6, 'f32.demote_f64', '', 'd:f', 'mvp'],
  [0xb7, 'f64.convert_i32_s', '', 'i:d', 'mvp'],
  [0xb8, 'f64.convert_i32_u', '', 'i:d', 'mvp'],
  [0xb9, 'f64.convert_i64_s', '', 'l:d', 'mvp'],
  [0xba, 'f64.convert_i64_u', '', 'l:d', 'mvp'],
  [0xbb, 'f64.promote_f32', '', 'f:d', 'mvp'],
  [0xbc, 'i32.reinterpret_f32', '', 'f:i', 'mvp'],
  [0xbd, 'i64.reinterpret_f64', '', 'd:l', 'mvp'],
  [0xbe, 'f32.reinterpret_i32', '', 'i:f', 'mvp'],
  [0xbf, 'f64.reinterpret_i64', '', 'l:d', 'mvp'],
  [0xc0, 'i32.extend8_s', '', 'i:i', 'sign-extension'],
  [0xc1, 'i32.extend16_s', '', 'i:i', 'sign-extension'],
  [0xc2, 'i64.extend8_s', '', 'l:l', 'sign-extension'],
  [0xc3, 'i64.extend16_s', '', 'l:l', 'sign-extension'],
  [0xc4, 'i64.extend32_s', '', 'l:l', 'sign-extension'],
  [0xd0, 'ref.null', 'heap', '', 'reference-types'],
  [0xd1, 'ref.is_null', '', '', 'reference-types'],
  [0xd2, 'ref.func', 'func', '', 'reference-types'],
  [0xd3, 'ref.eq', '', '', 'gc'],
  [0xd4, 'ref.as_non_null', '', '', 'function-references'],
  [0xd5, 'br_on_null', 'label', '', 'function-references'],
  [0xd6, 'br_on_non_null', 'label', '', 'function-references'],
  [0xfb00, 'struct.new', 'type', '', 'gc'],
  [0xfb01, 'struct.new_default', 'type', '', 'gc'],
  [0xfb02, 'struct.get', 'type field', '', 'gc'],
  [0xfb03, 'struct.get_s', 'type field', '', 'gc'],
  [0xfb04, 'struct.get_u', 'type field', '', 'gc'],
  [0xfb05, 'struct.set', 'type field', '', 'gc'],
  [0xfb06, 'array.new', 'type', '', 'gc'],
  [0xfb07, 'array.new_default', 'type', '', 'gc'],
  [0xfb08, 'array.new_fixed', 'type u32', '', 'gc'],
  [0xfb09, 'array.new_data', 'type data', '', 'gc'],
  [0xfb0a, 'array.new_elem', 'type elem', '', 'gc'],
  [0xfb0b, 'array.get', 'type', '', 'gc'],
  [0xfb0c, 'array.get_s', 'type', '', 'gc'],
  [0xfb0d, 'array.get_u', 'type', '', 'gc'],
  [0xfb0e, 'array.set', 'type', '', 'gc'],
  [0xfb0f, 'array.len', '', '', 'gc'],
  [0xfb10, 'array.fill', 'type', '', 'gc'],
  [0xfb11, 'array.copy', 'type type', '', 'gc'],
  [0xfb12, 'array.init_data', 'type data', '', 'gc'],
  [0xfb13, 'array.init_elem', 'type elem', '', 'gc'],
  [0xfb14, 'ref.test', 'heap', '', 'gc'],
  [0xfb15, 'ref.test_null', 'heap', '', 'gc'],
  [0xfb16, 'ref.cast', 'heap', '', 'gc'],
  [0xfb17, 'ref.cast_null', 'heap', '', 'gc'],
  [0xfb18, 'br_on_cast', 'cast label heap heap', '', 'gc'],
  [0xfb19, 'br_on_cast_fail', 'cast label heap heap', '', 'gc'],
  [0xfb1a, 'any.convert_extern', '', '', 'gc'],
  [0xfb1b, 'extern.convert_any', '', '', 'gc'],
  [0xfb1c, 'ref.i31', '', '', 'gc'],
  [0xfb1d, 'i31.get_s', '', '', 'gc'],
  [0xfb1e, 'i31.get_u', '', '', 'gc'],
  [0xfc00, 'i32.trunc_sat_f32_s', '', 'f:i', 'sat-float-to-int'],
  [0xfc01, 'i32.trunc_sat_f32_u', '', 'f:i', 'sat-float-to-int'],
  [0xfc02, 'i32.trunc_sat_f64_s', '', 'd:i', 'sat-float-to-int'],
  [0xfc03, 'i32.trunc_sat_f64_u', '', 'd:i', 'sat-float-to-int'],
  [0xfc04, 'i64.trunc_sat_f32_s', '', 'f:l', 'sat-float-to-int'],
  [0xfc05, 'i64.trunc_sat_f32_u', '', 'f:l', 'sat-float-to-int'],
  [0xfc06, 'i64.trunc_sat_f64_s', '', 'd:l', 'sat-float-to-int'],
  [0xfc07, 'i64.trunc_sat_f64_u', '', 'd:l', 'sat-float-to-int'],
  [0xfc08, 'memory.init', 'data memory', 'aii:', 'bulk-memory'],
  [0xfc09, 'data.drop', 'data', ':', 'bulk-memory'],
  [0xfc0a, 'memory.copy', 'memory memory', 'aaa:', 'bulk-memory'],
  [0xfc0b, 'memory.fill', 'memory', 'aia:', 'bulk-memory'],
  [0xfc0c, 'table.init', 'elem table', '', 'bulk-memory'],
  [0xfc0d, 'elem.drop', 'elem', ':', 'bulk-memory'],
  [0xfc0e, 'table.copy', 'table table', '', 'bulk-memory'],
  [0xfc0f, 'table.grow', 'table', '', 'reference-types'],
  [0xfc10, 'table.size', 'table', '', 'reference-types'],
  [0xfc11, 'table.fill', 'table', '', 'reference-types'],
] as const satisfies readonly Row[];

/** All instructions, in order of their codes. */
export const ROWS = [...CORE_ROWS, ...VECTOR_ROWS, ...ATOMIC_ROWS] as const satisfies readonly Row[];

type Rows = (typeof ROWS)[number];

/** The spelling of the specification, but for three that share theirs with another opcode: see SPELLING. */
export type Mnemonic = Rows[1];
/** Scalar instructions with neither immediates nor a rule of their own: operands in, results out. */
export type Simple = Extract<(typeof CORE_ROWS)[number], readonly [number, string, '', `${string}:${string}`, Feature]>[1];

/** mnemonic -> code: `OP['i32.add']` is 0x6a. Not for hot `switch` labels, which have to be literals. */
export const OP = byName() as { readonly [R in Rows as R[1]]: R[0] };

/** Without a prototype V8 makes a hash table at once, in a fifth of the time of an object that grows into one. */
function byName(): { [mnemonic: string]: number } {
  const op = Object.create(null) as { [mnemonic: string]: number };
  for (const [code, mnemonic] of ROWS) op[mnemonic] = code;
  return op;
}

/** WebAssembly 2.0 without the vector instructions. */
export const FEATURES_2_0: ReadonlySet<Feature> = new Set<Feature>([
  'mvp', 'sign-extension', 'sat-float-to-int', 'multi-value', 'bulk-memory', 'reference-types', 'mutable-global',
]);

/** WebAssembly 3.0. */
export const FEATURES_3_0: ReadonlySet<Feature> = new Set<Feature>([
  ...FEATURES_2_0, 'simd', 'relaxed-simd', 'extended-const', 'tail-call', 'multi-memory', 'memory64', 'function-references', 'exceptions', 'gc',
]);

/** All that this project runs: 3.0, the first encoding of exceptions, which toolchains still emit, and atomics. */
export const FEATURES_ALL: ReadonlySet<Feature> = new Set<Feature>([...FEATURES_3_0, 'legacy-exceptions', 'threads']);

/** Sub-opcodes of one prefix are looked up in a table of this many entries. */
const SUB_OPCODES = 512;

/** opcode byte -> index in ROWS, or -1. */
export const ROW_OF_BYTE = new Int16Array(256).fill(-1);
const rowsOfPrefix = new Array<Int16Array | undefined>(256).fill(undefined);
ROWS.forEach(([code], index) => {
  if (code <= 0xff) ROW_OF_BYTE[code] = index;
  else (rowsOfPrefix[prefixOf(code)] ??= new Int16Array(SUB_OPCODES).fill(-1))[subOf(code)] = index;
});
/** prefix byte -> sub-opcode -> index in ROWS, or -1; undefined where the byte is no prefix. */
export const ROWS_OF_PREFIX: readonly (Int16Array | undefined)[] = rowsOfPrefix;

/** The row of an instruction's code, or undefined. */
export function rowOf(code: number): Row | undefined {
  const row = code > 0xff ? ROWS_OF_PREFIX[prefixOf(code)]?.[subOf(code)] : ROW_OF_BYTE[code];
  return row === undefined ? undefined : ROWS[row];
}

/** Mnemonics that the text format writes like another one, and tells apart by the immediates. */
const SPELLING: { readonly [M in Mnemonic]?: string } = { select_t: 'select', 'ref.test_null': 'ref.test', 'ref.cast_null': 'ref.cast' };

/** `i32.add`, as in the text format, or the bytes where no instruction has that code: `0x27`. */
export function mnemonicOf(code: number): string {
  const name = rowOf(code)?.[1] as Mnemonic | undefined;
  return name === undefined ? `0x${code.toString(16)}` : SPELLING[name] ?? name;
}

const enabled = new WeakMap<ReadonlySet<Feature>, Uint8Array>();

/** index in ROWS -> 1 where `features` has the instruction, else 0. Kept per set, so do not add to a set that was used here. */
export function enabledRows(features: ReadonlySet<Feature>): Uint8Array {
  let rows = enabled.get(features);
  if (!rows) enabled.set(features, rows = Uint8Array.from(ROWS, (row) => Number(features.has(row[4]))));
  return rows;
}

function prefixOf(code: number): number {
  return code > 0xffff ? code >> 12 : code >> 8;
}

function subOf(code: number): number {
  return code > 0xffff ? code & 0xfff : code & 0xff;
}
