// SPDX-License-Identifier: Apache-2.0
/** The running BGP of a PE as those who monitor it see it: its Loc-RIBs, and messages that cross again. */
import { routerIdOf } from './identity.js';
import { Monitoring, type MonitoringDeps } from './monitoring.js';
import type { Rib } from '../../bgp/rib/rib.js';
import { CORE } from '../../bgp/rib/scope.js';
import type { BgpSpeaker } from '../../bgp/session/speaker.js';
import type { PeerId } from '../../bgp/types.js';
import type { Bgp, Config } from '../../config/types.js';
import { parseRd } from '../../lib/bgp-words.js';

/** What is watched, as it is now: another RIB may run, and VRFs come and go. */
export interface Watched {
  /** undefined: BGP does not run. */
  readonly running: () => { readonly rib: Rib; readonly speaker: BgpSpeaker } | undefined;
  /** Names of VRFs with BGP by their rows. */
  readonly vrfs: () => ReadonlyMap<number, string>;
  readonly config: () => Config | undefined;
}

/** Monitors of what is watched; none before {@link applyMonitoring}. */
export function monitoringOf(
  watched: Watched,
  around: Pick<MonitoringDeps, 'log' | 'now' | 'random' | 'after' | 'dumpTables'>,
): Monitoring {
  return new Monitoring({
    ...around,
    rdOf: (vrf) => rdOf(watched, vrf),
    locRib: (vrf) => locRib(watched, vrf),
    counts: (peer) => watched.running()?.rib.peerCounts(peer),
    again: (peer, whose) => {
      again(watched, peer, whose);
    },
  });
}

/** Brings the monitors to the configuration and VRFs in force, and has the RIB tell them if they want that. */
export function applyMonitoring(monitoring: Monitoring, watched: Watched, bgp: Bgp): void {
  const { rib } = watched.running() ?? {};
  const config = watched.config();
  if (rib === undefined || config === undefined) return;
  const own = { asn: bgp.asn, routerId: routerIdOf(bgp) };
  const names = [...watched.vrfs().values()];
  const vrfs = names.map((vrf) => ({ vrf, rd: rdOf(watched, vrf), ...own }));
  const core = { vrf: undefined, rd: undefined, ...own };
  monitoring.apply(bgp, config.instance, [core, ...vrfs]);
  rib.watcher = monitoring.watchesTables
    ? (table, net) => {
        const vrf = watched.vrfs().get(rib.locRib.vrfOf(table, net));
        monitoring.decided(vrf, rib.locRib.update(table, net));
      }
    : undefined;
}

function rdOf(watched: Watched, vrf: string): bigint | undefined {
  const rd = watched.config()?.vrfs?.[vrf]?.bgp?.rd;
  return rd === undefined ? undefined : parseRd(rd);
}

function locRib(watched: Watched, vrf: string | undefined): Iterable<Uint8Array> {
  const found = vrf === undefined ? [CORE] : [...watched.vrfs()].find(([, name]) => name === vrf);
  return found === undefined ? [] : (watched.running()?.rib.locRib.contents(found[0]) ?? []);
}

function again(watched: Watched, peer: PeerId, whose: 'in' | 'out'): void {
  const { rib, speaker } = watched.running() ?? {};
  const name = rib?.core.peers[peer]?.info.name;
  if (name === undefined) return;
  if (whose === 'out') rib?.resend(peer);
  else speaker?.clearSoft(name);
}
