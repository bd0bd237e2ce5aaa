// SPDX-License-Identifier: Apache-2.0
// X.509: a path of two, revocation, damage of every kind, several threads on one store; and what a validation costs.
//
//   x509 [validations to time]
#include <openssl/err.h>
#include <openssl/evp.h>

#include <ctime>
#include <thread>

#include "harness.h"
#include "kernel_error.h"
#include "x509_objects.h"

using namespace sealane::test;
using namespace sealane::x509;

namespace
{

using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;

constexpr int64_t kNow = 1'800'000'000;
constexpr int64_t kDay = 86'400;

void name(X509_NAME *to, const char *common_name)
{
	const auto *text = reinterpret_cast<const unsigned char *>(common_name);
	CHECK(X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1, "a name");
}

void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
	CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, "%s", value);
	X509_EXTENSION_free(extension);
}

template <class Object> Bytes der_of(Object *object, int (*i2d)(const Object *, unsigned char **))
{
	unsigned char *der = nullptr;
	const int length = i2d(object, &der);
	CHECK(length > 0, "DER");
	Bytes result(der, der + length);
	OPENSSL_free(der);
	return result;
}

struct Issued {
	Key key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
	Certificate certificate{X509_new()};
	Bytes der;

	Issued(const char *common_name, const Issued *issuer, long serial, const char *usage)
	{
		X509 *own = certificate.get();
		const Issued &by = issuer == nullptr ? *this : *issuer;
		X509_set_version(own, X509_VERSION_3);
		ASN1_INTEGER_set(X509_get_serialNumber(own), serial);
		ASN1_TIME_set(X509_getm_notBefore(own), kNow - kDay);
		ASN1_TIME_set(X509_getm_notAfter(own), kNow + kDay);
		name(X509_get_subject_name(own), common_name);
		X509_set_issuer_name(own, X509_get_subject_name(by.certificate.get()));
		X509_set_pubkey(own, key.get());
		extend(own, by.certificate.get(), NID_subject_key_identifier, "hash");
		extend(own, by.certificate.get(), NID_authority_key_identifier, "keyid");
		if (issuer == nullptr) {
			extend(own, own, NID_basic_constraints, "critical,CA:TRUE");
			extend(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
		} else {
			extend(own, by.certificate.get(), NID_ext_key_usage, usage);
			extend(own, by.certificate.get(), NID_subject_alt_name,
			       "IP:192.0.2.1,DNS:PE1.example.net");
		}
		CHECK(X509_sign(own, by.key.get(), EVP_sha256()) > 0, "a signature");
		der = der_of<X509>(own, i2d_X509);
	}
};

/// A CRL with one serial number.
Bytes crl_of(const Issued &issuer, long serial, bool has_next = true)
{
	const Crl crl(X509_CRL_new());
	X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer.certificate.get()));
	ASN1_TIME *time = ASN1_TIME_set(nullptr, kNow - kDay);
	X509_CRL_set1_lastUpdate(crl.get(), time);
	X509_REVOKED *revoked = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_INTEGER_set(number, serial);
	X509_REVOKED_set_serialNumber(revoked, number);
	X509_REVOKED_set_revocationDate(revoked, time);
	X509_CRL_add0_revoked(crl.get(), revoked);
	ASN1_TIME_set(time, kNow + kDay / 2);
	if (has_next)
		X509_CRL_set1_nextUpdate(crl.get(), time);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(time);
	CHECK(X509_CRL_sign(crl.get(), issuer.key.get(), EVP_sha256()) > 0, "a signature");
	return der_of<X509_CRL>(crl.get(), i2d_X509_CRL);
}

