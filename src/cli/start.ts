/**
 * The start of a process: runs the bundle of all modules with the code that V8 made of it when it was built (bundle.ts). Imports
 * nothing of the project, as whatever stands here is compiled at every start. It is bundled as CommonJS itself, which node gets
 * going sooner than a module.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';

/** What the bundle exports: main.ts, and index.ts for those who import the package. */
export type Bundle = Pick<typeof import('./main.js'), 'main' | 'end'> & { readonly api: object };

/** Where things are below the folder of what is built. V8 takes another processor's cache for its own, and crashes: each has its file. */
export const BUNDLE = 'bundle.js', CACHE = `bundle.${process.arch}.cache`, MODULES = 'es';

/** Runs a command line to its end, and ends the process. @param dist the folder of what is built */
export function start(dist: string, args: readonly string[]): void {
  // who measures which lines run wants to see the modules
  if (process.env['NODE_V8_COVERAGE'] !== undefined) {
    void import(pathToFileURL(`${dist}/${MODULES}/cli/main.js`).href).then(({ end }: Pick<Bundle, 'end'>) => end(args));
    return;
  }
  void load(dist, require).bundle.end(args);
}

/** The bundle, and its script. V8 checks that the cache is of this source, of its own version and flags, and whole; else it compiles. */
export function load(dist: string, require: NodeJS.Require): { readonly bundle: Bundle; readonly script: Script } {
  const filename = `${dist}/${BUNDLE}`;
  const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: cached(`${dist}/${CACHE}`) });
  const module = { exports: {} as Bundle };
  (script.runInThisContext() as (load: NodeJS.Require, module: object, url: string) => void)(require, module, pathToFileURL(`${dist}/${MODULES}/cli/main.js`).href);
  return { bundle: module.exports, script };
}

function cached(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    // slower, and as good
    return undefined;
  }
}
