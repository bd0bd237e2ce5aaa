// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  decide,
  type DecisionOptions,
  DEFAULT_DECISION,
  emptyCandidate,
} from '../../../../src/bgp/rib/decision.js';

let count = 0;
const path = (over: Partial<Candidate>): Candidate => ({
  ...emptyCandidate(),
  ...{ path: ++count, localPref: 100, pathLength: 1, neighbourAs: 1, external: true, metric: 10 },
  ...over,
});
const chosen = (set: Candidate[], options: Partial<DecisionOptions> = {}): number[] => {
  const copy = [...set];
  decide(copy, { ...DEFAULT_DECISION, ...options });
  return copy.map(({ path: id }) => id);
};

describe('the decision process', () => {
  it('applies the criteria in the order of RFC 4271 §9.1.2 and RFC 4456 §9', () => {
    // Each beats all behind it by one criterion and loses by every later one.
    const worse = {
      ...{ rank: 1, longLivedStale: true, localPref: 0, pathLength: 9, origin: 2, med: 9 },
      ...{ external: false, metric: 99, routerId: 99, clusterLength: 9, identifier: 9 },
      ...{ address: Uint8Array.of(9, 9, 9, 9), rdHigh: 9, rdLow: 9, local: false },
    };
    const better: Partial<Candidate>[] = [
      ...[{ local: true }, { rank: 2 }, { longLivedStale: false }, { localPref: 1 }],
      ...[{ pathLength: 8 }, { origin: 1 }, { med: 8 }, { external: true }, { metric: 98 }],
      ...[{ routerId: 98 }, { clusterLength: 8 }, { address: Uint8Array.of(9, 9, 9, 8) }],
      ...[{ rdHigh: 8 }, { rdLow: 8 }, { identifier: 8 }],
    ];
    for (const [i, first] of better.entries()) {
      const winner = path({ ...worse, ...first });
      // The loser is better in everything that comes later.
      const later = better.slice(i + 1).reduce((all, one) => ({ ...all, ...one }), {});
      const loser = path({ ...worse, ...later });
      expect(chosen([loser, winner]), Object.keys(first).join()).toEqual([winner.path]);
    }
  });

  it('compares protection among ways over the core alone (policy-model 12)', () => {
    const ce = path({ rank: 0, localPref: 100 });
    const clear = path({ rank: 1, localPref: 300, external: false });
    const encrypted = path({ rank: 3, localPref: 100, external: false });
    // Dual-homed site: each PE stays with its own CE, and exports what it learnt there.
    expect(chosen([encrypted, ce])).toEqual([ce.path]);
    expect(chosen([clear, encrypted])).toEqual([encrypted.path]);
    expect(chosen([clear, encrypted, ce])).toEqual([ce.path]);
    // The operator's LOCAL_PREF decides between a CE and the core, but not for the weaker way there.
    const primary = path({ rank: 3, localPref: 200, external: false });
    expect(chosen([ce, primary])).toEqual([primary.path]);
    const together = { maximumPaths: { ebgp: 8, ibgp: 8 }, multipathRelax: true };
    const outside = path({ rank: 3, strength: 3, routerId: 1 });
    expect(chosen([ce, outside], together)).toEqual([ce.path]);
  });

  it('compares MED within a neighbouring AS only, unless told otherwise', () => {
    // The example of RFC 3345 §3.1.1: with pairwise comparison the outcome depends on the order.
    const a = path({ neighbourAs: 6, med: 1, external: false, metric: 4 });
    const b = path({ neighbourAs: 10, med: 10, external: false, metric: 5 });
    const c = path({ neighbourAs: 10, med: 0, external: false, metric: 13 });
    for (const order of [
      [a, b, c],
      [c, b, a],
      [b, a, c],
      [b, c, a],
      [a, c, b],
      [c, a, b],
    ]) {
      expect(chosen(order)).toEqual([a.path]);
    }
    expect(chosen([a, b, c], { alwaysCompareMed: true })).toEqual([c.path]);
  });

  it('uses equal paths together, of one kind, up to the maximum, of one neighbouring AS or any', () => {
    const paths = [1, 2, 3].map((n) => path({ neighbourAs: n === 3 ? 2 : 1, routerId: n }));
    const ids = paths.map(({ path: id }) => id);
    const maximumPaths = { ebgp: 2, ibgp: 8 };
    expect(chosen(paths)).toEqual(ids.slice(0, 1));
    expect(chosen(paths, { maximumPaths })).toEqual(ids.slice(0, 2));
    expect(chosen(paths, { maximumPaths: { ebgp: 8, ibgp: 1 } })).toEqual(ids.slice(0, 2));
    const relaxed = { maximumPaths: { ebgp: 8, ibgp: 1 }, multipathRelax: true };
    expect(chosen(paths, relaxed)).toEqual(ids);
    // Different protection never forms one set (policy-model 12).
    const mixed = [path({ rank: 2, routerId: 5 }), path({ rank: 1, routerId: 1 })];
    expect(chosen(mixed, relaxed)).toEqual([mixed[0]!.path]);
    const unranked = [path({ strength: 3, routerId: 1 }), path({ strength: 1, routerId: 2 })];
    expect(chosen(unranked, relaxed)).toEqual([unranked[0]!.path]);
    expect(chosen([...unranked].reverse(), relaxed)).toEqual([unranked[0]!.path]);
  });

  it('does not depend on the order of paths', () => {
    const small = fc.integer({ min: 0, max: 2 });
    const candidate = fc
      .record({
        localPref: small,
        med: small,
        neighbourAs: small,
        metric: small,
        external: fc.boolean(),
      })
      .map(path);
    const some = fc.array(candidate, { minLength: 1, maxLength: 8 }).map((set) => {
      // Neighbours differ in their addresses.
      return set.map((one, i) => ({ ...one, address: Uint8Array.of(10, 0, 0, i) }));
    });
    fc.assert(
      fc.property(
        some.chain((set) =>
          fc.tuple(
            fc.constant(set),
            fc.shuffledSubarray(set, {
              minLength: set.length,
            }),
          ),
        ),
        ([set, shuffled]) => {
          const options = { maximumPaths: { ebgp: 4, ibgp: 4 } };
          expect(chosen(shuffled, options)).toEqual(chosen(set, options));
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });
});
