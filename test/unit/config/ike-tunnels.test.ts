// SPDX-License-Identifier: Apache-2.0
/** Tunnels whose SAs are left to IKE. */
import { describe, it } from 'vitest';
import type { Draft } from './good.js';
import { expectIkeMistakes } from './ike-good.js';

describe('a tunnel without an SA', () => {
  const free = (draft: Draft, remote: string, protection: 'encrypt' | 'authenticate'): void => {
    draft.tunnels['free'] = { local: '192.0.2.1', remote, protection, encapsulation: 'ip' };
  };

  it('is set up by IKE, by certificate or by preshared key', () => {
    expectIkeMistakes((_, whole) => {
      free(whole, '192.0.2.9', 'encrypt');
    });
    expectIkeMistakes((_, whole) => {
      free(whole, '198.18.0.9', 'encrypt');
    });
  });

  it.each([
    [
      '203.0.113.1',
      'encrypt',
      'remote: in no ranges of ike.providers: nobody to set up an SA with ("203.0.113.1"): ranges that hold it, or a manual SA',
    ],
    [
      '198.18.0.8',
      'encrypt',
      'remote: no credential for SP "south", and no preshared key for this address ("198.18.0.8"): ike: { credentials: { NAME: { certificate, key } } }, or psks',
    ],
    [
      '192.0.2.9',
      'authenticate',
      'protection: no ESP proposals of SP "north" authenticate ("authenticate"): esp: { authenticate: [...] }',
    ],
  ] as const)('to %s, %s: is not', (remote, protection, mistake) => {
    expectIkeMistakes((_, whole) => {
      free(whole, remote, protection);
    }, `tunnels.free.${mistake}`);
  });

  it('needs a preshared key where that is the method', () => {
    expectIkeMistakes((draft, whole) => {
      draft.providers['north']!.methods = ['psk'];
      Reflect.deleteProperty(draft.providers['north']!, 'anchors');
      free(whole, '192.0.2.9', 'encrypt');
    }, 'tunnels.free.remote: no credential for SP "north", and no preshared key for this address ("192.0.2.9"): ike: { credentials: { NAME: { certificate, key } } }, or psks');
  });

  it('may still have a manual one', () => {
    expectIkeMistakes((draft) => {
      draft.providers['north']!.ranges = ['192.0.2.128/25'];
    });
  });
});
