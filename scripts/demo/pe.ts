// SPDX-License-Identifier: Apache-2.0
/** A PE of the demo: Sealane as an operator runs it, by its command line alone. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually, outcome, type Lab } from '../lib/lab.js';
import { RUN, type PeName } from './topology.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const SEALANE = ['node', `${root}build/js/cli/main.js`];

export interface PeProcess {
  readonly name: PeName | 'transit';
  readonly socket: string;
  readonly log: string;
  readonly child: ChildProcess;
}

/** The rows of `sealane show TOPIC --json`. */
export async function show(
  pe: PeProcess,
  topic: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { code, stdout, stderr } = await outcome([
    ...SEALANE,
    ...['--socket', pe.socket, 'show', ...topic.split(' '), '--json'],
  ]);
  if (code !== 0) throw new Error(`sealane show ${topic} on ${pe.name}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>[];
}

/** Drop counters of a PE by reason. */
export async function drops(_lab: Lab, pe: PeProcess): Promise<Map<string, number>> {
  const rows = await show(pe, 'drops');
  return new Map(rows.map((row) => [String(row['reason']), Number(row['packets'])]));
}

export const configFile = (name: string): string =>
  fileURLToPath(new URL(`${name}.config.ts`, import.meta.url));

/** A command of `sealane` for a PE; throws what it says when it fails. */
export async function sealane(pe: PeProcess, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await outcome([...SEALANE, '--socket', pe.socket, ...words]);
  if (code !== 0) throw new Error(`sealane ${words.join(' ')} on ${pe.name}: ${stderr}`);
  return stdout;
}

/** Starts a PE in its namespace; returns at once. `keys`: folder for the keys of its SAs. */
export function startPe(
  lab: Lab,
  name: PeProcess['name'],
  { config = name, keys }: { readonly config?: string; readonly keys?: string } = {},
): PeProcess {
  const log = `${RUN}/${name}.log`;
  const options = keys === undefined ? [] : ['--debug-keys', keys];
  const child = lab.start(name, [...SEALANE, 'run', configFile(config), ...options], log);
  return { name, socket: `${RUN}/${name}/control.sock`, log, child };
}

/** Waits until all tunnels of a PE are up; fails with the end of its log when it died. */
export async function tunnelsUp(pe: PeProcess): Promise<void> {
  await eventually(
    `${pe.name}: tunnels up (log: ${pe.log})`,
    async () => {
      if (pe.child.exitCode !== null || pe.child.signalCode !== null) {
        throw new Error(`${pe.name} ended:\n${readFileSync(pe.log, 'utf8').slice(-2000)}`);
      }
      const rows = await show(pe, 'tunnels').catch(() => []);
      return rows.length > 0 && rows.every((row) => row['state'] === 'up') ? true : undefined;
    },
    60_000,
  );
}
