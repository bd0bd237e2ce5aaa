// SPDX-License-Identifier: Apache-2.0
/** What the manager of all IKE SAs is given. */
import type { Authenticator } from '../auth/api.js';
import type { ChildSink } from '../child/types.js';
import type { IkeCounter } from '../counters.js';
import type { InitRequest, Screened } from '../exchange/ike-sa-init-responder.js';
import type { OpenEnvironment, OpeningIkeSa, OpenRequest } from '../open/types.js';
import type { IkePolicy, PeerPolicy } from '../policy.js';
import type { IkeSaEvents, IkeSas, SaEnvironment } from '../sa/api.js';
import type { IkeEnvironment, Path } from '../types.js';
import type { SaStore } from './persist.js';

/** How IKE SAs are opened (src/ike/open). */
export interface Openings {
  initiate(request: OpenRequest): OpeningIkeSa;
  /** Whether an IKE SA can become of a request; needs no state. */
  screen(policy: PeerPolicy, octets: Uint8Array, path: Path): Screened;
  /** Takes a request that was screened; `responderSpi` is what we are found by. It has `expireMs` for all of it. */
  respond(init: InitRequest, responderSpi: bigint, expireMs: number): OpeningIkeSa;
}

/** What the manager makes an IkeSas with; the rest of SaEnvironment is the parts' own. */
export type SaEnvironmentOfManager = Omit<
  SaEnvironment,
  'agreement' | 'createChannel' | 'restoreChannel'
>;

export type OpenEnvironmentOfManager = Omit<OpenEnvironment, 'createChannel'>;

/** The machines below the manager. Tests may give others. */
export interface ManagerParts {
  readonly createOpenings: (env: OpenEnvironmentOfManager) => Openings;
  readonly createIkeSas: (env: SaEnvironmentOfManager, events: IkeSaEvents) => IkeSas;
}

/** Numbers of `sealane show ike`, which the transport adds to as well. */
export interface IkeCounters {
  readonly count: (counter: IkeCounter) => void;
  read(): Readonly<Record<IkeCounter, number>>;
}

export interface ManagerDeps {
  readonly env: Omit<IkeEnvironment, 'count'>;
  readonly counters: IkeCounters;
  readonly parts: ManagerParts;
  readonly authenticator: Authenticator;
  readonly sink: ChildSink;
  readonly policy: IkePolicy;
  /** Of the transport. */
  readonly send: (path: Path, octets: Uint8Array) => void;
  readonly keepalive: (path: Path) => void;
  /** Nothing of what this PE had before is left: peers are told so (INITIAL_CONTACT, policy-model 25). */
  readonly segmentsWereLost: boolean;
  /** RFC 6290 §5.1: 32 octets that survive restarts and reboots; undefined: drawn, and good for this run. Copied. */
  readonly qcdSecret: Uint8Array | undefined;
  /** Where IKE SAs outlive this process; undefined: nowhere. */
  readonly store: SaStore | undefined;
  /** UDP ports of openings; default 500. */
  readonly ports?: { readonly local: number; readonly remote: number };
}
