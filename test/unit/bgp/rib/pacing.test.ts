// SPDX-License-Identifier: Apache-2.0
/** How much a neighbour is told, and how often: the limit of ADD-PATH, the interval between advertisements. */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { NeighbourRib } from '../../../../src/bgp/rib/peers.js';
import type { Policy } from '../../../../src/bgp/types.js';
import { V4, client, expectEmpty, one, plain, two } from './common.js';
import { attributes, contextOf, Lab, type TestPeer } from './lab.js';

describe('ADD-PATH with a limit', () => {
  const context = contextOf({ families: V4, addPathReceive: V4, addPathSend: V4 });
  const limited = (limit: number): NeighbourRib => ({
    ...client,
    addPathLimits: { [FAMILY.ipv4Unicast]: limit },
  });
  const medsAt = (peer: TestPeer, prefix: string): number[] =>
    [...peer.holds]
      .filter(([name]) => name.startsWith(`${prefix} `))
      .map(
        ([
          ,
          {
            attributes: { med = 0 },
          },
        ]) => med,
      )
      .sort((a, b) => a - b);

  it('sends the best, and the next when one of them goes or is refused', () => {
    const notFour: Policy = {
      usesPrefix: false,
      apply: ({ attributes: of }) => (of.med === 4 ? undefined : of),
    };
    const lab = new Lab({
      retainVpn: false,
      neighbour: ({ id }) =>
        id === 3 ? { ...limited(2), policyOut: notFour, policyOutKey: 'four' } : limited(2),
    });
    const listener = lab.up(2, { context });
    const picky = lab.up(3, { context });
    const all = lab.up(4, { context: contextOf({ families: V4 }) });
    lab.up(1, { context });
    for (const med of [9, 4, 7, 2]) lab.announce(1, [{ ...one, pathId: med }], attributes({ med }));
    lab.settle();
    const name = '10.1.0.0/16';
    expect(medsAt(listener, name)).toEqual([2, 4]);
    expect(medsAt(picky, name)).toEqual([2, 7]);
    expect(all.holds.size).toBe(1);
    lab.withdraw(1, [{ ...one, pathId: 2 }]);
    lab.settle();
    expect(medsAt(listener, name)).toEqual([4, 7]);
    expect(medsAt(picky, name)).toEqual([7, 9]);
    lab.announce(1, [{ ...one, pathId: 9 }], attributes({ med: 1 }));
    lab.settle();
    expect(medsAt(listener, name)).toEqual([1, 4]);
    expect(listener.withdrawnUnknown).toEqual([]);
    expectEmpty(lab);
  });

  it('holds at the end of any history, for limits of 1 to 4', () => {
    let state = 5;
    const below = (limit: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 16) % limit;
    };
    for (let limit = 1; limit <= 4; limit++) {
      const lab = new Lab({ retainVpn: false, neighbour: () => limited(limit) });
      const listener = lab.up(2, { context });
      lab.up(1, { context });
      const have = new Map<string, Map<number, number>>();
      for (let step = 0; step < 400; step++) {
        const prefix = `10.${String(below(5))}.0.0`;
        const pathId = 1 + below(6);
        const paths = have.get(prefix) ?? new Map<number, number>();
        have.set(prefix, paths);
        // No two alike: what is best of two equal ones is for the tie breaks.
        const med = step * 8 + below(8);
        const route = { prefix, length: 16, pathId };
        if (below(3) > 0) {
          lab.announce(1, [route], attributes({ med }));
          paths.set(pathId, med);
        } else {
          lab.withdraw(1, [route]);
          paths.delete(pathId);
        }
        listener.full = below(4) === 0;
        if (!listener.full) lab.rib.writable(2);
        if (below(2) === 0) lab.settle();
      }
      listener.full = false;
      lab.rib.writable(2);
      lab.settle();
      for (const [prefix, paths] of have) {
        const best = [...paths.values()].sort((a, b) => a - b).slice(0, limit);
        expect(medsAt(listener, `${prefix}/16`)).toEqual(best);
      }
      expect(listener.withdrawnUnknown).toEqual([]);
      expectEmpty(lab);
    }
  });
});

