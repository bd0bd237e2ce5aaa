// SPDX-License-Identifier: Apache-2.0
/** `sealane bgp neighbor`. */
import { ControlError } from '../../rpc/errors.js';
import type { Output } from '../output.js';
import { withClient, type Selection } from '../select.js';

export const NEIGHBOR_ACTIONS = ['shutdown', 'start'] as const;
export type NeighborAction = (typeof NEIGHBOR_ACTIONS)[number];

/** Throws INVALID_ARGUMENT for a message that nobody is sent. */
export async function neighbor(
  name: string,
  action: NeighborAction,
  { message }: { readonly message?: string },
  selection: Selection,
  output: Output,
): Promise<void> {
  const down = action === 'shutdown';
  if (!down && message !== undefined) {
    throw new ControlError('INVALID_ARGUMENT', '--message means nothing for start', {
      remedy: 'it goes with shutdown',
    });
  }
  const sessions = await withClient(selection, async (client) =>
    client.setBgpNeighbor(name, down ? (message ?? '') : undefined),
  );
  const what = down ? 'shut down until the next start, restart or reload' : 'started';
  await output.out(sessions.map((session) => `${session} ${what}\n`).join(''));
  if (sessions.length > 0) return;
  await output.out(`no sessions to ${down ? 'shut down' : 'start'}\n`);
}
