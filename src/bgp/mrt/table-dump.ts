// SPDX-License-Identifier: Apache-2.0
/**
 * MRT table dumps: TABLE_DUMP_V2, RFC 6396 §4.3, with path identifiers by RFC 8050 §4. One record
 * names the peers, then each route is a record of its own:
 *
 *   PEER_INDEX_TABLE                      RIB_IPV4_UNICAST, RIB_IPV6_UNICAST [_ADDPATH]
 *  +-----------------------------------+ +-----------------------------------+
 *  | collector BGP id             4    | | sequence number              4    |
 *  | view name length 2, view name     | | prefix length 1, prefix           |
 *  | peer count                   2    | | entry count                  2    |
 *  | per peer: type               1    | | per entry: peer index        2    |
 *  |   bit 0: IPv6, bit 1: 4-octet AS  | |   originated, seconds        4    |
 *  |   BGP id                     4    | |   [path identifier           4]   |
 *  |   address              4 or 16    | |   attribute length           2    |
 *  |   AS number             2 or 4    | |   attributes                      |
 *  +-----------------------------------+ +-----------------------------------+
 *
 * RIB_GENERIC has | sequence 4 | AFI 2 | SAFI 1 | NLRI | instead of sequence and prefix. Its _ADDPATH
 * form has the path identifier inside the NLRI and not in the entries (RFC 8050 §4.2), so there every
 * path is a record of its own. MP_REACH_NLRI is cut to the next hop's length and octets (§4.3.4).
 */
import { ByteWriter, u16, u8 } from '../codec/bytes.js';
import { FAMILIES, FAMILY } from '../codec/types.js';
import type { TablePath, TableRoute } from '../monitor.js';
import type { PeerId } from '../types.js';
import { begin, finish, MRT_TYPE } from './records.js';

const SUBTYPE = {
  peerIndexTable: 1,
  ipv4Unicast: 2,
  ipv6Unicast: 4,
  generic: 6,
  ipv4UnicastAddPath: 8,
  ipv6UnicastAddPath: 10,
  genericAddPath: 12,
} as const;

const PEER_IPV6 = 1;
const PEER_AS4 = 2;
/** Entry counts and the peer count have two octets. */
const MOST = 0xffff;

export interface DumpPeer {
  readonly id: PeerId;
  readonly routerId: number;
  readonly address: Uint8Array;
  readonly asn: number;
}

export interface TableDump {
  /** Microseconds since 1970. */
  readonly now: number;
  readonly routerId: number;
  /** Name of the view: the VRF, or empty. */
  readonly view: string;
  /** Of every path in the routes; ourselves (id 0) with address 0.0.0.0 if we have routes there. */
  readonly peers: readonly DumpPeer[];
}

/** Makes the records of one dump. Throws RangeError for more than 65535 peers. */
export class TableEncoder {
  /** The first record, which names the peers. */
  readonly index: Uint8Array;
  readonly #now: number;
  readonly #indices: ReadonlyMap<PeerId, number>;
  #sequence = 0;

  constructor(dump: TableDump) {
    const { now, peers } = dump;
    if (peers.length > MOST) throw new RangeError(`${peers.length} peers in a table dump`);
    this.index = peerIndexTable(dump);
    this.#now = now;
    this.#indices = new Map(peers.map(({ id }, index) => [id, index]));
  }

  /** Those of the next route, mostly one. Throws RangeError for a path of a peer that is not named. */
  *records(route: TableRoute): Generator<Uint8Array> {
    for (const part of parts(route)) {
      yield routeRecord(this.#now, this.#sequence, part, (path) => this.#indexOf(path));
      this.#sequence = (this.#sequence + 1) >>> 0;
    }
  }

  #indexOf({ peer }: TablePath): number {
    const index = this.#indices.get(peer);
    if (index === undefined) throw new RangeError(`peer ${peer} is not in the dump's table`);
    return index;
  }
}

/** All records of a dump, one by one; throws as {@link TableEncoder} does. */
export function* tableDump(dump: TableDump, routes: Iterable<TableRoute>): Generator<Uint8Array> {
  const encoder = new TableEncoder(dump);
  yield encoder.index;
  for (const route of routes) yield* encoder.records(route);
}

