// SPDX-License-Identifier: Apache-2.0
/**
 * Network devices: RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK (linux/if_link.h), host byte order.
 *
 *  +---------------+---------------+-------------------------------+
 *  | ifi_family    | 0             | ifi_type (ARPHRD_*)           |
 *  +---------------+---------------+-------------------------------+
 *  | ifi_index                                                     |
 *  +---------------------------------------------------------------+
 *  | ifi_flags (IFF_*)                                             |
 *  +---------------------------------------------------------------+
 *  | ifi_change: mask of flags to change                           |
 *  +---------------------------------------------------------------+
 *  | attributes IFLA_*                                             |
 *  +---------------------------------------------------------------+
 */
import {
  type Attributes,
  attributeString,
  attributeU32,
  attributeU8,
  AttributeWriter,
  decodeAttributes,
  decodeNested,
  viewOf,
} from './attribute.js';
import { AF, IFF } from './constants.js';

const HEADER = 16;
const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  QDISC: 6,
  MASTER: 10,
  LINKINFO: 18,
} as const;
const IFLA_AF_SPEC = 26;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_KIND = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
/** Spares the kernel counting, and us reading, statistics. */
const RTEXT_FILTER_SKIP_STATS = 8;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly flags: number;
  /** IFF_UP: set up by the administrator. */
  readonly up: boolean;
  /** IFF_LOWER_UP: has a carrier. */
  readonly carrier: boolean;
  readonly mtu: number;
  /** 6 bytes for Ethernet; absent or of another length elsewhere. */
  readonly mac?: Uint8Array;
  /** Index of the bridge, bond or VRF device it belongs to. */
  readonly master?: number;
  /** Index of the device it sits on (VLAN, macvlan) or is joined to (veth). */
  readonly lower?: number;
  /** "veth", "tun", "bridge"; absent for hardware. */
  readonly kind?: string;
  /** Kind of the root queueing discipline: "mq", "noqueue". */
  readonly qdisc?: string;
  /** One of ADDR_GEN_MODE; absent where IPv6 is off. */
  readonly addrGenMode?: number;
}

/** Messages of another family than AF_UNSPEC (a bridge's ports) give undefined, like malformed ones. */
export function decodeLink(payload: Uint8Array): Link | undefined {
  if (payload[0] !== AF.UNSPEC) return undefined;
  const attributes = payload.length < HEADER ? undefined : decodeAttributes(payload, HEADER);
  const info = attributes && decodeNested(attributes, IFLA.LINKINFO);
  const spec = attributes && decodeNested(attributes, IFLA_AF_SPEC);
  const inet6 = spec && decodeNested(spec, AF.INET6);
  if (!attributes || !info || !inet6) return undefined;
  const view = viewOf(payload);
  const flags = view.getUint32(8, true);
  const name = attributeString(attributes, IFLA.IFNAME);
  if (name === undefined) return undefined;
  const kind = attributeString(info, IFLA_INFO_KIND);
  const addrGenMode = attributeU8(inet6, IFLA_INET6_ADDR_GEN_MODE);
  return {
    index: view.getInt32(4, true),
    name,
    flags,
    up: (flags & IFF.UP) !== 0,
    carrier: (flags & IFF.LOWER_UP) !== 0,
    mtu: attributeU32(attributes, IFLA.MTU) ?? 0,
    ...optionalParts(attributes),
    ...(kind === undefined ? {} : { kind }),
    ...(addrGenMode === undefined ? {} : { addrGenMode }),
  };
}

function optionalParts(attributes: Attributes): Pick<Link, 'mac' | 'master' | 'lower' | 'qdisc'> {
  const mac = attributes.get(IFLA.ADDRESS);
  const master = attributeU32(attributes, IFLA.MASTER);
  const lower = attributeU32(attributes, IFLA.LINK);
  const qdisc = attributeString(attributes, IFLA.QDISC);
  return {
    ...(mac === undefined ? {} : { mac: Uint8Array.from(mac) }),
    ...(master === undefined ? {} : { master }),
    ...(lower === undefined ? {} : { lower }),
    ...(qdisc === undefined ? {} : { qdisc }),
  };
}

function header(index: number, flags = 0, change = 0): Uint8Array {
  const bytes = new Uint8Array(HEADER);
  const view = viewOf(bytes);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return bytes;
}

/** RTM_GETLINK of one device by name, or of all (a dump). */
export function encodeGetLink(name?: string): Uint8Array {
  const writer = new AttributeWriter(header(0));
  writer.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (name !== undefined) writer.string(IFLA.IFNAME, name);
  return writer.finish();
}

export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  /** One of ADDR_GEN_MODE. */
  readonly addrGenMode?: number;
}

/** RTM_NEWLINK that changes an existing device. */
export function encodeSetLink(index: number, change: LinkChange): Uint8Array {
  const mask = change.up === undefined ? 0 : IFF.UP;
  const writer = new AttributeWriter(header(index, change.up === true ? IFF.UP : 0, mask));
  const { mtu, addrGenMode } = change;
  if (mtu !== undefined) writer.u32(IFLA.MTU, mtu);
  if (addrGenMode !== undefined) {
    writer.nested(IFLA_AF_SPEC, (spec) =>
      spec.nested(AF.INET6, (inet6) => inet6.u8(IFLA_INET6_ADDR_GEN_MODE, addrGenMode)),
    );
  }
  return writer.finish();
}
