// SPDX-License-Identifier: Apache-2.0
/**
 * VPN routes into VRFs: by route target, and by what the VRF accepts (policy-model 10).
 *
 * Which VRFs have a target in common with a route is worked out once for each distinct set of extended
 * communities; what a VRF makes of it once for each of those with each next hop. An imported route is a
 * path of its own in the VRF's table that points to the VPN path; the imports of a VPN path are a list.
 */
import type { PathAttributes } from '../codec/types.js';
import type { PolicyRoute } from '../types.js';
import { type ImportQuestion, NOT_BELIEVED, UNFIT_LABEL, type VrfRib } from './api.js';
import { type AttributeReader, unmapped } from './attribute-codec.js';
import type { AttributeId } from './attribute-store.js';
import { type Core, OURSELVES, type VpnListener } from './core.js';
import { vrfOfExport } from './fib.js';
import { BEST, FILTERED, IMPORT, MULTIPATH, type PathId } from './path-store.js';
import { isVpnLabel, NO_LABEL } from './label-stacks.js';
import { familyOfNumber, scopeOf, shapeOf, unicastOfVpn, vrfOfScope } from './scope.js';
import { SetCache } from './set-cache.js';

/** How one VRF takes routes with these communities and this next hop. */
interface Verdict {
  readonly vrf: VrfRib;
  /** undefined: not at all. */
  readonly protection: number | undefined;
}

export class VrfImports implements VpnListener {
  readonly #core: Core;
  readonly #reader: AttributeReader;
  readonly #vrfs = new Map<number, VrfRib>();
  /** VRFs by route target. */
  readonly #importers = new Map<bigint, VrfRib[]>();
  /** By number in VpnKeys, then by next hop number * 2, + 1 of routes originated inside our own SP. */
  readonly #verdicts: (Map<number, readonly Verdict[]> | undefined)[] = [];
  /** Other SPs whose neighbours have told us VPN routes. */
  readonly #sps: string[] = [];
  readonly #rewritten = new Map<number, SetCache>();
  readonly #key = new Uint8Array(24);
  imported = 0;

  constructor(core: Core, reader: AttributeReader) {
    this.#core = core;
    this.#reader = reader;
  }

  get(id: number): VrfRib | undefined {
    return this.#vrfs.get(id);
  }

  /** Every target some VRF imports. */
  targets(): IterableIterator<bigint> {
    return this.#importers.keys();
  }

  /** Adds, replaces or (undefined) removes a VRF. VPN paths must be looked at again afterwards. */
  set(id: number, vrf: VrfRib | undefined): void {
    if (vrf === undefined) this.#vrfs.delete(id);
    else this.#vrfs.set(id, vrf);
    this.forgetVerdicts();
    this.#importers.clear();
    for (const one of this.#vrfs.values()) {
      for (const target of new Set(one.importTargets)) {
        const importers = this.#importers.get(target) ?? [];
        importers.push(one);
        this.#importers.set(target, importers);
      }
    }
  }

