// SPDX-License-Identifier: Apache-2.0
/**
 * Attribute sets are interned in parts and judged once. For UPDATEs of other speakers, changed, spliced and
 * grown, that comes to what the plain way does: the list copied as it came, scanned and decoded.
 */
import { describe, expect, it } from 'vitest';
import { decodeAttributes } from '../../../../src/bgp/codec/attributes/decode.js';
import { scanAttributes, severityOf } from '../../../../src/bgp/codec/attributes/scan.js';
import { newAttributeScan, TYPE } from '../../../../src/bgp/codec/attributes/types.js';
import type { UpdateContext, UpdateSplit } from '../../../../src/bgp/codec/types.js';
import {
  attributesLength,
  copyAttributes,
  isNotification,
  splitUpdate,
} from '../../../../src/bgp/codec/update-split.js';
import { AttributeReader, SET_READER, unmapped } from '../../../../src/bgp/rib/attribute-codec.js';
import {
  AttributeStore,
  FAULTY,
  HAS_MED,
  HAS_ORIGINATOR,
  WHOLE,
} from '../../../../src/bgp/rib/attribute-store.js';
import { CONTEXT } from '../codec/build.js';
import { CONTEXTS, ofType, random } from '../codec/corpus.js';

/** Bodies of UPDATEs that have attributes. */
const bodies = ofType(2).filter((body) => body.length > 30);

class Bench {
  keysGone = 0;
  readonly store = new AttributeStore(SET_READER, () => this.keysGone++);
  readonly reader = new AttributeReader(this.store, { asn: 65000, routerId: 1, clusterId: 1 });
  readonly held: number[] = [];
  inParts = 0;
  whole = 0;
  refused = 0;

  /** One body both ways, in a context. */
  compare(body: Uint8Array, context: UpdateContext): void {
    const octets = body.slice();
    const split = splitUpdate(octets, 0, octets.length, context);
    if (isNotification(split)) return;
    if (split.faults.some(({ severity }) => severity !== 'discard')) return;
    for (const { classic } of split.announced) this.#run(split, context, classic);
  }

  #run(split: UpdateSplit, context: UpdateContext, classic: boolean): void {
    const list = new Uint8Array(attributesLength(split));
    copyAttributes(split, list, 0);
    const environment = { context, classic };
    const scan = newAttributeScan();
    const faults = scanAttributes(list, 0, list.length, environment, scan);
    const severity = severityOf(faults);
    const id = this.reader.received(split, context, classic);
    expect(this.reader.faults).toEqual(faults);
    expect(id === 0).toBe(severity !== 'ok' && severity !== 'discard');
    if (id === 0) {
      this.refused++;
      return;
    }
    this.held.push(id);
    const { store } = this;
    if ((store.form(id) & WHOLE) === 0) this.inParts++;
    else this.whole++;
    expect(store.decoded(id)).toEqual(decodeAttributes(list, 0, list.length, environment));
    expect(store.has(id, FAULTY)).toBe(faults.length > 0);
    expect(store.has(id, HAS_MED)).toBe(scan.hasMed);
    expect(store.has(id, HAS_ORIGINATOR)).toBe(scan.hasOriginatorId);
    expect({ ...store.facts(id) }).toEqual({
      localPref: scan.hasLocalPref ? scan.localPref : 100,
      med: scan.hasMed ? scan.med : 0,
      neighbourAs: scan.neighbourAs,
      pathLength: scan.asPathHops,
      clusterLength: scan.clusterList.length / 4,
      origin: scan.origin,
      originatorId: scan.originatorId,
    });
    const { at, length } = scan.nextHop;
    const nextHop = at < 0 ? new Uint8Array(0) : unmapped(list.slice(at, at + length));
    expect([...store.addresses.get(store.nextHop(id))]).toEqual([...nextHop]);
    // The same again is the same set.
    expect(this.reader.received(split, context, classic)).toBe(id);
    expect(this.reader.faults).toEqual(faults);
    store.release(id);
  }

  expectEmpty(): void {
    for (const id of this.held.splice(0)) this.store.release(id);
    expect(this.store.live).toBe(0);
    expect(this.store.addresses.live).toBe(0);
    expect(this.store.vpnKeys.live).toBe(0);
    expect(this.store.steerings.live).toBe(0);
  }
}

