// SPDX-License-Identifier: Apache-2.0
/** The Authenticator: preshared keys (RFC 7296 §2.15) and certificates, by SP. */
import type { CertificateLibrary } from '../../lib/certificate-api.js';
import { formatAddress } from '../../lib/ip.js';
import type { Payload } from '../codec/payload.js';
import { join, wipe } from '../crypto/secret.js';
import { AUTH_METHOD } from '../crypto/signatures.js';
import { bad, good, type IkeEnvironment, type Outcome } from '../types.js';
import { hashAlgorithms, supportedMethods } from './announce.js';
import type { Addresses, Authenticator, AuthInput, PeerAuthHints, PeerIdentity } from './api.js';
import { choose, ENCODING, wishesOf, type Choice, type Wishes } from './credentials.js';
import { identityOf } from './identity.js';
import { judgePeer } from './judge.js';
import { unmapped } from './prefix-map.js';
import { pskProof, signatureProof } from './proof.js';
import { PeerLog } from './refusal.js';
import { classesFor, pskFor, stateOf, trustOf, type AuthState } from './state.js';
import type { AuthSetup, SpTrust } from './setup.js';

/** The real one can be given another setup while it works: another configuration, or newer CRLs. */
export interface ReloadableAuthenticator extends Authenticator {
  /**
   * Takes another setup from now on, its secrets included: preshared keys that are not the same octet strings there
   * are wiped. Throws AuthSetupError and stays as it was.
   */
  reload(setup: AuthSetup): void;
  /** Wipes preshared keys; nobody is authenticated any more. */
  close(): void;
}

/**
 * @param setup taken over. Throws AuthSetupError when it contradicts itself or cannot be used
 * @param certificates of the addon; without it there can be preshared keys only
 */
export function createAuthenticator(
  setup: AuthSetup,
  env: IkeEnvironment,
  certificates?: CertificateLibrary,
): ReloadableAuthenticator {
  return new SetupAuthenticator(setup, env, certificates);
}

class SetupAuthenticator implements ReloadableAuthenticator {
  private state: AuthState;
  private readonly env: IkeEnvironment;
  private readonly log: PeerLog;

  private readonly certificates: CertificateLibrary | undefined;

  constructor(setup: AuthSetup, env: IkeEnvironment, certificates: CertificateLibrary | undefined) {
    this.env = env;
    this.certificates = certificates;
    this.log = new PeerLog(env);
    this.state = stateOf(setup, env, certificates);
  }

  reload(setup: AuthSetup): void {
    const state = stateOf(setup, this.env, this.certificates);
    wipeUnless(this.state.setup, setup);
    this.state = state;
  }

  close(): void {
    this.reload({ sps: [], credentials: [] });
  }

  admits({ remote }: Addresses): Outcome<{ readonly sp: string }> {
    const trust = trustOf(this.state, remote);
    if (trust !== undefined) return good({ sp: trust.sp });
    return bad('POLICY', 'us', `${formatAddress(remote)} is in no SP's tunnel address ranges`);
  }

  initNotifies({ remote }: Addresses): readonly Payload[] {
    const trust = trustOf(this.state, remote);
    const classes = trust === undefined ? [] : classesFor(this.state, trust, remote);
    return classes.some((name) => name !== 'psk') ? [hashAlgorithms()] : [];
  }

  requests({ remote }: Addresses): readonly Payload[] {
    const trust = trustOf(this.state, remote);
    if (trust === undefined) return [];
    const classes = classesFor(this.state, trust, remote);
    const methods = supportedMethods(classes);
    if (classes.every((name) => name === 'psk')) return [methods];
    const hashes = this.state.store.authoritiesOf(trust).map(({ hash }) => hash);
    const request = {
      kind: 'CERTREQ',
      encoding: ENCODING.x509,
      authorities: join(...hashes),
    } as const;
    // RFC 4806 §3.1: without hashes, any responder that the certificate's issuer has.
    const ocsp = {
      kind: 'CERTREQ',
      encoding: ENCODING.ocsp,
      authorities: new Uint8Array(0),
    } as const;
    return [request, ...(trust.revocation.askOcsp ? [ocsp] : []), methods];
  }

