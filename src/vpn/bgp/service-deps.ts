// SPDX-License-Identifier: Apache-2.0
/** What BGP of a PE needs of the rest of the supervisor. */
import type { BfdPort } from './bfd.js';
import type { TakenRoutes } from './kernel-routes.js';
import type { WatchCore } from './tracker.js';
import type { Clock, Scheduler } from '../../bgp/rib/api.js';
import type { WallClock } from '../../bgp/monitor.js';
import type { BgpSpeaker, SpeakerDeps } from '../../bgp/session/speaker.js';
import type { Config } from '../../config/types.js';
import type { Tables } from '../../forwarding/addon/api.js';
import type { ForwardingModel, LspModel } from '../../forwarding/model.js';
import type { DesiredNexthop, PlannedLabel, VpnPolicy } from '../../forwarding/rows.js';
import type { Logger } from '../../lib/log.js';
import type { RouteLabels } from '../route-labels.js';
import type { SpTables } from '../sp-tables.js';
import type { ExportStates } from '../export-changes.js';
import type { TunnelSet } from '../tunnel-set.js';

/** What the rest of the supervisor has in force. */
export interface InForce {
  readonly config: Config;
  readonly model: ForwardingModel;
  readonly policy: VpnPolicy;
  readonly labels: readonly PlannedLabel[];
  readonly sps: SpTables;
  /** How export rules pass from one class to another. */
  readonly states: ExportStates;
  /** Row of a VRF by name. */
  readonly vrfRow: (name: string) => number | undefined;
  /** Tunnels and adjacencies as they are now, by row name. */
  readonly nexthop: (name: string) => DesiredNexthop | undefined;
  /** Routes of VRFs' kernel tables as they are now. */
  readonly kernelRoutes: () => TakenRoutes;
  /** Row by which a VRF reaches a prefix of its own; undefined: it has none. */
  readonly ownRow: (vrf: string, family: 4 | 6, key: string) => number | undefined;
}

export interface BgpDeps {
  readonly tables: Tables;
  /** The tables forwarded before our start, and go on: nobody has stopped the router. */
  readonly forwarded: boolean;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  readonly wallClock: WallClock;
  /** Uniform in 0..1. */
  readonly random: () => number;
  readonly speaker: (rest: Pick<SpeakerDeps, 'sink' | 'restart' | 'port' | 'tap'>) => BgpSpeaker;
  /** These VRFs are all there are. */
  readonly vrfs: (names: ReadonlySet<string>) => void;
  /** Row of a next hop by name; made when it is not there. */
  readonly nexthopRow: (name: string) => number;
  /** The neighbours that are to be kept resolved are others now. */
  readonly gatewaysChanged: () => void;
  readonly bfd: BfdPort;
  readonly watchCore: WatchCore;
  /** Tunnels that routes lead to. */
  readonly tunnels: TunnelSet;
  /** Labels that come and go with routes. */
  readonly labels: RouteLabels;
  /** LSPs that labelled routes make; called once for all that comes in one turn. */
  readonly lsps: (lsps: readonly LspModel[]) => void;
}
