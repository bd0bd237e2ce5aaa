// SPDX-License-Identifier: Apache-2.0
/** What the configuration says of IKE, ready for use: compiled by src/ike/policy-compile.ts, read everywhere. */
import type { Retransmission } from './channel/api.js';
import type { ChildPolicy, Lifetimes } from './child/types.js';
import type { IkeProposal } from './negotiation/types.js';

/** RFC 8784. Secret: `key`. */
export interface Ppk {
  readonly id: Uint8Array;
  readonly key: Uint8Array;
  /** false: peers without it are taken as well (NO_PPK_AUTH). */
  readonly required: boolean;
}

/** Rules for the peers of one SP. */
export interface PeerPolicy {
  readonly sp: string;
  readonly proposals: readonly IkeProposal[];
  readonly ppk: Ppk | undefined;
  /** policy-model 15: NAT between PEs; 'refuse' is the default. */
  readonly nat: 'refuse' | 'allow';
  readonly retransmission: Retransmission;
  /** Largest IP packet that IKE sends, octets (RFC 7383); undefined: no fragmentation. */
  readonly fragmentBytes: number | undefined;
  /** Silence after which an INFORMATIONAL asks whether the peer lives, ms. */
  readonly dpdMs: number;
  /** Of IKE SAs; bytes and packets are 0. */
  readonly lifetimes: Lifetimes;
  /** Seconds after which the peer has to authenticate anew (RFC 4478 AUTH_LIFETIME); 0: never. */
  readonly reauthSeconds: number;
  /** Requests that we take at once. */
  readonly window: number;
  /** Child SAs that may be between two addresses. The first that fits what a peer offers is taken. */
  readonly children: (local: Uint8Array, remote: Uint8Array) => readonly ChildPolicy[];
}

export interface IkePolicy {
  /** Rules for an address; undefined: nobody we talk to. */
  readonly forPeer: (remote: Uint8Array) => PeerPolicy | undefined;
  readonly halfOpen: {
    /** IKE_SA_INIT answered but not authenticated: above this only with a cookie. */
    readonly cookieAbove: number;
    /** Above this dropped. */
    readonly most: number;
    readonly mostPerPeer: number;
    readonly expireMs: number;
  };
}
