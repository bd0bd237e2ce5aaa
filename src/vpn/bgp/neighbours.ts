// SPDX-License-Identifier: Apache-2.0
/**
 * Neighbours of the configuration, as the sessions and the RIB want them: templates folded in, families
 * and policies chosen where the configuration leaves them open.
 */
import { ACCEPT_ALL, defaultPolicy, type PolicyCompiler } from '../../bgp/policy/compile.js';
import type { NeighbourRib, PrefixLimit } from '../../bgp/rib/peers.js';
import type { Transit } from '../../bgp/rib/transit.js';
import type { NeighborConfig, NeighborFamily } from '../../bgp/session/config.js';
import { FAMILIES, type FamilyId } from '../../bgp/codec/types.js';
import type { EstablishedPeer, Policy } from '../../bgp/types.js';
import { ipsecOf, protectedSegment } from '../../config/bgp/protect.js';
import { neighboursOf, type ConfiguredNeighbour } from '../../config/bgp/resolve.js';
import type { SpNumbers } from '../../config/sp-numbers.js';
import type { Bgp, BgpFamilies, BgpNeighbourOptions, Config } from '../../config/types.js';
import { parseSiteOfOrigin } from '../../lib/bgp-words.js';

/** One configured neighbour, or prefix of neighbours. */
export interface Neighbour {
  readonly session: NeighborConfig;
  readonly options: ConfiguredNeighbour;
}

function sessionFamilies(families: BgpFamilies): NonNullable<NeighborConfig['families']> {
  const all: Partial<Record<(typeof FAMILIES)[number]['name'], NeighborFamily>> = {};
  for (const { name } of FAMILIES) {
    const family = families[name];
    if (family === undefined) continue;
    const { addPath, extendedNextHop, maxPrefixes } = family;
    all[name] = {
      ...(addPath && { addPath }),
      ...(extendedNextHop !== undefined && { extendedNextHop }),
      ...(maxPrefixes && { maxPrefixes }),
    };
  }
  return all;
}

/** What is the session's business too, unchanged. */
const SESSION_FIELDS = [
  ...(['address', 'prefix', 'prefixLimit', 'interface', 'vrf', 'routerId'] as const),
  ...([
    'description',
    'localAsn',
    'localAddress',
    'port',
    'passive',
    'shutdown',
    'multihop',
  ] as const),
  ...(['ttlSecurity', 'md5KeyFile', 'tcpAo', 'timers', 'gracefulRestart', 'longLived'] as const),
] as const;

/** Room for ESP around each segment of a session that has to be inside an SA. */
function segmentFor(config: Config, options: ConfiguredNeighbour): { maxSegment?: number } {
  const { address = '' } = options;
  if (ipsecOf(options, config.ownSp) === 'off') return {};
  return { maxSegment: protectedSegment(config, address.includes(':') ? 6 : 4) };
}

function sessionOf(config: Config, options: ConfiguredNeighbour): NeighborConfig {
  const picked = Object.fromEntries(
    SESSION_FIELDS.flatMap((field) =>
      options[field] === undefined ? [] : [[field, options[field]]],
    ),
  ) as Partial<NeighborConfig>;
  return {
    ...{ ...picked, ...segmentFor(config, options) },
    ...{ asn: options.asn, families: sessionFamilies(options.families) },
  };
}

/** Every neighbour, by the name sessions have: address or prefix, %VRF inside a VRF. */
export function neighbours(config: Config): ReadonlyMap<string, Neighbour> {
  const all = neighboursOf(config).map((options) => ({
    session: sessionOf(config, options),
    options,
  }));
  return new Map(
    all.map((one) => {
      const { vrf, address, prefix = '' } = one.options;
      const where = address ?? prefix;
      return [vrf === undefined ? where : `${where}%${vrf}`, one];
    }),
  );
}

function prefixLimits(families: BgpFamilies | undefined): NeighbourRib['prefixLimits'] {
  const limits: Partial<Record<FamilyId, PrefixLimit>> = {};
  for (const id of [0, 1, 2, 3, 4, 5, 6] as const) {
    const { limit, warnAt, action } = families?.[FAMILIES[id].name]?.maxPrefixes ?? {};
    if (limit === undefined) continue;
    limits[id] = {
      routes: limit,
      ...(warnAt !== undefined && { warnAt }),
      ...(action !== undefined && { action }),
    };
  }
  return limits;
}

