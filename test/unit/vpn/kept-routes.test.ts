// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { BgpNeighbour, Config } from '../../../src/config/types.js';
import { followOffers, longestKept, quarantineOf } from '../../../src/vpn/kept-routes.js';

const having = (...all: Partial<BgpNeighbour>[]): Config => ({
  ...{ instance: 'pe', ownSp: 'own', core: { tunnelAddresses: [] }, interfaces: {} },
  bgp: {
    ...{ asn: 65001, routerId: '192.0.2.1' },
    neighbours: Object.fromEntries(
      all.map((one, i) => [`192.0.2.${i + 10}`, { asn: 65001, ...one }]),
    ),
  },
});

describe('how long a neighbour may keep our routes (RFC 4724, RFC 9494)', () => {
  it('is the time until it notices, and what we have offered', () => {
    expect(longestKept(having({}))).toBe(90 + 120);
    expect(longestKept(having({ gracefulRestart: false, longLived: { staleTime: 9 } }))).toBe(90);
    const both = { gracefulRestart: { restartTime: 4095 }, longLived: { staleTime: 604_800 } };
    expect(longestKept(having({}, both, { timers: { hold: 3 } }))).toBe(90 + 4095 + 604_800);
  });

  it('is none without BGP, and CEs do not count: they have no labels', () => {
    const { bgp, ...without } = having();
    expect(longestKept(without)).toBe(0);
    const neighbours = { '10.0.0.2': { asn: 65002, longLived: { staleTime: 86_400 } } };
    const vrfs = { A: { bgp: { rd: '65001:1', neighbours } } };
    expect(longestKept({ ...without, bgp: bgp!, vrfs })).toBe(0);
  });
});

describe('the quarantine of a label freed now', () => {
  it('is an hour, or the longest offered', () => {
    expect(quarantineOf(followOffers(undefined, 210, 1000), 1000)).toBe(3600);
    expect(quarantineOf(followOffers(undefined, 90_000, 1000), 1000)).toBe(90_000);
  });

  it('counts an offer that was taken back for as long as somebody may go by it', () => {
    const before = followOffers(undefined, 90_000, 1000);
    const less = followOffers(before, 50_000, 2000);
    expect(quarantineOf(less, 91_999)).toBe(90_000);
    expect(quarantineOf(less, 92_000)).toBe(50_000);
    const least = followOffers(less, 210, 3000);
    // Both may still be gone by: until the later end, the longer one.
    expect(least.earlier).toEqual({ offered: 90_000, until: 92_000 });
    expect(quarantineOf(followOffers(less, 100_000, 3000), 3000)).toBe(100_000);
    expect(followOffers(least, 210, 92_000)).toEqual({ offered: 210 });
  });
});
