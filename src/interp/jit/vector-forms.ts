/**
 * Vectors in the source of a function. A v128 is in JavaScript variables, in one of three forms, or in more than one of them:
 *
 *   words     four numbers of 32 bits, lane 0 first      vw{h}_{k} of operand h, lw{n}_{k} of local n
 *   floats    four f32, as numbers                       vf{h}_{k}               lf{n}_{k}
 *   doubles   two f64                                    vd{h}_{k}               ld{n}_{k}
 *
 * Going from one to another takes a store and a load. So a function with vectors is emitted more than once: each time the uses
 * of a value are noted by where it comes from, and the next time a value that is only computed with as floats is made of floats
 * at once (a signalling NaN turns quiet on the way, which nothing can tell then). What is wanted as words can only become less
 * from time to time, so the last one is right whatever it finds. Knows no instruction.
 */
import { V128 } from '../types.js';
import type { JsStack, Operand } from './operands.js';

export type Form = 'words' | 'floats' | 'doubles';
export const LANES = { words: 4, floats: 4, doubles: 2 } as const;
const LETTER = { words: 'w', floats: 'f', doubles: 'd' } as const;
/** the frame's file of each form, and the scratch vectors' */
const FILE = { words: 'S32', floats: 'VF32', doubles: 'VF64' } as const;
const SCRATCH_FILE = { words: 'XS32', floats: 'XF32', doubles: 'XF64' } as const;

const scratch = new ArrayBuffer(64);
/** Four vectors for what is not done in variables: three operands and the result. */
export const SCRATCH = {
  XS8: new Int8Array(scratch), XU8: new Uint8Array(scratch), XS16: new Int16Array(scratch), XU16: new Uint16Array(scratch), XS32: new Int32Array(scratch), XU32: new Uint32Array(scratch),
  XS64: new BigInt64Array(scratch), XU64: new BigUint64Array(scratch), XF32: new Float32Array(scratch), XF64: new Float64Array(scratch),
} as const;

/** The variables or constants of each form that there is. */
export interface Lanes {
  readonly words?: readonly string[] | undefined;
  readonly floats?: readonly string[] | undefined;
  readonly doubles?: readonly string[] | undefined;
  /** where the value comes from, for the notes */
  readonly origin?: string | undefined;
  /** its floats have the same bits as its words */
  readonly exact: boolean;
  /** each lane of 32 bits is all ones or all zeros */
  readonly mask?: boolean;
}

/** What the uses of each value want. */
export class Wishes {
  readonly #wanted = new Map<string, Set<Form>>();
  /** locals that are set to values whose floats are not exact */
  readonly #inexact = new Set<string>();
  /** @param before those of the time before; none the first time */
  constructor(readonly before?: Wishes) {}

  note(origin: string | undefined, form: Form): void {
    if (origin === undefined) return;
    const forms = this.#wanted.get(origin);
    if (forms) forms.add(form);
    else this.#wanted.set(origin, new Set([form]));
  }

  noteInexact(origin: string): void {
    this.#inexact.add(origin);
  }

  /** The form that a value is made in. */
  formOf(origin: string): Form {
    const forms = this.before && this.before.#wanted.get(origin);
    return forms?.size === 1 ? [...forms][0] : 'words';
  }

  wants(origin: string, form: Form): boolean {
    return this.before !== undefined && this.before.#wanted.get(origin)?.has(form) === true;
  }

  isExact(origin: string): boolean {
    return this.before !== undefined && !this.before.#inexact.has(origin);
  }

  /** Whether there is a vector that has uses. */
  get some(): boolean {
    return this.#wanted.size > 0;
  }

  /** Whether another time would change anything. */
  get settled(): boolean {
    return this.before !== undefined && this.#text() === this.before.#text();
  }

  #text(): string {
    return `${[...this.#wanted].map(([origin, forms]) => `${origin} ${[...forms].sort().join()}`).sort().join(';')} ${[...this.#inexact].sort().join()}`;
  }
}

const BASE = { type: V128, text: '', bits: undefined, condition: undefined, flags: 0, exact: true, constant: undefined, depth: 0 } as const;

function variables(prefix: string, at: number, form: Form): string[] {
  return Array.from({ length: LANES[form] }, (_, k) => `${prefix}${LETTER[form]}${at}_${k}`);
}

/** The home of operand `h` in a form; the one of words is where it is across calls and labels. */
export function homeLanes(s: JsStack, h: number, form: Form): string[] {
  const names = variables('v', h, form);
  for (const name of names) s.variable(name);
  return names;
}

export function localLanes(s: JsStack, n: number): Lanes {
  const origin = `l${n}`;
  const form = s.wishes.formOf(origin);
  const floats = form === 'words' ? s.floatsOf.get(n) : undefined;
  if (floats) return { words: variables('l', n, form), floats, origin, exact: false };
  return { [form]: variables('l', n, form), origin, exact: form === 'doubles' || form === 'floats' && s.wishes.isExact(origin) };
}

export function vectorHome(s: JsStack, h: number): Operand {
  return vectorOperand({ words: homeLanes(s, h, 'words'), exact: false }, h, { own: true });
}

export function vectorLocal(s: JsStack, n: number): Operand {
  return { ...BASE, locals: [n], own: false, local: n, lanes: localLanes(s, n) };
}

/** An operand whose lanes are in its own variables, or constants. */
export function vectorOperand(lanes: Lanes, h: number, more: Partial<Operand> = {}): Operand {
  return { ...BASE, locals: [], own: false, local: -1, reach: h, lanes, ...more };
}

