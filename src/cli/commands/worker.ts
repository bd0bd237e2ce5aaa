// SPDX-License-Identifier: Apache-2.0
/** `sealane worker restart`. */
import type { Output } from '../output.js';
import { withClient, type Selection } from '../select.js';

export async function restartWorker(selection: Selection, output: Output): Promise<void> {
  const reply = await withClient(selection, async (client) => client.restartWorker());
  const { pid, before, milliseconds, lossy } = reply;
  const fate =
    lossy === ''
      ? `packets waited ${milliseconds} ms, none was lost`
      : `packets were lost for ${milliseconds} ms: ${lossy}`;
  await output.out(`worker ${pid} goes on for ${before}: ${fate}\n`);
}
