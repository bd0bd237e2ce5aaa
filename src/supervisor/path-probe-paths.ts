// SPDX-License-Identifier: Apache-2.0
/** The ways that path MTU probes can be sent by: of each pair of tunnel addresses the first tunnel that has an SA by IKE. */
import { usesIke, type TunnelModel } from '../forwarding/model.js';
import * as names from '../forwarding/names.js';
import { familyOf, formatAddress } from '../lib/ip.js';
import type { IkeService } from './ike-service.js';
import type { InForce, Instance } from './instance.js';
import { probeRange, type ProbePath } from './path-probes.js';
import type { SaRows } from './sa-rows.js';

const LABEL_ENTRY = 4;

export interface PathSources {
  readonly instance: Pick<Instance, 'inForce' | 'reconciler'>;
  readonly ike: Pick<IkeService, 'manager' | 'sas'>;
  readonly saRows: Pick<SaRows, 'id'>;
}

/** Of what is in front of the outer IP header. */
const labelBytes = ({ labels = [] }: { readonly labels?: readonly number[] }): number =>
  labels.length * LABEL_ENTRY;

function pathOf(
  { instance, ike, saRows }: PathSources,
  { plan, overlay }: InForce,
  tunnel: TunnelModel,
): ProbePath | undefined {
  const { local, remote } = tunnel;
  const name = names.tunnel(tunnel.name);
  const version = overlay.nexthops.get(name)?.version;
  const sealed = ike.sas.current(tunnel);
  if (version?.kind !== 'tunnel' || version.sa === undefined) return undefined;
  if (sealed?.row !== version.sa) return undefined;
  const nexthop = instance.reconciler.live.nexthop(name);
  const sa = saRows.id('out', sealed.row);
  const out = plan.model.interfaces.get(version.interface);
  const ask = ike.manager?.prober(local, remote, sealed.spi);
  if (nexthop === undefined || sa === undefined || out === undefined || ask === undefined) {
    return undefined;
  }
  const mtu = out.mtu - labelBytes(version.header);
  const floor = plan.model.pathMtuFloor;
  const range = probeRange(floor, mtu, familyOf(remote) ?? 4, sealed.esp);
  return { ends: { local, remote }, nexthop, sa, range, ask };
}

export function* probePaths(from: PathSources): Generator<ProbePath> {
  const { inForce } = from.instance;
  if (inForce === undefined) return;
  const pairs = new Set<string>();
  for (const tunnel of inForce.tunnels.values()) {
    const pair = `${formatAddress(tunnel.local)} ${formatAddress(tunnel.remote)}`;
    if (!usesIke(tunnel) || pairs.has(pair)) continue;
    const path = pathOf(from, inForce, tunnel);
    if (path === undefined) continue;
    pairs.add(pair);
    yield path;
  }
}
