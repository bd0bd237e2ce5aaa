// SPDX-License-Identifier: Apache-2.0
/** Classes of packets, and policers. */

/** 0..63, or a name: "cs0".."cs7", "af11".."af43", "ef", "va", "le". */
export type Dscp = number | string;

/** Packets of these DSCPs; what is in no class is in class "default". */
export interface TrafficClass {
  readonly dscp: readonly Dscp[];
}

/** What is done with packets of a colour. */
export type PolicerAction = 'pass' | 'drop' | { readonly dscp: Dscp };

/**
 * Single rate three colour marker (RFC 2697), or with `peakRate` the two rate one (RFC 2698). Bytes are those of the IP
 * packet, its header included, without the link's.
 */
export interface Policer {
  /** CIR, bit/s: 8,000 to 10,000,000,000,000. */
  readonly rate: number;
  /** CBS, bytes: at least the interface's MTU. */
  readonly burst: number;
  /** EBS, bytes; default 0: what is not green is red. Not with `peakRate`. */
  readonly excessBurst?: number;
  /** PIR, bit/s, not less than `rate`. */
  readonly peakRate?: number;
  /** PBS, bytes: at least the interface's MTU; with `peakRate`, and only there. */
  readonly peakBurst?: number;
  /** A packet is no better than its AF drop precedence says (RFC 2597); default false. */
  readonly colourAware?: boolean;
  /** Default 'pass'. */
  readonly green?: PolicerAction;
  /** Default 'pass'. */
  readonly yellow?: PolicerAction;
  /** Default 'drop'. */
  readonly red?: PolicerAction;
}

/** One policer for all packets, or one for each of some classes. */
export type Police = Policer | { readonly classes: Readonly<Record<string, Policer>> };

/** Packets of a class on their way to the customer. */
export interface EgressQueue {
  /** Each class once; those that are not named share the queue of "default", which is there in any case. */
  readonly class: string;
  /** Strict priority: before all weighted queues, and among its like in the order of the list. Default false. */
  readonly priority?: boolean;
  /** Share of what strict priority leaves, in proportion to the weights of others that have packets; 1..100, default 1. */
  readonly weight?: number;
  /** Packets that may wait; default: what the rate sends in 50 ms, 64 to 4096; without a rate 1024. */
  readonly limit?: number;
}

/** What leaves by a CE interface: frames of the kernel (ARP, ND, BGP) first, then by queues. */
export interface Egress {
  /** bit/s of Ethernet frames, without preamble, FCS and gap: 8,000 to 10,000,000,000,000. Default: as fast as the port takes it. */
  readonly rate?: number;
  /** Bytes by which sending may be behind the rate and catch up; default: what the rate sends in 4 ms, a frame at least. */
  readonly burst?: number;
  /** Default: one for everything. */
  readonly queues?: readonly EgressQueue[];
}
