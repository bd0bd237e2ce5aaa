// SPDX-License-Identifier: Apache-2.0
/** Files of UPDATEs, as one IBGP session would send them: VPNv4 routes of 100 RDs, one route target each. */
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
  /** Raised to make every attribute set another one than in an earlier feed. */
  readonly generation?: number;
}

const RDS = 100;
const NEXT_HOP = Uint8Array.of(192, 0, 2, 2);

const target = (number: number): bigint => (2n << 48n) | (65000n << 32n) | BigInt(number);

/** Attribute sets differ in MED and in the origin AS of the path. */
function attributesOf(set: number, rd: number, generation: number): PathAttributes {
  return {
    origin: 0,
    asPath: [{ type: 2, asns: [64600 + (set % 400), 4200000000 + set] }],
    med: set + generation * 10_000_000,
    localPref: 100,
    extendedCommunities: [target(rd + 1)],
  };
}

/** Writes the feed; `withdraw` writes withdrawals of the same routes instead. */
export function writeFeed(path: string, feed: Feed): void {
  const fd = openSync(path, 'w');
  const writer = new UpdateWriter(CONTEXT, 1 << 20);
  const key = new Uint8Array(12);
  const view = new DataView(key.buffer);
  const nlri = {
    pathId: 0,
    label: 0,
    labelsAt: 0,
    labelCount: 1,
    keyAt: 0,
    keyBytes: 11,
    length: 24,
  };
  const perRd = feed.routes / RDS;
  for (let route = 0; route < feed.routes; route++) {
    const rd = Math.floor(route / perRd);
    if (route % feed.routesPerSet === 0) {
      const set = Math.floor(route / feed.routesPerSet);
      const attributes = encodeAttributes(attributesOf(set, rd, feed.generation ?? 0), CONTEXT);
      writer.announcing(FAMILY.vpnv4, attributes, NEXT_HOP);
    }
    view.setUint32(0, 65000);
    view.setUint32(4, rd + 1);
    view.setUint32(8, 0x01000000 + route * 256);
    nlri.label = feed.labels === 'rd' ? 16 + rd : 16 + (route % 1_000_000);
    if (!writer.add(nlri, key)) throw new Error('a route does not fit');
    if (writer.size > 1 << 19) writeSync(fd, writer.take());
  }
  writeSync(fd, writer.take());
  closeSync(fd);
}