  /** What `accept` or a policy said may have changed. */
  forgetVerdicts(): void {
    this.#verdicts.forEach((_, key) => {
      this.vpnKeyGone(key);
    });
    this.#verdicts.length = 0;
    this.newSource();
  }

  /** What is remembered by the number of a neighbour does not count any more: another may have it. */
  newSource(): void {
    for (const cache of this.#rewritten.values()) cache.clear();
    this.#rewritten.clear();
  }

  /** Whether any VRF takes routes with this set: others need not be kept. */
  isWanted(attributes: AttributeId): boolean {
    return this.#verdictsOf(attributes, 0).some(({ protection }) => protection !== undefined);
  }

  vpnKeyGone(key: number): void {
    const { addresses } = this.#core.attributes;
    for (const place of this.#verdicts[key]?.keys() ?? []) addresses.release(place >>> SOURCE_BITS);
    this.#verdicts[key] = undefined;
  }

  /** A VPN path is new or has changed: its imports are brought in line. */
  changed(path: PathId): void {
    const { paths } = this.#core;
    const set = paths.attributes(path);
    const verdicts = paths.has(path, FILTERED) ? [] : this.#verdictsOf(set, this.#sourceOf(path));
    if (verdicts.length === 0 && paths.nextImport(path) === 0) return;
    const own = paths.peer(path) === OURSELVES ? vrfOfExport(paths.identifier(path)) : 0;
    if (paths.nextImport(path) === 0) {
      this.#addAll(path, verdicts, own, NONE);
      return;
    }
    // Wanted ones that are there already are brought up to date, others go.
    const done = new Set<number>();
    let previous = path;
    let at = paths.nextImport(path);
    while (at !== 0) {
      const next = paths.nextImport(at);
      const vrf = this.#vrfOf(at);
      const verdict = verdicts.find((one) => one.vrf.id === vrf);
      if (verdict?.protection !== undefined && vrf !== own && this.#update(at, path, verdict)) {
        done.add(vrf);
        previous = at;
      } else {
        paths.setNextImport(previous, next);
        this.#removeImport(at);
      }
      at = next;
    }
    this.#addAll(path, verdicts, own, done);
  }

  #addAll(
    path: PathId,
    verdicts: readonly Verdict[],
    own: number,
    done: ReadonlySet<number>,
  ): void {
    for (const verdict of verdicts) {
      const id = verdict.vrf.id;
      if (verdict.protection === undefined || id === own || done.has(id)) continue;
      this.#add(path, verdict);
    }
  }

  /** A VPN path goes, and its imports with it. */
  gone(path: PathId): void {
    const { paths } = this.#core;
    let at = paths.nextImport(path);
    paths.setNextImport(path, 0);
    while (at !== 0) {
      const next = paths.nextImport(at);
      this.#removeImport(at);
      at = next;
    }
  }

  #vrfOf(imported: PathId): number {
    const { paths, nets } = this.#core;
    return vrfOfScope(nets.of(paths.family(imported)).scope(paths.net(imported)));
  }

  #removeImport(imported: PathId): void {
    this.imported--;
    this.#core.paths.setNextImport(imported, 0);
    this.#core.remove(imported);
  }

  #add(path: PathId, verdict: Verdict): void {
    const { paths, nets } = this.#core;
    const set = this.#rewrite(path, verdict.vrf);
    if (set === 0) return;
    const vpnFamily = familyOfNumber(paths.family(path));
    const family = unicastOfVpn(vpnFamily);
    const vpnTable = nets.of(vpnFamily);
    const vpnNet = paths.net(path);
    const { prefixBytes } = shapeOf(family);
    vpnTable.copyPrefix(vpnNet, this.#key);
    const table = nets.of(family);
    const scope = scopeOf(verdict.vrf.id, family);
    const net = table.findOrAdd(scope, vpnTable.length(vpnNet), this.#key, 0, prefixBytes);
    const imported = paths.add(table, {
      net,
      attributes: set,
      peer: paths.peer(path),
      epoch: 0,
      family,
      flags: IMPORT,
      label: NO_LABEL,
      identifier: path,
      hop: this.#hop(path, verdict),
      since: 0,
    });
    paths.setNextImport(imported, paths.nextImport(path));
    paths.setNextImport(path, imported);
    table.markDirty(net);
    this.imported++;
  }

  /** False when the VRF's policy refuses it now. */
  #update(imported: PathId, path: PathId, verdict: Verdict): boolean {
    const { paths, nets, attributes, hops } = this.#core;
    const set = this.#rewrite(path, verdict.vrf);
    if (set === 0) return false;
    const old = paths.attributes(imported);
    paths.setAttributes(imported, set);
    attributes.release(old);
    const oldHop = paths.hop(imported);
    paths.setHop(imported, this.#hop(path, verdict));
    hops.release(oldHop);
    const table = nets.of(paths.family(imported));
    // The label is the VPN path's: it may have changed too.
    if (paths.has(imported, BEST | MULTIPATH)) table.markTouched(paths.net(imported));
    else table.markDirty(paths.net(imported));
    return true;
  }

  /**
   * A route of another VRF of ours goes to the CE, not to ourselves through the core; but we are a router of
   * our SP, which the VRF may not accept routes from. The next hop is the one that was judged: an import
   * policy that names another does not take that one's place, where another floor may hold.
   */
  #hop(path: PathId, verdict: Verdict): number {
    const { paths, hops } = this.#core;
    const { protection = 0 } = verdict;
    if (paths.peer(path) === OURSELVES && protection !== NOT_BELIEVED) {
      hops.retain(paths.hop(path));
      return paths.hop(path);
    }
    const fit = isVpnLabel(paths.label(path));
    return this.#core.acquireHop(0, paths.attributes(path), fit ? protection : UNFIT_LABEL);
  }

  /** 1: from inside our own SP, where that is of account; from 2 on: told by a neighbour of another SP; else 0. */
  #sourceOf(path: PathId): number {
    const sp = this.#core.toldBySp(path);
    if (sp === undefined) return Number(this.#core.isInsideOwnSp(path));
    const known = this.#sps.indexOf(sp);
    return 2 + (known >= 0 ? known : this.#sps.push(sp) - 1);
  }

  #verdictsOf(set: AttributeId, source: number): readonly Verdict[] {
    const { attributes } = this.#core;
    const key = attributes.vpnKey(set);
    if (key === 0 || this.#importers.size === 0) return NO_VERDICTS;
    if ((this.#verdicts[key]?.size ?? 0) >= MOST_HOPS) this.vpnKeyGone(key);
    const byHop = this.#verdicts[key] ?? new Map<number, readonly Verdict[]>();
    this.#verdicts[key] = byHop;
    const hop = attributes.nextHop(set);
    const place = (hop << SOURCE_BITS) + source;
    const known = byHop.get(place);
    if (known !== undefined) return known;
    const vrfs = new Set<VrfRib>();
    for (const target of attributes.routeTargets(set)) {
      for (const vrf of this.#importers.get(target) ?? []) vrfs.add(vrf);
    }
    const decoded = vrfs.size === 0 ? undefined : attributes.decoded(set);
    const verdicts =
      decoded === undefined
        ? NO_VERDICTS
        : [...vrfs].map((vrf) => verdictOf(vrf, decoded, this.#meaningOf(source)));
    // Held, so that the number means the same address as long as it is in here.
    attributes.addresses.acquire(attributes.addresses.get(hop));
    byHop.set(place, verdicts);
    return verdicts;
  }

  #meaningOf(source: number): Source {
    return { insideOwnSp: source === 1, toldBySp: this.#sps[source - 2] };
  }

  /** The set after the VRF's import policy, with a reference; 0: refused. */
  #rewrite(path: PathId, vrf: VrfRib): AttributeId {
    const { paths, attributes } = this.#core;
    const set = paths.attributes(path);
    const { importPolicy: policy } = vrf;
    if (policy === undefined) {
      attributes.retain(set);
      return set;
    }
    const run = (): AttributeId => {
      const changed = policy.apply(this.#routeOf(path));
      return changed === undefined ? 0 : this.#reader.own(changed);
    };
    if (policy.usesPrefix) return run();
    const cache = this.#rewritten.get(vrf.id) ?? new SetCache(attributes);
    this.#rewritten.set(vrf.id, cache);
    // A policy sees the neighbour as well.
    return cache.resolve(set * 65536 + paths.peer(path), set, run);
  }

  #routeOf(path: PathId): PolicyRoute {
    const { paths, attributes } = this.#core;
    const family = familyOfNumber(paths.family(path));
    const table = this.#core.nets.of(family);
    const net = paths.net(path);
    const key = new Uint8Array(8 + shapeOf(family).prefixBytes);
    table.copyKey(net, key, 0);
    const peer = this.#core.peers[paths.peer(path)];
    return {
      ...{ family, prefix: key.subarray(8), length: table.length(net) },
      rd: new DataView(key.buffer).getBigUint64(0),
      attributes: attributes.decoded(paths.attributes(path)),
      from: peer && { asn: peer.info.asn, address: peer.info.address },
    };
  }
}

/** Next hops whose verdicts are remembered for one set of communities; then it starts over. */
const MOST_HOPS = 4096;
const NO_VERDICTS: readonly Verdict[] = [];
/** As many as there are SPs' tables, and two more. */
const SOURCE_BITS = 7;
type Source = Pick<ImportQuestion, 'insideOwnSp' | 'toldBySp'>;
const NONE: ReadonlySet<number> = new Set();

function verdictOf(vrf: VrfRib, decoded: PathAttributes, source: Source): Verdict {
  const nextHop = unmapped(decoded.nextHop ?? new Uint8Array(0));
  if (vrf.accept === undefined) return { vrf, protection: 0 };
  const protection = vrf.accept({
    vrf: vrf.id,
    extendedCommunities: decoded.extendedCommunities ?? [],
    tunnelEncapsulation: decoded.tunnelEncapsulation ?? [],
    ...{ nextHop, ...source },
  });
  return { vrf, protection };
}
