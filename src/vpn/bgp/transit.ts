// SPDX-License-Identifier: Apache-2.0
/**
 * Option B at an ASBR (RFC 4364 §10 b, policy-model 26): VPN routes told with our own next hop and a label of ours, which is
 * swapped. Packets have two legs, each of which meets what the route came with:
 *
 *   ingress ──what we signal──► label of ours │ label received ──what was signalled to us──► next hop received
 *
 * - What we signal is the weakest that was acceptable, or stronger: `accepts` of the neighbour may leave less, never add.
 * - Our label accepts what we signal to that neighbour and nothing else: of another SP by its own secured table, or as
 *   plain MPLS on the interface where it was told.
 * - The scope of the community ("only outside SP n") is judged on the second leg as on the first: packets from another SP
 *   come from outside, wherever we are.
 */
import type { IpsecMeaning } from '../../bgp/codec/communities/ipsec.js';
import type { PathAttributes } from '../../bgp/codec/types.js';
import type { NextHopKey } from '../../bgp/rib/next-hops.js';
import type { Transit, TransitQuestion, TransitRoute } from '../../bgp/rib/transit.js';
import { without } from '../../bgp/rib/vpn-communities.js';
import type { SpNumbers } from '../../config/sp-numbers.js';
import type {
  BgpNeighbourOptions,
  Config,
  Encapsulation,
  ExportClass,
  Protection,
} from '../../config/types.js';
import type { AcceptSet } from '../../forwarding/addon/api.js';
import { CORE_VRF } from '../../forwarding/rows.js';
import { encapsulationType } from '../../lib/bgp-words.js';
import { formatAddress } from '../../lib/ip.js';
import { acceptSetOf } from '../accept.js';
import { swapText } from '../ending-labels.js';
import { SWAP_LABELS } from '../label-register.js';
import { toldLabel, type LabelSource, type LabelWish } from '../label-wish.js';
import { narrowed } from './encapsulation.js';
import type { ImportTerms } from './ingress.js';
import { swapClass } from './swap-classes.js';
import { BOTH, offeredTo, type Audience, type TransitContext } from './transit-context.js';

/** By strength. A route that must not go without a tunnel is not told as one for plain MPLS either. */
const RANK: Readonly<Record<Protection, number>> = {
  ...{ encrypt: 3, authenticate: 2, tunnel: 1, mpls: 0 },
};
const STRONGEST_FIRST = ['encrypt', 'authenticate', 'tunnel'] as const;

/** Of what is acceptable; Infinity: nothing is. */
const weakest = (meaning: IpsecMeaning | undefined): number =>
  meaning === undefined
    ? RANK.mpls
    : Math.min(Infinity, ...meaning.protections.map((one) => RANK[one]));

/** How packets may come to our label; no protections: the route is not told. */
type Accepted = ExportClass & { readonly encapsulations: readonly Encapsulation[] };

/** `received`: as the route came; `now`: behind the neighbour's policy, which may have made it stronger. */
function acceptedOf(
  audience: Audience,
  own: string,
  received: IpsecMeaning | undefined,
  now: IpsecMeaning | undefined,
): Accepted {
  const { accepts, sp, mplsInterface } = audience;
  const least = Math.max(weakest(received), weakest(now));
  const asCame: readonly Protection[] = now?.protections ?? received?.protections ?? ['mpls'];
  const offered = offeredTo(audience, own) ?? asCame;
  const protections = offered.filter(
    (one) => RANK[one] >= least && (one !== 'mpls' || sp === own || mplsInterface !== undefined),
  );
  return { protections, encapsulations: accepts?.encapsulations ?? BOTH, toSps: [sp] };
}

/** As docs/ipsec-extended-community.md §4 has it; undefined: nothing is signalled, plain MPLS will do. */
function signalled(accepted: Accepted, scope: number | undefined): IpsecMeaning | undefined {
  const protections = accepted.protections.filter((one) => one !== 'mpls');
  if (protections.length < accepted.protections.length) return undefined;
  return { protections, encapsulations: accepted.encapsulations, onlyOutsideSp: scope };
}

/** `context`: what is in force whenever something is asked. */
export function vpnTransit(context: () => TransitContext, audience: Audience): Transit {
  return {
    key: JSON.stringify({ ...audience, nextHop: [...(audience.nextHop ?? [])] }),
    nextHop: audience.nextHop,
    way: (question) => wayOf(context(), audience, question),
    attributes: (told, question) => attributesOf(context(), audience, told, question),
    label: (route) => labelOf(context(), audience, route),
  };
}

/** Whether the route began in our own SP (policy-model 9). */
const beganInside = ({ spOf, config }: TransitContext, question: TransitQuestion): boolean =>
  question.insideOwnSp && spOf(formatAddress(question.nextHop)) === config.ownSp;

/** Our own choice as an ingress towards the next hop received (policy-model 7-10). */
function wayOf(context: TransitContext, audience: Audience, question: TransitQuestion): number {
  const { config, ingress, ipsec, numbers } = context;
  const from = question.from && context.neighbour(question.from.configured);
  return ingress.choose(
    question.nextHop,
    narrowed(ipsec.read(question.extendedCommunities), question),
    transitTerms(config, numbers, from, {
      external: question.from?.kind === 'ebgp',
      // Packets of another SP come from outside, wherever the route began.
      inside: audience.sp === config.ownSp && beganInside(context, question),
    }),
  );
}

