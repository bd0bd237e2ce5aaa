/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The suites of ESP, each listed once: how long its keys are and what it adds to a packet. For the worker
 * and the writer of SA rows alike.
 *
 *   | ESP header 8 | IV | payload | padding, pad length, next header | ICV |
 *                       \__________ a multiple of `align` __________/
 *
 * A row's `key` holds the cipher's key, then the integrity key (RFC 7296 2.17); lengths in bytes. The ICV
 * of HMAC is half the hash (RFC 4868 2.6), its key a whole one.
 */
#ifndef SEALANE_SUITES_H
#define SEALANE_SUITES_H

#include "tables.h"

enum sl_suite_kind {
	SL_SUITE_GCM,    /* RFC 4106 */
	SL_SUITE_GMAC,   /* RFC 4543: nothing is encrypted */
	SL_SUITE_CHACHA, /* ChaCha20-Poly1305, RFC 7634 */
	SL_SUITE_CBC,    /* AES-CBC (RFC 3602) with HMAC-SHA-2 (RFC 4868) */
	SL_SUITE_NULL,   /* NULL (RFC 2410) with HMAC-SHA-2: nothing is encrypted */
};

/* X(algorithm, name, kind, cipher key, integrity key, salt, IV, ICV, align) */
#define SL_SUITES(X)                                                                               \
	X(SL_ALG_AES_GCM_128, "aes-gcm-128", SL_SUITE_GCM, 16, 0, 4, 8, 16, 4)                     \
	X(SL_ALG_AES_GCM_256, "aes-gcm-256", SL_SUITE_GCM, 32, 0, 4, 8, 16, 4)                     \
	X(SL_ALG_AES_GMAC_128, "aes-gmac-128", SL_SUITE_GMAC, 16, 0, 4, 8, 16, 4)                  \
	X(SL_ALG_AES_GMAC_256, "aes-gmac-256", SL_SUITE_GMAC, 32, 0, 4, 8, 16, 4)                  \
	X(SL_ALG_CHACHA20_POLY1305, "chacha20-poly1305", SL_SUITE_CHACHA, 32, 0, 4, 8, 16, 4)      \
	X(SL_ALG_AES_CBC_128_SHA_256, "aes-cbc-128-sha-256", SL_SUITE_CBC, 16, 32, 0, 16, 16, 16)  \
	X(SL_ALG_AES_CBC_128_SHA_384, "aes-cbc-128-sha-384", SL_SUITE_CBC, 16, 48, 0, 16, 24, 16)  \
	X(SL_ALG_AES_CBC_128_SHA_512, "aes-cbc-128-sha-512", SL_SUITE_CBC, 16, 64, 0, 16, 32, 16)  \
	X(SL_ALG_AES_CBC_256_SHA_256, "aes-cbc-256-sha-256", SL_SUITE_CBC, 32, 32, 0, 16, 16, 16)  \
	X(SL_ALG_AES_CBC_256_SHA_384, "aes-cbc-256-sha-384", SL_SUITE_CBC, 32, 48, 0, 16, 24, 16)  \
	X(SL_ALG_AES_CBC_256_SHA_512, "aes-cbc-256-sha-512", SL_SUITE_CBC, 32, 64, 0, 16, 32, 16)  \
	X(SL_ALG_NULL_SHA_256, "null-sha-256", SL_SUITE_NULL, 0, 32, 0, 0, 16, 4)                  \
	X(SL_ALG_NULL_SHA_384, "null-sha-384", SL_SUITE_NULL, 0, 48, 0, 0, 24, 4)                  \
	X(SL_ALG_NULL_SHA_512, "null-sha-512", SL_SUITE_NULL, 0, 64, 0, 0, 32, 4)

struct sl_suite {
	const char *name;
	enum sl_suite_kind kind;
	uint8_t cipher_key;
	uint8_t integrity_key;
	uint8_t salt;
	uint8_t iv;
	uint8_t icv;
	uint8_t align; /* a power of two */
};

/* NULL: not one of enum sl_algorithm. */
static inline const struct sl_suite *sl_suite_of(uint8_t algorithm)
{
#define SL_SUITE_ROW(algorithm, name, kind, cipher, integrity, salt, iv, icv, align)               \
	{name, kind, cipher, integrity, salt, iv, icv, align},
	static const struct sl_suite suites[] = {SL_SUITES(SL_SUITE_ROW)};
#undef SL_SUITE_ROW

	if (algorithm == 0 || algorithm > sizeof(suites) / sizeof(suites[0]))
		return 0; /* NOLINT(modernize-use-nullptr): C has none */
	return &suites[algorithm - 1];
}

/* Bytes of both keys. */
static inline unsigned int sl_suite_key_bytes(const struct sl_suite *suite)
{
	return (unsigned int)suite->cipher_key + suite->integrity_key;
}

/* enum sl_protection that an SA of this suite gives (policy-model 16). */
static inline uint8_t sl_suite_protection(const struct sl_suite *suite)
{
	return suite->kind == SL_SUITE_GMAC || suite->kind == SL_SUITE_NULL ? SL_PROT_AUTHENTICATE
	                                                                    : SL_PROT_ENCRYPT;
}

#endif
