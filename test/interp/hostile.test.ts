/**
 * Modules of about a megabyte that are made to be slow: nesting, counts, and lists that somebody may look through again and again.
 * Each is decoded, validated, instantiated and called on every tier, in a time that only work in proportion to its size allows, or
 * refused with one of the project's errors.
 */
import { ProjectError } from '#src/errors.js';
import type { Engine, Func } from '#src/interp/engine.js';
import { OP } from '#src/interp/opcodes.js';
import { F64, I32 } from '#src/interp/types.js';
import { assert, suite } from '../support/suite.js';
import { TIERS } from './engines.js';
import { HEADER, body, funcType, leb, name, section, vec, type Bytes } from './wasm.js';

/** ms of the processors, on a slow machine, for everything, also where coverage is gathered; work in proportion to the square takes far more */
const MOST_MS = 10_000;

const repeat = (n: number, ...item: Bytes): readonly Bytes[] => new Array<Bytes>(n).fill(flat(item));
const flat = (bytes: Bytes): number[] => {
  const out: number[] = [];
  const walk = (one: number | Bytes) => { if (typeof one === 'number') out.push(one); else for (const part of one) walk(part); };
  walk(bytes);
  return out;
};
const longSection = (id: number, ...content: Bytes): Bytes => {
  const bytes = flat(content);
  return [id, leb(bytes.length), bytes];
};
const EXPORT_F = section(7, vec([[name('f'), 0, 0]]));
const NONE = funcType([], []);
/** A module whose function 0, of type 0 without parameters and results, is exported as "f". */
const module = (...sections: Bytes): Uint8Array => Uint8Array.from(flat([HEADER, sections]));
const one = (code: Bytes, locals: readonly (readonly [number, number])[] = [], types: readonly Bytes[] = [NONE], ...more: Bytes): Uint8Array => {
  const bytes = flat([vec(locals.map(([count, type]) => [leb(count), type])), code, OP.end]);
  return module(longSection(1, vec(types)), section(3, vec([[0]])), ...more, EXPORT_F, longSection(10, vec([[leb(bytes.length), bytes]])));
};
const GET = [OP['local.get'], 0], ZERO = [OP['i32.const'], 0], SET = [OP['local.set'], 0];
/** of what a signature has */
const WIDE = 1000;
const ANY = new Array<number>(WIDE).fill(I32);

