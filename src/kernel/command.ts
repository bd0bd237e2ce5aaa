// SPDX-License-Identifier: Apache-2.0
/** Runs the programs of iproute2 and nftables, in a namespace when one is given. */
import { spawn } from 'node:child_process';
import { KernelPartError } from './errors.js';

export interface CommandOptions {
  /** Descriptor of the network namespace to run in; default: our own. */
  readonly netns?: number;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** The descriptor's number in the child: the first after stdio. */
const INHERITED = 3;

/** Resolves with what it printed. Rejects with COMMAND when it fails, cannot be started or takes too long. */
export async function runCommand(
  program: string,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { netns, input = '', timeoutMs = 10_000 } = options;
  const enter = ['nsenter', `--net=/proc/self/fd/${INHERITED}`, '--'];
  const [file = program, ...rest] = [...(netns === undefined ? [] : enter), program, ...argv];
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, {
      stdio: ['pipe', 'pipe', 'pipe', ...(netns === undefined ? [] : [netns])],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    const fail = (how: string, remedy?: string): void => {
      const words = output.stderr.trim().split('\n')[0] ?? '';
      reject(new KernelPartError('COMMAND', `${program} ${how}: ${words}`, remedy));
    };
    child.stdout?.on('data', (chunk) => (output.stdout += String(chunk)));
    child.stderr?.on('data', (chunk) => (output.stderr += String(chunk)));
    child.on('error', () => {
      fail('cannot be started', `install ${file}`);
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output.stdout);
      else if (signal !== null) fail(`was ended by ${signal} (limit ${timeoutMs} ms)`);
      else fail(code === 127 ? 'is not installed' : `failed with exit code ${code ?? 'none'}`);
    });
    // A program that ends without reading its input is judged by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
