/**
 * The native side: compiles bench/native/*.c with gcc -O2 against Debian's libbpf-dev into build/bench/native/, and gives this
 * process a tracefs to see, which libbpf wants mounted and this project does not.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Paths of the compiled programs. @throws Error that names the Debian packages where the compiler or libbpf is missing */
export function buildNative(): { readonly worker: string; readonly execsnoop: string; readonly btf: string } {
  const folder = `${root}build/bench/native`;
  mkdirSync(folder, { recursive: true });
  const build = (name: string): string => {
    const { status, stderr, error } = spawnSync('gcc', ['-O2', '-Wall', '-Wextra', '-o', `${folder}/${name}`, `${root}bench/native/${name}.c`, '-lbpf'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`bench/native/${name}.c does not build (Debian packages: gcc libc6-dev libbpf-dev): ${error?.message ?? stderr}`);
    return `${folder}/${name}`;
  };
  return { worker: build('worker'), execsnoop: build('execsnoop'), btf: build('btf') };
}

/** The libbpf that the programs are linked with. */
export function libbpfVersion(): string {
  const { stdout } = spawnSync('pkg-config', ['--modversion', 'libbpf'], { encoding: 'utf8' });
  return stdout?.trim() || execFileSync('dpkg-query', ['-W', '-f', '${Version}', 'libbpf-dev'], { encoding: 'utf8' });
}

/**
 * Where no tracefs is mounted, runs this very command again in a mount namespace of its own that has one, and ends with its
 * status; the machine's own mounts stay as they are.
 */
export function withTracefs(): void {
  if (existsSync('/sys/kernel/tracing/events') || existsSync('/sys/kernel/debug/tracing/events')) return;
  if (process.env['BENCH_TRACEFS']) throw new Error('no tracefs, although one was mounted for this run');
  const { status, error } = spawnSync(
    'unshare', ['-m', 'sh', '-c', 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"', 'sh', process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    { stdio: 'inherit', env: { ...process.env, BENCH_TRACEFS: '1' } },
  );
  if (error) throw new Error(`cannot mount tracefs in a namespace of its own: ${error.message} (run as root)`);
  process.exit(status ?? 1);
}
