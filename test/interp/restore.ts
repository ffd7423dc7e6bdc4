/**
 * `node build/test/interp/restore.js module.wasm snapshots [engine …]`: restores each snapshot of the file (restoring.ts), on the
 * engines in turn, runs it to its end and prints the outcomes as JSON. Needs Node only, of any architecture.
 */
import { readFileSync } from 'node:fs';
import { continued, unpack } from '../support/restoring.js';
import { TIERS } from './engines.js';

const [file, snapshots, ...names] = process.argv.slice(2);
const engines = names.length === 0 ? [TIERS[0]] : names.map((name) => TIERS.find((tier) => tier.name === name)!);
const bytes = readFileSync(file);
const outcomes = [];
for (const [i, snapshot] of unpack(readFileSync(snapshots)).entries()) outcomes.push(await continued(engines[i % engines.length], bytes, snapshot));
console.log(JSON.stringify(outcomes));
