// SPDX-License-Identifier: Apache-2.0
/**
 * Routes: RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE (linux/rtnetlink.h), host byte order.
 *
 *  +---------------+---------------+---------------+---------------+
 *  | rtm_family    | rtm_dst_len   | rtm_src_len   | rtm_tos       |
 *  +---------------+---------------+---------------+---------------+
 *  | rtm_table     | rtm_protocol  | rtm_scope     | rtm_type      |
 *  +---------------+---------------+---------------+---------------+
 *  | rtm_flags                                                     |
 *  +---------------------------------------------------------------+
 *  | attributes RTA_*                                              |
 *  +---------------------------------------------------------------+
 *
 * RTA_MULTIPATH is a list of
 *
 *  +-------------------------------+---------------+---------------+
 *  | rtnh_len                      | rtnh_flags    | rtnh_hops     |   weight - 1
 *  +-------------------------------+---------------+---------------+
 *  | rtnh_ifindex                                                  |
 *  +---------------------------------------------------------------+
 *  | attributes RTA_GATEWAY or RTA_VIA                             |
 *  +---------------------------------------------------------------+
 */
import { hostPrefix, type Prefix } from '../../lib/ip.js';
import {
  align4,
  attributeAddress,
  type Attributes,
  attributeU32,
  AttributeWriter,
  decodeAttributes,
  viewOf,
} from './attribute.js';
import { AF, RT_SCOPE, RTM_F_FIB_MATCH, RTN, RTPROT_STATIC, RT_TABLE } from './constants.js';

const HEADER = 12;
const NEXT_HOP_HEADER = 8;
const RTA = {
  DST: 1,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  PREFSRC: 7,
  METRICS: 8,
  MULTIPATH: 9,
  TABLE: 15,
  VIA: 18,
} as const;
const RTAX_MTU = 2;

export interface RouteNextHop {
  /** Output device. */
  readonly index: number;
  /** Address to resolve on it, of either family (RFC 8950); absent: the destination is on the link. */
  readonly gateway?: Uint8Array;
  readonly weight: number;
  /** RTNH_F_*. */
  readonly flags: number;
}

export interface Route {
  readonly destination: Prefix;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  /** One of RTN. */
  readonly type: number;
  /** Lower wins. */
  readonly metric: number;
  /** Preferred source address of packets of our own. */
  readonly source?: Uint8Array;
  /** Path MTU set on the route. */
  readonly mtu?: number;
  /** In the kernel's order. Empty for unreachable, blackhole and the like. */
  readonly nextHops: readonly RouteNextHop[];
}

/** RTA_VIA: 2 bytes address family, then the address. */
function via(attributes: Attributes): Uint8Array | undefined {
  const value = attributes.get(RTA.VIA);
  if (value === undefined || (value.length !== 6 && value.length !== 18)) return undefined;
  return Uint8Array.from(value.subarray(2));
}

function nextHop(index: number, attributes: Attributes, flags: number, hops: number): RouteNextHop {
  const gateway = attributeAddress(attributes, RTA.GATEWAY) ?? via(attributes);
  return { index, ...(gateway === undefined ? {} : { gateway }), weight: hops + 1, flags };
}

function decodeMultipath(bytes: Uint8Array): readonly RouteNextHop[] | undefined {
  const view = viewOf(bytes);
  const result: RouteNextHop[] = [];
  let at = 0;
  while (bytes.length - at >= NEXT_HOP_HEADER) {
    const length = view.getUint16(at, true);
    if (length < NEXT_HOP_HEADER || length > bytes.length - at) return undefined;
    const attributes = decodeAttributes(bytes.subarray(at + NEXT_HOP_HEADER, at + length));
    if (attributes === undefined) return undefined;
    const [flags = 0, hops = 0] = bytes.subarray(at + 2, at + 4);
    result.push(nextHop(view.getInt32(at + 4, true), attributes, flags, hops));
    at += align4(length);
  }
  return result;
}

