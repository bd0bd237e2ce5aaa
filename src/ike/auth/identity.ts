// SPDX-License-Identifier: Apache-2.0
/** Identification payloads (RFC 7296 §3.5): ours is the tunnel address, the peer's must come to its address. */
import { join } from '../crypto/secret.js';
import type { Identification } from '../codec/payloads/identification.js';
import type { PayloadOf } from '../codec/payload.js';
import type { Role } from '../types.js';
import { unmapped } from './prefix-map.js';

export const ID_TYPE = { ipv4: 1, fqdn: 2, ipv6: 5, dn: 9 } as const;

/** Body of the payload as it is on the wire: type, three reserved octets, data. AUTH covers it. */
export const bodyOf = ({ idType, reserved, data }: Identification): Buffer =>
  join(Uint8Array.of(idType, reserved >>> 16, reserved >>> 8, reserved), data);

/** IDi or IDr that says the address. */
export function identityOf(role: Role, address: Uint8Array): PayloadOf<'IDi' | 'IDr'> {
  const data = unmapped(address);
  const idType = data.length === 4 ? ID_TYPE.ipv4 : ID_TYPE.ipv6;
  return { kind: role === 'initiator' ? 'IDi' : 'IDr', idType, reserved: 0, data };
}

/** The address that an identity is; undefined: it is of another type. */
export function addressOf({ idType, data }: Identification): Uint8Array | undefined {
  const isAddress =
    (idType === ID_TYPE.ipv4 && data.length === 4) ||
    (idType === ID_TYPE.ipv6 && data.length === 16);
  return isAddress ? unmapped(data) : undefined;
}
