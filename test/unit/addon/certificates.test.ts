// SPDX-License-Identifier: Apache-2.0
/** What the addon reads out of certificates, names, CRLs and OCSP responses, beside what node:crypto reads. */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CertificateTrust } from '../../../src/lib/certificate-api.js';
import { crl, derOf, issue, makeCa, ocspResponse, type Ca, type Issued } from '../../lib/pki.js';
import { addon, refusal } from './helpers.js';

const { certificates } = addon;
let folder: string;
let root: Ca;
let leaf: Issued;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'addon-x509-'));
  root = makeCa(folder, 'root');
  leaf = issue(root, { name: 'pe,1', ip: ['192.0.2.1', '2001:db8::1'], dns: ['PE1.example.net'] });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const trust = (more: Partial<CertificateTrust> = {}): CertificateTrust => ({
  ...{ anchors: [root.der], intermediates: [], crls: [], statusRequired: false, ocspMaxAge: 60 },
  ...more,
});
const now = Math.floor(Date.now() / 1000);

describe('facts', () => {
  test('are those that node:crypto sees', () => {
    const facts = certificates.read(leaf.der);
    const seen = new X509Certificate(leaf.der);
    const key = seen.publicKey.export({ type: 'spki', format: 'der' });
    expect(facts).toMatchObject({
      ...{ subject: 'CN=pe\\,1,O=Sealane test', serial: seen.serialNumber.toLowerCase() },
      ...{
        notBefore: Date.parse(seen.validFrom) / 1000,
        notAfter: Date.parse(seen.validTo) / 1000,
      },
      ...{ isCa: false, dnsNames: ['pe1.example.net'] },
    });
    expect(facts?.keyHash).toEqual(Uint8Array.from(createHash('sha1').update(key).digest()));
    expect(facts?.addresses.map((each) => Buffer.from(each).toString('hex'))).toEqual([
      'c0000201',
      '20010db8000000000000000000000001',
    ]);
    expect(certificates.read(root.der)?.isCa).toBe(true);
  });

  test.each(['p256', 'p384', 'p521', 'rsa-2048', 'ed25519'] as const)(
    'the key is what node:crypto exports as a JSON Web Key: %s',
    (key) => {
      const { der } = issue(root, { name: `key-${key}`, key });
      const { n, e, x, y } = new X509Certificate(der).publicKey.export({ format: 'jwk' });
      const numbers = [n, e, x, y].filter((number) => number !== undefined);
      const read = certificates.read(der)?.key;
      const text = read?.numbers.map((octets) => Buffer.from(octets).toString('base64url'));
      expect(text).toEqual(numbers);
    },
  );

  test('an RSASSA-PSS key has no JSON Web Key', () => {
    const { der } = issue(root, { name: 'pss', key: 'rsa-pss-2048' });
    expect(certificates.read(der)).not.toHaveProperty('key');
  });

  test('names are the same whatever their case and spaces', () => {
    const [one, two, other] = [
      '/O=Sealane  TEST/CN=x',
      '/O=Sealane test/CN=X',
      '/O=Sealane/CN=x',
    ].map((subject, i) => {
      const der = certificates.read(issue(root, { name: `n${i}`, subject }).der)?.subjectName;
      if (der === undefined) throw new Error('no certificate');
      return der;
    });
    if (one === undefined || two === undefined || other === undefined) throw new Error('no name');
    expect(Buffer.compare(one, two)).not.toBe(0);
    expect(certificates.sameName(one, two)).toBe(true);
    expect(certificates.sameName(one, other)).toBe(false);
    expect(certificates.sameName(one, one.subarray(1))).toBe(false);
    expect(certificates.sameName(Buffer.alloc(0), Buffer.alloc(0))).toBe(false);
  });

  test('CRLs and OCSP responses', () => {
    expect(certificates.faultOfCrl(derOf(crl(root)))).toBeUndefined();
    expect(certificates.faultOfCrl(derOf(crl(root, { digest: 'sha1' })))).toMatch(/too weakly/);
    expect(certificates.faultOfCrl(leaf.der)).toMatch(/cannot be read/);
    const until = certificates.ocspUntil(ocspResponse(root, leaf, { minutes: 60 }));
    expect(Math.abs((until ?? 0) - now - 3600)).toBeLessThan(600);
    expect(certificates.ocspUntil(ocspResponse(root, leaf, { minutes: 0 }))).toBe(Infinity);
    expect(certificates.ocspUntil(leaf.der)).toBeUndefined();
  });

  test('a CRL signed with RSASSA-PSS and its default digest is signed too weakly', () => {
    const pss = makeCa(folder, 'pss-root', { key: 'rsa-pss-2048' });
    expect(certificates.faultOfCrl(derOf(crl(pss)))).toBeUndefined();
    expect(certificates.faultOfCrl(derOf(crl(pss, { digest: 'sha1' })))).toMatch(/too weakly/);
  });

  test.each([
    ['an address of five octets', '300787050102030405'],
    ['a DNS name that ends before its end', '30058203610062'],
  ])('a subject alternative name that is no address or no DNS name: %s', async (name, hex) => {
    const extensions = [`subjectAltName=DER:${hex}`];
    const { der } = issue(root, { name, extensions });
    expect(certificates.read(der)).toBeUndefined();
    const question = { certificates: [der], ocsp: [], now };
    expect(await certificates.openStore(trust()).validate(question)).toMatchObject({
      ...{ ok: false, code: 'MALFORMED' },
    });
  });

  test('extensions that cannot be read are none to judge by', () => {
    const extensions = ['2.5.29.19=DER:0500'];
    const { der } = issue(root, { name: 'unreadable', basicConstraints: '', extensions });
    expect(certificates.read(der)).toBeUndefined();
  });

  test('what is too large or broken is no certificate', () => {
    expect(certificates.read(Buffer.concat([leaf.der, Buffer.of(0)]))).toBeUndefined();
    const extensions = [`nsComment=${'x'.repeat(8192)}`];
    const { der } = issue(root, { name: 'large', extensions });
    expect(new X509Certificate(der).subject).toMatch(/CN=large/);
    expect(certificates.read(der)).toBeUndefined();
    expect(certificates.read(Buffer.alloc(0))).toBeUndefined();
  });
});

