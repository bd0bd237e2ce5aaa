// SPDX-License-Identifier: Apache-2.0
/** The Authenticator: preshared keys (RFC 7296 §2.15) and certificates, by SP. */
import { formatAddress } from '../../lib/ip.js';
import type { Payload, PayloadKind, PayloadOf } from '../codec/payload.js';
import { sameAuth } from '../crypto/auth.js';
import { wipe } from '../crypto/secret.js';
import { AUTH_METHOD } from '../crypto/signatures.js';
import { bad, good, type IkeEnvironment, type Outcome } from '../types.js';
import { hashAlgorithms, readMethods, supportedMethods } from './announce.js';
import type { Addresses, Authenticator, AuthInput, PeerAuthHints, PeerIdentity } from './api.js';
import { addressOf, bodyOf, identityOf } from './identity.js';
import { unmapped } from './prefix-map.js';
import { accept, PeerLog, refuse, type Judged } from './refusal.js';
import { tabulate, type AuthClass, type AuthSetup, type SpTable, type SpTrust } from './setup.js';

/** The real one can be given another setup while it works. */
export interface ReloadableAuthenticator extends Authenticator {
  /** Takes another setup from now on, its secrets included. Throws AuthSetupError and stays as it was. */
  reload(setup: AuthSetup): void;
  /** Wipes preshared keys; nobody is authenticated any more. */
  close(): void;
}

/** @param setup taken over. Throws AuthSetupError when it contradicts itself */
export function createAuthenticator(
  setup: AuthSetup,
  env: IkeEnvironment,
): ReloadableAuthenticator {
  return new SetupAuthenticator(setup, env);
}

class SetupAuthenticator implements ReloadableAuthenticator {
  private setup: AuthSetup;
  private table: SpTable;
  private readonly env: IkeEnvironment;
  private readonly log: PeerLog;

  constructor(setup: AuthSetup, env: IkeEnvironment) {
    this.setup = setup;
    this.env = env;
    this.table = tabulate(setup);
    this.log = new PeerLog(env);
  }

  reload(setup: AuthSetup): void {
    const table = tabulate(setup);
    wipeUnless(this.setup, setup);
    this.setup = setup;
    this.table = table;
  }

  close(): void {
    this.reload({ sps: [], credentials: [] });
  }

  admits({ remote }: Addresses): Outcome<{ readonly sp: string }> {
    const trust = this.trustOf(remote);
    if (trust !== undefined) return good({ sp: trust.sp });
    return bad('POLICY', 'us', `${formatAddress(remote)} is in no SP's tunnel address ranges`);
  }

  initNotifies({ remote }: Addresses): readonly Payload[] {
    const trust = this.trustOf(remote);
    return trust?.methods.some((name) => name !== 'psk') === true ? [hashAlgorithms()] : [];
  }

  requests({ remote }: Addresses): readonly Payload[] {
    const trust = this.trustOf(remote);
    return trust === undefined ? [] : [supportedMethods(this.classesFor(trust, remote))];
  }

  prove(
    { local, remote }: Addresses,
    input: AuthInput,
    hints: PeerAuthHints,
  ): Promise<Outcome<readonly Payload[]>> {
    const trust = this.trustOf(remote);
    const key = trust === undefined ? undefined : this.pskFor(trust, remote);
    const taken = hints.methods === undefined ? undefined : readMethods(hints.methods);
    const id = identityOf(input.role, local);
    if (key !== undefined && taken?.psk !== false) {
      const data = this.pskAuth(input, bodyOf(id), key.key);
      return Promise.resolve(good([id, { kind: 'AUTH', method: AUTH_METHOD.sharedKey, data }]));
    }
    return Promise.resolve(
      bad('POLICY', 'us', `nothing to prove ourselves with to ${formatAddress(remote)}`),
    );
  }

  verify(
    addresses: Addresses,
    input: AuthInput,
    payloads: readonly Payload[],
  ): Promise<Outcome<PeerIdentity>> {
    const remote = unmapped(addresses.remote);
    const judged = this.judge(remote, input, payloads);
    return Promise.resolve(
      judged.ok ? good(judged.value) : this.log.refused(remote, judged.refusal),
    );
  }

