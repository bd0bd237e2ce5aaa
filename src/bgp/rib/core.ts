// SPDX-License-Identifier: Apache-2.0
/**
 * The stores together, and the few ways in which paths come, change and go. Everything that must happen
 * with a path (references, imports, what is to be decided anew) happens here, so that it cannot be left out.
 */
import type { FamilyId } from '../codec/types.js';
import type { Clock, ExportRuleRib, LabelUses, RibOptions } from './api.js';
import { type AttributeId, AttributeStore, NO_LLGR } from './attribute-store.js';
import { SET_READER } from './attribute-codec.js';
import type { DecisionOptions } from './decision.js';
import { LabelStacks } from './label-stacks.js';
import type { NetId } from './net-table.js';
import { NextHops, type NextHopTracker } from './next-hops.js';
import { BEST, FILTERED, IMPORT, MULTIPATH, PathStore, type PathId, ZOMBIE } from './path-store.js';
import type { Peer } from './peers.js';
import { isVpn, Nets, type VrfId } from './scope.js';

/** Our own routes are peer 0's. */
export const OURSELVES = 0;

/** Who must hear of paths in the VPN tables: the VRFs. */
export interface VpnListener {
  changed(path: PathId): void;
  gone(path: PathId): void;
  vpnKeyGone(key: number): void;
}

/** Who still names a path that goes: update groups that send several paths of a net. */
export interface PathKeeper {
  /** How many will call {@link Core.forget} for it later. */
  gone(path: PathId): number;
}

/** What is announced; `attributes` is a reference of the caller's, which it keeps. */
export interface Announcement {
  readonly peer: number;
  readonly identifier: number;
  readonly attributes: AttributeId;
  /** See LabelStacks. */
  readonly label: number;
  readonly filtered: boolean;
}

export class Core {
  readonly options: RibOptions;
  readonly clock: Clock;
  readonly nets = new Nets();
  readonly paths = new PathStore();
  readonly labels = new LabelStacks();
  /** How the tables of VRFs are decided that differ from the options. */
  readonly decisions = new Map<VrfId, DecisionOptions>();
  readonly attributes: AttributeStore;
  readonly hops: NextHops;
  /** By id; a hole is no configured neighbour. Peer 0 has none. */
  readonly peers: (Peer | undefined)[] = [];
  vpn: VpnListener = { changed: nothing, gone: nothing, vpnKeyGone: nothing };
  keeper: PathKeeper = { gone: () => 0 };
  /** Of the VPN routes that our VRFs export. */
  exportLabels: LabelUses = { retain: nothing, release: nothing };
  /** Of the routes that update groups tell with ourselves as next hop. */
  swapLabels: LabelUses = { retain: nothing, release: nothing };
  /** The rule that made an exported path; undefined: it is no more. */
  exportRule: (path: PathId) => ExportRuleRib | undefined = () => undefined;
  /** An AS of another SP. */
  isForeignAs: (asn: number) => boolean = () => false;
  /** Whole seconds since the RIB was made, as of the last {@link tick}: what paths that change now bear. */
  seconds = 0;
  /** `clock` when the RIB was made, ms. */
  readonly #epoch: number;

  constructor(options: RibOptions, clock: Clock, tracker: NextHopTracker) {
    this.options = options;
    this.clock = clock;
    this.#epoch = clock.now();
    this.attributes = new AttributeStore(SET_READER, (key) => {
      this.vpn.vpnKeyGone(key);
    });
    this.hops = new NextHops(tracker, this.attributes.addresses);
  }

  /** Looks at the clock: once for each UPDATE or slice, not for each route. */
  tick(): void {
    this.seconds = Math.floor(this.elapsed);
  }

