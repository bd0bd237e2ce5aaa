// SPDX-License-Identifier: Apache-2.0
/**
 * What authentication works with, loaded: trust of each SP, and what we prove ourselves with. Made by load.ts from
 * the files that the configuration names.
 */
import type { KeyObject } from 'node:crypto';
import { formatPrefix, type Prefix } from '../../lib/ip.js';
import { PrefixMap } from './prefix-map.js';
import type { PeerIdentity } from './api.js';

export type AuthClass = PeerIdentity['method'];

export interface TrustAnchor {
  /** Of the configuration's entry: in PeerIdentity.anchor and logs. */
  readonly name: string;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** Secret: `key`. */
export interface PresharedKey {
  readonly name: string;
  /** Peers that have it; within the SP's ranges. The longest prefix wins. */
  readonly prefix: Prefix;
  readonly key: Uint8Array;
}

export interface Revocation {
  /**
   * 'required': a certificate whose status neither a CRL nor an OCSP response tells is refused. 'if-available': it
   * is taken; with a warning when a CRL is too old to tell.
   */
  readonly mode: 'required' | 'if-available';
  /** DER; each is used for the certificates of its issuer, when that one signed it. */
  readonly crls: readonly Uint8Array[];
  /** Asks peers for OCSP responses (RFC 4806). Those that come are judged in any case. */
  readonly askOcsp: boolean;
  /** Seconds that an OCSP response without nextUpdate is good for. */
  readonly ocspMaxAge: number;
}

/** One SP: policy-model 14. */
export interface SpTrust {
  readonly sp: string;
  /** Tunnel addresses of its PEs. No two SPs' ranges overlap. */
  readonly ranges: readonly Prefix[];
  readonly anchors: readonly TrustAnchor[];
  /** Certificates of CAs that peers need not send, DER. Not trusted by themselves. */
  readonly intermediates: readonly Uint8Array[];
  readonly psks: readonly PresharedKey[];
  readonly revocation: Revocation;
  /** How its PEs may authenticate, and how we do towards them, the first that works for both. */
  readonly methods: readonly AuthClass[];
}

/** What we prove ourselves with: shown to those SPs' peers. Secret: `key`. */
export interface Credential {
  readonly name: string;
  /** DER, leaf first. Its IP SANs name the tunnel addresses that it is for. */
  readonly chain: readonly Uint8Array[];
  readonly key: KeyObject;
  /** SPs whose peers it is shown to; undefined: all. */
  readonly sps: readonly string[] | undefined;
  /** A current OCSP response for the leaf, DER, to send to who asks for it (RFC 4806). */
  readonly ocsp: Uint8Array | undefined;
  /** How an RSA key signs where the peer leaves it open (RFC 7427). */
  readonly rsaPadding: 'pss' | 'pkcs1';
}

export interface AuthSetup {
  readonly sps: readonly SpTrust[];
  readonly credentials: readonly Credential[];
}

/** A setup that contradicts itself. The message has no secrets. */
export class AuthSetupError extends Error {
  override readonly name = 'AuthSetupError';
}

/** Whose an address is. */
export interface SpTable {
  readonly ofAddress: (address: Uint8Array) => SpTrust | undefined;
  readonly pskOf: (
    address: Uint8Array,
  ) => { readonly psk: PresharedKey; readonly sp: string } | undefined;
}

/** Checks policy-model 14 and makes the tables. Throws {@link AuthSetupError}. */
export function tabulate(setup: AuthSetup): SpTable {
  const owners = new PrefixMap<SpTrust>();
  const names = new Set<string>();
  for (const trust of setup.sps) {
    if (names.has(trust.sp)) throw new AuthSetupError(`two entries for SP ${trust.sp}`);
    names.add(trust.sp);
    for (const range of trust.ranges) {
      const other = owners.add(range, trust);
      if (other !== undefined && other !== trust) throw overlap(range, trust, other);
    }
  }
  const psks = new PrefixMap<{ readonly psk: PresharedKey; readonly sp: string }>();
  for (const trust of setup.sps) {
    for (const range of trust.ranges) {
      const other = owners.covering(range.address, range.length).find((each) => each !== trust);
      if (other !== undefined) throw overlap(range, trust, other);
    }
    for (const psk of trust.psks) {
      const { prefix, name } = psk;
      if (!owners.covering(prefix.address, prefix.length).includes(trust)) {
        const where = formatPrefix(prefix);
        throw new AuthSetupError(
          `preshared key ${name}: ${where} is not in the ranges of ${trust.sp}`,
        );
      }
      if (psks.add(prefix, { psk, sp: trust.sp }) !== undefined) {
        throw new AuthSetupError(`two preshared keys for ${formatPrefix(prefix)}`);
      }
    }
  }
  return {
    ofAddress: (address) => owners.get(address),
    pskOf: (address) => psks.get(address),
  };
}

const overlap = (range: Prefix, one: SpTrust, other: SpTrust): AuthSetupError =>
  new AuthSetupError(`${formatPrefix(range)} of SP ${one.sp} overlaps a range of SP ${other.sp}`);
