// SPDX-License-Identifier: Apache-2.0
/** What we prove ourselves with: which certificate, which signature scheme, for what a peer takes. */
import type { KeyObject } from 'node:crypto';
import type { CertificateFacts, CertificateLibrary } from '../../lib/certificate-api.js';
import { formatAddress } from '../../lib/ip.js';
import { authorityHashes } from '../codec/payloads/certificate-request.js';
import type { PayloadOf } from '../codec/payload.js';
import { HASH_ID, keyFits, SCHEMES, type SchemeName } from '../crypto/signatures.js';
import { readMethods, schemesByClass, type Taken } from './announce.js';
import type { PeerAuthHints } from './api.js';
import { readCertificate, type KeyClass } from './certificate.js';
import { AuthSetupError, type Credential } from './setup.js';

/** Certificate encodings (RFC 7296 §3.6) that are used here; all others are ignored, URLs are never fetched. */
export const ENCODING = { x509: 4, ocsp: 14 } as const;

export interface OwnCertificate {
  readonly credential: Credential;
  readonly keyClass: KeyClass;
  /** SHA-1 of SubjectPublicKeyInfo of the chain's issuers, hexadecimal. */
  readonly hashes: readonly string[];
  /** Subject that certified the last of the chain, DER. */
  readonly issuer: Uint8Array;
  /** Seconds since 1970 until which the credential's OCSP response is current. */
  readonly ocspUntil: number;
}

/** Ours, by tunnel address. */
export class Credentials {
  private readonly byAddress = new Map<string, readonly OwnCertificate[]>();

  /** Throws AuthSetupError for what does not fit together. */
  constructor(credentials: readonly Credential[], library: CertificateLibrary | undefined) {
    for (const credential of credentials) {
      if (library === undefined) throw new AuthSetupError('nothing here can read certificates');
      const { leaf, own } = prepare(credential, library);
      for (const ip of leaf.addresses) {
        const key = formatAddress(ip);
        this.byAddress.set(key, [...(this.byAddress.get(key) ?? []), own]);
      }
    }
  }

  /** Those that name a local address (unmapped) and may be shown to an SP. */
  for(local: Uint8Array, sp: string): readonly OwnCertificate[] {
    return (this.byAddress.get(formatAddress(local)) ?? []).filter(
      ({ credential: { sps } }) => sps === undefined || sps.includes(sp),
    );
  }
}

function prepare(
  credential: Credential,
  library: CertificateLibrary,
): { readonly leaf: CertificateFacts; readonly own: OwnCertificate } {
  const { name, chain, key, ocsp } = credential;
  const fail = (what: string): AuthSetupError => new AuthSetupError(`credential ${name}: ${what}`);
  const certificates = chain.map((der) => readCertificate(library, der));
  const [leaf, ...issuers] = certificates;
  if (leaf === undefined) throw fail('no certificate, or one that cannot be read');
  const keyClass = leaf.keyClass;
  if (keyClass === undefined) throw fail('a key that is too weak or of an unknown kind');
  if (!leaf.x509.checkPrivateKey(key)) throw fail('the key is not that of the certificate');
  if (leaf.facts.isCa) throw fail("a CA's certificate");
  if (leaf.facts.addresses.length === 0) {
    throw fail('the certificate names no address (IP SAN)');
  }
  const ocspUntil = ocsp === undefined ? Infinity : library.ocspUntil(ocsp);
  if (ocspUntil === undefined) throw fail('an OCSP response that cannot be read');
  let last = leaf;
  for (const issuer of issuers) {
    if (issuer === undefined) throw fail('a certificate of the chain cannot be read');
    if (!last.x509.checkIssued(issuer.x509)) throw fail('the chain is not in order, leaf first');
    last = issuer;
  }
  const hashes = issuers.flatMap((each) =>
    each === undefined ? [] : Buffer.from(each.facts.keyHash).toString('hex'),
  );
  const issuer = last.facts.issuerName;
  return { leaf: leaf.facts, own: { credential, keyClass, hashes, issuer, ocspUntil } };
}

