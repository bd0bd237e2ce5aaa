// SPDX-License-Identifier: Apache-2.0
/**
 * Table dumps (RFC 6396 §4.3): the core's table, VPN routes among it, in the file named; that of each VRF
 * beside it, in FILE.VRF, since a dump is of one view.
 */
import type { WallClock } from '../../bgp/monitor.js';
import { type TableFileResult, writeTableDump } from '../../bgp/mrt/file-driver.js';
import type { DumpPeer } from '../../bgp/mrt/table-dump.js';
import type { Clock, Scheduler } from '../../bgp/rib/api.js';
import type { Peer } from '../../bgp/rib/peers.js';
import type { Rib } from '../../bgp/rib/rib.js';
import { CORE } from '../../bgp/rib/scope.js';
import { TableWalk } from '../../bgp/rib/table-walk.js';
import { formatAddress } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';

export interface TableDumpOptions {
  readonly file: string;
  /** By address; our own routes are left out then. undefined: all. */
  readonly neighbours: ReadonlySet<string> | undefined;
  readonly fresh?: true;
  readonly stopped: () => boolean;
}

export interface TableDumpDeps {
  readonly rib: Rib;
  readonly asn: number;
  readonly routerId: number;
  /** Names of VRFs by their number in the RIB. */
  readonly vrfs: ReadonlyMap<number, string>;
  readonly now: WallClock;
  readonly clock: Clock;
  readonly scheduler: Pick<Scheduler, 'soon'>;
  readonly log: Logger;
}

export interface DumpedFile {
  /** Empty: the core. */
  readonly vrf: string;
  readonly result: TableFileResult;
}

/** One table after the other; the first that cannot be written is the last. */
export async function dumpTables(
  deps: TableDumpDeps,
  options: TableDumpOptions,
): Promise<readonly DumpedFile[]> {
  const done: DumpedFile[] = [];
  const now = deps.now();
  for (const [id, vrf] of [[CORE, ''] as const, ...deps.vrfs]) {
    const result = await dumpTable(deps, options, { id, vrf, now });
    done.push({ vrf, result });
    if (result.kind !== 'written') break;
  }
  return done;
}

/** `now`: of the whole dump, which the names of its files go by. */
async function dumpTable(
  deps: TableDumpDeps,
  { file, neighbours, fresh, stopped }: TableDumpOptions,
  { id, vrf, now }: { readonly id: number; readonly vrf: string; readonly now: number },
): Promise<TableFileResult> {
  const { rib, asn, routerId, clock, log } = deps;
  const turn = async (): Promise<void> =>
    new Promise((resume) => {
      deps.scheduler.soon(resume);
    });
  const wanted = (peer: Peer | undefined): boolean =>
    neighbours === undefined ||
    (peer !== undefined && neighbours.has(formatAddress(peer.info.address)));
  const walk = new TableWalk(rib.core, { vrf: id, wanted, now: deps.now() / 1_000_000 });
  const ourselves = { id: 0, routerId, address: new Uint8Array(4), asn };
  const peers = walk.peers.map((peer): DumpPeer => (peer === undefined ? ourselves : peerOf(peer)));
  const routes = walk.routes();
  try {
    return await writeTableDump(
      {
        ...{ file: vrf === '' ? file : `${file}.${vrf.replaceAll('%', '%%')}`, log, stopped },
        ...{ clock: () => clock.now(), turn },
        ...(fresh && { fresh }),
      },
      { now, routerId, view: vrf, peers },
      routes,
    );
  } finally {
    routes.return(undefined);
    const settling = walk.settle();
    while (settling.next().done !== true) await turn();
  }
}

const peerOf = ({ id, info }: Peer): DumpPeer => ({
  ...{ id, routerId: info.routerId, address: info.address, asn: info.asn },
});
