/**
 * What attaching gives back, and what every family is asked with. A link owns the descriptors that keep its program attached;
 * closing it detaches. No family's own rules here.
 */
import { AttachError, ProjectError, SyscallError, UnsupportedError } from '../../errors.js';
import { Errno } from '../../kernel/errno.js';
import type { Fd } from '../../kernel/fd.js';
import { kernelAtLeast } from '../../kernel/release.js';
import { TARGETS, type Section } from '../sections.js';

/** A program's attachment. */
export interface Link {
  /** `tracepoint sched:sched_process_exec` */
  readonly description: string;
  /** true after close, and after the object closed it */
  readonly closed: boolean;
  /** Iterators only: runs the program over everything and gives its text. */
  readonly read?: () => string;
  /** Detaches and closes every descriptor; more than once is harmless. */
  close(): void;
  [Symbol.dispose](): void;
}

/** One wish to attach a loaded program. */
export interface AttachRequest {
  readonly program: string;
  readonly section: Section;
  /** lent */
  readonly progFd: number;
  /** number of uapi.AttachType the program was loaded with, 0 where it has none */
  readonly attachType: number;
  /** undefined where the section name alone decides; never '' */
  readonly target: string | undefined;
  /** maps of the same object: name -> lent descriptor */
  readonly maps: ReadonlyMap<string, { readonly fd: number; readonly type: number }>;
  /** names of the raw tracepoints that the kernel's BTF describes, for messages */
  rawTracepoints(): Iterable<string>;
}

/** What a family makes of a request. @throws AttachError (BPF_ATTACH), SyscallError (SYSCALL), UnsupportedError (UNSUPPORTED) */
export type Attacher = (request: AttachRequest) => Link;

/** The usual link: some descriptors, and steps to take before they are closed. */
export class DescriptorLink implements Link {
  readonly #fds: readonly Fd[];
  readonly #undo: readonly (() => void)[];
  readonly #after: readonly (() => void)[];
  readonly read?: () => string;
  #closed = false;

  /**
   * @param fds owned from here on; closed in this order
   * @param undo run before, in order; what they throw is dropped, since the attach point may be gone already
   * @param after the same, once the descriptors are closed
   */
  constructor(readonly description: string, fds: readonly Fd[], undo: readonly (() => void)[] = [], read?: () => string, after: readonly (() => void)[] = []) {
    this.#fds = fds;
    this.#undo = undo;
    this.#after = after;
    if (read) this.read = read;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    attempt(this.#undo);
    for (const fd of this.#fds) fd.close();
    attempt(this.#after);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function attempt(steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step();
    } catch {
      // the interface, cgroup or map went away first, and the attachment with it
    }
  }
}

export function failAttach(request: AttachRequest, reason: string, wayOut = '', cause?: unknown): AttachError {
  return new AttachError(request.program, reason, wayOut, cause === undefined ? undefined : { cause });
}

/** What the target has to be: the user's, else the section's argument. @throws AttachError where there is neither */
export function targetOf(request: AttachRequest): string {
  const target = request.target ?? request.section.argument;
  if (target === '') throw needsTarget(request);
  return target;
}

/** `section "xdp" needs an interface name …` */
export function needsTarget(request: AttachRequest): AttachError {
  return failAttach(request, `section "${request.section.prefix}" needs ${TARGETS[request.section.kind].needs}`);
}

/** Runs `body`, and closes the descriptors that it had opened where it throws. */
export function holding<T>(fds: Fd[], body: () => T): T {
  try {
    return body();
  } catch (error) {
    for (const fd of fds) fd.close();
    throw error;
  }
}

/** An error of a lower layer, told as this attachment's. */
export function asAttachError(request: AttachRequest, error: unknown): unknown {
  if (!(error instanceof ProjectError) || error instanceof AttachError || error instanceof UnsupportedError) return error;
  const { prefix, since } = request.section;
  // an attach type that the kernel does not know yet
  if (error instanceof SyscallError && error.errno === Errno.EINVAL && !kernelAtLeast(since)) {
    return new UnsupportedError(`section "${prefix}" of program "${request.program}"`, since);
  }
  return failAttach(request, error.message, '', error);
}
