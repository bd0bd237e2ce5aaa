import { expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
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
const policy = vpnPolicy(config, sps, []);
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
