// SPDX-License-Identifier: Apache-2.0
/**
 * Rows that forward from before a restart, under another configuration (policy-model 25): until BGP has told its routes
 * again, which takes minutes, they go on, but not those that the new configuration would not make of any route.
 *
 *   of a VRF, by a tunnel   some import rule that believes the next hop's SP sends some route by that way
 *   to a CE of the VRF      the VRF has BGP
 *   of another VRF          what VRFs import and export is as it was
 *   swap label              as by a tunnel, by what neighbours say; and it accepts no more than `accepts` leaves
 *
 * Which rule let a row in is not in the tables. As long as the rules are what they were, it is one of those that would;
 * when they are others, or it is not known what they were, all that could be meant have to allow it: loss rather than
 * less protection than is asked for now.
 */
import { exportRulesOf, neighboursOf } from '../../config/bgp/resolve.js';
import { spNumbers } from '../../config/sp-numbers.js';
import type { BgpNeighbourOptions, Config, ExportClass } from '../../config/types.js';
import type { AcceptSet, NexthopRow, Tables } from '../../forwarding/addon/api.js';
import type { ForwardingModel } from '../../forwarding/model.js';
import * as names from '../../forwarding/names.js';
import { applyChanges } from '../../forwarding/route-batch.js';
import { equalBytes } from '../../lib/ip.js';
import { acceptsAll, acceptSetOf } from '../accept.js';
import type { SpTables } from '../sp-tables.js';
import { kindOfName, type TunnelKind } from '../tunnel-set.js';
import { capabilityOf } from './capability.js';
import { Ingress, type ImportTerms } from './ingress.js';
import { transitTerms } from './transit.js';
import { importsOf, importTerms } from './vrfs.js';

export interface Judging {
  readonly config: Config;
  readonly model: Pick<ForwardingModel, 'tunnels'>;
  readonly sps: SpTables;
  /** Under which the rows were written; undefined: not known. */
  readonly before: Config | undefined;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Whose a next hop is, as far as rules name SPs. */
const spsOf = ({ ownSp, otherSps, ike, manualSas }: Config): unknown => [
  ...[ownSp, otherSps, ike?.providers, manualSas],
];
const importsAsTold = (config: Config, vrf: string): unknown => [
  spsOf(config),
  importsOf(config, vrf).map(({ rule }) => rule),
];
const transitAsTold = (config: Config): unknown => [
  spsOf(config),
  neighboursOf(config).map(({ vrf, sp, accepts, transitFloor }) => [
    vrf,
    sp,
    accepts,
    transitFloor,
  ]),
];
const leaksAsTold = (config: Config): unknown =>
  Object.entries(config.vrfs ?? {}).map(([name, { bgp, importsFrom }]) => [
    ...[name, importsFrom, importsOf(config, name).map(({ rule }) => rule)],
    bgp && exportRulesOf(bgp, config.bgp?.exportClass),
  ]);

export class KeptRows {
  readonly #judging: Judging;
  readonly #ingress: Ingress;
  readonly #terms = new Map<string, readonly ImportTerms[]>();
  #passing: readonly ImportTerms[] | undefined;

  constructor(judging: Judging) {
    const { config, model } = judging;
    this.#judging = judging;
    this.#ingress = new Ingress(capabilityOf(config, model.tunnels.values()));
  }

  /** Whether a row of BGP in this VRF may go on leading there. */
  route(vrf: string, hop: NexthopRow): boolean {
    const { config } = this.#judging;
    if (config.vrfs?.[vrf]?.bgp === undefined) return false;
    if (names.tunnelOf(hop.name) === undefined) {
      return hop.name.startsWith(`ce/${vrf}/`) || this.#isAsBefore(leaksAsTold);
    }
    const isAsBefore = this.#isAsBefore((one) => importsAsTold(one, vrf));
    return this.#byTunnel(hop, this.#importTerms(vrf), isAsBefore);
  }

  /** Whether a swap label that accepts this may go on leading there. */
  swap(hop: NexthopRow, accept: AcceptSet): boolean {
    if (this.#judging.config.bgp === undefined) return false;
    const isAsBefore = this.#isAsBefore(transitAsTold);
    return (
      this.#byTunnel(hop, this.#passingTerms(), isAsBefore) &&
      (isAsBefore || this.#mayAccept(accept))
    );
  }

  #isAsBefore(told: (config: Config) => unknown): boolean {
    const { config, before } = this.#judging;
    return before !== undefined && same(told(before), told(config));
  }

  #importTerms(vrf: string): readonly ImportTerms[] {
    const { config } = this.#judging;
    let terms = this.#terms.get(vrf);
    if (terms === undefined) {
      const numbers = spNumbers(config);
      const unknown = { insideOwnSp: true, toldBySp: undefined };
      terms = importsOf(config, vrf).map(({ rule }) => importTerms(config, numbers, rule, unknown));
      this.#terms.set(vrf, terms);
    }
    return terms;
  }

