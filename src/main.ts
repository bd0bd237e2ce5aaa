#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * Entry of the supervisor's process; operators use the `sealane` command (src/cli), which starts it.
 *
 *   main.js run [FILE] [--instance NAME] [--log-level LEVEL] [--debug-keys FOLDER]
 *   main.js check FILE [--json]
 *
 * Exit status: 0 ended as asked, 1 failed, 2 usage, 3 the configuration is wrong.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { checkFile } from './config/check.js';
import { createLogger, LOG_LEVELS, type Logger, type LogLevel } from './lib/log.js';
import { SupervisorError } from './supervisor/errors.js';
import { failureLines, run } from './supervisor/run.js';

const USAGE = `usage: main.js run [FILE] [--instance NAME] [--log-level ${LOG_LEVELS.join('|')}] [--debug-keys FOLDER]
       main.js check FILE [--json]
`;
const EXIT = { failed: 1, usage: 2, config: 3 } as const;

const isLevel = (text: string): text is LogLevel => LOG_LEVELS.some((level) => level === text);

function logger(level: LogLevel): Logger {
  // A log that nobody reads any more must not end the supervisor.
  process.stderr.on('error', () => undefined);
  const write = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  return createLogger({ write, now: () => new Date().toISOString() }, level);
}

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      instance: { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
      json: { type: 'boolean', default: false },
      'debug-keys': { type: 'string' },
    },
  });
  const [command, file, ...rest] = positionals;
  const level = values['log-level'];
  if (rest.length > 0 || !isLevel(level)) return usage();
  if (command === 'check' && file !== undefined) {
    const to = {
      out: (text: string) => process.stdout.write(text),
      err: (text: string) => process.stderr.write(text),
    };
    return checkFile(resolve(file), to, { json: values.json });
  }
  if (command !== 'run') return usage();
  const keys = values['debug-keys'];
  await run({
    file: file === undefined ? undefined : resolve(file),
    instance: values.instance,
    log: logger(level),
    debugKeys: keys === undefined ? undefined : resolve(keys),
  });
  return 0;
}

function usage(): number {
  process.stderr.write(USAGE);
  return EXIT.usage;
}

function exitCode(error: unknown): number {
  const wrongConfig = error instanceof SupervisorError && error.code === 'CONFIG';
  return wrongConfig ? EXIT.config : EXIT.failed;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${failureLines(error).join('\n')}\n`);
  process.exitCode = exitCode(error);
}
// Sockets and timers that a library still holds must not keep an ended supervisor alive.
process.exit();
