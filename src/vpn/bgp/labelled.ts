// SPDX-License-Identifier: Apache-2.0
/**
 * Labelled unicast (RFC 8277) in the core: our tunnel addresses told with a label, and LSPs to the far ends of tunnels made of
 * what others tell. A route's label is pushed above that of the way to its next hop, which is found in this order: on the
 * link, by a static LSP, by another labelled route. A next hop that only IP reaches is of no use: nobody on the way
 * would know the label.
 */
import { FAMILY, type FamilyId, type PathAttributes } from '../../bgp/codec/types.js';
import type { LabelledRoute } from '../../bgp/rib/api.js';
import type { LocalRoute } from '../../bgp/rib/local-routes.js';
import type { Rib } from '../../bgp/rib/rib.js';
import { PrefixIndex } from '../../config/prefix-index.js';
import type { BgpLabelledUnicast } from '../../config/types.js';
import { gatewayOf, type ForwardingModel, type LspModel } from '../../forwarding/model.js';
import { formatAddress, formatPrefix, type Prefix } from '../../lib/ip.js';

/** RFC 3032 §2.1: never on the wire. */
const IMPLICIT_NULL = 3;
const FIRST_UNRESERVED = 16;
/** RFC 3032 §2.1, RFC 4182: pushed; whoever told it wants the label's TC, and pops it. */
const explicitNull = (address: Uint8Array): number => (address.length === 4 ? 0 : 2);
/** As many as a next hop of the tables has. */
const MOST_LABELS = 8;
/** Labelled routes on the way to another's next hop. */
const MOST_STEPS = 4;
/** Neighbours decide how many there are; LSPs are needed for PEs alone. */
const MOST_ROUTES = 16_384;

interface Learnt {
  readonly prefix: Prefix;
  readonly label: number;
  readonly nextHop: Uint8Array;
}

const OWN_ROUTE: PathAttributes = { origin: 0, asPath: [] };
const SOURCE = 0;

const familyFor = (address: Uint8Array): FamilyId =>
  address.length === 4 ? FAMILY.ipv4Labelled : FAMILY.ipv6Labelled;

export class LabelledUnicast {
  readonly #told = new Map<string, LocalRoute>();
  readonly #learnt = new Map<string, Learnt>();
  /** Routes that were left out because there are too many. */
  refused = 0;

  /** The RIB is another one. */
  clear(): void {
    this.#told.clear();
    this.#learnt.clear();
  }

  /** Tells our tunnel addresses as the configuration wants it. */
  update(
    rib: Pick<Rib, 'originate' | 'retract'>,
    { announce }: BgpLabelledUnicast,
    tunnelAddresses: readonly Uint8Array[],
  ): void {
    const wanted = new Map<string, LocalRoute>();
    for (const prefix of announce === undefined ? [] : tunnelAddresses) {
      const label = labelOf(announce, prefix);
      wanted.set(formatAddress(prefix), {
        ...{ vrf: 0, family: familyFor(prefix), prefix, length: 8 * prefix.length },
        ...{ source: SOURCE, ...(label !== undefined && { label }) },
      });
    }
    for (const [key, route] of [...this.#told]) {
      if (wanted.has(key)) continue;
      rib.retract(route);
      this.#told.delete(key);
    }
    for (const [key, route] of wanted) {
      rib.originate(route, OWN_ROUTE);
      this.#told.set(key, route);
    }
  }

  /**
   * The best route to a prefix is another one. True: {@link lsps} may say something else now. A neighbour of another SP
   * tells the way to that SP's own routers alone: to ours it would lead what is protected by nothing but the core.
   */
  decided({ prefix, labels, nextHop, toldBySp }: LabelledRoute, spOf: SpOf): boolean {
    const key = formatPrefix(prefix);
    const [label, ...more] = labels;
    const isHost = prefix.length === 8 * prefix.address.length;
    const its =
      toldBySp === undefined || (isHost && spOf(formatAddress(prefix.address)) === toldBySp);
    const usable =
      label !== undefined && more.length === 0 && isPushed(label, prefix.address) && its;
    if (!usable || nextHop === undefined) return this.#learnt.delete(key);
    if (!this.#learnt.has(key) && this.#learnt.size >= MOST_ROUTES) {
      this.refused++;
      return false;
    }
    this.#learnt.set(key, { prefix, label, nextHop });
    return true;
  }

  /** Its LSPs piece by piece, of the routes that there are when it begins; undefined: nothing at this step. */
  *working(
    { interfaces, lsps }: Pick<ForwardingModel, 'interfaces' | 'lsps'>,
    forIp: boolean,
  ): Generator<LspModel | undefined> {
    const routes = [...this.#learnt.values()];
    const fixed = new PrefixIndex<LspModel>();
    for (const lsp of lsps) fixed.add(lsp.prefix, lsp);
    const learnt = new PrefixIndex<Learnt>();
    for (const route of routes) {
      learnt.add(route.prefix, route);
      yield undefined;
    }
    const core = [...interfaces.values()].filter(({ role }) => role === 'core');
    const way = (
      address: Uint8Array,
      steps: number,
    ): Omit<LspModel, 'prefix' | 'forIp'> | undefined => {
      const out = gatewayOf(core, address, undefined);
      if (out !== undefined) return { interface: out.name, via: address, labels: [] };
      const lsp = fixed.longest(address);
      if (lsp !== undefined) return lsp;
      const next = steps < MOST_STEPS ? learnt.longest(address) : undefined;
      return next && over(next, steps + 1);
    };
    const over = (route: Learnt, steps: number): Omit<LspModel, 'prefix' | 'forIp'> | undefined => {
      const below = way(route.nextHop, steps);
      if (below === undefined) return undefined;
      const own = route.label === IMPLICIT_NULL ? [] : [route.label];
      const labels = [...below.labels, ...own];
      return { interface: below.interface, via: below.via, labels };
    };
    for (const route of routes) {
      const found = over(route, 0);
      const fits = found !== undefined && found.labels.length <= MOST_LABELS;
      yield fits ? { ...found, prefix: route.prefix, forIp } : undefined;
    }
  }
}

/** The SP that a tunnel address belongs to. */
type SpOf = (remote: string) => string | undefined;

const isPushed = (label: number, address: Uint8Array): boolean =>
  [IMPLICIT_NULL, explicitNull(address)].includes(label) || label >= FIRST_UNRESERVED;

/** What a tunnel address of ours is told with. */
function labelOf(
  announce: BgpLabelledUnicast['announce'],
  address: Uint8Array,
): number | undefined {
  if (announce === 'explicit-null') return explicitNull(address);
  return announce === 'implicit-null' ? IMPLICIT_NULL : announce;
}
