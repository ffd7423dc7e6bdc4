/**
 * Brings the verifier's log of any kernel into the form of the newest: before an instruction of another source line than the one
 * above it, that line with its file and number. Kernels before 6.9 give no file, and none gives a line of a program whose types it
 * did not take; BTF.ext has them always. Also puts words where the log shows an instruction that a loader has made invalid on
 * purpose. Does not look for what is wrong (verifier-log.ts). Format: kernel/bpf/log.c, Linux 5.10 to 7.2.
 */
import { basename } from 'node:path';
import { BtfError } from '../errors.js';
import type { Btf } from '../reloc/btf.js';
import type { LineInfo } from '../reloc/spec.js';
import { INSTRUCTION, SOURCE } from './verifier-log.js';

/** Characters of source that one log may take; a hostile object can name one long text again and again. */
const MAX_TEXT = 16 << 20;
const SHOWN = 200;

/** The source of one program, by instruction. */
export class SourceLines {
  readonly #lines: readonly LineInfo[];
  readonly #btf: Btf | undefined;
  readonly #texts = new Map<LineInfo, string | undefined>();
  #left = MAX_TEXT;

  /** @param lines ascending by instruction */
  constructor(lines: readonly LineInfo[], btf: Btf | undefined) {
    this.#lines = lines;
    this.#btf = btf;
  }

  /** `return *value; @ probe.bpf.c:26`; undefined where nothing is known. */
  at(insn: number): string | undefined {
    let low = 0;
    let high = this.#lines.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#lines[middle].insn <= insn) low = middle + 1;
      else high = middle;
    }
    const line = this.#lines[low - 1];
    if (line === undefined) return undefined;
    if (!this.#texts.has(line)) this.#texts.set(line, this.#text(line));
    return this.#texts.get(line);
  }

  #text({ lineOff, fileNameOff, lineCol }: LineInfo): string | undefined {
    if (this.#btf === undefined || this.#left <= 0) return undefined;
    try {
      const text = this.#btf.string(lineOff).trim();
      const file = this.#btf.string(fileNameOff);
      this.#left -= text.length + file.length + 1;
      const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
      return `${shown}${shown && ' '}@ ${basename(file)}:${lineCol >>> LINE_SHIFT}`;
    } catch (error) {
      if (error instanceof BtfError) return undefined;
      throw error;
    }
  }
}

/** bits below the line's number hold the column */
const LINE_SHIFT = 10;

/** The log with a line of source before each instruction that begins one; as it was where the program has no sources. */
export function annotateLog(log: string, source: SourceLines): string {
  const out: string[] = [];
  let held: string | undefined;
  let shown: string | undefined;
  for (const line of log.split('\n')) {
    if (SOURCE.test(line)) {
      if (held !== undefined) out.push(held);
      held = line;
      continue;
    }
    const insn = INSTRUCTION.exec(line)?.[1];
    const text = insn === undefined ? undefined : source.at(Number(insn));
    if (text === undefined) {
      if (held !== undefined) out.push(held);
    } else if (held !== undefined || text !== shown) {
      out.push(`; ${text}`);
      shown = text;
    }
    held = undefined;
    out.push(line);
  }
  if (held !== undefined) out.push(held);
  return out.join('\n');
}

/** A call of a helper that does not exist, at which the verifier stopped. */
export interface UnknownCall {
  readonly insn: number;
  /** of the helper, as the instruction has it */
  readonly number: number;
  /** the log's lines of the call and of the complaint */
  readonly from: number;
  readonly to: number;
}

/** `12: (85) call unknown#195896080` and, in the next line, `invalid func unknown#195896080`; undefined where the log ends otherwise. */
export function findUnknownCall(log: string): UnknownCall | undefined {
  const lines = log.split('\n');
  for (let to = lines.length - 1; to > 0; to--) {
    const complaint = /^invalid func unknown#(\d+)$/.exec(lines[to].trimEnd());
    if (complaint === null) continue;
    const call = /^(\d+): \(85\) call unknown#(\d+)/.exec(lines[to - 1]);
    return call === null || call[2] !== complaint[1] ? undefined : { insn: Number(call[1]), number: Number(call[2]), from: to - 1, to };
  }
  return undefined;
}

/** The log with other words for the call, and lines for the complaint. */
export function replaceUnknownCall(log: string, { from, to, insn }: UnknownCall, what: string, why: readonly string[]): string {
  const lines = log.split('\n');
  lines.splice(from, to - from + 1, `${insn}: <${what}>`, ...why);
  return lines.join('\n');
}
