/**
 * Gives `__kconfig` and `__ksym` externs their values: kernel configuration into the `.kconfig` map, addresses and BTF ids of
 * kernel variables and functions into instructions. A strong extern that nobody provides stops the load, a weak one is 0.
 * Source: Documentation/bpf/kfuncs.rst and libbpf's documented behaviour of `__kconfig`, `__ksym`, `__weak`.
 */
import { RelocationError, UnsupportedError } from '../errors.js';
import { feature } from '../kernel/features.js';
import { symbolAddresses } from '../kernel/kallsyms.js';
import { readKconfig } from '../kernel/kconfig.js';
import { kernelVersionCode } from '../kernel/release.js';
import { didYouMean } from '../kernel/near.js';
import type { Btf } from '../reloc/btf.js';
import { matchSpec, parseSpec } from '../reloc/core-match.js';
import type { ExternSpec, ObjectSpec } from '../reloc/spec.js';
import type { KernelType, KernelTypes } from './kernel-types.js';

/** What an instruction that names the extern gets. */
export type ResolvedExtern =
  | { readonly kind: 'address'; readonly address: bigint }
  | { readonly kind: 'type'; readonly type: KernelType }
  /** weak, and nobody has it */
  | { readonly kind: 'absent' };

type Kconfig = NonNullable<ExternSpec['kconfig']>;

/** Every ksym and kfunc extern. @throws RelocationError (BPF_RELOCATION) for a strong one that is not there or has another type */
export function resolveSymbols(spec: ObjectSpec, types: KernelTypes): Map<string, ResolvedExtern> {
  const resolved = new Map<string, ResolvedExtern>();
  const untyped = spec.externs.filter((extern) => extern.kind === 'ksym' && extern.typeId === 0);
  const addresses = untyped.length > 0 ? symbolAddresses(untyped.map(({ essentialName }) => essentialName)) : new Map<string, bigint>();
  for (const extern of spec.externs) {
    if (extern.kind === 'kconfig') continue;
    const address = addresses.get(extern.essentialName);
    if (extern.kind === 'ksym' && extern.typeId === 0) {
      if (address !== undefined) resolved.set(extern.name, { kind: 'address', address });
      else if (extern.weak) resolved.set(extern.name, { kind: 'absent' });
      else throw missing(extern, `no symbol "${extern.essentialName}" in /proc/kallsyms`);
    } else {
      resolved.set(extern.name, resolveTyped(extern, spec.btf, types));
    }
  }
  return resolved;
}

function resolveTyped(extern: ExternSpec, btf: Btf | undefined, types: KernelTypes): ResolvedExtern {
  const kind = extern.kind === 'kfunc' ? 'func' : 'var';
  const what = extern.kind === 'kfunc' ? 'function' : 'variable';
  const found = types.find(extern.essentialName, [kind]);
  if (!found) {
    if (extern.weak) return { kind: 'absent' };
    throw missing(extern, `no ${what} "${extern.essentialName}" in the kernel's BTF`, didYouMean(extern.essentialName, types.names(kind, '')));
  }
  if (btf) {
    const local = parseSpec(btf, { insn: 0, typeId: typeOf(btf, extern.btfId), access: '0', kind: 'type_exists' });
    const match = matchSpec(local, found.btf, typeOf(found.btf, found.id));
    if (typeof match === 'string') throw missing(extern, `the kernel's ${what} "${extern.essentialName}" has another type than the object declares: ${match}`);
  }
  return { kind: 'type', type: found };
}

/** The type of a VAR or FUNC, without modifiers. */
function typeOf(btf: Btf, id: number): number {
  const type = btf.type(id);
  return btf.skipModifiers(type.kind === 'func' ? type.type : id);
}

function missing(extern: ExternSpec, reason: string, wayOut = ''): RelocationError {
  const out = [wayOut, 'or declare it __weak and test for it'].filter(Boolean).join(' ');
  return new RelocationError(`${reason} (${out.replace(/^or /, '')})`, { kind: `of extern "${extern.name}"` });
}