function decodeNextHops(
  attributes: Attributes,
  flags: number,
): readonly RouteNextHop[] | undefined {
  const multipath = attributes.get(RTA.MULTIPATH);
  if (multipath !== undefined) return decodeMultipath(multipath);
  const index = attributeU32(attributes, RTA.OIF);
  return index === undefined ? [] : [nextHop(index, attributes, flags & 0xff, 0)];
}

function mtuOf(attributes: Attributes): number | undefined {
  const value = attributes.get(RTA.METRICS);
  const metrics = value === undefined ? undefined : decodeAttributes(value);
  return metrics && attributeU32(metrics, RTAX_MTU);
}

/** The default route has no RTA_DST. */
function destinationOf(payload: Uint8Array, attributes: Attributes): Prefix | undefined {
  const [family, length = 0] = payload;
  const size = family === AF.INET ? 4 : family === AF.INET6 ? 16 : 0;
  const host = hostPrefix(attributeAddress(attributes, RTA.DST) ?? new Uint8Array(size));
  return host?.address.length === size && length <= host.length ? { ...host, length } : undefined;
}

/** IPv4 and IPv6 routes; other families (multicast, MPLS) give undefined, like malformed messages. */
export function decodeRoute(payload: Uint8Array): Route | undefined {
  const attributes = payload.length < HEADER ? undefined : decodeAttributes(payload, HEADER);
  if (attributes === undefined) return undefined;
  const destination = destinationOf(payload, attributes);
  const nextHops = decodeNextHops(attributes, viewOf(payload).getUint32(8, true));
  if (destination === undefined || nextHops === undefined) return undefined;
  const [, , , , table = 0, protocol = 0, scope = 0, type = 0] = payload;
  const source = attributeAddress(attributes, RTA.PREFSRC);
  const mtu = mtuOf(attributes);
  return {
    destination,
    table: attributeU32(attributes, RTA.TABLE) ?? table,
    protocol,
    scope,
    type,
    metric: attributeU32(attributes, RTA.PRIORITY) ?? 0,
    ...(source === undefined ? {} : { source }),
    ...(mtu === undefined ? {} : { mtu }),
    nextHops,
  };
}

/** RTM_GETROUTE: which route of the tables and rules of this namespace matches `destination`. */
export function encodeMatchRoute(destination: Uint8Array): Uint8Array {
  const header = new Uint8Array(HEADER);
  header[0] = destination.length === 4 ? AF.INET : AF.INET6;
  header[1] = destination.length * 8;
  viewOf(header).setUint32(8, RTM_F_FIB_MATCH, true);
  return new AttributeWriter(header).bytes(RTA.DST, destination).finish();
}

/** RTM_GETROUTE of all routes of one family (a dump of every table). */
export function encodeGetRoutes(family: 4 | 6): Uint8Array {
  const header = new Uint8Array(HEADER);
  header[0] = family === 4 ? AF.INET : AF.INET6;
  return header;
}

export interface DeviceRoute {
  readonly destination: Prefix;
  readonly index: number;
  readonly metric: number;
  readonly source?: Uint8Array;
}

/** RTM_NEWROUTE or RTM_DELROUTE of a unicast route straight to a device, in the main table. */
export function encodeDeviceRoute(route: DeviceRoute): Uint8Array {
  const { address, length } = route.destination;
  const ipv6 = address.length === 16;
  const header = new Uint8Array(HEADER);
  header.set([ipv6 ? AF.INET6 : AF.INET, length, 0, 0]);
  header.set(
    [RT_TABLE.MAIN, RTPROT_STATIC, ipv6 ? RT_SCOPE.UNIVERSE : RT_SCOPE.LINK, RTN.UNICAST],
    4,
  );
  const writer = new AttributeWriter(header);
  writer.bytes(RTA.DST, address).u32(RTA.OIF, route.index).u32(RTA.PRIORITY, route.metric);
  if (route.source !== undefined) writer.bytes(RTA.PREFSRC, route.source);
  return writer.finish();
}