  /** Seconds, with fractions, since the RIB was made. */
  get elapsed(): number {
    return (this.clock.now() - this.#epoch) / 1000;
  }

  /** When a path came or last changed, in terms of {@link seconds}; an import is as old as what it is of. */
  since(path: PathId): number {
    const { paths } = this;
    return paths.since(paths.has(path, IMPORT) ? paths.source(path) : path);
  }

  /** The path of a neighbour for a net; 0: none. Imports are nobody's announcement. */
  findPath(family: FamilyId, net: NetId, peer: number, identifier: number): PathId {
    const { paths } = this;
    let path = this.nets.of(family).firstPath(net);
    while (path !== 0) {
      const same = paths.peer(path) === peer && paths.identifier(path) === identifier;
      if (same && !paths.has(path, IMPORT)) return path;
      path = paths.next(path);
    }
    return 0;
  }

  /** Adds or replaces a path of a neighbour. `hop`: a reference that is taken over. */
  announce(family: FamilyId, net: NetId, what: Announcement, hop: number): PathId {
    const { paths } = this;
    const peer = this.peers[what.peer];
    const epoch = peer?.epochs[family] ?? 0;
    const path = this.findPath(family, net, what.peer, what.identifier);
    if (path !== 0) {
      this.replace(path, what, hop, epoch);
      return path;
    }
    this.attributes.retain(what.attributes);
    this.labels.retain(what.label);
    const added = paths.add(this.nets.of(family), {
      net,
      attributes: what.attributes,
      peer: what.peer,
      epoch,
      family,
      flags: what.filtered ? FILTERED : 0,
      label: what.label,
      identifier: what.identifier,
      hop,
      since: this.seconds,
    });
    if (peer !== undefined) this.#count(peer, family, what.filtered, 1);
    if (isExport(what.peer, family)) this.exportLabels.retain(what.label);
    this.nets.of(family).markDirty(net);
    if (isVpn(family)) this.vpn.changed(added);
    return added;
  }

  /** A path announced again: only what differs makes work. */
  replace(path: PathId, what: Announcement, hop: number, epoch: number): void {
    const { paths } = this;
    const family = paths.family(path);
    const peer = this.peers[what.peer];
    const changed =
      paths.attributes(path) !== what.attributes ||
      paths.label(path) !== what.label ||
      paths.hop(path) !== hop ||
      paths.has(path, FILTERED) !== what.filtered;
    const wasStale =
      paths.epoch(path) !== epoch &&
      peer !== undefined &&
      (peer.isLongLived(family, paths.epoch(path)) || peer.isDead(family, paths.epoch(path)));
    paths.setEpoch(path, epoch);
    if (!changed) {
      this.hops.release(hop);
      if (wasStale) this.touch(path);
      return;
    }
    if (peer !== undefined && paths.has(path, FILTERED) !== what.filtered) {
      this.#count(peer, family, !what.filtered, -1);
      this.#count(peer, family, what.filtered, 1);
    }
    this.attributes.retain(what.attributes);
    this.labels.retain(what.label);
    const [attributes, label, oldHop] = [
      paths.attributes(path),
      paths.label(path),
      paths.hop(path),
    ];
    if (label !== what.label && isExport(what.peer, family)) {
      this.exportLabels.retain(what.label);
      this.exportLabels.release(label);
    }
    paths.setAttributes(path, what.attributes);
    paths.setLabel(path, what.label);
    paths.setHop(path, hop);
    paths.setFlag(path, FILTERED, what.filtered);
    paths.setSince(path, this.seconds);
    this.touch(path);
    this.attributes.release(attributes);
    this.labels.release(label);
    this.hops.release(oldHop);
  }

  /** Something about a path has changed: its net is decided anew, its imports are looked at again. */
  touch(path: PathId): void {
    const { paths } = this;
    const family = paths.family(path);
    const table = this.nets.of(family);
    if (paths.has(path, BEST | MULTIPATH)) table.markTouched(paths.net(path));
    else table.markDirty(paths.net(path));
    if (isVpn(family)) this.vpn.changed(path);
  }

  /** Takes a path out. Its record stays while somebody must still withdraw it. */
  remove(path: PathId): void {
    const { paths } = this;
    const family = paths.family(path);
    const table = this.nets.of(family);
    if (isVpn(family)) this.vpn.gone(path);
    if (paths.has(path, BEST | MULTIPATH)) table.markTouched(paths.net(path));
    else table.markDirty(paths.net(path));
    const peer = this.peers[paths.peer(path)];
    if (peer !== undefined && !paths.has(path, IMPORT)) {
      this.#count(peer, family, paths.has(path, FILTERED), -1);
    }
    if (!paths.has(path, IMPORT) && isExport(paths.peer(path), family)) {
      this.exportLabels.release(paths.label(path));
    }
    paths.unlink(table, path);
    this.attributes.release(paths.attributes(path));
    this.labels.release(paths.label(path));
    this.hops.release(paths.hop(path));
    const keepers = this.keeper.gone(path);
    if (keepers === 0) paths.free(path);
    else {
      paths.setFlag(path, ZOMBIE, true);
      paths.setAttributes(path, keepers);
    }
  }

  /** One of those that knew a path that is gone has withdrawn it. */
  forget(path: PathId): void {
    const { paths } = this;
    if (!paths.has(path, ZOMBIE)) return;
    const keepers = paths.attributes(path) - 1;
    if (keepers === 0) paths.free(path);
    else paths.setAttributes(path, keepers);
  }

  /** One more has to withdraw a path that is gone; of one that is not, `keeper` will know. */
  remember(path: PathId): void {
    const { paths } = this;
    if (paths.has(path, ZOMBIE)) paths.setAttributes(path, paths.attributes(path) + 1);
  }

  /** The next hop of a set in a table's terms, with a reference. */
  acquireHop(vrf: VrfId, attributes: AttributeId, protection: number): number {
    return this.hops.acquire(vrf, this.attributes.nextHop(attributes), protection);
  }

  /**
   * Whether a VPN path was originated inside our own SP, as far as its way through BGP says; false where that is
   * of no account: see ImportQuestion.insideOwnSp.
   */
  isInsideOwnSp(path: PathId): boolean {
    const { paths, attributes } = this;
    const set = paths.attributes(path);
    if (!attributes.vpnKeys.isScoped(attributes.vpnKey(set))) return false;
    if (this.peers[paths.peer(path)]?.external === true) return false;
    const { asPath } = attributes.decoded(set);
    return !asPath.some(({ asns }) => asns.some((asn) => this.isForeignAs(asn)));
  }

  /** The SP of the neighbour that told a VPN path, where it is another than ours. */
  toldBySp(path: PathId): string | undefined {
    const { external = false, config } = this.peers[this.paths.peer(path)] ?? {};
    return external && config?.otherSp !== undefined ? config.sp : undefined;
  }

  /** Whether a path may be chosen at all. */
  isUsable(path: PathId): boolean {
    const { paths } = this;
    if (paths.has(path, FILTERED)) return false;
    // An import lives and dies with the path it was imported from.
    const origin = paths.has(path, IMPORT) ? paths.source(path) : path;
    const peer = this.peers[paths.peer(origin)];
    if (peer !== undefined) {
      const family = paths.family(origin);
      const epoch = paths.epoch(origin);
      if (peer.isDead(family, epoch)) return false;
      if (
        peer.isLongLived(family, epoch) &&
        this.attributes.has(paths.attributes(origin), NO_LLGR)
      ) {
        return false;
      }
    }
    // A VPN route as such is told on, not forwarded by: its LSP is between others. So a reflector needs no
    // way to the next hop, as others' do not ask for one either; the cost still says which is nearer to us.
    if (peer !== undefined && isVpn(paths.family(path))) return true;
    return this.hops.isUsable(paths.hop(path));
  }

  #count(peer: Peer, family: number, filtered: boolean, by: 1 | -1): void {
    const counts = filtered ? peer.rejected : peer.routes;
    counts[family] = (counts[family] ?? 0) + by;
  }
}

const isExport = (peer: number, family: number): boolean => peer === OURSELVES && isVpn(family);

function nothing(): void {
  // Until the VRFs are there, nobody listens.
}
