// SPDX-License-Identifier: Apache-2.0
/** What the exchanges of one opening share. */
import type { Addresses } from '../auth/api.js';
import type { Channel } from '../channel/api.js';
import type { ChildAgreement } from '../child/api.js';
import type { Cancellation } from '../crypto/api.js';
import type { CryptoError } from '../crypto/result.js';
import type { PeerPolicy } from '../policy.js';
import { bad, type IkeEnvironment, type IkeFailure } from '../types.js';
import type { OpenEnvironment } from './types.js';

export interface OpenContext {
  readonly env: OpenEnvironment;
  readonly agreement: ChildAgreement;
  readonly policy: PeerPolicy;
  readonly addresses: Addresses;
  readonly channel: Channel;
  /** Aborted when the opening has come to an end, from whatever side: nothing may be done any more. */
  readonly signal: Cancellation;
}

/** Asked after every await: a property alone would be taken for what it was before. */
export const isOver = (signal: Cancellation): boolean => signal.aborted;

interface Bad {
  readonly ok: false;
  readonly failure: IkeFailure;
}

export const closed = (): Bad => bad('CLOSED', 'us', 'closed while it was opened');

/** Why a key exchange failed, and its counter. */
export function exchangeFailure(
  count: IkeEnvironment['count'],
  { code, message }: CryptoError,
): Bad {
  switch (code) {
    case 'LENGTH':
    case 'PUBLIC_VALUE':
      count('ke_refused');
      return bad('INVALID_SYNTAX', 'us', `key exchange data: ${message}`);
    case 'CANCELLED':
      return closed();
    case 'BUSY':
      return bad('BUSY', 'us', message);
    default:
      return bad('INTERNAL', 'us', message);
  }
}
