// SPDX-License-Identifier: Apache-2.0
/**
 * Neighbours (ARP, ND): RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH (linux/neighbour.h), host byte order.
 *
 *  +---------------+-----------------------------------------------+
 *  | ndm_family    | 0                                             |
 *  +---------------+-----------------------------------------------+
 *  | ndm_ifindex                                                   |
 *  +-------------------------------+---------------+---------------+
 *  | ndm_state (NUD_*)             | ndm_flags     | ndm_type      |
 *  +-------------------------------+---------------+---------------+
 *  | attributes NDA_*                                              |
 *  +---------------------------------------------------------------+
 */
import {
  attributeAddress,
  attributeU32,
  AttributeWriter,
  decodeAttributes,
  viewOf,
} from './attribute.js';
import { AF, NTF_EXT_MANAGED, NTF_USE, NUD } from './constants.js';

const HEADER = 12;
const NDA = { DST: 1, LLADDR: 2, FLAGS_EXT: 15 } as const;
const VALID = NUD.PERMANENT | NUD.NOARP | NUD.REACHABLE | NUD.PROBE | NUD.STALE | NUD.DELAY;

export interface Neighbour {
  readonly index: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** 6 bytes, absent while unknown. */
  readonly mac?: Uint8Array;
  /** One of NUD. */
  readonly state: number;
  /** The kernel keeps resolving it (NTF_EXT_MANAGED). */
  readonly managed: boolean;
}

/** Entries of other families (bridge forwarding tables) and proxies give undefined, like malformed ones. */
export function decodeNeighbour(payload: Uint8Array): Neighbour | undefined {
  const attributes = payload.length < HEADER ? undefined : decodeAttributes(payload, HEADER);
  if (attributes === undefined) return undefined;
  const address = attributeAddress(attributes, NDA.DST);
  const size = payload[0] === AF.INET ? 4 : payload[0] === AF.INET6 ? 16 : 0;
  if (address?.length !== size) return undefined;
  const mac = attributes.get(NDA.LLADDR);
  const view = viewOf(payload);
  return {
    index: view.getInt32(4, true),
    address,
    ...(mac?.length === 6 ? { mac: Uint8Array.from(mac) } : {}),
    state: view.getUint16(8, true),
    managed: ((attributeU32(attributes, NDA.FLAGS_EXT) ?? 0) & NTF_EXT_MANAGED) !== 0,
  };
}

/** Has a link address that may be used: NUD_VALID of the kernel. */
export function isUsable(neighbour: Neighbour): boolean {
  return neighbour.mac !== undefined && (neighbour.state & VALID) !== 0;
}

function header(family: number, index: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(HEADER);
  bytes[0] = family;
  viewOf(bytes).setInt32(4, index, true);
  bytes[10] = flags;
  return bytes;
}

const familyNumber = (address: Uint8Array): number => (address.length === 4 ? AF.INET : AF.INET6);

/** RTM_GETNEIGH of all devices and both families (a dump). */
export function encodeGetNeighbours(): Uint8Array {
  return header(AF.UNSPEC, 0, 0);
}

/** RTM_GETNEIGH of one entry. */
export function encodeGetNeighbour(index: number, address: Uint8Array): Uint8Array {
  return new AttributeWriter(header(familyNumber(address), index, 0))
    .bytes(NDA.DST, address)
    .finish();
}

/**
 * RTM_NEWNEIGH (CREATE | REPLACE) that makes the kernel resolve an address now, and with `managed` keep
 * it resolved. An entry that exists keeps its state and link address, but one sent without `managed`
 * stops being managed.
 */
export function encodeResolve(index: number, address: Uint8Array, managed: boolean): Uint8Array {
  const writer = new AttributeWriter(header(familyNumber(address), index, NTF_USE));
  writer.bytes(NDA.DST, address);
  if (managed) writer.u32(NDA.FLAGS_EXT, NTF_EXT_MANAGED);
  return writer.finish();
}

/** RTM_DELNEIGH. */
export function encodeDeleteNeighbour(index: number, address: Uint8Array): Uint8Array {
  return encodeGetNeighbour(index, address);
}
