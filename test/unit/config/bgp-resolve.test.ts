// SPDX-License-Identifier: Apache-2.0
/** The bgp sections with templates and defaults filled in, and what differs between two of them. */
import { describe, expect, it } from 'vitest';
import { resolveNeighbor, type NeighborConfig } from '../../../src/bgp/session/config.js';
import { exportRulesOf, importRulesOf, neighboursOf } from '../../../src/config/bgp/resolve.js';
import { configDigestHex } from '../../../src/config/canonical.js';
import { diffConfigs, formatChange } from '../../../src/config/diff.js';
import { goodBgp, putBgp } from './bgp-good.js';

describe('with templates and defaults', () => {
  it('neighbours are what sessions take', () => {
    const neighbours: readonly NeighborConfig[] = neighboursOf(goodBgp());
    expect(neighbours.map(({ vrf, address, prefix }) => [vrf, address ?? prefix])).toEqual([
      [undefined, '192.0.2.11'],
      [undefined, '2001:db8::12'],
      [undefined, '192.0.2.13'],
      [undefined, '198.51.100.0/24'],
      ['a', '10.1.0.2'],
      ['a', 'fe80::2'],
      ['a', '10.1.0.0/24'],
    ]);
    for (const each of neighbours) {
      expect(() => resolveNeighbor(each, { routerId: 1, asn: 65001 })).not.toThrow();
    }
    const [reflector, client, external] = neighbours;
    expect(reflector).toMatchObject({ asn: 65001, localAddress: '192.0.2.1', bfd: true });
    expect(Object.keys(reflector!.families!)).toEqual([
      ...['vpnv4-unicast', 'vpnv6-unicast', 'route-target'],
    ]);
    expect(Object.keys(client!.families!)).toEqual([
      ...['vpnv4-unicast', 'vpnv6-unicast', 'route-target'],
    ]);
    expect(external).toMatchObject({ multihop: 3, localAsn: 65009 });
    expect(external).not.toHaveProperty('routerId');
    expect(neighbours[4]).toMatchObject({ routerId: '10.1.0.1' });
    expect(neighbours[4]).toMatchObject({ ttlSecurity: 1, families: { 'ipv4-unicast': {} } });
    expect(neighbours[5]).toMatchObject({ families: { 'ipv6-unicast': {} } });
  });

  it('without route target constraint nobody is asked by it', () => {
    const draft = goodBgp();
    draft.bgp.routeTargetConstraint = false;
    expect(neighboursOf(draft)[1]?.families).toEqual({ 'vpnv4-unicast': {}, 'vpnv6-unicast': {} });
  });

  it('rules have what the short forms and the VRF say', () => {
    const draft = goodBgp();
    const { vrfs } = draft;
    putBgp(draft, 'vrfs.a.bgp.imports.1.preferProtected', false);
    putBgp(draft, 'vrfs.a.bgp.labelPer', 'ce');
    putBgp(draft, 'vrfs.a.bgp.exports.1.labelPer', 'prefix');
    const a = vrfs['a']!.bgp!;
    expect(importRulesOf(a, 'north')).toMatchObject([
      { name: 'own', fromSps: ['north'], preferProtected: true },
      { name: 'others', fromSps: ['south'], preferProtected: false },
    ]);
    expect(exportRulesOf(a)).toMatchObject([
      { name: 'own', rd: '65001:1', labelPer: 'ce' },
      { name: 'others', rd: '65001:11', labelPer: 'prefix' },
    ]);
    const ofPe = { protections: ['authenticate'], toSps: ['north', 'south'] } as const;
    expect(exportRulesOf(a, ofPe)).toEqual(exportRulesOf(a));
    expect(exportRulesOf(vrfs['b']!.bgp!, ofPe)).toMatchObject([{ name: 'default', ...ofPe }]);
    const silent = { rd: '65001:1', exports: [{ name: 'all', targets: ['65001:1'] }] };
    expect(exportRulesOf(silent, ofPe)).toMatchObject([{ name: 'all', ...ofPe }]);
    expect(exportRulesOf(vrfs['b']!.bgp!)).toEqual([
      {
        ...{ name: 'default', targets: ['65001:2'], protections: ['encrypt'] },
        ...{ rd: '65001:2', labelPer: 'vrf' },
      },
    ]);
  });
});

describe('differences', () => {
  const diff = (path: string, value: unknown): readonly string[] => {
    const after = goodBgp();
    putBgp(after, path, value);
    expect(configDigestHex(after)).not.toBe(configDigestHex(goodBgp()));
    return diffConfigs(goodBgp(), after).changes.map(formatChange);
  };

  it.each<[string, unknown, string]>([
    ['bgp.asn', 65002, '~ bgp.asn: 65001 -> 65002'],
    ['bgp.neighbours.192.0.2.13.multihop', 4, '~ bgp.neighbours["192.0.2.13"].multihop: 3 -> 4'],
    [
      'vrfs.a.bgp.imports.1.targets',
      ['65001:9'],
      '~ vrfs.a.bgp.imports.others.targets: ["4200000000:1"] -> ["65001:9"]',
    ],
    [
      'vrfs.a.bgp.exports.1.labelPer',
      'prefix',
      '~ vrfs.a.bgp.exports.others.labelPer: "vrf" -> "prefix"',
    ],
    ['bgp.policies.own.otherwise', 'accept', '+ bgp.policies.own.otherwise: "accept"'],
    ['bgp.bmp.station.port', 5001, '~ bgp.bmp.station.port: 5000 -> 5001'],
  ])('%s = %j', (path, value, line) => {
    expect(diff(path, value)).toEqual([line]);
  });

  it('prefix lists are sets: an entry more is one line, another order none', () => {
    const before = goodBgp();
    const after = goodBgp();
    const list = after.bgp.prefixLists!['private']!;
    list.reverse();
    expect(diffConfigs(before, after)).toEqual({ changes: [], effect: 'live' });
    list.unshift({ prefix: '192.168.0.0/16' });
    expect(diffConfigs(before, after).changes.map(formatChange)).toEqual([
      '+ bgp.prefixLists.private["{\\"prefix\\":\\"192.168.0.0/16\\"}"]: {"prefix":"192.168.0.0/16"}',
    ]);
  });

  it('rules of a policy are in order: they are one value', () => {
    const after = goodBgp();
    after.bgp.policies!['from-south']!.rules.reverse();
    expect(diffConfigs(goodBgp(), after).changes.map(({ path }) => path)).toEqual([
      'bgp.policies["from-south"].rules',
    ]);
  });

  it('the whole section, more or less', () => {
    const without = goodBgp();
    Reflect.deleteProperty(without, 'bgp');
    expect(diffConfigs(without, goodBgp()).changes.map(({ path, kind }) => [path, kind])).toEqual([
      ['bgp', 'added'],
    ]);
    expect(diffConfigs(goodBgp(), without).effect).toBe('live');
  });
});