function peerIndexTable({ now, routerId, view, peers }: TableDump): Uint8Array {
  const out = new ByteWriter();
  begin(out, now, MRT_TYPE.tableDumpV2, SUBTYPE.peerIndexTable);
  out.u32(routerId);
  const name = new TextEncoder().encode(view).subarray(0, MOST);
  out.u16(name.length);
  out.copy(name);
  out.u16(peers.length);
  for (const peer of peers) {
    out.u8(PEER_AS4 | (peer.address.length === 16 ? PEER_IPV6 : 0));
    out.u32(peer.routerId);
    out.copy(peer.address);
    out.u32(peer.asn);
  }
  return finish(out);
}

const isPlain = ({ family }: TableRoute): boolean =>
  family === FAMILY.ipv4Unicast || family === FAMILY.ipv6Unicast;

/** A route as the records it takes. */
function* parts(route: TableRoute): Generator<TableRoute> {
  const { paths } = route;
  if (!isPlain(route) && route.addPath) {
    for (const path of paths) yield { ...route, paths: [path] };
    return;
  }
  for (let at = 0; at < paths.length; at += MOST) {
    yield { ...route, paths: paths.slice(at, at + MOST) };
  }
}

function routeRecord(
  now: number,
  sequence: number,
  route: TableRoute,
  indexOf: (path: TablePath) => number,
): Uint8Array {
  const { family, nlri, addPath, paths } = route;
  const plain = isPlain(route);
  const out = new ByteWriter(512);
  begin(out, now, MRT_TYPE.tableDumpV2, subtypeOf(route));
  out.u32(sequence);
  if (!plain) {
    out.u16(FAMILIES[family].afi);
    out.u8(FAMILIES[family].safi);
    if (addPath) out.u32(paths[0]?.pathId ?? 0);
  }
  out.copy(nlri);
  out.u16(paths.length);
  for (const path of paths) {
    out.u16(indexOf(path));
    out.u32(path.originated);
    if (plain && addPath) out.u32(path.pathId);
    const lengthAt = out.length;
    out.u16(0);
    writeAttributes(out, path, family === FAMILY.ipv4Unicast);
    out.setU16(lengthAt, out.length - lengthAt - 2);
  }
  return finish(out);
}

const SUBTYPES = {
  plain4: [SUBTYPE.ipv4Unicast, SUBTYPE.ipv4UnicastAddPath],
  plain6: [SUBTYPE.ipv6Unicast, SUBTYPE.ipv6UnicastAddPath],
  generic: [SUBTYPE.generic, SUBTYPE.genericAddPath],
} as const;

function subtypeOf(route: TableRoute): number {
  const plain = FAMILIES[route.family].afi === 1 ? 'plain4' : 'plain6';
  return SUBTYPES[isPlain(route) ? plain : 'generic'][route.addPath ? 1 : 0];
}

// ---- Attributes ----------------------------------------------------------------------------------

const NEXT_HOP = 3;
const MP_REACH_NLRI = 14;
const TRANSITIVE = 0x40;
const OPTIONAL = 0x80;
const EXTENDED_LENGTH = 0x10;

/** The attributes with the next hop among them, in order of type as RFC 4271 §5 recommends. */
function writeAttributes(out: ByteWriter, path: TablePath, classic: boolean): void {
  const { attributes, nextHop } = path;
  const asAttribute = classic && nextHop.length === 4;
  const at = firstAbove(attributes, asAttribute ? NEXT_HOP : MP_REACH_NLRI);
  out.copy(attributes.subarray(0, at));
  if (asAttribute) {
    out.u8(TRANSITIVE);
    out.u8(NEXT_HOP);
    out.u8(4);
  } else if (nextHop.length > 0) {
    out.u8(OPTIONAL);
    out.u8(MP_REACH_NLRI);
    out.u8(nextHop.length + 1);
    out.u8(nextHop.length);
  }
  out.copy(nextHop);
  out.copy(attributes.subarray(at));
}

/** Where the first attribute of a higher type begins. Throws RangeError for malformed attributes. */
function firstAbove(attributes: Uint8Array, type: number): number {
  let at = 0;
  while (at < attributes.length && u8(attributes, at + 1) <= type) {
    const extended = (u8(attributes, at) & EXTENDED_LENGTH) !== 0;
    at += extended ? 4 + u16(attributes, at + 2) : 3 + u8(attributes, at + 2);
  }
  if (at > attributes.length) throw new RangeError('malformed path attributes in a table dump');
  return at;
}
