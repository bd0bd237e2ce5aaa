// SPDX-License-Identifier: Apache-2.0
/** What the RIB is given and what it gives: everything its surroundings must know. */
import type { FamilyId } from '../codec/types.js';
import type { PathAttributes, TunnelEncapsulation } from '../codec/types.js';
import type { EstablishedPeer, PeerId, Policy, SessionPort } from '../types.js';
import type { Prefix } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';
import type { DecisionOptions } from './decision.js';
import type { NextHopTracker } from './next-hops.js';
import type { NeighbourRib } from './peers.js';
import type { VrfId } from './scope.js';

/** Monotonic milliseconds, with fractions. */
export interface Clock {
  now(): number;
}

/** Runs bulk work in slices beside everything else the process has to do. */
export interface Scheduler {
  /** Calls `slice` once, soon, not from within this call. It returns after about 10 ms at most. */
  soon(slice: () => void): void;
  /** Calls `action` once after `delayMs`; the answer takes it back. */
  after(delayMs: number, action: () => void): () => void;
}

export interface RibOptions {
  readonly asn: number;
  readonly routerId: number;
  /** RFC 4456; default the router id. */
  readonly clusterId: number;
  readonly decision: DecisionOptions;
  /** Keep VPN routes that no VRF imports: a route reflector or option-B border router. */
  readonly retainVpn: boolean;
  /** Work per slice, ms. */
  readonly sliceMs: number;
  /** Longest wait for a neighbour's route targets before VPN routes are sent to it, ms (RFC 4684 §6). */
  readonly routeTargetWaitMs: number;
}

/** The surroundings. */
export interface RibPorts {
  readonly sessions: SessionPort;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly nextHops: NextHopTracker;
  readonly fib: FibSink;
  readonly log: Logger;
  /** The configuration of a neighbour whose session has come up. */
  readonly neighbour: (peer: EstablishedPeer) => NeighbourRib;
  /** The last route of a neighbour that is no more has gone: its number is free. */
  readonly forgotten?: (peer: PeerId) => void;
  /** Whether an AS is known to be another SP's; default: none is. */
  readonly isForeignAs?: (asn: number) => boolean;
  /** Which labels the routes have that VRFs export: one call for each that comes, and for each that goes. */
  readonly exportLabels?: LabelUses;
  /** Told of each labelled unicast route that is decided otherwise; must not call back. */
  readonly labelled?: (route: LabelledRoute) => void;
  /** Which of our labels routes are told with that we pass on as next hop (see Transit): one call for each, as above. */
  readonly swapLabels?: LabelUses;
}

/** The best labelled unicast route to a prefix of the core. */
export interface LabelledRoute {
  readonly prefix: Prefix;
  /** Outermost first; none: there is no route, or it is our own. */
  readonly labels: readonly number[];
  /** 4 or 16 octets. */
  readonly nextHop: Uint8Array | undefined;
  /** As of {@link ImportQuestion.toldBySp}. */
  readonly toldBySp: string | undefined;
}

/** Counts routes by label. */
export interface LabelUses {
  retain(label: number): void;
  release(label: number): void;
}

/** What decides, beside route targets, whether a VRF takes a VPN route (policy-model 7-10). */
export interface ImportQuestion {
  readonly vrf: VrfId;
  /** 8 octets each, big endian. */
  readonly extendedCommunities: readonly bigint[];
  readonly tunnelEncapsulation: readonly TunnelEncapsulation[];
  /** 4 or 16 octets. */
  readonly nextHop: Uint8Array;
  /**
   * The route was originated inside our own SP as far as BGP tells: we learnt it inside our AS, or it is our own,
   * and no AS of another SP is in its path (policy-model 9). Whether the next hop is one of our SP is for who
   * asks to see. Found out only where an IPsec community has a scope; else false.
   */
  readonly insideOwnSp: boolean;
  /**
   * The SP of the external neighbour that told the route, where it is another than ours: it speaks for its own
   * routers alone (policy-model 7, 10).
   */
  readonly toldBySp?: string | undefined;
}

/**
 * In the place of what was chosen, for a route whose label no tunnel can carry: labels 0..15 mean something
 * of their own and not a VRF (RFC 3032 §2.1; 3 is never on the wire), and a tunnel takes one label. The
 * next-hop tracker is to call such a next hop unusable.
 */
export const UNFIT_LABEL = 253;

