// SPDX-License-Identifier: Apache-2.0
/**
 * Checks of certificates (below addon/src, RFC 5280, RFC 4945 5) that are taken away one at a time, and the tests below
 * test/unit, "FILE: beginning of a title", each of which must then fail. What libcrypto judges by itself is taken away
 * by forgiving its error. Not among them: that a path ends at an anchor, which libcrypto sees to, and again who looks up
 * which anchor it was.
 */
import { of, type Mutation, type Row } from './mutation.js';
import { STATUS } from './x509-status.js';
import { ADDON, GOOD, HOSTILE, PROGRAM, REVOCATION, ROGUE } from './x509-tests.js';

/** libcrypto's error X509_V_ERR_..., forgiven. */
const forgiven = (what: string, error: string, ...tests: readonly string[]): Row => {
  const text = '\tdefault:\n\t\treturn false;\n\t}\n}\n\nint on_error(';
  return [what, text, `\tcase X509_V_ERR_${error}:\n\t\treturn true;\n${text}`, ...tests];
};

const PATHS = of('x509_store.cc', [
  forgiven(
    'the end of its validity',
    'CERT_HAS_EXPIRED',
    ROGUE('expired'),
    ROGUE('an issuer that has expired'),
  ),
  forgiven('the beginning of its validity', 'CERT_NOT_YET_VALID', ROGUE('not yet valid')),
  [
    'the time is that of the question',
    'X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), question.now);',
    '',
    ADDON('are valid at the time'),
  ],
  [
    'a path is valid no longer than each of its certificates',
    'for (int i = 0; i < length; i++) {',
    'for (int i = 0; i < 1; i++) {',
    ADDON('are valid until the first certificate'),
  ],
  forgiven(
    'signatures',
    'CERT_SIGNATURE_FAILURE',
    ROGUE('a signature by another key, the key identifiers alike'),
  ),
  forgiven(
    'only CAs issue (basicConstraints)',
    'INVALID_CA:\n\tcase X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA',
    ROGUE('a leaf as CA that may sign certificates'),
  ),
  forgiven(
    'and they may (keyUsage)',
    'INVALID_CA:\n\tcase X509_V_ERR_KEYUSAGE_NO_CERTSIGN',
    ROGUE('a CA that may not sign certificates'),
    ROGUE('a leaf as CA: '),
  ),
  [
    'and are made strictly (RFC 5280 4.2.1.3 and 4.2.1.9)',
    'X509_V_FLAG_X509_STRICT | X509_V_FLAG_POLICY_CHECK',
    'X509_V_FLAG_POLICY_CHECK',
    ROGUE('a CA without key usages'),
    ROGUE('a CA that is one by an extension that is not critical'),
  ],
  forgiven(
    'an explicit policy, where a CA requires one',
    'NO_EXPLICIT_POLICY',
    ADDON('an explicit policy that a CA requires'),
  ),
  [
    'whichever',
    'check(X509_VERIFY_PARAM_add0_policy(param, OBJ_nid2obj(NID_any_policy)) == 1);',
    '',
    ADDON('an explicit policy that a CA requires'),
  ],
  forgiven(
    'the length of paths (pathLenConstraint)',
    'PATH_LENGTH_EXCEEDED',
    ROGUE('a path that is too long'),
  ),
  [
    'and of all of them',
    'X509_VERIFY_PARAM_set_depth(param, kMostIntermediates);',
    '',
    ADDON('more intermediates than are looked at'),
  ],
  forgiven(
    'names within the constraints of an issuer',
    'PERMITTED_VIOLATION',
    ROGUE('an address outside of the constraints'),
    ROGUE('an address among others outside'),
    ROGUE('constraints that one below cannot widen'),
    ROGUE('an intermediate outside of the constraints, the leaf inside'),
    ROGUE('constraints of the anchor itself'),
    ROGUE('a DNS name outside'),
    ROGUE('a subject outside'),
    ROGUE('a mail address outside'),
  ),
  forgiven(
    'and not excluded by them',
    'EXCLUDED_VIOLATION',
    ROGUE('an address that is excluded'),
    ROGUE('a DNS name that is excluded'),
  ),
  forgiven(
    'critical extensions',
    'UNHANDLED_CRITICAL_EXTENSION',
    ROGUE('a critical extension that nobody knows'),
    ROGUE('an issuer with a critical extension that nobody knows'),
  ),
  [
    'the strength of keys and signatures',
    'X509_VERIFY_PARAM_set_auth_level(param, kSecurityLevel);',
    '',
    ROGUE('an issuer with an RSA key of 1024 bits'),
    ROGUE('a signature with SHA-1'),
  ],
  forgiven('SHA-1 is not', 'CA_MD_TOO_WEAK', ROGUE('a signature with SHA-1')),
  [
    'an anchor that is not self-signed ends a path',
    'flags |= X509_V_FLAG_PARTIAL_CHAIN;',
    'flags |= 0;',
    ADDON('an anchor that is not self-signed ends a path'),
  ],
  [
    'which anchor it was, and so whose SP’s (policy-model 14)',
    'return X509_cmp(each.get(), last) == 0;',
    'return each != nullptr || last == nullptr;',
    ADDON('say whose anchor it is'),
  ],
]);

