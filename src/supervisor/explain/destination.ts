// SPDX-License-Identifier: Apache-2.0
/** `sealane explain vrf`: a destination from the VRF to the wire. */
import type { RouteRow } from '../../forwarding/addon/api.js';
import { formatAddress, formatPrefix } from '../../lib/ip.js';
import type { ExplainRow } from '../../rpc/backend.js';
import { ControlError } from '../../rpc/errors.js';
import type { InForce } from '../instance.js';
import { acceptWords } from '../show-rows.js';
import { explainPaths, explainUnusable } from './paths.js';
import { type Refusal, Steps } from './steps.js';
import { explainWay, type ExplainSource } from './way.js';

const MULTICAST: Refusal = { why: 'multicast is not routed', drop: 'ip_multicast' };
const NOBODY: Refusal = { why: 'no host can have this address', drop: 'ip_destination' };

/** As ip_header.h of the worker has it: what the address alone decides; 'link': it stays on the CE's link. */
const scopeOf = (address: Uint8Array): Refusal | 'link' | undefined =>
  address.length === 4 ? scope4(address) : scope6(address);

function scope4([first = 0, ...rest]: Uint8Array): Refusal | 'link' | undefined {
  if (first >= 224 && first < 240) {
    return first === 224 && rest[0] === 0 && rest[1] === 0 ? 'link' : MULTICAST;
  }
  if (first === 255 && rest.every((byte) => byte === 255)) return 'link';
  return first === 0 || first === 127 || first >= 240 ? NOBODY : undefined;
}

function scope6(address: Uint8Array): Refusal | 'link' | undefined {
  const [first = 0, second = 0] = address;
  if (first === 0xff) return (second & 15) <= 2 ? 'link' : MULTICAST;
  if (first === 0xfe && (second & 0xc0) === 0x80) return 'link';
  const isLow = address.subarray(0, 15).every((byte) => byte === 0) && (address[15] ?? 0) <= 1;
  return isLow ? NOBODY : undefined;
}

export function inForceOf(source: ExplainSource): InForce {
  const { inForce } = source.instance;
  if (inForce !== undefined) return inForce;
  throw new ControlError('BUSY', 'no configuration is in force yet', { remedy: 'try again' });
}

/** Without a worker nothing of the rest happens. */
export function explainWorker(source: ExplainSource, steps: Steps): boolean {
  const { state, reason } = source.workerRows.health();
  if (state === 'running') return true;
  steps.bad('worker', state, { why: reason, drop: '' });
  return false;
}

/** `vrf`: a VRF of the configuration; `address`: 4 or 16 octets. */
export function explainRoute(
  source: ExplainSource,
  { vrf, address }: { readonly vrf: string; readonly address: Uint8Array },
): ExplainRow[] {
  const inForce = inForceOf(source);
  const id = source.instance.reconciler.live.vrf(vrf);
  if (id === undefined) throw new ControlError('NOT_FOUND', `VRF "${vrf}" has no row yet`);
  const steps = new Steps();
  steps.fact('destination', `${formatAddress(address)} in VRF ${vrf} (row ${id})`);
  if (!explainWorker(source, steps)) {
    steps.verdict('nothing is forwarded', { why: 'no worker runs', drop: '' });
    return steps.rows;
  }
  const scope = scopeOf(address);
  if (scope !== undefined) {
    if (scope === 'link') steps.verdict('delivered: concerns the link alone, to the kernel');
    else steps.verdict('dropped', scope);
    return steps.rows;
  }
  const route = source.tables.lookup(id, address);
  const bgp = source.bgp.view();
  const better = { address, above: route?.length ?? -1 };
  const unusable = bgp && explainUnusable(bgp, vrf, better, steps);
  if (route === undefined) {
    const why =
      unusable === undefined ? 'no prefix of the VRF covers it' : `${unusable} cannot be used`;
    steps.verdict('dropped, answered by ICMP', { why, drop: 'no_route' });
    return steps.rows;
  }
  explainFound(source, inForce, { id, vrf }, route, steps);
  return steps.rows;
}

function explainFound(
  source: ExplainSource,
  inForce: InForce,
  { id, vrf }: { readonly id: number; readonly vrf: string },
  route: RouteRow,
  steps: Steps,
): void {
  const stale = route.stale ? ', kept from before a restart and not confirmed yet' : '';
  steps.fact('route', `${formatPrefix(route)}, owner ${route.owner}${stale}`);
  const accept = route.accept === 0 ? undefined : acceptWords(source, inForce).get(route.accept);
  steps.fact('exported', accept ?? 'to nobody: no packet out of a label reaches it');
  const bgp = source.bgp.view();
  if (route.owner === 'bgp' && bgp !== undefined) explainPaths(bgp, vrf, route, steps);
  const ways = route.ways ?? [route];
  if (ways.length > 1) steps.fact('ways', `${ways.length}; each flow keeps to one`);
  for (const [i, { nexthop, label }] of ways.entries()) {
    steps.way = ways.length > 1 ? i + 1 : 0;
    explainWay(source, inForce, { nexthop, label, vrf: id }, steps);
  }
}
