import { expect, it } from 'vitest';
import { spOfRemotes } from '../../../../src/vpn/bgp/identity.js';
import { BASE } from '../../forwarding/fixture.js';

it('takes the SP of a PE from the ranges of the providers, then from manual SAs', () => {
  const { out4 } = BASE.manualSas!;
  const spOf = spOfRemotes({
    ...BASE,
    ike: {
      providers: {
        own: { ranges: ['192.0.2.0/26', '2001:db8::/112'] },
        b: { ranges: ['192.0.2.64/26', '2001:db8:b::/48'] },
      },
    },
    manualSas: {
      in: { ...out4!, direction: 'in', remote: '203.0.113.1', sp: 'b' },
      // A range says more than a key that somebody typed in.
      odd: { ...out4!, direction: 'in', remote: '192.0.2.7', sp: 'b' },
    },
  });
  const remotes = ['192.0.2.2', '192.0.2.66', '2001:db8::9', '2001:db8:b::1', '203.0.113.1'];
  expect(remotes.map(spOf)).toEqual(['own', 'b', 'own', 'b', 'b']);
  // In nobody's ranges, and ours are configured: believed by no import rule (policy-model 10).
  expect(['192.0.2.7', '198.51.100.1'].map(spOf)).toEqual(['own', undefined]);
  expect(
    spOfRemotes({ ...BASE, ike: { providers: { b: { ranges: ['192.0.2.64/26'] } } } })(
      '198.51.100.1',
    ),
  ).toBe('own');
  expect(spOfRemotes(BASE)('192.0.2.2')).toBe('own');
});
