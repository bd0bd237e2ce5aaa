/* SPDX-License-Identifier: Apache-2.0 */
/* Fragmentation of an IPv4 packet (RFC 791 3.2): how it is cut, and the headers of the pieces. */
#ifndef SEALANE_NET_IP4_FRAGMENT_H
#define SEALANE_NET_IP4_FRAGMENT_H

#include <stdint.h>

#define SL_IP4_MAX_HEADER 60u

/* How a packet is cut. Lengths in bytes. */
struct sl_ip4_cut {
	uint16_t count;     /* pieces, 2 or more */
	uint16_t payload;   /* behind the packet's header */
	uint16_t first;     /* of it in the first piece, which keeps the packet's header */
	uint16_t each;      /* in those between */
	uint8_t header_len; /* of the packet */
	uint8_t later_len;  /* of the pieces but the first */
	uint8_t later
		[SL_IP4_MAX_HEADER]; /* their header: the options with the copied flag, no others */
};

enum sl_ip4_cut_result {
	SL_IP4_CUT,
	SL_IP4_CUT_OPTIONS, /* an option whose length leads beyond the header */
	SL_IP4_CUT_LENGTH,  /* a fragment that ends beyond 65,535 bytes */
	SL_IP4_CUT_MTU,     /* no eight bytes of payload beside the header */
};

/*
 * Decide how the packet at `ip`, which sl_ip4_check() accepted, which is larger than `mtu` bytes and has no
 * DF, is cut into pieces of at most `mtu` bytes. It may be a fragment itself.
 */
enum sl_ip4_cut_result sl_ip4_cut(const uint8_t *ip, uint16_t mtu, struct sl_ip4_cut *cut);

/* Offset of piece `i` in the packet's payload, and how many bytes of it the piece has. */
static inline uint16_t sl_ip4_piece_offset(const struct sl_ip4_cut *cut, uint16_t i)
{
	return i == 0 ? 0 : (uint16_t)(cut->first + (i - 1) * cut->each);
}
static inline uint16_t sl_ip4_piece_len(const struct sl_ip4_cut *cut, uint16_t i)
{
	if (i + 1 == cut->count)
		return (uint16_t)(cut->payload - sl_ip4_piece_offset(cut, i));
	return i == 0 ? cut->first : cut->each;
}

/*
 * Finish the header `ip` of piece `i`: total length, MF, offset, checksum. It is the packet's own (i = 0) or
 * `cut->later`, and its word of flags and offset still the packet's.
 */
void sl_ip4_finish_piece(uint8_t *ip, const struct sl_ip4_cut *cut, uint16_t i);

#endif
