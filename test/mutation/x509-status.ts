// SPDX-License-Identifier: Apache-2.0
/** Checks of revocation: CRLs (RFC 5280 5) and OCSP responses (RFC 6960). See x509.ts. */
import { of, type Mutation } from './mutation.js';
import { ADDON, PROGRAM, REVOCATION, ROGUE } from './x509-tests.js';

const CRLS = of('x509_store.cc', [
  [
    'revoked by a CRL',
    'return is_anchor || known == ByCrl::kUnusable ? 1 : 0;',
    'return is_anchor || true ? 1 : 0;',
    ROGUE('revoked'),
    ROGUE('an issuer that is revoked'),
    REVOCATION('who is not on it is good, who is on it is not'),
  ],
  [
    'each certificate of the path',
    'X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL',
    'X509_V_FLAG_CRL_CHECK',
    ROGUE('an issuer that is revoked'),
  ],
  [
    'but the anchor',
    'is_anchor || known == ByCrl::kUnusable',
    'known == ByCrl::kUnusable',
    REVOCATION('an anchor is trusted, whatever its own CRL says'),
  ],
  [
    'and by a CRL that is not its issuer’s nobody',
    'is_anchor || known == ByCrl::kUnusable',
    'is_anchor',
    REVOCATION('one that the CA did not sign revokes nobody'),
  ],
  [
    'nor is anybody good by it',
    '\t\tknown = ByCrl::kUnusable;\n\t\treturn true;\n\tdefault:',
    '\t\treturn true;\n\tdefault:',
    REVOCATION('one with a signature that is wrong tells nothing'),
    REVOCATION('one of a CA that may not sign CRLs tells nothing'),
  ],
  [
    'nor by one that is too old',
    'known = ByCrl::kStale;',
    '(void)known;',
    REVOCATION('one that is too old'),
    REVOCATION('a CRL gets old while what was validated with it is kept'),
  ],
  [
    'nor by one of the future',
    'if (is_early(X509_STORE_CTX_get0_current_crl(context), round.now))',
    'if (false && is_early(X509_STORE_CTX_get0_current_crl(context), round.now))',
    REVOCATION('one from the future tells nothing'),
  ],
  [
    'nor without one',
    'known = ByCrl::kNone;\n\t\treturn true;',
    'return true;',
    REVOCATION('one of another CA of the same name tells nothing'),
    REVOCATION('each issuer of the path needs one'),
  ],
  [
    'the status is required where a policy says so',
    '} else if (status_required) {',
    '} else if (false) {',
    REVOCATION('without a response the status is unknown'),
    REVOCATION('one that is too old'),
  ],
  [
    'of each certificate of the path',
    'for (int i = 0; i + 1 < sk_X509_num(chain); i++) {\n\t\tX509 *certificate',
    'for (int i = 0; i < 1; i++) {\n\t\tX509 *certificate',
    REVOCATION('each issuer of the path needs one'),
  ],
  [
    'until the next CRL',
    'until = next_crl(certificate, round.now);',
    'until = kForever;',
    ADDON('say whose anchor it is'),
  ],
  [
    'revoked by an OCSP response',
    'if (answer.status == OcspAnswer::kRevoked) {',
    'if (false) {',
    REVOCATION('a response of the CA itself: good is taken, revoked is not'),
  ],
]);

const OCSP = of('x509_ocsp.cc', [
  [
    'signatures of responses',
    'verified == 1 && OCSP_resp',
    'verified != 2 && OCSP_resp',
    REVOCATION('a wrong signature, and octets that are no response'),
    REVOCATION('a responder that is not for OCSP is not believed'),
    REVOCATION('a responder that is expired is not believed'),
  ],
  [
    'are strong',
    'if (!is_strong(OCSP_resp_get0_tbs_sigalg(response)))\n\t\treturn false;',
    '',
    REVOCATION('a response that is signed with SHA-1 tells nothing'),
  ],
  [
    'by keys that are',
    'X509_VERIFY_PARAM_set_auth_level(param, 2);',
    'X509_VERIFY_PARAM_set_auth_level(param, 0);',
    REVOCATION('a responder that is of a key too weak is not believed'),
  ],
  [
    'who may sign',
    '(X509_get_key_usage(signer) & KU_DIGITAL_SIGNATURE) != 0;',
    'X509_get_key_usage(signer) != 0;',
    REVOCATION('a responder that is not for signatures is not believed'),
  ],
  [
    'and is not revoked',
    'X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK',
    'X509_V_FLAG_PARTIAL_CHAIN',
    REVOCATION('a responder that the CRL revokes is not believed'),
  ],
  [
    'at the time of the question',
    'X509_VERIFY_PARAM_set_time(param, now);',
    '',
    REVOCATION('a responder that expires meanwhile is not believed any longer'),
  ],
  [
    'about this certificate',
    'own != nullptr && OCSP_id_cmp(own.get(), id) == 0',
    'own != nullptr && OCSP_id_issuer_cmp(own.get(), id) == 0',
    REVOCATION('a response about another certificate, or an answer "unknown"'),
  ],
  [
    'unknown is not good',
    'status != V_OCSP_CERTSTATUS_GOOD || ',
    '',
    REVOCATION('a response about another certificate, or an answer "unknown"'),
  ],
  [
    'nor is a response of the future',
    ' || *from > now + kSkew',
    '',
    REVOCATION('a response from the future'),
  ],
  [
    'good ages',
    'return now <= until ? OcspAnswer{OcspAnswer::kGood, until} : OcspAnswer{};',
    'return OcspAnswer{OcspAnswer::kGood, std::max(now, until)};',
    REVOCATION('good ages, revoked does not'),
  ],
  [
    'also without nextUpdate',
    '*from + max_age',
    'kForever',
    REVOCATION('good ages, revoked does not'),
  ],
  [
    'revoked does not',
    'if (status == V_OCSP_CERTSTATUS_REVOKED)\n\t\treturn',
    'if (status == V_OCSP_CERTSTATUS_REVOKED && now <= seconds_of(this_update).value_or(0) + max_age)\n\t\treturn',
    REVOCATION('good ages, revoked does not'),
  ],
  [
    'no answer that cannot be understood',
    'if (OCSP_SINGLERESP_get_ext_by_critical(answer, 1, -1) >= 0)\n\t\treturn {};',
    '',
    PROGRAM,
  ],
  [
    'nor a response',
    'if (OCSP_BASICRESP_get_ext_by_critical(response.get(), 1, -1) >= 0)\n\t\t\tcontinue;',
    '',
    PROGRAM,
  ],
  [
    'revoked by one response is revoked, whatever another says',
    'if (said.status == OcspAnswer::kRevoked)\n\t\t\treturn said;',
    'if (said.status == OcspAnswer::kRevoked && &response == &responses.back())\n\t\t\treturn said;',
    REVOCATION('revoked by one of two responses is revoked'),
  ],
  [
    'only what is authentic revokes',
    'if (said.status == OcspAnswer::kNone ||\n',
    'if (said.status == OcspAnswer::kRevoked)\n\t\t\treturn said;\n\t\tif (said.status == OcspAnswer::kNone ||\n',
    REVOCATION('a forged response revokes nobody'),
  ],
]);

export const STATUS: readonly Mutation[] = [...CRLS, ...OCSP];