describe('an attribute set in parts is judged and read as the list that came', () => {
  it('of other speakers, changed at every offset', () => {
    const bench = new Bench();
    const below = random(7);
    for (const [i, body] of bodies.entries()) {
      const context = CONTEXTS[i % CONTEXTS.length]!;
      bench.compare(body, context);
      const end = Math.min(body.length, 200);
      for (let at = 4; at < end; at++) {
        const changed = body.slice();
        changed[at] = below(256);
        bench.compare(changed, context);
        changed[at] = (body[at] ?? 0) ^ (1 << below(8));
        bench.compare(changed, context);
      }
    }
    expect(bench.inParts).toBeGreaterThan(1000);
    expect(bench.whole).toBeGreaterThan(100);
    expect(bench.refused).toBeGreaterThan(100);
    bench.expectEmpty();
  });

  it('with an attribute of another UPDATE put in, once or twice, at any place', () => {
    const bench = new Bench();
    const below = random(11);
    const all = bodies.flatMap(attributesOf);
    for (let round = 0; round < 6000; round++) {
      const own = attributesOf(bodies[below(bodies.length)]!);
      const other = all[below(all.length)]!;
      own.splice(below(own.length + 1), 0, other);
      if (below(3) === 0) own.splice(below(own.length + 1), 0, other);
      if (below(3) === 0) own.reverse();
      const list = Uint8Array.of(...own.flatMap((one) => [...one]));
      const body = Uint8Array.of(0, 0, list.length >> 8, list.length & 255, ...list, 24, 10, 1, 2);
      bench.compare(body, CONTEXTS[round % CONTEXTS.length]!);
    }
    expect(bench.inParts).toBeGreaterThan(500);
    expect(bench.whole).toBeGreaterThan(500);
    bench.expectEmpty();
  });

  it('has its facts although many others were asked for meanwhile', () => {
    const bench = new Bench();
    const body = bodies.find((one) => {
      return attributesOf(one).some((attribute) => attribute[1] === TYPE.med);
    })!;
    const sets: { id: number; med: number }[] = [];
    for (let med = 0; med < 3000; med++) {
      const octets = body.slice();
      writeMed(octets, med * 77_777);
      const split = splitUpdate(octets, 0, octets.length, CONTEXT);
      if (isNotification(split)) throw new Error(split.reason);
      const classic = split.announced[0]!.classic;
      sets.push({ id: bench.reader.received(split, CONTEXT, classic), med: med * 77_777 });
    }
    expect(bench.store.live).toBe(3000);
    for (const { id, med } of sets) expect(bench.store.facts(id).med).toBe(med);
    bench.held.push(...sets.map(({ id }) => id));
    bench.expectEmpty();
  });
});

/** Attributes of a body, MP_REACH_NLRI with its NLRI. */
function attributesOf(body: Uint8Array): Uint8Array[] {
  const withdrawn = (body[0]! << 8) | body[1]!;
  const start = 4 + withdrawn;
  const end = start + ((body[start - 2]! << 8) | body[start - 1]!);
  const found: Uint8Array[] = [];
  for (let at = start; at < end;) {
    const extended = (body[at]! & 0x10) !== 0;
    const next = extended
      ? at + 4 + ((body[at + 2]! << 8) | body[at + 3]!)
      : at + 3 + body[at + 2]!;
    found.push(body.slice(at, next));
    at = next;
  }
  return found;
}

function writeMed(body: Uint8Array, med: number): void {
  let at = 4 + ((body[0]! << 8) | body[1]!);
  while (body[at + 1] !== TYPE.med) at += 3 + body[at + 2]!;
  new DataView(body.buffer, body.byteOffset).setUint32(at + 3, med);
}
