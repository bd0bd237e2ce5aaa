// SPDX-License-Identifier: Apache-2.0
/** `sealane ike initiate`, `terminate` and `rekey`. */
import { ControlError } from '../../rpc/errors.js';
import type { Output } from '../output.js';
import { withClient, type Selection } from '../select.js';

export interface IkeOptions {
  readonly remote?: string;
  readonly local?: string;
  readonly service?: string;
  readonly spi?: string;
  readonly all?: boolean;
  readonly ike?: boolean;
  readonly child?: boolean;
}

export type IkeAction = 'initiate' | 'terminate' | 'rekey';
const DONE: Readonly<Record<IkeAction, string>> = {
  initiate: 'up',
  terminate: 'ended',
  rekey: 'rekeyed',
};

/** Throws NOT_FOUND when no SA fits. */
export async function ike(
  action: IkeAction,
  options: IkeOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  const { remote = '', local = '', service = '', spi = '', all } = options;
  const isNamed = [remote, local, service, spi].some((word) => word !== '');
  if (isNamed === (all === true)) {
    throw new ControlError('INVALID_ARGUMENT', isNamed ? 'which, or all?' : 'which SAs?', {
      remedy: 'name them by --remote, --local, --service or --spi; or give --all',
    });
  }
  if (options.ike === true && options.child === true) {
    throw new ControlError('INVALID_ARGUMENT', '--ike and --child exclude each other', {
      remedy: 'give one of them',
    });
  }
  const what = options.ike === true ? 'ike' : 'child';
  const count = await withClient(selection, async (client) =>
    client.commandIke({ action, remote, local, service, spi, what }),
  );
  if (count === 0) {
    throw new ControlError('NOT_FOUND', 'no SA fits', { remedy: 'see: sealane show ike children' });
  }
  await output.out(`${count} SA${count === 1 ? '' : 's'} ${DONE[action]}\n`);
}
