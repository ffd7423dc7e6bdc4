/**
 * Brings a lab kernel, and the programs of a processor that is not this machine's: downloads Debian packages through apt, with a
 * sources file and lists of its own, and unpacks them below the lab's cache folder. Nothing is installed; what is there already
 * costs nothing. An older copy of the newest kernel stays until its folder is removed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MACHINES, type Arch, type Kernel } from './kernels.js';

export const CACHE = process.env['LAB_CACHE'] ?? join(homedir(), '.cache', 'wasm-bpf-ts', 'lab');

/** What the lab starts on any machine, and where Debian has it. */
const TOOLS: readonly (readonly [path: string, debianPackage: string])[] = [['/bin/busybox', 'busybox-static'], ['depmod', 'kmod'], ['xz', 'xz-utils'], ['cpio', 'cpio']];

/** The Debian packages that are not installed and have to be, for kernels of these processors. */
export function missingTools(archs: readonly Arch[]): string[] {
  const all = [...TOOLS, ...archs.map((arch) => [MACHINES[arch].qemu[0], MACHINES[arch].qemuPackage] as const)];
  return [...new Set(all.filter(([tool]) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error).map(([, debianPackage]) => debianPackage))];
}

export interface Image {
  /** path of the compressed kernel */
  readonly kernel: string;
  /** folder that holds `lib/modules/RELEASE` */
  readonly root: string;
  readonly release: string;
  readonly arch: Arch;
  /** undefined: the machine's own programs do */
  readonly userland: Userland | undefined;
}

/** The programs of another processor. */
export interface Userland {
  /** holds `usr` and `node_modules` */
  readonly root: string;
  /** folder of `node` in there */
  readonly node: string;
}

/** @throws Error with apt's or npm's words where a package cannot be had */
export function fetchKernel(kernel: Kernel): Image {
  const root = once(join(CACHE, kernel.name), (folder) => {
    new Apt(folder, kernel.suite, kernel.arch).unpackNewest(kernel.packages);
    if (!existsSync(join(folder, 'lib/modules'))) {
      mkdirSync(join(folder, 'lib'), { recursive: true });
      symlinkSync('../usr/lib/modules', join(folder, 'lib/modules'));
    }
    for (const release of readdirSync(join(folder, 'lib/modules'))) {
      execFileSync('depmod', ['-b', folder, release]);
      // since 7.1 these lie with the modules, and are put where all look for them when the package is configured
      for (const file of ['vmlinuz', 'config']) {
        const shipped = join(folder, 'lib/modules', release, file);
        if (!existsSync(shipped)) continue;
        mkdirSync(join(folder, 'boot'), { recursive: true });
        copyFileSync(shipped, join(folder, 'boot', `${file}-${release}`));
      }
    }
  });
  const boot = join(root, 'boot');
  const image = readdirSync(boot).find((file) => file.startsWith('vmlinuz-'));
  if (!image) throw new Error(`no vmlinuz in ${boot}`);
  const userland = kernel.arch === process.arch ? undefined : fetchUserland(kernel.arch);
  return { kernel: join(boot, image), root, release: image.slice('vmlinuz-'.length), arch: kernel.arch, userland };
}

function fetchUserland(arch: Arch): Userland {
  const { userland } = MACHINES[arch];
  const root = once(join(CACHE, `userland-${arch}`), (folder) => {
    for (const name of ['bin', 'sbin', 'lib']) symlinkSync(`usr/${name}`, join(folder, name));
    new Apt(folder, userland.suite, arch).unpackWithDependencies(userland.debian);
    const ffi = (JSON.parse(readFileSync('node_modules/ffi-rs/package.json', 'utf8')) as { version: string }).version;
    const install = (version: string) => spawnSync('npm', [
      'install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--force', `--os=linux`, `--cpu=${arch}`, '--prefix', folder,
      `${userland.node}@${version}`, ...userland.npm.map((name) => `${name}@${ffi}`),
    ], { encoding: 'utf8', cwd: folder });
    // npm has not every release of Node: the same major one will do
    const tries = [process.versions.node, process.versions.node.split('.')[0]!].map(install);
    const last = tries.find(({ status }) => status === 0) ?? tries.at(-1)!;
    if (last.status !== 0) throw new Error(`npm install for ${arch} fails: ${last.stderr.trim()}`);
  });
  return { root, node: `node_modules/${userland.node}/bin` };
}

/** Fills a folder the first time; a run that was cut short is begun anew. Returns its path. */
function once(folder: string, fill: (folder: string) => void): string {
  if (!existsSync(join(folder, 'ready'))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    fill(folder);
    writeFileSync(join(folder, 'ready'), '');
  }
  return folder;
}

/** apt for one suite and processor, with everything it keeps inside of the folder that it unpacks to. */
class Apt {
  readonly #archive = mirror();
  readonly #work: string;
  readonly #options: readonly string[];

  constructor(readonly folder: string, readonly suite: string, arch: Arch) {
    const work = this.#work = join(folder, 'apt');
    const { debian } = MACHINES[arch];
    for (const path of ['lists/partial', 'archives/partial']) mkdirSync(join(work, path), { recursive: true });
    writeFileSync(join(work, 'sources.list'), `deb [trusted=yes] ${this.#archive} ${suite} main\n`);
    writeFileSync(join(work, 'status'), '');
    this.#options = [
      // without Error-Mode, an index that cannot be had is a warning
      'APT::Update::Error-Mode=any', `APT::Architecture=${debian}`, `APT::Architectures=${debian}`, `Dir::Etc::sourcelist=${join(work, 'sources.list')}`,
      'Dir::Etc::sourceparts=-', `Dir::State::Lists=${join(work, 'lists')}`, `Dir::State::status=${join(work, 'status')}`,
      `Dir::Cache::archives=${join(work, 'archives')}`, 'Dir::Cache::pkgcache=', 'Dir::Cache::srcpkgcache=',
    ].flatMap((option) => ['-o', option]);
    this.#run('apt-get', 'update', '-qq');
  }

  /** The newest package of each pattern, and nothing else. */
  unpackNewest(patterns: readonly RegExp[]): void {
    const all = this.#run('apt-cache', 'pkgnames').split('\n');
    for (const pattern of patterns) {
      const newest = all.filter((name) => pattern.test(name)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
      if (!newest) throw new Error(`no package ${pattern} in Debian ${this.suite} at ${this.#archive}`);
      this.#run('apt-get', 'download', '-qq', newest);
    }
    this.#unpack();
  }

  /** As on a machine where nothing is installed yet. */
  unpackWithDependencies(names: readonly string[]): void {
    this.#run('apt-get', 'install', '-qq', '--yes', '--download-only', '--no-install-recommends', ...names);
    this.#unpack();
  }

  #unpack(): void {
    const archives = join(this.#work, 'archives');
    for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) execFileSync('dpkg', ['-x', join(archives, file), this.folder]);
    rmSync(this.#work, { recursive: true });
  }

  #run(tool: string, ...args: string[]): string {
    try {
      return execFileSync(tool, [...this.#options, ...args], { cwd: join(this.#work, 'archives'), encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      const { stderr = '', message } = error as { stderr?: string; message: string };
      throw new Error(`${tool} ${args.join(' ')} fails for Debian ${this.suite} at ${this.#archive}: ${stderr.trim() || message}`, { cause: error });
    }
  }
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
