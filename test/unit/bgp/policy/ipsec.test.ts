// SPDX-License-Identifier: Apache-2.0
/** Policies and the IPsec community (policy-model 13): set, strengthened, never weakened unasked. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IpsecMeaning } from '../../../../src/bgp/codec/communities/ipsec.js';
import { strengthen } from '../../../../src/bgp/policy/ipsec.js';
import { accept, policy, set } from '../../../../src/config/index.js';
import type { Action, IpsecProtection } from '../../../../src/config/types.js';
import { compiled, format, ipsec, route } from './fixture.js';

const TARGET = 0x0002_fde9_0000_0064n;

function after(action: Action, ...before: bigint[]): readonly bigint[] {
  const p = compiled(policy([accept(undefined, [action])]));
  return p.apply(route({ extendedCommunities: before }))?.extendedCommunities ?? [];
}

const want = (...protections: IpsecProtection[]): Action => set.ipsec({ protections });

describe('set.ipsec', () => {
  it.each<[string, Action, bigint | undefined, bigint]>([
    ['sets it where there is none', want('encrypt'), undefined, ipsec(['encrypt'])],
    [
      'raises the floor',
      want('authenticate'),
      ipsec(['encrypt', 'authenticate', 'tunnel']),
      ipsec(['encrypt', 'authenticate']), // encrypt stays: nobody has to use less than before
    ],
    ['does not lower it', want('encrypt', 'authenticate'), ipsec(['encrypt']), ipsec(['encrypt'])],
    [
      'does not replace encryption by authentication',
      want('authenticate'),
      ipsec(['encrypt']),
      ipsec(['encrypt']),
    ],
    [
      'asks for more than the route offers, never for less',
      want('encrypt'),
      ipsec(['tunnel']),
      ipsec(['encrypt']),
    ],
    [
      'accepts no tunnel where one of both did not',
      want('encrypt', 'tunnel'),
      ipsec(['encrypt', 'authenticate']),
      ipsec(['encrypt', 'authenticate']),
    ],
    ['leaves a route unusable that accepts nothing', want('tunnel'), ipsec([]), ipsec([], [])],
    [
      'keeps to encapsulations that the egress takes',
      set.ipsec({ protections: ['encrypt'], encapsulations: ['gre'] }),
      ipsec(['encrypt'], ['ip']),
      ipsec(['encrypt'], ['ip']),
    ],
    [
      'narrows encapsulations',
      set.ipsec({ protections: ['encrypt'], encapsulations: ['gre'] }),
      ipsec(['encrypt']),
      ipsec(['encrypt'], ['gre']),
    ],
    [
      'a scope does not free those inside',
      set.ipsec({ protections: ['encrypt'], onlyOutsideSp: 7 }),
      ipsec(['encrypt']),
      ipsec(['encrypt']),
    ],
    [
      'a scope more or another is none',
      set.ipsec({ protections: ['encrypt'], onlyOutsideSp: 7 }),
      ipsec(['encrypt'], ['gre', 'ip'], 8),
      ipsec(['encrypt']),
    ],
    [
      'the same scope stays',
      set.ipsec({ protections: ['encrypt'], onlyOutsideSp: 7 }),
      ipsec(['encrypt', 'tunnel'], ['gre', 'ip'], 7),
      ipsec(['encrypt'], ['gre', 'ip'], 7),
    ],
  ])('%s', (_, action, before, expected) => {
    const given = before === undefined ? [TARGET] : [TARGET, before];
    expect(after(action, ...given)).toEqual([TARGET, expected]);
  });

  it('with weaken: true replaces it whatever it was', () => {
    const weak = set.ipsec({ protections: ['tunnel'], onlyOutsideSp: 7 }, { weaken: true });
    expect(after(weak, TARGET, ipsec(['encrypt']))).toEqual([
      TARGET,
      ipsec(['tunnel'], ['gre', 'ip'], 7),
    ]);
    expect(after(set.noIpsec({ weaken: true }), TARGET, ipsec(['encrypt']))).toEqual([TARGET]);
  });

  it('leaves one community of several, as they were understood', () => {
    const several = [ipsec(['encrypt', 'tunnel']), ipsec(['encrypt', 'authenticate'])];
    expect(after(want('authenticate'), ...several)).toEqual([ipsec(['encrypt'])]);
    // Copies that contradict each other leave nothing acceptable, and no policy makes it usable again.
    const contradiction = after(want('encrypt'), ipsec(['encrypt']), ipsec(['tunnel']));
    expect(format.read(contradiction)?.protections).toEqual([]);
    const critical = after(want('tunnel'), ipsec(['encrypt']) | 0x10_0000_0000n);
    expect(format.read(critical)?.protections).toEqual([]);
  });
});

describe('other actions on extended communities', () => {
  const mark = ipsec(['encrypt']);

  it('do not touch it', () => {
    expect(after(set.extendedCommunities('target:1:1'), TARGET, mark)).toEqual([
      0x0002_0001_0000_0001n,
      mark,
    ]);
    expect(after(set.extendedCommunities(), TARGET, mark)).toEqual([mark]);
    expect(after(set.deleteExtendedCommunities('target:*'), TARGET, mark)).toEqual([mark]);
    const octets = `0x${mark.toString(16).padStart(16, '0')}`;
    expect(after(set.deleteExtendedCommunities(octets), TARGET, mark)).toEqual([TARGET, mark]);
  });

  it('cannot make one', () => {
    const octets = `0x${ipsec(['tunnel']).toString(16).padStart(16, '0')}`;
    for (const action of [set.extendedCommunities(octets), set.addExtendedCommunities(octets)]) {
      expect(() => compiled(policy([accept(undefined, [action])]))).toThrow('IPsec community');
    }
  });
});

describe('strengthen', () => {
  const RANK = { tunnel: 0, authenticate: 1, encrypt: 2 } as const;
  const protections = fc.uniqueArray(
    fc.constantFrom(...(['encrypt', 'authenticate', 'tunnel'] as const)),
    {
      minLength: 1,
    },
  );
  const meaning = fc.record({
    protections,
    encapsulations: fc.uniqueArray(fc.constantFrom('gre' as const, 'ip' as const), {
      minLength: 1,
    }),
    onlyOutsideSp: fc.option(fc.nat(2), { nil: undefined }),
  });
  const ranks = (list: readonly IpsecProtection[]): number[] => list.map((each) => RANK[each]);

  it('leaves no ingress with less than before, whatever it can do', () => {
    fc.assert(
      fc.property(meaning, meaning, protections, fc.nat(3), (now, wanted, able, sp) => {
        /** What an ingress in SP `sp` with these abilities uses: its strongest; -1 clear, 9 nothing. */
        const used = ({ protections: accepted, onlyOutsideSp }: IpsecMeaning): number => {
          if (onlyOutsideSp === sp) return -1;
          const common = able.filter((each) => accepted.includes(each));
          return common.length === 0 ? 9 : Math.max(...ranks(common));
        };
        const result = strengthen(now, wanted);
        // Who could use nothing may now use what is stronger than all that was accepted.
        const least = used(now) === 9 ? Math.max(...ranks(now.protections)) : used(now);
        expect(used(result)).toBeGreaterThanOrEqual(least);
        expect(result.encapsulations.length).toBeGreaterThan(0);
        // And it keeps what the policy asks for.
        expect(Math.min(...ranks(result.protections))).toBeGreaterThanOrEqual(
          Math.min(...ranks(wanted.protections)),
        );
      }),
      { numRuns: 3000 },
    );
  });

  it('is what was wanted where nothing was, and the same again when repeated', () => {
    fc.assert(
      fc.property(meaning, meaning, (now, wanted) => {
        expect(strengthen(undefined, wanted)).toEqual(wanted);
        const once = strengthen(now, wanted);
        expect(strengthen(once, wanted)).toEqual(once);
      }),
    );
  });
});
