// SPDX-License-Identifier: Apache-2.0
/** `sealane lab keygen`: a new key file for one direction of a manual SA. */
import { ALGORITHMS, isAlgorithm } from '../../lib/esp-suites.js';
import { writeKeyFile } from '../../lib/key-file.js';
import { suggest } from '../../lib/suggest.js';
import { ControlError } from '../../rpc/errors.js';
import type { Output } from '../output.js';

export async function keygen(algorithm: string, file: string, output: Output): Promise<void> {
  if (!isAlgorithm(algorithm)) {
    const remedy = suggest(algorithm, ALGORITHMS, 'algorithms');
    throw new ControlError('INVALID_ARGUMENT', `no algorithm "${algorithm}"`, { remedy });
  }
  const run = await writeKeyFile(file, algorithm);
  await output.out(`${file}: key for ${algorithm}, run ${run}\n`);
}
