/**
 * One BPF instruction: 8 bytes, read and patched in place. Knows the encoding, not the meaning; ld_imm64 takes two slots.
 * Encoding: Documentation/bpf/standardization/instruction-set.rst and `struct bpf_insn`, include/uapi/linux/bpf.h (6.18).
 *
 *   byte  0      1              2..3   4..7
 *         code   src:4 | dst:4  off    imm      (dst in the low nibble; off and imm signed, little-endian)
 */

/** Bytes of one slot. */
export const INSN_SIZE = 8;

/** Codes that relocation looks for. */
export const Code = {
  /** BPF_LD | BPF_IMM | BPF_DW: the first slot of a 64-bit constant; the second slot's code is 0 */
  LD_IMM64: 0x18,
  /** BPF_JMP | BPF_CALL: helper, bpf-to-bpf and kernel function calls */
  CALL: 0x85,
} as const;

/** What the `src` field of a call or an ld_imm64 says about its operand; the two tables share numbers. */
export const Pseudo = {
  // ld_imm64
  MAP_FD: 1,
  MAP_VALUE: 2,
  BTF_ID: 3,
  FUNC: 4,
  MAP_IDX: 5,
  MAP_IDX_VALUE: 6,
  // call
  CALL: 1,
  KFUNC_CALL: 2,
} as const;

/** A window on instructions; shares the bytes it was made from. Slots are counted from 0. */
export class Insns {
  readonly #view: DataView;
  /** number of slots */
  readonly length: number;

  /** @param bytes a multiple of 8 long; trailing bytes are not seen */
  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = Math.floor(bytes.length / INSN_SIZE);
  }

  code(slot: number): number { return this.bytes[slot * INSN_SIZE]; }
  dst(slot: number): number { return this.bytes[slot * INSN_SIZE + 1] & 0xf; }
  src(slot: number): number { return this.bytes[slot * INSN_SIZE + 1] >> 4; }
  off(slot: number): number { return this.#view.getInt16(slot * INSN_SIZE + 2, true); }
  imm(slot: number): number { return this.#view.getInt32(slot * INSN_SIZE + 4, true); }
  /** The constant of the ld_imm64 at `slot`, unsigned. */
  imm64(slot: number): bigint {
    return BigInt.asUintN(64, BigInt(this.imm(slot + 1)) << 32n | BigInt(this.imm(slot) >>> 0));
  }

  setCode(slot: number, code: number): void { this.bytes[slot * INSN_SIZE] = code; }
  setDst(slot: number, dst: number): void { this.bytes[slot * INSN_SIZE + 1] = this.src(slot) << 4 | dst & 0xf; }
  setSrc(slot: number, src: number): void { this.bytes[slot * INSN_SIZE + 1] = src << 4 | this.dst(slot); }
  setOff(slot: number, off: number): void { this.#view.setInt16(slot * INSN_SIZE + 2, off, true); }
  /** Makes it a call of a helper that does not exist: harmless where nothing reaches it, refused by the verifier elsewhere. */
  setUnknownCall(slot: number, helper: number): void {
    this.setCode(slot, Code.CALL);
    this.bytes[slot * INSN_SIZE + 1] = 0;
    this.setOff(slot, 0);
    this.setImm(slot, helper);
  }
  /** @param imm taken modulo 2^32 */
  setImm(slot: number, imm: number): void { this.#view.setInt32(slot * INSN_SIZE + 4, imm, true); }
  /** Writes both halves of the ld_imm64 at `slot`, modulo 2^64. */
  setImm64(slot: number, imm: bigint): void {
    this.setImm(slot, Number(BigInt.asIntN(32, imm)));
    this.setImm(slot + 1, Number(BigInt.asIntN(32, imm >> 32n)));
  }

  /** True where both slots of an ld_imm64 are there. */
  isLdImm64(slot: number): boolean { return this.code(slot) === Code.LD_IMM64 && slot + 1 < this.length; }
  isCall(slot: number): boolean { return this.code(slot) === Code.CALL; }
  /** A call of another function of the same object: imm counts slots from the next instruction. */
  isSubprogCall(slot: number): boolean {
    return this.isCall(slot) && this.src(slot) === Pseudo.CALL && this.dst(slot) === 0 && this.off(slot) === 0;
  }
  /** An ld_imm64 of a function's address. */
  isFuncAddress(slot: number): boolean { return this.isLdImm64(slot) && this.src(slot) === Pseudo.FUNC; }
}
