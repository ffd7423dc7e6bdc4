/**
 * The only door to uvu: every test goes through here. A suite runs itself, an empty one is refused, a skip prints its
 * reason and is counted, known failures stand in a ledger that must be exact both ways.
 */
import { suite as uvuSuite } from 'uvu';
import * as assert from 'uvu/assert';
import { ProjectError } from '#src/errors.js';

export { assert };

/** What a test may lack; each names why it may be skipped, and only then. */
export interface Need {
  readonly name: string;
  /** undefined: is here; else the reason for the skip */
  readonly missing: string | undefined;
  /** the first kernel with it, where the running one is older */
  readonly older?: string;
}

type Body = () => void | Promise<void>;
export interface Suite {
  /** '<symbol> <does what> [when …]' */
  (name: string, body: Body): void;
  /** one test a row; an empty table is an error */
  table<Row>(rows: Iterable<Row>, name: (row: Row) => string, body: (row: Row) => void | Promise<void>): void;
  /** runs where every need is met, else prints its name and the reason, and counts as skipped */
  needing(needs: readonly Need[], name: string, body: Body): void;
}

/** milliseconds of each test that passed */
export const slowest: [ms: number, test: string][] = [];
export const counts = { passed: 0, failed: 0, skipped: [] as string[] };
/** What came of one suite; a skip is known by the first kernels of what it lacks, or '' where that is no matter of versions. */
export interface Outcome { readonly title: string; passed: number; failed: number; readonly skipped: string[] }
export const outcomes: Outcome[] = [];

/** Declares a suite: `suite('bytes', (test) => { test('Reader.u32 reads little-endian', …) })`. */
export function suite(title: string, declare: (test: Suite) => void): void {
  const s = uvuSuite(title);
  const outcome: Outcome = { title, passed: 0, failed: 0, skipped: [] };
  outcomes.push(outcome);
  let declared = 0;
  const test = ((name, body) => {
    declared++;
    s(name, async () => {
      const start = Date.now();
      counts.failed++;
      outcome.failed++;
      await body();
      counts.failed--;
      outcome.failed--;
      counts.passed++;
      outcome.passed++;
      slowest.push([Date.now() - start, `${title} > ${name}`]);
    });
  }) as Suite;
  test.table = (rows, name, body) => {
    const all = [...rows];
    if (all.length === 0) throw new Error(`suite "${title}": a table without rows`);
    for (const row of all) test(name(row), () => body(row));
  };
  test.needing = (needs, name, body) => {
    const missing = needs.filter((need) => need.missing !== undefined);
    if (missing.length === 0) return test(name, body);
    declared++;
    const why = missing.map((need) => `${need.name}: ${need.missing}`).join('; ');
    // a kernel of the lab may be as old as it is, and lack nothing else
    const excused = process.env['LAB'] !== undefined && missing.every(({ older }) => older !== undefined);
    if (process.env['NO_SKIP'] && !excused) return test(name, () => { throw new Error(`would be skipped, and NO_SKIP is set: ${why}`); });
    outcome.skipped.push(missing.map(({ older }) => older ?? '').sort().at(-1)!);
    counts.skipped.push(`${title} > ${name} (${why})`);
  };
  declare(test);
  if (declared === 0) throw new Error(`suite "${title}" declares no test`);
  s.run();
}

/** Asserts that `run` throws (or rejects with) a ProjectError of exactly this code, and returns it. */
export function throwsCode<E extends ProjectError = ProjectError>(run: () => unknown, code: string, message?: string | RegExp): E {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  return checkCode<E>(thrown, code, message);
}

/** The same for a promise. */
export async function rejectsCode<E extends ProjectError = ProjectError>(run: () => Promise<unknown>, code: string, message?: string | RegExp): Promise<E> {
  let thrown: unknown;
  try {
    await run();
  } catch (error) {
    thrown = error;
  }
  return checkCode<E>(thrown, code, message);
}

function checkCode<E extends ProjectError>(thrown: unknown, code: string, message?: string | RegExp): E {
  if (!(thrown instanceof ProjectError)) {
    if (thrown instanceof Error) throw thrown;
    throw new Error(`expected an error with code ${code}, got ${thrown === undefined ? 'none' : String(thrown)}`);
  }
  assert.is(thrown.code, code, `${thrown.code}: ${thrown.message}`);
  if (typeof message === 'string') assert.is(thrown.message, message);
  else if (message) assert.match(thrown.message, message);
  return thrown as E;
}

/** Bit-exact: tells -0 from 0 and one NaN from another. */
export function sameBits(actual: number, expected: number): void {
  const bits = (n: number) => new BigUint64Array(new Float64Array([n]).buffer)[0];
  assert.is(bits(actual), bits(expected), `${actual} is not bit for bit ${expected}`);
}

/** Bytes by value, whatever the class of the view. */
export function sameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.is(Buffer.from(actual).toString('hex'), Buffer.from(expected).toString('hex'));
}
