#!/usr/bin/env node
/** The command `wasm-bpf`: becomes dist/cli/main.js. */
import { dirname } from 'node:path';
import { start } from './start.js';

start(dirname(__dirname), process.argv.slice(2));
