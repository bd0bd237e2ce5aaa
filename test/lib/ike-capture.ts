// SPDX-License-Identifier: Apache-2.0
/** Captures of IKE read by tshark, with the keys that fit. */
import { readFile } from 'node:fs/promises';
import { assignKeys, type IkeKeys } from './ike-keys.js';
import { ikeMessages, MARKS, marked, tableRow } from './ike-tshark.js';
import { readPcap } from './pcap.js';
import { dissect } from './tshark.js';

/**
 * The fields of every IKE message of a capture, decrypted by those of the keys that fit. `closed`: IKE SAs that
 * tshark cannot open, by their SPIs, with the reason.
 */
export async function readIkeCapture<Field extends string>(
  file: string,
  keys: readonly IkeKeys[],
  fields: readonly Field[],
): Promise<{
  readonly rows: Record<Field | 'marks', string>[];
  readonly closed: ReadonlyMap<string, string>;
}> {
  const { sas, closed } = assignKeys(ikeMessages(readPcap(await readFile(file))), keys);
  const rows = await dissect(file, [...fields, ...MARKS], {
    ikeSas: sas.map(tableRow),
    filter: 'isakmp',
  });
  return { rows: rows.map((row) => marked<Field>(row)), closed };
}
