/**
 * Which kernel function or tracepoint a program of a `btf` section is loaded for, as a BTF id.
 * Source: bpf_check_attach_target in kernel/bpf/verifier.c, Linux 6.18.
 */
import { AttachError } from '../errors.js';
import { didYouMean } from '../kernel/near.js';
import type { BtfKind } from '../reloc/btf.js';
import { AttachType } from '../uapi.js';
import type { KernelType, KernelTypes } from './kernel-types.js';
import { TARGETS, type Section } from './sections.js';

/** What stands before the name in BTF, the kind of type it is, and what messages call it. */
const NAMING: Readonly<Record<number, readonly [prefix: string, kind: BtfKind, what: string]>> = {
  [AttachType.TRACE_RAW_TP]: ['btf_trace_', 'typedef', 'tracepoint'],
  [AttachType.TRACE_ITER]: ['bpf_iter_', 'func', 'iterator'],
  [AttachType.LSM_MAC]: ['bpf_lsm_', 'func', 'LSM hook'],
  [AttachType.LSM_CGROUP]: ['bpf_lsm_', 'func', 'LSM hook'],
};
const FUNCTION = ['', 'func', 'kernel function'] as const;

/**
 * The type behind the section's argument, `name` or `module:name`.
 * @throws AttachError (BPF_ATTACH) where the section has no argument or the kernel no such thing
 */
export function findAttachTarget(program: string, section: Section, types: KernelTypes): KernelType {
  const [prefix, kind, what] = NAMING[section.attachType ?? -1] ?? FUNCTION;
  if (section.argument === '') {
    throw new AttachError(program, `section "${section.prefix}" names no ${what}`, `write SEC("${section.prefix}/NAME")`);
  }
  const colon = section.argument.indexOf(':');
  const module = colon < 0 ? undefined : section.argument.slice(0, colon);
  const name = section.argument.slice(colon + 1);
  const found = types.find(prefix + name, [kind], module);
  if (found) return found;
  if (module !== undefined && module !== 'vmlinux' && !types.modules.some((each) => each.name === module)) {
    const modules = types.modules.map((each) => each.name);
    throw new AttachError(program, `no module "${module}" with BTF is loaded`, didYouMean(module, modules));
  }
  const where = module === undefined ? 'the running kernel' : module;
  throw new AttachError(program, `no ${what} "${name}" in the BTF of ${where}`, didYouMean(name, types.names(kind, prefix)) || TARGETS[section.kind].needs);
}
