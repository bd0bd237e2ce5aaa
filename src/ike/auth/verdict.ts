// SPDX-License-Identifier: Apache-2.0
/** What OpenSSL says of a path that is not good, as a counter and a line of the log. */
import type { CertificateVerdict } from '../../lib/certificate-api.js';
import type { LogFields } from '../../lib/log.js';
import type { IkeCounter } from '../counters.js';
import { refusal, type Refusal } from './refusal.js';

type Bad = Extract<CertificateVerdict, { readonly ok: false }>;

const NO_PATH = ['cert_untrusted', 'no path to a trust anchor'] as const;
const FORGED = ['cert_untrusted', 'a signature that is not the issuer’s'] as const;
const CONSTRAINED = ['cert_wrong_usage', 'a name outside of the name constraints'] as const;

/** By {@link Bad.code}; '' as text: OpenSSL's words. What is not here is untrusted. */
const REASONS: Readonly<Record<string, readonly [counter: IkeCounter, text: string]>> = {
  X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT: NO_PATH,
  X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NO_PATH,
  X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: NO_PATH,
  X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: NO_PATH,
  X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: NO_PATH,
  X509_V_ERR_CERT_SIGNATURE_FAILURE: FORGED,
  X509_V_ERR_CERT_CHAIN_TOO_LONG: ['cert_untrusted', 'more intermediates than are looked at'],
  X509_V_ERR_CERT_NOT_YET_VALID: ['cert_expired', 'a certificate that is not yet valid'],
  X509_V_ERR_CERT_HAS_EXPIRED: ['cert_expired', 'a certificate that has expired'],
  X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD: ['cert_malformed', ''],
  X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD: ['cert_malformed', ''],
  X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: ['cert_malformed', ''],
  X509_V_ERR_INVALID_EXTENSION: ['cert_malformed', ''],
  X509_V_ERR_INVALID_POLICY_EXTENSION: ['cert_malformed', ''],
  X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH: ['cert_malformed', ''],
  X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY: ['cert_malformed', ''],
  MALFORMED: ['cert_malformed', 'a certificate that cannot be read'],
  MALFORMED_ISSUER: ['cert_malformed', "an issuer's certificate that cannot be read"],
  X509_V_ERR_CERT_REVOKED: ['cert_revoked', 'a certificate that is revoked, says a CRL'],
  OCSP_REVOKED: ['cert_revoked', 'a certificate that is revoked, says OCSP'],
  STATUS_UNKNOWN: ['cert_status_unknown', 'revocation status unknown'],
  LEAF_IS_CA: ['cert_wrong_usage', "a CA's certificate used by a peer"],
  KEY_USAGE: ['cert_wrong_usage', 'a key usage that forbids signatures'],
  EXTENDED_KEY_USAGE: ['cert_wrong_usage', 'an extended key usage that is not for IKE'],
  X509_V_ERR_INVALID_CA: ['cert_wrong_usage', 'an issuer that is no CA'],
  X509_V_ERR_KEYUSAGE_NO_CERTSIGN: ['cert_wrong_usage', 'an issuer that may not sign certificates'],
  X509_V_ERR_PATH_LENGTH_EXCEEDED: [
    'cert_wrong_usage',
    'more intermediates than its path length allows',
  ],
  X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION: ['cert_wrong_usage', 'a critical extension'],
  X509_V_ERR_NO_EXPLICIT_POLICY: ['cert_wrong_usage', ''],
  X509_V_ERR_PROXY_CERTIFICATES_NOT_ALLOWED: ['cert_wrong_usage', ''],
  X509_V_ERR_UNNESTED_RESOURCE: ['cert_wrong_usage', ''],
  X509_V_ERR_PERMITTED_VIOLATION: CONSTRAINED,
  X509_V_ERR_EXCLUDED_VIOLATION: CONSTRAINED,
  X509_V_ERR_SUBTREE_MINMAX: ['cert_wrong_usage', 'name constraints'],
  X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE: ['cert_wrong_usage', 'name constraints'],
  X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX: ['cert_wrong_usage', 'name constraints'],
  X509_V_ERR_UNSUPPORTED_NAME_SYNTAX: ['cert_wrong_usage', 'name constraints'],
  X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA: ['cert_wrong_usage', ''],
  X509_V_ERR_PATHLEN_WITHOUT_KU_KEY_CERT_SIGN: ['cert_wrong_usage', ''],
  X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA: [
    'cert_wrong_usage',
    'an issuer that is no CA, or a certificate with the key usage of one',
  ],
  X509_V_ERR_CA_CERT_MISSING_KEY_USAGE: ['cert_wrong_usage', ''],
  X509_V_ERR_CA_BCONS_NOT_CRITICAL: ['cert_wrong_usage', ''],
  X509_V_ERR_EE_KEY_TOO_SMALL: ['cert_weak', 'a key that is too weak'],
  X509_V_ERR_CA_KEY_TOO_SMALL: ['cert_weak', "an issuer's key that is too weak"],
  X509_V_ERR_CA_MD_TOO_WEAK: ['cert_weak', 'a signature algorithm that is too weak'],
  X509_V_ERR_UNSUPPORTED_SIGNATURE_ALGORITHM: ['cert_weak', 'an unknown signature algorithm'],
  X509_V_ERR_EC_KEY_EXPLICIT_PARAMS: ['cert_weak', ''],
};

/** Codes that say no more than that there is no way to an anchor. */
export const isPathless = ({ code }: Bad): boolean => REASONS[code] === NO_PATH;

/** The addon had no memory: not the peer's fault. */
export const isOurs = ({ code }: Bad): boolean =>
  code === 'INTERNAL' || code === 'X509_V_ERR_OUT_OF_MEM';

export function refusalOf(bad: Bad): Refusal {
  const [counter, text] = REASONS[bad.code] ?? ['cert_untrusted', ''];
  const detail = bad.detail === '' ? bad.code : bad.detail;
  if (text === '') return refusal(counter, detail, about(bad));
  const hasMore = counter === 'cert_status_unknown' || text === 'name constraints';
  const isNamed = bad.code === 'X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION';
  return refusal(counter, hasMore || isNamed ? `${text}: ${detail}` : text, about(bad));
}

/** Whose certificate a log line is about. */
export function about({ subject, serial }: Pick<Bad, 'subject' | 'serial'>): LogFields {
  return serial === '' ? {} : { subject, serial };
}
