// SPDX-License-Identifier: Apache-2.0
/** `sealane bgp dump`. */
import { resolve } from 'node:path';
import type { Output } from '../output.js';
import { withClient, type Selection } from '../select.js';

/** A line for each file: its name and how many records it has. */
export async function dump(file: string, selection: Selection, output: Output): Promise<void> {
  const files = await withClient(selection, async (client) => client.dumpBgp(resolve(file)));
  await output.out(files.map(({ path, records }) => `${path} ${records} records\n`).join(''));
}