const USAGE = of('x509_store.cc', [
  [
    'extendedKeyUsage says IKE (RFC 4945 5.1.3.12)',
    'if (usage == NID_ipsec_IKE || usage == NID_anyExtendedKeyUsage)',
    'if (usage != NID_undef)',
    ROGUE('only for TLS servers'),
    ROGUE('under an issuer only for TLS'),
  ],
  [
    'of issuers, too',
    'for (int i = 0; i + 1 < sk_X509_num(chain); i++)\n\t\tif (!is_for_ike(',
    'for (int i = 0; i < 1; i++)\n\t\tif (!is_for_ike(',
    ROGUE('under an issuer only for TLS'),
  ],
  [
    'not of anchors',
    'for (int i = 0; i + 1 < sk_X509_num(chain); i++)\n\t\tif (!is_for_ike(',
    'for (int i = 0; i < sk_X509_num(chain); i++)\n\t\tif (!is_for_ike(',
    GOOD('an anchor that is only for TLS'),
  ],
  [
    'or anything',
    'usage == NID_ipsec_IKE || usage == NID_anyExtendedKeyUsage',
    'usage == NID_ipsec_IKE',
    GOOD('anyExtendedKeyUsage'),
  ],
  [
    'without the extension anything',
    'if ((X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) == 0)\n\t\treturn true;',
    '',
    GOOD('no key usages at all'),
  ],
  [
    'keyUsage says signatures',
    '(X509_get_key_usage(leaf) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0',
    'X509_get_key_usage(leaf) == 0',
    ROGUE('only for encryption'),
  ],
  ['or nonRepudiation', ' | KU_NON_REPUDIATION', '', GOOD('nonRepudiation alone')],
  [
    'a CA is no peer',
    '(X509_get_extension_flags(leaf) & EXFLAG_CA) != 0 || ',
    '',
    ROGUE("a CA's certificate"),
  ],
  ['nor is an anchor', ' || sk_X509_num(chain) < 2)', ')', ADDON('an anchor is no peer')],
]);

const OBJECTS = of('x509_objects.cc', [
  [
    'nothing behind a certificate',
    'if (at != der.data() + der.size())',
    'if (false)',
    HOSTILE('octets behind it'),
    ADDON('what is too large or broken'),
  ],
  [
    'what is too large is not read',
    'der.empty() || der.size() > most',
    'der.empty()',
    ADDON('what is too large or broken'),
  ],
  [
    'extensions that cannot be read',
    '(X509_get_extension_flags(result.get()) & EXFLAG_INVALID) != 0',
    'false',
    ADDON('extensions that cannot be read are none to judge by'),
  ],
  [
    'addresses are of 4 or 16 octets',
    'if (length != 4 && length != 16)\n\t\t\t\treturn false;',
    '',
    ADDON('a subject alternative name that is no address or no DNS name'),
  ],
  [
    'DNS names are of letters, digits and hyphens',
    'if (!is_fine)\n\t\t\treturn false;',
    '(void)is_fine;',
    ADDON('a subject alternative name that is no address or no DNS name'),
  ],
  [
    'no CRL that is signed too weakly',
    'if (!is_strong(algorithm))',
    'if (false)',
    REVOCATION('one signed with SHA-1 is no CRL to configure'),
  ],
  [
    'RSASSA-PSS without parameters is SHA-1',
    '? NID_sha1\n',
    '? NID_sha256\n',
    ADDON('a CRL signed with RSASSA-PSS and its default digest'),
  ],
  [
    'no CRL without an end',
    ' ||\n\t    !seconds_of(X509_CRL_get0_nextUpdate(crl.get()))',
    '',
    PROGRAM,
  ],
  [
    'no partial CRL',
    'if (X509_CRL_get_ext_by_critical(crl.get(), 1, -1) >= 0)',
    'if (false)',
    REVOCATION('a partial one is no CRL to configure'),
  ],
]);

export const X509_MUTATIONS: readonly Mutation[] = [...PATHS, ...USAGE, ...OBJECTS, ...STATUS];
