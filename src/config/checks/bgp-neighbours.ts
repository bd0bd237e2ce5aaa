// SPDX-License-Identifier: Apache-2.0
/** Neighbours, templates and ranges: what contradicts itself, or another part. */
import { kindOf } from '../../lib/ip-kind.js';
import { equalBytes, familyOf, parseAddress, parsePrefix } from '../../lib/ip.js';
import { mergeTemplate, isInternal } from '../bgp/resolve.js';
import type { Bgp, BgpDynamicNeighbours, BgpNeighbour, BgpNeighbourOptions } from '../bgp/types.js';
import type { Path } from '../issues.js';
import { address, network } from '../scalars.js';
import { checkNamed } from './bgp-policies.js';
import type { Context } from './context.js';

interface Place {
  readonly path: Path;
  readonly vrf: string | undefined;
}

export function checkBgpNeighbours(ctx: Context, bgp: Bgp): void {
  for (const [name, options] of Object.entries(bgp.templates ?? {})) {
    checkOptions(ctx, ['bgp', 'templates', name], options, options);
  }
  checkSection(ctx, bgp, bgp, { path: ['bgp'], vrf: undefined });
  for (const [vrf, { bgp: section }] of Object.entries(ctx.config.vrfs ?? {})) {
    if (section === undefined) continue;
    checkSection(ctx, bgp, section, { path: ['vrfs', vrf, 'bgp'], vrf });
  }
}

function checkSection(
  ctx: Context,
  bgp: Bgp,
  { neighbours = {}, dynamicNeighbours = {} }: Pick<Bgp, 'neighbours' | 'dynamicNeighbours'>,
  { path, vrf }: Place,
): void {
  for (const [key, given] of Object.entries(neighbours)) {
    const place = { path: [...path, 'neighbours', key], vrf };
    checkAddress(ctx, key, given, place);
    checkNeighbour(ctx, bgp, given, place);
  }
  for (const [key, given] of Object.entries(dynamicNeighbours)) {
    const place = { path: [...path, 'dynamicNeighbours', key], vrf };
    checkScalarKey(ctx, place.path, key, network);
    checkNeighbour(ctx, bgp, given, place);
  }
}

/** A key that must be what a scalar of the schema is. */
function checkScalarKey(
  ctx: Context,
  path: Path,
  key: string,
  schema: ReturnType<typeof address>,
): boolean {
  const parsed = schema.safeParse(key);
  const found = parsed.success ? undefined : parsed.error.issues[0];
  if (found === undefined) return true;
  const params = 'params' in found ? found.params : undefined;
  const remedy: unknown = params?.['remedy'];
  ctx.failKey(path, {
    reason: found.message,
    remedy: typeof remedy === 'string' ? remedy : '',
  });
  return false;
}

function checkAddress(ctx: Context, key: string, given: BgpNeighbour, { path, vrf }: Place): void {
  if (!checkScalarKey(ctx, path, key, address({ linkLocal: true }))) return;
  const bytes = parseAddress(key);
  if (bytes === undefined) return;
  const linkLocal = kindOf(bytes) === 'link-local';
  if (linkLocal && given.interface === undefined) {
    const reason = 'a link-local neighbour without interface';
    ctx.failKey(path, { reason, remedy: 'interface: where it is' });
  } else if (!linkLocal && given.interface !== undefined) {
    const reason = 'an interface says nothing more about a routable address';
    ctx.fail([...path, 'interface'], { reason, remedy: 'remove it' });
  }
  checkInterface(ctx, given.interface, { path: [...path, 'interface'], vrf });
  const own = ctx.ownPrefixes(vrf).find(({ prefix }) => equalBytes(prefix.address, bytes));
  const tunnel = vrf === undefined && ctx.config.core.tunnelAddresses.includes(key);
  if (own !== undefined || tunnel) {
    const where = own === undefined ? 'core.tunnelAddresses' : ctx.at(own.path);
    ctx.failKey(path, { reason: `our own address (${where})`, remedy: "the neighbour's" });
  }
}

