/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication of BFD Control packets by keyed SHA1 (RFC 5880 §6.7.4). Each packet carries a sequence
 * number and SHA1 over the packet with the key, padded with zeros, in the place of the hash.
 */
#ifndef SEALANE_BFD_BFD_AUTH_H
#define SEALANE_BFD_BFD_AUTH_H

#include "bfd/bfd_packet.h"

#define SL_BFD_KEY_BYTES 20u

/* SHA1 of data[0..length) into out[0..20). */
typedef void (*sl_bfd_sha1)(void *context, const uint8_t *data, size_t length, uint8_t out[20]);

struct sl_bfd_hasher {
	sl_bfd_sha1 sha1;
	void *context;
};

/* What is configured; compared octet by octet, so unused octets are zero. */
struct sl_bfd_key {
	uint8_t type; /* enum sl_bfd_auth_type */
	uint8_t id;
	uint8_t octets[SL_BFD_KEY_BYTES]; /* 1..20 octets, zeros behind */
};

/* bfd.AuthType and its fellows of §6.8.1. */
struct sl_bfd_auth {
	struct sl_bfd_key key;
	uint32_t rcv_seq; /* bfd.RcvAuthSeq */
	uint32_t xmit_seq;
	bool seq_known;     /* bfd.AuthSeqKnown */
	uint64_t forget_ns; /* seq_known ends then: twice the Detection Time without a packet */
};

/* The key in force from now on; `xmit_seq` begins with a random number. */
void sl_bfd_auth_set(struct sl_bfd_auth *auth, const struct sl_bfd_key *key, uint32_t xmit_seq);

/*
 * May the packet, decoded from bytes[0..packet->length), be believed? Keeps the sequence number of one that
 * may. Monotonic `now_ns` is compared to `forget_ns`.
 */
bool sl_bfd_auth_check(struct sl_bfd_auth *auth, const struct sl_bfd_hasher *hasher,
                       const struct sl_bfd_packet *packet, const uint8_t *bytes, uint64_t now_ns);

/* Write the authentication section behind a header that sl_bfd_encode() made. */
void sl_bfd_auth_seal(struct sl_bfd_auth *auth, const struct sl_bfd_hasher *hasher,
                      uint8_t bytes[SL_BFD_MAX_BYTES]);

#endif
