/**
 * `node dist/run.js probe.wasm [args…]`: the shortest way from a file to a running probe. The same as `wasm-bpf run`.
 */
import { start } from './cli/start.js';

start(__dirname, ['run', ...process.argv.slice(2)]);
