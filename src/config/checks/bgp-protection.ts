// SPDX-License-Identifier: Apache-2.0
/** BGP inside an ESP transport SA: whether IKE can set one up for a neighbour that has to have it (policy-model 18). */
import { covers, hostPrefix, parseAddress, parsePrefix } from '../../lib/ip.js';
import { ipsecOf } from '../bgp/protect.js';
import { isInternal, mergeTemplate } from '../bgp/resolve.js';
import type { Bgp, BgpDynamicNeighbours, BgpNeighbour, BgpNeighbourOptions } from '../bgp/types.js';
import type { Mistake, Path } from '../issues.js';
import { PrefixIndex } from '../prefix-index.js';
import type { Context } from './context.js';
import { IkeReach } from './ike-reach.js';

const BGP_PORT = 179;

export function checkBgpProtection(ctx: Context, bgp: Bgp): void {
  for (const [vrf, { bgp: section }] of Object.entries(ctx.config.vrfs ?? {})) {
    for (const kind of ['neighbours', 'dynamicNeighbours'] as const) {
      const entries: Readonly<Record<string, BgpNeighbourOptions>> = section?.[kind] ?? {};
      for (const [key, given] of Object.entries(entries)) {
        if (given.ipsec === undefined) continue;
        const remedy = 'remove it';
        ctx.fail(['vrfs', vrf, 'bgp', kind, key, 'ipsec'], { reason: 'a CE has no SA', remedy });
      }
    }
  }
  if (!ctx.whole('ownSp') || !ctx.whole('core') || !ctx.whole('ike')) return;
  const reach = new IkeReach(ctx.config.ike);
  for (const [address, given] of Object.entries(bgp.neighbours ?? {})) {
    checkNeighbour(ctx, bgp, { path: ['bgp', 'neighbours', address], address, given }, reach);
  }
  for (const [prefix, given] of Object.entries(bgp.dynamicNeighbours ?? {})) {
    const path = ['bgp', 'dynamicNeighbours', prefix];
    checkNeighbour(ctx, bgp, { path, address: undefined, given }, reach);
    checkRange(ctx, bgp, prefix, given);
  }
}

/**
 * The worker drops what is in clear between the two ends of a neighbour that has to be protected: at another address
 * of ours it would come in by a range that holds it.
 */
function checkRange(ctx: Context, bgp: Bgp, prefix: string, given: BgpDynamicNeighbours): void {
  const range = parsePrefix(prefix);
  if (range === undefined) return;
  const { localAddress: ours } = mergeTemplate(bgp, given);
  for (const [address, neighbour] of Object.entries(bgp.neighbours ?? {})) {
    const merged = mergeTemplate(bgp, neighbour);
    const host = hostPrefix(parseAddress(address) ?? new Uint8Array());
    const isProtected = ipsecOf(merged, ctx.config.ownSp) === 'require';
    if (!isProtected || host === undefined || !covers(range, host)) continue;
    const { localAddress } = merged;
    if (localAddress === undefined || localAddress === ours) continue;
    ctx.failKey(['bgp', 'dynamicNeighbours', prefix], {
      reason: `holds ${address}, which is to be inside an SA, and could come in clear to another address of ours`,
      remedy: `ranges without it, or localAddress: "${localAddress}"`,
    });
  }
}

interface Named {
  readonly path: Path;
  /** undefined: a range of neighbours. */
  readonly address: string | undefined;
  readonly given: BgpNeighbour | BgpDynamicNeighbours;
}

function checkNeighbour(ctx: Context, bgp: Bgp, { path, address, given }: Named, reach: IkeReach) {
  const merged = mergeTemplate(bgp, given);
  const { ownSp } = ctx.config;
  const { sp = ownSp } = merged;
  // An internal neighbour of another SP is a mistake of its own.
  if (isInternal(merged, bgp) && merged.ipsec === undefined) return;
  if (ipsecOf(merged, ownSp) === 'off') {
    if (sp === ownSp) return;
    const reason = `BGP with SP "${sp}" goes in clear: whoever is on the way can read and reset it`;
    ctx.warn([...path, 'ipsec'], { reason, remedy: 'ipsec: "require"' });
    return;
  }
  const mistake =
    mistakeOf(bgp, merged, address) ??
    localMistake(ctx, merged) ??
    peerMistake(ctx, sp, address ?? '', reach);
  if (mistake === undefined) return;
  const { key, reason, remedy } = mistake;
  const why = merged.ipsec === 'require' ? '' : `, as it is with SP "${sp}" by default`;
  ctx.fail([...path, key], {
    reason: `BGP is to be inside an SA${why}: ${reason}`,
    remedy: `${remedy}, or ipsec: "off"`,
  });
}

type Keyed = Mistake & { readonly key: string };

/** What the session itself says. */
function mistakeOf(
  bgp: Bgp,
  { port = BGP_PORT, interface: link }: BgpNeighbour,
  address: string | undefined,
): Keyed | undefined {
  if (address === undefined) {
    const reason = 'for a range of neighbours there is no SA';
    return { key: 'ipsec', reason, remedy: 'name each neighbour' };
  }
  if (link !== undefined) {
    const reason = 'link-local addresses are nobody’s tunnel addresses';
    return { key: 'interface', reason, remedy: 'tunnel addresses' };
  }
  if (port !== BGP_PORT) {
    return { key: 'port', reason: 'its port is another than 179', remedy: 'port: 179' };
  }
  if ((bgp.port ?? BGP_PORT) === BGP_PORT) return undefined;
  const reason = 'bgp.port is another than 179';
  return { key: 'ipsec', reason, remedy: 'bgp: { port: 179 }' };
}

/** IKE listens on tunnel addresses alone. */
function localMistake(
  { config: { core } }: Context,
  { localAddress }: BgpNeighbourOptions,
): Keyed | undefined {
  if (localAddress !== undefined && core.tunnelAddresses.includes(localAddress)) return undefined;
  const reason =
    localAddress === undefined
      ? 'not said which tunnel address is our end'
      : 'IKE listens on core.tunnelAddresses alone';
  return { key: 'localAddress', reason, remedy: `one of ${core.tunnelAddresses.join(', ')}` };
}

/** Policy-model 14: the neighbour's address is its identity, and in the ranges of its own SP. */
function peerMistake(
  { config }: Context,
  sp: string,
  address: string,
  reach: IkeReach,
): Keyed | undefined {
  const ranges = config.ike?.providers[sp]?.ranges;
  if (ranges === undefined) {
    const reason = `ike.providers has no SP "${sp}"`;
    return {
      key: 'ipsec',
      reason,
      remedy: `ike: { providers: { "${sp}": { ranges, anchors } } }`,
    };
  }
  const index = new PrefixIndex<true>();
  for (const text of ranges) {
    const range = parsePrefix(text);
    if (range !== undefined) index.add(range, true);
  }
  const bytes = parseAddress(address);
  if (bytes === undefined || hostPrefix(bytes) === undefined) return undefined;
  if (index.longest(bytes) === undefined) {
    const reason = `${address} is outside of the ranges of SP "${sp}"`;
    return { key: 'ipsec', reason, remedy: `ike.providers["${sp}"].ranges that hold it` };
  }
  const mistake = reach.mistakeOf({ remote: address, protection: 'encrypt' });
  return mistake && { ...mistake, key: 'ipsec' };
}
