// SPDX-License-Identifier: Apache-2.0
/** All IKE SAs of a PE, found by SPI and by peer; what the supervisor and the CLI call. */
import type { ChildPolicy } from '../child/types.js';
import type { IkePolicy } from '../policy.js';
import type { Datagram, Outcome } from '../types.js';
import type { IkeCounter } from '../counters.js';

/** One child SA pair that somebody wants, as long as somebody does. */
export interface Wanted {
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  readonly policy: ChildPolicy;
}

/** policy-model 11. `failed` is retried by timer, with back-off, without traffic. */
export type WantedState =
  | { readonly state: 'pending' }
  | { readonly state: 'up'; readonly inboundSpi: number }
  | { readonly state: 'failed'; readonly why: string };

export interface IkeSaRow {
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly role: 'initiator' | 'responder';
  readonly state: string;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  readonly localPort: number;
  readonly remotePort: number;
  readonly sp: string;
  readonly identity: string;
  readonly authentication: string;
  readonly suite: string;
  readonly keyExchanges: readonly string[];
  readonly isPpkUsed: boolean;
  readonly openedAt: number;
  /** Wall clock, seconds; undefined: not planned. */
  readonly rekeyAt: number | undefined;
  readonly reauthAt: number | undefined;
  readonly lastHeardMs: number;
  readonly children: readonly ChildRow[];
}

export interface ChildRow {
  readonly service: string;
  readonly state: string;
  readonly inboundSpi: number;
  readonly outboundSpi: number;
  readonly suite: string;
  readonly keyExchanges: readonly string[];
  readonly createdAt: number;
  readonly rekeyAt: number | undefined;
  readonly resource: number;
}

/** Which IKE SAs an operator means; all fields that are given must fit. */
export interface IkeSelection {
  readonly remote?: Uint8Array;
  readonly local?: Uint8Array;
  readonly service?: string;
  /** Initiator's SPI, or a child's inbound SPI. */
  readonly spi?: bigint;
}

export interface IkeManager {
  /** A new configuration: SAs that it does not allow any more are closed, the others go on. */
  setPolicy(policy: IkePolicy): void;
  receive(datagram: Datagram): void;
  /** Wants a child SA from now on; says each change of its state. The answer ends it. */
  want(wanted: Wanted, onChange: (state: WantedState) => void): () => void;
  /** Traffic waits (worker's event): no back-off, at once. */
  hurry(local: Uint8Array, remote: Uint8Array, service: string): void;
  /**
   * Asks the peer about path MTU probes by its child SA of this SPI ({@link IkeSa.askProbe}). undefined: there is no
   * such child SA, or the peer has not announced that it answers.
   */
  prober(
    local: Uint8Array,
    remote: Uint8Array,
    outboundSpi: number,
  ): ((round: number) => Promise<number | undefined>) | undefined;
  /** Operators' commands: how many SAs they met. */
  initiate(selection: IkeSelection): Promise<Outcome<number>>;
  terminate(selection: IkeSelection): Promise<Outcome<number>>;
  rekey(selection: IkeSelection, what: 'ike' | 'child'): Promise<Outcome<number>>;
  /** In slices: a page of rows after the initiator's SPI `after`. */
  rows(after: bigint | undefined, most: number): readonly IkeSaRow[];
  counters(): Readonly<Record<IkeCounter, number>>;
  /** Deletes all SAs at the peers and waits for their answers, no longer than so. */
  stop(withinMs: number): Promise<void>;
  /** Ends without a word to anyone: the next supervisor goes on. */
  detach(): void;
}
