// SPDX-License-Identifier: Apache-2.0
/** What `ike` means where it is silent. types.ts names the same values in words. */
import type { Ike, IkeEsp, IkeMethod, IkeProvider } from './types.js';

const CLASSIC =
  'aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-prfsha512-x25519-ecp256-ecp384-modp2048';

/**
 * Hybrid first. A peer that does not know transform types 6 to 12 must not choose a proposal that has them (RFC 7296
 * §3.3.6), not even one where NONE is among them, and charon 5.9.8 does not: so the second has none, rather than the
 * first "ke1_none".
 */
export const DEFAULT_IKE_PROPOSALS: readonly string[] = [`${CLASSIC}-ke1_mlkem768`, CLASSIC];

/** What the data plane can do; 128 bits first, for speed. PFS for peers that have it. */
export const DEFAULT_ESP: Required<IkeEsp> = {
  encrypt: ['aes128gcm16-aes256gcm16-x25519-none'],
  authenticate: ['aes128gmac-aes256gmac-x25519-none'],
};

export const DEFAULT_IKE = {
  ikeSeconds: 14_400,
  childSeconds: 3600,
  childBytes: 0,
  /** Of 2^32 - 1; the rest is 70 s even at 18 Mpps. */
  childPackets: 3_000_000_000,
  lifetimeJitter: 0.1,
  reauthentication: 0,
  dpd: 30,
  retransmission: { firstMs: 1000, factor: 1.8, tries: 6, jitter: 0.1 },
  fragmentBytes: 1280,
  window: 4,
  limits: { cookieAbove: 200, halfOpen: 4000, halfOpenPerPeer: 5, halfOpenTimeout: 30 },
  ocspMaxAge: 86_400,
} as const;

/** A provider's proposals, or those of the whole, or the defaults. */
export const ikeProposalsOf = (ike: Ike, provider: IkeProvider): readonly string[] =>
  provider.proposals ?? ike.proposals ?? DEFAULT_IKE_PROPOSALS;

export const espProposalsOf = (ike: Ike, provider: IkeProvider): Required<IkeEsp> => ({
  ...DEFAULT_ESP,
  ...ike.esp,
  ...provider.esp,
});

const OF_CERTIFICATES: readonly IkeMethod[] = ['ed25519', 'ecdsa', 'rsa'];

/** Certificates where there are anchors, keys where there are keys. */
export function ikeMethodsOf({ methods, anchors, psks }: IkeProvider): readonly IkeMethod[] {
  if (methods !== undefined) return methods;
  const has = (table: object | undefined): boolean => Object.keys(table ?? {}).length > 0;
  return [...(has(anchors) ? OF_CERTIFICATES : []), ...(has(psks) ? (['psk'] as const) : [])];
}

/** Names of the credentials that may be shown to PEs of this SP. */
export const ikeCredentialsFor = (ike: Ike, sp: string): readonly string[] =>
  Object.entries(ike.credentials ?? {})
    .filter(([, { sps }]) => sps?.includes(sp) ?? true)
    .map(([name]) => name);
