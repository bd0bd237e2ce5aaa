// SPDX-License-Identifier: Apache-2.0
/**
 * A PE of the demo: Sealane as an operator runs it, by its command line. What is asked often, while packets flow, goes
 * straight to the control socket that the command line uses as well.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, type ShowFilter, type Topic, type TopicRows } from '../../src/rpc/client.js';
import { rowsOf } from '../lib/control.js';
import { eventually, outcome, type Lab } from '../lib/lab.js';
import { RUN, type PeName, type RogueName } from './topology.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const SEALANE = ['node', `${root}build/js/cli/main.js`];

export interface PeProcess<Name extends string = PeName | RogueName> {
  readonly name: Name;
  readonly socket: string;
  readonly log: string;
  readonly child: ChildProcess;
}

export type Pes = Readonly<Record<PeName, PeProcess<PeName>>>;

const clients = new Map<string, Promise<Client>>();

/** Rows of `sealane show TOPIC`. */
export async function show<T extends Topic>(
  pe: PeProcess,
  topic: T,
  filter: ShowFilter = {},
): Promise<TopicRows[T][]> {
  const known = clients.get(pe.socket);
  const opened = known ?? Client.open(pe.socket);
  clients.set(pe.socket, opened);
  try {
    return await rowsOf(await opened, topic, filter);
  } catch (error) {
    // Another supervisor may come with another socket of this name.
    if (clients.get(pe.socket) === opened) clients.delete(pe.socket);
    await opened
      .then((client) => {
        client.close();
      })
      .catch(() => undefined);
    throw error;
  }
}

/** Ends the connections to all PEs. */
export async function disconnect(): Promise<void> {
  for (const opened of clients.values()) {
    await opened
      .then((client) => {
        client.close();
      })
      .catch(() => undefined);
  }
  clients.clear();
}

/** Drop counters of a PE by reason. */
export async function drops(pe: PeProcess): Promise<Map<string, number>> {
  const rows = await show(pe, 'drops', { all: true });
  return new Map(rows.map((row) => [row.reason, Number(row.packets)]));
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
export function startPe<Name extends PeName | RogueName>(
  lab: Lab,
  name: Name,
  { config = name, keys }: { readonly config?: string; readonly keys?: string } = {},
): PeProcess<Name> {
  const log = `${RUN}/${name}.log`;
  const options = keys === undefined ? [] : ['--debug-keys', keys];
  const child = lab.start(name, [...SEALANE, 'run', configFile(config), ...options], log);
  return { name, socket: `${RUN}/${name}/control.sock`, log, child };
}

/** Throws the end of a PE's log when it has ended. */
export function alive(pe: PeProcess): void {
  if (pe.child.exitCode === null && pe.child.signalCode === null) return;
  throw new Error(`${pe.name} ended:\n${readFileSync(pe.log, 'utf8').slice(-2000)}`);
}

/** Waits until a PE's worker runs. */
export async function running(pe: PeProcess): Promise<void> {
  await eventually(
    `${pe.name}: a worker that runs (log: ${pe.log})`,
    async () => {
      alive(pe);
      const rows = await show(pe, 'workers').catch(() => []);
      return rows.some((row) => row.state === 'running') ? true : undefined;
    },
    60_000,
  );
}