/** Statements that take lanes of one form to another. */
function converted(from: Lanes, to: Form, names: readonly string[]): string {
  const form = from.words ? 'words' : from.doubles ? 'doubles' : 'floats';
  const puts = from[form]!.map((text, k) => `${SCRATCH_FILE[form]}[${k}] = ${text};`);
  return `${puts.join(' ')} ${names.map((name, k) => `${name} = ${SCRATCH_FILE[to]}[${k}];`).join(' ')}`;
}

/** The variables for the floats of a local that is in words. */
function atHand(s: JsStack, n: number): readonly string[] {
  const names = variables('l', n, 'floats');
  for (const name of names) s.variable(name);
  s.floatsOf.set(n, names);
  return names;
}

/** Lanes of operand `h` in a form, which it gets where it does not have it. */
export function lanesOf(s: JsStack, h: number, form: Form): readonly string[] {
  const operand = s.stack[h];
  const lanes = operand.lanes!;
  s.wishes.note(lanes.origin, form);
  const known = lanes[form];
  if (known) return known;
  const names = form === 'floats' && operand.local >= 0 && lanes.words ? atHand(s, operand.local) : homeLanes(s, h, form);
  s.line(converted(lanes, form, names));
  s.stack[h] = { ...operand, reach: h, lanes: { ...lanes, [form]: names } };
  return names;
}

/** A form in which operand `h` can be copied with all its bits. */
export function anyForm(s: JsStack, h: number): Form {
  const lanes = s.stack[h].lanes!;
  if (lanes.words) {
    s.wishes.note(lanes.origin, 'words');
    return 'words';
  }
  if (lanes.doubles) return 'doubles';
  if (!lanes.exact) s.wishes.note(lanes.origin, 'words');
  return 'floats';
}

export function assignLanes(names: readonly string[], texts: readonly string[]): string {
  return names.map((name, k) => name === texts[k] ? '' : `${name} = ${texts[k]};`).join(' ');
}

/** Puts operand `h` into its home. */
export function settleVector(s: JsStack, h: number): void {
  const { lanes, own } = s.stack[h];
  if (own) return;
  const home = vectorHome(s, h);
  if (!lanes!.exact) s.wishes.note(lanes!.origin, 'words');
  s.line(lanes!.words ? assignLanes(home.lanes!.words!, lanes!.words) : converted(lanes!, 'words', home.lanes!.words!));
  s.stack[h] = home;
}

/** Operand `h` in variables of its own, as a local that it was read from is about to change. */
export function detachVector(s: JsStack, h: number): void {
  const operand = s.stack[h];
  const copies: { [form in Form]?: readonly string[] } = {};
  for (const form of ['words', 'floats', 'doubles'] as const) {
    const texts = operand.lanes![form];
    if (!texts) continue;
    copies[form] = homeLanes(s, h, form);
    s.line(assignLanes(copies[form], texts));
  }
  s.stack[h] = vectorOperand({ ...operand.lanes!, ...copies }, h);
}

/** Sets a local to the topmost operand, which leaves the stack. */
export function setVectorLocal(s: JsStack, n: number): void {
  const h = s.height - 1;
  if (s.stack[h].local === n) {
    s.pop();
    return;
  }
  const to = localLanes(s, n);
  const form: Form = to.words ? 'words' : to.doubles ? 'doubles' : 'floats';
  const from = s.stack[h].lanes!;
  let texts = from[form];
  // a conversion of exact floats is no wish for words
  if (texts || !from.exact) texts = lanesOf(s, h, form);
  if (!(from.floats && from.exact)) s.wishes.noteInexact(`l${n}`);
  s.pop();
  s.flushLocal(n);
  s.floatsOf.delete(n);
  if (form === 'words' && from.floats) s.line(assignLanes(atHand(s, n), from.floats));
  s.line(texts ? assignLanes(to[form]!, texts) : converted(from, form, to[form]!));
}

/** The statement that puts a vector into a slot of the frame. */
export function vectorToSlot({ lanes }: Operand, slot: number): string {
  const form: Form = lanes!.words ? 'words' : lanes!.doubles ? 'doubles' : 'floats';
  return lanes![form]!.map((text, k) => `${slotLane(form, slot, k)} = ${text};`).join(' ');
}

/** A lane of a slot of the frame. */
export function slotLane(form: Form, slot: number, k: number): string {
  return `${FILE[form]}[((fp + ${slot}) << ${form === 'doubles' ? 1 : 2}) + ${k}]`;
}

/** How a local is declared: taken from a slot, or zero. */
export function declaredLanes(lanes: Lanes, slot: number | undefined): string[] {
  const form: Form = lanes.words ? 'words' : lanes.doubles ? 'doubles' : 'floats';
  return lanes[form]!.map((name, k) => `${name} = ${slot === undefined ? '0' : slotLane(form, slot, k)}`);
}

/** What a variable of an operand's home begins with where the function is entered at a loop. */
export function homeLane(variable: string, slot: number): string {
  return variable[1] === 'w' ? slotLane('words', slot, Number(variable.slice(-1))) : '0';
}

/** Pushes a vector whose lanes, in one form, go to its home. */
export function pushLanes(s: JsStack, form: Form, texts: readonly string[], more: Partial<Lanes> = {}): void {
  const names = homeLanes(s, s.height, form);
  s.line(assignLanes(names, texts));
  s.push(vectorOperand({ [form]: names, exact: form === 'doubles', ...more }, s.height));
}
