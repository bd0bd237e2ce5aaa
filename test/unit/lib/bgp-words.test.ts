// SPDX-License-Identifier: Apache-2.0
/** Text forms of communities, RDs and AS path patterns; octets as the RFCs draw them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  matchesPath,
  parseCommunityPattern,
  parseExtendedPattern,
  parseLargeCommunityPattern,
  parsePathPattern,
  parseRange,
  parseRdPattern,
} from '../../../src/lib/bgp-patterns.js';
import {
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  formatRd,
  isRouteTarget,
  isSiteOfOrigin,
  parseCommunity,
  parseExtendedCommunity,
  parseLargeCommunity,
  parseRd,
  parseRouterId,
  parseRouteTarget,
  parseSiteOfOrigin,
} from '../../../src/lib/bgp-words.js';

describe('communities', () => {
  it.each([
    ['65001:100', 0xfde9_0064],
    ['0:0', 0],
    ['65535:65535', 0xffff_ffff],
    ['no-export', 0xffff_ff01], // RFC 1997
    ['no-advertise', 0xffff_ff02],
    ['graceful-shutdown', 0xffff_0000], // RFC 8326 §5
    ['llgr-stale', 0xffff_0006], // RFC 9494 §4.1
    ['no-llgr', 0xffff_0007],
    ['blackhole', 0xffff_029a], // RFC 7999 §5
  ])('%s', (text, value) => {
    expect(parseCommunity(text)).toBe(value);
    expect(formatCommunity(value)).toBe(text);
  });

  it.each(['', '1', '1:2:3', '65536:1', '1:65536', '01:1', '1:-1', 'a:1', ' 1:1', 'noexport'])(
    'not %j',
    (text) => {
      expect(parseCommunity(text)).toBeUndefined();
    },
  );

  it('large ones are three 32-bit numbers', () => {
    expect(parseLargeCommunity('4294967295:0:7')).toEqual([4294967295, 0, 7]);
    expect(formatLargeCommunity([4294967295, 0, 7])).toBe('4294967295:0:7');
    for (const bad of ['1:2', '1:2:3:4', '4294967296:0:0', '1::2', '']) {
      expect(parseLargeCommunity(bad)).toBeUndefined();
    }
  });
});

describe('extended communities', () => {
  it.each([
    ['target:65001:100', 0x0002_fde9_0000_0064n], // RFC 4360 §4: 2-octet AS
    ['target:192.0.2.1:100', 0x0102_c000_0201_0064n],
    ['target:4200000000:100', 0x0202_fa56_ea00_0064n], // RFC 5668
    ['target:65001L:100', 0x0202_0000_fde9_0064n],
    ['origin:65001:4294967295', 0x0003_fde9_ffff_ffffn],
    ['color:100', 0x030b_0000_0000_0064n], // RFC 9012 §4.3
    ['color:01:100', 0x030b_4000_0000_0064n], // RFC 9256 §8.8.1: CO bits
    ['encapsulation:11', 0x030c_0000_0000_000bn], // RFC 9012 §4.1: MPLS-in-GRE
    ['0x4302fde900000064', 0x4302_fde9_0000_0064n],
  ])('%s', (text, value) => {
    expect(parseExtendedCommunity(text)).toBe(value);
    expect(formatExtendedCommunity(value)).toBe(text);
  });

  it.each([
    ...['65001:1', 'target:65001', 'target:1:4294967296', 'target:70000:65536', 'target:1.2.3:4'],
    ...['target:1.2.3.4:65536', 'target:70000L:1', 'color:4294967296', 'color:2', '0x12', 'x:1:1'],
  ])('%s is none, or exact', (text) => {
    const value = parseExtendedCommunity(text);
    if (text === 'color:2') expect(value).toBe(0x030b_0000_0000_0002n);
    else expect(value).toBeUndefined();
  });

  it('says what carries a route target, what a site of origin', () => {
    for (const text of ['65001:1', '192.0.2.1:1', '4200000000:1']) {
      const target = parseRouteTarget(text)!;
      const site = parseSiteOfOrigin(text)!;
      expect([isRouteTarget(target), isRouteTarget(site)]).toEqual([true, false]);
      expect([isSiteOfOrigin(target), isSiteOfOrigin(site)]).toEqual([false, true]);
    }
    // Non-transitive and opaque types are neither.
    expect(isRouteTarget(0x4002_fde9_0000_0064n)).toBe(false);
    expect(isRouteTarget(0x0302_fde9_0000_0064n)).toBe(false);
  });

  it('any value has a text that reads back as itself', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (value) => {
        expect(parseExtendedCommunity(formatExtendedCommunity(value))).toBe(value);
      }),
    );
    const words = fc.constantFrom(0x0002n, 0x0003n, 0x0102n, 0x0203n, 0x030bn, 0x030cn);
    fc.assert(
      fc.property(words, fc.bigInt({ min: 0n, max: (1n << 48n) - 1n }), (type, low) => {
        const value = (type << 48n) | low;
        expect(parseExtendedCommunity(formatExtendedCommunity(value))).toBe(value);
      }),
    );
  });
});

describe('route distinguishers', () => {
  it.each([
    ['65001:4294967295', 0x0000_fde9_ffff_ffffn], // RFC 4364 §4.2, types 0, 1, 2
    ['192.0.2.1:65535', 0x0001_c000_0201_ffffn],
    ['4200000000:1', 0x0002_fa56_ea00_0001n],
    ['1L:1', 0x0002_0000_0001_0001n],
  ])('%s', (text, value) => {
    expect(parseRd(text)).toBe(value);
    expect(formatRd(value)).toBe(text);
  });
  it('of an unknown type are digits', () => {
    expect(formatRd(0x0007_0000_0000_0001n)).toBe('0x0007000000000001');
  });
  it('router ids are IPv4 addresses', () => {
    expect(parseRouterId('192.0.2.1')).toBe(0xc000_0201);
    expect(parseRouterId('255.255.255.255')).toBe(0xffff_ffff);
    expect(parseRouterId('2001:db8::1')).toBeUndefined();
  });
});

describe('patterns', () => {
  it('of communities', () => {
    const hits = (pattern: string, ...texts: string[]): boolean[] => {
      const match = parseCommunityPattern(pattern)!;
      return texts.map((text) => match(parseCommunity(text)!));
    };
    expect(hits('65001:100', '65001:100', '65001:101')).toEqual([true, false]);
    expect(hits('65001:*', '65001:0', '65002:0')).toEqual([true, false]);
    expect(hits('64512-65534:5-9', '64512:5', '65534:9', '64511:5', '64512:10')).toEqual([
      ...[true, true, false, false],
    ]);
    expect(hits('*:666', '65535:666', '1:665')).toEqual([true, false]);
    for (const bad of ['65001', '9-5:1', '1:1-2-3', '65536:*', 'x:*', '**:1']) {
      expect([bad, parseCommunityPattern(bad)]).toEqual([bad, undefined]);
    }
  });

  it('of large and extended communities and RDs', () => {
    expect(parseLargeCommunityPattern('1:*:5-6')!([1, 9, 6])).toBe(true);
    expect(parseLargeCommunityPattern('1:*:5-6')!([1, 9, 7])).toBe(false);
    const extended = (pattern: string, text: string): boolean =>
      parseExtendedPattern(pattern)!(parseExtendedCommunity(text)!);
    expect(extended('target:65001:*', 'target:65001:7')).toBe(true);
    expect(extended('target:65001:*', 'origin:65001:7')).toBe(false);
    expect(extended('target:65001:*', 'target:65001L:7')).toBe(false); // another kind of AS
    expect(extended('target:192.0.2.1:5-9', 'target:192.0.2.1:9')).toBe(true);
    expect(extended('target:192.0.2.1:5-9', 'target:192.0.2.1:10')).toBe(false);
    expect(extended('target:*', 'target:4200000000:1')).toBe(true);
    expect(extended('color:*', 'color:01:7')).toBe(true);
    expect(extended('color:*', 'target:1:1')).toBe(false);
    expect(parseExtendedPattern('color:5-6')).toBeUndefined();
    expect(parseRdPattern('65001:*')!(parseRd('65001:3')!)).toBe(true);
    expect(parseRdPattern('65001:*')!(parseRd('65002:3')!)).toBe(false);
    expect(parseRdPattern('*')!(parseRd('65002:3')!)).toBe(true);
    expect(parseRange('5', 4)).toBeUndefined();
  });
});

describe('patterns of AS paths', () => {
  const match = (pattern: string, ...path: (number | number[])[]): boolean =>
    matchesPath(
      parsePathPattern(pattern)!,
      path.map((step) => (typeof step === 'number' ? [step] : step)),
    );

  it.each<[string, (number | number[])[], boolean]>([
    ['', [], true],
    ['', [1], false],
    ['.*', [], true],
    ['.*', [1, 2, 3], true],
    ['1', [1], true],
    ['1', [1, 1], false],
    ['1+', [1, 1], true],
    ['1+', [], false],
    ['1+ .*', [1, 1, 5, 6], true],
    ['.* 6', [1, 1, 5, 6], true],
    ['.* 6', [6, 1], false],
    ['1 2? 3', [1, 3], true],
    ['1 2? 3', [1, 2, 3], true],
    ['1 2? 3', [1, 2, 2, 3], false],
    ['[1 5-7]+', [1, 6, 7, 5], true],
    ['[1 5-7]+', [1, 8], false],
    ['.', [4294967295], true],
    ['64512-65534', [65534], true],
    ['64512-65534', [65535], false],
    ['1 5', [1, [4, 5]], true], // one of the set
    ['1 5', [1, [4, 6]], false],
    ['1 .', [1, [4, 6]], true], // a set is one step
  ])('%j on %j: %s', (pattern, path, expected) => {
    expect(match(pattern, ...path)).toBe(expected);
  });

  it.each(['[', '[]', '1 ++', 'a', '5-1', '1-', '*', '+', '(1|2)', '4294967296', '.'.repeat(65)])(
    'not a pattern: %j',
    (text) => {
      expect(parsePathPattern(text)).toBeUndefined();
    },
  );

  it('agrees with a regular expression over letters', () => {
    // The same language, by another machine: AS 1..3 are letters, a pattern is a RegExp.
    const item = fc.tuple(
      fc.constantFrom('1', '2', '3', '.', '[1 2]', '2-3'),
      fc.constantFrom('', '*', '+', '?'),
    );
    const asRegExp = { '1': '1', '2': '2', '3': '3', '.': '.', '[1 2]': '[12]', '2-3': '[23]' };
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 7 }),
        (items, path) => {
          const text = items.map(([body, times]) => body + times).join(' ');
          const source = items.map(([body, times]) => asRegExp[body] + times).join('');
          expect(match(text, ...path)).toBe(new RegExp(`^${source}$`).test(path.join('')));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('takes no time that grows faster than pattern × path', () => {
    // As a backtracking regular expression, (.*)^63 x on a path without x would never end.
    const items = parsePathPattern(`${'.* '.repeat(63)}7`)!;
    const path = Array.from({ length: 2000 }, () => [1]);
    const begin = performance.now();
    expect(matchesPath(items, path)).toBe(false);
    expect(performance.now() - begin).toBeLessThan(5_000);
  });
});
