/**
 * The numbers of WASI preview 1: every function with its signature, errno values, file types, flags, rights, struct sizes.
 * Data only. Source: WASI 0.1, witx/wasi_snapshot_preview1.witx and typenames.witx.
 */

/** Two module names carry these functions; the older one numbers `whence` differently and lays out two structs differently. */
export const WASI_MODULES = ['wasi_snapshot_preview1', 'wasi_unstable'] as const;
export type WasiModule = (typeof WASI_MODULES)[number];

/**
 * name -> parameters: `i` is a 32-bit number (descriptor, pointer, size, flags; read as unsigned), `I` a 64-bit one. Every
 * function returns an errno as i32, except proc_exit, which returns nothing.
 */
export const WASI_FUNCTIONS = {
  args_get: 'ii',
  args_sizes_get: 'ii',
  environ_get: 'ii',
  environ_sizes_get: 'ii',
  clock_res_get: 'ii',
  clock_time_get: 'iIi',
  fd_advise: 'iIIi',
  fd_allocate: 'iII',
  fd_close: 'i',
  fd_datasync: 'i',
  fd_fdstat_get: 'ii',
  fd_fdstat_set_flags: 'ii',
  fd_fdstat_set_rights: 'iII',
  fd_filestat_get: 'ii',
  fd_filestat_set_size: 'iI',
  fd_filestat_set_times: 'iIIi',
  fd_pread: 'iiiIi',
  fd_prestat_get: 'ii',
  fd_prestat_dir_name: 'iii',
  fd_pwrite: 'iiiIi',
  fd_read: 'iiii',
  fd_readdir: 'iiiIi',
  fd_renumber: 'ii',
  fd_seek: 'iIii',
  fd_sync: 'i',
  fd_tell: 'ii',
  fd_write: 'iiii',
  path_create_directory: 'iii',
  path_filestat_get: 'iiiii',
  path_filestat_set_times: 'iiiiIIi',
  path_link: 'iiiiiii',
  path_open: 'iiiiiIIii',
  path_readlink: 'iiiiii',
  path_remove_directory: 'iii',
  path_rename: 'iiiiii',
  path_symlink: 'iiiii',
  path_unlink_file: 'iii',
  poll_oneoff: 'iiii',
  proc_exit: 'i',
  proc_raise: 'i',
  random_get: 'ii',
  sched_yield: '',
  sock_accept: 'iii',
  sock_recv: 'iiiiii',
  sock_send: 'iiiii',
  sock_shutdown: 'ii',
} as const;
export type WasiFunction = keyof typeof WASI_FUNCTIONS;

/** `errno` of typenames.witx: WASI's own numbers, not those of Linux. */
export const Errno = {
  SUCCESS: 0, '2BIG': 1, ACCES: 2, AGAIN: 6, BADF: 8, BUSY: 10, DQUOT: 19, EXIST: 20, FAULT: 21, FBIG: 22, ILSEQ: 25,
  INTR: 27, INVAL: 28, IO: 29, ISDIR: 31, LOOP: 32, MFILE: 33, MLINK: 34, NAMETOOLONG: 37, NFILE: 41, NODEV: 43, NOENT: 44,
  NOLCK: 46, NOMEM: 48, NOSPC: 51, NOSYS: 52, NOTDIR: 54, NOTEMPTY: 55, NOTSUP: 58, NXIO: 60, OVERFLOW: 61, PERM: 63,
  PIPE: 64, RANGE: 68, ROFS: 69, SPIPE: 70, STALE: 72, TXTBSY: 74, XDEV: 75, NOTCAPABLE: 76,
} as const;
export type ErrnoName = keyof typeof Errno;

export const FileType = {
  UNKNOWN: 0, BLOCK_DEVICE: 1, CHARACTER_DEVICE: 2, DIRECTORY: 3, REGULAR_FILE: 4, SOCKET_DGRAM: 5, SOCKET_STREAM: 6, SYMBOLIC_LINK: 7,
} as const;

export const FdFlag = { APPEND: 1, DSYNC: 2, NONBLOCK: 4, RSYNC: 8, SYNC: 16 } as const;
export const OFlag = { CREAT: 1, DIRECTORY: 2, EXCL: 4, TRUNC: 8 } as const;
export const LookupFlag = { SYMLINK_FOLLOW: 1 } as const;
export const TimeFlag = { ATIM: 1, ATIM_NOW: 2, MTIM: 4, MTIM_NOW: 8 } as const;
export const Whence = { SET: 0, CUR: 1, END: 2 } as const;
export const ClockId = { REALTIME: 0, MONOTONIC: 1, PROCESS_CPUTIME: 2, THREAD_CPUTIME: 3 } as const;
export const EventType = { CLOCK: 0, FD_READ: 1, FD_WRITE: 2 } as const;
/** subscription_clock.flags: the timeout is a point in time, not a duration */
export const ABSTIME = 1;

/** The rights that mean something here; all others are granted and not looked at. */
export const Right = { FD_READ: 1n << 1n, FD_SEEK: 1n << 2n, FD_TELL: 1n << 5n, FD_WRITE: 1n << 6n } as const;
/** bits 0 … 29 */
export const ALL_RIGHTS = (1n << 30n) - 1n;

/** Sizes of the structs, in bytes. */
export const Size = { iovec: 8, fdstat: 24, filestat: 64, prestat: 8, dirent: 24, subscription: 48, event: 32 } as const;
