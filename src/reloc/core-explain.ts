/**
 * What became of a CO-RE relocation, in words: the access in the program's own types, every candidate with the reason it was
 * refused for, and the instruction that came of it. Decides nothing (core.ts).
 */
import { coreFamily } from './core-match.js';
import type { CoreCandidate, CoreStory } from './core.js';
import { INSN_SIZE } from './insn.js';

/** Candidates that are listed; a kernel has a few of one name, a hostile BTF any number. */
const MAX_LISTED = 16;

/** The story of the poisoned instruction at a place of a program, either slot of an ld_imm64; undefined where none is poisoned there. */
export function poisonedAt(stories: readonly CoreStory[] | undefined, insn: number): CoreStory | undefined {
  return stories?.find(({ poisoned, relocation, before }) =>
    poisoned && insn >= relocation.insn && insn < relocation.insn + before.length / INSN_SIZE);
}

/**
 * What to say when the verifier stops at a poisoned instruction ("invalid func unknown#195896080"), in one line.
 * @param insn of the program; either slot of an ld_imm64
 * @returns undefined where no poisoned instruction is there
 */
export function explainPoison(stories: readonly CoreStory[] | undefined, insn: number): string | undefined {
  const story = poisonedAt(stories, insn);
  if (story === undefined) return undefined;
  const { relocation, program, reason } = story;
  return `CO-RE: ${reason}; insn ${relocation.insn} of "${program}" is poisoned (${wayOut(story)})`;
}

function wayOut({ target, relocation }: CoreStory): string {
  if (target !== undefined) return 'read it with bpf_core_read or BPF_CORE_READ_INTO a variable of the right size';
  return `guard it with ${coreFamily[relocation.kind] === 'enumval' ? 'bpf_core_enum_value_exists' : 'bpf_core_field_exists'}`;
}

/** The whole story of a relocation, line by line: what was looked for, each candidate, and what the instruction became. */
export function explainStory(story: CoreStory): string[] {
  const { relocation: { insn, kind, access }, program, poisoned, oldValue, newValue, reason } = story;
  const outcome = poisoned ? `is poisoned: ${reason}` : `has ${newValue}${newValue === oldValue ? ', as compiled' : ` instead of ${oldValue}`}${reason && `: ${reason}`}`;
  const none = story.candidates.length === 0 && kind !== 'type_id_local' ? ['no candidate: no type has that name and kind'] : [];
  return [...comparison({ ...story, access }), ...none, `${kind}: insn ${insn} of "${program}" ${outcome}`];
}

/** The two sides of a relocation: the access in the program's types, and what each candidate of the target says of it. */
export function comparison({ localType, access, path, bitOffset, candidates }: Pick<CoreStory, 'localType' | 'path' | 'bitOffset' | 'candidates'> & { readonly access: string }): string[] {
  const more = candidates.length - MAX_LISTED;
  return [
    `${path} in the program: type [${localType.id}] ${localType.name}, access "${cut(access)}"${at(bitOffset)}`,
    ...candidates.slice(0, MAX_LISTED).map(candidateLine),
    ...more > 0 ? [`and ${more} more`] : [],
  ];
}

function candidateLine({ btf, typeId, name, refused, path, bitOffset, value }: CoreCandidate): string {
  const outcome = refused === undefined ? `${path}${at(bitOffset ?? 0)}, value ${value}` : `refused, ${refused}`;
  return `candidate [${typeId}] ${name} of ${btf}: ${outcome}`;
}

function at(bitOffset: number): string {
  if (bitOffset === 0) return '';
  return bitOffset % 8 === 0 ? `, at byte ${bitOffset / 8}` : `, at bit ${bitOffset}`;
}

function cut(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