function addPathLimits(families: BgpFamilies | undefined): NeighbourRib['addPathLimits'] {
  const limits: Partial<Record<FamilyId, number>> = {};
  for (const id of [0, 1, 2, 3, 4, 5, 6] as const) {
    const limit = families?.[FAMILIES[id].name]?.addPathLimit;
    if (limit !== undefined) limits[id] = limit;
  }
  return limits;
}

/** What a policy says, not its name: a reload may change it, and then what it concerns is done anew. */
function policyKey(bgp: Bgp, name: string | undefined, policies: PolicyCompiler): string {
  if (name === undefined) return `default ${String(bgp.ebgpRequiresPolicy ?? true)}`;
  return policies.fingerprint(name);
}

/** Inside, reflectors and PEs are told everything: where it may go on is for the borders to see. */
function toldFor(
  { sp, unmarkedToSp, nextHopUnchanged }: BgpNeighbourOptions,
  { kind, vrf }: EstablishedPeer,
  { ownSp, numbers }: Surroundings,
): Pick<NeighbourRib, 'sp' | 'otherSp' | 'vpnNextHopUnchanged'> {
  if (kind !== 'ebgp' || vrf !== undefined) return {};
  const its = sp ?? ownSp;
  return {
    sp: its,
    ...(its !== ownSp && {
      otherSp: { number: numbers.of(its), unmarked: unmarkedToSp ?? false },
    }),
    ...(nextHopUnchanged === true && { vpnNextHopUnchanged: true }),
  };
}

/** What is the same for all neighbours. */
export interface Surroundings {
  readonly bgp: Bgp;
  readonly ownSp: string;
  readonly numbers: Pick<SpNumbers, 'of'>;
  readonly transit: (peer: EstablishedPeer, options: BgpNeighbourOptions) => Transit | undefined;
}

/** A PE that happens to have an external neighbour passes nothing on: only who is a border router does. */
function transitTo(
  { bgp, transit }: Surroundings,
  options: BgpNeighbourOptions,
  peer: EstablishedPeer,
): Transit | undefined {
  const isBorder = bgp.keepAllVpnRoutes === true && peer.vrf === undefined;
  return isBorder ? transit(peer, options) : undefined;
}

/** How the RIB treats a neighbour whose session is up. */
export function neighbourRib(
  around: Surroundings,
  options: BgpNeighbourOptions,
  peer: EstablishedPeer,
  policies: PolicyCompiler,
): NeighbourRib {
  const { bgp } = around;
  const transit = transitTo(around, options, peer);
  const standard = defaultPolicy(peer.kind, bgp.ebgpRequiresPolicy ?? true);
  // What passes everything is none: the RIB then does not even decode the attributes.
  const unnamed = standard === ACCEPT_ALL ? undefined : standard;
  const named = (name: string | undefined): Policy | undefined =>
    name === undefined ? unnamed : policies.compile(name, peer.localAsn);
  const site =
    options.siteOfOrigin === undefined ? undefined : parseSiteOfOrigin(options.siteOfOrigin);
  return {
    policyIn: named(options.policyIn),
    policyOut: named(options.policyOut),
    policyInKey: policyKey(bgp, options.policyIn, policies),
    policyOutKey: policyKey(bgp, options.policyOut, policies),
    ...(options.routeReflectorClient !== undefined && {
      routeReflectorClient: options.routeReflectorClient,
    }),
    ...(options.nextHopSelf === true && { nextHop: 'self' as const }),
    ...(options.asOverride !== undefined && { asOverride: options.asOverride }),
    ...(options.allowAsIn !== undefined && { allowAsIn: options.allowAsIn }),
    ...(site !== undefined && { siteOfOrigin: site }),
    ...(options.removePrivateAs !== undefined && { removePrivateAs: options.removePrivateAs }),
    ...(options.passCe !== undefined && { passVpn: options.passCe }),
    ...toldFor(options, peer, around),
    ...(transit && { transit }),
    prefixLimits: prefixLimits(options.families) ?? {},
    addPathLimits: addPathLimits(options.families) ?? {},
    advertisementIntervalMs: (options.advertisementInterval ?? 0) * 1000,
  };
}
