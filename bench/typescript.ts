/**
 * This project's TypeScript API as a worker of the benchmarks: the commands and answers of bench/native/worker.c, on the same
 * objects, without a guest.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import type { BpfMap } from '#src/kernel/map.js';
import type { RingBuffer } from '#src/kernel/ring-buffer.js';
import { BpfObject } from 'wasm-bpf-ts';

const now = (): number => Number(process.hrtime.bigint());
const word = (name: string, count: number, ns: number): string => `${name}=${count}:${Math.round(ns)}`;

const key = new Uint8Array(4), keyView = new DataView(key.buffer), next = new Uint8Array(4);
const value = new Uint8Array(8), valueView = new DataView(value.buffer);

let object: BpfObject | undefined, ring: RingBuffer | undefined;
let expected = 0;

function loadFile(file: string): BpfObject {
  return BpfObject.load(readFileSync(file), { name: basename(file, '.bpf.o') });
}

function mapOf(loaded: BpfObject, name: string): BpfMap {
  const map = loaded.maps.get(name);
  if (!map) throw new Error(`the object has no map "${name}"`);
  return map;
}

/** The links end with the process. */
function load(file: string): string {
  const start = now();
  loadFile(file).attachAll();
  return word('load', 1, now() - start);
}

/** Opens, loads and releases one object after the other; those that do not load are not counted. */
function series(list: string): string {
  const files = readFileSync(list, 'utf8').trim().split('\n');
  let loaded = 0;
  const start = now();
  for (const file of files) {
    try {
      loadFile(file).close();
      loaded++;
    } catch {
      // the count tells
    }
  }
  return [word('series', 1, now() - start), word('loaded', 1, loaded), word('peak', 1, process.resourceUsage().maxRSS)].join(' ');
}

async function open(file: string): Promise<string> {
  const { RingBuffer } = await import('#src/kernel/ring-buffer.js');
  object = loadFile(file);
  object.attach('fill');
  ring = new RingBuffer(mapOf(object, 'ring'));
  expected = 0;
  return word('open', 1, 0);
}

function close(): string {
  ring?.close();
  object?.close();
  return word('close', 1, 0);
}

/** Asks for events and lets bpf(2) calls make them: `struct control` of fixtures/bench.h. Returns how many came to be. */
function fill(loaded: BpfObject): number {
  const map = mapOf(loaded, 'control'), slot = new Uint8Array(4), control = new Uint8Array(16), view = new DataView(control.buffer);
  map.lookup(slot, control);
  const before = view.getBigUint64(8, true);
  view.setBigInt64(0, -1n, true);
  map.update(slot, control);
  do map.lookup(slot, control); while (view.getBigUint64(0, true) !== 0n);
  return Number(view.getBigUint64(8, true) - before);
}

function drain(): string {
  if (!object || !ring) throw new Error('drain before open');
  const count = fill(object), words = new Int32Array(ring.data.buffer, ring.data.byteOffset, ring.data.length / 4);
  const start = now();
  const { received, disorder } = take(ring, words);
  const ns = now() - start;
  if (received !== count || disorder !== 0) throw new Error(`${received} events for ${count}, ${disorder} out of order`);
  return word('ring.drain', count, ns);
}

/** The consumer: what a callback in C does, for the low half of the sequence number. */
function take(from: RingBuffer, words: Int32Array): { received: number; disorder: number } {
  let received = 0, disorder = 0, wanted = expected;
  while (from.next()) {
    const sequence = words[from.offset >> 2];
    if (sequence !== wanted) disorder++;
    wanted = (sequence + 1) | 0;
    received++;
  }
  expected = wanted;
  return { received, disorder };
}

function operations(name: string, map: BpfMap, count: number, removable: boolean): string[] {
  const start = now();
  for (let i = 0; i < count; i++) {
    keyView.setUint32(0, i, true);
    valueView.setUint32(0, i, true);
    map.update(key, value);
  }
  const updated = now();
  for (let i = 0; i < count; i++) {
    keyView.setUint32(0, i, true);
    if (!map.lookup(key, value)) throw new Error(`${name}: no element ${i}`);
  }
  const looked = now();
  let steps = 0;
  for (let more = map.nextKey(undefined, next); more && steps < count; steps++) {
    key.set(next);
    more = map.nextKey(key, next);
  }
  const walked = now();
  const words = [word(`${name}.update`, count, updated - start), word(`${name}.lookup`, count, looked - updated), word(`${name}.next`, steps, walked - looked)];
  if (!removable) return words;
  for (let i = 0; i < count; i++) {
    keyView.setUint32(0, i, true);
    if (!map.delete(key)) throw new Error(`${name}: no element ${i} to delete`);
  }
  return [...words, word(`${name}.delete`, count, now() - walked)];
}

function maps(file: string, count: number): string {
  const unattached = loadFile(file);
  try {
    return [...operations('hash', mapOf(unattached, 'hash'), count, true), ...operations('array', mapOf(unattached, 'array'), count, false)].join(' ');
  } finally {
    unattached.close();
  }
}

const COMMANDS: Readonly<Record<string, (...args: string[]) => string | Promise<string>>> = {
  load, series, open, drain, close, maps: (file, count) => maps(file, Number(count)),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = line.split(' ');
  if (!Object.hasOwn(COMMANDS, name)) throw new Error(`typescript: cannot do ${line}`);
  console.log(await COMMANDS[name](...args));
}
