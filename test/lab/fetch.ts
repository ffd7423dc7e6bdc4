/**
 * Brings a lab kernel: downloads its Debian packages through apt, with a sources file and lists of its own, and unpacks them
 * below the lab's cache folder. Nothing is installed; a kernel that is there already costs nothing.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Kernel } from './kernels.js';

export const CACHE = process.env['LAB_CACHE'] ?? join(homedir(), '.cache', 'wasm-bpf-ts', 'lab');

/** What the lab starts, and where Debian has it. */
const TOOLS: readonly (readonly [path: string, debianPackage: string])[] = [
  ['qemu-system-x86_64', 'qemu-system-x86'], ['/bin/busybox', 'busybox-static'], ['depmod', 'kmod'], ['xz', 'xz-utils'], ['cpio', 'cpio'],
];

/** The Debian packages that are not installed and have to be. */
export function missingTools(): string[] {
  return TOOLS.filter(([tool]) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error).map(([, debianPackage]) => debianPackage);
}

export interface Image {
  /** path of the bzImage */
  readonly kernel: string;
  /** folder that holds `lib/modules/RELEASE` */
  readonly root: string;
  readonly release: string;
}

/** @throws Error with apt's words where a package cannot be had */
export function fetchKernel(kernel: Kernel): Image {
  const root = join(CACHE, kernel.name);
  if (!existsSync(join(root, 'ready'))) {
    rmSync(root, { recursive: true, force: true });
    download(kernel, root);
    writeFileSync(join(root, 'ready'), '');
  }
  const boot = join(root, 'boot');
  const image = readdirSync(boot).find((file) => file.startsWith('vmlinuz-'));
  if (!image) throw new Error(`no vmlinuz in ${boot}`);
  return { kernel: join(boot, image), root, release: image.slice('vmlinuz-'.length) };
}

function download(kernel: Kernel, root: string): void {
  const lists = join(root, 'lists');
  mkdirSync(join(lists, 'partial'), { recursive: true });
  const sources = join(root, 'sources.list');
  const archive = mirror();
  writeFileSync(sources, `deb [trusted=yes] ${archive} ${kernel.suite} main\n`);
  // without Error-Mode, an index that cannot be had is a warning
  const options = ['-o', 'APT::Update::Error-Mode=any', '-o', `Dir::Etc::sourcelist=${sources}`, '-o', 'Dir::Etc::sourceparts=-', '-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache::pkgcache=`, '-o', 'Dir::Cache::srcpkgcache='];
  const apt = (tool: string, ...args: string[]): string => {
    try {
      return execFileSync(tool, [...options, ...args], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      const { stderr = '', message } = error as { stderr?: string; message: string };
      throw new Error(`${tool} ${args.join(' ')} fails for Debian ${kernel.suite} at ${archive}: ${stderr.trim() || message}`, { cause: error });
    }
  };
  apt('apt-get', 'update', '-qq');
  const all = apt('apt-cache', 'pkgnames').split('\n');
  for (const pattern of kernel.packages) {
    const names = all.filter((name) => pattern.test(name)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    const newest = names.at(-1);
    if (!newest) throw new Error(`no package ${pattern} in Debian ${kernel.suite} at ${archive}`);
    apt('apt-get', 'download', '-qq', newest);
  }
  for (const file of readdirSync(root).filter((name) => name.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', file, '.'], { cwd: root });
    rmSync(join(root, file));
  }
  if (!existsSync(join(root, 'lib/modules'))) {
    mkdirSync(join(root, 'lib'), { recursive: true });
    execFileSync('ln', ['-s', '../usr/lib/modules', 'lib/modules'], { cwd: root });
  }
  rmSync(lists, { recursive: true, force: true });
  const modules = join(root, 'lib/modules');
  for (const release of readdirSync(modules)) execFileSync('depmod', ['-b', root, release]);
}

/** The archive this machine itself installs from. */
function mirror(): string {
  const places = ['/etc/apt/sources.list', ...readdirSync('/etc/apt/sources.list.d').map((file) => `/etc/apt/sources.list.d/${file}`)];
  for (const place of places.filter((file) => existsSync(file))) {
    const found = /^(?:URIs:|deb(?: \[[^\]]*\])?)\s+(https?:\S+\/debian)\/?(?:\s|$)/m.exec(readFileSync(place, 'utf8'));
    if (found) return found[1]!;
  }
  throw new Error('no Debian archive in /etc/apt: the lab needs one');
}
