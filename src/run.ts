/**
 * `node dist/run.js probe.wasm [args…]`: the shortest way from a file to a running probe. The same as `wasm-bpf run`.
 */
import { fail } from './cli/main.js';
import { run } from './cli/run.js';
import { exitNow } from './kernel/exit.js';

let status: number;
try {
  status = await run.run(process.argv.slice(2));
} catch (error) {
  status = fail(error);
}
exitNow(status);
