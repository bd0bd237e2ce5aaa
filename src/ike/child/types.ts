// SPDX-License-Identifier: Apache-2.0
/** Child SAs: what is wanted, what was agreed, and who carries it. */
import type { ChildDirection } from '../crypto/kdf.js';
import type { EspProposal, EspSuite, Selector } from '../negotiation/types.js';
import type { PeerIdentity } from '../auth/api.js';
import type { Outcome, Path } from '../types.js';

/** docs/ike-vpn-id.md: which application and VPN (RFC 2685, 7 octets) a child SA is for. */
export interface VpnId {
  readonly application: number;
  /** Organizationally Unique Identifier, 3 octets, then VPN index, 4 octets; all zero: none. */
  readonly vpnId: Uint8Array;
}

/** When an SA is replaced (soft, make before break) and when it ends whatever happens (hard). 0: never. */
export interface Lifetimes {
  readonly softSeconds: number;
  readonly hardSeconds: number;
  readonly softBytes: bigint;
  readonly hardBytes: bigint;
  readonly softPackets: bigint;
  readonly hardPackets: bigint;
  /** Share of the soft limits that is taken off at random, 0..1. */
  readonly jitter: number;
}

/** One kind of child SA that may exist between two addresses (policy-model 16). */
export interface ChildPolicy {
  /** "encrypt/gre": the service, one SA pair per peer and service. */
  readonly service: string;
  readonly mode: 'transport' | 'tunnel';
  readonly proposals: readonly EspProposal[];
  /** What we offer or accept narrowed. */
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  readonly lifetimes: Lifetimes;
  /** Of inbound SAs, packets: a multiple of 64, 64..4096; absent: the data plane's default. */
  readonly replayWindow?: number;
  readonly vpn?: VpnId;
  /** RFC 9611: child SAs like this one that are wanted, one per packet thread; 1: no more than one. */
  readonly resources: number;
  /** As many as the peer may make; absent: those that are wanted. It may have more packet threads. */
  readonly mostResources?: number;
}

/** An agreed child SA, ready for the data plane. */
export interface ChildInstall {
  readonly policy: ChildPolicy;
  readonly peer: PeerIdentity;
  /** Outer addresses; ports are those of UDP encapsulation (RFC 3948) when `udpEncapsulation`. */
  readonly path: Path;
  readonly udpEncapsulation: boolean;
  readonly suite: EspSuite;
  /** Ours, in packets that we receive. */
  readonly inboundSpi: number;
  readonly outboundSpi: number;
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  /** Wiped by the caller when `install` has settled. */
  readonly inboundKeys: ChildDirection;
  readonly outboundKeys: ChildDirection;
  /** RFC 9611: which of several. */
  readonly resource: number;
  /** Inbound SPI of the child SA that this one replaces. */
  readonly replaces: number | undefined;
}

/** How much a child SA has carried. */
export interface ChildUsage {
  readonly inboundPackets: bigint;
  readonly inboundBytes: bigint;
  readonly outboundPackets: bigint;
  readonly outboundBytes: bigint;
}

/** A path MTU probe that has come: docs/adr/0032-path-mtu-probes.md. */
export interface ProbeSeen {
  readonly round: number;
  /** The largest of its packets: octets of the outer IP packet. */
  readonly bytes: number;
}

/** The data plane, as child SAs see it. Child SAs are named by their inbound SPI, which is unique here. */
export interface ChildSink {
  /** An SPI that nobody uses, unpredictable (16 random bits at least, policy-model 21). */
  allocateSpi(): number;
  /** One that came to nothing. */
  releaseSpi(spi: number): void;
  /**
   * Inbound packets are taken when it resolves; outbound ones are not sent yet. 'BUSY': the peer has as many child SAs
   * as one may have; there is room when some of them are gone.
   */
  install(child: ChildInstall): Promise<Outcome<void>>;
  /** Traffic leaves by this child SA from now on. */
  activate(inboundSpi: number): Promise<void>;
  /** Nothing is sent any more; what arrives is taken for `graceMs` more. */
  remove(inboundSpi: number, graceMs: number): void;
  /** undefined: not known (any more). */
  usage(inboundSpi: number): ChildUsage | undefined;
  /**
   * A child SA of before a restart goes on, its keys being in the data plane still. False: they are not, and the
   * child SA is of no use. What nobody adopts is removed after a while.
   */
  adopt?(inboundSpi: number): boolean;
  /** The path MTU probe that came last by it; undefined: none has. */
  probeSeen?(inboundSpi: number): ProbeSeen | undefined;
}
