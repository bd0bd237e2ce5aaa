// SPDX-License-Identifier: Apache-2.0
/** The judgement of a peer's ID, CERT and AUTH payloads. */
import type { CertificateFacts, CertificateLibrary } from '../../lib/certificate-api.js';
import { formatAddress } from '../../lib/ip.js';
import type { Payload, PayloadKind, PayloadOf } from '../codec/payload.js';
import { sameAuth } from '../crypto/auth.js';
import { wipe } from '../crypto/secret.js';
import { AUTH_METHOD, SCHEMES, type SchemeName } from '../crypto/signatures.js';
import type { IkeEnvironment } from '../types.js';
import { schemeOfIdentifier, schemesByClass } from './announce.js';
import type { AuthInput, PeerIdentity } from './api.js';
import { ENCODING } from './credentials.js';
import { addressOf, ID_TYPE } from './identity.js';
import { unmapped } from './prefix-map.js';
import { pskProof, signedBy } from './proof.js';
import { accept, refuse, type Judged, type PeerLog } from './refusal.js';
import type { PresharedKey, SpTrust } from './setup.js';
import type { AuthState } from './state.js';
import type { ValidCertificate } from './trust-store.js';

export interface Judging {
  readonly env: IkeEnvironment;
  readonly log: PeerLog;
  readonly state: AuthState;
  /** Unmapped. */
  readonly remote: Uint8Array;
  /** The SP whose ranges hold the address, and the preshared key for it, if that is allowed. */
  readonly trust: SpTrust | undefined;
  readonly psk: PresharedKey | undefined;
  readonly input: AuthInput;
}

interface Claim {
  readonly id: PayloadOf<'IDi' | 'IDr'>;
  readonly auth: PayloadOf<'AUTH'>;
}

/** undefined: the crypto has no room now. */
export async function judgePeer(
  judging: Judging,
  payloads: readonly Payload[],
): Promise<Judged<PeerIdentity> | undefined> {
  const { input, trust, remote } = judging;
  const id = only(payloads, input.role === 'initiator' ? 'IDi' : 'IDr');
  const auth = only(payloads, 'AUTH');
  if (id === undefined) return refuse('auth_identity_refused', 'no identity, or several');
  if (auth === undefined) return refuse('auth_failed', 'no AUTH payload, or several');
  if (trust === undefined) {
    return refuse('auth_wrong_sp', "the address is in no SP's tunnel address ranges");
  }
  const named = addressOf(id);
  if (named !== undefined && !isSame(named, remote)) {
    const identity = formatAddress(named);
    return refuse('auth_identity_refused', 'the identity is another address', { identity });
  }
  if (auth.method === AUTH_METHOD.sharedKey && trust.methods.includes('psk')) {
    return judgePsk(judging, trust, { id, auth });
  }
  const schemes = schemesOf(auth).filter((name) => trust.methods.includes(classOfScheme(name)));
  const [scheme] = schemes;
  if (scheme !== undefined) return judgeSignature(judging, trust, { id, auth }, schemes, payloads);
  const { method } = auth;
  return refuse('auth_method_refused', `SP ${trust.sp} does not allow this way to authenticate`, {
    method,
  });
}

function judgePsk(
  { env, input, psk, remote }: Judging,
  { sp }: SpTrust,
  { id, auth }: Claim,
): Judged<PeerIdentity> {
  if (addressOf(id) === undefined) {
    return refuse(
      'auth_identity_refused',
      'the identity is no address, and nothing vouches for it',
    );
  }
  if (psk === undefined) return refuse('auth_no_psk', 'there is no preshared key for the address');
  const expected = pskProof(env.crypto, input, id, psk.key);
  const isRight = sameAuth(expected, auth.data);
  wipe(expected);
  const anchor = psk.name;
  if (!isRight) return refuse('auth_failed', 'the preshared keys differ', { anchor });
  const method = 'psk';
  return accept({ address: remote, sp, method, subject: '', anchor, validUntil: undefined });
}

/** Schemes that an AUTH may be of. Method 1 does not say its hash: there are three to try. */
function schemesOf({ method, algorithm }: PayloadOf<'AUTH'>): readonly SchemeName[] {
  if (method === AUTH_METHOD.digitalSignature) {
    const scheme = algorithm && schemeOfIdentifier(algorithm);
    return scheme === undefined ? [] : [scheme];
  }
  return Object.values(schemesByClass)
    .flat()
    .filter((name) => SCHEMES[name].method === method);
}

