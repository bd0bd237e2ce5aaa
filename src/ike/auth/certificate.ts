// SPDX-License-Identifier: Apache-2.0
/** A certificate with its key: what it says by the addon's OpenSSL, the key by node:crypto, which works with it. */
import { X509Certificate, type KeyObject } from 'node:crypto';
import type { CertificateFacts, CertificateLibrary } from '../../lib/certificate-api.js';
import { keyFits } from '../crypto/signatures.js';
import type { AuthClass } from './setup.js';

export type KeyClass = Exclude<AuthClass, 'psk'>;

export interface Certificate {
  readonly facts: CertificateFacts;
  readonly x509: X509Certificate;
  readonly key: KeyObject;
  /** undefined: of a kind or size that nothing may be signed with. */
  readonly keyClass: KeyClass | undefined;
}

/** undefined: not a certificate, or none that can be read. */
export function readCertificate(
  library: Pick<CertificateLibrary, 'read'>,
  der: Uint8Array,
): Certificate | undefined {
  const facts = library.read(der);
  const keyed = facts && keyOf(der);
  return keyed && { facts, ...keyed };
}

/** undefined: node:crypto cannot read it, or does not know the key. */
export function keyOf(der: Uint8Array): Omit<Certificate, 'facts'> | undefined {
  try {
    const x509 = new X509Certificate(der);
    const key = x509.publicKey;
    return { x509, key, keyClass: classOf(key) };
  } catch {
    return undefined;
  }
}

function classOf(key: KeyObject): KeyClass | undefined {
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return keyFits('pss-sha256', key) ? 'rsa' : undefined;
    case 'ec':
      return keyFits('ecdsa-sha256', key) ? 'ecdsa' : undefined;
    case 'ed25519':
      return 'ed25519';
    default:
      return undefined;
  }
}
