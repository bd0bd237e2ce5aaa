// SPDX-License-Identifier: Apache-2.0
/** Which supervisor a command is for. */
import { Client } from '../rpc/client.js';
import { ControlError } from '../rpc/errors.js';
import { DEFAULT_RUNTIME_ROOT, runningInstances, socketOf } from '../rpc/instances.js';

export interface Selection {
  /** --socket: path of a control socket. */
  readonly socket?: string;
  /** --instance. */
  readonly instance?: string;
}

/** Folder of the instances' runtime directories; SEALANE_RUNTIME_ROOT names another. */
export function runtimeRoot(env: NodeJS.ProcessEnv = process.env): string {
  const root = env['SEALANE_RUNTIME_ROOT'];
  return root === undefined || root === '' ? DEFAULT_RUNTIME_ROOT : root;
}

/** Throws UNAVAILABLE or INVALID_ARGUMENT {@link ControlError}. */
export async function selectSocket(selection: Selection): Promise<string> {
  const { socket, instance } = selection;
  if (socket !== undefined && instance !== undefined) {
    throw new ControlError('INVALID_ARGUMENT', '--socket and --instance exclude each other', {
      remedy: 'give one of them',
    });
  }
  if (socket !== undefined) return socket;
  const root = runtimeRoot();
  if (instance !== undefined) return socketOf(instance, root);
  const running = await runningInstances(root);
  const [only, ...others] = running;
  if (only === undefined) {
    throw new ControlError('UNAVAILABLE', `no instance runs (looked in ${root})`, {
      remedy: 'start one with: sealane run FILE; or name one elsewhere with --socket PATH',
    });
  }
  if (others.length === 0) return only.socketPath;
  const names = running.map(({ name }) => name).join(', ');
  throw new ControlError('INVALID_ARGUMENT', `several instances run: ${names}`, {
    remedy: 'choose one with --instance NAME',
  });
}

/** Runs `work` with a client and closes it after. */
export async function withClient<T>(
  selection: Selection,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await Client.open(await selectSocket(selection));
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
