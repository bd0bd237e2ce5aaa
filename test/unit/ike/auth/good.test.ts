// SPDX-License-Identifier: Apache-2.0
/** Certificates that both openssl and we take. */
import { describe, expect, test } from 'vitest';
import { crl, issue, revoke, type Ca, type Issued } from '../../../lib/pki.js';
import { Yard, type Rogue } from './yard.js';

const yard = new Yard();
const chain = (leaf: Issued, ...issuers: readonly Ca[]): Rogue => ({ leaf, issuers });

const GOOD: readonly (readonly [string, () => Rogue])[] = [
  ['a leaf under the yard.root', () => ({ leaf: yard.leaf({}) })],
  [
    'a path of four',
    () => {
      const one = yard.caUnder(yard.root, { pathLength: 1 });
      const two = yard.caUnder(one, { pathLength: 0 });
      return chain(yard.leaf({}, two), two, one);
    },
  ],
  [
    'intermediates in any order, and one that is not needed',
    () => {
      const one = yard.caUnder(yard.root);
      const two = yard.caUnder(one);
      return chain(yard.leaf({}, two), one, yard.caUnder(yard.foreign), two);
    },
  ],
  ['no key usages at all', () => ({ leaf: yard.leaf({ eku: '', keyUsage: '' }) })],
  ['nonRepudiation alone', () => ({ leaf: yard.leaf({ keyUsage: 'nonRepudiation' }) })],
  ['anyExtendedKeyUsage', () => ({ leaf: yard.leaf({ eku: 'anyExtendedKeyUsage,serverAuth' }) })],
  [
    'an anchor that is only for TLS',
    () => {
      const ca = yard.ca({ eku: 'serverAuth' });
      return { leaf: yard.leaf({}, ca), anchors: [ca, yard.root] };
    },
  ],
  [
    'ipsecIKE among others, critical',
    () => ({ leaf: yard.leaf({ eku: 'critical,serverAuth,ipsecIKE' }) }),
  ],
  [
    'other extensions that are not critical',
    () => ({ leaf: yard.leaf({ extensions: ['1.2.3.4=ASN1:NULL'] }) }),
  ],
  [
    'policies',
    () => ({ leaf: yard.leaf({ extensions: ['certificatePolicies=critical,1.2.3.4'] }) }),
  ],
  [
    'names within constraints',
    () =>
      yard.below(
        {
          nameConstraints:
            'critical,permitted;IP:192.0.2.0/255.255.255.0,permitted;DNS:example.net,excluded;DNS:bad.example.net',
        },
        { dns: ['pe1.example.net'] },
      ),
  ],
  [
    'a subject within constraints',
    () =>
      yard.below(
        {
          extensions: [
            'nameConstraints=critical,permitted;dirName:only',
            '[only]',
            'O=Sealane test',
          ],
        },
        { subject: '/O=SEALANE  Test/CN=pe' },
      ),
  ],
  [
    'RSA, P-384, P-521 and Ed25519 issuers',
    () => {
      const one = yard.caUnder(yard.root, { key: 'rsa-3072' });
      const two = yard.caUnder(one, { key: 'p384', digest: 'sha512' });
      const three = yard.caUnder(two, { key: 'p521' });
      const four = yard.caUnder(three, { key: 'ed25519' });
      return chain(yard.leaf({}, four), four, three, two, one);
    },
  ],
  [
    'an RSA-PSS issuer',
    () => yard.below({ key: 'rsa-pss-2048' }, { sigopt: 'rsa_pss_saltlen:digest' }),
  ],
  [
    'not on the CRL',
    () => {
      const ca = yard.ca();
      revoke(ca, issue(ca, { name: 'another' }));
      return { leaf: yard.leaf({}, ca), anchors: [ca, yard.root], crls: [crl(ca)] };
    },
  ],
];

describe('good certificates', () => {
  test.each(GOOD)('%s', async (_, make) => {
    const rogue = make();
    expect(yard.openssl(rogue)).toBeUndefined();
    const outcome = await yard.tryIt(rogue);
    expect(outcome.ok ? 'taken' : outcome.failure.reason).toBe('taken');
  });
});
