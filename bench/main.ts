/**
 * The benchmarks by name:
 *
 *   npm run bench -- [NAME…] [--quick] [--json] [--write]
 *
 * Without names all run. --json prints the samples, --write puts both forms into bench/results/. Some need root.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { machine, render, type Bench, type BenchOptions } from './harness.js';
import { withTracefs } from './native.js';

/** name -> what it compares, and its module */
const BENCHES: Readonly<Record<string, { readonly about: string; /** its native side wants tracefs mounted */ readonly tracefs?: true; load(): Promise<Bench> }>> = {
  btf: { about: 'the kernel\'s types against libbpf in C: reading, looking up, relocating', load: () => import('./btf.js') },
  engine: { about: 'every WebAssembly engine against V8\'s own: kernels, CoreMark, host calls, cold programs, native engines, start of a process', load: () => import('./engine.js') },
  kernel: { about: 'bpf(2) calls, map elements and ring buffer records, each against its floor', load: () => import('./kernel.js') },
  libbpf: { about: 'this project against libbpf in C: load, start, ring buffer, maps', tracefs: true, load: () => import('./libbpf.js') },
};

const FLAGS = ['--quick', '--json', '--write'];
const args = process.argv.slice(2);
const names = args.filter((arg) => !arg.startsWith('-'));
const wrong = [...names.filter((name) => !(name in BENCHES)), ...args.filter((arg) => arg.startsWith('-') && !FLAGS.includes(arg))];
if (wrong.length > 0) {
  const list = Object.entries(BENCHES).map(([name, { about }]) => `  ${name.padEnd(8)} ${about}`).join('\n');
  console.error(`no benchmark or flag called ${wrong.join(', ')}\nusage: npm run bench -- [NAME…] [${FLAGS.join('] [')}]\n${list}`);
  process.exit(2);
}

const options: BenchOptions = { quick: args.includes('--quick'), note: (text) => console.error(`… ${text}`) };
const chosen = names.length > 0 ? names : Object.keys(BENCHES);
// before anything is measured: this starts the whole run again
if (chosen.some((name) => BENCHES[name].tracefs)) withTracefs();
for (const name of chosen) {
  const report = await (await BENCHES[name].load()).run(options);
  const facts = machine(), text = render(report, facts), json = `${JSON.stringify({ ...report, machine: facts }, null, 1)}\n`;
  process.stdout.write(args.includes('--json') ? json : `${text}\n`);
  if (!args.includes('--write')) continue;
  const folder = fileURLToPath(new URL('../../bench/results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}${name}.md`, text);
  writeFileSync(`${folder}${name}.json`, json);
}