/** The interface of a link-local neighbour is in the same routing table. */
function checkInterface(ctx: Context, name: string | undefined, { path, vrf }: Place): void {
  const found = name === undefined ? undefined : ctx.config.interfaces[name];
  if (found === undefined) return;
  const its = found.role === 'ce' ? found.vrf : undefined;
  if (its === vrf) return;
  const where = its === undefined ? 'the core' : `VRF "${its}"`;
  ctx.fail(path, { reason: `an interface of ${where}`, remedy: 'one of the same routing table' });
}

function checkNeighbour(
  ctx: Context,
  bgp: Bgp,
  given: BgpNeighbour | BgpDynamicNeighbours,
  { path, vrf }: Place,
): void {
  checkNamed(ctx, [...path, 'template'], given.template, 'templates');
  const merged = mergeTemplate(bgp, given);
  const dynamic = path.at(-2) === 'dynamicNeighbours';
  // A template that was cut out, or its AS number, may have said it.
  if (merged.asn === undefined && ctx.whole('bgp', 'templates')) {
    ctx.fail([...path, 'asn'], { reason: 'no AS number', remedy: 'here or in its template' });
  } else if (!dynamic && typeof merged.asn !== 'number' && merged.asn !== undefined) {
    const reason = 'several AS numbers go with a range of neighbours only';
    ctx.fail([...path, 'asn'], { reason, remedy: 'one number' });
  }
  checkOptions(ctx, path, given, merged);
  checkKind(ctx, bgp, path, merged);
  checkFamilies(ctx, path, given, vrf);
  checkSp(ctx, bgp, { path, vrf }, merged);
}

/** Whose routes an external neighbour may be told cannot be guessed once there is another SP. */
function checkSp(ctx: Context, bgp: Bgp, { path, vrf }: Place, merged: BgpNeighbourOptions): void {
  if (!ctx.whole('bgp', 'asn') || merged.asn === undefined) return;
  const internal = isInternal(merged, bgp);
  const at = [...path, 'sp'];
  if (internal || vrf !== undefined) {
    if (merged.sp === undefined) return;
    const is = internal ? 'internal, of the own SP' : 'a CE, of no SP';
    ctx.fail(at, { reason: `the neighbour is ${is}`, remedy: 'remove it' });
    return;
  }
  const { ownSp, otherSps = [] } = ctx.config;
  if (merged.sp !== undefined || otherSps.length === 0 || !speaksVpn(merged)) return;
  if (!ctx.whole('ownSp') || !ctx.whole('otherSps')) return;
  ctx.fail(at, {
    reason: 'not said which SP this external neighbour is of, and there are several',
    remedy: [ownSp, ...otherSps].map((one) => `"${one}"`).join(' or '),
  });
}

/** In the core; VPN families are the default there. */
const speaksVpn = ({ families }: BgpNeighbourOptions): boolean =>
  families === undefined || Object.keys(families).some((family) => family.startsWith('vpn'));

/** @param given what is written here; `merged` with what the template adds. */
function checkOptions(
  ctx: Context,
  path: Path,
  given: BgpNeighbourOptions,
  merged: BgpNeighbourOptions,
): void {
  checkNamed(ctx, [...path, 'policyIn'], given.policyIn, 'policies');
  checkNamed(ctx, [...path, 'policyOut'], given.policyOut, 'policies');
  const exclusive = (a: keyof BgpNeighbourOptions, b: keyof BgpNeighbourOptions, why: string) => {
    if (merged[a] === undefined || merged[b] === undefined) return;
    const at = given[a] === undefined ? b : a;
    ctx.fail([...path, at], {
      reason: `not with ${at === a ? b : a}: ${why}`,
      remedy: 'one of both',
    });
  };
  exclusive('multihop', 'ttlSecurity', 'ttlSecurity says how far the neighbour is');
  exclusive('nextHopSelf', 'nextHopUnchanged', 'the next hop is ours, or stays');
  exclusive('accepts', 'nextHopUnchanged', 'packets for routes of others do not come to us');
  exclusive('md5KeyFile', 'tcpAo', 'a connection has one kind of signature (RFC 5925 §1.1)');
  checkTimers(ctx, [...path, 'timers'], given);
}

