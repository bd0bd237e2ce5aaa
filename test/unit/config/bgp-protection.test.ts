// SPDX-License-Identifier: Apache-2.0
/** Which neighbours have to be inside an SA, and what the configuration has to say for that (policy-model 18). */
import { describe, expect, it } from 'vitest';
import { ipsecOf, protectedPairs, protectedSegment } from '../../../src/config/bgp/protect.js';
import type { BgpNeighbour, Config, Ike } from '../../../src/config/types.js';
import { validateConfig } from '../../../src/config/validate.js';
import { formatIssue } from '../../../src/config/issues.js';

const IKE: Ike = {
  credentials: { own: { certificate: '/pe.pem', key: '/pe.key' } },
  providers: {
    east: { ranges: ['198.51.100.0/24', '2001:db8:e::/48'], anchors: { a: { file: '/east.pem' } } },
    west: { ranges: ['192.0.2.0/24'], anchors: { a: { file: '/west.pem' } } },
  },
};

const PEER: BgpNeighbour = { asn: 65002, sp: 'east', localAddress: '192.0.2.1', multihop: 3 };

interface Around {
  readonly address?: string;
  readonly ike?: Ike | 'none';
  readonly port?: number;
}

function config(
  neighbour: BgpNeighbour,
  { address = '198.51.100.2', ike = IKE, port }: Around = {},
): unknown {
  return {
    ...{ instance: 'pe', ownSp: 'west', otherSps: ['east'] },
    core: { tunnelAddresses: ['192.0.2.1', '2001:db8::1'] },
    interfaces: {
      core0: { role: 'core', device: { kernel: 'wan' }, addresses: ['192.0.2.1/24'], mtu: 1500 },
      core1: { role: 'core', device: { kernel: 'lan' }, addresses: ['192.0.3.1/24'], mtu: 1400 },
    },
    bgp: {
      ...{ asn: 65001, routerId: '192.0.2.1', ebgpRequiresPolicy: false },
      ...(port === undefined ? {} : { port }),
      neighbours: { [address]: neighbour },
    },
    ...(ike !== 'none' && { ike }),
  };
}

function told(input: unknown): { errors: string[]; warnings: string[] } {
  const result = validateConfig(input);
  const errors = result.ok ? [] : result.issues.map(formatIssue);
  return { errors, warnings: result.warnings.map(formatIssue) };
}

function valid(input: unknown): Config {
  const result = validateConfig(input);
  if (!result.ok) throw new Error(result.issues.map(formatIssue).join('\n'));
  return result.config;
}

const ONLY = (line: RegExp) => ({ errors: [expect.stringMatching(line) as string], warnings: [] });

describe('the default', () => {
  it.each([
    [{ sp: 'east' }, 'require'],
    [{ sp: 'east', ipsec: 'off' as const }, 'off'],
    [{ sp: 'west' }, 'off'],
    [{}, 'off'],
    [{ ipsec: 'require' as const }, 'require'],
    [{ sp: 'west', ipsec: 'require' as const }, 'require'],
    [{ vrf: 'A' }, 'off'],
  ])('of %j is %s', (neighbour, ipsec) => {
    expect(ipsecOf(neighbour, 'west')).toBe(ipsec);
  });

  it('lets BGP with another SP be inside an SA, and says whose', () => {
    expect(told(config(PEER))).toEqual({ errors: [], warnings: [] });
    expect(protectedPairs(valid(config(PEER)))).toEqual([
      { local: '192.0.2.1', remote: '198.51.100.2', sp: 'east' },
    ]);
    expect(protectedPairs(valid(config({ ...PEER, ipsec: 'off' })))).toEqual([]);
  });

  it('leaves the own provider in clear unless it is told otherwise', () => {
    const own: BgpNeighbour = { asn: 65001, localAddress: '192.0.2.1' };
    expect(protectedPairs(valid(config(own, { address: '192.0.2.9' })))).toEqual([]);
    const asked = valid(config({ ...own, ipsec: 'require' }, { address: '192.0.2.9' }));
    expect(protectedPairs(asked)).toEqual([
      { local: '192.0.2.1', remote: '192.0.2.9', sp: 'west' },
    ]);
  });
});

