// SPDX-License-Identifier: Apache-2.0
/** Routes in text, and what a policy does with one, in words. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAttributes, parseRoute } from '../../../../src/bgp/policy/route-text.js';
import { tryPolicy } from '../../../../src/bgp/policy/try-policy.js';
import {
  accept,
  change,
  match,
  orLonger,
  policy,
  reject,
  set,
} from '../../../../src/config/index.js';
import type { Bgp } from '../../../../src/config/types.js';
import { parseAddress } from '../../../../src/lib/ip.js';
import { format, ipsec } from './fixture.js';

const WORDS = [
  ...['next-hop=192.0.2.7', 'as-path=65100,4200000000,{65102,65103}', 'origin=incomplete', 'med=5'],
  ...['local-pref=200', 'communities=65001:100,no-export', 'large=65001:1:2'],
  ...['extended=target:65001:1,color:5', 'ipsec=encrypt,authenticate:gre:outside=65009'],
];

describe('a route in text', () => {
  it('has everything that policies look at', () => {
    const words = ['10.1.2.0/24', 'rd=65001:1', ...WORDS, 'from=10.1.0.2', 'from-asn=65100'];
    expect(parseRoute(words, format)).toEqual({
      ...{ family: 2, prefix: Uint8Array.of(10, 1, 2, 0), length: 24, rd: 0xfde9_0000_0001n },
      attributes: {
        origin: 2,
        asPath: [
          { type: 2, asns: [65100, 4_200_000_000] },
          { type: 1, asns: [65102, 65103] },
        ],
        nextHop: parseAddress('192.0.2.7'),
        ...{ med: 5, localPref: 200, communities: [0xfde9_0064, 0xffff_ff01] },
        largeCommunities: [[65001, 1, 2]],
        extendedCommunities: [
          ...[0x0002_fde9_0000_0001n, 0x030b_0000_0000_0005n],
          ipsec(['encrypt', 'authenticate'], ['gre'], 65009),
        ],
      },
      from: { asn: 65100, address: Uint8Array.of(10, 1, 0, 2) },
    });
  });

  it('needs a prefix only', () => {
    expect(parseRoute(['2001:db8::/32'], format)).toMatchObject({
      ...{ family: 1, length: 32, rd: undefined, attributes: { origin: 0, asPath: [] } },
      from: undefined,
    });
    expect(parseRoute(['2001:db8::/32', 'rd=1:1'], format)).toMatchObject({ family: 3 });
    expect(parseRoute(['10.0.0.1/8', 'family=ipv4-labelled'], format)).toMatchObject({
      ...{ family: 4, prefix: Uint8Array.of(10, 0, 0, 0) },
    });
  });

  it('reads back what was written', () => {
    const words = fc.subarray(WORDS).filter((list) => list.some((w) => w.startsWith('origin')));
    fc.assert(
      fc.property(words, (list) => {
        const route = parseRoute(['10.0.0.0/8', ...list], format);
        if ('message' in route) throw new Error(route.message);
        expect(formatAttributes(route.attributes, format)).toEqual(list);
      }),
    );
  });

  it.each([
    [[], '"" is no prefix', 'first a prefix, e.g. 10.1.2.0/24'],
    [['10.0.0.0'], '"10.0.0.0" is no prefix', 'first a prefix, e.g. 10.1.2.0/24'],
    [['10.0.0.0/8', 'med'], '"med" says nothing of a route', 'med=10'],
    [['10.0.0.0/8', 'med=x'], 'med cannot be read in "med=x"', 'med=10'],
    [
      ['10.0.0.0/8', 'communities=1:1,x'],
      'communities cannot be read in "communities=1:1,x"',
      'communities=65001:100,no-export',
    ],
    [['10.0.0.0/8', 'ipsec=none'], 'ipsec cannot be read in "ipsec=none"', /^ipsec=encrypt/],
    [
      ['10.0.0.0/8', 'localpref=1'],
      '"localpref=1" says nothing of a route',
      /did you mean "local-pref"/,
    ],
    [['10.0.0.0/8', 'toString=1'], '"toString=1" says nothing of a route', /^known keys: rd/],
  ])('%j', (words, message, remedy) => {
    const found = parseRoute(words, format);
    if (!('message' in found)) throw new Error('was read');
    expect(found.message).toBe(message);
    expect(found.remedy).toMatch(remedy);
  });
});

describe('tryPolicy', () => {
  const bgp: Bgp = {
    ...{ asn: 65001, routerId: '192.0.2.1' },
    prefixLists: { private: [orLonger('10.0.0.0/8')] },
    policies: {
      'from-ce': policy([
        change(match.asPath('65100+'), [set.addCommunities('65001:1'), set.addMed(3)], {
          name: 'mark',
        }),
        reject(match.prefixList('private'), { name: 'no private space' }),
        accept(match.fromAsn(65100), [
          set.prepend(2),
          set.ipsec({ protections: ['encrypt'] }),
          set.removeMed(),
        ]),
      ]),
    },
  };

  it('says rule by rule what happens to a route that is accepted', () => {
    expect(
      tryPolicy({ bgp }, 'from-ce', ['198.51.100.0/24', 'as-path=65100,65100', 'from-asn=65100']),
    ).toEqual({
      rules: [
        {
          ...{ rule: 0, name: 'mark', matched: true, then: 'next' },
          changes: ['med none -> 3', 'communities none -> 65001:1'],
        },
        { rule: 1, name: 'no private space', matched: false, then: 'reject', changes: [] },
        {
          ...{ rule: 2, name: '', matched: true, then: 'accept' },
          changes: [
            'as-path 65100,65100 -> 65001,65001,65100,65100',
            'med 3 -> none',
            'ipsec none -> encrypt:gre,ip',
          ],
        },
      ],
      ...{ accepted: true, because: 'rule 2' },
      result: [
        ...['as-path=65001,65001,65100,65100', 'origin=igp', 'communities=65001:1'],
        'ipsec=encrypt:gre,ip',
      ],
    });
  });

  it('and to one that is rejected, by a rule or by none', () => {
    expect(tryPolicy({ bgp }, 'from-ce', ['10.9.0.0/16'])).toMatchObject({
      ...{ accepted: false, because: 'rule 1', result: [] },
      rules: [{ matched: false }, { matched: true, then: 'reject' }],
    });
    expect(tryPolicy({ bgp }, 'from-ce', ['198.51.100.0/24'])).toMatchObject({
      ...{ accepted: false, because: 'no rule decided', result: [] },
    });
  });

  it('says what is not there', () => {
    expect(tryPolicy({ bgp }, 'from-cee', ['10.0.0.0/8'])).toEqual({
      code: 'NOT_FOUND',
      message: 'no policy "from-cee"',
      remedy: 'did you mean "from-ce"? known policies: from-ce',
    });
    expect(tryPolicy({}, 'x', ['10.0.0.0/8'])).toEqual({
      code: 'NOT_FOUND',
      message: 'no policy "x"',
      remedy: 'there are no policies',
    });
    expect(tryPolicy({ bgp }, 'from-ce', ['x'])).toMatchObject({
      ...{ code: 'INVALID_ARGUMENT', message: '"x" is no prefix' },
    });
  });
});
