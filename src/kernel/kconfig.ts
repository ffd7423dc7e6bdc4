/**
 * The running kernel's build configuration, for `__kconfig` externs. Values stay as written (`y`, `m`, `"text"`, `0x10`);
 * giving them types is the caller's.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { UnsupportedError } from '../errors.js';
import { kernelRelease } from './release.js';

/** `CONFIG_HZ=250` lines → name and value; comments (`# CONFIG_X is not set`) are left out. */
export function parseKconfig(text: string): Map<string, string> {
  const config = new Map<string, string>();
  for (const match of text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)) config.set(match[1], match[2].trimEnd());
  return config;
}

/** Reads /boot/config-RELEASE, else /proc/config.gz. @throws UnsupportedError (UNSUPPORTED) where there is neither */
export function readKconfig(): Map<string, string> {
  const places = [`/boot/config-${kernelRelease()}`, '/proc/config.gz'];
  for (const place of places) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(place);
    } catch {
      continue;
    }
    const gzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return parseKconfig((gzip ? gunzipSync(bytes) : bytes).toString('latin1'));
  }
  throw new UnsupportedError('reading the kernel configuration', '', `neither ${places.join(' nor ')} can be read; the kernel needs CONFIG_IKCONFIG_PROC`);
}
