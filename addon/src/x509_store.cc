// SPDX-License-Identifier: Apache-2.0
// Certification paths: X509_verify_cert does the work; what IKE wants beside it is here.
#include <openssl/err.h>

#include <algorithm>

#include "kernel_error.h"
#include "x509_errors.h"
#include "x509_objects.h"

namespace sealane::x509
{

namespace
{

/// Certificates between leaf and anchor.
constexpr int kMostIntermediates = 6;
/// Security bits of all keys and digests: 112, that is RSA from 2048 bits on and no SHA-1.
constexpr int kSecurityLevel = 2;
/// Leaf, intermediates, anchor.
constexpr size_t kMostDepth = kMostIntermediates + 2;

/// What the CRLs say about one certificate of a path.
enum class ByCrl { kGood, kNone, kStale, kUnusable };

/// State of one validation, which the callback finds by the context.
struct Round {
	int64_t now = 0;
	ByCrl by_crl[kMostDepth] = {};
};

bool is_early(const X509_CRL *crl, int64_t now)
{
	const std::optional<int64_t> from = seconds_of(X509_CRL_get0_lastUpdate(crl));
	return !from || *from > now + kSkew;
}

/// Whether an error is about a CRL, and then notes it: CRLs are one of two ways to learn of a revocation, so the lack
/// of one is judged afterwards.
bool note_crl_error(Round &round, X509_STORE_CTX *context, ByCrl &known)
{
	switch (X509_STORE_CTX_get_error(context)) {
	case X509_V_ERR_CRL_NOT_YET_VALID:
		// Clocks differ a little.
		if (is_early(X509_STORE_CTX_get0_current_crl(context), round.now))
			known = ByCrl::kUnusable;
		return true;
	case X509_V_ERR_CRL_HAS_EXPIRED:
		// It does not say who is good, but who is on it stays revoked.
		if (known == ByCrl::kGood)
			known = ByCrl::kStale;
		return true;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		if (known == ByCrl::kGood)
			known = ByCrl::kNone;
		return true;
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
	case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
	case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
	case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
	case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
		known = ByCrl::kUnusable;
		return true;
	default:
		return false;
	}
}

int on_error(int ok, X509_STORE_CTX *context)
{
	if (ok == 1)
		return 1;
	Round &round = *static_cast<Round *>(X509_STORE_CTX_get_app_data(context));
	const int depth = X509_STORE_CTX_get_error_depth(context);
	if (depth < 0 || depth >= static_cast<int>(kMostDepth))
		return 0;
	ByCrl &known = round.by_crl[depth];
	if (note_crl_error(round, context, known))
		return 1;
	if (X509_STORE_CTX_get_error(context) != X509_V_ERR_CERT_REVOKED)
		return 0;
	// An anchor is trusted, not certified; a CRL that is not its issuer's says nothing.
	const bool is_anchor = depth + 1 == sk_X509_num(X509_STORE_CTX_get0_chain(context));
	return is_anchor || known == ByCrl::kUnusable ? 1 : 0;
}

Verdict refuse(const char *code, int depth, const X509 *certificate)
{
	Verdict result;
	result.code = code;
	result.depth = depth;
	if (certificate != nullptr) {
		result.subject = text_of(X509_get_subject_name(certificate));
		result.serial = serial_of(certificate);
	}
	return result;
}

/// Object identifier of the first critical extension that libcrypto does not know.
std::string unknown_extension(const X509 *certificate)
{
	for (int i = 0; i < X509_get_ext_count(certificate); i++) {
		X509_EXTENSION *extension = X509_get_ext(certificate, i);
		if (X509_EXTENSION_get_critical(extension) == 0 ||
		    X509_supported_extension(extension) == 1)
			continue;
		char text[80] = {};
		OBJ_obj2txt(text, sizeof(text), X509_EXTENSION_get_object(extension), 1);
		return text;
	}
	return {};
}

/// What made X509_verify_cert give up.
Verdict path_error(X509_STORE_CTX *context)
{
	const int error = X509_STORE_CTX_get_error(context);
	X509 *certificate = X509_STORE_CTX_get_current_cert(context);
	if (certificate == nullptr)
		certificate = X509_STORE_CTX_get0_cert(context);
	const int depth = X509_STORE_CTX_get_error_depth(context);
	Verdict verdict = refuse(name_of_error(error).c_str(), depth, certificate);
	verdict.detail = X509_verify_cert_error_string(error);
	if (error == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION && certificate != nullptr)
		verdict.detail += ": " + unknown_extension(certificate);
	// "Invalid CA" is also one that may not sign certificates: say which.
	if (error == X509_V_ERR_INVALID_CA && certificate != nullptr &&
	    (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0)
		verdict.code = name_of_error(X509_V_ERR_KEYUSAGE_NO_CERTSIGN);
	return verdict;
}

/// RFC 4945 §5.1.3.12: without the extension, or with id-kp-ipsecIKE or anyExtendedKeyUsage.
bool is_for_ike(X509 *certificate)
{
	if ((X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) == 0)
		return true;
	const std::unique_ptr<EXTENDED_KEY_USAGE, Release<release_usages>> usages(
		static_cast<EXTENDED_KEY_USAGE *>(
			X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
	for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); i++) {
		const int usage = OBJ_obj2nid(sk_ASN1_OBJECT_value(usages.get(), i));
		if (usage == NID_ipsec_IKE || usage == NID_anyExtendedKeyUsage)
			return true;
	}
	return false;
}

/// RFC 4945 §5: what libcrypto has no purpose for. Above the leaf extendedKeyUsage limits what may be issued, as
/// everybody has it; an anchor is trusted as it is. Empty: fine.
Verdict judge_usage(STACK_OF(X509) * chain)
{
	X509 *leaf = sk_X509_value(chain, 0);
	if ((X509_get_extension_flags(leaf) & EXFLAG_CA) != 0 || sk_X509_num(chain) < 2)
		return refuse("LEAF_IS_CA", 0, leaf);
	if ((X509_get_key_usage(leaf) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0)
		return refuse("KEY_USAGE", 0, leaf);
	for (int i = 0; i + 1 < sk_X509_num(chain); i++)
		if (!is_for_ike(sk_X509_value(chain, i)))
			return refuse("EXTENDED_KEY_USAGE", i, sk_X509_value(chain, i));
	return {};
}

} // namespace

struct Store::Parts {
	StorePointer store;
	std::vector<Certificate> anchors;
	std::vector<Certificate> intermediates;
	std::vector<Crl> crls;
	bool status_required = false;
	int64_t ocsp_max_age = 0;

	Verdict judge(STACK_OF(X509) * chain, const Round &round, const Question &question) const;
	/// Fills in known_until, or refuses.
	void judge_status(STACK_OF(X509) * chain, const Round &round, const Question &question,
	                  Verdict *verdict) const;
	int64_t next_crl(const X509 *certificate, int64_t now) const;
};

namespace
{

template <class T, class Parse>
std::vector<T> parse_all(const std::vector<Bytes> &ders, const char *what, Parse parse)
{
	std::vector<T> result;
	for (size_t i = 0; i < ders.size(); i++) {
		result.push_back(parse(ders[i]));
		if (result.back() == nullptr)
			throw KernelError("BAD_ARGUMENT", std::string(what) + " " +
			                                          std::to_string(i + 1) +
			                                          " cannot be read");
	}
	return result;
}

void check(bool is_good)
{
	if (!is_good)
		throw std::bad_alloc();
}

} // namespace

Store::Store(const Trust &trust) : parts_(std::make_unique<Parts>())
{
	Parts &parts = *parts_;
	parts.anchors = parse_all<Certificate>(trust.anchors, "anchor", parse_certificate);
	parts.intermediates =
		parse_all<Certificate>(trust.intermediates, "intermediate", parse_certificate);
	parts.crls = parse_all<Crl>(trust.crls, "CRL", parse_crl);
	parts.status_required = trust.status_required;
	parts.ocsp_max_age = trust.ocsp_max_age;
	parts.store.reset(X509_STORE_new());
	check(parts.store != nullptr);
	unsigned long flags = X509_V_FLAG_X509_STRICT | X509_V_FLAG_POLICY_CHECK;
	for (const Certificate &anchor : parts.anchors) {
		check(X509_STORE_add_cert(parts.store.get(), anchor.get()) == 1);
		// Only then: with the flag a path may end below a self-signed anchor.
		if ((X509_get_extension_flags(anchor.get()) & EXFLAG_SS) == 0)
			flags |= X509_V_FLAG_PARTIAL_CHAIN;
	}
	for (const Crl &crl : parts.crls)
		check(X509_STORE_add_crl(parts.store.get(), crl.get()) == 1);
	if (!parts.crls.empty())
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(parts.store.get());
	X509_VERIFY_PARAM_set_flags(param, flags);
	// Whatever the policy: without it libcrypto takes none where a CA requires an explicit one.
	check(X509_VERIFY_PARAM_add0_policy(param, OBJ_nid2obj(NID_any_policy)) == 1);
	X509_VERIFY_PARAM_set_depth(param, kMostIntermediates);
	X509_VERIFY_PARAM_set_auth_level(param, kSecurityLevel);
	X509_STORE_set_verify_cb(parts.store.get(), on_error);
}

Store::~Store() = default;

Verdict Store::verify(const Question &question) const
{
	const Certificate leaf = parse_certificate(question.leaf);
	if (leaf == nullptr)
		return refuse("MALFORMED", 0, nullptr);
	// Those of the peer first; what cannot be read matters only if there is no path without it.
	std::vector<Certificate> sent;
	bool is_readable = true;
	for (size_t i = 0; i < std::min(question.others.size(), kMostCertificates); i++) {
		Certificate each = parse_certificate(question.others[i]);
		if (each == nullptr)
			is_readable = false;
		else
			sent.push_back(std::move(each));
	}
	const Stack untrusted(sk_X509_new_null());
	bool has_room = untrusted != nullptr;
	for (const std::vector<Certificate> *list : {&sent, &parts_->intermediates})
		for (const Certificate &each : *list)
			has_room = has_room && sk_X509_push(untrusted.get(), each.get()) > 0;
	const Context context(X509_STORE_CTX_new());
	if (!has_room || context == nullptr ||
	    X509_STORE_CTX_init(context.get(), parts_->store.get(), leaf.get(), untrusted.get()) !=
	            1)
		return refuse("INTERNAL", 0, leaf.get());
	Round round;
	round.now = question.now;
	X509_STORE_CTX_set_app_data(context.get(), &round);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), question.now);
	Verdict verdict;
	if (X509_verify_cert(context.get()) == 1) {
		verdict = parts_->judge(X509_STORE_CTX_get0_chain(context.get()), round, question);
	} else {
		verdict = path_error(context.get());
		if (!is_readable && verdict.code.find("ISSUER_CERT") != std::string::npos)
			verdict.code = "MALFORMED_ISSUER";
	}
	ERR_clear_error();
	return verdict;
}

Verdict Store::Parts::judge(STACK_OF(X509) * chain, const Round &round,
                            const Question &question) const
{
	Verdict verdict = judge_usage(chain);
	if (!verdict.code.empty())
		return verdict;
	X509 *leaf = sk_X509_value(chain, 0);
	verdict.leaf = facts_of(leaf);
	if (!verdict.leaf)
		return refuse("MALFORMED", 0, leaf);
	const int length = sk_X509_num(chain);
	const X509 *last = sk_X509_value(chain, length - 1);
	const auto anchor = std::find_if(anchors.begin(), anchors.end(), [last](const auto &each) {
		return X509_cmp(each.get(), last) == 0;
	});
	if (anchor == anchors.end())
		return refuse("INTERNAL", length - 1, last);
	verdict.anchor = static_cast<size_t>(anchor - anchors.begin());
	verdict.length = static_cast<size_t>(length);
	verdict.valid_until = kForever;
	for (int i = 0; i < length; i++) {
		const auto end = seconds_of(X509_get0_notAfter(sk_X509_value(chain, i)));
		verdict.valid_until = std::min(verdict.valid_until, end.value_or(0));
	}
	judge_status(chain, round, question, &verdict);
	return verdict;
}

void Store::Parts::judge_status(STACK_OF(X509) * chain, const Round &round,
                                const Question &question, Verdict *verdict) const
{
	std::vector<BasicResponse> responses;
	for (size_t i = 0; i < std::min(question.ocsp.size(), kMostResponses); i++)
		if (BasicResponse each = parse_ocsp(question.ocsp[i]); each != nullptr)
			responses.push_back(std::move(each));
	verdict->known_until = kForever;
	for (int i = 0; i + 1 < sk_X509_num(chain); i++) {
		X509 *certificate = sk_X509_value(chain, i);
		const ByCrl by_crl = crls.empty() ? ByCrl::kNone : round.by_crl[i];
		const OcspAnswer answer = ask(responses, certificate, sk_X509_value(chain, i + 1),
		                              crls, round.now, ocsp_max_age);
		if (answer.status == OcspAnswer::kRevoked) {
			*verdict = refuse("OCSP_REVOKED", i, certificate);
			return;
		}
		// One that is good by both is so until the later of the two.
		int64_t until = 0;
		if (by_crl == ByCrl::kGood)
			until = next_crl(certificate, round.now);
		if (answer.status == OcspAnswer::kGood)
			until = std::max(until, answer.until);
		if (until != 0) {
			verdict->known_until = std::min(verdict->known_until, until);
		} else if (status_required) {
			*verdict = refuse("STATUS_UNKNOWN", i, certificate);
			verdict->detail = by_crl == ByCrl::kStale
			                          ? "the CRL is too old"
			                          : "there is no CRL or OCSP response";
			return;
		} else if (by_crl == ByCrl::kStale && verdict->stale_crl_issuer.empty()) {
			verdict->stale_crl_issuer = text_of(X509_get_issuer_name(certificate));
		}
	}
}

/// The first nextUpdate to come of a certificate's CRLs.
int64_t Store::Parts::next_crl(const X509 *certificate, int64_t now) const
{
	int64_t next = kForever;
	for (const Crl &crl : crls) {
		if (X509_NAME_cmp(X509_CRL_get_issuer(crl.get()),
		                  X509_get_issuer_name(certificate)) != 0)
			continue;
		const int64_t until = seconds_of(X509_CRL_get0_nextUpdate(crl.get())).value_or(0);
		if (until >= now)
			next = std::min(next, until);
	}
	return next;
}

} // namespace sealane::x509