describe('the interval between advertisements (RFC 4271 §9.2.1.1)', () => {
  const slow: NeighbourRib = { ...client, advertisementIntervalMs: 5000 };
  const metric = (peer: TestPeer, name: string): number | undefined =>
    peer.holds.get(name)?.attributes.med;

  it('lets the first change through at once, and the others together when it is over', () => {
    const lab = new Lab({ retainVpn: false, neighbour: ({ id }) => (id === 1 ? client : slow) });
    const listener = lab.up(2, plain);
    const other = lab.up(3, plain);
    lab.up(1, plain);
    lab.pass(10_000);
    lab.announce(1, [one], attributes({ med: 1 }));
    lab.settle();
    expect(lab.now).toBe(10_000);
    expect(metric(listener, '10.1.0.0/16')).toBe(1);
    const messages = listener.messages;
    for (const med of [2, 3, 4]) {
      lab.pass(1000);
      lab.announce(1, [one, two], attributes({ med }));
    }
    lab.pass(1999);
    expect(listener.messages).toBe(messages);
    expect(metric(listener, '10.1.0.0/16')).toBe(1);
    // Nothing can be done now, and yet not everybody knows.
    expect([lab.rib.idle, lab.rib.toldAll]).toEqual([true, false]);
    lab.pass(1);
    expect(lab.rib.toldAll).toBe(true);
    // One UPDATE, with what counts now.
    expect(listener.messages).toBe(messages + 1);
    for (const peer of [listener, other]) {
      expect(metric(peer, '10.1.0.0/16')).toBe(4);
      expect(metric(peer, '10.2.0.0/16')).toBe(4);
    }
    // The next interval began there.
    lab.announce(1, [one], attributes({ med: 5 }));
    lab.pass(4999);
    expect(metric(listener, '10.1.0.0/16')).toBe(4);
    lab.pass(1);
    expect(metric(listener, '10.1.0.0/16')).toBe(5);
    lab.pass(5000);
    expect(lab.timers).toBe(0);
    expectEmpty(lab);
  });

  it('and a neighbour that cannot take more: it has not been told all before it has', () => {
    const lab = new Lab({ retainVpn: false, neighbour: () => client });
    const listener = lab.up(2, plain);
    lab.up(1, plain);
    lab.settle();
    expect(lab.rib.toldAll).toBe(true);
    listener.full = true;
    for (const name of [one, two]) {
      lab.announce(1, [name], attributes());
      lab.settle();
    }
    expect([lab.rib.idle, lab.rib.toldAll]).toEqual([true, false]);
    listener.full = false;
    lab.rib.writable(2);
    lab.settle();
    expect(lab.rib.toldAll).toBe(true);
    expect([...listener.holds.keys()].sort()).toEqual(['10.1.0.0/16', '10.2.0.0/16']);
    lab.down(2);
    lab.settle();
    expect(lab.rib.toldAll).toBe(true);
  });

  it('holds withdrawals back with the rest, and tells nothing of what came and went', () => {
    const lab = new Lab({ retainVpn: false, neighbour: ({ id }) => (id === 1 ? client : slow) });
    const listener = lab.up(2, plain);
    lab.up(1, plain);
    lab.pass(10_000);
    lab.announce(1, [one], attributes());
    lab.settle();
    const messages = listener.messages;
    lab.withdraw(1, [one]);
    lab.announce(1, [two], attributes());
    lab.pass(1000);
    lab.withdraw(1, [two]);
    lab.pass(3999);
    expect([...listener.holds.keys()]).toEqual(['10.1.0.0/16']);
    lab.pass(1);
    expect(listener.holds.size).toBe(0);
    expect(listener.messages).toBe(messages + 1);
    // A withdrawn route that is back before the time is over was never away.
    lab.announce(1, [one], attributes());
    lab.pass(10_000);
    lab.withdraw(1, [two]);
    lab.announce(1, [two], attributes());
    lab.pass(1);
    lab.withdraw(1, [one]);
    lab.announce(1, [one], attributes());
    lab.pass(5000);
    expect([...listener.holds.keys()].sort()).toEqual(['10.1.0.0/16', '10.2.0.0/16']);
    expectEmpty(lab);
  });

  it('is each neighbour its own: one without interval is told everything at once', () => {
    const lab = new Lab({ retainVpn: false, neighbour: ({ id }) => (id === 2 ? slow : client) });
    const listener = lab.up(2, plain);
    const prompt = lab.up(3, plain);
    lab.up(1, plain);
    lab.pass(10_000);
    for (let med = 1; med <= 4; med++) {
      lab.announce(1, [one], attributes({ med }));
      lab.settle();
      expect(metric(prompt, '10.1.0.0/16')).toBe(med);
      expect(metric(listener, '10.1.0.0/16')).toBe(1);
    }
    lab.pass(5000);
    expect(metric(listener, '10.1.0.0/16')).toBe(4);
    expectEmpty(lab);
  });
});