/** By what routes of a neighbour are passed on. `inside`: the scope of the community may leave us out. */
export function transitTerms(
  { ownSp, otherSps = [] }: Config,
  numbers: SpNumbers,
  from: Pick<BgpNeighbourOptions, 'sp' | 'transitFloor'> | undefined,
  { external, inside }: { readonly external: boolean; readonly inside: boolean },
): ImportTerms {
  return {
    floor: (sp) => from?.transitFloor ?? (sp === ownSp ? 'mpls' : 'encrypt'),
    // A neighbour of another SP speaks for its own routers alone.
    fromSps: external ? [from?.sp ?? ownSp] : [ownSp, ...otherSps],
    ...{ preferProtected: true, protections: STRONGEST_FIRST, unsignalled: undefined },
    scope: { ownSp, ownSpNumber: numbers.own, insideOwnSp: inside },
  };
}

function attributesOf(
  context: TransitContext,
  audience: Audience,
  told: PathAttributes,
  question: TransitQuestion,
): PathAttributes | undefined {
  const { ipsec, numbers, config } = context;
  const communities = told.extendedCommunities ?? [];
  const received = ipsec.read(question.extendedCommunities);
  const now = ipsec.read(communities);
  const accepted = acceptedOf(audience, config.ownSp, received, now);
  if (accepted.protections.length === 0) return undefined;
  const same = received?.onlyOutsideSp === now?.onlyOutsideSp ? received?.onlyOutsideSp : undefined;
  // Inside our SP a scope with our number is believed: it stays only on routes that began there.
  const scope = same === numbers.own && !beganInside(context, question) ? undefined : same;
  const meaning = signalled(accepted, scope);
  // How the next hop received wants its packets encapsulated is no matter of who sends to us.
  const rest = communities.filter((one) => !ipsec.is(one) && encapsulationType(one) === undefined);
  return {
    ...without(told, ['tunnelEncapsulation']),
    extendedCommunities: meaning === undefined ? rest : [...rest, ipsec.write(meaning)],
  };
}

/** What packets with our label may come by: what the route says that is told. */
function classOf(context: TransitContext, audience: Audience, told: PathAttributes): ExportClass {
  const { ipsec, numbers, config } = context;
  const meaning = ipsec.read(told.extendedCommunities ?? []);
  if (meaning === undefined) {
    const own = audience.sp === config.ownSp;
    const named = audience.accepts?.protections ?? (own ? (['mpls'] as const) : []);
    return { protections: named, toSps: [audience.sp] };
  }
  const inside = audience.sp === config.ownSp && meaning.onlyOutsideSp === numbers.own;
  return {
    ...{ protections: meaning.protections, encapsulations: meaning.encapsulations },
    toSps: [audience.sp],
    ...(inside && numbers.own !== undefined && { clearInsideOwnSp: true }),
  };
}

/** Another SP's plain MPLS comes by its own interface alone. */
function acceptOf(context: TransitContext, audience: Audience, exported: ExportClass): AcceptSet {
  const set = acceptSetOf(exported, context.sps);
  if (audience.sp === context.config.ownSp || !set.clear.includes('mpls')) return set;
  const clear = set.clear.filter((one) => one !== 'mpls');
  const { mplsInterface } = audience;
  return { ...set, clear, ...(mplsInterface !== undefined && { mplsInterface }) };
}

/** RFC 3032 §2.1: lower ones mean something of their own. */
const isVpnLabel = (label: number | undefined): label is number =>
  label !== undefined && label >= 16;

function labelOf(
  context: TransitContext,
  audience: Audience,
  route: TransitRoute,
): number | 'later' | undefined {
  const [label, ...more] = route.labels;
  if (!isVpnLabel(label) || more.length > 0) return undefined;
  const key: NextHopKey = { vrf: 0, address: route.nextHop, protection: route.protection };
  const nexthop = context.row(key);
  const choice = context.ingress.meaning(route.protection);
  if (nexthop === undefined || choice === undefined) return undefined;
  const exported = classOf(context, audience, route.told);
  const accept = acceptOf(context, audience, exported);
  const by = `${choice.protection} in ${choice.encapsulation}`;
  const wish: LabelWish = {
    text: swapText(
      label,
      route.nextHop,
      by,
      swapClass(exported, context.sps, accept.mplsInterface),
    ),
    ...{ vrf: CORE_VRF, rule: `to SP ${audience.sp}`, gateway: undefined, accept },
    ...{ swap: { nexthop, label }, source: sourceOf(context, route.nextHop) },
  };
  const { family, net } = route;
  const to = { vrf: 0, family, prefix: NO_PREFIX, length: 0, net };
  return toldLabel(context.routeLabels.ask(wish, to));
}

/**
 * The SP whose labels are swapped: each new one takes a value of ours, in quarantine for an hour or more behind it. An
 * equal share for each, of half of all: whoever changes its labels all the time takes nobody else's.
 */
function sourceOf({ config, spOf }: TransitContext, nextHop: Uint8Array): LabelSource {
  const { ownSp, otherSps = [] } = config;
  const most = Math.floor(SWAP_LABELS / (1 + otherSps.length));
  return { name: spOf(formatAddress(nextHop)) ?? ownSp, most };
}

const NO_PREFIX = new Uint8Array(0);
