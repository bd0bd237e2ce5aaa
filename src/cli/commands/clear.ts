// SPDX-License-Identifier: Apache-2.0
/** `sealane bgp clear`. */
import type { SoftClear } from '../../rpc/client.js';
import { ControlError } from '../../rpc/errors.js';
import { CLEARED_COLUMNS } from '../bgp-columns.js';
import type { Output } from '../output.js';
import { columnList, jsonRow } from '../render.js';
import { withClient, type Selection } from '../select.js';

export interface ClearOptions {
  readonly soft?: SoftClear;
  readonly json?: boolean;
}

const ALL = 'all';
const DONE: Readonly<Record<SoftClear, string>> = {
  in: 'asked for its routes again',
  out: 'sent our routes again',
  both: 'asked for its routes and sent ours again',
};

/** Throws APPLY_FAILED when there was something to clear and nothing of it could be. */
export async function clear(
  name: string,
  options: ClearOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  const rows = await withClient(selection, async (client) =>
    client.clearBgp(name === ALL ? undefined : name, options.soft),
  );
  const done = rows.filter(({ cleared }) => cleared);
  const failed = rows.filter(({ cleared }) => !cleared);
  if (options.json === true) {
    const columns = columnList(CLEARED_COLUMNS);
    await output.out(`[${rows.map((row) => jsonRow(row, columns)).join(',\n')}]\n`);
  } else {
    const what = options.soft === undefined ? 'cleared' : DONE[options.soft];
    await output.out(done.map(({ neighbor }) => `${neighbor} ${what}\n`).join(''));
    if (rows.length === 0) await output.out('no sessions to clear\n');
  }
  for (const { neighbor, reason } of failed) output.err(`not cleared: ${neighbor}: ${reason}\n`);
  if (done.length > 0 || failed.length === 0) return;
  throw new ControlError('APPLY_FAILED', 'nothing was cleared', {
    remedy:
      options.soft === undefined
        ? 'see: sealane show bgp neighbors'
        : 'without --soft the session is begun again',
  });
}
