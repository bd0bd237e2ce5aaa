// SPDX-License-Identifier: Apache-2.0
/** Which supervisors run on this machine, by their control sockets. */
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

export const DEFAULT_RUNTIME_ROOT = '/run/sealane';
const CONNECT_MS = 1000;

export interface Instance {
  readonly name: string;
  readonly socketPath: string;
}

export function socketOf(instance: string, root: string = DEFAULT_RUNTIME_ROOT): string {
  return join(root, instance, 'control.sock');
}

/** Instances below `root` whose supervisor listens, by name. A killed one leaves its socket behind. */
export async function runningInstances(root: string = DEFAULT_RUNTIME_ROOT): Promise<Instance[]> {
  let names: string[];
  try {
    names = await readdir(root);
  } catch {
    return [];
  }
  const found = await Promise.all(
    names.sort().map(async (name) => {
      const socketPath = socketOf(name, root);
      return (await listens(socketPath)) ? [{ name, socketPath }] : [];
    }),
  );
  return found.flat();
}

async function listens(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_MS, () => {
      settle(false);
    });
    socket.once('connect', () => {
      settle(true);
    });
    socket.once('error', (error) => {
      // One that we may not open is running none the less: opening it then says why not.
      settle('code' in error && error.code === 'EACCES');
    });
  });
}
