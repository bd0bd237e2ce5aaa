// SPDX-License-Identifier: Apache-2.0
/** A session that sends much and is reset, again and again, leaves nothing behind. */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { client, expectEmpty, plain } from './common.js';
import { attributes, contextOf, Lab, NOTHING_LEFT, rd, target } from './lab.js';

const VPN4 = 1 << FAMILY.vpnv4;

describe('memory', () => {
  it('does not grow when a neighbour comes and goes with other routes each time', () => {
    const lab = new Lab({ retainVpn: false, neighbour: () => client });
    lab.up(2, plain);
    let first = 0;
    for (let round = 0; round < 12; round++) {
      lab.up(1, plain);
      for (let set = 0; set < 60; set++) {
        const routes = Array.from({ length: 50 }, (_, i) => ({
          prefix: `${String(10 + round)}.${String(set)}.${String(i)}.0`,
          length: 24,
        }));
        lab.announce(1, routes, attributes({ med: round * 1000 + set }));
      }
      lab.settle();
      expect(lab.fib.size).toBe(3000);
      lab.down(1);
      lab.settle();
      expect(lab.fib.size).toBe(0);
      // The group of the other neighbour remembers what it made of sets until somebody comes.
      const rest = { addresses: expect.any(Number) as number, attributeSets: 120 };
      expect(lab.leftovers()).toEqual({ ...NOTHING_LEFT, ...rest });
      const { bytes } = lab.rib.counts();
      if (round === 0) first = bytes;
      // Buckets of the hashes differ a little with the keys; routes that stayed would be a multiple.
      expect(bytes).toBeLessThan(first * 1.05);
    }
    expectEmpty(lab);
  });

  it('does not grow when VPN routes of a set, a label and a target each come and go with a session', () => {
    const lab = new Lab({ retainVpn: false });
    for (const id of [1, 2]) {
      const importTargets = Array.from({ length: 100 }, (_, i) => target(2 * i + id));
      lab.vrf(id, { importTargets, accept: () => 1 });
    }
    lab.settle();
    const empty = lab.leftovers();
    let first = 0;
    for (let round = 0; round < 10; round++) {
      lab.up(1, { context: contextOf({ families: VPN4 }) });
      for (let i = 0; i < 2000; i++) {
        const number = round * 2000 + i;
        const route = {
          ...{ family: FAMILY.vpnv4, rd: rd(number % 300), length: 24, label: 16 + number },
          prefix: `${String(10 + (number >> 16))}.${String((number >> 8) & 255)}.${String(number & 255)}.0`,
        };
        const extendedCommunities = [target(1 + (number % 200)), BigInt(number % 500)];
        lab.announce(1, [route], attributes({ med: number, extendedCommunities }));
      }
      lab.settle();
      expect(lab.fib.size).toBe(2000);
      expect(lab.rib.counts()).toMatchObject({ paths: empty['paths']! + 4000, imports: 2000 });
      lab.down(1);
      lab.settle();
      expect(lab.fib.size).toBe(0);
      expect(lab.leftovers()).toEqual(empty);
      const { bytes } = lab.rib.counts();
      if (round === 0) first = bytes;
      expect(bytes).toBeLessThan(first * 1.05);
    }
  });
});
