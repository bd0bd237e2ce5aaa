// SPDX-License-Identifier: Apache-2.0
/** From events on the wire to durations in milliseconds. Each throws when a step it needs did not happen. */
import { EXCHANGE, names, type Event } from './convergence-wire.js';

/** Who is who in a capture. */
export interface Cast {
  readonly ingress: string;
  readonly egress: string;
  readonly ce: string;
  /** The whole octets of the customer's prefix. */
  readonly prefix: readonly number[];
}

function first(what: string, events: readonly Event[], is: (event: Event) => boolean): Event {
  const found = events.find(is);
  if (found === undefined) throw new Error(`not on the wire: ${what}`);
  return found;
}

function last(what: string, events: readonly Event[], is: (event: Event) => boolean): Event {
  const found = events.findLast(is);
  if (found === undefined) throw new Error(`not on the wire: ${what}`);
  return found;
}

const by = (from: string, to: string, kind: Event['kind']) => (event: Event) =>
  event.kind === kind && event.from === from && event.to === to;

const isIke = (event: Event, exchange: number, response: boolean): boolean =>
  event.kind === 'ike' && event.exchange === exchange && event.response === response;

// ---- A prefix is announced ---------------------------------------------------------------------------

export interface FirstPacketParts {
  /** From the CE's UPDATE to the egress PE's. */
  readonly egressBgp: number;
  /** From there to the ingress PE's first IKE message: BGP, import, decision, the tunnel. */
  readonly ingressBgp: number;
  /** From the first message of IKE_SA_INIT to the last of IKE_AUTH. */
  readonly ike: number;
  /** From there to the first ESP packet: the SA's rows in the tables, the packet that was held. */
  readonly rows: number;
  /** From there to the CE. */
  readonly delivery: number;
  readonly whole: number;
}

/** `core` is captured at the ingress, `site` at the CE. */
export function firstPacket(
  { ingress, egress, ce, prefix }: Cast,
  core: readonly Event[],
  site: readonly Event[],
): FirstPacketParts {
  const told = first('UPDATE of the CE', site, (one) => one.from === ce && names(one, prefix));
  const after = core.filter(({ at }) => at >= told.at);
  const passed = first('UPDATE of the egress', after, (one) => {
    return one.from === egress && one.to === ingress && names(one, prefix);
  });
  const asked = first('IKE_SA_INIT', after, (one) => isIke(one, EXCHANGE.init, false));
  const agreed = first('the answer of IKE_AUTH', after, (one) => isIke(one, EXCHANGE.auth, true));
  const sent = first('ESP', after, by(ingress, egress, 'esp'));
  if (core.some(by(ingress, egress, 'gre'))) throw new Error('a packet went in clear');
  const arrived = first('a packet at the CE', site, (one) => one.kind === 'stream');
  return {
    egressBgp: passed.at - told.at,
    ingressBgp: asked.at - passed.at,
    ike: agreed.at - asked.at,
    rows: sent.at - agreed.at,
    delivery: arrived.at - sent.at,
    whole: arrived.at - told.at,
  };
}

// ---- A policy is changed -----------------------------------------------------------------------------

export interface PolicyParts {
  /** From the command to the egress PE's UPDATE. */
  readonly told: number;
  /** From the command to the first packet by the new policy. */
  readonly firstNew: number;
  /** From the command to the last packet by the old policy. */
  readonly lastOld: number;
}

/** What tells packets by the new policy from those by the old. */
export type Way = 'gre' | 'esp';

/**
 * `began`: of the command. From one ESP policy to another the SA's SPI changes; `before` is the old one. Packets by both are
 * sent in between while some routes are not changed yet.
 */
export function policyChange(
  { ingress, egress, prefix }: Cast,
  core: readonly Event[],
  began: number,
  before: number | undefined,
): PolicyParts {
  const after = core.filter(({ at }) => at >= began);
  const told = first('UPDATE of the egress', after, (one) => {
    return one.from === egress && one.to === ingress && names(one, prefix);
  });
  const isOld = (one: Event): boolean =>
    one.kind === 'gre' || (one.kind === 'esp' && one.spi === before);
  const carries = (one: Event): boolean =>
    one.from === ingress && one.to === egress && (one.kind === 'gre' || one.kind === 'esp');
  const firstNew = first('a packet by the new policy', after, (one) => carries(one) && !isOld(one));
  const lastOld = last('a packet by the old policy', after, (one) => carries(one) && isOld(one));
  return {
    told: told.at - began,
    firstNew: firstNew.at - began,
    lastOld: lastOld.at - began,
  };
}

// ---- A PE fails --------------------------------------------------------------------------------------

export interface FailureParts {
  /**
   * From the last packet by the PE that failed, at the CE, to BFD's saying that it is dead. undefined: nobody said so on the
   * wire, as when the hold time is over: the NOTIFICATION waits behind segments that TCP still sends again.
   */
  readonly detection: number | undefined;
  /** From there to the first packet by the other PE at the CE: withdrawal, decision, tables; its SA is there. */
  readonly change: number | undefined;
  /** From the last packet by the one PE to the first by the other, both at the CE. */
  readonly whole: number;
}

/**
 * `failed` and `other`: the two PEs' addresses. `old` and `alternative` are captures at the CE, of its links to them; the
 * failure came after `began`. Throws when the other PE's SA was made meanwhile: then something else was measured.
 */
export function failure(
  ingress: string,
  { failed, other }: { readonly failed: string; readonly other: string },
  wire: Readonly<Record<'core' | 'old' | 'alternative', readonly Event[]>>,
  began: number,
): FailureParts {
  const gone = last('a packet by the first PE', wire.old, (one) => one.kind === 'stream');
  const after = wire.core.filter(({ at }) => at >= began);
  const found = after.find(by(ingress, failed, 'bfd-down'));
  const anew = after.some((one) => one.to === other && isIke(one, EXCHANGE.init, false));
  if (anew) throw new Error('the SA with the other PE was made anew');
  const came = first('a packet by the other PE', wire.alternative, ({ kind }) => kind === 'stream');
  return {
    detection: found && found.at - gone.at,
    change: found && came.at - found.at,
    whole: came.at - gone.at,
  };
}

/** How many packets of a stream of `sent` never arrived, whatever the link. */
export function lost(sent: number, ...sites: readonly (readonly Event[])[]): number {
  const seen = new Set<number>();
  for (const one of sites.flat()) if (one.kind === 'stream') seen.add(one.number);
  return sent - seen.size;
}
