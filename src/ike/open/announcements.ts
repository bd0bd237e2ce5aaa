// SPDX-License-Identifier: Apache-2.0
/** What the two sides say in IKE_SA_INIT that they can do. */
import type { PeerAuthHints } from '../auth/api.js';
import { announcesVpnId, vpnIdVendorPayload } from '../child/vpn-id.js';
import { announcesPathProbes, pathProbeVendorPayload } from '../child/path-probe.js';
import { u16 } from '../../lib/octets.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload } from '../codec/payload.js';
import { join } from '../crypto/secret.js';
import type { PeerPolicy } from '../policy.js';
import { allDataOf, allOf, notifyOf, saysNotify } from './payloads.js';

/** Said by the peer. */
export interface Announced {
  readonly fragmentation: boolean;
  readonly intermediate: boolean;
  readonly childless: boolean;
  readonly vpnId: boolean;
  readonly pathProbes: boolean;
  readonly ppk: boolean;
  readonly hints: PeerAuthHints;
}

export const NO_HINTS: PeerAuthHints = { certificateRequests: [], hashes: [], methods: undefined };

/** Adds what further messages of the peer say; hashes are those of the first that says some. */
export function addHints(hints: PeerAuthHints, payloads: readonly Payload[]): PeerAuthHints {
  const methods = allDataOf(payloads, NOTIFY.SUPPORTED_AUTH_METHODS);
  const parts = hints.methods === undefined ? methods : [hints.methods, ...methods];
  return {
    certificateRequests: [...hints.certificateRequests, ...allOf(payloads, 'CERTREQ')],
    hashes: hints.hashes.length > 0 ? hints.hashes : hashesIn(payloads),
    methods: parts.length === 0 ? undefined : join(...parts),
  };
}

/** RFC 7427 §4: identifiers of two octets each. */
function hashesIn(payloads: readonly Payload[]): readonly number[] {
  const data = join(...allDataOf(payloads, NOTIFY.SIGNATURE_HASH_ALGORITHMS));
  return Array.from({ length: data.length >> 1 }, (_, i) => u16(data, 2 * i));
}

export const announcedIn = (payloads: readonly Payload[]): Announced => ({
  fragmentation: saysNotify(payloads, NOTIFY.IKEV2_FRAGMENTATION_SUPPORTED),
  intermediate: saysNotify(payloads, NOTIFY.INTERMEDIATE_EXCHANGE_SUPPORTED),
  childless: saysNotify(payloads, NOTIFY.CHILDLESS_IKEV2_SUPPORTED),
  vpnId: announcesVpnId(payloads),
  pathProbes: announcesPathProbes(payloads),
  ppk: saysNotify(payloads, NOTIFY.USE_PPK),
  hints: addHints(NO_HINTS, payloads),
});

/**
 * What we say, beside NAT detection and authentication: as responder only what the initiator said as well, where
 * it has to agree (RFC 9242 §3.1, RFC 8784 §3, RFC 7383 §2.3); CHILDLESS_IKEV2_SUPPORTED is the responder's to
 * say (RFC 6023 §3).
 */
export function announcements(policy: PeerPolicy, peer?: Announced): readonly Payload[] {
  const types: number[] = [];
  const say = (type: number, ours: boolean, theirs: boolean | undefined): void => {
    if (ours && theirs !== false) types.push(type);
  };
  const fragments = policy.fragmentBytes !== undefined;
  say(NOTIFY.IKEV2_FRAGMENTATION_SUPPORTED, fragments, peer?.fragmentation);
  say(NOTIFY.INTERMEDIATE_EXCHANGE_SUPPORTED, true, peer?.intermediate);
  say(NOTIFY.USE_PPK, policy.ppk !== undefined, peer?.ppk);
  say(NOTIFY.CHILDLESS_IKEV2_SUPPORTED, peer !== undefined, true);
  const vendors = [vpnIdVendorPayload(), pathProbeVendorPayload()];
  return [...types.map((type) => notifyOf(type)), ...vendors];
}
