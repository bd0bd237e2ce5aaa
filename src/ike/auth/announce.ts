// SPDX-License-Identifier: Apache-2.0
/**
 * What either side says about the methods that it takes: SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4, two octets each)
 * and SUPPORTED_AUTH_METHODS (RFC 9593 §3.2), a list of announcements in order of preference:
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |    Length     |  Auth Method  | Cert Link [>2]| AlgorithmIden-~
 *    ~   tifier [>3]                                                 ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Length counts itself. Two octets for preshared keys; three for the methods of RFC 7296 and RFC 4754; more for
 * method 14. Cert Link is the place of a CA in the sender's CERTREQs, counted from 1, or 0 for all of them.
 */
import { u16, u8 } from '../../lib/octets.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { PayloadOf } from '../codec/payload.js';
import { join } from '../crypto/secret.js';
import {
  AUTH_METHOD,
  HASH_ID,
  SCHEMES,
  unwrapSignature,
  type SchemeName,
} from '../crypto/signatures.js';
import type { AuthClass } from './setup.js';

const NOTHING = new Uint8Array(0);

export const notify = (type: number, data: Uint8Array): PayloadOf<'N'> => ({
  kind: 'N',
  protocol: 0,
  spi: NOTHING,
  notify: type,
  data,
});

/** What we take in signatures, best first. */
export const schemesByClass: Readonly<Record<Exclude<AuthClass, 'psk'>, readonly SchemeName[]>> = {
  ecdsa: ['ecdsa-sha256', 'ecdsa-sha384', 'ecdsa-sha512', 'ecdsa-256', 'ecdsa-384', 'ecdsa-521'],
  ed25519: ['ed25519'],
  rsa: [
    ...(['pss-sha256', 'pss-sha384', 'pss-sha512'] as const),
    ...(['pkcs1-sha256', 'pkcs1-sha384', 'pkcs1-sha512'] as const),
    ...(['rsa-sha256', 'rsa-sha384', 'rsa-sha512'] as const),
  ],
};

export const identifierOf = (name: SchemeName): Buffer | undefined => {
  const scheme = SCHEMES[name];
  return 'identifier' in scheme ? scheme.identifier : undefined;
};

/** The scheme that a DER AlgorithmIdentifier names, of AUTH or of a certificate; undefined: not one of ours. */
export function schemeOfIdentifier(identifier: Uint8Array): SchemeName | undefined {
  if (identifier.length > 0xff) return undefined;
  return unwrapSignature(join(Uint8Array.of(identifier.length), identifier))?.scheme;
}

const HASH_IDS = [HASH_ID.sha256, HASH_ID.sha384, HASH_ID.sha512, HASH_ID.identity];
const HASHES = notify(
  NOTIFY.SIGNATURE_HASH_ALGORITHMS,
  Uint8Array.from(HASH_IDS.flatMap((id) => [id >>> 8, id])),
);
export const hashAlgorithms = (): PayloadOf<'N'> => HASHES;

/** The notification data of {@link hashAlgorithms}, of a peer; an odd octet at the end is left out. */
export const readHashAlgorithms = (data: Uint8Array): readonly number[] =>
  Array.from({ length: data.length >>> 1 }, (_, i) => u16(data, 2 * i));

/** There are few sets of methods, and each IKE SA says one. */
const announced = new Map<string, PayloadOf<'N'>>();

/** @param classes methods that the policy allows; 'psk' only when there is a key for the peer */
export function supportedMethods(classes: readonly AuthClass[]): PayloadOf<'N'> {
  const key = classes.join();
  const known = announced.get(key) ?? announcementOf(classes);
  announced.set(key, known);
  return known;
}

function announcementOf(classes: readonly AuthClass[]): PayloadOf<'N'> {
  const parts = classes.flatMap((name): readonly Uint8Array[] => {
    if (name === 'psk') return [Uint8Array.of(2, AUTH_METHOD.sharedKey)];
    return schemesByClass[name].map((scheme) => announcement(scheme));
  });
  // The three hashes of method 1 are one announcement.
  const once = new Map(parts.map((part) => [Buffer.from(part).toString('hex'), part]));
  return notify(NOTIFY.SUPPORTED_AUTH_METHODS, join(...once.values()));
}

function announcement(name: SchemeName): Uint8Array {
  const identifier = identifierOf(name) ?? Buffer.alloc(0);
  return join(Uint8Array.of(3 + identifier.length, SCHEMES[name].method, 0), identifier);
}

/** What a peer takes. */
export interface Taken {
  readonly psk: boolean;
  /**
   * In the peer's order. `authority`: place in its CERTREQs, from 0; undefined: whatever CA. `scheme` undefined: any
   * of `method`.
   */
  readonly signatures: readonly {
    readonly method: number;
    readonly scheme: SchemeName | undefined;
    readonly authority: number | undefined;
  }[];
}

/** Reads announcements; those that are unknown are skipped, an incomplete one ends the list. */
export function readMethods(data: Uint8Array): Taken {
  const signatures: Taken['signatures'][number][] = [];
  let psk = false;
  for (let at = 0; at < data.length;) {
    const length = u8(data, at);
    if (length < 2 || at + length > data.length) break;
    const method = u8(data, at + 1);
    const link = length > 2 ? u8(data, at + 2) : 0;
    const authority = link === 0 ? undefined : link - 1;
    if (method === AUTH_METHOD.sharedKey) psk = true;
    else if (length <= 3) signatures.push({ method, scheme: undefined, authority });
    else if (method === AUTH_METHOD.digitalSignature) {
      const scheme = schemeOfIdentifier(data.subarray(at + 3, at + length));
      if (scheme !== undefined) signatures.push({ method, scheme, authority });
    }
    at += length;
  }
  return { psk, signatures };
}