/// An extension that nobody knows, for an OCSP response or one of its answers.
template <class To, class Add> void add_critical(To *to, Add add)
{
	ASN1_OBJECT *kind = OBJ_txt2obj("1.2.3.4", 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(nullptr, kind, 1, value);
	CHECK(extension != nullptr && add(to, extension, -1) == 1, "an extension");
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(kind);
}

enum class Critical { kNothing, kAnswer, kResponse };

/// An OCSP response of the issuer: good for half a day.
Bytes ocsp_of(const Issued &issuer, const Issued &leaf, Critical critical)
{
	const BasicResponse basic(OCSP_BASICRESP_new());
	OCSP_CERTID *id =
		OCSP_cert_to_id(EVP_sha256(), leaf.certificate.get(), issuer.certificate.get());
	ASN1_TIME *from = ASN1_GENERALIZEDTIME_set(nullptr, kNow - kDay);
	ASN1_TIME *until = ASN1_GENERALIZEDTIME_set(nullptr, kNow + kDay / 2);
	OCSP_SINGLERESP *answer = OCSP_basic_add1_status(basic.get(), id, V_OCSP_CERTSTATUS_GOOD, 0,
	                                                 nullptr, from, until);
	CHECK(answer != nullptr, "an answer");
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	if (critical == Critical::kAnswer)
		add_critical(answer, OCSP_SINGLERESP_add_ext);
	if (critical == Critical::kResponse)
		add_critical(basic.get(), OCSP_BASICRESP_add_ext);
	CHECK(OCSP_basic_sign(basic.get(), issuer.certificate.get(), issuer.key.get(), EVP_sha256(),
	                      nullptr, OCSP_NOCERTS) == 1,
	      "a signature");
	const std::unique_ptr<OCSP_RESPONSE, Release<OCSP_RESPONSE_free>> response(
		OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
	return der_of<OCSP_RESPONSE>(response.get(), i2d_OCSP_RESPONSE);
}

Question ask_for(const Bytes &leaf, int64_t now = kNow)
{
	Question question;
	question.leaf = leaf;
	question.now = now;
	return question;
}

void expect(const Verdict &verdict, const char *code, const char *what)
{
	CHECK(verdict.code == code, "%s: %s (%s) instead of \"%s\"", what, verdict.code.c_str(),
	      verdict.detail.c_str(), code);
}

void judge(const Issued &root, const Issued &other, const Issued &leaf, const Issued &tls)
{
	const Store store(Trust{{other.der, root.der}, {}, {}, false, 0});
	const Verdict good = store.verify(ask_for(leaf.der));
	expect(good, "", "a path of two");
	CHECK(good.anchor == 1 && good.length == 2 && good.valid_until == kNow + kDay &&
	              good.known_until == kForever,
	      "anchor %zu, length %zu", good.anchor, good.length);
	const Facts &facts = *good.leaf;
	const std::vector<Bytes> addresses{{192, 0, 2, 1}};
	CHECK(facts.subject == "CN=leaf" && facts.serial == "02", "%s", facts.subject.c_str());
	CHECK(facts.addresses == addresses && facts.dns_names.size() == 1, "names");
	CHECK(facts.dns_names[0] == "pe1.example.net", "%s", facts.dns_names[0].c_str());
	expect(store.verify(ask_for(leaf.der, kNow + 2 * kDay)), "X509_V_ERR_CERT_HAS_EXPIRED",
	       "time is what is said, not the clock's");
	expect(store.verify(ask_for(leaf.der, kNow - 2 * kDay)), "X509_V_ERR_CERT_NOT_YET_VALID",
	       "before");
	expect(store.verify(ask_for(tls.der)), "EXTENDED_KEY_USAGE", "a web server");
	const Store alone(Trust{{root.der}, {}, {}, false, 0});
	expect(alone.verify(ask_for(root.der)), "LEAF_IS_CA", "an anchor as leaf");
	const Store none(Trust{{other.der}, {}, {}, false, 0});
	expect(none.verify(ask_for(leaf.der)), "X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
	       "a stranger");
	const Store revoking(Trust{{root.der}, {}, {crl_of(root, 2)}, true, 0});
	expect(revoking.verify(ask_for(leaf.der)), "X509_V_ERR_CERT_REVOKED", "revoked");
	const Store knowing(Trust{{root.der}, {}, {crl_of(root, 9)}, true, 0});
	const Verdict known = knowing.verify(ask_for(leaf.der));
	expect(known, "", "not revoked");
	CHECK(known.known_until == kNow + kDay / 2, "until %lld",
	      static_cast<long long>(known.known_until));
	// A stale CRL tells who is revoked, but not who is not.
	const int64_t later = kNow + kDay / 2 + 1;
	expect(knowing.verify(ask_for(leaf.der, later)), "STATUS_UNKNOWN", "a stale CRL");
	expect(revoking.verify(ask_for(leaf.der, later)), "X509_V_ERR_CERT_REVOKED",
	       "stale, revoked");
	const Store forged(Trust{{root.der}, {}, {crl_of(other, 2)}, true, 0});
	expect(forged.verify(ask_for(leaf.der)), "STATUS_UNKNOWN", "another's CRL");
	bool is_refused = false;
	try {
		const Store broken(Trust{{Bytes{1, 2, 3}}, {}, {}, false, 0});
	} catch (const sealane::KernelError &) {
		is_refused = true;
	}
	CHECK(is_refused, "an anchor that cannot be read");
}

/// What nobody here understands tells nothing.
void judge_statuses(const Issued &root, const Issued &leaf)
{
	const Store store(Trust{{root.der}, {}, {}, true, 0});
	const auto judged = [&](Critical critical) {
		Question question = ask_for(leaf.der);
		question.ocsp = {ocsp_of(root, leaf, critical)};
		return store.verify(question);
	};
	const Verdict known = judged(Critical::kNothing);
	expect(known, "", "a response");
	CHECK(known.known_until == kNow + kDay / 2, "until %lld",
	      static_cast<long long>(known.known_until));
	expect(judged(Critical::kAnswer), "STATUS_UNKNOWN", "an answer with a critical extension");
	expect(judged(Critical::kResponse), "STATUS_UNKNOWN",
	       "a response with a critical extension");
	CHECK(fault_of_crl(crl_of(root, 9)).empty(), "a CRL");
	CHECK(fault_of_crl(crl_of(root, 9, false)) == "has no nextUpdate", "one without an end");
}

void damage(const Issued &root, const Issued &leaf, const Bytes &crl)
{
	const Store store(Trust{{root.der}, {}, {crl}, false, 0});
	Random random(1);
	for (int i = 0; i < 20'000; i++) {
		Question question = ask_for(leaf.der);
		question.others = {root.der};
		Bytes &victim = i % 2 == 0 ? question.leaf : question.others[0];
		for (uint32_t n = 1 + below(random, 3); n > 0; n--)
			victim[below(random, static_cast<uint32_t>(victim.size()))] ^=
				static_cast<uint8_t>(1 + below(random, 255));
		if (below(random, 8) == 0)
			victim.resize(below(random, static_cast<uint32_t>(victim.size())));
		question.ocsp = {crl, victim};
		const Verdict verdict = store.verify(question);
		CHECK(question.leaf == leaf.der || !verdict.code.empty(), "a damaged leaf is good");
		Bytes list = crl;
		list[below(random, static_cast<uint32_t>(list.size()))] ^= 0x21;
		fault_of_crl(list);
		same_name(victim, list);
	}
}

void together(const Store &store, const Issued &leaf)
{
	std::vector<std::thread> threads;
	for (int i = 0; i < 4; i++)
		threads.emplace_back([&store, &leaf] {
			for (int n = 0; n < 200; n++)
				expect(store.verify(ask_for(leaf.der)), "", "in a thread");
		});
	for (std::thread &each : threads)
		each.join();
}

} // namespace

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? std::atoi(argv[1]) : 200;
	initialize();
	const Issued root("root", nullptr, 1, nullptr);
	const Issued other("root", nullptr, 1, nullptr);
	const Issued leaf("leaf", &root, 2, "ipsecIKE");
	const Issued tls("tls", &root, 3, "serverAuth,clientAuth");
	judge(root, other, leaf, tls);
	judge_statuses(root, leaf);
	damage(root, leaf, crl_of(root, 9));
	const Store store(Trust{{root.der}, {}, {}, false, 0});
	together(store, leaf);
	const std::clock_t begin = std::clock();
	for (int i = 0; i < rounds; i++)
		expect(store.verify(ask_for(leaf.der)), "", "again");
	const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
	std::printf("ok: %.0f us of CPU per path of two with P-256\n", 1e6 * seconds / rounds);
	return 0;
}
