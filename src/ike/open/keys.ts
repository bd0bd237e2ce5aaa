// SPDX-License-Identifier: Apache-2.0
/** The keys of an IKE SA while it is opened: they change with each IKE_INTERMEDIATE (RFC 9370 §2.2.2). */
import type { KeMethodId, Suite } from '../crypto/algorithms.js';
import type { Kdf } from '../crypto/api.js';
import { type IkeKeys, type Nonces, type Spis, wipeIkeKeys } from '../crypto/kdf.js';
import { join, wipe } from '../crypto/secret.js';
import type { ChannelKeys, IntermediateParts } from '../channel/api.js';
import type { Role } from '../types.js';

/** An SPI as the eight octets that keys are derived with. */
export function spiOctets(spi: bigint): Buffer {
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(spi);
  return octets;
}

export class KeySchedule {
  readonly suite: Suite;
  readonly nonces: Nonces;
  /** Methods used so far, in order. */
  readonly methods: KeMethodId[];
  readonly #kdf: Kdf;
  readonly #spis: Spis;
  #keys: IkeKeys;
  /** IntAuth_i and IntAuth_r of the IKE_INTERMEDIATEs so far (RFC 9242 §3.3.2). */
  #chains: { readonly initiator: Buffer; readonly responder: Buffer } | undefined;

  /** After IKE_SA_INIT. Wipes `shared`. */
  constructor(
    kdf: Kdf,
    suite: Suite,
    init: { readonly nonces: Nonces; readonly spis: Spis; readonly method: KeMethodId },
    shared: Buffer,
  ) {
    this.#kdf = kdf;
    this.suite = suite;
    this.nonces = init.nonces;
    this.#spis = init.spis;
    this.methods = [init.method];
    const seed = kdf.initialSkeyseed(suite.prf, init.nonces, shared);
    this.#keys = kdf.ikeKeys(suite, seed, init.nonces, init.spis);
    wipe(seed, shared);
  }

  /** The schedule's own: not to be wiped, nor kept over the next change. */
  get keys(): IkeKeys {
    return this.#keys;
  }

  /** After an IKE_INTERMEDIATE with a key exchange. Wipes `shared`. */
  advance(method: KeMethodId, shared: Buffer): void {
    const { prf } = this.suite;
    const seed = this.#kdf.nextSkeyseed(prf, this.#keys.d, this.nonces, shared);
    const keys = this.#kdf.ikeKeys(this.suite, seed, this.nonces, this.#spis);
    wipeIkeKeys(this.#keys);
    this.#keys = keys;
    this.methods.push(method);
    wipe(seed, shared);
  }

  /** Adds an IKE_INTERMEDIATE to what AUTH covers; before {@link advance}, with the keys that protected it. */
  cover(request: IntermediateParts, response: IntermediateParts): void {
    const { prf } = this.suite;
    const { pi, pr } = this.#keys;
    const before = this.#chains;
    this.#chains = {
      initiator: this.#kdf.intAuth(prf, pi, before?.initiator, request.a, request.p),
      responder: this.#kdf.intAuth(prf, pr, before?.responder, response.a, response.p),
    };
  }

  /** IntAuth_iN | IntAuth_rN | IKE_AUTH message ID; undefined when there was no IKE_INTERMEDIATE. */
  intAuth(messageId: number): Buffer | undefined {
    if (this.#chains === undefined) return undefined;
    const id = Buffer.alloc(4);
    id.writeUInt32BE(messageId);
    return join(this.#chains.initiator, this.#chains.responder, id);
  }

  /** For the channel, which copies them. */
  channelKeys(role: Role): ChannelKeys {
    const { ei, ai, er, ar } = this.#keys;
    const initiator = { encryption: ei, integrity: ai };
    const responder = { encryption: er, integrity: ar };
    const [send, receive] = role === 'initiator' ? [initiator, responder] : [responder, initiator];
    return { suite: this.suite, send, receive };
  }

  /** RFC 8784 §3: the keys mixed with a postquantum preshared key; the caller wipes them. */
  mixed(ppk: Uint8Array): IkeKeys {
    return this.#kdf.mixPpk(this.suite.prf, this.#keys, ppk);
  }

  wipe(): void {
    wipeIkeKeys(this.#keys);
  }
}
