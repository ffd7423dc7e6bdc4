/** Which features a module needs: for the message of an engine that lacks some. Runs on the way to an error only. */
import { ProjectError } from '../errors.js';
import { FEATURES_3_0, type Feature } from './opcodes.js';
import { decodeAndValidate } from './validate.js';

/**
 * The features of WebAssembly 3.0 without which the module is refused, besides those of `features`. Empty where it is no valid
 * module of WebAssembly 3.0 either: then its own fault is the thing to tell.
 */
export function missingFeatures(bytes: Uint8Array, features: ReadonlySet<Feature>): Feature[] {
  if (!isValid(bytes, FEATURES_3_0)) return [];
  return [...FEATURES_3_0].filter((feature) => !features.has(feature) && !isValid(bytes, new Set([...FEATURES_3_0].filter((f) => f !== feature))));
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