const BAITS: readonly { readonly what: string; readonly bytes: () => Uint8Array }[] = [
  { what: 'blocks in blocks', bytes: () => one([repeat(300_000, OP.block, 0x40), repeat(300_000, OP.end)]) },
  { what: 'loops in loops', bytes: () => one([repeat(300_000, OP.loop, 0x40), repeat(300_000, OP.end)]) },
  { what: 'ifs in ifs', bytes: () => one([repeat(200_000, ZERO, OP.if, 0x40), repeat(200_000, OP.end)]) },
  { what: 'an if in each else', bytes: () => one([repeat(150_000, ZERO, OP.if, 0x40, OP.else), repeat(150_000, OP.end)]) },
  { what: 'many large br_tables', bytes: () => one([repeat(300, OP.block, 0x40), repeat(3000, OP.block, 0x40, ZERO, OP.br_table, leb(300), repeat(301, 1), OP.end), repeat(300, OP.end)]) },
  { what: 'functions of very many locals', bytes: () => module(section(1, vec([NONE])), longSection(3, vec(repeat(100_000, 0))), EXPORT_F, longSection(10, vec(repeat(100_000, body([], [[50_000, I32]]))))) },
  { what: 'a call of a function of very many locals, again and again', bytes: () => module(section(1, vec([NONE])), section(3, vec([[0], [0]])), EXPORT_F,
    longSection(10, vec([((code) => [leb(code.length), code])(flat([0, repeat(20_000, OP.call, 1), OP.end])), body([], [[60_000, F64]])]))) },
  { what: 'assignments below a high stack of the same local', bytes: () => one([repeat(60_000, GET), repeat(250_000, ZERO, SET), repeat(60_000, OP.drop)], [[1, I32]]) },
  { what: 'tees below a high stack of other locals', bytes: () => one([repeat(60_000, OP['local.get'], 1), repeat(250_000, ZERO, OP['local.tee'], 0, OP.drop), repeat(60_000, OP.drop)], [[2, I32]]) },
  { what: 'calls below a high stack', bytes: () => one([repeat(60_000, GET), ZERO, OP.if, 0x40, repeat(200_000, OP.call, 0), OP.end, repeat(60_000, OP.drop)], [[1, I32]]) },
  { what: 'blocks with wide types', bytes: () => one([repeat(WIDE, ZERO), repeat(20_000, OP.block, 1, OP.end), repeat(WIDE, OP.drop)], [], [NONE, funcType(ANY, ANY)]) },
  { what: 'branches that carry very much', bytes: () => one([ZERO, OP.block, 1, repeat(WIDE + 1, ZERO), repeat(100_000, ZERO, OP.br_if, 0), OP.br, 0, OP.end, repeat(WIDE, OP.drop), OP.drop], [], [NONE, funcType([], ANY)]) },
  { what: 'one value that very many instructions make', bytes: () => one([ZERO, repeat(900_000, OP['i32.eqz']), OP.drop]) },
  { what: 'an operand for every instruction', bytes: () => one([repeat(30_000, ZERO), repeat(29_999, OP['i32.add']), OP.drop]) },
  { what: 'unreachable code', bytes: () => one([OP.block, 0x40, OP.br, 0, repeat(900_000, OP['i32.add']), OP.drop, OP.end]) },
  { what: 'very many types', bytes: () => module(longSection(1, vec([NONE, ...repeat(300_000, NONE)])), section(3, vec([[0]])), EXPORT_F, section(10, vec([body([])]))) },
  { what: 'a recursion group of very many types', bytes: () => one([], [], [NONE, [0x4e, leb(100_000), ...Array.from({ length: 100_000 }, (_, i): Bytes => [0x5f, 1, 0x63, leb(100_000 - i), 0])]]) },
  { what: 'equal recursion groups that all have to be compared', bytes: () => one([], [], [NONE, ...Array.from({ length: 100 }, (): Bytes => [0x4e, leb(1000), ...repeat(1000, 0x5f, 1, I32, 0)])]) },
  { what: 'very many functions', bytes: () => module(section(1, vec([NONE])), longSection(3, vec(repeat(300_000, 0))), EXPORT_F, longSection(10, vec(repeat(300_000, 2, 0, OP.end)))) },
  { what: 'very many exports', bytes: () => module(section(1, vec([NONE])), section(3, vec([[0]])), longSection(7, vec(Array.from({ length: 80_000 }, (_, i) => [name(i === 0 ? 'f' : `export${i}`), 0, 0]))), section(10, vec([body([])]))) },
  { what: 'very many globals', bytes: () => module(section(1, vec([NONE])), section(3, vec([[0]])), longSection(6, vec([[I32, 0, ZERO, OP.end], ...Array.from({ length: 130_000 }, (_, i): Bytes => [I32, 0, OP['global.get'], leb(i), OP.end])])), EXPORT_F, section(10, vec([body([])]))) },
  { what: 'very many element segments', bytes: () => module(section(1, vec([NONE])), section(3, vec([[0]])), section(4, vec([[0x70, 0, 1]])), EXPORT_F, longSection(9, vec(repeat(150_000, 0, ZERO, OP.end, 1, 0))), section(10, vec([body([])]))) },
  { what: 'very many data segments', bytes: () => module(section(1, vec([NONE])), section(3, vec([[0]])), section(5, vec([[0, 1]])), EXPORT_F, section(10, vec([body([])])), longSection(11, vec(repeat(200_000, 0, ZERO, OP.end, 1, 7)))) },
  { what: 'very many custom sections', bytes: () => module(section(1, vec([NONE])), section(3, vec([[0]])), EXPORT_F, section(10, vec([body([])])), repeat(200_000, 0, 2, 1, 0x78)) },
  { what: 'blocks on a high stack', bytes: () => one([repeat(60_000, GET), repeat(300_000, OP.block, 0x40, OP.end), repeat(60_000, OP.drop)], [[1, I32]]) },
  { what: 'branches that carry much', bytes: () => one([ZERO, OP.block, 1, repeat(301, ZERO), repeat(8000, ZERO, OP.br_if, 0), OP.br, 0, OP.end, repeat(300, OP.drop), OP.drop], [], [NONE, funcType([], ANY.slice(0, 300))]) },
  { what: 'handlers in handlers', bytes: () => one([repeat(60_000, OP.block, 0x40, OP.try_table, 0x40, 1, 0, 0, 0), repeat(60_000, OP.end, OP.end)], [], [NONE], section(13, vec([[0, 0]]))) },
  { what: 'a throw through very many handlers', bytes: () => one([OP.block, 0x40, OP.try_table, 0x40, 1, 2, 0, repeat(30_000, OP.block, 0x40, OP.try_table, 0x40, 1, 0, 1, 0), OP.throw, 0, repeat(30_000, OP.end, OP.end), OP.end, OP.end], [], [NONE], section(13, vec([[0, 0], [0, 0]]))) },
  { what: 'a frame that does not fit', bytes: () => one([repeat(400_000, ZERO), repeat(400_000, OP.drop)]) },
];

function run(engine: Engine, bytes: Uint8Array): void {
  try {
    const instance = engine.instantiate(engine.compile(bytes), {});
    instance.callSync(instance.exports.get('f') as Func, []);
  } catch (error) {
    // what is refused is refused, too
    if (!(error instanceof ProjectError)) throw error;
  }
}

// a module that fuses all functions at once is no way to run one
for (const engine of TIERS.filter(({ name }) => name !== 'fused')) {
  suite(`${engine.name} and hostile modules`, (test) => {
    test.table(BAITS, ({ what }) => what, ({ bytes }) => {
      const module = bytes();
      const { user, system } = process.cpuUsage();
      run(engine, module);
      const used = process.cpuUsage({ user, system });
      const ms = (used.user + used.system) / 1000;
      if (process.env['SHOW']) console.log(`${engine.name} ${module.length} ${ms.toFixed(0)}`);
      assert.ok(ms < MOST_MS, `${ms.toFixed(0)} ms for ${module.length} bytes`);
    });
  });
}
