/**
 * Which kernel runs: its version as the verifier and `LINUX_KERNEL_VERSION` mean it. Distributions that keep their own number in
 * uname's release say elsewhere what they are built from: Debian in uname's version, Ubuntu in /proc/version_signature.
 */
import { existsSync, readFileSync } from 'node:fs';
import { release, version } from 'node:os';

/** uname's release: `6.12.48+deb13-amd64` */
export const kernelRelease: () => string = release;

/** `6.12.48` → 6 << 16 | 12 << 8 | 48, the patch level cut at 255 as the kernel does; a missing one is 0. Undefined for other text. */
export function versionCode(text: string): number | undefined {
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match ? Number(match[1]) << 16 | Number(match[2]) << 8 | Math.min(Number(match[3] ?? 0), 255) : undefined;
}

/** LINUX_VERSION_CODE from what uname and Ubuntu's file say; 0 where none of it is a version. */
export function codeFrom(uname: { release: string; version: string }, signature = ''): number {
  const ubuntu = /^\S+ \S+ (\d+\.\d+\.\d+)/.exec(signature)?.[1];
  const debian = /Debian (\d+\.\d+\.\d+)/.exec(uname.version)?.[1];
  return versionCode(ubuntu ?? debian ?? uname.release) ?? 0;
}

const SIGNATURE = '/proc/version_signature';
let code: number | undefined;

/** LINUX_VERSION_CODE of the running kernel. */
export function kernelVersionCode(): number {
  if (code !== undefined) return code;
  // only Ubuntu has it
  const signature = existsSync(SIGNATURE) ? readFileSync(SIGNATURE, 'latin1') : '';
  return code = codeFrom({ release: release(), version: version() }, signature);
}

/** Whether the running kernel is at least `5.11`. */
export function kernelAtLeast(wanted: string): boolean {
  const least = versionCode(wanted);
  if (least === undefined) throw new Error(`bug: "${wanted}" is no kernel version`);
  return kernelVersionCode() >= least;
}
