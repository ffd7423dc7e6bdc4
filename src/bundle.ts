/**
 * Builds what starts fast, of the modules that tsc has written to dist/es: dist/run.js and dist/cli/main.js, which start it;
 * dist/index.mjs, the API for those who import the package; dist/bundle.js, all modules of both in one script;
 * dist/bundle.ARCH.cache, the code that V8 makes of what a run needs of it.
 * Part of the build only; needs esbuild.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions } from 'esbuild';
import { BUNDLE, CACHE, load, MODULES } from './cli/start.js';

const dist = fileURLToPath(new URL('..', import.meta.url));
const modules = `${dist}${MODULES}/`, bundle = `${dist}${BUNDLE}`, cache = `${dist}${CACHE}`;
const PROBE = fileURLToPath(new URL('../../fixtures/execsnoop.wasm', import.meta.url));

const COMMON = {
  bundle: true, platform: 'node', format: 'cjs', target: 'node20', charset: 'ascii', legalComments: 'none', logLevel: 'warning',
  // half the bytes to read; names stay, and lines that a stack can point at
  minifyWhitespace: true, minifySyntax: true, lineLimit: 160,
} as const satisfies BuildOptions;

/** What the bundle exports: the command, the API, and what `warm` calls by itself. */
const ENTRY = `
  export { main, end } from './cli/main.js';
  export * as api from './index.js';
  export { attachProgram } from './loader/attach/index.js';
  export { parseSection } from './loader/sections.js';
`;

/** Names of a module stand in its text, so the build writes them there. */
const API_START = `import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
const require = createRequire(import.meta.url);
const { load } = require('./cli/start.js');
`;

async function make(): Promise<void> {
  writeFileSync(`${dist}package.json`, '{ "type": "commonjs" }\n');
  writeFileSync(`${modules}package.json`, '{ "type": "module" }\n');
  await build({ ...COMMON, entryPoints: { run: `${modules}run.js`, 'cli/main': `${modules}cli/bin.js`, 'cli/start': `${modules}cli/start.js` }, outdir: dist });
  const names = Object.keys(await import('./index.js')).join(', ');
  writeFileSync(`${dist}index.mjs`, `${API_START}export const { ${names} } = load(dirname(fileURLToPath(import.meta.url)), require).bundle.api;\n`);
  const { outputFiles: [{ contents }] } = await build({
    ...COMMON, stdin: { contents: ENTRY, resolveDir: modules }, write: false,
    // a script has nobody to ask for modules: what stays outside is required
    supported: { 'dynamic-import': false }, external: ['ffi-rs', '@yuuang/*'],
    // all modules are taken to lie where main.ts does
    define: { 'import.meta.url': 'moduleUrl' }, banner: { js: '(function (require, module, moduleUrl) {' }, footer: { js: '})' },
  });
  if (existsSync(bundle) && readFileSync(bundle).equals(contents) && load(dist, require).script.cachedDataRejected === false) return;
  // V8 tells one source from another by its length only, so never is there a cache of another bundle
  rmSync(cache, { force: true });
  writeFileSync(bundle, contents);
  // a process as users start it, without what may hang on this one
  const { stderr } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), WARM], { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NODE_OPTIONS: undefined, NODE_V8_COVERAGE: undefined } });
  if (!existsSync(cache)) throw new Error(`${cache} was not made: ${stderr}`);
}

const WARM = 'warm';
const require = createRequire(import.meta.url);

/** Runs a probe so that V8 compiles what a run needs, and keeps the code. */
async function warm(): Promise<void> {
  const { bundle, script } = load(dist, require);
  const folder = mkdtempSync(join(tmpdir(), 'wasm-bpf-ts-'));
  try {
    writeFileSync(join(folder, 'probe.wasm'), unlicensed(readFileSync(PROBE)));
    await bundle.main(['run', join(folder, 'probe.wasm')]);
    attach(bundle as typeof bundle & Attaching);
  } finally {
    rmSync(folder, { recursive: true });
  }
  writeFileSync(`${cache}.new`, script.createCachedData());
  renameSync(`${cache}.new`, cache);
}

type Attaching = Pick<typeof import('./loader/attach/index.js'), 'attachProgram'> & Pick<typeof import('./loader/sections.js'), 'parseSection'>;

/** Attaches what is no program, which the kernel finds out at the last step. */
function attach({ attachProgram, parseSection }: Attaching): void {
  try {
    attachProgram({
      program: 'none', section: parseSection('tracepoint/sched/sched_process_exec')!, progFd: 0, attachType: 0, target: undefined, maps: new Map(), rawTracepoints: () => [],
    });
  } catch {
    // as it should be
  }
}

/** Whoever builds does not want a probe in the kernel: without its licence it is refused there, at the last step before attaching. */
function unlicensed(probe: Buffer): Buffer {
  const at = probe.indexOf('GPL\0', 'latin1');
  if (at < 0) throw new Error(`bug: ${PROBE} has no licence`);
  return Buffer.concat([probe.subarray(0, at), Buffer.from('XXX'), probe.subarray(at + 3)]);
}

if (process.argv[2] === WARM) await warm();
else await make();
