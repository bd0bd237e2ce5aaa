// SPDX-License-Identifier: Apache-2.0
/** What both roles of IKE_AUTH have in common: the notifies beside the proof, and what comes of it all. */
import type { Addresses, PeerIdentity } from '../auth/api.js';
import type { BringUp } from '../child/api.js';
import type { ChildSa } from '../child/child-sa.js';
import { NOTIFY } from '../codec/names/notify.js';
import { PROTOCOL } from '../negotiation/transforms.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import { KE_METHODS } from '../crypto/algorithms.js';
import type { IkeKeys } from '../crypto/kdf.js';
import type { OpenContext } from '../open/context.js';
import { dataOf, notifyOf, numberNotify, numberOf, saysNotify } from '../open/payloads.js';
import type { IkeFailure, Path, Role } from '../types.js';
import type { InitDone } from './ike-sa-init.js';

/** RFC 6290 §4.1: octets of a token. */
const TOKEN_BYTES = { least: 16, most: 128 } as const;
/** Requests at once that a peer may make us keep. */
const MOST_WINDOW = 256;

export interface ChildOutcome {
  readonly child: ChildSa | undefined;
  /** Why there is none although one was asked for. */
  readonly childFailure: IkeFailure | undefined;
}

/** What the peer's notifies say about the IKE SA. */
export interface PeerTerms {
  readonly window: number;
  readonly qcdToken: Uint8Array | undefined;
  readonly authLifetime: number | undefined;
  readonly isInitialContact: boolean;
}

/** An authenticated IKE SA. Secret: `skD`, whoever gets it wipes it. */
export interface AuthDone extends ChildOutcome {
  readonly identity: PeerIdentity;
  readonly skD: Buffer;
  readonly isPpkUsed: boolean;
  readonly terms: PeerTerms;
}

export function termsIn(payloads: readonly Payload[]): PeerTerms {
  const token = dataOf(payloads, NOTIFY.QUICK_CRASH_DETECTION);
  const fits =
    token !== undefined && token.length >= TOKEN_BYTES.least && token.length <= TOKEN_BYTES.most;
  const window = numberOf(payloads, NOTIFY.SET_WINDOW_SIZE) ?? 1;
  return {
    window: Math.min(Math.max(window, 1), MOST_WINDOW),
    qcdToken: fits ? Uint8Array.from(token) : undefined,
    authLifetime: numberOf(payloads, NOTIFY.AUTH_LIFETIME),
    isInitialContact: saysNotify(payloads, NOTIFY.INITIAL_CONTACT),
  };
}

/** SET_WINDOW_SIZE and our token; the latter says protocol IKE (RFC 6290 §4.1). */
export function ownTerms(
  { env, policy }: OpenContext,
  initiatorSpi: bigint,
  responderSpi: bigint,
): readonly Payload[] {
  const token = env.qcdToken(initiatorSpi, responderSpi);
  return [
    ...(policy.window > 1 ? [numberNotify(NOTIFY.SET_WINDOW_SIZE, policy.window)] : []),
    notifyOf(NOTIFY.QUICK_CRASH_DETECTION, token, PROTOCOL.ike),
  ];
}

/**
 * RFC 4478: when the initiator has to authenticate anew, seconds: what the policy says, and not after its proof has
 * ended. undefined: never.
 */
export function authLifetime(
  { policy, env }: OpenContext,
  { validUntil }: PeerIdentity,
): number | undefined {
  const limits: number[] = policy.reauthSeconds > 0 ? [policy.reauthSeconds] : [];
  if (validUntil !== undefined) limits.push(Math.max(validUntil - env.wallClock(), 1));
  return limits.length === 0 ? undefined : Math.min(Math.floor(Math.min(...limits)), 0xffffffff);
}

const ID_IPV4_ADDR = 1;
const ID_IPV6_ADDR = 5;

/** The identity that an address is (policy-model 15). */
export const addressIdentity = (address: Uint8Array): PayloadOf<'IDr'> => ({
  kind: 'IDr',
  idType: address.length === 4 ? ID_IPV4_ADDR : ID_IPV6_ADDR,
  reserved: 0,
  data: address,
});

/** Whether an initiator's IDr, if it sent one, means us. */
export function isForUs(idr: PayloadOf<'IDr'> | undefined, { local }: Addresses): boolean {
  if (idr === undefined) return true;
  const ours = addressIdentity(local);
  return idr.idType === ours.idType && Buffer.compare(idr.data, ours.data) === 0;
}

/** What bringing up the child SA of IKE_AUTH takes: no key exchange of its own, and the nonces of IKE_SA_INIT. */
export function bringUpOf(
  { env }: OpenContext,
  init: InitDone,
  auth: {
    readonly role: Role;
    readonly keys: IkeKeys;
    readonly path: Path;
    readonly peer: PeerIdentity;
  },
): BringUp {
  const { role, keys, path, peer } = auth;
  return {
    env,
    sink: env.sink,
    prf: init.chosen.suite.prf,
    skD: keys.d,
    nonces: init.keys.nonces,
    role,
    shared: [],
    keyExchanges: [],
    path,
    peer,
    udpEncapsulation: isNatBetween(init),
    replaces: undefined,
  };
}

export const isNatBetween = ({ nat }: InitDone): boolean =>
  nat !== undefined && (nat.local || nat.remote);

/** For `show`. */
export const methodNames = ({ keys }: InitDone): readonly string[] =>
  keys.methods.map((method) => KE_METHODS[method].name);
