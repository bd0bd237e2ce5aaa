#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/** `sealane`: the operator's command. Talks to a running supervisor, or starts one. */
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { errorLines, EXIT, exitCodeOf } from './errors.js';
import { processOutput, ReaderGone } from './output.js';
import { makeProgram } from './program.js';

/** Of package.json; two folders up from src/cli, three from build/js/cli. */
function version(): string {
  const up = import.meta.url.endsWith('.js') ? '../../../' : '../../';
  const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}

async function main(): Promise<number> {
  const output = processOutput();
  const program = makeProgram(version(), output);
  try {
    await program.command.parseAsync();
    return program.exitCode();
  } catch (error) {
    if (error instanceof ReaderGone) return EXIT.ok;
    // Commander has said it already; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    for (const line of errorLines(error)) output.err(`${line}\n`);
    return exitCodeOf(error);
  }
}

process.exitCode = await main();
