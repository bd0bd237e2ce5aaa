// SPDX-License-Identifier: Apache-2.0
/** `sealane bgp tighten now`. */
import type { Output } from '../output.js';
import { withClient, type Selection } from '../select.js';

export interface TightenOptions {
  readonly vrf?: string;
  readonly rule?: string;
}

export async function tightenNow(
  { vrf = '', rule = '' }: TightenOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  const ended = await withClient(selection, async (client) => client.tightenNow(vrf, rule));
  await output.out(ended.map((line) => `ended: ${line}\n`).join(''));
  if (ended.length === 0) await output.out('no change of an export class is under way\n');
}