export interface Choice {
  readonly own: OwnCertificate;
  readonly scheme: SchemeName;
}

/** What a peer wants, in the form that choosing needs. */
export interface Wishes {
  /** Hashes of the CAs that it trusts, hexadecimal, in its order; empty: it did not say. */
  readonly authorities: readonly string[];
  readonly hashes: readonly number[];
  /** RFC 9593; undefined: it did not say. */
  readonly taken: Taken | undefined;
  readonly wantsOcsp: boolean;
}

export function wishesOf(hints: PeerAuthHints): Wishes {
  const of = (encoding: number): readonly PayloadOf<'CERTREQ'>[] =>
    hints.certificateRequests.filter((request) => request.encoding === encoding);
  return {
    authorities: of(ENCODING.x509)
      .flatMap(authorityHashes)
      .map((hash) => Buffer.from(hash).toString('hex')),
    hashes: hints.hashes,
    taken: hints.methods === undefined ? undefined : readMethods(hints.methods),
    wantsOcsp: of(ENCODING.ocsp).length > 0,
  };
}

/**
 * The best of our certificates of one class. A CERTREQ is a hint (RFC 7296 §3.7): with `anyAuthority` one that the
 * peer did not ask for will do.
 * @param isNameOf whether the anchor with a hash has a name: of CAs that are not sent along
 */
export function choose(
  candidates: readonly OwnCertificate[],
  wishes: Wishes,
  isNameOf: (hash: string, name: Uint8Array) => boolean,
  anyAuthority: boolean,
): Choice | undefined {
  for (const own of candidates) {
    const place = wishes.authorities.findIndex(
      (hash) => own.hashes.includes(hash) || isNameOf(hash, own.issuer),
    );
    if (place < 0 && wishes.authorities.length > 0 && !anyAuthority) continue;
    const scheme = chooseScheme(own.credential, own.keyClass, wishes, place);
    if (scheme !== undefined) return { own, scheme };
  }
  return undefined;
}

const HASH_OF = { ...HASH_ID, undefined: HASH_ID.identity } as const;

/**
 * RFC 7427 where the peer has announced hashes, with one of them; the methods of RFC 7296 and RFC 4754 where it has
 * not, or lists them (RFC 9593).
 */
function chooseScheme(
  { key, rsaPadding }: Credential,
  keyClass: OwnCertificate['keyClass'],
  { hashes, taken }: Wishes,
  place: number,
): SchemeName | undefined {
  const possible = ordered(key, keyClass, rsaPadding).filter((name) => {
    const { method, hash } = SCHEMES[name];
    if (!keyFits(name, key)) return false;
    if (method === 14) return hashes.includes(HASH_OF[hash ?? 'undefined']);
    return taken !== undefined || hashes.length === 0;
  });
  if (taken === undefined) return possible[0];
  for (const { method, scheme, authority } of taken.signatures) {
    if (authority !== undefined && authority !== place) continue;
    const found = possible.find((name) =>
      scheme === undefined ? SCHEMES[name].method === method : scheme === name,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Schemes of a key in our order of preference: the hash as strong as the curve, the padding as configured. */
function ordered(
  key: KeyObject,
  keyClass: OwnCertificate['keyClass'],
  rsaPadding: Credential['rsaPadding'],
): readonly SchemeName[] {
  const schemes = schemesByClass[keyClass];
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  const first: Readonly<Record<string, SchemeName>> = {
    secp384r1: 'ecdsa-sha384',
    secp521r1: 'ecdsa-sha512',
  };
  const isFirst = (name: SchemeName): boolean =>
    name === first[curve] || (keyClass === 'rsa' && name.startsWith(rsaPadding));
  return [...schemes.filter(isFirst), ...schemes.filter((name) => !isFirst(name))];
}
