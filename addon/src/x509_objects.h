// SPDX-License-Identifier: Apache-2.0
// libcrypto's objects with owners, and small readers of them. Private to x509*.cc.
#ifndef SEALANE_ADDON_X509_OBJECTS_H
#define SEALANE_ADDON_X509_OBJECTS_H

#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "x509.h"

namespace sealane::x509
{

template <auto release> struct Release {
	template <class T> void operator()(T *object) const { release(object); }
};

/// The stack alone; what is on it belongs to others.
inline void release_stack(STACK_OF(X509) * stack) { sk_X509_free(stack); }
inline void release_addresses(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }
inline void release_usages(EXTENDED_KEY_USAGE *usages) { EXTENDED_KEY_USAGE_free(usages); }

using Certificate = std::unique_ptr<X509, Release<X509_free>>;
using Crl = std::unique_ptr<X509_CRL, Release<X509_CRL_free>>;
using Name = std::unique_ptr<X509_NAME, Release<X509_NAME_free>>;
using Stack = std::unique_ptr<STACK_OF(X509), Release<release_stack>>;
using StorePointer = std::unique_ptr<X509_STORE, Release<X509_STORE_free>>;
using Context = std::unique_ptr<X509_STORE_CTX, Release<X509_STORE_CTX_free>>;
using BasicResponse = std::unique_ptr<OCSP_BASICRESP, Release<OCSP_BASICRESP_free>>;

/// Once, before anything else: libcrypto reads no configuration file and leaves exit() alone.
void initialize();

/// Nothing when it is too large, no certificate, has bytes behind it or unreadable extensions.
Certificate parse_certificate(View der);
Crl parse_crl(View der);
/// Nothing also for an error instead of a response, and for more than is looked at.
BasicResponse parse_ocsp(View der);

std::string text_of(const X509_NAME *name);
std::string serial_of(const X509 *certificate);
/// Seconds since 1970; nothing when it is no time.
std::optional<int64_t> seconds_of(const ASN1_TIME *time);
/// Nothing when a SAN is no address or no DNS name.
std::optional<Facts> facts_of(X509 *certificate);
/// Whether the signature algorithm of a CRL or an OCSP response is one of SHA-256 or better, or EdDSA.
bool is_strong(const X509_ALGOR *algorithm);

/// How far ahead of ours an issuer's clock may be, seconds.
constexpr int64_t kSkew = 300;

struct OcspAnswer {
	enum { kNone, kGood, kRevoked } status = kNone;
	int64_t until = 0;
};

/// What responses say about a certificate: those that its issuer signed, or a responder that it certified for OCSP
/// (RFC 6960 §4.2.2.2) and has not revoked since.
OcspAnswer ask(const std::vector<BasicResponse> &responses, X509 *certificate, X509 *issuer,
               const std::vector<Crl> &crls, int64_t now, int64_t max_age);

} // namespace sealane::x509

#endif
