/** `wasm-bpf btf`: CO-RE away from the kernel that a program is for: what relocates against a kernel's types, and the types it needs. */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ProjectError, RelocationError, UsageError } from '../errors.js';
import { decode } from '../interp/decode.js';
import { FEATURES_ALL } from '../interp/opcodes.js';
import { readBtf } from '../loader/btf-file.js';
import { kindOf, readBinary } from '../loader/wasm.js';
import type { Btf } from '../reloc/btf.js';
import { minimizeBtf } from '../reloc/btf-minimize.js';
import { explainStory } from '../reloc/core-explain.js';
import { relocateCore, type CoreTargets } from '../reloc/core.js';
import { parseObject } from '../reloc/object.js';
import type { ObjectSpec } from '../reloc/spec.js';
import { findObjects } from '../teach/find-objects.js';
import { parseOptions, print, Status, suggestion, type Command } from './command.js';

const HELP = `usage: wasm-bpf btf minimize [OPTIONS…] -o OUT FILE…
       wasm-bpf btf check [OPTIONS…] FILE…

Relocates the programs of BPF objects, alone or embedded in WebAssembly modules, against a kernel's types, without loading
them. Needs no privilege.

minimize writes the few types of the kernel that the programs ask for to a file of their own, for machines whose kernel has
none: wasm-bpf run --btf OUT. The programs become the same as with all types.
check says of each program whether it would be relocated, and of each relocation that finds nothing what was looked for, and
why each candidate was refused.

  --btf FILE        the kernel's types: BTF, or an ELF file with a .BTF section; default: the running kernel's (for check
                    with those of its modules, as when a program is loaded)
  --base FILE       what the types in --btf are split from: vmlinux's for a module's
  -o, --output OUT  minimize: the file to write
  --json            the outcome as one JSON document; fields are added in later versions, never renamed
  -h, --help        this text

Exit status: 0; 1 for a broken file, and where check finds a program that is refused or has a poisoned instruction; 2 for a
wrong command line.
`;

const OPTIONS = {
  btf: { type: 'string' },
  base: { type: 'string' },
  output: { type: 'string', short: 'o' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

interface Request { readonly objects: readonly Named[]; readonly targets: CoreTargets & { readonly vmlinux: Btf }; readonly output: string | undefined; readonly json: boolean }
interface Named { readonly file: string; readonly spec: ObjectSpec }

/** The one table of what `btf` does. */
const ACTIONS: Readonly<Record<string, { readonly writes: boolean; run(request: Request): Promise<number> }>> = {
  minimize: { writes: true, run: minimize },
  check: { writes: false, run: check },
};

export const btf: Command = {
  summary: 'relocates BPF programs against any kernel\'s types, and makes these small',
  help: HELP,
  run: async (args) => {
    const { values, operands: [name, ...files] } = parseOptions('btf', args, OPTIONS, 'anywhere');
    if (values.help) {
      await print(HELP);
      return Status.OK;
    }
    const names = Object.keys(ACTIONS);
    if (name === undefined) throw new UsageError(`btf: ${names.join(' or ')}? (wasm-bpf btf --help)`);
    if (!Object.hasOwn(ACTIONS, name)) throw new UsageError(`btf: unknown action "${name}"${suggestion(name, names)} (wasm-bpf btf --help)`);
    const action = ACTIONS[name];
    if (files.length === 0) throw new UsageError(`btf ${name}: no file given (wasm-bpf btf ${name} FILE…)`);
    if (action.writes !== (values.output !== undefined)) throw new UsageError(action.writes ? `btf ${name}: no file to write (-o OUT)` : `btf ${name}: -o: it writes no file`);
    if (values.base !== undefined && values.btf === undefined) throw new UsageError('btf: --base without --btf');
    const objects = files.flatMap(objectsIn);
    const base = values.base === undefined ? undefined : readBtf(values.base);
    const targets = values.btf === undefined ? await runningKernel() : { vmlinux: readBtf(values.btf, base) };
    return action.run({ objects, targets, output: values.output, json: values.json ?? false });
  },
};

async function runningKernel(): Promise<Request['targets']> {
  const { KernelTypes } = await import('../loader/kernel-types.js');
  const types = new KernelTypes();
  return { vmlinux: types.target, modules: () => types.targetModules };
}

function objectsIn(path: string): Named[] {
  const bytes = readBinary(path);
  const kind = kindOf(bytes);
  if (kind === 'other') throw new UsageError(`"${path}" is neither a WebAssembly module nor an ELF file`);
  const name = basename(path).replace(/\..*/s, '');
  const found = kind === 'elf' ? [bytes] : findObjects(decode(bytes, FEATURES_ALL)).map((object) => object.bytes);
  if (found.length === 0) throw new UsageError(`"${path}" holds no BPF object`);
  return found.map((object) => ({ file: path, spec: parseObject(object, { name }) }));
}

async function minimize({ objects, targets, output, json }: Request): Promise<number> {
  const { bytes, ...counts } = minimizeBtf(objects.map(({ spec }) => spec), targets.vmlinux);
  try {
    writeFileSync(output!, bytes);
  } catch (error) {
    throw new UsageError(`cannot write "${output}": ${(error as Error).message}`, { cause: error });
  }
  const { types, typesBefore, relocations, unmatched } = counts;
  const text = `${output}: ${bytes.length} bytes, ${types} types of ${typesBefore}, for ${relocations} different relocations, ${unmatched} of which nothing matches\n`;
  await print(json ? `${JSON.stringify({ output, bytes: bytes.length, ...counts }, undefined, 2)}\n` : text);
  return Status.OK;
}

interface Checked {
  readonly file: string;
  readonly program: string;
  readonly section: string;
  readonly relocations: number;
  readonly poisoned: number;
  /** why the program would not be relocated at all */
  readonly error?: string;
  /** of what finds nothing or is refused, line by line */
  readonly lines: readonly string[];
}

async function check({ objects, targets, json }: Request): Promise<number> {
  const checked = objects.flatMap(({ file, spec }) => spec.programs.map(({ name }) => checkProgram(file, spec, name, targets)));
  const text = checked.map(({ file, program, relocations, poisoned, error, lines }) => {
    const outcome = error ?? `${relocations} relocations, ${poisoned === 0 ? 'none' : poisoned} poisoned`;
    return [`${file}: ${program}: ${outcome}`, ...lines.map((line) => `  ${line}`)].join('\n');
  });
  await print(json ? `${JSON.stringify(checked, undefined, 2)}\n` : `${text.join('\n')}\n`);
  return checked.some(({ poisoned, error }) => poisoned > 0 || error !== undefined) ? Status.FAILURE : Status.OK;
}

function checkProgram(file: string, spec: ObjectSpec, program: string, targets: CoreTargets): Checked {
  const { section, coreRelocations } = spec.programs.find(({ name }) => name === program)!;
  const head = { file, program, section, relocations: coreRelocations.length };
  const only = { ...spec, programs: spec.programs.map((each) => ({ ...each, autoload: each.name === program })) };
  try {
    const stories = relocateCore(only, targets).stories.get(program) ?? [];
    return { ...head, poisoned: stories.filter(({ poisoned }) => poisoned).length, lines: stories.filter(({ reason }) => reason !== '').flatMap(explainStory) };
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    return { ...head, poisoned: 0, error: error.message, lines: error instanceof RelocationError ? error.details : [] };
  }
}
