/** Network interfaces by name, for the families that attach to one. */
import { UsageError } from '../../errors.js';
import { interfaceIndex } from '../../kernel/netlink.js';
import { failAttach, type AttachRequest } from './link.js';

/** @throws AttachError (BPF_ATTACH) where this network namespace has no such interface, with names that are near */
export function findInterface(request: AttachRequest, name: string): number {
  try {
    return interfaceIndex(name);
  } catch (error) {
    if (error instanceof UsageError) throw failAttach(request, error.message, '', error);
    throw error;
  }
}