function classOfScheme(name: SchemeName): 'rsa' | 'ecdsa' | 'ed25519' {
  const { kind } = SCHEMES[name];
  return kind === 'pkcs1' || kind === 'pss' ? 'rsa' : kind;
}

async function judgeSignature(
  judging: Judging,
  trust: SpTrust,
  claim: Claim,
  schemes: readonly SchemeName[],
  payloads: readonly Payload[],
): Promise<Judged<PeerIdentity> | undefined> {
  const { state, remote, log } = judging;
  const of = (encoding: number): readonly Uint8Array[] =>
    payloads.flatMap((each) =>
      each.kind === 'CERT' && each.encoding === encoding ? [each.data] : [],
    );
  const validated = await state.store.validate(trust, of(ENCODING.x509), of(ENCODING.ocsp));
  if (validated?.ok !== true) return validated;
  const certificate = validated.value;
  const { anchor, validUntil, warning } = certificate;
  const { subject, serial } = certificate.facts;
  const fields = { subject, serial, anchor };
  const names = judgeNames(judging, trust, claim, certificate);
  if (names !== undefined) return refuse(names.counter, names.reason, fields);
  const isRight = await isSignedBy(judging, claim, certificate, schemes);
  if (isRight === undefined) return undefined;
  if (!isRight) {
    return refuse('auth_failed', 'the signature is not that of the certificate’s key', fields);
  }
  if (warning !== undefined) {
    log.warn(remote, 'revocation status unknown, peer taken', { ...fields, warning });
  }
  const method = classOfScheme(schemes[0] ?? 'ed25519');
  return accept({ address: remote, sp: trust.sp, method, subject, anchor, validUntil });
}

/** policy-model 14 and 15: the certificate names the address, none outside of the ranges, and the identity. */
function judgeNames(
  { state, remote }: Judging,
  trust: SpTrust,
  { id }: Claim,
  { facts }: ValidCertificate,
): Extract<ReturnType<typeof refuse>, { readonly ok: false }>['refusal'] | undefined {
  const ips = facts.addresses.map(unmapped);
  if (!ips.some((ip) => isSame(ip, remote))) {
    return refuse('cert_no_address', 'the certificate does not name the address (IP SAN)').refusal;
  }
  const outside = ips.find((ip) => state.table.ofAddress(ip) !== trust);
  if (outside !== undefined) {
    const reason = `the certificate names ${formatAddress(outside)}, which is outside of the ranges of SP ${trust.sp}`;
    return refuse('auth_wrong_sp', reason).refusal;
  }
  if (addressOf(id) !== undefined || isNamed(id, facts, state.certificates)) return undefined;
  return refuse('auth_identity_refused', 'the certificate does not bear out the identity').refusal;
}

/** A distinguished name that is the subject, or a DNS name among the SANs; other types are not taken. */
function isNamed(
  { idType, data }: Claim['id'],
  { dnsNames, subjectName }: CertificateFacts,
  library: CertificateLibrary | undefined,
): boolean {
  if (idType === ID_TYPE.fqdn) {
    return dnsNames.includes(Buffer.from(data).toString('latin1').toLowerCase());
  }
  // An empty subject names nobody.
  if (idType !== ID_TYPE.dn || data.length <= EMPTY_NAME) return false;
  return library?.sameName(data, subjectName) === true;
}

/** Octets of a SEQUENCE without content. */
const EMPTY_NAME = 2;

/** undefined: the crypto has no room now. */
async function isSignedBy(
  { env: { crypto }, input }: Judging,
  { id, auth }: Claim,
  { key }: ValidCertificate,
  schemes: readonly SchemeName[],
): Promise<boolean | undefined> {
  const octets = signedBy(crypto, input, id);
  for (const scheme of schemes) {
    const result = await crypto.signatures.verify(scheme, key, octets, auth.data);
    if (result.ok) return true;
    const { code } = result.error;
    if (code !== 'SIGNATURE' && code !== 'KEY') return undefined;
  }
  return false;
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** The payload of a kind, when there is exactly one. */
function only<Kind extends PayloadKind>(
  payloads: readonly Payload[],
  kind: Kind,
): PayloadOf<Kind> | undefined {
  const found = payloads.filter((each): each is PayloadOf<Kind> & Payload => each.kind === kind);
  return found.length === 1 ? found[0] : undefined;
}
