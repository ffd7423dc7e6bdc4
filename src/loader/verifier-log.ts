/**
 * Reads the kernel verifier's log: which of its lines tell what is wrong, and where in the source. Does not explain the
 * messages, and puts nothing in (verifier-source.ts). Format: kernel/bpf/verifier.c and kernel/bpf/log.c, Linux 4.x to 7.2.
 */

/** The part of a log that a person needs first. */
export interface Telling {
  /** the verifier's complaint: its last lines that are neither instructions nor state */
  readonly complaint: string;
  /** the instruction it had come to: `12: (79) r1 = *(u64 *)(r0 +0)` */
  readonly instruction: string | undefined;
  /** index of that instruction in the program as loaded */
  readonly insn: number | undefined;
  /** the C line of that instruction: `x = *p; @ probe.bpf.c:12` */
  readonly source: string | undefined;
}

/** Statistics that follow the complaint. */
const CLOSING = /^(processed \d+ insns|verification time \d+|stack depth |total_states |insns processed)/;
/** `12: (79) r1 = …` and the state-only form of newer kernels, `12: R1=ctx() …` */
export const INSTRUCTION = /^(\d+): \([0-9a-f]{2}\)/;
const STATE = /^ ?(\d+: )?(R\d+(_w|_r)?=|frame\d+: R|from \d+ to \d+|fp-?\d+=)|^(caller|callee):|^last_idx |^regs=|^parent |^mark_precise|^(propagating|falling) |^func#\d+ @\d+|^Live regs|^\s+\d+: |^(topo_order\[|subprog#\d+|stack use\/def )|^Validating |^(cur|old) state:|^SCC |^\(\d+\) (frame|live) |^Func#\d+ .*(is global and (assumed )?valid|is safe for any args)|^\(\S+\) state/;
/** A statement from line_info: `; x = *p; @ probe.bpf.c:12` */
export const SOURCE = /^; ?(.*)$/;
/** Complaints about the program as a whole, before any instruction was looked at: `unreachable insn 4`. */
const NAMED_INSN = /\binsn (\d+)$/;
const COMPLAINT_LINES = 3;

/**
 * Finds the telling lines of a log; the complaint is '' for a log that holds none.
 * @param sourceAt the source of an instruction that the complaint names without the log showing it
 */
export function tellingLines(log: string, sourceAt: (insn: number) => string | undefined = () => undefined): Telling {
  const lines = log.split('\n').map((line) => line.trimEnd());
  let end = lines.length;
  for (let i = lines.length - 1; i >= 0; i--) {
    if (CLOSING.test(lines[i])) end = i;
    else if (lines[i] !== '') break;
  }
  const complaint: string[] = [];
  let at = end - 1;
  for (; at >= 0; at--) {
    const line = lines[at];
    if (line === '') continue;
    if (INSTRUCTION.test(line) || SOURCE.test(line) || STATE.test(line)) {
      if (complaint.length > 0) break;
      continue;
    }
    if (complaint.length === COMPLAINT_LINES) break;
    complaint.unshift(line);
  }
  let instruction: string | undefined;
  let insn: number | undefined;
  let source: string | undefined;
  for (; at >= 0 && source === undefined; at--) {
    const found = INSTRUCTION.exec(lines[at]);
    if (found && instruction === undefined) {
      // the state that newer kernels append begins with a semicolon
      instruction = lines[at].replace(/\s+;.*$/, '');
      insn = Number(found[1]);
    } else if (SOURCE.test(lines[at])) {
      source = SOURCE.exec(lines[at])![1].trim();
    }
  }
  const text = complaint.join('; ');
  const named = instruction === undefined ? NAMED_INSN.exec(text)?.[1] : undefined;
  if (named !== undefined) {
    insn = Number(named);
    source = sourceAt(insn);
  }
  return { complaint: text, instruction, insn, source };
}

/** The telling lines in one line: complaint, instruction, source. */
export function tellingText(log: string, sourceAt?: (insn: number) => string | undefined): string {
  const { complaint, instruction, source } = tellingLines(log, sourceAt);
  if (complaint === '') return '';
  const where = [instruction && `insn ${instruction}`, source && `at "${source}"`].filter(Boolean).join(' ');
  return where ? `${complaint} [${where}]` : complaint;
}
