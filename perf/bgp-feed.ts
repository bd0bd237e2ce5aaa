// SPDX-License-Identifier: Apache-2.0
/** Files of UPDATEs, as one IBGP session would send them: VPNv4 routes of some RDs, one route target each. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeAttributes } from '../src/bgp/codec/attributes/encode.js';
import { FAMILY, type PathAttributes, type UpdateContext } from '../src/bgp/codec/types.js';
import { UpdateWriter } from '../src/bgp/codec/update-writer.js';

export const CONTEXT: UpdateContext = {
  ibgp: true,
  as4: true,
  maxMessage: 4096,
  families: 1 << FAMILY.vpnv4,
  addPathReceive: 0,
  addPathSend: 0,
  extendedNextHop: 0,
};

export interface Feed {
  readonly routes: number;
  readonly routesPerSet: number;
  /** One label for each RD, or for each route. */
  readonly labels: 'rd' | 'route';
  readonly rds: number;
}

/** Routes of such a feed changed, so many in each message. */
export interface Churn {
  readonly of: Feed;
  readonly messages: number;
  readonly routesPerMessage: number;
}

/** Label of a changed route, by its message: who finds it in a table knows when it was sent. */
export const churnLabel = (message: number): number => 16 + message;

const NEXT_HOP = Uint8Array.of(192, 0, 2, 2);

const target = (number: number): bigint => (2n << 48n) | (65000n << 32n) | BigInt(number);

/** Attribute sets differ in MED and in the origin AS of the path. */
function attributesOf(set: number, rd: number, med: number): PathAttributes {
  return {
    origin: 0,
    asPath: [{ type: 2, asns: [64600 + (set % 400), 4200000000 + set] }],
    med,
    localPref: 100,
    extendedCommunities: [target(rd + 1)],
  };
}

/** Writes routes to a file of messages. */
class FeedFile {
  readonly #fd: number;
  readonly #writer = new UpdateWriter(CONTEXT, 1 << 20);
  readonly #key = new Uint8Array(12);
  readonly #view = new DataView(this.#key.buffer);
  readonly #nlri = {
    ...{ pathId: 0, label: 0, labelsAt: 0, labelCount: 1 },
    ...{ keyAt: 0, keyBytes: 11, length: 24 },
  };

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  attributes(attributes: PathAttributes, nextHop: Uint8Array = NEXT_HOP): void {
    // Between two sets: messages are as full as they can be.
    if (this.#writer.size > 1 << 19) writeSync(this.#fd, this.#writer.take());
    this.#writer.announcing(FAMILY.vpnv4, encodeAttributes(attributes, CONTEXT), nextHop);
  }

  /** A /24, that of number 0 being `base`. */
  route(rd: number, route: number, label: number, base = 0x01000000): void {
    this.#view.setUint32(0, 65000);
    this.#view.setUint32(4, rd + 1);
    this.#view.setUint32(8, base + route * 256);
    this.#nlri.label = label;
    if (!this.#writer.add(this.#nlri, this.#key)) throw new Error('a route does not fit');
  }

  close(): void {
    writeSync(this.#fd, this.#writer.take());
    closeSync(this.#fd);
  }
}

const rdOf = (feed: Feed, route: number): number => Math.floor(route / (feed.routes / feed.rds));

export function writeFeed(path: string, feed: Feed): void {
  const file = new FeedFile(path);
  for (let route = 0; route < feed.routes; route++) {
    const rd = rdOf(feed, route);
    const set = Math.floor(route / feed.routesPerSet);
    if (route % feed.routesPerSet === 0) file.attributes(attributesOf(set, rd, set));
    file.route(rd, route, 16 + (feed.labels === 'rd' ? rd : route % 1_000_000));
  }
  file.close();
}

/** Coprime to every number of messages used here: neighbouring messages are about other VRFs. */
const STRIDE = 3571;

/** Messages about routes all over the table, each with attributes of its own. */
export function writeChurn(path: string, churn: Churn): void {
  const file = new FeedFile(path);
  const { of, messages, routesPerMessage } = churn;
  const apart = of.routes / messages;
  for (let message = 0; message < messages; message++) {
    const first = ((message * STRIDE) % messages) * apart;
    const rd = rdOf(of, first);
    file.attributes(attributesOf(message, rd, 10_000_000 + message));
    for (let i = 0; i < routesPerMessage; i++) file.route(rd, first + i, churnLabel(message));
  }
  file.close();
}

/** A route of each of so many PEs. */
export interface Remotes {
  /** The PEs' addresses begin with this one. */
  readonly first: string;
  readonly count: number;
  /** Beside the route target, 65000:1. */
  readonly community: bigint;
}

/** 10.100.0.0/24, 10.100.1.0/24 and so on, each with an RD and a next hop of its own. */
export function writeRemotes(path: string, { first, count, community }: Remotes): void {
  const file = new FeedFile(path);
  const base = Buffer.from(first.split('.').map(Number)).readUInt32BE();
  for (let remote = 0; remote < count; remote++) {
    const nextHop = Buffer.alloc(4);
    nextHop.writeUInt32BE(base + remote);
    const extendedCommunities = [target(1), community];
    file.attributes({ origin: 0, asPath: [], localPref: 100, extendedCommunities }, nextHop);
    file.route(remote, remote, 16 + remote, 0x0a640000);
  }
  file.close();
}

/** A file for each of `count` sessions, 300 routes or so each: names are PATH.0, PATH.1 and so on. */
export function writeSessionFeeds(path: string, count: number, routes: number): void {
  for (let session = 0; session < count; session++) {
    const file = new FeedFile(`${path}.${String(session)}`);
    const rd = session % 100;
    file.attributes(attributesOf(session, rd, session));
    for (let i = 0; i < routes; i++) file.route(rd, session * routes + i, 16 + session);
    file.close();
  }
}
