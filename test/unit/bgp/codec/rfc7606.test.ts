// SPDX-License-Identifier: Apache-2.0
/** Revised error handling, case by case: sections are those of RFC 7606 unless another RFC is named. */
import { describe, expect, it } from 'vitest';
import type { Severity, UpdateContext } from '../../../../src/bgp/codec/types.js';
import { isNotification, splitUpdate } from '../../../../src/bgp/codec/update-split.js';
import {
  attribute,
  bytes,
  CONTEXT,
  EMPTY_PATH,
  NEXT_HOP,
  ONLY_IPV4,
  ORIGIN,
  update,
  type UpdateParts,
} from './build.js';
import { parseAddress } from '../../../../src/lib/ip.js';
import { readUpdate } from './read.js';

const EBGP: Partial<UpdateContext> = { ibgp: false };
const OLD: Partial<UpdateContext> = { as4: false };
const NLRI = '10 0a01';
const REACH_HEAD = '0001 80 0c 0000000000000000 c0000201 00';
const VPN = '70 000101 0000fde900000001 0a0101';
const REACH = attribute(0x80, 14, REACH_HEAD + VPN);

const base = (...more: string[]): UpdateParts => ({
  attributes: [ORIGIN, EMPTY_PATH, NEXT_HOP, ...more],
  nlri: NLRI,
});
const vpn = (...more: string[]): UpdateParts => ({
  attributes: [REACH, ORIGIN, EMPTY_PATH, ...more],
});
const path = (value: string, flags = 0x40): UpdateParts => ({
  attributes: [ORIGIN, attribute(flags, 2, value), NEXT_HOP],
  nlri: NLRI,
});
const without = (gone: string): UpdateParts => ({
  attributes: [ORIGIN, EMPTY_PATH, NEXT_HOP].filter((one) => one !== gone),
  nlri: NLRI,
});
const reach = (value: string, flags = 0x80): UpdateParts => ({
  attributes: [attribute(flags, 14, value), ORIGIN, EMPTY_PATH],
});
const unreach = (value: string, flags = 0x80): UpdateParts => ({
  attributes: [attribute(flags, 15, value)],
});

type Case = readonly [string, UpdateParts, Severity, Partial<UpdateContext>?];