  private judge(
    remote: Uint8Array,
    input: AuthInput,
    payloads: readonly Payload[],
  ): Judged<PeerIdentity> {
    const id = only(payloads, input.role === 'initiator' ? 'IDi' : 'IDr');
    const auth = only(payloads, 'AUTH');
    if (id === undefined) return refuse('auth_identity_refused', 'no identity, or several');
    if (auth === undefined) return refuse('auth_failed', 'no AUTH payload, or several');
    const trust = this.trustOf(remote);
    if (trust === undefined) {
      return refuse('auth_wrong_sp', "the address is in no SP's tunnel address ranges");
    }
    if (auth.method === AUTH_METHOD.sharedKey && trust.methods.includes('psk')) {
      return this.judgePsk(remote, trust, input, { id, auth });
    }
    return refuse(
      'auth_method_refused',
      `SP ${trust.sp} does not allow authentication method ${auth.method}`,
    );
  }

  private judgePsk(
    remote: Uint8Array,
    trust: SpTrust,
    input: AuthInput,
    { id, auth }: { readonly id: PayloadOf<'IDi' | 'IDr'>; readonly auth: PayloadOf<'AUTH'> },
  ): Judged<PeerIdentity> {
    if (!isAddress(addressOf(id), remote)) {
      return refuse('auth_identity_refused', 'the identity is not the address (policy-model 15)');
    }
    const psk = this.pskFor(trust, remote);
    if (psk === undefined)
      {return refuse('auth_no_psk', 'there is no preshared key for the address');}
    const expected = this.pskAuth(input, bodyOf(id), psk.key);
    const isSame = sameAuth(expected, auth.data);
    wipe(expected);
    const anchor = psk.name;
    if (!isSame) return refuse('auth_failed', 'the preshared keys differ', { anchor });
    const identity = { address: remote, sp: trust.sp, method: 'psk', subject: '', anchor } as const;
    return accept({ ...identity, validUntil: undefined });
  }

  private pskAuth(input: AuthInput, identity: Uint8Array, key: Uint8Array): Buffer {
    const { kdf } = this.env.crypto;
    const { prf, message, peerNonce, skP, intAuth } = input;
    const tail = intAuth === undefined ? {} : { intAuth };
    const octets = kdf.signedOctets(prf, { message, peerNonce, skP, identity, ...tail });
    return kdf.pskAuth(prf, key, octets);
  }

  private trustOf(remote: Uint8Array): SpTrust | undefined {
    return this.table.ofAddress(unmapped(remote));
  }

  private pskFor(
    trust: SpTrust,
    remote: Uint8Array,
  ): { name: string; key: Uint8Array } | undefined {
    if (!trust.methods.includes('psk')) return undefined;
    const found = this.table.pskOf(unmapped(remote));
    return found?.sp === trust.sp ? found.psk : undefined;
  }

  /** Methods that a peer may use, in the policy's order. */
  private classesFor(trust: SpTrust, remote: Uint8Array): readonly AuthClass[] {
    const hasKey = this.pskFor(trust, remote) !== undefined;
    return trust.methods.filter((name) => (name === 'psk' ? hasKey : trust.anchors.length > 0));
  }
}

const isAddress = (a: Uint8Array | undefined, b: Uint8Array): boolean =>
  a !== undefined && Buffer.compare(a, b) === 0;

/** The payload of a kind, when there is exactly one. */
function only<Kind extends PayloadKind>(
  payloads: readonly Payload[],
  kind: Kind,
): PayloadOf<Kind> | undefined {
  const found = payloads.filter((each): each is PayloadOf<Kind> & Payload => each.kind === kind);
  return found.length === 1 ? found[0] : undefined;
}

/** Wipes the preshared keys that the next setup does not go on with. */
function wipeUnless(setup: AuthSetup, next: AuthSetup): void {
  const keys = (of: AuthSetup): readonly Uint8Array[] =>
    of.sps.flatMap(({ psks }) => psks.map(({ key }) => key));
  const kept = new Set(keys(next));
  wipe(...keys(setup).filter((key) => !kept.has(key)));
}
