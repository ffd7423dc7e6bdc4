/**
 * A guest as a user starts it: `node dist/run.js fixtures/NAME.wasm …` in a process of its own, with its output line by line.
 * Also the little world that probes look at: a pair of network interfaces in a namespace, and what tests may lack for it.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Need } from './suite.js';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const fixture = (name: string): string => `${root}fixtures/${name}`;
const RUN = `${root}dist/run.js`;

/** No step of a test takes longer, in ms; an emulated kernel on a loaded machine needs this patience. */
const PATIENCE = 60_000;

export interface Ending { readonly status: number | null; readonly signal: NodeJS.Signals | null; readonly out: string; readonly err: string }

export class Probe {
  readonly #child: ChildProcess;
  readonly #done: Promise<Ending>;
  #out = '';
  #err = '';
  #changed = (): void => {};

  /**
   * @param module a path, after options of `run` where there are any. @param within words before `node`: `nsenter`, `setpriv`
   * @param plain as users have it, without the coverage that a test run may collect: that takes its time at the end
   */
  constructor(module: string | readonly string[], args: readonly string[] = [], within: readonly string[] = [], plain = false) {
    const [command, ...rest] = [...within, process.execPath, RUN, ...[module].flat(), ...args];
    this.#child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: plain ? { ...process.env, NODE_V8_COVERAGE: undefined } : process.env });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => { this.#out += text; this.#changed(); });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => { this.#err += text; });
    this.#done = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (status, signal) => {
        resolve({ status, signal, out: this.#out, err: this.#err });
        this.#changed();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The first line that matches, also of those already out. @throws Error when the probe ends or is silent for too long */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const complete = this.#out.slice(0, this.#out.lastIndexOf('\n') + 1);
      for (const line of complete.split('\n')) {
        const match = pattern.exec(line);
        if (match) return match;
      }
      const why = this.#child.exitCode !== null || this.#child.signalCode !== null ? 'the probe has ended' : Date.now() > end ? 'nothing came' : '';
      if (why) throw new Error(`no line like ${String(pattern)}: ${why}\n--- output\n${this.#out}--- errors\n${this.#err}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#changed = () => { clearTimeout(timer); resolve(); };
      });
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until the process is gone. */
  async ending(): Promise<Ending> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE);
    try {
      return await this.#done;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ids of the programs, maps and links that the process holds descriptors of. */
  kernelObjects(): { readonly prog: Set<number>; readonly map: Set<number>; readonly link: Set<number> } {
    const found = { prog: new Set<number>(), map: new Set<number>(), link: new Set<number>() };
    for (const fd of readdirSync(`/proc/${this.pid}/fdinfo`)) {
      const text = readFileSync(`/proc/${this.pid}/fdinfo/${fd}`, 'utf8');
      for (const kind of ['prog', 'map', 'link'] as const) {
        const id = new RegExp(`^${kind}_id:\\s*(\\d+)`, 'm').exec(text);
        if (id) found[kind].add(Number(id[1]));
      }
    }
    return found;
  }
}

/** Starts a probe, lets `watch` look at it, and makes sure that it is gone afterwards. */
export async function withProbe<T>(name: string, args: readonly string[], watch: (probe: Probe) => Promise<T>, within: readonly string[] = [], options: readonly string[] = []): Promise<T> {
  const probe = new Probe([...options, fixture(`${name}.wasm`)], args, within);
  try {
    return await watch(probe);
  } finally {
    probe.kill('SIGKILL');
    await probe.ending();
  }
}

/** Two interfaces joined by a cable: `outside` (with `address`) here, `inside` (with `peer`) in a namespace of its own. */
export interface Cable { readonly namespace: string; readonly outside: string; readonly inside: string; readonly address: string; readonly peer: string; readonly within: readonly string[] }

/** No packet crosses the cable but those that the test sends: no IPv6, no address resolution. */
export async function withCable(use: (cable: Cable) => Promise<void>): Promise<void> {
  const id = process.pid, octet = id % 250, namespace = `wasm-bpf-${id}`, outside = `wbo${id}`, inside = `wbi${id}`;
  const address = `10.213.${octet}.1`, peer = `10.213.${octet}.2`, mac = ['02:00:00:00:00:01', '02:00:00:00:00:02'];
  const within = ['nsenter', `--net=/run/netns/${namespace}`];
  const ip = (...words: string[]) => execFileSync('ip', words, { stdio: 'pipe' });
  const ipInside = (...words: string[]) => ip('-n', namespace, ...words);
  ip('netns', 'add', namespace);
  try {
    ip('link', 'add', outside, 'address', mac[0], 'type', 'veth', 'peer', 'name', inside, 'address', mac[1], 'netns', namespace);
    ip('link', 'set', outside, 'addrgenmode', 'none');
    ipInside('link', 'set', inside, 'addrgenmode', 'none');
    ip('address', 'add', `${address}/24`, 'dev', outside);
    ipInside('address', 'add', `${peer}/24`, 'dev', inside);
    ipInside('link', 'set', inside, 'up');
    ip('link', 'set', outside, 'up');
    ip('neigh', 'replace', peer, 'lladdr', mac[1], 'dev', outside);
    ipInside('neigh', 'replace', address, 'lladdr', mac[0], 'dev', inside);
    await use({ namespace, outside, inside, address, peer, within });
  } finally {
    // a namespace goes some time after its name does, and the cable with it: the next one may want the same names at once
    spawnSync('ip', ['link', 'delete', outside], { stdio: 'ignore' });
    ip('netns', 'delete', namespace);
  }
}

/** A program that can be started. */
export function needsCommand(command: string, debianPackage: string): Need {
  const { error } = spawnSync(command, ['--version'], { stdio: 'ignore' });
  return { name: command, missing: error ? `not installed (Debian package ${debianPackage})` : undefined };
}

export const needsRoot: Need = { name: 'root', missing: process.getuid?.() === 0 ? undefined : 'loads BPF programs' };
export const needsVeth: Need = { name: 'veth', missing: whyNoVeth() };

function whyNoVeth(): string | undefined {
  if (needsRoot.missing) return needsRoot.missing;
  const name = `wbt${process.pid}`;
  const { status, stderr, error } = spawnSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`], { encoding: 'utf8' });
  if (status !== 0) return error?.message ?? `this kernel makes no such interface: ${stderr.trim()}`;
  execFileSync('ip', ['link', 'delete', name]);
  return undefined;
}

/** Sends so many datagrams of so many bytes to a port where nobody listens. */
export async function send(to: string, port: number, count: number, bytes: number): Promise<void> {
  const socket = createSocket('udp4');
  // a refused datagram is not what the test is about
  socket.on('error', () => {});
  for (let i = 0; i < count; i++) await new Promise((resolve) => socket.send(Buffer.alloc(bytes), port, to, resolve));
  await new Promise<void>((resolve) => socket.close(resolve));
}
