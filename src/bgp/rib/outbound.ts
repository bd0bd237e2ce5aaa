// SPDX-License-Identifier: Apache-2.0
/**
 * What of a path an update group is told: whether at all (RFC 4271 §9.2, RFC 4456 §6), and its attributes
 * on that kind of session (RFC 4271 §5.1, RFC 4364 §7.2). First what must not be passed on is taken away,
 * then the neighbour's policy runs, then what is ours to add is added.
 */
import { exportedTo } from '../codec/communities/export-scope.js';
import { nextHopAgreed } from '../codec/next-hop.js';
import { type AsSegment, FAMILY, type FamilyId, type PathAttributes } from '../codec/types.js';
import type { EstablishedPeer } from '../types.js';
import { type AttributeReader, COMMUNITY, unmapped } from './attribute-codec.js';
import { type AttributeId, LLGR_STALE, NO_ADVERTISE, NO_EXPORT } from './attribute-store.js';
import { type Core, OURSELVES } from './core.js';
import { IMPORT, type PathId } from './path-store.js';
import type { NeighbourRib, Peer } from './peers.js';
import { isVpn, shapeOf } from './scope.js';
import { SetCache } from './set-cache.js';
import { transitQuestion } from './transit-ways.js';
import type { Transit } from './transit.js';
import { without, withoutVpnAttributes } from './vpn-communities.js';

const NO_ADDRESS = new Uint8Array(0);

/** A path as its group is to be told of it. */
interface Origin {
  readonly path: PathId;
  /** undefined: ourselves. */
  readonly peer: Peer | undefined;
  readonly imported: boolean;
  readonly longLived: boolean;
}

export class Outbound {
  readonly #core: Core;
  readonly #reader: AttributeReader;
  readonly #family: FamilyId;
  /** Any member: they are alike in all that matters here. */
  readonly #info: EstablishedPeer;
  readonly #config: NeighbourRib;
  readonly #cache: SetCache;

  constructor(core: Core, reader: AttributeReader, family: FamilyId, peer: Peer) {
    this.#core = core;
    this.#reader = reader;
    this.#family = family;
    this.#info = peer.info;
    this.#config = peer.config;
    this.#cache = new SetCache(core.attributes);
  }

  clear(): void {
    this.#cache.clear();
  }