function checkTimers(ctx: Context, path: Path, { timers = {} }: BgpNeighbourOptions): void {
  const { hold = 90, keepalive, connectRetry = 5, connectRetryMax = 120 } = timers;
  if (hold === 1 || hold === 2) {
    const reason = 'a hold time of 1 or 2 seconds (RFC 4271 §4.2)';
    ctx.fail([...path, 'hold'], { reason, remedy: '0, or 3..65535' });
  } else if (keepalive !== undefined && hold > 0 && keepalive >= hold) {
    const reason = `not less than the hold time, ${hold}`;
    ctx.fail([...path, 'keepalive'], { reason, remedy: 'a third of it' });
  }
  if (connectRetry > connectRetryMax) {
    const at = timers.connectRetry === undefined ? 'connectRetryMax' : 'connectRetry';
    const reason = 'connectRetry is more than connectRetryMax';
    ctx.fail([...path, at], { reason, remedy: `${connectRetry} <= connectRetryMax` });
  }
}

/** What means something for IBGP or EBGP alone. */
function checkKind(ctx: Context, bgp: Bgp, path: Path, merged: BgpNeighbourOptions): void {
  if (typeof merged.asn !== 'number' || !ctx.whole('bgp', 'asn')) return;
  const internal = isInternal(merged, bgp);
  const only: readonly (keyof BgpNeighbourOptions)[] = internal
    ? ['multihop', 'asOverride', 'removePrivateAs', 'nextHopUnchanged', 'unmarkedToSp']
    : ['routeReflectorClient'];
  for (const key of only) {
    if (merged[key] === undefined || merged[key] === false) continue;
    const [is, for_] = internal ? ['internal', 'external'] : ['external', 'internal'];
    ctx.fail([...path, key], {
      reason: `the neighbour is ${is} (AS ${merged.asn}), and this is for ${for_} ones`,
      remedy: 'remove it',
    });
  }
  if (internal || bgp.ebgpRequiresPolicy === false) return;
  for (const [key, what] of [
    ['policyIn', 'takes nothing from'],
    ['policyOut', 'gives nothing to'],
  ] as const) {
    if (merged[key] !== undefined) continue;
    ctx.warn([...path, key], {
      reason: `${what} this external neighbour without a policy (RFC 8212)`,
      remedy: 'a policy, or ebgpRequiresPolicy: false',
    });
  }
}

const IN_VRF = new Set(['ipv4-unicast', 'ipv6-unicast']);

function checkFamilies(
  ctx: Context,
  path: Path,
  { families, localAddress }: BgpNeighbourOptions,
  vrf: string | undefined,
): void {
  const at = [...path, 'families'];
  const entries = Object.entries(families ?? {});
  if (families !== undefined && entries.length === 0 && ctx.whole(...at)) {
    ctx.fail(at, { reason: 'no address family', remedy: 'name one, or leave it out' });
  }
  for (const [name, family] of entries) {
    if (vrf !== undefined && !IN_VRF.has(name)) {
      const reason = 'exchanged in the core alone: inside a VRF routes have neither RD nor label';
      ctx.fail([...at, name], { reason, remedy: [...IN_VRF].join(', ') });
    }
    if (family.extendedNextHop === true && name !== 'ipv4-unicast' && !/v4|ipv4/.test(name)) {
      const reason = 'IPv6 next hops of an IPv6 family are usual ones';
      ctx.fail([...at, name, 'extendedNextHop'], { reason, remedy: 'remove it' });
    }
    const sends = family.addPath === 'send' || family.addPath === 'both';
    if (family.addPathLimit !== undefined && !sends) {
      const reason = 'limits paths sent, and none are';
      ctx.fail([...at, name, 'addPathLimit'], { reason, remedy: 'addPath: "send" or "both"' });
    }
  }
  checkLocalAddress(ctx, path, localAddress);
}

/** Both ends of a connection are of one address family. */
function checkLocalAddress(ctx: Context, path: Path, text: string | undefined): void {
  const local = text === undefined ? undefined : parseAddress(text);
  const key = String(path.at(-1));
  const remote = parseAddress(key) ?? parsePrefix(key)?.address;
  if (local === undefined || remote === undefined || familyOf(local) === familyOf(remote)) return;
  const reason = `the neighbour's is an IPv${remote.length === 4 ? 4 : 6} address`;
  ctx.fail([...path, 'localAddress'], { reason, remedy: 'an own address of the same kind' });
}
