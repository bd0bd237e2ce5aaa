import { expect, it } from 'vitest';
import type { BgpPolicy, Config } from '../../../src/config/types.js';
import { forwardingModel } from '../../../src/forwarding/model.js';
import { acceptKey } from '../../../src/forwarding/rows.js';
import { parsePrefix } from '../../../src/lib/ip.js';
import { vpnPolicy } from '../../../src/vpn/policy.js';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['b'])!;
const config: Config = {
  ...{ instance: 'pe', ownSp: 'own', otherSps: ['b'], interfaces: {} },
  core: { tunnelAddresses: [] },
  vrfs: {
    A: {
      exports: [
        { name: 'all', protections: ['encrypt'], label: 100, encapsulations: ['gre'] },
        {
          name: 'some',
          protections: ['authenticate'],
          label: 101,
          encapsulations: ['ip'],
          prefixes: ['10.1.0.0/16', '2001:db8::/32'],
        },
      ],
    },
    B: {
      exports: [{ name: 'one', protections: ['tunnel'], label: 102, prefixes: ['10.1.2.0/24'] }],
    },
    C: {},
  },
};
/** What 10.2.0.0/24 is given where it is redistributed, and the export policy asks for. */
const TAGGED: BgpPolicy = {
  rules: [
    {
      when: { prefix: [{ prefix: '10.2.0.0/24' }] },
      do: [{ addCommunities: ['65000:7'] }],
      then: 'accept',
    },
  ],
  otherwise: 'accept',
};
const PUBLIC: BgpPolicy = {
  rules: [{ when: { community: ['65000:7'] }, then: 'accept' }],
  otherwise: 'reject',
};
const policy = vpnPolicy(config, sps, [], forwardingModel(config));
const accept = (vrf: string, prefix: string) =>
  acceptKey(policy.acceptOf(vrf, parsePrefix(prefix)!));

it('is the union of the classes of the rules that match', () => {
  expect(accept('A', '10.2.0.0/24')).toBe('encrypt/gre:1');
  expect(accept('A', '10.1.2.0/24')).toBe('authenticate/ip:1 encrypt/gre:1');
  expect(accept('A', '2001:db8:1::/48')).toBe('authenticate/ip:1 encrypt/gre:1');
});

it('does not match a route that a rule covers only in part', () => {
  expect(accept('B', '10.1.2.7/32')).toContain('gre');
  expect(accept('B', '10.1.0.0/16')).toBe('');
  expect(accept('B', '0.0.0.0/0')).toBe('');
});

it('accepts nothing without a rule, or in a VRF it does not know', () => {
  expect(accept('C', '10.1.2.0/24')).toBe('');
  expect(accept('nowhere', '10.1.2.0/24')).toBe('');
});

it('leaves out the rules whose policy refuses the route, as BGP exports it (policy-model 2)', () => {
  const bgp = { asn: 65000, routerId: '192.0.2.1', policies: { public: PUBLIC, tagged: TAGGED } };
  const device = { kernel: 'eth1' };
  const addresses = ['10.1.0.1/24', '10.2.0.1/24'];
  const withPolicy: Config = {
    ...{ ...config, bgp },
    interfaces: { ce: { role: 'ce', vrf: 'A', device, addresses } },
    vrfs: {
      A: {
        bgp: {
          rd: '65000:1',
          redistribute: { connected: { policy: 'tagged' } },
          exportTargets: ['65000:1'],
          exports: [
            { name: 'open', targets: ['65000:2'], protections: ['tunnel'], policy: 'public' },
          ],
        },
      },
    },
  };
  const made = vpnPolicy(withPolicy, sps, [], forwardingModel(withPolicy));
  const by = (prefix: string, ...rules: string[]) => {
    const bgpRules = rules.length === 0 ? undefined : () => new Set(rules);
    return acceptKey(made.acceptOf('A', parsePrefix(prefix)!, bgpRules));
  };
  const secured = 'encrypt/gre:1 encrypt/ip:1';
  // Own routes: the policy refuses all but 10.2.0.0/24, tagged where it is redistributed; hosts go with it.
  expect(by('10.1.0.0/24')).toBe(secured);
  expect(by('10.1.0.7/32')).toBe(secured);
  expect(by('10.2.0.0/24')).toContain(' gre ip');
  expect(by('10.2.0.7/32')).toContain(' gre ip');
  expect(by('10.9.0.0/24')).toBe(secured);
  // Routes of CEs: as the RIB says.
  expect(by('10.9.0.0/24', 'bgp/default')).toBe(secured);
  expect(by('10.9.0.0/24', 'bgp/default', 'bgp/open')).toContain(' gre ip');
});
