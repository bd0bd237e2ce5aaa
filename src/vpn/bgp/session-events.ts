// SPDX-License-Identifier: Apache-2.0
/** Sessions coming and going, for others than the RIB. */
import type { EstablishedPeer, PeerId, RouteSink, SessionEnd } from '../../bgp/types.js';

export interface SessionEvents {
  /** After the RIB knows. */
  established(peer: EstablishedPeer): void;
  ended(peer: PeerId, end: SessionEnd): void;
}

/** The RIB as sessions see it, with everybody else told of what comes and goes. */
export function tellingOthers(rib: RouteSink, others: SessionEvents): RouteSink {
  return {
    established: (peer) => {
      rib.established(peer);
      others.established(peer);
    },
    update: (peer, bytes, start, end) => rib.update(peer, bytes, start, end),
    refresh: (peer, family, subtype) => {
      rib.refresh(peer, family, subtype);
    },
    ended: (peer, end) => {
      rib.ended(peer, end);
      others.ended(peer, end);
    },
    writable: (peer) => {
      rib.writable(peer);
    },
  };
}