  async prove(
    { local, remote }: Addresses,
    input: AuthInput,
    hints: PeerAuthHints,
  ): Promise<Outcome<readonly Payload[]>> {
    const trust = trustOf(this.state, remote);
    const id = identityOf(input.role, local);
    const wishes = wishesOf(hints);
    const chosen = trust && this.chooseFor(trust, { local, remote }, wishes);
    if (chosen === undefined) {
      const what = `nothing to prove ${formatAddress(local)} with that ${formatAddress(remote)} takes`;
      this.log.warn(unmapped(remote), what, {});
      return bad('POLICY', 'us', what);
    }
    if (chosen instanceof Uint8Array) {
      const data = pskProof(this.env.crypto, input, id, chosen);
      return good([id, { kind: 'AUTH', method: AUTH_METHOD.sharedKey, data }]);
    }
    const auth = await signatureProof(this.env.crypto, input, id, chosen);
    if (!auth.ok) return auth;
    return good([id, ...certificatesOf(chosen, wishes, this.env.wallClock()), auth.value]);
  }

  async verify(
    addresses: Addresses,
    input: AuthInput,
    payloads: readonly Payload[],
  ): Promise<Outcome<PeerIdentity>> {
    const remote = unmapped(addresses.remote);
    const trust = trustOf(this.state, remote);
    const psk = trust && pskFor(this.state, trust, remote);
    const { env, log, state } = this;
    const judged = await judgePeer({ env, log, state, remote, trust, psk, input }, payloads);
    if (judged === undefined) return bad('BUSY', 'us', 'no room to check the proof of the peer');
    return judged.ok ? good(judged.value) : log.refused(remote, judged.refusal);
  }

  /**
   * A preshared key or a certificate: the first of the policy's methods that the peer takes, first among the
   * certificates of the CAs that it asks for.
   */
  private chooseFor(
    trust: SpTrust,
    { local, remote }: Addresses,
    wishes: Wishes,
  ): Uint8Array | Choice | undefined {
    const { credentials, store } = this.state;
    const candidates = credentials.for(unmapped(local), trust.sp);
    const authorities = store.authoritiesOf(trust);
    const isNameOf = (hash: string, issuer: Uint8Array): boolean =>
      authorities.some(
        (each) =>
          Buffer.from(each.hash).toString('hex') === hash &&
          this.certificates?.sameName(each.subject, issuer) === true,
      );
    for (const isAnyAuthority of [false, true]) {
      for (const name of trust.methods) {
        if (name === 'psk') {
          const psk = pskFor(this.state, trust, remote);
          if (psk !== undefined && wishes.taken?.psk !== false) return psk.key;
          continue;
        }
        const ofClass = candidates.filter(({ keyClass }) => keyClass === name);
        const choice = choose(ofClass, wishes, isNameOf, isAnyAuthority);
        if (choice !== undefined) return choice;
      }
    }
    return undefined;
  }
}

/** CERT payloads, leaf first; an OCSP response for who asked, while it is current (RFC 4806 §3.2). */
function certificatesOf(
  { own: { credential, ocspUntil } }: Choice,
  { wantsOcsp }: Wishes,
  now: number,
): readonly Payload[] {
  const { chain, ocsp } = credential;
  const certificates = chain.map(
    (data) => ({ kind: 'CERT', encoding: ENCODING.x509, data }) as const,
  );
  if (!wantsOcsp || ocsp === undefined || now > ocspUntil) return certificates;
  return [...certificates, { kind: 'CERT', encoding: ENCODING.ocsp, data: ocsp }];
}

/** Wipes the preshared keys that the next setup does not go on with. */
function wipeUnless(setup: AuthSetup, next: AuthSetup): void {
  const keys = (of: AuthSetup): readonly Uint8Array[] =>
    of.sps.flatMap(({ psks }) => psks.map(({ key }) => key));
  const kept = new Set(keys(next));
  wipe(...keys(setup).filter((key) => !kept.has(key)));
}