/** Values that come from the loader instead of the kernel's configuration. */
const VIRTUAL: Readonly<Record<string, () => bigint>> = {
  LINUX_KERNEL_VERSION: () => BigInt(kernelVersionCode()),
  LINUX_HAS_BPF_COOKIE: () => feature('bpfCookie') ? 1n : 0n,
  LINUX_HAS_SYSCALL_WRAPPER: () => feature('syscallWrapper') ? 1n : 0n,
};

/**
 * The contents of the `.kconfig` map.
 * @param size bytes
 * @throws RelocationError (BPF_RELOCATION) for a strong extern without a value, or a value its type cannot hold
 */
export function kconfigData(externs: readonly ExternSpec[], size: number, warn: (text: string) => void): Uint8Array {
  const data = new Uint8Array(size);
  let config: Map<string, string> | undefined;
  for (const extern of externs) {
    const place = extern.kconfig;
    if (!place) continue;
    const { name } = extern;
    const virtual = VIRTUAL[name];
    if (virtual) {
      writeNumber(data, place, virtual(), name);
      continue;
    }
    if (!name.startsWith('CONFIG_')) {
      if (extern.weak) continue;
      throw new RelocationError(`"${name}" is neither a CONFIG_ name nor one of ${Object.keys(VIRTUAL).join(', ')}`, { kind: `of extern "${name}"` });
    }
    config ??= configuration(extern);
    const text = config.get(name);
    if (text !== undefined) writeValue(data, place, text, name, warn);
    else if (!extern.weak) throw missing(extern, `the kernel's configuration does not set it`);
  }
  return data;
}

/** Weak externs can do without. */
function configuration(extern: ExternSpec): Map<string, string> {
  try {
    return readKconfig();
  } catch (error) {
    if (error instanceof UnsupportedError && extern.weak) return new Map();
    throw error;
  }
}

/** `y`, `n`, `m`; `enum libbpf_tristate` */
const TRISTATE: Readonly<Record<string, bigint>> = { n: 0n, y: 1n, m: 2n };

function writeValue(data: Uint8Array, place: Kconfig, text: string, name: string, warn: (text: string) => void): void {
  const wrong = (expected: string) => new RelocationError(`value ${text} of the kernel's configuration does not fit ${place.type}: ${expected}`, { kind: `of extern "${name}"` });
  const state = TRISTATE[text];
  if (state !== undefined) {
    if (place.type === 'bool' && text === 'm') throw wrong('declare it enum libbpf_tristate');
    if (place.type === 'char') data[place.offset] = text.charCodeAt(0);
    else if (place.type === 'bool' || place.type === 'tristate') writeNumber(data, place, state, name);
    else throw wrong('declare it bool, char or enum libbpf_tristate');
  } else if (text.startsWith('"')) {
    if (place.type !== 'char_arr') throw wrong('declare it an array of char');
    if (!text.endsWith('"') || text.length < 2) throw wrong('the closing quotation mark is missing');
    const bytes = new TextEncoder().encode(text.slice(1, -1));
    if (bytes.length > place.size - 1) warn(`extern "${name}": the string of ${bytes.length} bytes is cut to ${place.size - 1}`);
    data.set(bytes.subarray(0, place.size - 1), place.offset);
  } else {
    if (place.type !== 'int' && place.type !== 'char') throw wrong('declare it an integer');
    let value: bigint;
    try {
      value = text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
    } catch {
      throw wrong('it is no number');
    }
    writeNumber(data, place, value, name);
  }
}

function writeNumber(data: Uint8Array, { offset, size, signed }: Kconfig, value: bigint, name: string): void {
  const bits = size * 8;
  const fits = signed ? BigInt.asIntN(bits, value) === value : BigInt.asUintN(bits, value) === value;
  if (!fits) throw new RelocationError(`value ${value} does not fit in ${size} ${signed ? 'signed' : 'unsigned'} bytes`, { kind: `of extern "${name}"` });
  for (let i = 0; i < size; i++) data[offset + i] = Number(BigInt.asUintN(8, value >> BigInt(8 * i)));
}
