/**
 * Where the kernel describes its tracepoints. A machine without a mounted tracefs gets a detached mount of its own, which nobody
 * else sees and which ends with its descriptor (fsopen, Linux 5.2).
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { UnsupportedError, UsageError } from '../errors.js';
import { Fd } from './fd.js';
import { SYS, syscall } from './ffi/syscall.js';
import { errnoName } from './errno.js';
import { arena } from './memory.js';
import { didYouMean } from './near.js';

const MOUNTED = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'] as const;

/** include/uapi/linux/mount.h */
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;

export class Tracefs {
  /** the folder that holds `events` */
  readonly root: string;
  readonly #mount: Fd | undefined;

  private constructor(root: string, mount?: Fd) {
    this.root = root;
    this.#mount = mount;
  }

  /** The caller closes it. @throws UnsupportedError (UNSUPPORTED) where it is neither mounted nor can be */
  static open(): Tracefs {
    for (const root of MOUNTED) {
      if (existsSync(`${root}/events`)) return new Tracefs(root);
    }
    return Tracefs.detached();
  }

  /** A mount of one's own, whatever is mounted already. @throws UnsupportedError (UNSUPPORTED) */
  static detached(): Tracefs {
    const fail = (call: string, errno: number) => {
      const wayOut = errno === 1 ? 'run as root, or mount tracefs on /sys/kernel/tracing' : 'mount tracefs on /sys/kernel/tracing; the kernel needs CONFIG_TRACING';
      return new UnsupportedError(`tracefs (${call}: ${errnoName(errno)})`, '', wayOut);
    };
    const a = arena();
    const mark = a.mark();
    let context: Fd | undefined;
    try {
      const opened = syscall(SYS.fsopen, a.putString('tracefs'), FSOPEN_CLOEXEC);
      if (opened < 0) throw fail('fsopen', -opened);
      context = new Fd(opened, 'tracefs');
      const created = syscall(SYS.fsconfig, opened, FSCONFIG_CMD_CREATE, 0, 0, 0);
      if (created < 0) throw fail('fsconfig', -created);
      const mounted = syscall(SYS.fsmount, opened, FSMOUNT_CLOEXEC, 0);
      if (mounted < 0) throw fail('fsmount', -mounted);
      return new Tracefs(`/proc/self/fd/${mounted}`, new Fd(mounted, 'tracefs mount'));
    } finally {
      context?.close();
      a.reset(mark);
    }
  }

  /** The number that perf_event_open takes. @throws UsageError (USAGE) for an unknown tracepoint, with names that are near */
  tracepointId(category: string, name: string): number {
    const path = `${this.root}/events/${category}/${name}/id`;
    if (PLAIN.test(category) && PLAIN.test(name) && existsSync(path)) return Number(readFileSync(path, 'latin1'));
    throw new UsageError(this.#unknown(category, name));
  }

  #unknown(category: string, name: string): string {
    const categories = folders(`${this.root}/events`);
    const hint = (text: string) => text && ` (${text})`;
    if (categories.includes(category)) {
      return `tracepoint "${category}/${name}": category "${category}" has no such event${hint(didYouMean(name, folders(`${this.root}/events/${category}`)))}`;
    }
    const elsewhere = categories.filter((each) => PLAIN.test(name) && existsSync(`${this.root}/events/${each}/${name}`)).map((each) => `${each}/${name}`);
    const near = elsewhere.length > 0 ? `did you mean "${elsewhere[0]}"?` : didYouMean(category, categories);
    return `tracepoint "${category}/${name}": there is no category "${category}"${hint(near)}`;
  }

  /** Every tracepoint as `category/name`, sorted. */
  tracepoints(): string[] {
    return folders(`${this.root}/events`).flatMap((category) => folders(`${this.root}/events/${category}`).map((name) => `${category}/${name}`)).sort();
  }

  close(): void {
    this.#mount?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** One component of a path. */
const PLAIN = /^\w[\w.-]*$/;

function folders(path: string): string[] {
  return readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
