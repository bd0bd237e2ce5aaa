// SPDX-License-Identifier: Apache-2.0
#include "x509_objects.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <mutex>
#include <string_view>

namespace sealane::x509
{

void initialize()
{
	static std::once_flag once;
	std::call_once(once, [] {
		OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr);
	});
}

namespace
{

/// Parses the whole of `der` with a d2i function.
template <class Pointer, class Parse> Pointer parse(View der, size_t most, Parse d2i)
{
	initialize();
	if (der.empty() || der.size() > most)
		return nullptr;
	const unsigned char *at = der.data();
	Pointer result(d2i(nullptr, &at, static_cast<long>(der.size())));
	ERR_clear_error();
	if (at != der.data() + der.size())
		result.reset();
	return result;
}

constexpr size_t kMostCrlBytes = 64u << 20;
constexpr int kMostAnswers = 64;
constexpr int kMostSigners = 4;

Bytes bytes_of(const X509_NAME *name)
{
	const unsigned char *der = nullptr;
	size_t length = 0;
	if (X509_NAME_get0_der(name, &der, &length) != 1)
		return {};
	return Bytes(der, der + length);
}

Bytes key_hash_of(const X509 *certificate)
{
	unsigned char *der = nullptr;
	const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	Bytes hash(SHA_DIGEST_LENGTH);
	if (length > 0)
		SHA1(der, static_cast<size_t>(length), hash.data());
	OPENSSL_free(der);
	return hash;
}

std::optional<PublicKey> rsa_key(const EVP_PKEY *key)
{
	PublicKey result = {"RSA", {}};
	for (const char *name : {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E}) {
		BIGNUM *number = nullptr;
		if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
			return std::nullopt;
		Bytes &to = result.numbers.emplace_back(static_cast<size_t>(BN_num_bytes(number)));
		BN_bn2bin(number, to.data());
		BN_free(number);
	}
	return result;
}

std::optional<PublicKey> curve_key(const EVP_PKEY *key)
{
	constexpr std::array<std::array<const char *, 2>, 3> kCurves = {
		{{"prime256v1", "P-256"}, {"secp384r1", "P-384"}, {"secp521r1", "P-521"}}};
	char group[32] = {};
	const auto is_group = [&group](const auto &curve) {
		return std::string_view(curve[0]) == group;
	};
	if (EVP_PKEY_get_group_name(key, group, sizeof(group), nullptr) != 1)
		return std::nullopt;
	const auto curve = std::find_if(kCurves.begin(), kCurves.end(), is_group);
	const size_t bytes = static_cast<size_t>(EVP_PKEY_get_bits(key) + 7) / 8;
	if (curve == kCurves.end())
		return std::nullopt;
	PublicKey result = {(*curve)[1], {}};
	for (const char *name : {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y}) {
		BIGNUM *number = nullptr;
		if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
			return std::nullopt;
		Bytes &to = result.numbers.emplace_back(bytes);
		const int length = BN_bn2binpad(number, to.data(), static_cast<int>(bytes));
		BN_free(number);
		if (length < 0)
			return std::nullopt;
	}
	return result;
}

std::optional<PublicKey> key_of(const X509 *certificate)
{
	const EVP_PKEY *key = X509_get0_pubkey(certificate);
	if (key == nullptr)
		return std::nullopt;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return rsa_key(key);
	case EVP_PKEY_EC:
		return curve_key(key);
	case EVP_PKEY_ED25519: {
		Bytes raw(32);
		size_t length = raw.size();
		if (EVP_PKEY_get_raw_public_key(key, raw.data(), &length) != 1)
			return std::nullopt;
		return PublicKey{"Ed25519", {raw}};
	}
	default:
		return std::nullopt;
	}
}

/// Letters, digits, hyphen, underscore, dots and asterisk, nothing that a comparison could be misled by.
bool read_dns(const ASN1_IA5STRING *string, std::string *to)
{
	const unsigned char *data = ASN1_STRING_get0_data(string);
	to->assign(data, data + ASN1_STRING_length(string));
	for (char &each : *to) {
		if (each >= 'A' && each <= 'Z')
			each = static_cast<char>(each - 'A' + 'a');
		const bool is_fine = (each >= 'a' && each <= 'z') || (each >= '0' && each <= '9') ||
		                     each == '-' || each == '_' || each == '.' || each == '*';
		if (!is_fine)
			return false;
	}
	return true;
}

bool read_alternative_names(X509 *certificate, Facts *to)
{
	const std::unique_ptr<GENERAL_NAMES, Release<release_addresses>> names(
		static_cast<GENERAL_NAMES *>(
			X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
	for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names.get(), i);
		if (name->type == GEN_IPADD) {
			const unsigned char *data = ASN1_STRING_get0_data(name->d.iPAddress);
			const int length = ASN1_STRING_length(name->d.iPAddress);
			if (length != 4 && length != 16)
				return false;
			to->addresses.emplace_back(data, data + length);
		} else if (name->type == GEN_DNS) {
			if (!read_dns(name->d.dNSName, &to->dns_names.emplace_back()))
				return false;
		}
	}
	return true;
}

} // namespace

Certificate parse_certificate(View der)
{
	Certificate result = parse<Certificate>(der, kMostCertificateBytes, d2i_X509);
	// Reads the extensions, for good: afterwards threads may share the object.
	if (result != nullptr && (X509_get_extension_flags(result.get()) & EXFLAG_INVALID) != 0)
		result.reset();
	return result;
}

Crl parse_crl(View der) { return parse<Crl>(der, kMostCrlBytes, d2i_X509_CRL); }

