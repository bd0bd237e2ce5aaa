#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/** `sealane`: the operator's command. Talks to a running supervisor, or starts one. */
import { readFileSync } from 'node:fs';
import { processOutput } from './output.js';
import { runCommand } from './program.js';

/** Of package.json; two folders up from src/cli, three from build/js/cli. */
function version(): string {
  const up = import.meta.url.endsWith('.js') ? '../../../' : '../../';
  const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}

process.exitCode = await runCommand(process.argv.slice(2), version(), processOutput());
