// SPDX-License-Identifier: Apache-2.0
/** A setup in the form that authentication works with. What began with one ends with it. */
import type { CertificateLibrary } from '../../lib/certificate-api.js';
import type { IkeEnvironment } from '../types.js';
import { Credentials } from './credentials.js';
import { unmapped } from './prefix-map.js';
import {
  tabulate,
  type AuthClass,
  type AuthSetup,
  type PresharedKey,
  type SpTable,
  type SpTrust,
} from './setup.js';
import { TrustStore } from './trust-store.js';

export interface AuthState {
  readonly setup: AuthSetup;
  readonly table: SpTable;
  readonly store: TrustStore;
  readonly credentials: Credentials;
  readonly certificates: CertificateLibrary | undefined;
}

/** Throws AuthSetupError. */
export function stateOf(
  setup: AuthSetup,
  env: Pick<IkeEnvironment, 'wallClock'>,
  certificates: CertificateLibrary | undefined,
): AuthState {
  return {
    setup,
    table: tabulate(setup),
    store: new TrustStore(setup, env, certificates),
    credentials: new Credentials(setup.credentials, certificates),
    certificates,
  };
}

/**
 * Whether a setup can be worked with, before it is. Throws AuthSetupError: it contradicts itself, or has certificates,
 * keys or CRLs that cannot be used.
 */
export function checkSetup(setup: AuthSetup, certificates: CertificateLibrary | undefined): void {
  // Nobody is authenticated by it, so nobody asks for the time.
  stateOf(setup, { wallClock: () => 0 }, certificates);
}

/** The SP whose ranges hold an address. */
export const trustOf = ({ table }: AuthState, remote: Uint8Array): SpTrust | undefined =>
  table.ofAddress(unmapped(remote));

/** A preshared key for a peer, where they are allowed. */
export function pskFor(
  { table }: AuthState,
  trust: SpTrust,
  remote: Uint8Array,
): PresharedKey | undefined {
  if (!trust.methods.includes('psk')) return undefined;
  const found = table.pskOf(unmapped(remote));
  return found?.sp === trust.sp ? found.psk : undefined;
}

/** Methods that a peer may use, in the policy's order. */
export function classesFor(
  state: AuthState,
  trust: SpTrust,
  remote: Uint8Array,
): readonly AuthClass[] {
  const hasKey = pskFor(state, trust, remote) !== undefined;
  return trust.methods.filter((name) => (name === 'psk' ? hasKey : trust.anchors.length > 0));
}
