/**
 * Time and the event loop: how long a slice of the guest's work is, how the host gives way, how it waits for a promise that
 * may be called off.
 */
import { Interrupted } from '../errors.js';
import type { GuestCall } from './engine.js';

/** Calls and back-edges before the clock is first looked at. */
export const FIRST_SLICE = 5_000;
export const MAX_SLICE = 20_000_000;
/** ms that the guest runs between two looks at the event loop */
export const SLICE_MS = 10;

export const ABORTED = Symbol('aborted');
export interface Settled { readonly ok: boolean; readonly value: unknown }

export async function settle(promise: Promise<unknown>, signal: AbortSignal | undefined): Promise<Settled | typeof ABORTED> {
  const settled = promise.then((value): Settled => ({ ok: true, value }), (value: unknown): Settled => ({ ok: false, value }));
  if (!signal) return settled;
  if (signal.aborted) return ABORTED;
  let stop!: () => void;
  const aborted = new Promise<typeof ABORTED>((resolve) => signal.addEventListener('abort', stop = () => resolve(ABORTED), { once: true }));
  try {
    return await Promise.race([settled, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

export function interrupted(signal: AbortSignal): Interrupted {
  const { reason } = signal as { readonly reason: unknown };
  return new Interrupted(reason instanceof Error ? reason.message : String(reason));
}

export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

export function isGenerator(value: unknown): value is Generator<GuestCall | Promise<unknown>, unknown, unknown> {
  return typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object Generator]';
}

export function isLater(value: unknown): value is Promise<unknown> | Generator<GuestCall | Promise<unknown>, unknown, unknown> {
  return typeof value === 'object' && value !== null && (isPromise(value) || isGenerator(value));
}

/** Milliseconds; only differences count. The clock of `performance`, for which a fresh process would have to load more of node's modules. */
export function now(): number {
  const [seconds, ns] = process.hrtime();
  return seconds * 1e3 + ns / 1e6;
}

export function adapt(slice: number, took: number): number {
  return Math.max(FIRST_SLICE, Math.min(MAX_SLICE, took < SLICE_MS / 20 ? 2 * slice : Math.round(slice * Math.min(2, Math.max(0.25, SLICE_MS / 2 / took)))));
}

/** One turn of the event loop. Where there is no setImmediate (browsers), a timer is the next best. */
export function giveWay(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof globalThis.setImmediate === 'function') globalThis.setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}
