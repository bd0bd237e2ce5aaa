// SPDX-License-Identifier: Apache-2.0
/** What the demo found, as data: of it the text, the HTML page and the JSON are made. */
import type { Check } from './checks.js';

/** One header of a packet, as captured. */
export interface Layer {
  readonly name: string;
  readonly detail: string;
  readonly bytes: number;
  /** What stands over it: nobody reads or changes it, nobody changes it, or nothing. */
  readonly cover: 'encrypted' | 'authenticated' | 'clear';
}

export interface Hop {
  readonly where: string;
  /** Of the frame without FCS. */
  readonly bytes: number;
  readonly layers: readonly Layer[];
}

/** One packet on its way. */
export interface Journey {
  readonly vpn: string;
  readonly title: string;
  readonly hops: readonly Hop[];
}

/** What one ingress does with one egress's route of a VPN. */
export interface PolicyRow {
  readonly vpn: string;
  readonly ingress: string;
  readonly egress: string;
  readonly prefix: string;
  readonly rd: string;
  readonly targets: string;
  /** In the words of docs/ipsec-extended-community.md; '' when there was no community. */
  readonly signalled: string;
  readonly chosen: string;
  readonly label: string;
  readonly observed: string;
  readonly ok: boolean;
}

export interface AttackResult {
  readonly id: string;
  readonly requirement: string;
  readonly by: 'outsider' | 'customer' | 'rogue PE, own SP' | 'rogue PE, other SP';
  /** Of P §2.7: a, b.i, b.ii, b.iii; or what of P15. */
  readonly section: string;
  readonly text: string;
  readonly counter: string;
  readonly sent: number;
  readonly risen: number;
  readonly delivered: number;
  /** Other counters that moved: none should. */
  readonly others: string;
  readonly ok: boolean;
}

/** A stream of echo requests while things happen. Times are seconds since the beginning of the timeline. */
export interface Probe {
  readonly name: string;
  readonly vpn: string;
  readonly sent: number;
  /** When each unanswered request was sent. */
  readonly lost: readonly number[];
}

export interface TimelineEvent {
  readonly id: string;
  readonly title: string;
  readonly begin: number;
  readonly end: number;
  /** Whether nothing may be lost. */
  readonly mustBeZero: boolean;
  /** By probe, in their order. */
  readonly losses: readonly number[];
  readonly detail: string;
  readonly ok: boolean;
}

export interface Timeline {
  readonly seconds: number;
  readonly perSecond: number;
  readonly probes: readonly Probe[];
  readonly events: readonly TimelineEvent[];
}

export interface DropRow {
  readonly pe: string;
  readonly reason: string;
  readonly text: string;
  readonly packets: number;
}

/** Of a TCP transfer. */
export interface Throughput {
  readonly tcpMbps: number;
  readonly tcpRetransmits: number;
  readonly seconds: number;
}

export interface Findings {
  readonly ok: boolean;
  readonly checks: readonly Check[];
  readonly captures: readonly string[];
  readonly throughput: Throughput;
  readonly journeys: readonly Journey[];
  readonly policies: readonly PolicyRow[];
  readonly attacks: readonly AttackResult[];
  /** What the eavesdropper saw, in sentences. */
  readonly seen: readonly string[];
  readonly drops: readonly DropRow[];
  readonly timeline: Timeline;
}
