/**
 * From a file to an instance: reads it, says what it is where it is no WebAssembly module, compiles, finds a provider for
 * every import, instantiates. Which functions there are is the providers' business; running is the caller's.
 */
import { readFileSync } from 'node:fs';
import { MissingImportsError, UsageError } from '../errors.js';
import type { Engine, Extern, ExternType, Instance, Limits } from '../interp/engine.js';
import type { Module } from '../interp/module.js';
import { importType, showExternType } from '../interp/show.js';

/** What a file holds, by its first bytes. */
export type FileKind = 'wasm' | 'elf' | 'other';

export function kindOf(bytes: Uint8Array): FileKind {
  const starts = (...magic: number[]) => magic.every((byte, i) => bytes[i] === byte);
  if (starts(0x00, 0x61, 0x73, 0x6d)) return 'wasm';
  return starts(0x7f, 0x45, 0x4c, 0x46) ? 'elf' : 'other';
}

/** The bytes of a file. @throws UsageError that says what is wrong with the path */
export function readBinary(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new UsageError(`cannot read "${path}": ${READ_ERRORS[code] ?? message}`, { cause: error });
  }
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file', EISDIR: 'it is a folder', EACCES: 'permission denied', ENOTDIR: 'a part of the path is no folder',
};

/** The bytes of a WebAssembly module. @throws UsageError also for a file that is something else */
export function readModule(path: string): Uint8Array {
  const bytes = readBinary(path);
  const kind = kindOf(bytes);
  if (kind === 'elf') throw new UsageError(`"${path}" is an ELF file, not a WebAssembly module (wasm-bpf inspect shows what a BPF object holds; only a module that embeds it can run)`);
  if (kind === 'other' && /^\s*\(module/.test(Buffer.from(bytes.subarray(0, 256)).toString('latin1'))) {
    throw new UsageError(`"${path}" is WebAssembly text (wat2wasm makes a module of it)`);
  }
  if (bytes.length === 0) throw new UsageError(`"${path}" is empty`);
  if (kind === 'other') throw new UsageError(`"${path}" is not a WebAssembly module: it starts with ${Buffer.from(bytes.subarray(0, 4)).toString('hex')}, not 0061736d`);
  return bytes;
}

/** Gives an import, or undefined where it has none of that name. */
export type Provider = (module: string, item: string, type: ExternType) => Extern | undefined;

/**
 * Links a module: each import is asked from one provider after another.
 * @throws MissingImportsError naming every import that none has; LinkError for one of another type; Trap
 */
export function instantiate(engine: Engine, module: Module, providers: readonly Provider[], limits?: Partial<Limits>): Instance {
  const found = new Map<string, Extern>();
  const missing: { module: string; item: string; type: string }[] = [];
  const key = (m: string, item: string, type: ExternType) => JSON.stringify([m, item, showExternType(type)]);
  for (const wanted of module.imports) {
    const type = importType(module, wanted);
    const extern = first(providers, wanted.module, wanted.name, type);
    if (extern) found.set(key(wanted.module, wanted.name, type), extern);
    else missing.push({ module: wanted.module, item: wanted.name, type: showExternType(type) });
  }
  if (missing.length > 0) throw new MissingImportsError(missing, 'this host has wasi_snapshot_preview1 and wasm_bpf');
  return engine.instantiate(module, (m, item, type) => found.get(key(m, item, type)), { limits });
}

function first(providers: readonly Provider[], module: string, item: string, type: ExternType): Extern | undefined {
  for (const provide of providers) {
    const extern = provide(module, item, type);
    if (extern) return extern;
  }
  return undefined;
}
