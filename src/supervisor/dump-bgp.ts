// SPDX-License-Identifier: Apache-2.0
/** `sealane bgp dump`: MRT files of all tables, now. */
import type { DumpedBgpFile } from '../rpc/backend.js';
import { ControlError } from '../rpc/errors.js';
import type { BgpService } from '../vpn/bgp/service.js';

/** `path`: absolute, taken as it is. Throws ControlError NOT_FOUND or APPLY_FAILED. */
export async function dumpBgp(
  bgp: Pick<BgpService, 'dumpTables'>,
  path: string,
): Promise<readonly DumpedBgpFile[]> {
  const options = { neighbours: undefined, fresh: true, stopped: () => false } as const;
  const dumped = await bgp.dumpTables({ ...options, file: path.replaceAll('%', '%%') });
  if (dumped.length === 0) {
    throw new ControlError('NOT_FOUND', 'BGP is not configured', { remedy: 'see: sealane status' });
  }
  return dumped.map(({ vrf, result }) => {
    const file = vrf === '' ? path : `${path}.${vrf}`;
    if (result.kind === 'written') return { path: file, records: BigInt(result.records) };
    const why = result.kind === 'failed' ? result.why : 'it was stopped';
    throw new ControlError('APPLY_FAILED', `cannot write ${file}: ${why}`, {
      remedy: 'a new name, in a folder that is there',
    });
  });
}
