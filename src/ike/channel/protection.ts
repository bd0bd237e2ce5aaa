// SPDX-License-Identifier: Apache-2.0
/** The keys of an IKE SA as its channel uses them: from one `protect` to the next. */
import type { IkeFault } from '../codec/fault.js';
import type { HeaderFields } from '../codec/header.js';
import type { Payload } from '../codec/payload.js';
import type { IkeCrypto } from '../crypto/api.js';
import type { Suite } from '../crypto/algorithms.js';
import type { Opener, Sealer } from '../crypto/protect.js';
import type { ChannelKeys, Sent } from './api.js';
import { decrypt, type ProtectedMessage } from './open.js';
import type { Transmission } from './outgoing.js';
import { sealMessage } from './seal.js';

export const NOTHING_SENT: Sent = { octets: new Uint8Array(0) };

export class Protection {
  /** Counts keys: what was made by older ones cannot be checked any more. */
  readonly epoch: number;
  readonly #suite: Suite;
  readonly #sealer: Sealer;
  readonly #opener: Opener;

  /** Copies `keys`. @param firstIv of keys that have sealed before */
  constructor(crypto: IkeCrypto, keys: ChannelKeys, epoch: number, firstIv: bigint | undefined) {
    this.epoch = epoch;
    this.#suite = keys.suite;
    this.#sealer = crypto.sealer(keys.suite, keys.send, firstIv);
    this.#opener = crypto.opener(keys.suite, keys.receive);
  }

  get nextIv(): bigint {
    return this.#sealer.nextIv;
  }

  /** A copy, which its receiver wipes. */
  copyKeys(): ChannelKeys {
    return {
      suite: this.#suite,
      send: this.#sealer.copyKeys(),
      receive: this.#opener.copyKeys(),
    };
  }

  /** @returns undefined when the IVs are spent */
  seal(
    header: HeaderFields,
    payloads: readonly Payload[],
    room: number | undefined,
  ): Transmission | undefined {
    const sealed = sealMessage(this.#sealer, header, payloads, room);
    if (sealed === undefined) return undefined;
    const { datagrams, intermediate } = sealed;
    const sent = intermediate === undefined ? NOTHING_SENT : { intermediate, ...NOTHING_SENT };
    return { datagrams, sent };
  }

  decrypt(message: ProtectedMessage): Uint8Array | IkeFault | 'forged' {
    return decrypt(this.#opener, message);
  }

  wipe(): void {
    this.#sealer.wipe();
    this.#opener.wipe();
  }
}
