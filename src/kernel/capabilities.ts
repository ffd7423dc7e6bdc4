/**
 * What this process may do, for the way out of an EPERM. Source: include/uapi/linux/capability.h, /proc/self/status.
 */
import { readFileSync } from 'node:fs';

const BITS = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21, CAP_SYS_RESOURCE: 24, CAP_PERFMON: 38, CAP_BPF: 39 } as const;
export type Capability = keyof typeof BITS;

/** Whether the capability is in the effective set. */
export function hasCapability(name: Capability): boolean {
  const mask = effective();
  return (mask >> BigInt(BITS[name]) & 1n) === 1n;
}

/** The wanted capabilities that this process lacks; CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON. */
export function lacking(wanted: readonly Capability[]): Capability[] {
  const admin = hasCapability('CAP_SYS_ADMIN');
  return wanted.filter((name) => !hasCapability(name) && !(admin && (name === 'CAP_BPF' || name === 'CAP_PERFMON')));
}

function effective(): bigint {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  return line ? BigInt(`0x${line[1]}`) : 0n;
}
