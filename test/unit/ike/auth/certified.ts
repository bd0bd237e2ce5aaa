// SPDX-License-Identifier: Apache-2.0
/** Peers with certificates of the tests' own authorities. */
import { createHmac, createPrivateKey, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Addresses, PeerIdentity } from '../../../../src/ike/auth/api.js';
import type { Credential, SpTrust, TrustAnchor } from '../../../../src/ike/auth/setup.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { SCHEMES } from '../../../../src/ike/crypto/signatures.js';
import type { Outcome } from '../../../../src/ike/types.js';
import { derOf, type Ca, type Issued } from '../../../lib/pki.js';
import { address, authInput, certificates, peer, trust, type Peer, type World } from './peers.js';

/** A folder that goes when the file's tests are over. */
export function pkiFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ike-auth-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export const anchor = (ca: Ca): TrustAnchor => ({ name: ca.name, certificate: ca.der });

export const credential = (
  leaf: Issued,
  issuers: readonly Issued[] = [],
  more: Partial<Credential> = {},
): Credential => ({
  name: leaf.name,
  chain: [leaf.der, ...issuers.map(({ der }) => der)],
  key: createPrivateKey(readFileSync(leaf.files.key)),
  sps: undefined,
  ocsp: undefined,
  rsaPadding: 'pss',
  ...more,
});

/** RFC 5737 and 3849: A is the one who proves itself, B judges. */
export const A = address('192.0.2.1');
export const B = address('192.0.2.2');
export const AB: Addresses = { local: A, remote: B };

export const SP_A_RANGES = ['192.0.2.0/24', '2001:db8:a::/48'];

/** Judges by one SP's anchors, and knows a second SP with other ranges. */
export function judge(
  anchors: readonly Ca[],
  more: Partial<SpTrust> = {},
  others: readonly Ca[] = [],
  world?: World,
): Peer {
  const sps = [
    trust('sp-a', SP_A_RANGES, { anchors: anchors.map(anchor), ...more }),
    trust('sp-b', ['198.51.100.0/24'], { anchors: others.map(anchor) }),
  ];
  return peer({ sps, credentials: [] }, world);
}

/** Has certificates, and no anchors of its own: it does not judge. */
export const prover = (...credentials: readonly Credential[]): Peer =>
  peer({ sps: [trust('sp-a', SP_A_RANGES), trust('sp-b', ['198.51.100.0/24'])], credentials });

/** CERT payloads of what a rogue shows instead of what it was given. */
export const showing =
  (...ders: readonly Uint8Array[]) =>
  (payloads: readonly Payload[]): readonly Payload[] => [
    ...payloads.filter(({ kind }) => kind !== 'CERT'),
    ...ders.map((data): Payload => ({ kind: 'CERT', encoding: 4, data })),
  ];

export const crlDer = (pem: string): Uint8Array => derOf(pem);

export const subjectOf = ({ der }: Issued): Uint8Array => {
  const subject = certificates.read(der)?.subjectName;
  if (subject === undefined) throw new Error('no certificate');
  return subject;
};

/**
 * A peer at A shows certificates and an identity to B, and signs with the key of the leaf, however weak: none of it
 * is made by what is tested.
 */
export function present(
  { leaf, issuers = [] }: { readonly leaf: Issued; readonly issuers?: readonly Issued[] },
  to: Peer,
  { idType, data }: { readonly idType: number; readonly data: Uint8Array },
  ocsp: readonly Uint8Array[] = [],
): Promise<Outcome<PeerIdentity>> {
  const input = authInput('initiator');
  const identity = Buffer.concat([Buffer.of(idType, 0, 0, 0), data]);
  const restOfId = createHmac('sha256', input.skP).update(identity).digest();
  const octets = Buffer.concat([input.message, input.peerNonce, restOfId]);
  const key = createPrivateKey(readFileSync(leaf.files.key));
  const isEdwards = key.asymmetricKeyType === 'ed25519';
  const scheme = isEdwards
    ? 'ed25519'
    : key.asymmetricKeyType === 'ec'
      ? 'ecdsa-sha256'
      : 'pkcs1-sha256';
  const cert = (encoding: number) => (der: Uint8Array) =>
    ({ kind: 'CERT', encoding, data: der }) as const;
  return to.authenticator.verify({ local: B, remote: A }, input, [
    { kind: 'IDi', idType, reserved: 0, data },
    ...[leaf, ...issuers].map(({ der }) => der).map(cert(4)),
    ...ocsp.map(cert(14)),
    {
      ...{ kind: 'AUTH', method: 14, algorithm: SCHEMES[scheme].identifier },
      data: sign(isEdwards ? null : 'sha256', octets, key),
    },
  ]);
}