  #passingTerms(): readonly ImportTerms[] {
    const { config } = this.#judging;
    this.#passing ??= neighboursOf(config)
      .filter(({ vrf }) => vrf === undefined)
      .map((from) => {
        const isOther = from.sp !== undefined && from.sp !== config.ownSp;
        return transitTerms(config, spNumbers(config), from, { external: isOther, inside: true });
      });
    return this.#passing;
  }

  #byTunnel(hop: NexthopRow, terms: readonly ImportTerms[], isAsBefore: boolean): boolean {
    const kind = this.#kindOf(hop);
    if (kind === undefined) return false;
    const verdicts = terms
      .map((one) => this.#ingress.mayBe(kind.remote, kind, one))
      .filter((verdict) => verdict !== undefined);
    return isAsBefore ? verdicts.includes(true) : verdicts.length > 0 && !verdicts.includes(false);
  }

  /** The tunnel that the row is; undefined: it is none of those there will be, or another one. */
  #kindOf({ name, active }: NexthopRow): TunnelKind | undefined {
    const tunnel = names.tunnelOf(name);
    if (tunnel === undefined) return undefined;
    const made = kindOfName(tunnel);
    if (made !== undefined) return made;
    const model = this.#judging.model.tunnels.get(tunnel);
    if (model === undefined || active === undefined) return undefined;
    if (active.kind === 'lsp') return model.protection === 'mpls' ? model : undefined;
    const isSame =
      active.kind === 'tunnel' &&
      active.protection === model.protection &&
      active.encapsulation === model.encapsulation &&
      equalBytes(active.header.destination, model.remote);
    return isSame ? model : undefined;
  }

  /** Whether every neighbour of the SP that the label was told to may be told one that accepts this. */
  #mayAccept(accept: AcceptSet): boolean {
    const { config, sps } = this.#judging;
    const tables = new Set(accept.secured.flatMap((one) => one.sps));
    const clear = accept.mplsInterface === undefined ? [] : (['mpls'] as const);
    const asked: AcceptSet = { secured: accept.secured, clear: [...accept.clear, ...clear] };
    const told = neighboursOf(config).filter(
      ({ vrf, sp = config.ownSp }) => vrf === undefined && tables.has(sps.table(sp) ?? -1),
    );
    return told.length > 0 && told.every((one) => this.#most(one, asked));
  }

  #most({ sp = '', accepts }: BgpNeighbourOptions, asked: AcceptSet): boolean {
    const { config, sps } = this.#judging;
    const isOwn = sp === '' || sp === config.ownSp;
    if (isOwn && accepts === undefined) return true;
    const { protections, encapsulations } = accepts ?? { protections: ['encrypt'] as const };
    const most: ExportClass = {
      ...{ protections, toSps: [isOwn ? config.ownSp : sp], clearInsideOwnSp: isOwn },
      ...(encapsulations && { encapsulations }),
    };
    return acceptsAll(acceptSetOf(most, sps), asked);
  }
}

const PAGE = 4_096;

type Looked = Pick<
  Tables,
  'vrfs' | 'routes' | 'routeCount' | 'nexthops' | 'applyRoutes' | 'labels' | 'acceptSets'
>;

/**
 * Takes the rows of BGP out that nobody has written since the tables were opened and that may not go on; `gone`: how
 * many. From the end, because whatever goes has its place taken by the last one, which has been looked at.
 */
export function* removeForbiddenRoutes(
  tables: Looked,
  kept: Pick<KeptRows, 'route'>,
  gone: (count: number) => void,
): Generator<void> {
  const hops = new Map(tables.nexthops().map((row) => [row.id, row]));
  for (const { id, name } of tables.vrfs()) {
    const verdicts = new Map<number, boolean>();
    const mayLead = (hop: number): boolean => {
      const row = hops.get(hop);
      const known = verdicts.get(hop) ?? (row !== undefined && kept.route(name, row));
      verdicts.set(hop, known);
      return known;
    };
    for (const family of [4, 6] as const) {
      for (let end = tables.routeCount(id, family); end > 0; end -= PAGE) {
        const from = Math.max(0, end - PAGE);
        const rows = tables.routes(id, family, undefined, from, end - from);
        const forbidden = rows.filter(
          ({ owner, stale, nexthop, ways = [{ nexthop }] }) =>
            owner === 'bgp' && stale && !ways.every((way) => mayLead(way.nexthop)),
        );
        gone(forbidden.length);
        yield* applyChanges(
          tables,
          id,
          family,
          forbidden.map(({ address, length }) => ({ address, length, to: undefined })),
        );
        yield;
      }
    }
  }
}

/** Labels that are swapped and may not go on. */
export function forbiddenSwaps(tables: Looked, kept: Pick<KeptRows, 'swap'>): readonly number[] {
  const swaps = tables.labels().filter(({ action }) => action === 'swap');
  if (swaps.length === 0) return [];
  const hops = new Map(tables.nexthops().map((row) => [row.id, row]));
  const sets = new Map(tables.acceptSets().map((set) => [set.id, set]));
  const forbidden = swaps.filter(({ target, accept }) => {
    const hop = hops.get(target);
    const set = sets.get(accept);
    return hop === undefined || set === undefined || !kept.swap(hop, set);
  });
  return forbidden.map(({ label }) => label);
}
