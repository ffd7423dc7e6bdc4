/**
 * The kernels of the lab, as Debian packages them: which suite, which packages (a regular expression, newest match wins).
 * Data only; fetch.ts brings them, boot.ts starts them.
 */
export interface Kernel {
  readonly name: string;
  readonly suite: string;
  /** exact names or /^…$/ patterns of the packages that together hold the image and its modules */
  readonly packages: readonly RegExp[];
}

export const KERNELS: readonly Kernel[] = [
  { name: '5.10', suite: 'bullseye', packages: [/^linux-image-5\.10\.0-\d+-amd64$/] },
  { name: '6.1', suite: 'bookworm', packages: [/^linux-image-6\.1\.0-\d+-amd64$/] },
  { name: '6.12', suite: 'trixie', packages: [/^linux-image-6\.12\.\d+\+deb13-amd64$/] },
];
