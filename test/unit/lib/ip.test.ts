import { isIPv4, isIPv6, BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as ip from '../../../src/lib/ip.js';

describe('addresses', () => {
  it('reads and prints RFC 5952 forms', () => {
    const same = [
      '0.0.0.0',
      '10.1.2.255',
      '::',
      '::1',
      '1::',
      '2001:db8::1',
      '2001:db8:0:1:1:1:1:1',
    ];
    for (const text of [...same, '1:0:0:2::', 'fe80::a:0:0:1']) {
      expect(ip.formatAddress(ip.parseAddress(text)!)).toBe(text);
    }
    expect(ip.formatAddress(ip.parseAddress('2001:0db8:0:0:0:0:0:01')!)).toBe('2001:db8::1');
    expect(ip.formatAddress(ip.parseAddress('::ffff:1.2.3.4')!)).toBe('::ffff:102:304');
    expect(ip.formatAddress(ip.parseAddress('1:2:3:4:5:6:7::')!)).toBe('1:2:3:4:5:6:7:0');
  });

  it('refuses what is no address', () => {
    const bad = ['', '1.2.3', '1.2.3.4.5', '01.2.3.4', '256.1.1.1', '1.2.3.4 ', ':::', '1::2::3'];
    for (const text of [
      ...bad,
      '12345::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8::',
      '::g',
      'fe80::1%eth0',
    ]) {
      expect(ip.parseAddress(text), text).toBeUndefined();
    }
  });

  it('accepts exactly what node:net accepts', () => {
    const piece = fc.constantFrom(
      '0',
      '1',
      'ffff',
      '10',
      '255',
      '256',
      ':',
      '::',
      '.',
      'a',
      '00',
      '1.2.3.4',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        expect(ip.parseAddress(text) !== undefined, text).toBe(isIPv4(text) || isIPv6(text));
      }),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        expect(ip.parseAddress(text) !== undefined, text).toBe(isIPv4(text) || isIPv6(text));
      }),
    );
  });

  it('prints what it reads back, for every byte pattern', () => {
    const bytes = fc.oneof(...[4, 16].map((n) => fc.uint8Array({ minLength: n, maxLength: n })));
    fc.assert(
      fc.property(bytes, (address) => {
        expect(ip.parseAddress(ip.formatAddress(address))).toEqual(address);
      }),
    );
  });
});

describe('prefixes', () => {
  const p = (text: string) => ip.parsePrefix(text)!;

  it('keeps host bits and masks on demand', () => {
    expect(ip.formatPrefix(p('10.1.2.3/20'))).toBe('10.1.2.3/20');
    expect(ip.formatPrefix(ip.networkOf(p('10.1.31.3/20')))).toBe('10.1.16.0/20');
    expect(ip.formatAddress(ip.lastAddress(p('10.1.16.1/20')))).toBe('10.1.31.255');
    expect(ip.formatPrefix(ip.networkOf(p('2001:db8::1/0')))).toBe('::/0');
    expect(p('10.0.0.1').length).toBe(32);
    for (const bad of ['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/08', '::/129', '::/1/2', '/8']) {
      expect(ip.parsePrefix(bad), bad).toBeUndefined();
    }
  });

  it('covers like a naive subnet check', () => {
    const address = fc.uint8Array({ minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(address, fc.integer({ min: 0, max: 32 }), address, (a, length, b) => {
        const list = new BlockList();
        list.addSubnet(a.join('.'), length, 'ipv4');
        const outer = { family: 4 as const, address: a, length };
        // Half of the time a near miss: only the last bit of the prefix differs.
        expect(ip.covers(outer, ip.hostPrefix(b)!)).toBe(list.check(b.join('.'), 'ipv4'));
        const near = Uint8Array.from(a);
        if (length > 0) near[(length - 1) >> 3]! ^= 0x80 >> ((length - 1) & 7);
        expect(ip.covers(outer, ip.hostPrefix(near)!)).toBe(length === 0);
        expect(ip.covers(outer, ip.hostPrefix(a)!)).toBe(true);
      }),
    );
    expect(ip.covers(p('0.0.0.0/0'), p('::/0'))).toBe(false);
    expect(ip.covers(p('10.0.0.0/9'), p('10.0.0.0/8'))).toBe(false);
  });

  it('knows link-local addresses', () => {
    expect(ip.isLinkLocal(ip.parseAddress('febf::1')!)).toBe(true);
    expect(ip.isLinkLocal(ip.parseAddress('fec0::1')!)).toBe(false);
    expect(ip.isLinkLocal(ip.parseAddress('169.254.0.1')!)).toBe(false);
  });
});
