/** Which features a module needs: for the message of an engine that lacks some. Runs on the way to an error only. */
import { ProjectError } from '../errors.js';
import { FEATURES_ALL, type Feature } from './opcodes.js';
import { decodeAndValidate } from './validate.js';

/**
 * The features without which the module is refused, besides those of `features`. Empty where it is no valid
 * module with all of them either: then its own fault is the thing to tell.
 */
export function missingFeatures(bytes: Uint8Array, features: ReadonlySet<Feature>): Feature[] {
  if (!isValid(bytes, FEATURES_ALL)) return [];
  return [...FEATURES_ALL].filter((feature) => !features.has(feature) && !isValid(bytes, new Set([...FEATURES_ALL].filter((f) => f !== feature))));
}

function isValid(bytes: Uint8Array, features: ReadonlySet<Feature>): boolean {
  try {
    decodeAndValidate(bytes, features);
    return true;
  } catch (error) {
    if (error instanceof ProjectError) return false;
    throw error;
  }
}
