// SPDX-License-Identifier: Apache-2.0
/** `sealane run` and `sealane check`: another process does the work, this one stands for it. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The supervisor's entry; a file of another layer, so it is run and not imported. */
function entry(): readonly string[] {
  if (import.meta.url.endsWith('.js')) {
    return [fileURLToPath(new URL('../../main.js', import.meta.url))];
  }
  const jiti = import.meta.resolve('jiti/register');
  return ['--import', jiti, fileURLToPath(new URL('../../main.ts', import.meta.url))];
}

const PASSED_ON = ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGINT'] as const;

/**
 * Runs the entry with this process's descriptors, passes signals on and returns its exit code, or 128
 * and the signal's number as a shell does.
 */
export async function delegate(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [...entry(), ...args], { stdio: 'inherit' });
  const passOn = (signal: NodeJS.Signals): void => {
    // A terminal sends Ctrl-C to the child as well: twice would be another request.
    if (signal === 'SIGINT' && process.stdin.isTTY) return;
    child.kill(signal);
  };
  for (const signal of PASSED_ON) process.on(signal, passOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  } finally {
    for (const signal of PASSED_ON) process.off(signal, passOn);
  }
}
