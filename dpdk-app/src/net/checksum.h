/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
 *
 * Sums are one's-complement sums of 16-bit big-endian words held in host order; a checksum field is
 * the complement of the folded sum.
 */
#ifndef SEALANE_NET_CHECKSUM_H
#define SEALANE_NET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "net/bytes.h"

/* Fold a sum of up to 2^16 words into 16 bits. */
static inline uint16_t sl_sum_fold(uint32_t sum)
{
	sum = (sum & 0xffffu) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* Sum of `length` bytes, an odd last byte padded with zero on the right; not inverted. Adds `sum`. */
static inline uint32_t sl_sum(const uint8_t *data, size_t length, uint32_t sum)
{
	while (length >= 2) {
		sum += sl_get16(data);
		data += 2;
		length -= 2;
	}
	if (length != 0)
		sum += (uint32_t)data[0] << 8;
	return sum;
}

/*
 * The checksum after one 16-bit word changed from `before` to `after`: HC' = ~(~HC + ~m + m'),
 * equation 3 of RFC 1624, which unlike RFC 1141 never yields 0x0000 from a header that sums to 0xffff.
 */
static inline uint16_t sl_checksum_update(uint16_t checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~before + after;

	return (uint16_t)~sl_sum_fold(sum);
}

#endif
