// SPDX-License-Identifier: Apache-2.0
/**
 * Rogue certificates: no SA, a counter and a log line each. `openssl verify` is asked as well: 'good' marks what is
 * wrong only in the eyes of IKE or of this project's rules.
 */
import { describe, expect, test } from 'vitest';
import { crl, makeCa, revoke, type Ca, type Issued } from '../../../lib/pki.js';
import { Yard, IP, type Rogue } from './yard.js';

const yard = new Yard();
const DAY = 86_400_000;
const chain = (leaf: Issued, ...issuers: readonly Ca[]): Rogue => ({ leaf, issuers });

type Case = readonly [
  name: string,
  counter: string,
  reason: RegExp,
  openssl: 'bad' | 'good',
  make: () => Rogue,
];

const BAD: readonly Case[] = [
  [
    'an unknown CA',
    'cert_untrusted',
    /no path/,
    'bad',
    () => ({ leaf: yard.leaf({}, yard.foreign) }),
  ],
  [
    'a self-signed certificate',
    'cert_untrusted',
    /no path/,
    'bad',
    () => ({ leaf: yard.ca({ ip: IP, basicConstraints: 'CA:false' }) }),
  ],
  [
    'expired',
    'cert_expired',
    /expired/,
    'bad',
    () => ({ leaf: yard.leaf({ notBefore: new Date(Date.now() - 9 * DAY), days: 3 }) }),
  ],
  [
    'not yet valid',
    'cert_expired',
    /not yet valid/,
    'bad',
    () => ({ leaf: yard.leaf({ notBefore: new Date(Date.now() + DAY) }) }),
  ],
  [
    'an issuer that has expired',
    'cert_expired',
    /expired/,
    'bad',
    () => yard.below({ notBefore: new Date(Date.now() - 9 * DAY), days: 3 }),
  ],
  [
    'revoked',
    'cert_revoked',
    /a CRL/,
    'bad',
    () => {
      const ca = yard.ca();
      const leaf = yard.leaf({}, ca);
      revoke(ca, leaf);
      return { leaf, anchors: [ca, yard.root], crls: [crl(ca)] };
    },
  ],
  [
    'an issuer that is revoked',
    'cert_revoked',
    /a CRL/,
    'bad',
    () => {
      const top = yard.ca();
      const ca = yard.caUnder(top);
      revoke(top, ca);
      return {
        ...chain(yard.leaf({}, ca), ca),
        anchors: [top, yard.root],
        crls: [crl(top), crl(ca)],
      };
    },
  ],
  [
    'only for TLS servers',
    'cert_wrong_usage',
    /extended key usage/,
    'good',
    () => ({ leaf: yard.leaf({ eku: 'serverAuth,clientAuth' }) }),
  ],
  [
    'under an issuer only for TLS',
    'cert_wrong_usage',
    /extended key usage/,
    'good',
    () => yard.below({ eku: 'serverAuth' }),
  ],
  [
    'only for encryption',
    'cert_wrong_usage',
    /key usage/,
    'good',
    () => ({ leaf: yard.leaf({ keyUsage: 'critical,keyEncipherment,dataEncipherment' }) }),
  ],
  [
    "a CA's certificate",
    'cert_wrong_usage',
    /CA's certificate/,
    'good',
    () => ({ leaf: yard.caUnder(yard.root, { ip: IP }) }),
  ],
  [
    'a leaf as CA',
    'cert_wrong_usage',
    /no CA/,
    'bad',
    () => {
      const evil = yard.leaf({});
      return { leaf: yard.leaf({}, yard.asCa(evil)), issuers: [evil] };
    },
  ],
  [
    'a leaf as CA that may sign certificates',
    'cert_wrong_usage',
    /no CA/,
    'bad',
    () => {
      const evil = yard.leaf({ keyUsage: 'keyCertSign,digitalSignature', basicConstraints: '' });
      return { leaf: yard.leaf({}, yard.asCa(evil)), issuers: [evil] };
    },
  ],
  [
    'a CA that may not sign certificates',
    'cert_wrong_usage',
    /may not sign/,
    'bad',
    () => yard.below({ keyUsage: 'critical,cRLSign' }),
  ],
  [
    'a CA without key usages',
    'cert_wrong_usage',
    /key usage/,
    'bad',
    () => yard.below({ keyUsage: '' }),
  ],
  [
    'a CA that is one by an extension that is not critical',
    'cert_wrong_usage',
    /not marked critical/,
    'bad',
    () => yard.below({ basicConstraints: 'CA:true' }),
  ],
  [
    'a path that is too long',
    'cert_wrong_usage',
    /path length/,
    'bad',
    () => {
      const one = yard.caUnder(yard.root, { pathLength: 0 });
      const two = yard.caUnder(one);
      return chain(yard.leaf({}, two), two, one);
    },
  ],
  [
    'an address outside of the constraints',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () => yard.below({ nameConstraints: 'critical,permitted;IP:198.51.100.0/255.255.255.0' }),
  ],
  [
    'an address that is excluded',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () => yard.below({ nameConstraints: 'excluded;IP:192.0.2.0/255.255.255.128' }),
  ],
  [
    'an address among others outside',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () =>
      yard.below(
        { nameConstraints: 'permitted;IP:192.0.2.0/255.255.255.0' },
        { ip: [...IP, '198.51.100.1'] },
      ),
  ],
  [
    'constraints that one below cannot widen',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () => {
      const one = yard.caUnder(yard.root, {
        nameConstraints: 'critical,permitted;IP:198.51.100.0/255.255.255.0',
      });
      const two = yard.caUnder(one, { nameConstraints: 'critical,permitted;IP:0.0.0.0/0.0.0.0' });
      return chain(yard.leaf({}, two), two, one);
    },
  ],
  [
    'an intermediate outside of the constraints, the leaf inside',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () => {
      const nameConstraints = ['nameConstraints=critical,permitted;dirName:only', '[only]'];
      const one = yard.caUnder(yard.root, { extensions: [...nameConstraints, 'O=Sealane test'] });
      const two = yard.caUnder(one, { subject: '/O=Another/CN=two' });
      return chain(yard.leaf({}, two), two, one);
    },
  ],
  [
    'an issuer of the same name and key that is not the one it names',
    'cert_untrusted',
    /no path/,
    'bad',
    () => {
      const one = yard.caUnder(yard.root, { keyIds: false });
      const subject = `/O=Sealane test/CN=${one.name}`;
      const two = yard.caUnder(yard.root, { keyIds: false, subject, keyFile: one.files.key });
      const extensions = ['authorityKeyIdentifier=issuer:always'];
      return chain(yard.leaf({ keyIds: false, extensions }, one), two);
    },
  ],
  [
    'constraints of the anchor itself',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () => {
      const ca = yard.ca({
        nameConstraints: 'critical,permitted;IP:198.51.100.0/255.255.255.0',
      });
      return { leaf: yard.leaf({}, ca), anchors: [ca, yard.root] };
    },
  ],
  [
    'a DNS name outside',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () =>
      yard.below({ nameConstraints: 'permitted;DNS:example.net' }, { dns: ['pe.notexample.net'] }),
  ],
  [
    'a DNS name that is excluded',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () => yard.below({ nameConstraints: 'excluded;DNS:example.net' }, { dns: ['pe.Example.NET'] }),
  ],
  [
    'a subject outside',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () =>
      yard.below({
        extensions: ['nameConstraints=critical,permitted;dirName:only', '[only]', 'O=Another'],
      }),
  ],
  [
    'a mail address outside',
    'cert_wrong_usage',
    /name constraints/,
    'bad',
    () =>
      yard.below(
        { nameConstraints: 'permitted;email:example.net' },
        { extensions: [], subject: '/O=Sealane test/emailAddress=a@evil.example/CN=x' },
      ),
  ],
  [
    'an RSA key of 1024 bits',
    'cert_weak',
    /too weak/,
    'bad',
    () => ({ leaf: yard.leaf({ key: 'rsa-1024' }) }),
  ],
  [
    'an issuer with an RSA key of 1024 bits',
    'cert_weak',
    /key/,
    'bad',
    () => yard.below({ key: 'rsa-1024' }),
  ],
  [
    'a signature with SHA-1',
    'cert_weak',
    /algorithm/,
    'bad',
    () => ({ leaf: yard.leaf({ digest: 'sha1' }) }),
  ],
  [
    'a critical extension that nobody knows',
    'cert_wrong_usage',
    /1\.2\.3\.4/,
    'bad',
    () => ({ leaf: yard.leaf({ extensions: ['1.2.3.4=critical,ASN1:NULL'] }) }),
  ],
  [
    'an issuer with a critical extension that nobody knows',
    'cert_wrong_usage',
    /1\.2\.3\.4/,
    'bad',
    () => yard.below({ extensions: ['1.2.3.4=critical,ASN1:NULL'] }),
  ],
  [
    'the name of the CA, but not its key',
    'cert_untrusted',
    /./,
    'bad',
    () => {
      const fake = yard.ca({ subject: '/O=Sealane test/CN=yard.root' });
      return { leaf: yard.leaf({ extensions: [] }, fake), issuers: [fake] };
    },
  ],
  [
    'a signature by another key, the key identifiers alike',
    'cert_untrusted',
    /signature/,
    'good',
    () => {
      const leaf = yard.leaf({});
      const der = Buffer.from(leaf.der);
      der[der.length - 3] = (der[der.length - 3] ?? 0) ^ 1;
      return { leaf: { ...leaf, der } };
    },
  ],
  [
    'CAs that certify each other',
    'cert_untrusted',
    /no path/,
    'bad',
    () => {
      const one = yard.ca();
      const two = yard.ca();
      const oneByTwo = makeCa(yard.folder, `${one.name}x`, {
        issuer: two,
        keyFile: one.files.key,
        subject: `/O=Sealane test/CN=${one.name}`,
      });
      const twoByOne = makeCa(yard.folder, `${two.name}x`, {
        issuer: one,
        keyFile: two.files.key,
        subject: `/O=Sealane test/CN=${two.name}`,
      });
      return chain(yard.leaf({}, one), oneByTwo, twoByOne);
    },
  ],
];

describe('rogue certificates', () => {
  test.each(BAD)('%s: %s', async (_, counter, reason, openssl, make) => {
    const rogue = make();
    expect(yard.openssl(rogue) === undefined ? 'good' : 'bad').toBe(openssl);
    const to = yard.judgeOf(rogue);
    const outcome = await yard.tryIt(rogue, to);
    expect(outcome).toMatchObject({
      ok: false,
      failure: {
        code: 'AUTHENTICATION_FAILED',
        by: 'us',
        reason: expect.stringMatching(reason) as string,
      },
    });
    expect(to.world.counted).toEqual({ [counter]: 1 });
    expect(to.world.lines).toHaveLength(1);
    expect(to.world.lines[0]).toMatch(
      /peer refused: .*peer=192\.0\.2\.1 .*subject=.*serial=[0-9a-f]+/,
    );
  });
});