describe('stores', () => {
  test('say whose anchor it is, and until when', async () => {
    const store = certificates.openStore(
      trust({ anchors: [makeCa(folder, 'other').der, root.der], crls: [derOf(crl(root))] }),
    );
    const verdict = await store.validate({ certificates: [leaf.der], ocsp: [], now });
    expect(verdict).toMatchObject({
      ...{ ok: true, anchor: 1, length: 2 },
      validUntil: certificates.read(leaf.der)?.notAfter,
    });
    const knownUntil = verdict.ok ? verdict.knownUntil : 0;
    expect(Math.abs(knownUntil - now - 23 * 3600)).toBeLessThan(600);
  });

  test('are valid at the time that is asked for', async () => {
    const store = certificates.openStore(trust());
    const judged = async (at: number): Promise<unknown> =>
      store.validate({ certificates: [leaf.der], ocsp: [], now: at });
    const day = 86_400;
    expect(await judged(now)).toMatchObject({ ok: true });
    expect(await judged(now - day)).toMatchObject({ code: 'X509_V_ERR_CERT_NOT_YET_VALID' });
    expect(await judged(now + 31 * day)).toMatchObject({ code: 'X509_V_ERR_CERT_HAS_EXPIRED' });
  });

  test('are valid until the first certificate of the path ends', async () => {
    const brief = makeCa(folder, 'brief', { issuer: root, days: 5 });
    const under = issue(brief, { name: 'under-brief' });
    const shown = [under.der, brief.der];
    const question = { certificates: shown, ocsp: [], now };
    expect(await certificates.openStore(trust()).validate(question)).toMatchObject({
      ...{ ok: true, length: 3, validUntil: certificates.read(brief.der)?.notAfter },
    });
  });

  test('an anchor is no peer, though it be no CA', async () => {
    const keyUsage = 'critical,digitalSignature';
    const { der } = makeCa(folder, 'lone', { basicConstraints: 'CA:false', keyUsage });
    const store = certificates.openStore(trust({ anchors: [root.der, der] }));
    expect(await store.validate({ certificates: [der], ocsp: [], now })).toMatchObject({
      ...{ ok: false, code: 'LEAF_IS_CA' },
    });
  });

  test('an anchor that is not self-signed ends a path, an intermediate does not', async () => {
    const middle = makeCa(folder, 'middle', { issuer: root });
    const below = issue(middle, { name: 'below' });
    const question = { certificates: [below.der], ocsp: [], now };
    const partial = certificates.openStore(trust({ anchors: [middle.der] }));
    expect(await partial.validate(question)).toMatchObject({ ok: true, anchor: 0, length: 2 });
    const whole = certificates.openStore(trust({ intermediates: [middle.der] }));
    expect(await whole.validate(question)).toMatchObject({ ok: true, anchor: 0, length: 3 });
    const stranger = certificates.openStore(
      trust({ anchors: [makeCa(folder, 'stranger').der], intermediates: [middle.der, root.der] }),
    );
    expect(await stranger.validate(question)).toMatchObject({
      ...{ ok: false, code: expect.stringMatching(/SELF_SIGNED|ISSUER_CERT/) as string },
    });
  });

  test('an explicit policy that a CA requires is required', async () => {
    const strict = makeCa(folder, 'strict', {
      issuer: root,
      extensions: [
        'policyConstraints=critical,requireExplicitPolicy:0',
        'certificatePolicies=1.2.3.4',
      ],
    });
    const [without, having] = [
      issue(strict, { name: 'without' }),
      issue(strict, { name: 'having', extensions: ['certificatePolicies=1.2.3.4'] }),
    ];
    const store = certificates.openStore(trust());
    const judged = async (shown: Issued): Promise<unknown> =>
      store.validate({ certificates: [shown.der, strict.der], ocsp: [], now });
    expect(await judged(without)).toMatchObject({
      ok: false,
      code: 'X509_V_ERR_NO_EXPLICIT_POLICY',
    });
    expect(await judged(having)).toMatchObject({ ok: true, length: 3 });
  });

  test('more intermediates than are looked at', async () => {
    let issuer = root;
    const chain: Ca[] = [];
    for (let i = 0; i < 7; i++) {
      issuer = makeCa(folder, `deep${i}`, { issuer });
      chain.push(issuer);
    }
    const store = certificates.openStore(trust());
    const judged = async (last: Ca): Promise<unknown> => {
      const shown = issue(last, { name: `under-${last.name}` });
      const ders = [shown, ...chain].map(({ der }) => der);
      return store.validate({ certificates: ders, ocsp: [], now });
    };
    expect(await judged(chain[5] ?? root)).toMatchObject({ ok: true, length: 8 });
    expect(await judged(issuer)).toMatchObject({
      ok: false,
      code: 'X509_V_ERR_CERT_CHAIN_TOO_LONG',
    });
  });

  test('arguments that do not fit are refused', () => {
    expect(refusal(() => certificates.openStore(trust({ anchors: [Buffer.of(1)] })))).toBe(
      'BAD_ARGUMENT',
    );
    const store = certificates.openStore(trust());
    const many = Array.from({ length: 10 }, () => leaf.der);
    expect(refusal(() => store.validate({ certificates: many, ocsp: [], now }))).toBe(
      'BAD_ARGUMENT',
    );
    expect(refusal(() => store.validate({ certificates: [], ocsp: [], now }))).toBe('BAD_ARGUMENT');
    expect(refusal(() => store.validate({ certificates: [leaf.der], ocsp: [], now: 0.5 }))).toBe(
      'BAD_ARGUMENT',
    );
  });
});
