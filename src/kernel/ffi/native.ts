/**
 * The one door to native code: libc functions through ffi-rs's native binding, called in its cheapest shape (one parameter
 * object per signature, reused; integers only). Loaded on first use, so that importing this file costs nothing and works
 * everywhere. Knows no system call; that is syscall.ts.
 *
 * Integers cross as JS numbers: every address of user space is below 2^47 and every length below 2^53, so none is lost.
 */
import { createRequire } from 'node:module';
import { UnsupportedError } from '../../errors.js';

/** What is used of the binding. ffi-rs's own wrapper adds conversions per call and a slow start; its platform package has neither. */
interface Binding {
  readonly DataType: Readonly<Record<'I32' | 'I64' | 'U8Array' | 'External', number>>;
  readonly FFITypeTag: { readonly Array: number };
  open(library: { library: string; path: string }): void;
  load(call: Call): unknown;
  createExternalBuffer(pointer: unknown, length: number): Buffer;
}

interface Call {
  readonly library: string;
  readonly funcName: string;
  readonly retType: number;
  readonly paramsType: unknown[];
  readonly paramsValue: unknown[];
  readonly errno: boolean;
  readonly runInNewThread: boolean;
  readonly freeResultMemory: boolean;
}

const LIBRARY = 'process';
let binding: Binding | undefined;

/** The binding, loaded once. @throws UnsupportedError (UNSUPPORTED) on another operating system, processor or C library */
function native(): Binding {
  return binding ??= loadBinding();
}

function loadBinding(): Binding {
  const { platform, arch } = process;
  const here = `system calls on ${platform} ${arch}`;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    throw new UnsupportedError(here, '', 'BPF needs Linux on x64 or arm64; inspect and the engine work everywhere');
  }
  const require = createRequire(import.meta.url);
  const causes: string[] = [];
  // npm installs the package of this machine's C library only, beside ffi-rs or, in strict layouts, below it
  const from = [() => require, () => createRequire(require.resolve('ffi-rs'))];
  for (const resolver of from) {
    for (const libc of ['gnu', 'musl']) {
      try {
        return opened(resolver()(`@yuuang/ffi-rs-linux-${arch}-${libc}`) as Binding);
      } catch (error) {
        causes.push(error instanceof Error ? error.message.split('\n')[0]! : String(error));
      }
    }
  }
  throw new UnsupportedError(here, '', `ffi-rs has no native binding here: ${causes[0]}; reinstall with npm ci`);
}

function opened(found: Binding): Binding {
  // the empty path is the process itself: its C library is there, whatever its file is called
  found.open({ library: LIBRARY, path: '' });
  return found;
}

function call(funcName: string, retType: number, paramsType: unknown[], paramsValue: unknown[]): Call {
  return { library: LIBRARY, funcName, retType, paramsType, paramsValue, errno: false, runInNewThread: false, freeResultMemory: false };
}

/** One reused call per number of arguments. The values are set and used without giving way to other code, so nesting is safe. */
const syscalls: Call[] = [];

/** libc's syscall(2) wrapper: the raw result, −1 on failure with errno behind `errnoView`. */
export function libcSyscall(nr: number, args: readonly number[]): number {
  const { load, DataType: { I64 } } = native();
  const shape = syscalls[args.length] ??= call('syscall', I64, new Array(args.length + 1).fill(I64), new Array(args.length + 1).fill(0));
  const values = shape.paramsValue;
  values[0] = nr;
  for (let i = 0; i < args.length; i++) values[i + 1] = args[i];
  return load(shape) as number;
}

let errno: Int32Array | undefined;

/** The calling thread's errno, as a view of the C library's own variable: to be read right after a failing call. */
export function errnoView(): Int32Array {
  if (errno) return errno;
  const { load, DataType, createExternalBuffer } = native();
  const buffer = createExternalBuffer(load(call('__errno_location', DataType.External, [], [])), 4);
  return errno = new Int32Array(buffer.buffer, buffer.byteOffset, 1);
}

/** Bytes per page of this machine. */
export function pageSize(): number {
  return page ||= native().load(call('getpagesize', native().DataType.I32, [], [])) as number;
}
let page = 0;

/**
 * A view of `length` bytes of native memory at `address`; the view does not keep the memory alive.
 * Leaks about 84 bytes a call (the pointer's wrapper), so it is for mappings, not for hot paths.
 */
export function viewOf(address: number, length: number): Uint8Array<ArrayBuffer> {
  const { load, DataType: { External, I64 }, createExternalBuffer } = native();
  // memmove(x, x, 0) gives back x: the number comes out as a pointer
  const buffer = createExternalBuffer(load(call('memmove', External, [I64, I64, I64], [address, address, 0])), length);
  return new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, length);
}

/**
 * The address of a typed array's first byte. V8 does not move the memory behind an ArrayBuffer, so the address holds as long
 * as the caller keeps the array reachable. About as dear as a system call: copying a few KiB is cheaper.
 */
export function addressOf(bytes: Uint8Array): number {
  const { load, DataType: { U8Array, I64 }, FFITypeTag } = native();
  const pointer = { ffiTypeTag: FFITypeTag.Array, type: U8Array, length: bytes.length };
  return load(call('memmove', I64, [pointer, pointer, I64], [bytes, bytes, 0])) as number;
}
