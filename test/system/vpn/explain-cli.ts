// SPDX-License-Identifier: Apache-2.0
/** `sealane explain vrf`, as an operator types it. */
import { fileURLToPath } from 'node:url';
import type { Lab } from '../../../scripts/lib/lab.js';
import type { ExplainRow } from '../../../src/rpc/client.js';

const CLI = fileURLToPath(new URL('../../../build/js/cli/main.js', import.meta.url));

export interface Asked {
  readonly netns: string;
  /** Of the PE that is asked. */
  readonly socket: string;
}

/** Rows of one way or more; each way's last is its verdict. */
export async function explainVrf(
  lab: Lab,
  { netns, socket }: Asked,
  vrf: string,
  address: string,
): Promise<readonly ExplainRow[]> {
  const argv = ['node', CLI, '--socket', socket, 'explain', 'vrf', vrf, address, '--json'];
  return JSON.parse(await lab.must(netns, argv)) as readonly ExplainRow[];
}

export const verdicts = (rows: readonly ExplainRow[]): ExplainRow[] =>
  rows.filter(({ step }) => step === 'verdict');
