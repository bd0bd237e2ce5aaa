// SPDX-License-Identifier: Apache-2.0
/** `sealane reload` and `sealane stop`. */
import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ReloadReply } from '../../rpc/client.js';
import { ControlError } from '../../rpc/errors.js';
import { CHANGE_COLUMNS, type ChangeRow } from '../columns.js';
import { issueLine } from '../errors.js';
import type { Output } from '../output.js';
import { columnList, jsonRow } from '../render.js';
import { selectSocket, withClient, type Selection } from '../select.js';

export interface ReloadOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export async function reload(
  file: string,
  options: ReloadOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  const dryRun = options.dryRun === true;
  const reply = await withClient(selection, async (client) => client.reload(resolve(file), dryRun));
  for (const warning of reply.warnings) output.err(`${issueLine('warning', warning)}\n`);
  if (options.json === true) {
    const columns = columnList(CHANGE_COLUMNS);
    const rows = reply.changes.map((change) => jsonRow(change, columns));
    await output.out(`[${rows.join(',\n')}]\n`);
    output.err(`${outcome(reply, dryRun)}\n`);
    return;
  }
  const lines = [...reply.changes.map(changeLine), outcome(reply, dryRun)];
  await output.out(lines.map((line) => `${line}\n`).join(''));
}

const MARKS: ReadonlyMap<string, string> = new Map([
  ['added', '+'],
  ['removed', '-'],
  ['changed', '~'],
]);

/** `~ tunnels.pe2.ttl: 64 -> 32`, with its effect unless it is applied live. */
function changeLine({ path, kind, before, after, effect }: ChangeRow): string {
  const values = kind === 'changed' ? `${before} -> ${after}` : `${before}${after}`;
  const note = effect === 'live' ? '' : `  [${effect}]`;
  return `${MARKS.get(kind) ?? '?'} ${path}: ${values}${note}`;
}

function outcome(reply: ReloadReply, dryRun: boolean): string {
  const { length } = reply.changes;
  if (length === 0) return 'nothing differs from the configuration in force';
  const changes = `${length} change${length === 1 ? '' : 's'}`;
  const what = reply.restarted.join(', ');
  if (dryRun) return `${changes}, not applied${what === '' ? '' : `; would restart: ${what}`}`;
  return `${changes} applied${what === '' ? '' : `; restarted: ${what}`}`;
}

// ---- Stop ----------------------------------------------------------------------------------------

const STOP_MS = 30_000;

/** Returns when the supervisor has gone: its process, and its socket. */
export async function stop(
  options: { readonly keepWorker?: boolean },
  selection: Selection,
  output: Output,
): Promise<void> {
  const socket = await selectSocket(selection);
  const inode = (await lstat(socket).catch(() => undefined))?.ino;
  const client = await Client.open(socket);
  let pid: number;
  try {
    ({ pid } = await client.status());
    await client.stop(options.keepWorker === true);
  } finally {
    client.close();
  }
  const until = Date.now() + STOP_MS;
  while (lives(pid) || (await lstat(socket).catch(() => undefined))?.ino === inode) {
    if (Date.now() > until) {
      throw new ControlError('TIMEOUT', `still not stopped after ${STOP_MS / 1000} s`, {
        remedy: 'see the log of the supervisor',
      });
    }
    await sleep(50);
  }
  const kept = options.keepWorker === true ? ' (the worker forwards on)' : '';
  await output.out(`stopped${kept}\n`);
}

/** A process of another PID namespace is not seen, and not waited for. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
