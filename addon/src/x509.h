// SPDX-License-Identifier: Apache-2.0
// X.509 by OpenSSL's libcrypto, for IKE: certificates read, certification paths built and validated
// (RFC 5280 §6, RFC 4945 §5), revocation by CRLs and OCSP responses. libcrypto is linked statically:
// not the one inside of Node. All functions may be called from any thread; none keeps what it is given.
#ifndef SEALANE_ADDON_X509_H
#define SEALANE_ADDON_X509_H

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sealane::x509
{

using Bytes = std::vector<uint8_t>;
using View = std::span<const uint8_t>;

/// What is larger is refused unread.
constexpr size_t kMostCertificateBytes = 8192;
constexpr size_t kMostOcspBytes = 16384;
constexpr size_t kMostNameBytes = 4096;
/// Certificates beside the leaf, and OCSP responses, that are looked at in one validation.
constexpr size_t kMostCertificates = 8;
constexpr size_t kMostResponses = 8;
/// A status without an end.
constexpr int64_t kForever = INT64_MAX;

/// A public key as JSON Web Keys have them (RFC 7518 §6, RFC 8037 §2): numbers big-endian, those of a curve as long as its
/// field, an Ed25519 key as it is.
struct PublicKey {
	std::string kind;           // "RSA", "P-256", "P-384", "P-521", "Ed25519"
	std::vector<Bytes> numbers; // n and e; x and y; x
};

/// What a certificate says. Times are seconds since 1970, names DER.
struct Facts {
	std::string subject; // RFC 4514, printable ASCII
	Bytes subject_name;
	Bytes issuer_name;
	std::string serial; // hexadecimal
	int64_t not_before = 0;
	int64_t not_after = 0;
	bool is_ca = false;           // by basicConstraints
	Bytes key_hash;               // SHA-1 of SubjectPublicKeyInfo (RFC 7296 §3.7)
	std::optional<PublicKey> key; // nothing: of another kind
	std::vector<Bytes> addresses;
	std::vector<std::string> dns_names; // lower case
};

/// Nothing: no certificate, or one with extensions that cannot be read.
std::optional<Facts> read_certificate(View der);

/// Whether two Names (DER) are the same by RFC 5280 §7.1; false when one cannot be read.
bool same_name(View one, View other);

/// nextUpdate of an OCSP response, the earliest of its answers; kForever without. Nothing: unreadable.
std::optional<int64_t> ocsp_until(View der);

/// What is wrong with a CRL, in words; empty: it can be used.
std::string fault_of_crl(View der);

/// Whom one SP trusts.
struct Trust {
	std::vector<Bytes> anchors; // trusted as they are
	std::vector<Bytes> intermediates;
	std::vector<Bytes> crls;
	bool status_required = false;
	int64_t ocsp_max_age = 0; // seconds that a response without nextUpdate is good for
};

struct Question {
	Bytes leaf;
	std::vector<Bytes> others; // what the peer sent beside
	std::vector<Bytes> ocsp;
	int64_t now = 0;
};

struct Verdict {
	/// Empty: good. Else the name of libcrypto's error, X509_V_ERR_..., or of one of these:
	/// MALFORMED, MALFORMED_ISSUER, LEAF_IS_CA, KEY_USAGE, EXTENDED_KEY_USAGE, OCSP_REVOKED,
	/// STATUS_UNKNOWN, INTERNAL.
	std::string code;
	// Bad: about which certificate of the path (0 is the leaf), and what else there is to say.
	int depth = 0;
	std::string subject;
	std::string serial;
	std::string detail;
	// Good:
	std::optional<Facts> leaf;
	size_t anchor = 0;            // place in Trust::anchors
	size_t length = 0;            // certificates in the path, leaf and anchor included
	int64_t valid_until = 0;      // when the first certificate of the path expires
	int64_t known_until = 0;      // when the status has to be asked for again
	std::string stale_crl_issuer; // a CRL that was too old, and done without
};

/// Anchors, intermediates and CRLs of one SP.
class Store
{
public:
	/// Throws KernelError BAD_ARGUMENT when something cannot be read.
	explicit Store(const Trust &trust);
	~Store();
	Store(const Store &) = delete;
	Store &operator=(const Store &) = delete;

	Verdict verify(const Question &question) const;

private:
	struct Parts;
	std::unique_ptr<Parts> parts_;
};

} // namespace sealane::x509

#endif
