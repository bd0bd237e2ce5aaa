// SPDX-License-Identifier: Apache-2.0
/**
 * From a next hop to the wire: read from the rows that the worker reads, joined with what is known of them.
 * What keeps a packet from leaving is looked for in the worker's order (docs/packet-path.md), so the first thing
 * found is what it would be counted as.
 */
import type { NexthopRow, SaRow, SaState, Version } from '../../forwarding/addon/api.js';
import type { TunnelModel } from '../../forwarding/model.js';
import { tunnelOf } from '../../forwarding/names.js';
import type { DesiredNexthop } from '../../forwarding/rows.js';
import { formatAddress } from '../../lib/ip.js';
import { deviceKey } from '../../config/defaults.js';
import type { IkeManager } from '../../ike/manager/api.js';
import type { BgpView } from '../../vpn/bgp/view.js';
import type { InForce } from '../instance.js';
import { ikeChildRows } from '../show-ike.js';
import { formatMac, type ShowSource } from '../show-rows.js';
import type { WorkerHealth } from '../show-worker.js';
import type { Refusal, Steps } from './steps.js';

export interface ExplainSource extends ShowSource {
  readonly bgp: { readonly view: () => BgpView | undefined };
  readonly ike: { readonly manager: Pick<IkeManager, 'rows' | 'counters'> | undefined };
  readonly workerRows: { readonly health: () => WorkerHealth };
}

/** Sequence numbers of an SA without a limit of its own (RFC 4303 §2.2, without ESN). */
const ALL_SEQUENCES = 0xffff_ffffn;

type TunnelVersion = Extract<Version, { kind: 'tunnel' | 'lsp' }>;

/** What the packet meets on its way out; undefined: nothing keeps it. */
type Found = Refusal | undefined;

/** Steps from a next-hop row on, and the verdict. `vrf`: row of the VRF looked up in; `label`: to push. */
export function explainWay(
  source: ExplainSource,
  inForce: InForce,
  { nexthop: id, label, vrf }: { nexthop: number; label: number; vrf: number },
  steps: Steps,
): void {
  const row = source.tables.nexthopRow(id);
  if (row === undefined) {
    const refusal = { why: `next-hop row ${id} is gone`, drop: 'nexthop_unusable' };
    steps.verdict('dropped', refusal);
    return;
  }
  const desired = inForce.overlay.nexthops.get(row.name) ?? inForce.rows.nexthops.get(row.name);
  steps.fact('next hop', `${row.name} (row ${id}, version ${row.version})`);
  if (tunnelOf(row.name) !== undefined) {
    explainTunnel(inForce, row, desired, label, steps);
    explainPathMtu(source, inForce.tunnels.get(tunnelOf(row.name) ?? ''), steps);
  }
  explainVersion(source, row, desired, vrf, steps);
}

function explainTunnel(
  inForce: InForce,
  row: NexthopRow,
  desired: DesiredNexthop | undefined,
  label: number,
  steps: Steps,
): void {
  const tunnel = inForce.tunnels.get(tunnelOf(row.name) ?? '');
  steps.fact('label', `${label} is pushed`);
  if (tunnel === undefined) {
    steps.fact('tunnel', `${row.name} is of no tunnel that is known; it was kept from before`);
    return;
  }
  const { local, remote, protection, encapsulation } = tunnel;
  const how =
    protection === 'mpls' ? 'plain MPLS' : `${protection}, ${encapsulationWord(encapsulation)}`;
  const state = desired?.sa === undefined ? '' : `; its SA is ${desired.sa}`;
  steps.fact('tunnel', `${formatAddress(local)} to ${formatAddress(remote)}, ${how}${state}`);
}

function explainPathMtu(
  source: ExplainSource,
  tunnel: TunnelModel | undefined,
  steps: Steps,
): void {
  if (tunnel === undefined || tunnel.protection === 'mpls') return;
  const known = source.pathMtus.get(tunnel);
  if (known === undefined) return;
  const { mtu, expires } = known;
  const how =
    expires === undefined
      ? 'as probes found'
      : `as the core said by ICMP; until ${new Date(expires).toISOString()}`;
  steps.fact('path MTU', `${mtu} bytes outside, ${how}`);
}

export const encapsulationWord = (encapsulation: string): string =>
  ({ gre: 'MPLS-in-GRE', ip: 'MPLS-in-IP' })[encapsulation] ?? 'no encapsulation';

