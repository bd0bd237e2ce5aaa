// SPDX-License-Identifier: Apache-2.0
/**
 * Postquantum preshared keys (RFC 8784). Data of PPK_IDENTITY in a request (§5.1), empty in a response:
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | PPK_ID Type=2 | PPK_ID, PPK_ID_FIXED: an octet string         ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * NO_PPK_AUTH has the Authentication Data that AUTH would have without the PPK: the body of an AUTH payload behind
 * its method and reserved octets; the method is that of the AUTH payload beside it.
 */
import { ByteWriter } from '../../lib/octets.js';
import { isFault } from '../codec/fault.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import { authentication } from '../codec/payloads/authentication.js';
import { join } from '../crypto/secret.js';
import type { Ppk } from '../policy.js';
import { notifyOf } from './payloads.js';

const PPK_ID_FIXED = 2;
/** Method and RESERVED in front of Authentication Data. */
const AUTH_LEAD = 4;

export const ppkIdentity = ({ id }: Ppk): Payload =>
  notifyOf(NOTIFY.PPK_IDENTITY, join(Uint8Array.of(PPK_ID_FIXED), id));

/** Whether the data of a PPK_IDENTITY name this PPK. */
export const namesPpk = (data: Uint8Array, { id }: Ppk): boolean =>
  data[0] === PPK_ID_FIXED && Buffer.compare(data.subarray(1), id) === 0;

/** NO_PPK_AUTH made of the AUTH payload that was computed without the PPK. */
export function noPpkAuth(auth: PayloadOf<'AUTH'>): Payload {
  const writer = new ByteWriter();
  authentication.encode(auth, writer);
  return notifyOf(NOTIFY.NO_PPK_AUTH, writer.slice(AUTH_LEAD));
}

/** The AUTH payload that a NO_PPK_AUTH stands for; undefined when it cannot be one. */
export function authWithoutPpk(method: number, data: Uint8Array): PayloadOf<'AUTH'> | undefined {
  const body = join(Uint8Array.of(method, 0, 0, 0), data);
  const decoded = authentication.decode(body, 0, body.length, 0);
  return isFault(decoded) ? undefined : { kind: 'AUTH', ...decoded };
}

/** What a responder knows when it gets the IKE_AUTH request. */
export interface PpkCase {
  /** USE_PPK came in IKE_SA_INIT and PPK_IDENTITY in IKE_AUTH. */
  readonly isOffered: boolean;
  /** NO_PPK_AUTH came: the initiator goes on without if it must. */
  readonly isOptionalThere: boolean;
  /** We have the PPK that is named, or any, when none is named. */
  readonly isConfigured: boolean;
  readonly isRequiredHere: boolean;
}

/** Table 1 of RFC 8784 §3, row by row. 'abort' is answered by AUTHENTICATION_FAILED. */
export function judgePpk(ppk: PpkCase): 'use' | 'without' | 'abort' {
  const { isOffered, isOptionalThere, isConfigured, isRequiredHere } = ppk;
  if (!isOffered) return isConfigured && isRequiredHere ? 'abort' : 'without';
  if (isConfigured) return 'use';
  return isOptionalThere && !isRequiredHere ? 'without' : 'abort';
}