const CASES: readonly Case[] = [
  ['nothing wrong', base(), 'ok'],
  ['nothing wrong in VPN routes', vpn(), 'ok'],
  ['withdrawn routes alone', { withdrawn: NLRI }, 'ok'],

  // §3 c: flags.
  [
    'ORIGIN as optional',
    { ...base(), attributes: [attribute(0xc0, 1, '00'), EMPTY_PATH, NEXT_HOP] },
    'withdraw',
  ],
  ['COMMUNITIES as non-transitive', base(attribute(0x80, 8, '00010001')), 'withdraw'],
  ['MULTI_EXIT_DISC as transitive', base(attribute(0xc0, 4, '00000001')), 'withdraw'],
  ['COMMUNITIES with the Partial bit', base(attribute(0xe0, 8, '00010001')), 'ok'],
  ['the low bits of the flags set', base(attribute(0xcf, 8, '00010001')), 'ok'],

  // §3 d: mandatory attributes.
  ['no ORIGIN', without(ORIGIN), 'withdraw'],
  ['no AS_PATH', without(EMPTY_PATH), 'withdraw'],
  ['no NEXT_HOP', without(NEXT_HOP), 'withdraw'],
  ['no LOCAL_PREF from an internal peer', base(), 'ok'],
  ['no NEXT_HOP beside MP_REACH_NLRI (RFC 4760 §3)', vpn(), 'ok'],
  ['withdrawn VPN routes and nothing else (§5.2)', unreach(`0001 80 ${VPN}`), 'ok'],

  // §3 e: RFC 4271's unrecognized well-known attribute.
  ['an unknown well-known attribute', base(attribute(0x40, 99, '00')), 'reset'],
  ['an unknown optional attribute', base(attribute(0x80, 99, '00')), 'ok'],
  ['an unknown optional transitive one', base(attribute(0xc0, 99, '00')), 'ok'],

  // §3 g: duplicates.
  ['ORIGIN twice', base(attribute(0x40, 1, '02')), 'discard'],
  [
    'an unknown attribute twice',
    base(attribute(0xc0, 99, '00'), attribute(0xc0, 99, '01')),
    'discard',
  ],
  ['MP_REACH_NLRI twice', vpn(REACH), 'reset'],
  [
    'MP_UNREACH_NLRI twice',
    vpn(attribute(0x80, 15, `0001 80 ${VPN}`), attribute(0x80, 15, `0001 80 ${VPN}`)),
    'reset',
  ],

  // §4: the list of attributes.
  ['an attribute longer than the list', base('c008 0a 00010001'), 'withdraw'],
  ['one octet behind the last attribute', base('c0'), 'withdraw'],
  ['an extended length cut off', base('d008 00'), 'withdraw'],
  [
    'the same without routes: MP_REACH_NLRI may be hidden (§5.2)',
    { attributes: [ORIGIN, 'c0'] },
    'reset',
  ],
  [
    'a malformed ORIGIN without routes (§5.2)',
    { attributes: [attribute(0x40, 1, '0000')] },
    'reset',
  ],
  ['a discarded attribute without routes', { attributes: [attribute(0x40, 6, '00')] }, 'ok'],
  [
    'MP_REACH_NLRI longer than the list (§5.3)',
    { attributes: [ORIGIN, EMPTY_PATH, '800e ff 0001 80'] },
    'reset',
  ],

  // §5.3: NLRI.
  ['a prefix of 33 bits', { ...base(), nlri: '21 0a01010101' }, 'reset'],
  ['a prefix that is cut off', { ...base(), nlri: '18 0a01' }, 'reset'],
  ['a withdrawn prefix that is cut off', { withdrawn: '18 0a01' }, 'reset'],
  [
    'a VPN prefix of 33 bits',
    reach(`${REACH_HEAD} 79 000101 0000fde900000001 0a01010180`),
    'reset',
  ],
  [
    'a VPN prefix without room for its RD',
    reach(`${REACH_HEAD} 50 000101 0000fde9000000`),
    'reset',
  ],
  ['a VPN prefix without a label', reach(`${REACH_HEAD} 17 000101`), 'reset'],
  ['a withdrawn VPN prefix that is cut off', unreach('0001 80 70 800000 0000fde9'), 'reset'],
  ['a route target of 31 bits (RFC 4684 §4)', unreach('0001 84 1f 0000fde8'), 'reset'],
  ['a route target of 97 bits', unreach('0001 84 61 0000fde90002fde90000006480'), 'reset'],
  ['MP_REACH_NLRI as transitive', reach(REACH_HEAD + VPN, 0xc0), 'reset'],
  ['MP_UNREACH_NLRI as transitive', unreach(`0001 80 ${VPN}`, 0xc0), 'reset'],

  // §7.1 ORIGIN, §7.2 AS_PATH.
  [
    'ORIGIN of two octets',
    { ...base(), attributes: [attribute(0x40, 1, '0000'), EMPTY_PATH, NEXT_HOP] },
    'withdraw',
  ],
  [
    'ORIGIN 3',
    { ...base(), attributes: [attribute(0x40, 1, '03'), EMPTY_PATH, NEXT_HOP] },
    'withdraw',
  ],
  ['AS_PATH with an unknown segment', path('05 01 0000fde9'), 'withdraw'],
  ['AS_PATH with an empty segment', path('02 00'), 'withdraw'],
  ['AS_PATH with a segment that is cut off', path('02 02 0000fde9'), 'withdraw'],
  ['AS_PATH with one octet behind', path('02 01 0000fde9 02'), 'withdraw'],
  ['AS_PATH with AS 0 (RFC 7607)', path('02 01 00000000'), 'withdraw'],
  ['AS_PATH of 2-octet numbers from a 2-octet peer', path('02 01 fde9'), 'ok', OLD],
  ['AS_PATH of 4-octet numbers from a 2-octet peer', path('02 01 0000fde9'), 'withdraw', OLD],
  ['a confederation segment from outside (RFC 5065 §5)', path('03 01 0000fde9'), 'withdraw', EBGP],
  ['a confederation segment from inside', path('03 01 0000fde9'), 'ok'],

  // §7.3 NEXT_HOP, 7.4 MULTI_EXIT_DISC, 7.5 LOCAL_PREF.
  [
    'NEXT_HOP of three octets',
    { ...base(), attributes: [ORIGIN, EMPTY_PATH, attribute(0x40, 3, 'c00002')] },
    'withdraw',
  ],
  [
    'NEXT_HOP 0.0.0.0 (RFC 4271 §6.3)',
    { ...base(), attributes: [ORIGIN, EMPTY_PATH, attribute(0x40, 3, '00000000')] },
    'withdraw',
  ],
  [
    'NEXT_HOP 224.0.0.5',
    { ...base(), attributes: [ORIGIN, EMPTY_PATH, attribute(0x40, 3, 'e0000005')] },
    'withdraw',
  ],
  [
    'NEXT_HOP 127.0.0.1',
    { ...base(), attributes: [ORIGIN, EMPTY_PATH, attribute(0x40, 3, '7f000001')] },
    'withdraw',
  ],
  ['MULTI_EXIT_DISC of three octets', base(attribute(0x80, 4, '000001')), 'withdraw'],
  ['LOCAL_PREF of three octets', base(attribute(0x40, 5, '000001')), 'withdraw'],
  ['LOCAL_PREF from an external peer', base(attribute(0x40, 5, '00000001')), 'discard', EBGP],
  ['a malformed LOCAL_PREF from an external peer', base(attribute(0x40, 5, '01')), 'discard', EBGP],

  // §7.6 ATOMIC_AGGREGATE, 7.7 AGGREGATOR, 7.8 COMMUNITIES.
  ['ATOMIC_AGGREGATE of one octet', base(attribute(0x40, 6, '00')), 'discard'],
  [
    'AGGREGATOR of 6 octets from a 4-octet peer',
    base(attribute(0xc0, 7, 'fde9c0000207')),
    'discard',
  ],
  [
    'AGGREGATOR of 8 octets from a 2-octet peer',
    base(attribute(0xc0, 7, '0000fde9c0000207')),
    'discard',
    OLD,
  ],
  ['AGGREGATOR with AS 0 (RFC 7607)', base(attribute(0xc0, 7, '00000000c0000207')), 'discard'],
  ['COMMUNITIES of no octets', base(attribute(0xc0, 8, '')), 'withdraw'],
  ['COMMUNITIES of five octets', base(attribute(0xc0, 8, '0001000100')), 'withdraw'],

  // §7.9 ORIGINATOR_ID, 7.10 CLUSTER_LIST.
  ['ORIGINATOR_ID of five octets', base(attribute(0x80, 9, '0102030405')), 'withdraw'],
  ['ORIGINATOR_ID from an external peer', base(attribute(0x80, 9, '01020304')), 'discard', EBGP],
  ['CLUSTER_LIST of no octets', base(attribute(0x80, 10, '')), 'withdraw'],
  ['CLUSTER_LIST of five octets', base(attribute(0x80, 10, '0102030405')), 'withdraw'],
  ['CLUSTER_LIST from an external peer', base(attribute(0x80, 10, '01020304')), 'discard', EBGP],

  // §7.11 MP_REACH_NLRI, 7.12 MP_UNREACH_NLRI.
  ['a next hop of 4 octets for VPN routes', reach(`0001 80 04 c0000201 00 ${VPN}`), 'reset'],
  ['a next hop of 13 octets', reach(`0001 80 0d 0000000000000000c000020101 00 ${VPN}`), 'reset'],
  ['a next hop longer than the attribute', reach('0001 80 ff 0000'), 'reset'],
  ['MP_REACH_NLRI of four octets', reach('0001 80 00'), 'reset'],
  ['MP_UNREACH_NLRI of two octets', unreach('0001'), 'reset'],
  [
    'an IPv6 next hop for VPN-IPv4 without RFC 8950',
    reach(`0001 80 18 0000000000000000 20010db8000000000000000000000001 00 ${VPN}`),
    'withdraw',
  ],
  [
    'the same with RFC 8950',
    reach(`0001 80 18 0000000000000000 20010db8000000000000000000000001 00 ${VPN}`),
    'ok',
    { extendedNextHop: 4 },
  ],
  ['a next hop of all zero', reach(`0001 80 0c 0000000000000000 00000000 00 ${VPN}`), 'withdraw'],
  ['a next hop 127.0.0.1', reach(`0001 80 0c 0000000000000000 7f000001 00 ${VPN}`), 'withdraw'],
  ...(['::1', '::', '::ffff:127.0.0.1', '::ffff:224.0.0.1', 'ff02::1'] as const).map(
    (text): Case => {
      const address = Buffer.from(parseAddress(text)!).toString('hex');
      const value = `0001 80 18 0000000000000000 ${address} 00 ${VPN}`;
      return [`a next hop ${text}`, reach(value), 'withdraw', { extendedNextHop: 4 }];
    },
  ),
  ['a family that was not negotiated', { ...base(REACH) }, 'discard', { families: ONLY_IPV4 }],
  [
    'a family that nobody knows',
    { ...base(attribute(0x80, 14, '0019 41 04 c0000201 00 00')) },
    'discard',
  ],

  // §7.14 EXTENDED COMMUNITIES, 7.15 IPv6 ones.
  ['EXTENDED COMMUNITIES of no octets', vpn(attribute(0xc0, 16, '')), 'withdraw'],
  [
    'EXTENDED COMMUNITIES of nine octets',
    vpn(attribute(0xc0, 16, '0002fde90000006400')),
    'withdraw',
  ],
  ['IPv6 ones of 19 octets', vpn(attribute(0xc0, 25, '00'.repeat(19))), 'withdraw'],
  ['IPv6 ones of 20 octets', vpn(attribute(0xc0, 25, '00'.repeat(20))), 'ok'],

  // RFC 6793 §6, RFC 8092 §5, RFC 9012 §13.
  ['AS4_PATH from a 4-octet peer', base(attribute(0xc0, 17, '02 01 fa56ea00')), 'discard'],
  ['AS4_PATH that is cut off', base(attribute(0xc0, 17, '02 02 fa56ea00')), 'discard', OLD],
  ['AS4_PATH with wrong flags', base(attribute(0x80, 17, '02 01 fa56ea00')), 'discard', OLD],
  ['AS4_AGGREGATOR of six octets', base(attribute(0xc0, 18, 'fde9c0000207')), 'discard', OLD],
  ['LARGE_COMMUNITY of no octets', base(attribute(0xc0, 32, '')), 'withdraw'],
  ['LARGE_COMMUNITY of 13 octets', base(attribute(0xc0, 32, '00'.repeat(13))), 'withdraw'],
  ['Tunnel Encapsulation', vpn(attribute(0xc0, 23, '000b 0004 0202 8847')), 'ok'],
  [
    'Tunnel Encapsulation with a TLV that is cut off',
    vpn(attribute(0xc0, 23, '000b 0005 0202 8847')),
    'withdraw',
  ],
  [
    'Tunnel Encapsulation with a sub-TLV that is cut off',
    vpn(attribute(0xc0, 23, '000b 0004 0203 8847')),
    'withdraw',
  ],
  [
    'a sub-TLV of 2-octet length that is cut off',
    vpn(attribute(0xc0, 23, '000b 0004 c8000200')),
    'withdraw',
  ],

  // §3 h: several faults, the gravest counts.
  [
    'a discarded and a malformed one',
    base(attribute(0x40, 6, '00'), attribute(0xc0, 8, '00')),
    'withdraw',
  ],
  [
    'a malformed one and bad NLRI',
    { ...base(attribute(0xc0, 8, '00')), nlri: '21 0a01010101' },
    'reset',
  ],
];

