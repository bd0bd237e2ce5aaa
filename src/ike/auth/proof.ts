// SPDX-License-Identifier: Apache-2.0
/** AUTH payloads: computed (RFC 7296 §2.15, RFC 7427 §3). */
import type { Payload, PayloadOf } from '../codec/payload.js';
import type { Identification } from '../codec/payloads/identification.js';
import type { IkeCrypto } from '../crypto/api.js';
import { SCHEMES } from '../crypto/signatures.js';
import { bad, good, type Outcome } from '../types.js';
import { identifierOf } from './announce.js';
import type { AuthInput } from './api.js';
import type { Choice } from './credentials.js';
import { bodyOf } from './identity.js';

/** What an AUTH covers. */
export function signedBy(crypto: IkeCrypto, input: AuthInput, id: Identification): Buffer {
  const { prf, message, peerNonce, skP, intAuth } = input;
  const signer = { message, peerNonce, skP, identity: bodyOf(id), intAuth };
  return crypto.kdf.signedOctets(prf, signer);
}

/** Authentication Data of a preshared key. */
export const pskProof = (
  crypto: IkeCrypto,
  input: AuthInput,
  id: Identification,
  key: Uint8Array,
): Buffer => crypto.kdf.pskAuth(input.prf, key, signedBy(crypto, input, id));

/** 'BUSY' when the crypto has no room, 'INTERNAL' when the key does not work. */
export async function signatureProof(
  crypto: IkeCrypto,
  input: AuthInput,
  id: PayloadOf<'IDi' | 'IDr'>,
  { own, scheme }: Choice,
): Promise<Outcome<Payload>> {
  const octets = signedBy(crypto, input, id);
  const result = await crypto.signatures.sign(scheme, own.credential.key, octets);
  if (!result.ok) {
    const code = result.error.code === 'KEY' ? 'INTERNAL' : 'BUSY';
    return bad(code, 'us', `cannot sign with ${own.credential.name}: ${result.error.message}`);
  }
  const algorithm = identifierOf(scheme);
  const { method } = SCHEMES[scheme];
  const data = result.value;
  return good(
    algorithm === undefined
      ? { kind: 'AUTH', method, data }
      : { kind: 'AUTH', method, algorithm, data },
  );
}
