// SPDX-License-Identifier: Apache-2.0
/**
 * Traffic selectors (RFC 7296 §2.9, §3.13.1; RFC 4301 §4.4.1.1): between payloads and policies, and narrowing.
 *
 * Ports of 0 to 65535 are ANY, which includes OPAQUE (65535 to 0: the packet shows no port). Of ICMP they are type and
 * code, of MIPv6 the header type, as one number each: ranges of numbers as well.
 */
import {
  isRange,
  type RangeSelector,
  type TrafficSelectors,
} from '../codec/payloads/traffic-selectors.js';
import { bad, good, type Outcome } from '../types.js';
import type { Selector } from './types.js';

const LAST_PORT = 65_535;
/** Most that a TS payload holds. */
const MOST = 255;
/** Protocols whose packets have something in the place of ports; for others only ANY and OPAQUE mean something. */
const WITH_PORTS: ReadonlySet<number> = new Set([1, 6, 17, 33, 58, 132, 135, 136]);

/** One address, a protocol, all ports. The address has 4 or 16 octets. */
export const selectorOf = (address: Uint8Array, protocol: number): Selector => ({
  start: address,
  end: address,
  protocol,
  startPort: 0,
  endPort: LAST_PORT,
});

type Ports = Pick<Selector, 'startPort' | 'endPort'>;
const isAny = ({ startPort, endPort }: Ports): boolean => startPort === 0 && endPort === LAST_PORT;
const isOpaque = ({ startPort, endPort }: Ports): boolean =>
  startPort === LAST_PORT && endPort === 0;

/** Order of addresses of the same length. */
const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

/** Body of a TS payload; throws when there are none, or more than 255. */
export function toTrafficSelectors(selectors: readonly Selector[]): TrafficSelectors {
  if (selectors.length === 0 || selectors.length > MOST) throw new RangeError('selectors');
  return { selectors: selectors.map(toRange) };
}

const toRange = ({ start, end, protocol, startPort, endPort }: Selector): RangeSelector => ({
  tsType: start.length === 4 ? 7 : 8,
  ipProtocol: protocol,
  startPort,
  endPort,
  startAddress: start,
  endAddress: end,
});

/** Those that can match a packet, copied; other types (TS_SECLABEL) and empty ranges are left out. */
export function fromTrafficSelectors({ selectors }: TrafficSelectors): readonly Selector[] {
  return selectors
    .filter(isRange)
    .map((range) => ({
      start: Uint8Array.from(range.startAddress),
      end: Uint8Array.from(range.endAddress),
      protocol: range.ipProtocol,
      startPort: range.startPort,
      endPort: range.endPort,
    }))
    .filter((selector) => !isEmpty(selector));
}

function isEmpty(selector: Selector): boolean {
  if (compare(selector.start, selector.end) > 0) return true;
  if (isAny(selector) || isOpaque(selector)) return false;
  return selector.startPort > selector.endPort || !WITH_PORTS.has(selector.protocol);
}

function commonPorts(a: Ports, b: Ports): Ports | undefined {
  if (isAny(a)) return b;
  if (isAny(b)) return a;
  if (isOpaque(a) || isOpaque(b)) return isOpaque(a) && isOpaque(b) ? a : undefined;
  const startPort = Math.max(a.startPort, b.startPort);
  const endPort = Math.min(a.endPort, b.endPort);
  return startPort > endPort ? undefined : { startPort, endPort };
}

/** What both match; undefined: nothing. */
export function intersect(a: Selector, b: Selector): Selector | undefined {
  if (a.start.length !== b.start.length || isEmpty(a) || isEmpty(b)) return undefined;
  if (a.protocol !== b.protocol && a.protocol !== 0 && b.protocol !== 0) return undefined;
  const ports = commonPorts(a, b);
  if (ports === undefined) return undefined;
  const start = compare(a.start, b.start) > 0 ? a.start : b.start;
  const end = compare(a.end, b.end) < 0 ? a.end : b.end;
  const protocol = a.protocol === 0 ? b.protocol : a.protocol;
  const both = { start, end, protocol, startPort: ports.startPort, endPort: ports.endPort };
  return isEmpty(both) ? undefined : both;
}

export const isSameSelector = (a: Selector, b: Selector): boolean =>
  a.protocol === b.protocol &&
  a.startPort === b.startPort &&
  a.endPort === b.endPort &&
  a.start.length === b.start.length &&
  compare(a.start, b.start) === 0 &&
  compare(a.end, b.end) === 0;

/** Whether `outer` matches all that `inner` does. */
export function contains(outer: Selector, inner: Selector): boolean {
  const both = intersect(outer, inner);
  return both !== undefined && isSameSelector(both, inner);
}

/**
 * The responder's narrowing of one TS payload: what is offered and ours as well, in the order offered, so that the
 * first selector, which may be the packet that all this is for, stays first. Empty: nothing in common.
 */
export function narrow(offered: readonly Selector[], ours: readonly Selector[]): Selector[] {
  const common: Selector[] = [];
  for (const wanted of offered.slice(0, MOST)) {
    for (const allowed of ours) {
      const both = intersect(wanted, allowed);
      if (both === undefined || common.some((known) => contains(known, both))) continue;
      common.push(both);
      if (common.length === MOST) return common;
    }
  }
  return common;
}

/** Both sides of a child SA, as its responder or initiator sees them. */
export interface SelectorPair {
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
}

const agree = (protocol: number, others: readonly Selector[]): boolean =>
  others.some((other) => other.protocol === protocol || other.protocol === 0 || protocol === 0);

/**
 * The responder's answer to TSi and TSr: `local` is of TSr, `remote` of TSi. A selector whose protocol the other side
 * has not can match no packet, and is left out. Fails with TS_UNACCEPTABLE.
 */
export function narrowPair(offered: SelectorPair, ours: SelectorPair): Outcome<SelectorPair> {
  const local = narrow(offered.local, ours.local);
  const remote = narrow(offered.remote, ours.remote);
  const pair = {
    local: local.filter(({ protocol }) => agree(protocol, remote)),
    remote: remote.filter(({ protocol }) => agree(protocol, local)),
  };
  if (pair.local.length > 0 && pair.remote.length > 0) return good(pair);
  return bad('TS_UNACCEPTABLE', 'us', 'no traffic in common');
}

/**
 * The initiator's check: the answer must be something, and nothing that was not offered; selectors of other types, or
 * of nothing, never were. Fails with TS_UNACCEPTABLE.
 */
export function concludePair(
  answer: { readonly local: TrafficSelectors; readonly remote: TrafficSelectors },
  offered: SelectorPair,
): Outcome<SelectorPair> {
  const local = fromTrafficSelectors(answer.local);
  const remote = fromTrafficSelectors(answer.remote);
  const isWhole =
    local.length === answer.local.selectors.length &&
    remote.length === answer.remote.selectors.length;
  const isOurs = isSubset(local, offered.local) && isSubset(remote, offered.remote);
  if (isWhole && isOurs) return good({ local, remote });
  return bad('TS_UNACCEPTABLE', 'us', 'traffic selectors that were not offered');
}

/** Whether there are any, and each is within one of `outer`. */
export const isSubset = (inner: readonly Selector[], outer: readonly Selector[]): boolean =>
  inner.length > 0 && inner.every((one) => outer.some((whole) => contains(whole, one)));
