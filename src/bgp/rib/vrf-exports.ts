// SPDX-License-Identifier: Apache-2.0
/**
 * A VRF's own routes into the VPN tables: each matching rule makes a VPN route with its RD, targets, label
 * and communities (P7). What came into the VRF by import is not exported again: a VRF that imports and
 * exports would otherwise carry routes between VPNs that were never meant to meet, and loops with them.
 */
import { FAMILY, type FamilyId, type PathAttributes } from '../codec/types.js';
import type { ExportQuestion, ExportRuleRib, VrfRib } from './api.js';
import type { AttributeReader } from './attribute-codec.js';
import type { AttributeId } from './attribute-store.js';
import { type Core, OURSELVES } from './core.js';
import { exportIdentifier, vrfOfExport } from './fib.js';
import type { NetId, NetTable } from './net-table.js';
import { BEST, IMPORT, type PathId } from './path-store.js';
import { CORE, familyOfNumber, familyOfScope, scopeOf, shapeOf, vrfOfScope } from './scope.js';
import { SetCache } from './set-cache.js';
import { without } from './vpn-communities.js';

export class VrfExports {
  readonly #core: Core;
  readonly #reader: AttributeReader;
  readonly #vrfOf: (id: number) => VrfRib | undefined;
  readonly #caches = new Map<ExportRuleRib, SetCache>();
  /** Most rules a VRF ever had: so many identifiers may be in use. */
  readonly #ruleCounts = new Map<number, number>();
  readonly #key = new Uint8Array(24);

  constructor(core: Core, reader: AttributeReader, vrfOf: (id: number) => VrfRib | undefined) {
    this.#core = core;
    this.#reader = reader;
    this.#vrfOf = vrfOf;
  }

  /** The VRF's rules are others now; its nets must be decided again. */
  rulesChanged(id: number): void {
    this.newSource();
    const known = this.#ruleCounts.get(id) ?? 0;
    this.#ruleCounts.set(id, Math.max(known, this.#vrfOf(id)?.exports.length ?? 0));
  }

  /** What is remembered by the number of a neighbour does not count any more: another may have it. */
  newSource(): void {
    for (const cache of this.#caches.values()) cache.clear();
    this.#caches.clear();
  }

  /** The outcome for a net of a VRF has changed. */
  decided(table: NetTable, net: NetId): void {
    const { paths } = this.#core;
    const scope = table.scope(net);
    const id = vrfOfScope(scope);
    const count = this.#ruleCounts.get(id) ?? 0;
    if (count === 0) return;
    const best = table.firstPath(net);
    const exportable = best !== 0 && paths.has(best, BEST) && !paths.has(best, IMPORT);
    const question = exportable ? this.#question(table, net, best) : undefined;
    const rules = this.#vrfOf(id)?.exports ?? [];
    for (let i = 0; i < count; i++) {
      const rule = rules[i];
      const identifier = exportIdentifier(id, i);
      const outcome =
        rule === undefined || question === undefined
          ? 'none'
          : this.#export(table, net, { rule, identifier, best, question });
      if (outcome === 'later') continue;
      this.#withdrawOthers(table, net, identifier, outcome === 'told' ? rule?.rd : undefined);
    }
  }

  /** The rule of a VPN path of ours. */
  ruleOf(path: PathId): ExportRuleRib | undefined {
    const identifier = this.#core.paths.identifier(path);
    return this.#vrfOf(vrfOfExport(identifier))?.exports[identifier & 0xff];
  }

  /** Names of the VRF's rules that export a prefix now. `prefix`: 4 or 16 octets. */
  exporting(id: number, family: FamilyId, prefix: Uint8Array, length: number): ReadonlySet<string> {
    const { nets } = this.#core;
    const names = new Set<string>();
    const table = nets.of(family);
    const net = table.find(scopeOf(id, family), length, prefix, 0, prefix.length);
    if (net === 0) return names;
    const vpnFamily = vpnFamilyOf(family);
    const vpnTable = nets.of(vpnFamily);
    (this.#vrfOf(id)?.exports ?? []).forEach(({ name, rd }, i) => {
      const bytes = this.#vpnKey(table, net, rd);
      const vpnNet = vpnTable.find(scopeOf(CORE, vpnFamily), length, this.#key, 0, bytes);
      if (vpnNet === 0) return;
      const path = this.#core.findPath(vpnFamily, vpnNet, OURSELVES, exportIdentifier(id, i));
      if (path !== 0) names.add(name);
    });
    return names;
  }

  /** 'none': the rule or its policy does not export the route; 'later': its label is not ready. */
  #export(
    table: NetTable,
    net: NetId,
    what: {
      readonly rule: ExportRuleRib;
      readonly identifier: number;
      readonly best: PathId;
      readonly question: ExportQuestion;
    },
  ): 'told' | 'none' | 'later' {
    const { rule, identifier, best, question } = what;
    // A label may be one of the route alone: a route that the policy refuses is to take none.
    const made = this.#exported(rule, best, question);
    if (made === 0) return 'none';
    const label = rule.label(question);
    if (typeof label === 'number') {
      this.#announce(table, net, { rule, identifier, label, made, best });
      return 'told';
    }
    this.#core.attributes.release(made);
    return label ?? 'none';
  }

