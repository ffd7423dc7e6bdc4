/**
 * What kernel tests share: what they may need of the machine, and the count of descriptors that shows a leak.
 */
import { readdirSync } from 'node:fs';
import { hasCapability } from '#src/kernel/capabilities.js';
import { onlineCpus } from '#src/kernel/cpus.js';
import { FEATURES, feature, type FeatureName } from '#src/kernel/features.js';
import { kernelAtLeast } from '#src/kernel/release.js';
import { raiseMemlock } from '#src/kernel/rlimit.js';
import { assert, type Need } from './suite.js';

// kernels before 5.11 count what the tests make
if (hasCapability('CAP_SYS_RESOURCE')) raiseMemlock();

/** The running kernel has that feature; a skip is legal only where it is older. */
export function needsFeature(name: FeatureName): Need {
  const { name: words, since } = FEATURES[name];
  let missing: string | undefined;
  try {
    missing = feature(name) ? undefined : `the kernel lacks it, needs Linux ${since} or later`;
  } catch (error) {
    missing = (error as Error).message;
  }
  return { name: words, missing, older: kernelAtLeast(since) ? undefined : since };
}

/** The running kernel is that new: for what no probe exists. */
export function needsLinux(since: string, name: string): Need {
  if (kernelAtLeast(since)) return { name, missing: undefined };
  return { name, missing: `the kernel lacks it, needs Linux ${since} or later`, older: since };
}

/** Numbers of this process's open descriptors. */
export function descriptors(): string[] {
  // readdir's own descriptor comes and goes with the listing
  return readdirSync('/proc/self/fd').sort();
}

/** Asserts that `run` leaves as many descriptors as it found. */
export function keepsDescriptors(run: () => void): void {
  const before = descriptors().length;
  run();
  assert.is(descriptors().length, before, 'descriptors leak');
}

export const u32Bytes = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
export const u64Bytes = (...values: bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(values).buffer);

/** Tests that spread work over processors. */
export const needsTwoCpus: Need = { name: 'two processors', missing: onlineCpus().length >= 2 && onlineCpus()[1] === 1 ? undefined : `there are ${onlineCpus().join(', ')}` };
