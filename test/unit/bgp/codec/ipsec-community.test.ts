// SPDX-License-Identifier: Apache-2.0
/** Octets are written out from the document, not made by the encoder. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  formatIpsec,
  ipsecCommunityFormat,
  type IpsecMeaning,
  parseIpsec,
} from '../../../../src/bgp/codec/communities/ipsec.js';

const format = ipsecCommunityFormat();
const ALL: IpsecMeaning = {
  protections: ['encrypt', 'authenticate', 'tunnel'],
  encapsulations: ['gre', 'ip'],
  onlyOutsideSp: undefined,
};
const encrypt: IpsecMeaning = {
  protections: ['encrypt'],
  encapsulations: ['gre'],
  onlyOutsideSp: undefined,
};
const nothing = { protections: [], encapsulations: [], onlyOutsideSp: undefined };

const EXAMPLES: readonly (readonly [bigint, IpsecMeaning])[] = [
  [0x8349_0101_0000_0000n, encrypt],
  [0x8349_0703_0000_0000n, ALL],
  [0x8349_0202_0000_0000n, { ...encrypt, protections: ['authenticate'], encapsulations: ['ip'] }],
  [0x8349_0181_0000_fde9n, { ...encrypt, onlyOutsideSp: 65001 }],
  [
    0x8349_0381_fa56_ea00n,
    {
      ...ALL,
      protections: ['encrypt', 'authenticate'],
      encapsulations: ['gre'],
      onlyOutsideSp: 4200000000,
    },
  ],
];

describe('the IPsec Extended Community', () => {
  it.each(EXAMPLES)('%s is read and written', (community, meaning) => {
    expect(format.read([community])).toEqual(meaning);
    expect(format.write(meaning)).toBe(community);
    expect(parseIpsec(formatIpsec(meaning))).toEqual(meaning);
  });

  it('has its examples in the document', () => {
    const document = readFileSync('docs/ipsec-extended-community.md', 'utf8');
    for (const [community] of EXAMPLES) {
      expect(document).toContain(community.toString(16).replace(/(....)(?=.)/g, '$1 '));
    }
  });

  it('is none without type and sub-type', () => {
    expect(format.read([])).toBeUndefined();
    for (const other of [0x0002_fde9_0000_0064n, 0xc349_0101_0000_0000n, 0x8350_0101_0000_0000n]) {
      expect(format.is(other)).toBe(false);
      expect(format.read([other])).toBeUndefined();
    }
    expect(ipsecCommunityFormat(0x50).read([0x8350_0101_0000_0000n])).toEqual(encrypt);
    expect(() => ipsecCommunityFormat(256)).toThrow(RangeError);
  });

  it('with unknown alternatives leaves the known ones', () => {
    expect(format.read([0x8349_f10d_0000_0000n])).toEqual(encrypt);
  });

  it('may say that plain MPLS goes on, to all or to none', () => {
    const also = { ...encrypt, alsoMpls: true } as const;
    expect(format.read([0x8349_0901_0000_0000n])).toEqual(also);
    expect(format.write(also)).toBe(0x8349_0901_0000_0000n);
    expect(format.read([0x8349_0901_0000_0000n, 0x8349_0101_0000_0000n])).toEqual(encrypt);
    // Alone it asks for nothing that can be given.
    expect(format.read([0x8349_0801_0000_0000n])).toEqual(nothing);
    expect(parseIpsec(formatIpsec(also))).toEqual(also);
  });

  it.each([0x10n, 0x20n, 0x40n])('with the critical bit %s makes the route unusable', (bit) => {
    expect(format.read([0x8349_0101_0000_0000n | (bit << 32n)])).toEqual(nothing);
    expect(format.read([0x8349_0181_0000_0001n | (bit << 32n)])).toEqual(nothing);
    expect(format.read([0x8349_0101_0000_0000n, 0x8349_0101_0000_0000n | (bit << 32n)])).toEqual(
      nothing,
    );
  });

  it.each([0x8349_0001_0000_0000n, 0x8349_0100_0000_0000n, 0x8349_f80c_0000_0000n])(
    '%s accepts nothing: unusable',
    (community) => {
      expect(format.read([community])).toEqual(nothing);
    },
  );

  it('without the scope bit ignores the SP number, with SP 0 the scope', () => {
    expect(format.read([0x8349_0101_0000_fde9n])).toEqual(encrypt);
    expect(format.read([0x8349_0181_0000_0000n])).toEqual(encrypt);
  });

  it('in several copies asks for what all of them accept', () => {
    const [one, two] = [0x8349_0703_0000_0000n, 0x8349_0101_0000_0000n];
    expect(format.read([one, two])).toEqual(encrypt);
    expect(format.read([two, one])).toEqual(encrypt);
    // Contradictions: encrypt against authenticate; GRE against IP.
    expect(format.read([two, 0x8349_0201_0000_0000n])).toEqual(nothing);
    expect(format.read([two, 0x8349_0102_0000_0000n])).toEqual(nothing);
  });

  it('in copies of different scope asks everybody', () => {
    const scoped = 0x8349_0181_0000_fde9n;
    expect(format.read([scoped, scoped])).toEqual({ ...encrypt, onlyOutsideSp: 65001 });
    expect(format.read([scoped, 0x8349_0101_0000_0000n])).toEqual(encrypt);
    expect(format.read([scoped, 0x8349_0181_0000_fdean])).toEqual(encrypt);
  });

  it('is never made weaker by any bit or any further copy', () => {
    // Whatever a second copy is, what both accept was accepted by the first one, by no fewer ingresses.
    const first = format.read([0x8349_0301_0000_fde9n]);
    for (let octets = 0; octets < 0x10000; octets += 7) {
      const other = (0x8349n << 48n) | (BigInt(octets) << 32n) | 0xfde9n;
      const together = format.read([0x8349_0301_0000_fde9n, other]);
      expect(together?.onlyOutsideSp).toBeUndefined();
      expect(first?.protections).toEqual(
        expect.arrayContaining([...(together?.protections ?? [])]),
      );
    }
  });

  it('keeps a contradiction when it is written again', () => {
    expect(format.read([format.write(nothing)])).toEqual(nothing);
  });

  it.each([
    'ipsec',
    'ipsec:encrypt',
    'ipsec:encrypt:',
    'ipsec:none',
    'ipsec:encrypt,encrypt:gre',
    'ipsec:clear:gre',
    'ipsec:encrypt:gre:outside=0',
    'ipsec:encrypt:gre:outside=4294967296',
    'ipsec:encrypt:gre:inside=1',
    'ipsec:encrypt:gre:outside=1:x',
    'target:1:1',
  ])('"%s" is no text of it', (text) => {
    expect(parseIpsec(text)).toBeUndefined();
  });
});