/**
 * An import decision's answer: the next hop belongs to an SP that the VRF does not accept routes from
 * (policy-model 10). The route is kept, so that `show` can say why it is not used.
 */
export const NOT_BELIEVED = 255;

/**
 * Chooses how the way to the next hop is protected: {@link NOT_BELIEVED}, or 0..254 without
 * {@link UNFIT_LABEL}, meaningful to the next-hop tracker. undefined: the route is not imported. Pure until {@link Rib.reimport} is called; asked once per distinct question.
 */
export type ImportDecision = (question: ImportQuestion) => number | undefined;

/** A route of a VRF that may be exported. */
export interface ExportQuestion {
  readonly vrf: VrfId;
  readonly family: FamilyId;
  readonly prefix: Uint8Array;
  readonly length: number;
  readonly attributes: PathAttributes;
  /** The CE it came from; undefined: a route of our own. */
  readonly from: PeerId | undefined;
}

/** P7: one prefix may match several rules, each with an RD of its own in this VRF. */
export interface ExportRuleRib {
  /** For {@link Rib.exportedBy}. */
  readonly name: string;
  readonly rd: bigint;
  readonly routeTargets: readonly bigint[];
  /** SPs it is exported to (policy-model 6); undefined: any. */
  readonly toSps?: readonly string[];
  /** Added beside the route targets: IPsec Extended Community, Encapsulation, Color. */
  readonly communities: readonly bigint[];
  /** 4 or 16 octets: where our tunnels end. */
  readonly nextHop: Uint8Array;
  /**
   * Whether the rule exports the route, and under which label. Asked whenever the route has changed;
   * undefined: not exported by this rule; 'later': what the rule has told of it stays as it is until
   * {@link Rib.exportAgain} is called for the route.
   */
  readonly label: (route: ExportQuestion) => number | 'later' | undefined;
  /** undefined: attributes pass unchanged. */
  readonly policy: Policy | undefined;
}

export interface VrfRib {
  readonly id: VrfId;
  readonly name: string;
  /** 8 octets each, as in the Extended Communities attribute. */
  readonly importTargets: readonly bigint[];
  /** `accept` takes every route with one of the targets: others to ask for there are only with a new one. */
  readonly takesByTarget?: true;
  /** undefined: every route with a target of ours, unprotected ones too: for tests and reflectors. */
  readonly accept: ImportDecision | undefined;
  readonly importPolicy: Policy | undefined;
  /** Most paths of this VRF used together; undefined: as many as the RIB's options say. */
  readonly maximumPaths?: DecisionOptions['maximumPaths'];
  readonly exports: readonly ExportRuleRib[];
}

/** Where packets for a prefix go. */
export const HOP_KIND = {
  /** To the next hop, a CE in a VRF or a router in the core. */
  plain: 0,
  /** To the next hop, a PE, with the label. */
  vpn: 1,
  /** One of our own routes (connected, static, aggregate): the RIB only has it to tell others. */
  local: 2,
  /** Into another VRF of this PE, see `hopVrfs` (P2). */
  leak: 3,
} as const;

/**
 * Changes of forwarding, in the order they are to be made; a prefix appears at most once. The arrays are
 * used again: valid during the call, and only up to `count`, or `hopTotal`.
 */
export interface FibBatch {
  readonly family: 4 | 6;
  readonly count: number;
  /** VRF of the prefix; 0 is the core. */
  readonly vrfs: Uint32Array;
  /** 4 or 16 octets each. */
  readonly prefixes: Uint8Array;
  readonly lengths: Uint8Array;
  /** Hops of change i: from firstHops[i], hopCounts[i] of them, best first; none: delete. */
  readonly firstHops: Uint32Array;
  readonly hopCounts: Uint8Array;
  readonly hopTotal: number;
  readonly hopKinds: Uint8Array;
  /** Next hop numbers: Rib.nextHop tells VRF, address and protection; 0 is ourselves. */
  readonly nextHops: Uint32Array;
  /** The label received with the route; 0xffffffff: none; bit 31: a stack, see Rib.labels. */
  readonly labels: Uint32Array;
  /** Attribute sets: Rib.attributes decodes them. */
  readonly attributes: Uint32Array;
  /** Of a leak: where the route is from. */
  readonly hopVrfs: Uint32Array;
}

export interface FibSink {
  apply(batch: FibBatch): void;
}
