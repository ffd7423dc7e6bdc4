/**
 * A tiny BPF assembler for tests: one function an instruction, `asm` joins them. Encodings: Documentation/bpf/standardization.
 */
export type Insn = readonly [code: number, regs: number, off: number, imm: number];

export const mov = (dst: number, imm: number): Insn => [0xb7, dst, 0, imm];
export const movReg = (dst: number, src: number): Insn => [0xbf, dst | src << 4, 0, 0];
export const add = (dst: number, imm: number): Insn => [0x07, dst, 0, imm];
export const and = (dst: number, imm: number): Insn => [0x57, dst, 0, imm];
/** dst = *(u64 *)(src + off) */
export const load64 = (dst: number, src: number, off: number): Insn => [0x79, dst | src << 4, off, 0];
/** dst = *(u32 *)(src + off) */
export const load32 = (dst: number, src: number, off: number): Insn => [0x61, dst | src << 4, off, 0];
/** *(u64 *)(dst + off) = src */
export const store64 = (dst: number, off: number, src: number): Insn => [0x7b, dst | src << 4, off, 0];
/** *(u64 *)(dst + off) = imm */
export const storeImm64 = (dst: number, off: number, imm: number): Insn => [0x7a, dst, off, imm];
export const jumpIfEqual = (dst: number, imm: number, off: number): Insn => [0x15, dst, off, imm];
export const jumpIfNotEqual = (dst: number, imm: number, off: number): Insn => [0x55, dst, off, imm];
export const jump = (off: number): Insn => [0x05, 0, off, 0];
export const helper = (id: number): Insn => [0x85, 0, 0, id];
export const mapFd = (dst: number, fd: number): Insn[] => [[0x18, dst | 1 << 4, 0, fd], [0, 0, 0, 0]];
export const mapValue = (dst: number, fd: number, off: number): Insn[] => [[0x18, dst | 2 << 4, 0, fd], [0, 0, 0, off]];
export const imm64 = (dst: number, low: number, high: number): Insn[] => [[0x18, dst, 0, low], [0, 0, 0, high]];
export const EXIT: Insn = [0x95, 0, 0, 0];

/** enum bpf_func_id */
export const Helper = {
  map_lookup_elem: 1, get_smp_processor_id: 8, perf_event_output: 25, ringbuf_output: 130, ringbuf_reserve: 131, ringbuf_submit: 132, ringbuf_discard: 133,
} as const;

/** The instructions as bytes. */
export function asm(...parts: readonly (Insn | readonly Insn[])[]): Uint8Array {
  const insns = parts.flatMap((part) => (typeof part[0] === 'number' ? [part as Insn] : part as readonly Insn[]));
  const view = new DataView(new ArrayBuffer(insns.length * 8));
  insns.forEach(([code, regs, off, imm], i) => {
    view.setUint8(i * 8, code);
    view.setUint8(i * 8 + 1, regs);
    view.setInt16(i * 8 + 2, off, true);
    view.setInt32(i * 8 + 4, imm, true);
  });
  return new Uint8Array(view.buffer);
}
