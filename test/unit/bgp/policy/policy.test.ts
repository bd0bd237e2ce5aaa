// SPDX-License-Identifier: Apache-2.0
/** Policies on routes: every condition both ways, every action, verdicts and their trace. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PathAttributes } from '../../../../src/bgp/codec/types.js';
import {
  ACCEPT_ALL,
  defaultPolicy,
  PolicyCompiler,
  REJECT_ALL,
} from '../../../../src/bgp/policy/compile.js';
import {
  accept,
  between,
  change,
  exactly,
  match,
  orLonger,
  policy,
  reject,
  set,
} from '../../../../src/config/index.js';
import type { Action, Condition } from '../../../../src/config/types.js';
import { parseRd } from '../../../../src/lib/bgp-words.js';
import { covers, parseAddress, parsePrefix } from '../../../../src/lib/ip.js';
import { compiled, format, ipsec, route } from './fixture.js';

type Given = Parameters<typeof route>;

const holds = (when: Condition, ...given: Given): boolean =>
  compiled(policy([accept(when)])).apply(route(...given)) !== undefined;

const changed = (
  actions: readonly Action[],
  attributes: Partial<PathAttributes> = {},
): PathAttributes => compiled(policy([accept(undefined, actions)])).apply(route(attributes))!;

const sequence = (...asns: number[]): Partial<PathAttributes> => ({ asPath: [{ type: 2, asns }] });

describe('conditions', () => {
  it.each<[string, Condition, Given, Given]>([
    ['prefix, exact', match.prefix(exactly('10.1.2.0/24')), [], [{}, { prefix: '10.1.2.0/25' }]],
    ['prefix, longer', match.prefix(orLonger('10.0.0.0/8')), [], [{}, { prefix: '11.0.0.0/24' }]],
    [
      'prefix, between',
      match.prefix(between('10.0.0.0/8', 16, 24)),
      [{}, { prefix: '10.1.0.0/16' }],
      [{}, { prefix: '10.1.2.128/25' }],
    ],
    [
      'prefix, IPv6',
      match.prefix(orLonger('2001:db8::/32')),
      [{}, { prefix: '2001:db8:1::/48' }],
      [{}, { prefix: '2001:db9::/48' }],
    ],
    ['family', match.family('vpnv4-unicast'), [{}, { rd: 1n }], []],
    ['rd', match.rd('65001:*'), [{}, { rd: parseRd('65001:9')! }], [{}, { rd: 9n }]],
    ['rd of a route without', match.rd('*'), [{}, { rd: 5n }], []],
    ['next hop', match.nextHop('192.0.2.0/24'), [], [{ nextHop: parseAddress('192.0.3.1')! }]],
    ['community', match.community('65001:*'), [{ communities: [0xfde9_0001] }], []],
    [
      'large community',
      match.largeCommunity('1:2:*'),
      [{ largeCommunities: [[1, 2, 3]] }],
      [{ largeCommunities: [[1, 3, 3]] }],
    ],
    [
      'route target',
      match.routeTarget('65001:100'),
      [{ extendedCommunities: [0x0002_fde9_0000_0064n] }],
      [{ extendedCommunities: [0x0003_fde9_0000_0064n] }],
    ],
    ['AS path contains', match.asPathContains('65002'), [], [sequence(65001)]],
    ['AS path contains, range', match.asPathContains('65002-65009'), [], [sequence(65001)]],
    ['AS path originates', match.asPathOrigin(65002), [], [sequence(65002, 65001)]],
    ['AS path neighbour', match.asPathNeighbour(65001), [], [sequence(65002, 65001)]],
    ['AS path of nobody has no neighbour', match.asPathNeighbour('1-4294967294'), [], [sequence()]],
    ['AS path length', match.asPathLength({ atMost: 2 }), [], [sequence(1, 2, 3)]],
    ['AS path pattern', match.asPath('65001+ .*'), [], [sequence(65002, 65001)]],
    ['origin', match.origin('egp', 'igp'), [], [{ origin: 2 }]],
    ['med', match.med({ atLeast: 5, atMost: 5 }), [{ med: 5 }], [{ med: 6 }]],
    ['med of a route without', match.med({ absent: true, atLeast: 5 }), [], [{ med: 4 }]],
    ['med, absent means no', match.med({}), [{ med: 0 }], []],
    ['local preference', match.localPref({ atLeast: 100 }), [{ localPref: 100 }], []],
    ['neighbour AS', match.fromAsn('65000-65001'), [], [{}, { from: null }]],
    [
      'neighbour address',
      match.fromAddress('192.0.2.0/24'),
      [],
      [{}, { from: { asn: 65001, address: '192.0.3.1' } }],
    ],
    ['ours', match.local(), [{}, { from: null }], []],
    ['IPsec', match.ipsec(), [{ extendedCommunities: [ipsec(['encrypt'])] }], []],
    ['all', match.all(match.origin('igp'), match.not(match.med({}))), [], [{ med: 3 }]],
    ['any', match.any(match.origin('egp'), match.med({})), [{ med: 3 }], []],
    ['not', match.not(match.med({})), [], [{ med: 1 }]],
  ])('%s', (_, condition, hit, miss) => {
    expect([holds(condition, ...hit), holds(condition, ...miss)]).toEqual([true, false]);
    const not = match.not(condition);
    expect([holds(not, ...hit), holds(not, ...miss)]).toEqual([false, true]);
  });

  it('an AS_SET is one hop and any of its members; confederations are no part of the path', () => {
    const asPath = [
      { type: 3, asns: [64999] },
      { type: 2, asns: [65001] },
      { type: 1, asns: [65003, 65004] },
    ] as const;
    expect(holds(match.asPathLength({ atLeast: 2, atMost: 2 }), { asPath })).toBe(true);
    expect(holds(match.asPath('65001 65004'), { asPath })).toBe(true);
    expect(holds(match.asPathNeighbour(65001), { asPath })).toBe(true);
    expect(holds(match.asPathOrigin(65003), { asPath })).toBe(true);
  });

  it('prefix lists agree with looking at every entry', () => {
    const entry = fc
      .tuple(
        fc.nat(255),
        fc.nat(255),
        fc.integer({ min: 0, max: 16 }),
        fc.option(fc.integer({ min: 0, max: 32 })),
        fc.option(fc.integer({ min: 0, max: 32 })),
      )
      .map(([a, b, length, ge, le]) => ({
        text: `${10 + (a % 4)}.${b % 8}.0.0/${length}`,
        ge,
        le,
      }));
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 12 }),
        fc.nat(3),
        fc.nat(7),
        fc.integer({ min: 0, max: 32 }),
        (entries, a, b, length) => {
          const list = entries.map(({ text, ge, le }) => ({
            prefix: text,
            ...(ge === null ? {} : { ge }),
            ...(le === null ? {} : { le }),
          }));
          const prefix = parsePrefix(`${10 + a}.${b}.0.0/${length}`)!;
          const expected = entries.some(({ text, ge, le }) => {
            const outer = parsePrefix(text)!;
            if (!covers(outer, prefix)) return false;
            const low = ge ?? outer.length;
            const high = le ?? (ge === null ? outer.length : 32);
            return prefix.length >= low && prefix.length <= high;
          });
          const test = compiled(policy([accept(match.prefixList('l'))]), { l: list });
          const given = { ...route(), prefix: prefix.address, length: prefix.length };
          expect(test.apply(given) !== undefined).toBe(expected);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('a route-target NLRI is in no prefix list', () => {
    const rtc = { ...route(), family: 6, prefix: new Uint8Array(12), length: 96 } as const;
    expect(compiled(policy([accept(match.prefix(orLonger('0.0.0.0/0')))])).apply(rtc)).toBe(
      undefined,
    );
  });
});

describe('actions', () => {
  it.each<[string, Action, Partial<PathAttributes>, Partial<PathAttributes>]>([
    ['local preference', set.localPref(200), {}, { localPref: 200 }],
    ['MED', set.med(5), { med: 9 }, { med: 5 }],
    ['MED more', set.addMed(5), { med: 9 }, { med: 14 }],
    ['MED more, from none', set.addMed(5), {}, { med: 5 }],
    ['MED less, never below 0', set.addMed(-10), { med: 9 }, { med: 0 }],
    [
      'MED more, never above 32 bits',
      set.addMed(9),
      { med: 0xffff_fff0 + 10 },
      { med: 0xffff_ffff },
    ],
    ['origin', set.origin('incomplete'), {}, { origin: 2 }],
    ['next hop', set.nextHop('192.0.2.99'), {}, { nextHop: parseAddress('192.0.2.99')! }],
    [
      'communities',
      set.communities('1:1', 'no-export', '1:1'),
      { communities: [7] },
      { communities: [0x0001_0001, 0xffff_ff01] },
    ],
    [
      'one more',
      set.addCommunities('1:1', '0:7'),
      { communities: [7] },
      { communities: [7, 0x10001] },
    ],
    [
      'fewer',
      set.deleteCommunities('0:*'),
      { communities: [7, 0x10001] },
      { communities: [0x10001] },
    ],
    [
      'large',
      set.addLargeCommunities('1:2:3', '4:5:6'),
      { largeCommunities: [[1, 2, 3]] },
      {
        largeCommunities: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      },
    ],
    [
      'fewer large',
      set.deleteLargeCommunities('1:*:*'),
      {
        largeCommunities: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      },
      { largeCommunities: [[4, 5, 6]] },
    ],
    [
      'route targets',
      set.addExtendedCommunities('target:65001:100', 'color:5'),
      { extendedCommunities: [1n] },
      { extendedCommunities: [1n, 0x0002_fde9_0000_0064n, 0x030b_0000_0000_0005n] },
    ],
    [
      'fewer extended',
      set.deleteExtendedCommunities('target:*'),
      { extendedCommunities: [0x0002_fde9_0000_0064n, 0x0003_fde9_0000_0064n] },
      { extendedCommunities: [0x0003_fde9_0000_0064n] },
    ],
  ])('%s', (_, action, before, after) => {
    expect(changed([action], before)).toEqual(route({ ...before, ...after }).attributes);
    // Doing it once more to the result of a setting action changes nothing, and makes no copy.
    const again = route(changed([action], before));
    if (!('addMed' in action)) {
      expect(compiled(policy([accept(undefined, [action])])).apply(again)).toBe(again.attributes);
    }
  });

  it('removes what becomes empty', () => {
    expect(changed([set.deleteCommunities('*:*')], { communities: [1] })).toEqual(
      route().attributes,
    );
    expect(changed([set.removeMed()], { med: 1 })).toEqual(route().attributes);
    expect(changed([set.extendedCommunities()], { extendedCommunities: [1n] })).toEqual(
      route().attributes,
    );
  });

  it('prepends our AS number or another, in a new segment when one would overflow', () => {
    expect(changed([set.prepend(2)]).asPath).toEqual([
      { type: 2, asns: [65000, 65000, 65001, 65002] },
    ]);
    expect(changed([set.prepend(1, 7)]).asPath).toEqual([{ type: 2, asns: [7, 65001, 65002] }]);
    const full = Array<number>(254).fill(9);
    expect(changed([set.prepend(1)], sequence(...full)).asPath).toHaveLength(1);
    expect(changed([set.prepend(2)], sequence(...full)).asPath).toEqual([
      { type: 2, asns: [65000, 65000] },
      { type: 2, asns: full },
    ]);
    expect(changed([set.prepend(1)], { asPath: [{ type: 1, asns: [5] }] }).asPath).toEqual([
      { type: 2, asns: [65000] },
      { type: 1, asns: [5] },
    ]);
    expect(changed([set.prepend(1)], { asPath: [] }).asPath).toEqual([{ type: 2, asns: [65000] }]);
  });

  it('takes the neighbour as next hop, and leaves a link-local one behind', () => {
    const peer = compiled(policy([accept(undefined, [set.nextHop('peer')])]));
    const linkLocalNextHop = parseAddress('fe80::1')!;
    const given = route({ nextHop: parseAddress('2001:db8::5')!, linkLocalNextHop });
    expect(peer.apply(given)).toEqual(route().attributes);
    const ours = route({}, { from: null });
    expect(peer.apply(ours)).toBe(ours.attributes);
    expect(peer.usesPrefix).toBe(true);
  });

  it('never changes what it was given', () => {
    const given = route({ communities: [1], extendedCommunities: [2n], med: 1 });
    const before = structuredClone(given);
    compiled(
      policy([
        accept(undefined, [set.addCommunities('9:9'), set.prepend(3), set.extendedCommunities()]),
      ]),
    ).apply(given);
    expect(given).toEqual(before);
  });
});

describe('rules', () => {
  it('the first that decides ends it; changes before it stay', () => {
    const p = compiled(
      policy([
        change(undefined, [set.localPref(200)], { name: 'prefer' }),
        reject(match.community('1:1'), { name: 'unwanted' }),
        accept(match.localPref({ atLeast: 200 }), [set.med(7)]),
        reject(),
      ]),
    );
    expect(p.apply(route())).toEqual(route({ localPref: 200, med: 7 }).attributes);
    expect(p.apply(route({ communities: [0x10001] }))).toBeUndefined();
  });

  it('what none decided is rejected unless the policy says otherwise, with its changes', () => {
    const rules = [change(undefined, [set.med(1)])];
    expect(compiled(policy(rules)).apply(route())).toBeUndefined();
    expect(compiled(policy(rules, { otherwise: 'accept' })).apply(route())?.med).toBe(1);
    expect(compiled(policy([], { otherwise: 'accept' })).apply(route())).toEqual(
      route().attributes,
    );
  });

  it('the trace says which rule matched and what it changed', () => {
    const p = compiled(
      policy([
        accept(match.community('1:1'), [], { name: 'never' }),
        change(undefined, [set.med(7)], { name: 'med' }),
        reject(match.med({ atLeast: 7 }), { name: 'high' }),
        accept(),
      ]),
    );
    const { steps, result, decidedBy } = p.trace(route());
    expect(steps.map(({ name, matched, then }) => [name, matched, then])).toEqual([
      ['never', false, 'accept'],
      ['med', true, 'next'],
      ['high', true, 'reject'],
    ]);
    expect([steps[1]?.before.med, steps[1]?.after.med]).toEqual([undefined, 7]);
    expect([result, decidedBy]).toEqual([undefined, 2]);
  });

  it('trace and apply agree', () => {
    const rule = fc.constantFrom(
      accept(match.med({ atLeast: 3 })),
      reject(match.med({ atMost: 1 })),
      change(match.origin('igp'), [set.addMed(2)]),
      change(undefined, [set.communities('1:1')]),
      accept(match.community('1:1'), [set.prepend(1)]),
    );
    const otherwise = fc.constantFrom('accept' as const, 'reject' as const);
    fc.assert(
      fc.property(fc.array(rule), otherwise, fc.nat(5), (rules, end, med) => {
        const p = compiled(policy(rules, { otherwise: end }));
        expect(p.trace(route({ med })).result).toEqual(p.apply(route({ med })));
      }),
    );
  });
});

describe('what the answer depends on', () => {
  it.each<[Condition, boolean]>([
    [match.community('1:1'), false],
    [match.all(match.med({}), match.asPath('.*')), false],
    [match.prefix(exactly('10.0.0.0/8')), true],
    [match.prefixList('l'), true],
    [match.not(match.any(match.med({}), match.rd('*'))), true],
    [match.family('vpnv4-unicast'), true],
    [match.fromAsn('1'), true],
    [match.local(), true],
  ])('%j', (condition, expected) => {
    const lists = { l: [{ prefix: '10.0.0.0/8' }] };
    expect(compiled(policy([accept(condition)]), lists).usesPrefix).toBe(expected);
  });
});

describe('without a policy', () => {
  it('RFC 8212: EBGP gets and gives nothing unless the configuration says so', () => {
    expect(defaultPolicy('ebgp').apply(route())).toBeUndefined();
    expect(defaultPolicy('ebgp')).toBe(REJECT_ALL);
    expect(defaultPolicy('ebgp', false)).toBe(ACCEPT_ALL);
    expect(defaultPolicy('ibgp').apply(route())).toEqual(route().attributes);
  });
});

describe('the compiler', () => {
  it('compiles once per policy and AS number, and says what is not there', () => {
    const compiler = new PolicyCompiler({ policies: { p: policy([]) } }, format);
    expect(compiler.compile('p', 1)).toBe(compiler.compile('p', 1));
    expect(compiler.compile('p', 1)).not.toBe(compiler.compile('p', 2));
    expect(() => compiler.compile('q', 1)).toThrow('no policy "q"');
    expect(() => compiler.compile('toString', 1)).toThrow('no policy "toString"');
  });

  it('lists every place that may weaken protection (policy-model 13)', () => {
    const weak = set.ipsec({ protections: ['tunnel'] }, { weaken: true });
    const { weakenings } = new PolicyCompiler(
      {
        policies: {
          strong: policy([accept(undefined, [set.ipsec({ protections: ['encrypt'] })])]),
          weak: policy([
            change(undefined, [set.med(1)]),
            accept(undefined, [weak], { name: 'lab' }),
            accept(undefined, [set.noIpsec({ weaken: true })]),
          ]),
        },
      },
      format,
    );
    expect(weakenings).toEqual([
      { policy: 'weak', rule: 1, name: 'lab', action: weak },
      { policy: 'weak', rule: 2, name: undefined, action: { removeIpsec: true, weaken: true } },
    ]);
  });
});
