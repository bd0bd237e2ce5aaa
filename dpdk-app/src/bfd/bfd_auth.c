/* SPDX-License-Identifier: Apache-2.0 */
#include "bfd/bfd_auth.h"

#include <string.h>

/* Offsets in the packet. */
#define AUTH_KEY_ID 26u
#define AUTH_RESERVED 27u
#define AUTH_SEQUENCE 28u
#define AUTH_HASH 32u

void sl_bfd_auth_set(struct sl_bfd_auth *auth, const struct sl_bfd_key *key, uint32_t xmit_seq)
{
	auth->key = *key;
	auth->xmit_seq = xmit_seq;
	auth->seq_known = false;
}

/* Sequence numbers are circular: how far `seq` is ahead of the last one tells whether it is new. */
static bool is_expected(const struct sl_bfd_auth *auth, uint32_t seq, uint8_t detect_mult)
{
	uint32_t ahead = seq - auth->rcv_seq;
	uint32_t least = auth->key.type == SL_BFD_AUTH_METICULOUS_SHA1 ? 1 : 0;

	return ahead >= least && ahead <= 3u * detect_mult;
}

/* Takes as long for a hash that is nearly right. */
static bool same_hash(const uint8_t *left, const uint8_t *right)
{
	uint8_t difference = 0;

	for (size_t i = 0; i < SL_BFD_KEY_BYTES; i++)
		difference |= left[i] ^ right[i];
	return difference == 0;
}

bool sl_bfd_auth_check(struct sl_bfd_auth *auth, const struct sl_bfd_hasher *hasher,
                       const struct sl_bfd_packet *packet, const uint8_t *bytes, uint64_t now_ns)
{
	uint8_t keyed[SL_BFD_MAX_BYTES], hash[SL_BFD_KEY_BYTES];
	uint32_t seq;

	if (packet->auth_type != auth->key.type || packet->auth_length != SL_BFD_SHA1_BYTES ||
	    packet->length != SL_BFD_MAX_BYTES || bytes[AUTH_KEY_ID] != auth->key.id)
		return false;
	seq = (uint32_t)bytes[AUTH_SEQUENCE] << 24 | (uint32_t)bytes[AUTH_SEQUENCE + 1] << 16 |
	      (uint32_t)bytes[AUTH_SEQUENCE + 2] << 8 | bytes[AUTH_SEQUENCE + 3];
	if (auth->seq_known && now_ns >= auth->forget_ns)
		auth->seq_known = false;
	if (auth->seq_known && !is_expected(auth, seq, packet->detect_mult))
		return false;
	memcpy(keyed, bytes, AUTH_HASH);
	memcpy(keyed + AUTH_HASH, auth->key.octets, SL_BFD_KEY_BYTES);
	hasher->sha1(hasher->context, keyed, sizeof(keyed), hash);
	explicit_bzero(keyed, sizeof(keyed));
	if (!same_hash(hash, bytes + AUTH_HASH))
		return false;
	auth->seq_known = true;
	auth->rcv_seq = seq;
	return true;
}

void sl_bfd_auth_seal(struct sl_bfd_auth *auth, const struct sl_bfd_hasher *hasher,
                      uint8_t bytes[SL_BFD_MAX_BYTES])
{
	uint8_t hash[SL_BFD_KEY_BYTES];

	/* Keyed SHA1 may count each packet as meticulous must: one way to be tested less. */
	auth->xmit_seq++;
	bytes[SL_BFD_HEADER_BYTES] = auth->key.type;
	bytes[SL_BFD_HEADER_BYTES + 1] = SL_BFD_SHA1_BYTES;
	bytes[AUTH_KEY_ID] = auth->key.id;
	bytes[AUTH_RESERVED] = 0;
	bytes[AUTH_SEQUENCE] = (uint8_t)(auth->xmit_seq >> 24);
	bytes[AUTH_SEQUENCE + 1] = (uint8_t)(auth->xmit_seq >> 16);
	bytes[AUTH_SEQUENCE + 2] = (uint8_t)(auth->xmit_seq >> 8);
	bytes[AUTH_SEQUENCE + 3] = (uint8_t)auth->xmit_seq;
	memcpy(bytes + AUTH_HASH, auth->key.octets, SL_BFD_KEY_BYTES);
	hasher->sha1(hasher->context, bytes, SL_BFD_MAX_BYTES, hash);
	memcpy(bytes + AUTH_HASH, hash, sizeof(hash));
}