describe('RFC 7606', () => {
  const cases = CASES.map(([name, parts, outcome, change = {}]) => ({
    ...{ name, parts, outcome, change },
  }));
  it.each(cases)('$name: $outcome', ({ parts, outcome, change }) => {
    const read = readUpdate(update(parts), { ...CONTEXT, ...change });
    // The reasons say which fault was taken for which.
    const reasons = outcome === read.outcome ? '' : read.reasons.join();
    expect(`${read.outcome} ${reasons}`).toBe(`${outcome} `);
  });

  it('lengths that exceed the message', () => {
    for (const body of [
      '',
      '00',
      '0000',
      '000000',
      '0001 0000',
      '0000 0001',
      'ffff 0000',
      '0000 ffff 00',
    ]) {
      expect(readUpdate(bytes(body), CONTEXT).outcome).toBe('reset');
    }
  });

  it('keeps the first of two', () => {
    const read = readUpdate(update(base(attribute(0x40, 1, '02'))), CONTEXT);
    expect(read.attributes?.origin).toBe(0);
  });

  it('leaves out what is discarded', () => {
    const parts = base(attribute(0x40, 5, '00000001'), attribute(0x80, 9, '01020304'));
    const read = readUpdate(update(parts), { ...CONTEXT, ...EBGP });
    expect(read.attributes).toEqual({
      ...{ origin: 0, asPath: [], nextHop: bytes('c0000201') },
    });
  });

  it('does not read routes of a family that was not negotiated', () => {
    const read = readUpdate(update(base(REACH)), { ...CONTEXT, families: ONLY_IPV4 });
    expect(read.announced).toEqual(['ipv4-unicast 0a01/16']);
    const unwanted = readUpdate(update(base()), { ...CONTEXT, families: 4 });
    expect(unwanted).toMatchObject({ outcome: 'discard', announced: [] });
  });

  it('names codes, subcodes and data of RFC 4271 §6.3', () => {
    const faults: readonly [UpdateParts, number, string][] = [
      [{ attributes: [ORIGIN, 'c0'] }, 1, 'c0'],
      [{ attributes: [attribute(0x40, 1, '0000')] }, 5, '4001020000'],
      [{ attributes: [attribute(0xc0, 1, '00')] }, 4, 'c0010100'],
      [{ attributes: [attribute(0x40, 1, '07')] }, 6, '40010107'],
      [{ attributes: [attribute(0x40, 2, '05')] }, 11, '40020105'],
      [{ attributes: [attribute(0x40, 99, '05')] }, 2, '40630105'],
      [unreach('0001'), 9, '800f020001'],
      [vpn(REACH), 1, ''],
    ];
    for (const [parts, subcode, data] of faults) {
      const body = update(parts);
      const answer = splitUpdate(body, 0, body.length, CONTEXT);
      if (!isNotification(answer)) throw new Error(`no error ${subcode}`);
      expect(answer).toMatchObject({ code: 3, subcode });
      expect(Buffer.from(answer.data).toString('hex')).toBe(data);
    }
  });
});
