// SPDX-License-Identifier: Apache-2.0
/** Agreeing on a child SA, in IKE_AUTH and CREATE_CHILD_SA alike: payloads SA, TSi, TSr and the notifies beside them. */
import type { PeerIdentity } from '../auth/api.js';
import type { Payload } from '../codec/payload.js';
import type { Nonces } from '../crypto/kdf.js';
import type { Prf } from '../crypto/algorithms.js';
import type { ChosenEsp, Selector } from '../negotiation/types.js';
import type { IkeEnvironment, Outcome, Path, Role } from '../types.js';
import type { ChildSa } from './child-sa.js';
import type { ChildPolicy, ChildSink } from './types.js';

/** What we offer, until the answer comes. */
export interface ChildOffer {
  readonly policy: ChildPolicy;
  readonly inboundSpi: number;
  /** SA, TSi, TSr, USE_TRANSPORT_MODE, ESP_TFC_PADDING_NOT_SUPPORTED, the VPN-ID, SA_RESOURCE_INFO. */
  readonly payloads: readonly Payload[];
}

/** Agreed; keys are not derived yet. */
export interface AgreedChild {
  readonly policy: ChildPolicy;
  readonly inboundSpi: number;
  readonly outboundSpi: number;
  readonly chosen: ChosenEsp;
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  readonly resource: number;
}

export interface ChildAnswer {
  readonly agreed: AgreedChild;
  readonly payloads: readonly Payload[];
}

/** Everything but the agreement that bringing up takes. */
export interface BringUp {
  readonly env: IkeEnvironment;
  readonly sink: ChildSink;
  readonly prf: Prf;
  readonly skD: Uint8Array;
  /** Of the exchange: `role` says which are ours. */
  readonly nonces: Nonces;
  readonly role: Role;
  /** Shared secrets of the exchange's own key exchanges; empty in IKE_AUTH. Wiped by the caller. */
  readonly shared: readonly Uint8Array[];
  readonly keyExchanges: readonly string[];
  readonly path: Path;
  readonly udpEncapsulation: boolean;
  readonly peer: PeerIdentity;
  readonly replaces: number | undefined;
}

/** How a request for a child SA came. */
export interface Answering {
  /** In CREATE_CHILD_SA, where it may have a key exchange. */
  readonly withKe: boolean;
  /** Both ends know VPN-ID notifies. */
  readonly vpnId: boolean;
  /** Resource of the child SA that is rekeyed, which the new one has as well; absent: none is. */
  readonly replaces?: number;
  /** Resources that there are child SAs of already, of this service; absent: there is none yet. */
  readonly taken?: (service: string) => ReadonlySet<number>;
}

export interface ChildAgreement {
  /** `withKe` false: in IKE_AUTH, where key exchange transforms are left out (RFC 7296 §1.2). */
  offer(
    sink: ChildSink,
    policy: ChildPolicy,
    withKe: boolean,
    vpnId: boolean,
    resource: number,
  ): ChildOffer;
  /** Judges the answer to an offer. When it fails the caller releases the offer's SPI. */
  conclude(offer: ChildOffer, payloads: readonly Payload[], withKe: boolean): Outcome<AgreedChild>;
  /**
   * Judges an offer by the policies, in their order. Failure codes: NO_PROPOSAL_CHOSEN, TS_UNACCEPTABLE, INVALID_SYNTAX,
   * INVALID_KE_PAYLOAD (when `keMethod`, the group of the KE payload that came, is not the one chosen), TS_MAX_QUEUE.
   */
  answer(
    sink: ChildSink,
    policies: readonly ChildPolicy[],
    payloads: readonly Payload[],
    how: Answering,
  ): Outcome<ChildAnswer>;
  /** Derives the keys and installs: inbound first. `activate` is the caller's, when it is time. */
  bringUp(agreed: AgreedChild, with_: BringUp): Promise<Outcome<ChildSa>>;
}