BasicResponse parse_ocsp(View der)
{
	const std::unique_ptr<OCSP_RESPONSE, Release<OCSP_RESPONSE_free>> response =
		parse<std::unique_ptr<OCSP_RESPONSE, Release<OCSP_RESPONSE_free>>>(
			der, kMostOcspBytes, d2i_OCSP_RESPONSE);
	if (response == nullptr ||
	    OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		return nullptr;
	BasicResponse basic(OCSP_response_get1_basic(response.get()));
	ERR_clear_error();
	if (basic == nullptr || OCSP_resp_count(basic.get()) > kMostAnswers ||
	    sk_X509_num(OCSP_resp_get0_certs(basic.get())) > kMostSigners)
		return nullptr;
	return basic;
}

std::string text_of(const X509_NAME *name)
{
	const std::unique_ptr<BIO, Release<BIO_free_all>> out(BIO_new(BIO_s_mem()));
	char *data = nullptr;
	if (out == nullptr || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0)
		return "?";
	const long length = BIO_get_mem_data(out.get(), &data);
	return std::string(data, static_cast<size_t>(std::max(length, 0L)));
}

std::string serial_of(const X509 *certificate)
{
	const std::unique_ptr<BIGNUM, Release<BN_free>> number(
		ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
	char *text = number == nullptr ? nullptr : BN_bn2hex(number.get());
	std::string result = text == nullptr ? "?" : text;
	OPENSSL_free(text);
	std::transform(result.begin(), result.end(), result.begin(), [](char each) {
		return each >= 'A' && each <= 'F' ? static_cast<char>(each - 'A' + 'a') : each;
	});
	return result;
}

std::optional<int64_t> seconds_of(const ASN1_TIME *time)
{
	std::tm parts = {};
	if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1)
		return std::nullopt;
	return timegm(&parts);
}

std::optional<Facts> facts_of(X509 *certificate)
{
	Facts result;
	const std::optional<int64_t> not_before = seconds_of(X509_get0_notBefore(certificate));
	const std::optional<int64_t> not_after = seconds_of(X509_get0_notAfter(certificate));
	if (!not_before || !not_after || !read_alternative_names(certificate, &result))
		return std::nullopt;
	result.subject = text_of(X509_get_subject_name(certificate));
	result.subject_name = bytes_of(X509_get_subject_name(certificate));
	result.issuer_name = bytes_of(X509_get_issuer_name(certificate));
	result.serial = serial_of(certificate);
	result.not_before = *not_before;
	result.not_after = *not_after;
	result.is_ca = (X509_get_extension_flags(certificate) & EXFLAG_CA) != 0;
	result.key_hash = key_hash_of(certificate);
	result.key = key_of(certificate);
	ERR_clear_error();
	return result;
}

std::optional<Facts> read_certificate(View der)
{
	const Certificate certificate = parse_certificate(der);
	return certificate == nullptr ? std::nullopt : facts_of(certificate.get());
}

bool same_name(View one, View other)
{
	const Name a = parse<Name>(one, kMostNameBytes, d2i_X509_NAME);
	const Name b = parse<Name>(other, kMostNameBytes, d2i_X509_NAME);
	return a != nullptr && b != nullptr && X509_NAME_cmp(a.get(), b.get()) == 0;
}

std::optional<int64_t> ocsp_until(View der)
{
	const BasicResponse response = parse_ocsp(der);
	if (response == nullptr)
		return std::nullopt;
	int64_t until = kForever;
	for (int i = 0; i < OCSP_resp_count(response.get()); i++) {
		ASN1_GENERALIZEDTIME *next = nullptr;
		OCSP_single_get0_status(OCSP_resp_get0(response.get(), i), nullptr, nullptr,
		                        nullptr, &next);
		if (next != nullptr)
			until = std::min(until, seconds_of(next).value_or(0));
	}
	return until;
}

bool is_strong(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object = nullptr;
	int type = 0;
	const void *parameter = nullptr;
	X509_ALGOR_get0(&object, &type, &parameter, algorithm);
	int digest = OBJ_obj2nid(object);
	if (digest == NID_ED25519 || digest == NID_ED448)
		return true;
	if (digest == NID_rsassaPss) {
		const std::unique_ptr<RSA_PSS_PARAMS, Release<RSA_PSS_PARAMS_free>> pss(
			type != V_ASN1_SEQUENCE
				? nullptr
				: static_cast<RSA_PSS_PARAMS *>(ASN1_item_unpack(
					  static_cast<const ASN1_STRING *>(parameter),
					  ASN1_ITEM_rptr(RSA_PSS_PARAMS))));
		digest = pss == nullptr || pss->hashAlgorithm == nullptr
		                 ? NID_sha1
		                 : OBJ_obj2nid(pss->hashAlgorithm->algorithm);
	} else if (OBJ_find_sigid_algs(digest, &digest, nullptr) != 1) {
		return false;
	}
	return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512 ||
	       digest == NID_sha3_256 || digest == NID_sha3_384 || digest == NID_sha3_512;
}

std::string fault_of_crl(View der)
{
	const Crl crl = parse_crl(der);
	if (crl == nullptr)
		return "cannot be read";
	const X509_ALGOR *algorithm = nullptr;
	X509_CRL_get0_signature(crl.get(), nullptr, &algorithm);
	if (!is_strong(algorithm))
		return "is signed too weakly";
	// Delta CRLs, indirect ones and those of one distribution point say so in critical extensions.
	if (X509_CRL_get_ext_by_critical(crl.get(), 1, -1) >= 0)
		return "is no full CRL";
	if (!seconds_of(X509_CRL_get0_lastUpdate(crl.get())) ||
	    !seconds_of(X509_CRL_get0_nextUpdate(crl.get())))
		return "has no nextUpdate";
	return {};
}

} // namespace sealane::x509