  /** The set to send, with a reference; 0: the group is not told of the path. */
  transform(path: PathId): AttributeId {
    const { paths, attributes } = this.#core;
    const set = paths.attributes(path);
    const origin = this.#origin(path);
    if (!this.#mayTell(set, origin)) return 0;
    const make = (): AttributeId => {
      const made = this.#make(attributes.decoded(set), origin);
      return made === undefined ? 0 : this.#reader.own(made);
    };
    if (this.#config.policyOut?.usesPrefix === true) return make();
    const key = (set * 65536 + paths.peer(path)) * 2 + Number(origin.longLived);
    return this.#cache.resolve(key, set, make);
  }

  /**
   * Whether the label of routes of this neighbour must be ours: we become the next hop of a route whose label another
   * router has given out. Routes of our own have our label already.
   */
  swapsFrom(peer: number): boolean {
    const labelled = this.#family >= FAMILY.vpnv4 && this.#family <= FAMILY.ipv6Labelled;
    return labelled && peer !== OURSELVES && this.#becomesNextHop();
  }

  /** How routes are passed on for which that holds; undefined: they are not. */
  get transit(): Transit | undefined {
    return isVpn(this.#family) && this.#becomesNextHop() ? this.#config.transit : undefined;
  }

  #origin(path: PathId): Origin {
    const { paths } = this.#core;
    const imported = paths.has(path, IMPORT);
    const source = imported ? paths.source(path) : path;
    const peer = this.#core.peers[paths.peer(source)];
    const longLived = peer?.isLongLived(paths.family(source), paths.epoch(source)) ?? false;
    return { path, peer, imported, longLived };
  }

  #mayTell(set: AttributeId, origin: Origin): boolean {
    const { attributes } = this.#core;
    const external = this.#info.kind === 'ebgp';
    if (attributes.has(set, NO_ADVERTISE)) return false;
    if (external && attributes.has(set, NO_EXPORT)) return false;
    // RFC 9494 §4.3: only to those who know what it means, whoever has marked it.
    const stale = origin.longLived || attributes.has(set, LLGR_STALE);
    if (stale && !this.#knowsLongLived) return false;
    if (!this.#isExportedTo(set, origin)) return false;
    const site = this.#config.siteOfOrigin;
    if (site !== undefined) {
      const communities = attributes.decoded(set).extendedCommunities ?? [];
      if (communities.includes(site)) return false;
    }
    if (external || origin.peer === undefined || origin.imported) return true;
    if (origin.peer.external) return true;
    // RFC 4456 §6: between IBGP neighbours only from or to a client.
    const fromClient = origin.peer.config.routeReflectorClient === true;
    return fromClient || this.#config.routeReflectorClient === true;
  }

  get #knowsLongLived(): boolean {
    return (((this.#info.longLived ?? 0) >> this.#family) & 1) === 1;
  }

  /** Policy-model 6: a route for some SPs goes to neighbours of those alone, whoever originated it. */
  #isExportedTo(set: AttributeId, { path, peer, imported }: Origin): boolean {
    const { sp, otherSp } = this.#config;
    if (sp === undefined || imported || !isVpn(this.#family)) return true;
    if (peer !== undefined) {
      if (otherSp === undefined) return true;
      const { extendedCommunities = [] } = this.#core.attributes.decoded(set);
      const sps = exportedTo(extendedCommunities);
      if (sps === undefined) return otherSp.unmarked;
      return otherSp.number !== undefined && sps.has(otherSp.number);
    }
    // A rule that is no more exports to nobody: its path is about to go.
    const rule = this.#core.exportRule(path);
    return rule !== undefined && (rule.toSps?.includes(sp) ?? true);
  }

  #make(attributes: PathAttributes, origin: Origin): PathAttributes | undefined {
    const external = this.#info.kind === 'ebgp';
    let now = attributes;
    if (this.#info.vrf !== undefined) {
      now = withoutVpnAttributes(now, this.#config.passVpn ?? []);
    }
    if (external) {
      // RFC 4271 §5.1.4: another AS's MED is not for a third one; what a VRF exports may be a CE's.
      const ours = origin.peer === undefined && now.asPath.length === 0;
      const med = ours ? [] : (['med'] as const);
      now = transitive(without(now, ['originatorId', 'clusterList', ...med]));
    }
    const { policyOut } = this.#config;
    if (policyOut !== undefined) {
      const passed = policyOut.apply({
        ...this.#place(origin.path),
        attributes: now,
        from: from(origin),
      });
      if (passed === undefined) return undefined;
      const nextHop = passed.nextHop === now.nextHop ? undefined : passed.nextHop;
      return this.#passOn(passed, origin, nextHop);
    }
    return this.#passOn(now, origin, undefined);
  }

  /** Of a route that comes to a label of ours, what its packets may come by. */
  #passOn(
    attributes: PathAttributes,
    origin: Origin,
    chosen: Uint8Array | undefined,
  ): PathAttributes | undefined {
    const { path } = origin;
    if (!this.swapsFrom(this.#core.paths.peer(path))) {
      return this.#finish(attributes, origin, chosen);
    }
    const question = transitQuestion(this.#core, path);
    const told = this.transit?.attributes(attributes, question);
    return told && this.#finish(told, origin, chosen ?? this.transit?.nextHop);
  }

  /** `chosen`: the next hop the policy has set. */
  #finish(
    attributes: PathAttributes,
    origin: Origin,
    chosen: Uint8Array | undefined,
  ): PathAttributes | undefined {
    const external = this.#info.kind === 'ebgp';
    let now = external ? this.#externally(attributes) : this.#internally(attributes, origin);
    if (origin.longLived) {
      const communities = now.communities ?? [];
      if (!communities.includes(COMMUNITY.llgrStale)) {
        now = { ...now, communities: [...communities, COMMUNITY.llgrStale] };
      }
    }
    const own = chosen === undefined && this.#needsSelf(attributes, origin);
    const nextHop = unmapped(
      chosen ?? (own ? this.#info.localAddress : (now.nextHop ?? NO_ADDRESS)),
    );
    const size = nextHop.length === 4 ? 4 : 16;
    if (nextHop.length === 0) return undefined;
    if (!nextHopAgreed(this.#family, size, this.#info.context)) return undefined;
    // A link-local address belongs to the next hop it came with, on the link it came by.
    const keepsLink = !own && chosen === undefined;
    return { ...(keepsLink ? now : without(now, ['linkLocalNextHop'])), nextHop };
  }

  #externally(attributes: PathAttributes): PathAttributes {
    const { localAsn, asn } = this.#info;
    let path = attributes.asPath.filter(({ type }) => type <= 2);
    const { removePrivateAs } = this.#config;
    if (removePrivateAs === 'remove') path = withoutPrivate(path, asn);
    if (removePrivateAs === 'replace') path = replacingPrivate(path, asn, localAsn);
    if (this.#config.asOverride === true) {
      path = path.map(({ type, asns }) => ({
        type,
        asns: asns.map((one) => (one === asn ? localAsn : one)),
      }));
    }
    return { ...without(attributes, ['localPref']), asPath: prepended(path, localAsn) };
  }

  #internally(attributes: PathAttributes, origin: Origin): PathAttributes {
    const localPref = attributes.localPref ?? 100;
    const { peer } = origin;
    if (peer === undefined || peer.external || origin.imported) return { ...attributes, localPref };
    return {
      ...attributes,
      localPref,
      originatorId: attributes.originatorId ?? peer.info.routerId,
      clusterList: [this.#core.options.clusterId, ...(attributes.clusterList ?? [])],
    };
  }

  /** Whether we are the next hop, where the configuration does not decide it for every route. */
  #needsSelf(attributes: PathAttributes, origin: Origin): boolean {
    if (attributes.nextHop === undefined) return true;
    // Where our tunnels end is where a VPN route of ours leads, whoever is told (policy-model 15).
    if (isVpn(this.#family) && origin.peer === undefined) return false;
    return this.#becomesNextHop();
  }

  #becomesNextHop(): boolean {
    if (this.#family === FAMILY.routeTarget) return true;
    if (isVpn(this.#family) && this.#config.vpnNextHopUnchanged === true) return false;
    if (this.#config.nextHop !== undefined) return this.#config.nextHop === 'self';
    // A PE's address means nothing to a CE.
    return this.#info.kind === 'ebgp' || this.#info.vrf !== undefined;
  }

  #place(path: PathId): {
    readonly family: FamilyId;
    readonly prefix: Uint8Array;
    readonly length: number;
    readonly rd: bigint | undefined;
  } {
    const { paths, nets } = this.#core;
    const family = this.#family;
    const { rdBytes, prefixBytes } = shapeOf(family);
    const table = nets.of(family);
    const net = paths.net(path);
    const key = new Uint8Array(rdBytes + prefixBytes);
    table.copyKey(net, key, 0);
    const rd = rdBytes === 0 ? undefined : new DataView(key.buffer).getBigUint64(0);
    return { family, prefix: key.subarray(rdBytes), length: table.length(net), rd };
  }
}

/** RFC 4360 §6: extended communities with the T bit do not leave the AS; a policy may add some behind this. */
function transitive(attributes: PathAttributes): PathAttributes {
  const { extendedCommunities = [] } = attributes;
  const kept = extendedCommunities.filter((one) => ((one >> 62n) & 1n) === 0n);
  if (kept.length === extendedCommunities.length) return attributes;
  if (kept.length === 0) return without(attributes, ['extendedCommunities']);
  return { ...attributes, extendedCommunities: kept };
}

const from = ({ peer }: Origin): { asn: number; address: Uint8Array } | undefined =>
  peer && { asn: peer.info.asn, address: peer.info.address };

/** RFC 4271 §5.1.2 b: into the first segment if that is a sequence with room. */
function prepended(path: readonly AsSegment[], asn: number): AsSegment[] {
  const [first, ...rest] = path;
  if (first?.type === 2 && first.asns.length < 255) {
    return [{ type: 2, asns: [asn, ...first.asns] }, ...rest];
  }
  return [{ type: 2, asns: [asn] }, ...path];
}

/** RFC 6996 §5. */
const isPrivate = (asn: number): boolean =>
  (asn >= 64512 && asn <= 65534) || (asn >= 4200000000 && asn <= 4294967294);

/** The neighbour's own number stays, or it could not find a loop. */
function replacingPrivate(
  path: readonly AsSegment[],
  neighbour: number,
  ours: number,
): AsSegment[] {
  return path.map(({ type, asns }) => ({
    type,
    asns: asns.map((asn) => (asn !== neighbour && isPrivate(asn) ? ours : asn)),
  }));
}

/** The neighbour's own number stays, or it could not find a loop. */
function withoutPrivate(path: readonly AsSegment[], neighbour: number): AsSegment[] {
  return path
    .map(({ type, asns }) => ({
      type,
      asns: asns.filter((asn) => asn === neighbour || !isPrivate(asn)),
    }))
    .filter(({ asns }) => asns.length > 0);
}
