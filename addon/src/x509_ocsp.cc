// SPDX-License-Identifier: Apache-2.0
// OCSP responses (RFC 6960), as a peer's CERT payloads bring them (RFC 4806).
#include <openssl/err.h>

#include <algorithm>

#include "x509_objects.h"

namespace sealane::x509
{

namespace
{

/// A responder that no CRL tells about is taken; one that is revoked is not. The issuer itself was judged with its
/// path, and CRLs about it are not of its own.
int without_crls(int ok, X509_STORE_CTX *context)
{
	if (ok == 1)
		return 1;
	switch (X509_STORE_CTX_get_error(context)) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return 1;
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_CERT_REVOKED:
		return sk_X509_num(X509_STORE_CTX_get0_chain(context)) == 1 ? 1 : 0;
	default:
		return 0;
	}
}

/// Trusts the issuer, which is the next of a path that was found good, and nobody else.
StorePointer store_of(X509 *issuer, const std::vector<Crl> &crls, int64_t now)
{
	StorePointer store(X509_STORE_new());
	if (store == nullptr || X509_STORE_add_cert(store.get(), issuer) != 1)
		return nullptr;
	for (const Crl &crl : crls)
		if (X509_STORE_add_crl(store.get(), crl.get()) != 1)
			return nullptr;
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(store.get());
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK);
	X509_VERIFY_PARAM_set_time(param, now);
	X509_VERIFY_PARAM_set_depth(param, 0);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	X509_STORE_set_verify_cb(store.get(), without_crls);
	return store;
}

bool is_authentic(OCSP_BASICRESP *response, X509 *issuer, const std::vector<Crl> &crls, int64_t now)
{
	if (!is_strong(OCSP_resp_get0_tbs_sigalg(response)))
		return false;
	const StorePointer store = store_of(issuer, crls, now);
	const Stack known(sk_X509_new_null());
	if (store == nullptr || known == nullptr || sk_X509_push(known.get(), issuer) <= 0)
		return false;
	const int verified = OCSP_basic_verify(response, known.get(), store.get(), OCSP_NOEXPLICIT);
	X509 *signer = nullptr;
	const bool is_verified =
		verified == 1 && OCSP_resp_get0_signer(response, &signer, known.get()) == 1;
	ERR_clear_error();
	if (!is_verified)
		return false;
	// Without the extension: all bits.
	return X509_cmp(signer, issuer) == 0 ||
	       (X509_get_key_usage(signer) & KU_DIGITAL_SIGNATURE) != 0;
}

/// Whether an answer is about a certificate: name and key of its issuer are hashed as the answer does.
bool is_about(const OCSP_SINGLERESP *answer, const X509 *certificate, const X509 *issuer)
{
	OCSP_CERTID *id = const_cast<OCSP_CERTID *>(OCSP_SINGLERESP_get0_id(answer));
	ASN1_OBJECT *hash = nullptr;
	if (OCSP_id_get0_info(nullptr, &hash, nullptr, nullptr, id) != 1)
		return false;
	// Here a hash tells certificates apart and proves nothing: SHA-1 will do.
	const EVP_MD *digest = EVP_get_digestbyobj(hash);
	if (digest == nullptr)
		return false;
	const std::unique_ptr<OCSP_CERTID, Release<OCSP_CERTID_free>> own(
		OCSP_cert_to_id(digest, certificate, issuer));
	return own != nullptr && OCSP_id_cmp(own.get(), id) == 0;
}

/// What one answer says, if its response is authentic.
OcspAnswer read(OCSP_SINGLERESP *answer, int64_t now, int64_t max_age)
{
	ASN1_GENERALIZEDTIME *this_update = nullptr;
	ASN1_GENERALIZEDTIME *next_update = nullptr;
	const int status =
		OCSP_single_get0_status(answer, nullptr, nullptr, &this_update, &next_update);
	if (OCSP_SINGLERESP_get_ext_by_critical(answer, 1, -1) >= 0)
		return {};
	// "Good" ages, "revoked" does not.
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		return {OcspAnswer::kRevoked, kForever};
	const std::optional<int64_t> from = seconds_of(this_update);
	if (status != V_OCSP_CERTSTATUS_GOOD || !from || *from > now + kSkew)
		return {};
	const int64_t until =
		next_update == nullptr ? *from + max_age : seconds_of(next_update).value_or(0);
	return now <= until ? OcspAnswer{OcspAnswer::kGood, until} : OcspAnswer{};
}

} // namespace

OcspAnswer ask(const std::vector<BasicResponse> &responses, X509 *certificate, X509 *issuer,
               const std::vector<Crl> &crls, int64_t now, int64_t max_age)
{
	OcspAnswer known;
	for (const BasicResponse &response : responses) {
		if (OCSP_BASICRESP_get_ext_by_critical(response.get(), 1, -1) >= 0)
			continue;
		OcspAnswer said;
		for (int i = 0; i < OCSP_resp_count(response.get()); i++) {
			OCSP_SINGLERESP *answer = OCSP_resp_get0(response.get(), i);
			if (said.status != OcspAnswer::kRevoked &&
			    is_about(answer, certificate, issuer)) {
				const OcspAnswer next = read(answer, now, max_age);
				if (next.status != OcspAnswer::kNone)
					said = next;
			}
		}
		if (said.status == OcspAnswer::kNone ||
		    !is_authentic(response.get(), issuer, crls, now))
			continue;
		if (said.status == OcspAnswer::kRevoked)
			return said;
		known = {OcspAnswer::kGood, std::max(known.until, said.until)};
	}
	return known;
}

} // namespace sealane::x509
