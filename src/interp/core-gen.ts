/**
 * Prints core.ts, the interpreter's loop, from core-table.ts: one `switch` whose labels are literals, which V8 turns into one
 * jump table. `test/interp/core.test.ts` compares what is committed with what this prints.
 */
import { FORMAT_WORDS, VECTOR_NAMES, coreOps, type CoreOp } from './core-table.js';

const FIRST_VECTOR = coreOps().length - VECTOR_NAMES.length;
/** behind the vector instructions and the two that do nothing (vector.ts) */
const FUSED = coreOps().length + 2;

/** The text of src/interp/core.ts. */
export function coreSource(): string {
  return `${HEAD}${coreOps().map((op, number) => op.format === 'cold' || op.format === 'vector' ? '' : caseOf(op, number)).join('')}${TAIL}${names()}`;
}

/** What core-table.ts says and a run needs: a fresh process is to be spared the making of all of it. */
function names(): string {
  const list = (items: readonly string[]) => `[\n${`${items.map((item) => `'${item}',`).join(' ')} `.replaceAll(/(.{1,140}) /g, '  $1\n')}]`;
  return `
/** The register instructions by their numbers. */
export const CORE_NAMES: readonly string[] = ${list(coreOps().map(({ name }) => name))};
/** The number of the first vector instruction: all behind it are such. */
export const FIRST_VECTOR = ${FIRST_VECTOR};
/** The number of all fused instructions (fuse.ts). */
export const FUSED = ${FUSED};
/** Where the operands of those before it are. */
export const CORE_FORMATS: readonly Format[] = ${list(coreOps().slice(0, FIRST_VECTOR).map(({ format }) => format))};
`;
}

function caseOf({ name, format, text }: CoreOp, number: number): string {
  const words = FORMAT_WORDS[format];
  const index: Record<string, string> = {
    d: 'fp + (w >>> 12)',
    a: format === 'dab' || format === 'dabc' ? 'fp + (x & 0xffff)' : 'fp + x',
    b: 'fp + (x >>> 16)',
    c: 'fp + code[pc + 2]',
  };
  const body = text
    .replaceAll(/\b(lo|hi)\(([dab])\)/g, (_, half: string, slot: string) => `L32[((${index[slot]}) << 1)${half === 'hi' ? ' + 1' : ''}]`)
    .replaceAll(/%([dabc])/g, (_, slot: string) => index[slot])
    .replaceAll('%k', 'code[pc + 2]');
  const x = /\bx\b/.test(body) ? 'const x = code[pc + 1]; ' : '';
  const next = words === 0 ? '' : ` pc += ${words};`;
  const end = name === 'call_indirect' ? '}' : 'break; }';
  return `        case ${number}: { /* ${name} */ ${x}${body}${next} ${end}\n`;
}

const HEAD = `/**
 * The interpreter's loop: printed by core-gen.ts from core-table.ts, not to be edited. Runs the code of lower.ts on the machine's
 * register files until the fuel is spent or the machine's \`exit\` is set; the whole state is then in the machine.
 */
import { popcnt32, ctz32, divS32, divU32, remS32, remU32, divS64, divU64, remS64, remU64, nearest, truncS32, truncU32, truncS64, truncU64, satS32, satU32, satS64, satU64, i64ToF32 } from './meaning.js';
import type { Format } from './core-table.js';
import { type Machine, type Files, SLOTS } from './files.js';
import type { Vector } from './vector-core.js';

/**
 * @param cold carries out one instruction that has no case here
 * @param vectors the same of the vector instructions, by their numbers
 */
export function makeCore(files: Files, m: Machine, cold: (w: number) => void, vectors: readonly Vector[]): () => void {
  const { I32, F32, L32, I64, F64, CS } = files;
  return function execute(): void {
    let { pc, fp, sp, fuel, code, view, g32, k64, kf64, k32 } = m;
    try {
      run: for (;;) {
        const w = code[pc];
        switch (w & 0xfff) {
`;

const TAIL = `        // falls through
        default:
          if ((w & 0xfff) === ${FUSED}) break run;
          if ((w & 0xfff) >= ${FIRST_VECTOR}) {
            const vector = vectors[(w & 0xfff) - ${FIRST_VECTOR}];
            const x = code[pc + 1];
            pc += vector(fp + (w >>> 12), fp + (x & 0xffff), fp + (x >>> 16), code, pc, fp, view);
            break;
          }
          m.pc = pc; m.fp = fp; m.sp = sp; m.fuel = fuel;
          cold(w);
          ({ pc, fp, sp, fuel, code, view, g32, k64, kf64, k32 } = m);
          if (m.exit !== 0 || fuel < 0) break run;
        }
      }
    } finally {
      m.pc = pc; m.fp = fp; m.sp = sp; m.fuel = fuel;
    }
  };
}
`;
