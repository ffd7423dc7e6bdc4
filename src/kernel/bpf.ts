/**
 * bpf(2), one function per command, names and meanings as in the kernel. Descriptors go in as numbers (lent) and come out as Fd
 * (the caller owns them).
 *
 * Every function @throws SyscallError (SYSCALL) where the kernel refuses, and UnsupportedError (UNSUPPORTED) without Linux.
 */
export * from './bpf/maps.js';
export * from './bpf/programs.js';
export * from './bpf/attach.js';
export * from './bpf/objects.js';