function explainVersion(
  source: ExplainSource,
  row: NexthopRow,
  desired: DesiredNexthop | undefined,
  vrf: number,
  steps: Steps,
): void {
  const { active } = row;
  const why = desired?.why ?? '';
  if (active === undefined) {
    steps.verdict('dropped', { why, drop: 'nexthop_unusable' });
    return;
  }
  switch (active.kind) {
    case 'drop': {
      const isMissing = active.reason === 'sa_missing';
      const held = isMissing ? 'the first packet is held for 30 s, the others dropped' : 'dropped';
      const answer = active.icmpUnreachable ? ', answered by ICMP' : '';
      steps.verdict(`${held}${answer}`, { why, drop: active.reason });
      return;
    }
    case 'receive':
      steps.verdict('delivered: an address of our own, to the kernel');
      return;
    case 'glean': {
      const pending = 'the link address of the destination is asked for; later packets go';
      steps.verdict('dropped', { why: pending, drop: 'neighbour_pending' });
      return;
    }
    case 'adjacency':
      if (active.vrf !== vrf) {
        steps.fact('leak', `to a neighbour of VRF ${vrfName(source, active.vrf)}`);
      }
      steps.fact(
        'adjacency',
        `${formatAddress(active.neighbour)} at ${formatMac(active.header.subarray(0, 6))}`,
      );
      finish(source, active, undefined, steps);
      return;
    case 'tunnel':
    case 'lsp':
      finish(source, active, explainSealing(source, active, desired, steps), steps);
  }
}

const vrfName = (source: ExplainSource, id: number): string =>
  source.tables.vrfs().find((row) => row.id === id)?.name ?? `row ${id}`;

/** SA, transport labels and the neighbour in the core. */
function explainSealing(
  source: ExplainSource,
  version: TunnelVersion,
  desired: DesiredNexthop | undefined,
  steps: Steps,
): Found {
  const found =
    version.kind === 'tunnel' && version.header.spi !== undefined
      ? explainSa(source, version.sa, steps)
      : undefined;
  const labels = version.header.labels ?? [];
  if (labels.length > 0) steps.fact('transport labels', labels.join('/'));
  else if (version.kind === 'lsp') {
    steps.fact('transport labels', 'none: the next router is the end');
  }
  const via = desired?.via === undefined ? 'the next router' : formatAddress(desired.via);
  steps.good('core', `by ${via} at ${formatMac(version.header.ethernet.subarray(0, 6))}`);
  return found;
}

const hex = (spi: number): string => `0x${spi.toString(16).padStart(8, '0')}`;

/** What `open_tunnel` of the worker's encap stage asks of an outbound SA. */
function explainSa(source: ExplainSource, id: number, steps: Steps): Found {
  const row = source.tables.sas('out').find((one) => one.id === id);
  if (row === undefined) {
    const refusal = { why: `SA row ${id} is gone`, drop: 'sa_not_ready' };
    steps.bad('SA', 'none', refusal);
    return refusal;
  }
  const state = source.tables.saState('out', id);
  const words = saWords(source, row, state);
  const refusal = saRefusal(row, state);
  if (refusal === undefined) steps.good('SA', words);
  else steps.bad('SA', words, refusal);
  return refusal;
}

function saRefusal(row: SaRow, state: SaState): Found {
  if (!state.ready) return { why: 'the worker has not installed it', drop: 'sa_not_ready' };
  const limit = row.packetLimit === 0n ? ALL_SEQUENCES : row.packetLimit;
  if (state.sequence < limit) return undefined;
  return { why: `all ${limit} sequence numbers are used`, drop: 'sa_exhausted' };
}

function saWords(source: ExplainSource, row: SaRow, state: SaState): string {
  const remote = formatAddress(row.destination);
  const child = [...ikeChildRows(source.ike.manager)].find(
    (one) => one.outboundSpi === hex(row.spi) && one.remote === remote,
  );
  const ends = child === undefined ? '' : `, in ${child.inboundSpi}, since ${child.createdAt}`;
  return `${row.name}: out ${hex(row.spi)}${ends}, ${row.algorithm}, ${state.packets} packets`;
}

/** MTU, interface, and what of the above keeps the packet. */
function finish(
  source: ExplainSource,
  version: Extract<Version, { mtu: number }>,
  found: Found,
  steps: Steps,
): void {
  steps.fact(
    'MTU',
    `${version.mtu} bytes; larger ones are fragmented (IPv4 without DF) or dropped, mtu_exceeded`,
  );
  const out = source.tables.interfaces().find(({ id }) => id === version.interface);
  const refusal = found ?? portRefusal(source, out?.name);
  const name = out?.name ?? `interface row ${version.interface}`;
  if (refusal === undefined) steps.verdict(`goes out by ${name}`);
  else steps.verdict('dropped', refusal);
}

function portRefusal(source: ExplainSource, name: string | undefined): Found {
  const config = source.instance.inForce?.plan.config;
  const device = name === undefined ? undefined : config?.interfaces[name]?.device;
  const key = device && deviceKey(device);
  if (key === undefined || !source.worker.macs.has(key)) {
    return { why: 'its interface has no running port', drop: 'tx_no_port' };
  }
  // The driver takes what it is given: nobody counts it.
  if (source.worker.linkUp(source.tables.portId(key)) !== false) return undefined;
  return { why: `the link of ${name ?? ''} is down`, drop: '' };
}
