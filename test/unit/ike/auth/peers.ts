// SPDX-License-Identifier: Apache-2.0
/** Two peers who authenticate each other, without the exchanges around it. */
import { randomBytes } from 'node:crypto';
import { loadAddon } from '../../../../src/forwarding/addon/load.js';
import type {
  Addresses,
  AuthInput,
  PeerAuthHints,
  PeerIdentity,
} from '../../../../src/ike/auth/api.js';
import {
  createAuthenticator,
  type ReloadableAuthenticator,
} from '../../../../src/ike/auth/authenticator.js';
import { readHashAlgorithms } from '../../../../src/ike/auth/announce.js';
import type { AuthSetup, SpTrust } from '../../../../src/ike/auth/setup.js';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import type { IkeCounter } from '../../../../src/ike/counters.js';
import { PRFS } from '../../../../src/ike/crypto/algorithms.js';
import { perform } from '../../../../src/ike/crypto/jobs.js';
import { createNodeCrypto } from '../../../../src/ike/crypto/node-crypto.js';
import type { IkeEnvironment, Outcome } from '../../../../src/ike/types.js';
import { parseAddress, parsePrefix, type Prefix } from '../../../../src/lib/ip.js';
import type { CertificateLibrary } from '../../../../src/lib/certificate-api.js';
import { createLogger } from '../../../../src/lib/log.js';

export function address(text: string): Uint8Array {
  const octets = parseAddress(text);
  if (octets === undefined) throw new Error(`no address: ${text}`);
  return octets;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`no prefix: ${text}`);
  return parsed;
}

export const { certificates } = loadAddon();

/** An environment with its own clocks and counters; heavy crypto is done in place. */
export class World {
  readonly counts = new Map<IkeCounter, number>();
  readonly lines: string[] = [];
  nowMs = 0;
  wall = Math.floor(Date.now() / 1000);
  certificates: CertificateLibrary = certificates;

  readonly env: IkeEnvironment = {
    crypto: createNodeCrypto({ run: (job) => Promise.resolve(perform(job)) }, randomBytes),
    timers: {
      now: () => this.nowMs,
      after: () => () => undefined,
    },
    wallClock: () => this.wall,
    log: createLogger({ write: (line) => this.lines.push(line), now: () => 'now' }, 'debug'),
    count: (counter) => this.counts.set(counter, (this.counts.get(counter) ?? 0) + 1),
  };

  /** Counters that are not 0. */
  get counted(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.counts);
  }
}

/** An SP without anything but what is said; all methods allowed. */
export const trust = (
  sp: string,
  ranges: readonly string[],
  more: Partial<SpTrust> = {},
): SpTrust => ({
  sp,
  ranges: ranges.map(prefix),
  anchors: [],
  intermediates: [],
  psks: [],
  revocation: { mode: 'if-available', crls: [], askOcsp: false, ocspMaxAge: 86_400 },
  methods: ['ecdsa', 'ed25519', 'rsa', 'psk'],
  ...more,
});

export interface Peer {
  readonly world: World;
  readonly authenticator: ReloadableAuthenticator;
}

export function peer(setup: AuthSetup, world = new World()): Peer {
  return { world, authenticator: createAuthenticator(setup, world.env, world.certificates) };
}

/** What an IKE_SA_INIT left behind at both ends, of one sender. */
export const authInput = (role: AuthInput['role'], more: Partial<AuthInput> = {}): AuthInput => ({
  role,
  prf: PRFS.sha256,
  message: Buffer.from(`IKE_SA_INIT of the ${role}`),
  peerNonce: Buffer.alloc(32, 7),
  skP: Buffer.alloc(32, role === 'initiator' ? 1 : 2),
  intAuth: undefined,
  ...more,
});

export const seenFromThere = ({ local, remote }: Addresses): Addresses => ({
  local: remote,
  remote: local,
});

/** What one side's IKE_SA_INIT and IKE_AUTH say to the other about how to convince it. */
export function hintsOf({ authenticator }: Peer, addresses: Addresses): PeerAuthHints {
  const payloads = [...authenticator.initNotifies(addresses), ...authenticator.requests(addresses)];
  const notified = (type: number): Uint8Array | undefined =>
    payloads.find(
      (each): each is Extract<Payload, { kind: 'N' }> => each.kind === 'N' && each.notify === type,
    )?.data;
  const hashes = notified(NOTIFY.SIGNATURE_HASH_ALGORITHMS);
  return {
    certificateRequests: payloads.filter(
      (each): each is Extract<Payload, { kind: 'CERTREQ' }> => each.kind === 'CERTREQ',
    ),
    hashes: hashes === undefined ? [] : readHashAlgorithms(hashes),
    methods: notified(NOTIFY.SUPPORTED_AUTH_METHODS),
  };
}

/** `from` proves itself to `to`, who judges it. `addresses` are those of `from`. */
export async function authenticate(
  from: Peer,
  to: Peer,
  addresses: Addresses,
  options: {
    readonly input?: AuthInput;
    readonly hints?: Partial<PeerAuthHints>;
    readonly tamper?: (payloads: readonly Payload[]) => readonly Payload[];
  } = {},
): Promise<Outcome<PeerIdentity>> {
  const { input = authInput('initiator'), tamper } = options;
  const hints = { ...hintsOf(to, seenFromThere(addresses)), ...options.hints };
  const proof = await from.authenticator.prove(addresses, input, hints);
  if (!proof.ok) return proof;
  return to.authenticator.verify(
    seenFromThere(addresses),
    input,
    tamper?.(proof.value) ?? proof.value,
  );
}