  #question(table: NetTable, net: NetId, best: PathId): ExportQuestion {
    const { paths, attributes } = this.#core;
    const family = familyOfScope(table.scope(net));
    const prefix = new Uint8Array(shapeOf(family).prefixBytes);
    table.copyKey(net, prefix, 0);
    const peer = paths.peer(best);
    return {
      ...{ vrf: vrfOfScope(table.scope(net)), family, prefix, length: table.length(net) },
      attributes: attributes.decoded(paths.attributes(best)),
      from: peer === OURSELVES ? undefined : peer,
    };
  }

  /** The exported set, with a reference; 0: the rule's policy refuses it. */
  #exported(rule: ExportRuleRib, best: PathId, question: ExportQuestion): AttributeId {
    const { paths, attributes } = this.#core;
    const set = paths.attributes(best);
    const make = (): AttributeId => {
      const before = vpnAttributes(question.attributes, rule);
      const peer = this.#core.peers[paths.peer(best)];
      const after = rule.policy
        ? rule.policy.apply({
            family: vpnFamilyOf(question.family),
            ...{ prefix: question.prefix, length: question.length, rd: rule.rd },
            attributes: before,
            from: peer && { asn: peer.info.asn, address: peer.info.address },
          })
        : before;
      return after === undefined ? 0 : this.#reader.own(after);
    };
    if (rule.policy?.usesPrefix === true) return make();
    const cache = this.#caches.get(rule) ?? new SetCache(attributes);
    this.#caches.set(rule, cache);
    return cache.resolve(set * 65536 + paths.peer(best), set, make);
  }

  #announce(
    table: NetTable,
    net: NetId,
    what: {
      readonly rule: ExportRuleRib;
      readonly identifier: number;
      readonly label: number;
      readonly made: AttributeId;
      readonly best: PathId;
    },
  ): void {
    const { paths, nets, attributes, hops } = this.#core;
    const family = vpnFamilyOf(familyOfScope(table.scope(net)));
    const bytes = this.#vpnKey(table, net, what.rule.rd);
    const vpnTable = nets.of(family);
    const scope = scopeOf(CORE, family);
    const vpnNet = vpnTable.findOrAdd(scope, table.length(net), this.#key, 0, bytes);
    // The way to the CE is what decides whether the exported route is any good, and where a leak goes.
    const hop = paths.hop(what.best);
    hops.retain(hop);
    const announcement = {
      peer: OURSELVES,
      identifier: what.identifier,
      attributes: what.made,
      label: what.label,
      filtered: false,
    };
    this.#core.announce(family, vpnNet, announcement, hop);
    attributes.release(what.made);
  }

  /**
   * Withdraws what this rule number exported for the net before, under another RD than `rd`, or at all.
   * RDs of earlier configurations are found by {@link VrfExports.sweep}.
   */
  #withdrawOthers(table: NetTable, net: NetId, identifier: number, rd: bigint | undefined): void {
    const id = vrfOfScope(table.scope(net));
    const rds = new Set((this.#vrfOf(id)?.exports ?? []).map((rule) => rule.rd));
    for (const old of rds) if (old !== rd) this.#withdraw(table, net, identifier, old);
  }

  #withdraw(table: NetTable, net: NetId, identifier: number, rd: bigint): void {
    const family = vpnFamilyOf(familyOfScope(table.scope(net)));
    const bytes = this.#vpnKey(table, net, rd);
    const vpnTable = this.#core.nets.of(family);
    const scope = scopeOf(CORE, family);
    const vpnNet = vpnTable.find(scope, table.length(net), this.#key, 0, bytes);
    if (vpnNet === 0) return;
    const path = this.#core.findPath(family, vpnNet, OURSELVES, identifier);
    if (path !== 0) this.#core.remove(path);
  }

  /** Puts RD and prefix into #key; returns how many octets. */
  #vpnKey(table: NetTable, net: NetId, rd: bigint): number {
    new DataView(this.#key.buffer).setBigUint64(0, rd);
    table.copyKey(net, this.#key, 8);
    return 8 + 4 * table.keyWords;
  }

  /**
   * After the rules of a VRF have changed: takes out a VPN path of ours that no rule of that number and RD
   * makes any more. Called for every VPN path; others are left alone.
   */
  sweep(path: PathId, vrf: number): void {
    const { paths, nets } = this.#core;
    const identifier = paths.identifier(path);
    if (paths.peer(path) !== OURSELVES || identifier >>> 8 !== vrf) return;
    const rule = this.#vrfOf(vrf)?.exports[identifier & 0xff];
    const table = nets.of(familyOfNumber(paths.family(path)));
    const net = paths.net(path);
    const rd = (BigInt(table.keyWord(net, 0)) << 32n) | BigInt(table.keyWord(net, 1));
    if (rule?.rd !== rd) this.#core.remove(path);
    // Whom it is told to may be another thing now, with everything else as it was.
    else this.#core.touch(path);
  }
}

const vpnFamilyOf = (family: FamilyId): FamilyId =>
  family === FAMILY.ipv6Unicast ? FAMILY.vpnv6 : FAMILY.vpnv4;

/** What PEs are told: our next hop, the rule's targets and communities, and what belongs to the route. */
function vpnAttributes(attributes: PathAttributes, rule: ExportRuleRib): PathAttributes {
  const { extendedCommunities = [] } = attributes;
  const rest = without(attributes, [
    ...(['linkLocalNextHop', 'originatorId', 'clusterList', 'tunnelEncapsulation'] as const),
  ]);
  // What a CE may not place has been stripped where it came in.
  const all = new Set([...extendedCommunities, ...rule.routeTargets, ...rule.communities]);
  return { ...rest, nextHop: rule.nextHop, extendedCommunities: [...all] };
}