describe('what has to be there', () => {
  it('warns of clear text with another SP', () => {
    expect(told(config({ ...PEER, ipsec: 'off' }, { ike: 'none' }))).toEqual({
      errors: [],
      warnings: [expect.stringMatching(/ipsec: BGP with SP "east" goes in clear/)],
    });
  });

  const { east, ...others } = IKE.providers;
  const without: Ike = { ...IKE, providers: others };
  const { anchors, ...bare } = east!;
  const psk: Ike = {
    ...IKE,
    providers: {
      ...others,
      east: { ...bare, psks: { x: { remote: '198.51.100.9', file: '/x' } } },
    },
  };
  const nothing: Ike = {
    ...IKE,
    providers: { ...others, east: { ...bare, anchors: anchors!, esp: { encrypt: [] } } },
  };
  it.each<[string, BgpNeighbour, Parameters<typeof config>[1], RegExp]>([
    ['no ike', PEER, { ike: 'none' }, /ike\.providers has no SP "east".*or ipsec: "off"$/],
    ['no such provider', PEER, { ike: without }, /ike\.providers has no SP "east"/],
    ['no key for it', PEER, { ike: psk }, /no credential for SP "east", and no preshared key/],
    ['nothing that encrypts', PEER, { ike: nothing }, /no ESP proposals of SP "east" encrypt/],
    [
      'an address of nobody',
      PEER,
      { address: '203.0.113.1' },
      /outside of the ranges of SP "east"/,
    ],
    ['one of another SP', PEER, { address: '192.0.2.9' }, /outside of the ranges of SP "east"/],
    ['no own address', { asn: 65002, sp: 'east' }, {}, /localAddress: .* not said which tunnel/],
    ['not a tunnel address', { ...PEER, localAddress: '192.0.3.1' }, {}, /IKE listens on core/],
    ['another port', { ...PEER, port: 1790 }, {}, /port: .*another than 179/],
    ['another port of ours', PEER, { port: 1179 }, /bgp\.port is another than 179/],
    [
      'asked for inside',
      { asn: 65001, ipsec: 'require' },
      { address: '192.0.2.9' },
      /localAddress: BGP is to be inside an SA: not said which tunnel/,
    ],
  ])('refuses %s', (_, neighbour, more, line) => {
    expect(told(config(neighbour, more))).toEqual(ONLY(line));
  });

  it('refuses a range of neighbours, and CEs', () => {
    const base = config(PEER) as { bgp: object };
    const ranged = {
      ...base,
      bgp: {
        ...base.bgp,
        neighbours: {},
        dynamicNeighbours: { '198.51.100.0/24': { asn: 65002, sp: 'east' } },
      },
    };
    expect(told(ranged)).toEqual(ONLY(/for a range of neighbours there is no SA/));
    const ce = {
      ...base,
      vrfs: { A: { bgp: { rd: '1:1', neighbours: { '10.0.0.2': { asn: 9, ipsec: 'require' } } } } },
    };
    expect(told(ce).errors).toEqual([expect.stringMatching(/ipsec: a CE has no SA/)]);
  });
});

describe('a range of neighbours that holds one that has to be inside an SA', () => {
  const ranged = (range: string, more: object = {}, neighbour = PEER): unknown => {
    const base = config(neighbour) as { bgp: object };
    const dynamicNeighbours = { [range]: { asn: 65002, sp: 'east', ipsec: 'off', ...more } };
    return { ...base, bgp: { ...base.bgp, dynamicNeighbours } };
  };
  const HOLDS = /dynamicNeighbours.*holds 198\.51\.100\.2, which is to be inside an SA/;
  const other = (more: object) => told(ranged('198.51.100.0/24', more)).errors;

  it('is refused: to another address of ours it would come in clear', () => {
    expect(other({})).toEqual([expect.stringMatching(HOLDS)]);
    expect(other({ localAddress: '192.0.3.1' })).toEqual([expect.stringMatching(HOLDS)]);
  });

  it('is good where it is for the same address, holds others alone, or need not be inside', () => {
    expect(other({ localAddress: '192.0.2.1' })).toEqual([]);
    expect(told(ranged('198.51.100.128/25')).errors).toEqual([]);
    expect(told(ranged('198.51.100.0/24', {}, { ...PEER, ipsec: 'off' })).errors).toEqual([]);
  });
});

describe('the segment size', () => {
  it('leaves room for ESP in the smallest interface of the core, exactly', () => {
    const checked = valid(config(PEER));
    for (const [family, ip] of [
      [4, 20],
      [6, 40],
    ] as const) {
      const size = (data: number): number => {
        const sealed = 20 + data + 2;
        return ip + 16 + sealed + ((4 - (sealed % 4)) % 4) + 16;
      };
      const most = protectedSegment(checked, family);
      expect(size(most)).toBeLessThanOrEqual(1400);
      expect(size(most + 1)).toBeGreaterThan(1400);
    }
  });

  it.each([
    ['aes128gcm16-x25519', 16 + 16, 4],
    ['aes256-sha256', 24 + 16, 16],
    ['aes128-sha256-sha512', 24 + 32, 16],
  ])('of %s counts the longest that may be agreed on', (text, around, align) => {
    const ike = { ...IKE, esp: { encrypt: [text] } };
    const most = protectedSegment(valid(config(PEER, { ike })), 4);
    const size = (data: number): number => 20 + around + Math.ceil((20 + data + 2) / align) * align;
    expect(size(most)).toBeLessThanOrEqual(1400);
    expect(size(most + 1)).toBeGreaterThan(1400);
  });
});
