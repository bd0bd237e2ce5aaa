// SPDX-License-Identifier: Apache-2.0
/** Labels of routes passed on when `accepts` becomes stricter (policy-model 24, 26). */
import { describe, expect, it } from 'vitest';
import type { AcceptSet } from '../../../src/forwarding/addon/api.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { swapText } from '../../../src/vpn/ending-labels.js';
import { TELLING } from '../../../src/vpn/export-changes.js';
import type { LabelWish } from '../../../src/vpn/label-wish.js';
import { LINGER_MS } from '../../../src/vpn/route-labels.js';
import { Bed, RANGE, route, wish } from './label-bed.js';

const OLD = 'encrypt,mpls,tunnel in gre,ip to y on if0';
const NEW = 'encrypt in gre,ip to y';
const TIMING = { announce: 30, grace: 40 };
const SECURED: AcceptSet = {
  secured: [{ protection: 'encrypt', encapsulation: 'gre', sps: [2] }],
  clear: [],
};
const CLEAR: AcceptSet = { ...SECURED, clear: ['gre', 'ip'], mplsInterface: 'if0' };

const text = (exported: string): string =>
  swapText(77, parseAddress('203.0.113.1')!, 'encrypt in gre', exported);
const swapped = (exported: string, accept: AcceptSet): LabelWish => ({
  ...wish(1, { text: text(exported), vrf: '', accept, swap: { nexthop: 't', label: 77 } }),
});

async function told(bed: Bed, exported = OLD, accept = CLEAR): Promise<number> {
  bed.labels.settled();
  bed.labels.keepSwaps(new Set([OLD, NEW]), TIMING);
  const { text: meaning, ...rest } = swapped(exported, accept);
  return (await bed.told(1, { text: meaning, ...rest }))!;
}
const tighten = (bed: Bed): void => {
  bed.labels.keepSwaps(new Set([NEW]), TIMING);
};

describe('a swap label of a class that is allowed no more', () => {
  it('is not accepted in clear from then on, and is as before in an SA for the grace time', async () => {
    const bed = new Bed();
    const label = await told(bed);
    expect(bed.rows.get(label)?.accept).toEqual(CLEAR);
    tighten(bed);
    expect(bed.rows.get(label)).toMatchObject({ accept: SECURED, swap: { label: 77 } });
    // Long after its last route has gone: who heard of it late still sends by it.
    bed.labels.release(label);
    await bed.pass(TIMING.grace - 1);
    expect(TIMING.grace * 1000).toBeGreaterThan(LINGER_MS);
    expect(bed.rows.has(label)).toBe(true);
    expect(bed.labels.ending).toBe(1);
    await bed.pass(3);
    expect(bed.rows.has(label)).toBe(false);
    expect(bed.labels.taken(label)).toBe(text(OLD));
  });

  it('has an end although routes have it, and a neighbour takes nothing', async () => {
    const bed = new Bed();
    const label = await told(bed);
    bed.quiet = false;
    bed.everybodyTold = false;
    tighten(bed);
    await bed.pass(TELLING + TIMING.grace - 2);
    expect(bed.rows.has(label)).toBe(true);
    // A reload in between does not begin it anew.
    tighten(bed);
    await bed.pass(4);
    expect(bed.rows.has(label)).toBe(false);
  });

  it('goes at once when it was for clear packets alone, or when asked to', async () => {
    const bed = new Bed();
    const alone = await told(bed, OLD, { secured: [], clear: ['mpls'] });
    tighten(bed);
    expect(bed.rows.has(alone)).toBe(false);
    const other = new Bed();
    const label = await told(other);
    tighten(other);
    expect(other.labels.endNow()).toBe(1);
    expect(other.rows.has(label)).toBe(false);
  });

  it('goes at once after a restart: its row may say more than is allowed', async () => {
    const bed = new Bed();
    const label = await told(bed);
    const next = new Bed(bed.disk, RANGE, bed.seconds);
    next.rows.set(label, bed.rows.get(label)!);
    tighten(next);
    expect(next.rows.has(label)).toBe(false);
    const same = new Bed(bed.disk, RANGE, bed.seconds);
    same.labels.keepSwaps(new Set([OLD]), TIMING);
    expect(same.labels.holds(label)).toBe(true);
  });

  it('is as it was when its class is allowed again', async () => {
    const bed = new Bed();
    const label = await told(bed);
    tighten(bed);
    bed.labels.keepSwaps(new Set([OLD, NEW]), TIMING);
    expect(bed.labels.ask(swapped(OLD, CLEAR), route(1))).toBe(label);
    expect(bed.rows.get(label)?.accept).toEqual(CLEAR);
    await bed.pass(300);
    expect(bed.rows.has(label)).toBe(true);
  });

  it('given back late, after it was taken, leaves its next use alone', async () => {
    const bed = new Bed();
    const label = await told(bed);
    tighten(bed);
    await bed.pass(TIMING.grace + 2);
    expect(bed.rows.has(label)).toBe(false);
    expect(await told(bed)).toBe(label);
    bed.labels.release(label);
    await bed.pass(300);
    expect(bed.rows.has(label)).toBe(true);
    bed.labels.release(label);
    await bed.pass(LINGER_MS / 1000 + 2);
    expect(bed.rows.has(label)).toBe(false);
  });

  it('others are left alone', async () => {
    const bed = new Bed();
    const label = await told(bed, NEW, SECURED);
    const other = (await bed.told(2))!;
    tighten(bed);
    await bed.pass(TELLING + TIMING.grace + 10);
    expect([...bed.rows.keys()]).toEqual([label, other]);
  });
});
