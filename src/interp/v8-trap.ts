/** Reads V8's own errors: which trap of the specification a RuntimeError is, and the WebAssembly frames of a stack trace. */
import { Interrupted, Trap, type WasmFrame } from '../errors.js';
import { InstrReader } from './instr.js';
import type { Module } from './module.js';
import { nameOf } from './names.js';
import { FEATURES_ALL } from './opcodes.js';

/** lines of a stack trace that V8 is to keep; it keeps the innermost */
export const FRAMES = 250;
/** of them, WebAssembly's */
const TRACE_FRAMES = 200;

/** reason -> the one that V8 gives in its place, as it does not tell the two apart */
export const V8_CANNOT_TELL: ReadonlyMap<string, string> = new Map([
  ['invalid conversion to integer', 'integer overflow'],
  ['uninitialized element', 'indirect call type mismatch'],
]);

export interface Located { readonly module: Module; /** bytes from the module's start */ readonly offset: number }
/** @param id of the module, from its name in V8's traces. @param offset in the bytes that V8 has */
type Locate = (id: number, offset: number) => Located | undefined;

/** V8 11 to 13, src/common/message-template.h: how its message goes on, after the name of the API function where there is one */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^unreachable/, 'unreachable'],
  [/^memory access out of bounds/, 'out of bounds memory access'],
  [/^(divide|remainder) by zero/, 'integer divide by zero'],
  [/^divide result unrepresentable/, 'integer overflow'],
  [/^float unrepresentable in integer range/, 'integer overflow'],
  [/^table (index is|access) out of bounds/, 'out of bounds table access'],
  [/^null function or function signature mismatch/, 'indirect call type mismatch'],
  [/^operation does not support unaligned accesses/, 'unaligned atomic'],
  [/^dereferencing a null pointer/, 'null reference'],
  [/^illegal cast/, 'cast failure'],
  [/^array element access out of bounds/, 'out of bounds array access'],
  [/^data segment.* out of bounds/, 'out of bounds memory access'],
  [/^(elem\w* segment|table initializer).* out of bounds/, 'out of bounds table access'],
];
const CALL_INDIRECT = 0x11, RETURN_CALL_INDIRECT = 0x13;

/** The trap for a RuntimeError of V8. */
export function trapOf(error: Error, locate: Locate): Trap {
  const message = error.message.replace(/^WebAssembly\.\w+\(\): /, '');
  const reason = REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? message;
  if (reason === 'out of bounds table access') {
    const at = positions(error, locate, 1)[0];
    if (at && [CALL_INDIRECT, RETURN_CALL_INDIRECT].includes(opcode(at))) return new Trap('undefined element');
  }
  return new Trap(reason, reason === 'indirect call type mismatch' ? 'or a null element' : '', { cause: error });
}

export function isStackOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.startsWith('Maximum call stack');
}

/** Puts the WebAssembly frames of `source`'s stack trace on a Trap or Interrupted that has none. */
export function putFrames(error: unknown, source: unknown, locate: Locate): void {
  if (!(error instanceof Trap || error instanceof Interrupted) || error.stackFrames.length > 0 || !(source instanceof Error)) return;
  error.stackFrames = positions(source, locate, TRACE_FRAMES).map(({ module, func, offset }): WasmFrame => {
    const name = nameOf(module, func);
    return { func, ...(name === undefined ? {} : { name }), offset };
  });
}

interface Position extends Located { readonly func: number }

/** Those of the innermost call from the host, innermost first. */
function positions({ stack = '' }: Error, locate: Locate, most: number): Position[] {
  const found: Position[] = [];
  for (const line of stack.split('\n')) {
    if (found.length === most || /^\s+at enterGuest \(/.test(line)) break;
    const match = /wasm:\/\/wasm\/m(\d+)-[0-9a-f]+:wasm-function\[(\d+)\]:0x([0-9a-f]+)\)?$/.exec(line);
    const at = match && locate(Number(match[1]), parseInt(match[3], 16));
    if (at) found.push({ ...at, func: Number(match[2]) });
  }
  return found;
}

function opcode({ module, offset }: Located): number {
  const instr = new InstrReader(module.bytes, offset, module.bytes.length, FEATURES_ALL);
  instr.next();
  return instr.op;
}
