/**
 * Symbols of the kernel from /proc/kallsyms: `ADDRESS TYPE NAME[\t[MODULE]]`, one a line. Nothing is kept: modules come and go.
 */
import { readFileSync } from 'node:fs';
import { UnsupportedError } from '../errors.js';

const PATH = '/proc/kallsyms';

/**
 * Addresses of the given symbols; those that do not exist are missing in the answer. Of several with one name the first counts.
 * @throws UnsupportedError (UNSUPPORTED) where the kernel shows zeros instead of addresses, or has no such file
 */
export function symbolAddresses(names: Iterable<string>): Map<string, bigint> {
  return findAddresses(readSymbols(), names);
}

/** The same over a text in the file's form. */
export function findAddresses(text: Buffer, names: Iterable<string>): Map<string, bigint> {
  const found = new Map<string, bigint>();
  for (const name of names) {
    const address = addressIn(text, name);
    if (address === undefined) continue;
    // per-CPU symbols do start at 0 on x86, so a zero alone says nothing
    if (address === 0n && hidden(text)) {
      throw new UnsupportedError(`the address of kernel symbol "${name}"`, '', `${PATH} shows zeros: run as root with kernel.kptr_restrict=0 or 1, or grant CAP_SYSLOG`);
    }
    found.set(name, address);
  }
  return found;
}

/** Whether the kernel has a symbol of that name; names are visible to everybody. */
export function hasSymbol(name: string): boolean {
  return addressIn(readSymbols(), name) !== undefined;
}

export interface KernelSymbol {
  /** 0 where hidden */
  readonly address: bigint;
  /** as nm prints it: `T`, `t`, `D`… */
  readonly type: string;
  readonly name: string;
  /** undefined for the kernel proper */
  readonly module?: string;
}

/** Every symbol, in the file's order. */
export function* symbols(text: Buffer = readSymbols()): Generator<KernelSymbol> {
  for (const match of text.toString('latin1').matchAll(/^([0-9a-f]+) (\S) ([^\s]+)(?:\t\[([^\]]+)\])?$/gm)) {
    yield { address: BigInt(`0x${match[1]}`), type: match[2], name: match[3], module: match[4] };
  }
}

function readSymbols(): Buffer {
  try {
    return readFileSync(PATH);
  } catch (error) {
    throw new UnsupportedError('reading kernel symbols', '', `${PATH} cannot be read: ${(error as NodeJS.ErrnoException).code}; the kernel needs CONFIG_KALLSYMS`);
  }
}

/** The address in the first line with that name. Names hold no spaces, so ` name` begins one only there. */
function addressIn(text: Buffer, name: string): bigint | undefined {
  const wanted = Buffer.from(` ${name}`, 'latin1');
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const after = text[at + wanted.length];
    if (after !== NEWLINE && after !== TAB && after !== undefined) continue;
    const start = text.lastIndexOf(NEWLINE, at) + 1;
    const address = /^([0-9a-f]{1,16}) \S$/.exec(text.toString('latin1', start, at));
    if (address) return BigInt(`0x${address[1]}`);
  }
  return undefined;
}
const NEWLINE = 0x0a;
const TAB = 0x09;

/** Whether no symbol in the first lines has an address. */
function hidden(text: Buffer): boolean {
  return !/^0*[1-9a-f]/m.test(text.toString('latin1', 0, 8192));
}
