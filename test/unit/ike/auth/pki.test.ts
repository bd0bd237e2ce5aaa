// SPDX-License-Identifier: Apache-2.0
/** The tests' own authorities are what they claim to be, in the eyes of openssl. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  crl,
  issue,
  makeCa,
  ocspResponse,
  opensslVerify,
  revoke,
  type KeyKind,
} from '../../../lib/pki.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pki-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('test authorities', () => {
  test.each<KeyKind>(['p256', 'p384', 'p521', 'rsa-2048', 'rsa-pss-2048', 'ed25519'])(
    'a path with %s keys verifies, and the key belongs to the certificate',
    (key) => {
      const root = makeCa(folder, `root-${key}`, { key });
      const middle = makeCa(folder, `middle-${key}`, { key, issuer: root, pathLength: 0 });
      const leaf = issue(middle, { name: 'pe1', key, ip: ['192.0.2.1', '2001:db8::1'] });
      expect(opensslVerify([root], leaf, { intermediates: [middle] })).toBeUndefined();
      expect(opensslVerify([root], leaf)).toMatch(/unable to get local issuer/);
      const certificate = new X509Certificate(leaf.der);
      expect(certificate.subjectAltName).toMatch(/^IP Address:192.0.2.1, IP Address:2001:DB8:/);
      const keyText = readFileSync(leaf.files.key);
      expect(certificate.checkPrivateKey(createPrivateKey(keyText))).toBe(true);
    },
  );

  test('revocation shows in the CRL and in the OCSP response', () => {
    const root = makeCa(folder, 'revoking');
    const [good, bad] = [issue(root, { name: 'good' }), issue(root, { name: 'bad' })];
    revoke(root, bad);
    const list = crl(root);
    expect(opensslVerify([root], good, { crls: [list] })).toBeUndefined();
    expect(opensslVerify([root], bad, { crls: [list] })).toMatch(/certificate revoked/);
    expect(ocspResponse(root, good).length).toBeGreaterThan(100);
    expect(ocspResponse(root, good)).not.toEqual(ocspResponse(root, bad));
  });

  test('validity is as said', () => {
    const root = makeCa(folder, 'times');
    const day = 86_400_000;
    const past = issue(root, { name: 'past', notBefore: new Date(Date.now() - 9 * day), days: 3 });
    const future = issue(root, { name: 'future', notBefore: new Date(Date.now() + day) });
    expect(opensslVerify([root], past)).toMatch(/certificate has expired/);
    expect(opensslVerify([root], future)).toMatch(/not yet valid/);
    expect(opensslVerify([root], future, { at: new Date(Date.now() + 2 * day) })).toBeUndefined();
  });
});
