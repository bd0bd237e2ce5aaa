// SPDX-License-Identifier: Apache-2.0
/** A certificate with its key: what it says by the addon's OpenSSL, the key by node:crypto, which works with it. */
import { createPublicKey, type JsonWebKey, X509Certificate, type KeyObject } from 'node:crypto';
import type {
  CertificateFacts,
  CertificateKey,
  CertificateLibrary,
} from '../../lib/certificate-api.js';
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

export interface PeerKey {
  readonly key: KeyObject;
  readonly keyClass: KeyClass;
}

/**
 * The key of a certificate that was found good. undefined: too weak, or of a kind that is not used. As a JSON Web Key it
 * is read in 0.01 ms, where a whole certificate takes 0.2 ms and SubjectPublicKeyInfo 0.09 ms.
 */
export function peerKeyOf({ key }: CertificateFacts, der: Uint8Array): PeerKey | undefined {
  // RSASSA-PSS keys have no JSON Web Key.
  const found = key === undefined ? keyOf(der)?.key : imported(key);
  const keyClass = found && classOf(found);
  return found === undefined || keyClass === undefined ? undefined : { key: found, keyClass };
}

function imported({ kind, numbers }: CertificateKey): KeyObject | undefined {
  const [first, second] = numbers.map((octets) => Buffer.from(octets).toString('base64url'));
  try {
    return createPublicKey({ key: webKeyOf(kind, first, second), format: 'jwk' });
  } catch {
    return undefined;
  }
}

function webKeyOf(kind: CertificateKey['kind'], first = '', second = ''): JsonWebKey {
  if (kind === 'RSA') return { kty: 'RSA', n: first, e: second };
  if (kind === 'Ed25519') return { kty: 'OKP', crv: kind, x: first };
  return { kty: 'EC', crv: kind, x: first, y: second };
}

/** undefined: node:crypto cannot read it, or does not know the key. */
function keyOf(der: Uint8Array): Omit<Certificate, 'facts'> | undefined {
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
